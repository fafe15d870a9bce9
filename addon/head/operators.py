"""Operators that add a head."""

from __future__ import annotations

from typing import Any

import bpy

from .. import session
from ..jobs import EngineJob
from . import display, library, proxy


class AddsHead(EngineJob):
    """Loads `self.wanted()` and puts the head at the 3D cursor."""

    progress_label = "Loading the head"
    seconds = session.LOAD_SECONDS

    def wanted(self) -> str:
        raise NotImplementedError

    def begin(self, context):
        return session.running().load_head(session.head_argument(self.wanted()), deadline_s=self.seconds)

    def finish(self, context, reply):
        leave_mode(context)
        add(context, reply, self.wanted())
        self.report({"INFO"}, f"Added {reply['name']} by {reply['author']} ({reply['licence']})")
        return {"FINISHED"}


def leave_mode(context: bpy.types.Context) -> None:
    """Go from whatever mode the artist works in to Object Mode, where objects can be added and chosen."""
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def add(context: bpy.types.Context, reply: dict[str, Any], head: str) -> bpy.types.Object:
    """A new head object at the 3D cursor, selected and active, from head/load's reply for `head`."""
    obj = proxy.build(proxy.Geometry.from_reply(reply))
    obj.mien.head = head
    obj.visible_camera = False
    obj.location = context.scene.cursor.location
    _collection(context).objects.link(obj)
    for other in context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj
    display.update()
    return obj


def _collection(context: bpy.types.Context) -> bpy.types.Collection:
    """The active collection, or the scene's own where the active one belongs to another file."""
    chosen = context.collection
    return context.scene.collection if chosen.library or chosen.override_library else chosen


class MIEN_OT_add_head(AddsHead, bpy.types.Operator):
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
        names = [entry.head for entry in library.entries()]
        return session.DEFAULT_HEAD if session.DEFAULT_HEAD in names or not names else names[0]


CLASSES = (MIEN_OT_add_head,)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def _menu(self, context) -> None:
    self.layout.operator_context = "INVOKE_DEFAULT"
    self.layout.operator(MIEN_OT_add_head.bl_idname, icon="USER")


def register() -> None:
    _register_classes()
    bpy.types.VIEW3D_MT_mesh_add.append(_menu)


def unregister() -> None:
    bpy.types.VIEW3D_MT_mesh_add.remove(_menu)
    _unregister_classes()
