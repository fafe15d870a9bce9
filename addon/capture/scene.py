"""The studio in which a made head is photographed: meshes, hair curves, materials, lights, camera.

Plain bpy; the geometry comes from `static.npz` and `pose_*.npz` (see docs/heads.md). Lengths in metres.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector


class Nodes:
    """A small helper to wire a material."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.output = self.add("ShaderNodeOutputMaterial")
        self.surface = self.add("ShaderNodeBsdfPrincipled")
        self.link(self.surface.outputs[0], self.output.inputs[0])

    def add(self, kind: str, **settings):
        node = self.tree.nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        return node

    def link(self, source, target) -> None:
        self.tree.links.new(source, target)

    def set(self, name: str, value) -> None:
        """A socket of the Principled BSDF: a constant or another node's output."""
        socket = self.surface.inputs[name]
        if hasattr(value, "is_output"):
            self.link(value, socket)
        else:
            socket.default_value = value

    def attribute(self, name: str, kind: str = "Fac"):
        return self.add("ShaderNodeAttribute", attribute_name=name).outputs[kind]

    def math(self, operation: str, *values):
        node = self.add("ShaderNodeMath", operation=operation)
        for socket, value in zip(node.inputs, values, strict=False):
            if hasattr(value, "is_output"):
                self.link(value, socket)
            else:
                socket.default_value = value
        return node.outputs[0]

    def noise(self, vector, scale: float, detail: float = 3.0, roughness: float = 0.55):
        node = self.add("ShaderNodeTexNoise")
        for key, value in (("Scale", scale), ("Detail", detail), ("Roughness", roughness)):
            node.inputs[key].default_value = value
        self.link(vector, node.inputs["Vector"])
        return node.outputs[0]

    def cells(self, vector, scale: float):
        node = self.add("ShaderNodeTexVoronoi")
        node.inputs["Scale"].default_value = scale
        self.link(vector, node.inputs["Vector"])
        return node.outputs[0]

    def ramp(self, value, *stops):
        """Stops are (position, colour) with colour a number or three."""
        node = self.add("ShaderNodeValToRGB")
        elements = node.color_ramp.elements
        while len(elements) > 1:
            elements.remove(elements[-1])
        for index, (position, colour) in enumerate(stops):
            element = elements[0] if index == 0 else elements.new(position)
            element.position = position
            element.color = (colour, colour, colour, 1) if isinstance(colour, float) else (*colour, 1)
        self.link(value, node.inputs[0])
        return node.outputs[0]

    def mix(self, a, b, factor, blend: str = "MIX"):
        node = self.add("ShaderNodeMix", data_type="RGBA", blend_type=blend)
        for value, index in ((factor, 0), (a, 6), (b, 7)):
            if hasattr(value, "is_output"):
                self.link(value, node.inputs[index])
            else:
                node.inputs[index].default_value = value if index == 0 else (*value, 1)
        return node.outputs[2]

    def bump(self, height, strength: float, distance: float) -> None:
        node = self.add("ShaderNodeBump")
        node.inputs["Strength"].default_value = strength
        node.inputs["Distance"].default_value = distance
        self.link(height, node.inputs["Height"])
        self.link(node.outputs[0], self.surface.inputs["Normal"])


#: Depth and width of each kind of crease; the width is in shares of the distance between its lines.
CREASES = {
    "forehead": (0.95, 0.19), "glabella": (1.25, 0.11), "nose": (0.8, 0.19), "crow": (0.8, 0.17), "under": (0.6, 0.18),
    "fold": (1.7, 0.10), "corner": (1.2, 0.10), "lip": (0.55, 0.20),
}  # fmt: skip


def creases(m: Nodes, rest, shown: set[str]):
    """How deep the skin is folded here, about 0–1: lines at the whole numbers of `line_*`, as deep as `crease_*`.

    `shown`: the kinds that this pose has, as every node costs time at every sample; None where there are none.
    """
    wander = m.math("MULTIPLY_ADD", m.noise(rest, 75, 1), 0.7, -0.35)
    # Creases break off and begin again.
    uneven = m.math("MULTIPLY_ADD", m.noise(rest, 120, 1), 2.6, -0.55)
    uneven, even = m.math("MAXIMUM", uneven, 0.0), 1.0
    total = None
    for kind, (depth, width) in CREASES.items():
        if kind not in shown:
            continue
        single = kind in ("fold", "corner", "glabella")
        line = m.attribute("line_" + kind)
        line = m.math("ADD", line, m.math("MULTIPLY", wander, 0.10 if single else 0.75))
        away = m.math("PINGPONG", line, 0.5)
        profile = m.ramp(away, (0.0, 1.0), (width * 0.5, 0.70), (width, 0.30), (width * 2.4, 0.0))
        amount = m.math("MULTIPLY", m.attribute("crease_" + kind), depth)
        part = m.math("MULTIPLY", profile, m.math("MULTIPLY", amount, even if single else uneven))
        total = part if total is None else m.math("ADD", total, part)
    if "chin" in shown:
        pits = m.ramp(m.cells(rest, 330), (0.0, 1.0), (0.42, 0.0))
        part = m.math("MULTIPLY", m.math("MULTIPLY", pits, m.attribute("crease_chin")), 0.75)
        total = part if total is None else m.math("ADD", total, part)
    return total


def skin_material(look: dict, shown: set[str]):
    m = Nodes("skin")
    rest = m.attribute("rest", "Vector")
    old = min(max((look["age"] - 25) / 60, 0.0), 1.0)
    dark = min(max(1 - look["skin"][1] / 0.3, 0.0), 1.0)
    broad, middle, fine = m.noise(rest, 28, 1), m.noise(rest, 110, 1), m.noise(rest, 420, 0)
    colour = m.attribute("colour", "Vector")
    # Blood and melanin: faint red patches a few centimetres wide, mottling at a centimetre, spots of 2.5 millimetres.
    # Nothing finer: a pixel is about half a millimetre, and what no Gaussian can learn only costs quality.
    colour = m.mix(colour, m.ramp(broad, (0.34, (0.97, 0.89, 0.87)), (0.66, (1.02, 1.03, 1.02))), 1.0, "MULTIPLY")
    mottled = (0.95 - 0.05 * old, 0.90 - 0.10 * old, 0.89 - 0.10 * old)
    colour = m.mix(colour, m.ramp(middle, (0.32, mottled), (0.66, (1.03, 1.02, 1.01))), 1.0, "MULTIPLY")
    colour = m.mix(colour, m.ramp(fine, (0.28, (0.95, 0.92, 0.91)), (0.66, (1.03, 1.03, 1.03))), 1.0, "MULTIPLY")
    freckle = m.ramp(m.cells(rest, 300), (0.09, (0.80, 0.68, 0.60)), (0.19, (1.0, 1.0, 1.0)))
    some = m.math("MULTIPLY", m.ramp(broad, (0.52, 0.0), (0.62, 1.0)), 1.6 * look["freckles"])
    colour = m.mix(colour, freckle, some, "MULTIPLY")
    if old > 0.3:
        # Age spots, larger and fewer.
        spot = m.ramp(m.cells(rest, 95), (0.12, (0.72, 0.60, 0.52)), (0.24, (1.0, 1.0, 1.0)))
        where = m.math("MULTIPLY", m.ramp(m.noise(rest, 40, 2), (0.50, 0.0), (0.60, 1.0)), 0.9 * (old - 0.2))
        colour = m.mix(colour, spot, where, "MULTIPLY")
    if look["stubble"] > 0:
        dots = m.ramp(m.noise(rest, 560, 0), (0.34, 0.22), (0.74, 0.72))
        dots = m.math("MULTIPLY", dots, m.math("MULTIPLY", m.attribute("beard"), look["stubble"]))
        hair = tuple(0.6 * c for c in look["hair"])
        colour = m.mix(colour, hair, m.math("MINIMUM", dots, 0.85))
    lips, inner = m.attribute("lips"), m.attribute("inner_mouth")
    lines = m.noise(_stretched(m, rest), 560, 1)
    colour = m.mix(colour, m.ramp(lines, (0.32, (0.88, 0.82, 0.82)), (0.62, (1.03, 1.03, 1.03))), lips, "MULTIPLY")
    depth = creases(m, rest, shown)
    if depth is not None:
        tint = (0.58, 0.42, 0.36) if dark < 0.6 else (0.45, 0.38, 0.35)
        colour = m.mix(colour, tint, m.math("MINIMUM", m.math("MULTIPLY", depth, 0.55), 0.75), "MULTIPLY")
    m.set("Base Color", colour)
    rough = m.math("MULTIPLY_ADD", fine, 0.10, 0.44 + 0.05 * old - 0.02 * dark)
    rough = m.math("MULTIPLY_ADD", lips, -0.06, rough)
    m.set("Roughness", m.math("MULTIPLY_ADD", inner, -0.12, rough))
    m.set("Specular IOR Level", 0.50)
    m.set("Subsurface Weight", 1.0)
    m.set("Subsurface Radius", (1.0, 0.38, 0.20))
    # Thin folds (lids, the inside of the lips) would lose their red light to the other side.
    m.surface.subsurface_method = "BURLEY"
    m.set("Subsurface Scale", m.math("MULTIPLY_ADD", m.attribute("thin"), -0.0018, 0.0024 - 0.0004 * old))
    grain = m.math("MULTIPLY_ADD", m.noise(rest, 700, 0), 0.8, fine)
    if old > 0.2:
        grain = m.math("MULTIPLY_ADD", m.noise(rest, 240, 1), 1.6 * old, grain)
    # Bumps in tenths of a millimetre: pores 0.06, the lips' lines 0.2, a full crease 1.1.
    height = m.math("MULTIPLY_ADD", m.math("MULTIPLY", lips, lines), 2.0, grain)
    height = m.math("MULTIPLY", height, 0.75 + 0.4 * old)
    if depth is not None:
        height = m.math("MULTIPLY_ADD", depth, -11.0, height)
    m.bump(height, 1.0, 0.0001)
    return m.material


def _stretched(m: Nodes, vector):
    """Coordinates squeezed along z, so that noise makes upright lines: the lips' creases."""
    node = m.add("ShaderNodeVectorMath", operation="MULTIPLY")
    m.link(vector, node.inputs[0])
    node.inputs[1].default_value = (1.0, 0.5, 0.18)
    return node.outputs[0]


def eye_material(look: dict):
    """`eye_x`, `eye_z`: place on the ball, 1 at the limbus. No sharp coat: its highlight follows the camera and cannot
    be learnt; the catch light is painted instead."""
    m = Nodes("eye")
    x, z = m.attribute("eye_x"), m.attribute("eye_z")
    r = m.math("SQRT", m.math("ADD", m.math("MULTIPLY", x, x), m.math("MULTIPLY", z, z)))
    safe = m.math("MAXIMUM", r, 0.02)
    polar = m.add("ShaderNodeCombineXYZ")
    m.link(m.math("MULTIPLY", m.math("DIVIDE", x, safe), 3.2), polar.inputs[0])
    m.link(m.math("MULTIPLY", m.math("DIVIDE", z, safe), 3.2), polar.inputs[1])
    m.link(m.math("MULTIPLY", r, 0.9), polar.inputs[2])
    fibres = m.noise(polar.outputs[0], 3.0, 5, 0.7)
    iris = look["iris"]
    # Warmer around the pupil, a dark rim outside.
    inner = tuple(0.55 * c + 0.45 * w for c, w in zip(iris, (0.17, 0.085, 0.030), strict=True))
    inner = tuple(min(c, 1.8 * max(iris)) for c in inner)
    tone = m.ramp(
        r,
        (0.0, 0.003), (0.36, 0.003), (0.40, inner), (0.54, tuple(1.1 * c for c in iris)),
        (0.80, tuple(0.85 * c for c in iris)), (0.92, tuple(0.38 * c for c in iris)), (1.0, (0.016, 0.017, 0.017)),
    )  # fmt: skip
    iris = m.mix(tone, m.ramp(fibres, (0.30, 0.45), (0.70, 1.8)), 1.0, "MULTIPLY")
    # Light from above gathers in the lower iris.
    iris = m.mix(iris, m.ramp(m.math("MULTIPLY_ADD", z, -0.5, 0.5), (0.25, 0.60), (0.80, 1.55)), 1.0, "MULTIPLY")
    far = m.math("MULTIPLY", r, 0.25)
    white = m.ramp(
        far,
        (0.25, (0.52, 0.485, 0.46)),
        (0.38, (0.52, 0.455, 0.42)),
        (0.50, (0.46, 0.33, 0.295)),
        (0.62, (0.42, 0.21, 0.18)),
    )
    veins = m.ramp(m.noise(polar.outputs[0], 5.0, 4, 0.8), (0.60, (1.0, 1.0, 1.0)), (0.72, (0.95, 0.82, 0.80)))
    white = m.mix(white, veins, m.ramp(far, (0.30, 0.0), (0.50, 1.0)), "MULTIPLY")
    edge = m.ramp(m.math("MULTIPLY", r, 0.5), (0.475, 0.0), (0.53, 1.0))
    # The upper lid and its lashes shade the ball, the lower lid a little.
    lid = m.ramp(
        m.math("MULTIPLY_ADD", m.attribute("up"), 0.5, 0.5), (0.28, 0.80), (0.42, 1.0), (0.56, 1.0), (0.74, 0.52)
    )
    m.set("Base Color", m.mix(m.mix(iris, white, edge), lid, 1.0, "MULTIPLY"))
    dx, dz = m.math("SUBTRACT", x, -0.34), m.math("SUBTRACT", z, 0.40)
    spot = m.math("SQRT", m.math("ADD", m.math("MULTIPLY", dx, dx), m.math("MULTIPLY", dz, dz)))
    dx, dz = m.math("SUBTRACT", x, 0.42), m.math("SUBTRACT", z, -0.30)
    small = m.math("SQRT", m.math("ADD", m.math("MULTIPLY", dx, dx), m.math("MULTIPLY", dz, dz)))
    glint = m.math("ADD", m.ramp(spot, (0.12, 1.0), (0.19, 0.0)), m.ramp(small, (0.03, 0.14), (0.16, 0.0)))
    m.set("Emission Color", (1.0, 0.98, 0.95, 1.0))
    m.set("Emission Strength", m.math("MULTIPLY", glint, 0.85))
    m.set("Roughness", 0.22)
    m.set("Specular IOR Level", 0.35)
    m.set("Subsurface Weight", m.math("MULTIPLY", edge, 0.3))
    m.set("Subsurface Scale", 0.002)
    return m.material


def plain_material(name: str, roughness: float, subsurface: float, specular: float = 0.5):
    m = Nodes(name)
    m.set("Base Color", m.attribute("colour", "Vector"))
    m.set("Roughness", roughness)
    m.set("Specular IOR Level", specular)
    m.set("Subsurface Weight", subsurface)
    m.set("Subsurface Scale", 0.002)
    return m.material


def tooth_material():
    m = Nodes("teeth")
    # Warmer at the gum, a little clearer at the edge.
    gumward = m.attribute("gumward")
    tone = m.ramp(
        m.math("MULTIPLY_ADD", gumward, 0.5, 0.5), (0.0, (0.98, 0.98, 0.98)), (0.4, 1.0), (1.0, (0.95, 0.85, 0.70))
    )
    m.set("Base Color", m.mix(m.attribute("colour", "Vector"), tone, 1.0, "MULTIPLY"))
    m.set("Roughness", 0.28)
    m.set("Specular IOR Level", 0.45)
    return m.material


def cloth_material():
    m = Nodes("clothes")
    rest = m.attribute("rest", "Vector")
    weave = m.noise(rest, 480, 0)
    colour = m.mix(m.attribute("colour", "Vector"), m.ramp(weave, (0.3, 0.88), (0.7, 1.12)), 1.0, "MULTIPLY")
    m.set("Base Color", m.mix(colour, m.ramp(m.noise(rest, 30, 3), (0.3, 0.88), (0.7, 1.1)), 1.0, "MULTIPLY"))
    m.set("Roughness", 0.9)
    m.set("Specular IOR Level", 0.2)
    if "Sheen Weight" in m.surface.inputs:
        m.set("Sheen Weight", 0.25)
    m.bump(m.math("MULTIPLY_ADD", weave, 0.4, m.noise(rest, 24, 3)), 0.35, 0.004)
    return m.material


def hair_material():
    """The hair's body under its strands: streaks along the combing, thinning out at the hairline."""
    m = Nodes("hair")
    streak = m.add("ShaderNodeCombineXYZ")
    m.link(m.attribute("streak_x"), streak.inputs[0])
    m.link(m.attribute("streak_y"), streak.inputs[1])
    fine, broad = m.noise(streak.outputs[0], 85, 3, 0.7), m.noise(streak.outputs[0], 14, 2)
    colour = m.mix(m.attribute("colour", "Vector"), m.ramp(fine, (0.30, 0.30), (0.70, 1.7)), 1.0, "MULTIPLY")
    m.set("Base Color", m.mix(colour, m.ramp(broad, (0.3, 0.75), (0.7, 1.25)), 1.0, "MULTIPLY"))
    m.set("Roughness", 0.55)
    m.set("Specular IOR Level", 0.25)
    edge = m.math("ADD", m.attribute("hair_edge"), m.math("MULTIPLY_ADD", fine, 1.0, -0.5))
    m.set("Alpha", m.ramp(edge, (0.30, 0.0), (0.72, 1.0)))
    m.bump(fine, 0.6, 0.002)
    return m.material


def strand_material(name: str, look: dict, darker: float, roughness: float, random: float):
    """Hairs by melanin; `grey` of them, chosen by the strand's random number, have next to none."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output, hair = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeBsdfHairPrincipled")
    hair.parametrization = "MELANIN"
    melanin = min(look["melanin"] + darker, 1.0)
    settings = {
        "Melanin": melanin, "Melanin Redness": look["redness"], "Roughness": roughness, "Radial Roughness": roughness,
        "Random Color": random, "Coat": 0.0,
    }  # fmt: skip
    for key, value in settings.items():
        if key in hair.inputs:
            hair.inputs[key].default_value = value
    if look["grey"] > 0:
        info, ramp = tree.nodes.new("ShaderNodeHairInfo"), tree.nodes.new("ShaderNodeValToRGB")
        edge = min(max(look["grey"], 0.02), 0.98)
        white = min(0.10 + 0.25 * darker, melanin)
        for element, position, value in zip(
            ramp.color_ramp.elements, (edge - 0.02, edge + 0.02), (white, melanin), strict=True
        ):
            element.position = position
            element.color = (value, value, value, 1)
        tree.links.new(info.outputs["Random"], ramp.inputs[0])
        tree.links.new(ramp.outputs[0], hair.inputs["Melanin"])
        hair.inputs["Melanin Redness"].default_value = look["redness"] * (1 - look["grey"])
    tree.links.new(hair.outputs[0], output.inputs[0])
    return material


def add_mesh(name: str, vertices, quads, floats: dict, vectors: dict, levels: int):
    """A smooth mesh with point attributes, subdivided `levels` times when rendered."""
    mesh = bpy.data.meshes.new(name)
    vertices, quads = np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(quads, np.int32)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.ravel())
    mesh.loops.add(quads.size)
    mesh.loops.foreach_set("vertex_index", quads.ravel())
    mesh.polygons.add(len(quads))
    mesh.polygons.foreach_set("loop_start", np.arange(0, quads.size, 4, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(quads), bool))
    mesh.update(calc_edges=True)
    for key, value in floats.items():
        layer = mesh.attributes.new(key, "FLOAT", "POINT")
        layer.data.foreach_set("value", np.ascontiguousarray(value, np.float32).ravel())
    for key, value in vectors.items():
        layer = mesh.attributes.new(key, "FLOAT_VECTOR", "POINT")
        layer.data.foreach_set("vector", np.ascontiguousarray(value, np.float32).ravel())
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    if levels:
        modifier = thing.modifiers.new("smooth", "SUBSURF")
        modifier.levels = modifier.render_levels = levels
    return thing


def add_strands(name: str, points: np.ndarray, radius: float):
    """Hair curves from [n,k,3], thinning to the tip."""
    count, steps = points.shape[:2]
    curves = bpy.data.hair_curves.new(name)
    curves.add_curves([steps] * count)
    curves.points.foreach_set("position", np.ascontiguousarray(points, np.float32).ravel())
    taper = radius * np.interp(np.linspace(0, 1, steps), [0, 0.6, 1], [1, 0.85, 0.3])
    curves.points.foreach_set("radius", np.tile(taper, count).astype(np.float32))
    thing = bpy.data.objects.new(name, curves)
    bpy.context.scene.collection.objects.link(thing)
    return thing


SUBDIVIDED = {"skin": 1, "teeth.upper": 1, "teeth.lower": 1, "gums": 1, "tongue": 1, "hair": 1, "clothes": 1}


def build(static, posed) -> None:
    """The whole head in the current scene: `static` and `posed` are the two files' arrays."""
    look = json.loads(str(static["look"]))
    vertices, rest, colour = posed["vertices"], static["rest"], static["colour"]
    names = [str(name) for name in static["parts"]]
    shown = {key[7:] for key in posed.files if key.startswith("crease_") and posed[key].max() > 0.03}
    materials = {
        "skin": skin_material(look, shown),
        "eye": eye_material(look),
        "teeth": tooth_material(),
        "gums": plain_material("gums", 0.32, 0.5),
        "tongue": plain_material("tongue", 0.42, 0.5),
        "hair": hair_material(),
        "clothes": cloth_material(),
    }
    values = {key[6:]: static[key] for key in static.files if key.startswith("value_")}
    values |= {key: posed[key] for key in posed.files if key.startswith("crease_")}
    for index, name in enumerate(names):
        quads = static["quads"][static["quad_part"] == index]
        used, local = np.unique(quads, return_inverse=True)
        floats = {key: value[used] for key, value in values.items()}
        if name.startswith("eye"):
            angle = values["around"][used]
            floats["eye_x"] = values["iris"][used] * np.cos(angle)
            floats["eye_z"] = values["iris"][used] * np.sin(angle)
            away = vertices[used] - static["eyes"][0 if name == "eye.L" else 1]
            floats["up"] = away[:, 2] / np.linalg.norm(away, axis=1)
        vectors = {"rest": rest[used], "colour": colour[used]}
        thing = add_mesh(name, vertices[used], local.reshape(-1, 4), floats, vectors, SUBDIVIDED.get(name, 0))
        thing.data.materials.append(materials[name if name in materials else name.split(".")[0]])
    # Brows are lighter than the hair of dark-haired people, and a little darker than fair hair.
    brow = float(np.interp(look["melanin"], (0.0, 0.5, 1.0), (0.25, 0.55, 0.90)))
    looks = {
        "hair": strand_material("strands", look, 0.0, 0.30, 0.35),
        "brows": strand_material("brows", {**look, "grey": 0.6 * look["grey"], "melanin": brow}, 0.0, 0.5, 0.25),
        "lashes": strand_material("lashes", {**look, "grey": 0.0, "melanin": 0.95}, 0.0, 0.4, 0.0),
    }
    for key, material in looks.items():
        add_strands(key, posed[f"strands_{key}"], float(static[f"radius_{key}"])).data.materials.append(material)


def light(eye_height: float) -> None:
    """Soft, mostly frontal, neutral: what falls on the head is baked into it and must suit any set."""
    world = bpy.data.worlds.new("studio")
    bpy.context.scene.world = world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs[0].default_value = (0.96, 0.98, 1.0, 1)
    background.inputs[1].default_value = 0.27
    target = Vector((0, -0.06, eye_height - 0.04))
    for place, size, power, colour in (
        ((-0.55, -1.25, 0.62), 0.7, 25.0, (1.0, 0.97, 0.94)),
        ((0.85, -1.15, 0.12), 1.0, 8.0, (0.95, 0.97, 1.0)),
        ((0.0, 0.75, 1.25), 1.0, 7.0, (1.0, 0.99, 0.97)),
    ):
        lamp = bpy.data.lights.new("lamp", "AREA")
        lamp.size, lamp.energy, lamp.color = size, power, colour
        thing = bpy.data.objects.new("lamp", lamp)
        bpy.context.scene.collection.objects.link(thing)
        thing.location = Vector(place) + Vector((0, 0, eye_height))
        thing.rotation_euler = (target - thing.location).to_track_quat("-Z", "Y").to_euler()


def settings(samples: int, denoise: bool) -> None:
    """Cycles for a transparent, exact-sRGB picture."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = True
    cycles.adaptive_threshold = 0.02
    cycles.use_denoising = denoise
    if denoise:
        cycles.denoiser = "OPENIMAGEDENOISE"
        cycles.denoising_prefilter = "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 1, 1
    cycles.transmission_bounces, cycles.transparent_max_bounces = 2, 6
    cycles.use_light_tree = False
    cycles.caustics_reflective = cycles.caustics_refractive = False
    scene.render.threads_mode = "AUTO"
    scene.render.use_persistent_data = True
    scene.render.film_transparent = True
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.image_settings.color_depth = "32"
    scene.cycles_curves.shape = "RIBBONS" if hasattr(scene, "cycles_curves") else None


def matte(samples: int = 64) -> None:
    """From here on pictures show only what covers the background: no denoiser cleans alpha, and this costs little.

    Surfaces glow and cast nothing, so that adaptive sampling spends its samples along edges and in loose hair.
    """
    for material in bpy.data.materials:
        tree = material.node_tree
        output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
        cover = tree.nodes.new("ShaderNodeEmission").outputs[0]
        surface = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
        if surface is not None and surface.inputs["Alpha"].is_linked:
            mixed = tree.nodes.new("ShaderNodeMixShader")
            tree.links.new(surface.inputs["Alpha"].links[0].from_socket, mixed.inputs[0])
            tree.links.new(tree.nodes.new("ShaderNodeBsdfTransparent").outputs[0], mixed.inputs[1])
            tree.links.new(cover, mixed.inputs[2])
            cover = mixed.outputs[0]
        tree.links.new(cover, output.inputs[0])
        material.cycles.emission_sampling = "NONE"
    cycles = bpy.context.scene.cycles
    cycles.samples, cycles.adaptive_min_samples, cycles.adaptive_threshold = samples, 8, 0.03
    cycles.use_denoising = False
    cycles.max_bounces = 0


def pixels(path: Path) -> np.ndarray:
    """[H,W,4] of an EXR file, linear, premultiplied, the top row first."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]


def save_png(path: Path, premultiplied: np.ndarray, alpha: np.ndarray) -> None:
    """Writes an sRGB PNG file with straight alpha, of linear premultiplied colours [H,W,3] and alpha [H,W]."""
    alpha = np.clip(alpha, 0, 1)
    # The colours' own coverage is noisy along the rim: there, colour is what surrounds the pixel.
    around = sum(np.roll(np.dstack([premultiplied, alpha]), (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1))
    rim = (alpha < 0.99)[..., None]
    straight = np.where(rim, around[..., :3], premultiplied) / np.maximum(np.where(rim, around[..., 3:], 1), 1 / 512)
    straight = np.clip(straight, 0, 1)
    encoded = np.where(straight <= 0.0031308, 12.92 * straight, 1.055 * straight ** (1 / 2.4) - 0.055)
    height, width = alpha.shape
    # An image of bytes holds what is displayed: nothing converts it again.
    image = bpy.data.images.new(path.stem, width, height, alpha=True)
    rgba = np.concatenate([encoded, alpha[..., None]], axis=2).astype(np.float32)[::-1]
    image.pixels.foreach_set(np.ascontiguousarray(rgba).ravel())
    image.file_format = "PNG"
    image.save(filepath=str(path.resolve()))
    bpy.data.images.remove(image)


def aim(camera, view: dict) -> None:
    """Places the camera of one planned view."""
    azimuth, elevation = math.radians(view["azimuth"]), math.radians(view["elevation"])
    target = Vector(view["target"])
    out = (math.sin(azimuth) * math.cos(elevation), -math.cos(azimuth) * math.cos(elevation), math.sin(elevation))
    camera.location = target + Vector(out) * view["distance"]
    camera.rotation_euler = (target - camera.location).to_track_quat("-Z", "Y").to_euler()
    camera.data.angle = math.radians(view["angle"])
    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = view["size"]
