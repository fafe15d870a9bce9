"""The channels "Valence" and "Arousal": how far each of twelve directions of Russell's circumplex is meant.

A direction's weight is a bump around its angle that grows with the distance from the centre:

    L · exp(CONCENTRATION · (p/s − 1)),  s = √(r² + CENTRE²),  L = r² / √(CENTRE² + r² + FLATNESS·r⁴)

with r the distance and p the part of (valence, arousal) along the direction. It is smooth everywhere and 0 at the
centre; the twelve add up to the same at every angle within 0.3 %. `UNITS` says what each direction does to the face.
It moves no jaw, parts no lips and turns no eyes, so it is a branch of its own that can be added to any speech.

`engine.emotion.circle` holds the map that the table was fitted to (`fitted`), which comes from the emotion tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np

DIRECTIONS = 12
CONCENTRATION = 9.0
CENTRE = 0.12
FLATNESS = 0.35

#: {unit without its side: what the directions 0°, 30°, … 330° add to it, both sides alike}.
UNITS: Mapping[str, tuple[float, ...]] = {
    "eyeBlink": (0.075, 0, 0, 0, 0, 0, 0, 0.057, 0.181, 0.394, 0.013, 0.236),
    "eyeSquint": (0.025, 0.203, 0.024, 0, 0.404, 0.476, 0.022, 0, 0, 0, 0, 0),
    "eyeWide": (0, 0.053, 0.225, 0.753, 0.421, 0.353, 0, 0, 0, 0, 0, 0),
    "mouthSmile": (0.443, 0.618, 0.534, 0, 0, 0, 0, 0, 0, 0, 0.073, 0.337),
    "mouthFrown": (0, 0, 0, 0, 0.033, 0, 0.327, 0.623, 0.171, 0.21, 0, 0),
    "mouthStretch": (0, 0, 0, 0.037, 0.104, 0, 0, 0, 0, 0, 0, 0),
    "browDown": (0, 0, 0, 0, 0.967, 0.861, 0.407, 0.294, 0, 0, 0, 0),
    "browInnerUp": (0.03, 0.158, 0.222, 1.004, 0.104, 0, 0.055, 0.9, 0, 0.157, 0, 0.088),
    "browOuterUp": (0, 0.124, 0.402, 0.83, 0, 0.012, 0, 0, 0, 0, 0, 0),
    "cheekSquint": (0.491, 0.78, 0.486, 0, 0, 0.015, 0.018, 0.027, 0, 0, 0, 0.235),
    "noseSneer": (0, 0, 0, 0, 0.13, 0.343, 0.048, 0, 0, 0, 0, 0),
}


def weights(valence: np.ndarray | float, arousal: np.ndarray | float) -> np.ndarray:
    """[..., 12] the directions' weights at points of the pad, each −1 … 1."""
    valence, arousal = np.broadcast_arrays(np.asarray(valence, np.float64), np.asarray(arousal, np.float64))
    angles = directions()
    square = valence * valence + arousal * arousal
    reach = np.sqrt(square + CENTRE * CENTRE)
    length = square / np.sqrt(CENTRE * CENTRE + square + FLATNESS * square * square)
    along = valence[..., None] * np.cos(angles) + arousal[..., None] * np.sin(angles)
    return length[..., None] * np.exp(CONCENTRATION * (along / reach[..., None] - 1))


def directions() -> np.ndarray:
    """[12] angles in radians, from pleasant (0) by excited (π/2) to unpleasant (π)."""
    return np.arange(DIRECTIONS) * (2 * math.pi / DIRECTIONS)


@cache
def matrix(units: tuple[str, ...]) -> np.ndarray:
    """[12, U] what the directions add to those units. Read-only."""
    result = np.zeros((DIRECTIONS, len(units)))
    for name, row in UNITS.items():
        for side in ("Left", "Right"):
            result[:, units.index(name + side)] = row
    result.setflags(write=False)
    return result


def expression(direction: int, valence: str, arousal: str) -> str:
    """A direction's weight as an expression that Blender's drivers evaluate without Python.

    `valence` and `arousal` are the names of the two values, brought into −1 … 1.
    """
    angle = float(directions()[direction])
    centre = CENTRE * CENTRE
    square = f"({valence}*{valence}+{arousal}*{arousal})"
    along = f"({math.cos(angle):.7g}*{valence}{math.sin(angle):+.7g}*{arousal})"
    return (
        f"{square}/sqrt({centre:.6g}+{square}+{FLATNESS:g}*pow({square},2))"
        f"*exp({CONCENTRATION:g}*({along}/sqrt({square}+{centre:.6g})-1))"
    )
