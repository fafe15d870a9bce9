"""Which shape keys are which units, and the plan of a bake's pictures: the parts of the bake that need no Blender."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

matching = importlib.import_module("mien.addon.bake.matching")
plan = importlib.import_module("mien.addon.bake.plan")
UNITS = plan.UNITS


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("eyeBlinkLeft", ("eyeBlinkLeft",)),
        ("eye_blink_L", ("eyeBlinkLeft",)),
        ("EyeBlink.L", ("eyeBlinkLeft",)),
        ("EYE_BLINK_LEFT", ("eyeBlinkLeft",)),
        ("L_eyeBlink", ("eyeBlinkLeft",)),
        ("blendShape1.jawOpen", ("jawOpen",)),
        ("head:ARKit_jawOpen", ("jawOpen",)),
        ("eyeBlink", ("eyeBlinkLeft", "eyeBlinkRight")),
        ("browInnerUp", ("browInnerUpLeft", "browInnerUpRight")),
        ("browInnerUp_R", ("browInnerUpRight",)),
        ("mouthLeft", ("mouthLeft",)),
        ("AU12", ("mouthSmileLeft", "mouthSmileRight")),
        ("AU12L", ("mouthSmileLeft",)),
        ("au_12_right", ("mouthSmileRight",)),
        ("AU12 Lip Corner Puller.L", ("mouthSmileLeft",)),
        ("Jaw Drop", ("jawOpen",)),
        ("AU28_lower", ("mouthRollLower",)),
        ("AU17 Chin Raiser Upper Lip", ("mouthShrugUpper",)),
        ("AU30_L", ("jawLeft",)),
        ("AU61", ("eyeLookOutLeft", "eyeLookInRight")),
    ],
)
def test_names_are_understood_in_their_usual_spellings(name, units):
    assert matching.meaning_of(name).units == units


@pytest.mark.parametrize(
    "name", ["Basis", "fat", "jaw", "AU25", "AU30", "AU28", "Fcl_ALL_Joy", "mouthSmileLeft_jawOpen", ""]
)
def test_other_names_mean_no_unit(name):
    assert matching.meaning_of(name) is None


@given(st.text(max_size=60))
def test_any_name_means_something_or_nothing(name):
    meaning = matching.meaning_of(name)
    assert meaning is None or set(meaning.units) <= set(UNITS)
    assert all(set(group) <= set(UNITS) for group in matching.combination_of(name))


def test_every_arkit_shape_and_every_channel_of_one_unit_is_found_by_its_own_name():
    assert all(matching.meaning_of(shape) for shape in matching.ARKIT_52)
    for channel in matching.CHANNELS:
        if channel.arkit:
            assert matching.meaning_of(channel.name).units[0] in channel.positive


def test_keys_of_several_objects_move_together_and_the_closest_name_wins():
    table = matching.match({"Face": ["jawOpen", "AU27", "eyeBlink", "eyeBlink_L"], "Teeth": ["jawOpen", "old"]})
    assert [(move.object, move.key) for move in table.moves["jawOpen"]] == [("Face", "jawOpen"), ("Teeth", "jawOpen")]
    assert table.moves["eyeBlinkLeft"][0].key == "eyeBlink_L"
    assert table.shared() == {"eyeBlinkRight"}
    assert table.others == [("Teeth", "old")]


def test_what_is_missing_is_said_in_channels():
    table = matching.match({"Face": [unit for unit in UNITS if not unit.startswith(("tongue", "noseSneer"))]})
    assert matching.missing_sentence(table) == (
        "No shape keys were found for 2 channels, which will not move: AU09 Nose Wrinkler, AU19 Tongue Show."
    )
    assert matching.missing_sentence(matching.match({"Face": UNITS})) == ""


def test_correctives_are_known_by_their_names_side_by_side():
    groups = matching.combination_of("corrective_mouthSmile_jawOpen")
    assert matching.sides(groups) == [
        (("mouthSmileLeft", "jawOpen"), "Left"),
        (("mouthSmileRight", "jawOpen"), "Right"),
    ]


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (("Std_Eye_L", "CC_Base_Eye"), "eye.L"), (("", "EyeRight"), "eye.R"), (("", "Eyes"), "eyes"),
        (("", "Eyebrows"), "brows"), (("", "CC_Base_TearLine"), "none"), (("Std_Upper_Teeth", "Teeth"), "teeth.upper"),
        (("", "Wolf3D_Teeth"), "teeth"), (("Material", "Beard"), "hair"), (("Std_Skin_Head", "Body"), "skin"),
        (("", "outfit_top"), "clothes"), (("", "Cube"), "skin"),
        (("teeth", "teeth.lower"), "teeth.lower"), (("eye", "eye.R"), "eye.R"), (("iris", "Human.high-poly"), "eyes"),
        (("Lens_L", "Face"), "eye.L"),
    ],
)  # fmt: skip
def test_parts_are_guessed_from_names(names, part):
    assert matching.guess_part(*names) == part


def test_a_pictures_time_is_what_any_takes_and_what_its_pixels_take():
    def took(size):
        return 2.0 + 1e-4 * size**2

    assert plan.seconds_of_picture(took(64), 64, took(170), 170, 512) == pytest.approx(took(512))
    # Where what any picture takes is most of it, a slower small one is no reason to expect hours.
    assert plan.seconds_of_picture(3.1, 32, 3.0, 85, 256) == pytest.approx(3.1)


@pytest.mark.parametrize("quality", plan.QUALITIES)
@pytest.mark.parametrize("seed", range(4))
def test_every_unit_of_a_character_is_photographed(quality, seed):
    random = np.random.default_rng(seed)
    units = [unit for unit in UNITS if seed == 0 or random.random() < 0.5]
    poses = plan.poses(units, quality)
    shown = {unit for values in poses.values() for unit, value in values.items() if value >= 0.5}
    assert shown == set(units)
    assert poses["neutral"] == {}
    views = plan.views(poses, quality, True)
    assert {view.pose for view in views} == set(poses)
    assert len({view.image for view in views}) == len(views)
    assert any(view.held_out for view in views)


def test_sides_that_are_one_key_have_one_value():
    together = {"mouthSmileLeft", "mouthSmileRight"}
    for values in plan.poses(["mouthSmileLeft", "mouthSmileRight", "jawOpen"], "BEST", together).values():
        assert values.get("mouthSmileLeft") == values.get("mouthSmileRight")


def test_a_camera_sees_its_target_in_the_middle_and_its_radius_inside():
    frame = plan.Frame((0.0, -0.11, 0.33), 0.24, 0.12, True)
    for view in plan.views(plan.poses(UNITS, "BEST"), "BEST", True):
        K, camera = plan.camera(view, frame, 256)
        target = np.array(frame.aim(view.kind)[0])
        pixel = K @ (camera[:, :3] @ target + camera[:, 3])
        assert pixel[:2] / pixel[2] == pytest.approx([128, 128])
        assert np.linalg.det(camera[:, :3]) == pytest.approx(1)
        above = K @ (camera[:, :3] @ (target + np.array([0, 0, 0.1])) + camera[:, 3])
        assert above[1] / above[2] < 128  # y goes down
