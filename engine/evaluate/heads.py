"""Heads: held-out pictures, faces read back, turns and sweeps; beside their bars."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import MienError
from ..heads import format, library
from ..heads.format import Head


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the report; `ok` is None where there is no bar."""

    what: str
    value: str
    bar: str = ""
    ok: bool | None = None


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate heads`."""
    parser = subparsers.add_parser("heads", help="held-out pictures, faces read back, turns and sweeps")
    parser.add_argument(
        "heads", nargs="*", metavar="HEAD", help="names of the library or .mien files (all of the library)"
    )
    parser.add_argument(
        "--dataset", action="append", default=[], metavar="NAME=FOLDER", help="a head's dataset; may be repeated"
    )
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write contact sheets to look at")
    parser.add_argument("--only", choices=tuple(_MEASURES), action="append", help="measure only this; may be repeated")
    parser.add_argument("--every", action="store_true", help="print every channel and every view, not only what fails")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    heads = [format.load(library.find(name)) for name in args.heads or [name for name, _ in library.library()]]
    if args.pictures:
        try:
            args.pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MienError(f"The folder {args.pictures} can't be made ({error.strerror}); choose another.") from None
    lines: list[Line] = []
    for part in args.only or _MEASURES:
        found = _MEASURES[part](heads, args)
        for line in found:
            show(line)
        lines += found
    return 0 if all(line.ok is not False for line in lines) else 1


def show(line: Line) -> None:
    verdict = "" if line.ok is None else ("  ok" if line.ok else "  MISSED")
    print(f"{line.what}\n    {line.value}{f'  [{line.bar}]' if line.bar else ''}{verdict}", flush=True)


def _read_back(heads: list[Head], args: argparse.Namespace) -> list[Line]:
    from . import read_back

    lines = []
    for name, reading in read_back.measured(heads).items():
        right = sum(row.right for row in reading.rows)
        value = f"{right} of {len(reading.rows)} visible channels raise their own score most ({reading.share:.0%})"
        for row in reading.rows:
            if args.every or not row.right:
                rise = "no face" if row.rise is None else f"{row.rise:+.2f}"
                value += f"\n      {row.channel:<29}{row.own:<20}{rise}"
                value += "" if row.right else f", but {row.highest} {row.most:+.2f}"
        lines.append(Line(f"{name}: read back", value, "≥ 90 %", reading.share >= read_back.SHARE_BAR))
        loudest, score = reading.loudest()
        bar = f"< {read_back.NEUTRAL_BAR}"
        lines.append(
            Line(
                f"{name}: neutral", f"{loudest} {score:.2f} is the highest but gaze", bar, score < read_back.NEUTRAL_BAR
            )
        )
    return lines


_MEASURES = {"read-back": _read_back}
