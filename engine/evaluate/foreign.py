"""Heads from outside: are faces found however a splat lies, and does what was imported speak?

A head speaks the line that ships with Mien; each frame is rendered from the front and read by MediaPipe. `jawOpen` as
read should follow the curve that was set, and `mouthClose` and the lips should not run against it. The library head
that lent its motion, speaking the same line, is the baseline.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ..contract import channels, curves
from ..contract.errors import MienError
from ..heads import format, library
from ..heads.deform import Deformer
from ..heads.foreign import importing, landmarks, still
from ..heads.foreign.splats import Splats, from_gaussians, moved
from ..heads.format import Head
from ..pictures import write_png
from ..splat.cpu import CpuBackend
from . import sheets
from .read_back import photograph

FOUND_BAR, BEHIND_BAR = 1.0, 0.05
"""Share of turns; how far an imported head's correlation may lie below the library head's."""
_RIGHT = 0.002
"""Metres, mean over the landmarks: a face found within this is found."""
_FPS = 12.0
_POSES: dict[str, dict[str, float]] = {
    "neutral": {},
    "blink": {"AU45 Blink.L": 1.0, "AU45 Blink.R": 1.0},
    "smile": {"AU12 Lip Corner Puller.L": 1.0, "AU12 Lip Corner Puller.R": 1.0},
    "jaw open": {"AU26 Jaw Drop": 1.0},
    "funnel": {"AU22 Lip Funneler": 1.0},
    "brows up": {
        f"{code}.{side}": 1.0 for code in ("AU01 Inner Brow Raiser", "AU02 Outer Brow Raiser") for side in "LR"
    },
    "looking left": {"Gaze Horizontal": 0.4},
    "jaw open, turned": {"AU26 Jaw Drop": 0.7, "Head Yaw": 0.5},
}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate foreign`."""
    parser = subparsers.add_parser("foreign", help="faces found in splats, imported heads that speak the shipped line")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="LAM .zip, splat .ply or .spz (a library head, exported still)"
    )
    parser.add_argument("--template", default=importing.TEMPLATE, metavar="HEAD", help="whose motion (%(default)s)")
    parser.add_argument("--turns", type=int, default=40, help="random turns and sizes in which a face must be found")
    parser.add_argument("--curves", metavar="FILE", help="speak these instead of the line that ships")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write contact sheets to look at")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    template = format.load(library.find(args.template))
    heads: dict[str, tuple[Head, Splats]] = {}
    for name in args.files:
        head = importing.import_head(name, template=args.template)
        heads[Path(name).name] = (head, _still(head))
    if not heads:
        heads[f"{template.name}, still"] = (_rigged(_still(template), template), _still(template))
    line = curves.load(args.curves) if args.curves else _line()
    values = line.resampled(_FPS).dense()
    good = True
    with landmarks.detector() as detect, landmarks.reader() as read:
        shape = landmarks.measure_head(_still(template), _eyes(template), detect)
        baseline = _follows(template, values, read)[0]
        print(f"{template.name}, from the library: jawOpen as read follows the line, r = {baseline:.2f}")
        for name, (head, splats) in heads.items():
            if args.turns:
                own = landmarks.measure_head(_still(head), _eyes(head), detect) if head.eyes else None
                rate = _found(splats, own, shape, detect, args.turns) if own is not None else 0.0
                good &= rate >= FOUND_BAR
                print(f"{name}: face found in {rate:.0%} of {args.turns} random turns and sizes  [{FOUND_BAR:.0%}]")
            jaw, close, seen, frames = _follows(head, values, read)
            good &= jaw >= baseline - BEHIND_BAR
            print(
                f"{name}: jawOpen as read follows the line, r = {jaw:.2f}  "
                f"[≥ {baseline - BEHIND_BAR:.2f}, the library head's less {BEHIND_BAR}]; "
                f"mouthClose r = {close:.2f}; a face in {seen:.0%} of {len(values)} frames",
                flush=True,
            )
            if args.pictures:
                _write(head, frames, args.pictures, name)
    return 0 if good else 1


def _line() -> curves.Curves:
    from ..motion import perform
    from ..speech import lines

    return perform.perform(lines.SOUND, lines.text(), seed=0, fps=24.0).curves


def _still(head: Head) -> Splats:
    return from_gaussians(Deformer(head)(np.zeros(len(channels.CHANNELS))))


def _eyes(head: Head) -> np.ndarray:
    if head.eyes is None:
        raise MienError(f"The head {head.name} does not say where its eyes are; give one that does.")
    return np.mean([eye.centre for eye in head.eyes.values()], axis=0)


def _rigged(splats: Splats, template: Head) -> Head:
    """A library head's splats as a stranger's: turned, and rigged by what is found."""
    turn = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
    return still.rig_still(moved(splats, turn, 3.0, np.array([1.0, 2.0, -4.0])), template, "Still", "still.ply")


def _found(splats: Splats, own: np.ndarray, shape: np.ndarray, detect: landmarks.Detect, turns: int) -> float:
    """In how many of random turns, sizes and places the face is found where it is."""
    random, right = np.random.default_rng(7), 0
    for _ in range(turns):
        turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
        turn *= np.sign(np.linalg.det(turn))
        scale, shift = 10 ** random.uniform(-2, 2), random.normal(size=3)
        try:
            found = landmarks.find(moved(splats, turn, scale, scale * shift), "it", detect, shape)
        except MienError:
            continue
        right += bool(np.linalg.norm((found / scale - shift) @ turn - own, axis=1).mean() < _RIGHT)
    return right / turns


def _follows(head: Head, values: np.ndarray, read) -> tuple[float, float, float, list[np.ndarray]]:
    """(correlation of jawOpen set and read, of mouthClose, share of frames with a face, the frames) over a line."""
    deformer, backend = Deformer(head), CpuBackend()
    frames = [photograph(deformer, backend, row) for row in values]
    scores = [read(frame) for frame in frames]
    seen = np.array([score is not None for score in scores])
    units = np.array([channels.to_units(row) for row in values])
    result = []
    for name in ("jawOpen", "mouthClose"):
        told = units[seen, channels.UNITS.index(name)]
        heard = np.array([score[name] for score in scores if score is not None])
        varies = len(told) > 2 and told.std() > 1e-6 and heard.std() > 1e-6
        result.append(float(np.corrcoef(told, heard)[0, 1]) if varies else 0.0)
    return result[0], result[1], float(seen.mean()), frames


def _write(head: Head, frames: list[np.ndarray], folder: Path, name: str) -> None:
    """Contact sheets: the poses, and the line."""
    folder.mkdir(parents=True, exist_ok=True)
    deformer, backend = Deformer(head), CpuBackend()
    poses = [
        sheets._label(sheets._thumb(photograph(deformer, backend, channels.from_mapping(pose)), 400), title)
        for title, pose in _POSES.items()
    ]
    stem = "".join(letter if letter.isalnum() else "_" for letter in name)
    write_png(folder / f"{stem}_poses.png", sheets._grid(poses, 4))
    write_png(folder / f"{stem}_line.png", sheets._grid([sheets._thumb(frame, 200) for frame in frames], 8))
