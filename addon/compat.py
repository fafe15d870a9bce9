"""Every difference between Blender 4.5 LTS and 5.2 LTS that Mien meets, and nothing else."""

from __future__ import annotations

import bpy

BLENDER_5 = bpy.app.version >= (5, 0, 0)
EEVEE = "BLENDER_EEVEE" if BLENDER_5 else "BLENDER_EEVEE_NEXT"

# ── animation ────────────────────────────────────────────────────────────────────────────────────────────────────────


def channelbag(action: bpy.types.Action, slot: bpy.types.ActionSlot) -> bpy.types.ActionChannelbag:
    """The F-curves of one slot of an Action; its layer and strip are made if need be."""
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def modifier_input_path(modifier: bpy.types.NodesModifier, identifier: str) -> str:
    """Data path, from the object, of a Geometry Nodes modifier's input. Blender 5 translates an older file's."""
    base = f'modifiers["{bpy.utils.escape_identifier(modifier.name)}"]'
    return f"{base}.properties.inputs.{identifier}.value" if BLENDER_5 else f'{base}["{identifier}"]'


def set_modifier_input(modifier: bpy.types.NodesModifier, identifier: str, value) -> None:
    if BLENDER_5:
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose sequencer the artist sees: since 5.0 a workspace may pin one."""
    workspace = getattr(context, "workspace", None)
    return getattr(workspace, "sequencer_scene", None) or context.scene


def strip_frames(strip: bpy.types.Strip) -> tuple[float, float, float]:
    """(first frame shown, frame after the last, frame at which the untrimmed content would begin)."""
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.right_handle, strip.content_start
    return strip.frame_final_start, strip.frame_final_end, strip.frame_start


# ── materials and worlds ─────────────────────────────────────────────────────────────────────────────────────────────


def ensure_nodes(owner: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """The node tree of a material or world; 4.5 makes them without one and 5.x with one."""
    if owner.node_tree is None:
        owner.use_nodes = True
    return owner.node_tree


# ── compositor ───────────────────────────────────────────────────────────────────────────────────────────────────────

MATH_NODE = "ShaderNodeMath" if BLENDER_5 else "CompositorNodeMath"


def compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The scene's compositing nodes, or None where it has none in use."""
    if BLENDER_5:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def new_compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """An empty compositing tree, in use by the scene, with its output socket."""
    if BLENDER_5:
        tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
        return tree
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree


def own_compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Give a scene that shares its compositing nodes with others a copy of its own; in 4.5 they are always its own."""
    if BLENDER_5:
        scene.compositing_node_group = scene.compositing_node_group.copy()
    return compositor_tree(scene)


def compositor_output(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """The node whose first input is the composited picture; made if the tree has none."""
    kind = "NodeGroupOutput" if BLENDER_5 else "CompositorNodeComposite"
    found = [node for node in tree.nodes if node.bl_idname == kind]
    if BLENDER_5 and not any(item.in_out == "OUTPUT" for item in tree.interface.items_tree):
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    active = [node for node in found if getattr(node, "is_active_output", True)]
    return (active or found or [tree.nodes.new(kind)])[0]


def set_dilation(node: bpy.types.Node, pixels: int) -> None:
    """Make a Dilate/Erode node take the greatest (or for negative pixels the least) value around each pixel."""
    if hasattr(node, "distance"):
        node.mode, node.distance = "STEP", pixels
    else:
        node.inputs["Type"].default_value = "Steps"
    if "Size" in node.inputs:
        node.inputs["Size"].default_value = pixels


def set_alpha_by_mask(node: bpy.types.Node) -> None:
    """Make a Set Alpha node multiply the whole image by the alpha input."""
    if hasattr(node, "mode"):
        node.mode = "APPLY"
    else:
        node.inputs["Type"].default_value = "Apply Mask"


def alpha_over_inputs(node: bpy.types.Node) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """(background, foreground) colour inputs of an Alpha Over node."""
    named = {socket.name: socket for socket in node.inputs if socket.type == "RGBA"}
    if "Background" in named:
        return named["Background"], named["Foreground"]
    first, second = [socket for socket in node.inputs if socket.type == "RGBA"][:2]
    return first, second


def compositor_device_cpu(scene: bpy.types.Scene) -> None:
    """Composite on the CPU: the choice that works without a display."""
    if hasattr(scene.render, "compositor_device"):
        scene.render.compositor_device = "CPU"


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def multilayer_exr(settings: bpy.types.ImageFormatSettings) -> None:
    """Write OpenEXR with every pass."""
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
