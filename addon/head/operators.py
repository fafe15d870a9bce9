"""Operators that add a head."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ImportHelper

from .. import session
from ..jobs import EngineJob
from . import display, library, proxy


class _AddsHead(EngineJob):
    """Loads `self.wanted()` and puts the head at the 3D cursor."""

    progress_label = "Loading the head"
    seconds = session.LOAD_SECONDS

    def wanted(self) -> str:
        raise NotImplementedError

    def begin(self, context):
        return session.running().load_head(session.head_argument(self.wanted()))

    def finish(self, context, reply):
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        obj = proxy.build(proxy.Geometry.from_reply(reply))
        obj.mien.head = self.wanted()
        obj.visible_camera = False
        obj.location = context.scene.cursor.location
        context.collection.objects.link(obj)
        for other in context.selected_objects:
            other.select_set(False)
        obj.select_set(True)
        context.view_layer.objects.active = obj
        display.update()
        self.report({"INFO"}, f"Added {reply['name']} by {reply['author']} ({reply['licence']})")
        return {"FINISHED"}


class MIEN_OT_add_head(_AddsHead, bpy.types.Operator):
    """Add a talking head from the library at the 3D cursor, at life size"""

    bl_idname = "mien.add_head"
    bl_label = "Mien Head"
    bl_options = {"REGISTER", "UNDO"}

    head: bpy.props.StringProperty(
        name="Head", description="Name in the library, or path of a .mien file", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context):
        if session.missing_reason():
            cls.poll_message_set("The engine is not installed; press Install Engine in the Mien tab")
            return False
        return True

    def wanted(self):
        if self.head:
            return self.head
        names = [entry.name for entry in library.entries()]
        return session.DEFAULT_HEAD if session.DEFAULT_HEAD in names or not names else names[0]


class MIEN_OT_add_head_file(_AddsHead, ImportHelper, bpy.types.Operator):
    """Add a talking head from a .mien file at the 3D cursor"""

    bl_idname = "mien.add_head_file"
    bl_label = "Head from File"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".mien"
    filter_glob: bpy.props.StringProperty(default="*.mien", options={"HIDDEN"})

    poll = MIEN_OT_add_head.poll

    def wanted(self):
        return self.filepath

    def invoke(self, context, event):
        return ImportHelper.invoke(self, context, event)

    def execute(self, context):
        # Called by the file browser too, in whose window nothing may block.
        return EngineJob.invoke(self, context, None) if not bpy.app.background else EngineJob.execute(self, context)


CLASSES = (MIEN_OT_add_head, MIEN_OT_add_head_file)


def _menu(self, context) -> None:
    self.layout.operator_context = "INVOKE_DEFAULT"
    self.layout.operator(MIEN_OT_add_head.bl_idname, icon="USER")


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.VIEW3D_MT_mesh_add.append(_menu)


def unregister() -> None:
    bpy.types.VIEW3D_MT_mesh_add.remove(_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
