"""Heads composited over Cycles by depth, with one operator."""

import numpy as np
import pytest

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


@pytest.fixture
def stage(blender):
    """A head between a red board that covers its left half in front and a blue wall behind; lit evenly by emission."""
    bpy, scene = blender.bpy, blender.scene
    head = blender.add_head()
    blender.camera.location, blender.camera.rotation_euler = (0.0, -1.1, 0.3), (1.5707963, 0.0, 0.0)
    board(bpy, scene, "Front", RED, x=(0.0, 0.5), y=-0.4)
    board(bpy, scene, "Wall", BLUE, x=(-3.0, 3.0), y=1.0)
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 8, False
    scene.view_settings.view_transform = "Standard"
    return blender, head


def board(bpy, scene, name, colour, x, y):
    mesh = bpy.data.meshes.new(name)
    corners = [(x[0], y, -3.0), (x[1], y, -3.0), (x[1], y, 3.0), (x[0], y, 3.0)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    nodes = material.node_tree.nodes
    emission = nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (*colour, 1.0)
    output = next(node for node in nodes if node.type == "OUTPUT_MATERIAL")
    material.node_tree.links.new(emission.outputs[0], output.inputs["Surface"])
    mesh.materials.append(material)
    obj = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(obj)
    return obj


def composited(blender, folder):
    """The composited picture [H, W, 4], rows top-down."""
    import exr

    scene = blender.scene
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth, settings.exr_codec, settings.color_mode = (
        "OPEN_EXR",
        "32",
        "NONE",
        "RGBA",
    )
    scene.render.filepath = str(folder / "picture.exr")
    assert blender.bpy.ops.render.render(write_still=True) == {"FINISHED"}
    (picture,) = exr.read(folder / "picture.exr").values()
    return picture[..., :3]


def test_depth_decides_pixel_by_pixel(stage, tmp_path):
    blender, _ = stage
    assert blender.bpy.ops.mien.setup_compositor() == {"FINISHED"}
    picture = composited(blender, tmp_path)
    height, width = picture.shape[:2]
    assert np.abs(picture[height // 2, width - 8] - RED).max() < 0.02  # the board is in front of everything
    assert np.abs(picture[4, 8] - BLUE).max() < 0.02  # beside the head there is the wall
    face = picture[height // 2, width // 2 - 8]
    assert face[0] > face[2] and face[1] > 0.1  # skin, neither red nor blue


def test_edges_are_soft_and_without_dark_rims(stage, tmp_path):
    blender, _ = stage
    blender.bpy.ops.mien.setup_compositor()
    picture = composited(blender, tmp_path)
    alpha = head_alpha(blender, tmp_path)
    height, width = picture.shape[:2]
    outside = np.s_[:, : width // 2 - 2]
    partial = (alpha[outside] > 0.2) & (alpha[outside] < 0.8)
    assert partial.sum() > 10
    # Over a blue wall, what the head doesn't cover stays blue: premultiplied over, not a dark rim.
    blue = picture[outside][partial][:, 2]
    assert (blue > 0.95 * (1 - alpha[outside][partial])).all()
    # At the board's edge, between red and skin, the steps are smoothed: as in the plain picture, or softer.
    row = picture[height // 2 - 6 : height // 2 + 6, width // 2 - 4 : width // 2 + 4, 1]
    assert np.abs(np.diff(row, axis=1)).max() < 0.95 * (row.max() - row.min()) or row.max() - row.min() < 0.05


def test_a_mist_in_use_is_left_alone(stage, tmp_path):
    blender, _ = stage
    scene = blender.scene
    scene.world = blender.bpy.data.worlds.new("Foggy")
    scene.world.mist_settings.start = 3.0
    scene.view_layers[0].use_pass_mist = True
    blender.bpy.ops.mien.setup_compositor()
    assert scene.world.mist_settings.start == 3.0
    picture = composited(blender, tmp_path)
    height, width = picture.shape[:2]
    beside = picture[height // 2, width // 2 - 6 : width // 2 - 2]  # skin up to the board's edge
    assert (beside[:, 1] > 0.1).all()


def head_alpha(blender, folder):
    compositor, main = blender.module("render.compositor"), blender.scene
    heads = compositor.heads_scene(main)
    blender.scene = heads
    try:
        heads.render.resolution_x = main.render.resolution_x
        return blender.render(folder)["Combined"][..., 3]
    finally:
        blender.scene = main


def test_it_keeps_the_nodes_that_are_there(stage, tmp_path):
    blender, _ = stage
    compat, scene = blender.module("compat"), blender.scene
    tree = compat.new_compositor_tree(scene)
    layers = tree.nodes.new("CompositorNodeRLayers")
    blur = tree.nodes.new("CompositorNodeBlur")
    output = compat.compositor_output(tree)
    tree.links.new(layers.outputs["Image"], blur.inputs["Image"])
    tree.links.new(blur.outputs["Image"], output.inputs[0])
    blender.bpy.ops.mien.setup_compositor()
    over = output.inputs[0].links[0].from_node
    assert over.inputs["Background"].links[0].from_node == blur
    count = len(tree.nodes), len(blender.bpy.data.scenes)
    blender.bpy.ops.mien.setup_compositor()
    assert (len(tree.nodes), len(blender.bpy.data.scenes)) == count  # a second time changes nothing


def test_heads_added_later_and_camera_changes_follow(stage):
    blender, _ = stage
    bpy, scene = blender.bpy, blender.scene
    blender.bpy.ops.mien.setup_compositor()
    second = blender.add_head()
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    scene.camera = other
    scene.render.resolution_x = 128
    bpy.ops.mien.setup_compositor()  # in a window, this happens by itself
    heads = blender.module("render.compositor").heads_scene(scene)
    assert second.name in heads.objects and heads.camera == other and heads.render.resolution_x == 128
    bpy.data.objects.remove(second)
    bpy.ops.mien.setup_compositor()
    assert sum(obj.type == "MESH" for obj in heads.objects) == 1


def test_it_can_be_undone(stage):
    blender, _ = stage
    bpy = blender.bpy
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.mien.setup_compositor()
    bpy.ops.ed.undo_push(message="set up")
    assert len(bpy.data.scenes) == 2
    bpy.ops.ed.undo()
    assert len(bpy.data.scenes) == 1


def test_without_a_camera_it_says_what_is_still_to_do(stage, capfd):
    blender, _ = stage
    blender.scene.camera = None
    assert blender.bpy.ops.mien.setup_compositor() == {"FINISHED"}
    told = capfd.readouterr().out
    assert "has no camera" in told and "add one and make it active" in told
    blender.scene.camera = blender.camera
    assert blender.bpy.ops.mien.setup_compositor() == {"FINISHED"}
    assert "no camera" not in capfd.readouterr().out


@pytest.mark.parametrize("wrong, said", [("MIEN", "choose Cycles or EEVEE"), ("CYCLES", "has no Mien head")])
def test_what_cannot_be_set_up_is_said(blender, wrong, said):
    if wrong == "MIEN":
        blender.add_head()
    blender.scene.render.engine = wrong
    with pytest.raises(RuntimeError, match=said):
        blender.bpy.ops.mien.setup_compositor()
