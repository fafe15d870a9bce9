"""Dynamic appearance: unit values → changes of single Gaussians: colour, opacity, size, turn. Wrinkles, folds, blood.

Step 6 of docs/head-file.md. A driver is a product of units; its changes are a sparse list. A frame adds up the lists of
the drivers that are at work and then goes once over the Gaussians that any driver may change.
"""

from __future__ import annotations

import numba
import numpy as np

from ..contract.channels import UNITS
from .format import Head

SH0 = 0.28209479177387814
"""The first spherical harmonic: what a coefficient of 1 adds to a colour."""
LOGIT, LOG_SCALE = (-20.0, 20.0), (-20.0, 5.0)
"""Where sums are clamped: the head file's own ranges."""
_WIDTH = 10  # numbers in a change: colour 3, opacity, log_scale 3, rotation 3


class Appearance:
    """A head's dynamic appearance, ready for frames.

    Args:
        factor: [3, 3, N] float32 rotation · scale in the triangle's frame, as the file has it.
        opacity: [N] float32.
    """

    def __init__(self, head: Head, factor: np.ndarray, opacity: np.ndarray) -> None:
        column = {name: index for index, name in enumerate(UNITS)}
        self._drivers = [[column[name] for name in names] for names in head.appearance]
        gaussian = head["appearance.gaussian"]
        self._start = head["appearance.start"].astype(np.int64)
        self._touched = np.unique(gaussian).astype(np.int64)
        self._row = np.searchsorted(self._touched, gaussian).astype(np.int32)
        self._changes = np.zeros((len(gaussian), _WIDTH), np.float32)
        for name, first, last in (("colour", 0, 3), ("opacity", 3, 4), ("log_scale", 4, 7), ("rotation", 7, 10)):
            values = head.arrays.get(f"appearance.{name}")
            if values is not None:
                self._changes[:, first:last] = values.reshape(len(gaussian), last - first)
        self._changes[:, :3] *= SH0
        self._opacity = opacity
        self._logit = head["gaussians.opacity_logit"][self._touched].astype(np.float32)
        self._log_scale = head["gaussians.log_scale"][self._touched].astype(np.float32)
        self._factor = np.ascontiguousarray(factor[..., self._touched])
        self._changed = factor.copy()

    def weights(self, units: np.ndarray) -> np.ndarray:
        """Unit values [54] → the drivers' weights [D]."""
        return np.array([units[names].prod() for names in self._drivers])

    def changes(self, units: np.ndarray) -> int:
        """How many rows unit values [54] put to work."""
        return int(np.diff(self._start)[self.weights(units) != 0].sum())

    def __call__(self, units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Unit values [54] → opacity [N], tint [3, N] and factor [3, 3, N]; None where no driver is at work.

        To be called with `one_at_a_time` held for as long as the factor is in use: the next call writes over it.
        """
        weights = self.weights(units)
        active = np.flatnonzero(weights).astype(np.int64)
        if not len(active):
            return None
        sums = np.zeros((len(self._touched), _WIDTH), np.float32)
        opacity, tint = self._opacity.copy(), np.zeros((3, len(self._opacity)), np.float32)
        _add_up(active, weights[active].astype(np.float32), self._start, self._row, self._changes, sums)
        _change(sums, self._touched, self._logit, self._log_scale, self._factor, opacity, tint, self._changed)
        return opacity, tint, self._changed


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _add_up(active, weights, start, row, changes, sums):  # pragma: no cover - compiled
    """sums[row] += Σ weights · changes, over the active drivers."""
    for i in range(len(active)):
        weight = weights[i]
        for m in range(start[active[i]], start[active[i] + 1]):
            g = row[m]
            for k in range(10):
                sums[g, k] += weight * changes[m, k]


@numba.njit(parallel=True, fastmath=True, cache=True, error_model="numpy")
def _change(sums, touched, logit, log_scale, factor, opacity, tint, factors):  # pragma: no cover - compiled
    """Sums of changes [G, 10] → opacity, colour and factor of the Gaussians that they belong to."""
    one, half = np.float32(1.0), np.float32(0.5)
    for g in numba.prange(len(touched)):
        n = touched[g]
        tint[0, n], tint[1, n], tint[2, n] = sums[g, 0], sums[g, 1], sums[g, 2]
        if sums[g, 3] != 0:
            level = min(max(logit[g] + sums[g, 3], np.float32(LOGIT[0])), np.float32(LOGIT[1]))
            opacity[n] = one / (one + np.exp(-level))
        x, y, z = sums[g, 7], sums[g, 8], sums[g, 9]
        square = x * x + y * y + z * z
        if square > np.float32(1e-4):
            angle = np.sqrt(square)
            s, c = np.sin(angle) / angle, (one - np.cos(angle)) / square
        else:
            s, c = one - square * np.float32(1.0 / 6.0), half - square * np.float32(1.0 / 24.0)
        for j in range(3):
            size = one
            if sums[g, 4 + j] != 0:
                low, high = np.float32(LOG_SCALE[0]), np.float32(LOG_SCALE[1])
                size = np.exp(min(max(log_scale[g, j] + sums[g, 4 + j], low), high) - log_scale[g, j])
            a, b, d = factor[0, j, g] * size, factor[1, j, g] * size, factor[2, j, g] * size
            # Rodrigues: v + s·(r × v) + c·(r × (r × v)).
            along = x * a + y * b + z * d
            factors[0, j, n] = a + s * (y * d - z * b) + c * (x * along - square * a)
            factors[1, j, n] = b + s * (z * a - x * d) + c * (y * along - square * b)
            factors[2, j, n] = d + s * (x * b - y * a) + c * (z * along - square * d)
