"""A performance's first, rough curves on the head while the engine makes the real ones; gone once the job ends.

They are an Action on an NLA track of their own. Undo steps and autosaves may keep them beyond their job, so what
carries their mark is taken away after every undo and load, and before every save.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import bpy
import numpy as np

from ...engine.contract import curves as curve_files
from .. import session
from ..animate import curves, nla
from . import sample

_OWNER = "mien_preview"
"""On the Action: the `bl_idname` of the job that shows it."""
_BEFORE = "mien_before"
"""On the Action: JSON, {channel: value} of the head before; a property keeps what it was last evaluated to."""
_MADE = "mien_made"
"""On the Action: whether the head had no animation data before."""
_CLOSE = 0.25
"""Seconds after the preview's end in which the face comes to rest."""
_SAME = 1e-5


def show(
    owner: str,
    obj: bpy.types.Object,
    content: object,
    start: float,
    without: Collection[str] = (),
    like: bpy.types.NlaStrip | None = None,
) -> None:
    """Play rough curves on a head, above its speech and below its emotions.

    Args:
        owner: The job's `bl_idname`, by which `remove` finds them.
        content: A curve file's content; its second 0 lies at frame `start` of the Action.
        without: Channels that are left as they are.
        like: A strip that the preview is played in place of; without one, frames of the Action are the scene's.

    Raises:
        MienError: They are no curves.
    """
    data = obj.animation_data
    if obj.library or obj.override_library or (data and (data.use_tweak_mode or nla.strips_named(obj, nla.PREVIEW))):
        return  # what is linked, being edited or previewed already is left alone
    rough = curve_files.from_json(content, "The preview")
    keys = {name: _rows(rough, column) for column, name in enumerate(rough.channels) if name not in without}
    if not keys:
        return
    before = {name: obj[name] for name in keys if isinstance(obj.get(name), float)}
    action = curves.new_action(f"{obj.name} Speech Preview", keys, start, rough.fps)
    action[_OWNER], action[_BEFORE], action[_MADE] = owner, json.dumps(before), data is None
    end = start + (rough.duration + _CLOSE) * rough.fps
    if like is None:
        nla.place_preview(obj, action, start, end)
        return
    strip = nla.place_preview(obj, action, like.frame_start, like.frame_end)
    nla.lie_as(strip, like)  # not mixed in as that is, on top of which it would be added


def _rows(rough: curve_files.Curves, column: int) -> list[curves.Row]:
    """A key a frame, and one at rest after them."""
    times = np.append(np.arange(len(rough.values)) / rough.fps, rough.duration + _CLOSE)
    values = np.append(rough.values[:, column], 0.0)
    return [(t, v, t, v, t, v, "LINEAR") for t, v in zip(times.tolist(), values.tolist(), strict=True)]


def remove(owner: str) -> None:
    """Take a job's preview off, if it shows one, and evaluate what is there without it."""
    if _take_off(owner) and bpy.context.view_layer is not None:
        bpy.context.view_layer.update()
        session.redraw()


def _take_off(owner: str | None) -> bool:
    """Remove the previews of one job, or of all, as if they had never been; whether there were any."""
    marked = [
        action for action in bpy.data.actions
        if _OWNER in action and action.library is None and owner in (None, action[_OWNER])
    ]  # fmt: skip
    for action in marked:
        for obj in bpy.data.objects:
            if obj.library is None and obj.animation_data is not None:
                _unplay(obj, action)
        bpy.data.actions.remove(action)
    return bool(marked)


def _unplay(obj: bpy.types.Object, action: bpy.types.Action) -> None:
    data, played = obj.animation_data, False
    if data.use_tweak_mode and data.action == action:
        data.use_tweak_mode = False
    for track in list(data.nla_tracks):
        strips = [strip for strip in track.strips if strip.action == action]
        for strip in strips:
            track.strips.remove(strip)
        played = played or bool(strips)
        if strips and not len(track.strips):
            data.nla_tracks.remove(track)
    if not played:
        return
    _restore(obj, action)
    if action[_MADE] and data.action is None and not len(data.nla_tracks) and not len(data.drivers):
        obj.animation_data_clear()
    obj.update_tag(refresh={"OBJECT", "DATA", "TIME"})


def _restore(obj: bpy.types.Object, action: bpy.types.Action) -> None:
    """Give channels the values they had, but for those that the artist has set meanwhile."""
    before: Mapping[str, Any] = json.loads(action[_BEFORE])
    for name, curve in sample.fcurves(action, action.slots[0]).items():
        points = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", points)
        shown = np.append(points[1::2], curve.evaluate(bpy.context.scene.frame_current_final))
        if name in before and np.abs(shown - float(obj.get(name, 0.0))).min() < _SAME:
            obj[name] = before[name]


@bpy.app.handlers.persistent
def _sweep(*_) -> None:
    _take_off(None)


_HANDLERS = ("undo_post", "redo_post", "load_post", "save_pre")


def register() -> None:
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).append(_sweep)


def unregister() -> None:
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(_sweep)
    if hasattr(bpy.data, "actions"):  # Blender hides its data while it starts and ends
        _take_off(None)
