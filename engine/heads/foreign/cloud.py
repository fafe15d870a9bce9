"""`engine splat-cloud`: a still head's splats as little flat tiles, with landmarks, for correcting these by hand."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ...contract.channels import CHANNELS
from ...contract.errors import MienError
from ...contract.landmarks import BY_HAND
from ...reporting import Tell, add_argument, silent, tell_result, teller
from .. import format as head_format
from .. import library
from ..deform import Deformer, matrices
from . import landmarks
from .importing import TEMPLATE, kind, read_still
from .splats import HEAD_FROM_RDF, HEAD_FROM_RUB, SH0, Splats, from_gaussians

_TILES = 40_000
_SIZE = 1.6
"""Standard deviations from a tile's middle to its edge."""
_AROUND = 4.0
"""Eye distances around the face within which tiles are shown."""
_SHRINK = 0.45
"""A template placed without a face found has its radius at this share of the cloud's, which may have shoulders."""


def cloud(
    path: Path, template: str = TEMPLATE, points: str | None = None, search: bool = True, tell: Tell = silent
) -> tuple[dict[str, np.ndarray], bool]:
    """What an artist needs to place landmarks.

    Args:
        points: A landmark file to begin with; where it holds few, the face is looked for.
        search: Whether to look for a face at all.

    Returns:
        ({"middle" [T, 3], "across" [T, 2, 3], "colour" [T, 3] scene-linear: tiles; "points" [L, 3]: the landmarks
        `BY_HAND` in their order; all in the splat file's coordinates; "upright" [4, 4]: from there to a head at life
        size in Mien's axes}, whether the landmarks were found or given rather than guessed).

    Raises:
        MienError: The file is no still head, or MediaPipe is missing.
    """
    tell(0.05, f"Reading {path.name}")
    splats = read_still(path)
    base = head_format.load(library.find(template))
    if base.eyes is None:
        raise MienError(f"The template head {base.name!r} has no eyes; choose a library head as the template.")
    own = from_gaussians(Deformer(base)(np.zeros(len(CHANNELS))))
    middle = np.mean([eye.centre for eye in base.eyes.values()], axis=0)
    given = landmarks.load(points) if points else {}
    tell(0.2, "Looking for the face")
    known = True
    with landmarks.detector() as detect:
        there = landmarks.measure_head(own, middle, detect)
        if len(given) == landmarks.COUNT:
            here = np.array([given[index] for index in range(landmarks.COUNT)])
        else:
            here, known = _guessed(splats, there, kind(path)), False
            if search:
                try:
                    here, known = landmarks.find(splats, str(path), detect, there), True
                except MienError:
                    tell(0.8, "No face was found")
    rotation, scale, shift, _ = landmarks.similarity(here, there)
    upright = np.eye(4)
    upright[:3, :3], upright[:3, 3] = scale * rotation, shift
    tell(0.9, "Making tiles")
    arrays = _tiles(splats, here.mean(axis=0), landmarks.EYE_DISTANCE / scale)
    arrays |= {"points": here[list(BY_HAND)].astype(np.float32), "upright": upright}
    return arrays, known


def _guessed(splats: Splats, there: np.ndarray, kind: str) -> np.ndarray:
    """A template's landmarks where a face might be: in the middle, upright and looking as such files usually do."""
    seen = splats[splats.opacity_logit > -2]
    seen = seen if len(seen) else splats
    centre = np.median(seen.position.astype(np.float64), axis=0)
    radius = float(np.quantile(np.linalg.norm(seen.position - centre, axis=1), 0.9))
    axes = HEAD_FROM_RUB if kind == "spz" else HEAD_FROM_RDF
    size = np.linalg.norm(there - there.mean(axis=0), axis=1).max()
    front = centre + axes.T @ np.array([0, -0.5 * radius, 0])
    return front + max(_SHRINK * radius / size, 1e-9) * (there - there.mean(axis=0)) @ axes


def _tiles(splats: Splats, face: np.ndarray, eye_distance: float) -> dict[str, np.ndarray]:
    """Flat tiles for the splats around a face; where there are too many, some of them, grown accordingly."""
    near = np.linalg.norm(splats.position - face, axis=1) < _AROUND * eye_distance
    chosen = np.flatnonzero(near & (splats.opacity_logit > -1))
    if len(chosen) < 100:
        chosen = np.flatnonzero(splats.opacity_logit > -1)
    if not len(chosen):
        chosen = np.arange(len(splats))
    grow = max(len(chosen) / _TILES, 1.0)
    if grow > 1:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, _TILES, replace=False))
    some = splats[chosen]
    scale = np.exp(some.log_scale.astype(np.float64))
    order = np.argsort(-scale, axis=1)[:, :2]
    axes = matrices(some.rotation.astype(np.float64)).transpose(0, 2, 1)
    rows = np.arange(len(some))[:, None]
    # Long thin splats and huge ones would hide the face behind spikes.
    reach = np.minimum(scale[rows, order], 0.08 * eye_distance) * _SIZE * np.sqrt(grow)
    encoded = np.clip(0.5 + SH0 * some.sh[:, 0], 0, 1)
    linear = np.where(encoded < 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return {
        "middle": some.position.astype(np.float32),
        "across": (axes[rows, order] * reach[..., None]).astype(np.float32),
        "colour": linear.astype(np.float32),
    }


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("splat-cloud", help="write a still head's splats as tiles, to place landmarks on")
    parser.add_argument("file", type=Path, metavar="FILE", help="a Gaussian splat .ply or .spz")
    parser.add_argument("--out", required=True, type=Path, metavar="CLOUD.npz", help="the file to write")
    parser.add_argument("--template", default=TEMPLATE, metavar="HEAD", help="a head like it (%(default)s)")
    parser.add_argument("--landmarks", metavar="FILE", help="landmarks to begin with, instead of looking for a face")
    parser.add_argument("--no-search", action="store_true", help="do not look for a face")
    add_argument(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    arrays, known = cloud(args.file, args.template, args.landmarks, not args.no_search, teller(args.progress))
    save(arrays, args.out)
    if args.progress:
        tell_result({"known": known})
    else:
        print(f"{args.out}: {len(arrays['middle']):,} tiles, landmarks {'found' if known else 'guessed'}")
    return 0


def save(arrays: dict[str, Any], path: Path) -> None:
    """Write the cloud whole or not at all.

    Raises:
        MienError: The folder can't be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, **arrays)
        os.replace(temporary, path)
    except OSError as error:
        raise MienError(f"{path} can't be written ({error.strerror or error}); choose another place.") from None
