"""What is photographed: poses that move every unit found, and views around each. No bpy.

Views are given as a photographer would: azimuth and elevation in degrees (azimuth 0 in front, positive to the head's
own left), a target, a distance and an angle of view; `camera` makes them the dataset's matrices.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ...engine.contract.channels import CHANNELS, MASK_ZONES, UNITS, ZONES

DISTANCE = 0.95
_FACE_ANGLE, _WHOLE_ANGLE, _BUST_ANGLE = 13.5, 18.0, 38.0

#: Expressions that faces make, a name without its side moving both. The most telling come first.
POSES: dict[str, dict[str, float]] = {
    "neutral": {},
    "blink": {"eyeBlink": 1.0},
    "jaw": {"jawOpen": 0.6},
    "grin": {"mouthSmile": 1.0, "cheekSquint": 0.5, "eyeSquint": 0.3},
    "pucker": {"mouthPucker": 1.0},
    "surprise": {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 1.0, "jawOpen": 0.35},
    "teeth": {"mouthUpperUp": 1.0, "mouthLowerDown": 1.0, "mouthStretch": 0.4, "jawOpen": 0.06},
    "anger": {"browDown": 1.0, "eyeSquint": 0.5, "noseSneer": 0.4, "mouthPress": 0.6, "mouthFrown": 0.2},
    "wide": {"jawOpen": 1.0, "mouthLowerDown": 0.3, "mouthUpperUp": 0.5},
    "sad": {"browInnerUp": 1.0, "mouthFrown": 0.9, "mouthShrugLower": 0.5, "eyeBlink": 0.2},
    "smile": {"mouthSmile": 0.6, "cheekSquint": 0.4, "eyeSquint": 0.1},
    "funnel": {"mouthFunnel": 1.0, "jawOpen": 0.2},
    "left": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "right": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    "up": {"eyeLookUp": 1.0},
    "down": {"eyeLookDown": 1.0},
    "rolls": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    "tongue": {"jawOpen": 0.5, "tongueOut": 1.0},
    "disgust": {"noseSneer": 1.0, "mouthUpperUp": 0.6, "browDown": 0.4, "eyeSquint": 0.4},
    "fear": {"mouthStretch": 1.0, "browInnerUp": 0.9, "browOuterUp": 0.4, "eyeWide": 0.8, "jawOpen": 0.15},
    "squint": {"eyeSquint": 1.0, "cheekSquint": 1.0},
    "puff": {"cheekPuff": 1.0, "mouthPress": 0.3},
    "laugh": {"mouthSmile": 0.9, "jawOpen": 0.5, "cheekSquint": 0.8, "eyeSquint": 0.4},
    "press": {"mouthPress": 1.0, "mouthDimple": 1.0},
    "shrug": {"mouthShrugLower": 1.0, "mouthShrugUpper": 1.0},
    "close": {"jawOpen": 0.5, "mouthClose": 0.5},
    "half": {"eyeBlink": 0.5},
    "mouth left": {"mouthLeft": 1.0, "jawLeft": 1.0},
    "mouth right": {"mouthRight": 1.0, "jawRight": 1.0},
    "thrust": {"jawForward": 1.0},
    "frown": {"mouthFrown": 1.0, "browDown": 0.7},
}

#: Poses that may be one picture with another: they leave the rest of the face alone.
_MERGEABLE = ("left", "right", "up", "down", "half")
#: Units that are seen where the jaw is open only.
_OPEN = ("tongueOut", "mouthClose")

#: Directions to the face, the most telling first; the last that is taken is held out where there are enough.
_FACE = ((0, 0), (-22, 6), (25, -6), (-46, 2), (50, 4), (3, 20), (-10, -14), (72, 2), (-70, 0))
_HELD_OUT = (14, 3)
_AROUND = (
    (0, 0), (-30, 4), (30, -4), (-62, 2), (62, 6), (-95, 0), (95, 4), (180, 4), (-130, 6), (130, 0), (0, 38), (0, -24),
    (-158, 12), (-70, 40), (110, 42), (20, 62), (180, 45), (45, -20), (-120, -14), (150, 22),
)  # fmt: skip
_NEUTRAL_FACE = (
    (0, 0), (-16, 8), (20, -10), (-38, 0), (42, 8), (4, 22), (-62, -6), (66, 2), (-88, 4), (88, 0),
)  # fmt: skip
_BUST = ((0, 4), (-55, 0), (60, 14), (180, 20), (120, 10), (-120, 16), (-20, 35), (25, -14))
_NEUTRAL_HELD_OUT = (
    ("face", 12, 3),
    ("whole", -48, 8),
    ("whole", 15, 10),
    ("whole", 165, 8),
    ("face", -27, -3),
    ("whole", 80, -4),
)

#: quality → (pictures around, of the face, of the bust, held out; of a pose that shows much; of another; poses)
QUALITIES: dict[str, tuple[int, int, int, int, int, int, int]] = {
    "DRAFT": (8, 4, 2, 3, 2, 1, 12),
    "GOOD": (16, 8, 5, 4, 6, 3, 22),
    "BEST": (20, 10, 8, 6, 9, 4, 99),
}
#: Poses that show skin or teeth which no other does.
_TELLING = ("blink", "jaw", "grin", "pucker", "surprise", "teeth", "anger", "wide", "sad", "disgust")


@dataclass(frozen=True)
class Frame:
    """What the views aim at, in Mien's space: middle of the eyes [3], radii of head and face (metres), has a bust."""

    eye: tuple[float, float, float]
    head_radius: float
    face_radius: float
    bust: bool

    def aim(self, kind: str) -> tuple[tuple[float, float, float], float]:
        """(target, angle of view in degrees) of a "whole", "face" or "bust" picture."""
        x, y, z = self.eye
        if kind == "face":
            return (x, y + 0.02, z - 0.03), max(_FACE_ANGLE, _angle(self.face_radius))
        whole = max(_WHOLE_ANGLE, _angle(self.head_radius))
        if kind == "bust":
            return (x, y + 0.085, z - 0.12), max(_BUST_ANGLE, whole)
        return (x, y + 0.085, z - 0.035), whole


def _angle(radius: float) -> float:
    return min(2 * math.degrees(math.atan(radius * 1.06 / DISTANCE)), 75.0)


@dataclass(frozen=True)
class View:
    """One picture. `kind` as in `Frame.aim`."""

    pose: str
    kind: str
    azimuth: float
    elevation: float
    held_out: bool = False

    @property
    def image(self) -> str:
        name = self.pose.replace(" ", "-")
        return f"images/{name}_{self.kind}_{self.azimuth:+04.0f}_{self.elevation:+03.0f}.png"


def poses(units: Collection[str], quality: str, together: Collection[str] = ()) -> dict[str, dict[str, float]]:
    """Poses for a head with these units: {name: {unit: value}}, each unit at half its way at least in one of them.

    Args:
        units: What the head can do and the pictures show.
        quality: A key of `QUALITIES`.
        together: Units that always have their other side's value.
    """
    found: dict[str, dict[str, float]] = {}
    later: dict[str, dict[str, float]] = {}
    for name, weights in POSES.items():
        values = {unit: value for unit, value in _sided(weights).items() if unit in units}
        # A pose without what it is about, such as surprise without brows, is another pose.
        if sum(values.values()) < 0.5 * sum(_sided(weights).values()) or values in found.values():
            continue
        (found if len(found) <= QUALITIES[quality][6] else later)[name] = values
    shown = {unit for values in found.values() for unit, value in values.items() if value >= 0.5}
    for name, values in later.items():
        if any(value >= 0.5 and unit not in shown for unit, value in values.items()):
            _merge(found, name, values)
            shown |= values.keys()
    for unit in UNITS:
        if unit in units and unit not in shown:
            _merge(found, unit, {unit: 1.0, **({"jawOpen": 0.5} if unit in _OPEN and "jawOpen" in units else {})})
    for values in found.values():
        for unit in [unit for unit in values if unit in together]:
            other = opposite(unit)
            if other in units:
                values[other] = values[unit] = max(values.get(other, 0.0), values[unit])
    return found


def opposite(unit: str) -> str:
    """The unit of the other side. Gaze's In and Out are no sides of each other here: a unit is of its own eye."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if unit.endswith(side) and unit not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            return unit.removesuffix(side) + other
    return unit


def _sided(weights: Mapping[str, float]) -> dict[str, float]:
    return {unit: w for name, w in weights.items() for unit in UNITS if unit in (name, name + "Left", name + "Right")}


def _merge(found: dict[str, dict[str, float]], name: str, values: dict[str, float]) -> None:
    """Add a pose, together with a later one that moves other parts of the face, so that few pictures show them all."""
    regions = {_region(unit) for unit in values}
    for other, already in list(found.items()):
        if other in POSES and " and " not in other and other not in _MERGEABLE:
            continue
        if not regions & {_region(unit) for unit in already}:
            found[f"{other} and {name}"] = {**found.pop(other), **values}
            return
    found[name] = values


def _region(unit: str) -> str:
    zone = zone_of(unit)
    if zone in ("mouth", "jaw_tongue"):
        return "below"
    return "eyes" if zone in ("eyes", "gaze") else zone


def zone_of(unit: str) -> str:
    """The zone of the channel that is this unit."""
    for channel in CHANNELS:
        if channel.zone in MASK_ZONES and channel.arkit and unit in channel.positive:
            return channel.zone
    return next((zone for zone, _ in ZONES if any(unit in c.positive for c in CHANNELS if c.zone == zone)), "head")


def views(found: Mapping[str, Mapping[str, float]], quality: str, bust: bool) -> list[View]:
    """Every picture, the most useful first."""
    around, face, low, kept, telling, others, _ = QUALITIES[quality]
    result = [View("neutral", "whole", *direction) for direction in _AROUND[:around]]
    result += [View("neutral", "face", *direction) for direction in _NEUTRAL_FACE[:face]]
    result += [View("neutral", "bust", *direction) for direction in _BUST[: low if bust else 0]]
    result += [View("neutral", kind, a, e, True) for kind, a, e in _NEUTRAL_HELD_OUT[:kept]]
    for pose in found:
        if pose == "neutral":
            continue
        result += [View(pose, "face", *direction) for direction in _FACE[: telling if pose in _TELLING else others]]
        if pose in _TELLING:
            result.append(View(pose, "face", *_HELD_OUT, True))
    return result


def camera(view: View, frame: Frame, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(K [3,3], world_to_camera [3,4]) of a view, OpenCV's axes, metres."""
    target, angle = frame.aim(view.kind)
    focal = size / 2 / math.tan(math.radians(angle) / 2)
    K = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
    azimuth, elevation = math.radians(view.azimuth), math.radians(view.elevation)
    out = np.array(
        [math.sin(azimuth) * math.cos(elevation), -math.cos(azimuth) * math.cos(elevation), math.sin(elevation)]
    )
    forward = -out
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(forward, right), forward])
    place = np.array(target) + out * DISTANCE
    return K, np.concatenate([turn, (-turn @ place)[:, None]], axis=1)


def seconds_of_picture(short: float, small: int, long: float, large: int, size: int) -> float:
    """How long a square picture of `size` takes, by two smaller ones: some seconds for any, and some for each pixel."""
    each = max(long - short, 0.0) / (large**2 - small**2)
    return max(short - each * small**2, 0.0) + each * size**2


def duration(seconds: float) -> str:
    """“40 s”, “12 min”, “2 h 10 min”."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
