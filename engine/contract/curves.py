"""Channel curves: what the engine generates and the add-on turns into keys, and their JSON file.

File: `{"format": "mien-curves", "version": 1, "fps": F, "channels": [name, …], "values": [[…], …]}`, one row a frame,
frame k at k / F seconds. Other keys are kept out: a file with unknown keys is refused, so that a misspelt one shows.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from . import channels as table
from .errors import MienError
from .files import read_json, write_text

FORMAT = "mien-curves"
VERSION = 1
FPS_RANGE = (1.0, 1000.0)
MAX_FRAMES = 1_000_000
MAX_BYTES = 256 * 1024 * 1024
_KEYS = {"format", "version", "fps", "channels", "values"}


@dataclass(frozen=True)
class Curves:
    """Values of some channels over time.

    Attributes:
        fps: Frames a second, 1 to 1000; frame k is at k / fps seconds.
        channels: Channel names without repeats, all from the contract's table.
        values: [T, C] float64, finite, T ≥ 1. Not clamped: clamping is the reader's (`channels.clamp`).

    Raises:
        MienError: Any of that does not hold.
    """

    fps: float
    channels: tuple[str, ...]
    values: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float64))
        if not (math.isfinite(self.fps) and FPS_RANGE[0] <= self.fps <= FPS_RANGE[1]):
            low, high = FPS_RANGE
            raise MienError(f"The curves' frame rate is {self.fps}; give one from {low:g} to {high:g}.")
        for name in self.channels:
            table.channel(name)
        if len(set(self.channels)) != len(self.channels):
            repeated = next(name for name in self.channels if self.channels.count(name) > 1)
            raise MienError(f"The curves name the channel {repeated!r} twice; each may stand once.")
        if self.values.ndim != 2 or self.values.shape[1] != len(self.channels) or len(self.values) < 1:
            raise MienError(
                f"The curves' values have the shape {list(self.values.shape)}; "
                f"they need at least one row of {len(self.channels)} values, one a channel."
            )
        if len(self.values) > MAX_FRAMES:
            raise MienError(f"The curves have {len(self.values)} frames; at most {MAX_FRAMES} are read.")
        bad = np.argwhere(~np.isfinite(self.values))
        if len(bad):
            frame, column = bad[0]
            raise MienError(f"The value of {self.channels[column]!r} in frame {frame} is not a finite number.")

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return (len(self.values) - 1) / self.fps

    def dense(self) -> np.ndarray:
        """Values of all channels of the table [T, 71], 0 where a channel has no curve."""
        full = np.zeros((len(self.values), len(table.CHANNELS)))
        full[:, [table.INDEX[name] for name in self.channels]] = self.values
        return full

    def at(self, seconds: np.ndarray | float) -> np.ndarray:
        """Values [..., C] at times in seconds, linear between frames, held before the first and after the last."""
        position = np.clip(np.asarray(seconds, dtype=np.float64) * self.fps, 0, len(self.values) - 1)
        low = np.minimum(position.astype(int), max(len(self.values) - 2, 0))
        high = np.minimum(low + 1, len(self.values) - 1)
        weight = (position - low)[..., None]
        return self.values[low] * (1 - weight) + self.values[high] * weight

    def resampled(self, fps: float) -> Curves:
        """The same curves at another frame rate; lasts at least as long."""
        frames = math.ceil(self.duration * fps - 1e-9) + 1
        return Curves(fps, self.channels, self.at(np.arange(frames) / fps))

    def to_json(self, decimals: int = 5) -> dict:
        """The file's content, values rounded."""
        rows = np.round(self.values, decimals).tolist()
        return {"format": FORMAT, "version": VERSION, "fps": self.fps, "channels": list(self.channels), "values": rows}


def from_mappings(fps: float, frames: Iterable[Mapping[str, float]]) -> Curves:
    """Curves from one {channel: value} a frame; channels named in none are left out."""
    frames = list(frames)
    used = set().union(*frames) if frames else set()
    names = [name for name in table.NAMES if name in used]
    return Curves(fps, tuple(names), np.array([[frame.get(name, 0.0) for name in names] for frame in frames]))


def from_json(content: object, where: str) -> Curves:
    """Parsed JSON → curves. `where` names the source in error sentences.

    Raises:
        MienError: Not a curve file, or one of another version, or its content is wrong.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise MienError(f'{where} is not a curve file: it needs "format": "{FORMAT}" at its top.')
    if content.get("version") != VERSION:
        raise MienError(f"{where} has curve version {content.get('version')!r}; this Mien reads version {VERSION}.")
    unknown, missing = sorted(set(content) - _KEYS), sorted(_KEYS - set(content))
    if unknown or missing:
        what = f"has the unknown key {unknown[0]!r}" if unknown else f"lacks the key {missing[0]!r}"
        raise MienError(f"{where} {what}; a curve file has exactly {', '.join(sorted(_KEYS))}.")
    fps, names, rows = content["fps"], content["channels"], content["values"]
    if isinstance(fps, bool) or not isinstance(fps, (int, float)):
        raise MienError(f'{where}: "fps" must be a number.')
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MienError(f'{where}: "channels" must be a list of channel names.')
    try:
        return Curves(float(fps), tuple(names), _rows(rows, len(names)))
    except (MienError, OverflowError) as error:
        raise MienError(f"{where}: {error}") from None


def _rows(rows: object, width: int) -> np.ndarray:
    if not isinstance(rows, list) or not rows:
        raise MienError('"values" must be a list with at least one row.')
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            raise MienError(f"Row {index} of the values must be a list of {width} numbers, one a channel.")
        if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in row):
            raise MienError(f"Row {index} of the values holds something that is not a number.")
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def load(path: str | os.PathLike[str]) -> Curves:
    """Read a curve file.

    Raises:
        MienError: It cannot be read or is not a curve file.
    """
    return from_json(read_json(path, MAX_BYTES), str(path))


def save(curves: Curves, path: str | os.PathLike[str]) -> None:
    """Write a curve file; an existing one is replaced only once the new one is whole."""
    write_text(path, json.dumps(curves.to_json(), allow_nan=False))
