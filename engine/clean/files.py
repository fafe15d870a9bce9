"""Any file of captured curves in, told by its ending; channel curves out in the forms that others read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..contract import curves as curve_files
from ..contract.curves import Curves
from ..contract.errors import MienError
from . import arkit, livelink, video

#: {name: ending of its files}: what curves can be written as.
FORMATS: dict[str, str] = {"mien": ".json", "arkit": ".json", "livelink": ".csv"}


def read(
    path: str | os.PathLike[str], fps: float | None = None, tick: Callable[[float], None] | None = None
) -> tuple[Curves, list[str]]:
    """A capture as channel curves from second 0, and sentences for the artist about what was mended.

    Args:
        fps: Frames a second of the result; the capture's own otherwise.
        tick: Told the fraction done, for videos.

    Raises:
        MienError: It can't be read, or is nothing that is known.
    """
    low, high = curve_files.FPS_RANGE
    if fps is not None and not low <= fps <= high:
        raise MienError(f"The frame rate is {fps!r}; give one from {low:g} to {high:g}.")
    ending = Path(path).suffix.lower()
    if ending == ".csv":
        return livelink.read(path, fps)
    if ending == ".json":
        return arkit.read(path, fps)
    if ending in video.ENDINGS:
        return video.read(path, fps, tick)
    raise MienError(f"{path} is no capture that is known; give a .csv of Live Link Face, a .json of ARKit, or a video.")


def write(curves: Curves, path: str | os.PathLike[str], form: str | None = None) -> None:
    """Write curves as "mien", "arkit" or "livelink"; by default Live Link for .csv, else Mien's own.

    Raises:
        MienError: There is no such form, or the file can't be written.
    """
    form = form or ("livelink" if Path(path).suffix.lower() == ".csv" else "mien")
    if form not in FORMATS:
        raise MienError(f"Curves can't be written as {form!r}; choose one of {', '.join(FORMATS)}.")
    {"mien": curve_files.save, "arkit": arkit.write, "livelink": livelink.write}[form](curves, path)
