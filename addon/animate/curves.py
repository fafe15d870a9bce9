"""Channel F-curves: exact keys into Actions, in groups by zone, whatever Blender's version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy
import numpy as np

from ...engine.contract import channels as table
from ...engine.contract.errors import MienError
from .. import compat
from ..head import channels

_INTERPOLATIONS = {"CONSTANT": 0, "LINEAR": 1, "BEZIER": 2}
_FREE, _ALIGNED = 0, 3
_COLLINEAR = 1e-4

Row = Sequence[float | str]
"""[time, value, left time, left value, right time, right value, interpolation]; seconds and the channel's unit."""


def new_action(name: str, keys: Mapping[str, Sequence[Row]], start: float, fps: float) -> bpy.types.Action:
    """An Action with a slot for objects and these keys; second 0 lies at frame `start`.

    Raises:
        MienError: A channel isn't in the table, or a row is not a key.
    """
    columns = {channel: _columns(channel, rows, start, fps) for channel, rows in keys.items() if rows}
    action = bpy.data.actions.new(name)
    slot = action.slots.new("OBJECT", "Head")
    bag = compat.channelbag(action, slot)
    for channel in sorted(columns, key=table.INDEX.__getitem__):
        _fill(bag.fcurves.new(channels.path(channel)), *columns[channel])
    group_by_zone(bag)
    return action


def _columns(channel: str, rows: Sequence[Row], start: float, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(times and values [K, 6] in frames, interpolations [K])."""
    table.channel(channel)
    try:
        numbers = np.array([row[:6] for row in rows], dtype=np.float64).reshape(len(rows), 6)
        modes = np.array([_INTERPOLATIONS[row[6]] for row in rows], dtype=np.int32)
    except (ValueError, TypeError, KeyError, IndexError):
        raise MienError(f"The keys of {channel!r} are not keys; restart the engine and try again.") from None
    if not np.isfinite(numbers).all():
        raise MienError(f"A key of {channel!r} is not a finite number; restart the engine and try again.")
    numbers[:, ::2] = start + numbers[:, ::2] * fps
    return numbers, modes


def _fill(curve: bpy.types.FCurve, numbers: np.ndarray, modes: np.ndarray) -> None:
    points = curve.keyframe_points
    points.add(len(numbers))
    for name, columns in (("co", (0, 1)), ("handle_left", (2, 3)), ("handle_right", (4, 5))):
        points.foreach_set(name, numbers[:, columns].astype(np.float32).ravel())
    points.foreach_set("interpolation", modes)
    # A smooth key stays smooth when the artist pulls one of its handles.
    kinds = np.where(_smooth(numbers), _ALIGNED, _FREE).astype(np.int32)
    points.foreach_set("handle_left_type", kinds)
    points.foreach_set("handle_right_type", kinds)
    curve.update()


def _smooth(numbers: np.ndarray) -> np.ndarray:
    """Whether a key's two handles lie on one line through it [K]."""
    left, right = numbers[:, :2] - numbers[:, 2:4], numbers[:, 4:6] - numbers[:, :2]
    lengths = np.hypot(*left.T) * np.hypot(*right.T)
    cross = left[:, 0] * right[:, 1] - left[:, 1] * right[:, 0]
    return (lengths > 0) & (np.abs(cross) <= _COLLINEAR * np.maximum(lengths, 1e-12))


def group_by_zone(bag: bpy.types.ActionChannelbag) -> int:
    """Put the channels' F-curves that are in no zone's group into it; returns how many it moved."""
    moved = 0
    for curve in bag.fcurves:
        name = channels.name_of(curve.data_path)
        if name is None:
            continue
        label = table.ZONE_LABELS[table.channel(name).zone]
        if curve.group is None or curve.group.name not in table.ZONE_LABELS.values():
            curve.group = bag.groups.get(label) or bag.groups.new(label)
            moved += 1
    return moved


def channelbags(obj: bpy.types.Object) -> list[bpy.types.ActionChannelbag]:
    """The F-curves of an object's active Action; none where it has none."""
    data = obj.animation_data
    if data is None or data.action is None or data.action_slot is None:
        return []
    found = [
        strip.channelbag(data.action_slot)
        for layer in data.action.layers
        for strip in layer.strips
        if strip.type == "KEYFRAME"
    ]
    return [bag for bag in found if bag is not None]


def keyed_channels(obj: bpy.types.Object) -> set[str]:
    """Channels that the object's active Action animates, by F-curves that are not muted."""
    names = {channels.name_of(curve.data_path) for bag in channelbags(obj) for curve in bag.fcurves if not curve.mute}
    return {name for name in names if name}


def insert(obj: bpy.types.Object, names: Sequence[str], frame: float) -> None:
    """Key channels at their present values, grouped by zone."""
    for name in names:
        obj.keyframe_insert(channels.path(name), frame=frame, group=table.ZONE_LABELS[table.channel(name).zone])
