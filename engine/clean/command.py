"""`engine clean`: a capture in, its curves without jitter out."""

from __future__ import annotations

import argparse

import numpy as np

from . import files, smooth


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine clean FILE --out FILE.json`."""
    parser = subparsers.add_parser("clean", help="read captured curves and take the jitter out")
    parser.add_argument("file", metavar="FILE", help="Live Link Face CSV, ARKit JSON, a curve file, or a video")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="a curve file, or .csv as Live Link Face writes it"
    )
    parser.add_argument("--form", choices=[*files.FORMATS], help="what to write; by the ending otherwise")
    parser.add_argument("--fps", type=float, help="frames a second of what is written; the capture's own otherwise")
    parser.add_argument("--strength", type=float, default=1.0, help="0 leaves the jitter, 1 halves the jerk, up to 3")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    captured, notes = files.read(args.file, args.fps)
    cleaned = smooth.smooth(captured, args.strength)
    files.write(cleaned, args.out, args.form)
    before, after = (np.abs(np.diff(entry.values, smooth.ORDER, axis=0)).sum() for entry in (captured, cleaned))
    share = f", jerk {after / before:.0%} of the captured" if before > 0 else ""
    print(
        f"{args.out}: {len(cleaned.values)} frames of {len(cleaned.channels)} channels at {cleaned.fps:g} fps, "
        f"{cleaned.duration:.2f} s{share}"
    )
    for note in notes:
        print(f"Note: {note}")
    return 0
