"""The heads that Mien ships, and `engine heads`, which lists them and prints their cards."""

from __future__ import annotations

import argparse
import contextlib
from functools import cache
from pathlib import Path

from ..contract.errors import MienError
from . import format

FOLDER = Path(__file__).parent / "library"


@cache
def _name(path: Path, _changed: float) -> str:
    return format.load(path).name


def library() -> list[tuple[str, Path]]:
    """(name, file) of every shipped head, by name."""
    return sorted((_name(path, path.stat().st_mtime), path) for path in FOLDER.glob(f"*{format.SUFFIX}"))


def find(name_or_file: str) -> Path:
    """The file of a shipped head's name (in any case), or that file itself.

    Raises:
        MienError: There is neither.
    """
    heads = library()
    for name, path in heads:
        if name_or_file.casefold() in (name.casefold(), path.stem.casefold()):
            return path
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        if Path(name_or_file).is_file():
            return Path(name_or_file)
    names = ", ".join(name for name, _ in heads) or "none yet"
    raise MienError(f"There is no head or file {name_or_file!r}; shipped heads are: {names}.")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("heads", help="list the heads that can be rendered, a line each, the name first")
    parser.add_argument("head", nargs="?", metavar="NAME|FILE", help="print this head's card: licence, source, figures")
    parser.set_defaults(func=run)


def card(head: format.Head) -> str:
    """What a head is, who made it, under which licence, and how well it was fitted."""
    lines = [
        head.name,
        f"  licence    {head.licence}",
        f"  author     {head.author}",
        f"  source     {head.source}",
        f"  Gaussians  {head.gaussian_count:,}, {len(head.units)} face units",
    ]
    held_out = head.figures.get("held_out")
    for part, row in (held_out.get("mean", {}) if isinstance(held_out, dict) else {}).items():
        if isinstance(row, dict):
            figures = ", ".join(f"{name} {value:g}" for name, value in row.items() if isinstance(value, int | float))
            lines.append(f"  held out   {part}: {figures}")
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    if args.head:
        print(card(format.load(find(args.head))))
        return 0
    heads = library()
    width = max((len(name) for name, _ in heads), default=0)
    for name, path in heads:
        head = format.load(path)
        facts = f"{head.gaussian_count:,} Gaussians, {len(head.units)} units, {head.licence}"
        print(f"{name:<{width}}  {facts}  {path}")
    return 0
