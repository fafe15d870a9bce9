"""Emotion over speech: added by zones, so that a mood shapes the mouth and never breaks what the lips must do.

Outside the mouth and jaw the emotion is added as it is. In them it is limited in time by what the phones need: where
lips must meet (p b m) or tuck (f v) nothing may part them or hold them back, where the jaw must be high (s sh) it may
not drop, rounded sounds are not spread, and pressed lips give way to an open vowel. In pauses the emotion has the mouth
to itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..contract import channels as contract
from ..contract.curves import Curves
from ..contract.errors import MienError
from .tables import data

#: (symbol, start, end) in seconds, as a performance has them.
Phones = Sequence[tuple[str, float, float]]
#: {zone: a number, or one at each frame}: 0 speech alone, 0.5 both, 1 the emotion before speech.
Priority = Mapping[str, float | Sequence[float] | np.ndarray]
SILENCE = "sil"
_ZONES = ("mouth", "jaw_tongue")


def combine(speech: Curves, emotion: Curves, phones: Phones, priority: Priority | None = None) -> Curves:
    """Speech with an emotion laid over it.

    Args:
        speech: The spoken line's curves; the result has their frame rate and length.
        emotion: Emotion curves at any frame rate; the last frame is held.
        phones: The line's phones, in order.
        priority: {zone: 0 … 1, or that at each frame of speech} who wins in a zone: 0 is speech alone, 1 is the
            emotion as far as articulation allows. Above 0.5 the emotion is whole and speech's own movement of that
            zone, outside the mouth and jaw, gives way.

    Raises:
        MienError: A priority names no zone, or is out of range.
    """
    times = np.arange(len(speech.values)) / speech.fps
    base = speech.dense()
    total = contract.clamp(base + added(emotion, phones, times, priority) - yielded(base, priority))
    used = np.flatnonzero(np.abs(total).max(axis=0) > 1e-9)
    used = np.union1d(used, [contract.INDEX[name] for name in speech.channels])
    return Curves(speech.fps, tuple(contract.NAMES[column] for column in used), total[:, used])


def added(emotion: Curves, phones: Phones, times: np.ndarray, priority: Priority | None = None) -> np.ndarray:
    """What an emotion adds to speech, whatever the speech's own curves are.

    Args:
        emotion: Emotion curves at any frame rate; the last frame is held.
        phones: The line's phones in order, on the same clock as `times`.
        times: [T] seconds, rising.
        priority: As in `combine`, at each of `times`.

    Returns:
        [T, C] over all channels of the table, not clamped. At a closure nothing in it opens the lips.

    Raises:
        MienError: As `combine`.
    """
    weights = _weights(priority, len(times))
    mood = np.zeros((len(times), len(contract.CHANNELS)))
    mood[:, [contract.INDEX[name] for name in emotion.channels]] = emotion.at(times)
    need = needs(phones, times)
    for column, channel in enumerate(contract.CHANNELS):
        mood[:, column] *= np.minimum(1.0, 2 * weights[channel.zone])
        if channel.zone in _ZONES:
            mood[:, column] *= _room(channel.name, need, len(times))
    return _seal(mood, need)


def yielded(speech: np.ndarray, priority: Priority | None = None) -> np.ndarray:
    """[T, C] what speech [T, C] gives up where the emotion has priority: nothing in mouth and jaw.

    Raises:
        MienError: As `combine`.
    """
    weights = _weights(priority, len(speech))
    result = np.zeros_like(speech)
    for column, channel in enumerate(contract.CHANNELS):
        if channel.zone not in _ZONES:
            result[:, column] = speech[:, column] * np.clip(2 * weights[channel.zone] - 1, 0, 1)
    return result


def _weights(priority: Priority | None, frames: int) -> dict[str, np.ndarray]:
    """{zone: [T] 0 … 1} for every zone; a row that is too short is held at its last value."""
    weights = {zone: np.full(frames, 0.5) for zone, _ in contract.ZONES}
    for zone, value in (priority or {}).items():
        row = np.atleast_1d(np.asarray(value, dtype=float))
        if zone not in weights or row.ndim != 1 or not len(row) or not (row.min() >= 0 and row.max() <= 1):
            names = ", ".join(contract.ZONE_LABELS)
            raise MienError(f"The priority {zone!r} is {_short(value)}; zones are {names}, each from 0 to 1.")
        weights[zone] = np.concatenate([row, np.full(max(frames - len(row), 0), row[-1])])[:frames]
    return weights


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 40 else text[:37] + "…"


def needs(phones: Phones, times: np.ndarray) -> dict[str, np.ndarray]:
    """{need: [T] 0 … 1}: how much each duty of lips and jaw binds at each time, with its run-up and release."""
    table = data("speech_needs")
    result = {}
    for name, row in table["needs"].items():
        symbols = set(row["phones"].split())
        value = np.zeros(len(times))
        for symbol, start, end in phones:
            bound = symbol not in (SILENCE, "") if row["phones"] == "*" else symbol in symbols
            if bound:
                first, last = np.searchsorted(times, (start - row["before"], end + row["after"]))
                near = times[first:last]  # elsewhere the ramp is 0
                rise = (near - (start - row["before"])) / row["before"]
                fall = ((end + row["after"]) - near) / row["after"]
                ramp = np.clip(np.minimum(rise, fall), 0, 1)
                value[first:last] = np.maximum(value[first:last], ramp * ramp * (3 - 2 * ramp))
        result[name] = value
    return result


def _room(channel: str, need: dict[str, np.ndarray], frames: int) -> np.ndarray:
    """[T] 0 … 1: how much of an emotion a mouth or jaw channel may show."""
    name = channel.split(".")[0]
    room = np.ones(frames)
    for row in data("speech_needs")["limits"]:
        if name in row["channels"]:
            room = room * (1 - row["share"] * need[row["need"]])
    return room


def _seal(mood: np.ndarray, need: dict[str, np.ndarray]) -> np.ndarray:
    """At a closure nothing that parts the lips stands higher than in speech alone, nothing that shuts them lower."""
    shut = np.maximum(need["closure"], need["tuck"])[:, None]
    opening = np.array([channel.name.split(".")[0] in data("speech_needs")["opening"] for channel in contract.CHANNELS])
    closing = np.array([channel.name.split(".")[0] in data("speech_needs")["closing"] for channel in contract.CHANNELS])
    held = np.where(opening, np.minimum(mood, 0.0), np.where(closing, np.maximum(mood, 0.0), mood))
    return mood + shut * (held - mood)
