"""Reading sound: any rate, any number of channels, whatever libsndfile opens, to bounded mono float32."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from ..contract.errors import MienError

MAX_SECONDS = 600.0
MAX_BYTES = 1 << 30
RATE_RANGE = (4_000, 768_000)
SPEECH_RATE = 16_000
"""The rate that the phone recognisers and the measurements work at."""


@dataclass(frozen=True)
class Sound:
    """One channel of sound.

    Attributes:
        samples: [N] float32 within about −1 … 1, N ≥ 1, finite.
        rate: Samples a second.
    """

    samples: np.ndarray
    rate: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate

    def at_rate(self, rate: int) -> Sound:
        """The same sound at another rate, band-limited (polyphase FIR)."""
        if rate == self.rate:
            return self
        # An odd rate such as 44101 Hz would need a filter of a million taps: a ratio within 1e-5 of it keeps a
        # ten-minute sound within 6 ms and is far cheaper.
        ratio = Fraction(rate, self.rate).limit_denominator(2000)
        samples = resample_poly(self.samples.astype(np.float64), ratio.numerator, ratio.denominator)
        count = max(1, round(self.duration * rate))
        return Sound(_fit(samples, count).astype(np.float32), rate)


def _fit(samples: np.ndarray, count: int) -> np.ndarray:
    return samples[:count] if len(samples) >= count else np.pad(samples, (0, count - len(samples)))


def from_samples(samples: np.ndarray, rate: float, where: str = "The sound") -> Sound:
    """Samples [N] or [N, channels], integer or float, → mono sound; channels are averaged.

    Raises:
        MienError: No samples, not finite, too long, or a rate that no sound has.
    """
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu":
        raise MienError(f"{where} is not an array of samples; give numbers of shape [N] or [N, channels].")
    if not (isinstance(rate, (int, float, np.integer, np.floating)) and math.isfinite(rate)):
        raise MienError(f"{where} has the sample rate {rate!r}; give a number of samples a second.")
    if not RATE_RANGE[0] <= rate <= RATE_RANGE[1]:
        low, high = RATE_RANGE
        raise MienError(f"{where} has a sample rate of {rate:g} Hz; resample it to something from {low} to {high} Hz.")
    if array.size == 0:
        raise MienError(f"{where} holds no samples; record or export it again.")
    if len(array) / rate > MAX_SECONDS:
        raise MienError(
            f"{where} lasts {len(array) / rate:.0f} s; at most {MAX_SECONDS:.0f} s are performed at once, "
            "so cut it into parts."
        )
    if array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        middle = 0.0 if array.dtype.kind == "i" else (info.max + 1) / 2
        array = (array.astype(np.float64) - middle) / (info.max - middle)
    mono = array.astype(np.float64) if array.ndim == 1 else array.mean(axis=1, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(mono))
    if len(bad):
        raise MienError(f"{where} has a sample that is not a number at {bad[0] / rate:.3f} s; export it again.")
    # A float file may overshoot ±1 (fine); one written in integer units has to be scaled, or all is "loud".
    peak = np.abs(mono).max()
    return Sound((mono / peak if peak > 4.0 else mono).astype(np.float32), round(rate))


def read(path: str | os.PathLike[str]) -> Sound:
    """Read a sound file: WAV, FLAC, Ogg, MP3, AIFF and whatever else libsndfile opens.

    Raises:
        MienError: Missing, too large or too long, truncated, or not a sound.
    """
    import soundfile  # loads a shared library: only where a file is read

    path = Path(path)
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise MienError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if path.is_dir():
        raise MienError(f"{path} is a folder; give a sound file.")
    if size == 0:
        raise MienError(f"{path} is empty; record or export it again.")
    if size > MAX_BYTES:
        raise MienError(f"{path} is {size} bytes long; at most {MAX_BYTES} are read, so cut it into parts.")
    try:
        with soundfile.SoundFile(path) as file:
            rate, frames = file.samplerate, file.frames
            if frames > MAX_SECONDS * rate:
                raise MienError(
                    f"{path} lasts {frames / rate:.0f} s; at most {MAX_SECONDS:.0f} s are performed at once, "
                    "so cut it into parts."
                )
            samples = file.read(int(MAX_SECONDS * rate) + 1, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        reason = str(error).split(": ", 1)[-1].strip().rstrip(".")
        raise MienError(f"{path} is not a sound that can be read ({reason}); export it as WAV or FLAC.") from None
    if len(samples) == 0:
        raise MienError(f"{path} holds no samples; record or export it again.")
    if frames >= 0 and len(samples) < frames:
        raise MienError(
            f"{path} breaks off after {len(samples) / rate:.2f} s of {frames / rate:.2f} s; export it again."
        )
    return from_samples(samples, rate, str(path))
