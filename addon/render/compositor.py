"""One click from a Cycles or EEVEE scene to one with its heads in it: a scene of their own for the Mien engine, laid over by depth."""

from __future__ import annotations

import bpy

from ...engine.contract.errors import MienError
from .. import compat
from ..head.settings import in_scene, is_head

ENGINE = "MIEN"
GROUP = "Mien Depth Over"
GROUP_VERSION = 1
_NOWHERE = 1e9
"""Metres beyond which a depth means that nothing is there."""
_REACH = 3
"""Pixels that a head's depth is carried past its outline, so that soft edges are compared with what lies behind them."""


# ── the scene of heads ───────────────────────────────────────────────────────────────────────────────────────────────


def heads_scene(scene: bpy.types.Scene) -> bpy.types.Scene | None:
    """The scene in which the Mien engine renders this one's heads, if it was set up."""
    return next((other for other in bpy.data.scenes if other.mien.follows == scene), None)


def _ensure_heads_scene(scene: bpy.types.Scene) -> bpy.types.Scene:
    made = heads_scene(scene)
    if made is None:
        made = bpy.data.scenes.new(f"{scene.name} Heads")
        made.mien.follows = scene
    made.render.engine = ENGINE
    made.view_layers[0].use_pass_z = True
    made.view_layers[0].update_render_passes()
    sync(made)
    return made


def sync(made: bpy.types.Scene) -> None:
    """Bring a scene of heads up to date with the one it follows: which heads and cameras, size, time, backend."""
    scene = made.mien.follows
    wanted = {obj for obj in in_scene(scene) if _shown(obj, scene)}
    wanted |= {marker.camera for marker in scene.timeline_markers if marker.camera} | {scene.camera}
    wanted |= {obj for obj in scene.objects if obj.instance_type == "COLLECTION" and _holds_head(obj.instance_collection)}
    wanted.discard(None)
    linked = made.collection.objects
    for obj in wanted - set(linked):
        linked.link(obj)
        if is_head(obj):
            obj.visible_camera = False
    for obj in set(linked) - wanted:
        linked.unlink(obj)
    _assign(made, "camera", scene.camera)
    for name in ("frame_start", "frame_end", "frame_step"):
        _assign(made, name, getattr(scene, name))
    for name in (
        "resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y", "fps", "fps_base",
        "use_motion_blur", "motion_blur_shutter", "motion_blur_position", "use_multiview", "views_format",
    ):  # fmt: skip
        _assign(made.render, name, getattr(scene.render, name))
    for name in ("backend", "motion_samples"):
        _assign(made.mien, name, getattr(scene.mien, name))


def _assign(owner, name: str, value) -> None:
    """Set only what differs: setting tells Blender that something has changed, which would call this again."""
    if getattr(owner, name) != value:
        setattr(owner, name, value)


def _shown(obj: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    """Whether some view layer that is rendered includes it."""
    return any(obj.name in layer.objects for layer in scene.view_layers if layer.use)


def _holds_head(collection: bpy.types.Collection | None) -> bool:
    return collection is not None and any(is_head(obj) for obj in collection.all_objects)


# ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def set_up(scene: bpy.types.Scene) -> bpy.types.Node:
    """Lay the scene's heads over its picture; returns the node that does it. What is there already is kept and updated.

    Raises:
        MienError: The scene has no head, or is rendered by the Mien engine itself.
    """
    if scene.mien.follows is not None:
        raise MienError(f"{scene.name!r} is itself a scene of heads; set up {scene.mien.follows.name!r}.")
    if scene.render.engine == ENGINE:
        raise MienError("The scene's render engine is Mien, which shows heads alone; choose Cycles or EEVEE first.")
    if not any(in_scene(scene)):
        raise MienError(f"The scene {scene.name!r} has no Mien head; add one first.")
    heads = _ensure_heads_scene(scene)
    for obj in in_scene(scene):
        obj.visible_camera = False
    layer = scene.view_layers[0]
    layer.use_pass_z = True
    layer.update_render_passes()
    tree = compat.compositor_tree(scene) or compat.new_compositor_tree(scene)
    existing = next((n for n in tree.nodes if n.type == "GROUP" and n.node_tree and n.node_tree.get("mien_depth_over")), None)
    return existing or _insert(tree, scene, heads)


def _insert(tree: bpy.types.NodeTree, scene: bpy.types.Scene, heads: bpy.types.Scene) -> bpy.types.Node:
    """Put the group between what feeds the output now and the output."""
    output = compat.compositor_output(tree)
    target = output.inputs[0]
    background = _layers_node(tree, scene, scene.view_layers[0].name)
    source = target.links[0].from_socket if target.is_linked else background.outputs["Image"]
    front = _layers_node(tree, heads, heads.view_layers[0].name)
    front.label = "Heads"
    over = tree.nodes.new("CompositorNodeGroup")
    over.node_tree = _group()
    over.label = GROUP
    over.width = 180
    for name, socket in (
        ("Heads", front.outputs["Image"]),
        ("Heads Depth", front.outputs["Depth"]),
        ("Background", source),
        ("Background Depth", background.outputs["Depth"]),
    ):
        tree.links.new(socket, over.inputs[name])
    tree.links.new(over.outputs["Image"], target)
    x, y = output.location
    if output.location.x < background.location.x + 700:
        x = background.location.x + 700
    over.location = (x - 80, y)
    front.location = (background.location.x, background.location.y - 460)
    output.location = (x + 180, y)
    for viewer in (node for node in tree.nodes if node.type == "VIEWER" and node.inputs[0].is_linked):
        if viewer.inputs[0].links[0].from_socket == source:
            tree.links.new(over.outputs["Image"], viewer.inputs[0])
    return over


def _layers_node(tree: bpy.types.NodeTree, scene: bpy.types.Scene, layer: str) -> bpy.types.Node:
    """The tree's Render Layers node of that scene and layer, made if need be."""
    for node in tree.nodes:
        if node.type == "R_LAYERS" and node.scene == scene and node.layer == layer:
            return node
    node = tree.nodes.new("CompositorNodeRLayers")
    node.scene, node.layer = scene, layer
    return node


def _group() -> bpy.types.NodeTree:
    for group in bpy.data.node_groups:
        if group.library is None and group.get("mien_depth_over") == GROUP_VERSION:
            return group
    group = bpy.data.node_groups.new(GROUP, "CompositorNodeTree")
    group["mien_depth_over"] = GROUP_VERSION
    for name, kind in (
        ("Heads", "NodeSocketColor"),
        ("Heads Depth", "NodeSocketFloat"),
        ("Background", "NodeSocketColor"),
        ("Background Depth", "NodeSocketFloat"),
    ):
        group.interface.new_socket(name, in_out="INPUT", socket_type=kind)
    group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    _fill_group(group)
    return group


def _fill_group(group: bpy.types.NodeTree) -> None:
    """mask = not (background depth < heads' depth), smoothed; picture = heads · mask over background."""
    column = 0

    def node(kind: str, label: str = "") -> bpy.types.Node:
        nonlocal column
        made = group.nodes.new(kind)
        made.label = label
        made.location = (column * 190, -(column % 2) * 180)
        column += 1
        return made

    def math(operation: str, first, second, label: str = "") -> bpy.types.NodeSocket:
        made = node(compat.MATH_NODE, label)
        made.operation = operation
        for socket, value in zip(made.inputs, (first, second), strict=False):
            if isinstance(value, bpy.types.NodeSocket):
                group.links.new(value, socket)
            else:
                socket.default_value = value
        return made.outputs[0]

    given = node("NodeGroupInput").outputs
    depth = given["Heads Depth"]
    near = node("CompositorNodeDilateErode", "Carry depth past the outline")
    compat.set_dilation(near, -_REACH)
    group.links.new(depth, near.inputs[0])
    present = math("LESS_THAN", depth, _NOWHERE, "Head is here")
    extra = math("SUBTRACT", depth, near.outputs[0])
    extended = math("ADD", math("MULTIPLY", extra, present), near.outputs[0], "Depth with margin")
    hidden = math("LESS_THAN", given["Background Depth"], extended, "Something is in front")
    visible = math("SUBTRACT", 1.0, hidden)
    smooth = node("CompositorNodeAntiAliasing", "Smooth steps")
    group.links.new(visible, smooth.inputs[0])
    masked = node("CompositorNodeSetAlpha")
    compat.set_alpha_by_mask(masked)
    group.links.new(given["Heads"], masked.inputs["Image"])
    group.links.new(smooth.outputs[0], masked.inputs["Alpha"])
    over = node("CompositorNodeAlphaOver")
    back, front = compat.alpha_over_inputs(over)
    group.links.new(given["Background"], back)
    group.links.new(masked.outputs[0], front)
    group.links.new(over.outputs[0], node("NodeGroupOutput").inputs[0])


class MIEN_OT_setup_compositor(bpy.types.Operator):
    """Lay this scene's heads over its Cycles or EEVEE picture by depth. Nodes that are there stay"""

    bl_idname = "mien.setup_compositor"
    bl_label = "Set Up Compositing"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        try:
            set_up(context.scene)
        except MienError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, "The heads are composited in; render as usual with F12")
        return {"FINISHED"}


@bpy.app.handlers.persistent
def _after_update(scene, depsgraph) -> None:
    if bpy.app.is_job_running("RENDER"):
        return
    for made in bpy.data.scenes:
        if made.mien.follows is not None and made.library is None:
            sync(made)


def register() -> None:
    bpy.utils.register_class(MIEN_OT_setup_compositor)
    bpy.app.handlers.depsgraph_update_post.append(_after_update)


def unregister() -> None:
    bpy.app.handlers.depsgraph_update_post.remove(_after_update)
    bpy.utils.unregister_class(MIEN_OT_setup_compositor)
