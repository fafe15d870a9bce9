"""What an artist has set comes back exactly, and what is made around it meets it smoothly."""

from __future__ import annotations

import numpy as np

from ..contract.curves import Curves
from ..contract.errors import MienError
from ..speech.prosody import runs

MEETING = 0.35
"""Seconds within which a regenerated curve leaves what is locked."""


def check(given: Curves | None, locked: np.ndarray | None, fps: float) -> None:
    """See that locks can be kept.

    Raises:
        MienError: They don't belong together, or to this frame rate.
    """
    if given is None:
        if locked is not None:
            raise MienError("Locks need the curves that they lock; give those too.")
        return
    if abs(given.fps - fps) > 1e-6:
        raise MienError(f"The given curves run at {given.fps:g} frames a second and the performance at {fps:g}; "
                        "give curves of the same rate.")  # fmt: skip
    if locked is not None and (np.shape(locked) != given.values.shape or np.asarray(locked).dtype != bool):
        raise MienError(
            f"The locks have the shape {list(np.shape(locked))}; they need true or false for each of "
            f"{len(given.values)} frames of {len(given.channels)} channels."
        )


def meet(values: np.ndarray, wanted: np.ndarray, locked: np.ndarray, fps: float) -> np.ndarray:
    """Curves [T, C] bent near locks so that value and slope go over into the locked curves.

    Between two locks a cubic carries the difference from one end to the other; at an open end it dies away within
    `MEETING` seconds. Locked frames get what is wanted, to the bit.

    Args:
        wanted: [T, C] the locked values; elsewhere it says nothing.
        locked: [T, C] bool.
    """
    result = values.copy()
    for column in np.flatnonzero(locked.any(axis=0)):
        lock = locked[:, column]
        away = wanted[:, column] - values[:, column]
        for start, end in runs(~lock):
            result[start:end, column] += _bridge(away, lock, start, end, fps)
        result[lock, column] = wanted[lock, column]
    return result


def _bridge(away: np.ndarray, lock: np.ndarray, start: int, end: int, fps: float) -> np.ndarray:
    """[end − start] what to add to the free frames start … end − 1, from the differences at the locks beside them."""
    count = len(away)
    left = _edge(away, lock, start - 1, -1) if start > 0 else None
    right = _edge(away, lock, end, 1) if end < count else None
    frames = np.arange(start, end)
    span = end - start + 1
    reach = MEETING * fps
    if left and right and span <= 2 * reach:
        x = (frames - (start - 1)) / span
        return _hermite(x, left[0], left[1] * span, right[0], right[1] * span)
    added = np.zeros(end - start)
    if left:
        reach_left = min(reach, span)
        x = np.minimum((frames - (start - 1)) / reach_left, 1.0)
        added += _hermite(x, left[0], left[1] * reach_left, 0.0, 0.0)
    if right:
        reach_right = min(reach, span)
        x = np.maximum(1.0 - (end - frames) / reach_right, 0.0)
        added += _hermite(x, 0.0, 0.0, right[0], right[1] * reach_right)
    return added


def _edge(away: np.ndarray, lock: np.ndarray, frame: int, outward: int) -> tuple[float, float]:
    """(difference, its slope a frame in the direction of time) at a lock's last or first frame."""
    other = frame + outward
    slope = 0.0
    if 0 <= other < len(away) and lock[other]:
        slope = (away[other] - away[frame]) * outward
    # A difference that jumps about within the lock says little of its slope.
    return float(away[frame]), float(np.clip(slope, -0.05, 0.05))


def _hermite(x: np.ndarray, first: float, slope: float, second: float, slope_second: float) -> np.ndarray:
    rest = 1.0 - x
    return (
        (1 + 2 * x) * rest**2 * first + x * rest**2 * slope
        + x**2 * (3 - 2 * x) * second - x**2 * rest * slope_second
    )  # fmt: skip
