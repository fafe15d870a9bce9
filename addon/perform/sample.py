"""What a head's channels are over time, by its Actions and NLA, evaluated without stepping the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np

from ...engine.contract import channels as table
from ..animate import curves, nla
from ..head import channels


def bag_of(action: bpy.types.Action, slot: bpy.types.ActionSlot | None) -> bpy.types.ActionChannelbag | None:
    """The F-curves of one slot of an Action; None where it has none."""
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot) if strip.type == "KEYFRAME" and slot is not None else None
            if bag is not None:
                return bag
    return None


def fcurves(action: bpy.types.Action, slot: bpy.types.ActionSlot | None) -> dict[str, bpy.types.FCurve]:
    """{channel: its F-curve} of a slot, muted ones left out."""
    bag = bag_of(action, slot)
    found = {channels.name_of(curve.data_path): curve for curve in bag.fcurves} if bag is not None else {}
    return {name: curve for name, curve in found.items() if name is not None and not curve.mute}


def of_action(found: Mapping[str, bpy.types.FCurve], frames: Sequence[float]) -> dict[str, np.ndarray]:
    """{channel: values at an Action's own frames [T]}."""
    return {name: np.array([curve.evaluate(frame) for frame in frames]) for name, curve in found.items()}


def of_object(obj: bpy.types.Object, frames: np.ndarray) -> dict[str, np.ndarray]:
    """{channel: values at scene frames [T]} of every channel that something animates or that is not at rest.

    The NLA from the lowest track up, then the active Action, each by its influence. Drivers and constraints are not
    channels' business and are not looked at.
    """
    frames = np.asarray(frames, np.float64)
    values: dict[str, np.ndarray] = {}

    def of(name: str) -> np.ndarray:
        # What is animated begins at rest, as Blender's NLA does; what it was last evaluated to says nothing.
        return values.get(name, np.zeros(len(frames)))

    data = obj.animation_data
    animated = _animated(data)
    for track in nla.playing(obj) if data is not None and data.use_nla else ():
        for strip, inside in _active(track, frames):
            for name, curve in fcurves(strip.action, strip.action_slot).items():
                mixed = of(name).copy()
                mixed[inside] = _mixed(mixed[inside], strip, curve, frames[inside])
                values[name] = mixed
    if data is not None and data.action is not None and not _soloed(data):
        own = fcurves(data.action, data.action_slot)
        for name, made in of_action(own, frames).items():
            low = of(name)
            amount = data.action_influence
            values[name] = low + amount * (made if data.action_blend_type == "ADD" else made - low)
    for name in table.NAMES:
        held = obj.get(name, 0.0)
        if name not in animated and isinstance(held, (int, float)) and held:
            values[name] = np.full(len(frames), float(held))
    # Blender keeps a property within its range, whatever is added up.
    return {name: np.clip(row, *_range(name)) for name, row in values.items()}


def as_curves(values: Mapping[str, np.ndarray], fps: float) -> dict[str, Any]:
    """A curve file's content, for requests: values clamped and rounded; at least one channel."""
    named = {name: values[name] for name in table.NAMES if name in values}
    if not named:
        length = len(next(iter(values.values()))) if values else 1
        named = {"AU26 Jaw Drop": np.zeros(length)}
    columns = [np.clip(np.nan_to_num(row), *_range(name)) for name, row in named.items()]
    rows = np.round(np.stack(columns, axis=1), 6).tolist()
    return {"format": "mien-curves", "version": 1, "fps": fps, "channels": list(named), "values": rows}


def _range(name: str) -> tuple[float, float]:
    return table.channel(name).minimum, table.channel(name).maximum


def _animated(data: bpy.types.AnimData | None) -> set[str]:
    """Channels that any strip or the active Action has an F-curve of, playing or not."""
    if data is None:
        return set()
    pairs = [(strip.action, strip.action_slot) for track in data.nla_tracks for strip in track.strips if strip.action]
    pairs += [(data.action, data.action_slot)] if data.action is not None else []
    return {name for pair in pairs for name in fcurves(*pair)}


def _soloed(data: bpy.types.AnimData) -> bool:
    return any(track.is_solo for track in data.nla_tracks)


def _active(track: bpy.types.NlaTrack, frames: np.ndarray) -> list[tuple[bpy.types.NlaStrip, np.ndarray]]:
    """[(strip, which frames [T] it speaks for)]: within its ends, or beyond them where it is held."""
    strips = sorted((strip for strip in track.strips if not strip.mute and strip.action), key=lambda s: s.frame_start)
    taken = np.zeros(len(frames), bool)
    found = []
    for strip in strips:
        inside = (frames >= strip.frame_start) & (frames <= strip.frame_end) & ~taken
        taken |= inside
        found.append([strip, inside])
    for index, (strip, inside) in enumerate(found):
        following = found[index + 1][0].frame_start if index + 1 < len(found) else np.inf
        if strip.extrapolation in ("HOLD", "HOLD_FORWARD"):
            inside |= (frames > strip.frame_end) & (frames < following) & ~taken
        if strip.extrapolation == "HOLD" and index == 0:
            inside |= (frames < strip.frame_start) & ~taken
    return [(strip, inside) for strip, inside in found if inside.any()]


def _mixed(low: np.ndarray, strip: bpy.types.NlaStrip, curve: bpy.types.FCurve, frames: np.ndarray) -> np.ndarray:
    made = np.array([curve.evaluate(frame) for frame in action_frames(strip, frames)])
    amount = _influence(strip, frames)
    if strip.blend_type == "ADD":
        return low + amount * made
    if strip.blend_type == "SUBTRACT":
        return low - amount * made
    if strip.blend_type == "MULTIPLY":
        return low * (1.0 - amount + amount * made)
    return low + amount * (made - low)


def action_frames(strip: bpy.types.NlaStrip, frames: np.ndarray) -> np.ndarray:
    """Scene frames → the Action's own, held at the strip's ends."""
    span = (strip.action_frame_end - strip.action_frame_start) or 1.0
    away = (np.clip(frames, strip.frame_start, strip.frame_end) - strip.frame_start) / (strip.scale or 1.0)
    if strip.repeat > 1.0:
        ended = away >= span * strip.repeat - 1e-6
        away = np.where(ended, span, away % span)
    away = np.minimum(away, span)
    return strip.action_frame_end - away if strip.use_reverse else strip.action_frame_start + away


def _influence(strip: bpy.types.NlaStrip, frames: np.ndarray) -> np.ndarray:
    if strip.use_animated_influence:
        curve = next(iter(strip.fcurves), None)
        found = [curve.evaluate(frame) for frame in frames] if curve is not None else strip.influence
        return np.broadcast_to(np.asarray(found, np.float64), frames.shape)
    amount = np.ones(len(frames))
    if strip.blend_in > 0.0:
        amount = np.minimum(amount, (np.clip(frames, strip.frame_start, None) - strip.frame_start) / strip.blend_in)
    if strip.blend_out > 0.0:
        amount = np.minimum(amount, (strip.frame_end - np.clip(frames, None, strip.frame_end)) / strip.blend_out)
    return np.clip(amount, 0.0, 1.0) * (strip.influence if strip.use_animated_influence else 1.0)


def mute_channels(obj: bpy.types.Object) -> int:
    """Mute the active Action's channel F-curves, so that what lies below shows; they keep every key. How many."""
    muted = 0
    for bag in curves.channelbags(obj):
        for curve in bag.fcurves:
            if channels.name_of(curve.data_path) and not curve.mute:
                curve.mute = True
                muted += 1
    return muted
