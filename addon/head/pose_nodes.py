"""The native node group that turns a head's eyes and neck, the same sums as the engine's pose step.

Shape keys can't turn anything, so after them a Geometry Nodes modifier on the head turns each eyeball about its moved
centre and then the head about the neck, by weight. Its inputs are driven by the head's own channels, so it is
one object, copies with it, and animates with the add-on disabled.
"""

from __future__ import annotations

import bpy

NAME = "Mien Head Pose"
VERSION = 1
EYE_ATTRIBUTE = "mien_eye"
WEIGHT_ATTRIBUTE = "mien_head_weight"
VECTORS = ("Neck Pivot", "Left Eye Offset", "Right Eye Offset")
"""The eye offsets are a ball's centre minus the mean of its vertices, both in neutral."""
ANGLES = ("Left Eye Yaw", "Left Eye Pitch", "Right Eye Yaw", "Right Eye Pitch", "Head Yaw", "Head Pitch", "Head Roll")


def identifiers(group: bpy.types.NodeTree) -> dict[str, str]:
    """Input name → the identifier under which a modifier holds its value."""
    return {item.name: item.identifier for item in group.interface.items_tree if item.in_out == "INPUT"}


def ensure() -> bpy.types.NodeTree:
    """The node group of this file, made if it has none of this version."""
    for group in bpy.data.node_groups:
        if group.library is None and group.get("mien_pose_version") == VERSION:
            return group
    return _build()


def _build() -> bpy.types.NodeTree:
    group = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    group["mien_pose_version"] = VERSION
    group.is_modifier = True
    make = group.interface.new_socket
    make("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    for name in VECTORS:
        make(name, in_out="INPUT", socket_type="NodeSocketVector")
    for name in ANGLES:
        make(name, in_out="INPUT", socket_type="NodeSocketFloat").subtype = "ANGLE"
    make("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    builder = _Builder(group)
    geometry = builder.inputs["Geometry"]
    for number, side in ((1, "Left"), (2, "Right")):
        geometry = builder.eye(geometry, number, side)
    geometry = builder.head(geometry)
    out = builder.node("NodeGroupOutput")
    group.links.new(geometry, out.inputs["Geometry"])
    return group


class _Builder:
    """Adds nodes to the group from left to right."""

    def __init__(self, group: bpy.types.NodeTree) -> None:
        self.group = group
        self.column = 0
        self.inputs = {socket.name: socket for socket in self.node("NodeGroupInput").outputs if socket.name}

    def node(self, kind: str, **settings) -> bpy.types.Node:
        node = self.group.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        node.location = (self.column * 190, -(self.column % 3) * 160)
        self.column += 1
        return node

    def link(self, source: bpy.types.NodeSocket, node: bpy.types.Node, name: str, kind: str | None = None) -> None:
        """Link to the input of that name; several carry it in nodes with types, and then the usable one is meant."""
        target = next(i for i in node.inputs if i.name == name and i.enabled and (kind is None or i.type == kind))
        self.group.links.new(source, target)

    def output(self, node: bpy.types.Node, name: str) -> bpy.types.NodeSocket:
        return next(socket for socket in node.outputs if socket.name == name and socket.enabled)

    def attribute(self, name: str, kind: str) -> bpy.types.NodeSocket:
        node = self.node("GeometryNodeInputNamedAttribute", data_type=kind)
        node.inputs["Name"].default_value = name
        return self.output(node, "Attribute")

    def position(self) -> bpy.types.NodeSocket:
        return self.output(self.node("GeometryNodeInputPosition"), "Position")

    def rotate(self, vector, centre, angle, axis: str, invert: bool = False) -> bpy.types.NodeSocket:
        node = self.node("ShaderNodeVectorRotate", rotation_type=f"{axis}_AXIS", invert=invert)
        for source, name in ((vector, "Vector"), (centre, "Center"), (angle, "Angle")):
            self.link(source, node, name)
        return self.output(node, "Vector")

    def add(self, first, second) -> bpy.types.NodeSocket:
        node = self.node("ShaderNodeVectorMath", operation="ADD")
        self.group.links.new(first, node.inputs[0])
        self.group.links.new(second, node.inputs[1])
        return self.output(node, "Vector")

    def eye(self, geometry, number: int, side: str) -> bpy.types.NodeSocket:
        """Pitch, then yaw of one ball about its centre, which the shape keys have moved."""
        chosen = self.node("FunctionNodeCompare", data_type="INT", operation="EQUAL")
        self.link(self.attribute(EYE_ATTRIBUTE, "INT"), chosen, "A", "INT")
        next(i for i in chosen.inputs if i.name == "B" and i.enabled).default_value = number
        selection = self.output(chosen, "Result")
        mean = self.node("GeometryNodeAttributeStatistic", data_type="FLOAT_VECTOR", domain="POINT")
        self.link(geometry, mean, "Geometry")
        self.link(selection, mean, "Selection")
        self.link(self.position(), mean, "Attribute")
        centre = self.add(self.output(mean, "Mean"), self.inputs[f"{side} Eye Offset"])
        turned = self.rotate(self.position(), centre, self.inputs[f"{side} Eye Pitch"], "X", invert=True)
        turned = self.rotate(turned, centre, self.inputs[f"{side} Eye Yaw"], "Z")
        moved = self.node("GeometryNodeSetPosition")
        for source, name in ((geometry, "Geometry"), (selection, "Selection"), (turned, "Position")):
            self.link(source, moved, name)
        return self.output(moved, "Geometry")

    def head(self, geometry) -> bpy.types.NodeSocket:
        """Roll, pitch, yaw about the neck, blended in by weight."""
        pivot = self.inputs["Neck Pivot"]
        turned = self.rotate(self.position(), pivot, self.inputs["Head Roll"], "Y")
        turned = self.rotate(turned, pivot, self.inputs["Head Pitch"], "X", invert=True)
        turned = self.rotate(turned, pivot, self.inputs["Head Yaw"], "Z")
        blend = self.node("ShaderNodeMix", data_type="VECTOR", clamp_factor=True)
        self.link(self.attribute(WEIGHT_ATTRIBUTE, "FLOAT"), blend, "Factor", "VALUE")
        self.link(self.position(), blend, "A", "VECTOR")
        self.link(turned, blend, "B", "VECTOR")
        moved = self.node("GeometryNodeSetPosition")
        self.link(geometry, moved, "Geometry")
        self.link(self.output(blend, "Result"), moved, "Position")
        return self.output(moved, "Geometry")
