"""Is the mouth in step with the sound? Score and offset of a head's speech, its worst ranges as markers."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...engine.contract.errors import MienError
from .. import compat, session, timing
from ..emotion import line
from ..head.settings import Aim, active_head, with_uid
from ..jobs import EngineJob, possible
from . import sample, sounds
from .operators import why_not

MARKER = "Mien Sync"
_SECONDS = 600.0
_LONGEST = 600.0


@dataclass
class Heard:
    """A sound as a file, and where it lies in the scene.

    Attributes:
        start: The scene's frame of its second 0.
        frames: How many frames it lasts.
        temporary: Whether the file's folder is to be removed.
    """

    path: Path
    start: float
    frames: float
    temporary: bool = False

    def drop(self) -> None:
        if self.temporary:
            shutil.rmtree(self.path.parent, ignore_errors=True)


def heard(context: bpy.types.Context, obj: bpy.types.Object) -> Heard:
    """The sound that the head's speech at the current frame was made from, else what the sequencer plays there.

    Raises:
        MienError: There is neither.
    """
    fps = timing.frame_rate(context.scene)
    strip = line.speech_strip(obj, context.scene.frame_current)
    if strip is not None:
        path = sounds.find(str(strip.action.get("mien_sound", "")))
        start, end = strip.frame_start, strip.frame_end
        if path is not None:
            zero = float(strip.action.get("mien_start", strip.action_frame_start))
            start += (zero - strip.action_frame_start) * strip.scale
            seconds = float(strip.action.get("mien_duration", (end - start) / fps))
            return Heard(path, start, seconds * fps)
        wanted = str(strip.action.get("mien_strip", ""))
    else:
        start = end = float(context.scene.frame_current)
        wanted = ""
    scene = compat.sequencer_scene(context)
    found = [
        entry for entry in (scene.sequence_editor.strips_all if scene.sequence_editor else ()) if entry.type == "SOUND"
    ]
    found = [
        entry for entry in found if compat.strip_frames(entry)[0] <= end and compat.strip_frames(entry)[1] >= start
    ]
    chosen = next((entry for entry in found if entry.name == wanted), found[0] if found else None)
    if chosen is None:
        raise MienError("There is no sound to compare with; make the head speak, or put a sound strip where it does.")
    first, last, _ = compat.strip_frames(chosen)
    return Heard(sounds.write_strip(chosen, context.evaluated_depsgraph_get(), fps), float(first), last - first, True)


class MIEN_OT_check_sync(EngineJob, bpy.types.Operator):
    """Score how well the mouth fits the sound, find its offset, and mark the worst ranges on the timeline"""

    bl_idname = "mien.check_sync"
    bl_label = "Check Sync"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Listening"
    seconds = _SECONDS

    @classmethod
    def poll(cls, context):
        return possible(cls, why_not(context, changes=False))

    def begin(self, context):
        obj, scene = active_head(context), context.scene
        self._aim, self._scene = Aim.at(obj), scene.session_uid
        self._fps = timing.frame_rate(scene)
        self._sound = heard(context, obj)
        if self._sound.frames / self._fps > _LONGEST:
            raise MienError(
                f"The sound lasts {self._sound.frames / self._fps:.0f} s; at most {_LONGEST:.0f} s are checked."
            )
        frames = self._sound.start + np.arange(int(self._sound.frames) + 1)
        content = sample.as_curves(sample.of_object(obj, frames), self._fps)
        return session.running().request(
            "sync", {"audio": str(self._sound.path), "curves": content}, deadline_s=_SECONDS
        )

    def finish(self, context, reply):
        obj, scene = self._aim.get("its score was"), with_uid(self._scene, bpy.data.scenes)
        worst = [
            [self._sound.start + begin * self._fps, self._sound.start + end * self._fps, score]
            for begin, end, score in reply["worst"]
        ]
        if scene is not None:
            clear(scene)
            for begin, _, score in worst:
                scene.timeline_markers.new(f"{MARKER} {score:.2f}", frame=round(begin))
        kept = {name: reply[name] for name in ("score", "confidence", "distance", "offset")}
        obj["mien_sync"] = json.dumps({**kept, "worst": worst})
        self.report({"INFO"}, sentence(reply["score"], reply["offset"], self._fps))
        return {"FINISHED"}

    def clean_up(self) -> None:
        sound = getattr(self, "_sound", None)
        if sound is not None:
            sound.drop()


def sentence(score: float, offset: float, fps: float) -> str:
    """What a score and an offset mean."""
    how = "in step" if score >= 0.6 else "partly in step" if score >= 0.35 else "not in step"
    frames = abs(offset) * fps
    where = "on time" if frames < 0.5 else f"{frames:.1f} frames {'late' if offset > 0 else 'early'}"
    return f"Sync {score:.2f} of 1: {how}; the mouth comes {where}"


def result(obj: bpy.types.Object) -> dict | None:
    """The last check of a head; None where there was none."""
    try:
        found = json.loads(obj.get("mien_sync", ""))
        numbers = {name: float(found[name]) for name in ("score", "confidence", "distance", "offset")}
        return {**numbers, "worst": [[float(value) for value in row] for row in found["worst"]]}
    except (ValueError, TypeError, KeyError):
        return None


def clear(scene: bpy.types.Scene) -> int:
    """Remove the marks that Check Sync has set; how many."""
    marks = [marker for marker in scene.timeline_markers if marker.name.startswith(MARKER)]
    for marker in marks:
        scene.timeline_markers.remove(marker)
    return len(marks)


class MIEN_OT_clear_sync(bpy.types.Operator):
    """Remove the sync marks from the timeline"""

    bl_idname = "mien.clear_sync"
    bl_label = "Clear Sync Marks"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        if any(marker.name.startswith(MARKER) for marker in context.scene.timeline_markers):
            return True
        cls.poll_message_set("There are no sync marks")
        return False

    def execute(self, context):
        clear(context.scene)
        return {"FINISHED"}


CLASSES = (MIEN_OT_check_sync, MIEN_OT_clear_sync)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
