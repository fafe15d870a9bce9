"""The proxy mesh: a head's geometry as native Blender data that deforms with the channels by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.contract import channels as table
from ...engine.contract.errors import MienError
from .. import compat
from . import channels, expressions, pose_nodes, priorities
from .expressions import Expression

MATERIAL = "Mien Head"
COLOUR_ATTRIBUTE = "mien_colour"
MODIFIER = "Mien Head Pose"
COMBINATION_LIMIT = 10.0
"""The highest value that Blender lets a shape key have; a product of four units reaches 5.1."""


@dataclass(frozen=True)
class Geometry:
    """What the engine's proxy file and its reply to head/load say; shapes as in docs/protocol.md."""

    name: str
    units: list[str]
    parts: list[str]
    eyes: Mapping[str, Any] | None
    pivot: tuple[float, float, float]
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any]) -> Geometry:
        """Read the proxy that a head/load reply names.

        Raises:
            MienError: Its file is gone or damaged.
        """
        try:
            with np.load(Path(reply["proxy"]), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError) as error:
            raise MienError(f"The proxy of {reply['name']} can't be read ({error}); restart the engine.") from None
        pivot = (reply["neck"] or {}).get("pivot", (0.0, 0.0, 0.0))
        return cls(reply["name"], reply["units"], reply["parts"], reply["eyes"], tuple(pivot), arrays)

    def ball(self, part: str) -> np.ndarray:
        """Vertex numbers of a part; empty where the head has none of it."""
        if part not in self.parts:
            return np.zeros(0, int)
        return np.unique(self.arrays["triangles"][self.arrays["part"] == self.parts.index(part)])

    def combinations(self) -> list[list[str]]:
        return [[self.units[i] for i in row if i >= 0] for row in self.arrays["combinations"]]


def build(geometry: Geometry) -> bpy.types.Object:
    """A new object, in no collection yet, with mesh, channels, shape keys, drivers, turning nodes and material."""
    mesh = _mesh(geometry)
    obj = bpy.data.objects.new(geometry.name, mesh)
    channels.define(obj)
    priorities.define(obj)
    _shape_keys(obj, geometry)
    _drive_shape_keys(obj, geometry)
    _pose_modifier(obj, geometry)
    mesh.materials.append(_material())
    return obj


def replace(obj: bpy.types.Object, geometry: Geometry) -> None:
    """Give a head object another head's geometry; its channels, keys, name and place stay."""
    fresh = build(geometry)
    old = obj.data
    drivers = obj.animation_data.drivers if obj.animation_data else ()
    for curve in [curve for curve in drivers if curve.data_path.startswith(f'modifiers["{MODIFIER}"]')]:
        drivers.remove(curve)
    if MODIFIER in obj.modifiers:
        obj.modifiers.remove(obj.modifiers[MODIFIER])
    obj.data = fresh.data
    _pose_modifier(obj, geometry)
    retarget(obj)
    bpy.data.objects.remove(fresh)
    if old.users == 0:
        bpy.data.meshes.remove(old)


# ── mesh ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mesh(geometry: Geometry) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(geometry.name)
    vertices, triangles = geometry.arrays["vertices"], geometry.arrays["triangles"]
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", _flat(vertices))
    mesh.loops.add(triangles.size)
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(triangles, np.int32).ravel())
    mesh.polygons.add(len(triangles))
    mesh.polygons.foreach_set("loop_start", np.arange(0, triangles.size, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(triangles), bool))
    eye = np.zeros(len(vertices), np.int32)
    for number, part in ((1, "eye.L"), (2, "eye.R")):
        eye[geometry.ball(part)] = number
    mesh.attributes.new(pose_nodes.EYE_ATTRIBUTE, "INT", "POINT").data.foreach_set("value", eye)
    weight = mesh.attributes.new(pose_nodes.WEIGHT_ATTRIBUTE, "FLOAT", "POINT")
    weight.data.foreach_set("value", _flat(geometry.arrays["head_weight"]))
    if "colour" in geometry.arrays:
        colour = np.ones((len(vertices), 4), np.float32)
        colour[:, :3] = np.clip(geometry.arrays["colour"], 0, 1)
        mesh.attributes.new(COLOUR_ATTRIBUTE, "FLOAT_COLOR", "POINT").data.foreach_set("color", colour.ravel())
    return mesh


def _flat(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float32).ravel()


# ── shape keys and their drivers ─────────────────────────────────────────────────────────────────────────────────────


def combination_name(units: list[str]) -> str:
    return " + ".join(units)[:63]


def _shape_keys(obj: bpy.types.Object, geometry: Geometry) -> None:
    """One key a unit and one a combination. Relative keys add up, as the engine's deltas do."""
    neutral = geometry.arrays["vertices"].astype(np.float64)
    ids = geometry.arrays["vertex_ids"]
    obj.shape_key_add(name="Neutral", from_mix=False)
    rows = [
        (unit, table.UNIT_LIMIT, delta)
        for unit, delta in zip(geometry.units, geometry.arrays["unit_deltas"], strict=True)
    ]
    rows += [
        (combination_name(units), COMBINATION_LIMIT, delta)
        for units, delta in zip(geometry.combinations(), geometry.arrays.get("combination_deltas", ()), strict=True)
    ]
    for name, limit, delta in rows:
        key = obj.shape_key_add(name=name, from_mix=False)
        key.slider_max = limit
        moved = neutral.copy()
        moved[ids] += delta
        key.data.foreach_set("co", _flat(moved))


def _drive_shape_keys(obj: bpy.types.Object, geometry: Geometry) -> None:
    keys = obj.data.shape_keys
    _drive_units(obj, geometry.units)
    for units in geometry.combinations():
        driver = keys.driver_add(f'key_blocks["{combination_name(units)}"].value').driver
        driver.type = "SCRIPTED"
        for letter, unit in zip("abcd", dict.fromkeys(units), strict=False):
            variable = driver.variables.new()
            variable.name = letter
            variable.targets[0].id_type = "KEY"
            variable.targets[0].id = keys
            variable.targets[0].data_path = f'key_blocks["{unit}"].value'
        letters = dict(zip(dict.fromkeys(units), "abcd", strict=False))
        driver.expression = " * ".join(letters[unit] for unit in units)


def _drive_units(obj: bpy.types.Object, units: Iterable[str]) -> None:
    """Valence and arousal drive the circle's weights, those and the other channels the units' keys."""
    keys = obj.data.shape_keys
    for name, entries in ((expressions.PAD, expressions.pad()), (expressions.CIRCLE, expressions.directions())):
        keys[name] = [0.0] * len(entries)
        for index, expression in enumerate(entries):
            _drive(keys, f'["{name}"]', expression, obj, index)
    for name in units:
        _drive(keys, f'key_blocks["{name}"].value', expressions.unit(name), obj)


def _drive(owner: Any, path: str, expression: Expression, source: bpy.types.Object, index: int = -1) -> None:
    """Drive a property, or an element of one, by channels of `source` and by properties of its owner."""
    driver = owner.driver_add(path, index).driver
    driver.type = "SCRIPTED"
    for letter, own in expression.own.items():
        variable = driver.variables.new()
        variable.name = letter
        variable.targets[0].id_type = "KEY"
        variable.targets[0].id = owner
        variable.targets[0].data_path = own
    for letter, channel in expression.variables.items():
        variable = driver.variables.new()
        variable.name = letter
        variable.targets[0].id = source
        variable.targets[0].data_path = channels.path(channel)
    driver.expression = expression.text


def retarget(obj: bpy.types.Object) -> None:
    """Let an object's own shape keys follow its own channels, whichever object they followed before."""
    keys = obj.data.shape_keys
    if keys is None or keys.animation_data is None:
        return
    for curve in keys.animation_data.drivers:
        for variable in curve.driver.variables:
            target = variable.targets[0]
            if target.id_type == "OBJECT" and channels.name_of(target.data_path) and target.id is not obj:
                target.id = obj


def upgrade(obj: bpy.types.Object) -> bool:
    """Bring the drivers of a head from an older file up to date: valence and arousal then turn around the circle.

    True if there was anything to do. Keys, Actions and shapes stay as they are.
    """
    keys = obj.data.shape_keys
    if keys is None or keys.library is not None or obj.library is not None or expressions.CIRCLE in keys:
        return False
    units = [block.name for block in keys.key_blocks if block.name in table.UNITS]
    for unit in units:
        keys.driver_remove(f'key_blocks["{unit}"].value')
    _drive_units(obj, units)
    for curve in obj.animation_data.drivers if obj.animation_data else ():
        found = re.match(r"[-\d.e]+(?= \* \(clamp)", curve.driver.expression)
        if found and any(channels.path("Arousal") == v.targets[0].data_path for v in curve.driver.variables):
            _drive_gaze_again(obj, curve, float(found[0]))
    return True


def _drive_gaze_again(obj: bpy.types.Object, curve: bpy.types.FCurve, factor: float) -> None:
    """An eye's pitch, which older drivers lowered with arousal."""
    side = "Left" if "Left" in _modifier_input(obj, curve.data_path) else "Right"
    path = curve.data_path
    obj.driver_remove(path)
    _drive(obj, path, expressions.difference(f"eyeLookUp{side}", f"eyeLookDown{side}", factor), obj)


def _modifier_input(obj: bpy.types.Object, path: str) -> str:
    """The name of the turning node group's input that a driver's path means, or ""."""
    for modifier in obj.modifiers:
        if modifier.type == "NODES" and modifier.node_group:
            for name, identifier in pose_nodes.identifiers(modifier.node_group).items():
                if compat.modifier_input_path(modifier, identifier) == path:
                    return name
    return ""


# ── eyes and neck ────────────────────────────────────────────────────────────────────────────────────────────────────


def _pose_modifier(obj: bpy.types.Object, geometry: Geometry) -> None:
    group = pose_nodes.ensure()
    modifier = obj.modifiers.new(MODIFIER, "NODES")
    modifier.node_group = group
    modifier.show_expanded = False
    names = pose_nodes.identifiers(group)
    vectors = {"Neck Pivot": geometry.pivot}
    angles = {name: expressions.channel(name) for name in table.HEAD_ROTATION}
    for side, part in (("Left", "eye.L"), ("Right", "eye.R")):
        ball = geometry.ball(part)
        if geometry.eyes is None or not len(ball):
            continue
        eye = geometry.eyes[side.lower()]
        vectors[f"{side} Eye Offset"] = np.subtract(
            eye["centre"], geometry.arrays["vertices"][ball].mean(0, dtype=np.float64)
        )
        to_left = ("Out", "In") if side == "Left" else ("In", "Out")
        look = [f"eyeLook{way}{side}" for way in (*to_left, "Up", "Down")]
        angles[f"{side} Eye Yaw"] = expressions.difference(look[0], look[1], eye["yaw"])
        angles[f"{side} Eye Pitch"] = expressions.difference(look[2], look[3], eye["pitch"])
    for name, vector in vectors.items():
        compat.set_modifier_input(modifier, names[name], [float(value) for value in vector])
    for name, expression in angles.items():
        _drive(obj, compat.modifier_input_path(modifier, names[name]), expression, obj)


# ── material ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _material() -> bpy.types.Material:
    """The proxy's own look, for when there are no splats: the head's mean colours, soft and slightly glossy."""
    for material in bpy.data.materials:
        if material.library is None and material.get("mien_head"):
            return material
    material = bpy.data.materials.new(MATERIAL)
    material["mien_head"] = 1
    tree = compat.ensure_nodes(material)
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    colour = tree.nodes.new("ShaderNodeAttribute")
    colour.attribute_name = COLOUR_ATTRIBUTE
    colour.location = (shader.location.x - 240, shader.location.y)
    tree.links.new(colour.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.55
    material.diffuse_color = (0.55, 0.36, 0.28, 1.0)
    return material
