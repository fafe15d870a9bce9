"""ARKit weights as JSON, in the layouts that are about; read, and written in the plainest.

Read are `{"names": […], "frames": [{"weights": […], "time"?: s}, …], "fps"?}` (LAM, many recorders), the same with a
frame a list or `{shape: value}`, Audio2Face's `{"facsNames", "weightMat", "exportFps"}`, a list of `{shape: value}`,
and Mien's own curve files. Names may be capitalised or begin with a rig's prefix, such as `blendShape1.jawOpen`.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import channels as table
from ..contract import curves as curve_files
from ..contract.curves import MAX_FRAMES, Curves
from ..contract.errors import MienError
from ..contract.files import read_json, write_text

MAX_BYTES = 256 * 1024 * 1024
DEFAULT_FPS = 30.0
_INDEX = {name.lower(): index for index, name in enumerate(table.ARKIT_52)}
_RATE_KEYS = ("fps", "exportFps", "frameRate", "frame_rate")
_NAME_KEYS = ("names", "facsNames", "blendShapes", "blendshape_names")
_FRAME_KEYS = ("frames", "weightMat", "weights", "data")
_WEIGHT_KEYS = ("weights", "blendShapes", "blendshapes", "values")
_SIDES = {"_l": "left", "_r": "right"}


def read(path: str | os.PathLike[str], fps: float | None = None) -> tuple[Curves, list[str]]:
    """A JSON of ARKit weights, or a curve file, as channel curves, and sentences about what was mended.

    Args:
        fps: Frames a second of a file that doesn't say; a file that does is resampled to it.

    Raises:
        MienError: It can't be read, or is of no known layout.
    """
    content = read_json(path, MAX_BYTES)
    if isinstance(content, dict) and content.get("format") == curve_files.FORMAT:
        curves = curve_files.from_json(content, str(path))
        return (curves if fps is None or fps == curves.fps else curves.resampled(fps)), []
    names, frames, times, own = _layout(content, str(path))
    if not frames:
        raise MienError(f"{path} has no frames; give a recording that has.")
    if len(frames) > MAX_FRAMES:
        raise MienError(f"{path} has {len(frames)} frames; at most {MAX_FRAMES} are read.")
    columns, notes = _columns(names, str(path))
    shapes, missing = _shapes(frames, columns, str(path))
    if missing:
        notes.append(f"{missing} missing values were filled from their neighbours.")
    dense = table.from_arkit(np.clip(shapes, 0.0, table.UNIT_LIMIT))
    given = {table.ARKIT_52[index] for index in columns.values()}
    kept = [entry.name for entry in table.CHANNELS if entry.arkit in given]
    values = dense[:, [table.INDEX[name] for name in kept]]
    return _even(values, tuple(kept), times, own, fps), notes


def _layout(content: Any, where: str) -> tuple[list[str], list, list[float] | None, float | None]:
    """(names, frames as lists or objects, times or None, frames a second or None)."""
    own = names = None
    frames = content if isinstance(content, list) else None
    if isinstance(content, dict):
        rates = [content.get(key) for key in _RATE_KEYS]
        own = next((float(rate) for rate in rates if _is_number(rate) and 1.0 <= rate <= 1000.0), None)
        names = next((content[key] for key in _NAME_KEYS if _are_names(content.get(key))), None)
        frames = next((content[key] for key in _FRAME_KEYS if isinstance(content.get(key), list)), None)
    if frames is None:
        raise MienError(f'{where} has no list of frames; give ARKit weights such as {{"names": […], "frames": […]}}.')
    rows, times = [], []
    for frame in frames:
        inner = frame
        if isinstance(frame, dict):
            inner = next((frame[key] for key in _WEIGHT_KEYS if key in frame), frame)
            moment = frame.get("time", frame.get("timestamp"))
            if _is_number(moment) and abs(moment) < 1e9:
                times.append(float(moment))
        rows.append(inner)
    if names is None:
        found: dict[str, None] = {}
        for row in rows:
            if isinstance(row, dict):
                found |= dict.fromkeys(key for key in row if _index(key) is not None)
        names = list(found)
    if not names:
        raise MienError(f"{where} does not name the shapes of its frames; give ARKit weights with their names.")
    return names, rows, times if len(times) == len(rows) else None, own


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def _index(name: str) -> int | None:
    """The ARKit shape that a name means: however capitalised, with or without a prefix, `_L` for Left."""
    key = name.rpartition(".")[2].lower()
    for short, long in _SIDES.items():
        if key.endswith(short):
            key = key[: -len(short)] + long
    return _INDEX.get(key.replace("_", ""))


def _columns(names: list[str], where: str) -> tuple[dict[int, int], list[str]]:
    """({position in the file: ARKit index}, notes)."""
    columns: dict[int, int] = {}
    unknown = []
    for place, name in enumerate(names):
        index = _index(name)
        if index is None:
            unknown.append(name)
        elif index in columns.values():
            raise MienError(f"{where} names the shape {table.ARKIT_52[index]} twice; each may stand once.")
        else:
            columns[place] = index
    if not columns:
        raise MienError(f"{where} names no ARKit shape, such as jawOpen; it can't be read as a capture of a face.")
    notes = (
        [f"{len(unknown)} shapes that are not ARKit's were left out, such as {unknown[0][:40]!r}."] if unknown else []
    )
    return columns, notes


def _shapes(frames: list, columns: dict[int, int], where: str) -> tuple[np.ndarray, int]:
    """(ARKit values [T, 52], how many were missing); what is missing is filled by straight lines."""
    shapes = np.full((len(frames), len(table.ARKIT_52)), np.nan)
    width = max(columns) + 1
    for number, frame in enumerate(frames):
        if isinstance(frame, dict):
            for key, value in frame.items():
                index = _index(key)
                if index is not None:
                    shapes[number, index] = _value(value, where, number)
        elif isinstance(frame, list):
            if len(frame) < width:
                raise MienError(f"{where}: frame {number} has {len(frame)} weights; {width} were named.")
            for place, index in columns.items():
                shapes[number, index] = _value(frame[place], where, number)
        elif frame is not None:
            raise MienError(f"{where}: frame {number} is neither a list of weights nor an object of them.")
    used = sorted(set(columns.values()))
    missing = int(np.isnan(shapes[:, used]).sum())
    times = np.arange(len(shapes))
    for index in range(shapes.shape[1]):
        known = np.isfinite(shapes[:, index])
        if not known.all():
            shapes[:, index] = np.interp(times, times[known], shapes[known, index]) if known.any() else 0.0
    return shapes, missing


def _value(value: Any, where: str, number: int) -> float:
    if value is None:
        return math.nan
    if not _is_number(value):
        raise MienError(f"{where}: frame {number} holds a weight that is not a number.")
    try:
        return float(value) if abs(value) < 1e6 else math.nan
    except OverflowError:
        return math.nan


def _even(
    values: np.ndarray, names: tuple[str, ...], times: list[float] | None, own: float | None, fps: float | None
) -> Curves:
    """Values at their times → curves at an even rate, beginning at second 0."""
    if times is not None and len(times) > 1:
        moments = np.array(times) - times[0]
        steps = np.diff(moments)
        if (steps > 0).all() and moments[-1] < 24 * 3600:
            usual = 1.0 / float(np.median(steps))
            rate = fps or own or round(usual, 2 if abs(usual - round(usual)) > 0.02 else 0)
            rate = min(max(rate, 1.0), 1000.0)
            even = np.arange(min(round(moments[-1] * rate) + 1, MAX_FRAMES)) / rate
            return Curves(rate, names, np.stack([np.interp(even, moments, column) for column in values.T], axis=1))
    given = Curves(own or fps or DEFAULT_FPS, names, values)
    return given if fps is None or fps == given.fps else given.resampled(fps)


def write(curves: Curves, path: str | os.PathLike[str]) -> None:
    """Write the 52 ARKit weights of curves as JSON: `{"names", "fps", "frames": [{"time", "weights"}]}`."""
    shapes = np.round(table.to_arkit(curves.dense()), 6)
    frames = [
        {"time": round(number / curves.fps, 6), "weights": row.tolist()} for number, row in enumerate(shapes)
    ]  # fmt: skip
    content = {"names": list(table.ARKIT_52), "fps": curves.fps, "frames": frames}
    write_text(Path(path), json.dumps(content, allow_nan=False))
