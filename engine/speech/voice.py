"""Text → speech with Kokoro-82M: sound, phones and words of one typed line."""

# ruff: noqa: E501 (a table reads better one row a line)

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from ..contract.errors import MienError
from . import lexicon, voices
from . import text as spoken
from .phones import MISAKI, SILENCE, VOWELS, Phone, split_ipa
from .sound import Sound

RATE = 24_000
FRAME = 0.025
"""Seconds a unit of the network's duration output stands for."""
LATENESS = 0.052
"""Seconds that onsets summed from the network's durations come after the sound's, measured on eight lines; subtracted."""
_DURATIONS = b"/encoder/Cast_output_0"
_MOST_TOKENS = 500  # the network reads at most 510 with its margins
_BREAKS = ".!?;:,—…\n"
_LONGEST_SPACE = 0.15  # seconds; a space that lasts longer is a pause
MAX_LINE = 2_000

#: The network's alphabet (Kokoro-82M's published vocabulary).
VOCABULARY: dict[str, int] = {
    ";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, "—": 9, "…": 10, '"': 11, "(": 12, ")": 13, "“": 14, "”": 15, " ": 16,
    "A": 24, "I": 25, "O": 31, "Q": 33, "S": 35, "T": 36, "W": 39, "Y": 41, "ᵊ": 42, "a": 43, "b": 44, "c": 45, "d": 46,
    "e": 47, "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57, "p": 58, "q": 59, "r": 60,
    "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "x": 66, "y": 67, "z": 68, "ɑ": 69, "ɐ": 70, "ɒ": 71, "æ": 72, "β": 75,
    "ɔ": 76, "ɕ": 77, "ç": 78, "ɖ": 80, "ð": 81, "ʤ": 82, "ə": 83, "ɚ": 85, "ɛ": 86, "ɜ": 87, "ɟ": 90, "ɡ": 92, "ɨ": 101,
    "ɪ": 102, "ŋ": 112, "ɲ": 114, "ø": 116, "θ": 119, "œ": 120, "ɹ": 123, "ɾ": 125, "ʁ": 128, "ʃ": 131, "ʧ": 133, "ʊ": 135,
    "ʌ": 138, "ʒ": 147, "ʔ": 148, "ˈ": 156, "ˌ": 157, "ː": 158, "ᵻ": 177,
}  # fmt: skip
_TO_MISAKI = {"eɪ": "A", "aɪ": "I", "oʊ": "O", "aʊ": "W", "ɔɪ": "Y", "dʒ": "ʤ", "tʃ": "ʧ", "ɝ": "ɜɹ", "ɚ": "əɹ"}
_STRESS = "ˈˌ"
_UNSTRESSED = frozenset([
    "a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "was",
    "with", "that", "than", "it", "its", "be", "are", "am",
])  # fmt: skip


@lru_cache(maxsize=1)
def _dictionary(models: str | None) -> dict[str, str]:
    entries: dict[str, str] = {}
    for artefact in reversed(voices.DICTIONARIES):  # gold over silver
        for word, entry in json.loads(voices.require(artefact, models)).items():
            sound = entry.get("DEFAULT") if isinstance(entry, dict) else entry
            if sound:
                entries[word] = sound
    return entries


def misaki(word: str, models: str | None = None) -> str:
    """A word's phonemes in misaki's alphabet, stress marked; a word in no dictionary is spelt out by rule."""
    entries = _dictionary(models)
    if word.lower() == "a":
        return "ə"
    for form in (word, word.lower(), word.capitalize()):
        if form in entries:
            sound = entries[form]
            return sound.replace("ˈ", "").replace("ˌ", "") if form in _UNSTRESSED else sound
    lower = word.lower()
    for suffix, sound in (("'s", None), ("s", None), ("ed", "d"), ("ing", "ɪŋ"), ("ly", "li")):
        stem = lower[: -len(suffix)]
        if lower.endswith(suffix) and len(stem) > 2:
            for form in (stem, stem + "e", stem.capitalize()):
                if form in entries:
                    return entries[form] + (sound or _plural(entries[form]))
    symbols = spoken.pronounce(lower)
    first_vowel = next((place for place, symbol in enumerate(symbols) if symbol in VOWELS), None)
    return "".join(
        ("ˈ" if place == first_vowel else "") + _TO_MISAKI.get(symbol, symbol) for place, symbol in enumerate(symbols)
    )


def _plural(stem: str) -> str:
    if stem[-1] in "szʃʒʧʤ":
        return "ᵻz"
    return "s" if stem[-1] in "ptkfθ" else "z"


def _plan(
    line: str, models: str | None, pronunciations: Mapping[str, str] | None = None
) -> list[tuple[str, str | None]]:
    """[(phonemes or punctuation, the written word or None)] in order; a word of several spoken words keeps its text on the first."""
    plan: list[tuple[str, str | None]] = []
    place = 0
    for written, parts in spoken.words(line):
        start = line.index(written, place)
        plan += [(mark, None) for mark in re.sub(r"[^;:,.!?—…]", "", line[place:start])[:1]]
        place = start + len(written)
        letters = written if len(parts) == 1 and parts[0] == written.lower() else None
        given = lexicon.find(written, pronunciations or {})
        sounds = [given] if given else [misaki(letters or part, models) for part in parts]
        for index, sound in enumerate(sounds):
            plan.append(("".join(mark for mark in sound if mark in VOCABULARY), written if index == 0 else ""))
    return plan + [(mark, None) for mark in re.sub(r"[^;:,.!?—…]", "", line[place:])[:1]]


def _chunks(plan: list[tuple[str, str | None]]) -> list[list[tuple[str, str | None]]]:
    """The plan in pieces that the network can read, cut after sentences, else after words."""
    chunks: list[list[tuple[str, str | None]]] = [[]]
    size = 0
    for sound, word in plan:
        size += len(sound) + 1
        if size > _MOST_TOKENS and chunks[-1]:
            last = max(
                (k for k, (mark, owner) in enumerate(chunks[-1]) if owner is None and mark in ".!?"), default=None
            )
            keep = chunks[-1] if last is None or last < len(chunks[-1]) // 3 else chunks[-1][: last + 1]
            rest = chunks[-1][len(keep) :]
            chunks[-1] = keep
            chunks.append(list(rest))
            size = sum(len(piece) + 1 for piece, _ in rest) + len(sound) + 1
        chunks[-1].append((sound, word))
    return chunks


def _varint(value: int) -> bytes:
    data = b""
    while value > 127:
        data += bytes([value & 127 | 128])
        value >>= 7
    return data + bytes([value])


def _with_durations(model: bytes) -> bytes:
    """The ONNX file with the duration tensor as one more output.

    Protocol buffers merge a repeated message field by concatenation, so a graph (field 7) that holds nothing but an
    output (field 12) with a name (field 1) can be appended: no ONNX library is needed.
    """
    info = b"\x0a" + _varint(len(_DURATIONS)) + _DURATIONS
    graph = b"\x62" + _varint(len(info)) + info
    return model + b"\x3a" + _varint(len(graph)) + graph


@lru_cache(maxsize=1)
def _session(models: str | None):
    try:
        import onnxruntime
    except ImportError:
        raise MienError(f"The voice is not installed (onnxruntime is missing); {voices.REMEDY}.") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # One order of additions whatever the machine's cores: the same line gives the same sound.
    options.intra_op_num_threads = 1
    model = _with_durations(voices.require(voices.MODEL, models))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _style(voice: str, models: str | None) -> np.ndarray:
    if voice not in voices.VOICES:
        raise MienError(f"There is no voice {voice!r}; choose one of {', '.join(voices.VOICES)}.")
    return np.frombuffer(voices.require(voices.VOICES[voice], models), dtype="<f4").reshape(-1, 1, 256)


def speak(
    line: str,
    voice: str = voices.DEFAULT_VOICE,
    speed: float = 1.0,
    models: str | None = None,
    pronunciations: Mapping[str, str] | None = None,
) -> tuple[Sound, list[Phone], list[str]]:
    """Speak an English line.

    Args:
        speed: 0.5 … 2.
        pronunciations: {word: IPA}; what stands in the line as "[word](/IPA/)" goes before it.

    Returns:
        The sound at 24 kHz, gapless phones from 0 to its end (not refined yet), and the words as written.

    Raises:
        MienError: The text is empty, too long or has no English word, or the voice is not installed.
    """
    if len(spoken.check(line)) > MAX_LINE:
        raise MienError(
            f"The line has {len(line)} characters; at most {MAX_LINE} are spoken at once, so cut it into parts."
        )
    if not 0.5 <= speed <= 2.0:
        raise MienError(f"The speaking speed is {speed}; give one from 0.5 to 2.")
    line, given = lexicon.inline(line)
    given = lexicon.check(pronunciations or {}) | given
    style, session = _style(voice, models), _session(models)
    plan = _plan(line, models, given)
    if not any(word is not None and sound for sound, word in plan):
        raise MienError(f"The line {line[:40]!r} has no word that can be read as English; type English words.")
    samples: list[np.ndarray] = []
    phones: list[Phone] = []
    texts: list[str] = []
    clock = 0.0
    for chunk in _chunks(plan):
        tokens, marks = _tokens(chunk)
        feeds = {"tokens": np.array([tokens]), "style": style[len(tokens) - 2], "speed": np.array([speed], np.float32)}
        audio, durations = session.run(None, feeds)
        samples.append(audio.astype(np.float32))
        _collect(chunk, marks, np.asarray(durations).reshape(-1), clock, phones, texts)
        clock += len(audio) / RATE
    sound = Sound(np.concatenate(samples), RATE)
    return sound, _close(phones, sound.duration), texts


def _tokens(chunk: list[tuple[str, str | None]]) -> tuple[list[int], list[tuple[int, str]]]:
    """Token ids with the margins, and [(index of the plan entry, or −1 for a gap; the mark)] for each token between them."""
    marks: list[tuple[int, str]] = []
    for index, (sound, word) in enumerate(chunk):
        if word is not None and marks:
            marks.append((-1, " "))
        marks += [(index, mark) for mark in sound]
    return [0, *(VOCABULARY[mark] for _, mark in marks), 0], marks


def _collect(
    chunk: list[tuple[str, str | None]], marks: list[tuple[int, str]], durations: np.ndarray, clock: float,
    phones: list[Phone], texts: list[str],
) -> None:  # fmt: skip
    """Durations of tokens → phones and the written words, appended."""
    edges = clock + np.concatenate([[0.0], np.cumsum(durations)]) * FRAME - LATENESS
    owner: dict[int, int] = {}
    for index, (_, written) in enumerate(chunk):
        if written:
            texts.append(written)
        if written is not None:
            owner[index] = len(texts) - 1
    # Stress marks and the spaces between words have time of their own: it belongs to the phone that follows.
    open_at: float | None = None
    for place, (index, mark) in enumerate(marks):
        start, end = max(float(edges[place + 1]), 0.0), max(float(edges[place + 2]), 0.0)
        if mark in _STRESS or (mark == " " and end - start < _LONGEST_SPACE):
            open_at = start if open_at is None else open_at
            continue
        start, open_at = (start if open_at is None else open_at), None
        if mark == " " or mark in _BREAKS:
            phones.append(Phone(SILENCE, start, end))
        elif mark == "ː" and phones:
            phones[-1] = phones[-1].moved(phones[-1].start, end)
        else:
            phones += [Phone(symbol, start, end, word=owner[index]) for symbol in split_ipa(MISAKI.get(mark, mark))]


def _close(phones: list[Phone], duration: float) -> list[Phone]:
    """Gapless from 0 to the end: silence before, after and between; a space without time of its own is dropped."""
    result: list[Phone] = []
    clock = 0.0
    for phone in phones:
        if phone.end <= clock or (phone.symbol == SILENCE and phone.duration < 0.08):
            # The gap of a space is no pause: the phone before lasts until the next one.
            if result and phone.end > clock:
                result[-1] = result[-1].moved(result[-1].start, phone.end)
                clock = phone.end
            continue
        if phone.start > clock + 1e-6:
            result.append(Phone(SILENCE, clock, phone.start))
        result.append(phone.moved(max(phone.start, clock), phone.end))
        clock = phone.end
    if clock < duration:
        result.append(Phone(SILENCE, clock, duration))
    return result
