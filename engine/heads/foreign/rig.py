"""What makes a head move, apart from its Gaussians; and putting both together into a head file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from ...contract.channels import CHANNELS, MASK_ZONES, UNITS
from .. import format as head_format
from ..deform import matrices
from .splats import Splats, quaternions

UNKNOWN_LICENCE = "unknown: supplied by the artist"
STILL = 1e-5
"""Metres: shorter offsets are dropped, no one sees a hundredth of a millimetre."""
_CANDIDATES = 16
_SMALLEST_AREA = 1e-10
"""Square metres (0.01 mm a side): smaller triangles turn at the slightest motion, so nothing is bound to them."""


@dataclass(slots=True, eq=False)
class Rig:
    """A head's mesh and motion, in Mien's axes and metres.

    Attributes:
        vertices: [V, 3] float64. triangles: [T, 3] int64.
        part: [T] index into `head_format.PARTS`.
        zone: [V] index into the contract's `MASK_ZONES`.
        head_weight: [V] 0–1, how far head rotation carries a vertex.
        units: {unit: offsets [V, 3]}. bends: {names of a combination: offsets [V, 3]}.
        eyes: the two balls, or None. pivot: where head rotation turns [3].
    """

    vertices: np.ndarray
    triangles: np.ndarray
    part: np.ndarray
    zone: np.ndarray
    head_weight: np.ndarray
    units: dict[str, np.ndarray]
    bends: dict[tuple[str, ...], np.ndarray]
    eyes: Mapping[str, head_format.Eye] | None
    pivot: np.ndarray


def point(place: np.ndarray) -> tuple[float, float, float]:
    """A place [3] as head.json holds it."""
    x, y, z = (float(number) for number in place)
    return x, y, z


def part_index(name: str) -> int:
    return head_format.PARTS.index(name)


def from_head(head: head_format.Head) -> Rig:
    """The rig of a head file."""
    vertices = head["mesh.vertices"].astype(np.float64)
    ids = head["units.vertex_ids"]

    def spread(deltas: np.ndarray) -> np.ndarray:
        full = np.zeros_like(vertices)
        full[ids] = deltas
        return full

    bends = head.arrays.get("combinations.deltas", ())
    return Rig(
        vertices,
        head["mesh.triangles"].astype(np.int64),
        np.array([part_index(name) for name in head.parts])[head["mesh.part"]],
        head["mesh.zone"].astype(np.int64),
        head["mesh.head_weight"].astype(np.float64),
        {name: spread(deltas) for name, deltas in zip(head.units, head["units.deltas"], strict=True)},
        {names: spread(deltas) for names, deltas in zip(head.combinations, bends, strict=True)},
        head.eyes,
        np.array(head.neck_pivot),
    )


@cache
def unit_zones() -> dict[str, str]:
    """{unit: the zone of the channel that is this unit}."""
    zones: dict[str, str] = {}
    for channel in CHANNELS:
        for unit, weight in (*channel.positive.items(), *channel.negative.items()):
            if (
                channel.arkit
                and weight == 1
                and channel.arkit in (unit, unit.removesuffix("Left"), unit.removesuffix("Right"))
            ):
                zones.setdefault(unit, channel.zone)
    return {unit: zones.get(unit, "head") for unit in UNITS}


def zones_by_motion(units: Mapping[str, np.ndarray], count: int, least: float = 4e-4) -> np.ndarray:
    """Zone per vertex [V]: that of the units which move it most; "head" where none moves it by `least` metres.

    Jaw units move half the face, so they count only where they outdo the others clearly.
    """
    strength = np.zeros((len(MASK_ZONES), count))
    for unit, offsets in units.items():
        zone = unit_zones()[unit]
        if zone == "gaze":
            continue
        length = np.linalg.norm(offsets, axis=1) * (0.4 if zone == "jaw_tongue" else 1.0)
        index = MASK_ZONES.index(zone)
        strength[index] = np.maximum(strength[index], length)
    chosen = strength.argmax(axis=0)
    return np.where(strength.max(axis=0) < least, MASK_ZONES.index("head"), chosen)


def side_mask(x: np.ndarray, blend: float = 0.012) -> np.ndarray:
    """How much of a shape belongs to the head's own left: 0 to 1, smooth over ±`blend` metres around x = 0."""
    t = np.clip((x / blend + 1) / 2, 0, 1)
    return t * t * (3 - 2 * t)


def frames(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(centroids [T, 3], axes in columns [T, 3, 3]) of triangles: docs/head-file.md, deformation, step 5."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    x = b - a
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    z = np.cross(b - a, c - a)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-15)
    return (a + b + c) / 3, np.stack([x, np.cross(z, x), z], axis=2)


def areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """[T] square metres."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def nearest(
    points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray, usable: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For points [N, 3], the nearest of the `usable` triangles [T] bool: (its index [N], the distance [N])."""
    ids = np.flatnonzero(usable & (areas(vertices, triangles) > _SMALLEST_AREA))
    corners = vertices[triangles[ids]]
    tree = KDTree(corners.mean(axis=1))
    _, near = tree.query(points, k=min(_CANDIDATES, len(ids)))
    near = near.reshape(len(points), -1)
    best, chosen = np.full(len(points), np.inf), np.zeros(len(points), dtype=np.int64)
    for column in near.T:
        distance = _distance(points, corners[column])
        closer = distance < best
        best[closer], chosen[closer] = distance[closer], ids[column[closer]]
    return chosen, best


def _distance(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """From points [N, 3] to triangles [N, 3, 3]. The nearest point is inside, or on the nearest of the three edges."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    squared = np.maximum((normal**2).sum(1), 1e-30)
    to = points - a
    inside = np.ones(len(points), dtype=bool)
    best = np.full(len(points), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = end - start
        inside &= (np.cross(edge, points - start) * normal).sum(1) >= 0
        t = np.clip(((points - start) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-30), 0, 1)
        best = np.minimum(best, ((points - start - t[:, None] * edge) ** 2).sum(1))
    height = (to * normal).sum(1) ** 2 / squared
    return np.sqrt(np.where(inside, height, best))


def assemble(
    rig: Rig,
    splats: Splats,
    triangle: np.ndarray,
    info: Mapping[str, Any],
    zone: np.ndarray | None = None,
    thumbnail: bytes | None = None,
) -> head_format.Head:
    """A checked head: the rig, and splats [N] bound to its triangles [N].

    Args:
        info: `name`, `author`, `licence`, `source`, `figures`; the rest of `head.json` is filled in here.
        zone: Of each splat; by default that of its triangle's first corner.

    Raises:
        MienError: Something is out of the format's range.
    """
    corners = rig.triangles[triangle]
    centroid, axes = frames(rig.vertices, corners)
    local = np.einsum("nji,nj->ni", axes, splats.position - centroid)
    turn = np.einsum("nji,njk->nik", axes, matrices(splats.rotation.astype(np.float64)))
    offsets = {name: np.where(np.abs(delta) < STILL, 0, delta) for name, delta in rig.units.items()}
    bends = {names: np.where(np.abs(delta) < STILL, 0, delta) for names, delta in rig.bends.items()}
    moving = np.zeros(len(rig.vertices), dtype=bool)
    for delta in (*offsets.values(), *bends.values()):
        moving |= np.any(delta != 0, axis=1)
    ids = np.flatnonzero(moving)
    units = [name for name in UNITS if name in offsets]
    parts = [name for index, name in enumerate(head_format.PARTS) if np.any(rig.part == index)]
    renumbered = np.zeros(len(head_format.PARTS), dtype=np.uint8)
    renumbered[[part_index(name) for name in parts]] = np.arange(len(parts))
    if zone is None:
        zone = rig.zone[corners[:, 0]]
    arrays = {
        "mesh.vertices": rig.vertices.astype(np.float32),
        "mesh.triangles": rig.triangles.astype(np.int32),
        "mesh.part": renumbered[rig.part],
        "mesh.zone": rig.zone.astype(np.uint8),
        "mesh.head_weight": np.clip(rig.head_weight, 0, 1).astype(np.float32),
        "units.vertex_ids": ids.astype(np.int32),
        "units.deltas": np.stack([offsets[name][ids] for name in units]).astype(np.float16),
        "gaussians.triangle": triangle.astype(np.int32),
        "gaussians.position": local.astype(np.float32),
        "gaussians.rotation": quaternions(turn).astype(np.float16),
        "gaussians.log_scale": np.clip(splats.log_scale, -20, 5).astype(np.float16),
        "gaussians.opacity_logit": splats.opacity_logit.astype(np.float16),
        "gaussians.sh": splats.sh.astype(np.float16),
        "gaussians.zone": zone.astype(np.uint8),
    }
    if bends:
        arrays["combinations.deltas"] = np.stack([delta[ids] for delta in bends.values()]).astype(np.float16)
    described = {
        "format": head_format.FORMAT,
        "version": list(head_format.VERSION),
        "blend_space": "srgb",
        "sh_degree": splats.sh_degree,
        "units": units,
        "combinations": [{"units": list(names)} for names in bends],
        "neck": {"pivot": list(point(rig.pivot))},
        "parts": parts,
        "camera": _portrait(rig),
        **info,
    }
    if rig.eyes is not None:
        described["eyes"] = {
            side: {"centre": list(eye.centre), "yaw": eye.yaw, "pitch": eye.pitch} for side, eye in rig.eyes.items()
        }
    return head_format.make_head(described, arrays, thumbnail)


def _portrait(rig: Rig) -> dict[str, Any]:
    """The camera that frames the head as the library's portraits do: the eyes a little above the middle."""
    height = rig.vertices[:, 2].max() - 0.15
    if rig.eyes is not None:
        height = sum(eye.centre[2] for eye in rig.eyes.values()) / 2 - 0.035
    return {"target": [0.0, float(rig.pivot[1] - 0.02), float(height)], "distance": 0.95}
