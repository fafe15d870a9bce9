"""`engine export-head`: a head at channel values → 3DGS PLY or SPZ, or a numbered file a frame of a curve file."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...contract import curves
from ...contract.errors import MienError
from .. import format as head_format
from .. import library
from ..deform import Deformer
from . import ply, spz
from .splats import HEAD_FROM_RDF, HEAD_FROM_RUB, Splats, from_gaussians, moved

#: format: (how to write it, head axes → its axes)
FORMATS: dict[str, tuple[Callable[[Splats, Path], None], np.ndarray]] = {
    "ply": (ply.write, HEAD_FROM_RDF.T),
    "spz": (spz.write, HEAD_FROM_RUB.T),
}


def posed(head: head_format.Head, values: np.ndarray) -> Splats:
    """A head at channel values [C] → splats in the head's own axes, metres, sRGB colours."""
    return from_gaussians(Deformer(head)(values))


def write(splats: Splats, path: Path, kind: str) -> None:
    """Splats in head axes → a file of a kind in `FORMATS`, in that kind's usual axes.

    Raises:
        MienError: The folder can't be written.
    """
    save, axes = FORMATS[kind]
    save(moved(splats, axes), path)


def write_sequence(
    head: head_format.Head, values: np.ndarray, folder: Path, kind: str, tell: Callable[[int], None]
) -> None:
    """A file a row of dense curves [T, C], frame_0001.ply and so on, in a new folder: all of them or none.

    Args:
        tell: Called with the number of files written so far.

    Raises:
        MienError: The folder is there already, can't be written, or the disk is too small.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise MienError(f"{folder} exists and is not empty; choose a new folder for the {len(values)} files.")
    deformer = Deformer(head)
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=folder.name, suffix=".part", dir=folder.parent))
        for index, row in enumerate(values):
            path = temporary / f"frame_{index + 1:04d}.{kind}"
            write(from_gaussians(deformer(row)), path, kind)
            if index == 0:
                _check_space(path.stat().st_size * len(values), folder)
            tell(index + 1)
        if folder.exists():
            folder.rmdir()
        temporary.chmod(0o755)
        os.replace(temporary, folder)
        temporary = None
    except OSError as error:
        raise MienError(f"{folder} can't be written ({error.strerror or error}); choose another folder.") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _check_space(needed: int, folder: Path) -> None:
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        raise MienError(
            f"The sequence needs {needed / 1e9:.1f} GB and {folder.parent} has {free / 1e9:.1f} GB free; "
            "choose another disk, fewer frames, or SPZ."
        )


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("export-head", help="write a posed head as 3DGS PLY or SPZ, or a sequence of them")
    parser.add_argument("--head", required=True, metavar="NAME|FILE", help="a head of the library, or a .mien file")
    pose = parser.add_mutually_exclusive_group()
    pose.add_argument("--curves", metavar="FILE", help="a curve file; a file a frame, --out is their folder")
    pose.add_argument(
        "--set", action="append", default=[], metavar="CHANNEL=VALUE", help="a channel's value; may be repeated"
    )
    parser.add_argument("--fps", type=float, metavar="FPS", help="frames a second of the sequence (the curve file's)")
    parser.add_argument("--format", choices=tuple(FORMATS), help="by default what --out ends in, else ply")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE|DIR", help="the file, or the folder")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    from ...render import parse_pose

    head = head_format.load(library.find(args.head))
    ending = args.out.suffix.lower().lstrip(".")
    kind = args.format or (ending if ending in FORMATS else "ply")
    if args.fps is not None and not args.curves:
        raise MienError("--fps belongs to a sequence; give its curves with --curves, or leave --fps out.")
    if not args.curves:
        splats = posed(head, parse_pose(args.set))
        write(splats, args.out, kind)
        print(f"{args.out}: {len(splats):,} Gaussians. The head's licence is {head.licence}.")
        return 0
    curve = curves.load(args.curves)
    if args.fps is not None:
        curve = curve.resampled(args.fps)
    values = curve.dense()
    tell = lambda done: print(f"\rfile {done} of {len(values)}", end="", file=sys.stderr, flush=True)  # noqa: E731
    write_sequence(head, values, args.out, kind, tell)
    print(f"\r{len(values)} files in {args.out}. The head's licence is {head.licence}.")
    return 0
