"""Keeps copies independent. Shift-D, append and library overrides copy a head whole by themselves; a linked duplicate
(Alt-D) or a script's `obj.copy()` shares the shape keys and with them their drivers, so that both would show the first
one's face. Such a copy is given its own mesh."""

from __future__ import annotations

import bpy

from . import proxy
from .settings import is_head

_counted = -1


def separate() -> list[bpy.types.Object]:
    """Give every local head that shares its mesh with another head its own; returns those."""
    owners: dict[bpy.types.Mesh, list[bpy.types.Object]] = {}
    for obj in bpy.data.objects:
        if is_head(obj) and obj.library is None and obj.data.library is None and obj.mode == "OBJECT":
            owners.setdefault(obj.data, []).append(obj)
            proxy.upgrade(obj)
    changed = []
    for mesh, sharing in owners.items():
        if len(sharing) < 2:
            continue
        keeper = _followed(mesh)
        for obj in sharing:
            if obj is not (keeper if keeper in sharing else sharing[0]):
                obj.data = mesh.copy()
                proxy.retarget(obj)
                changed.append(obj)
    return changed


def _followed(mesh: bpy.types.Mesh) -> bpy.types.Object | None:
    """The object whose channels drive a mesh's shape keys."""
    animation = mesh.shape_keys.animation_data if mesh.shape_keys else None
    for curve in animation.drivers if animation else ():
        for variable in curve.driver.variables:
            if isinstance(variable.targets[0].id, bpy.types.Object):
                return variable.targets[0].id
    return None


@bpy.app.handlers.persistent
def _after_update(scene, depsgraph) -> None:
    global _counted
    if len(bpy.data.objects) == _counted or bpy.app.is_job_running("RENDER"):
        return
    _counted = len(bpy.data.objects)
    if bpy.app.background:
        separate()
    elif not bpy.app.timers.is_registered(_separate_soon):
        bpy.app.timers.register(
            _separate_soon, first_interval=0.0
        )  # not in the middle of an update, where it can be avoided


def _separate_soon() -> None:
    separate()


@bpy.app.handlers.persistent
def _after_load(*_) -> None:
    global _counted
    _counted = -1  # looked at again with the next update, heads of older files among them


def register() -> None:
    bpy.app.handlers.depsgraph_update_post.append(_after_update)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    bpy.app.handlers.depsgraph_update_post.remove(_after_update)
    bpy.app.handlers.load_post.remove(_after_load)
    if bpy.app.timers.is_registered(_separate_soon):
        bpy.app.timers.unregister(_separate_soon)
