"""Another take of a head's speech around what is locked, and which take plays."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.contract import channels as table
from ...engine.contract.errors import MienError
from .. import compat, session, timing
from ..animate import curves, nla
from ..emotion import line
from ..head import channels
from ..head.settings import Aim, active_head
from ..jobs import EngineJob, possible
from . import locks, operators, rough, sample, sounds

_SECONDS = 1800.0
_REQUEST = ("line", "voice", "speed", "pronunciations", "text", "strengths", "seed", "audio")
"""What of a request another take takes over."""
_NEAR = 1e-3
"""Frames within which two keys are at one place."""


@dataclass
class Kept:
    """What of an Action's F-curves is locked.

    Attributes:
        spans: {channel: [(first, last), …]} in the Action's frames; wide enough to begin and end on keys.
        keys: {channel: its keys within those spans}, as `_key` reads them.
    """

    spans: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    keys: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class MIEN_OT_regenerate(EngineJob, bpy.types.Operator):
    """Make another take of the speech at this frame. What is locked keeps its keys, and the rest is made to meet it"""

    bl_idname = "mien.regenerate"
    bl_label = "Regenerate Around"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Listening"
    seconds = _SECONDS

    seed: bpy.props.IntProperty(
        name="Take",
        description="−1 is the next one after the take that is shown",
        default=-1,
        min=-1,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context):
        return possible(cls, why_not(context))

    def begin(self, context):
        obj, scene = active_head(context), context.scene
        self._aim, self._temporary = Aim.at(obj), None
        strip = line.speech_strip(obj, scene.frame_current)
        action = strip.action
        self._strip, self._action = strip.name, action.name
        self._start, self._fps = float(action["mien_start"]), float(action["mien_fps"])
        self._kept = _kept(obj, strip)
        params = _request(action)
        params["seed"] = self.seed if self.seed >= 0 else int(params.get("seed", 0)) + 1
        params["fps"] = self._fps
        self._request = dict(params)
        if "line" not in params:
            sound, written = _heard(context, action, str(params.get("audio", "")))
            self._temporary = sound if written else None
            params["audio"] = str(sound)
        count = math.ceil(float(action["mien_duration"]) * self._fps - 1e-9) + 1
        params |= _told(sample.fcurves(action, strip.action_slot), self._kept, self._start, count, self._fps)
        return session.running().request("perform", {**params, "preview": self.in_window}, deadline_s=_SECONDS)

    def show_preview(self, context, content):
        """Rough curves know of no locks, so they leave out what is locked."""
        former = self._former()
        if former is not None:
            obj = self._aim.find()
            rough.show(type(self).bl_idname, obj, content, self._start, self._kept.spans, former)

    def _former(self) -> bpy.types.NlaStrip | None:
        """The strip of the take that another one is made of, where it is still there."""
        obj = self._aim.find()
        strips = nla.strips_named(obj, nla.SPEECH) if obj is not None else ()
        return next((strip for strip in strips if strip.name == self._strip), None)

    def finish(self, context, reply):
        obj, old = self._aim.get("the new take was"), bpy.data.actions.get(self._action)
        former = self._former()
        if old is None or former is None:
            raise MienError(f"The speech {self._strip!r} is no longer there, so the new take was dropped.")
        action = curves.new_action(f"{obj.name} Take {self._request['seed']}", reply["keys"], self._start, self._fps)
        _restore(action, self._kept)
        operators.mark(action, reply, self._start, self._fps)
        action["mien_request"] = json.dumps(self._request)
        for name in ("mien_sound", "mien_strip"):
            action[name] = old.get(name, "")
        action["mien_take"] = self._request["seed"]
        strip = nla.place(obj, action, former.frame_start, former.frame_end, nla.SPEECH)
        nla.lie_as(strip, former)
        nla.mix_as(strip, former)
        former.mute = True
        count = sum(len(rows) for rows in self._kept.keys.values())
        self.report(
            {"INFO"}, f"Take {self._request['seed']}: {count} locked keys kept on {len(self._kept.keys)} channels"
        )
        for note in reply["notes"]:
            self.report({"INFO"}, note)
        return {"FINISHED"}

    def clean_up(self) -> None:
        rough.remove(type(self).bl_idname)
        temporary = getattr(self, "_temporary", None)
        if temporary is not None:
            shutil.rmtree(temporary.parent, ignore_errors=True)


def why_not(context: bpy.types.Context) -> str | None:
    """Why no other take can be made now, as a sentence; None where one can."""
    reason = operators.why_not(context)
    if reason:
        return reason
    strip = line.speech_strip(active_head(context), context.scene.frame_current)
    if strip is None:
        return "Make the head speak first"
    if any(name not in strip.action for name in ("mien_request", "mien_start", "mien_fps", "mien_duration")):
        return "This speech was made by an older Mien; press Make It Speak again"
    return None


def _request(action: bpy.types.Action) -> dict[str, Any]:
    """The request that a speech was made by.

    Raises:
        MienError: It can't be read.
    """
    try:
        params = json.loads(action["mien_request"])
        return {name: params[name] for name in _REQUEST if name in params}
    except (ValueError, TypeError):
        raise MienError(f"What {action.name!r} was made by can't be read; press Make It Speak again.") from None


def _heard(context: bpy.types.Context, action: bpy.types.Action, recorded: str) -> tuple[Path, bool]:
    """(the sound that a speech was made from, whether it was written for this); `recorded` is its file, "" for a strip.

    Raises:
        MienError: It has gone.
    """
    if not recorded:
        strip = sounds.strip_named(context, str(action.get("mien_strip", "")))
        return sounds.write_strip(strip, context.evaluated_depsgraph_get(), timing.frame_rate(context.scene)), True
    path = sounds.find(recorded)
    if path is None:
        raise MienError(f"The sound file {recorded} is gone; put it back or make the head speak anew.")
    return path, False


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _kept(obj: bpy.types.Object, strip: bpy.types.NlaStrip) -> Kept:
    """Locked channels whole; locked frames of every channel, out to the keys around them."""
    found, kept = sample.fcurves(strip.action, strip.action_slot), Kept()
    whole, settings = locks.locked(obj), obj.mien_locks
    for name in whole:
        kept.spans[name] = [(-math.inf, math.inf)]
    if settings.use_range and settings.end >= settings.start:
        ends = sample.action_frames(strip, np.array([settings.start, settings.end], np.float64))
        first, last = float(ends.min()), float(ends.max())
        if last > first:
            for name, curve in found.items():
                if name not in whole:
                    kept.spans[name] = [_out_to_keys(curve, first, last)]
    for name, spans in kept.spans.items():
        points = found[name].keyframe_points if name in found else ()
        kept.keys[name] = [
            _key(point) for point in points if any(low - _NEAR <= point.co[0] <= high + _NEAR for low, high in spans)
        ]
    return kept


def _out_to_keys(curve: bpy.types.FCurve, first: float, last: float) -> tuple[float, float]:
    """The range, widened to the keys around it, so that what lies within keeps its very shape."""
    frames = [point.co[0] for point in curve.keyframe_points]
    before = [frame for frame in frames if frame <= first + _NEAR]
    after = [frame for frame in frames if frame >= last - _NEAR]
    return (max(before) if before else -math.inf), (min(after) if after else math.inf)


def _key(point: bpy.types.Keyframe) -> dict[str, Any]:
    return {
        "co": tuple(point.co), "handle_left": tuple(point.handle_left), "handle_right": tuple(point.handle_right),
        "handle_left_type": point.handle_left_type, "handle_right_type": point.handle_right_type,
        "interpolation": point.interpolation, "easing": point.easing, "back": point.back,
        "amplitude": point.amplitude, "period": point.period, "type": point.type,
    }  # fmt: skip


def _told(found: dict[str, bpy.types.FCurve], kept: Kept, start: float, count: int, fps: float) -> dict[str, Any]:
    """`given` and `locked` of a request: the locked channels' values at every frame, and which frames are locked."""
    if not kept.spans:
        return {}
    frames = start + np.arange(count)
    values = sample.of_action({name: found[name] for name in kept.spans if name in found}, frames)
    values |= {name: np.zeros(count) for name in kept.spans if name not in found}
    locked = {}
    for name, spans in kept.spans.items():
        rows = []
        for low, high in spans:
            first = 0 if math.isinf(low) else max(math.ceil(low - start - _NEAR), 0)
            last = count - 1 if math.isinf(high) else min(math.floor(high - start + _NEAR), count - 1)
            if last >= first:
                rows.append([int(first), int(last)])
        locked[name] = rows
    return {"given": sample.as_curves(values, fps), "locked": locked}


def _restore(action: bpy.types.Action, kept: Kept) -> None:
    """Put the locked keys back, as they were, in place of what the new take has there."""
    bag = compat.channelbag(action, action.slots[0])
    have = {channels.name_of(curve.data_path): curve for curve in bag.fcurves}
    for name in sorted(kept.spans, key=table.INDEX.__getitem__):
        curve = have.get(name)
        if curve is None:
            if not kept.keys[name]:
                continue
            curve = bag.fcurves.new(channels.path(name))
        points = curve.keyframe_points
        for index in range(len(points) - 1, -1, -1):
            frame = points[index].co[0]
            if any(low - 0.5 < frame < high + 0.5 for low, high in kept.spans[name]):
                points.remove(points[index], fast=True)
        for entry in kept.keys[name]:
            points.insert(entry["co"][0], entry["co"][1], options={"FAST"})
        # Only now: each insertion may cut the handles of its neighbours.
        by_frame = {round(point.co[0], 4): point for point in points}
        for entry in kept.keys[name]:
            _set(by_frame[round(entry["co"][0], 4)], entry)
        if not len(points):
            bag.fcurves.remove(curve)
    curves.group_by_zone(bag)


def _set(point: bpy.types.Keyframe, entry: dict[str, Any]) -> None:
    """Make a key what `_key` read, its place and handles last: no update of the curve is to turn them afterwards."""
    places = ("co", "handle_left", "handle_right")
    for attribute, value in entry.items():
        if attribute not in places:
            setattr(point, attribute, value)
    for attribute in places:
        setattr(point, attribute, entry[attribute])


# ── takes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def takes(obj: bpy.types.Object, frame: float) -> list[bpy.types.NlaStrip]:
    """Speech strips that lie over the one at the frame, itself among them, muted or not, the oldest first."""
    strips = [
        strip for strip in nla.strips_named(obj, nla.SPEECH)
        if strip.action is not None and "mien_phones" in strip.action
    ]  # fmt: skip
    here = [strip for strip in strips if strip.frame_start <= frame <= strip.frame_end]
    if not here:
        return []
    low, high = min(strip.frame_start for strip in here), max(strip.frame_end for strip in here)
    return [strip for strip in strips if strip.frame_start < high and low < strip.frame_end]


class MIEN_OT_show_take(bpy.types.Operator):
    """Play this take, and mute the others that lie over it"""

    bl_idname = "mien.show_take"
    bl_label = "Show Take"
    bl_options = {"REGISTER", "UNDO"}

    strip: bpy.props.StringProperty(name="Strip", options={"SKIP_SAVE"})

    def execute(self, context):
        obj = active_head(context)
        found = takes(obj, context.scene.frame_current) if obj is not None else []
        if self.strip not in [strip.name for strip in found]:
            self.report({"ERROR"}, f"There is no take {self.strip!r} at this frame; choose another.")
            return {"CANCELLED"}
        for strip in found:
            strip.mute = strip.name != self.strip
            if not strip.mute and strip.action.get("mien_sound"):
                sound = sounds.find(strip.action["mien_sound"]) or Path(strip.action["mien_sound"])
                scene = compat.sequencer_scene(context)
                sounds.play_only(scene, obj, sound, strip.frame_start, strip.frame_end)
        return {"FINISHED"}


CLASSES = (MIEN_OT_regenerate, MIEN_OT_show_take)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
