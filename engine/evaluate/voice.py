"""How late the voice's own phone times are against its sound: raw, corrected, and refined by the sound."""

from __future__ import annotations

import argparse

import numpy as np

from ..contract.errors import MienError
from ..speech import prosody, refine, voice, voices
from ..speech.phones import Phone
from ..train.lines import LINES
from .speech import Line, landmark_errors, show


def report(count: int = 8, models: str | None = None) -> list[Line]:
    """Errors at the boundaries that the sound shows clearly, of `count` lines at three speeds, the voices by turns."""
    rows = []
    names = list(voices.VOICES)
    for speed in (0.8, 1.0, 1.25):
        kinds: dict[str, list[np.ndarray]] = {"as the network says": [], "corrected": [], "refined by the sound": []}
        for number, line in enumerate(LINES[:: max(len(LINES) // count, 1)][:count]):
            sound, phones, _ = voice.speak(line, names[number % len(names)], speed, models)
            measured = prosody.measure(sound)
            raw = [Phone(phone.symbol, phone.start + voice.LATENESS, phone.end + voice.LATENESS) for phone in phones]
            refined = refine.refine(phones, measured, sound.duration)
            for kind, found in zip(kinds, (raw, phones, refined), strict=True):
                kinds[kind].append(landmark_errors(found, measured))
        for kind, found in kinds.items():
            errors = 1000 * np.concatenate(found)
            middle, distance = float(np.median(errors)), float(np.median(np.abs(errors)))
            value = f"median {middle:+.0f} ms, median distance {distance:.0f} ms of {len(errors)}"
            last = kind.startswith("refined")
            ok = abs(middle) <= 20 and distance <= 20 if last else None
            rows.append(Line(f"The voice's onsets at speed {speed:g}, {kind}", value, "±20 ms" if last else "", ok))
    return rows


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate voice`."""
    parser = subparsers.add_parser("voice", help="how late the voice's phone times are, raw and corrected")
    parser.add_argument("--lines", type=int, default=8, help="how many lines are spoken at each speed")
    parser.add_argument("--models", metavar="FOLDER", help="where the voices lie")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    if not 1 <= args.lines <= len(LINES):
        raise MienError(f"--lines is {args.lines}; give 1 to {len(LINES)}.")
    rows = report(args.lines, args.models)
    show(rows)
    return 0 if all(row.ok is not False for row in rows) else 1
