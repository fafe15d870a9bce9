"""Feelings from what is there: the sound of a line, another head's animation, a curve file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.contract import curves as curve_file
from ...engine.contract.errors import MienError
from ..perform import sample, sounds
from . import line


def strip_sound(obj: bpy.types.Object, frame: float) -> Path | None:
    """The sound of the Speech strip at a frame, or of the nearest; None where there is none."""
    strip = line.speech_strip(obj, frame)
    return sounds.find(str(strip.action.get("mien_sound", ""))) if strip is not None else None


def voice_of(obj: bpy.types.Object, file: str, frame: float) -> Path:
    """The recording that the artist chose, or the line's.

    Raises:
        MienError: There is neither.
    """
    if file.strip():
        path = Path(bpy.path.abspath(file))
        if not path.is_file():
            raise MienError(f"There is no sound at {path}; choose the file again.")
        return path
    path = strip_sound(obj, frame)
    if path is None:
        raise MienError(f"{obj.name} has no Speech strip whose sound is on disk; choose a sound.")
    return path


def motion_of(name: str, file: str, start: float, end: float, fps: float) -> tuple[str, dict[str, Any]]:
    """(in words, the request's field) of an example: an object's animation in those frames, or a curve file.

    Raises:
        MienError: There is neither, or it moves nothing.
    """
    if file.strip():
        path = Path(bpy.path.abspath(file))
        return f"the example {path.name}", {"example": curve_file.load(path).to_json()}
    obj = bpy.data.objects.get(name)
    if obj is None:
        raise MienError("There is no example; choose a head or object that shows the feeling, or a curve file.")
    frames = start + np.arange(int(end - start) + 1)
    values = sample.of_object(obj, frames)
    if not any(np.any(np.abs(row) > 1e-4) for row in values.values()):
        raise MienError(f"{obj.name} moves no channel in frames {start:g} to {end:g}; choose another example.")
    return f"the example {obj.name}", {"example": sample.as_curves(values, fps)}
