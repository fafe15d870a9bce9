"""The sidebar tab "Mien" and the engine's panels in the Properties editor."""

from __future__ import annotations

import textwrap

import bpy

from ...engine.contract import channels as table
from .. import jobs, session, timing
from ..emotion import line as heard
from ..emotion import operators as mood
from ..emotion import takes
from ..head import channels, library
from ..head.settings import active_head, is_head
from ..perform import locks
from ..perform import settings as speech
from ..perform.operators import why_not_from_panel as why_not
from ..render.compositor import heads_scene

_ICONS = {
    "missing": "ERROR",
    "failed": "ERROR",
    "stopped": "RADIOBUT_OFF",
    "starting": "SORTTIME",
    "restarting": "SORTTIME",
    "ready": "CHECKMARK",
}


_LABELS = 0.62
"""Share of the panel's width that the channels' names take."""


class _Tab:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Mien"


# ── shared pieces ────────────────────────────────────────────────────────────────────────────────────────────────────


def wrapped(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE", taken: int = 40
) -> None:
    """A sentence on as many lines as the region's width needs. `taken`: pixels that other things in the row need."""
    width = (context.region.width if context.region else 300) - taken * context.preferences.system.ui_scale
    letters = max(int(width / (6.6 * context.preferences.system.ui_scale)) - (3 if icon != "NONE" else 0), 16)
    sentence(layout, text, letters, icon)


def sentence(layout: bpy.types.UILayout, text: str, letters: int, icon: str = "NONE") -> None:
    """A sentence on lines of so many letters, its icon before the first."""
    column = layout.column(align=True)
    column.scale_y = 0.85
    for number, line in enumerate(textwrap.wrap(text, letters)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")


def in_columns(layout: bpy.types.UILayout) -> None:
    """From here on names stand left and values right, without Blender's dots for keying."""
    layout.use_property_split = True
    layout.use_property_decorate = False


def progress(layout: bpy.types.UILayout, job: str) -> bool:
    """A job's progress bar with its Stop button, if it runs."""
    told = jobs.state.progress(job)
    if told is None:
        return False
    row = layout.row(align=True)
    row.progress(factor=told[0], text=told[1], type="BAR")
    row.operator("mien.stop_job", text="", icon="X").job = job
    return True


def draw_status(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the engine is and does, and what can be done about it."""
    state, said = session.status()
    if progress(layout, "mien.install_engine"):
        return
    row = layout.row()
    wrapped(row, context, said, _ICONS.get(state, "NONE"), taken=95)
    buttons = row.row(align=True)
    buttons.operator("mien.show_log", text="", icon="TEXT")
    if state != "missing":
        buttons.operator("mien.restart_engine", text="", icon="FILE_REFRESH")
    if state == "missing":
        wrapped(
            layout,
            context,
            "Install Engine fetches its Python packages from the Python Package Index, 680 MB on disk, "
            "into a folder of Mien's own.",
        )
        if not bpy.app.online_access:
            wrapped(layout, context, "Blender may not go online yet.", "INTERNET_OFFLINE")
            layout.prop(context.preferences.system, "use_online_access", text="Allow Online Access")
        big = layout.row()
        big.scale_y = 1.4
        big.operator("mien.install_engine", icon="IMPORT")
    elif session.outdated():
        wrapped(layout, context, "The engine was installed for another version of Mien.", "ERROR")
        layout.operator("mien.install_engine", text="Update Engine", icon="IMPORT")


# ── sidebar ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class MIEN_PT_main(_Tab, bpy.types.Panel):
    bl_label = "Mien"
    bl_idname = "MIEN_PT_main"

    def draw(self, context):
        layout = self.layout
        draw_status(layout, context)
        if session.missing_reason():
            return
        from .outside import draw_landmarks

        if draw_landmarks(layout, context):
            return
        if not progress(layout, "mien.add_head"):
            row = layout.row(align=True)
            if library.entries():
                row.prop(context.window_manager, "mien_library_head", text="")
                row.operator("mien.add_head", text="Add", icon="ADD").head = context.window_manager.mien_library_head
            row.operator("mien.add_head_file", text="", icon="FILE_FOLDER")
        progress(layout, "mien.add_head_file")
        obj = active_head(context)
        if obj is None:
            layout.label(text="Select a head to pose it", icon="INFO")
            return
        box = layout.column(align=True)
        row = box.row(align=True)
        row.prop(obj, "name", text="", icon="USER")
        row.prop(obj.mien, "show_splats", text="", icon="OUTLINER_OB_POINTCLOUD")
        row.prop(
            obj, "visible_camera", text="", icon="RESTRICT_RENDER_OFF" if obj.visible_camera else "RESTRICT_RENDER_ON"
        )


class _HeadPanel(_Tab):
    @classmethod
    def poll(cls, context):
        return active_head(context) is not None


class MIEN_PT_pose(_HeadPanel, bpy.types.Panel):
    bl_label = "Pose"
    bl_idname = "MIEN_PT_pose"

    def draw_header_preset(self, context):
        _zone_buttons(self.layout, "all")

    def draw(self, context):
        pass


def _zone_buttons(layout: bpy.types.UILayout, zone: str) -> None:
    row = layout.row(align=True)
    row.emboss = "NONE"
    row.operator("mien.key_zone", text="", icon="KEY_HLT").zone = zone
    row.operator("mien.mirror_zone", text="", icon="MOD_MIRROR").zone = zone
    row.operator("mien.reset_zone", text="", icon="LOOP_BACK").zone = zone
    row.operator("mien.lock", text="", icon="LOCKED").zone = zone
    row.separator(factor=0.5)


def _zone_panel(zone: str, label: str, closed: bool) -> type[bpy.types.Panel]:
    def draw_header_preset(self, context):
        _zone_buttons(self.layout, zone)

    def draw(self, context):
        draw_zone(self.layout, active_head(context), zone)

    return type(
        f"MIEN_PT_zone_{zone}",
        (_HeadPanel, bpy.types.Panel),
        {
            "bl_idname": f"MIEN_PT_zone_{zone}",
            "bl_label": label,
            "bl_parent_id": "MIEN_PT_pose",
            "bl_options": {"DEFAULT_CLOSED"} if closed else set(),
            "draw": draw,
            "draw_header_preset": draw_header_preset,
        },
    )


def draw_zone(layout: bpy.types.UILayout, obj: bpy.types.Object, zone: str) -> None:
    """A row for each channel, its left and right side by side; the head's own left is on the right, as one sees it."""
    column = layout.column(align=True)
    members, locked, lockable = channels.of_zone(zone), locks.locked(obj), locks.wanted(obj)
    labels = _LABELS - 0.08 * lockable
    if any(channel.side for channel in members):
        split = column.split(factor=labels)
        split.label()
        sides = split.row(align=True)
        for text in ("Right", "Left"):
            cell = sides.row()
            cell.alignment = "CENTER"
            cell.active = False
            cell.label(text=text)
        if lockable:
            sides.label(text="", icon="BLANK1")
    for channel in members:
        if channel.side == "R" or channel.name not in obj:
            continue
        split = column.split(factor=labels, align=True)
        split.label(text=channel.name.removesuffix(".L").removeprefix("AU"))
        sides = split.row(align=True)
        if channel.side:
            for side in "RL":
                sides.prop(obj, channels.path(channel.name[:-1] + side), text="", slider=True)
        else:
            sides.prop(obj, channels.path(channel.name), text="", slider=True)
        if lockable:
            lock = sides.row()
            lock.active = channel.name in locked
            icon = "LOCKED" if channel.name in locked else "UNLOCKED"
            lock.operator("mien.lock", text="", icon=icon, emboss=False).channel = channel.name


class MIEN_PT_speech(_HeadPanel, bpy.types.Panel):
    bl_label = "Speech"
    bl_idname = "MIEN_PT_speech"

    def draw(self, context):
        layout = self.layout
        chosen = context.scene.mien_speech
        layout.row().prop(chosen, "source", expand=True)
        in_columns(layout)
        column = layout.column()
        if chosen.source == "FILE":
            column.prop(chosen, "audio")
        elif chosen.source == "STRIP":
            column.prop(chosen, "strip")
        if chosen.source == "LINE":
            column.prop(chosen, "line")
        else:
            column.prop(chosen, "text")
        column.prop(chosen, "seed")
        column = layout.column(heading="Then")
        if chosen.source != "STRIP":
            column.prop(chosen, "at_current_frame")
            column.prop(chosen, "add_sound")
        column.prop(chosen, "set_range")
        if not progress(layout, "mien.speak"):
            row = layout.row()
            row.scale_y = 1.4
            row.operator("mien.speak_from_panel", icon="PLAY_SOUND")
            reason = why_not(context)
            if reason:
                wrapped(layout, context, reason, "INFO")


class MIEN_PT_strengths(_HeadPanel, bpy.types.Panel):
    bl_label = "Strengths"
    bl_idname = "MIEN_PT_strengths"
    bl_parent_id = "MIEN_PT_speech"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        in_columns(self.layout)
        column = self.layout.column(align=True)
        for layer, *_ in speech.LAYERS:
            column.prop(context.scene.mien_speech, f"strength_{layer}", slider=True)


class MIEN_PT_emotion(_HeadPanel, bpy.types.Panel):
    bl_label = "Emotion"
    bl_idname = "MIEN_PT_emotion"

    def draw(self, context):
        layout = self.layout
        chosen = context.scene.mien_emotion
        layout.prop(chosen, "source", text="")
        layout.use_property_decorate = False
        if chosen.source == "TEXT":
            column = layout.column()
            column.scale_y = 1.3
            column.prop(chosen, "text", text="", placeholder="calm, then furious at 3 s, …")
            if len(chosen.text) > 30:  # the field shows one line only
                said = layout.column()
                said.active = False
                wrapped(said, context, chosen.text)
        layout.use_property_split = True
        column = layout.column(align=True)
        if chosen.source == "LABEL":
            column.prop(chosen, "label")
        elif chosen.source == "VA":
            column.prop(chosen, "valence", slider=True)
            column.prop(chosen, "arousal", slider=True)
        from .emotion_more import draw_sources  # which builds on this file

        draw_sources(layout, context)
        column = layout.column(align=True)
        column.prop(chosen, "strength", slider=True)
        column = layout.column()
        column.prop(chosen, "over")
        _draw_frames(column, context)
        column.prop(chosen, "after")
        if takes.overlapping(active_head(context), *mood.frames(context, active_head(context), chosen.over)):
            column.prop(chosen, "former")
        if not progress(layout, "mien.emotion"):
            row = layout.row()
            row.scale_y = 1.4
            row.operator("mien.emotion_from_panel", icon="LIGHT_SUN")
            reason = mood.why_not_from_panel(context)
            if reason:
                wrapped(layout, context, reason, "INFO")


def _draw_frames(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Which frames the mood will take and what is said in them."""
    scene, obj = context.scene, active_head(context)
    start, end = mood.frames(context, obj, scene.mien_emotion.over)
    fps = timing.frame_rate(scene)
    words, _ = heard.spoken(obj, start, end, fps)
    said = f", {len(words)} word{'s' * (len(words) != 1)}" if words else ""
    split = layout.split(factor=0.4)
    split.label()
    split.active = False
    split.label(text=f"{start:.0f}–{end:.0f}, {(end - start) / fps:.1f} s{said}")


class MIEN_PT_reading(_HeadPanel, bpy.types.Panel):
    bl_label = "As Understood"
    bl_idname = "MIEN_PT_reading"
    bl_parent_id = "MIEN_PT_emotion"

    @classmethod
    def poll(cls, context):
        obj = active_head(context)
        return obj is not None and takes.shown(obj, context.scene.frame_current) is not None

    def draw(self, context):
        frame = context.scene.frame_current
        strip = takes.shown(active_head(context), frame)
        parts, notes = takes.reading(strip)
        row = self.layout.row()
        row.label(text=strip.name, icon="ACTION")
        for part in parts:
            playing = part.start <= frame < part.end
            wanted, _, units = part.what.partition(" (")
            column = self.layout.column(align=True)
            icon = "RADIOBUT_ON" if playing else "RADIOBUT_OFF"
            wrapped(column, context, f"{part.start:.0f}–{part.end:.0f} “{part.source}”: {wanted}", icon)
            detail = column.column(align=True)
            detail.active = False
            wrapped(detail, context, units.removesuffix(")"), "BLANK1")
        for note in notes:
            wrapped(self.layout, context, note, "QUESTION")


class MIEN_PT_render(_Tab, bpy.types.Panel):
    bl_label = "Display and Render"
    bl_idname = "MIEN_PT_render"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return any(is_head(obj) for obj in context.scene.objects)

    def draw(self, context):
        layout = self.layout
        scene = context.scene
        in_columns(layout)
        layout.prop(scene.mien, "backend")
        column = layout.column(align=True)
        column.prop(scene.mien, "show_overlay")
        row = column.row()
        row.active = scene.mien.show_overlay
        row.prop(scene.mien, "overlay_scale")
        if scene.render.engine == "MIEN":
            wrapped(
                layout,
                context,
                "The scene renders its heads alone. With Cycles or EEVEE they can be composited into it.",
                "INFO",
            )
            return
        made = heads_scene(scene)
        if made is None:
            wrapped(layout, context, "Lays the heads over the picture by depth, with nodes you can change.")
            layout.operator("mien.setup_compositor", icon="NODE_COMPOSITING")
        else:
            layout.label(text=f"Heads are composited from “{made.name}”", icon="CHECKMARK")
            layout.operator("mien.setup_compositor", text="Update Compositing", icon="FILE_REFRESH")


# ── Properties editor ────────────────────────────────────────────────────────────────────────────────────────────────


class _Properties:
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"

    @classmethod
    def poll(cls, context):
        return context.engine == "MIEN"


class MIEN_PT_properties_render(_Properties, bpy.types.Panel):
    bl_label = "Mien"
    bl_idname = "MIEN_PT_properties_render"
    bl_context = "render"

    def draw(self, context):
        in_columns(self.layout)
        self.layout.prop(context.scene.mien, "backend")


class MIEN_PT_properties_motion_blur(_Properties, bpy.types.Panel):
    bl_label = "Motion Blur"
    bl_idname = "MIEN_PT_properties_motion_blur"
    bl_context = "render"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context):
        self.layout.prop(context.scene.render, "use_motion_blur", text="")

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.active = context.scene.render.use_motion_blur
        column = layout.column()
        column.prop(context.scene.render, "motion_blur_position", text="Position")
        column.prop(context.scene.render, "motion_blur_shutter")
        column.prop(context.scene.mien, "motion_samples", text="Samples")


class MIEN_PT_properties_passes(_Properties, bpy.types.Panel):
    bl_label = "Passes"
    bl_idname = "MIEN_PT_properties_passes"
    bl_context = "view_layer"

    def draw(self, context):
        layout = self.layout
        in_columns(layout)
        layer = context.view_layer
        column = layout.column(heading="Include")
        column.prop(layer, "use_pass_z", text="Depth")
        column.prop(layer, "use_pass_normal")
        column.prop(layer, "use_pass_vector")
        column.prop(layer.mien, "use_pass_mask")
        column.prop(layer.mien, "use_pass_zones")


_OPEN = {"brows", "mouth"}
CLASSES = (
    MIEN_PT_main,
    MIEN_PT_speech,
    MIEN_PT_strengths,
    MIEN_PT_emotion,
    MIEN_PT_reading,
    MIEN_PT_pose,
    *(_zone_panel(zone, label, zone not in _OPEN) for zone, label in table.ZONES),
    MIEN_PT_render,
    MIEN_PT_properties_render,
    MIEN_PT_properties_motion_blur,
    MIEN_PT_properties_passes,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    bpy.types.WindowManager.mien_library_head = bpy.props.EnumProperty(
        name="Head", description="A head of the library", items=library.enum_items
    )
    _register_classes()


def unregister() -> None:
    _unregister_classes()
    del bpy.types.WindowManager.mien_library_head
