"""One sound, with or without its words → phones, words and prosody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..contract.errors import MienError
from . import align, recognise, refine
from .phones import SILENCE, Phone, Word, words_of
from .prosody import Prosody, measure
from .sound import Sound


@dataclass(frozen=True)
class Speech:
    """What is said in a sound, and how.

    Attributes:
        phones: Gapless from 0 to `duration`, silences included.
        words: Empty where the words are not known.
        prosody: Loudness and pitch.
        duration: Seconds.
        notes: Sentences for the artist about what was done differently from what was asked.
    """

    phones: list[Phone]
    words: list[Word]
    prosody: Prosody
    duration: float
    notes: list[str]


def analyse(sound: Sound, text: str | None = None, tick: Callable[[float], None] | None = None) -> Speech:
    """Find phones (and words, where the text is given) in a sound. Silence gives one silent phone.

    `tick` is told the fraction done now and then; what it raises ends the work.

    A transcript that doesn't fit is not fatal: the sound alone is used and a note says so.

    Raises:
        MienError: The text is empty, too long or not text.
    """
    prosody = measure(sound)
    if text is not None:
        align.spoken.check(text)
    if not prosody.has_speech:
        return Speech(
            [Phone(SILENCE, 0.0, sound.duration)],
            [],
            prosody,
            sound.duration,
            ["The sound is silent: nothing is spoken."],
        )
    notes: list[str] = []
    phones: list[Phone] = []
    texts: list[str] = []
    lateness = 0.0
    if text is not None:
        try:
            phones, texts = align.align(sound, text)
            lateness = align.LATENESS
        except MienError as error:
            notes.append(f"{error} The sound alone was used.")
    if not phones:
        phones = recognise.recognise(sound, prosody, tick)
    refined = refine.refine(phones, prosody, sound.duration, lateness)
    return Speech(refined, words_of(refined, texts), prosody, sound.duration, notes)
