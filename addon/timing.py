"""A scene's time."""

from __future__ import annotations

import bpy


def frame_rate(scene: bpy.types.Scene) -> float:
    """Frames a second."""
    return scene.render.fps / scene.render.fps_base


def now(scene: bpy.types.Scene) -> float:
    """The frame that is shown, with its fraction; not stretched, as `frame_set` takes it."""
    return scene.frame_current + scene.frame_subframe


def played(scene: bpy.types.Scene) -> tuple[int, int]:
    """(first, last) frame of what plays: the preview range where there is one."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end
