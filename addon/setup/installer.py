"""Makes the engine's own Python environment with venv and pip. No bpy: a thread runs it, the window only looks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

STAMP = "mien-engine.json"
MINIMUM_PYTHON = (3, 11)
_STARTS = re.compile(r"^(?:Collecting|Requirement already satisfied:) (\S+)")


def environment_python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def fingerprint(requirements: Path) -> str:
    """Changes when the list of packages does; empty where there is no list."""
    try:
        return hashlib.sha256(requirements.read_bytes()).hexdigest()
    except OSError:
        return ""


def stamp(folder: Path) -> str | None:
    """The fingerprint of what a finished installation holds; None where none was finished."""
    try:
        content = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        return str(content["requirements"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Installer:
    """One installation. `start` returns at once; read `fraction`, `message`, `error` and `finished` from any thread.

    Args:
        python: The interpreter whose version the environment gets: Blender's own. Nothing is installed into it.
        folder: Where the environment is made; what is there is replaced.
        requirements: pip requirement files. Those after the first may fail: the reason becomes a note.
        log: File that gets everything venv and pip say.
        first_run: What to run with the new Python at the end, so that the artist's first picture need not wait for it:
            its arguments, folder and additional environment. If it fails, that becomes a note.
    """

    def __init__(
        self,
        python: Path,
        folder: Path,
        requirements: list[Path],
        log: Path,
        first_run: tuple[list[str], Path, dict[str, str]] | None = None,
    ) -> None:
        self._python, self._folder, self._requirements, self._log = python, folder, requirements, log
        self._first_run = first_run
        self._cancelled = threading.Event()
        self._process: subprocess.Popen | None = None
        self._thread: threading.Thread | None = None
        self.fraction = 0.0
        self.message = "Starting"
        self.error: str | None = None
        self.notes: list[str] = []
        self.finished = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="mien-install", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Block until it is finished, at most so long; returns whether it is."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self.finished

    def cancel(self) -> None:
        self._cancelled.set()
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    # ── in the thread ──

    def _run(self) -> None:
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with open(self._log, "w", encoding="utf-8", errors="replace") as log:
                self._install(log)
        except _Failed as failure:
            self.error = str(failure)
        except OSError as error:
            self.error = (
                f"The engine could not be installed: {error.strerror or error} ({error.filename or self._folder})."
            )
        finally:
            if self.cancelled:
                self.error = None
            if self.error or self.cancelled:
                shutil.rmtree(self._folder, ignore_errors=True)
            self.finished = True

    def _install(self, log) -> None:
        if sys.version_info[:2] < MINIMUM_PYTHON:
            raise _Failed("This Blender's Python is too old for the engine; use Blender 4.5 or later.")
        self._tell(0.01, "Making a Python environment")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._command(
            [str(self._python), "-m", "venv", "--clear", str(self._folder)],
            log,
            "The Python environment could not be made",
        )
        python = str(environment_python(self._folder))
        share = 0.85 / len(self._requirements)
        for number, path in enumerate(self._requirements):
            begin = 0.04 + share * number
            names = _names(path)
            seen: set[str] = set()

            def heard(line: str, seen=seen, names=names, begin=begin) -> None:
                found = _STARTS.match(line)
                if found:
                    seen.add(found[1])
                    self._tell(
                        begin + share * 0.7 * min(len(seen) / max(3 * len(names), 1), 1), f"Fetching {_plain(found[1])}"
                    )
                elif line.startswith("Installing collected"):
                    self._tell(begin + share * 0.8, "Installing the packages")

            arguments = [
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--progress-bar",
                "off",
                "-r",
                str(path),
            ]
            try:
                self._command([python, *arguments], log, "pip could not install the engine's packages", heard)
            except _Failed as failure:
                if number == 0:
                    raise
                self.notes.append(str(failure))
        (self._folder / STAMP).write_text(
            json.dumps({"requirements": fingerprint(self._requirements[0])}), encoding="utf-8"
        )
        if self._first_run is not None:
            self._tell(0.9, "Compiling the renderer")
            arguments, cwd, environment = self._first_run
            try:
                self._command([python, *arguments], log, "The renderer could not be tried", None, cwd, environment)
            except _Failed as failure:
                if self.cancelled:
                    raise
                self.notes.append(str(failure))
        self._tell(1.0, "Installed")

    def _command(
        self,
        command: list[str],
        log,
        what: str,
        heard=None,
        cwd: Path | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        """Run a program, its output into the log.

        Raises:
            _Failed: It failed or was cancelled; the sentence has the last thing it complained about.
        """
        if self.cancelled:
            raise _Failed("Cancelled.")
        log.write(f"$ {' '.join(command)}\n")
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP")}
        environment |= {"PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1", "PIP_NO_INPUT": "1", **(extra or {})}
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        complaints: deque[str] = deque(maxlen=3)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            encoding="utf-8", errors="replace", env=environment, creationflags=flags, cwd=cwd,
        ) as process:  # fmt: skip
            self._process = process
            for line in process.stdout:
                log.write(line)
                log.flush()
                if line.startswith("ERROR") or "Error:" in line:
                    complaints.append(line.strip().removeprefix("ERROR: "))
                if heard is not None:
                    heard(line.strip())
                if self.cancelled:
                    process.kill()
        self._process = None
        if self.cancelled:
            raise _Failed("Cancelled.")
        if process.returncode:
            reason = complaints[0] if complaints else f"it ended with code {process.returncode}"
            raise _Failed(f"{what}: {reason[:200]}. Check the connection and the log {self._log}, then try again.")

    def _tell(self, fraction: float, message: str) -> None:
        self.fraction, self.message = max(self.fraction, min(fraction, 1.0)), message


class _Failed(Exception):
    """A step failed; the text is a sentence for the artist."""


def _names(requirements: Path) -> list[str]:
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "-"))]


def _plain(requirement: str) -> str:
    return re.split(r"[=<>!~;\[]", requirement)[0]
