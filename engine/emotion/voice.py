"""Arousal from how a line is said: pitch, its range and movement, tempo, and how much of the sound lies high.

That arousal raises pitch, widens its range, quickens speech and flattens the spectrum's tilt is among the best
confirmed findings on emotional speech: Banse & Scherer (1996), Acoustic profiles in vocal emotion expression, JPSP 70;
Juslin & Laukka (2003), Communication of emotions in vocal expression and music performance, Psychological Bulletin 129;
Goudbeek & Scherer (2010), Beyond arousal, JASA 128; Eyben et al. (2016), GeMAPS, IEEE Trans. Affective Computing 7.
The signs are theirs; norms and weights are our own setting, for speech of unknown speakers at unknown gain, so loudness
itself does not count. The voice says little about valence (the same sources): it is taken from the words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..speech.prosody import STEP, Prosody, measure
from ..speech.sound import Sound

#: name: (norm, spread, weight on arousal).
#: Norms of the line that ships with Mien, calmly read; spreads between that and stirred speech.
STATISTICS: dict[str, tuple[float, float, float]] = {
    "pitch": (0.0, 3.5, 0.35),  # semitones above the register's own middle
    "range": (8.5, 3.5, 0.25),  # semitones from the 10th to the 90th percentile
    "movement": (25.0, 12.0, 0.05),  # semitones a second
    "tempo": (4.0, 1.3, 0.15),  # syllables a second while speaking
    "brightness": (-29.0, 6.0, 0.25),  # dB above 3 kHz, against the whole, in voiced sound
    "dynamics": (25.0, 7.0, 0.05),  # dB from the 10th to the 90th percentile while speaking
}
SIZE = len(STATISTICS)
WINDOW = 2.4
"""Seconds that one estimate listens to."""
HOP = 0.3
_REGISTERS = (115.0, 205.0)
"""Hz: the middles of low and high voices (Hollien & Shipp 1972; Stoicheff 1981)."""
_LEAST_VOICED = 30
_GAIN = 1.1


@dataclass(frozen=True)
class Heard:
    """What a voice shows over time.

    Attributes:
        times: [N] seconds, the middles of the windows.
        statistics: [N, 6] in the order of `STATISTICS`, as spreads from the norm, clipped to ±3.
        presence: [N] 0 … 1: how much of the window is speech.
    """

    times: np.ndarray
    statistics: np.ndarray
    presence: np.ndarray

    @property
    def arousal(self) -> np.ndarray:
        """[N] −1 … 1; 0 where nothing is said."""
        return arousal(self.statistics) * self.presence


def arousal(statistics: np.ndarray) -> np.ndarray:
    """[...] −1 … 1 of statistics [..., 6]."""
    weights = np.array([weight for _, _, weight in STATISTICS.values()])
    return np.tanh(_GAIN * (np.asarray(statistics) @ weights))


def listen(sound: Sound) -> Heard:
    """Statistics of a recording, window by window. Silence has none: presence 0."""
    prosody = measure(sound)
    duration = len(prosody.level) * STEP
    times = np.arange(0.0, max(duration, HOP), HOP)
    speaking = prosody.speaking
    register = _register(prosody, speaking)
    rows, presence = [], []
    for time in times:
        low = max(int((time - WINDOW / 2) / STEP), 0)
        high = min(int((time + WINDOW / 2) / STEP), len(prosody.level))
        row = _statistics(prosody, speaking, register, low, high)
        rows.append(np.zeros(SIZE) if row is None else row)
        presence.append(0.0 if row is None else min(1.0, 2.0 * float(speaking[low:high].mean())))
    return Heard(times, np.array(rows), np.array(presence))


def _register(prosody: Prosody, speaking: np.ndarray) -> float:
    pitch = prosody.pitch[speaking & np.isfinite(prosody.pitch)]
    if len(pitch) < _LEAST_VOICED:
        return _REGISTERS[0]
    # Speech at rest lies low in a voice's range, so a low percentile tells the register better than the median.
    base = float(np.percentile(pitch, 15)) * 1.12
    return min(_REGISTERS, key=lambda middle: abs(np.log(base / middle)))


def _statistics(prosody: Prosody, speaking: np.ndarray, register: float, low: int, high: int) -> np.ndarray | None:
    """[6] of a window; None where it holds too little voice."""
    active = speaking[low:high]
    pitch = prosody.pitch[low:high]
    voiced = active & np.isfinite(pitch)
    if voiced.sum() < _LEAST_VOICED:
        return None
    semitones = 12 * np.log2(pitch[voiced] / register)
    steps = np.diff(12 * np.log2(pitch[active | np.isfinite(pitch)]))
    steps = steps[np.isfinite(steps) & (np.abs(steps) < 1.0)]  # larger ones are the tracker's
    level = prosody.level[low:high]
    values = {
        "pitch": np.median(semitones),
        "range": np.subtract(*np.percentile(semitones, (90, 10))),
        "movement": np.abs(steps).mean() / STEP if len(steps) else 0.0,
        "tempo": _syllables(level, active) / max(active.sum() * STEP, 0.3),
        "brightness": (prosody.high[low:high] - level)[voiced].mean(),
        "dynamics": np.subtract(*np.percentile(level[active], (90, 10))),
    }
    row = [(values[name] - norm) / spread for name, (norm, spread, _) in STATISTICS.items()]
    return np.clip(np.nan_to_num(row), -3, 3)


def _syllables(level: np.ndarray, active: np.ndarray) -> int:
    """Loudness peaks that stand 2.5 dB above the valley before them (de Jong & Wempe 2009)."""
    smooth = np.convolve(np.pad(level, 6, mode="edge"), np.ones(13) / 13, mode="valid")
    count, valley, peak, rising = 0, smooth[0], smooth[0], False
    for value, spoken in zip(smooth, active, strict=True):
        if not rising:
            valley = min(valley, value)
            if spoken and value > valley + 2.5:
                rising, peak, count = True, value, count + 1
        else:
            peak = max(peak, value)
            if value < peak - 2.5:
                rising, valley = False, value
    return count
