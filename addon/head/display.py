"""Hides a head's proxy where its splats show, so that the two don't fight over the same pixels.

In Solid shading the proxy's material is see-through and it is drawn "in front", which keeps it out of the depth that
the splats are compared with; in Material Preview and renders it is invisible to the camera. It can still be selected,
is outlined, casts shadows and shows in mirrors. Files are saved with the proxy visible in Solid shading, for machines
without Mien.
"""

from __future__ import annotations

import bpy

from .. import session
from .settings import in_scene


def update() -> None:
    """Bring every local head's proxy in line with whether its splats are shown."""
    possible = session.missing_reason() is None
    for scene in bpy.data.scenes:
        for obj in in_scene(scene):
            if obj.library is None:
                _show_solid(obj, not (possible and scene.mien.show_overlay and obj.mien.show_splats))


def splats_switched(obj: bpy.types.Object) -> None:
    """The artist turned an object's splats on or off."""
    obj.visible_camera = not obj.mien.show_splats
    obj.update_tag()
    update()
    session.redraw()


def _show_solid(obj: bpy.types.Object, shown: bool) -> None:
    alpha = 1.0 if shown else 0.0
    if obj.show_in_front == shown:
        obj.show_in_front = not shown
    for slot in obj.material_slots:
        material = slot.material
        ours = material is not None and material.library is None and material.get("mien_head")
        if ours and material.diffuse_color[3] != alpha:
            material.diffuse_color[3] = alpha


@bpy.app.handlers.persistent
def _before_save(*_) -> None:
    for scene in bpy.data.scenes:
        for obj in in_scene(scene):
            _show_solid(obj, True)


@bpy.app.handlers.persistent
def _refresh(*_) -> None:
    if not bpy.app.background:
        update()


_HANDLERS = (("save_pre", _before_save), ("save_post", _refresh), ("load_post", _refresh))


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
