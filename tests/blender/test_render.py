"""The Mien render engine from `bpy.ops.render.render`, as F12 and `blender -b` use it."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

SMILE = {
    "AU12 Lip Corner Puller.L": 0.9,
    "AU12 Lip Corner Puller.R": 0.4,
    "AU26 Jaw Drop": 0.3,
    "Head Yaw": 0.2,
    "Gaze Vertical": 0.5,
}
ONE_LEVEL = 1 / 255


def switch_on_all_passes(blender):
    layer = blender.scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_normal = layer.use_pass_vector = True
    layer.mien.use_pass_mask = layer.mien.use_pass_zones = True
    return [entry.name for entry in blender.contract("passes").PASSES]


def engine_root(blender):
    return Path(blender.module("session").ROOT)


def test_every_pass_arrives_with_plausible_values(blender, tmp_path):
    head = blender.add_head()
    blender.pose(head, SMILE)
    names = switch_on_all_passes(blender)
    planes = blender.render(tmp_path, names)
    alpha = planes["Combined"][..., 3]
    assert 0.15 < alpha.mean() < 0.9 and alpha.max() <= 1.0
    inside = alpha > 0.95
    assert np.abs(planes["Mask"][..., 0] - alpha).max() < 1e-3
    assert (planes["Depth"][alpha == 0] == np.float32(1e10)).all()
    assert np.abs(planes["Depth"][inside] - 1.1).max() < 0.6  # metres: the camera stands 1.1 m off
    lengths = np.linalg.norm(planes["Normal"], axis=-1)[inside]
    assert np.abs(lengths.mean() - 1) < 0.1
    facing = planes["Normal"][inside][:, 1].mean()
    assert facing < -0.3  # the face looks along −y, in world space
    zones = sum(planes[name] for name in names if name.startswith("Mask "))
    assert np.abs(zones - planes["Mask"]).max() < 0.01  # the zones share the head among them
    assert np.abs(planes["Vector"]).max() < 1e-3  # nothing moves


def test_the_same_frame_as_the_engines_own_command(blender, tmp_path, engine_python):
    head = blender.add_head()
    blender.pose(head, SMILE)
    blender.camera.data.shift_x, blender.camera.data.shift_y = 0.05, -0.03
    blender.scene.render.resolution_y = 72
    mine = blender.render(tmp_path)["Combined"]
    view = blender.module("render.camera").of_scene(blender.scene, blender.bpy.context.evaluated_depsgraph_get())
    camera = tmp_path / "camera.json"
    camera.write_text(json.dumps({"world_to_camera": view.world_to_camera.tolist(), "K": view.K.tolist()}))
    curves = blender.contract("curves")
    values = blender.module("head.channels").read(blender.evaluated(head))
    names = blender.contract("channels").NAMES
    file = tmp_path / "curves.json"
    file.write_text(json.dumps(curves.Curves(24.0, names, values[None]).to_json(decimals=9)))
    command = [engine_python, "-m", "engine", "render", "--head", "Ada", "--curves", file, "--camera", camera]
    command += ["--size", "96x72", "--out", tmp_path / "out", "--float"]
    subprocess.run([str(item) for item in command], cwd=engine_root(blender), check=True, timeout=300)
    (result,) = (tmp_path / "out").rglob("*.npz")
    with np.load(result) as planes:
        theirs = planes["Combined"]
    assert theirs.shape == mine.shape
    assert np.abs(mine - theirs).max() <= ONE_LEVEL


def test_depth_of_field_follows_the_cameras_lens_and_focus_object(blender, tmp_path):
    blender.add_head()
    blender.camera.data.lens = 50.0
    sharp = blender.render(tmp_path)["Combined"]
    lens, target = blender.camera.data.dof, blender.bpy.data.objects.new("Focus", None)
    blender.scene.collection.objects.link(target)
    lens.use_dof, lens.aperture_fstop, lens.focus_object = True, 0.5, target

    def focused(y):
        target.location = (0.3, y, 0.5)
        blender.bpy.context.view_layer.update()
        graph = blender.bpy.context.evaluated_depsgraph_get()
        view = blender.module("render.camera").of_scene(blender.scene, graph)
        return view, blender.render(tmp_path)["Combined"]

    forward = blender.camera.matrix_world.to_3x3().col[2]
    here = blender.camera.matrix_world.translation
    view, blurred = focused(here.y + 8.0)
    assert view.aperture == pytest.approx(0.1) and view.message()["aperture"] == view.aperture
    assert view.focus == pytest.approx(abs((target.location - here) @ forward), rel=1e-5)

    def edges(picture):
        return np.abs(np.diff(picture[..., 3], axis=1)).max()

    assert edges(blurred) < 0.7 * edges(sharp)
    lens.use_dof = False
    assert np.abs(blender.render(tmp_path)["Combined"] - sharp).max() < 1e-6


def test_an_animations_frame_is_the_still_frame(blender, tmp_path):
    head = blender.add_head()
    for frame, value in ((1, 0.0), (5, 1.0)):
        head["AU26 Jaw Drop"] = value
        head.keyframe_insert('["AU26 Jaw Drop"]', frame=frame)
    scene = blender.scene
    scene.frame_set(3)
    still = blender.render(tmp_path)["Combined"]
    scene.frame_start = scene.frame_end = 3
    scene.frame_set(1)
    scene.render.filepath = str(tmp_path / "anim_")
    assert blender.bpy.ops.render.render(animation=True) == {"FINISHED"}
    import exr

    moving = exr.read(tmp_path / "anim_0003.exr")[f"{scene.view_layers[0].name}.Combined"]
    assert np.array_equal(still, moving)
    scene.frame_set(1)
    assert np.abs(blender.render(tmp_path)["Combined"] - still).max() > 0.05  # the jaw did move


def test_a_border_is_a_part_of_the_whole(blender, tmp_path):
    blender.add_head()
    whole = blender.render(tmp_path)["Combined"]
    render = blender.scene.render
    render.use_border = True
    render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = 0.25, 0.8, 0.3, 0.9
    height, width = whole.shape[:2]
    left, right, bottom, top = (int(v * s) for v, s in ((0.25, width), (0.8, width), (0.3, height), (0.9, height)))
    part = (slice(height - top, height - bottom), slice(left, right))
    kept = blender.render(tmp_path)["Combined"]
    assert kept.shape == whole.shape and np.array_equal(kept[part], whole[part])
    assert np.count_nonzero(kept) < np.count_nonzero(whole)
    render.use_crop_to_border = True
    assert np.array_equal(blender.render(tmp_path)["Combined"], whole[part])


def test_percentage_and_lens_shift(blender, tmp_path):
    blender.add_head()
    full = blender.render(tmp_path)["Combined"]
    blender.camera.data.shift_x = 0.125  # of the width: 12 of 96 pixels, to the left in the picture
    shifted = blender.render(tmp_path)["Combined"]
    assert np.abs(shifted[:, :84] - full[:, 12:]).mean() < 2e-3
    blender.scene.render.resolution_percentage = 50
    assert blender.render(tmp_path)["Combined"].shape == (48, 48, 4)


def test_motion_blur_smears_and_leaves_the_frame_as_it_was(blender, tmp_path):
    head = blender.add_head()
    for frame, x in ((1, -0.2), (3, 0.2)):
        head.location.x = x
        head.keyframe_insert("location", frame=frame)
    blender.scene.view_layers[0].use_pass_vector = True
    blender.scene.frame_set(2)
    sharp = blender.render(tmp_path, ("Combined", "Vector"))
    blender.scene.render.use_motion_blur = True
    blender.scene.mien.motion_samples = 6
    blurred = blender.render(tmp_path)["Combined"]
    assert (blender.scene.frame_current, blender.scene.frame_subframe) == (2, 0.0)
    partial = lambda plane: np.count_nonzero((plane[..., 3] > 0.05) & (plane[..., 3] < 0.95))  # noqa: E731
    assert partial(blurred) > 2 * partial(sharp["Combined"])
    inside = sharp["Combined"][..., 3] > 0.95
    towards = np.median(sharp["Vector"][inside], axis=0)
    # Pixels, with Cycles' signs: x is where it was minus where it is, z where it is minus where it will be.
    assert towards[0] < -5 and towards[2] < -5
    assert abs(towards[1]) < 2 and abs(towards[3]) < 2


def test_view_layers_show_their_own_heads(blender, tmp_path):
    bpy, scene = blender.bpy, blender.scene
    collection = bpy.data.collections.new("Only in one")
    scene.collection.children.link(collection)
    head = blender.add_head()
    scene.collection.objects.unlink(head)
    collection.objects.link(head)
    other = scene.view_layers.new("Empty")
    other.layer_collection.children[0].exclude = True
    assert blender.render(tmp_path)["Combined"][..., 3].max() > 0.95
    assert blender.render(tmp_path, layer="Empty")["Combined"].max() == 0
    head.hide_render = True
    assert blender.render(tmp_path)["Combined"].max() == 0


def test_a_head_held_out_cuts_a_hole(blender, tmp_path):
    back = blender.add_head()
    front = blender.add_head()
    back.location.y, front.location = 0.4, (0.08, -0.1, 0.0)
    blender.scene.view_layers[0].use_pass_z = True
    both = blender.render(tmp_path, ("Combined", "Depth"))
    front.is_holdout = True
    cut = blender.render(tmp_path, ("Combined", "Depth"))
    front.hide_render = True
    alone = blender.render(tmp_path)["Combined"]
    near = both["Depth"][..., 0] < 1.05  # well within the front head: at its edge the two depths mix
    hole = cut["Combined"][near & (both["Combined"][..., 3] > 0.99)]
    assert hole.mean() < 0.01 and hole.max() < 0.3
    far = both["Depth"][..., 0] > 1.3
    assert np.abs(cut["Combined"][far] - alone[far]).mean() < 2e-3  # but for the front head's soft edge
    assert (cut["Depth"][cut["Combined"][..., 3] < ONE_LEVEL / 2] == np.float32(1e10)).all()


def test_splats_switched_off_and_instances(blender, tmp_path):
    bpy, scene = blender.bpy, blender.scene
    head = blender.add_head()
    head.mien.show_splats = False
    assert blender.render(tmp_path)["Combined"].max() == 0
    head.mien.show_splats = True
    collection = bpy.data.collections.new("Source")
    collection.objects.link(head)
    scene.collection.objects.unlink(head)
    empty = bpy.data.objects.new("Instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    scene.collection.objects.link(empty)
    assert blender.render(tmp_path)["Combined"][..., 3].max() > 0.95


def test_orthographic_agrees_with_a_long_lens(blender, tmp_path):
    blender.add_head()
    scene, data = blender.scene, blender.camera.data
    scene.view_layers[0].use_pass_z = True
    data.type, data.ortho_scale = "ORTHO", 0.6
    flat = blender.render(tmp_path, ("Combined", "Depth"))
    data.type, data.sensor_width, data.clip_end = "PERSP", 36.0, 1000.0
    # Along the camera's own axis, so far off that 0.6 m fill the picture.
    far = 100.0
    data.lens = far / 0.6 * 36.0
    axis = blender.camera.matrix_world.to_quaternion() @ __import__("mathutils").Vector((0, 0, 1))
    blender.camera.location += axis * (far - 1.1)
    long = blender.render(tmp_path, ("Combined", "Depth"))
    assert np.abs(flat["Combined"] - long["Combined"]).mean() < 5e-3
    inside = (flat["Combined"][..., 3] > 0.95) & (long["Combined"][..., 3] > 0.95)
    assert np.abs(flat["Depth"][inside] - long["Depth"][inside] + (far - 1.1)).mean() < 2e-3


def test_stereo_renders_both_eyes(blender, tmp_path):
    blender.add_head()
    scene = blender.scene
    scene.render.use_multiview = True
    scene.render.views_format = "STEREO_3D"
    blender.camera.data.stereo.interocular_distance = 0.1
    blender.camera.data.stereo.convergence_distance = 1.1
    settings = scene.render.image_settings
    blender.module("compat").multilayer_exr(settings)
    settings.color_depth, settings.exr_codec = "32", "NONE"
    settings.views_format = "MULTIVIEW"
    scene.render.filepath = str(tmp_path / "stereo.exr")
    assert blender.bpy.ops.render.render(write_still=True) == {"FINISHED"}
    import exr

    planes = exr.read(tmp_path / "stereo.exr")
    left, right = (
        next(plane for name, plane in planes.items() if "Combined" in name and eye in name) for eye in ("left", "right")
    )
    assert left[..., 3].max() > 0.95 and right[..., 3].max() > 0.95
    assert np.abs(left - right).max() > 0.1


@pytest.mark.parametrize("wrong, said", [("panorama", "panoramic"), ("head", "no-such-head")])
def test_what_cannot_be_rendered_is_said(blender, tmp_path, wrong, said):
    head = blender.add_head()
    if wrong == "panorama":
        blender.camera.data.type = "PANO"
    else:
        head.mien.head = "no-such-head"
    with pytest.raises(RuntimeError, match=said):
        blender.render(tmp_path)
