"""The panel for heads from outside: progress, landmarks to be corrected, and the way out as splats."""

from __future__ import annotations

import bpy

from .. import session
from ..head import importing, landmarks
from ..head.settings import active_head
from .panels import _Tab, progress, wrapped

_JOBS = ("mien.correct_landmarks", "mien.rig_again", "mien.export_splats", "mien.install_faces")


class MIEN_PT_outside(_Tab, bpy.types.Panel):
    bl_label = "Splats"
    bl_idname = "MIEN_PT_outside"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return session.missing_reason() is None and landmarks.cloud_in(context.scene) is None

    def draw(self, context):
        layout = self.layout
        if any([progress(layout, job) for job in _JOBS]):
            return
        head = active_head(context)
        column = layout.column(align=True)
        if head is not None and importing.splat_of(head.mien.head):
            column.operator("mien.correct_landmarks", icon="EMPTY_AXIS")
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("mien.add_head_file", text="Head from File…", icon="IMPORT")
        column.operator("mien.export_splats", text="Export Splats…", icon="EXPORT")
        if session.capabilities().get("faces") is False:
            wrapped(layout, context, "Splats of still heads need the face finder.", "INFO")
            layout.operator("mien.install_faces", icon="IMPORT")


def draw_landmarks(layout: bpy.types.UILayout, context: bpy.types.Context) -> bool:
    """What to do while landmarks are being placed; whether they are."""
    if landmarks.cloud_in(context.scene) is None:
        return False
    box = layout.box()
    if progress(box, "mien.rig_again"):
        return True
    wrapped(
        box,
        context,
        "Drag each point onto its place on the face: it snaps to the splats. L and R are the head's own sides.",
        "INFO",
        taken=70,
    )
    row = box.row()
    row.scale_y = 1.4
    row.operator("mien.rig_again", icon="CHECKMARK")
    box.operator("mien.stop_correcting", icon="X")
    return True


CLASSES = (MIEN_PT_outside,)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
