"""Rotations that channels stand for, in the head's own axes (x to its left, −y where it looks, z up)."""

from __future__ import annotations

import numpy as np

from .channels import HEAD_ROTATION, INDEX, clamp


def turn(yaw: float, pitch: float, roll: float = 0.0) -> np.ndarray:
    """Rotation [3, 3]: roll, then pitch, then yaw, in radians.

    Positive yaw turns to the head's own left (about +z), positive pitch looks up (about −x, since the
    face looks along −y), positive roll tilts to its own left shoulder (about +y).
    """
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_z = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    about_minus_x = np.array([[1.0, 0.0, 0.0], [0.0, cp, sp], [0.0, -sp, cp]])
    about_y = np.array([[cr, 0.0, sr], [0.0, 1.0, 0.0], [-sr, 0.0, cr]])
    return about_z @ about_minus_x @ about_y


def head_rotation(values: np.ndarray) -> np.ndarray:
    """Channel values [C] → the head's rotation [3, 3]."""
    yaw, pitch, roll = clamp(values)[[INDEX[name] for name in HEAD_ROTATION]]
    return turn(yaw, pitch, roll)
