"""Long work as a process of its own: what is cancelled ends at once; its memory and libraries are not the server's."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ..contract.errors import MienError
from .jobs import Job

log = logging.getLogger("mien")

ROOT = Path(__file__).resolve().parents[2]
_LOOK = 0.1
_LEFT = "mien: "


def run_command(arguments: Sequence[str], job: Job) -> dict[str, Any]:
    """Run `engine ARGUMENTS --progress` (see `engine.reporting`); its result. The job's progress is the command's.

    Raises:
        MienError: The command refused its input; its sentence.
        Cancelled: The job was; the process is gone then.
    """
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    with subprocess.Popen(
        [sys.executable, "-m", "engine", arguments[0], "--progress", *arguments[1:]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, creationflags=flags,
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        lines: queue.Queue[bytes | None] = queue.Queue()
        complaints: list[str] = []
        readers = [
            threading.Thread(target=_read, args=(process.stdout, lines), daemon=True),
            threading.Thread(target=_drain, args=(process.stderr, complaints), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            result = _follow(lines, job)
        except BaseException:
            process.kill()
            raise
        code = process.wait()
        readers[1].join(5.0)
    if code == 0 and result is not None:
        return result
    sentence = next((line for line in reversed(complaints) if line.startswith(_LEFT)), "")
    if code == 2 and sentence:
        raise MienError(sentence.removeprefix(_LEFT))
    for line in complaints[-40:]:
        log.error("%s: %s", arguments[0], line)
    if code < 0:
        raise MienError("The work was ended by the system, probably for want of memory; give a smaller file.")
    raise RuntimeError(f"engine {arguments[0]} ended with code {code}: {sentence}")


def _follow(lines: queue.Queue[bytes | None], job: Job) -> dict[str, Any] | None:
    """Pass progress on until the command's output ends; its result."""
    result = None
    while True:
        job.check()
        try:
            line = lines.get(timeout=_LOOK)
        except queue.Empty:
            continue
        if line is None:
            return result
        try:
            said = json.loads(line)
            if "result" in said:
                result = said["result"]
            else:
                job.progress(float(said["fraction"]), str(said["message"]))
        except (ValueError, TypeError, KeyError):
            log.info("said: %s", line[:500])


def _read(stream: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _drain(stream: IO[bytes], complaints: list[str]) -> None:
    for line in stream:
        complaints.append(line.decode("utf-8", "replace").rstrip())
        del complaints[:-200]
