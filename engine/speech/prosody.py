"""Loudness, pitch and spectrum over time, measured at one fixed step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .sound import SPEECH_RATE, Sound

STEP = 0.005
"""Seconds between measurements. Measurement k is centred on k · STEP."""
_HOP = round(STEP * SPEECH_RATE)
_WINDOW = 320  # 20 ms: one pitch period of a low voice
_FLOOR = 1e-5  # −100 dB: digital silence
PITCH_RANGE = (60.0, 450.0)
_BLOCK = 4096  # frames measured at once, so that ten minutes stay within some ten megabytes


@dataclass(frozen=True)
class Prosody:
    """Measurements [N] or [N, B] at `STEP`, the first at time 0.

    Attributes:
        level: Loudness in dB relative to full scale, −100 … about 0.
        bands: [N, B] level of B bands, evenly spaced on the mel scale from 100 Hz to 7.6 kHz, in dB.
        high: Level above 3 kHz in dB: where fricatives are.
        pitch: Hz where voiced, else NaN.
    """

    level: np.ndarray
    bands: np.ndarray
    high: np.ndarray
    pitch: np.ndarray

    @property
    def times(self) -> np.ndarray:
        return np.arange(len(self.level)) * STEP

    @cached_property
    def noise(self) -> float:
        """The level of the background in dB."""
        return float(np.percentile(self.level, 5))

    @cached_property
    def loud(self) -> float:
        """The level of ordinary vowels in dB."""
        return float(np.percentile(self.level, 90))

    @property
    def has_speech(self) -> bool:
        """False for silence and for a level that never changes."""
        return self.loud > -60.0 and self.loud - self.noise > 6.0

    @cached_property
    def speaking(self) -> np.ndarray:
        """[N] bool: louder than the background, with gaps below 80 ms filled."""
        if not self.has_speech:
            return np.zeros(len(self.level), dtype=bool)
        threshold = max(self.noise + 0.3 * (self.loud - self.noise), self.loud - 35.0)
        active = self.level > threshold
        for start, end in runs(~active):
            if start > 0 and end < len(active) and (end - start) * STEP < 0.08:
                active[start:end] = True
        return active

    def mean_level(self, start: float, end: float) -> float:
        """Mean level in dB over a span of seconds; the nearest measurement where the span is shorter than a step."""
        low = min(max(int(start / STEP), 0), len(self.level) - 1)
        high = min(max(int(np.ceil(end / STEP)), low + 1), len(self.level))
        return float(self.level[low:high].mean())


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """[start, end) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, dtype=np.int8), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _mel(hz: np.ndarray | float) -> np.ndarray:
    return 2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0)


def _band_filters(count: int) -> np.ndarray:
    """[F, count] triangular filters over the power spectrum."""
    frequencies = np.fft.rfftfreq(512, 1 / SPEECH_RATE)
    edges = np.linspace(_mel(100.0), _mel(7600.0), count + 2)
    position = _mel(frequencies)[:, None]
    rise = (position - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - position) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rise, fall), 0.0, None)


def measure(sound: Sound) -> Prosody:
    """Measure a sound of any rate."""
    samples = sound.at_rate(SPEECH_RATE).samples.astype(np.float64)
    samples = samples - samples.mean()
    count = len(samples) // _HOP + 1
    padded = np.pad(samples, (1024, 1024 + _HOP))
    # 60 Hz and below is hum and handling noise, not loudness: the spectrum's first bins are left out.
    filters, frequencies = _band_filters(18), np.fft.rfftfreq(512, 1 / SPEECH_RATE)
    window = np.hanning(_WINDOW)
    scale = 2.0 / (np.sum(window**2) * 512)
    level, bands, high, pitch = [], [], [], []
    for first in range(0, count, _BLOCK):
        centres = np.arange(first, min(first + _BLOCK, count)) * _HOP + 1024
        frames = padded[centres[:, None] + np.arange(-_WINDOW // 2, _WINDOW // 2)] * window
        power = np.abs(np.fft.rfft(frames, 512)) ** 2 * scale
        level.append(_decibel(power[:, frequencies > 80.0].sum(1)))
        high.append(_decibel(power[:, frequencies > 3000.0].sum(1)))
        bands.append(_decibel(power @ filters))
        pitch.append(_pitch(padded, centres))
    return Prosody(np.concatenate(level), np.concatenate(bands), np.concatenate(high), _clean(np.concatenate(pitch)))


def _decibel(power: np.ndarray) -> np.ndarray:
    return 10.0 * np.log10(power + _FLOOR**2)


def _pitch(padded: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Normalised autocorrelation over 40 ms; NaN below a correlation of 0.5 or near silence."""
    half = 320
    frames = padded[centres[:, None] + np.arange(-half, half)]
    frames = frames - frames.mean(1, keepdims=True)
    window = np.hanning(2 * half)
    spectrum = np.fft.rfft(frames * window, 2048)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, :half]
    own = np.fft.irfft(np.abs(np.fft.rfft(window, 2048)) ** 2)[:half]
    energy = correlation[:, :1]
    # Dividing by the window's own autocorrelation undoes its taper (Boersma 1993).
    correlation = correlation / np.maximum(energy, 1e-12) * (own[0] / own)
    low, high = int(SPEECH_RATE / PITCH_RANGE[1]), int(SPEECH_RATE / PITCH_RANGE[0])
    lags = np.arange(low, high)
    # A small cost for long lags: otherwise two periods look as good as one.
    score = correlation[:, low:high] - 0.02 * np.log2(lags / low)
    best = score.argmax(1)
    strength = np.take_along_axis(score, best[:, None], 1)[:, 0]
    voiced = (strength > 0.5) & (energy[:, 0] > 2 * half * 1e-6)
    return np.where(voiced, SPEECH_RATE / lags[best], np.nan)


def _clean(pitch: np.ndarray) -> np.ndarray:
    """Octave jumps against the neighbourhood's median, and lone voiced frames, become NaN."""
    voiced = np.flatnonzero(~np.isnan(pitch))
    if len(voiced) < 5:
        return np.full_like(pitch, np.nan)
    values = np.interp(np.arange(len(pitch)), voiced, pitch[voiced])
    padded = np.pad(values, 20, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 41), axis=1)
    clean = np.where((pitch > 0.6 * around) & (pitch < 1.6 * around), pitch, np.nan)
    for start, end in runs(~np.isnan(clean)):
        if end - start < 4:
            clean[start:end] = np.nan
    return clean
