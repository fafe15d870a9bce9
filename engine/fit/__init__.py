"""Making heads: from a dataset (docs/dataset.md) to a head file."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine fit DATASET --out HEAD.mien`."""
    parser = subparsers.add_parser("fit", help="make a head file from pictures, cameras and a mesh")
    parser.add_argument("dataset", type=Path, help="a dataset's folder; docs/dataset.md says what it holds")
    parser.add_argument("--out", type=Path, required=True, help="head file to write")
    parser.add_argument("--gaussians", type=_number(500, 1_000_000), default=70_000)
    parser.add_argument("--steps", type=_number(1, 1_000_000), default=2600)
    parser.add_argument("--seed", type=_number(0, 2**31), default=0, help="equal seeds give equal heads")
    parser.add_argument("--sh-degree", type=int, choices=(0, 1, 2), default=2, help="how colours follow the view")
    parser.add_argument(
        "--changes", type=_number(0, 1_000_000), default=110_000, help="limit of the dynamic appearance"
    )
    parser.add_argument("--no-appearance", action="store_true", help="leave the dynamic appearance out")
    parser.add_argument("--resume", action="store_true", help="go on where a stopped fit of the same head was")
    parser.add_argument("--backend", choices=("auto", "cpu", "cuda"), default="auto")
    parser.set_defaults(func=_run)


def _run(options: argparse.Namespace) -> None:
    # Imported only when it runs: it needs scipy and Pillow, which rendering does not.
    from . import command

    command.run(options)


def _number(low: int, high: int):
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return parse
