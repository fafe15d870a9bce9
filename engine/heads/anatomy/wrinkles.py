"""Where skin folds, and how deep in a pose: fields on the skin that the material draws as creases.

Each kind of fold has a coordinate, whose whole numbers are the creases' lines, and a depth that face units and age
drive. Places are those of the reference head (`build.REFERENCE`), in millimetres from the middle between its eyes, so
that they lie on the same part of every face. After C.-H. Hjortsjö, "Man's Face and Mimic Language" (1969), and the
FACS manual's descriptions of each action unit's furrows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Kind:
    """`base`: depth at age 90 with a still face; `units`: depth per unit (names without their sides)."""

    base: float
    units: Mapping[str, float]


KINDS: dict[str, Kind] = {
    "forehead": Kind(0.45, {"browInnerUp": 0.75, "browOuterUp": 0.6}),
    "glabella": Kind(0.40, {"browDown": 1.1, "noseSneer": 0.2}),
    "nose": Kind(0.10, {"noseSneer": 1.0, "browDown": 0.3}),
    "crow": Kind(0.50, {"cheekSquint": 0.6, "eyeSquint": 0.7, "mouthSmile": 0.35}),
    "under": Kind(0.45, {"cheekSquint": 0.5, "eyeSquint": 0.6, "mouthSmile": 0.15}),
    "fold": Kind(0.70, {"mouthSmile": 0.8, "noseSneer": 0.7, "mouthUpperUp": 0.6, "cheekSquint": 0.3}),
    "corner": Kind(0.55, {"mouthFrown": 0.7}),
    "lip": Kind(0.40, {"mouthPucker": 0.8, "mouthFunnel": 0.2}),
    "chin": Kind(0.10, {"mouthShrugLower": 1.0, "mouthFrown": 0.25}),
}
#: From beside the nose's wing around the mouth's corner, and from that corner down: (x, z).
_FOLD = ((15.5, -29.0), (19.5, -38.0), (25.5, -50.0), (31.0, -62.0), (33.0, -70.0))
_CORNER = ((25.0, -64.0), (27.5, -72.0), (27.0, -82.0), (24.0, -90.0))


def smooth(value, low, high):
    """Smoothstep: 0 below `low`, 1 above `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def between(value, low, high, edge):
    """1 from `low` to `high`, falling to 0 over `edge` outside."""
    return smooth(value, low - edge, low) * (1 - smooth(value, high, high + edge))


def _along(x, z, line) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance (mm, positive outward) from a line of points (x, z) and place along it, 0–1."""
    line = np.asarray(line, dtype=np.float64)
    best, place, side = np.full(len(x), np.inf), np.zeros(len(x)), np.ones(len(x))
    for index, (a, b) in enumerate(pairwise(line)):
        d = b - a
        t = np.clip(((x - a[0]) * d[0] + (z - a[1]) * d[1]) / (d @ d), 0, 1)
        away = np.stack([x - a[0] - t * d[0], z - a[1] - t * d[1]])
        distance = np.hypot(*away)
        nearer = distance < best
        best = np.where(nearer, distance, best)
        place = np.where(nearer, (index + t) / (len(line) - 1), place)
        side = np.where(nearer, np.where(d[0] * away[1] - d[1] * away[0] > 0, 1.0, -1.0), side)
    return best * side, place


def fields(home: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(coordinates, masks) by kind, each [V], of points [V,3] of the reference head in mm from between its eyes."""
    signed, y, z = home.T
    x = np.abs(signed)
    front = 1 - smooth(y, 2.0, 14.0)
    temple = x - 43 + np.clip(y + 8, 0, None)
    radius, angle = np.hypot(temple, z + 1), np.degrees(np.arctan2(z + 1, np.maximum(temple, 1e-3)))
    below = -z - 8.5 + 0.012 * (x - 27) ** 2
    fold, fold_at = _along(x, z, _FOLD)
    corner, corner_at = _along(x, z, _CORNER)
    coordinates = {
        "forehead": (z - 30 + 0.0035 * x**2) / 6.8,
        "glabella": (x - 5.0 - 0.10 * (z - 14)) / 11,
        "nose": (z + 0.55 * x) / 4.6,
        "crow": (angle + 8) / 21,
        "under": below / 5.0,
        "fold": fold / 13,
        "corner": corner / 13,
        "lip": (signed + 0.06 * signed * np.abs(z + 61)) / 3.4,
        "chin": np.zeros_like(x),
    }
    masks = {
        "forehead": between(z, 28, 57, 7) * (1 - smooth(x, 30, 47)) * front,
        "glabella": between(z, 7, 23, 6) * between(x, 2.5, 9, 2.0) * front,
        "nose": between(z, -14, 6, 5) * (1 - smooth(x, 7, 12)) * front,
        "crow": between(radius, 9, 17, 8) * (1 - smooth(np.abs(angle), 38, 56)) * (temple > 0),
        "under": between(below, 1.0, 7.0, 3.0) * between(x, 17, 40, 7) * front,
        "fold": between(fold_at, 0.06, 0.86, 0.10) * (1 - smooth(np.abs(fold), 4.5, 6.4)) * front,
        "corner": between(corner_at, 0.12, 0.75, 0.15) * (1 - smooth(np.abs(corner), 4.5, 6.4)) * front,
        "lip": (between(z, -51, -43, 3) + 0.7 * between(z, -78, -72, 3)) * (1 - smooth(x, 15, 23)) * front,
        "chin": np.exp(-((x / 14) ** 2) - ((z + 84) / 9) ** 2) * front,
    }
    return coordinates, masks


def depths(masks: Mapping[str, np.ndarray], left: np.ndarray, values: Mapping[str, float], age: float):
    """Crease depth [V] by kind in a pose.

    Args:
        left: [V] share of the left side's units.
        values: All 54 units.
        age: Years: creases are deeper from about 30, and stay in a still face from about 40.
    """
    old = float(np.clip((age - 25) / 65, 0, 1))
    result = {}
    for name, kind in KINDS.items():
        sides = []
        for side in ("Left", "Right"):
            drive = sum(gain * values.get(u + side, values.get(u, 0.0)) for u, gain in kind.units.items())
            sides.append(min(kind.base * 1.25 * old**1.5 + (0.45 + 0.5 * old) * drive, 1.15))
        result[name] = masks[name] * (sides[0] * left + sides[1] * (1 - left))
    return result


def beard(home: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """[V] where a beard grows, 0–1; arguments as in `fields`, and where the lips are."""
    x, y, z = np.abs(home[:, 0]), home[:, 1], home[:, 2]
    moustache = between(z, -53, -43, 3) * (1 - smooth(x, 24, 30))
    chin = between(z, -98, -69, 6) * (1 - smooth(x, 30, 40))
    cheek = between(z + 0.45 * np.clip(x - 30, 0, None) - 0.2 * np.clip(y, 0, None), -100, -62, 9) * smooth(x, 22, 32)
    side = 0.7 * between(y, 30, 42, 18) * between(z, -62, -6, 20) * smooth(x, 44, 60)
    throat = between(z, -118, -98, 10) * between(y, -30, 42, 10) * 0.8
    cheek = cheek * (1 - smooth(y, 30, 52))
    whole = np.maximum.reduce([moustache, chin, cheek, side, throat])
    return whole * (1 - smooth(lips, 0.15, 0.5)) * (1 - smooth(y, 52, 64))
