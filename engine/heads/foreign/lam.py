"""LAM avatars: the zips that the Large Avatar Model (SIGGRAPH 2025) exports for its web renderer.

`skin.glb` is a head mesh with ARKit morph targets and a skeleton; row k of `offset.ply` is the Gaussian of vertex k:
its offset from that vertex in the mesh's axes, a plain RGB colour, opacity logit, log scale and rotation. The zip's
other members (an idle animation, a vertex order for the web renderer's sorting) are not needed.

The mesh is FLAME's with every edge halved: eyeballs, but no teeth, no tongue and a hole between the lips.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ...contract.channels import ARKIT_52, MASK_ZONES, SPLIT_UNITS
from ...contract.errors import MienError
from .. import format as head_format
from . import gltf, mouth, ply
from .rig import STILL, UNKNOWN_LICENCE, Rig, areas, assemble, part_index, point, side_mask, zones_by_motion
from .splats import HEAD_FROM_RUB, SH0, Splats, checked, moved, read_whole

EYE_DISTANCE = 0.063
"""Metres between the eyes' centres of an adult: what the avatar is scaled to."""
EYE_TURN = (0.56, 0.45)
"""Radians of yaw and pitch at unit value 1, where the morph targets show none."""
_ANCHOR = 2e-4
"""Metres: the size of an anchor triangle."""
_MEMBER_LIMIT = 256 << 20
_MEMBERS = ("skin.glb", "offset.ply")
_COLUMNS = (
    "x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2",
    "rot_0", "rot_1", "rot_2", "rot_3",
)  # fmt: skip
#: How far each bone goes along when the head turns; bones below `head` go fully.
_NECK = {"neckUpper": 0.6, "neckLower": 0.25}
_BUST = {"neckLower", "neckUpper", "chestUpper", "chestLower", "abdomenUpper", "lCollar", "rCollar", "hip", "pelvis"}


def read(path: str | os.PathLike[str], name: str | None = None) -> head_format.Head:
    """A LAM avatar zip → a head.

    Raises:
        MienError: It is no such zip, a member is missing or damaged, or the splats do not fit the mesh.
    """
    where = str(path)
    members = _members(path, where)
    mesh = gltf.read(members["skin.glb"], f"{where}: skin.glb")
    table = ply.columns(members["offset.ply"], f"{where}: offset.ply")
    ply.need(table, _COLUMNS, f"{where}: offset.ply")
    if len(table["x"]) != len(mesh.vertices):
        raise MienError(
            f"{where}: offset.ply holds {len(table['x']):,} splats and skin.glb {len(mesh.vertices):,} vertices, "
            "one must belong to each; export the avatar again."
        )
    rig = _rig(mesh, where)
    splats = _splats(mesh, table, where)
    scale, shift = _placing(rig)
    splats = moved(splats, HEAD_FROM_RUB, scale, shift)
    _scale(rig, scale, shift)
    # LAM's skin is half transparent: teeth would shine through it.
    rig, inside, bound = mouth.curtain(rig, _lips_offset(rig, splats), splats.sh_degree)
    rig, triangle = _anchored(rig, len(splats))
    info = {
        "name": name or Path(path).stem,
        "author": "unknown",
        "licence": UNKNOWN_LICENCE,
        "source": f"LAM avatar {Path(path).name}",
        "figures": {"scaled_by": round(scale, 4)},
    }
    return assemble(rig, mouth.joined(splats, inside), np.concatenate([triangle, bound]), info)


def _members(path: str | os.PathLike[str], where: str) -> dict[str, bytes]:
    """The bytes of the members that matter, in whatever folder of the zip they lie; never more than is declared."""
    read_whole(path, 2 * _MEMBER_LIMIT)
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist()[:4096]:
                name = PurePosixPath(entry.filename)
                if name.name not in _MEMBERS or "__MACOSX" in name.parts:
                    continue
                if name.name in found:
                    raise MienError(f"{where} holds {name.name} twice; keep one avatar in a zip.")
                if entry.flag_bits & 1 or entry.file_size > _MEMBER_LIMIT:
                    what = "is encrypted" if entry.flag_bits & 1 else f"unpacks to {entry.file_size:,} bytes"
                    raise MienError(f"{where}: {name.name} {what}, so it is not read; export the avatar again.")
                with archive.open(entry) as stream:
                    found[name.name] = stream.read(entry.file_size)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, OSError) as error:
        raise MienError(f"{where} is damaged or not a zip ({error}); get a fresh copy of it.") from None
    for member in _MEMBERS:
        if member not in found:
            raise MienError(f"{where} holds no {member}, so it is no LAM avatar; export it from LAM as a zip.")
    return found


def _splats(mesh: gltf.Skinned, table: dict[str, np.ndarray], where: str) -> Splats:
    """Gaussians at their vertices plus offsets, in glTF's axes."""
    offset, rotation, log_scale, opacity = ply.geometry(table)
    colour = np.stack([table[f"f_dc_{index}"] for index in range(3)], axis=1)
    sh = ((colour - 0.5) / SH0)[:, None]
    return checked(mesh.vertices + offset, rotation, log_scale, opacity, sh, f"{where}: offset.ply")


def _rig(mesh: gltf.Skinned, where: str) -> Rig:
    """The rig in Mien's axes, still at the file's size and place."""
    vertices = mesh.vertices @ HEAD_FROM_RUB.T
    units = _units({name: delta @ HEAD_FROM_RUB.T for name, delta in mesh.morphs.items()}, vertices, where)
    part = np.full(len(mesh.triangles), part_index("skin"))
    joints = {name: place @ HEAD_FROM_RUB.T for name, place in mesh.joints.items()}
    zone = zones_by_motion(units, len(vertices))
    balls = _balls(vertices, mesh.triangles)
    eyes: dict[str, head_format.Eye] = {}
    for side, letter, ball in zip(("left", "right"), "LR", balls, strict=False):
        inside = np.zeros(len(vertices), dtype=bool)
        inside[ball] = True
        part[inside[mesh.triangles].all(axis=1)] = part_index(f"eye.{letter}")
        zone[ball] = MASK_ZONES.index("gaze")
        eyes[side] = _eye(vertices, units, ball, side.title())
    pivot = joints.get("head", np.array([0.0, 0.0, np.quantile(vertices[:, 2], 0.3)]))
    weight = np.ones(len(vertices))
    for name, carried in mesh.weights.items():
        if name in _BUST:
            weight -= carried * (1 - _NECK.get(name, 0.0))
    return Rig(vertices, mesh.triangles, part, zone, np.clip(weight, 0, 1), units, {}, eyes or None, pivot)


def _units(morphs: dict[str, np.ndarray], vertices: np.ndarray, where: str) -> dict[str, np.ndarray]:
    """Morph targets by their ARKit names → Mien's units, the unsided ones split into halves."""
    units: dict[str, np.ndarray] = {}
    left = side_mask(vertices[:, 0] - vertices[:, 0].mean())[:, None]
    for shape in ARKIT_52:
        if shape not in morphs:
            continue
        if shape in SPLIT_UNITS:
            units[shape + "Left"], units[shape + "Right"] = left * morphs[shape], (1 - left) * morphs[shape]
        else:
            units[shape] = morphs[shape]
    if not units:
        raise MienError(
            f"{where}: none of skin.glb's morph targets has an ARKit name; export it with ARKit blend shapes."
        )
    return units


def _balls(vertices: np.ndarray, triangles: np.ndarray) -> list[np.ndarray]:
    """Vertex ids of the left and the right eyeball: the pieces beside the largest; none unless there are two."""
    count = len(vertices)
    edges = (triangles.ravel(), np.roll(triangles, -1, axis=1).ravel())
    _, label = connected_components(coo_matrix((np.ones(triangles.size), edges), (count, count)), directed=False)
    sizes = np.bincount(label)
    pieces = [np.flatnonzero(label == index) for index in np.argsort(-sizes) if 100 < sizes[index] < count / 4]
    pieces.sort(key=lambda piece: -vertices[piece, 0].mean())
    return pieces if len(pieces) == 2 else []


def _eye(vertices: np.ndarray, units: dict[str, np.ndarray], ball: np.ndarray, side: str) -> head_format.Eye:
    """The ball's centre and turns. Its share of the eyeLook morphs is taken out: docs/head-file.md turns it rigidly."""
    points = vertices[ball]
    # Sphere through the vertices, least squares: |p|² = 2 p·c + (r² − |c|²).
    solution, *_ = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)
    centre = solution[:3]
    turns = {}
    for way in ("In", "Out", "Up", "Down"):
        unit = f"eyeLook{way}{side}"
        if unit in units:
            turns[way] = _angle(points - centre, units[unit][ball])
            units[unit][ball] = 0.0
    for unit, delta in units.items():
        if not unit.startswith("eyeLook"):
            delta[ball] = 0.0
    measured = [max((turns.get(way, 0.0) for way in pair), default=0.0) for pair in (("In", "Out"), ("Up", "Down"))]
    yaw, pitch = (value if value > 0.1 else usual for value, usual in zip(measured, EYE_TURN, strict=True))
    return head_format.Eye(point(centre), float(yaw), float(pitch))


def _angle(points: np.ndarray, offsets: np.ndarray) -> float:
    """The angle of the rotation about the origin that best carries points [N, 3] along offsets [N, 3] (Kabsch)."""
    u, _, vt = np.linalg.svd(points.T @ (points + offsets))
    rotation = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return float(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))


def _placing(rig: Rig) -> tuple[float, np.ndarray]:
    """(scale, shift) to life size, with the origin on the neck's axis at the bottom of the bust."""
    if rig.eyes is not None:
        left, right = (np.array(rig.eyes[side].centre) for side in ("left", "right"))
        scale = EYE_DISTANCE / max(float(np.linalg.norm(left - right)), 1e-6)
        middle = (left + right)[0] / 2
    else:
        scale = 0.31 / max(float(np.ptp(rig.vertices[:, 2])), 1e-6)
        middle = rig.vertices[:, 0].mean()
    bottom = rig.vertices[:, 2].min()
    return scale, -scale * np.array([middle, rig.pivot[1], bottom])


def _scale(rig: Rig, scale: float, shift: np.ndarray) -> None:
    rig.vertices = rig.vertices * scale + shift
    rig.units = {name: delta * scale for name, delta in rig.units.items()}
    rig.pivot = rig.pivot * scale + shift
    if rig.eyes is not None:
        rig.eyes = {
            side: head_format.Eye(point(np.array(eye.centre) * scale + shift), eye.yaw, eye.pitch)
            for side, eye in rig.eyes.items()
        }


def _lips_offset(rig: Rig, splats: Splats) -> np.ndarray:
    """From the mesh's lips to where their splats are [3], opaque ones counting most."""
    rim = np.concatenate(mouth.lips(rig))
    weight = 1e-3 + 1 / (1 + np.exp(-splats.opacity_logit[rim].astype(np.float64)))
    return np.average(splats.position[rim] - rig.vertices[rim], axis=0, weights=weight)


def _anchored(rig: Rig, count: int) -> tuple[Rig, np.ndarray]:
    """The rig with anchors for the splats of its first `count` vertices that move, and each one's triangle [count].

    LAM's renderer only shifts a splat with its vertex. Many splats lie a centimetre and more off theirs, where the
    turning of the vertex's triangles would throw them about (lids that fold are the worst). So where morph targets
    move anything, a vertex gets a tiny triangle of its own, whose corners all move as it does. Others keep their
    largest triangle.
    """
    own = _largest_triangles(rig)[:count]
    moving = np.zeros(len(rig.vertices), dtype=bool)
    for delta in rig.units.values():
        moving |= np.abs(delta).max(axis=1) > STILL
    # At the rim of what moves, a still vertex may have a triangle that does.
    ids = np.flatnonzero(moving[rig.triangles[own]].any(axis=1))
    corners = rig.vertices[rig.triangles[own[ids]]]
    size = _ANCHOR / np.sqrt(areas(rig.vertices, rig.triangles[own[ids]]))
    shrunk = rig.vertices[ids, None] + (corners - corners.mean(axis=1, keepdims=True)) * size[:, None, None]
    thrice = np.repeat(ids, 3)
    first, faces = len(rig.vertices), len(rig.triangles)
    anchored = Rig(
        np.concatenate([rig.vertices, shrunk.reshape(-1, 3)]),
        np.concatenate([rig.triangles, first + np.arange(3 * len(ids)).reshape(-1, 3)]),
        np.concatenate([rig.part, np.full(len(ids), part_index("skin"))]),
        np.concatenate([rig.zone, rig.zone[thrice]]),
        np.concatenate([rig.head_weight, rig.head_weight[thrice]]),
        {name: np.concatenate([delta, delta[thrice]]) for name, delta in rig.units.items()},
        {},
        rig.eyes,
        rig.pivot,
    )
    own[ids] = faces + np.arange(len(ids))
    return anchored, own


def _largest_triangles(rig: Rig) -> np.ndarray:
    """The largest triangle at every vertex [V]; for a vertex without one, the largest of all."""
    order = np.argsort(areas(rig.vertices, rig.triangles), kind="stable")
    triangle = np.full(len(rig.vertices), order[-1])
    triangle[rig.triangles[order].ravel()] = np.repeat(order, 3)  # of equal indices the last, the largest, stays
    return triangle
