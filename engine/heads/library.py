"""The heads that Mien ships, and `engine heads`, which lists them."""

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
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    heads = library()
    width = max((len(name) for name, _ in heads), default=0)
    for name, path in heads:
        head = format.load(path)
        facts = f"{head.gaussian_count:,} Gaussians, {len(head.units)} units, {head.licence}"
        print(f"{name:<{width}}  {facts}  {path}")
    return 0
