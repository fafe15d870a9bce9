"""A head all around its axis and every channel from 0 to its end: popping, holes and flying splats, measured.

- A *pop*: a block of 16 × 16 pixels that changes between two neighbouring frames by much more than it does before and
  after, and by more than what moves there could explain. Steps are small: half a degree, a sixteenth of a channel.
- A *hole*: a pixel well within the mesh's silhouette that the head does not cover.
- *Flying*: coverage that is not connected with the head, or farther from the mesh's silhouette than any in neutral.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
from scipy import ndimage

from ..contract import channels
from ..heads.deform import Deformer
from ..heads.format import Head
from ..pictures import to_srgb
from ..render import view
from ..splat.cpu import CpuBackend
from ..splat.interface import Camera, Frame
from .read_back import face_view

SIZE = 256
TURNS = 60
STEPS = 16
"""From one end of a channel's slider to the other."""
FINE = 0.5
"""Degrees between the two frames of a turn that are compared."""
BLOCK = 16
POP = 0.05
"""Mean change of a block, 0–1 sRGB: an edge of full contrast that moves by 0.8 pixels."""
SUDDEN = 3.0
"""A pop changes its block this many times as much as the steps before and after."""
SOLID = 0.9
"""Alpha below which a pixel within the silhouette is a hole."""
WITHIN = 3
"""Pixels from the silhouette's edge where holes begin to count."""
THIN = 0.1
"""Alpha above which coverage counts."""
STRAY = 0.015
"""Metres beyond neutral's reach at which coverage flies."""
HOLE_BAR, FLY_BAR = 0.001, 0.0005
"""Shares of the silhouette's pixels."""
SHOWN = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(slots=True)
class Sweep:
    """One turn or one channel.

    Attributes:
        change: Largest change of a block between neighbouring frames. pops: blocks that pop.
        holes, flying: Largest share of the silhouette's pixels over the frames. place: where that was.
        frames: What to look at: pictures [H, W, 3] uint8.
    """

    name: str
    change: float = 0.0
    pops: int = 0
    holes: float = 0.0
    flying: float = 0.0
    place: str = ""
    frames: list[np.ndarray] = field(default_factory=list, repr=False)

    @property
    def clean(self) -> bool:
        return self.pops == 0 and self.holes <= HOLE_BAR and self.flying <= FLY_BAR


class Studio:
    """A head, its cameras and what they see."""

    def __init__(self, head: Head) -> None:
        self.head, self.deformer, self.backend = head, Deformer(head), CpuBackend()
        self.neutral = np.zeros(len(channels.CHANNELS))
        self._triangles = np.ascontiguousarray(head["mesh.triangles"].astype(np.int64))
        self.reach = np.inf
        self.reach = max(self._farthest(view(head, azimuth, SIZE, SIZE)) for azimuth in range(0, 360, 30))

    def look(self, values: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """sRGB on mid-grey [H, W, 3] float32, and alpha [H, W]."""
        plane = self.backend.render(Frame([self.deformer(values)], camera), ["Combined"])["Combined"]
        alpha = plane[..., 3:]
        straight = np.clip(to_srgb(plane[..., :3] / np.maximum(alpha, 1e-6)), 0, 1)
        return (straight * alpha + 0.5 * (1 - alpha)).astype(np.float32), alpha[..., 0]

    def faults(self, values: np.ndarray, camera: Camera, alpha: np.ndarray) -> tuple[float, float]:
        """(holes, flying): shares of the silhouette's pixels."""
        shape = self.silhouette(values, camera)
        total = max(int(shape.sum()), 1)
        deep: Any = ndimage.binary_erosion(shape, iterations=WITHIN)
        holes = int((deep & (alpha < SOLID)).sum())
        covered = alpha > THIN
        away: Any = ndimage.distance_transform_edt(~shape)
        far = covered & (away > self._pixels(camera, self.reach + STRAY))
        loose = 0
        labelled: Any = ndimage.label(covered, structure=np.ones((3, 3)))
        labels, count = labelled
        if count > 1:
            sizes = np.bincount(labels.ravel())[1:]
            loose = int(sizes.sum() - sizes.max())
        return holes / total, (int(far.sum()) + loose) / total

    def silhouette(self, values: np.ndarray, camera: Camera) -> np.ndarray:
        """Which pixels' centres the mesh covers, bool [H, W]."""
        points = self.deformer.mesh(values).astype(np.float64)
        seen = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        pixels = seen @ camera.K.T
        mask = np.zeros((camera.height, camera.width), np.bool_)
        _fill(pixels[:, :2] / np.maximum(pixels[:, 2:], 1e-6), seen[:, 2], self._triangles, mask)
        return mask

    def _farthest(self, camera: Camera) -> float:
        """Metres from the silhouette to the farthest coverage of the head in neutral (the 99.9th percentile)."""
        _, alpha = self.look(self.neutral, camera)
        distance: Any = ndimage.distance_transform_edt(~self.silhouette(self.neutral, camera))
        return float(np.quantile(distance[alpha > THIN], 0.999)) / self._pixels(camera, 1.0)

    def _pixels(self, camera: Camera, metres: float) -> float:
        return metres * float(camera.K[0, 0]) / self.head.camera_distance


def turns(studio: Studio) -> Sweep:
    """60 views around the axis, each with its neighbours half a degree before and after."""
    sweep = Sweep("60 turns")
    for azimuth in np.arange(TURNS) * 360.0 / TURNS:
        run = [(studio.neutral, view(studio.head, azimuth + FINE * step, SIZE, SIZE)) for step in range(-1, 3)]
        _follow(studio, sweep, run, {1: f"{azimuth:.0f}°"})
    return sweep


def channel_sweeps(studio: Studio, entries: Sequence[channels.Channel] = channels.CHANNELS) -> Iterator[Sweep]:
    """Channels from one end of its slider to the other, from the front and, but for head turns, close."""
    portrait, close = view(studio.head, 0.0, SIZE, SIZE), face_view(studio.head, SIZE, 0.22)
    for entry in entries:
        sweep = Sweep(entry.name)
        low, high = (entry.minimum if entry.minimum < 0 else 0.0), entry.soft_maximum
        if entry.unit == "radians":
            # The whole head moves far: small steps about a few places, as for turns.
            for middle in low + (high - low) * np.array(SHOWN):
                run = [_at(entry.name, middle + np.radians(FINE) * step, portrait) for step in range(-1, 3)]
                _follow(studio, sweep, run, {1: f"{np.degrees(middle):.0f}°"})
        else:
            run = [_at(entry.name, value, close) for value in np.linspace(low, high, STEPS + 1)]
            shown = {round(STEPS * share): f"{low + (high - low) * share:.2g}" for share in SHOWN}
            _follow(studio, sweep, run, shown)
        yield sweep


def _at(name: str, value: float, camera: Camera) -> tuple[np.ndarray, Camera]:
    return channels.from_mapping({name: float(value)}), camera


def _follow(studio: Studio, sweep: Sweep, run: list[tuple[np.ndarray, Camera]], shown: dict[int, str]) -> None:
    """Render a run of small steps; faults are looked for in the frames that are shown, {index: where that is}."""
    pictures = []
    for index, (values, camera) in enumerate(run):
        picture, alpha = studio.look(values, camera)
        pictures.append(picture)
        if index in shown:
            holes, flying = studio.faults(values, camera, alpha)
            if max(holes / HOLE_BAR, flying / FLY_BAR) > max(sweep.holes / HOLE_BAR, sweep.flying / FLY_BAR):
                sweep.place = shown[index]
            sweep.holes, sweep.flying = max(sweep.holes, holes), max(sweep.flying, flying)
            sweep.frames.append((picture * 255 + 0.5).astype(np.uint8))
    changes = np.array([block_changes(a, b) for a, b in itertools.pairwise(pictures)])
    sweep.change = max(sweep.change, float(changes.max()))
    sweep.pops += pops(changes)


def block_changes(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean absolute change of each 16 × 16 block between two pictures [H, W, 3] → [H/16, W/16]."""
    difference = np.abs(a - b).mean(axis=2)
    rows, columns = difference.shape[0] // BLOCK, difference.shape[1] // BLOCK
    return difference[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))


def pops(changes: np.ndarray) -> int:
    """How many blocks pop in a run of frames, from their changes [T−1, rows, columns]."""
    beside = np.zeros_like(changes)
    beside[1:] = changes[:-1]
    beside[:-1] = np.maximum(beside[:-1], changes[1:])
    return int(((changes > POP) & (changes > SUDDEN * beside)).sum())


@numba.njit(cache=True, error_model="numpy")
def _fill(points, depth, triangles, mask):  # pragma: no cover - compiled
    """Mark the pixels whose centres lie in any triangle; points [V, 2] pixels, depth [V] metres."""
    height, width = mask.shape
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        if min(depth[a], depth[b], depth[c]) <= 0.01:
            continue
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        for y in range(max(0, int(np.ceil(min(ay, by, cy) - 0.5))), min(height, int(max(ay, by, cy) + 0.5))):
            for x in range(max(0, int(np.ceil(min(ax, bx, cx) - 0.5))), min(width, int(max(ax, bx, cx) + 0.5))):
                px, py = x + 0.5, y + 0.5
                u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                if u >= 0 and v >= 0 and u + v <= 1:
                    mask[y, x] = True
