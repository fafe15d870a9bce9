"""Curves → the keys that an animator would set, and the evaluation of keys as Blender does it.

A key is (time, value, left handle, right handle, interpolation), as a Blender F-curve's keyframe is. Keys stand on
frames. Between two keys the handles' times lie at a third and two thirds, so that the Bezier's time runs evenly and
its value is a plain cubic; each key's handles lie on one line, so the curve has no corners and Blender shows them as
aligned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..contract.curves import Curves
from ..contract.errors import MienError

TOLERANCE = 0.02
#: Radians are smaller numbers than factors: 0.02 rad would be more than a degree.
ANGLE_TOLERANCE = 0.004
BEZIER = "BEZIER"
CONSTANT = "CONSTANT"


@dataclass(frozen=True, slots=True)
class Key:
    """One keyframe: seconds and the channel's unit. `left` and `right` are handles (time, value)."""

    time: float
    value: float
    left: tuple[float, float]
    right: tuple[float, float]
    interpolation: str = BEZIER

    def row(self) -> list:
        """[time, value, left time, left value, right time, right value, interpolation], as in messages and files."""
        return [*(round(number, 6) for number in (self.time, self.value, *self.left, *self.right)), self.interpolation]


def from_row(row: Sequence) -> Key:
    """The key of a `Key.row`.

    Raises:
        MienError: It is not one.
    """
    numbers = list(row[:6])
    good = len(row) == 7 and row[6] in (BEZIER, CONSTANT)
    if not good or not all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers
    ):
        raise MienError(
            f"{list(row)!r} is not a key; one is [time, value, left time, left value, right time, right value, "
            "interpolation]."
        )
    return Key(numbers[0], numbers[1], (numbers[2], numbers[3]), (numbers[4], numbers[5]), row[6])


def evaluate(keys: Sequence[Key], times: np.ndarray | float) -> np.ndarray:
    """Values at times in seconds, in float64, by Blender's rules: held before the first and after the last key.

    A handle that reaches beyond the next key is shortened to it, as in Blender's `BKE_fcurve_correct_bezpart`.
    """
    times = np.asarray(times, dtype=np.float64)
    if not keys:
        return np.zeros_like(times)
    knots = np.array([key.time for key in keys])
    result = np.where(times <= knots[0], keys[0].value, keys[-1].value).astype(np.float64)
    segment = np.searchsorted(knots, times, side="right") - 1
    for index in np.unique(segment[(segment >= 0) & (segment < len(keys) - 1)]):
        inside = segment == index
        result[inside] = _segment(keys[index], keys[index + 1], times[inside])
    return result


def _segment(first: Key, second: Key, times: np.ndarray) -> np.ndarray:
    if first.interpolation == CONSTANT or second.time <= first.time:
        return np.full(len(times), first.value)
    length = second.time - first.time
    out = np.array([first.right[0] - first.time, first.right[1] - first.value])
    back = np.array([second.time - second.left[0], second.value - second.left[1]])
    out, back = (handle * min(1.0, length / max(abs(handle[0]), 1e-12)) for handle in (out, back))
    place = _solve((times - first.time) / length, out[0] / length, 1.0 - back[0] / length)
    a, b, c, d = first.value, first.value + out[1], second.value - back[1], second.value
    rest = 1.0 - place
    return rest**3 * a + 3 * rest**2 * place * b + 3 * rest * place**2 * c + place**3 * d


def _solve(x: np.ndarray, x1: float, x2: float) -> np.ndarray:
    """The Bezier parameter at which the time polynomial through 0, x1, x2, 1 has the value x, by bisection."""
    if abs(x1 - 1 / 3) < 1e-9 and abs(x2 - 2 / 3) < 1e-9:
        return x
    low, high = np.zeros_like(x), np.ones_like(x)
    for _ in range(60):
        middle = 0.5 * (low + high)
        rest = 1.0 - middle
        below = 3 * rest**2 * middle * x1 + 3 * rest * middle**2 * x2 + middle**3 < x
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def reduce(
    curves: Curves,
    tolerance: float = TOLERANCE,
    tight: Mapping[str, np.ndarray] | None = None,
    tick: Callable[[float], None] | None = None,
) -> dict[str, list[Key]]:
    """Sparse keys for every channel, in the curves' order, off by at most the tolerance at every frame.

    A channel that never leaves zero gets no keys, one that never moves gets one.

    Args:
        tolerance: Greatest error for factors; head rotations get a fifth of it, `ANGLE_TOLERANCE` at the default.
        tight: {channel: [T] error allowed at each frame}, where less than the tolerance is needed.
        tick: Told the fraction done before each channel; what it raises ends the work.

    Raises:
        MienError: The tolerance is not above zero.
    """
    if not tolerance > 0 or not math.isfinite(tolerance):
        raise MienError(f"The keys' tolerance is {tolerance}; give a number above 0, such as {TOLERANCE}.")
    result = {}
    done: dict[bytes, list[Key]] = {}  # the two sides of a mouth often move alike
    for column, name in enumerate(curves.channels):
        if tick:
            tick(column / len(curves.channels))
        allowed = tolerance * (ANGLE_TOLERANCE / TOLERANCE if name.startswith("Head ") else 1.0)
        limit = np.full(len(curves.values), allowed)
        if tight and name in tight:
            limit = np.minimum(limit, np.asarray(tight[name], dtype=np.float64))
        values = np.ascontiguousarray(curves.values[:, column])
        known = values.tobytes() + limit.tobytes()
        if known not in done:
            done[known] = fit(values, curves.fps, limit)
        result[name] = done[known]
    return result


def fit(values: np.ndarray, fps: float, limit: np.ndarray) -> list[Key]:
    """Keys for one curve [T] with at most `limit` [T] of error at each frame."""
    if np.abs(values).max() <= min(1e-4, limit.min()):
        return []
    # A rounding of the result (keys in files, Blender's float32) must not spend the last of the tolerance.
    limit = np.maximum(limit * 0.98 - 1e-6, 1e-7)
    if np.ptp(values) <= 2 * limit.min() and np.ptp(values) <= 1e-3:
        middle = 0.5 * (values.max() + values.min())
        return [Key(0.0, float(middle), (-1 / 3 / fps, float(middle)), (1 / 3 / fps, float(middle)))]
    frames = _split(values, limit)
    slopes = _slopes(values, frames)
    frames, slopes = _thin(values, limit, frames, slopes)
    return _keys(values, frames, slopes, fps)


@lru_cache(maxsize=4096)
def _basis(length: int) -> np.ndarray:
    """[4, length + 1] Hermite weights of first value, second value, first slope, second slope (per frame)."""
    x = np.arange(length + 1) / length
    rest = 1.0 - x
    return np.stack([(1 + 2 * x) * rest**2, x**2 * (3 - 2 * x), length * x * rest**2, -length * x**2 * rest])


def _cubic(values: np.ndarray, a: int, b: int, slope_a: float, slope_b: float) -> np.ndarray:
    """Hermite cubic through frames a and b at the frames a … b; slopes in value per frame."""
    return np.array([values[a], values[b], slope_a, slope_b]) @ _basis(b - a)


def _slope_at(values: np.ndarray, frame: int) -> float:
    """Central difference; level at ends and at turning points, so that extremes stay where they are."""
    if frame in (0, len(values) - 1):
        return 0.0
    before, after = values[frame] - values[frame - 1], values[frame + 1] - values[frame]
    return 0.0 if before * after <= 0 else float(0.5 * (before + after))


def _worst(values: np.ndarray, limit: np.ndarray, a: int, b: int, slope_a: float, slope_b: float) -> tuple[float, int]:
    """Greatest error over the allowed one within a … b, and its frame."""
    excess = np.abs(_cubic(values, a, b, slope_a, slope_b) - values[a : b + 1]) / limit[a : b + 1]
    place = int(excess.argmax())
    return float(excess[place]), a + place


def _split(values: np.ndarray, limit: np.ndarray) -> list[int]:
    """Frames of keys: both ends, and where a segment misses, its worst frame, until none misses."""
    keep = {0, len(values) - 1}
    stack = [(0, len(values) - 1)]
    while stack:
        a, b = stack.pop()
        if b - a < 2:
            continue
        excess, place = _worst(values, limit, a, b, _slope_at(values, a), _slope_at(values, b))
        if excess > 1.0:
            place = min(max(place, a + 1), b - 1)
            keep.add(place)
            stack += [(a, place), (place, b)]
    return sorted(keep)


def _slopes(values: np.ndarray, frames: list[int]) -> list[float]:
    return [_slope_at(values, frame) for frame in frames]


def _best_slopes(values: np.ndarray, frames: list[int], slopes: list[float], index: int) -> float:
    """The slope of one key that fits the segments on its two sides best, its neighbours' staying: least squares."""
    top = bottom = 0.0
    here = frames[index]
    for other, side in ((index - 1, -1), (index + 1, 1)):
        if not 0 <= other < len(frames):
            continue
        a, b = (here, frames[other]) if side > 0 else (frames[other], here)
        basis = _basis(b - a)[2 if side > 0 else 3]
        slope_a, slope_b = (0.0, slopes[other]) if side > 0 else (slopes[other], 0.0)
        error = values[a : b + 1] - _cubic(values, a, b, slope_a, slope_b)
        top += float(basis @ error)
        bottom += float(basis @ basis)
    return top / bottom if bottom > 0 else slopes[index]


def _thin(
    values: np.ndarray, limit: np.ndarray, frames: list[int], slopes: list[float]
) -> tuple[list[int], list[float]]:
    """Take away keys that the others can do without, bending the neighbours' handles to make up for it."""
    frames, slopes = list(frames), list(slopes)
    for _ in range(4):
        before = len(frames)
        index = 1
        while index < len(frames) - 1:
            trial_frames = frames[max(index - 3, 0) : index] + frames[index + 1 : index + 4]
            trial_slopes = slopes[max(index - 3, 0) : index] + slopes[index + 1 : index + 4]
            inner = [
                k
                for k in range(len(trial_frames))
                if 0 < k < len(trial_frames) - 1 or trial_frames[k] in (0, len(values) - 1)
            ]
            middle = min(index, 3)
            for k in (middle - 1, middle, middle - 1, middle):
                if k in inner and trial_frames[k] not in (0, len(values) - 1):
                    trial_slopes[k] = _best_slopes(values, trial_frames, trial_slopes, k)
            fits = all(
                _worst(values, limit, trial_frames[k], trial_frames[k + 1], trial_slopes[k], trial_slopes[k + 1])[0]
                <= 1.0
                for k in range(len(trial_frames) - 1)
            )
            if fits:
                first = max(index - 3, 0)
                frames[first : index + 4] = trial_frames
                slopes[first : index + 4] = trial_slopes
            else:
                index += 1
        if len(frames) == before:
            break
    return frames, slopes


def _keys(values: np.ndarray, frames: list[int], slopes: list[float], fps: float) -> list[Key]:
    keys = []
    for index, (frame, slope) in enumerate(zip(frames, slopes, strict=True)):
        back = (frame - frames[index - 1]) / 3 if index > 0 else 1 / 3
        ahead = (frames[index + 1] - frame) / 3 if index < len(frames) - 1 else 1 / 3
        value = float(values[frame])
        keys.append(
            Key(
                frame / fps,
                value,
                ((frame - back) / fps, value - slope * back),
                ((frame + ahead) / fps, value + slope * ahead),
            )
        )
    return keys


def to_curves(keys: Mapping[str, Sequence[Key]], fps: float, frames: int) -> Curves:
    """Keys → curves, evaluated at frames 0 … frames − 1."""
    times = np.arange(frames) / fps
    return Curves(fps, tuple(keys), np.stack([evaluate(channel, times) for channel in keys.values()], axis=1))
