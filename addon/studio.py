"""A small recording studio around a head: a Cycles set with a microphone in front and a lamp and panels behind.

A starting point for an artist and the stage of Mien's demo. Everything is made from primitives, in one collection.
"""

from __future__ import annotations

import math

import bpy
from mathutils import Vector

COLLECTION = "Mien Studio"


def face_of(head: bpy.types.Object) -> Vector:
    """World-space middle of a head object's face: between its eyes and its chin."""
    low, high = (Vector(head.bound_box[index]) for index in (0, 6))
    # The mouth of an upright bust lies about two thirds up it, at its front.
    return head.matrix_world @ Vector(((low.x + high.x) / 2, low.y, low.z + 0.68 * (high.z - low.z)))


def build(scene: bpy.types.Scene, target: Vector) -> bpy.types.Object:
    """Make the set in `scene` around `target`, the world-space middle of a face that looks towards −Y.

    Returns:
        The camera, also made the scene's camera.
    """
    collection = bpy.data.collections.new(COLLECTION)
    scene.collection.children.link(collection)
    stage = _Stage(collection, target)
    stage.room()
    stage.lamp()
    stage.microphone()
    stage.lights()
    scene.world = _world()
    scene.camera = stage.camera()
    return scene.camera


class _Stage:
    """Places primitives relative to the face, in metres."""

    def __init__(self, collection: bpy.types.Collection, target: Vector) -> None:
        self.collection = collection
        self.target = target

    def room(self) -> None:
        wall = _material("Studio Wall", (0.055, 0.085, 0.10), roughness=0.85)
        wood = _material("Studio Slats", (0.16, 0.085, 0.045), roughness=0.55)
        foam = _material("Studio Foam", (0.030, 0.034, 0.04), roughness=0.95)
        self.box("Studio Back Wall", (0.0, 1.7, 0.0), (6.0, 0.04, 4.0), wall)
        for index in range(16):
            place = (-2.1 + 0.125 * index, 1.62, 0.0)
            self.box(f"Studio Slat {index + 1}", place, (0.055, 0.05, 4.0), wood, bevel=0.006)
        for row in range(3):
            for column in range(3):
                place = (0.42 + 0.40 * column, 1.62, -0.42 + 0.40 * row)
                self.box(f"Studio Panel {row + 1}.{column + 1}", place, (0.36, 0.07, 0.36), foam, bevel=0.03)
        self.box("Studio Shelf", (0.52, 1.15, -0.36), (0.85, 0.26, 0.03), wood, bevel=0.004)

    def lamp(self) -> None:
        """Behind the head, partly hidden by it: a warm globe on a shelf."""
        globe = _material("Studio Globe", (1.0, 0.60, 0.32), emission=0.85)
        brass = _material("Studio Brass", (0.55, 0.36, 0.14), roughness=0.3, metallic=1.0)
        self.ball("Studio Lamp", (0.245, 1.1, -0.145), 0.115, globe)
        self.cylinder("Studio Lamp Foot", (0.245, 1.1, -0.30), 0.05, 0.09, brass)
        ceramic = _material("Studio Vase", (0.30, 0.10, 0.06), roughness=0.3)
        self.ball("Studio Vase", (0.62, 1.12, -0.245), 0.10, ceramic)
        self.cylinder("Studio Vase Neck", (0.62, 1.12, -0.14), 0.035, 0.10, ceramic)

    def microphone(self) -> None:
        """In front of the head, off its mouth: capsule, body and boom arm."""
        steel = _material("Studio Steel", (0.42, 0.43, 0.45), roughness=0.28, metallic=1.0)
        black = _material("Studio Black", (0.012, 0.012, 0.014), roughness=0.4)
        grille = _material("Studio Grille", (0.16, 0.165, 0.17), roughness=0.42, metallic=1.0)
        capsule = Vector((-0.094, -0.215, -0.078))
        body = capsule + Vector((-0.030, -0.012, -0.105))
        self.ball("Microphone Grille", capsule, 0.031, grille)
        ring = capsule + (body - capsule) * 0.12
        self.torus("Microphone Ring", ring, 0.0300, 0.0036, steel, towards=body - capsule)
        self.rod("Microphone Body", capsule + (body - capsule) * 0.16, body, 0.0215, black)
        self.rod("Microphone Arm", body, body + Vector((-0.34, 0.02, -0.22)), 0.0075, steel)

    def lights(self) -> None:
        self.area_light("Studio Key", (0.75, -1.15, 0.75), 0.7, 28.0, (1.0, 0.93, 0.85))
        self.area_light("Studio Fill", (-1.2, -0.9, 0.15), 1.0, 9.0, (0.75, 0.86, 1.0))
        self.area_light("Studio Rim", (-0.75, 1.0, 0.75), 0.4, 14.0, (0.72, 0.85, 1.0))
        self.area_light("Studio Wash", (-1.1, 0.95, 1.3), 0.5, 22.0, (1.0, 0.83, 0.62), towards=(-0.9, 1.7, -0.2))

    def camera(self) -> bpy.types.Object:
        data = bpy.data.cameras.new("Studio Camera")
        data.lens = 85.0
        data.clip_start = 0.05
        camera = self.link(bpy.data.objects.new("Studio Camera", data))
        camera.location = self.target + Vector((-0.13, -1.20, 0.03))
        camera.rotation_euler = _look(camera.location, self.target + Vector((0.0, 0.0, 0.008)))
        return camera

    # ── primitives ──

    def link(self, obj: bpy.types.Object) -> bpy.types.Object:
        self.collection.objects.link(obj)
        return obj

    def _mesh(self, name: str, place, material: bpy.types.Material, fill) -> bpy.types.Object:
        import bmesh

        mesh = bpy.data.meshes.new(name)
        shape = bmesh.new()
        fill(shape)
        shape.to_mesh(mesh)
        shape.free()
        mesh.materials.append(material)
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
        obj = self.link(bpy.data.objects.new(name, mesh))
        obj.location = self.target + Vector(place)
        return obj

    def box(self, name: str, place, size, material, bevel: float = 0.0) -> bpy.types.Object:
        import bmesh
        from mathutils import Matrix

        scale = Matrix.Diagonal((*size, 1.0))
        obj = self._mesh(name, place, material, lambda shape: bmesh.ops.create_cube(shape, size=1.0, matrix=scale))
        obj.data.polygons.foreach_set("use_smooth", [False] * len(obj.data.polygons))
        if bevel:
            modifier = obj.modifiers.new("Bevel", "BEVEL")
            modifier.width, modifier.segments = bevel, 3
        return obj

    def ball(self, name: str, place, radius: float, material) -> bpy.types.Object:
        import bmesh

        def fill(shape) -> None:
            bmesh.ops.create_uvsphere(shape, u_segments=64, v_segments=32, radius=radius)

        return self._mesh(name, place, material, fill)

    def cylinder(self, name: str, place, radius: float, height: float, material) -> bpy.types.Object:
        import bmesh

        def fill(shape) -> None:
            bmesh.ops.create_cone(shape, cap_ends=True, segments=64, radius1=radius, radius2=radius, depth=height)

        return self._mesh(name, place, material, fill)

    def rod(self, name: str, start, end, radius: float, material) -> bpy.types.Object:
        direction = Vector(end) - Vector(start)
        obj = self.cylinder(name, (Vector(start) + Vector(end)) / 2, radius, direction.length, material)
        obj.rotation_euler = direction.to_track_quat("Z", "Y").to_euler()
        return obj

    def torus(self, name: str, place, radius: float, thickness: float, material, towards) -> bpy.types.Object:
        curve = bpy.data.curves.new(name, "CURVE")
        curve.dimensions = "3D"
        curve.bevel_depth, curve.bevel_resolution = thickness, 4
        spline = curve.splines.new("POLY")
        spline.points.add(63)
        for index, point in enumerate(spline.points):
            angle = 2 * math.pi * index / 64
            point.co = (radius * math.cos(angle), radius * math.sin(angle), 0.0, 1.0)
        spline.use_cyclic_u = True
        curve.materials.append(material)
        obj = self.link(bpy.data.objects.new(name, curve))
        obj.location = self.target + Vector(place)
        obj.rotation_euler = Vector(towards).to_track_quat("Z", "Y").to_euler()
        return obj

    def area_light(self, name: str, place, size: float, power: float, colour, towards=(0.0, 0.0, 0.0)) -> None:
        data = bpy.data.lights.new(name, "AREA")
        data.size, data.energy, data.color = size, power, colour
        light = self.link(bpy.data.objects.new(name, data))
        light.location = self.target + Vector(place)
        light.rotation_euler = _look(light.location, self.target + Vector(towards))


def _look(place: Vector, towards: Vector):
    return (towards - place).to_track_quat("-Z", "Y").to_euler()


def _material(
    name: str, colour, roughness: float = 0.5, metallic: float = 0.0, emission: float = 0.0
) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # 4.5 makes materials without nodes, 5.x with them
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic
    if emission:
        shader.inputs["Emission Color"].default_value = (*colour, 1.0)
        shader.inputs["Emission Strength"].default_value = emission
    material.diffuse_color = (*colour, 1.0)
    return material


def _world() -> bpy.types.World:
    world = bpy.data.worlds.new("Mien Studio")
    if world.node_tree is None:
        world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.10, 0.12, 0.15, 1.0)
    background.inputs["Strength"].default_value = 0.35
    return world
