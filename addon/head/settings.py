"""What Mien remembers about a head object beside its channels, and how a head is told from other objects."""

from __future__ import annotations

from collections.abc import Iterator

import bpy


def _switched(self: MienHead, context: bpy.types.Context) -> None:
    from . import display

    display.splats_switched(self.id_data)


class MienHead(bpy.types.PropertyGroup):
    """Settings of one head object; an object is a head where `head` is set."""

    head: bpy.props.StringProperty(
        name="Head",
        description="Name of a head in the library, or a .mien file",
        override={"LIBRARY_OVERRIDABLE"},
    )
    show_splats: bpy.props.BoolProperty(
        name="Show Splats",
        description="Show and render this head's splats; its proxy mesh is there either way",
        default=True,
        override={"LIBRARY_OVERRIDABLE"},
        update=_switched,
    )


def is_head(obj: bpy.types.Object | None) -> bool:
    return obj is not None and obj.type == "MESH" and bool(getattr(obj, "mien", None) and obj.mien.head)


def active_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The active object if it is a head, else the scene's only head."""
    if is_head(context.active_object):
        return context.active_object
    found = list(in_scene(context.scene))
    return found[0] if len(found) == 1 else None


def in_scene(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    return (obj for obj in scene.objects if is_head(obj))


def register() -> None:
    bpy.utils.register_class(MienHead)
    bpy.types.Object.mien = bpy.props.PointerProperty(type=MienHead, override={"LIBRARY_OVERRIDABLE"})


def unregister() -> None:
    del bpy.types.Object.mien
    bpy.utils.unregister_class(MienHead)
