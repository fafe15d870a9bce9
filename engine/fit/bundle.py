"""What the renderer needs to see a head: one file that stays, one file a pose, and the list of pictures to take.

The renderer runs in Blender and knows nothing of the engine; these plain `.npz` and JSON files are all that passes.
Cameras look from an azimuth and elevation (degrees; azimuth 0 in front, positive to the head's own left) at a target.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..contract.channels import UNITS
from ..contract.errors import MienError
from ..contract.pose import turn
from ..heads.anatomy import wrinkles
from ..heads.anatomy.build import PARTS, Anatomy
from ..heads.anatomy.hair import frames
from ..heads.anatomy.parts import EYE_PITCH, EYE_YAW


@dataclass(frozen=True)
class View:
    """One picture: pose, file stem, camera (degrees, metres), square size in pixels, and whether it is held out."""

    pose: str
    name: str
    azimuth: float
    elevation: float
    distance: float
    angle: float
    target: tuple[float, float, float]
    size: int
    held_out: bool = False


def unit_row(weights: Mapping[str, float]) -> np.ndarray:
    """{unit: value} → [54]; a name without its side sets both sides.

    Raises:
        MienError: A name is no unit's.
    """
    row = np.zeros(len(UNITS))
    for name, value in weights.items():
        matches = [i for i, unit in enumerate(UNITS) if unit in (name, name + "Left", name + "Right")]
        if not matches:
            raise MienError(f"There is no face unit named {name!r}; use the names of the contract's UNITS.")
        row[matches] = value
    return row


def pose(head: Anatomy, row: np.ndarray) -> np.ndarray:
    """Vertices [V,3] of an anatomy under unit values [54]: steps 2 and 3 of docs/head-file.md."""
    value = {unit: float(np.clip(x, 0, 1.5)) for unit, x in zip(UNITS, row, strict=True)}
    vertices = head.vertices.copy()
    for index, unit in enumerate(UNITS):
        if value[unit]:
            vertices += value[unit] * head.units[index]
    for names, offsets in head.combinations.items():
        weight = float(np.prod([value[name] for name in names]))
        if weight:
            vertices += weight * offsets
    part = head.vertex_part()
    for side, name, sign in (("Left", "eye.L", 1.0), ("Right", "eye.R", -1.0)):
        yaw = sign * EYE_YAW * (value["eyeLookOut" + side] - value["eyeLookIn" + side])
        pitch = EYE_PITCH * (value["eyeLookUp" + side] - value["eyeLookDown" + side])
        own = part == PARTS.index(name)
        centre = head.eyes[side.lower()][0]
        vertices[own] = (vertices[own] - centre) @ turn(yaw, pitch).T + centre
    return vertices


def strand_points(head: Anatomy, name: str, vertices: np.ndarray) -> np.ndarray:
    """A bundle's strands [n,k,3], carried by their triangles to the posed vertices."""
    strands = head.strands[name]
    tri = head.triangles[strands.triangle]
    rest, now = frames(head.vertices, tri), frames(vertices, tri)
    local = np.einsum("nji,nkj->nki", rest, strands.points - head.vertices[tri].mean(axis=1)[:, None])
    return vertices[tri].mean(axis=1)[:, None] + np.einsum("nij,nkj->nki", now, local)


def write_bundle(folder: Path, head: Anatomy, poses: Mapping[str, Mapping[str, float]], views: list[View]) -> None:
    """Writes `static.npz`, `pose_<name>.npz` and `plan.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {f"value_{name}": value.astype(np.float32) for name, value in head.values.items()}
    np.savez(
        folder / "static.npz",
        quads=head.quads.astype(np.int32),
        quad_part=head.quad_part,
        parts=np.array(PARTS),
        rest=head.vertices.astype(np.float32),
        colour=head.colour.astype(np.float32),
        eyes=np.stack([head.eyes["left"][0], head.eyes["right"][0]]),
        look=np.array(json.dumps({**asdict(head.look), "hair": [float(c) for c in head.look.hair]})),
        **{f"radius_{name}": np.float32(strands.radius) for name, strands in head.strands.items()},
        **values,
    )
    left = wrinkles.smooth(head.home[:, 0], -0.004, 0.004)
    for name, weights in poses.items():
        row = unit_row(weights)
        vertices = pose(head, row)
        deep = wrinkles.depths(head.creases, left, dict(zip(UNITS, row, strict=True)), head.look.age)
        creases = {f"crease_{kind}": depth.astype(np.float32) for kind, depth in deep.items()}
        strands = {f"strands_{n}": strand_points(head, n, vertices).astype(np.float32) for n in head.strands}
        np.savez(folder / f"pose_{name}.npz", vertices=vertices.astype(np.float32), **strands, **creases)
    plan = {"poses": {n: dict(w) for n, w in poses.items()}, "views": [asdict(view) for view in views]}
    (folder / "plan.json").write_text(json.dumps(plan, indent=1), encoding="utf-8")
