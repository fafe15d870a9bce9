"""Pronunciations that an artist gives: within a line, as "[Mien](/miːn/)", or for a whole file, {word: IPA}."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..contract.errors import MienError
from .phones import VOWELS, split_ipa

MOST = 1000
"""Words of a dictionary."""
_LONGEST = 100
_INLINE = re.compile(r"\[([^\[\]\n]{0,200})\]\(/([^()\n]{0,200})/\)")
#: IPA as it is usually written → misaki's letters, longest first.
_LETTERS: dict[str, str] = {
    "eɪ": "A", "aɪ": "I", "oʊ": "O", "əʊ": "O", "aʊ": "W", "ɔɪ": "Y", "dʒ": "ʤ", "tʃ": "ʧ", "ɝ": "ɜɹ", "ɚ": "əɹ",
    "g": "ɡ", "r": "ɹ", "ɫ": "l", "'": "ˈ", ",": "ˌ",
}  # fmt: skip
_DROPPED = " .‿͡ʰ"


def inline(line: str) -> tuple[str, dict[str, str]]:
    """A line with pronunciations in it → (the line as it is written, {word in lower case: IPA}).

    Raises:
        MienError: A mark holds several words, or IPA that the voice has no sound for.
    """
    given: dict[str, str] = {}

    def take(match: re.Match[str]) -> str:
        given.update(check({match[1]: match[2]}))
        return match[1]

    return _INLINE.sub(take, line), given


def check(pronunciations: Mapping[str, str]) -> dict[str, str]:
    """{word: IPA} with the words in lower case, its IPA readable by the voice.

    Raises:
        MienError: Too many, no word, or IPA that the voice has no sound for.
    """
    if len(pronunciations) > MOST:
        raise MienError(f"The dictionary has {len(pronunciations)} words; at most {MOST} are read.")
    found = {}
    for word, ipa in pronunciations.items():
        plain = word.strip().lower()
        if not plain or len(plain) > _LONGEST or any(mark.isspace() for mark in plain):
            raise MienError(f"A pronunciation is given for {word[:40]!r}; give it for one word at a time.")
        to_voice(ipa, word)
        found[plain] = ipa
    return found


def to_voice(ipa: str, word: str = "") -> str:
    """IPA → the letters that the voice reads, a main stress among them.

    Raises:
        MienError: A letter is none of its alphabet, or no sound is left.
    """
    from .voice import VOCABULARY  # which reads pronunciations by this module

    rest = "".join(mark for mark in ipa.strip().strip("/").strip() if mark not in _DROPPED)
    read = ""
    while rest:
        size = next((size for size in (2, 1) if rest[:size] in _LETTERS and len(rest) >= size), 1)
        letters = _LETTERS.get(rest[:size], rest[:size])
        for letter in letters:
            if letter not in VOCABULARY or letter in ';:,.!?—…"()“” ':
                raise MienError(
                    f"The pronunciation /{ipa.strip().strip('/')[:60]}/ of {word[:40]!r} has {letter!r}, which the "
                    "voice can't say; write it in IPA, such as /miːn/."
                )
        read, rest = read + letters, rest[size:]
    if not split_ipa(read):
        raise MienError(f"The pronunciation of {word[:40]!r} is empty; write it in IPA, such as /miːn/.")
    if "ˈ" in read:
        return read
    first = next((place for place, letter in enumerate(read) if letter in VOWELS or letter in "AIOWYQ"), None)
    return read if first is None else read[:first] + "ˈ" + read[first:]


def find(word: str, pronunciations: Mapping[str, str]) -> str | None:
    """The voice's letters for a written word, or for its stem with an 's; None where none is given."""
    plain = word.lower()
    if plain in pronunciations:
        return to_voice(pronunciations[plain], word)
    for ending in ("'s", "’s"):
        if plain.endswith(ending) and plain.removesuffix(ending) in pronunciations:
            stem = to_voice(pronunciations[plain.removesuffix(ending)], word)
            return stem + ("ᵻz" if stem[-1] in "szʃʒʧʤ" else "s" if stem[-1] in "ptkfθ" else "z")
    return None
