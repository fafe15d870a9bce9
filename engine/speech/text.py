"""Transcript → words that can be looked up, and the pronunciation of words that no dictionary has."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache

from ..contract.errors import MienError
from . import voices
from .phones import MISAKI, TO_ARPABET, split_ipa

MAX_CHARACTERS = 20_000
_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
]  # fmt: skip
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_SIGNS = {
    "&": "and",
    "%": "percent",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "€": "euros",
    "$": "dollars",
    "£": "pounds",
}
_TOKEN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:st|nd|rd|th)?|[^\W\d_]+(?:['’][^\W\d_]+)*['’]?|[&%+=@€$£]")


def check(text: str) -> str:
    """The text, if it can be a transcript or a line.

    Raises:
        MienError: Empty, too long, or with control characters.
    """
    if not isinstance(text, str) or not text.strip():
        raise MienError("The text is empty; type the words that are spoken, or leave the transcript out.")
    if len(text) > MAX_CHARACTERS:
        raise MienError(
            f"The text has {len(text)} characters; at most {MAX_CHARACTERS} are used, so cut it into parts."
        )
    bad = next((mark for mark in text if unicodedata.category(mark) == "Cc" and mark not in "\n\r\t"), None)
    if bad is not None:
        raise MienError(f"The text contains the control character U+{ord(bad):04X}; paste it again as plain text.")
    return text


def number_words(value: int) -> list[str]:
    """A number of at most twelve digits in words; longer ones digit by digit."""
    if value < 20:
        return [_ONES[value]]
    if value < 100:
        return [_TENS[value // 10 - 2], *([_ONES[value % 10]] if value % 10 else [])]
    for scale, name in _SCALES:
        if value >= scale:
            rest = value % scale
            return [*number_words(value // scale), name, *(number_words(rest) if rest else [])]
    raise AssertionError("unreachable")


def _spoken(token: str) -> list[str]:
    if token in _SIGNS:
        return [_SIGNS[token]]
    if not token[0].isdecimal():
        return [token.replace("’", "'").lower()]
    digits = re.match(r"[\d,.]+", token).group()  # type: ignore[union-attr]
    ordinal = len(digits) < len(token)
    whole, _, decimals = digits.rstrip(".,").replace(",", "").partition(".")
    if not whole.isascii() or len(whole) > 12 or (len(whole) > 1 and whole[0] == "0"):
        words = [_ONES[unicodedata.digit(digit)] for digit in whole]
    elif len(whole) == 4 and 1100 <= int(whole) < 2000 and not decimals and "," not in token and int(whole) % 100 >= 10:
        words = [*number_words(int(whole[:2])), *number_words(int(whole[2:]))]  # a year
    else:
        words = number_words(int(whole))
    if decimals:
        words += ["point", *(_ONES[unicodedata.digit(digit)] for digit in decimals)]
    return [*words[:-1], _ordinal(words[-1])] if ordinal else words


def _ordinal(word: str) -> str:
    irregular = {
        "one": "first",
        "two": "second",
        "three": "third",
        "five": "fifth",
        "eight": "eighth",
        "nine": "ninth",
        "twelve": "twelfth",
    }
    return irregular.get(word) or (word[:-1] + "ieth" if word.endswith("y") else word + "th")


def words(text: str) -> list[tuple[str, list[str]]]:
    """Text → [(as written, its spoken lower-case words)]; punctuation is dropped. "3rd" → ("3rd", ["third"])."""
    return [(match.group(), _spoken(match.group())) for match in _TOKEN.finditer(check(text))]


# Letter groups → IPA, tried longest first: a rough English reading for names and slips where no model is installed.
_LETTERS: dict[str, str] = {
    "tion": "ʃən", "sion": "ʒən", "ough": "oʊ", "augh": "ɔ", "eigh": "eɪ", "igh": "aɪ", "tch": "tʃ", "sch": "sk",
    "dge": "dʒ", "ch": "tʃ", "sh": "ʃ", "th": "θ", "ph": "f", "wh": "w", "ck": "k", "ng": "ŋ", "qu": "kw", "kn": "n",
    "wr": "ɹ", "gh": "ɡ", "ee": "i", "ea": "i", "ie": "i", "ei": "eɪ", "ey": "i", "ai": "eɪ", "ay": "eɪ", "oo": "u",
    "ou": "aʊ", "ow": "oʊ", "oa": "oʊ", "oi": "ɔɪ", "oy": "ɔɪ", "au": "ɔ", "aw": "ɔ", "ew": "u", "ue": "u", "ui": "u",
    "er": "ɝ", "ir": "ɝ", "ur": "ɝ", "ar": "ɑɹ", "or": "ɔɹ", "a": "æ", "b": "b", "c": "k", "d": "d", "e": "ɛ",
    "f": "f", "g": "ɡ", "h": "h", "i": "ɪ", "j": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n", "o": "ɑ", "p": "p",
    "q": "k", "r": "ɹ", "s": "s", "t": "t", "u": "ʌ", "v": "v", "w": "w", "x": "ks", "y": "i", "z": "z",
}  # fmt: skip
_SOFT = {"ce": "s", "ci": "s", "cy": "s", "ge": "dʒ", "gi": "dʒ"}
_LONG = {"a": "eɪ", "e": "i", "i": "aɪ", "o": "oʊ", "u": "u", "y": "aɪ"}


def letters_to_ipa(word: str) -> list[str]:
    """A rough English pronunciation by letter groups; [] for a word without Latin letters."""
    plain = "".join(mark for mark in unicodedata.normalize("NFD", word.lower()) if "a" <= mark <= "z")
    plain = re.sub(r"([b-df-hj-np-tv-z])\1", r"\1", plain)  # doubled consonants sound once
    symbols: list[str] = []
    place = 0
    while place < len(plain):
        rest = plain[place:]
        if rest == "e" and symbols:
            break  # a silent final e
        if rest == "a" and symbols:
            return [*symbols, "ə"]
        if re.fullmatch(r"[aeiouy][b-df-hj-np-tvz]e", rest):
            size, sound = 1, _LONG[rest[0]]
        elif rest[:2] in _SOFT:
            size, sound = 1, _SOFT[rest[:2]]
        elif place == 0 and rest[0] == "y":
            size, sound = 1, "j"
        else:
            size = next(size for size in (4, 3, 2, 1) if rest[:size] in _LETTERS and len(rest[:size]) == size)
            sound = _LETTERS[rest[:size]]
        symbols += split_ipa(sound)
        place += size
    return symbols


@cache
def _pronouncer():
    """hama's letter-to-sound model; None where its native library does not run (Windows, some processors)."""
    try:
        import hama

        return hama.G2PModel()
    except (ImportError, OSError, RuntimeError, AttributeError):
        return None


@cache
def _misaki() -> dict[str, str]:
    """misaki's entries, if the dictionaries are installed."""
    entries: dict[str, str] = {}
    for artefact in reversed(voices.DICTIONARIES):  # gold over silver
        try:
            data = voices.find(artefact)
        except MienError:
            data = None
        for word, entry in json.loads(data).items() if data else ():
            sound = entry.get("DEFAULT") if isinstance(entry, dict) else entry
            if sound:
                entries[word] = sound
    return entries


def pronounce(word: str) -> list[str]:
    """IPA symbols of a word that the aligner's dictionary lacks; [] where nothing can be made of it.

    misaki's dictionaries are asked first where a voice is installed, then hama's model, then letter rules.
    """
    listed = _misaki().get(word) or _misaki().get(word.capitalize())
    if listed:
        return [symbol for mark in listed for symbol in split_ipa(MISAKI.get(mark, mark))]
    model = _pronouncer()
    if model is not None and word.isascii():
        symbols = [symbol for symbol in split_ipa(model.predict(word).ipa) if symbol in TO_ARPABET]
        if symbols:
            return symbols
    return letters_to_ipa(word)
