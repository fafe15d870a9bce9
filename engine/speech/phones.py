"""Phones: IPA symbols with times, and the ways from other alphabets to IPA."""

# ruff: noqa: E501 (a table reads better one row a line)

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

SILENCE = "sil"


@dataclass(frozen=True, slots=True)
class Phone:
    """One sound of speech, or silence.

    Attributes:
        symbol: IPA without stress, length or tone marks, or `SILENCE`.
        start, end: Seconds.
        release: For a stop, when its closure ends (the burst); None elsewhere.
        word: Index of the written word that it belongs to; None in silences and where the words are not known.
    """

    symbol: str
    start: float
    end: float
    release: float | None = None
    word: int | None = None

    @property
    def duration(self) -> float:
        return self.end - self.start

    def moved(self, start: float, end: float) -> Phone:
        return replace(self, start=start, end=end, release=None)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the transcript, as written, with its times in seconds."""

    text: str
    start: float
    end: float


#: CMU's phones. Diphthongs and affricates stay one symbol.
ARPABET: dict[str, str] = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "EH": "ɛ", "ER": "ɝ", "EY": "eɪ", "IH": "ɪ",
    "IY": "i", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "u", "B": "b", "CH": "tʃ", "D": "d", "DH": "ð", "F": "f",
    "G": "ɡ", "HH": "h", "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s",
    "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
TO_ARPABET: dict[str, str] = {ipa: arpabet for arpabet, ipa in ARPABET.items()} | {
    "ə": "AH", "ɚ": "ER", "ɐ": "AH", "ɒ": "AA", "a": "AA", "e": "EH", "o": "OW", "ɾ": "D", "r": "R", "ɨ": "IH",
    "ʔ": "T", "x": "K", "y": "UW", "ɜ": "ER", "c": "K", "ɫ": "L",
}  # fmt: skip

#: misaki's one-letter vowels and affricates (the alphabet that the Kokoro voices read).
MISAKI: dict[str, str] = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "oʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ", "T": "ɾ", "ᵊ": "ə", "ᵻ": "ɪ",
    "ɜ": "ɝ", "g": "ɡ",
}  # fmt: skip

_PAIRS = {"aɪ", "aʊ", "eɪ", "oʊ", "ɔɪ", "tʃ", "dʒ", "tɕ", "dʑ", "ts", "dz", "tʂ", "dʐ"}
_TIES = str.maketrans("", "", "\u0361\u035c\u203f")

VOWELS = frozenset([
    "i", "y", "ɨ", "ʉ", "ɯ", "u", "ɪ", "ʏ", "ʊ", "e", "ø", "ɘ", "ɵ", "ɤ", "o", "ə", "ɛ", "œ", "ɜ", "ɞ", "ʌ", "ɔ",
    "æ", "ɐ", "a", "ɑ", "ɒ", "ɝ", "ɚ", "aɪ", "aʊ", "eɪ", "oʊ", "ɔɪ",
])  # fmt: skip
BILABIALS = frozenset(["p", "b", "m", "ɓ", "ʙ"])
LABIODENTALS = frozenset(["f", "v", "ɱ", "ʋ"])
STOPS = frozenset([
    "p", "b", "t", "d", "k", "ɡ", "q", "c", "ɟ", "ʈ", "ɖ", "tʃ", "dʒ", "tɕ", "dʑ", "ts", "dz", "tʂ", "dʐ",
])  # fmt: skip


def normal(symbol: str) -> str:
    """IPA symbol without ties, diacritics, length, stress and tone; ASCII g becomes ɡ. "" if nothing is left."""
    decomposed = unicodedata.normalize("NFD", symbol.translate(_TIES))
    # Keep letters alone: modifier letters (ʰ ʲ ʷ ː), combining marks and tone bars say nothing about the lips.
    kept = "".join(mark for mark in decomposed if unicodedata.category(mark) in ("Ll", "Lo"))
    return kept.replace("g", "ɡ")


def split_ipa(text: str) -> list[str]:
    """An IPA word → symbols: diphthongs and affricates together, marks dropped."""
    symbols: list[str] = []
    for letter in normal(text):
        if symbols and symbols[-1] + letter in _PAIRS:
            symbols[-1] += letter
        else:
            symbols.append(letter)
    return symbols


def words_of(phones: list[Phone], texts: list[str]) -> list[Word]:
    """The written words that have phones, with the times of those phones."""
    spans: dict[int, tuple[float, float]] = {}
    for phone in phones:
        if phone.word is not None:
            spans[phone.word] = (spans.get(phone.word, (phone.start, 0.0))[0], phone.end)
    return [Word(texts[index], *span) for index, span in sorted(spans.items())]
