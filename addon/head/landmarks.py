"""Landmarks placed by hand: a still head's splats as coloured tiles, with named points to drag onto its face."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

from ...engine.contract.errors import MienError
from ...engine.contract.landmarks import BY_HAND
from .. import session
from ..jobs import EngineJob
from . import library, operators, proxy
from .settings import active_head, is_head

CLOUD = "mien_cloud"
POINT = "mien_landmark"
_COLOUR = "Colour"
_POINT_SIZE = 0.0025
"""Metres, at life size."""
_SECONDS = 900.0
_FRONT = Quaternion((0.7071068, 0.7071068, 0.0, 0.0))
_LEFT_EYE, _RIGHT_EYE, _CHIN = 473, 468, 152


@dataclass
class Task:
    """What the landmarks are for: the splat, and the head to be made or, where `object` names one, made again."""

    splat: str
    name: str
    licence: str = ""
    template: str = ""
    head: str = ""
    object: str = ""


def cloud_in(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The tiles whose landmarks are being placed; None where none are."""
    return next((obj for obj in scene.objects if CLOUD in obj), None)


def task_of(cloud: bpy.types.Object) -> Task:
    return Task(**json.loads(cloud[CLOUD])["task"])


def conversion(task: Task, out: str) -> dict[str, Any]:
    """Parameters of head/import that make of a splat the head file `out`."""
    params = {"file": task.splat, "out": out, "name": task.name[:256]}
    if task.licence:
        params["licence"] = task.licence
    if task.template:
        params["template"] = session.head_argument(task.template)
    return params


def start(context: bpy.types.Context, reply: dict[str, Any], task: Task) -> bpy.types.Object:
    """Show a splat and its landmarks from the front; from head/cloud's reply.

    Raises:
        MienError: The reply's file is gone.
    """
    try:
        with np.load(Path(reply["cloud"]), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise MienError(f"The splats can't be shown ({error}); try again.") from None
    finally:
        Path(reply["cloud"]).unlink(missing_ok=True)
    stop(context)
    head = bpy.data.objects.get(task.object)
    place = head.matrix_world.translation if head else context.scene.cursor.location
    cloud = bpy.data.objects.new(f"{task.name} Splats", _tiles(arrays))
    cloud.matrix_world = Matrix.Translation(place) @ Matrix(arrays["upright"].tolist())
    collection = bpy.data.collections.new(f"{task.name} Landmarks")
    context.scene.collection.children.link(collection)
    collection.objects.link(cloud)
    cloud.lock_location = cloud.lock_rotation = cloud.lock_scale = (True, True, True)
    # A click beside a point must not take the whole cloud along. It can still be snapped to.
    cloud.hide_select = True
    size = float(np.linalg.norm(arrays["upright"][:3, 0]))
    for (index, name), point in zip(BY_HAND.items(), arrays["points"], strict=True):
        collection.objects.link(_point(cloud, index, name, point, _POINT_SIZE / size))
    cloud[CLOUD] = json.dumps({"task": asdict(task), "view": _look(context, cloud)})
    for obj in context.selected_objects:
        obj.select_set(False)
    if head is not None:
        head.hide_set(True)
    nose = next(obj for obj in collection.objects if obj.get(POINT) == 1)
    context.view_layer.objects.active = nose
    nose.select_set(True)
    return cloud


def stop(context: bpy.types.Context) -> None:
    """Take tiles and landmarks away and show everything as it was."""
    cloud = cloud_in(context.scene)
    if cloud is None:
        return
    state = json.loads(cloud[CLOUD])
    head = bpy.data.objects.get(state["task"]["object"])
    if head is not None and head.name in context.view_layer.objects:
        head.hide_set(False)
        head.select_set(True)
        context.view_layer.objects.active = head
    mesh, collection = cloud.data, cloud.users_collection[0]
    for obj in [*(child for child in cloud.children if POINT in child), cloud]:
        bpy.data.objects.remove(obj)
    bpy.data.meshes.remove(mesh)
    if not collection.objects and not collection.children:
        bpy.data.collections.remove(collection)
    _look_back(context, state["view"])


def placed(cloud: bpy.types.Object) -> dict[str, list[float]]:
    """Where the landmarks are now: {index: [x, y, z]} in the splat file's own coordinates."""
    inverse = cloud.matrix_world.inverted_safe()
    return {
        str(child[POINT]): [float(x) for x in inverse @ child.matrix_world.translation]
        for child in cloud.children
        if POINT in child
    }


def _tiles(arrays: dict[str, np.ndarray]) -> bpy.types.Mesh:
    """A mesh with a square for each splat, in its colour."""
    middle, across = arrays["middle"], arrays["across"]
    count = len(middle)
    a, b = across[:, 0], across[:, 1]
    corners = np.stack([middle - a - b, middle + a - b, middle + a + b, middle - a + b], axis=1)
    mesh = bpy.data.meshes.new("Mien Splats")
    mesh.vertices.add(4 * count)
    mesh.vertices.foreach_set("co", np.ascontiguousarray(corners, np.float32).ravel())
    mesh.loops.add(4 * count)
    mesh.loops.foreach_set("vertex_index", np.arange(4 * count, dtype=np.int32))
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 4 * count, 4, dtype=np.int32))
    colour = np.ones((4 * count, 4), np.float32)
    colour[:, :3] = np.repeat(arrays["colour"], 4, axis=0)
    layer = mesh.color_attributes.new(_COLOUR, "FLOAT_COLOR", "POINT")
    layer.data.foreach_set("color", colour.ravel())
    mesh.color_attributes.active_color = layer
    mesh.update(calc_edges=True)
    return mesh


def _point(cloud: bpy.types.Object, index: int, name: str, place: np.ndarray, size: float) -> bpy.types.Object:
    point = bpy.data.objects.new(name, None)
    point.empty_display_type = "SPHERE"
    point.empty_display_size = size
    point.parent = cloud
    point.location = place.tolist()
    point.lock_rotation = point.lock_scale = (True, True, True)
    point.show_name = point.show_in_front = True
    point[POINT] = index
    return point


# ── the view ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _look(context: bpy.types.Context, cloud: bpy.types.Object) -> dict[str, Any]:
    """Look at the face from the front in its own colours, points snapping to the tiles; what was there before."""
    tools = context.scene.tool_settings
    before: dict[str, Any] = {
        "snap": tools.use_snap,
        "elements": sorted(tools.snap_elements),
        "selected": tools.use_snap_selectable,
        "views": [],
    }
    tools.snap_elements = {"FACE_PROJECT"}
    tools.use_snap = True
    tools.use_snap_selectable = False  # the tiles can't be selected
    points = {child[POINT]: child for child in cloud.children}
    world = {index: np.array(cloud.matrix_world @ point.location) for index, point in points.items()}
    middle = (world[_LEFT_EYE] + world[_RIGHT_EYE]) / 4 + world[_CHIN] / 2
    for number, space in _views(context):
        shading, region = space.shading, space.region_3d
        before["views"].append(
            {
                "area": number,
                "type": shading.type,
                "light": shading.light,
                "color": shading.color_type,
                "perspective": region.view_perspective,
                "rotation": list(region.view_rotation),
                "location": list(region.view_location),
                "distance": region.view_distance,
                "lines": space.overlay.show_relationship_lines,
            }
        )
        space.overlay.show_relationship_lines = False
        shading.type = "SOLID"
        shading.light, shading.color_type = "FLAT", "VERTEX"
        region.view_perspective = "ORTHO"
        region.view_rotation = _FRONT
        region.view_location = middle
        region.view_distance = 0.42
    return before


def _look_back(context: bpy.types.Context, before: dict[str, Any]) -> None:
    tools = context.scene.tool_settings
    tools.use_snap, tools.snap_elements = before["snap"], set(before["elements"])
    tools.use_snap_selectable = before["selected"]
    was = {entry["area"]: entry for entry in before["views"]}
    for number, space in _views(context):
        if number not in was:
            continue
        entry, region = was[number], space.region_3d
        space.shading.type = entry["type"]
        space.overlay.show_relationship_lines = entry["lines"]
        space.shading.light, space.shading.color_type = entry["light"], entry["color"]
        region.view_perspective, region.view_rotation = entry["perspective"], entry["rotation"]
        region.view_location, region.view_distance = entry["location"], entry["distance"]


def _views(context: bpy.types.Context) -> list[tuple[int, bpy.types.SpaceView3D]]:
    """The window's 3D views by their place in the screen; none without a window."""
    if bpy.app.background or context.screen is None:
        return []
    areas = enumerate(context.screen.areas)
    return [(number, area.spaces.active) for number, area in areas if area.type == "VIEW_3D"]


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────────────


class MIEN_OT_correct_landmarks(EngineJob, bpy.types.Operator):
    """Show the splat that this head was made from, with the landmarks found on its face, to be dragged where they belong"""  # noqa: E501 - a tooltip

    bl_idname = "mien.correct_landmarks"
    bl_label = "Correct Landmarks"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Showing the splats"
    seconds = _SECONDS

    @classmethod
    def poll(cls, context):
        from .importing import splat_of

        head = active_head(context)
        if head is None or not splat_of(head.mien.head):
            cls.poll_message_set("Only heads that were made from a splat of a still head have landmarks")
            return False
        return session.missing_reason() is None

    def begin(self, context):
        from .importing import sidecar, splat_of

        head = active_head(context)
        splat = splat_of(head.mien.head)
        if not Path(splat).is_file():
            raise MienError(f"The splat {splat} is no longer there; put it back, or import the head again.")
        self._task = Task(splat, head.name, head=head.mien.head, object=head.name)
        params = {"file": splat, "landmarks": str(sidecar(head.mien.head))}
        return session.running().request("head/cloud", params, deadline_s=_SECONDS)

    def finish(self, context, reply):
        operators.leave_mode(context)
        start(context, reply, self._task)
        self.report({"INFO"}, "Drag the landmarks onto the face, then press Rig in the Mien tab")
        return {"FINISHED"}


class MIEN_OT_rig_again(EngineJob, bpy.types.Operator):
    """Rig the head by the landmarks as they lie now. Channels, keys and place of a head that is there already stay"""

    bl_idname = "mien.rig_again"
    bl_label = "Rig by Landmarks"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Rigging the head"
    seconds = _SECONDS

    @classmethod
    def poll(cls, context):
        return session.missing_reason() is None and cloud_in(context.scene) is not None

    def begin(self, context):
        cloud = cloud_in(context.scene)
        context.view_layer.update()
        self._task, self._loading = task_of(cloud), False
        task = self._task
        own = task.head and Path(session.head_argument(task.head)).parent == library.own_folder()
        self._file = session.head_argument(task.head) if own else str(library.free_file(task.name))
        params = conversion(task, self._file) | {"landmarks": placed(cloud)}
        return session.running().request("head/import", params, deadline_s=_SECONDS)

    def follow(self, context, reply):
        if self._loading:
            return None
        self._loading = True
        return session.running().load_head(reply["file"])

    def finish(self, context, reply):
        operators.leave_mode(context)
        stop(context)
        obj = bpy.data.objects.get(self._task.object)
        if is_head(obj):
            proxy.replace(obj, proxy.Geometry.from_reply(reply))
            obj.mien.head = self._file
            obj.update_tag()
        else:
            operators.add(context, reply, self._file)
        self.report({"INFO"}, f"{reply['name']} is rigged by its landmarks")
        return {"FINISHED"}


class MIEN_OT_stop_correcting(bpy.types.Operator):
    """Take splats and landmarks away; the head stays as it was"""

    bl_idname = "mien.stop_correcting"
    bl_label = "Discard"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return cloud_in(context.scene) is not None

    def execute(self, context):
        stop(context)
        return {"FINISHED"}


CLASSES = (MIEN_OT_correct_landmarks, MIEN_OT_rig_again, MIEN_OT_stop_correcting)


register, unregister = bpy.utils.register_classes_factory(CLASSES)
