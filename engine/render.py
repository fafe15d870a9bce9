"""`engine render`: a head and its curves → pictures, without Blender.

Frames are frame_0001.png and so on, 8-bit sRGB with straight alpha; other passes are frame_0001_depth.png, scaled to be
looked at; with --float, frame_0001.npz holds every pass as exact float32, as the add-on gets it.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import splat
from .contract import channels, curves
from .contract.errors import MienError
from .contract.files import read_json
from .contract.passes import PASS_BY_NAME
from .heads import format, library
from .heads.deform import Deformer
from .pictures import viewable, write_png
from .splat.interface import Camera, Frame

VIEWS = {"front": 0.0, "three-quarter": 40.0, "profile": 90.0}
"""Named cameras: degrees around the head towards its own left."""
LENS = 85.0 / 36.0
"""Focal length over the picture's shorter side: a portrait lens of 85 mm on 36 mm."""
_CAMERA_BYTES = 1 << 20


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "render", help="render a head to pictures", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--head", required=True, metavar="NAME|FILE", help="a head of the library, or a .mien file")
    pose = parser.add_mutually_exclusive_group()
    pose.add_argument("--curves", type=Path, metavar="FILE", help="a curve file; a picture a frame")
    pose.add_argument(
        "--set", action="append", default=[], metavar="CHANNEL=VALUE", help="a channel's value; may be repeated"
    )
    parser.add_argument(
        "--camera", default="front", metavar="VIEW|FILE", help=f"{', '.join(VIEWS)}, or JSON with world_to_camera and K"
    )
    parser.add_argument("--size", type=_size, required=True, metavar="WxH", help="pixels")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    parser.add_argument("--passes", default="Combined", help='names with commas between, or "all" (%(default)s)')
    parser.add_argument("--backend", choices=("auto", *splat.NAMES), default="auto", help="(%(default)s)")
    parser.add_argument("--frames", type=_frames, metavar="A-B", help="only these frames of the curves, from 1")
    parser.add_argument("--no-appearance", action="store_true", help="without wrinkles and other dynamic appearance")
    parser.add_argument("--float", action="store_true", help="also write exact float32 passes as .npz")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    head = format.load(library.find(args.head))
    passes = parse_passes(args.passes)
    width, height = args.size
    camera = open_camera(args.camera, head, width, height)
    values, numbers = _poses(args)
    backend = splat.open_backend(args.backend)
    if backend.note and args.backend != "cpu":
        print(backend.note, file=sys.stderr)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MienError(f"The folder {args.out} can't be made ({error.strerror}); choose another for --out.") from None
    deformer = Deformer(head, appearance=not args.no_appearance)
    for done, number in enumerate(numbers, 1):
        planes = render_frame(backend, deformer, camera, values, number - 1, passes)
        _write(args.out / f"frame_{number:04d}", planes, passes, args.float)
        print(f"\rframe {done} of {len(numbers)}", end="", file=sys.stderr, flush=True)
    print(f"\r{len(numbers)} frame{'s' if len(numbers) > 1 else ''} in {args.out}", file=sys.stderr)
    return 0


def render_frame(
    backend: splat.Backend,
    deformer: Deformer,
    camera: Camera,
    values: np.ndarray,
    index: int,
    passes: Sequence[str],
) -> dict[str, np.ndarray]:
    """Passes of one frame of dense curves [T, C], and always Mask; Vector looks at the frames beside it."""

    def frame(at: int) -> Frame:
        return Frame([deformer(values[at])], camera)

    before = after = None
    if "Vector" in passes:
        before = frame(index - 1) if index > 0 else None
        after = frame(index + 1) if index + 1 < len(values) else None
    return backend.render(frame(index), [*passes, "Mask"], before, after)


def view(head: format.Head, azimuth: float, width: int, height: int) -> Camera:
    """A portrait: the camera at the head's own distance and level, `azimuth` degrees around towards its left."""
    angle = math.radians(azimuth)
    forward = np.array([-math.sin(angle), math.cos(angle), 0.0])
    right = np.array([math.cos(angle), math.sin(angle), 0.0])
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = [right, [0.0, 0.0, -1.0], forward]
    position = np.array(head.camera_target) - head.camera_distance * forward
    world_to_camera[:3, 3] = -world_to_camera[:3, :3] @ position
    focal = LENS * min(width, height)
    return Camera(world_to_camera, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]), width, height)


def open_camera(name_or_file: str, head: format.Head, width: int, height: int) -> Camera:
    """A named view, or a JSON file `{"world_to_camera": 4 × 4, "K": 3 × 3}` for a picture of this size.

    Raises:
        MienError: Neither, or the file's camera is wrong.
    """
    if name_or_file in VIEWS:
        return view(head, VIEWS[name_or_file], width, height)
    if not Path(name_or_file).exists():
        names = ", ".join(VIEWS)
        raise MienError(f"There is no camera {name_or_file!r}; choose {names}, or a JSON file with one.")
    content = read_json(name_or_file, _CAMERA_BYTES)
    if not isinstance(content, dict) or set(content) != {"world_to_camera", "K"}:
        raise MienError(f"{name_or_file} is not a camera; it must hold world_to_camera and K, and nothing else.")
    try:
        return Camera(content["world_to_camera"], content["K"], width, height)
    except MienError as error:
        raise MienError(f"{name_or_file}: {error}") from None


def parse_passes(text: str) -> list[str]:
    """Names with commas between, or "all" → names of passes.

    Raises:
        MienError: A name is not a pass.
    """
    if text.strip() == "all":
        return list(PASS_BY_NAME)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in PASS_BY_NAME:
            raise MienError(f"There is no render pass {name!r}; choose from {', '.join(PASS_BY_NAME)}.")
    if not names:
        raise MienError("--passes names no pass; leave it out for Combined.")
    return list(dict.fromkeys(names))


def parse_pose(settings: Sequence[str]) -> np.ndarray:
    """["CHANNEL=VALUE", …] → channel values [C].

    Raises:
        MienError: Not of that form, no such channel, or no finite number.
    """
    values = {}
    for setting in settings:
        name, equals, text = setting.rpartition("=")
        try:
            values[name.strip()] = float(text)
        except ValueError:
            equals = ""
        if not equals:
            raise MienError(f'--set {setting!r} is not of the form "CHANNEL=VALUE", as in "AU26 Jaw Drop=0.5".')
    return channels.from_mapping(values)


def _poses(args: argparse.Namespace) -> tuple[np.ndarray, range]:
    """Dense channel values [T, C], and the numbers of the frames to render."""
    values = curves.load(args.curves).dense() if args.curves else parse_pose(args.set)[None]
    first, last = args.frames or (1, len(values))
    if not 1 <= first <= last <= len(values):
        raise MienError(f"--frames {first}-{last} is not within the {len(values)} frames that there are, from 1.")
    return values, range(first, last + 1)


def _write(stem: Path, planes: dict[str, np.ndarray], passes: Sequence[str], exact: bool) -> None:
    for name in passes:
        ending = "" if name == "Combined" else "_" + name.lower().replace(" ", "_")
        write_png(stem.with_name(f"{stem.name}{ending}.png"), viewable(name, planes[name], planes["Mask"]))
    if exact:
        try:
            np.savez(stem.with_suffix(".npz"), allow_pickle=False, **{name: planes[name] for name in passes})
        except OSError as error:
            raise MienError(f"{stem}.npz can't be written ({error.strerror}); choose another folder.") from None


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", text.strip())
    if not match:
        raise MienError(f"--size {text!r} is not of the form WxH, as in 1024x1024.")
    return int(match[1]), int(match[2])


def _frames(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text.strip())
    if not match:
        raise MienError(f"--frames {text!r} is not of the form A-B, as in 1-48.")
    return int(match[1]), int(match[2] or match[1])
