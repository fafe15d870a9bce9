"""What a depsgraph holds for the engine: the visible heads with their channel values and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..head import channels
from ..head.settings import is_head

_NOTHING = 1e-18
"""A volume's factor at which a head is scaled to nothing, as artists key it to hide one."""
Key = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Pose:
    """A head at one moment: `values` {channel: value}, `matrix` object → world [4, 4]."""

    values: Mapping[str, float]
    matrix: np.ndarray

    def message(self) -> dict[str, Any]:
        return {"values": dict(self.values), "matrix": [float(value) for value in self.matrix.ravel()]}


@dataclass(frozen=True)
class Seen:
    """A head that is to be shown. `head` is the library name or file that its object names."""

    key: Key
    head: str
    pose: Pose
    holdout: bool


def heads(depsgraph: bpy.types.Depsgraph, space: bpy.types.SpaceView3D | None = None) -> list[Seen]:
    """The heads that a view layer shows, instances included, from evaluated data only.

    Args:
        space: A viewport, for its local view and hidden types; None for a render.
    """
    found = []
    for instance in depsgraph.object_instances:
        obj = instance.object
        if not is_head(obj) or not instance.show_self or not obj.mien.show_splats:
            continue
        if space is not None and not instance.is_instance and not obj.original.visible_in_viewport_get(space):
            continue
        matrix = np.array(instance.matrix_world, dtype=np.float64)
        if abs(np.linalg.det(matrix[:3, :3])) <= _NOTHING:
            continue
        identity = tuple(instance.persistent_id) if instance.is_instance else ()
        pose = Pose(channels.as_mapping(channels.read(obj)), matrix)
        found.append(Seen((obj.original.name_full, identity), obj.mien.head, pose, is_holdout(obj, depsgraph)))
    return found


def is_holdout(obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> bool:
    """Whether the head cuts a hole, by its own setting or a collection's in this view layer."""
    return obj.is_holdout or obj.original.holdout_get(view_layer=depsgraph.view_layer)


def message(seen: Seen, head_id: str, previous: Pose | None = None, following: Pose | None = None) -> dict[str, Any]:
    """A head of a `frame/render` sample."""
    entry: dict[str, Any] = {"head": head_id, **seen.pose.message()}
    if previous is not None:
        entry["previous"] = previous.message()
    if following is not None:
        entry["next"] = following.message()
    return entry
