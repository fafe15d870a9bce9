"""`engine sync`: how well curves fit a sound."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..contract.files import write_text
from ..speech import sound
from . import network

FORMAT = "mien-sync"
VERSION = 1


def as_json(result: network.Sync) -> dict[str, Any]:
    """A result as the content of a JSON file, or of a reply."""
    return {
        "score": round(result.score, 4),
        "confidence": round(result.confidence, 4),
        "distance": round(result.distance, 4),
        "offset": round(result.offset, 4),
        "worst": [[round(entry.start, 3), round(entry.end, 3), round(entry.score, 4)] for entry in result.worst],
    }


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine sync`."""
    parser = subparsers.add_parser("sync", help="score how well curves fit a sound, find their offset")
    parser.add_argument("--audio", required=True, metavar="FILE", help="the sound that is spoken")
    parser.add_argument("--curves", required=True, metavar="FILE", help="a curve file, Live Link CSV or ARKit JSON")
    parser.add_argument("--out", metavar="FILE.json", help="write the result with its score every 20 ms")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    from ..clean import files

    curves, notes = files.read(args.curves)
    result = network.check(sound.read(args.audio), curves, str(args.audio))
    print(f"Score {result.score:.2f} of 1, confidence {result.confidence:.2f}, distance {result.distance:.2f}")
    late = "late" if result.offset > 0 else "early"
    print(f"The mouth comes {abs(result.offset) * 1000:.0f} ms {late}")
    for entry in result.worst:
        print(f"  {entry.start:7.2f}–{entry.end:.2f} s fits badly: {entry.score:.2f}")
    for note in notes:
        print(f"Note: {note}")
    if args.out:
        every = [None if score != score else round(float(score), 4) for score in result.scores]
        content = {"format": FORMAT, "version": VERSION, **as_json(result), "step": network.STEP, "scores": every}
        write_text(Path(args.out), json.dumps(content, allow_nan=False))
    return 0
