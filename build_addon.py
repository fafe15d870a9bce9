#!/usr/bin/env python3
"""Mien's one command: make the environments, build the extension, test it, show it.

    python3 build_addon.py demo [--audio FILE [--text TRANSCRIPT]] [--mood TEXT] [--seconds N] [--size PIXELS]
    python3 build_addon.py test [PYTEST ARGS]
    python3 build_addon.py build
    python3 build_addon.py install [--blender PATH]
    python3 build_addon.py engine -- ARGS

Standard library only. Everything it makes lies in build/ and out/ beside this file; nothing else is touched.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENTS = ROOT / "build" / "envs"
OUT = ROOT / "out"

#: What the extension zip holds, relative to the root.
PACKAGED = ("__init__.py", "blender_manifest.toml", "LICENSE", "README.md", "addon", "engine")
LEFT_OUT = {"__pycache__", ".pytest_cache", ".DS_Store"}
COMPILED = {".pyc", ".nbi", ".nbc"}


@dataclass(frozen=True)
class Blender:
    """A supported Blender, as the `bpy` wheel for one Python version."""

    label: str
    bpy: str
    python: tuple[int, int]

    @property
    def environment(self) -> str:
        return "blender-" + self.label.split()[0]


BLENDERS = (Blender("4.5 LTS", "4.5.15", (3, 11)), Blender("5.2 LTS", "5.2.3", (3, 13)))
TEST_PACKAGES = ("pytest==9.0.3", "hypothesis==6.155.2")


class Stop(Exception):
    """One sentence for the person at the terminal; ends the command with exit code 1."""


def say(text: str) -> None:
    print(text, flush=True)


def step(text: str) -> None:
    say(f"\n── {text}")


# ── interpreters and environments ────────────────────────────────────────────────────────────────────────────────────


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would leak another Python into a child."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH")}
    return {**environment, "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1", **extra}


def python_version(command: list[str]) -> tuple[int, int] | None:
    try:
        ask = [*command, "-c", "import sys; print(*sys.version_info[:2])"]
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=30, env=clean_environment())
        major, minor = answer.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def find_python(version: tuple[int, int]) -> str | None:
    """An interpreter of that version: this one, one named in MIEN_PYTHON_3_11, one on the PATH, of pyenv or of uv."""
    if sys.version_info[:2] == version:
        return sys.executable
    dotted = f"{version[0]}.{version[1]}"
    named = os.environ.get(f"MIEN_PYTHON_{version[0]}_{version[1]}")
    candidates = [[named]] if named else []
    candidates += [[f"python{dotted}"], ["py", f"-{dotted}"]]
    home = Path.home()
    for pattern in (f".pyenv/versions/{dotted}*/bin/python", f".local/share/uv/python/cpython-{dotted}*/bin/python3"):
        candidates += [[str(path)] for path in sorted(home.glob(pattern), reverse=True)]
    for command in candidates:
        if python_version(command) == version:
            ask = [*command, "-c", "import sys; print(sys.executable)"]
            return subprocess.run(ask, capture_output=True, text=True, env=clean_environment()).stdout.strip()
    return None


def python_in(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment(name: str, interpreter: str, requirements: list[str], optional: list[str] | None = None) -> Path:
    """A virtual environment with those pip arguments installed; made or brought up to date only when they change.

    `optional` arguments are tried and may fail: the reason is shown and the rest goes on.
    """
    folder = ENVIRONMENTS / name
    stamp = folder / "mien-stamp.txt"
    wanted = fingerprint([interpreter, *requirements, *(optional or [])])
    if stamp.exists() and stamp.read_text() == wanted and python_in(folder).exists():
        return python_in(folder)
    step(f"Environment {name}: {', '.join(shorten(item) for item in requirements)}")
    started = time.monotonic()
    if not python_in(folder).exists() or python_version([str(python_in(folder))]) != python_version([interpreter]):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", str(folder)], check=True, env=clean_environment())
    pip_install(python_in(folder), requirements)
    complete = True
    for item in optional or []:
        try:
            pip_install(python_in(folder), [item])
        except Stop as reason:
            complete = False
            say(f"   without {shorten(item)}: {reason}")
    if complete:
        stamp.write_text(wanted)
    say(f"   ready after {time.monotonic() - started:.0f} s")
    return python_in(folder)


def shorten(requirement: str) -> str:
    return Path(requirement).name if os.sep in requirement else requirement


def fingerprint(requirements: list[str]) -> str:
    digest = hashlib.sha256()
    for item in requirements:
        path = Path(item)
        digest.update(path.read_bytes() if path.suffix == ".txt" and path.exists() else item.encode())
    return digest.hexdigest()


def pip_install(python: Path, requirements: list[str]) -> None:
    arguments: list[str] = []
    for item in requirements:
        arguments += ["-r", item] if item.endswith(".txt") else [item]
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    if result.returncode:
        last = [line for line in result.stderr.splitlines() if "ERROR" in line] or result.stderr.splitlines()[-1:]
        raise Stop("pip could not install it: " + (last[0].strip() if last else "it gave no reason"))


def engine_python(for_tests: bool = False) -> Path:
    """The engine's interpreter, its environment made if need be. 3.11 is preferred: all packages have wheels for it."""
    interpreter = find_python((3, 11)) or find_python((3, 13))
    if interpreter is None:
        raise Stop("No Python 3.11 or 3.13 was found; install one, or name it in MIEN_PYTHON_3_11.")
    requirements = [str(ROOT / "engine" / "requirements.txt")]
    if for_tests:
        requirements.append(str(ROOT / "tests" / "requirements.txt"))
    voice = str(ROOT / "engine" / "requirements-voice.txt")
    return make_environment("engine-tests" if for_tests else "engine", interpreter, requirements, [voice])


def blender_python(blender: Blender) -> Path | None:
    """The interpreter with that Blender's `bpy`, or None where no fitting Python is found."""
    interpreter = find_python(blender.python)
    if interpreter is None:
        return None
    return make_environment(blender.environment, interpreter, [f"bpy=={blender.bpy}", *TEST_PACKAGES])


# ── build and install ────────────────────────────────────────────────────────────────────────────────────────────────


def version() -> str:
    found = re.search(r'^version\s*=\s*"([^"]+)"', (ROOT / "blender_manifest.toml").read_text(encoding="utf-8"), re.M)
    if not found:
        raise Stop("blender_manifest.toml has no version line.")
    return found[1]


def packaged_files() -> list[Path]:
    files: list[Path] = []
    for name in PACKAGED:
        path = ROOT / name
        found = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
        files += [entry for entry in found if not LEFT_OUT & set(entry.parts) and entry.suffix not in COMPILED]
    return sorted(files)


def build() -> Path:
    """The extension zip: the same bytes for the same tree."""
    target = OUT / f"mien-{version()}.zip"
    target.parent.mkdir(exist_ok=True)
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in packaged_files():
            entry = zipfile.ZipInfo(path.relative_to(ROOT).as_posix(), date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    partial.replace(target)
    return target


def find_blender(given: str | None) -> str:
    found = given or os.environ.get("BLENDER") or shutil.which("blender")
    if not found or not shutil.which(found):
        raise Stop("Blender was not found; give its program with --blender PATH.")
    return found


def install(arguments: argparse.Namespace) -> int:
    program = find_blender(arguments.blender)
    archive = build()
    step(f"Installing {archive.name} into {program}")
    command = [program, "--command", "extension", "install-file", "-r", "user_default", "--enable", str(archive)]
    if subprocess.run(command).returncode:
        raise Stop(f"Blender could not install it; drag {archive} into Blender's window instead.")
    say("Installed. In Blender's 3D view press N, open the tab Mien, and press Install Engine.")
    return 0


# ── demo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def demo(arguments: argparse.Namespace) -> int:
    """Everything an artist would do, in a Blender without a window, from the installed zip."""
    started = time.monotonic()
    ordered = sorted(BLENDERS, key=lambda blender: blender.python != sys.version_info[:2])
    python, blender = next(((path, entry) for entry in ordered if (path := blender_python(entry))), (None, None))
    if python is None or blender is None:
        raise Stop("No Python 3.11 or 3.13 was found for Blender's module; install one of them.")
    engine = engine_python()
    archive = build()
    step(f"Demo in Blender {blender.label}, from {archive.name}")
    profile = ROOT / "build" / "demo-profile"
    shutil.rmtree(profile, ignore_errors=True)
    profile.mkdir(parents=True)
    command = [str(python), str(ROOT / "tests" / "blender" / "run_demo.py"), "--zip", str(archive), "--out", str(OUT)]
    for option in ("audio", "text", "mood", "seconds", "size"):
        value = getattr(arguments, option)
        if value is not None:
            command += [f"--{option}", str(Path(value).resolve() if option == "audio" else value)]
    environment = clean_environment(BLENDER_USER_RESOURCES=str(profile), MIEN_ENGINE_PYTHON=str(engine))
    code = subprocess.run(command, env=environment, cwd=ROOT).returncode
    if code:
        raise Stop(f"The demo stopped with code {code}; what it said last stands above.")
    say(f"\nDone in {time.monotonic() - started:.0f} s. Open:")
    for name, what in (
        ("demo.mp4", "the film, with sound"),
        ("demo_sheet.png", "a contact sheet of it"),
        ("demo.blend", f"the scene, in Blender {blender.label} with Mien installed"),
    ):
        say(f"   {OUT / name}   {what}")
    return 0


# ── test ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, report: Path) -> None:
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
            self.failed += count["failures"] + count["errors"]
            self.skipped += count["skipped"]
            self.passed += count["tests"] - count["failures"] - count["errors"] - count["skipped"]


def run_tests(arguments: argparse.Namespace) -> int:
    archive = build()
    engine = engine_python(for_tests=True)
    extra = arguments.pytest
    runs: list[str] = []
    tally, failed = Tally(), False

    def run(label: str, python: Path, where: list[str], **environment: str) -> None:
        nonlocal failed
        step(f"Tests: {label}")
        report = ROOT / "build" / f"report-{len(runs)}.xml"
        report.unlink(missing_ok=True)
        command = [str(python), "-m", "pytest", *where, "-q", f"--junitxml={report}", *extra]
        code = subprocess.run(command, cwd=ROOT, env=clean_environment(**environment)).returncode
        if report.exists():
            tally.add(report)
        # pytest's 5 is "no test selected", which happens when an artist narrows the run with -k.
        succeeded = code == 0 or (code == 5 and bool(extra))
        failed |= not succeeded
        runs.append(f"{label}: {'passed' if succeeded else f'FAILED (exit code {code})'}")

    run("engine and contract", engine, ["tests", "--ignore=tests/blender"])
    for blender in BLENDERS:
        python = blender_python(blender)
        if python is None:
            major, minor = blender.python
            remedy = f"name one in MIEN_PYTHON_{major}_{minor}"
            runs.append(f"Blender {blender.label}: NOT RUN, no Python {major}.{minor} was found ({remedy})")
            continue
        profile = ROOT / "build" / f"test-profile-{blender.environment}"
        shutil.rmtree(profile, ignore_errors=True)
        profile.mkdir(parents=True)
        run(
            f"Blender {blender.label}", python, ["tests/blender"],
            BLENDER_USER_RESOURCES=str(profile), MIEN_ZIP=str(archive), MIEN_ENGINE_PYTHON=str(engine),
        )  # fmt: skip
    step("What was run")
    for line in runs:
        say(f"   {line}")
    say(f"\n{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if failed or not tally.passed else 0


# ── command line ─────────────────────────────────────────────────────────────────────────────────────────────────────


def run_engine(arguments: argparse.Namespace) -> int:
    given = arguments.arguments[1:] if arguments.arguments[:1] == ["--"] else arguments.arguments
    environment = clean_environment(PYTHONPATH=str(ROOT))
    return subprocess.run([str(engine_python()), "-m", "engine", *given], env=environment).returncode


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="build_addon.py", description="Build, test and show Mien.")
    commands = top.add_subparsers(dest="command", required=True)
    show = commands.add_parser("demo", help="a head speaks a line over a Cycles scene: film, .blend, contact sheet")
    show.add_argument("--audio", help="any recording; without it, a line that ships with Mien")
    show.add_argument("--text", help="what the recording says, if you know it")
    show.add_argument("--mood", help='directions in words, such as "calm, then furious at 3 s"; "" for none')
    show.add_argument("--seconds", type=float, help="stop after that many seconds of it")
    show.add_argument("--size", type=int, help="height of the film in pixels")
    show.set_defaults(run=demo)
    test = commands.add_parser("test", help="all tests, on every supported Blender for which there is a Python")
    test.add_argument("pytest", nargs=argparse.REMAINDER, help="handed on to pytest")
    test.set_defaults(run=run_tests)
    commands.add_parser("build", help="the extension zip").set_defaults(run=lambda _: say(str(build())) or 0)
    put = commands.add_parser("install", help="build and install into a Blender")
    put.add_argument("--blender", help="Blender's program; without it, the one on the PATH")
    put.set_defaults(run=install)
    engine = commands.add_parser("engine", help="run the engine's command line: engine -- ARGS")
    engine.add_argument("arguments", nargs=argparse.REMAINDER)
    engine.set_defaults(run=run_engine)
    return top


def main() -> int:
    arguments = parser().parse_args()
    try:
        return arguments.run(arguments)
    except Stop as reason:
        print(f"build_addon.py: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
