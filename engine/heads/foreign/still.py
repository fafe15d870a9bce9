"""A still head's splats → a head that talks: a library head's mesh is fitted to the face, and its motion taken over.

1. Landmarks are found on the splats and, the same way, on the template head (`landmarks`).
2. A similarity brings the splats to the template's place and life size.
3. A thin-plate spline through the landmarks bends the template's mesh into the stranger's face; eyeballs and teeth move
   whole. The units' offsets turn and stretch with it.
4. Every splat is bound to the nearest triangle of the skin or an eyeball; at the lips, to the lip that it is part of.
5. What no camera saw of the stranger comes from the template: teeth, gums, tongue, the mouth's lining, the white of the
   eyes beyond the opening, and the folded part of the lids in the stranger's colour.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from ...contract.channels import CHANNELS
from ...contract.errors import MienError
from ...contract.landmarks import LEAST
from ...reporting import Tell, silent
from .. import format as head_format
from ..deform import Deformer
from . import landmarks
from .mouth import Rim, Surface, curtain, is_translucent, joined, lips
from .rig import UNKNOWN_LICENCE, Rig, areas, assemble, frames, from_head, nearest, part_index, point
from .splats import SH0, Splats, from_gaussians, moved

_LID, _EDGE, _EDGE_SLOT = 0.1, 0.85, 0.003
"""Shares of a blink's largest motion that make a lid, and, within so many metres along the eye, its edge."""
_LASH_DARKER, _LASH_LONGER, _LASH_HIGHER = 0.88, 2.5, 0.0008
"""Of a lash: its brightness beside the lid's, its length beside its width, its metres off the lid."""
_INNER_LIP, _HIDDEN, _FEW = 0.85, 0.0008, 24
"""Brightness of the lips' inner side beside what is seen of them; metres behind that from which it is inner; and how
many splats nearby say its colour."""
_MOST_SPLATS = head_format.MAX_GAUSSIANS - 200_000
"""Leaves room for the mouth."""
KEEP = 0.45
"""Metres around the head's middle: splats farther away are left out."""
_SMOOTHING = 3e-7
"""Square metres: how far the spline may pass from a landmark, which is a little unsure itself."""
_BESIDE_EYE = 0.003
"""Metres from an eyeball within which a splat may belong to it."""
_CONTACT = 0.0025
"""Metres between lips that touch."""
_AT_LIPS = 0.012
_LIPS_REACH = 0.014
_UNDER_SKIN, _AT_SEAM, _UNDER_LIPS = 0.006, 0.008, 0.002
_MOUTH_SIZE = np.array([0.030, 0.022, 0.018])
"""Metres: a splat so far behind what is seen (less near the lips' seam), and within an ellipsoid of these radii, is of
the mouth's inside. Deep ones elsewhere stay, for they shine through."""
_TEETH_UNDER, _LINING_UNDER, _MAY_SHOW = 0.003, 0.002, 0.02
"""Metres that teeth, and the rest of the mouth, lie behind what is seen; and the share of the teeth that need not."""
_INSIDE_EYE = 0.965
"""The template's eyeball splats lie at this share of the ball's radius, below those of the stranger."""
_AGREES = 0.25
"""Eye distances between the landmarks found and the template placed by hand: farther off, they mean something else."""
_MOST_MISS = 0.015
"""Metres: faces differ less from each other, at the same size."""
_MOUTH = ("teeth.upper", "teeth.lower", "gums", "tongue")


def rig_still(
    splats: Splats,
    template: head_format.Head,
    name: str,
    source: str,
    given: Mapping[int, np.ndarray] | None = None,
    save_landmarks: str | None = None,
    tell: Tell = silent,
) -> head_format.Head:
    """A head from a still splat and a library head as its template.

    Args:
        source: The splat's file; its name goes into `head.json`.
        given: Landmarks {index: point in the splats' space} that correct those found, or, six and more well spread
            ones, place the template where none are found.
        save_landmarks: A file to which the landmarks that were used are written.
        tell: Called with what is done and how far it is.

    Raises:
        MienError: No face is found, MediaPipe is missing, or the template has no mouth.
    """
    eyes = template.eyes
    if eyes is None:
        raise MienError(f"The template head {template.name!r} has no eyes; choose a library head as the template.")
    own = from_gaussians(Deformer(template)(np.zeros(len(CHANNELS))))
    middle = np.mean([eyes["left"].centre, eyes["right"].centre], axis=0)
    tell(0.05, "Looking for the face")
    with landmarks.detector() as detect:
        there = landmarks.measure_head(own, middle, detect)
        here = _stranger(splats, source, given or {}, there, detect)
    if save_landmarks:
        landmarks.save(here, save_landmarks, os.path.abspath(source))
    rotation, scale, shift, miss = landmarks.similarity(here, there)
    if miss > _MOST_MISS:
        raise MienError(
            f"{source}: what was found is no face ({miss * 1000:.0f} mm off); crop the splat to one head, or give its "
            "landmarks with --landmarks."
        )
    splats = moved(splats, rotation, scale, shift)
    here = scale * here @ rotation.T + shift
    near = np.linalg.norm(splats.position - middle - [0, 0.07, -0.05], axis=1) < KEEP
    if near.sum() < 100:
        raise MienError(f"{source}: hardly any splats lie around the face that was found; crop it to one head.")
    if near.sum() > _MOST_SPLATS:
        raise MienError(
            f"{source}: {near.sum():,} splats lie around the face and a head holds at most {_MOST_SPLATS:,}; thin the "
            "splat out in its own program."
        )
    tell(0.5, "Bending the mesh into the face")
    rig, lining, contact, rim = _fitted(template, there, here)
    tell(0.65, "Binding the splats")
    cloud = splats[near]
    seam = (rig.vertices[rim[0]] + rig.vertices[rim[1]]) / 2
    translucent = is_translucent(cloud, seam)
    # Translucent lips are thick layers, whose inner splats go with the mouth's lining.
    triangle = _bound(rig, cloud, lining & (not translucent), rim)
    if not translucent:
        surface = Surface(cloud, seam.mean(axis=0))
        # What the stranger's own closed mouth holds makes way for the template's.
        middle = np.array([seam[:, 0].mean(), seam[:, 1].min() + 0.027, seam[:, 2].mean()])
        inside = (((cloud.position - middle) / _MOUTH_SIZE) ** 2).sum(axis=1) < 1
        under = surface.depth(cloud.position[inside])
        # What no picture showed between the lips has any colour.
        at_seam = KDTree(seam).query(cloud.position[inside])[0] < _AT_SEAM
        inside[inside] = under > np.where(at_seam, _UNDER_LIPS, _UNDER_SKIN)
        cloud, triangle = cloud[~inside], triangle[~inside]
        cloud = _inner_lips(cloud, seam, surface)
        _tucked_in(rig, surface)
    extra, behind = _unseen(template, own, rig, lining, contact, cloud, triangle, not translucent)
    if not translucent:
        part = rig.part[behind]
        mouth = np.isin(part, [part_index(name) for name in _MOUTH]) | (lining | contact)[behind]
        mouth[mouth] = surface.depth(extra.position[mouth]) < _LINING_UNDER
        extra, behind = extra[~mouth], behind[~mouth]
    if translucent:
        rig, hung, between = curtain(rig, np.array([0, 0.002, 0]), cloud.sh_degree, rim)
        extra, behind = joined(extra, hung), np.concatenate([behind, between])
    info = {
        "name": name,
        "author": "unknown",
        "licence": UNKNOWN_LICENCE,
        "source": f"{os.path.basename(source)}, rigged with the head {template.name}",
        "figures": {"landmark_miss_mm": round(miss * 1000, 2), "splats_left_out": int((~near).sum())},
    }
    return assemble(rig, joined(cloud, extra), np.concatenate([triangle, behind]), info)


def _stranger(
    splats: Splats, source: str, given: Mapping[int, np.ndarray], there: np.ndarray, detect: landmarks.Detect
) -> np.ndarray:
    """Landmarks [478, 3] of the stranger: found, or else the template's (`there`), then corrected by what is given."""
    if len(given) == landmarks.COUNT:
        return np.array([given[index] for index in range(landmarks.COUNT)])
    ids = np.array(sorted(given), dtype=np.int64)
    if len(given) >= LEAST:
        # Points by hand say where the face is more surely than a search.
        rotation, scale, shift, _ = landmarks.similarity(there[ids], np.array([given[index] for index in ids]))
        found = scale * there @ rotation.T + shift
        nearby = landmarks.find_near(splats, found, detect)
        size = scale * landmarks.EYE_DISTANCE
        if nearby is not None and np.linalg.norm(nearby - found, axis=1).mean() < _AGREES * size:
            found = nearby
    else:
        found = landmarks.find(splats, source, detect, there)
    if given:
        # A corrected point takes its surroundings along, as far as the correction says something about them.
        change = np.array([given[index] for index in ids]) - found[ids]
        apart = np.linalg.norm(found[:, None] - found[ids][None], axis=2)
        size = np.linalg.norm(found[landmarks.LEFT_IRIS] - found[landmarks.RIGHT_IRIS])
        weight = np.exp(-((apart / (0.25 * size)) ** 2))
        found = found + (weight @ change) / np.maximum(weight.sum(axis=1, keepdims=True), 1.0)
        found[ids] = [given[index] for index in ids]
    return found


# The template, fitted -------------------------------------------------------------------------------------------------


def fitted(template: head_format.Head, there: np.ndarray, here: np.ndarray) -> Rig:
    """The template's rig bent so that its landmarks `there` come to `here`."""
    return _fitted(template, there, here)[0]


def _fitted(template: head_format.Head, there: np.ndarray, here: np.ndarray) -> tuple[Rig, np.ndarray, np.ndarray, Rim]:
    """The template's rig bent so that its landmarks `there` come to `here`; and which triangles line the mouth [T]
    and which lie between the closed lips [T]; and the lips' rim.
    """
    rig = _bare(from_head(template))
    rim = lips(rig)
    lining, contact = _lining(rig)
    soft = ~np.isin(np.arange(len(there)), range(468, 478))
    skin = np.unique(rig.triangles[rig.part == part_index("skin")])
    # Far from the face nothing is known of the stranger: points there hold the spline still.
    far = skin[np.linalg.norm(rig.vertices[skin, None] - there[soft][None, ::12], axis=2).min(axis=1) > 0.06][::150]
    places = np.concatenate([there[soft], rig.vertices[far]])
    change = np.concatenate([here[soft] - there[soft], np.zeros((len(far), 3))])
    bend = RBFInterpolator(places, change, smoothing=_SMOOTHING, kernel="thin_plate_spline")
    vertices, part = rig.vertices, np.full(len(rig.vertices), part_index("skin"))
    for corner in rig.triangles.T:
        part[corner] = rig.part
    whole = part != part_index("skin")
    fitted = vertices.copy()
    fitted[~whole] += bend(vertices[~whole])
    eyes, template_eyes = {}, template.eyes or {}
    for side, letter, iris in (("left", "L", landmarks.LEFT_IRIS), ("right", "R", landmarks.RIGHT_IRIS)):
        ball = part == part_index(f"eye.{letter}")
        shift = here[iris] - there[iris]
        fitted[ball] += shift
        eye = template_eyes[side]
        eyes[side] = head_format.Eye(point(np.array(eye.centre) + shift), eye.yaw, eye.pitch)
    teeth = np.isin(part, [part_index(name) for name in _MOUTH])
    if teeth.any():
        rotation, scale, shift, _ = landmarks.similarity(vertices[teeth], vertices[teeth] + bend(vertices[teeth]))
        fitted[teeth] = scale * vertices[teeth] @ rotation.T + shift
    units = _turned(rig.units, vertices, bend, ~whole)
    bends = _turned(rig.bends, vertices, bend, ~whole)
    pivot = rig.pivot + bend(rig.pivot[None])[0]
    bent = Rig(fitted, rig.triangles, rig.part, rig.zone, rig.head_weight, units, bends, eyes, pivot)
    return bent, lining, contact, rim


def _turned(offsets: dict, vertices: np.ndarray, bend: RBFInterpolator, chosen: np.ndarray) -> dict:
    """Offsets under the spline's local stretch and turn (its Jacobian, by differences), where `chosen`."""
    moving = np.zeros(len(vertices), dtype=bool)
    for delta in offsets.values():
        moving |= np.any(delta != 0, axis=1)
    ids = np.flatnonzero(moving & chosen)
    step, base = 1e-4, bend(vertices[ids])
    jacobian = np.eye(3) + np.stack([(bend(vertices[ids] + step * axis) - base) / step for axis in np.eye(3)], axis=2)
    result = {}
    for name, delta in offsets.items():
        result[name] = delta.copy()
        result[name][ids] = np.einsum("nij,nj->ni", jacobian, delta[ids])
    return result


def _bare(rig: Rig) -> Rig:
    """The rig without hair, clothes, brows and lashes: the stranger has their own."""
    keep = np.isin(rig.part, [part_index(name) for name in ("skin", "eye.L", "eye.R", *_MOUTH)])
    used = np.unique(rig.triangles[keep])
    number = np.full(len(rig.vertices), -1)
    number[used] = np.arange(len(used))
    return Rig(
        rig.vertices[used],
        number[rig.triangles[keep]],
        rig.part[keep],
        rig.zone[used],
        rig.head_weight[used],
        {name: delta[used] for name, delta in rig.units.items()},
        {names: delta[used] for names, delta in rig.bends.items()},
        rig.eyes,
        rig.pivot,
    )


def _lining(rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """Which triangles [T] are the mouth's inside, and which lie between the closed lips [T].

    The inside is the skin that falls off when it is cut along the lips' contact.
    """
    skin = rig.part == part_index("skin")
    upper, lower = lips(rig, _CONTACT)
    seam = (rig.vertices[upper] + rig.vertices[lower]) / 2
    touching = np.zeros(len(rig.vertices), dtype=bool)
    touching[upper] = touching[lower] = True
    corners = seam[[seam[:, 0].argmin(), seam[:, 0].argmax()]]
    from_corner = np.linalg.norm(rig.vertices[:, None] - corners, axis=2).min(axis=1)
    inside = np.zeros(len(rig.vertices), dtype=bool)
    # At the corners the lips never part, so the cut has to go round them, as narrowly as it can.
    for radius in (0.004, 0.006, 0.008, 0.011, 0.014):
        inside = _cut_off(rig, skin, touching | (from_corner < radius), seam.mean(axis=0))
        if inside.any():
            break
    # The foremost of the contact is the lips' visible rim, which the stranger has.
    hidden = touching & (rig.vertices[:, 1] > rig.vertices[upper, 1].min() + 0.003)
    lining = skin & inside[rig.triangles].any(axis=1)
    return lining, skin & hidden[rig.triangles].any(axis=1) & ~lining


def _cut_off(rig: Rig, skin: np.ndarray, cut: np.ndarray, mouth: np.ndarray) -> np.ndarray:
    """Vertices [V] in pieces of skin behind the mouth that hang together with the rest only across the `cut` ones."""
    rest = rig.triangles[skin & ~cut[rig.triangles].any(axis=1)]
    count = len(rig.vertices)
    edges = (rest.ravel(), np.roll(rest, -1, axis=1).ravel())
    _, label = connected_components(coo_matrix((np.ones(rest.size), edges), (count, count)), directed=False)
    sizes = np.bincount(label)
    inside = np.zeros(count, dtype=bool)
    for index in np.flatnonzero((sizes > 100) & (sizes < 0.3 * sizes.max())):
        piece = label == index
        towards = rig.vertices[piece].mean(axis=0) - mouth
        inside |= piece & bool(np.linalg.norm(towards) < 0.07 and towards[1] > 0.005)
    return inside


# The splats, bound ----------------------------------------------------------------------------------------------------


def _bound(rig: Rig, cloud: Splats, closed: np.ndarray, rim: Rim) -> np.ndarray:
    """The triangle [N] of every splat; none goes to the `closed` triangles [T]."""
    points = cloud.position.astype(np.float64)
    skin = (rig.part == part_index("skin")) & ~closed
    triangle, distance = nearest(points, rig.vertices, rig.triangles, skin)
    for side, eye in (rig.eyes or {}).items():
        ball = rig.part == part_index(f"eye.{side[0].upper()}")
        centre = np.array(eye.centre)
        radius = np.linalg.norm(rig.vertices[rig.triangles[ball]].reshape(-1, 3) - centre, axis=1).max()
        close = np.flatnonzero(np.linalg.norm(points - centre, axis=1) < radius + _BESIDE_EYE)
        if len(close):
            on, away = nearest(points[close], rig.vertices, rig.triangles, ball)
            nearer = away < distance[close]
            triangle[close[nearer]] = on[nearer]
    _gather_lashes(rig, cloud, skin, triangle)
    return _split_lips(rig, points, skin, triangle, rim)


def _gather_lashes(rig: Rig, cloud: Splats, skin: np.ndarray, triangle: np.ndarray) -> None:
    """Upper lashes go with the lid's edge that they grow from, not with the folded lid that they cross; in place.

    A lash is what near a moving lid is darker than it and long, or stands off.
    """
    points = cloud.position.astype(np.float64)
    bright = cloud.sh[:, 0].astype(np.float64).mean(axis=1) * SH0 + 0.5
    scale = np.sort(np.exp(cloud.log_scale.astype(np.float64)), axis=1)
    centre, axes = frames(rig.vertices, rig.triangles)
    for side, eye in (rig.eyes or {}).items():
        blink = rig.units.get(f"eyeBlink{side.title()}")
        if blink is None:
            continue
        strength = np.linalg.norm(blink, axis=1)[rig.triangles].mean(axis=1)
        lid = skin & (strength > _LID * strength.max())
        near = lid[triangle] & (points[:, 2] > eye.centre[2] - _BESIDE_EYE)
        if not near.any():
            continue
        height = ((points - centre[triangle]) * axes[triangle, :, 2]).sum(axis=1)
        dark = bright < _LASH_DARKER * np.median(bright[near & (cloud.opacity_logit > 0)])
        lash = near & dark & ((scale[:, 2] > _LASH_LONGER * scale[:, 1]) | (height > _LASH_HIGHER))
        # The edge: along the eye, what moves most.
        slot = np.round((centre[:, 0] - eye.centre[0]) / _EDGE_SLOT).astype(int)
        slot -= slot.min()
        most = np.zeros(slot.max() + 1)
        np.maximum.at(most, slot[lid], strength[lid])
        edge = lid & (strength > _EDGE * most[slot])
        if lash.any() and edge.any():
            triangle[lash] = nearest(points[lash], rig.vertices, rig.triangles, edge)[0]


def _split_lips(rig: Rig, points: np.ndarray, skin: np.ndarray, triangle: np.ndarray, rim: Rim) -> np.ndarray:
    """Splats at the lips go to the lip on their side of the seam, whichever is nearer."""
    upper, lower = rim
    seam = (rig.vertices[upper] + rig.vertices[lower]) / 2
    order = np.argsort(seam[:, 0])
    height = np.interp(points[:, 0], seam[order, 0], seam[order, 2])
    inside = (points[:, 0] > seam[:, 0].min()) & (points[:, 0] < seam[:, 0].max())
    at = inside & (np.abs(points[:, 2] - height) < _AT_LIPS) & (points[:, 1] < seam[:, 1].max() + 0.01)
    move = np.linalg.norm(rig.units["jawOpen"], axis=1)[rig.triangles].mean(axis=1)
    low = move > 0.5 * np.linalg.norm(rig.units["jawOpen"][lower], axis=1).mean()
    triangle = triangle.copy()
    for half, allowed in ((points[:, 2] >= height, skin & ~low), (points[:, 2] < height, skin & low)):
        ids = np.flatnonzero(at & half)
        if len(ids):
            triangle[ids] = nearest(points[ids], rig.vertices, rig.triangles, allowed)[0]
    return triangle


def _inner_lips(cloud: Splats, seam: np.ndarray, surface: Surface) -> Splats:
    """The cloud, what lies hidden in its lips in the colour of what is seen of them: no picture said which it has."""
    at = np.flatnonzero(KDTree(seam).query(cloud.position)[0] < _AT_SEAM)
    hidden = surface.depth(cloud.position[at].astype(np.float64)) > _HIDDEN
    shown, behind = at[~hidden & (cloud.opacity_logit[at] > 0)], at[hidden]
    if not len(behind) or len(shown) < _FEW:
        return cloud
    _, near = KDTree(cloud.position[shown]).query(cloud.position[behind], k=_FEW)
    sh = cloud.sh.copy()
    sh[behind] = 0
    sh[behind, 0] = _INNER_LIP * (np.median(cloud.sh[shown[near], 0], axis=1) + 0.5 / SH0) - 0.5 / SH0
    return Splats(cloud.position, cloud.rotation, cloud.log_scale, cloud.opacity_logit, sh)


def _tucked_in(rig: Rig, surface: Surface) -> None:
    """Move teeth, gums and tongue back until the closed lips hide the teeth; in place."""
    part = np.full(len(rig.vertices), -1)
    for corner in rig.triangles.T:
        part[corner] = rig.part
    teeth = np.isin(part, [part_index(name) for name in _MOUTH[:2]])
    if not teeth.any():
        return
    steps = np.arange(0.0, 0.0141, 0.002)
    shown = [(surface.depth(rig.vertices[teeth] + [0, step, 0]) < _TEETH_UNDER).mean() for step in steps]
    enough = np.flatnonzero(np.array(shown) < _MAY_SHOW)
    step = steps[enough[0]] if len(enough) else steps[int(np.argmin(shown))]
    rig.vertices[np.isin(part, [part_index(name) for name in _MOUTH]), 1] += step


# What nobody saw ------------------------------------------------------------------------------------------------------


def _unseen(
    template: head_format.Head,
    own: Splats,
    rig: Rig,
    lining: np.ndarray,
    contact: np.ndarray,
    cloud: Splats,
    triangle: np.ndarray,
    opaque: bool,
) -> tuple[Splats, np.ndarray]:
    """The template's splats for mouth, eyeballs, folded lids and inner lips; and their triangles.

    Args:
        opaque: Whether the stranger's skin hides what lies behind; if not, only the lids are taken.
    """
    keep = np.isin(np.array([part_index(name) for name in template.parts])[template["mesh.part"]], np.unique(rig.part))
    number = np.where(keep, np.cumsum(keep) - 1, -1)
    bound = number[template["gaussians.triangle"]]
    there = from_head(template)
    mouth = np.isin(rig.part, [part_index(name) for name in _MOUTH]) | lining
    balls = np.isin(rig.part, [part_index(name) for name in ("eye.L", "eye.R")])
    folded, colour = _folded(rig, cloud, triangle, contact & opaque)
    wanted = mouth | balls | folded if opaque else folded
    chosen = np.flatnonzero((bound >= 0) & wanted[bound])
    bound = bound[chosen]
    sh = np.zeros((len(chosen), *cloud.sh.shape[1:]), np.float32)
    kept = min(sh.shape[1], own.sh.shape[1])
    sh[:, :kept] = own.sh[chosen, :kept]
    sh[folded[bound]] = 0
    sh[folded[bound], 0] = colour[bound[folded[bound]]]
    # From the template's triangles to the same triangles of the fitted rig.
    old = there.vertices[template["mesh.triangles"][template["gaussians.triangle"][chosen]]]
    new = rig.vertices[rig.triangles[bound]]
    position = own.position[chosen] + new.mean(axis=1) - old.mean(axis=1)
    inside = np.ones(len(chosen), dtype=bool)
    for side, eye in (rig.eyes or {}).items():
        own_part = part_index(f"eye.{side[0].upper()}")
        ball, centre = rig.part[bound] == own_part, np.array(eye.centre)
        radius = np.linalg.norm(rig.vertices[rig.triangles[rig.part == own_part]] - centre, axis=2).max()
        position[ball] = centre + _INSIDE_EYE * (position[ball] - centre)
        # A fit may have left some of an eye's splats far off its ball.
        inside[ball] = np.linalg.norm(position[ball] - centre, axis=1) < radius
    extra = Splats(
        position.astype(np.float32), own.rotation[chosen], own.log_scale[chosen], own.opacity_logit[chosen], sh
    )
    return extra[inside], bound[inside]


def _folded(rig: Rig, cloud: Splats, triangle: np.ndarray, contact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(which triangles [T] no camera sees in neutral: the lids' that unfold in a blink and those between the lips, a
    colour coefficient [3] for each: the stranger's around it).
    """
    folded = np.zeros(len(rig.triangles), dtype=bool)
    colour = np.zeros((len(rig.triangles), 3), np.float32)
    skin = rig.part == part_index("skin")
    for side in ("Left", "Right"):
        blink = rig.units.get(f"eyeBlink{side}")
        if blink is None:
            continue
        grown = areas(rig.vertices + blink, rig.triangles) / np.maximum(areas(rig.vertices, rig.triangles), 1e-12)
        strength = np.linalg.norm(blink, axis=1)[rig.triangles].mean(axis=1)
        own = skin & (strength > 0.25 * strength.max()) & (grown > 1.6)
        around = skin & (strength > 0.03 * strength.max()) & ~own
        seen = np.flatnonzero(around[triangle] & (cloud.opacity_logit > 0))
        if own.any() and len(seen):
            folded |= own
            colour[own] = np.median(cloud.sh[seen, 0], axis=0)
    if contact.any():
        between = rig.vertices[rig.triangles[contact]].mean(axis=1)
        beside = np.linalg.norm(cloud.position - between.mean(axis=0), axis=1) < _LIPS_REACH + np.ptp(between[:, 0]) / 2
        seen = np.flatnonzero(beside & ~contact[triangle] & (cloud.opacity_logit > 0))
        if len(seen):
            folded |= contact
            # Lips are redder than the skin around them: each place takes the colour of what is seen nearest to it.
            _, near = KDTree(cloud.position[seen]).query(between, k=min(_FEW, len(seen)))
            shown = np.median(cloud.sh[seen[near.reshape(len(between), -1)], 0], axis=1)
            colour[contact] = _INNER_LIP * (shown + 0.5 / SH0) - 0.5 / SH0
    return folded, colour
