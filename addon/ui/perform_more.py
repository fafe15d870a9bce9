"""Panels of directing: the voice, takes and locks, sync, captures."""

from __future__ import annotations

import bpy

from .. import timing
from ..emotion import line
from ..head.settings import active_head
from ..perform import locks, operators, regenerate, settings, sync
from .panels import _HeadPanel, in_columns, progress, wrapped


class MIEN_PT_voice(_HeadPanel, bpy.types.Panel):
    bl_label = "Voice"
    bl_idname = "MIEN_PT_voice"
    bl_parent_id = "MIEN_PT_speech"

    @classmethod
    def poll(cls, context):
        return active_head(context) is not None and context.scene.mien_speech.source == "LINE"

    def draw(self, context):
        layout, chosen = self.layout, context.scene.mien_speech
        in_columns(layout)
        if not progress(layout, "mien.install_voice") and settings.voice_missing():
            wrapped(layout, context, "No voice is installed: fetching one takes about 120 MB, once.", "INFO")
            if not bpy.app.online_access:
                layout.prop(context.preferences.system, "use_online_access", text="Allow Online Access")
            row = layout.row()
            row.scale_y = 1.4
            row.operator("mien.install_voice", icon="IMPORT")
        column = layout.column(align=True)
        column.prop(chosen, "voice")
        column.prop(chosen, "speed", slider=True)
        self._pronunciations(context, chosen)

    def _pronunciations(self, context, chosen) -> None:
        column = self.layout.column(align=True)
        column.use_property_split = False
        row = column.row(align=True)
        row.label(text="Pronounce")
        row.operator("mien.pronunciation", text="", icon="ADD").remove = -1
        for index, entry in enumerate(chosen.pronunciations):
            row = column.row(align=True)
            row.prop(entry, "word", text="", placeholder="Mien")
            row.prop(entry, "ipa", text="", placeholder="miːn")
            row.operator("mien.pronunciation", text="", icon="X").remove = index


class MIEN_PT_takes(_HeadPanel, bpy.types.Panel):
    bl_label = "Takes and Locks"
    bl_idname = "MIEN_PT_takes"
    bl_parent_id = "MIEN_PT_speech"

    @classmethod
    def poll(cls, context):
        obj = active_head(context)
        return obj is not None and line.speech_strip(obj, context.scene.frame_current) is not None

    def draw(self, context):
        layout, obj = self.layout, active_head(context)
        found = regenerate.takes(obj, context.scene.frame_current)
        if found:
            column = layout.column(align=True)
            for number, strip in enumerate(found):
                icon = "RADIOBUT_OFF" if strip.mute else "RADIOBUT_ON"
                row = column.row(align=True)
                row.alignment = "LEFT"
                text = f"{number + 1}  {strip.name}"
                row.operator("mien.show_take", text=text, icon=icon, emboss=False).strip = strip.name
        self._locks(obj)
        if not progress(layout, "mien.regenerate"):
            row = layout.row()
            row.scale_y = 1.4
            row.operator("mien.regenerate", icon="FILE_REFRESH")
            reason = regenerate.why_not(context)
            if reason:
                wrapped(layout, context, reason, "INFO")

    def _locks(self, obj) -> None:
        names, chosen = locks.locked(obj), obj.mien_locks
        column = self.layout.column(align=True)
        row = column.row(align=True)
        text = f"{len(names)} channel{'s' * (len(names) != 1)} locked" if names else "No channel is locked"
        row.label(text=text, icon="LOCKED" if names else "UNLOCKED")
        row.operator("mien.lock_selected", text="", icon="GRAPH")
        row.operator("mien.lock", text="", icon="LOCKED" if names else "UNLOCKED").zone = "all"
        row = self.layout.split(factor=0.4, align=True)
        row.prop(chosen, "use_range", text="Frames")
        frames = row.row(align=True)
        frames.active = chosen.use_range
        frames.prop(chosen, "start", text="")
        frames.prop(chosen, "end", text="")


class MIEN_PT_sync(_HeadPanel, bpy.types.Panel):
    bl_label = "Sync"
    bl_idname = "MIEN_PT_sync"
    bl_parent_id = "MIEN_PT_speech"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout, obj = self.layout, active_head(context)
        if not progress(layout, "mien.check_sync"):
            row = layout.row(align=True)
            row.operator("mien.check_sync", icon="VIEWZOOM")
            row.operator("mien.clear_sync", text="", icon="X")
        found = sync.result(obj)
        if found is None:
            reason = operators.why_not(context, changes=False)
            if reason:
                wrapped(layout, context, reason, "INFO")
            return
        fps = timing.frame_rate(context.scene)
        score = found["score"]
        column = layout.column(align=True)
        column.progress(factor=min(max(score, 0.0), 1.0), text=f"Score {score:.2f}", type="BAR")
        wrapped(column, context, sync.sentence(score, found["offset"], fps).partition(": ")[2])
        faint = column.column(align=True)
        faint.active = False
        faint.label(text=f"Confidence {found['confidence']:.2f}, distance {found['distance']:.2f}")
        for begin, end, value in found["worst"][:4]:
            layout.label(text=f"Frames {begin:.0f}–{end:.0f}: {value:.2f}", icon="MARKER_HLT")


class MIEN_PT_capture(_HeadPanel, bpy.types.Panel):
    bl_label = "Capture"
    bl_idname = "MIEN_PT_capture"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout = self.layout
        column = layout.column(align=True)
        if not progress(column, "mien.import_capture"):
            column.operator("mien.import_capture", text="Import Capture…", icon="IMPORT")
        if not progress(column, "mien.clean_up"):
            column.operator("mien.clean_up", icon="SMOOTHCURVE")
        if not progress(column, "mien.export_curves"):
            column.operator("mien.export_curves", text="Export Curves…", icon="EXPORT")


CLASSES = (MIEN_PT_voice, MIEN_PT_takes, MIEN_PT_sync, MIEN_PT_capture)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
