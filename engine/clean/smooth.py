"""Taking jitter out of captured curves while peaks stay: each channel on its own, over time alone.

Of all curves that stay within the noise of the captured one, the one with the least total jerk is taken:
min Σ wₜ(xₜ − yₜ)² + λσ Σ |Δ³x|ₜ, an l1 trend filter of third order (Kim, Koh, Boyd & Gorinevsky, *ℓ1 Trend
Filtering*, 2009), by iteratively reweighted banded least squares. Sparse jerk lets a blink turn as sharply as it did,
where a Gaussian of the same jerk rounds it off. What stands clearly above the noise, peaks and closures, weighs more.
As EmoZone-Talker's encoder of explicit AUs is, it is independent of the channel: nothing is learned from any face.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import solveh_banded
from scipy.signal import find_peaks

from ..contract import channels as table
from ..contract.curves import Curves
from ..contract.errors import MienError

ORDER = 3
_STENCIL = np.array([1.0, -3.0, 3.0, -1.0])
_STEADY = 0.002
"""A channel that moves less than this over the whole clip is left as it is."""
_LEAST_NOISE = 2e-4
_FIRST = 0.6  # λ at strength 1: about the noise itself
_GROWTH = 1.7
_TARGET = 0.45  # of the captured jerk; reached by growing λ where the noise alone does not account for that much
_PEAK_WEIGHT = 10.0
_ITERATIONS = 8
_TRIES = 14


def smooth(curves: Curves, strength: float = 1.0, tick: Callable[[float], None] | None = None) -> Curves:
    """The same curves without jitter, clamped to the channels' ranges.

    Args:
        strength: 0 … 3; 0 changes nothing, 1 at least halves the jerk.
        tick: Told the fraction done; what it raises ends the work.

    Raises:
        MienError: The strength is none.
    """
    if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not 0.0 <= strength <= 3.0:
        raise MienError(f"The clean-up strength is {strength!r}; give a number from 0 to 3.")
    values = curves.values.copy()
    for index in range(values.shape[1]):
        values[:, index] = smooth_channel(values[:, index], strength)
        if tick is not None:
            tick((index + 1) / values.shape[1])
    low, high = np.array([(entry.minimum, entry.maximum) for entry in map(table.channel, curves.channels)]).T
    return Curves(curves.fps, curves.channels, np.clip(values, low, high))


def smooth_channel(captured: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """One channel [T]. The frame rate doesn't enter: noise is told from motion by its neighbours."""
    captured = np.asarray(captured, np.float64)
    if strength == 0.0 or len(captured) < 8 or np.ptp(captured) < _STEADY:
        return captured.copy()
    noise = noise_level(captured)
    weight = _peak_weights(captured, noise)
    wanted = _TARGET**strength * np.abs(np.diff(captured, ORDER)).sum()
    amount = _FIRST * strength**2
    result = _least_jerk(captured, weight, amount * noise, 0.3 * noise)
    for _ in range(_TRIES):
        if np.abs(np.diff(result, ORDER)).sum() <= wanted:
            break
        amount *= _GROWTH
        result = _least_jerk(captured, weight, amount * noise, 0.3 * noise)
    return result


def noise_level(captured: np.ndarray) -> float:
    """The standard deviation of the jitter: the median of third differences, in which motion all but vanishes."""
    jerk = np.diff(captured, ORDER)
    jerk = jerk[np.abs(jerk) > 1e-7]  # a tracker that holds a value has no jitter there
    level = np.median(np.abs(jerk)) / 0.6745 / np.sqrt((_STENCIL**2).sum()) if len(jerk) > 10 else 0.0
    return max(float(level), _LEAST_NOISE)


def _peak_weights(captured: np.ndarray, noise: float) -> np.ndarray:
    """[T] 1 … `_PEAK_WEIGHT`: more at turning points, high and low, that stand clearly above the noise."""
    weight = np.ones(len(captured))
    calm = _banded(captured, weight, np.ones(len(captured) - ORDER))
    for sign in (1.0, -1.0):
        places, facts = find_peaks(sign * calm, prominence=max(0.03, 5.0 * noise))
        for place, height in zip(places, facts["prominences"], strict=True):
            first = max(place - 2, 0)
            top = first + int(np.argmax(sign * captured[first : place + 3]))
            gain = np.clip(height / (8.0 * noise), 1.0, _PEAK_WEIGHT) - 1.0
            for step, share in ((-1, 0.5), (0, 1.0), (1, 0.5)):
                if 0 <= top + step < len(weight):
                    weight[top + step] = max(weight[top + step], 1.0 + share * gain)
    return weight


def _least_jerk(captured: np.ndarray, weight: np.ndarray, amount: float, small: float) -> np.ndarray:
    result = _banded(captured, weight, np.full(len(captured) - ORDER, 2.0))
    for _ in range(_ITERATIONS):
        result = _banded(captured, weight, amount / (np.abs(np.diff(result, ORDER)) + small))
    return result


def _banded(captured: np.ndarray, weight: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
    """min Σ w(x − y)² + Σ v(Δ³x)²: normal equations with three bands beside the diagonal."""
    count = len(captured)
    bands = np.zeros((ORDER + 1, count))
    bands[ORDER] = weight
    for row in range(ORDER + 1):
        for column in range(row, ORDER + 1):
            product = _STENCIL[row] * _STENCIL[column]
            bands[ORDER - (column - row), column : column + count - ORDER] += product * stiffness
    return solveh_banded(bands, weight * captured, check_finite=False)
