"""A dataset's mesh made ready to fit: unit values → vertices → the linear maps that carry Gaussians.

The rules are docs/head-file.md's; engine/heads/deform does the same for channel values, faster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..contract.channels import UNIT_LIMIT
from ..contract.pose import turn
from ..heads.deform import triangle_frames
from ..heads.format import MIN_AREA, Head
from .raster import Pose


class Rig:
    """V vertices, T triangles, and how units move them. Lengths in metres, float64."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.vertices = head["mesh.vertices"].astype(np.float64)
        self.triangles = head["mesh.triangles"].astype(np.int64)
        self.part = head["mesh.part"].astype(np.int64)
        self.ids = head["units.vertex_ids"].astype(np.int64)
        rows = [head["units.deltas"]] + ([head["combinations.deltas"]] if head.combinations else [])
        self.deltas = np.concatenate(rows).astype(np.float64)
        self.products = [(name,) for name in head.units] + [tuple(names) for names in head.combinations]
        self.area = areas(self.vertices, self.triangles)
        self.usable = self.area >= 4 * MIN_AREA
        self._rest = np.tile(np.eye(3), (len(self.triangles), 1, 1))
        self._rest[self.usable] = triangle_frames(self.vertices, self.vertices, self.triangles[self.usable])[1]

    def part_is(self, *names: str) -> np.ndarray:
        """[T] bool: triangles of the named parts; parts that the mesh lacks have none."""
        return np.isin(self.part, [self.head.parts.index(name) for name in names if name in self.head.parts])

    def weights(self, values: Mapping[str, float]) -> np.ndarray:
        """Unit values → weights of the units and, behind them, of the combinations."""
        return np.array([product(names, values) for names in self.products])

    def pose(self, values: Mapping[str, float]) -> np.ndarray:
        """Vertices [V,3] under unit values: steps 2 and 3 of docs/head-file.md, the head itself still."""
        vertices = self.vertices.copy()
        weights = self.weights(values)
        active = np.flatnonzero(weights)
        moved = np.tensordot(weights[active], self.deltas[active], 1)
        vertices[self.ids] += moved
        for side, letter, sign in (("left", "L", 1.0), ("right", "R", -1.0)):
            look = {way: float(values.get(f"eyeLook{way}{side.title()}", 0.0)) for way in ("In", "Out", "Up", "Down")}
            ball = np.unique(self.triangles[self.part_is(f"eye.{letter}")])
            if self.head.eyes is None or not len(ball) or not any(look.values()):
                continue
            eye = self.head.eyes[side]
            centre = np.array(eye.centre) + (vertices[ball] - self.vertices[ball]).mean(axis=0)
            R = turn(sign * eye.yaw * (look["Out"] - look["In"]), eye.pitch * (look["Up"] - look["Down"]))
            vertices[ball] = (vertices[ball] - centre) @ R.T + centre
        return vertices

    def carried(self, vertices: np.ndarray, triangle: np.ndarray, strand: np.ndarray | None = None) -> Pose:
        """How posed vertices carry Gaussians on `triangle` [N]; those where `strand` [N] is true keep their shape."""
        origin, axes = triangle_frames(self.vertices, vertices, self.triangles[triangle], "affine", strand)
        return Pose(origin.astype(np.float32), axes.astype(np.float32))

    def bind(self, triangle: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(positions [N,3] in the neutral frames of `triangle` [N], these frames [N,3,3])."""
        frame = self._rest[triangle]
        centre = self.vertices[self.triangles[triangle]].mean(axis=1)
        return np.einsum("nji,nj->ni", frame, points - centre), frame

    def place(self, triangle: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Where positions [N,3] in neutral frames lie: [N,3]."""
        centre = self.vertices[self.triangles[triangle]].mean(axis=1)
        return centre + np.einsum("nij,nj->ni", self._rest[triangle], position)


def product(names: tuple[str, ...], values: Mapping[str, float]) -> float:
    """The clamped values of units, multiplied."""
    return math.prod(min(max(values.get(name, 0.0), 0.0), UNIT_LIMIT) for name in names)


def areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Areas [T] of triangles."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
