"""Operators on the channels of the active head: key, reset and mirror a zone."""

from __future__ import annotations

import bpy

from ...engine.contract import channels as table
from ..head import channels
from ..head.settings import active_head, is_head, why_no_head
from ..jobs import possible
from . import curves

_ZONE_ITEMS = [("all", "All Zones", "The whole face")]
_ZONE_ITEMS += [(name, label, f"The zone {label}") for name, label in table.ZONES]


class _OnZone:
    """Mixin of operators on a zone of the active head."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return possible(cls, why_no_head(context))

    def names(self) -> list[str]:
        return [entry.name for entry in table.CHANNELS if self.zone in ("all", entry.zone)]


class MIEN_OT_key_zone(_OnZone, bpy.types.Operator):
    """Insert keys for every channel of the zone at the current frame"""

    bl_idname = "mien.key_zone"
    bl_label = "Key Zone"

    zone: bpy.props.EnumProperty(name="Zone", items=_ZONE_ITEMS)

    def execute(self, context):
        names = self.names()
        curves.insert(active_head(context), names, context.scene.frame_current)
        self.report({"INFO"}, f"Keyed {len(names)} channels at frame {context.scene.frame_current}")
        return {"FINISHED"}


class MIEN_OT_reset_zone(_OnZone, bpy.types.Operator):
    """Set every channel of the zone to 0; keys stay as they are"""

    bl_idname = "mien.reset_zone"
    bl_label = "Reset Zone"

    zone: bpy.props.EnumProperty(name="Zone", items=_ZONE_ITEMS)

    def execute(self, context):
        channels.reset(active_head(context), self.names())
        return {"FINISHED"}


class MIEN_OT_mirror_zone(_OnZone, bpy.types.Operator):
    """Swap the left and right sides of the zone; keys stay as they are"""

    bl_idname = "mien.mirror_zone"
    bl_label = "Mirror Zone"

    zone: bpy.props.EnumProperty(name="Zone", items=_ZONE_ITEMS)

    def execute(self, context):
        channels.mirror(active_head(context), self.names())
        return {"FINISHED"}


@bpy.app.handlers.persistent
def _after_update(scene, depsgraph) -> None:
    """Keys that an artist sets by hovering over a slider come without a group: give them their zone's."""
    if not depsgraph.id_type_updated("ACTION"):
        return
    for obj in scene.objects:
        if is_head(obj) and obj.animation_data and obj.animation_data.action and not obj.animation_data.action.library:
            for bag in curves.channelbags(obj):
                curves.group_by_zone(bag)


CLASSES = (MIEN_OT_key_zone, MIEN_OT_reset_zone, MIEN_OT_mirror_zone)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.app.handlers.depsgraph_update_post.append(_after_update)


def unregister() -> None:
    bpy.app.handlers.depsgraph_update_post.remove(_after_update)
    _unregister_classes()
