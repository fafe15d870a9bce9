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
from ...contract.files import read_json
from ...reporting import Tell, add_argument, tell_result, teller
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
    head: head_format.Head,
    values: np.ndarray,
    folder: Path,
    kind: str,
    tell: Tell,
    transforms: np.ndarray | None = None,
) -> None:
    """A file a row of dense curves [T, C], frame_0001.ply and so on, in a new folder: all of them or none.

    Args:
        transforms: Where the head stands in each frame [T, 4, 4]; None for its own space.

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
            write(_standing(from_gaussians(deformer(row)), transforms, index), path, kind)
            if index == 0:
                _check_space(path.stat().st_size * len(values), folder)
            tell((index + 1) / len(values), f"File {index + 1} of {len(values)}")
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


def _standing(splats: Splats, transforms: np.ndarray | None, index: int) -> Splats:
    """Splats where the head stands in a frame: turned, moved and scaled alike in all directions."""
    if transforms is None:
        return splats
    matrix = transforms[index]
    scale = float(np.cbrt(abs(np.linalg.det(matrix[:3, :3]))))
    u, _, vt = np.linalg.svd(matrix[:3, :3])
    rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    return moved(splats, rotation, max(scale, 1e-9), matrix[:3, 3])


def _transforms(path: str, count: int) -> np.ndarray:
    """The matrices [count, 4, 4] of a JSON file: a list of 16 numbers a frame, row by row.

    Raises:
        MienError: It holds something else.
    """
    try:
        rows = np.array(read_json(path, 1 << 28), dtype=np.float64)
    except (ValueError, TypeError):
        rows = np.zeros(0)
    if rows.shape != (count, 16) or not np.isfinite(rows).all():
        raise MienError(f"{path} must hold a list of 16 numbers for each of the {count} frames.")
    return rows.reshape(count, 4, 4)


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
    parser.add_argument("--transforms", metavar="FILE", help="JSON: 16 numbers a frame, where the head stands")
    parser.add_argument("--format", choices=tuple(FORMATS), help="by default what --out ends in, else ply")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE|DIR", help="the file, or the folder")
    add_argument(parser)
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
    transforms = _transforms(args.transforms, len(values)) if args.transforms else None
    if ending in FORMATS:
        splats = _standing(posed(head, values[0]), transforms, 0)
        write(splats, args.out, kind)
    else:
        tell = teller(True) if args.progress else _in_one_line
        write_sequence(head, values, args.out, kind, tell, transforms)
    count = 1 if ending in FORMATS else len(values)
    if args.progress:
        tell_result({"files": count})
    else:
        print(f"\r{count} files in {args.out}. The head's licence is {head.licence}.")
    return 0


def _in_one_line(fraction: float, message: str) -> None:
    print(f"\r{message}", end="", file=sys.stderr, flush=True)
