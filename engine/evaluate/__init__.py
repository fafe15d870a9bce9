"""Figures: how well each part does what it promises, measured and printed beside what it must reach.

`engine evaluate WHAT`: each WHAT is a module here whose `add_parser(subparsers)` adds its own parser and sets
`func`; only the one that is asked for is imported.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys

#: name: what is measured
KINDS: dict[str, str] = {
    "speech": "timing, lip closures, keys, agreement with captured mouths",
    "performance": "mouths beside other programs, closures, what each part of the performer is for, time",
    "voice": "how late the voice's phone times are, raw and corrected",
    "sync": "held-out offsets and scores of the sync network, beside an envelope",
    "clean": "jerk and peaks of cleaned captures, beside a Gaussian",
    "circle": "valence and arousal around the circle while speaking, as others read them",
    "emotion": "directions in words against hand-written expectations",
    "foreign": "faces found in splats, imported heads that speak",
    "heads": "held-out pictures, faces read back, turns and sweeps",
}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate`."""
    parser = subparsers.add_parser("evaluate", help="measure how good the results are")
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    for name, summary in KINDS.items():
        if name in sys.argv and importlib.util.find_spec(f"{__name__}.{name}"):
            importlib.import_module(f"{__name__}.{name}").add_parser(kinds)
        else:
            kinds.add_parser(name, help=summary)
