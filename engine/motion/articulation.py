"""Phones → mouth, jaw and tongue: a model of co-articulation on Mien's channels.

Two kinds of movement, because speech has two:

- *Shapes* (jaw height, lip opening, rounding, protrusion, spreading, …) are targets that overlap. Every phone has a
  target and a strength a shape; its influence falls off exponentially before and after it, and the curve is the
  weighted mean of all targets (dominance functions: Cohen & Massaro 1993, after Löfqvist 1990). A consonant that does
  not care about rounding has no strength there, so the rounding of "oo" starts in the "s" of "soon".
- *Contacts* (lips for p b m, lip to teeth for f v) are events that must happen. They are laid over the shapes as
  plateaus that reach 1 for the whole closure, however fast the speech: at a contact the lips really touch.

Everything is computed at a fixed fine step and then read at the frames, so that the frame rate changes nothing else.
"""

# ruff: noqa: E501 (a table reads better one row a line)

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..contract import channels as table
from ..speech.phones import BILABIALS, LABIODENTALS, SILENCE, STOPS, VOWELS, Phone
from ..speech.prosody import STEP as MEASURED
from ..speech.prosody import Prosody

STEP = 1 / 240
SHAPES: tuple[str, ...] = ("jaw", "part", "round", "funnel", "spread", "upper", "lower", "chin", "tongue")

#: Seconds over which a phone's influence falls to 1/e: (before it, after it). Rounding starts early and lets go late;
#: the jaw is heavy; the tongue is quick.
_REACH: dict[str, tuple[float, float]] = {
    "jaw": (0.055, 0.065), "part": (0.045, 0.055), "round": (0.11, 0.075), "funnel": (0.10, 0.07), "spread": (0.07, 0.07),
    "upper": (0.05, 0.06), "lower": (0.05, 0.06), "chin": (0.05, 0.05), "tongue": (0.035, 0.035),
}  # fmt: skip
#: Seconds (standard deviation) of the smoothing that stands for each articulator's inertia.
_INERTIA: dict[str, float] = {
    "jaw": 0.026, "part": 0.020, "round": 0.030, "funnel": 0.028, "spread": 0.030, "upper": 0.024, "lower": 0.024,
    "chin": 0.024, "tongue": 0.018,
}  # fmt: skip
#: How far a shape's size follows the sound's loudness from moment to moment. Captured jaws do, by more than half:
#: without it the mean correlation with them is 0.66, with it 0.73 (`engine evaluate speech`).
_BY_LOUDNESS: dict[str, float] = {"jaw": 0.6, "part": 0.3, "upper": 0.3, "lower": 0.3}


@dataclass(frozen=True)
class Target:
    """What a phone wants of each shape, and how much: {shape: (value 0 … 1, strength ≥ 0)}."""

    wants: dict[str, tuple[float, float]]


def _vowel(
    jaw: float,
    round_: float = 0.0,
    funnel: float = 0.0,
    spread: float = 0.0,
    part: float = 0.3,
    upper: float = 0.05,
    lower: float = 0.12,
) -> Target:
    return Target({
        "jaw": (jaw, 1.0), "part": (part, 1.0), "round": (round_, 1.0), "funnel": (funnel, 1.0), "spread": (spread, 0.8),
        "upper": (upper, 0.8), "lower": (lower, 0.8), "chin": (0.0, 0.3), "tongue": (0.0, 0.5),
    })  # fmt: skip


def _consonant(**wants: tuple[float, float]) -> Target:
    weak = {
        "jaw": (0.08, 0.25),
        "part": (0.2, 0.3),
        "chin": (0.0, 0.3),
        "tongue": (0.0, 0.6),
        "upper": (0.03, 0.2),
        "lower": (0.08, 0.2),
    }
    return Target(weak | wants)


#: Articulatory targets by IPA symbol. Openings after the vowel quadrilateral (Ladefoged & Johnson, *A Course in
#: Phonetics*); strengths after the usual viseme practice: lips and teeth are seen, the tongue's body is not.
_TARGETS: dict[str, Target] = {
    "i": _vowel(0.10, spread=0.55, part=0.30, upper=0.10, lower=0.16),
    "ɪ": _vowel(0.16, spread=0.32, part=0.28, upper=0.07, lower=0.14),
    "e": _vowel(0.19, spread=0.42, part=0.30, upper=0.08, lower=0.15),
    "ɛ": _vowel(0.27, spread=0.25, part=0.30, upper=0.07, lower=0.15),
    "æ": _vowel(0.38, spread=0.34, part=0.34, upper=0.10, lower=0.18),
    "a": _vowel(0.42, spread=0.12, part=0.34, upper=0.06, lower=0.14),
    "ɑ": _vowel(0.44, funnel=0.06, part=0.32, upper=0.04, lower=0.12),
    "ɒ": _vowel(0.36, round_=0.25, funnel=0.30, part=0.30, lower=0.08),
    "ɔ": _vowel(0.31, round_=0.38, funnel=0.42, part=0.26, upper=0.02, lower=0.06),
    "o": _vowel(0.22, round_=0.62, funnel=0.42, part=0.15, upper=0.0, lower=0.04),
    "ʊ": _vowel(0.16, round_=0.50, funnel=0.40, part=0.16, upper=0.0, lower=0.05),
    "u": _vowel(0.08, round_=0.86, funnel=0.26, part=0.06, upper=0.0, lower=0.02),
    "y": _vowel(0.08, round_=0.80, funnel=0.26, part=0.07, upper=0.0, lower=0.03),
    "ø": _vowel(0.18, round_=0.60, funnel=0.42, part=0.16, upper=0.0, lower=0.05),
    "œ": _vowel(0.26, round_=0.42, funnel=0.40, part=0.22, lower=0.08),
    "ɯ": _vowel(0.12, spread=0.25, part=0.24),
    "ɤ": _vowel(0.22, spread=0.10, part=0.26),
    "ʌ": _vowel(0.30, part=0.28),
    "ə": Target({shape: (value, strength * 0.55) for shape, (value, strength) in _vowel(0.19, part=0.24).wants.items()}),
    "ɝ": _vowel(0.16, round_=0.36, funnel=0.34, part=0.18, lower=0.08),
    "p": _consonant(jaw=(0.07, 1.1), chin=(0.10, 0.8), part=(0.0, 0.5), upper=(0.0, 0.8), lower=(0.0, 0.8)),
    "m": _consonant(jaw=(0.08, 1.1), chin=(0.06, 0.8), part=(0.0, 0.5), upper=(0.0, 0.8), lower=(0.0, 0.8)),
    "f": _consonant(jaw=(0.07, 1.3), part=(0.05, 0.8), upper=(0.16, 1.0), lower=(0.0, 1.0), round=(0.0, 0.25), funnel=(0.0, 0.8), chin=(0.10, 0.6)),
    "θ": _consonant(jaw=(0.13, 0.9), part=(0.28, 0.7), upper=(0.06, 0.5), lower=(0.12, 0.6), tongue=(0.26, 2.2)),
    "t": _consonant(jaw=(0.08, 0.7), part=(0.22, 0.4), tongue=(0.03, 1.0)),
    "n": _consonant(jaw=(0.10, 0.5), part=(0.22, 0.4), tongue=(0.04, 0.9)),
    "l": _consonant(jaw=(0.16, 0.5), part=(0.26, 0.4), tongue=(0.10, 1.2)),
    "ɾ": _consonant(jaw=(0.13, 0.3)),
    "s": _consonant(jaw=(0.045, 1.6), part=(0.30, 0.8), spread=(0.28, 0.35), upper=(0.08, 0.6), lower=(0.22, 0.9)),
    "ʃ": _consonant(jaw=(0.06, 1.5), part=(0.26, 0.8), round=(0.42, 0.85), funnel=(0.62, 1.1), upper=(0.10, 0.6), lower=(0.16, 0.7), spread=(0.0, 0.6)),
    "ɕ": _consonant(jaw=(0.06, 1.4), part=(0.28, 0.7), spread=(0.30, 0.5), upper=(0.08, 0.5), lower=(0.20, 0.8)),
    "ɹ": _consonant(jaw=(0.11, 0.7), round=(0.46, 0.75), funnel=(0.38, 0.75), part=(0.18, 0.5)),
    "j": _consonant(jaw=(0.08, 0.7), spread=(0.40, 0.6), part=(0.24, 0.4)),
    "w": _consonant(jaw=(0.07, 0.9), round=(0.95, 1.6), funnel=(0.22, 1.2), part=(0.03, 1.0), spread=(0.0, 1.0), upper=(0.0, 0.8), lower=(0.0, 0.8)),
    "k": _consonant(jaw=(0.13, 0.35)),
    "h": _consonant(jaw=(0.18, 0.12), part=(0.24, 0.2)),
    "ŋ": _consonant(jaw=(0.13, 0.3)),
    SILENCE: Target({shape: (0.0, 1.0) for shape in SHAPES}),
}  # fmt: skip
#: Phones that look like another.
_ALIKE: dict[str, str] = {
    "b": "p", "ɓ": "p", "ʙ": "p", "v": "f", "ɱ": "f", "ʋ": "f", "ɸ": "f", "β": "f", "ð": "θ", "d": "t", "ɖ": "t", "ʈ": "t",
    "ɳ": "n", "ɲ": "n", "z": "s", "ts": "s", "dz": "s", "ʒ": "ʃ", "ʂ": "ʃ", "ʐ": "ʃ", "tʂ": "ʃ", "dʐ": "ʃ", "tʃ": "ʃ",
    "dʒ": "ʃ", "tɕ": "ɕ", "dʑ": "ɕ", "ʑ": "ɕ", "ç": "ɕ", "r": "l", "ɫ": "l", "ɭ": "l", "ɬ": "l", "ɮ": "l", "ʎ": "l", "ɽ": "ɾ",
    "ɻ": "ɹ", "ɥ": "w", "ʍ": "w", "ɰ": "k", "ɡ": "k", "x": "k", "ɣ": "k", "q": "k", "ɢ": "k", "c": "k", "ɟ": "k", "χ": "k",
    "ʁ": "k", "ʀ": "k", "ʔ": "h", "ɦ": "h", "ħ": "h", "ʕ": "h", "ɴ": "ŋ", "ɨ": "ɪ", "ʏ": "y", "ʉ": "u", "ɘ": "ə", "ɵ": "ø",
    "ɜ": "ʌ", "ɞ": "œ", "ɐ": "ʌ", "ɚ": "ɝ",
}  # fmt: skip
_DIPHTHONGS: dict[str, tuple[str, str]] = {
    "aɪ": ("a", "ɪ"),
    "aʊ": ("a", "ʊ"),
    "eɪ": ("e", "i"),
    "oʊ": ("o", "u"),
    "ɔɪ": ("ɔ", "ɪ"),
}

_CLOSING = 0.075  # seconds in which lips travel to a closure
_OPENING = 0.060  # … and away from it; the burst is quick
_PRESS = 0.16  # AU24 at a closure
OVERLAP = 0.02  # the lips are sent a little past each other, so that a key's small error leaves no gap
_TUCK = 0.62  # AU28 Lower at f and v
_JAW_SHUT, _JAW_TUCKED = 0.16, 0.12  # the jaw's most where lips touch, or lip and teeth
_LOWER = tuple(f"AU16 Lower Lip Depressor.{side}" for side in "LR")
_RAISERS = tuple(f"{name}.{side}" for name in ("AU10 Upper Lip Raiser", "AU11 Nasolabial Deepener") for side in "LR")

#: Channels that the mouth moves, in the table's order.
CHANNELS: tuple[str, ...] = tuple(
    name for name in table.NAMES
    if name.split(".")[0] in {
        "AU26 Jaw Drop", "AU08 Lips Toward Each Other", "AU18 Lip Pucker", "AU22 Lip Funneler", "AU20 Lip Stretcher",
        "AU12 Lip Corner Puller", "AU14 Dimpler", "AU10 Upper Lip Raiser", "AU16 Lower Lip Depressor", "AU25 Lips Part",
        "AU24 Lip Pressor", "AU17 Chin Raiser", "AU19 Tongue Show",
    } or name == "AU28 Lip Suck Lower"
)  # fmt: skip


def target(symbol: str) -> Target:
    """The target of an IPA symbol; one that is not known moves the mouth a little, as an unstressed vowel does."""
    return _TARGETS.get(_ALIKE.get(symbol, symbol), _TARGETS["ə"])


@dataclass(frozen=True)
class _Piece:
    """A stretch of time with one target: a phone, or half of a diphthong."""

    target: Target
    start: float
    end: float
    strength: float
    gain: float  # of the openings


def articulate(
    phones: list[Phone], prosody: Prosody, times: np.ndarray, strength: float = 1.0, breath: float = 1.0
) -> np.ndarray:
    """Values of `CHANNELS` [T, C] at rising, evenly spaced times [T] in seconds.

    Args:
        phones: Gapless, from time 0.
        strength: Scales every opening and rounding; contacts are kept.
        breath: Scales the opening of the mouth for a breath before a phrase.
    """
    fine = np.arange(0.0, float(times[-1]) + 2 * STEP, STEP)
    shapes = _blend(_pieces(phones, prosody), fine, _loudness(prosody, fine))
    shapes["part"] = np.maximum(shapes["part"], 0.22 * breath * _breaths(phones, fine))
    shapes["jaw"] = np.maximum(shapes["jaw"], 0.05 * breath * _breaths(phones, fine))
    closure, tuck = _events(phones, fine, _frame(times))
    values = _channels({shape: curve * strength for shape, curve in shapes.items()}, closure, tuck, min(strength, 1.0))
    sampled = np.stack([np.interp(times, fine, values[name]) for name in CHANNELS], axis=1)
    return np.clip(sampled, 0.0, table.UNIT_LIMIT)


def contacts(phones: list[Phone], times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(closure, tuck), each [T] 0 … 1 at evenly spaced times: lips together for p b m, lower lip at the teeth for f v."""
    fine = np.arange(0.0, float(times[-1]) + 2 * STEP, STEP)
    closure, tuck = _events(phones, fine, _frame(times))
    return np.interp(times, fine, closure), np.interp(times, fine, tuck)


def breaths(phones: list[Phone], times: np.ndarray) -> np.ndarray:
    """[T] 0 … 1: how far a breath before a phrase opens the mouth."""
    return _breaths(phones, times)


def constrain(values: np.ndarray, closure: np.ndarray, tuck: np.ndarray, contact: float = 1.0) -> np.ndarray:
    """Any mouth, made to do what its phones demand: frame by frame, and smooth because the contacts are.

    What parts the lips gives way where they must touch; what is left open is closed by AU08 to the last bit; where the
    lower lip must touch the teeth it is drawn in. Nothing else is changed.

    Args:
        values: [T, C] of all channels.
        closure, tuck: [T] from `contacts`.
        contact: 0 … 1, how hard the lips are pressed.
    """
    values = values.copy()
    apart = 1.0 - closure
    free = apart * (1.0 - tuck)
    column = table.INDEX
    jaw = column["AU26 Jaw Drop"]
    for most, event in ((_JAW_SHUT, closure), (_JAW_TUCKED, tuck)):
        values[:, jaw] -= event * np.maximum(values[:, jaw] - most, 0.0)
    for name in ("AU25 Lips Part", "AU22 Lip Funneler", "AU27 Mouth Stretch", "AU19 Tongue Show", *_LOWER):
        values[:, column[name]] *= free
    for name in _RAISERS:
        values[:, column[name]] *= apart
    for name in ("AU18 Lip Pucker", "AU28 Lip Suck Upper"):
        values[:, column[name]] *= 1.0 - 0.5 * tuck
    lower = column["AU28 Lip Suck Lower"]
    values[:, lower] = np.maximum(values[:, lower], _TUCK * tuck * apart * contact)
    for side in "LR":
        press = column[f"AU24 Lip Pressor.{side}"]
        values[:, press] = np.maximum(values[:, press] * (1.0 - tuck), _PRESS * closure * contact)
    return seal(values, closure)


def seal(values: np.ndarray, closure: np.ndarray) -> np.ndarray:
    """Channel values [T, C] with AU08 as large as the closure needs, whatever else is open."""
    values = values.copy()
    together = table.INDEX["AU08 Lips Toward Each Other"]
    bare = values.copy()
    bare[:, together] = 0.0
    needed = np.maximum(_gap(bare) + OVERLAP, 0.0) * closure
    values[:, together] = np.clip(np.maximum(needed, values[:, together]), 0.0, table.UNIT_LIMIT)
    return values


def _frame(times: np.ndarray) -> float:
    return float(times[1] - times[0]) if len(times) > 1 else 1 / 30


def _events(phones: list[Phone], fine: np.ndarray, frame: float) -> tuple[np.ndarray, np.ndarray]:
    closure = _contacts([_closure(phone) for phone in phones if phone.symbol in BILABIALS], fine, frame)
    tuck = _contacts([(phone.start, phone.end) for phone in phones if phone.symbol in LABIODENTALS], fine, frame)
    return closure, tuck


def _closure(phone: Phone) -> tuple[float, float]:
    """When the lips are together: all of an m; a p or b until its burst."""
    if phone.symbol in STOPS:
        return phone.start, phone.release if phone.release is not None else phone.start + 0.7 * phone.duration
    return phone.start, phone.end


def _pieces(phones: list[Phone], prosody: Prosody) -> list[_Piece]:
    """Phones → targets in time; openings follow how loud each vowel is beside the others."""
    levels = [prosody.mean_level(phone.start, phone.end) for phone in phones if phone.symbol in VOWELS]
    usual = float(np.median(levels)) if levels else 0.0
    pieces: list[_Piece] = []
    for phone in phones:
        gain = 1.0
        if phone.symbol in VOWELS:
            # 6 dB louder opens a seventh wider, on top of what `_loudness` does from moment to moment.
            gain = float(np.clip(10 ** ((prosody.mean_level(phone.start, phone.end) - usual) / 20 * 0.2), 0.7, 1.2))
        if phone.symbol in _DIPHTHONGS:
            middle = phone.start + 0.55 * phone.duration
            first, second = (target(symbol) for symbol in _DIPHTHONGS[phone.symbol])
            pieces += [_Piece(first, phone.start, middle, 1.0, gain), _Piece(second, middle, phone.end, 0.9, gain)]
        else:
            # A pause closes the mouth; the short gap between two words barely does.
            strength = min(1.0, phone.duration / 0.25) ** 2 * 1.5 if phone.symbol == SILENCE else 1.0
            pieces.append(_Piece(target(phone.symbol), phone.start, phone.end, strength, gain))
    return pieces


def _loudness(prosody: Prosody, fine: np.ndarray) -> np.ndarray:
    """[T] 0 … 1.25: the sound's level within the 30 dB that speech spans, 1 at the level of ordinary vowels."""
    level = gaussian_filter1d(np.maximum(prosody.level, prosody.loud - 40.0), 0.02 / MEASURED, mode="nearest")
    return np.clip((np.interp(fine, prosody.times, level) - (prosody.loud - 30.0)) / 30.0, 0.0, 1.25)


def _blend(pieces: list[_Piece], fine: np.ndarray, loudness: np.ndarray) -> dict[str, np.ndarray]:
    """The dominance-weighted mean of the targets for each shape, opened by loudness, smoothed by its inertia."""
    shapes: dict[str, np.ndarray] = {}
    for shape in SHAPES:
        before, after = _REACH[shape]
        total = np.full_like(fine, 1e-6)
        weighted = np.zeros_like(fine)
        for piece in pieces:
            value, strength = piece.target.wants.get(shape, (0.0, 0.0))
            strength *= piece.strength
            if strength <= 0.0:
                continue
            if shape in _BY_LOUDNESS:
                value *= piece.gain
            # Full strength within the phone's middle, so that a long vowel is held rather than touched.
            inset = 0.25 * (piece.end - piece.start)
            low, high = piece.start + inset, piece.end - inset
            first = int(np.searchsorted(fine, low - 6 * before))
            last = int(np.searchsorted(fine, high + 6 * after))
            time = fine[first:last]
            away = np.where(time < low, (low - time) / before, np.maximum(time - high, 0.0) / after)
            weight = strength * np.exp(-away)
            total[first:last] += weight
            weighted[first:last] += weight * value
        voiced = _BY_LOUDNESS.get(shape, 0.0)
        opening = 1.0 - voiced + 1.2 * voiced * loudness
        curve = gaussian_filter1d(opening * weighted / total, _INERTIA[shape] / STEP, mode="nearest")
        # Exponentials never end: below this the articulator rests.
        shapes[shape] = np.maximum(curve - 0.004, 0.0)
    return shapes


def _contacts(spans: list[tuple[float, float]], fine: np.ndarray, frame: float) -> np.ndarray:
    """[T] 0 … 1: plateaus of 1 over the spans with smooth ways in and out.

    A plateau is at least a frame wide, so that whatever the frame rate a frame falls into it.
    """
    curve = np.zeros_like(fine)
    for start, end in spans:
        if end - start < 1.02 * frame:
            middle = 0.5 * (start + end)
            start, end = middle - 0.51 * frame, middle + 0.51 * frame
        first, last = (int(np.searchsorted(fine, time)) for time in (start - _CLOSING, end + _OPENING))
        time = fine[first:last]
        away = np.where(time < start, (start - time) / _CLOSING, np.maximum(time - end, 0.0) / _OPENING)
        curve[first:last] = np.maximum(curve[first:last], 0.5 + 0.5 * np.cos(np.pi * np.clip(away, 0.0, 1.0)))
    return curve


def _breaths(phones: list[Phone], fine: np.ndarray) -> np.ndarray:
    """[T] 0 … 1: the mouth opens to draw breath before a phrase that follows a real pause, and stays open into it."""
    curve = np.zeros_like(fine)
    for silence, _following in itertools.pairwise(phones):
        if silence.symbol == SILENCE and silence.duration > 0.3:
            length = min(0.4, 0.7 * silence.duration)
            rise = np.clip((fine - (silence.end - length)) / (0.7 * length), 0.0, 1.0)
            fall = np.clip((fine - silence.end) / 0.1, 0.0, 1.0)
            curve = np.maximum(curve, np.sin(0.5 * np.pi * rise) ** 2 * np.cos(0.5 * np.pi * fall) ** 2)
    return curve


def _channels(
    shapes: dict[str, np.ndarray], closure: np.ndarray, tuck: np.ndarray, contact: float
) -> dict[str, np.ndarray]:
    """Shapes and contacts → channel values. What parts the lips gives way to contacts; the jaw does not."""
    apart = 1.0 - closure
    free = apart * (1.0 - tuck)
    jaw = shapes["jaw"]
    values = {
        "AU26 Jaw Drop": jaw,
        "AU08 Lips Toward Each Other": closure * (jaw + OVERLAP),
        "AU18 Lip Pucker": shapes["round"] * (1.0 - 0.5 * tuck),
        "AU22 Lip Funneler": shapes["funnel"] * free,
        "AU25 Lips Part": shapes["part"] * free,
        "AU28 Lip Suck Lower": _TUCK * tuck * apart * contact,
        "AU17 Chin Raiser": shapes["chin"] + 0.05 * closure,
        "AU19 Tongue Show": shapes["tongue"] * free,
    }
    sides = {
        "AU10 Upper Lip Raiser": shapes["upper"] * apart,
        "AU12 Lip Corner Puller": 0.16 * shapes["spread"],
        "AU14 Dimpler": 0.14 * shapes["spread"],
        "AU16 Lower Lip Depressor": shapes["lower"] * free,
        "AU20 Lip Stretcher": 0.55 * shapes["spread"],
        "AU24 Lip Pressor": _PRESS * closure * contact,
    }
    for name, curve in sides.items():
        values[name + ".L"] = values[name + ".R"] = curve
    return values


def lip_aperture(values: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """How far the lips are apart [T], from channel values [T, C]: 0 touching, 1 about a wide-open jaw.

    A linear reading of the units: the jaw opens, `mouthClose` undoes it, the other units part the lips by about their
    share on the default head. Negative results (lips pressed) count as 0.
    """
    dense = np.zeros((len(values), len(table.CHANNELS)))
    dense[:, [table.INDEX[name] for name in names]] = values
    return np.maximum(_gap(dense), 0.0)


def _gap(dense: np.ndarray) -> np.ndarray:
    """[T] the lips' opening from all channels [T, C]; below 0 they are pressed."""
    units = dict(zip(table.UNITS, table.to_units(dense).T, strict=True))
    opening = units["jawOpen"] - units["mouthClose"] + 0.2 * units["mouthFunnel"]
    for unit, share in (("mouthLowerDown", 0.15), ("mouthUpperUp", 0.12)):
        opening = opening + share * (units[unit + "Left"] + units[unit + "Right"])
    return opening - 0.35 * units["mouthRollLower"]


def closures(phones: list[Phone]) -> list[tuple[float, float]]:
    """[(start, end)] in seconds of every lip closure that the phones ask for."""
    return [_closure(phone) for phone in phones if phone.symbol in BILABIALS]
