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
    "eyeBlink": (0.08, 0, 0, 0, 0, 0, 0, 0.063, 0.184, 0.369, 0.041, 0.217),
    "eyeSquint": (0.029, 0.168, 0.033, 0.014, 0.331, 0.331, 0.028, 0, 0, 0, 0, 0),
    "eyeWide": (0, 0.066, 0.214, 0.721, 0.436, 0.276, 0, 0, 0, 0, 0, 0),
    "mouthSmile": (0.459, 0.586, 0.565, 0, 0, 0, 0, 0, 0, 0, 0.091, 0.327),
    "mouthFrown": (0, 0, 0, 0, 0.031, 0.034, 0.247, 0.466, 0.134, 0.155, 0, 0),
    "mouthStretch": (0, 0, 0, 0.031, 0.09, 0, 0, 0, 0, 0, 0, 0),
    "browDown": (0, 0, 0, 0.012, 0.701, 0.57, 0.33, 0.209, 0.017, 0, 0, 0),
    "browInnerUp": (0.038, 0.154, 0.246, 0.896, 0.275, 0, 0.166, 0.829, 0, 0.168, 0, 0.085),
    "browOuterUp": (0, 0.143, 0.376, 0.799, 0, 0.044, 0, 0, 0, 0, 0, 0),
    "cheekSquint": (0.495, 0.743, 0.523, 0, 0, 0.02, 0.019, 0.026, 0, 0, 0, 0.242),
    "noseSneer": (0, 0, 0, 0, 0.056, 0.141, 0.036, 0, 0, 0, 0, 0),
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
