"""Valence and arousal → face: smooth around the circle and along every radius, and clear of articulation.

Anchors are the emotion tables themselves, at the angles where their labels lie on Russell's circumplex. At an angle the
face is the mean of the anchors, weighted by a von Mises kernel of the angle between; along a radius it grows
smoothly from neutral. The map moves no jaw and closes no lips, and of the mouth's codes it moves only the shares in
data/circle.json.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.optimize import nnls

from ..contract import channels as contract
from ..contract import circle as directions
from ..contract.curves import Curves
from ..contract.errors import MienError
from .tables import data, emotions, slots


@cache
def _anchors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(angles [E], weights [E], faces [E, S] at radius 1)."""
    table, index = data("circle"), slots()
    shares = np.zeros(len(index))
    for code, share in table["shares"].items():
        shares[index.mask([code])] = share
    angles, weights, faces = [], [], []
    for label, weight in table["anchors"].items():
        entry = emotions()[label]
        angles.append(math.atan2(entry.arousal, entry.valence))
        weights.append(weight)
        faces.append(entry.face(1.0) * shares)
    return np.array(angles), np.array(weights), np.array(faces)


def face(valence: float | np.ndarray, arousal: float | np.ndarray) -> np.ndarray:
    """Slots [..., S] of points of the pad, each −1 … 1; beyond the circle it hardly grows.

    Once continuously differentiable everywhere, neutral at the centre.
    """
    valence, arousal = np.broadcast_arrays(np.asarray(valence, float), np.asarray(arousal, float))
    angles, weights, faces = _anchors()
    table = data("circle")
    radius = np.hypot(valence, arousal)
    angle = np.arctan2(arousal, valence)
    kernel = weights * np.exp(table["concentration"] * (np.cos(angle[..., None] - angles) - 1))
    mean = (kernel / kernel.sum(-1, keepdims=True)) @ faces
    # r²/√(r² + c²): slope 0 at the centre, where every angle meets, and nearly r further out.
    centre = table["centre"]
    length = radius**2 / np.sqrt(radius**2 + centre**2) * math.sqrt(1 + centre**2)
    length = np.where(length > 1, 1 + 0.15 * np.tanh((length - 1) / 0.15), length)
    values = length[..., None] * mean
    for code, most in table["most"].items():
        rows = slots().mask([code])
        values[..., rows] = most * np.tanh(values[..., rows] / most)
    return values


def track(points: Sequence[tuple[float, float]], fps: float = 24.0, duration: float | None = None) -> np.ndarray:
    """[T, 2] along points of the pad: from neutral to one point, or evenly timed through several.

    Raises:
        MienError: A value is not within −1 … 1.
    """
    for valence, arousal in points:
        if not (abs(valence) <= 1 and abs(arousal) <= 1):
            raise MienError(f"Valence and arousal are {valence:g}, {arousal:g}; give each from -1 to 1.")
    length = duration or (3.0 if len(points) == 1 else 1.5 * (len(points) - 1))
    if not (math.isfinite(length) and 0 < length <= 3600 and math.isfinite(fps) and 1 <= fps <= 1000):
        raise MienError(
            f"A duration of {length:g} s at {fps:g} frames a second is out of range; give 0 to 3600 s, 1 to 1000."
        )
    times = np.arange(math.ceil(length * fps - 1e-9) + 1) / fps
    path = np.array(points, dtype=float)
    if len(path) == 1:
        phase = np.clip(times / min(0.8, length), 0, 1)
        return (phase**3 * (10 + phase * (6 * phase - 15)))[:, None] * path
    position = np.clip(times / length, 0, 1) * (len(path) - 1)
    low = np.minimum(position.astype(int), len(path) - 2)
    phase = position - low
    ease = (phase * phase * (3 - 2 * phase))[:, None]
    return path[low] * (1 - ease) + path[low + 1] * ease


def curves(points: Sequence[tuple[float, float]], fps: float = 24.0, duration: float | None = None) -> Curves:
    """AU curves along points of the pad: from neutral to one point, or evenly timed through several.

    Raises:
        MienError: As `track`.
    """
    path = track(points, fps, duration)
    full = slots().to_channels(face(path[:, 0], path[:, 1]))
    used = np.flatnonzero(np.abs(full).max(axis=0) > 1e-6)
    used = used if len(used) else np.array([contract.INDEX["AU12 Lip Corner Puller.L"]])
    return Curves(fps, tuple(contract.NAMES[column] for column in used), full[:, used])


#: Units of the face that the two channels move. What parts the lips or turns the eyes is left to speech and gaze.
CHANNEL_UNITS = (
    "eyeBlink", "eyeSquint", "eyeWide", "mouthSmile", "mouthFrown", "mouthStretch", "browDown", "browInnerUp",
    "browOuterUp", "cheekSquint", "noseSneer",
)  # fmt: skip
_LEAST = 0.01


@cache
def fitted() -> tuple[dict[str, np.ndarray], float, float]:
    """The map in the form that the contract's channels have: what `engine.contract.circle.UNITS` must hold.

    Returns:
        {unit without side: what each direction adds [12]}, and the mean and the largest error over the disc, in units.
    """
    angles, radii = np.meshgrid(np.linspace(0, 2 * np.pi, 180, endpoint=False), np.linspace(0.1, 1, 10))
    valence, arousal = (radii * np.cos(angles)).ravel(), (radii * np.sin(angles)).ravel()
    units = contract.to_units(slots().to_channels(face(valence, arousal)))
    bumps = directions.weights(valence, arousal)
    table, errors = {}, []
    for name in CHANNEL_UNITS:
        wanted = units[:, contract.UNITS.index(name + "Left")]
        row = nnls(bumps, wanted)[0]
        table[name] = np.where(row < _LEAST, 0.0, row)
        errors.append(np.abs(bumps @ table[name] - wanted))
    return table, float(np.mean(errors)), float(np.max(errors))
