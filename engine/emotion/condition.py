"""The emotion vector: what a generator of motion is told about a feeling, whatever the feeling came from.

A vector has nine numbers in the order of `DIMENSIONS`: valence and arousal (−1 … 1), then how much there is of each of
the seven labels of EMFACS (0 … 1.5; 1 is the whole face of the label's table). Every source comes here: a label, a
point of the pad, curves (by what the Action Units show), a direction in words (by what was understood, over time).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ..contract import channels as contract
from ..contract.curves import Curves
from ..contract.errors import MienError
from . import circle
from .tables import MAX_INTENSITY, emotion, emotions, slots

LABELS: tuple[str, ...] = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "contempt")
DIMENSIONS: tuple[str, ...] = ("valence", "arousal", *LABELS)
SIZE = len(DIMENSIONS)
NEUTRAL = np.zeros(SIZE)
NEUTRAL.setflags(write=False)

_SPARSE = 0.02
"""Penalty on a label's strength: of labels that show the same codes, few explain a face."""
_SWEEPS = 25
_RIDGE = 0.3


def clip(vectors: np.ndarray) -> np.ndarray:
    """[..., 9] brought into range; what is not finite becomes 0."""
    vectors = np.nan_to_num(np.asarray(vectors, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.zeros(SIZE), np.full(SIZE, MAX_INTENSITY)
    low[:2], high[:2] = -1.0, 1.0
    return np.clip(vectors, low, high)


def label(name: str, intensity: float = 1.0) -> np.ndarray:
    """[9] of an emotion of the table at an intensity of 0 … 1.5.

    Raises:
        MienError: There is no such label, or the intensity is out of range.
    """
    entry = emotion(name)
    if not 0.0 <= intensity <= MAX_INTENSITY:
        raise MienError(f"The intensity of {name!r} is {intensity:g}; give one from 0 to {MAX_INTENSITY:g}.")
    vector = np.zeros(SIZE)
    vector[:2] = np.array([entry.valence, entry.arousal]) * intensity
    if entry.name in LABELS:
        vector[DIMENSIONS.index(entry.name)] = intensity
    else:
        vector[2:] = strengths(entry.face(intensity))
    return clip(vector)


def va(valence: float | np.ndarray, arousal: float | np.ndarray) -> np.ndarray:
    """[..., 9] of points of the pad, each −1 … 1."""
    valence, arousal = np.broadcast_arrays(np.asarray(valence, float), np.asarray(arousal, float))
    shown = strengths(circle.face(valence, arousal))
    return clip(np.concatenate([valence[..., None], arousal[..., None], shown], axis=-1))


def timeline(curves: Curves) -> np.ndarray:
    """[T, 9] of AU curves, frame by frame: what a face that moves so seems to feel."""
    return of_face(faces(curves))


def faces(curves: Curves, frames: np.ndarray | slice = slice(None)) -> np.ndarray:
    """[N, S] the codes that curves show at frames."""
    values = np.zeros((len(curves.values[frames]), len(contract.CHANNELS)))
    values[:, [contract.INDEX[name] for name in curves.channels]] = curves.values[frames]
    return from_channels(values)


def text(
    direction: str, words: Sequence = (), *, fps: float = 24.0, duration: float | None = None, meaning: bool = True
) -> np.ndarray:
    """[T, 9] of a direction in words over time.

    Args:
        direction: As `engine emotion --text` reads it.
        words: The line's words (`engine.emotion.text.Spoken`).
        duration: Seconds; without it, what the direction needs.

    Raises:
        MienError: As `command.from_text`.
    """
    from .command import from_text

    return reading(from_text(direction, list(words), meaning=meaning, fps=fps, duration=duration))


def reading(understood, frames: np.ndarray | slice = slice(None)) -> np.ndarray:
    """[N, 9] of a `timeline.Reading` at frames: the curves' own, and where feelings are named, their place on the pad.

    A feeling's place on the circle is known where it is named; its face alone may not show it (calm moves little).
    """
    shown = of_face(faces(understood.curves, frames))
    times = np.arange(len(understood.curves.values))[frames] / understood.curves.fps
    place, weight = np.zeros((len(times), 2)), np.zeros(len(times))
    for start, end, feelings in understood.feelings:
        inside = _window(times, start, end)
        points = [
            np.array([emotions()[name].valence, emotions()[name].arousal]) * min(strength, MAX_INTENSITY)
            for name, strength, _ in feelings
        ]
        place += inside[:, None] * np.mean(points, axis=0)
        weight += inside
    share = np.clip(weight, 0.0, 1.0)[:, None]
    named = place / np.maximum(weight, 1e-9)[:, None]
    shown[:, :2] = share * named + (1 - share) * shown[:, :2]
    return clip(shown)


def _window(times: np.ndarray, start: float, end: float, ease: float = 0.6) -> np.ndarray:
    """[T] 0 … 1: a feeling comes in within `ease` seconds, and is replaced as the next comes in."""

    def step(at: float) -> np.ndarray:
        phase = np.clip((times - at) / ease, 0, 1)
        return phase * phase * (3 - 2 * phase)

    return step(start) - step(end)


# ── from what a face shows ───────────────────────────────────────────────────────────────────────────────────────────


def of_face(faces: np.ndarray) -> np.ndarray:
    """[..., 9] of slots [..., S]."""
    faces = np.abs(np.asarray(faces, float))
    rows = faces.reshape(-1, faces.shape[-1])
    place = np.tanh(np.concatenate([rows, _pairs(rows)], axis=1) @ _placing())
    vectors = np.concatenate([place, strengths(rows)], axis=1)
    return clip(vectors).reshape(*faces.shape[:-1], SIZE)


def strengths(faces: np.ndarray) -> np.ndarray:
    """[..., 7] how much of each label explains slots [..., S]: sparse non-negative least squares on their faces."""
    faces = np.asarray(faces, float)
    rows = np.maximum(faces.reshape(-1, faces.shape[-1]), 0.0) @ _folded()
    basis = np.array([emotions()[name].face(1.0) for name in LABELS]) @ _folded()
    gram, match = basis @ basis.T, rows @ basis.T - _SPARSE
    found = np.zeros((len(rows), len(LABELS)))
    for _ in range(_SWEEPS):
        for k in range(len(LABELS)):
            found[:, k] = np.maximum(0.0, (match[:, k] - found @ gram[:, k]) / gram[k, k] + found[:, k])
    return np.minimum(found, MAX_INTENSITY).reshape(*faces.shape[:-1], len(LABELS))


def from_channels(values: np.ndarray) -> np.ndarray:
    """Channel values [T, C] → slots [T, S], as well as channels tell codes apart."""
    return np.maximum(np.asarray(values, float) @ _codes_of_channels(), 0.0)


@cache
def _codes_of_channels() -> np.ndarray:
    """[C, S] a code is read from the channels it moves, by their share."""
    matrix = slots().matrix
    inverse = np.zeros((len(contract.CHANNELS), len(slots())))
    for slot, row in enumerate(matrix):
        total = np.abs(row).sum()
        inverse[:, slot] = row / (np.abs(row) * np.abs(row)).sum() if total else 0.0
    return inverse


@cache
def _folded() -> np.ndarray:
    """[S, F] slots → the features that strengths compare: sum and difference of the sides; no head, no gaze."""
    index = slots()
    columns = []
    for code in index.aus:
        if code.isdigit() and int(code) > 50:
            continue
        rows = np.flatnonzero(index.codes == code)
        column = np.zeros((len(index), 1 if len(rows) == 1 else 2))
        column[rows, 0] = 1.0 / len(rows)
        if len(rows) == 2:
            column[rows[0], 1], column[rows[1], 1] = 0.5, -0.5
        columns.append(column)
    return np.concatenate(columns, axis=1)


_CODES = ("1", "2", "4", "5", "6", "7", "9", "10", "12", "14", "15", "17", "20", "24", "25", "43")


def _pairs(faces: np.ndarray) -> np.ndarray:
    """[N, P] products of the codes whose meaning changes with company (brows up: with wide eyes, or with a frown)."""
    index = slots()
    codes = np.stack([faces[:, index.codes == code].max(axis=1) for code in _CODES], axis=1)
    first, second = np.triu_indices(len(_CODES))
    return codes[:, first] * codes[:, second]


@cache
def _placing() -> np.ndarray:
    """[S + P, 2] from what a face shows to valence and arousal, fitted to the tables and to the map of the circle.

    Ridge regression on artanh, so that neutral is 0 and nothing leaves the pad.
    """
    faces, places = [], []
    for entry in emotions().values():
        for intensity in (0.25, 0.5, 0.75, 1.0):
            faces.append(entry.face(intensity))
            places.append(np.array([entry.valence, entry.arousal]) * intensity)
    for radius in (0.35, 0.7, 1.0):
        for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
            place = radius * np.array([np.cos(angle), np.sin(angle)])
            faces.append(circle.face(*place))
            places.append(place)
    rows = np.abs(np.array(faces))
    rows = np.concatenate([rows, _pairs(rows)], axis=1)
    wanted = np.arctanh(np.clip(places, -0.97, 0.97))
    return np.linalg.solve(rows.T @ rows + _RIDGE * np.eye(rows.shape[1]), rows.T @ wanted)
