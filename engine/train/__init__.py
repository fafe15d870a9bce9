"""Training what ships: `engine train WHAT`, a module here each; torch is needed here and nowhere else.

Each WHAT is a module whose `add_parser(subparsers)` adds its own parser and sets `func`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys

#: name: what is trained
KINDS: dict[str, str] = {
    "performance": "the performer's denoiser, from captured takes and lines that Mien speaks",
    "emotion": "the one space of feelings, from words, labels and tables that ship with Mien",
    "sync": "the sync network, from captured takes and lines that Mien speaks",
}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine train`: leads on to the modules here."""
    train = subparsers.add_parser("train", help="train a network that ships with Mien (needs torch)")
    kinds = train.add_subparsers(dest="what", metavar="WHAT", required=True)
    words = [entry for entry in sys.argv[1:] if not entry.startswith("-")]
    asked = words[1] if len(words) > 1 and words[0] == "train" else None
    for name, summary in KINDS.items():
        if name == asked and importlib.util.find_spec(f"{__name__}.{name}"):
            importlib.import_module(f"{__name__}.{name}").add_parser(kinds)
        else:
            kinds.add_parser(name, help=summary)
