"""The sync network: two small convolutional encoders, run in numpy, and what their agreement says.

Sound and mouth become vectors, 50 a second. Over a window, the cosine between the sound's vectors and the mouth's says
how well they fit; moved against each other, it peaks where they are in step. Sync-C and Sync-D after SyncNet (Chung &
Zisserman, *Out of Time*, 2016): how far the best offset stands out, and how far apart the two are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..contract.curves import Curves
from ..contract.errors import MienError
from ..speech import prosody, sound
from . import features
from .features import STEP

WEIGHTS = Path(__file__).with_name("sync.safetensors")
#: (dilation) of each layer; every kernel is `KERNEL` wide.
DILATIONS = (1, 2, 4)
KERNEL = 5
REACH = 0.5
"""Seconds of offset, either way, that are looked at."""
WINDOW = 1.0
"""Seconds over which the local score looks."""
_SPARE = 0.15  # seconds beyond REACH that are measured, so that a peak at its edge is one
WORST_BELOW = 0.5
_SHORTEST_WORST = 0.3


@dataclass(frozen=True)
class Range:
    """A stretch of time and how well it fits (0 … 1), in seconds."""

    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Sync:
    """How well curves fit a sound.

    Attributes:
        score: 0 … 1 as they stand: about the chance that such a pair is in step.
        confidence: Sync-C's like: the best cosine less the median over all offsets.
        distance: Sync-D's like: the distance between sound and mouth at the best offset, 0 … 2.
        offset: Seconds by which the mouth comes late; negative where it is early. Take it off to be in step.
        times, scores: The local score [N] at `STEP`; NaN where nobody speaks.
        worst: The ranges that fit least, worst first.
    """

    score: float
    confidence: float
    distance: float
    offset: float
    times: np.ndarray
    scores: np.ndarray
    worst: list[Range]


@cache
def weights(path: Path = WEIGHTS) -> dict[str, np.ndarray]:
    """The network's arrays.

    Raises:
        MienError: The file is missing or another.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return {name: array.astype(np.float32) for name, array in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise MienError(f"The sync network {path} cannot be read ({error}); install Mien again.") from None


def encode(arrays: Mapping[str, np.ndarray], side: str, values: np.ndarray) -> np.ndarray:
    """Features [N, F] → vectors [N, E] by the encoder "sound" or "mouth"."""
    x = values.astype(np.float32)
    for index, dilation in enumerate(DILATIONS):
        x = np.maximum(_convolve(x, arrays[f"{side}.{index}.weight"], arrays[f"{side}.{index}.bias"], dilation), 0.0)
    return _convolve(x, arrays[f"{side}.out.weight"], arrays[f"{side}.out.bias"], 1)


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dilation: int) -> np.ndarray:
    """[N, I] by a kernel [O, I, K], edges repeated → [N, O]."""
    size = weight.shape[2]
    reach = dilation * (size // 2)
    padded = np.pad(x, ((reach, reach), (0, 0)), mode="edge")
    total = np.broadcast_to(bias, (len(x), len(bias))).copy()
    for k in range(size):
        total += padded[k * dilation : k * dilation + len(x)] @ weight[:, :, k].T
    return total


def _shifted(mouth: np.ndarray, lag: int) -> np.ndarray:
    """Vectors [N, E] `lag` frames later; zeros from outside, which agree with nothing."""
    moved = np.zeros_like(mouth)
    if lag >= 0:
        moved[: len(mouth) - lag] = mouth[lag:]
    else:
        moved[-lag:] = mouth[:lag]
    return moved


def _lags(voice: np.ndarray, mouth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lags [L] in frames, the cosine over the whole clip at each [L])."""
    most = round((REACH + _SPARE) / STEP)
    lags = np.arange(-most, most + 1)
    cosines = []
    for lag in lags:
        moved = _shifted(mouth, lag)
        known = slice(max(-lag, 0), len(mouth) - max(lag, 0))
        cosines.append(_cosine((voice * moved).sum(), (voice[known] ** 2).sum(), (moved**2).sum()))
    return lags, np.array(cosines)


def _cosine(dot: float, first: float, second: float) -> float:
    return float(dot / np.sqrt(first * second + 1e-12))


def _offset(lags: np.ndarray, cosines: np.ndarray) -> float:
    """Seconds at the peak within REACH, between frames by a parabola."""
    within = np.abs(lags) * STEP <= REACH + 1e-9
    best = int(np.flatnonzero(within)[cosines[within].argmax()])
    left, middle, right = cosines[best - 1 : best + 2]
    bend = left - 2 * middle + right
    part = 0.5 * (left - right) / bend if bend < -1e-9 else 0.0
    return float((lags[best] + np.clip(part, -0.5, 0.5)) * STEP)


def _local(arrays: Mapping[str, np.ndarray], voice: np.ndarray, mouth: np.ndarray) -> np.ndarray:
    """The local score [N], 0 … 1, of a window around each frame."""
    width = round(WINDOW / STEP) | 1
    window = np.hanning(width + 2)[1:-1]

    def over(values: np.ndarray) -> np.ndarray:
        return np.convolve(np.pad(values, width // 2, mode="constant"), window, mode="valid")

    dot, first, second = over((voice * mouth).sum(1)), over((voice**2).sum(1)), over((mouth**2).sum(1))
    return probability(arrays, dot / np.sqrt(first * second + 1e-12))


def probability(arrays: Mapping[str, np.ndarray], cosine: np.ndarray) -> np.ndarray:
    """A window's cosine → the chance that it is in step rather than not, by the training's own calibration."""
    slope, offset = arrays["calibration"]
    return 1.0 / (1.0 + np.exp(-np.clip(slope * np.asarray(cosine, np.float64) + offset, -30.0, 30.0)))


def check(heard: sound.Sound, curves: Curves, where: str = "The sound") -> Sync:
    """Score curves against the sound that they should say; both begin at second 0.

    Raises:
        MienError: Nobody speaks in the sound, or the two have less than a second in common.
    """
    measured = prosody.measure(heard)
    if not measured.has_speech:
        raise MienError(f"{where} has no speech in it, so there is nothing to be in step with; choose another sound.")
    voice, mouth = features.of_sound(measured), features.of_mouth(curves)
    length = min(len(voice), len(mouth))
    if length * STEP < 1.0:
        raise MienError(f"{where} and the curves have {length * STEP:.1f} s in common; at least one second is needed.")
    return compare(voice[:length], mouth[:length], speaking(measured, length))


def speaking(measured: prosody.Prosody, length: int) -> np.ndarray:
    """[N] bool at `STEP`: somebody speaks within 0.2 s."""
    index = np.minimum(np.arange(length) * round(STEP / prosody.STEP), len(measured.speaking) - 1)
    reach = round(0.2 / STEP)
    return np.convolve(measured.speaking[index], np.ones(2 * reach + 1), mode="same") > 0


def compare(
    voice: np.ndarray, mouth: np.ndarray, spoken: np.ndarray, arrays: Mapping[str, np.ndarray] | None = None
) -> Sync:
    """`check` from features [N, …] of one length."""
    arrays = weights() if arrays is None else arrays
    times = np.arange(len(voice)) * STEP
    if not mouth.any():  # it never moves: no offset is better than another
        scores = np.where(spoken, 0.0, np.nan)
        return Sync(0.0, 0.0, float(np.sqrt(2.0)), 0.0, times, scores, worst(times, scores))
    voice, mouth = encode(arrays, "sound", voice), encode(arrays, "mouth", mouth)
    lags, cosines = _lags(voice, mouth)
    scores = np.where(spoken, _local(arrays, voice, mouth), np.nan)
    best = cosines[np.abs(lags) * STEP <= REACH + 1e-9].max()
    return Sync(
        float(np.nanmean(scores)),
        float(best - np.median(cosines)),
        float(np.sqrt(max(2.0 - 2.0 * best, 0.0))),
        _offset(lags, cosines),
        times,
        scores,
        worst(times, scores),
    )


def worst(times: np.ndarray, scores: np.ndarray, most: int = 8) -> list[Range]:
    """The stretches whose local score is below `WORST_BELOW`, worst first."""
    found = [
        Range(float(times[start]), float(times[end - 1]) + STEP, float(np.nanmean(scores[start:end])))
        for start, end in prosody.runs(np.nan_to_num(scores, nan=1.0) < WORST_BELOW)
        if (end - start) * STEP >= _SHORTEST_WORST
    ]
    return sorted(found, key=lambda entry: entry.score)[:most]
