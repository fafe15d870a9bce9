"""Where a head's Gaussians start: points on its surfaces and along its strands, each bound to a triangle.

Flat Gaussians cover surfaces, spaced by how much each place is looked at; long thin ones follow brows, lashes and hair.
Lengths in metres, neutral pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract.channels import UNITS
from ..heads.anatomy.build import PARTS, Anatomy
from ..heads.anatomy.hair import Strands, frames

#: Gaussians per part for a total of about 60,000, strands aside.
SHARES = {
    "skin": 27000,
    "eye.L": 1500,
    "eye.R": 1500,
    "teeth.upper": 1500,
    "teeth.lower": 1300,
    "gums": 700,
    "tongue": 900,
    "hair": 5000,
    "clothes": 2600,
}
HAIR_GAUSSIANS = 15000


@dataclass
class Gaussians:
    """N Gaussians in their triangles' neutral frames, as the head file stores them.

    triangle [N] i32, position [N,3], rotation [N,4] wxyz, log_scale [N,3], opacity_logit [N], sh [N,S,3];
    kind [N]: index into `KINDS`.
    """

    triangle: np.ndarray
    position: np.ndarray
    rotation: np.ndarray
    log_scale: np.ndarray
    opacity_logit: np.ndarray
    sh: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.triangle)


KINDS = (*PARTS, "brows", "lashes", "strands")


def _weights(head: Anatomy, part: str, ids: np.ndarray) -> np.ndarray:
    """Relative density of Gaussians per unit of area on the triangles `ids` of a part."""
    tri = head.triangles[ids]
    centre = head.vertices[tri].mean(axis=1)
    left, right = head.eyes["left"], head.eyes["right"]
    eye = left[0]
    if part.startswith("eye"):
        ball = head.eyes["left" if part.endswith("L") else "right"][0]
        ahead = ball[1] - centre[:, 1]
        return np.where(ahead > 0.009, 6.0, np.where(ahead > 0.002, 2.0, 0.02))
    if part.startswith("teeth"):
        return np.where(centre[:, 1] < eye[1] + 0.012, 4.0, 1.0)
    if part != "skin":
        return np.ones(len(ids))
    lips = head.vertices[head.values["lips"] > 0.5].mean(axis=0)
    to_eye = np.minimum(*(np.linalg.norm((centre - e[0]) / [1.3, 1.3, 1.0], axis=1) for e in (left, right)))
    to_mouth = np.linalg.norm((centre - lips) / [1.5, 1.0, 1.0], axis=1)
    face = np.clip((eye[1] + 0.055 - centre[:, 1]) / 0.03, 0, 1) * np.clip(
        (centre[:, 2] - (eye[2] - 0.135)) / 0.02, 0, 1
    )
    weight = 1.2 + 4.5 * face + 10 * np.exp(-((np.clip(to_eye - 0.014, 0, 1) / 0.010) ** 2))
    weight += 8 * np.exp(-((to_mouth / 0.020) ** 2)) + 3 * head.values["ears"][tri].mean(axis=1)
    weight *= np.where(head.values["inner_mouth"][tri].mean(axis=1) > 0.5, 0.3, 1.0)
    return weight * np.where(head.values["scalp"][tri].mean(axis=1) > 0.012, 0.12, 1.0)


def _morton(points: np.ndarray) -> np.ndarray:
    """Order of points [N,3] along a Z-order curve."""
    span = np.ptp(points, axis=0).max()
    cell = ((points - points.min(axis=0)) / span * 1023).astype(np.int64)
    code = np.zeros(len(points), dtype=np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cell[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")


def _areas(vertices: np.ndarray, tri: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[tri[:, k]] for k in range(3))
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def _flat(vertices: np.ndarray, tri: np.ndarray) -> np.ndarray:
    """Corners [T,3,2] of triangles in their own frames, from the centroid."""
    frame = frames(vertices, tri)[:, :, :2]
    corner = vertices[tri]
    return np.einsum("tij,tki->tkj", frame, corner - corner.mean(axis=1, keepdims=True))


def blink(head: Anatomy) -> np.ndarray:
    """Vertices with both eyes closed."""
    names = [f"eyeBlink{side}" for side in ("Left", "Right")]
    bends = [offsets for units, offsets in head.combinations.items() if set(units) <= set(names)]
    return head.vertices + sum(head.units[UNITS.index(name)] for name in names) + sum(bends)


def folds(head: Anatomy) -> np.ndarray:
    """Ids of the skin triangles that lie folded in neutral: those that a blink stretches in one direction only."""
    ids = np.flatnonzero(head.part == 0)
    tri = head.triangles[ids]
    closed = blink(head)
    rest, now = _flat(head.vertices, tri), _flat(closed, tri)
    moved = np.linalg.norm(closed - head.vertices, axis=1)[tri].min(axis=1) > 0.0004
    usable = moved & (_areas(head.vertices, tri) > 1e-9) & (_areas(closed, tri) > 1e-9)
    edges = np.stack([rest[usable, 1] - rest[usable, 0], rest[usable, 2] - rest[usable, 0]], axis=2)
    moved_edges = np.stack([now[usable, 1] - now[usable, 0], now[usable, 2] - now[usable, 0]], axis=2)
    stretch = np.linalg.svd(moved_edges @ np.linalg.inv(edges), compute_uv=False)
    return ids[usable][stretch[:, 0] > 1.5 * stretch[:, 1]]


def _folded(head: Anatomy, ids: np.ndarray):
    """A Gaussian on the middle of each folded triangle, shaped to cover it in a blink.

    A Gaussian follows its triangle's turn and area but not its shear, so what is laid out in neutral would tear when
    the lid unfolds; laid out for the blink it merely overlaps while folded away.

    Returns:
        Positions [T,3], quaternions [T,4] and scales [T,3] in the neutral frames.
    """
    tri = head.triangles[ids]
    closed = blink(head)
    grown = np.clip(np.sqrt(_areas(closed, tri) / _areas(head.vertices, tri)), 0.3, 3.0)
    corner = _flat(closed, tri) / grown[:, None, None]
    width, axis = np.linalg.eigh(np.einsum("tki,tkj->tij", corner, corner) / 12)
    sigma = 1.9 * np.sqrt(np.maximum(width[:, ::-1], 1e-10))
    angle = np.arctan2(axis[:, 1, 1], axis[:, 0, 1])
    turn = np.stack([np.cos(angle / 2), 0 * angle, 0 * angle, np.sin(angle / 2)], axis=1)
    return np.zeros((len(ids), 3)), turn, np.c_[sigma, 0.15 * sigma[:, 0]]


def _surface(head: Anatomy, part: str, count: int, rng: np.random.Generator, without: np.ndarray):
    """Triangle ids, points and spacings of `count` Gaussians on a part, but for the triangles `without`."""
    ids = np.setdiff1d(np.flatnonzero(head.part == PARTS.index(part)), without)
    tri = head.triangles[ids]
    area = _areas(head.vertices, tri)
    mass = area * _weights(head, part, ids)
    order = _morton(head.vertices[tri].mean(axis=1))
    ids, tri, mass, area = ids[order], tri[order], mass[order], area[order]
    total = np.cumsum(mass / mass.sum())
    pick = np.searchsorted(total, (np.arange(count) + rng.random(count)) / count).clip(0, len(ids) - 1)
    # Low-discrepancy points within the triangle (Roberts' R2 sequence), folded from the square.
    index = np.arange(count)[:, None]
    u = (0.5 + index * np.array([0.7548776662466927, 0.5698402909980532])) % 1
    fold = u.sum(axis=1) > 1
    u[fold] = 1 - u[fold]
    corner = head.vertices[tri[pick]]
    points = corner[:, 0] + u[:, :1] * (corner[:, 1] - corner[:, 0]) + u[:, 1:] * (corner[:, 2] - corner[:, 0])
    spacing = np.sqrt(area[pick] / (count * mass[pick] / mass.sum()))
    return ids[pick], points, spacing


def _turn_x_to(direction: np.ndarray) -> np.ndarray:
    """Unit quaternions [N,4] that turn +x to unit vectors [N,3]."""
    quaternion = np.stack([1 + direction[:, 0], np.zeros(len(direction)), -direction[:, 2], direction[:, 1]], axis=1)
    quaternion[direction[:, 0] < -0.9999] = [0, 0, 0, 1]
    return quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)


def _bind(head: Anatomy, triangle: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(positions in the triangles' frames [N,3], the frames [N,3,3])."""
    tri = head.triangles[triangle]
    frame = frames(head.vertices, tri)
    return np.einsum("nji,nj->ni", frame, points - head.vertices[tri].mean(axis=1)), frame


def _segments(strands: Strands, cuts: list[tuple[int, int]], pick: np.ndarray, width: float):
    """Gaussians along chosen strands: triangle, centre, direction, scales."""
    triangle, centre, direction, scale = [], [], [], []
    for first, last in cuts:
        a, b = strands.points[pick, first], strands.points[pick, last]
        length = np.linalg.norm(b - a, axis=1)
        triangle.append(strands.triangle[pick])
        centre.append(strands.points[pick, first : last + 1].mean(axis=1))
        direction.append((b - a) / np.maximum(length, 1e-9)[:, None])
        scale.append(np.stack([length * 0.40, np.full(len(a), width), np.full(len(a), width)], axis=1))
    return tuple(np.concatenate(x) for x in (triangle, centre, direction, scale))


def seed(head: Anatomy, scale: float = 1.0, seed_value: int = 0) -> Gaussians:
    """Gaussians on all parts of a head; `scale` multiplies their number (1 is about 60,000)."""
    rng = np.random.default_rng(seed_value)
    triangle, position, rotation, sizes, kind = [], [], [], [], []
    folded = folds(head)
    for part, count in SHARES.items():
        count = max(8, round(count * scale))
        if part == "skin":
            local, turn, size = _folded(head, folded)
            triangle.append(folded)
            position.append(local)
            rotation.append(turn)
            sizes.append(size)
            kind.append(np.full(len(folded), KINDS.index(part)))
            count = max(8, count - len(folded))
        ids, points, spacing = _surface(head, part, count, rng, folded)
        local, _ = _bind(head, ids, points)
        triangle.append(ids)
        position.append(local)
        rotation.append(np.tile([1.0, 0, 0, 0], (count, 1)))
        sizes.append(spacing[:, None] * np.array([0.60, 0.60, 0.12]))
        kind.append(np.full(count, KINDS.index(part)))
    for name, label, cuts, width, limit in (
        ("brows", "brows", [(0, 2), (2, 4)], 0.00017, None),
        ("lashes", "lashes", [(0, 2), (2, 4)], 0.00014, None),
        ("hair", "strands", [(0, 4), (4, 8)], 0.00042, HAIR_GAUSSIANS // 2),
    ):
        strands = head.strands[name]
        number = len(strands.points) if limit is None else min(limit, len(strands.points))
        pick = rng.permutation(len(strands.points))[: max(4, round(number * scale))]
        ids, centre, direction, size = _segments(strands, cuts, pick, width)
        local, frame = _bind(head, ids, centre)
        triangle.append(ids)
        position.append(local)
        rotation.append(_turn_x_to(np.einsum("nji,nj->ni", frame, direction)))
        sizes.append(size)
        kind.append(np.full(len(ids), KINDS.index(label)))
    all_kind = np.concatenate(kind).astype(np.uint8)
    total = len(all_kind)
    opacity = np.where(all_kind >= KINDS.index("brows"), 1.0, 2.2)
    return Gaussians(
        np.concatenate(triangle).astype(np.int32),
        np.concatenate(position).astype(np.float32),
        np.concatenate(rotation).astype(np.float32),
        np.log(np.concatenate(sizes)).astype(np.float32),
        opacity.astype(np.float32),
        np.zeros((total, 4, 3), dtype=np.float32),
        all_kind,
    )


SH0 = 0.28209479177387814


def set_colour(gaussians: Gaussians, rgb: np.ndarray) -> None:
    """Gives every Gaussian a colour [N,3] that is the same from all sides."""
    gaussians.sh[:] = 0
    gaussians.sh[:, 0] = (rgb - 0.5) / SH0
