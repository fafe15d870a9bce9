"""Structural similarity (SSIM, Wang et al. 2004) of two pictures, and how it changes with the first one's pixels."""

from __future__ import annotations

import numba
import numpy as np

SIGMA, RADIUS = 1.5, 5
"""Pixels: the Gaussian window's standard deviation and reach, as in the paper; beyond the edges all is 0."""
_WINDOW = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
_WINDOW = (_WINDOW / _WINDOW.sum()).astype(np.float32)
_C1, _C2 = np.float32(0.01**2), np.float32(0.03**2)
_BAND = 32
"""Lines that one thread handles at a time."""
_f = np.float32


def similarity(picture: np.ndarray, wanted: np.ndarray) -> tuple[float, np.ndarray]:
    """SSIM of float32 pictures [H,W,3] of values 0–1, averaged over pixels and channels, and its gradient [H,W,3]."""
    shape = picture.shape
    x, y = (np.ascontiguousarray(p, np.float32).reshape(shape[0], -1) for p in (picture, wanted))
    slopes = np.empty((3, *x.shape), np.float32)
    sums = np.zeros(-(-shape[0] // _BAND))
    _slopes(x, y, shape[2], _WINDOW, slopes, sums)
    gradient = np.empty_like(x)
    _gradient(x, y, slopes, shape[2], _WINDOW, gradient)
    return float(sums.sum() / x.size), (gradient / _f(x.size)).reshape(shape)


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _across(line, step, window, out):
    """A line of `step` interleaved channels, blurred along itself; `line` and `out` must not overlap."""
    out[:] = 0
    width = len(line)
    for tap in range(len(window)):
        shift = (tap - len(window) // 2) * step
        weight = window[tap]
        for i in range(max(0, -shift), min(width, width - shift)):
            out[i] += weight * line[i + shift]


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _down(rows, first, window, out):
    """Lines [N,K,W·C] blurred from one to the next, `first` being the window's first line, into `out` [K,W·C]."""
    out[:] = 0
    for tap in range(len(window)):
        if 0 <= first + tap < len(rows):
            weight = window[tap]
            for k in range(out.shape[0]):
                source, goal = rows[first + tap, k], out[k]
                for i in range(out.shape[1]):
                    goal[i] += weight * source[i]


@numba.njit(parallel=True, fastmath=True, cache=True, error_model="numpy")
def _slopes(x, y, step, window, slopes, sums):  # pragma: no cover - compiled
    """Slopes of SSIM by the window's mean of x, of x² and of x·y, [3,H,W·C]; sums: SSIM's, of each band of lines."""
    height, width = x.shape
    reach = len(window) // 2
    for band in numba.prange(len(sums)):
        first, last = band * _BAND, min(height, (band + 1) * _BAND)
        low, high = max(0, first - reach), min(height, last + reach)
        rows = np.empty((high - low, 5, width), np.float32)
        line = np.empty(width, np.float32)
        for row in range(low, high):
            a, b = x[row], y[row]
            _across(a, step, window, rows[row - low, 0])
            _across(b, step, window, rows[row - low, 1])
            for i in range(width):
                line[i] = a[i] * a[i]
            _across(line, step, window, rows[row - low, 2])
            for i in range(width):
                line[i] = b[i] * b[i]
            _across(line, step, window, rows[row - low, 3])
            for i in range(width):
                line[i] = a[i] * b[i]
            _across(line, step, window, rows[row - low, 4])
        mean = np.empty((5, width), np.float32)
        total = 0.0
        for row in range(first, last):
            _down(rows, row - low - reach, window, mean)
            part = _f(0)
            for i in range(width):
                m, n = mean[0, i], mean[1, i]
                own, other, both = mean[2, i] - m * m, mean[3, i] - n * n, mean[4, i] - m * n
                a, b = _f(2) * m * n + _C1, _f(2) * both + _C2
                c, d = m * m + n * n + _C1, own + other + _C2
                inverse = _f(1) / (c * d)
                value = a * b * inverse
                to_both, to_own = _f(2) * a * inverse, -value / d
                slopes[0, row, i] = _f(2) * (n * b * inverse - m * value / c - m * to_own) - n * to_both
                slopes[1, row, i] = to_own
                slopes[2, row, i] = to_both
                part += value
            total += part
        sums[band] = total


@numba.njit(parallel=True, fastmath=True, cache=True, error_model="numpy")
def _gradient(x, y, slopes, step, window, gradient):  # pragma: no cover - compiled
    """Σ over windows: the way back of `_slopes`."""
    height, width = x.shape
    reach = len(window) // 2
    for band in numba.prange((height + _BAND - 1) // _BAND):
        first, last = band * _BAND, min(height, (band + 1) * _BAND)
        low, high = max(0, first - reach), min(height, last + reach)
        rows = np.empty((high - low, 3, width), np.float32)
        for row in range(low, high):
            for k in range(3):
                _across(slopes[k, row], step, window, rows[row - low, k])
        mean = np.empty((3, width), np.float32)
        for row in range(first, last):
            _down(rows, row - low - reach, window, mean)
            for i in range(width):
                gradient[row, i] = mean[0, i] + _f(2) * x[row, i] * mean[1, i] + y[row, i] * mean[2, i]
