"""What Mien remembers about a head object beside its channels, and how a head is told from other objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...engine.contract.errors import MienError


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


def why_no_head(context: bpy.types.Context) -> str | None:
    """Why there is no head whose keys and settings can be changed, as a sentence; None where there is one."""
    obj = active_head(context)
    if obj is None:
        return "Select a Mien head first"
    if obj.library is not None:  # Blender would let it be changed, and forget that when the file is closed
        return f"{obj.name} is linked from {Path(obj.library.filepath).name}; make a library override of it first"
    return None


def with_uid(uid: int, among: Iterable[bpy.types.ID] | None = None) -> bpy.types.ID | None:
    """The object, or other data, that had that `session_uid`, whatever it is called by now; None where it is gone."""
    return next((found for found in (bpy.data.objects if among is None else among) if found.session_uid == uid), None)


@dataclass(frozen=True)
class Aim:
    """The head that a job works for, found again when it is done, whatever it is called by then."""

    uid: int
    name: str

    @classmethod
    def at(cls, obj: bpy.types.Object) -> Aim:
        return cls(obj.session_uid, obj.name)

    def find(self) -> bpy.types.Object | None:
        return with_uid(self.uid)

    def get(self, work: str) -> bpy.types.Object:
        """The head.

        Raises:
            MienError: It is gone, and `work`, such as "its speech was", with it.
        """
        obj = self.find()
        if obj is None:
            raise MienError(f"The head {self.name!r} is no longer there, so {work} dropped.")
        return obj


def in_scene(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    return (obj for obj in scene.objects if is_head(obj))


def register() -> None:
    bpy.utils.register_class(MienHead)
    bpy.types.Object.mien = bpy.props.PointerProperty(type=MienHead, override={"LIBRARY_OVERRIDABLE"})


def unregister() -> None:
    del bpy.types.Object.mien
    bpy.utils.unregister_class(MienHead)
