"""Deformation: channel values → units → vertices → triangle frames → Gaussians. docs/head-file.md has the rules.

What does not change from frame to frame is laid out once, in `Deformer`; a frame then runs three loops over memory in
the order it lies in. tests/test_deform.py holds the slow float64 reference.
"""

from __future__ import annotations

import numba
import numpy as np

from ..contract import channels, pose
from ..splat.interface import Gaussians
from ..splat.threads import one_at_a_time
from .appearance import Appearance
from .format import Head

CHUNK = 1024
"""Vertices whose sum stays in the first-level cache while the units are added up."""
STRETCH = (0.3, 3.0)
"""How far a triangle may shrink or grow its Gaussians under "area"."""
AFFINE = (0.2, 4.0)
"""The same for each principal stretch in the triangle's plane under "affine"."""

_UNIT_COLUMN = {name: index for index, name in enumerate(channels.UNITS)}


class Deformer:
    """A head made ready to move. Not tied to a thread; results of different calls do not share memory that changes.

    Args:
        appearance: False leaves the dynamic appearance out.
        stretch: "area" or "affine" in place of the head's own, to compare.
    """

    def __init__(self, head: Head, appearance: bool = True, stretch: str | None = None) -> None:
        self.head = head
        self._prepare_units(head)
        self._prepare_pose(head)
        self._prepare_gaussians(head)
        self._prepare_stretch(head, stretch or head.stretch)
        used = appearance and head.appearance
        self._appearance = Appearance(head, self._factor, self._opacity) if used else None

    def __call__(self, values: np.ndarray, matrix: np.ndarray | None = None) -> Gaussians:
        """Channel values [C] → Gaussians in the head's space, to be shown under `matrix` (object → world, [4, 4])."""
        vertices = self.mesh(values)
        count = len(self._opacity)
        centres = np.empty((3, count), np.float32)
        factors = np.empty((3, 3, count), np.float32)
        normals = np.empty((3, count), np.float32)
        opacity, tint, factor = self._opacity, None, self._factor
        with one_at_a_time():
            if self._appearance and (change := self._appearance(channels.to_units(values))):
                opacity, tint, factor = change
            _bind(
                vertices,
                self._corners,
                self._neutral_size,
                self._flatten,
                self._position,
                factor,
                centres,
                factors,
                normals,
            )
        return Gaussians(
            centres,
            factors,
            opacity,
            self._sh,
            normals,
            self._zone,
            self._turn_weight,
            pose.head_rotation(values),
            np.eye(4) if matrix is None else np.asarray(matrix, dtype=np.float64),
            self.head.blend_space,
            tint,
            self.head.dilation,
        )

    def mesh(self, values: np.ndarray) -> np.ndarray:
        """Channel values [C] → vertices [V, 3] float32, metres, in the head's space."""
        units = channels.to_units(values)
        weights = self.weights(values)
        active = np.flatnonzero(weights).astype(np.int64)
        vertices = self._vertices.copy()
        rotation = pose.head_rotation(values)
        turns = np.stack([np.eye(3), *(_eye_turn(self.head, side, units) for side in ("left", "right"))])
        centres = np.zeros((3, 3))
        centres[1:] = self._eye_centres + np.einsum("w,wec->ec", weights[active], self._eye_deltas[active])
        with one_at_a_time():
            if len(active):
                _add_deltas(vertices, self._ids, self._deltas, active, weights[active].astype(np.float32))
            if any(not np.array_equal(turn, np.eye(3)) for turn in (rotation, *turns)):
                _pose(
                    vertices,
                    self._eye,
                    turns.astype(np.float32),
                    centres.astype(np.float32),
                    self._head_weight,
                    rotation.astype(np.float32),
                    np.asarray(self.head.neck_pivot, dtype=np.float32),
                )
        return vertices

    def _prepare_units(self, head: Head) -> None:
        self._vertices = head["mesh.vertices"].astype(np.float32)
        self._ids = head["units.vertex_ids"].astype(np.int64)
        deltas = [head["units.deltas"].astype(np.float32)]
        if head.combinations:
            deltas.append(head["combinations.deltas"].astype(np.float32))
        stacked = np.concatenate(deltas)
        self._deltas = np.ascontiguousarray(stacked.reshape(len(stacked), 3 * len(self._ids)))
        self._columns = np.array([_UNIT_COLUMN[name] for name in head.units], dtype=np.int64)
        self._combinations = [[_UNIT_COLUMN[name] for name in names] for names in head.combinations]

    def _prepare_pose(self, head: Head) -> None:
        self._head_weight = head["mesh.head_weight"].astype(np.float32)
        self._eye = np.zeros(len(self._vertices), np.uint8)  # 1 left, 2 right
        self._eye_centres = np.zeros((2, 3))
        self._eye_deltas = np.zeros((len(self._deltas), 2, 3))
        if head.eyes is None:
            return
        slot = np.full(len(self._vertices), -1)
        slot[self._ids] = np.arange(len(self._ids))
        for index, (side, part) in enumerate((("left", "eye.L"), ("right", "eye.R"))):
            self._eye_centres[index] = head.eyes[side].centre
            if part not in head.parts:
                continue
            ball = np.unique(head["mesh.triangles"][head["mesh.part"] == head.parts.index(part)])
            self._eye[ball] = index + 1
            moved = slot[ball][slot[ball] >= 0]
            if len(ball):
                sums = self._deltas.reshape(len(self._deltas), len(self._ids), 3)[:, moved].sum(1, dtype=np.float64)
                self._eye_deltas[:, index] = sums / len(ball)

    def _prepare_gaussians(self, head: Head) -> None:
        corners = head["mesh.triangles"][head["gaussians.triangle"]]
        self._corners = np.ascontiguousarray(corners.T.astype(np.int64))
        neutral = head["mesh.vertices"].astype(np.float64)[corners]
        cross = np.cross(neutral[:, 1] - neutral[:, 0], neutral[:, 2] - neutral[:, 0])
        self._neutral_size = (1.0 / np.sqrt(np.linalg.norm(cross, axis=1))).astype(np.float32)
        rotation = matrices(head["gaussians.rotation"].astype(np.float64))
        scale = np.exp(head["gaussians.log_scale"].astype(np.float64))
        self._factor = np.ascontiguousarray(np.moveaxis(rotation * scale[:, None, :], 0, -1).astype(np.float32))
        self._position = np.ascontiguousarray(head["gaussians.position"].astype(np.float32).T)
        self._opacity = (1.0 / (1.0 + np.exp(-head["gaussians.opacity_logit"].astype(np.float64)))).astype(np.float32)
        self._sh = np.ascontiguousarray(np.moveaxis(head["gaussians.sh"].astype(np.float32), 0, -1))
        self._zone = head["gaussians.zone"].copy()
        self._turn_weight = self._head_weight[corners].mean(1)
        for constant in (self._opacity, self._sh, self._zone, self._turn_weight):
            constant.setflags(write=False)  # so that a backend may keep its copy

    def _prepare_stretch(self, head: Head, stretch: str) -> None:
        """B⁻¹ of step 5 in neutral: [3, N] numbers, the first 0 where a Gaussian follows "area"; or None for all."""
        self._flatten = None
        if stretch == "affine":
            edges, _, _ = _flat(head["mesh.vertices"].astype(np.float64)[self._corners.T])
            inverse = np.linalg.inv(edges)
            self._flatten = np.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]]).astype(np.float32)
            if "gaussians.strand" in head.arrays:
                self._flatten[0, head["gaussians.strand"] == 1] = 0.0

    def weights(self, values: np.ndarray) -> np.ndarray:
        """Channel values [C] → weights of the head's units and, behind them, of its combinations."""
        units = channels.to_units(values)
        products = [units[names].prod() for names in self._combinations]
        return np.concatenate([units[self._columns], products])

    def changes(self, values: np.ndarray) -> int:
        """How many changes of single Gaussians the dynamic appearance adds up for these channel values [C]."""
        return self._appearance.changes(channels.to_units(values)) if self._appearance else 0


def mesh(head: Head, values: np.ndarray) -> np.ndarray:
    """Channel values [C] → vertices [V, 3]. For one pose; many poses of a head go through one `Deformer`."""
    return Deformer(head).mesh(values)


def triangle_frames(
    neutral: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    stretch: str = "area",
    strand: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Where triangles carry what is bound to them: step 5 of docs/head-file.md, in plain float64.

    A Gaussian's centre is `origin + axes @ position` and its factor `axes @ rotation · scale`.

    Args:
        neutral, vertices: [V, 3] metres, in neutral and now.
        triangles: [N, 3] vertex indices, one row a triangle or one a Gaussian.
        stretch: "area" or "affine".
        strand: bool [N], rows that follow "area" under either; None for none.

    Returns:
        origin [N, 3] and axes [N, 3, 3], frame times change of shape.
    """
    before, _, size_before = _flat(np.asarray(neutral, dtype=np.float64)[triangles])
    corners = np.asarray(vertices, dtype=np.float64)[triangles]
    now, frame, size = _flat(corners)
    change = np.zeros((len(corners), 3, 3))
    change[:] = np.clip(size / np.maximum(size_before, 1e-12), *STRETCH)[:, None, None] * np.eye(3)
    if stretch == "affine":
        affine = np.zeros_like(change)
        affine[:, :2, :2] = _clamped(now @ np.linalg.inv(before))
        affine[:, 2, 2] = 1.0
        change = affine if strand is None else np.where(np.asarray(strand, bool)[:, None, None], change, affine)
    return corners.mean(axis=1), frame @ change


def _flat(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles [N, 3, 3] → edges in their plane [N, 2, 2] (in columns), frames [N, 3, 3], sizes √(2·area) [N]."""
    e, f = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(e, f)
    double_area, length = np.linalg.norm(normal, axis=1), np.linalg.norm(e, axis=1)
    z, x = normal / np.maximum(double_area, 1e-18)[:, None], e / np.maximum(length, 1e-18)[:, None]
    y = np.cross(z, x)
    edges = np.zeros((len(corners), 2, 2))
    edges[:, 0, 0], edges[:, 0, 1], edges[:, 1, 1] = length, (f * x).sum(1), (f * y).sum(1)
    return edges, np.stack([x, y, z], axis=-1), np.sqrt(double_area)


def _clamped(maps: np.ndarray) -> np.ndarray:
    """Maps [N, 2, 2] with their singular values brought into `AFFINE`."""
    left, singular, right = np.linalg.svd(maps)
    return (left * np.clip(singular, *AFFINE)[:, None, :]) @ right


def matrices(quaternions: np.ndarray) -> np.ndarray:
    """wxyz quaternions [N, 4] of any length but 0 → rotations [N, 3, 3]."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _eye_turn(head: Head, side: str, units: np.ndarray) -> np.ndarray:
    """An eye's rotation [3, 3] from the unit values [54]. Outwards is to the left for the left eye."""
    if head.eyes is None:
        return np.eye(3)
    look = {way: units[_UNIT_COLUMN[f"eyeLook{way}{side.title()}"]] for way in ("In", "Out", "Up", "Down")}
    to_left = look["Out"] - look["In"] if side == "left" else look["In"] - look["Out"]
    return pose.turn(to_left * head.eyes[side].yaw, (look["Up"] - look["Down"]) * head.eyes[side].pitch)


# The next two are too short for several threads: waiting for the last one costs more.
@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _add_deltas(vertices, ids, deltas, active, weights):  # pragma: no cover - compiled
    """vertices[ids] += Σ weights · deltas[active], a chunk of vertices at a time."""
    count = len(ids)
    for chunk in range((count + CHUNK - 1) // CHUNK):
        first = chunk * CHUNK
        last = min(count, first + CHUNK)
        total = np.zeros((last - first) * 3, np.float32)
        for row in range(len(active)):
            weight = weights[row]
            source = deltas[active[row], first * 3 : last * 3]
            for i in range(len(total)):
                total[i] += weight * source[i]
        for i in range(last - first):
            vertex = ids[first + i]
            for axis in range(3):
                vertices[vertex, axis] += total[3 * i + axis]


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _pose(vertices, eye, turns, centres, weight, rotation, pivot):  # pragma: no cover - compiled
    """Turn the eyeballs about their centres, then blend head rotation in by weight. In place."""
    for v in range(len(vertices)):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        ball = eye[v]
        if ball:
            R = turns[ball]
            x -= centres[ball, 0]
            y -= centres[ball, 1]
            z -= centres[ball, 2]
            x, y, z = (
                centres[ball, 0] + R[0, 0] * x + R[0, 1] * y + R[0, 2] * z,
                centres[ball, 1] + R[1, 0] * x + R[1, 1] * y + R[1, 2] * z,
                centres[ball, 2] + R[2, 0] * x + R[2, 1] * y + R[2, 2] * z,
            )
        w = weight[v]
        dx, dy, dz = x - pivot[0], y - pivot[1], z - pivot[2]
        vertices[v, 0] = x + w * (rotation[0, 0] * dx + rotation[0, 1] * dy + rotation[0, 2] * dz - dx)
        vertices[v, 1] = y + w * (rotation[1, 0] * dx + rotation[1, 1] * dy + rotation[1, 2] * dz - dy)
        vertices[v, 2] = z + w * (rotation[2, 0] * dx + rotation[2, 1] * dy + rotation[2, 2] * dz - dz)


@numba.njit(fastmath=True, forceinline=True, error_model="numpy")
def _affine(length, along, across, first, second, third):  # pragma: no cover - compiled
    """F = B_now · B_neutral⁻¹ with its singular values clamped to `AFFINE`; without trigonometry.

    Any 2 × 2 matrix is q times a rotation plus r times a reflection, its singular values q + r and |q − r|. Here the
    determinant is never below 0, so q ≥ r, and clamping them changes q and r alone.

    Args:
        length, along, across: B_now = [[length, along], [0, across]].
        first, second, third: B_neutral⁻¹ = [[first, second], [0, third]].
    """
    half, one, tiny = np.float32(0.5), np.float32(1.0), np.float32(1e-9)
    a, b, d = length * first, length * second + along * third, across * third
    e, f, g = half * (a + d), half * (a - d), half * b
    q, r = np.sqrt(e * e + g * g), np.sqrt(f * f + g * g)
    high = min(max(q + r, np.float32(AFFINE[0])), np.float32(AFFINE[1]))
    low = min(max(q - r, np.float32(AFFINE[0])), np.float32(AFFINE[1]))
    e, q = (e, q) if q > tiny else (one, one)  # collapsed to a point: no turn
    turn, mirror = half * (high + low) / q, half * (high - low) / (r + tiny)
    return turn * e + mirror * f, (mirror + turn) * g, (mirror - turn) * g, turn * e - mirror * f


@numba.njit(parallel=True, fastmath=True, cache=True, error_model="numpy")
def _bind(vertices, corners, neutral_size, flatten, position, factor, centres, factors, normals):
    # pragma: no cover - compiled
    """Carry every Gaussian along with its triangle. A triangle without area now leaves its Gaussians as points.

    Args:
        flatten: see `Deformer._prepare_stretch`. For None, numba compiles a loop without what that needs.
    """
    third = np.float32(1.0 / 3.0)
    tiny, zero, one = np.float32(1e-18), np.float32(0.0), np.float32(1.0)
    low, high = np.float32(STRETCH[0]), np.float32(STRETCH[1])
    for n in numba.prange(len(neutral_size)):
        a, b, c = corners[0, n], corners[1, n], corners[2, n]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        bx, by, bz = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        cx, cy, cz = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        ex, ey, ez = bx - ax, by - ay, bz - az
        fx, fy, fz = cx - ax, cy - ay, cz - az
        # The frame's axes: x along the first edge, z the normal, y = z × x.
        zx, zy, zz = ey * fz - ez * fy, ez * fx - ex * fz, ex * fy - ey * fx
        double_area = np.sqrt(zx * zx + zy * zy + zz * zz)
        k = min(max(np.sqrt(double_area) * neutral_size[n], low), high)
        inverse = np.float32(1.0) / (double_area + tiny)
        zx, zy, zz = zx * inverse, zy * inverse, zz * inverse
        length = np.sqrt(ex * ex + ey * ey + ez * ez)
        inverse = np.float32(1.0) / (length + tiny)
        ex, ey, ez = ex * inverse, ey * inverse, ez * inverse
        normals[0, n], normals[1, n], normals[2, n] = zx, zy, zz
        yx, yy, yz = zy * ez - zz * ey, zz * ex - zx * ez, zx * ey - zy * ex
        if flatten is None:
            yx, yy, yz = k * yx, k * yy, k * yz
            ex, ey, ez, zx, zy, zz = k * ex, k * ey, k * ez, k * zx, k * zy, k * zz
        else:
            a00, a01, a10, a11 = _affine(length, ex * fx + ey * fy + ez * fz, yx * fx + yy * fy + yz * fz,
                                         flatten[0, n], flatten[1, n], flatten[2, n])  # fmt: skip
            strand = flatten[0, n] == 0
            a00, a01, a10, a11 = (
                k if strand else a00,
                zero if strand else a01,
                zero if strand else a10,
                k if strand else a11,
            )
            k = k if strand else one
            zx, zy, zz = k * zx, k * zy, k * zz
            ex, ey, ez, yx, yy, yz = (
                a00 * ex + a10 * yx, a00 * ey + a10 * yy, a00 * ez + a10 * yz,
                a01 * ex + a11 * yx, a01 * ey + a11 * yy, a01 * ez + a11 * yz,
            )  # fmt: skip
        px, py, pz = position[0, n], position[1, n], position[2, n]
        centres[0, n] = (ax + bx + cx) * third + ex * px + yx * py + zx * pz
        centres[1, n] = (ay + by + cy) * third + ey * px + yy * py + zy * pz
        centres[2, n] = (az + bz + cz) * third + ez * px + yz * py + zz * pz
        for column in range(3):
            fx, fy, fz = factor[0, column, n], factor[1, column, n], factor[2, column, n]
            factors[0, column, n] = ex * fx + yx * fy + zx * fz
            factors[1, column, n] = ey * fx + yy * fy + zy * fz
            factors[2, column, n] = ez * fx + yz * fy + zz * fz
