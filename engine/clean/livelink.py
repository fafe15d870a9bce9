"""Live Link Face's CSV: 61 columns of ARKit shapes and rotations, a timecode a row; read and written.

The app writes `Timecode,BlendshapeCount,EyeBlinkLeft,…,RightEyeRoll`; timecodes are `HH:MM:SS:FF.fff`, with `;` before
the frames where drop-frame is counted (SMPTE ST 12-1: at 29.97 and 59.94 the first 2 or 4 frame numbers of a minute are
left out, except every tenth minute). Angles are radians. In a real recording the eyes' yaw is positive to the person's
right and their pitch positive downwards (correlation with the look shapes 0.96 and 0.99); the head's are taken alike.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from pathlib import Path

import numpy as np

from ..contract import channels as table
from ..contract.curves import FPS_RANGE, MAX_FRAMES, Curves
from ..contract.errors import MienError
from ..contract.files import write_text

MAX_BYTES = 256 * 1024 * 1024
_BY_LOWER = {name.lower(): index for index, name in enumerate(table.ARKIT_52)}
#: Live Link Face's own order of columns.
COLUMNS: tuple[str, ...] = (
    "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft",
    "EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight",
    "EyeSquintRight", "EyeWideRight", "JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel",
    "MouthPucker", "MouthRight", "MouthLeft", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft",
    "MouthFrownRight", "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight",
    "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight",
    "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft",
    "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft",
    "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut", "HeadYaw", "HeadPitch", "HeadRoll",
    "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
)  # fmt: skip
#: (column, channel, sign)
HEAD: tuple[tuple[str, str, float], ...] = (
    ("HeadYaw", "Head Yaw", -1.0), ("HeadPitch", "Head Pitch", -1.0), ("HeadRoll", "Head Roll", -1.0),
)  # fmt: skip
_EYE_YAW, _EYE_PITCH = 0.61, 0.526
"""Radians that an eye turns by at a look shape of 1, in the same recording."""
_TIMECODE = re.compile(r"^\s*(\d{1,2}):(\d{1,2}):(\d{1,2})([:;.,])(\d{1,3}(?:\.\d{1,6})?)\s*$")
_RATES = (23.976, 24.0, 25.0, 29.97, 30.0, 47.952, 48.0, 50.0, 59.94, 60.0, 90.0, 100.0, 119.88, 120.0)


def timecode(text: str, rate: float) -> float:
    """Seconds since midnight of a timecode at `rate` frames a second; `;` or `,` before the frames counts drop-frame.

    Raises:
        MienError: It is no timecode, or its frame is beyond the rate.
    """
    found = _TIMECODE.match(text)
    if not found:
        raise MienError(f"{text[:40]!r} is not a timecode; it should read like 14:58:02:44.643.")
    hours, minutes, seconds = (int(part) for part in found.groups()[:3])
    frames, whole = float(found[5]), round(rate)
    if hours > 23 or minutes > 59 or seconds > 59 or frames >= whole + 1:
        raise MienError(f"{text.strip()!r} is not a timecode at {rate:g} frames a second.")
    count = ((hours * 60 + minutes) * 60 + seconds) * whole + frames
    drops = 2 * round(rate / 30) if abs(rate / whole - 1000 / 1001) < 1e-4 and whole % 30 == 0 else 0
    if found[4] in ";," and drops:
        total = hours * 60 + minutes
        count -= drops * (total - total // 10)
        return count / (whole * 1000 / 1001)
    return count / whole


def read(path: str | os.PathLike[str], fps: float | None = None) -> tuple[Curves, list[str]]:
    """A Live Link Face CSV as channel curves at an even rate, and sentences about what was mended.

    Gaps of dropped frames and missing values are filled by straight lines; the first row is second 0.

    Args:
        fps: Frames a second of the result; the recording's own otherwise.

    Raises:
        MienError: It can't be read, or is no such file.
    """
    header, rows = _table(path)
    times, values, notes = _numbers(path, header, rows)
    own = 1.0 / float(np.median(np.diff(times))) if len(times) > 1 else 60.0
    own = min(_RATES, key=lambda rate: abs(rate - own)) if own < 130 else own
    rate = own if fps is None else fps
    if not FPS_RANGE[0] <= rate <= FPS_RANGE[1]:
        raise MienError(f"{path} has {rate:.3g} frames a second; give --fps from {FPS_RANGE[0]:g} to {FPS_RANGE[1]:g}.")
    lost = int(np.sum(np.round(np.diff(times) * own) - 1)) if len(times) > 1 else 0
    if lost > 0:
        notes.append(f"{lost} dropped frames were filled.")
    return _curves(header, times, values, float(rate)), notes


def _table(path: str | os.PathLike[str]) -> tuple[list[str], list[list[str]]]:
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise MienError(f"{path} is larger than {MAX_BYTES >> 20} MiB; cut the recording.")
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    except UnicodeDecodeError:
        raise MienError(f"{path} is not UTF-8 text; give a CSV file of Live Link Face.") from None
    except csv.Error as error:
        raise MienError(f"{path} is not a CSV file ({error}); give one of Live Link Face.") from None
    except OSError as error:
        raise MienError(f"{path} cannot be read: {error.strerror or error}.") from None
    if not rows or "timecode" not in (cell.strip().lower() for cell in rows[0]):
        raise MienError(f"{path} has no column Timecode in its first row; give a CSV file of Live Link Face.")
    header = [cell.strip() for cell in rows[0]]
    known = [name for name in header if name.lower() in _BY_LOWER]
    if not known:
        raise MienError(f"{path} has no column that is an ARKit shape, such as JawOpen; give one of Live Link Face.")
    repeated = next(
        (name for name in header if name and [cell.lower() for cell in header].count(name.lower()) > 1), None
    )
    if repeated:
        raise MienError(f"{path} has two columns {repeated!r}; each may stand once.")
    if len(rows) < 2:
        raise MienError(f"{path} has no frames, only its first row.")
    if len(rows) - 1 > MAX_FRAMES:
        raise MienError(f"{path} has {len(rows) - 1} frames; at most {MAX_FRAMES} are read.")
    return header, rows[1:]


def _numbers(
    path: str | os.PathLike[str], header: list[str], rows: list[list[str]]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(seconds from the first row [T], numbers [T, columns], notes); NaN is filled by neighbours."""
    column = [name.lower() for name in header].index("timecode")
    rate = _timecode_rate([row[column] for row in rows if len(row) > column])
    times, values, bad, dropped = [], [], 0, 0
    for row in rows:
        cells = row + [""] * (len(header) - len(row))
        try:
            moment = timecode(cells[column], rate)
        except MienError:
            dropped += 1
            continue
        entry = [_number(cell) if index != column else 0.0 for index, cell in enumerate(cells[: len(header)])]
        bad += sum(math.isnan(cell) for cell in entry)
        times.append(moment)
        values.append(entry)
    if not times:
        raise MienError(f"{path} has no row with a timecode such as 14:58:02:44.643; give one of Live Link Face.")
    array, seconds = np.array(values), np.unwrap(np.array(times), period=86400.0)
    keep = np.concatenate([[True], np.diff(np.maximum.accumulate(seconds)) > 1e-9])
    notes = []
    if dropped or not keep.all():
        notes.append(f"{dropped + int((~keep).sum())} rows without a timecode of their own were left out.")
    array, seconds = array[keep], seconds[keep] - seconds[0]
    if seconds[-1] > 24 * 3600:
        raise MienError(f"{path} spans more than a day; its timecodes are damaged.")
    if bad:
        notes.append(f"{bad} missing values were filled from their neighbours.")
        for index in range(array.shape[1]):
            known = np.isfinite(array[:, index])
            array[:, index] = np.interp(seconds, seconds[known], array[known, index]) if known.any() else 0.0
    return seconds, array, notes


def _timecode_rate(texts: list[str]) -> float:
    """The frames a second that the timecodes count in, by the highest frame number and whether they drop frames."""
    found = [match for match in map(_TIMECODE.match, texts) if match]
    top = max((float(match[5]) for match in found), default=0.0)
    whole = next((rate for rate in (24, 25, 30, 48, 50, 60, 100, 120) if top < rate), 240)
    # A short recording may never reach its highest frame: what passes in a second tells.
    by_second: dict[tuple[str, str, str], int] = {}
    for match in found:
        key = match[1], match[2], match[3]
        by_second[key] = by_second.get(key, 0) + 1
    if len(by_second) < 3 and whole < 60:
        whole = 60 if whole > 30 else 30
    drops = any(match[4] in ";," for match in found) and whole % 30 == 0
    return whole * 1000 / 1001 if drops else float(whole)


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and abs(value) < 1e6 else math.nan


def _curves(header: list[str], times: np.ndarray, values: np.ndarray, rate: float) -> Curves:
    count = min(round(times[-1] * rate) + 1, MAX_FRAMES)
    moments = np.arange(count) / rate
    even = np.stack([np.interp(moments, times, column) for column in values.T], axis=1)
    shapes = np.zeros((count, len(table.ARKIT_52)))
    given = set()
    for index, name in enumerate(header):
        if name.lower() in _BY_LOWER:
            shapes[:, _BY_LOWER[name.lower()]] = np.clip(even[:, index], 0.0, table.UNIT_LIMIT)
            given.add(table.ARKIT_52[_BY_LOWER[name.lower()]])
    dense = table.from_arkit(shapes)
    names = [entry.name for entry in table.CHANNELS if entry.arkit in given]
    lower = [name.lower() for name in header]
    for column, channel, sign in HEAD:
        if column.lower() in lower:
            limit = table.channel(channel).maximum
            dense[:, table.INDEX[channel]] = np.clip(sign * even[:, lower.index(column.lower())], -limit, limit)
            names.append(channel)
    return Curves(rate, tuple(names), dense[:, [table.INDEX[name] for name in names]])


def write(curves: Curves, path: str | os.PathLike[str], start: float = 0.0) -> None:
    """Write curves as Live Link Face does, timecodes without dropping at the curves' rate, from `start` seconds.

    Raises:
        MienError: The file can't be written.
    """
    dense = curves.dense()
    shapes = dict(zip((name.lower() for name in table.ARKIT_52), table.to_arkit(dense).T, strict=True))
    columns = {name: shapes[name.lower()] for name in COLUMNS if name.lower() in shapes}
    for column, channel, sign in HEAD:
        columns[column] = sign * dense[:, table.INDEX[channel]]
    for side, away in (("Left", -1.0), ("Right", 1.0)):
        look = {way: shapes[f"eyelook{way}{side.lower()}"] for way in ("out", "in", "up", "down")}
        columns[f"{side}EyeYaw"] = away * _EYE_YAW * (look["out"] - look["in"])
        columns[f"{side}EyePitch"] = _EYE_PITCH * (look["down"] - look["up"])
        columns[f"{side}EyeRoll"] = np.zeros(len(dense))
    whole = max(round(curves.fps), 1)
    lines = [",".join(("Timecode", "BlendshapeCount", *COLUMNS))]
    for frame in range(len(dense)):
        # Counted in the recording's own frames, as the app does: 59.94 counts sixty a second.
        count = start * whole + frame
        seconds, rest = divmod(count, whole)
        stamp = f"{int(seconds // 3600) % 24:02d}:{int(seconds // 60) % 60:02d}:{int(seconds) % 60:02d}:{rest:06.3f}"
        numbers = ",".join(f"{columns[name][frame]:.10f}" for name in COLUMNS)
        lines.append(f"{stamp},{len(COLUMNS)},{numbers}")
    write_text(Path(path), "\n".join(lines) + "\n")
