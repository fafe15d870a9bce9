"""Sound + transcript → phones: forced alignment by CMU PocketSphinx, English."""

from __future__ import annotations

import re

import numpy as np

from ..contract.errors import MienError
from . import text as spoken
from .phones import ARPABET, SILENCE, TO_ARPABET, Phone
from .sound import SPEECH_RATE, Sound

LATENESS = 0.0
"""Seconds that the aligner's onsets come after the sound's, measured by `engine evaluate speech`; subtracted."""
_FRAME = 0.01
_MARGIN = 0.3
#: Lattice rescoring and the flat pass sometimes leave a path that the phone pass cannot end; one forward pass does.
_ATTEMPTS: tuple[dict, ...] = (
    {"lm": None, "fwdflat": False, "bestpath": False},
    {"lm": None, "fwdflat": False, "bestpath": False, "beam": 1e-120, "wbeam": 1e-100, "pbeam": 1e-120},
)
_SUFFIXES = (
    ("'s", "Z"),
    ("s", "Z"),
    ("'d", "D"),
    ("'ll", "L"),
    ("'ve", "V"),
    ("'re", "ER"),
    ("n't", "N T"),
    ("ing", "IH NG"),
    ("ly", "L IY"),
)


def _decoder(**options):
    import pocketsphinx  # a native library with a model of some 40 MB: only where it is used

    return pocketsphinx.Decoder(samprate=float(SPEECH_RATE), loglevel="FATAL", **options)


def pcm(sound: Sound) -> bytes:
    """16-bit PCM at 16 kHz, brought to an even level: a quiet recording aligns as well as a loud one."""
    samples = sound.at_rate(SPEECH_RATE).samples
    peak = float(np.abs(samples).max(initial=0.0))
    gain = 0.7 / peak if peak > 1e-4 else 1.0
    # The aligner needs some frames to settle on; a fixed dither keeps digital silence from having no spectrum at all.
    dither = np.random.default_rng(0).uniform(-1.5, 1.5, len(samples))
    return np.clip(samples * gain * 32767.0 + dither, -32768, 32767).astype("<i2").tobytes()


def _teach(decoder, word: str) -> bool:
    """Make sure that the decoder knows the word; False if it has no pronunciation."""
    if decoder.lookup_word(word) is not None:
        return True
    phones = _from_stem(decoder, word) or " ".join(
        TO_ARPABET[symbol] for symbol in spoken.pronounce(word) if symbol in TO_ARPABET
    )
    if not phones:
        return False
    decoder.add_word(word, phones, True)
    return True


def _from_stem(decoder, word: str) -> str | None:
    """ "suzie's" from "suzie", "keyframes" from "keyframe"; and "keyframe" from "key" and "frame"."""
    for suffix, phones in _SUFFIXES:
        stem = (
            decoder.lookup_word(word[: -len(suffix)]) if word.endswith(suffix) and len(word) > len(suffix) + 1 else None
        )
        if stem:
            return f"{stem} {phones}"
    for cut in range(3, len(word) - 2):
        first, second = decoder.lookup_word(word[:cut]), decoder.lookup_word(word[cut:])
        if first and second:
            return f"{first} {second}"
    return None


def align(sound: Sound, transcript: str) -> tuple[list[Phone], list[str]]:
    """Phones (gapless, not refined yet) of a sound whose words are known, and the written words.

    Raises:
        MienError: The text has no word that can be read aloud in English, or it does not fit the sound.
    """
    decoder = _decoder(**_ATTEMPTS[0])
    tokens: list[str] = []
    owner: list[int] = []  # which written word a spoken word belongs to
    written = spoken.words(transcript)
    for index, (_, parts) in enumerate(written):
        for part in parts:
            if _teach(decoder, part):
                tokens.append(part)
                owner.append(index)
    if not tokens:
        raise MienError(
            "The transcript has no word that can be read as English; leave it out, and the sound alone is used."
        )
    entries = _run(decoder, tokens, pcm(_padded(sound)))
    if entries is None:
        decoder = _decoder(**_ATTEMPTS[1])
        for token in tokens:
            _teach(decoder, token)
        entries = _run(decoder, tokens, pcm(_padded(sound)))
    if entries is None or sum(is_word for is_word, _ in entries) != len(owner):
        raise MienError(
            "The transcript does not fit the sound; check that it has the words that are spoken, or leave it out."
        )
    return _collect(entries, owner, sound.duration), [text for text, _ in written]


def _padded(sound: Sound) -> Sound:
    """The sound between stretches of silence, without which the second pass often has no place to end."""
    margin = round(_MARGIN * sound.rate)
    return Sound(np.pad(sound.samples, margin), sound.rate)


def _run(decoder, tokens: list[str], data: bytes) -> list[tuple[bool, list[tuple[str, float, float]]]] | None:
    """[(is a word, [(phone, start, end)])] in the sound's seconds; None if the words do not fit.

    Two passes: words (choosing pronunciations and pauses), then phones.
    """
    try:
        decoder.set_align_text(" ".join(tokens))
        for second in (False, True):
            if second:
                decoder.set_alignment()
            decoder.start_utt()
            decoder.process_raw(data, full_utt=True)
            decoder.end_utt()
        # Entries point into the alignment's memory: copy what is needed while it is alive.
        alignment = decoder.get_alignment()
        return [(not re.match(r"<|\[|\+", word.name), [_span(part) for part in word]) for word in alignment]
    except (RuntimeError, ValueError, TypeError):
        return None


def _span(part) -> tuple[str, float, float]:
    start = part.start * _FRAME - _MARGIN
    return part.name, max(start, 0.0), max(start + part.duration * _FRAME, 0.0)


def _collect(entries: list, owner: list[int], duration: float) -> list[Phone]:
    phones: list[Phone] = []
    owners = iter(owner)
    for is_word, parts in entries:
        word = next(owners) if is_word else None
        phones += [
            Phone(ARPABET.get(part, SILENCE), start, min(end, duration), word=word) for part, start, end in parts
        ]
    return phones
