"""What an artist locks: channels for as long as they are keyed, and a range of frames of every channel."""

from __future__ import annotations

import json

import bpy

from ...engine.contract import channels as table
from ..animate import curves
from ..head import channels
from ..head.settings import active_head, why_no_head
from ..jobs import possible


class MienLocks(bpy.types.PropertyGroup):
    """Locks of one head."""

    names: bpy.props.StringProperty(description="Locked channels, as JSON", options={"HIDDEN"})
    use_range: bpy.props.BoolProperty(
        name="Lock Frames", description="Keep every channel as it is within these frames", default=False
    )
    start: bpy.props.IntProperty(name="Start", description="First frame that is kept", default=1)
    end: bpy.props.IntProperty(name="End", description="Last frame that is kept", default=25)


def locked(obj: bpy.types.Object) -> set[str]:
    """The locked channels of a head."""
    try:
        found = json.loads(obj.mien_locks.names or "[]")
    except ValueError:
        return set()
    return {name for name in found if name in table.INDEX} if isinstance(found, list) else set()


def set_locked(obj: bpy.types.Object, names: set[str]) -> None:
    obj.mien_locks.names = json.dumps([name for name in table.NAMES if name in names])


def wanted(obj: bpy.types.Object) -> bool:
    """Whether padlocks are worth their room beside the channels: the head has a take to lock, or locks already."""
    data = obj.animation_data
    strips = [strip for track in data.nla_tracks for strip in track.strips] if data else []
    return bool(locked(obj)) or any(strip.action is not None and "mien_request" in strip.action for strip in strips)


class _OnHead:
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return possible(cls, why_no_head(context))


class MIEN_OT_lock(_OnHead, bpy.types.Operator):
    """Lock or unlock: Regenerate Around keeps what is locked, to the key"""

    bl_idname = "mien.lock"
    bl_label = "Lock"

    channel: bpy.props.StringProperty(name="Channel", description="With both its sides", options={"SKIP_SAVE"})
    zone: bpy.props.StringProperty(name="Zone", description='A zone, or "all"', options={"SKIP_SAVE"})

    def execute(self, context):
        obj = active_head(context)
        if self.channel:
            if self.channel not in table.INDEX:
                self.report({"ERROR"}, f"There is no channel {self.channel!r}.")
                return {"CANCELLED"}
            wanted = {self.channel, table.channel(self.channel).mirrored}
        else:
            wanted = {entry.name for entry in table.CHANNELS if self.zone in ("", "all", entry.zone)}
        now = locked(obj)
        set_locked(obj, now - wanted if wanted <= now else now | wanted)
        return {"FINISHED"}


class MIEN_OT_lock_selected(_OnHead, bpy.types.Operator):
    """Lock the channels whose F-curves are selected, and no others"""

    bl_idname = "mien.lock_selected"
    bl_label = "Lock Selected F-Curves"

    def execute(self, context):
        obj = active_head(context)
        found = {
            channels.name_of(curve.data_path)
            for bag in curves.channelbags(obj)
            for curve in bag.fcurves
            if curve.select
        }
        found |= {
            channels.name_of(curve.data_path)
            for curve in getattr(context, "selected_editable_fcurves", None) or ()
            if curve.id_data is not None
        }
        names = {name for name in found if name}
        if not names:
            self.report({"WARNING"}, "No F-curve of a channel is selected; select some in the Graph editor.")
            return {"CANCELLED"}
        set_locked(obj, names)
        self.report({"INFO"}, f"{len(names)} channels are locked")
        return {"FINISHED"}


CLASSES = (MienLocks, MIEN_OT_lock, MIEN_OT_lock_selected)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.Object.mien_locks = bpy.props.PointerProperty(type=MienLocks)


def unregister() -> None:
    del bpy.types.Object.mien_locks
    _unregister_classes()
