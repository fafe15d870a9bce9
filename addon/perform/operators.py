"""Make a head speak: sound or text to the engine, its keys back into an Action on the Speech track."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import bpy

from ...engine.contract.errors import MienError
from .. import compat, session, timing
from ..animate import curves, nla
from ..head.settings import Aim, active_head, why_no_head, with_uid
from ..jobs import EngineJob, possible
from . import rough, settings, sounds

_SECONDS = 1800.0


class MIEN_OT_speak(EngineJob, bpy.types.Operator):
    """Turn a recording or a typed line into keys, in a new Action on the NLA track "Speech". Nothing keyed is lost"""

    bl_idname = "mien.speak"
    bl_label = "Speak"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Listening"
    seconds = _SECONDS

    source: bpy.props.EnumProperty(name="From", items=settings.SOURCES, options={"SKIP_SAVE"})
    audio: bpy.props.StringProperty(name="Sound", subtype="FILE_PATH", options={"SKIP_SAVE"})
    strip: bpy.props.StringProperty(name="Strip", options={"SKIP_SAVE"})
    text: bpy.props.StringProperty(name="Words", options={"SKIP_SAVE"})
    line: bpy.props.StringProperty(name="Line", options={"SKIP_SAVE"})
    seed: bpy.props.IntProperty(name="Take", min=0, options={"SKIP_SAVE"})
    frame: bpy.props.IntProperty(
        name="Frame",
        description="Where a file or a line begins; a strip keeps its place",
        default=1,
        options={"SKIP_SAVE"},
    )
    add_sound: bpy.props.BoolProperty(name="Add Sound Strip", default=False, options={"SKIP_SAVE"})
    set_range: bpy.props.BoolProperty(name="Set Frame Range", default=False, options={"SKIP_SAVE"})
    push_down: bpy.props.BoolProperty(
        name="Push Down Active Action",
        description="If the head's active Action would hide the speech, move it to an NLA track of its own below",
        default=False,
        options={"SKIP_SAVE"},
    )
    strengths: bpy.props.StringProperty(
        name="Strengths", description='JSON such as {"head": 0.5}', options={"SKIP_SAVE", "HIDDEN"}
    )
    voice: bpy.props.StringProperty(name="Voice", description="Who speaks a typed line", options={"SKIP_SAVE"})
    speed: bpy.props.FloatProperty(name="Speed", default=1.0, min=0.5, max=2.0, options={"SKIP_SAVE"})
    pronunciations: bpy.props.StringProperty(
        name="Pronunciations", description='JSON such as {"Mien": "miːn"}', options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context):
        return possible(cls, why_not(context))

    def begin(self, context):
        self._aim, self._scene = Aim.at(active_head(context)), context.scene.session_uid
        self._sequencer = compat.sequencer_scene(context).session_uid
        self._temporary: Path | None = None
        self._start = float(self.frame)
        self._fps = timing.frame_rate(context.scene)
        params: dict[str, Any] = {"seed": self.seed, "fps": self._fps, **self._spoken(context)}
        if self.strengths:
            params["strengths"] = json.loads(self.strengths)
        self._request = {name: value for name, value in params.items() if name != "audio" or self.source == "FILE"}
        return session.running().request("perform", {**params, "preview": self.in_window}, deadline_s=_SECONDS)

    def _spoken(self, context) -> dict[str, Any]:
        """The request's source, and where it lies."""
        self._sound: Path | None = None
        if self.source == "LINE":
            if not self.line.strip():
                raise MienError("There is nothing to say; type a line first.")
            said: dict[str, Any] = {"line": self.line, "speed": round(self.speed, 3)}
            if self.voice:
                said["voice"] = self.voice
            if self.pronunciations:
                said["pronunciations"] = json.loads(self.pronunciations)
            return said
        words = {"text": self.text} if self.text.strip() else {}
        if self.source == "STRIP":
            strip = sounds.strip_named(context, self.strip)
            self._start = float(compat.strip_frames(strip)[0])
            self._temporary = sounds.write_strip(strip, context.evaluated_depsgraph_get(), self._fps)
            return {"audio": str(self._temporary), **words}
        if not self.audio:
            raise MienError("No sound is chosen; choose a file, a strip or type a line.")
        self._sound = Path(bpy.path.abspath(self.audio)).resolve()
        if not self._sound.is_file():
            raise MienError(f"The sound file {self._sound} does not exist; choose another.")
        return {"audio": str(self._sound), **words}

    def show_preview(self, context, content):
        obj = self._aim.find()
        if obj is not None:
            rough.show(type(self).bl_idname, obj, content, self._start)

    def finish(self, context, reply):
        obj, scene = self._aim.get("its speech was"), with_uid(self._scene, bpy.data.scenes)
        if "audio" in reply:
            self._sound = sounds.keep(Path(reply["audio"]))
        end = self._start + reply["duration"] * self._fps
        action = curves.new_action(f"{obj.name} Speech", reply["keys"], self._start, self._fps)
        mark(action, reply, self._start, self._fps)
        action["mien_request"] = json.dumps(self._request)
        action["mien_sound"] = str(self._sound) if self._sound is not None else ""
        action["mien_strip"] = self.strip if self.source == "STRIP" else ""
        if self.push_down and nla.masking(obj, set(reply["keys"])):
            nla.push_down(obj)
        for former in nla.strips_named(obj, nla.SPEECH):  # else what it alone has keys for would show below
            former.mute |= self._start <= former.frame_start and former.frame_end <= end
        strip = nla.place(obj, action, self._start, end, nla.SPEECH)
        if self.add_sound and self._sound is not None:
            self._add_sound(obj, end)
        if self.set_range and scene is not None:
            scene.frame_start, scene.frame_end = round(self._start), max(round(end), round(self._start) + 1)
        keys = sum(len(rows) for rows in reply["keys"].values())
        self.report(
            {"INFO"}, f"{obj.name} speaks for {reply['duration']:.1f} s: {keys} keys on {len(reply['keys'])} channels"
        )
        for note in reply["notes"]:
            self.report({"INFO"}, note)
        hidden = nla.why_hidden(obj, strip, set(reply["keys"]), "their speech")
        if hidden:
            self.report({"WARNING"}, hidden)
        return {"FINISHED"}

    def _add_sound(self, obj, end: float) -> None:
        scene = with_uid(self._sequencer, bpy.data.scenes) or bpy.context.scene
        if sounds.play_only(scene, obj, self._sound, self._start, end):
            return
        strip = sounds.add_strip(scene, obj, self._sound, round(self._start))
        if self.source == "LINE":
            strip.sound.pack()  # so that it travels with the .blend: it lies in Blender's own folders

    def clean_up(self) -> None:
        rough.remove(type(self).bl_idname)
        temporary = getattr(self, "_temporary", None)
        if temporary is not None:
            shutil.rmtree(temporary.parent, ignore_errors=True)


def mark(action: bpy.types.Action, reply: dict[str, Any], start: float, fps: float) -> None:
    """Words as the Action's own markers; words and phones with their times for later work."""
    for word, begin, _ in reply["words"]:
        action.pose_markers.new(str(word)[:63]).frame = round(start + begin * fps)
    action["mien_words"] = json.dumps(reply["words"])
    action["mien_phones"] = json.dumps(reply["phones"])
    action["mien_duration"] = reply["duration"]
    action["mien_start"], action["mien_fps"] = start, fps  # where their second 0 lies, whatever a strip shows of it


def why_not(context: bpy.types.Context, changes: bool = True) -> str | None:
    """Why nothing can be spoken now, as a sentence; None where it can. `changes` says whether the head gets keys."""
    reason = why_no_head(context)
    if reason and (changes or active_head(context) is None):
        return reason
    if session.missing_reason():
        return "The engine is not installed; press Install Engine"
    return None


class MIEN_OT_speak_from_panel(bpy.types.Operator):
    """Turn what is chosen here into keys: a new Action on the head's NLA track "Speech". Nothing keyed is lost"""

    bl_idname = "mien.speak_from_panel"
    bl_label = "Make It Speak"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        return possible(cls, why_not_from_panel(context))

    def execute(self, context):
        chosen = context.scene.mien_speech
        frame = context.scene.frame_current if chosen.at_current_frame else context.scene.frame_start
        bpy.ops.mien.speak(
            "INVOKE_DEFAULT",
            source=chosen.source,
            audio=chosen.audio,
            strip=chosen.strip,
            text=chosen.text,
            line=chosen.line,
            seed=chosen.seed,
            frame=frame,
            add_sound=chosen.add_sound,
            set_range=chosen.set_range,
            strengths=json.dumps(settings.strengths(chosen)),
            voice=chosen.voice,
            speed=chosen.speed,
            pronunciations=json.dumps(settings.pronunciations(chosen)),
        )
        return {"FINISHED"}


def why_not_from_panel(context: bpy.types.Context) -> str | None:
    """Why what the panel holds can't be spoken, as a sentence; None where it can."""
    reason = why_not(context)
    chosen = context.scene.mien_speech
    if reason:
        return reason
    if chosen.source == "FILE" and not chosen.audio:
        return "Choose a sound file first"
    if chosen.source == "LINE" and not chosen.line.strip():
        return "Type a line first"
    if chosen.source == "STRIP" and not settings.sound_strips(context):
        return "The sequencer has no sound strip"
    return None


CLASSES = (MIEN_OT_speak, MIEN_OT_speak_from_panel)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
