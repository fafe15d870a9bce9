"""One sound → one performance: curves and keys of everything a face does while it says it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..contract.curves import FPS_RANGE, Curves
from ..contract.errors import Cancelled, MienError
from ..speech import analyse, refine, sound, voice
from ..speech.analyse import Speech
from ..speech.phones import Phone, Word, words_of
from . import articulation, face, idle, keys
from .diffusion import model as diffusion

LAYERS: tuple[str, ...] = ("mouth", *idle.LAYERS)
"""What can be made stronger or weaker, 1 being as modelled: {layer: 0 … 10}."""
MODELS: tuple[str, ...] = ("default", "none")
"""Who moves the face: the trained performer that ships, or articulation and rules alone; or a file of weights."""
PREVIEW = 10.0
"""Seconds that a first, rough performance covers."""
SHORTEST = 0.1
"""Seconds below which a recording is no speech: no syllable is so short."""
_CLOSED = 0.006  # error allowed at a lip closure: less than articulation's overlap


@dataclass(frozen=True)
class Performance:
    """A spoken line as channel values.

    Attributes:
        curves: Every performed channel; frame k at k / fps; as many frames as cover the sound.
        keys: {channel: keys} that follow the curves within `keys.TOLERANCE`; a channel that rests has none.
        words: [(text, start, end)] in seconds; empty where the words are not known.
        phones: [(IPA symbol, start, end)] in seconds, gapless; "sil" is silence.
        duration: Seconds of the sound.
        notes: Sentences for the artist about what was done differently from what was asked.
        closures: [(start, end)] in seconds of every time the lips have to touch: p, b and m.
        sound: What was spoken, for a typed line; None for a recording.
    """

    curves: Curves
    keys: dict[str, list[keys.Key]]
    words: list[tuple[str, float, float]]
    phones: list[tuple[str, float, float]]
    duration: float
    notes: list[str]
    closures: list[tuple[float, float]]
    sound: sound.Sound | None = None


def perform(
    audio: str | os.PathLike[str] | tuple[np.ndarray, float] | sound.Sound,
    text: str | None = None,
    seed: int = 0,
    fps: float = 30.0,
    strengths: Mapping[str, float] | None = None,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    emotion: np.ndarray | None = None,
    guidance: Mapping[str, float] | None = None,
    given: Curves | None = None,
    locked: np.ndarray | None = None,
    model: str | os.PathLike[str] = "default",
    preview: Callable[[Curves], None] | None = None,
) -> Performance:
    """Perform a recording.

    Args:
        audio: A sound file, or (samples [N] or [N, channels], rate), or a `Sound`.
        text: The words that are spoken, in English; without them the sound alone decides.
        seed: 0 … 2⁶³−1. The same sound, text, seed, fps and strengths give the same performance.
        strengths: {layer: factor} for `LAYERS`.
        progress: Called with a fraction 0 … 1 and what is being done.
        cancelled: Asked between steps.
        emotion: [T, 9] emotion vectors (`engine.emotion.condition`), one a frame, or [9] for all of them.
        guidance: {"speech", "emotion", "keys": 0 … 5} how much the performer follows each; 1 is as trained.
        given: Curves at `fps` that the artist has: followed as a guide, or kept where `locked` says so.
        locked: [T, C] bool over `given.values`. These values come back exactly; the rest is made to meet them.
        model: "default", "none", or a file of weights.
        preview: Told rough curves of the first `PREVIEW` seconds, long before the phones are known.

    Raises:
        MienError: The sound, the text or a setting cannot be used.
        Cancelled: `cancelled` said so.
    """
    levels = _check(seed, fps, strengths)
    wish, performer = face.direction(emotion, guidance, given, locked, fps), _performer(model)
    step = _steps(progress, cancelled)
    step(0.0, "Reading the sound")
    if isinstance(audio, sound.Sound):
        heard = audio
    elif isinstance(audio, tuple):
        heard = sound.from_samples(*audio)
    else:
        heard = sound.read(audio)
    if heard.duration < SHORTEST:
        raise MienError(
            f"The sound lasts only {1000 * heard.duration:.3g} ms, too short to speak in; "
            f"choose one of at least {SHORTEST:g} s, or trim less of it off."
        )
    if preview is not None and performer is not None:
        preview(_preview(heard, seed, fps, levels, performer, wish))
    step(0.1, "Listening for phones")
    speech = analyse.analyse(heard, text, lambda done: step(0.1 + 0.5 * done, "Listening for phones"))
    return _animate(speech, seed, fps, levels, step, performer, wish)


def perform_line(
    line: str,
    voice_name: str = voice.voices.DEFAULT_VOICE,
    models: str | None = None,
    seed: int = 0,
    fps: float = 30.0,
    strengths: Mapping[str, float] | None = None,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    emotion: np.ndarray | None = None,
    guidance: Mapping[str, float] | None = None,
    given: Curves | None = None,
    locked: np.ndarray | None = None,
    model: str | os.PathLike[str] = "default",
    preview: Callable[[Curves], None] | None = None,
    speed: float = 1.0,
    pronunciations: Mapping[str, str] | None = None,
) -> Performance:
    """Speak a typed English line and perform it. The voice must be installed.

    Arguments and errors as in `perform`, and `speed` and `pronunciations` as in `speech.voice.speak`.
    """
    levels = _check(seed, fps, strengths)
    wish, performer = face.direction(emotion, guidance, given, locked, fps), _performer(model)
    step = _steps(progress, cancelled)
    step(0.0, "Speaking the line")
    spoken, phones, texts = voice.speak(line, voice_name, speed, models, pronunciations)
    step(0.5, "Listening for phones")
    measured = analyse.measure(spoken)
    refined = refine.refine(phones, measured, spoken.duration)
    speech = Speech(refined, words_of(refined, texts), measured, spoken.duration, [])
    if preview is not None and performer is not None:
        preview(_preview(spoken, seed, fps, levels, performer, wish))
    return _animate(speech, seed, fps, levels, step, performer, wish, spoken)


def warm() -> None:
    """Load what a first preview needs, libraries, weights and tables: it then takes as long as any later one."""
    performer = _performer("default")
    if performer is not None:
        second = sound.Sound(np.zeros(sound.SPEECH_RATE, np.float32), sound.SPEECH_RATE)
        _preview(second, 0, 30.0, dict.fromkeys(LAYERS, 1.0), performer, face.Direction())


def _check(seed: int, fps: float, strengths: Mapping[str, float] | None) -> dict[str, float]:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise MienError(f"The seed is {seed!r}; give a whole number from 0 to 2⁶³−1.")
    if not isinstance(fps, (int, float)) or not math.isfinite(fps) or not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        raise MienError(f"The frame rate is {fps!r}; give one from {FPS_RANGE[0]:g} to {FPS_RANGE[1]:g}.")
    levels = dict.fromkeys(LAYERS, 1.0)
    for layer, level in (strengths or {}).items():
        if layer not in levels:
            raise MienError(f"There is no layer {layer!r}; the layers are {', '.join(LAYERS)}.")
        if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0.0 <= level <= 10.0:
            raise MienError(f"The strength of {layer!r} is {level!r}; give a number from 0 to 10.")
        levels[layer] = float(level)
    return levels


def _steps(
    progress: Callable[[float, str], None] | None, cancelled: Callable[[], bool] | None
) -> Callable[[float, str], None]:
    def step(fraction: float, message: str) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled
        if progress is not None:
            progress(fraction, message)

    return step


def _performer(model: str | os.PathLike[str]) -> diffusion.Performer | None:
    """The weights that were asked for; None for "none", and where none ship."""
    if model == "none":
        return None
    if model == "default":
        return diffusion.load() if diffusion.DEFAULT.is_file() else None
    return diffusion.load(model)


def _preview(
    heard: sound.Sound, seed: int, fps: float, levels: dict[str, float], performer: diffusion.Performer,
    wish: face.Direction,
) -> Curves:  # fmt: skip
    """The first seconds from the sound alone: no phones are known, so nothing is promised of the lips' contacts."""
    start = sound.Sound(heard.samples[: round(PREVIEW * heard.rate)], heard.rate)
    measured = analyse.measure(start)
    times = np.arange(math.ceil(start.duration * fps - 1e-9) + 1) / fps
    return face.rough(measured, start.duration, times, seed, levels, performer, wish)


def _animate(
    speech: Speech, seed: int, fps: float, levels: dict[str, float], step: Callable[[float, str], None],
    performer: diffusion.Performer | None, wish: face.Direction, spoken: sound.Sound | None = None,
) -> Performance:  # fmt: skip
    step(0.6, "Moving the face")
    times = np.arange(math.ceil(speech.duration * fps - 1e-9) + 1) / fps
    made = face.make(
        speech, times, seed, levels, performer, wish, lambda done: step(0.6 + 0.2 * done, "Moving the face")
    )
    curves = Curves(fps, made.channels, made.values)
    sparse = keys.reduce(curves, tight=_tight(curves), tick=lambda done: step(0.8 + 0.2 * done, "Setting keys"))
    step(1.0, "Done")
    return Performance(
        curves,
        {name: entries for name, entries in sparse.items() if entries},
        [(word.text, *_seconds(word)) for word in speech.words],
        [(phone.symbol, *_seconds(phone)) for phone in speech.phones],
        speech.duration,
        speech.notes,
        [(round(float(start), 5), round(float(end), 5)) for start, end in articulation.closures(speech.phones)],
        spoken,
    )


def _seconds(span: Phone | Word) -> tuple[float, float]:
    return round(float(span.start), 5), round(float(span.end), 5)


def _tight(curves: Curves) -> dict[str, np.ndarray]:
    """{channel: error allowed [T]}: little at the frames of a closure, so that keyed lips touch as the curves' do."""
    closing = curves.values[:, curves.channels.index("AU08 Lips Toward Each Other")]
    jaw = curves.values[:, curves.channels.index("AU26 Jaw Drop")]
    shut = closing >= jaw + 0.5 * articulation.OVERLAP
    limit = np.where(shut, _CLOSED, keys.TOLERANCE)
    opening = ("AU08 ", "AU26 ", "AU25 ", "AU22 ", "AU10 ", "AU16 ")
    return {name: limit for name in curves.channels if name.startswith(opening)}
