"""`engine import-head`: a LAM avatar, or a still head as 3DGS PLY or SPZ → a `.mien` head."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...contract.channels import CHANNELS
from ...contract.errors import MienError
from ...reporting import Tell, add_argument, silent, tell_result, teller
from .. import format as head_format
from .. import library
from ..deform import Deformer
from . import lam, landmarks, ply, spz
from .flame import rig_avatar
from .splats import Splats, read_whole
from .still import rig_still

TEMPLATE = "Ada"
"""The library head that lends a still splat its motion, unless another is named."""
KINDS = "a LAM avatar .zip, or a still head as a Gaussian splat .ply or .spz"
_NEEDS_FLAME = (
    "{path} is a GaussianAvatars file, which is bound to the FLAME model that Mien may not carry; give your own FLAME "
    "as .npz with --flame (in Blender: FLAME Model)."
)
_THUMBNAIL = 256


def import_head(
    path: str | os.PathLike[str],
    name: str | None = None,
    template: str = TEMPLATE,
    points: str | None = None,
    save_landmarks: str | None = None,
    licence: str | None = None,
    author: str | None = None,
    flame: str | None = None,
    tell: Tell = silent,
) -> head_format.Head:
    """A head from a file of another program's, with a thumbnail.

    Args:
        name: The head's name; the file's by default.
        template: For a still head: the library head, or head file, whose motion it takes over.
        points: For a still head: a landmark file that corrects what is found.
        save_landmarks: For a still head: where to write the landmarks that were used.
        flame: For a GaussianAvatars PLY: the artist's FLAME model as .npz.
        licence, author: What is known of them; a file says neither.
        tell: Called with what is done and how far it is.

    Raises:
        MienError: It is none of the formats, is damaged, or holds no face.
    """
    path = Path(path)
    name = name or path.stem
    tell(0.02, f"Reading {path.name}")
    if kind(path) == "zip":
        if points:
            raise MienError(f"{path} comes with its own rig, so landmarks have no use; leave --landmarks out.")
        head = _from_zip(path, name)
    else:
        table, splats = _still(path)
        base = head_format.load(library.find(template))
        if splats is None:
            if flame is None:
                raise MienError(_NEEDS_FLAME.format(path=path))
            head = rig_avatar(table, path, Path(flame), base, name, tell)
        else:
            given = landmarks.load(points) if points else None
            head = rig_still(splats, base, name, str(path), given, save_landmarks, tell)
    head = replace(head, licence=licence or head.licence, author=author or head.author)
    tell(0.95, "Taking its portrait")
    return replace(head, thumbnail=thumbnail(head))


def kind(path: Path) -> str:
    """Of a head's file: "zip", "ply" or "spz", by how it begins.

    Raises:
        MienError: It is none of these.
    """
    start = _start(path)
    for name, beginnings in (("zip", (b"PK\x03\x04",)), ("ply", (b"ply",)), ("spz", (b"\x1f\x8b", b"NGSP"))):
        if start.startswith(beginnings):
            return name
    raise MienError(f"{path} is no kind of head that Mien reads; give {KINDS}.")


def read_still(path: Path) -> Splats:
    """The splats of a still head's PLY or SPZ.

    Raises:
        MienError: It is neither, or damaged.
    """
    splats = _still(path)[1]
    if splats is None:
        raise MienError(_NEEDS_FLAME.format(path=path))
    return splats


def _still(path: Path) -> tuple[dict[str, np.ndarray], Splats | None]:
    """(a PLY's columns, the splats): GaussianAvatars' splats lie in the frames of FLAME's triangles, so there are none.

    Raises:
        MienError: It is neither PLY nor SPZ, or damaged.
    """
    match kind(path):
        case "ply":
            table = ply.columns(read_whole(path, ply.MAX_BYTES), str(path))
            bound = any(column.startswith("binding") for column in table)
            return table, None if bound else ply.splats(table, str(path))
        case "spz":
            return {}, spz.read(path)
    raise MienError(f"{path} is no still head; give a Gaussian splat .ply or .spz.")


def thumbnail(head: head_format.Head) -> bytes:
    """A portrait of a head in neutral as PNG."""
    from PIL import Image

    from ...pictures import viewable
    from ...render import view
    from ...splat.cpu import CpuBackend
    from ...splat.interface import Frame

    frame = Frame([Deformer(head)(np.zeros(len(CHANNELS)))], view(head, 0.0, _THUMBNAIL, _THUMBNAIL))
    planes = CpuBackend().render(frame, ["Combined", "Mask"])
    stream = io.BytesIO()
    Image.fromarray(viewable("Combined", planes["Combined"], planes["Mask"])).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _start(path: Path) -> bytes:
    """The first bytes of a file, which tell its kind more surely than its name."""
    try:
        if path.exists() and not path.is_file():
            raise MienError(f"{path} is not a file; give {KINDS}.")
        with path.open("rb") as stream:
            return stream.read(8)
    except FileNotFoundError:
        raise MienError(f"{path} does not exist; check the path.") from None
    except OSError as error:
        raise MienError(
            f"{path} can't be read ({error.strerror or error}); check that it is a readable file."
        ) from None
    except ValueError:
        raise MienError(f"{str(path)!r} can't be a file's path.") from None


def _from_zip(path: Path, name: str) -> head_format.Head:
    if path.suffix.lower() == head_format.SUFFIX:
        raise MienError(f"{path} is a Mien head already; use it as it is.")
    return lam.read(path, name)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("import-head", help="make a head file from another program's head")
    parser.add_argument("file", metavar="FILE", help=KINDS)
    parser.add_argument("--out", required=True, type=Path, metavar="HEAD.mien", help="the head file to write")
    parser.add_argument("--name", help="the head's name (the file's)")
    parser.add_argument("--licence", help="the licence, as the head's maker states it")
    parser.add_argument("--author", help="the head's maker")
    parser.add_argument("--template", default=TEMPLATE, metavar="HEAD", help="still heads: whose motion (%(default)s)")
    parser.add_argument("--landmarks", metavar="FILE", help="still heads: landmarks that correct those found")
    parser.add_argument("--save-landmarks", metavar="FILE", help="still heads: write the landmarks, to be corrected")
    parser.add_argument("--flame", metavar="FLAME.npz", help="GaussianAvatars files: your own FLAME model")
    add_argument(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    if not args.out.parent.is_dir():
        raise MienError(f"The folder {args.out.parent} does not exist; make it or choose another for --out.")
    tell = teller(args.progress)
    head = import_head(
        args.file,
        args.name,
        args.template,
        args.landmarks,
        args.save_landmarks,
        args.licence,
        args.author,
        args.flame,
        tell,
    )
    head_format.save(head, args.out)
    if args.progress:
        tell_result({"name": head.name, "figures": dict(head.figures)})
        return 0
    print(f"{args.out}: {head.gaussian_count:,} Gaussians, {len(head.units)} units, parts {', '.join(head.parts)}")
    if head.figures:
        print(json.dumps(dict(head.figures)))
    if args.save_landmarks and not Path(args.save_landmarks).is_file():
        print("It comes with its own rig, so there are no landmarks to save.", file=sys.stderr)
    if head.licence.startswith("unknown"):
        print("Its licence is unknown: ask its maker, and set it with --licence.", file=sys.stderr)
    return 0
