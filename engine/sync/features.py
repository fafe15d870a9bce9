"""What the sync network looks at: sound and mouth, every 20 ms, without scale."""

from __future__ import annotations

import numpy as np

from ..contract import channels as table
from ..contract.curves import Curves
from ..speech import prosody as measured
from ..speech.prosody import Prosody

STEP = 0.02
"""Seconds between frames of either."""
_EVERY = round(STEP / measured.STEP)
SOUND_SIZE = 19
MOUTH_SIZE = 12
#: Sums of ARKit shapes, the sides' mean: what of a mouth is in step with sound on any rig.
_MOUTH: tuple[dict[str, float], ...] = (
    {"jawOpen": 1.0, "mouthClose": -1.0},
    {"mouthPressLeft": 0.5, "mouthPressRight": 0.5, "mouthRollLower": 1.0, "mouthRollUpper": 1.0, "mouthClose": 0.5},
    {"mouthPucker": 1.0, "mouthFunnel": 1.0},
    {"mouthStretchLeft": 0.5, "mouthStretchRight": 0.5, "mouthSmileLeft": 0.5, "mouthSmileRight": 0.5},
    {"mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.5},
    {"mouthUpperUpLeft": 0.5, "mouthUpperUpRight": 0.5},
)
#: A shape that moves less than this is at rest, not to be magnified.
_STILL = np.array([0.04, 0.03, 0.06, 0.03, 0.03, 0.03])


def of_sound(prosody: Prosody) -> np.ndarray:
    """[N, SOUND_SIZE] float64 at `STEP`: mel bands and level in units of 20 dB below ordinary vowels."""
    levels = np.concatenate([prosody.bands, prosody.level[:, None]], axis=1)
    count = (len(levels) - 1) // _EVERY + 1
    padded = np.pad(levels, ((_EVERY // 2, _EVERY), (0, 0)), mode="edge")
    averaged = np.stack([padded[k * _EVERY : k * _EVERY + _EVERY].mean(0) for k in range(count)])
    reference = np.percentile(averaged, 90, axis=0)
    return np.clip((averaged - reference) / 20.0, -3.0, 1.5)


def of_mouth(curves: Curves) -> np.ndarray:
    """[N, MOUTH_SIZE] float64 at `STEP`: six mouth shapes and their speeds, by their spread over the clip."""
    times = np.arange(int(curves.duration / STEP) + 1) * STEP
    dense = np.zeros((len(times), len(table.CHANNELS)))
    dense[:, [table.INDEX[name] for name in curves.channels]] = curves.at(times)
    return from_shapes(shapes(dense))


def shapes(dense: np.ndarray) -> np.ndarray:
    """Channel values [N, C] → the six shapes [N, 6]."""
    units = dict(zip(table.ARKIT_52, table.to_arkit(dense).T, strict=True))
    return np.stack([sum(weight * units[name] for name, weight in mix.items()) for mix in _MOUTH], axis=1)


def from_shapes(values: np.ndarray) -> np.ndarray:
    """The six shapes at `STEP` [N, 6] → features [N, MOUTH_SIZE]."""
    scaled = (values - values.mean(0)) / (values.std(0) + _STILL)
    speed = np.gradient(scaled, axis=0) / STEP / 15.0 if len(scaled) > 1 else np.zeros_like(scaled)
    return np.clip(np.concatenate([scaled, speed], axis=1), -5.0, 5.0)
