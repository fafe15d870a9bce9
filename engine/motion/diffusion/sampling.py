"""Curves of any length from the denoiser: noise that is the same everywhere, overlapping windows, guidance, locks.

Windows lie at fixed places in absolute time and overlap by half. At every step each is denoised and their answers are
blended with weights that sum to one and fall to zero at a window's ends, so that there are no seams; the step to the
next noise level is then taken for the whole line at once.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from . import layout, network

STEPS = 6
SOURCES = ("speech", "emotion", "keys")
"""What can be guided by, in the order of `layout.SOURCES`."""
TEMPERATURE = 0.8
VARIETY: np.ndarray = np.array([0.4, 0.7, 1.0])[layout.ZONE_OF]
"""[C] how far a take may leave what is most likely: speech leaves a mouth less freedom than a brow."""
_BLOCK = 256
_BATCH = 24


def alpha(level):
    """ᾱ at a noise level 0 … 1 (numpy or torch): the cosine schedule (Nichol & Dhariwal 2021), never quite 0 or 1."""
    angle = (0.02 + 0.96 * level) * (np.pi / 2)
    cos = angle.cos() if hasattr(angle, "cos") else np.cos(angle)
    return cos * cos


def noise(seed: int, first: int, frames: int, stream: str = "") -> np.ndarray:
    """[frames, C] normal numbers for absolute frames from `first` on.

    Philox counts in blocks, so a frame's number depends on seed, channel and frame alone, on any machine and for any
    length; the inverse of the normal distribution turns its bits into values (numpy promises the bits, not `normal`).
    """
    low, high = first // _BLOCK, (first + frames - 1) // _BLOCK + 1
    columns = []
    for name in layout.CHANNELS:
        key = (seed << 64) | zlib.crc32((stream + name).encode())
        bits = np.concatenate([
            np.random.Philox(key=key, counter=[0, 0, block, 0]).random_raw(_BLOCK) for block in range(low, high)
        ])  # fmt: skip
        columns.append(ndtri(((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53))
    whole = np.column_stack(columns)
    return whole[first - low * _BLOCK : first - low * _BLOCK + frames]


@dataclass(frozen=True)
class Order:
    """What is asked for, at the model's rate, T frames.

    Attributes:
        audio: [T, AUDIO_SIZE] or None where nothing is heard.
        emotion: [T, EMOTION_SIZE].
        given, mask: [T, C] in the model's scale, see `network.Told`; None without.
        guidance: {source: weight}; 1 follows a source as in training, 0 not at all, above 1 more than it asks.
        seed: Chooses the noise.
    """

    audio: np.ndarray | None
    emotion: np.ndarray | None
    given: np.ndarray | None
    mask: np.ndarray | None
    guidance: Mapping[str, float]
    seed: int


def sample(
    weights: network.Weights, order: Order, frames: int, steps: int = STEPS, temperature: float = TEMPERATURE,
    tick: Callable[[float], None] | None = None,
) -> np.ndarray:  # fmt: skip
    """[frames, C] float64 in the model's scale.

    Args:
        steps: Denoising steps; 1 gives the mean of what could be, without variety.
        temperature: Scales the noise that is started from: 0 gives one answer for all seeds.
        tick: Told the fraction done; what it raises ends the work.
    """
    starts = window_starts(frames)
    padded = starts[-1] + layout.WINDOW
    variants = _variants(order)
    told = [_Windows(weights, order, starts, padded, left_out) for left_out, _ in variants]
    levels = np.linspace(1.0, 0.0, steps + 1)
    curve = temperature * noise(order.seed, 0, padded)
    locked, wanted = _locked(order, padded)
    likely = np.zeros_like(curve)
    blend = _blend(starts, padded)
    for index, (level, following) in enumerate(itertools.pairwise(levels)):
        clean = np.zeros_like(curve)
        for windows, (_, share) in zip(told, variants, strict=True):
            clean += share * windows.denoise(curve, float(level), blend)
        likely = clean if index == 0 else likely  # from noise alone the denoiser answers with the mean
        if following <= 0:
            clean = likely + VARIETY * (clean - likely)
        clean = np.where(locked, wanted, clean)
        if tick:
            tick((index + 1) / steps)
        if following <= 0:
            return clean[:frames]
        here, there = alpha(level), alpha(following)
        rest = (curve - np.sqrt(here) * clean) / np.sqrt(1 - here)
        curve = np.sqrt(there) * clean + np.sqrt(1 - there) * rest
    raise AssertionError("unreachable")


def window_starts(frames: int) -> np.ndarray:
    """First frames of the windows that cover 0 … frames − 1."""
    count = max(0, -(-(frames - layout.WINDOW) // layout.HOP)) + 1
    return np.arange(count) * layout.HOP


def _variants(order: Order) -> list[tuple[frozenset[str], float]]:
    """[(sources left out, share)]: x + Σ (w − 1)(x − x without), for the sources that have any say and w ≠ 1."""
    present = {"speech": order.audio is not None, "emotion": order.emotion is not None, "keys": order.given is not None}
    weights = {name: float(order.guidance.get(name, 1.0)) for name in SOURCES if present[name]}
    extra = {name: weight - 1.0 for name, weight in weights.items() if weight != 1.0}
    variants = [(frozenset[str](), 1.0 + sum(extra.values()))]
    return variants + [(frozenset([name]), -share) for name, share in extra.items()]


def _locked(order: Order, padded: int) -> tuple[np.ndarray, np.ndarray]:
    """([T, C] bool, [T, C]): what the artist set, which no step may change."""
    if order.given is None or order.mask is None:
        return np.zeros((1, 1), bool), np.zeros((1, 1))
    return _padded(order.mask, padded) >= 1.0, _padded(order.given, padded).astype(np.float64)


def _padded(array: np.ndarray, frames: int) -> np.ndarray:
    return np.pad(array, ((0, frames - len(array)), (0, 0)), mode="edge") if len(array) < frames else array[:frames]


def _blend(starts: np.ndarray, padded: int) -> np.ndarray:
    """[W, WINDOW] weights of each window's frames: raised cosines over the overlaps, whole at the line's two ends."""
    x = (np.arange(layout.WINDOW) + 0.5) / layout.WINDOW
    shape = np.sin(np.pi * x) ** 2
    total = np.zeros(padded)
    for start in starts:
        total[start : start + layout.WINDOW] += shape
    return np.stack([shape / total[start : start + layout.WINDOW] for start in starts])


class _Windows:
    """All windows of a line with what they are told, encoded once."""

    def __init__(
        self, weights: network.Weights, order: Order, starts: np.ndarray, padded: int, left_out: frozenset[str]
    ) -> None:
        self.weights, self.starts = weights, starts
        index = starts[:, None] + np.arange(layout.WINDOW)

        def cut(array: np.ndarray | None, name: str) -> np.ndarray | None:
            return None if array is None or name in left_out else _padded(array, padded)[index].astype(np.float32)

        audio, emotion = cut(order.audio, "speech"), cut(order.emotion, "emotion")
        given, mask = cut(order.given, "keys"), cut(order.mask, "keys")
        self.known = []
        for low in range(0, len(starts), _BATCH):
            part = slice(low, low + _BATCH)
            told = network.Told(*(array if array is None else array[part] for array in (audio, emotion, given, mask)))
            self.known.append(network.know(weights, told, len(starts[part])))

    def denoise(self, curve: np.ndarray, level: float, blend: np.ndarray) -> np.ndarray:
        """[T, C] the windows' clean curves, blended."""
        clean = np.zeros_like(curve)
        for number, low in enumerate(range(0, len(self.starts), _BATCH)):
            starts = self.starts[low : low + _BATCH]
            noisy = curve[starts[:, None] + np.arange(layout.WINDOW)]
            answers = network.denoise(self.weights, noisy, level, self.known[number])
            for start, share, answer in zip(starts, blend[low : low + _BATCH], answers, strict=True):
                clean[start : start + layout.WINDOW] += share[:, None] * answer
        return clean
