"""Dynamic appearance: small changes of some Gaussians, driven by face units; docs/head-file.md, step 6.

A driver is a unit or a product of units. Its changes are rows of one sparse table, as the head file stores them.
Chosen are drivers that the pictures show from several sides, and for each the Gaussians near what it moves that the
pictures want changed most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numba
import numpy as np
from scipy.spatial import cKDTree

from .photos import Photo
from .raster import Parameters
from .rig import Rig, product

VALUES = ("colour", "opacity", "log_scale", "rotation")
WIDTHS = {"colour": 3, "opacity": 1, "log_scale": 3, "rotation": 3}
LIMITS = {"colour": 1.4, "opacity": 3.0, "log_scale": 0.7, "rotation": 0.45}
"""How far a driver at 1 may change a value; a colour by 0.4."""
TINT = 0.35
"""How far red, green and blue of a change of colour may differ from their mean. What a movement shades or bares gets
darker or paler; a strong hue is what a Gaussian took on where pictures hardly show it, and a speck in other poses."""
UNBOUND = 1e30
"""No limit."""
RATES = {"colour": 1e-1, "opacity": 6e-2, "log_scale": 1.2e-2, "rotation": 9e-3}
DECAY = {"colour": 2e-3, "opacity": 4e-3, "log_scale": 4e-3, "rotation": 4e-3}
"""Share by which a step that uses a driver pulls its changes towards zero."""
SMOOTHING, NEIGHBOURS = 0.10, 5
LEAST_VIEWS, LEAST_WEIGHT = 2, 0.3
"""A driver is shown by so many pictures with at least that weight."""
SQUARED_VIEWS, HALF = 4, 0.75
"""A unit's square is a driver too where so many pictures show the unit below and above this weight: what a jaw lays
bare does not brighten in step with how far it opens."""
REACH, WIDE_REACH = 0.012, 0.040
"""Metres from what a driver moves within which it may change Gaussians: teeth darken under a closing lip, and the neck
under an open jaw. Units of one side must not take the other side's changes, so they reach less far."""


@dataclass
class Appearance:
    """D drivers and their changes: rows start[d] … start[d+1] of `values` change the Gaussians `gaussian`.

    values: name → [M, width] float32, as in `VALUES`; an absent one is zero.
    """

    drivers: list[tuple[str, ...]]
    start: np.ndarray
    gaussian: np.ndarray
    values: dict[str, np.ndarray]
    moments: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    used: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    near: np.ndarray = field(default_factory=lambda: np.zeros((0, NEIGHBOURS), np.int64))

    def __post_init__(self) -> None:
        if not self.moments:
            self.moments = {name: (np.zeros_like(v), np.zeros_like(v)) for name, v in self.values.items()}
        if len(self.used) != len(self.drivers):
            self.used = np.zeros(len(self.drivers), np.int64)

    def __len__(self) -> int:
        return len(self.gaussian)

    def weights(self, units: Mapping[str, float]) -> np.ndarray:
        """Weight of each driver [D]."""
        return np.array([product(names, units) for names in self.drivers], np.float32)

    def changes(self, weights: np.ndarray, count: int) -> dict[str, np.ndarray]:
        """Name → summed changes [count, width] of all Gaussians."""
        total = {name: np.zeros((count, WIDTHS[name]), np.float32) for name in self.values}
        for driver in np.flatnonzero(weights):
            rows = slice(self.start[driver], self.start[driver + 1])
            for name, value in self.values.items():
                total[name][self.gaussian[rows]] += weights[driver] * value[rows]
        return total

    def apply(self, p: Parameters, weights: np.ndarray) -> Parameters:
        """The Gaussians as the weighted drivers change them."""
        if not np.any(weights):
            return p
        total = self.changes(weights, len(p.opacity_logit))
        sh, logit, scale, rotation = p.sh, p.opacity_logit, p.log_scale, p.rotation
        if "colour" in total:
            sh = sh.copy()
            sh[:, 0] += total["colour"]
        if "opacity" in total:
            logit = logit + total["opacity"][:, 0]
        if "log_scale" in total:
            scale = scale + total["log_scale"]
        if "rotation" in total:
            rotation = turned(total["rotation"], rotation)
        return Parameters(p.position, rotation, scale, logit, sh)

    def gradients(self, p: Parameters, weights: np.ndarray, gradient: Parameters) -> dict[str, np.ndarray]:
        """Gradients [M, width] of the changes from those of the changed Gaussians.

        `gradient.rotation` is replaced by that of the unchanged rotation.
        """
        back = {
            "colour": gradient.sh[:, 0],
            "opacity": gradient.opacity_logit[:, None],
            "log_scale": gradient.log_scale,
        }
        if "rotation" in self.values:
            total = self.changes(weights, len(p.opacity_logit))["rotation"]
            back["rotation"], gradient.rotation[:] = turned_back(total, p.rotation, gradient.rotation)
        result = {name: np.zeros_like(value) for name, value in self.values.items()}
        for driver in np.flatnonzero(weights):
            rows = slice(self.start[driver], self.start[driver + 1])
            for name in self.values:
                result[name][rows] = weights[driver] * back[name][self.gaussian[rows]]
        return result

    def step(self, weights: np.ndarray, gradients: Mapping[str, np.ndarray], share: float) -> None:
        """Adam on the changes of the drivers that took part, pulled towards zero and towards their neighbours."""
        for driver in np.flatnonzero(weights):
            self.used[driver] += 1
            rows = slice(int(self.start[driver]), int(self.start[driver + 1]))
            for name, value in self.values.items():
                first, second = (moment[rows] for moment in self.moments[name])
                if rows.stop > rows.start:
                    rates = np.full(rows.stop - rows.start, RATES[name] * share, np.float32)
                    adam(value[rows], gradients[name][rows], first, second, rates, DECAY[name] * share, LIMITS[name],
                         self.used[driver])  # fmt: skip
                    if name == "colour":
                        near_grey(value[rows][:, None], TINT)
                    if self.used[driver] % 4 == 0 and len(self.near):
                        smooth(value[rows], self.near[rows] - rows.start, SMOOTHING)

    def kept(self, keep: np.ndarray) -> Appearance:
        """With only the rows where `keep` [M] is true; drivers without rows go."""
        counts = np.array([keep[a:b].sum() for a, b in zip(self.start[:-1], self.start[1:], strict=True)])
        drivers = [names for names, number in zip(self.drivers, counts, strict=True) if number]
        start = np.r_[0, np.cumsum(counts[counts > 0])].astype(np.int32)
        values = {name: value[keep] for name, value in self.values.items()}
        moments = {name: (a[keep], b[keep]) for name, (a, b) in self.moments.items()}
        return Appearance(drivers, start, self.gaussian[keep], values, moments, self.used[counts > 0])

    def find_neighbours(self, place: np.ndarray) -> None:
        """Who is smoothed with whom: the nearest of the same driver; `place` [N,3] of all Gaussians in neutral."""
        self.near = np.zeros((len(self.gaussian), NEIGHBOURS), np.int64)
        for a, b in zip(self.start[:-1], self.start[1:], strict=True):
            if b > a:
                points = place[self.gaussian[a:b]]
                number = min(NEIGHBOURS, b - a)
                found = cKDTree(points).query(points, k=number)[1].reshape(b - a, number)
                self.near[a:b, :number] = found + a
                self.near[a:b, number:] = found[:, :1] + a


@numba.njit(parallel=True, fastmath=True, cache=True)
def near_grey(colour, most):
    """Brings red, green and blue of [N,K,3] no further than `most` from their mean, in place; mean and hue stay."""
    most = np.float32(most)
    for i in numba.prange(colour.shape[0]):
        for k in range(colour.shape[1]):
            r, g, b = colour[i, k, 0], colour[i, k, 1], colour[i, k, 2]
            mean = (r + g + b) / np.float32(3)
            widest = max(max(r, max(g, b)) - mean, mean - min(r, min(g, b)))
            if widest > most:
                share = most / widest
                colour[i, k, 0] = mean + share * (r - mean)
                colour[i, k, 1] = mean + share * (g - mean)
                colour[i, k, 2] = mean + share * (b - mean)


@numba.njit(parallel=True, fastmath=True, cache=True)
def adam(value, gradient, first, second, rate, decay, limit, step):
    """One step of Adam (Kingma & Ba 2015) on [N,width], in place.

    rate: [N], for each row. decay: share of a value that goes first. limit: the largest value, either side of 0.
    """
    b1, b2 = np.float32(0.9), np.float32(0.99)
    c1, c2 = np.float32(1 / (1 - 0.9**step)), np.float32(1 / (1 - 0.99**step))
    keep, limit = np.float32(1 - decay), np.float32(limit)
    for i in numba.prange(value.shape[0]):
        for k in range(value.shape[1]):
            g = gradient[i, k]
            first[i, k] = b1 * first[i, k] + (1 - b1) * g
            second[i, k] = b2 * second[i, k] + (1 - b2) * g * g
            moved = value[i, k] * keep - rate[i] * first[i, k] * c1 / (np.sqrt(second[i, k] * c2) + np.float32(1e-15))
            value[i, k] = min(max(moved, -limit), limit)


@numba.njit(fastmath=True, cache=True)
def smooth(value, near, share):
    """Moves values [n,width] by `share` towards the means over `near` [n,k], in place."""
    mean = np.zeros_like(value)
    for i in range(value.shape[0]):
        for j in range(near.shape[1]):
            for k in range(value.shape[1]):
                mean[i, k] += value[near[i, j], k] / near.shape[1]
    for i in range(value.shape[0]):
        for k in range(value.shape[1]):
            value[i, k] += share * (mean[i, k] - value[i, k])


def _exponential(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quaternions [N,4] of rotation vectors [N,3]; s = sin(t/2)/t and (ds/dt)/t, t the length."""
    t = np.linalg.norm(vector, axis=1)
    small = t < 1e-3
    safe = np.where(small, 1.0, t)
    s = np.where(small, 0.5 - t**2 / 48, np.sin(t / 2) / safe)
    slope = np.where(small, -1 / 24, (0.5 * np.cos(t / 2) * safe - np.sin(t / 2)) / safe**3)
    return np.c_[np.cos(t / 2), s[:, None] * vector], s, slope


def turned(vector: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Exp(vector) · rotation, quaternions [N,4] float32; those with a zero vector are returned as they are."""
    some = np.flatnonzero(np.any(vector != 0, axis=1))
    result = rotation.copy()
    q = _exponential(vector[some].astype(np.float64))[0]
    result[some] = _product(q, rotation[some].astype(np.float64))
    return result


def _product(q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Hamilton product [N,4]."""
    w, v, u, x = q[:, :1], q[:, 1:], r[:, :1], r[:, 1:]
    return np.c_[w * u - (v * x).sum(axis=1, keepdims=True), w * x + u * v + np.cross(v, x)]


def turned_back(vector: np.ndarray, rotation: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of `turned`: of the vectors [N,3] and of the rotations [N,4], float32."""
    q, s, slope = _exponential(vector.astype(np.float64))
    r, g = rotation.astype(np.float64), gradient.astype(np.float64)
    conjugate = np.array([1.0, -1, -1, -1])
    to_r = _product(q * conjugate, g)
    to_q = _product(g, r * conjugate)
    inner = (to_q[:, 1:] * vector).sum(axis=1)
    to_vector = s[:, None] * to_q[:, 1:] + (slope * inner - 0.5 * s * to_q[:, 0])[:, None] * vector
    return to_vector.astype(np.float32), to_r.astype(np.float32)


def drivers(rig: Rig, photos: Sequence[Photo]) -> list[tuple[str, ...]]:
    """The units and combinations that enough pictures show; two that always go together by the same weights, once.

    Sides stay apart, since each changes only what lies near what it moves.
    """
    found = []
    shown = {photo.view.pose: photo.units for photo in photos}
    number = {name: sum(photo.view.pose == name for photo in photos) for name in shown}
    for names in rig.products:
        weights = {name: product(names, units) for name, units in shown.items()}
        if sum(number[name] for name, weight in weights.items() if weight >= LEAST_WEIGHT) >= LEAST_VIEWS:
            found.append(names)
        if len(names) == 1 and _bends(weights, number):
            found.append(names * 2)
    return found


def _bends(weights: Mapping[str, float], number: Mapping[str, int]) -> bool:
    """Whether enough pictures show a unit half-way and far; pose → its weight, pose → how many pictures."""
    low = sum(number[pose] for pose, weight in weights.items() if LEAST_WEIGHT <= weight < HALF)
    high = sum(number[pose] for pose, weight in weights.items() if weight >= HALF)
    return min(low, high) >= SQUARED_VIEWS


def reach(rig: Rig, names: tuple[str, ...], place: np.ndarray) -> np.ndarray:
    """[N] 0–1: how far a driver may change Gaussians at `place` [N,3] (neutral); 1 where it moves much."""
    posed = rig.pose(dict.fromkeys(names, 1.0))
    travel = np.linalg.norm(posed - rig.vertices, axis=1)
    middle = travel[rig.triangles].mean(axis=1)
    if middle.max() < 2e-4:
        return np.zeros(len(place))
    moved = np.flatnonzero(rig.usable & (middle > 0.2 * middle.max()))
    far = REACH if any(name.endswith(("Left", "Right")) for name in names) else WIDE_REACH
    distance = cKDTree(rig.vertices[rig.triangles[moved]].mean(axis=1)).query(place, distance_upper_bound=far)[0]
    return np.where(np.isfinite(distance), 1 - np.minimum(distance / far, 1), 0.0)


def choose(wanted: Sequence[tuple[tuple[str, ...], np.ndarray, np.ndarray]], rows: int) -> Appearance:
    """An empty appearance of at most `rows` rows.

    Args:
        wanted: For each driver its units, how far it may change each Gaussian [N], and how much the pictures want each
            one changed [N].
    """
    score = np.concatenate([near * want for _, near, want in wanted]) if wanted else np.zeros(0)
    positive = score[score > 0]
    least = np.partition(positive, -rows)[-rows] if len(positive) > rows else 0.0
    names, counts, gaussian = [], [], []
    for units, near, want in wanted:
        ids = np.flatnonzero((near * want > 0) & (near * want >= least))
        if len(ids):
            names.append(units)
            counts.append(len(ids))
            gaussian.append(ids)
    total = sum(counts)
    values = {name: np.zeros((total, WIDTHS[name]), np.float32) for name in VALUES}
    ids = np.concatenate(gaussian).astype(np.int32) if gaussian else np.zeros(0, np.int32)
    return Appearance(names, np.r_[0, np.cumsum(counts)].astype(np.int32), ids, values)
