"""The place where a character is photographed: camera, light, what is seen, and the render's settings.

Runs in the baking Blender, on a copy of the artist's file; nothing here has to be put back.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector
from mathutils.bvhtree import BVHTree

from ...engine.contract.errors import MienError
from ...engine.contract.pose import turn
from .. import compat
from . import plan
from .rig import Chosen, Rig, Space, bust_field, bust_numbers

_GEOMETRY = {"MESH", "CURVE", "CURVES", "SURFACE", "META", "FONT", "POINTCLOUD", "VOLUME", "GPENCIL", "GREASEPENCIL"}
_EYES = {"eyes", "eye.L", "eye.R"}
STRAND_POINTS, MAX_STRANDS = 12, 20_000


class Studio:
    """A scene ready for pictures of one rig."""

    def __init__(self, chosen: Sequence[Chosen], rig: Rig, options: Mapping) -> None:
        self.scene, self.rig, self.chosen = bpy.context.scene, rig, chosen
        self.size = int(options["size"])
        self._balls: dict[str, bpy.types.Object] = {}
        self._only_the_character(options["lighting"] == "SCENE")
        cut_bust(chosen, rig)
        if options["lighting"] == "STUDIO":
            light(rig)
        settings(self.scene, options["engine"], int(options["samples"]), bool(options["denoise"]))
        data = bpy.data.cameras.new("Mien Bake")
        data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
        data.clip_start, data.clip_end = 0.01 / rig.space.scale, 100.0 / rig.space.scale
        self.camera = bpy.data.objects.new("Mien Bake", data)
        self.scene.collection.objects.link(self.camera)
        self.scene.camera = self.camera
        if rig.still_eyes:
            self._loosen_eyes()

    @property
    def turns_eyes(self) -> bool:
        """Whether pictures show the gaze: by the keys, or by balls that could be taken out of the character."""
        return not self.rig.still_eyes or len(self._balls) == 2

    def _only_the_character(self, lit_by_scene: bool) -> None:
        """Hide everything else that has a surface; in the scene's own light it goes on reflecting and shading."""
        collection = bpy.data.collections.new("Mien Bake")
        self.scene.collection.children.link(collection)
        own = {entry.object for entry in self.chosen}
        for obj in own:
            if obj.name not in collection.objects:
                collection.objects.link(obj)
            obj.hide_render = False
            obj.visible_camera = True
        for obj in self.scene.objects:
            if obj in own:
                continue
            instancer = obj.type == "EMPTY" and obj.instance_type == "COLLECTION"
            if obj.type in _GEOMETRY and lit_by_scene:
                obj.visible_camera = False
            elif obj.type in _GEOMETRY or instancer or (obj.type == "LIGHT" and not lit_by_scene):
                obj.hide_render = True

    def _loosen_eyes(self) -> None:
        """Eyeballs that no key turns, as meshes of their own, so that pictures of the gaze can be taken."""
        balls = [e for e in self.chosen if e.object.type == "MESH" and e.parts and set(e.parts) <= _EYES]
        if not balls or len(self.rig.eyes) != 2:
            return
        depsgraph = bpy.context.evaluated_depsgraph_get()
        middle = sum(self.rig.eyes[side]["centre"][0] for side in self.rig.eyes) / 2
        for side, sign in (("left", 1.0), ("right", -1.0)):
            joined = bmesh.new()
            materials: list[bpy.types.Material | None] = []
            for entry in balls:
                _append_half(joined, materials, entry.object.evaluated_get(depsgraph), self.rig.space, middle, sign)
            if joined.faces:
                mesh = bpy.data.meshes.new(f"Mien Bake {side}")
                joined.to_mesh(mesh)
                for material in materials:
                    mesh.materials.append(material)
                self._balls[side] = bpy.data.objects.new(mesh.name, mesh)
            joined.free()
        if len(self._balls) == 2:
            for entry in balls:
                entry.object.hide_render = True
            for ball in self._balls.values():
                self.scene.collection.objects.link(ball)
        else:
            self._balls = {}

    def gaze(self, values: Mapping[str, float]) -> None:
        """Turn loosened eyeballs as a head file's do; see docs/head-file.md, step 3."""
        for side, ball in self._balls.items():
            eye, name = self.rig.eyes[side], side.title()
            look = {way: values.get(f"eyeLook{way}{name}", 0.0) for way in ("In", "Out", "Up", "Down")}
            sign = 1.0 if side == "left" else -1.0
            rotation = np.eye(4)
            rotation[:3, :3] = turn(
                sign * (look["Out"] - look["In"]) * eye["yaw"], (look["Up"] - look["Down"]) * eye["pitch"]
            )
            centre = np.array(eye["centre"])
            rotation[:3, 3] = centre - rotation[:3, :3] @ centre
            there = self.rig.space.to_scene()
            ball.matrix_world = Matrix(there @ rotation @ np.linalg.inv(there))

    def take(self, view: plan.View, path: Path, size: int | None = None) -> np.ndarray:
        """Render a view to a PNG file; its alpha [H,W], rows from the top.

        Raises:
            MienError: The file can't be written.
        """
        size = size or self.size
        K, world_to_camera = plan.camera(view, self.rig.frame, size)
        place_camera(self.camera, K, world_to_camera, size, self.rig.space)
        render = self.scene.render
        render.resolution_x = render.resolution_y = size
        render.filepath = str(path)
        try:
            path.unlink(missing_ok=True)
            bpy.ops.render.render(write_still=True, scene=self.scene.name)
        except (RuntimeError, OSError) as error:
            raise MienError(f"Blender could not render {view.image}: {_last_line(error)}") from None
        if not path.is_file() or not os.path.getsize(path):
            raise MienError(f"{path.parent} can't be written; free some space or choose another folder.")
        image = bpy.data.images.load(str(path), check_existing=False)
        pixels = np.empty(size * size * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        return pixels.reshape(size, size, 4)[::-1, :, 3]


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).removeprefix("Error: ").rstrip(".") + "."


def place_camera(camera, K: np.ndarray, world_to_camera: np.ndarray, size: int, space: Space) -> None:
    """Blender's camera of a view: it looks along its own −z with y up, OpenCV's along z with y down."""
    pose = np.eye(4)
    pose[:3, :3] = world_to_camera[:, :3].T
    pose[:3, 3] = -world_to_camera[:, :3].T @ world_to_camera[:, 3]
    matrix = space.to_scene() @ pose
    matrix[:3, :3] *= space.scale
    matrix[:3, 1:3] *= -1
    camera.matrix_world = Matrix(matrix)
    camera.data.angle = 2 * math.atan(size / 2 / K[0, 0])


def settings(scene: bpy.types.Scene, engine: str, samples: int, denoise: bool) -> None:
    """A transparent picture whose values are exactly sRGB, nothing of the scene's finishing in it."""
    render = scene.render
    render.engine = compat.EEVEE if engine == "EEVEE" else "CYCLES"
    if engine == "EEVEE":
        scene.eevee.taa_render_samples = samples
    else:
        cycles = scene.cycles
        cycles.samples, cycles.use_adaptive_sampling = samples, samples >= 16
        cycles.use_denoising = denoise
        cycles.time_limit = 0.0
        cycles.film_transparent_glass = True
        cycles.use_animated_seed = False
    render.use_persistent_data = True
    render.film_transparent = True
    render.use_compositing = render.use_sequencer = False
    render.use_border = render.use_multiview = render.use_freestyle = render.use_motion_blur = False
    render.use_stamp = False
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    render.use_file_extension, render.use_overwrite, render.use_placeholder = True, True, False
    render.dither_intensity = 0.0
    render.threads_mode = "AUTO"
    if render.use_simplify:
        render.simplify_subdivision = render.simplify_subdivision_render
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode, render.image_settings.color_depth = "RGBA", "8"
    render.image_settings.color_management = "FOLLOW_SCENE"
    scene.display_settings.display_device = "sRGB"
    look = scene.view_settings
    look.view_transform, look.look, look.exposure, look.gamma = "Standard", "None", 0.0, 1.0
    look.use_curve_mapping = False
    for layer in scene.view_layers:
        layer.use = layer == bpy.context.view_layer
        layer.material_override = None


def light(rig: Rig) -> None:
    """Soft, mostly frontal, neutral: what falls on the head is baked into it and must suit any set."""
    world = bpy.data.worlds.new("Mien Bake")
    bpy.context.scene.world = world
    background = compat.ensure_nodes(world).nodes["Background"]
    background.inputs[0].default_value = (0.97, 0.985, 1.0, 1.0)
    background.inputs[1].default_value = 0.30
    to_scene, eye = rig.space.to_scene(), np.array(rig.frame.eye)
    for place, width, watts, colour in (
        ((-0.55, -1.15, 0.58), 0.75, 24.0, (1.0, 0.975, 0.95)),
        ((0.85, -1.05, 0.10), 1.0, 9.0, (0.95, 0.975, 1.0)),
        ((0.0, 0.95, 0.95), 1.0, 9.0, (1.0, 0.99, 0.975)),
    ):
        lamp = bpy.data.lights.new("Mien Bake", "AREA")
        lamp.size, lamp.color = width / rig.space.scale, colour
        lamp.energy = watts / rig.space.scale**2
        holder = bpy.data.objects.new("Mien Bake", lamp)
        bpy.context.scene.collection.objects.link(holder)
        target = Vector((to_scene @ [*(eye + np.array([0, 0.05, -0.04])), 1.0])[:3])
        holder.location = Vector((to_scene @ [*(eye + place), 1.0])[:3])
        holder.rotation_euler = (target - holder.location).to_track_quat("-Z", "Y").to_euler()


# ── the bust's edge ──────────────────────────────────────────────────────────────────────────────────────────────────


def cut_bust(chosen: Sequence[Chosen], rig: Rig) -> None:
    """Take away what lies outside head and bust, when rendered, by nodes at the end of each mesh's modifiers."""
    height = rig.frame.eye[2]
    for entry in chosen:
        if entry.object.type != "MESH":
            continue
        corners = np.array([entry.object.matrix_world @ Vector(c) for c in entry.object.bound_box])
        if bust_field(rig.space.points(corners), height).min() > 0:
            continue
        modifier = entry.object.modifiers.new("Mien Bake", "NODES")
        modifier.node_group = _bust_nodes(entry.object, rig.space, height)
        modifier.show_viewport = False


def _bust_nodes(obj: bpy.types.Object, space: Space, eye_height: float) -> bpy.types.NodeTree:
    """Deletes the faces where `bust_field` is below zero."""
    tree = bpy.data.node_groups.new("Mien Bake", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    top, width, depth = bust_numbers(eye_height)
    to_mien = np.linalg.inv(space.to_scene()) @ np.array(obj.matrix_world)
    position = tree.nodes.new("GeometryNodeInputPosition").outputs[0]

    def math_node(operation: str, *values):
        node = tree.nodes.new("ShaderNodeMath")
        node.operation = operation
        for socket, value in zip(node.inputs, values, strict=False):
            if hasattr(value, "is_output"):
                tree.links.new(value, socket)
            else:
                socket.default_value = value
        return node.outputs[0]

    def coordinate(row: np.ndarray):
        node = tree.nodes.new("ShaderNodeVectorMath")
        node.operation = "DOT_PRODUCT"
        tree.links.new(position, node.inputs[0])
        node.inputs[1].default_value = row[:3]
        return math_node("ADD", node.outputs["Value"], float(row[3]))

    down = math_node("DIVIDE", math_node("MAXIMUM", math_node("SUBTRACT", top, coordinate(to_mien[2])), 0.0), depth)
    wide = math_node("DIVIDE", math_node("ABSOLUTE", coordinate(to_mien[0])), width)
    wide = math_node("MULTIPLY", wide, math_node("GREATER_THAN", down, 0.0))
    total = math_node("ADD", math_node("POWER", wide, 2.6), math_node("POWER", down, 2.6))
    delete = tree.nodes.new("GeometryNodeDeleteGeometry")
    delete.domain = "FACE"
    tree.links.new(tree.nodes.new("NodeGroupInput").outputs[0], delete.inputs["Geometry"])
    tree.links.new(math_node("GREATER_THAN", total, 1.0), delete.inputs["Selection"])
    tree.links.new(delete.outputs[0], tree.nodes.new("NodeGroupOutput").inputs[0])
    return tree


def _append_half(joined, materials: list, evaluated, space: Space, middle: float, sign: float) -> None:
    """Add the faces on one side of the face to a bmesh, in the scene's coordinates."""
    mesh = bpy.data.meshes.new_from_object(evaluated)
    mesh.transform(evaluated.matrix_world)
    offset = len(materials)
    # The original's: what belongs to the evaluated one is freed with it.
    materials.extend(slot.material for slot in evaluated.original.material_slots)
    for polygon in mesh.polygons:
        polygon.material_index += offset
    before = set(joined.verts)
    joined.from_mesh(mesh)
    bpy.data.meshes.remove(mesh)
    other = [
        vertex
        for vertex in joined.verts
        if vertex not in before and sign * (space.points(np.array(vertex.co))[0] - middle) < 0
    ]
    bmesh.ops.delete(joined, geom=other, context="VERTS")


# ── strands ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def strands(chosen: Sequence[Chosen], rig: Rig) -> dict[str, np.ndarray]:
    """Hair curves and hair particles as the dataset's `strands.*`, in neutral."""
    bundles: dict[str, list[tuple[np.ndarray, float]]] = {}
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for entry in chosen:
        evaluated = entry.object.evaluated_get(depsgraph)
        if entry.object.type == "CURVES":
            name = next((part for part in entry.parts if part in ("hair", "brows", "lashes")), "hair")
            bundles.setdefault(name, []).extend(_hair_curves(evaluated))
        elif entry.object.type == "MESH":
            for system in evaluated.particle_systems:
                if system.settings.type == "HAIR":
                    name = next((n for n in ("brows", "lashes") if n[:4] in system.name.lower()), "hair")
                    bundles.setdefault(name, []).extend(_hair_particles(evaluated, system))
    arrays = {}
    tree = BVHTree.FromPolygons(rig.arrays["mesh.vertices"].tolist(), rig.arrays["mesh.triangles"].tolist())
    random = np.random.default_rng(0)
    for name, found in bundles.items():
        if not found:
            continue
        picked = (
            found if len(found) <= MAX_STRANDS else [found[i] for i in random.permutation(len(found))[:MAX_STRANDS]]
        )
        points = np.stack([_resampled(rig.space.points(path)) for path, _ in picked]).astype(np.float32)
        if not np.isfinite(points).all() or np.abs(points).max() > 4.5:
            continue
        arrays[f"strands.{name}.points"] = points
        arrays[f"strands.{name}.triangle"] = np.array([tree.find_nearest(Vector(p[0]))[2] for p in points], np.int32)
        radius = float(np.median([radius for _, radius in picked])) * rig.space.scale
        arrays[f"strands.{name}.radius"] = np.array([min(max(radius, 2e-5), 2e-3)], np.float32)
    return arrays


def _resampled(path: np.ndarray) -> np.ndarray:
    along = np.linspace(0, len(path) - 1, STRAND_POINTS)
    return np.stack([np.interp(along, np.arange(len(path)), path[:, k]) for k in range(3)], axis=1)


def _hair_curves(evaluated: bpy.types.Object) -> list[tuple[np.ndarray, float]]:
    curves = evaluated.data
    count = len(curves.points)
    if not count:
        return []
    flat, radii = np.empty(count * 3, np.float32), np.empty(count, np.float32)
    curves.points.foreach_get("position", flat)
    curves.points.foreach_get("radius", radii)
    matrix = np.array(evaluated.matrix_world)
    points = flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    ends = np.array([curve.first_point_index for curve in curves.curves] + [count])
    return [(points[a:b], float(radii[a])) for a, b in itertools.pairwise(ends) if b - a >= 2]


def _hair_particles(evaluated: bpy.types.Object, system) -> list[tuple[np.ndarray, float]]:
    parents, children = len(system.particles), len(system.child_particles)
    first = parents if children and not system.settings.use_parent_particles else 0
    steps = 2**system.settings.display_step + 1
    radius = system.settings.root_radius * system.settings.radius_scale
    found = []
    for number in range(first, min(parents + children, first + 4 * MAX_STRANDS)):
        path = [tuple(system.co_hair(evaluated, particle_no=number, step=step)) for step in range(steps)]
        points = np.array([point for point in path if any(point)])
        if len(points) >= 2:
            found.append((points, radius))
    return found
