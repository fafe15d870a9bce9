"""What a face does besides articulating: blinks, gaze, head motion, brows, breath; all by seed, on their own channels.

Figures: 15–20 blinks a minute in conversation, closing in about 75–100 ms and opening in about twice that, intervals
close to log-normal (Doughty 2001; VanderWerf et al. 2003); blinks gather at phrase ends (Nakano & Kitazawa 2010);
fixations of about a second with saccades of 30–80 ms (Lee, Badler & Badler 2002); nods go with pitch accents (Munhall
et al. 2004).
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..speech.phones import SILENCE, VOWELS, Phone
from ..speech.prosody import STEP as MEASURED
from ..speech.prosody import Prosody

FINE = 1 / 240
LAYERS: tuple[str, ...] = ("blinks", "gaze", "head", "brows", "breath")
CHANNELS: tuple[str, ...] = (
    "AU45 Blink.L", "AU45 Blink.R", "Gaze Horizontal", "Gaze Vertical", "Head Yaw", "Head Pitch", "Head Roll",
    "AU01 Inner Brow Raiser.L", "AU01 Inner Brow Raiser.R", "AU02 Outer Brow Raiser.L", "AU02 Outer Brow Raiser.R",
)  # fmt: skip
_BLINK_MEDIAN = 3.3  # seconds between blinks; with the spread below 17 a minute
_BLINK_SPREAD = 0.42
_SHORTEST_BLINK_GAP = 1.0


@dataclass(frozen=True)
class Accent:
    """A stressed syllable: its middle in seconds and its weight, 0 … 1."""

    time: float
    weight: float


def _random(seed: int, layer: str) -> np.random.Generator:
    """Independent numbers a layer: taking one layer away leaves the others as they were."""
    return np.random.default_rng([seed, zlib.crc32(layer.encode())])


def accents(phones: list[Phone], prosody: Prosody) -> list[Accent]:
    """Vowels that stand out by loudness, pitch and length within the two seconds around them, at least 0.35 s apart."""
    vowels = [phone for phone in phones if phone.symbol in VOWELS]
    if len(vowels) < 3:
        return []
    times = np.array([0.5 * (vowel.start + vowel.end) for vowel in vowels])
    features = np.array(
        [[prosody.mean_level(v.start, v.end), _pitch_of(v, prosody), np.log(v.duration)] for v in vowels]
    )
    features[:, 1] = np.where(
        np.isnan(features[:, 1]),
        np.nanmedian(features[:, 1]) if np.isfinite(features[:, 1]).any() else 0.0,
        features[:, 1],
    )
    spread = features.std(0)
    score = np.zeros(len(vowels))
    for index, time in enumerate(times):
        near = features[np.abs(times - time) < 2.0]
        score[index] = np.sum(
            np.array([0.4, 0.4, 0.2]) * (features[index] - near.mean(0)) / np.maximum(spread, [1.0, 0.3, 0.1])
        )
    chosen: list[Accent] = []
    for index in np.argsort(-score):
        if score[index] > 0.35 and all(abs(times[index] - accent.time) >= 0.35 for accent in chosen):
            chosen.append(Accent(float(times[index]), float(min(1.0, score[index] / 1.6))))
    return sorted(chosen, key=lambda accent: accent.time)


def _pitch_of(phone: Phone, prosody: Prosody) -> float:
    """Mean pitch in semitones; NaN where unvoiced."""
    span = prosody.pitch[int(phone.start / MEASURED) : int(np.ceil(phone.end / MEASURED))]
    span = span[~np.isnan(span)]
    return float(12 * np.log2(span / 100.0).mean()) if len(span) else float("nan")


def perform(
    phones: list[Phone], prosody: Prosody, times: np.ndarray, seed: int, strengths: dict[str, float]
) -> dict[str, np.ndarray]:
    """{channel: values [T]} of all layers at evenly spaced times [T] in seconds."""
    fine = np.arange(0.0, float(times[-1]) + 2 * FINE, FINE)
    frame = float(times[1] - times[0]) if len(times) > 1 else 1 / 30
    pauses = [(phone.start, phone.end) for phone in phones if phone.symbol == SILENCE and phone.duration > 0.12]
    stressed = accents(phones, prosody)
    looks = _fixations(fine[-1], pauses, seed)
    blinks = _blinks(fine, frame, pauses, looks, seed)
    gaze = _gaze(fine, looks, seed)
    head = _head(fine, phones, stressed, looks, seed, strengths["head"], strengths["breath"])
    brows = _brows(fine, phones, prosody, stressed, seed)
    curves = (
        {name: curve * min(strengths["blinks"], 1.0) for name, curve in blinks.items()}
        | {name: curve * strengths["gaze"] for name, curve in gaze.items()}
        | head
        | {name: curve * strengths["brows"] for name, curve in brows.items()}
    )
    return {name: np.interp(times, fine, curve) for name, curve in curves.items()}


def _ease(x: np.ndarray) -> np.ndarray:
    """0 → 1 with rest at both ends (minimum jerk: Flash & Hogan 1985)."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10.0 - 15.0 * x + 6.0 * x**2)


def _blink_times(
    end: float, pauses: list[tuple[float, float]], looks: list[tuple[float, float, float]], seed: int
) -> list[float]:
    """Times at which the lids are shut: drawn, then moved to a phrase's end or a large turn of gaze if one is near."""
    random = _random(seed, "blinks")
    anchors = [start + 0.06 for start, _ in pauses if start > 0.3]
    anchors += [
        later[0]
        for earlier, later in itertools.pairwise(looks)
        if np.hypot(later[1] - earlier[1], later[2] - earlier[2]) > 0.16
    ]
    times: list[float] = []
    clock = float(random.uniform(0.5, 2.0))
    while clock < end - 0.25:
        near = [anchor for anchor in anchors if abs(anchor - clock) < 0.6]
        time = min(near, key=lambda anchor: abs(anchor - clock)) if near else clock
        time += float(random.normal(0.0, 0.02))
        if 0.25 < time < end - 0.25 and (not times or time - times[-1] > _SHORTEST_BLINK_GAP):
            times.append(time)
            if random.random() < 0.06 and time + 0.42 < end - 0.25:  # sometimes a double blink
                times.append(time + float(random.uniform(0.36, 0.42)))
        clock = max(time, clock) + max(
            _SHORTEST_BLINK_GAP, float(random.lognormal(np.log(_BLINK_MEDIAN), _BLINK_SPREAD))
        )
    return times


def _blinks(fine: np.ndarray, frame: float, pauses, looks, seed: int) -> dict[str, np.ndarray]:
    random = _random(seed, "lids")
    curves = {f"AU45 Blink.{side}": np.zeros_like(fine) for side in "LR"}
    for time in _blink_times(float(fine[-1]), pauses, looks, seed):
        down, up = random.uniform(0.075, 0.105), random.uniform(0.15, 0.24)
        hold = max(
            random.uniform(0.015, 0.045), 1.02 * frame
        )  # a frame wide at least, or the shut eye falls between frames
        depth = 1.0 if random.random() < 0.85 else random.uniform(0.82, 0.95)
        for curve in curves.values():
            own, late = depth * random.uniform(0.985, 1.0), random.normal(0.0, 0.004)
            start = time - 0.5 * hold + late
            shut = _ease((fine - (start - down)) / down)
            # Lids open fast at first and settle slowly.
            opened = 1.0 - np.clip((fine - start - hold) / up, 0.0, 1.0)
            np.maximum(curve, own * np.minimum(shut, _ease(opened) ** 0.85), out=curve)
    return curves


def _fixations(end: float, pauses: list[tuple[float, float]], seed: int) -> list[tuple[float, float, float]]:
    """[(time, horizontal, vertical)] of turns: mostly at the viewer, away while a phrase is planned."""
    random = _random(seed, "gaze")
    turns = [(0.0, 0.0, 0.0)]
    clock = float(random.uniform(0.4, 1.0))
    away = False
    while clock < end - 0.3:
        planning = any(start - 0.15 <= clock <= stop for start, stop in pauses if stop - start > 0.25)
        if not away and random.random() < (0.5 if planning else 0.1):
            side = float(random.choice([-1.0, 1.0]))
            turns.append((clock, side * random.uniform(0.16, 0.32), random.uniform(-0.16, 0.12)))
            away = True
            clock += float(random.uniform(0.35, 0.9))
        else:
            turns.append(
                (clock, random.normal(0.0, 0.03), random.normal(0.0, 0.022))
            )  # between the viewer's eyes and mouth
            away = False
            clock += float(0.35 + random.gamma(2.2, 0.4))
    return turns


def _gaze(fine: np.ndarray, looks: list[tuple[float, float, float]], seed: int) -> dict[str, np.ndarray]:
    """Fixations joined by saccades, which take longer the farther they go."""
    result = {}
    for axis, name in ((1, "Gaze Horizontal"), (2, "Gaze Vertical")):
        curve = np.zeros_like(fine)
        for earlier, later in itertools.pairwise(looks):
            far = float(np.hypot(later[1] - earlier[1], later[2] - earlier[2]))
            curve += (later[axis] - earlier[axis]) * _ease((fine - later[0]) / (0.03 + 0.12 * far))
        result[name] = curve
    return result


def _drift(fine: np.ndarray, random: np.random.Generator, seconds: float) -> np.ndarray:
    """Slow wandering of unit standard deviation whose bends are about `seconds` apart; starts anywhere."""
    knots = random.normal(0.0, 1.0, int(fine[-1] / seconds) + 6)
    place = fine / seconds + 2.0
    low = place.astype(int)
    x = (place - low)[None]
    # Uniform cubic B-spline: smooth to the second derivative, so the head has no jerks.
    basis = np.concatenate([(1 - x) ** 3, 3 * x**3 - 6 * x**2 + 4, -3 * x**3 + 3 * x**2 + 3 * x + 1, x**3]) / 6.0
    return sum(basis[k] * knots[low - 1 + k] for k in range(4)) / 0.7  # type: ignore[return-value]


def _head(
    fine: np.ndarray, phones: list[Phone], stressed: list[Accent], looks, seed: int, strength: float, breath: float
) -> dict[str, np.ndarray]:
    """Radians. Livelier while speaking; accents nod; a turn of the gaze takes the head a little way along."""
    random = _random(seed, "head")
    spoken = np.zeros_like(fine)
    for phone in phones:
        if phone.symbol != SILENCE:
            spoken[int(phone.start / FINE) : int(phone.end / FINE) + 1] = 1.0
    lively = 0.45 + 0.55 * gaussian_filter1d(spoken, 0.35 / FINE, mode="nearest")
    degrees = {
        "Head Yaw": 2.4 * _drift(fine, random, 1.5),
        "Head Pitch": 1.3 * _drift(fine, random, 1.2),
        "Head Roll": 1.4 * _drift(fine, random, 1.9),
    }
    degrees = {name: curve * lively for name, curve in degrees.items()}
    for accent in stressed:
        if accent.weight < 0.35 and random.random() < 0.5:
            continue
        size = accent.weight * random.uniform(2.2, 4.4)
        down, up = random.uniform(0.16, 0.22), random.uniform(0.28, 0.45)
        place = fine - (accent.time + random.normal(0.0, 0.03))
        nod = _ease((place + down) / down) - _ease(place / up)
        degrees["Head Pitch"] -= size * nod
        degrees["Head Yaw"] += random.normal(0.0, 0.5) * nod
        degrees["Head Roll"] += random.normal(0.0, 0.45) * nod
    for earlier, later in itertools.pairwise(looks):
        turn = later[1] - earlier[1]
        if abs(turn) > 0.12:
            degrees["Head Yaw"] += 7.0 * turn * _ease((fine - later[0] + 0.05) / 0.45)
    curves = {name: np.radians(curve) * strength for name, curve in degrees.items()}
    rate = random.uniform(0.23, 0.3)
    curves["Head Pitch"] = curves["Head Pitch"] + np.radians(0.22) * breath * np.sin(
        2 * np.pi * (rate * fine + random.random())
    )
    return curves


def _brows(
    fine: np.ndarray, phones: list[Phone], prosody: Prosody, stressed: list[Accent], seed: int
) -> dict[str, np.ndarray]:
    """Raises at the strongest accents, and through a phrase that ends on a rising pitch, as a question does."""
    random = _random(seed, "brows")
    inner, outer = np.zeros_like(fine), np.zeros_like(fine)
    last = -2.0
    for accent in stressed:
        if accent.weight < 0.5 or accent.time - last < 1.1 or random.random() < 0.25:
            continue
        last = accent.time
        size = accent.weight * random.uniform(0.16, 0.34)
        rise, hold, fall = random.uniform(0.14, 0.2), random.uniform(0.05, 0.2), random.uniform(0.3, 0.45)
        place = fine - accent.time + rise
        bump = size * (_ease(place / rise) - _ease((place - rise - hold) / fall))
        np.maximum(inner, bump * random.uniform(0.75, 1.0), out=inner)
        np.maximum(outer, bump * random.uniform(0.85, 1.1), out=outer)
    for start, end in questions(phones, prosody):
        bump = 0.32 * (_ease((fine - start) / 0.25) - _ease((fine - end) / 0.5))
        np.maximum(inner, bump, out=inner)
        np.maximum(outer, 0.9 * bump, out=outer)
    lean = {"L": random.uniform(0.88, 1.0), "R": random.uniform(0.88, 1.0)}  # nobody's brows rise alike
    return {
        f"{name}.{side}": curve * lean[side]
        for name, curve in (("AU01 Inner Brow Raiser", inner), ("AU02 Outer Brow Raiser", outer))
        for side in "LR"
    }


def questions(phones: list[Phone], prosody: Prosody) -> list[tuple[float, float]]:
    """[(start, end)] of last half seconds before a pause in which the pitch rises by more than three semitones."""
    found = []
    ends = [phone.start for phone in phones if phone.symbol == SILENCE and phone.duration > 0.2 and phone.start > 0.6]
    for end in ends:
        span = prosody.pitch[int((end - 0.45) / MEASURED) : int(end / MEASURED)]
        voiced = 12 * np.log2(span[~np.isnan(span)] / 100.0)
        if len(voiced) >= 24 and np.median(voiced[-8:]) - np.median(voiced[:8]) > 3.0:
            found.append((end - 0.5, end))
    return found
