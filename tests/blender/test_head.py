"""The head object: channels, a proxy that moves as the engine's mesh does, and copies that are their own."""

import numpy as np
import pytest

JAW, SMILE_L, SMILE_R = "AU26 Jaw Drop", "AU12 Lip Corner Puller.L", "AU12 Lip Corner Puller.R"


def expected_mesh(blender, geometry, values):
    """docs/head-file.md's steps 1 to 4, written out in float64."""
    table, pose = blender.contract("channels"), blender.contract("pose")
    arrays = {name: array.astype(np.float64) for name, array in geometry.arrays.items() if array.dtype.kind == "f"}
    units = dict(zip(table.UNITS, table.to_units(values), strict=True))
    ids = geometry.arrays["vertex_ids"]
    vertices = arrays["vertices"].copy()
    for name, delta in zip(geometry.units, arrays["unit_deltas"], strict=True):
        vertices[ids] += units[name] * delta
    for names, delta in zip(geometry.combinations(), arrays["combination_deltas"], strict=True):
        vertices[ids] += np.prod([units[name] for name in names]) * delta
    for side, part, sign in (("left", "eye.L", 1), ("right", "eye.R", -1)):
        ball, eye = geometry.ball(part), geometry.eyes[side]
        centre = np.array(eye["centre"]) + (vertices[ball] - arrays["vertices"][ball]).mean(0)
        look = {way: units[f"eyeLook{way}{side.title()}"] for way in ("In", "Out", "Up", "Down")}
        turn = pose.turn(sign * (look["Out"] - look["In"]) * eye["yaw"], (look["Up"] - look["Down"]) * eye["pitch"])
        vertices[ball] = (vertices[ball] - centre) @ turn.T + centre
    weight = arrays["head_weight"][:, None]
    turned = (vertices - geometry.pivot) @ pose.head_rotation(values).T + geometry.pivot
    return (1 - weight) * vertices + weight * turned


@pytest.mark.parametrize("seed", [1, 2])
def test_the_proxy_moves_as_the_engines_mesh(blender, seed):
    head = blender.add_head()
    reply = blender.module("session").running().load_head("Ada").wait(60)
    geometry = blender.module("head.proxy").Geometry.from_reply(reply)
    table = blender.contract("channels")
    random = np.random.default_rng(seed)
    values = np.array([random.uniform(c.minimum, c.maximum) * (random.random() < 0.5) for c in table.CHANNELS])
    values[table.INDEX[JAW]] = 9.0  # beyond its range: clamped on reading
    blender.pose(head, {name: float(value) for name, value in zip(table.NAMES, values, strict=True)})
    expected = expected_mesh(blender, geometry, values)
    assert np.abs(blender.vertices(head) - expected).max() < 1e-5  # metres


def test_drivers_need_no_python(blender):
    head = blender.add_head()
    owners = (head, head.data.shape_keys)
    drivers = [curve.driver for owner in owners for curve in owner.animation_data.drivers]
    assert len(drivers) >= 54 and all(driver.is_simple_expression and driver.is_valid for driver in drivers)


def test_channels_carry_what_the_table_says(blender):
    head = blender.add_head()
    for channel in blender.contract("channels").CHANNELS:
        shown = head.id_properties_ui(channel.name).as_dict()
        assert (shown["min"], shown["max"]) == pytest.approx((channel.minimum, channel.maximum))
        assert shown["soft_max"] == pytest.approx(channel.soft_maximum) and shown["default"] == 0.0
        assert shown["description"] == channel.tooltip
        assert shown["subtype"] == ("ANGLE" if channel.unit == "radians" else "NONE")
        assert head.is_property_overridable_library(f'["{channel.name}"]')


def test_a_head_stands_at_the_cursor_at_life_size(blender):
    blender.scene.cursor.location = (1.0, 2.0, 3.0)
    head = blender.add_head()
    assert tuple(head.location) == (1.0, 2.0, 3.0)
    assert 0.2 < head.dimensions.z < 0.7  # metres, head and bust


def jaw_drop(blender, obj):
    """How far the lowest-weighted jaw vertices have come down: the largest move of any vertex, in metres."""
    neutral = np.empty(len(obj.data.vertices) * 3, np.float32)
    obj.data.vertices.foreach_get("co", neutral)
    return float(np.abs(blender.vertices(obj) - neutral.reshape(-1, 3)).max())


@pytest.mark.parametrize("how", ["Shift-D", "Alt-D", "script"])
def test_a_copy_has_its_own_face(blender, how):
    bpy = blender.bpy
    head = blender.add_head()
    if how == "script":
        copy = head.copy()
        blender.scene.collection.objects.link(copy)
    else:
        bpy.ops.object.duplicate(linked=how == "Alt-D")
        copy = bpy.context.object
    bpy.context.view_layer.update()
    blender.pose(copy, {JAW: 1.0})
    assert copy is not head and jaw_drop(blender, copy) > 0.005
    assert jaw_drop(blender, head) < 1e-6
    blender.pose(head, {"Head Yaw": 0.5})
    assert jaw_drop(blender, head) > 0.02
    blender.pose(copy, {JAW: 0.0})
    assert jaw_drop(blender, copy) < 1e-6


def saved(blender, folder):
    path = folder / "head.blend"
    blender.bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_a_file_saved_and_opened_is_the_same(blender, tmp_path):
    head = blender.add_head()
    blender.pose(head, {SMILE_L: 0.7, JAW: 0.4, "Gaze Horizontal": -0.5})
    before = blender.vertices(head)
    path = saved(blender, tmp_path)
    blender.bpy.ops.wm.open_mainfile(filepath=str(path))
    head = blender.bpy.data.objects["Ada"]
    assert head.mien.head == "Ada" and head[SMILE_L] == pytest.approx(0.7)
    assert np.array_equal(blender.vertices(head), before)


@pytest.mark.parametrize("link", [False, True])
def test_append_and_library_override(blender, tmp_path, link):
    bpy = blender.bpy
    head = blender.add_head()
    blender.pose(head, {SMILE_R: 0.6})
    path = saved(blender, tmp_path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(path), link=link) as (_, wanted):
        wanted.objects = ["Ada"]
    (obj,) = wanted.objects
    scene = bpy.context.scene
    scene.collection.objects.link(obj)
    if link:
        obj = obj.override_hierarchy_create(scene, bpy.context.view_layer)
        assert obj.library is None
    assert obj[SMILE_R] == pytest.approx(0.6)
    still = blender.vertices(obj)
    blender.pose(obj, {JAW: 1.0, "Head Pitch": 0.3})
    assert np.abs(blender.vertices(obj) - still).max() > 0.02
    if link:
        again = tmp_path / "user.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(again))
        bpy.ops.wm.open_mainfile(filepath=str(again))
        assert next(o for o in bpy.data.objects if o.override_library)[JAW] == pytest.approx(1.0)


def test_with_the_extension_off_the_head_still_moves(blender, tmp_path):
    import addon_utils
    import conftest

    bpy = blender.bpy
    head = blender.add_head()
    for frame, value in ((1, 0.0), (11, 1.0)):
        head[JAW] = value
        head.keyframe_insert(f'["{JAW}"]', frame=frame)
    path = saved(blender, tmp_path)
    addon_utils.disable(conftest.PACKAGE)
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path))
        head = bpy.data.objects["Ada"]
        assert not hasattr(head, "mien")
        bpy.context.scene.frame_set(11)
        assert jaw_drop(blender, head) > 0.005
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
    finally:
        addon_utils.enable(conftest.PACKAGE)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert bpy.data.objects["Ada"].mien.head == "Ada"


def test_mirror_and_reset(blender):
    head = blender.add_head()
    blender.pose(head, {SMILE_L: 0.8, "Head Yaw": 0.3, "AU61 Eyes Turn Left.L": 0.5, "AU26 Jaw Drop": 0.2})
    assert blender.bpy.ops.mien.mirror_zone(zone="all") == {"FINISHED"}
    assert (head[SMILE_L], head[SMILE_R]) == pytest.approx((0.0, 0.8))
    assert head["Head Yaw"] == pytest.approx(-0.3) and head["AU62 Eyes Turn Right.R"] == pytest.approx(0.5)
    assert head[JAW] == pytest.approx(0.2)
    assert blender.bpy.ops.mien.reset_zone(zone="mouth") == {"FINISHED"}
    assert head[SMILE_R] == 0.0 and head[JAW] == pytest.approx(0.2)


def test_keys_lie_in_groups_by_zone(blender):
    head = blender.add_head()
    blender.bpy.ops.mien.key_zone(zone="mouth")
    head.keyframe_insert('["AU45 Blink.L"]')  # as hovering over a slider and pressing I does
    blender.bpy.context.view_layer.update()
    (bag,) = blender.module("animate.curves").channelbags(head)
    groups = {group.name: len(group.channels) for group in bag.groups}
    assert groups["Mouth"] == len(blender.module("head.channels").of_zone("mouth"))
    assert groups["Eyes"] == 1


def test_a_missing_head_is_said_and_adds_nothing(blender):
    count = len(blender.bpy.data.objects)
    with pytest.raises(RuntimeError, match="Nobody"):
        blender.bpy.ops.mien.add_head(head="Nobody")
    assert len(blender.bpy.data.objects) == count


def test_no_driver_is_longer_than_blender_keeps(blender):
    """Every driver of a head, read back: a cut expression would be another one."""
    limit = blender.module("head.expressions").EXPRESSION_LIMIT
    head = blender.add_head()
    data = [head.data.shape_keys.animation_data, head.animation_data]
    texts = [curve.driver.expression for owner in data if owner for curve in owner.drivers]
    assert len(texts) >= 54 and max(len(text) for text in texts) < limit


# ── valence and arousal ──────────────────────────────────────────────────────────────────────────────────────────────


def test_valence_and_arousal_move_the_proxy_as_the_engine_does(blender):
    head = blender.add_head()
    reply = blender.module("session").running().load_head("Ada").wait(60)
    geometry = blender.module("head.proxy").Geometry.from_reply(reply)
    table = blender.contract("channels")
    for valence, arousal in ((0.7, 0.7), (-0.7, 0.6), (-0.5, -0.4), (0.2, -0.9), (9.0, -9.0), (0.0, 0.0)):
        blender.pose(head, {"Valence": valence, "Arousal": arousal})
        expected = expected_mesh(blender, geometry, table.from_mapping({"Valence": valence, "Arousal": arousal}))
        assert np.abs(blender.vertices(head) - expected).max() < 1e-5, (valence, arousal)


def test_valence_and_arousal_can_be_keyed(blender):
    head = blender.add_head()
    still = blender.vertices(head)
    for frame, value in ((1, 0.0), (11, 1.0)):
        head["Valence"] = value
        head.keyframe_insert('["Valence"]', frame=frame)
    moved = []
    for frame in (1, 6, 11):
        blender.scene.frame_set(frame)
        moved.append(float(np.abs(blender.vertices(head) - still).max()))
    assert moved[0] < 1e-6 < moved[1] < moved[2] and moved[2] > 0.002


@pytest.mark.parametrize("how", ["Shift-D", "script"])
def test_a_copy_has_its_own_valence(blender, how):
    bpy = blender.bpy
    head = blender.add_head()
    if how == "script":
        copy = head.copy()
        blender.scene.collection.objects.link(copy)
    else:
        bpy.ops.object.duplicate()
        copy = bpy.context.object
    bpy.context.view_layer.update()
    blender.pose(copy, {"Valence": 1.0})
    assert jaw_drop(blender, copy) > 0.002 and jaw_drop(blender, head) < 1e-6


def test_a_head_of_an_older_file_gets_the_circle_when_it_is_opened(blender, tmp_path):
    """Files of the first version have one driver for valence and one for arousal, and no circle."""
    head = blender.add_head()
    keys, expressions = head.data.shape_keys, blender.module("head.expressions")
    for name in (expressions.PAD, expressions.CIRCLE):
        keys.driver_remove(f'["{name}"]')
        del keys[name]
    path = 'key_blocks["mouthSmileLeft"].value'
    keys.driver_remove(path)
    driver = keys.driver_add(path).driver
    variable = driver.variables.new()
    variable.name, variable.targets[0].id, variable.targets[0].data_path = "a", head, '["Valence"]'
    driver.expression = "clamp(0.55 * clamp(a, 0, 1), 0, 1.5)"
    file = saved(blender, tmp_path)
    blender.bpy.ops.wm.open_mainfile(filepath=str(file))
    head = blender.bpy.data.objects["Ada"]
    blender.bpy.context.view_layer.update()
    blender.pose(head, {"Valence": 1.0, SMILE_L: 0.0})
    circle, table = blender.contract("circle"), blender.contract("channels")
    wanted = float((circle.weights(1.0, 0.0) @ circle.matrix(table.UNITS))[table.UNITS.index("mouthSmileLeft")])
    evaluated = blender.evaluated(head).data.shape_keys.key_blocks["mouthSmileLeft"].value
    assert evaluated == pytest.approx(wanted, abs=1e-5)
