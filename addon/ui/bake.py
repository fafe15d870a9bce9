"""The panel "Bake a Character" and the dialog that says how long it takes."""

from __future__ import annotations

import re
from typing import Any

import bpy

from ...engine.contract.channels import CHANNELS, ZONES, Channel
from ...engine.contract.errors import MienError
from ..bake import matching, operators, plan
from ..bake.settings import objects
from .panels import _Tab, in_columns, progress, sentence, wrapped

_WIDE = 66
"""Letters on a line of the dialog."""


class MIEN_UL_bake_parts(bpy.types.UIList):
    """The character's objects and materials, and what each is of a head."""

    bl_idname = "MIEN_UL_bake_parts"

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index):
        split = layout.split(factor=0.6)
        name = item.object.name if item.object is not None else "(deleted)"
        text = f"{name} · {item.material}" if item.material not in ("", name) else name
        icons = {"MESH": "OUTLINER_OB_MESH", "CURVES": "OUTLINER_OB_CURVES", "CURVE": "OUTLINER_OB_CURVE"}
        split.label(text=text, icon=icons.get(item.object.type, "OBJECT_DATA") if item.object else "ERROR")
        split.prop(item, "part", text="")


class MIEN_PT_heads(_Tab, bpy.types.Panel):
    bl_label = "Heads"
    bl_idname = "MIEN_PT_heads"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        pass


class MIEN_PT_bake(_Tab, bpy.types.Panel):
    bl_label = "Bake a Character"
    bl_idname = "MIEN_PT_bake"
    bl_parent_id = "MIEN_PT_heads"

    def draw(self, context):
        layout = self.layout
        settings = context.scene.mien_bake
        layout.operator("mien.bake_choose", icon="RESTRICT_SELECT_OFF")
        chosen = objects(settings)
        if not chosen:
            wrapped(
                layout, context,
                "Select a character with ARKit or FACS shape keys: face, eyes, teeth, hair. It becomes a head that "
                "Mien can render.", "INFO",
            )  # fmt: skip
            return
        layout.template_list("MIEN_UL_bake_parts", "", settings, "parts", settings, "active", rows=3, maxrows=8)
        reason = operators.complaint(context.scene)
        if reason:
            wrapped(layout, context, reason, "ERROR")
        else:
            _draw_match(layout, context, matching.match_objects(chosen))
        in_columns(layout)
        column = layout.column()
        column.prop(settings, "name")
        column.prop(settings, "folder")
        column.row().prop(settings, "quality", expand=True)
        pair = layout.column(align=True)
        pair.prop(settings, "size")
        pair.prop(settings, "samples")
        column = layout.column()
        column.row().prop(settings, "engine", expand=True)
        column.row().prop(settings, "lighting", expand=True)
        if not progress(layout, operators.BAKE):
            row = layout.row()
            row.scale_y = 1.4
            row.enabled = reason is None
            row.operator("mien.bake", icon="RENDER_STILL")
        _draw_last(layout, context, operators.BAKE)
        _draw_fit(layout, context, settings)


def _draw_match(layout: bpy.types.UILayout, context: bpy.types.Context, table: matching.Match) -> None:
    count, all_units = len(table.units), len(table.units) + len(table.missing)
    wrapped(layout, context, f"{count} of {all_units} face units found in the shape keys.", "CHECKMARK")
    missing = matching.missing_sentence(table, codes=True)
    if missing:
        wrapped(layout, context, missing, "INFO")
    if table.muted:
        names = ", ".join(key for _, key in table.muted[:4])
        wrapped(layout, context, f"Muted and left out: {names}{'…' * (len(table.muted) > 4)}.", "HIDE_ON")


def _draw_last(layout: bpy.types.UILayout, context: bpy.types.Context, job: str) -> None:
    if job in operators.last:
        wrapped(layout, context, operators.last[job], "DOT")


def _draw_fit(layout: bpy.types.UILayout, context: bpy.types.Context, settings) -> None:
    """Fit, once there is something to fit."""
    try:
        folder = operators.dataset_folder(settings)
    except MienError:
        return
    if not (folder / "dataset.json").is_file():
        return
    if progress(layout, operators.FIT):
        return
    row = layout.row(align=True)
    row.scale_y = 1.4
    row.enabled = not operators.running(operators.BAKE)
    row.operator("mien.bake_fit", icon="OUTLINER_OB_POINTCLOUD")
    row.operator("mien.bake_open", text="", icon="FILE_FOLDER")
    _draw_last(layout, context, operators.FIT)


class MIEN_PT_bake_more(_Tab, bpy.types.Panel):
    bl_label = "More"
    bl_idname = "MIEN_PT_bake_more"
    bl_parent_id = "MIEN_PT_bake"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return bool(objects(context.scene.mien_bake))

    def draw(self, context):
        layout, settings = self.layout, context.scene.mien_bake
        in_columns(layout)
        column = layout.column()
        column.prop(settings, "author")
        column.prop(settings, "licence")
        column = layout.column()
        column.prop(settings, "facing")
        column.prop(settings, "life_size", text="Scale" if settings.life_size else "Scale (0: found)")
        column.prop(settings, "triangles")
        row = column.row()
        row.active = settings.engine == "CYCLES"
        row.prop(settings, "denoise")
        column = layout.column(align=True)
        column.prop(settings, "eye_left")
        column.prop(settings, "eye_right")


class MIEN_PT_bake_keys(_Tab, bpy.types.Panel):
    """Which shape keys move which channels"""

    bl_label = "Shape Keys"
    bl_idname = "MIEN_PT_bake_keys"
    bl_parent_id = "MIEN_PT_bake"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return bool(objects(context.scene.mien_bake))

    def draw(self, context):
        table = matching.match_objects(objects(context.scene.mien_bake))
        column = self.layout.column(align=True)
        for zone, label in ZONES:
            rows = [c for c in CHANNELS if c.zone == zone and c.arkit and len(c.positive) == 1]
            if not rows:
                continue
            column.label(text=label)
            for channel in rows:
                unit = next(iter(channel.positive))
                moves = table.moves.get(unit, ())
                split = column.split(factor=0.55)
                split.active = bool(moves)
                split.label(text=_side_first(channel), icon="CHECKMARK" if moves else "X")
                keys = dict.fromkeys(move.key for move in moves)
                split.label(text=", ".join(keys) if moves else "missing")
        if table.combinations:
            column.label(text="Correctives")
            for (_, key), groups in table.combinations.items():
                split = column.split(factor=0.55)
                split.label(text=key, icon="CHECKMARK")
                split.label(text=" × ".join(group[0] for group in groups))
        if table.others:
            column.label(text=f"{len(table.others)} other keys stay as they are")


def _side_first(channel: Channel) -> str:
    """ "12 L Lip Corner Puller": a narrow sidebar cuts a name's end off, which must not be its side."""
    name = channel.name.removeprefix("AU")
    if channel.side is None:
        return name
    code, words = re.match(r"(\d*) ?(.*)\.[LR]$", name).groups()
    return f"{code} {channel.side} {words}".strip()


def draw_confirmation(layout: bpy.types.UILayout, context, found: dict[str, Any], operator) -> None:
    """What the bake will be: pictures, time, what is kept, and what the artist should know."""
    settings = context.scene.mien_bake
    count, kept = found["pictures"], 0 if operator.start_over else found["kept"]
    each = found["seconds"] / max(count - found["kept"], 1)
    column = layout.column()
    row = column.row()
    row.label(
        text=f"{count - kept} pictures of {settings.name}, {settings.size} × {settings.size} pixels",
        icon="RENDER_STILL",
    )
    row = column.row()
    row.label(text=f"About {plan.duration(each * (count - kept))}, by a picture that was tried", icon="TIME")
    if found["kept"]:
        text = f"{found['kept']} are there already" + (
            " and are taken anew" if operator.start_over else " and are kept"
        )
        column.label(text=text, icon="CHECKMARK")
        column.prop(operator, "start_over")
    if found["changed"]:
        said = f"{found['changed']} pictures were taken with other settings or of another shape, and are taken anew."
        sentence(column, said, _WIDE, "FILE_REFRESH")
    sentence(column, f"{len(found['units'])} face units on {found['triangles']:,} triangles.", _WIDE, "MESH_DATA")
    missing = matching.missing_sentence(matching.match_objects(objects(settings)), codes=True)
    for note in (*found["notes"], missing, found.get("images", "")):
        if note:
            sentence(column, note, _WIDE, "INFO")
    meanwhile = "You can go on working meanwhile; Esc in the 3D view stops it, and the next bake goes on."
    sentence(column, meanwhile, _WIDE, "BLANK1")


CLASSES = (MIEN_UL_bake_parts, MIEN_PT_heads, MIEN_PT_bake, MIEN_PT_bake_keys, MIEN_PT_bake_more)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
