"""Sound alone → phones: by hama's recogniser (many languages), or PocketSphinx's English one where hama can't run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .align import pcm
from .phones import ARPABET, SILENCE, VOWELS, Phone, split_ipa
from .prosody import STEP, Prosody, runs
from .sound import SPEECH_RATE, Sound

LATENESS = 0.07
"""Seconds that hama's onsets come after the sound's, measured by `engine evaluate speech`; subtracted."""
#: What consonants add to it, measured the same way. One that opens a syllable is recognised by its middle (a hiss and a
#: closure are long), one that ends it before it is quite there.
_OPENING: dict[str, float] = dict.fromkeys(["s", "ʃ", "f"], 0.05) | dict.fromkeys(["p", "b", "m", "ɡ"], 0.03)
_CLOSING: dict[str, float] = dict.fromkeys(["s", "ʃ"], 0.0) | dict.fromkeys(["t", "d"], -0.035)
_USUAL_OPENING, _USUAL_CLOSING = 0.01, -0.025
_FRAME = 0.02
_WORD_END = "<wb>"
_LONGEST = 12.0  # seconds recognised at once: time and memory grow with it
_PAD = 0.2
_MAX_PHONE = 0.35  # a symbol that nothing follows for longer than this is over by then


_own = threading.local()


def _model():
    """This thread's recogniser of hama's; None where its native library does not run. One is loaded in 20 ms."""
    if not hasattr(_own, "model"):
        try:
            import hama

            _own.model = hama.ASRModel()
        except (ImportError, OSError, RuntimeError, AttributeError):
            _own.model = None
    return _own.model


def recognise(sound: Sound, prosody: Prosody, tick: Callable[[float], None] | None = None) -> list[Phone]:
    """Phones and silences, gapless from 0 to the sound's end; no words. Times are not refined yet.

    `tick` is told the fraction done before each stretch of speech; what it raises ends the work.
    """
    sound = sound.at_rate(SPEECH_RATE)
    onsets: list[tuple[float, str]] = []
    silent: list[tuple[float, float]] = []
    stretches = _stretches(prosody)
    with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, 8, len(stretches)))) as threads:
        heard = [threads.submit(_within, sound, start, end) for start, end in stretches]
        try:
            for (start, end), found in zip(stretches, heard, strict=True):
                if tick:
                    tick(start / sound.duration)
                onsets += found.result()
                silent.append((start, end))
        finally:
            for waiting in heard:
                waiting.cancel()
    return _tile(onsets, silent, sound.duration)


def _within(sound: Sound, start: float, end: float) -> list[tuple[float, str]]:
    """[(onset in seconds of the whole sound, IPA symbol)] of one stretch. hama lets go of Python's lock meanwhile."""
    first, last = max(0, int((start - _PAD) * SPEECH_RATE)), int((end + _PAD) * SPEECH_RATE)
    piece = Sound(sound.samples[first:last], SPEECH_RATE)
    return [(min(max(first / SPEECH_RATE + time, start), end - 0.01), symbol) for time, symbol in _onsets(piece)]


def _stretches(prosody: Prosody) -> list[tuple[float, float]]:
    """[(start, end)] in seconds of speech between pauses, cut at their quietest place where they are too long."""
    spans = [(start * STEP, end * STEP) for start, end in runs(prosody.speaking) if (end - start) * STEP >= 0.04]
    merged: list[list[float]] = []
    for start, end in spans:
        if merged and start - merged[-1][1] < 0.15:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    result: list[tuple[float, float]] = []
    for start, end in merged:
        while end - start > _LONGEST:
            low, high = int((start + 0.5 * _LONGEST) / STEP), int((start + _LONGEST) / STEP)
            cut = (low + int(prosody.level[low:high].argmin())) * STEP
            result.append((start, cut))
            start = cut
        result.append((start, end))
    return result


def _onsets(sound: Sound) -> list[tuple[float, str]]:
    """[(onset in seconds, IPA symbol)], lateness corrected."""
    model = _model()
    if model is None:
        return _english_onsets(sound)
    samples = np.pad(sound.samples, (0, max(0, SPEECH_RATE // 4 - len(sound.samples))))
    heard = _emissions(model, model(samples, SPEECH_RATE).frame_token_ids)
    found: list[tuple[float, str]] = []
    for place, (time, symbol) in enumerate(heard):
        if symbol != _WORD_END:
            found.append((time - LATENESS - _more_lateness(symbol, heard[place + 1 :]), symbol))
    # Corrections differ by up to 85 ms: they must not put a phone before the one that was heard first.
    for k in range(len(found) - 1, 0, -1):
        found[k - 1] = (min(found[k - 1][0], found[k][0] - 0.02), found[k - 1][1])
    return found


def _more_lateness(symbol: str, later: list[tuple[float, str]]) -> float:
    if symbol in VOWELS:
        return 0.0
    following = next((other for _, other in later if other in VOWELS or other == _WORD_END), _WORD_END)
    return _OPENING.get(symbol, _USUAL_OPENING) if following in VOWELS else _CLOSING.get(symbol, _USUAL_CLOSING)


def _emissions(model, tokens: list[int]) -> list[tuple[float, str]]:
    """[(seconds, IPA symbol or `_WORD_END`)]: where each token of the connectionist output first appears."""
    result: list[tuple[float, str]] = []
    previous = None
    for frame, token in enumerate(tokens):
        if token != previous and token != model.blank_id:
            name = model.decoder_tokens[token]
            if name == _WORD_END:
                result.append((frame * _FRAME, _WORD_END))
            for place, symbol in enumerate(split_ipa(name) if name[:1] != "<" else ()):
                result.append((frame * _FRAME + place * 0.04, symbol))
        previous = token
    return result


def _english_onsets(sound: Sound) -> list[tuple[float, str]]:
    import pocketsphinx

    decoder = pocketsphinx.Decoder(
        allphone=pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin"), lm=None, dict=None,
        lw=2.0, beam=1e-20, pbeam=1e-20, samprate=float(SPEECH_RATE), loglevel="FATAL",
    )  # fmt: skip
    decoder.start_utt()
    decoder.process_raw(pcm(sound), full_utt=True)
    decoder.end_utt()
    return [(entry.start_frame * 0.01, ARPABET[entry.word]) for entry in decoder.seg() or () if entry.word in ARPABET]


def _tile(onsets: list[tuple[float, str]], spoken: list[tuple[float, float]], duration: float) -> list[Phone]:
    """Onsets → phones that end where the next begins, the stretch ends, or after `_MAX_PHONE`; silence between."""
    phones: list[Phone] = []
    clock = 0.0
    for start, end in spoken:
        inside = [(max(time, start), symbol) for time, symbol in onsets if start - 1e-9 <= time < end]
        if inside and inside[0][0] - start < 0.1:  # else it is breath or noise that begins there
            inside[0] = (start, inside[0][1])
        for index, (time, symbol) in enumerate(inside):
            time = max(time, clock)
            following = inside[index + 1][0] if index + 1 < len(inside) else end
            stop = max(min(following, time + _MAX_PHONE), time + 0.01)
            if time > clock + 1e-9:
                phones.append(Phone(SILENCE, clock, time))
            phones.append(Phone(symbol, time, stop))
            clock = stop
    if clock < duration - 1e-9:
        phones.append(Phone(SILENCE, clock, duration))
    return phones
