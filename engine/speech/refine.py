"""Phone boundaries moved to where the sound changes, and the bursts of stops found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .phones import SILENCE, STOPS, VOWELS, Phone
from .prosody import STEP, Prosody

REACH = 0.03
"""A boundary moves at most this far, in seconds: what the aligners scatter by."""
SHORTEST = 0.02
PAUSE = 0.06
"""Seconds: quiet before a phone that lasts longer is a pause."""
LONGEST_CLOSURE = 0.12
"""Seconds: a silence before a burst that lasts longer is a pause, not all of it a closure."""
_SIDE = 4  # measurements on each side that are compared: 20 ms
_PULL = 0.5  # how strongly a boundary stays where the aligner put it: cost of moving by REACH


def refine(phones: list[Phone], prosody: Prosody, duration: float, lateness: float = 0.0) -> list[Phone]:
    """Phones with better boundaries, in the same order, gapless over 0 … duration.

    Every boundary first moves by the aligner's known lateness, then to the place of greatest spectral change within
    `REACH`. Boundaries stay in order and phones at least `SHORTEST` long where their times allow it at all.

    Args:
        phones: Gapless, from time 0.
        lateness: Seconds to subtract from every boundary first.
    """
    phones = [phone for phone in phones if phone.end > phone.start]
    if not phones:
        return [Phone(SILENCE, 0.0, duration)]
    times = np.array([phone.start for phone in phones[1:]]) - lateness
    change = _change(prosody)
    moved = [
        _nearest_change(change, _edge(prosody, left, right), time)
        for left, right, time in zip(phones, phones[1:], times, strict=False)
    ]
    bounds = _in_order(np.array([0.0, *moved, duration]))
    refined = [phone.moved(bounds[k], bounds[k + 1]) for k, phone in enumerate(phones)]
    refined = _trimmed(refined, prosody)
    released = [_with_release(phone, prosody) for phone in refined]
    return _merge_silence([part for phone in released for part in _without_pause(phone, prosody)])


def _change(prosody: Prosody) -> np.ndarray:
    """[N] mean absolute band difference in dB between the 20 ms after and the 20 ms before each measurement."""
    floor = prosody.noise - 5.0
    bands = np.maximum(prosody.bands, floor)
    sums = np.concatenate([np.zeros((1, bands.shape[1])), np.cumsum(bands, axis=0)])
    index = np.arange(len(bands))
    low, high = np.maximum(index - _SIDE, 0), np.minimum(index + _SIDE, len(bands))
    after = (sums[high] - sums[index]) / np.maximum(high - index, 1)[:, None]
    before = (sums[index] - sums[low]) / np.maximum(index - low, 1)[:, None]
    result = np.abs(after - before).mean(1)
    result[:2] = result[-2:] = 0.0
    return result


def _edge(prosody: Prosody, left: Phone, right: Phone) -> np.ndarray:
    """[N] how much the level rises (or falls), for boundaries whose direction is known; zeros elsewhere."""
    rising = left.symbol in STOPS | {SILENCE} and (right.symbol in VOWELS or left.symbol == SILENCE)
    falling = left.symbol in VOWELS and right.symbol in STOPS | {SILENCE}
    if not rising and not falling:
        return np.zeros(1)
    slope = np.zeros_like(prosody.level)
    slope[2:-2] = prosody.level[4:] - prosody.level[:-4]
    return np.clip(slope if rising else -slope, 0.0, None)


def _nearest_change(change: np.ndarray, edge: np.ndarray, time: float) -> float:
    centre = round(time / STEP)
    reach = round(REACH / STEP)
    places = np.arange(max(centre - reach, 0), min(centre + reach, len(change) - 1) + 1)
    if len(places) == 0:
        return time
    score = change[places] / max(change[places].max(), 3.0)
    if len(edge) > 1:
        score = score + edge[places] / max(edge[places].max(), 6.0)
    score = score - _PULL * ((places * STEP - time) / REACH) ** 2
    return float(places[score.argmax()] * STEP)


def _in_order(bounds: np.ndarray) -> np.ndarray:
    """Rising bounds, neighbours at least `SHORTEST` apart (less where there are too many for the time)."""
    gap = min(SHORTEST, (bounds[-1] - bounds[0]) / (len(bounds) - 1))
    steps = np.arange(len(bounds)) * gap
    # Forwards pushes late what is too close, backwards pulls early what that pushed beyond the end.
    forward = np.maximum.accumulate(bounds - steps) + steps
    forward[-1] = bounds[-1]
    return np.maximum(np.minimum.accumulate((forward - steps)[::-1])[::-1] + steps, bounds[0] + steps)


def _trimmed(phones: list[Phone], prosody: Prosody) -> list[Phone]:
    """Phones without the pauses that aligners stretch them over: quiet at a phone's start or end becomes silence."""
    quiet = max(prosody.noise + 6.0, prosody.loud - 35.0)
    result: list[Phone] = []
    for phone in phones:
        low, high = int(np.ceil(phone.start / STEP)), int(phone.end / STEP) + 1
        loud = np.flatnonzero(prosody.level[low:high] > quiet)
        if phone.symbol in STOPS | {SILENCE} or len(loud) == 0:
            result.append(phone)
            continue
        start, end = (low + loud[0]) * STEP, (low + loud[-1] + 1) * STEP
        start = start if start > phone.start + PAUSE else phone.start
        end = max(end, start + 2 * SHORTEST) if end < phone.end - REACH else phone.end
        if phone.start < start:
            result.append(Phone(SILENCE, phone.start, start))
        result.append(phone.moved(start, min(end, phone.end)))
        if end < phone.end:
            result.append(Phone(SILENCE, end, phone.end))
    return result


def _without_pause(phone: Phone, prosody: Prosody) -> list[Phone]:
    """A stop that swallowed the pause before or after it (a closure and a pause sound alike) → silence and the stop."""
    if phone.release is None:
        return [phone]
    quiet = max(prosody.noise + 6.0, prosody.loud - 35.0)
    parts = [phone]
    start = phone.release - LONGEST_CLOSURE
    if start - phone.start > PAUSE and prosody.mean_level(phone.start, start) < prosody.loud - 25.0:
        parts = [Phone(SILENCE, phone.start, start), replace(phone, start=start)]
    loud = np.flatnonzero(prosody.level[int(phone.release / STEP) : int(phone.end / STEP) + 1] > quiet)
    end = phone.release + 0.02 + (loud[-1] * STEP if len(loud) else 0.0)
    if phone.end - end > PAUSE:
        parts[-1:] = [replace(parts[-1], end=end), Phone(SILENCE, end, phone.end)]
    return parts


def _merge_silence(phones: list[Phone]) -> list[Phone]:
    merged: list[Phone] = []
    for phone in phones:
        if merged and phone.symbol == SILENCE == merged[-1].symbol:
            merged[-1] = merged[-1].moved(merged[-1].start, phone.end)
        else:
            merged.append(phone)
    return merged


def _with_release(phone: Phone, prosody: Prosody) -> Phone:
    """A stop with the time of its burst: the steepest rise of the level in its second part."""
    if phone.symbol not in STOPS:
        return phone
    low = int((phone.start + 0.35 * phone.duration) / STEP)
    high = min(int(np.ceil(phone.end / STEP)), len(prosody.level) - 1)
    release = phone.start + 0.8 * phone.duration
    if high - low >= 2:
        rise = prosody.level[low + 1 : high + 1] - prosody.level[low:high]
        if rise.max() > 3.0:
            release = (low + int(rise.argmax()) + 0.5) * STEP
    return replace(phone, release=float(np.clip(release, phone.start + 0.3 * phone.duration, phone.end)))
