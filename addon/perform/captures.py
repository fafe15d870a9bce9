"""Captured curves in, cleaned, and out again: Live Link Face CSV, ARKit JSON, tracked video, Mien's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ...engine.contract.errors import MienError
from .. import session, timing
from ..animate import curves, nla
from ..head.settings import Aim, active_head
from ..jobs import EngineJob, possible
from . import sample
from .operators import why_not

CAPTURE = "Capture"
_SECONDS = 1800.0
_STRENGTH = bpy.props.FloatProperty(
    name="Clean Up",
    description="How much jitter goes: 0 leaves the capture as it is, 1 at least halves its jerk; peaks stay",
    default=1.0,
    min=0.0,
    max=3.0,
    soft_max=2.0,
)


class _Polled:
    _changes = True
    """Whether the head gets keys."""

    @classmethod
    def poll(cls, context):
        return possible(cls, why_not(context, cls._changes))


class MIEN_OT_import_capture(_Polled, EngineJob, ImportHelper, bpy.types.Operator):
    """Read a captured face into an Action on the NLA track "Capture": Live Link Face CSV, ARKit JSON, or a video"""

    bl_idname = "mien.import_capture"
    bl_label = "Import Capture"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Reading the capture"
    seconds = _SECONDS

    filter_glob: bpy.props.StringProperty(
        default="*.csv;*.json;*.mp4;*.mov;*.m4v;*.mkv;*.webm;*.avi", options={"HIDDEN"}
    )
    strength: _STRENGTH
    frame: bpy.props.IntProperty(name="Frame", description="Where the capture begins", default=1)

    def invoke(self, context, event):
        if self.filepath and Path(self.filepath).is_file() and not bpy.app.background:
            return EngineJob.invoke(self, context, event)
        self.frame = context.scene.frame_current
        return ImportHelper.invoke(self, context, event)

    def execute(self, context):
        if bpy.app.background:
            return EngineJob.execute(self, context)
        return EngineJob.invoke(self, context, None)  # back from the file dialog: go on without blocking

    def begin(self, context):
        self._aim = Aim.at(active_head(context))
        path = Path(bpy.path.abspath(self.filepath)).resolve()
        if not path.is_file():
            raise MienError(f"{path} is not a file; choose a capture.")
        self._name, self._fps = path.stem, timing.frame_rate(context.scene)
        params = {"file": str(path), "strength": self.strength, "fps": self._fps}
        return session.running().request("clean", params, deadline_s=_SECONDS)

    def finish(self, context, reply):
        obj = self._aim.get("its curves were")
        made = _place(obj, f"{obj.name} {self._name}"[:60], reply, float(self.frame), self._fps)
        _told(self, obj, made, reply)
        return {"FINISHED"}


class MIEN_OT_clean_up(_Polled, EngineJob, bpy.types.Operator):
    """Take the jitter out of the active Action's channels, or of what the NLA plays: a new take; yours stays, muted"""

    bl_idname = "mien.clean_up"
    bl_label = "Clean Up"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Cleaning up"
    seconds = _SECONDS

    strength: _STRENGTH

    def begin(self, context):
        obj = active_head(context)
        self._aim = Aim.at(obj)
        self._fps = timing.frame_rate(context.scene)
        self._source, found, frames = _source(obj, context.scene.frame_current)
        self._start = float(frames[0])
        content = sample.as_curves(sample.of_action(found, frames), self._fps)
        params = {"curves": content, "strength": self.strength}
        return session.running().request("clean", params, deadline_s=_SECONDS)

    def finish(self, context, reply):
        obj = self._aim.get("its curves were")
        start = self._start
        if self._source is None:
            sample.mute_channels(obj)
            name = obj.animation_data.action.name
        else:
            strip = _strip_named(obj, *self._source)
            start, name = strip.frame_start, strip.name
            strip.mute = True
        made = _place(obj, f"{name} Clean"[:60], reply, start, self._fps)
        _told(self, obj, made, reply)
        return {"FINISHED"}


class MIEN_OT_export_curves(_Polled, EngineJob, ExportHelper, bpy.types.Operator):
    """Write what the head does from the scene's first frame to its last: ARKit JSON, Live Link CSV, Mien's curves"""

    bl_idname = "mien.export_curves"
    bl_label = "Export Curves"
    progress_label = "Writing the curves"
    _changes = False

    filename_ext = ".json"
    check_extension = None
    filter_glob: bpy.props.StringProperty(default="*.csv;*.json", options={"HIDDEN"})
    form: bpy.props.EnumProperty(
        name="As",
        items=(
            ("arkit", "ARKit JSON", "52 ARKit weights a frame"),
            ("livelink", "Live Link Face CSV", "61 columns with timecodes, as the app writes them"),
            ("mien", "Mien Curves", "Every channel, as Mien reads it back"),
        ),
    )

    def execute(self, context):
        if bpy.app.background:
            return EngineJob.execute(self, context)
        return EngineJob.invoke(self, context, None)

    def invoke(self, context, event):
        return ExportHelper.invoke(self, context, event)

    def begin(self, context):
        obj, scene = active_head(context), context.scene
        frames = np.arange(scene.frame_start, max(scene.frame_end, scene.frame_start) + 1, dtype=np.float64)
        content = sample.as_curves(sample.of_object(obj, frames), timing.frame_rate(scene))
        ending = ".csv" if self.form == "livelink" else ".json"
        self._path = Path(bpy.path.abspath(self.filepath)).with_suffix(ending)
        params = {"curves": content, "file": str(self._path), "form": self.form}
        return session.running().request("curves/write", params, deadline_s=600.0)

    def finish(self, context, reply):
        self.report({"INFO"}, f"Wrote {self._path}")
        return {"FINISHED"}


def _source(obj: bpy.types.Object, frame: float) -> tuple[tuple[str, str] | None, dict, np.ndarray]:
    """(None for the active Action, else (track, strip); {channel: F-curve}; the Action's frames)."""
    data = obj.animation_data
    if data is not None and data.action is not None:
        found = sample.fcurves(data.action, data.action_slot)
        if found:
            return None, found, _keyed_frames(found)
    tracks = reversed(nla.playing(obj)) if data is not None else ()
    for track in tracks:
        for strip in track.strips:
            if strip.mute or strip.action is None or not strip.frame_start <= frame <= strip.frame_end:
                continue
            found = sample.fcurves(strip.action, strip.action_slot)
            if found:
                frames = np.arange(strip.action_frame_start, strip.action_frame_end + 1e-6)
                return (track.name, strip.name), found, frames
    raise MienError(
        "Neither the active Action nor the NLA at this frame has a channel of the head; nothing to clean up."
    )


def _keyed_frames(found: dict[str, bpy.types.FCurve]) -> np.ndarray:
    ends = np.array([curve.range() for curve in found.values()])
    frames = np.arange(np.floor(ends[:, 0].min()), np.ceil(ends[:, 1].max()) + 1)
    if len(frames) < 8:
        raise MienError(f"The Action lasts {len(frames)} frames; at least 8 are needed to tell jitter from motion.")
    return frames


def _strip_named(obj: bpy.types.Object, track: str, name: str) -> bpy.types.NlaStrip:
    found = obj.animation_data.nla_tracks.get(track) if obj.animation_data else None
    strip = next((strip for strip in found.strips if strip.name == name), None) if found else None
    if strip is None:
        raise MienError(f"The strip {name!r} is no longer there, so its clean-up was dropped.")
    return strip


def _place(obj: bpy.types.Object, name: str, reply: dict[str, Any], start: float, fps: float) -> bpy.types.NlaStrip:
    """A strip of a new Action with the reply's keys, on the track "Capture"."""
    if not reply["keys"]:
        raise MienError("Nothing moves in it, so there is nothing to key; check that it is a capture of a face.")
    action = curves.new_action(name, reply["keys"], start, fps)
    end = max(start + reply["duration"] * fps, start + 1.0)
    return nla.place(obj, action, start, end, CAPTURE)


def _told(
    operator: bpy.types.Operator, obj: bpy.types.Object, strip: bpy.types.NlaStrip, reply: dict[str, Any]
) -> None:
    before, after = reply["jerk"]
    share = f", jerk {after / before:.0%} of before" if before > 0 and after < before else ""
    operator.report({"INFO"}, f"{strip.action.name}: {reply['duration']:.1f} s, {len(reply['keys'])} channels{share}")
    for note in reply["notes"]:
        operator.report({"INFO"}, note)
    hidden = nla.why_hidden(obj, strip, set(reply["keys"]), "them")
    if hidden:
        operator.report({"WARNING"}, hidden)


CLASSES = (MIEN_OT_import_capture, MIEN_OT_clean_up, MIEN_OT_export_curves)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
