"""One face from its parts: the performer's curves, the articulatory layer that speech cannot do without, idle motion.

The performer may answer what it likes; what the phones demand of lips and teeth is applied after it, and what the
artist locked after that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from ..contract import channels as table
from ..contract.curves import Curves
from ..contract.errors import MienError
from ..emotion import condition
from ..speech.analyse import Speech
from ..speech.phones import SILENCE, Phone
from ..speech.prosody import Prosody
from . import articulation, idle, locks
from .diffusion import conditions, layout
from .diffusion.model import Performer

GUIDED: tuple[str, ...] = ("speech", "emotion", "keys")
MOST_GUIDANCE = 5.0
_GUIDE = 0.5  # how sure a curve is that is followed, not locked
_RULED = [index for index, zone in enumerate(layout.ZONE_OF) if zone == 2] + [
    layout.INDEX[f"{name}.{side}"] for name in ("AU20 Lip Stretcher", "AU12 Lip Corner Puller", "AU14 Dimpler")
    for side in "LR"
]  # fmt: skip
_SETTLE = (0.8, 1.5, 3.0)  # frames (standard deviation) that each zone's curves are smoothed by
_REST = 0.006  # what a face at rest may tremble by: taken off


@dataclass(frozen=True)
class Direction:
    """What an artist wants of a performance besides its sound.

    Attributes:
        emotion: [T, 9] (`engine.emotion.condition`) a frame each, the last one held; None is neutral.
        guidance: {source: 0 … 5}; 1 follows it as in training.
        given: Curves at the performance's rate.
        locked: bool over `given.values`: these come back exactly. Without it all of `given` is followed as a guide.
    """

    emotion: np.ndarray | None = None
    guidance: Mapping[str, float] = field(default_factory=dict)
    given: Curves | None = None
    locked: np.ndarray | None = None


def direction(
    emotion: object, guidance: Mapping[str, float] | None, given: Curves | None, locked: np.ndarray | None, fps: float
) -> Direction:
    """Checked.

    Raises:
        MienError: Something has another shape, another rate, is no number or out of range.
    """
    vectors = None
    if emotion is not None:
        try:
            vectors = np.atleast_2d(np.asarray(emotion, np.float64))
        except (TypeError, ValueError):
            raise MienError("The emotion is not an array of numbers; give one row of nine a frame.") from None
        if vectors.ndim != 2 or vectors.shape[1] != condition.SIZE or len(vectors) == 0:
            raise MienError(
                f"The emotion has the shape {list(np.shape(emotion))}; give [frames, {condition.SIZE}] or "
                f"[{condition.SIZE}]: {', '.join(condition.DIMENSIONS)}."
            )
        if not np.isfinite(vectors).all():
            raise MienError("The emotion has a value that is not a number; valence and arousal are −1 … 1.")
        vectors = condition.clip(vectors)
    for name, weight in (guidance or {}).items():
        if name not in GUIDED:
            raise MienError(f"There is no guidance by {name!r}; there is {', '.join(GUIDED)}.")
        number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not number or not 0.0 <= weight <= MOST_GUIDANCE:
            raise MienError(f"The guidance by {name} is {weight!r}; give a number from 0 to {MOST_GUIDANCE:g}.")
    locks.check(given, locked, fps)
    return Direction(vectors, dict(guidance or {}), given, None if locked is None else np.asarray(locked, bool))


def make(
    speech: Speech, times: np.ndarray, seed: int, levels: Mapping[str, float], performer: Performer | None,
    wish: Direction, tick: Callable[[float], None] | None = None,
) -> Curves:  # fmt: skip
    """Every performed channel at evenly spaced times [T] in seconds.

    Args:
        performer: None leaves the face to the articulatory layer and the rules.
        levels: {layer: strength}, see `perform.LAYERS`.
    """
    fps = 1.0 / (times[1] - times[0]) if len(times) > 1 else 30.0
    values = np.zeros((len(times), len(table.CHANNELS)))
    spoken = articulation.articulate(speech.phones, speech.prosody, times, levels["mouth"], levels["breath"])
    values[:, [table.INDEX[name] for name in articulation.CHANNELS]] = spoken
    for name, curve in idle.perform(speech.phones, speech.prosody, times, seed, dict(levels)).items():
        values[:, table.INDEX[name]] = curve
    shown = conditions.emotion_faces(_frames(wish.emotion, len(times)))
    closure, tuck = articulation.contacts(speech.phones, times)
    if performer is None:
        values = _add(values, shown, speech, times) if wish.emotion is not None else values
    else:
        values = _perform(values, shown, speech, times, seed, levels, performer, wish, tick)
        values = articulation.constrain(values, closure, tuck, min(levels["mouth"], 1.0))
    values = table.clamp(values)
    wanted, lock = _locked(wish, len(times))
    if lock.any():
        values = table.clamp(locks.meet(values, wanted, lock, fps))
        values = np.where(lock, wanted, articulation.seal(values, closure))
    moved = (np.abs(values) > 1e-9).any(axis=0) | lock.any(axis=0)
    always = {*articulation.CHANNELS, *idle.CHANNELS}
    names = [name for column, name in enumerate(table.NAMES) if moved[column] or name in always]
    return Curves(fps, tuple(names), values[:, [table.INDEX[name] for name in names]])


def rough(
    prosody: Prosody, duration: float, times: np.ndarray, seed: int, levels: Mapping[str, float],
    performer: Performer, wish: Direction,
) -> Curves:  # fmt: skip
    """A first look from what can be measured at once: no phones, two steps of denoising, no contacts."""
    clock = np.arange(conditions.frames_of(duration)) / layout.FPS
    audio = np.zeros((len(clock), conditions.AUDIO_SIZE))
    audio[:, conditions.ACOUSTIC] = conditions.acoustic(prosody, clock)
    emotion = None if wish.emotion is None else _at(_frames(wish.emotion, len(times)), times, clock)
    heard = audio if prosody.has_speech else None
    made = performer.curves(None, emotion, len(clock), seed, guidance=wish.guidance, audio=heard, steps=2)
    made = _rest(_curves(made, clock, times)) * np.where(layout.SPOKEN, levels["mouth"], levels["brows"])
    still = [Phone(SILENCE, 0.0, duration)]
    values = np.zeros((len(times), len(table.CHANNELS)))
    for name, curve in idle.perform(still, prosody, times, seed, dict(levels)).items():
        values[:, table.INDEX[name]] = curve
    values[:, layout.COLUMNS] = made
    fps = 1.0 / (times[1] - times[0]) if len(times) > 1 else 30.0
    return Curves(fps, table.NAMES, table.clamp(values))


def _add(values: np.ndarray, shown: np.ndarray, speech: Speech, times: np.ndarray) -> np.ndarray:
    """The emotion as `emotion.combine` lays it over speech: without the performer there is nothing better."""
    from ..emotion import combine

    fps = 1.0 / (times[1] - times[0]) if len(times) > 1 else 30.0
    phones = [(phone.symbol, phone.start, phone.end) for phone in speech.phones]
    return values + combine.added(Curves(fps, table.NAMES, shown), phones, times)


def _perform(
    values: np.ndarray, shown: np.ndarray, speech: Speech, times: np.ndarray, seed: int, levels: Mapping[str, float],
    performer: Performer, wish: Direction, tick: Callable[[float], None] | None,
) -> np.ndarray:  # fmt: skip
    """The performer's channels in place of the rules', at each layer's strength beside the bare emotion."""
    count = conditions.frames_of(float(times[-1]))
    clock = np.arange(count) / layout.FPS
    emotion = None if wish.emotion is None else _at(_frames(wish.emotion, len(times)), times, clock)
    given, mask = _told(wish, times, clock)
    made = performer.curves(
        speech if speech.prosody.has_speech else None, emotion, count, seed, given, mask, wish.guidance, tick=tick
    )
    made = _rest(_curves(_settled(made, mask), clock, times))
    bare = shown[:, layout.COLUMNS]
    speaking = _speaking(speech, times)[:, None]
    mouth = np.where(layout.SPOKEN, levels["mouth"] * speaking, levels["brows"])
    lips_open = articulation.breaths(speech.phones, times) * levels["breath"]
    result = values.copy()
    # At stress and questions brows rise at least as the rules say; lip corners, which captures hardly show, likewise.
    ruled = values[:, layout.COLUMNS] * np.isin(np.arange(len(layout.CHANNELS)), _RULED)
    result += np.where(np.isin(np.arange(values.shape[1]), layout.COLUMNS), 0.0, shown)
    result[:, layout.COLUMNS] = np.maximum(np.maximum(bare + mouth * (made - bare), 0.0), ruled)
    for name, size in (("AU25 Lips Part", 0.22), ("AU26 Jaw Drop", 0.05)):
        column = table.INDEX[name]
        result[:, column] = np.maximum(result[:, column], size * lips_open)
    return result


def _settled(made: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The model's frames without the steps between its patches; channels that were given keep their every peak."""
    result = made.copy()
    for zone, frames in enumerate(_SETTLE):
        free = (zone == layout.ZONE_OF) & (True if mask is None else ~mask.any(axis=0))
        result[:, free] = gaussian_filter1d(made[:, free], frames, axis=0, mode="nearest") if free.any() else 0.0
    return result


def _told(wish: Direction, times: np.ndarray, clock: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(values, sureness) [frames, C] of what is given, at the model's rate; Nones where nothing is."""
    if wish.given is None:
        return None, None
    count = min(len(wish.given.values), len(times))
    dense, sure = np.zeros((2, len(times), len(table.CHANNELS)))
    columns = [table.INDEX[name] for name in wish.given.channels]
    dense[:count, columns] = wish.given.values[:count]
    sure[:count, columns] = _GUIDE if wish.locked is None else wish.locked[:count]
    given, mask = _at(dense[:, layout.COLUMNS], times, clock), _at(sure[:, layout.COLUMNS], times, clock)
    whole = _GUIDE if wish.locked is None else 1.0
    mask = np.where(mask >= whole - 1e-9, whole, 0.0)  # between a locked frame and a free one the model is free
    return (given, mask) if mask.any() else (None, None)


def _locked(wish: Direction, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """(values, bool) [T, 71] of what is locked."""
    wanted = np.zeros((frames, len(table.CHANNELS)))
    lock = np.zeros(wanted.shape, bool)
    if wish.given is not None and wish.locked is not None:
        count = min(len(wish.given.values), frames)
        columns = [table.INDEX[name] for name in wish.given.channels]
        wanted[:count, columns] = wish.given.values[:count]
        lock[:count, columns] = wish.locked[:count]
    return wanted, lock


def _frames(vectors: np.ndarray | None, frames: int) -> np.ndarray:
    """[frames, 9], the last row held."""
    if vectors is None:
        return np.zeros((frames, condition.SIZE))
    return vectors[np.minimum(np.arange(frames), len(vectors) - 1)]


def _at(rows: np.ndarray, times: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """[T, N] at `times` → at `clock`, linear, the ends held."""
    if len(times) == len(clock) and np.allclose(times, clock):
        return rows
    step = times[1] - times[0] if len(times) > 1 else 1.0
    place = np.clip(clock / step, 0, len(times) - 1)
    low = np.minimum(place.astype(int), max(len(times) - 2, 0))
    weight = (place - low)[:, None]
    return rows[low] * (1 - weight) + rows[np.minimum(low + 1, len(times) - 1)] * weight


def _curves(made: np.ndarray, clock: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The model's frames at any times, smooth between them."""
    if len(clock) < 2 or (len(times) == len(clock) and np.allclose(times, clock)):
        return made[np.minimum(np.arange(len(times)), len(made) - 1)]
    return np.maximum(CubicSpline(clock, made)(times), 0.0)


def _rest(made: np.ndarray) -> np.ndarray:
    return made * made / (made + _REST)


def _speaking(speech: Speech, times: np.ndarray) -> np.ndarray:
    """[T] 0 … 1: where there is speech, with time to open the mouth before it and to close it after."""
    if not speech.prosody.has_speech:
        return np.zeros(len(times))
    step = 0.01
    fine = np.arange(-0.5, float(times[-1]) + 0.5, step)
    on = np.zeros(len(fine))
    for phone in speech.phones:
        if phone.symbol != SILENCE:
            first, last = np.searchsorted(fine, (phone.start - 0.2, phone.end + 0.25))
            on[first:last] = 1.0
    return np.interp(times, fine, gaussian_filter1d(on, 0.06 / step))
