"""GaussianAvatars' PLY files with the artist's own FLAME model → a head.

Each splat of such a file lies in the frame of one of FLAME's triangles, named by its property `binding_0`. With a the
direction of v1 − v0, n the normal and b = a × n, the triangle's axes are the columns (a, n, b), and its size is half
the sum of |v1 − v0| and the height over that edge; places and deviations are multiples of that size.
`flame_param.npz` beside the file holds the person: `shape` and `static_offset`; its expressions and poses are not used.

Mien carries no FLAME. The artist's is read from an .npz (docs/heads-from-outside.md has the conversion), never from a
pickle, which may run any program.

FLAME knows 100 expression components, not units. A library head's units are carried over by landmarks, as for a still
head, and each is then replaced by the combination of FLAME's expressions and jaw turns that comes nearest to it, so far
as these can show it; what they can't (lids above all) stays as carried over.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from ...contract.channels import CHANNELS, MASK_ZONES
from ...contract.errors import MienError
from ...reporting import Tell, silent
from .. import format as head_format
from ..deform import Deformer
from . import landmarks, ply
from .rig import UNKNOWN_LICENCE, Rig, assemble, frames, part_index, point, zones_by_motion
from .splats import Splats, from_gaussians, moved, multiply, quaternions
from .still import fitted

PARAMETERS = "flame_param.npz"
EYE_TURN = (0.56, 0.45)
_MOST_BYTES = 1 << 30
_MOST_VERTICES = 200_000
_SHAPES = 300
"""FLAME's shape components come first in `shapedirs`; the rest are expressions."""
_NECK, _JAW = 1, 2
_JAW_TURN = 0.2
"""Radians of the jaw turns that are combined with the expressions: as linear as these."""
_RIDGE = 3e-3
_NORMAL = 0.012
"""Metres that opposite normals count as when the nearest piece of the template is looked for: lips face each other."""
_MOST_LEFT_OUT = 0.2
_OWN_SPACE = 0.5
"""Share of a unit's motion that FLAME must be able to show; a unit beneath stays as it was carried over."""
_AS_CARRIED = ("eyeBlink", "eyeSquint", "eyeWide")


@dataclass(frozen=True)
class Flame:
    """A FLAME model: V vertices, F triangles, J joints.

    Attributes:
        template: [V, 3]. faces: [F, 3]. shapes: [V, 3, S]. expressions: [V, 3, E].
        correctives: [9 (J − 1), V, 3], by the joints' rotation matrices less the identity.
        regressor: [J, V]. weights: [V, J].
    """

    template: np.ndarray
    faces: np.ndarray
    shapes: np.ndarray
    expressions: np.ndarray
    correctives: np.ndarray
    regressor: np.ndarray
    weights: np.ndarray


def rig_avatar(
    table: Mapping[str, np.ndarray],
    path: Path,
    model: Path,
    template: head_format.Head,
    name: str,
    tell: Tell = silent,
) -> head_format.Head:
    """A head from a GaussianAvatars file's columns and a FLAME model.

    Raises:
        MienError: The model is a pickle or not FLAME, the person's parameters are missing, or no face is found.
    """
    tell(0.05, "Reading FLAME")
    flame = load(model)
    vertices = person(flame, path)
    splats, triangle = posed(table, flame, vertices, str(path))
    tell(0.15, "Looking for the face")
    own = from_gaussians(Deformer(template)(np.zeros(len(CHANNELS))))
    eyes = template.eyes
    if eyes is None:
        raise MienError(f"The template head {template.name!r} has no eyes; choose a library head as the template.")
    with landmarks.detector() as detect:
        there = landmarks.measure_head(own, np.mean([eye.centre for eye in eyes.values()], axis=0), detect)
        here = landmarks.find(splats, str(path), detect, there)
    rotation, scale, shift, miss = landmarks.similarity(here, there)
    splats = moved(splats, rotation, scale, shift)
    tell(0.5, "Carrying the expressions over")
    bent = fitted(template, there, scale * here @ rotation.T + shift)
    placed = scale * vertices @ rotation.T + shift
    rig = _rig(flame, placed, scale * rotation, _carried(bent, placed, flame.faces))
    info = {
        "name": name,
        "author": "unknown",
        "licence": UNKNOWN_LICENCE,
        "source": f"GaussianAvatars {path.name}, its motion from FLAME and the head {template.name}",
        "figures": {
            "landmark_miss_mm": round(miss * 1000, 2),
            "splats_left_out": len(table["x"]) - len(splats),
        },
    }
    tell(0.85, "Binding the splats")
    return assemble(rig, splats, triangle, info)


# Files ----------------------------------------------------------------------------------------------------------------


def load(path: Path) -> Flame:
    """FLAME from an .npz with `v_template`, `f` or `faces`, `shapedirs`, `posedirs`, `J_regressor` and `weights` or
    `lbs_weights`, as FLAME's own files and GaussianAvatars' model name them.

    Raises:
        MienError: It is a pickle, or lacks one of these.
    """
    arrays = _arrays(path)
    template = _array(arrays, ("v_template",), path)
    count = len(template)
    faces = _array(arrays, ("faces", "f"), path)
    shapedirs = _array(arrays, ("shapedirs",), path)
    posedirs = _array(arrays, ("posedirs",), path)
    regressor = _array(arrays, ("J_regressor",), path)
    weights = _array(arrays, ("weights", "lbs_weights"), path)
    joints = len(regressor)
    if posedirs.ndim == 3:
        posedirs = posedirs.reshape(count * 3, -1).T if posedirs.shape[:2] == (count, 3) else np.zeros(0)
    good = (
        template.shape == (count, 3)
        and 100 < count <= _MOST_VERTICES
        and faces.ndim == 2
        and faces.shape[1] == 3
        and faces.min() >= 0
        and faces.max() < count
        and shapedirs.shape[:2] == (count, 3)
        and shapedirs.ndim == 3
        and shapedirs.shape[2] > _SHAPES
        and joints > _JAW
        and regressor.shape == (joints, count)
        and weights.shape == (count, joints)
        and posedirs.shape == (9 * (joints - 1), 3 * count)
    )
    if not good:
        raise MienError(
            f"{path} has arrays of other shapes than FLAME's; convert FLAME as the manual says (heads from outside)."
        )
    return Flame(
        template, faces.astype(np.int64), shapedirs[..., :_SHAPES], shapedirs[..., _SHAPES:],
        posedirs.reshape(len(posedirs), count, 3), regressor, weights,
    )  # fmt: skip


def person(flame: Flame, path: Path) -> np.ndarray:
    """Vertices [V, 3] of the person whose avatar `path` is, neutral and unposed; from the parameters beside it.

    Raises:
        MienError: They are missing or belong to another FLAME.
    """
    beside = path.with_name(PARAMETERS)
    if not beside.is_file():
        raise MienError(f"{path} needs the file {PARAMETERS} beside it, which GaussianAvatars writes; put it there.")
    arrays = _arrays(beside)
    shape = _array(arrays, ("shape",), beside).ravel()
    if len(shape) > flame.shapes.shape[2]:
        raise MienError(f"{beside} has {len(shape)} shape values and FLAME has {flame.shapes.shape[2]} components.")
    vertices = flame.template + flame.shapes[..., : len(shape)] @ shape
    if "static_offset" in arrays:
        offset = _array(arrays, ("static_offset",), beside).reshape(-1, 3)
        known = min(len(offset), len(vertices))  # one may have teeth that the other lacks
        vertices[:known] += offset[:known]
    return vertices


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz; nothing in it is executed.

    Raises:
        MienError: It is a pickle, holds objects, or can't be read.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
        if not start.startswith(b"PK"):
            what = "a pickle, which may run any program" if start[:1] in b"\x80(c" and start else "no .npz"
            raise MienError(f"{path} is {what}; convert FLAME to .npz as the manual says, and give that.")
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise MienError(f"{path} unpacks to more than {_MOST_BYTES:,} bytes, so it is not read.")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if file[name].dtype.kind in "fiu"}
    except FileNotFoundError:
        raise MienError(f"{path} does not exist; check the path of the FLAME model.") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        reason = "it holds pickled objects" if "pickle" in str(error).lower() else str(error)
        raise MienError(f"{path} can't be read ({reason}); convert FLAME to .npz as the manual says.") from None


def _array(arrays: Mapping[str, np.ndarray], names: tuple[str, ...], path: Path) -> np.ndarray:
    """The first of the arrays that is there, float64 and finite."""
    for name in names:
        if name in arrays:
            array = arrays[name].astype(np.float64)
            if not array.size or not np.isfinite(array).all():
                raise MienError(f"{path}: the array {name!r} is empty or has values that are not finite.")
            return array
    raise MienError(f"{path} holds no array {names[0]!r}; convert FLAME as the manual says (heads from outside).")


# The splats -----------------------------------------------------------------------------------------------------------


def posed(table: Mapping[str, np.ndarray], flame: Flame, vertices: np.ndarray, where: str) -> tuple[Splats, np.ndarray]:
    """A GaussianAvatars file's splats where the mesh's `vertices` [V, 3] hold them, and each one's triangle [N].

    Raises:
        MienError: They are bound to triangles that FLAME has not.
    """
    local = ply.splats(table, where)
    binding = np.asarray(table.get("binding_0", np.zeros(0)), dtype=np.float64)
    if len(binding) != len(local) or not np.isfinite(binding).all() or (binding < 0).any():
        raise MienError(f"{where} lacks a whole number 'binding_0' for each splat; export it again.")
    triangle = binding.astype(np.int64)
    held = triangle < len(flame.faces)
    if held.mean() < 1 - _MOST_LEFT_OUT:
        raise MienError(
            f"{where} is bound to {triangle.max() + 1:,} triangles and this FLAME has {len(flame.faces):,}; "
            "convert the model that GaussianAvatars uses, as the manual says."
        )
    local, triangle = local[held], triangle[held]
    centre, axes, size = _bases(vertices[flame.faces])
    turn, size = axes[triangle], size[triangle]
    place = centre[triangle] + size[:, None] * np.einsum("nij,nj->ni", turn, local.position.astype(np.float64))
    return (
        Splats(
            place.astype(np.float32),
            multiply(quaternions(turn), local.rotation.astype(np.float64)).astype(np.float32),
            (local.log_scale + np.log(size)[:, None]).astype(np.float32),
            local.opacity_logit,
            local.sh,
        ),
        triangle,
    )


def _bases(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(middles [F, 3], axes in columns [F, 3, 3], sizes [F]) of triangles [F, 3, 3], as GaussianAvatars has them."""
    edge, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.linalg.norm(edge, axis=1)
    along = edge / np.maximum(length, 1e-12)[:, None]
    normal = np.cross(along, other)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)
    across = -np.cross(normal, along)
    height = np.abs((across * other).sum(axis=1))
    return corners.mean(axis=1), np.stack([along, normal, across], axis=2), np.maximum((length + height) / 2, 1e-9)


# The motion -----------------------------------------------------------------------------------------------------------


def _carried(bent: Rig, vertices: np.ndarray, faces: np.ndarray) -> dict[str, np.ndarray]:
    """The units of a template that was bent into the face, at other vertices [V, 3] of it: {unit: offsets [V, 3]}."""
    skin = bent.triangles[bent.part == part_index("skin")]
    middle, axes = frames(bent.vertices, skin)
    _, own = frames(vertices, faces)
    normal = np.zeros_like(vertices)
    for corner in faces.T:
        np.add.at(normal, corner, own[:, :, 2])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    tree = KDTree(np.c_[middle, _NORMAL / 2 * axes[:, :, 2]])
    distance, near = tree.query(np.c_[vertices, _NORMAL / 2 * normal], k=4)
    weight = 1 / (distance + 1e-4) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    units = {}
    for name, delta in bent.units.items():
        units[name] = np.einsum("vk,vkc->vc", weight, delta[skin].mean(axis=1)[near])
    return units


def _rig(flame: Flame, vertices: np.ndarray, axes: np.ndarray, carried: Mapping[str, np.ndarray]) -> Rig:
    """FLAME's mesh as a rig: its pieces as parts, the neck's weights, and units in its own space where it has them.

    Args:
        vertices: The person, at their place in the head [V, 3]. axes: FLAME's → the head's, with the scale [3, 3].
    """
    joints = flame.regressor @ vertices
    part, balls = _parts(flame, vertices)
    eyes: dict[str, head_format.Eye] = {}
    units = {name: delta.copy() for name, delta in carried.items()}
    piece = np.full(len(vertices), part_index("skin"))
    for corner in flame.faces.T:
        piece[corner] = part
    soft = piece == part_index("skin")
    jaw = _jaw_turns(flame, vertices, joints, axes)
    space = np.einsum("ij,vje->vie", axes, flame.expressions)
    for name, delta in units.items():
        # What is not skin is bone: it goes with the jaw, or stays.
        delta[~soft] = 0.0
        turns = jaw if name.startswith("jaw") or name == "mouthClose" else jaw[..., :0]
        units[name] = _in_space(delta, np.concatenate([space, turns], axis=2), soft, name)
    for number, side in enumerate(("left", "right")):
        if len(balls) == 2:
            centre = vertices[balls[number]].mean(axis=0)
            if flame.regressor.shape[0] > 4:
                centre = joints[3 + number]
            eyes[side] = head_format.Eye(point(centre), *EYE_TURN)
            for delta in units.values():
                delta[balls[number]] = 0.0
    zone = zones_by_motion(units, len(vertices))
    for ball in balls:
        zone[ball] = MASK_ZONES.index("gaze")
    weight = np.clip(flame.weights[:, _NECK:].sum(axis=1), 0, 1)
    return Rig(vertices, flame.faces, part, zone, weight, units, {}, eyes or None, joints[_NECK])


def _in_space(delta: np.ndarray, space: np.ndarray, soft: np.ndarray, name: str) -> np.ndarray:
    """Offsets [V, 3] as the nearest combination of columns [V, 3, E]; as they are where those can't show them."""
    moving = soft & (np.linalg.norm(delta, axis=1) > 2e-4)
    if moving.sum() < 10 or name.startswith(_AS_CARRIED):
        return delta
    # What stays still counts as well, or a smile would lift the brows.
    rows = np.flatnonzero(soft)
    columns = space[rows].reshape(-1, space.shape[2])
    size = np.maximum(np.sqrt((columns**2).mean(axis=0)), 1e-12)
    columns = columns / size
    gram = columns.T @ columns
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    found = np.linalg.solve(gram + ridge, columns.T @ delta[rows].ravel()) / size
    shown = space @ found
    explained = 1 - ((shown - delta)[rows] ** 2).sum() / (delta[rows] ** 2).sum()
    return shown if explained > _OWN_SPACE else delta


def _jaw_turns(flame: Flame, vertices: np.ndarray, joints: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Offsets [V, 3, 3] by small turns of the jaw: open, to the left, to the right."""
    turns = []
    unit = axes / np.cbrt(np.linalg.det(axes))
    for x, y in ((_JAW_TURN, 0.0), (0.0, _JAW_TURN), (0.0, -_JAW_TURN)):
        cx, sx, cy, sy = np.cos(x), np.sin(x), np.cos(y), np.sin(y)
        own = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        turn = unit @ own @ unit.T
        rows = slice(9 * (_JAW - 1), 9 * _JAW)
        bulge = np.einsum("k,kvc->vc", (own - np.eye(3)).ravel(), flame.correctives[rows]) @ axes.T
        about = (vertices - joints[_JAW]) @ turn.T + joints[_JAW] - vertices
        turns.append(flame.weights[:, _JAW, None] * about + bulge)
    return np.stack(turns, axis=2)


def _parts(flame: Flame, vertices: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """(the part of each triangle [F], vertices of the left and the right eyeball or nothing): pieces by size and place.

    Eyeballs are the two largest round pieces beside the skin; other pieces are teeth, the lower ones the jaw's.
    """
    count = len(vertices)
    edges = (flame.faces.ravel(), np.roll(flame.faces, -1, axis=1).ravel())
    _, label = connected_components(coo_matrix((np.ones(flame.faces.size), edges), (count, count)), directed=False)
    sizes = np.bincount(label)
    part = np.full(len(flame.faces), part_index("skin"))
    balls: list[np.ndarray] = []
    for index in np.argsort(-sizes)[1:]:
        piece = np.flatnonzero(label == index)
        if len(piece) < 4:
            continue
        extent = np.ptp(vertices[piece], axis=0)
        if len(balls) < 2 and len(piece) > 100 and extent.min() > 0.7 * extent.max():
            balls.append(piece)
            continue
        lower = flame.weights[piece, _JAW].mean() > 0.5
        part[np.isin(flame.faces[:, 0], piece)] = part_index("teeth.lower" if lower else "teeth.upper")
    balls.sort(key=lambda piece: -vertices[piece, 0].mean())
    if len(balls) < 2:
        return part, []
    for piece, letter in zip(balls, "LR", strict=True):
        part[np.isin(flame.faces[:, 0], piece)] = part_index(f"eye.{letter}")
    return part, balls
