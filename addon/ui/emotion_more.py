"""More of the emotion panel: what a mood comes from, the live pad, and the zones' priorities."""

from __future__ import annotations

import math

import blf
import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from .. import session
from ..emotion import settings
from ..head import channels, priorities
from ..head.settings import active_head, why_no_head
from ..jobs import possible
from .panels import MIEN_PT_emotion, _HeadPanel, wrapped

PAD = ("Valence", "Arousal")
#: Named points of the pad, as rows from excited to drowsy, unpleasant to pleasant.
POINTS = (
    (("Furious", -0.75, 0.85), ("Afraid", -0.45, 0.9), ("Amazed", 0.05, 1.0), ("Excited", 0.6, 0.8)),
    (("Angry", -0.8, 0.45), ("Tense", -0.35, 0.45), ("Alert", 0.15, 0.5), ("Delighted", 0.85, 0.4)),
    (("Upset", -0.9, 0.0), ("Serious", -0.42, 0.0), ("Neutral", 0.0, 0.0), ("Pleased", 0.8, 0.0)),
    (("Sad", -0.8, -0.45), ("Wistful", -0.35, -0.35), ("Calm", 0.35, -0.5), ("Content", 0.75, -0.35)),
    (("Gloomy", -0.55, -0.8), ("Bored", -0.25, -0.75), ("Sleepy", 0.0, -1.0), ("Serene", 0.5, -0.8)),
)


def draw_sources(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The fields of the sources beyond a direction, a label and the pad, and of all where they are mixed."""
    chosen = context.scene.mien_emotion
    if chosen.source == "VOICE":
        _voice(layout, chosen)
    elif chosen.source == "EXAMPLE":
        _example(layout, chosen)
    elif chosen.source == "MIX":
        column = layout.column(align=True)
        for source, name, _ in settings.PARTS:
            column.prop(chosen, f"mix_{name}", slider=True)
            if getattr(chosen, f"mix_{name}") > 0:
                box = column.box().column(align=True)
                {"TEXT": _text, "VOICE": _voice, "LABEL": _label, "EXAMPLE": _example, "VA": _va}[source](box, chosen)


def _text(layout, chosen) -> None:
    layout.prop(chosen, "text", text="", placeholder="calm, then furious at 3 s, …")


def _voice(layout, chosen) -> None:
    layout.prop(chosen, "voice", text="Sound", placeholder="the line's own")


def _label(layout, chosen) -> None:
    layout.prop(chosen, "label")


def _example(layout, chosen) -> None:
    layout.prop(chosen, "example")
    if chosen.example is None:
        layout.prop(chosen, "example_file")


def _va(layout, chosen) -> None:
    layout.prop(chosen, "valence", slider=True)
    layout.prop(chosen, "arousal", slider=True)


# ── the live pad ─────────────────────────────────────────────────────────────────────────────────────────────────────


class MIEN_OT_pad_point(bpy.types.Operator):
    """Set valence and arousal of the head to this point; keyed where Auto Keying is on"""

    bl_idname = "mien.pad_point"
    bl_label = "Mood Point"
    bl_options = {"REGISTER", "UNDO"}

    valence: bpy.props.FloatProperty(name="Valence", min=-1.0, max=1.0, options={"SKIP_SAVE"})
    arousal: bpy.props.FloatProperty(name="Arousal", min=-1.0, max=1.0, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context):
        return possible(cls, why_no_head(context))

    def execute(self, context):
        set_point(context, active_head(context), self.valence, self.arousal)
        return {"FINISHED"}


class MIEN_OT_pad_key(bpy.types.Operator):
    """Key valence and arousal of the head at this frame"""

    bl_idname = "mien.pad_key"
    bl_label = "Key Mood"
    bl_options = {"REGISTER", "UNDO"}

    poll = MIEN_OT_pad_point.poll

    def execute(self, context):
        _key(active_head(context))
        return {"FINISHED"}


class MIEN_OT_pad(bpy.types.Operator):
    """Drag a point over the pad in the viewport and see the face follow. Click to keep it, right-click to go back"""

    bl_idname = "mien.pad"
    bl_label = "Move on the Pad"
    bl_options = {"REGISTER", "UNDO", "BLOCKING"}

    poll = MIEN_OT_pad_point.poll

    def invoke(self, context, event):
        window = next((region for region in context.area.regions if region.type == "WINDOW"), None)
        if context.area.type != "VIEW_3D" or window is None:
            self.report({"ERROR"}, "The pad is drawn in a 3D viewport; start it from the viewport's sidebar")
            return {"CANCELLED"}
        self._head = active_head(context)
        self._before = tuple(float(self._head.get(name, 0.0)) for name in PAD)
        self._region, self._held = window, False
        size = min(window.width, window.height)
        self._radius = min(130 * context.preferences.system.ui_scale, 0.3 * size)
        # Beside the toolbar, which lies over the view.
        tools = next((region for region in context.area.regions if region.type == "TOOLS"), window)
        left = max(tools.x + tools.width - window.x, 0) if tools != window else 0
        self._middle = (left + 1.25 * self._radius, self._radius + 60)
        draw = (self._draw, (), "WINDOW", "POST_PIXEL")
        self._handle = bpy.types.SpaceView3D.draw_handler_add(*draw)
        context.window_manager.modal_handler_add(self)
        context.area.header_text_set("Mood: drag on the pad, Enter to keep, Esc to go back")
        self._region.tag_redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        x, y = event.mouse_x - self._region.x, event.mouse_y - self._region.y
        point = ((x - self._middle[0]) / self._radius, (y - self._middle[1]) / self._radius)
        over = math.hypot(*point) < 1.15
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            if not over:
                return self._end(context, True)
            self._held = True
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._held = False
        if self._held and event.type in ("LEFTMOUSE", "MOUSEMOVE"):
            far = max(math.hypot(*point), 1.0)
            _set(self._head, point[0] / far, point[1] / far)
            self._region.tag_redraw()
            return {"RUNNING_MODAL"}
        if event.type in ("RET", "NUMPAD_ENTER", "SPACE") and event.value == "PRESS":
            return self._end(context, True)
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            return self._end(context, False)
        return {"PASS_THROUGH"} if event.type.startswith(("WHEEL", "MIDDLE", "TIMER")) else {"RUNNING_MODAL"}

    def _end(self, context, keep: bool):
        bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
        context.area.header_text_set(None)
        self._region.tag_redraw()
        if not keep:
            _set(self._head, *self._before)
            return {"CANCELLED"}
        if context.scene.tool_settings.use_keyframe_insert_auto:
            _key(self._head)
        return {"FINISHED"}

    def _draw(self) -> None:
        if bpy.context.region != self._region:
            return
        here = tuple(float(self._head.get(name, 0.0)) for name in PAD)
        draw_pad(self._middle, self._radius, here)


def set_point(context: bpy.types.Context, obj: bpy.types.Object, valence: float, arousal: float) -> None:
    _set(obj, valence, arousal)
    if context.scene.tool_settings.use_keyframe_insert_auto:
        _key(obj)


def _set(obj: bpy.types.Object, valence: float, arousal: float) -> None:
    obj[PAD[0]], obj[PAD[1]] = float(valence), float(arousal)
    obj.update_tag()
    session.redraw()


def _key(obj: bpy.types.Object) -> None:
    for name in PAD:
        obj.keyframe_insert(channels.path(name))


def draw_pad(middle: tuple[float, float], radius: float, here: tuple[float, float]) -> None:
    """The circle, its axes, its named points and where the head is, in pixels of the region."""
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    x, y = middle

    def shape(kind: str, points, colour) -> None:
        shader.bind()
        shader.uniform_float("color", colour)
        batch_for_shader(shader, kind, {"pos": points}).draw(shader)

    def ring(at, size, steps=64):
        return [(at[0] + size * math.cos(a), at[1] + size * math.sin(a))
                for a in (2 * math.pi * k / steps for k in range(steps + 1))]  # fmt: skip

    gpu.state.blend_set("ALPHA")
    shape("TRI_FAN", [middle, *ring(middle, radius * 1.12)], (0.05, 0.05, 0.06, 0.72))
    shape("LINE_STRIP", ring(middle, radius), (1, 1, 1, 0.6))
    shape("LINE_STRIP", ring(middle, radius / 2), (1, 1, 1, 0.2))
    shape("LINES", [(x - radius, y), (x + radius, y), (x, y - radius), (x, y + radius)], (1, 1, 1, 0.3))
    font = max(round(radius * 0.085), 9)
    blf.size(0, font)
    blf.color(0, 0.9, 0.9, 0.9, 0.85)
    for row in POINTS:
        for text, valence, arousal in row:
            far = max(math.hypot(valence, arousal), 1.0)
            wide, _ = blf.dimensions(0, text)
            blf.position(0, x + radius * valence / far - wide / 2, y + radius * arousal / far - font / 2, 0)
            blf.draw(0, text)
    at = (x + radius * here[0], y + radius * here[1])
    shape("TRI_FAN", [at, *ring(at, radius * 0.06, 24)], (1.0, 0.55, 0.1, 1.0))
    shape("LINE_STRIP", ring(at, radius * 0.06, 24), (1, 1, 1, 1))
    gpu.state.blend_set("NONE")


class _Below(_HeadPanel):
    bl_parent_id = MIEN_PT_emotion.bl_idname


class MIEN_PT_pad(_Below, bpy.types.Panel):
    bl_label = "Live Pad"
    bl_idname = "MIEN_PT_pad"

    def draw(self, context):
        layout, obj = self.layout, active_head(context)
        row = layout.row(align=True)
        row.operator("mien.pad", icon="PIVOT_CURSOR")
        row.operator("mien.pad_key", text="", icon="KEY_HLT")
        row.operator("mien.pad_point", text="", icon="LOOP_BACK")
        column = layout.column(align=True)
        for name in PAD:
            if name in obj:
                column.prop(obj, channels.path(name), text=name, slider=True)
        grid = layout.column(align=True)
        here = tuple(float(obj.get(name, 0.0)) for name in PAD)
        for points in POINTS:
            row = grid.row(align=True)
            for text, valence, arousal in points:
                close = math.dist(here, (valence, arousal)) < 0.02
                button = row.operator("mien.pad_point", text=text, depress=close)
                button.valence, button.arousal = valence, arousal


class MIEN_PT_zone_priorities(_Below, bpy.types.Panel):
    bl_label = "Zones"
    bl_idname = "MIEN_PT_zone_priorities"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout, obj = self.layout, active_head(context)
        layout.prop(context.scene.mien_emotion, "show_zone", text="Show")
        if priorities.name(priorities.ZONES[0][0]) not in obj:
            wrapped(layout, context, "This head is from an older file and has no priorities yet.", "INFO")
            layout.operator("mien.define_priorities", icon="ADD")
            return
        row = layout.row()
        row.alignment = "CENTER"
        row.active = False
        row.label(text="Speech  0 — 0.5 both — 1  Emotion")
        column = layout.column(align=True)
        for zone, label in priorities.ZONES:
            column.prop(obj, priorities.path(zone), text=label, slider=True)
        wrapped(layout, context, "Counts when a mood is made; keys of a priority are followed frame by frame.", "INFO")


class MIEN_OT_define_priorities(bpy.types.Operator):
    """Give the head a priority for each zone"""

    bl_idname = "mien.define_priorities"
    bl_label = "Add Priorities"
    bl_options = {"REGISTER", "UNDO"}

    poll = MIEN_OT_pad_point.poll

    def execute(self, context):
        priorities.define(active_head(context))
        return {"FINISHED"}


CLASSES = (
    MIEN_OT_pad_point,
    MIEN_OT_pad_key,
    MIEN_OT_pad,
    MIEN_OT_define_priorities,
    MIEN_PT_pad,
    MIEN_PT_zone_priorities,
)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
