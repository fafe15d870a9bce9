"""The channel table: every animatable value of a head, under its FACS name.

A channel is what an artist keys. A *unit* is what a head's geometry knows how to do: the 52 ARKit blend shapes, with
the two that ARKit leaves unsided and faces do by halves (`browInnerUp`, `cheekPuff`) split, 54 in all. Every channel
says which units its positive and its negative values drive, so that one small matrix turns channels into units, in
the engine as in the add-on's shape-key drivers. Valence and arousal alone act together: `circle` says how.

Action Unit numbers and names: Ekman, Friesen & Hager, *Facial Action Coding System* (2002). ARKit names: Apple,
`ARFaceAnchor.BlendShapeLocation`. The equivalences follow the descriptions in both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from . import circle
from .errors import MienError

#: (identifier, label) in panel and dope-sheet order.
ZONES: tuple[tuple[str, str], ...] = (
    ("brows", "Brows"),
    ("eyes", "Eyes"),
    ("nose_cheeks", "Nose and Cheeks"),
    ("mouth", "Mouth"),
    ("jaw_tongue", "Jaw and Tongue"),
    ("gaze", "Gaze"),
    ("head", "Head"),
    ("emotion", "Emotion"),
)
ZONE_LABELS: dict[str, str] = dict(ZONES)
#: Zones that cover a part of the head and so have a mask; `mesh.zone` and `gaussians.zone` index this.
MASK_ZONES: tuple[str, ...] = tuple(name for name, _ in ZONES if name != "emotion")

#: Apple's 52 blend shapes, in ARKit's documented order by feature.
ARKIT_52: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight",
    "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

#: ARKit shapes that Mien splits into sides.
SPLIT_UNITS: tuple[str, ...] = ("browInnerUp", "cheekPuff")

#: The 54 face units of a head file.
UNITS: tuple[str, ...] = tuple(
    unit for shape in ARKIT_52 for unit in ((shape + "Left", shape + "Right") if shape in SPLIT_UNITS else (shape,))
)
UNIT_LIMIT = 1.5
"""Unit values are clamped to 0 … UNIT_LIMIT before they deform anything."""

AU_SOFT_MAXIMUM = 1.0
HEAD_TURN_LIMIT = math.radians(60.0)


@dataclass(frozen=True, slots=True)
class Channel:
    """One animatable value.

    Attributes:
        name: The custom property's key, what the dope sheet shows.
        zone: Identifier from `ZONES`.
        minimum, maximum: Hard range. Values outside are clamped on reading.
        soft_maximum: Where a slider ends; beyond it lies exaggeration. The soft minimum is `minimum`.
        unit: `"factor"` or `"radians"`.
        tooltip: One sentence for the artist.
        positive: Units driven by the value where it is above zero, per 1.0 of value.
        negative: Units driven by minus the value where it is below zero.
        arkit: The ARKit blend shape that is this channel, if one is.
    """

    name: str
    zone: str
    minimum: float
    maximum: float
    soft_maximum: float
    unit: str
    tooltip: str
    positive: Mapping[str, float] = field(default_factory=dict)
    negative: Mapping[str, float] = field(default_factory=dict)
    arkit: str | None = None

    @property
    def side(self) -> str | None:
        """`"L"`, `"R"` or None."""
        return self.name[-1] if self.name.endswith((".L", ".R")) else None

    @property
    def mirrored(self) -> str:
        """The name of the channel on the other side; its own name where there is none."""
        return self.name[:-1] + {"L": "R", "R": "L"}[self.name[-1]] if self.side else self.name


def _au(name: str, zone: str, tooltip: str, units: Mapping[str, float], arkit: str | None = None) -> Channel:
    return Channel(name, zone, 0.0, UNIT_LIMIT, AU_SOFT_MAXIMUM, "factor", tooltip, units, {}, arkit)


def _pair(name: str, zone: str, tooltip: str, units: Mapping[str, float], arkit: bool = False) -> list[Channel]:
    """Left and right channels; unit names are given without their side. `arkit`: the first unit is the ARKit shape."""
    pair = []
    for letter, side in (("L", "Left"), ("R", "Right")):
        sided = {unit + side: weight for unit, weight in units.items()}
        first = next(iter(units))
        shape = (first if first in SPLIT_UNITS else first + side) if arkit else None
        pair.append(_au(f"{name}.{letter}", zone, tooltip, sided, shape))
    return pair


def _signed(name: str, zone: str, limit: float, unit: str, tooltip: str, positive=None, negative=None) -> Channel:
    return Channel(name, zone, -limit, limit, limit, unit, tooltip, positive or {}, negative or {})


def _both(units: Mapping[str, float]) -> dict[str, float]:
    return {unit + side: weight for unit, weight in units.items() for side in ("Left", "Right")}


def _table() -> tuple[Channel, ...]:
    rows: list[Channel] = []
    # Brows
    rows += _pair("AU01 Inner Brow Raiser", "brows", "Frontalis, inner part: lifts the inner brow, as in worry or sorrow", {"browInnerUp": 1}, True)
    rows += _pair("AU02 Outer Brow Raiser", "brows", "Frontalis, outer part: lifts the outer brow", {"browOuterUp": 1}, True)
    rows += _pair("AU04 Brow Lowerer", "brows", "Corrugator: lowers the brows and draws them together", {"browDown": 1}, True)
    # Eyes
    rows += _pair("AU05 Upper Lid Raiser", "eyes", "Levator palpebrae: opens the eye wide", {"eyeWide": 1}, True)
    rows += _pair("AU07 Lid Tightener", "eyes", "Orbicularis oculi, inner part: tightens the lids", {"eyeSquint": 1}, True)
    rows += _pair("AU43 Eyes Closed", "eyes", "Relaxed closing of the lids, held; blinks have their own channel", {"eyeBlink": 1})
    rows += _pair("AU45 Blink", "eyes", "A blink: quick closing of the lids", {"eyeBlink": 1}, True)
    # Nose and cheeks
    rows += _pair("AU06 Cheek Raiser", "nose_cheeks", "Orbicularis oculi, outer part: lifts the cheek, as in a felt smile", {"cheekSquint": 1}, True)
    rows += _pair("AU09 Nose Wrinkler", "nose_cheeks", "Levator labii alaeque nasi: wrinkles the nose, as in disgust", {"noseSneer": 1}, True)
    rows += _pair("AU11 Nasolabial Deepener", "nose_cheeks", "Zygomaticus minor: deepens the fold beside the nose", {"mouthUpperUp": 0.35, "cheekSquint": 0.3, "noseSneer": 0.15})
    rows += _pair("AU34 Puff", "nose_cheeks", "Cheeks filled with air", {"cheekPuff": 1}, True)
    # Mouth
    rows += _pair("AU10 Upper Lip Raiser", "mouth", "Levator labii: lifts the upper lip", {"mouthUpperUp": 1}, True)
    rows += _pair("AU12 Lip Corner Puller", "mouth", "Zygomaticus major: draws the lip corner up and back, the smile", {"mouthSmile": 1}, True)
    rows += _pair("AU13 Sharp Lip Puller", "mouth", "Levator anguli oris: pulls the lip corner sharply up", {"mouthSmile": 0.5, "cheekSquint": 0.35, "cheekPuff": 0.2})
    rows += _pair("AU14 Dimpler", "mouth", "Buccinator: tightens the lip corner inward, as in contempt", {"mouthDimple": 1}, True)
    rows += _pair("AU15 Lip Corner Depressor", "mouth", "Depressor anguli oris: draws the lip corner down", {"mouthFrown": 1}, True)
    rows += _pair("AU16 Lower Lip Depressor", "mouth", "Depressor labii: draws the lower lip down", {"mouthLowerDown": 1}, True)
    rows.append(_au("AU18 Lip Pucker", "mouth", "Incisivii: draws the lips together and forward, as in a kiss", {"mouthPucker": 1}, "mouthPucker"))
    rows += _pair("AU20 Lip Stretcher", "mouth", "Risorius: stretches the lip corner sideways, as in fear", {"mouthStretch": 1}, True)
    rows.append(_au("AU22 Lip Funneler", "mouth", "Orbicularis oris: funnels the lips outward, as in 'oh'", {"mouthFunnel": 1}, "mouthFunnel"))
    rows += _pair("AU23 Lip Tightener", "mouth", "Orbicularis oris: narrows and tightens the lips, as in anger", {"mouthPress": 0.5, "mouthDimple": 0.2})
    rows += _pair("AU24 Lip Pressor", "mouth", "Orbicularis oris: presses the lips together", {"mouthPress": 1}, True)
    rows.append(_au("AU25 Lips Part", "mouth", "Lips part while the jaw stays", _both({"mouthLowerDown": 0.45, "mouthUpperUp": 0.25})))
    rows.append(_au("AU28 Lip Suck Upper", "mouth", "Rolls the upper lip in over the teeth", {"mouthRollUpper": 1}, "mouthRollUpper"))
    rows.append(_au("AU28 Lip Suck Lower", "mouth", "Rolls the lower lip in over the teeth, as in 'f'", {"mouthRollLower": 1}, "mouthRollLower"))
    rows.append(_au("AU08 Lips Toward Each Other", "mouth", "Closes the lips over an open jaw: at the same value as Jaw Drop they meet", {"mouthClose": 1}, "mouthClose"))
    rows += _sideways("Mouth Sideways", "mouth", "Moves the mouth to the {side}", "mouth")
    # Jaw and tongue
    rows.append(_au("AU17 Chin Raiser", "jaw_tongue", "Mentalis: pushes the chin and the lower lip up", {"mouthShrugLower": 1}, "mouthShrugLower"))
    rows.append(_au("AU17 Chin Raiser Upper Lip", "jaw_tongue", "The upper lip's part of a shrug of the mouth", {"mouthShrugUpper": 1}, "mouthShrugUpper"))
    rows.append(_au("AU19 Tongue Show", "jaw_tongue", "The tongue comes out", {"tongueOut": 1}, "tongueOut"))
    rows.append(_au("AU26 Jaw Drop", "jaw_tongue", "The jaw drops by its own weight", {"jawOpen": 1}, "jawOpen"))
    rows.append(_au("AU27 Mouth Stretch", "jaw_tongue", "The mouth is stretched open wide", {"jawOpen": 1.0, **_both({"mouthLowerDown": 0.25, "mouthUpperUp": 0.15})}))
    rows.append(_au("AU29 Jaw Thrust", "jaw_tongue", "The jaw is pushed forward", {"jawForward": 1}, "jawForward"))
    rows += _sideways("AU30 Jaw Sideways", "jaw_tongue", "Moves the jaw to the {side}", "jaw")
    # Gaze: both eyes at once, then each eye's FACS codes on top
    rows.append(_signed("Gaze Horizontal", "gaze", 1.0, "factor", "Turns both eyes: positive to the head's own left",
        {"eyeLookOutLeft": 1, "eyeLookInRight": 1}, {"eyeLookInLeft": 1, "eyeLookOutRight": 1}))  # fmt: skip
    rows.append(_signed("Gaze Vertical", "gaze", 1.0, "factor", "Turns both eyes: positive is up",
        _both({"eyeLookUp": 1}), _both({"eyeLookDown": 1})))  # fmt: skip
    for code, label, units in (
        ("AU61", "Eyes Turn Left", ("eyeLookOutLeft", "eyeLookInRight")),
        ("AU62", "Eyes Turn Right", ("eyeLookInLeft", "eyeLookOutRight")),
        ("AU63", "Eyes Up", ("eyeLookUpLeft", "eyeLookUpRight")),
        ("AU64", "Eyes Down", ("eyeLookDownLeft", "eyeLookDownRight")),
    ):
        for letter, unit in zip("LR", units, strict=True):
            rows.append(_au(f"{code} {label}.{letter}", "gaze", "Turns this eye alone, on top of the gaze of both", {unit: 1}, unit))
    # Head: FACS 51–56
    rows.append(_signed("Head Yaw", "head", HEAD_TURN_LIMIT, "radians", "AU51/AU52: turns the head, positive to its own left"))
    rows.append(_signed("Head Pitch", "head", HEAD_TURN_LIMIT, "radians", "AU53/AU54: nods the head, positive is up"))
    rows.append(_signed("Head Roll", "head", HEAD_TURN_LIMIT, "radians", "AU55/AU56: tilts the head, positive to its own left shoulder"))
    # Emotion: the whole face around Russell's circumplex (see `circle`), added to whatever else is keyed
    rows.append(_signed("Valence", "emotion", 1.0, "factor", "Unpleasant (−1) to pleasant (1), added to the whole face"))
    rows.append(_signed("Arousal", "emotion", 1.0, "factor", "Drowsy (−1) to excited (1), added to the whole face"))
    return tuple(rows)


def _sideways(name: str, zone: str, tooltip: str, prefix: str) -> list[Channel]:
    return [
        _au(f"{name}.{letter}", zone, tooltip.format(side=side.lower()), {prefix + side: 1}, prefix + side)
        for letter, side in (("L", "Left"), ("R", "Right"))
    ]


CHANNELS: tuple[Channel, ...] = _table()
NAMES: tuple[str, ...] = tuple(channel.name for channel in CHANNELS)
INDEX: dict[str, int] = {name: index for index, name in enumerate(NAMES)}
HEAD_ROTATION: tuple[str, str, str] = ("Head Yaw", "Head Pitch", "Head Roll")
#: The two channels that move units together, not each on its own.
PAD: tuple[str, str] = ("Valence", "Arousal")


def channel(name: str) -> Channel:
    """The channel of that name.

    Raises:
        MienError: No channel is called that.
    """
    try:
        return CHANNELS[INDEX[name]]
    except KeyError:
        raise MienError(f"There is no channel named {name!r}; the names are listed by 'engine channels'.") from None


@cache
def _ranges() -> np.ndarray:
    return np.array([(row.minimum, row.maximum) for row in CHANNELS], dtype=np.float64)


@cache
def unit_matrices() -> tuple[np.ndarray, np.ndarray]:
    """(positive, negative) [C, U] float64: unit values per unit of channel value, above and below zero. Read-only."""
    unit_index = {unit: column for column, unit in enumerate(UNITS)}
    matrices = np.zeros((2, len(CHANNELS), len(UNITS)))
    for row, entry in enumerate(CHANNELS):
        for half, weights in enumerate((entry.positive, entry.negative)):
            for unit, weight in weights.items():
                matrices[half, row, unit_index[unit]] = weight
    matrices.setflags(write=False)
    return matrices[0], matrices[1]


def clamp(values: np.ndarray) -> np.ndarray:
    """Channel values [..., C] brought into each channel's hard range; a value that is not finite becomes 0."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = _ranges().T
    return np.clip(values, low, high)


def to_units(values: np.ndarray) -> np.ndarray:
    """Channel values [..., C] → unit values [..., 54], clamped to 0 … `UNIT_LIMIT`. Values are clamped first."""
    positive, negative = unit_matrices()
    values = clamp(values)
    units = np.maximum(values, 0.0) @ positive + np.maximum(-values, 0.0) @ negative
    valence, arousal = (values[..., INDEX[name]] for name in PAD)
    if np.any(valence) or np.any(arousal):
        units = units + circle.weights(valence, arousal) @ circle.matrix(UNITS)
    return np.clip(units, 0.0, UNIT_LIMIT)


def from_mapping(values: Mapping[str, float]) -> np.ndarray:
    """{name: value} → channel values [C]; channels that are not named are 0.

    Raises:
        MienError: A name is not a channel's, or a value is not a finite number.
    """
    row = np.zeros(len(CHANNELS))
    for name, value in values.items():
        channel(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise MienError(f"The value of channel {name!r} must be a finite number, not {value!r}.")
        row[INDEX[name]] = value
    return row


def from_arkit(shapes: np.ndarray) -> np.ndarray:
    """ARKit values [..., 52] in the order of `ARKIT_52` → channel values [..., C]. Exact: see `to_arkit`."""
    shapes = np.asarray(shapes, dtype=np.float64)
    column = {shape: index for index, shape in enumerate(ARKIT_52)}
    values = np.zeros((*shapes.shape[:-1], len(CHANNELS)))
    for index, entry in enumerate(CHANNELS):
        if entry.arkit:
            values[..., index] = shapes[..., column[entry.arkit]]
    return values


def to_arkit(values: np.ndarray) -> np.ndarray:
    """Channel values [..., C] → ARKit values [..., 52]; a shape that Mien splits is the mean of its sides.

    `to_arkit(from_arkit(x)) == x` for x within 0 … 1.5. Head rotation has no ARKit shape and is left out.
    """
    units = to_units(values)
    column = {unit: index for index, unit in enumerate(UNITS)}
    pick = [
        [column[shape + "Left"], column[shape + "Right"]] if shape in SPLIT_UNITS else [column[shape]]
        for shape in ARKIT_52
    ]
    return np.stack([units[..., indices].mean(-1) for indices in pick], axis=-1)
