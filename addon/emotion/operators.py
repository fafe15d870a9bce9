"""Give a head a mood: a direction to the engine, its keys back into an Action that is added to the speech."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...engine.contract.errors import MienError
from .. import session, timing
from ..animate import curves, nla
from ..head.settings import Aim, active_head
from ..jobs import EngineJob, possible
from ..perform.operators import why_not
from . import examples, line, settings, takes, zones

_SECONDS = 600.0
_FADE_SECONDS = 0.8
_FRAMES = ("FRAMES", "Frames", "From Start to End")


class MIEN_OT_emotion(EngineJob, bpy.types.Operator):
    """Turn a direction into keys: a new Action on the NLA track "Emotion", added to speech. Nothing keyed is lost"""

    bl_idname = "mien.emotion"
    bl_label = "Give It a Mood"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Reading the direction"
    seconds = _SECONDS

    source: bpy.props.EnumProperty(name="From", items=settings.SOURCES, options={"SKIP_SAVE"})
    text: bpy.props.StringProperty(name="Direction", options={"SKIP_SAVE"})
    label: bpy.props.StringProperty(name="Emotion", default="happiness", options={"SKIP_SAVE"})
    valence: bpy.props.FloatProperty(name="Valence", min=-1.0, max=1.0, options={"SKIP_SAVE"})
    arousal: bpy.props.FloatProperty(name="Arousal", min=-1.0, max=1.0, options={"SKIP_SAVE"})
    voice: bpy.props.StringProperty(name="Sound", subtype="FILE_PATH", options={"SKIP_SAVE"})
    example: bpy.props.StringProperty(name="Example", description="Name of an object", options={"SKIP_SAVE"})
    example_file: bpy.props.StringProperty(name="Curve File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    mix_text: bpy.props.FloatProperty(name="Direction", default=1.0, min=0.0, max=1.0, options={"SKIP_SAVE"})
    mix_audio: bpy.props.FloatProperty(name="Voice", min=0.0, max=1.0, options={"SKIP_SAVE"})
    mix_label: bpy.props.FloatProperty(name="Emotion", min=0.0, max=1.0, options={"SKIP_SAVE"})
    mix_example: bpy.props.FloatProperty(name="Example", min=0.0, max=1.0, options={"SKIP_SAVE"})
    mix_va: bpy.props.FloatProperty(name="Pad", min=0.0, max=1.0, options={"SKIP_SAVE"})
    strength: bpy.props.FloatProperty(name="Strength", default=1.0, min=0.0, max=1.5, options={"SKIP_SAVE"})
    over: bpy.props.EnumProperty(name="Over", items=(*settings.OVER, _FRAMES), options={"SKIP_SAVE"})
    start: bpy.props.FloatProperty(name="Start", default=1.0, options={"SKIP_SAVE"})
    end: bpy.props.FloatProperty(name="End", default=100.0, options={"SKIP_SAVE"})
    after: bpy.props.EnumProperty(name="At the End", items=settings.AFTER, options={"SKIP_SAVE"})
    former: bpy.props.EnumProperty(name="Former Takes", items=settings.FORMER, options={"SKIP_SAVE"})
    push_down: bpy.props.BoolProperty(
        name="Push Down Active Action",
        description="If the head's active Action would hide the mood, move it to an NLA track of its own below",
        default=False,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context):
        return possible(cls, why_not(context))

    def begin(self, context):
        head = active_head(context)
        self._aim = Aim.at(head)
        self._fps = timing.frame_rate(context.scene)
        given = (self.start, self.end) if self.over == "FRAMES" else None
        self._start, self._end_frame = given or frames(context, head, self.over)
        if self._end_frame <= self._start:
            raise MienError(f"The mood would end at frame {self._end_frame:g}, before it begins; give it more frames.")
        words, phones = line.spoken(head, self._start, self._end_frame, self._fps)
        params: dict[str, Any] = {
            "fps": self._fps,
            "duration": (self._end_frame - self._start) / self._fps,
            "words": words,
            "phones": phones,
            "strength": self.strength,
            **self._wanted(head),
        }
        at = self._start + np.arange(int(np.ceil(params["duration"] * self._fps - 1e-9)) + 1)
        priority = zones.over(head, at)
        if priority:
            params["priority"] = priority
            params["under"] = zones.under(head, priority, at)
        return session.running().request("emotion", params, deadline_s=_SECONDS)

    def _wanted(self, head: bpy.types.Object) -> dict[str, Any]:
        """The request's sources. Keeps in words what was asked for."""
        if self.source != "MIX":
            said, wanted = self._part(self.source, head)
            self._direction = said
            return wanted
        result: dict[str, Any] = {"weights": {}}
        said = []
        for source, name, _ in settings.PARTS:
            weight = getattr(self, f"mix_{name}")
            if weight > 0:
                words, wanted = self._part(source, head)
                result.update(wanted)
                result["weights"][name] = weight
                said.append(f"{words} × {weight:.2f}")
        if not said:
            raise MienError("Every weight of the mix is 0; raise one.")
        self._direction = " + ".join(said)
        return result

    def _part(self, source: str, head: bpy.types.Object) -> tuple[str, dict[str, Any]]:
        """(what was asked for, in words; its fields of the request) of one source."""
        if source == "LABEL":
            return f"{self.label.replace('_', ' ')} at {self.strength:.2f}", {"label": self.label}
        if source == "VA":
            said = f"valence {self.valence:+.2f}, arousal {self.arousal:+.2f}"
            return said, {"va": [[self.valence, self.arousal]]}
        if source == "VOICE":
            sound = examples.voice_of(head, self.voice, self._start)
            return f"the voice of {sound.name}", {"audio": str(sound)}
        if source == "EXAMPLE":
            return examples.motion_of(self.example, self.example_file, self._start, self._end_frame, self._fps)
        if not self.text.strip():
            raise MienError("There is no direction; say how the face shall feel first.")
        return self.text.strip(), {"text": self.text.strip()}

    def finish(self, context, reply):
        obj = self._aim.get("its mood was")
        if not reply["keys"] and not reply["reading"]:
            raise MienError(self._nothing(reply))
        former = takes.overlapping(obj, self._start, self._end_frame) if self.former == "MUTE" else []
        action = curves.new_action(f"{obj.name} Emotion", reply["keys"], self._start, self._fps)
        takes.mark(action, self._direction, reply, self._start, self._fps)
        if self.push_down and nla.masking(obj, set(reply["keys"])):
            nla.push_down(obj)
        for other in former:
            other.mute = True
        fade = _FADE_SECONDS * self._fps if self.after == "FADE" else 0.0
        strip = nla.place_over(obj, action, self._start, self._end_frame, fade)
        self._tell(obj, strip, reply, len(former))
        return {"FINISHED"}

    def _nothing(self, reply: dict[str, Any]) -> str:
        """Why nothing moves the face, and what to do."""
        if self.source == "TEXT":
            said = self._direction if len(self._direction) <= 60 else self._direction[:59] + "…"
            return (
                f"Nothing in “{said}” names a feeling or a movement that Mien knows, so nothing was changed; "
                "say it in other words, such as “sad, then a faint smile”, or choose an emotion by name."
            )
        why = " ".join(reply["notes"]) or "Nothing in it moves the face."
        return f"{why} Nothing was changed; choose another source, or one that shows more."

    def _tell(self, obj: bpy.types.Object, strip: bpy.types.NlaStrip, reply: dict[str, Any], muted: int) -> None:
        keys = sum(len(rows) for rows in reply["keys"].values())
        said = f"{obj.name}: {len(reply['reading'])} parts understood, {keys} keys on {len(reply['keys'])} channels"
        self.report({"INFO"}, said + (f"; muted {muted} former take{'s' * (muted > 1)}" if muted else ""))
        for note in reply["notes"]:
            self.report({"INFO"}, note)
        hidden = nla.why_hidden(obj, strip, set(reply["keys"]), "their mood")
        if hidden:
            self.report({"WARNING"}, hidden)


def frames(context: bpy.types.Context, obj: bpy.types.Object, over: str) -> tuple[float, float]:
    """(first, last) frame of a mood over the head's speech, or over the scene where there is none."""
    scene = context.scene
    strip = line.speech_strip(obj, scene.frame_current) if over == "SPEECH" else None
    if strip is not None:
        return strip.frame_start, strip.frame_end
    first, last = timing.played(scene)
    return float(first), float(last)


class MIEN_OT_emotion_from_panel(bpy.types.Operator):
    """Turn this into keys: a new Action on the NLA track "Emotion", added to the speech. Nothing keyed is lost"""

    bl_idname = "mien.emotion_from_panel"
    bl_label = "Give It a Mood"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        return possible(cls, why_not_from_panel(context))

    def execute(self, context):
        chosen = context.scene.mien_emotion
        mix = [f"mix_{part}" for _, part, _ in settings.PARTS]
        names = ("source", "text", "label", "valence", "arousal", "strength", "over", "after", "former", "voice")
        wanted = {name: getattr(chosen, name) for name in (*names, "example_file", *mix)}
        wanted["example"] = chosen.example.name if chosen.example else ""
        bpy.ops.mien.emotion("INVOKE_DEFAULT", **wanted)
        return {"FINISHED"}


def why_not_from_panel(context: bpy.types.Context) -> str | None:
    """Why what the panel holds gives no mood, as a sentence; None where it does."""
    reason = why_not(context)
    chosen = context.scene.mien_emotion
    if reason:
        return reason
    if _asked(chosen, "TEXT") and not chosen.text.strip():
        return "Type a direction first"
    if _asked(chosen, "EXAMPLE") and not (chosen.example or chosen.example_file.strip()):
        return "Choose an example first"
    if _asked(chosen, "VOICE") and not chosen.voice.strip():
        head = active_head(context)
        if examples.strip_sound(head, context.scene.frame_current) is None:
            return "There is no Speech strip whose sound could be heard; choose a sound"
    if chosen.strength == 0:
        return "At strength 0 nothing moves"
    start, end = frames(context, active_head(context), chosen.over)
    return None if end > start else "The scene's frame range is a single frame"


def _asked(chosen: settings.MienEmotion, source: str) -> bool:
    """Whether a source counts in what the panel holds."""
    if chosen.source != "MIX":
        return chosen.source == source
    return any(part == source and getattr(chosen, f"mix_{name}") > 0 for part, name, _ in settings.PARTS)


CLASSES = (MIEN_OT_emotion, MIEN_OT_emotion_from_panel)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
