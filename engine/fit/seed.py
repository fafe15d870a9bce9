"""Where Gaussians start: on a mesh's surfaces and along its strands, each bound to a triangle.

How many a place gets follows from how much of it the pictures show and how much goes on there. Lengths in metres,
neutral pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..heads.format import PARTS
from .dataset import STRANDS, Dataset, Strands
from .photos import Photo
from .raster import Parameters, Pose, Renderer
from .rig import Rig

KINDS = (*PARTS, "inside", *(f"strands.{name}" for name in STRANDS))
"""What a Gaussian lies on: a part of the mesh, the skin inside the mouth, or a strand."""
INSIDE = KINDS.index("inside")
EYES = tuple(KINDS.index(name) for name in ("eye.L", "eye.R"))
MOUTH = tuple(KINDS.index(name) for name in ("teeth.upper", "teeth.lower", "gums", "tongue", "inside"))
STRAND_KINDS = tuple(KINDS.index(f"strands.{name}") for name in STRANDS)
SHARES = {"eyes": 0.06, "mouth": 0.12}
"""Eyes and mouth are fitted apart: their share of all Gaussians, where the mesh has them."""
STRAND_SHARE = {"hair": 0.25, "brows": 0.045, "lashes": 0.012}
STRAND_WIDTH = {"hair": 0.00042, "brows": 0.00017, "lashes": 0.00014}
COVER = 0.75
"""Standard deviation of a Gaussian on a surface, in spacings; thickness is a fifth of it."""
STRAINED = 3.0
"""How many times more Gaussians skin gets that poses stretch by 2.5 and more."""
_UNSEEN = 0.1
"""Least density of Gaussians, of the mean: what no picture shows is bared by a turn of the head."""
_PILOTS = 16000
_PILOT_VIEWS = 48
_EVENNESS = 0.62
"""Exponent of what the pictures show: 0 spreads evenly over the surface, 1 evenly over the pictures."""
_MOUTH_UNITS = ("jawOpen", "mouthFunnel", "mouthUpperUp", "mouthLowerDown", "tongueOut")


@dataclass
class Gaussians:
    """N Gaussians in their triangles' neutral frames, as the head file stores them, and what each lies on.

    triangle [N] i32; position, rotation (wxyz), log_scale, opacity_logit, sh as in `Parameters`; kind [N] u8: `KINDS`.
    """

    triangle: np.ndarray
    kind: np.ndarray
    parameters: Parameters

    def __len__(self) -> int:
        return len(self.triangle)


@dataclass
class _Surface:
    """Gaussians to be on a surface: triangle [n], point [n,3]; how many each triangle gets on average [T]."""

    triangle: np.ndarray
    points: np.ndarray
    number: np.ndarray


def seed(
    dataset: Dataset, rig: Rig, photos: Sequence[Photo], count: int, sh_count: int, rng: np.random.Generator
) -> Gaussians:
    """`count` Gaussians (nearly), grey, for a dataset; `photos` are those that are fitted."""
    strands = [_strands(rig, name, dataset.strands[name], count, rng) for name in STRANDS if name in dataset.strands]
    left = count - sum(len(entry[0]) for entry in strands)
    area, stretched, strain = _largest(rig, photos)
    seen, inside = _importance(dataset, rig, photos, area, rng)
    # Each follows its own triangle's stretch: where neighbours stretch differently, there must be one for nearly each.
    seen = seen * (1 + STRAINED * np.clip((strain - 0.2) / 0.7, 0, 1))
    kind = np.array([KINDS.index(name) for name in rig.head.parts], np.uint8)[rig.part]
    kind[inside] = INSIDE
    groups = [(np.isin(kind, EYES), SHARES["eyes"]), (np.isin(kind, MOUTH), SHARES["mouth"])]
    groups = [(own & rig.usable, share) for own, share in groups if (own & rig.usable).any()]
    rest = rig.usable & ~np.any([own for own, _ in groups] or [np.zeros(len(kind), bool)], axis=0)
    numbers = [round(count * share) for _, share in groups]
    pieces = []
    for own, number in [*zip([own for own, _ in groups], numbers, strict=True), (rest, left - sum(numbers))]:
        if number > 0 and own.any():
            pieces.append(
                _on_surface(rig, _spread(rig, np.flatnonzero(own), area * seen, number, rng), area, stretched, kind)
            )
    return _join(pieces + strands, sh_count)


def _join(pieces: list[tuple[np.ndarray, ...]], sh_count: int) -> Gaussians:
    triangle, kind, position, rotation, scale = (np.concatenate(column) for column in zip(*pieces, strict=True))
    opacity = np.where(np.isin(kind, STRAND_KINDS), 1.0, 2.2)
    parameters = Parameters(
        position.astype(np.float32), rotation.astype(np.float32), np.log(scale).astype(np.float32),
        opacity.astype(np.float32), np.zeros((len(triangle), sh_count, 3), np.float32),
    )  # fmt: skip
    return Gaussians(triangle.astype(np.int32), kind.astype(np.uint8), parameters)


def _importance(
    dataset: Dataset, rig: Rig, photos: Sequence[Photo], area: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(how much each triangle matters per `area` [T], which skin triangles are the mouth's inside [T] bool).

    A few thousand grey Gaussians, evenly spread, are rendered as the pictures' cameras see them: what each contributes
    is how much of it the pictures show.
    """
    weight = 1 + 4.0 * rig.part_is("eye.L", "eye.R") + 3.0 * rig.part_is("teeth.upper", "teeth.lower")
    pilots = _spread(rig, np.flatnonzero(rig.usable), area * weight, _PILOTS, rng)
    kind = np.zeros(len(rig.triangles), np.uint8)
    parameters = _join([_on_surface(rig, pilots, area, None, kind)], 1).parameters
    renderer = Renderer(len(pilots.triangle), 1)
    shown = np.zeros(len(pilots.triangle))
    seen_open, seen_shut = np.zeros_like(shown), np.zeros_like(shown)
    poses: dict[str, Pose] = {}
    for index in rng.permutation(len(photos))[:_PILOT_VIEWS]:
        photo = photos[index]
        photo = photo.smaller(max(1, photo.camera.width // 256))
        if photo.view.pose not in poses:
            poses[photo.view.pose] = rig.carried(rig.pose(photo.units), pilots.triangle)
        _, _, trace = renderer.forward(parameters, poses[photo.view.pose], photo.camera, np.zeros(3))
        colour, alpha = photo.layers()
        detail = _detail(colour)
        found = renderer.to_screen(trace, np.stack([alpha, alpha * detail, alpha], axis=2))[:, 6:9]
        shown += found[:, 0] + 2.0 * found[:, 1]
        is_open = max(_value(photo, name) for name in _MOUTH_UNITS) > 0.25
        (seen_open if is_open else seen_shut)[:] += found[:, 0]
    density = shown * pilots.number[pilots.triangle] / area[pilots.triangle]
    place = rig.vertices[rig.triangles].mean(axis=1)
    own = np.zeros(len(rig.triangles))
    inner = np.zeros(len(rig.triangles))
    only_open = (seen_shut < 0.3) & (seen_open > 1.0)
    for part in np.unique(rig.part):
        there, here = np.flatnonzero(rig.part[pilots.triangle] == part), np.flatnonzero(rig.part == part)
        if len(there):
            near = cKDTree(pilots.points[there]).query(place[here], k=min(4, len(there)))[1].reshape(len(here), -1)
            own[here] = density[there][near].mean(axis=1)
            inner[here] = only_open[there][near].mean(axis=1)
    own = (own / max(np.median(own[own > 0]), 1e-12) if own.any() else own + 1) ** _EVENNESS
    for name, more in (("lips", 1.0), ("ears", 0.3)):
        if name in dataset.hints:
            own *= 1 + more * dataset.hints[name][rig.triangles].mean(axis=1)
    own *= np.where(rig.part_is("teeth.upper", "teeth.lower"), 3.0, np.where(rig.part_is("tongue"), 2.0, 1.0))
    skin = rig.part_is("skin")
    hint = dataset.hints.get("inner_mouth")
    inside = skin & (inner > 0.7 if hint is None else hint[rig.triangles].mean(axis=1) > 0.5)
    return np.maximum(own, _UNSEEN * own.mean()), inside


def _value(photo: Photo, name: str) -> float:
    return max(photo.units.get(f"{name}{side}", 0.0) for side in ("", "Left", "Right"))


def _detail(colour: np.ndarray) -> np.ndarray:
    """How much a picture changes from pixel to pixel, 0–1 [H,W]."""
    grey = colour.mean(axis=2)
    change = np.zeros_like(grey)
    change[1:-1, 1:-1] = np.hypot(grey[1:-1, 2:] - grey[1:-1, :-2], grey[2:, 1:-1] - grey[:-2, 1:-1])
    return np.minimum(8 * change, 1)


def _spread(rig: Rig, ids: np.ndarray, mass: np.ndarray, count: int, rng: np.random.Generator) -> _Surface:
    """`count` points on the triangles `ids`, as many on each as its `mass` [T] says, evenly spaced otherwise."""
    ids = ids[_morton(rig.vertices[rig.triangles[ids]].mean(axis=1))]
    number = np.zeros(len(rig.triangles))
    number[ids] = count * mass[ids] / mass[ids].sum()
    total = np.cumsum(number[ids])
    at = (np.arange(count) + rng.random(count)) * (total[-1] / count)
    pick = ids[np.searchsorted(total, at).clip(0, len(ids) - 1)]
    # Low-discrepancy points within the triangle (Roberts' R2 sequence), folded from the square.
    u = (0.5 + np.arange(count)[:, None] * np.array([0.7548776662466927, 0.5698402909980532])) % 1
    fold = u.sum(axis=1) > 1
    u[fold] = 1 - u[fold]
    corner = rig.vertices[rig.triangles[pick]]
    points = corner[:, 0] + u[:, :1] * (corner[:, 1] - corner[:, 0]) + u[:, 1:] * (corner[:, 2] - corner[:, 0])
    return _Surface(pick, points, number)


def _morton(points: np.ndarray) -> np.ndarray:
    """Order of points [N,3] along a Z-order curve."""
    span = max(np.ptp(points, axis=0).max(), 1e-9)
    cell = ((points - points.min(axis=0)) / span * 1023).astype(np.int64)
    code = np.zeros(len(points), dtype=np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cell[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")


def _largest(rig: Rig, photos: Sequence[Photo]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How the photographed poses stretch triangles.

    Returns:
        Each triangle's area [T] in the pose in which it is largest, FᵀF [T,2,2] of how it got there, and the largest
        logarithm of a stretch in any pose and direction [T].
    """
    largest, strain = np.maximum(rig.area, 1e-12), np.zeros(len(rig.triangles))
    best = np.tile(np.eye(2), (len(rig.triangles), 1, 1))
    usable = np.flatnonzero(rig.usable)
    for units in {photo.view.pose: photo.units for photo in photos}.values():
        posed = rig.pose(units)
        moved = np.linalg.norm(posed - rig.vertices, axis=1)[rig.triangles[usable]].max(axis=1) > 1e-5
        ids = usable[moved]
        plane = rig.carried(posed, ids).axes[:, :, :2].astype(np.float64)
        squared = plane.transpose(0, 2, 1) @ plane
        strain[ids] = np.maximum(strain[ids], 0.5 * np.log(np.linalg.eigvalsh(squared)).max(axis=1, initial=0))
        # What stretches beyond the format's limits is covered only so far.
        area = rig.area[ids] * np.sqrt(np.linalg.det(squared))
        grown = area > 1.2 * largest[ids]
        best[ids[grown]], largest[ids[grown]] = squared[grown], area[grown]
    return largest, best, strain


def _on_surface(
    rig: Rig, surface: _Surface, area: np.ndarray, stretched: np.ndarray | None, kind: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Triangle, kind, position, rotation and scale of flat Gaussians that cover a surface.

    They are round where their triangle is largest: laid out in neutral, folded lids would tear.
    """
    triangle = surface.triangle
    position, _ = rig.bind(triangle, surface.points)
    position[:, 2] = 0
    spacing = np.sqrt(area[triangle] / surface.number[triangle])
    turn = np.tile([1.0, 0, 0, 0], (len(triangle), 1))
    sigma = np.repeat(_limited(COVER * spacing, kind[triangle])[:, None], 2, axis=1)
    if stretched is not None:
        squared, axis = np.linalg.eigh(stretched[triangle])
        changed = np.flatnonzero(np.abs(squared - 1).max(axis=1) > 1e-6)
        # Pressed together in neutral, most along what stretches; that is the Gaussian's first axis.
        sigma[changed] /= np.sqrt(squared[changed, ::-1])
        angle = np.arctan2(axis[changed, 1, 1], axis[changed, 0, 1])
        turn[changed] = np.stack([np.cos(angle / 2), 0 * angle, 0 * angle, np.sin(angle / 2)], axis=1)
    scale = np.c_[sigma, 0.2 * sigma.min(axis=1)]
    return triangle, kind[triangle], position, turn, np.maximum(scale, 2e-5)


def _limited(sigma: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Standard deviations [N] without the largest of skin, eyes and mouth: they come through the lips from behind."""
    sigma = sigma.copy()
    for number in np.unique(kind):
        limit = {KINDS.index("skin"): 0.0025, **dict.fromkeys(EYES + MOUTH, 0.0012)}.get(number, np.inf)
        own = kind == number
        sigma[own] = np.minimum(sigma[own], max(limit, 1.6 * float(np.median(sigma[own]))))
    return sigma


def _strands(rig: Rig, name: str, strands: Strands, count: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Long thin Gaussians, two for each strand that is chosen."""
    usable = np.flatnonzero(rig.usable[strands.triangle])
    pick = usable[rng.permutation(len(usable))[: max(1, round(count * STRAND_SHARE[name] / 2))]]
    last = strands.points.shape[1] - 1
    cuts = [(0, max(1, last // 2)), (last // 2, last)] if last > 1 else [(0, 1)]
    centre, direction, scale = [], [], []
    width = np.full(len(pick), STRAND_WIDTH[name])
    for first, end in cuts:
        a, b = strands.points[pick, first], strands.points[pick, end]
        length = np.maximum(np.linalg.norm(b - a, axis=1), 1e-5)
        centre.append(strands.points[pick, first : end + 1].mean(axis=1))
        direction.append((b - a) / length[:, None])
        scale.append(np.stack([0.40 * length, width, width], axis=1))
    triangle = _under(rig, np.tile(strands.triangle[pick], len(cuts)), np.concatenate(centre))
    position, frame = rig.bind(triangle, np.concatenate(centre))
    turn = _turn_x_to(np.einsum("nji,nj->ni", frame, np.concatenate(direction)))
    kind = np.full(len(triangle), KINDS.index(f"strands.{name}"))
    return triangle, kind, position, turn, np.concatenate(scale)


def _under(rig: Rig, triangle: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Triangles [N] that carry strands' points [N,3]; on the hair's body, the one that is nearest to each.

    Far from its triangle, a Gaussian swings out where the hair's body bends.
    """
    triangle = triangle.copy()
    body = np.flatnonzero(rig.part_is("hair") & rig.usable)
    loose = rig.part_is("hair")[triangle]
    if loose.any():
        triangle[loose] = body[cKDTree(rig.vertices[rig.triangles[body]].mean(axis=1)).query(points[loose])[1]]
    return triangle


def _turn_x_to(direction: np.ndarray) -> np.ndarray:
    """Unit quaternions [N,4] that turn +x to unit vectors [N,3]."""
    quaternion = np.stack([1 + direction[:, 0], np.zeros(len(direction)), -direction[:, 2], direction[:, 1]], axis=1)
    quaternion[direction[:, 0] < -0.9999] = [0, 0, 0, 1]
    return quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
