"""A small character by script, for tests of the bake: an egg of a head with ARKit keys, eyes apart, badly placed."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Euler, Matrix

#: Middle and reach (metres, the face along −y) and shift at 1 of each key.
KEYS = {
    "jawOpen": ((0, -0.085, -0.055), 0.035, (0, 0.006, -0.022)),
    "mouthSmileLeft": ((0.025, -0.09, -0.03), 0.018, (0.008, 0.004, 0.010)),
    "mouthSmile_R": ((-0.025, -0.09, -0.03), 0.018, (-0.008, 0.004, 0.010)),
    "mouthPucker": ((0, -0.095, -0.03), 0.018, (0, -0.010, 0)),
    "AU45 Blink.L": ((0.031, -0.085, 0.035), 0.014, (0, -0.004, -0.008)),
    "EyeBlink_R": ((-0.031, -0.085, 0.035), 0.014, (0, -0.004, -0.008)),
    "browInnerUp": ((0, -0.085, 0.065), 0.022, (0, 0, 0.010)),
    "fat": ((0, 0, 0), 0.2, (0.05, 0, 0)),
}
EYES = {"left": (0.031, -0.082, 0.035), "right": (-0.031, -0.082, 0.035)}
EYE_RADIUS, GAZE = 0.012, 0.5
#: As an artist's scene would have it: turned, stood elsewhere, and at ten times life size.
PLACE = Matrix.LocRotScale((3.0, -2.0, 1.5), Euler((0.0, 0.0, 2.2)), (10.0, 10.0, 10.0))


def build(subdivide: int = 1) -> list[bpy.types.Object]:
    """Head and eyes in the current scene; the keys "corrective" and the driver are what riggers leave behind."""
    head = _ball("Head", 28, 20, np.array([0.075, 0.095, 0.115]), np.zeros(3))
    rest = _coordinates(head)
    head.shape_key_add(name="Basis")
    for name, (middle, reach, shift) in KEYS.items():
        weight = np.exp(-((np.linalg.norm(rest - middle, axis=1) / reach) ** 2))
        _add_key(head, name, rest + weight[:, None] * shift)
    weight = np.exp(-((np.linalg.norm(rest - (0.0, -0.09, -0.04), axis=1) / 0.03) ** 2))
    _add_key(head, "fix jaw smile", rest + weight[:, None] * (0, -0.004, 0))
    _drive(head.data.shape_keys, "fix jaw smile", ("jawOpen", "mouthSmileLeft"))
    _drive(head.data.shape_keys, "mouthPucker", ())
    armature = _armature()
    head.modifiers.new("Armature", "ARMATURE").object = armature
    for bone, share in (
        ("Head", np.clip((rest[:, 2] + 0.09) / 0.04, 0, 1)),
        ("Neck", np.clip((-0.05 - rest[:, 2]) / 0.04, 0, 1)),
    ):
        group = head.vertex_groups.new(name=bone)
        for vertex, weight in enumerate(share):
            group.add([vertex], float(weight), "ADD")
    modifier = head.modifiers.new("Subdivision", "SUBSURF")
    modifier.levels, modifier.render_levels = 0, subdivide
    eyes = [_eye(side) for side in EYES]
    for thing, colour in ((head, (0.8, 0.5, 0.4)), *((eye, (0.1, 0.2, 0.6)) for eye in eyes)):
        material = bpy.data.materials.new(thing.name)
        material.use_nodes = True  # 4.5 makes them without
        material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1)
        thing.data.materials.append(material)
        thing.matrix_world = PLACE
    for eye in eyes:
        eye.parent, eye.parent_type, eye.parent_bone = armature, "BONE", "Head"
    armature.matrix_world = PLACE
    bpy.context.view_layer.update()
    for eye in eyes:
        eye.matrix_world = PLACE
    bpy.context.view_layer.update()
    return [head, *eyes]


def _armature() -> bpy.types.Object:
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    below = None
    for name, low, high in (("Neck", -0.14, -0.05), ("Head", -0.05, 0.12)):
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail, bone.parent = (0, 0.02, low), (0, 0.02, high), below
        below = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def _eye(side: str) -> bpy.types.Object:
    eye = _ball(f"Eye {side.title()}", 12, 8, np.full(3, EYE_RADIUS), np.array(EYES[side]))
    rest, centre = _coordinates(eye), np.array(EYES[side])
    eye.shape_key_add(name="Basis")
    outwards = 1 if side == "left" else -1
    for way, turn in (
        ("Out", Matrix.Rotation(outwards * GAZE, 3, "Z")), ("In", Matrix.Rotation(-outwards * GAZE, 3, "Z")),
        ("Up", Matrix.Rotation(-GAZE / 2, 3, "X")), ("Down", Matrix.Rotation(GAZE / 2, 3, "X")),
    ):  # fmt: skip
        _add_key(eye, f"eyeLook{way}{side.title()}", (rest - centre) @ np.array(turn).T + centre)
    return eye


def _ball(name: str, columns: int, rows: int, radii: np.ndarray, centre: np.ndarray) -> bpy.types.Object:
    polar = np.linspace(0, np.pi, rows + 1)[1:-1]
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    ring = np.stack(
        [np.outer(np.sin(polar), np.cos(around)), np.outer(np.sin(polar), np.sin(around)),
         np.outer(np.cos(polar), np.ones(columns))], axis=-1,
    ).reshape(-1, 3)  # fmt: skip
    points = np.concatenate([[[0, 0, 1]], ring, [[0, 0, -1]]]) * radii + centre
    faces = []
    for column in range(columns):
        after = (column + 1) % columns
        faces.append((0, 1 + column, 1 + after))
        for row in range(rows - 2):
            a = 1 + row * columns
            faces.append((a + column, a + columns + column, a + columns + after, a + after))
        a = 1 + (rows - 2) * columns
        faces.append((a + column, len(points) - 1, a + after))
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def _coordinates(obj: bpy.types.Object) -> np.ndarray:
    return np.array([vertex.co for vertex in obj.data.vertices])


def _add_key(obj: bpy.types.Object, name: str, points: np.ndarray) -> None:
    key = obj.shape_key_add(name=name)
    key.value = 0.0  # Blender 5 begins at 1
    key.data.foreach_set("co", points.astype(np.float32).ravel())


def _drive(keys: bpy.types.Key, name: str, others: tuple[str, ...]) -> None:
    """The product of other keys, or a constant where there are none."""
    driver = keys.key_blocks[name].driver_add("value").driver
    driver.type = "SCRIPTED"
    for number, other in enumerate(others):
        variable = driver.variables.new()
        variable.name = f"v{number}"
        variable.targets[0].id_type, variable.targets[0].id = "KEY", keys
        variable.targets[0].data_path = f'key_blocks["{other}"].value'
    driver.expression = "*".join(f"v{number}" for number in range(len(others))) or "0.7"
