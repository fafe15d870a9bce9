"""The channel table: names, ranges, and the way to ARKit's blend shapes and back."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.contract import channels as table
from engine.contract import circle
from engine.contract.errors import MienError

ARKIT_VALUES = arrays(np.float64, (3, 52), elements=st.floats(0, 1))


def test_action_units_carry_their_number_their_facs_name_and_blenders_sides():
    expected = {
        "AU01 Inner Brow Raiser.L", "AU12 Lip Corner Puller.R", "AU18 Lip Pucker", "AU26 Jaw Drop", "AU45 Blink.L",
        "AU04 Brow Lowerer.L", "AU20 Lip Stretcher.R", "AU25 Lips Part", "Valence", "Arousal", "Head Yaw",
    }  # fmt: skip
    assert expected <= set(table.NAMES)
    for channel in table.CHANNELS:
        if channel.name.startswith("AU"):
            assert re.fullmatch(r"AU\d\d [A-Z][A-Za-z ]+(\.[LR])?", channel.name)


def test_names_are_unique_and_short_enough_for_a_blender_property():
    assert len(set(table.NAMES)) == len(table.NAMES)
    assert max(len(name) for name in table.NAMES) < 64


def test_every_side_has_its_mirror():
    for channel in table.CHANNELS:
        mirrored = table.channel(channel.mirrored)
        assert mirrored.mirrored == channel.name
        assert (mirrored.minimum, mirrored.maximum, mirrored.zone) == (channel.minimum, channel.maximum, channel.zone)


def test_every_channel_moves_something_or_turns_the_head():
    for channel in table.CHANNELS:
        assert channel.tooltip and channel.zone in table.ZONE_LABELS
        assert channel.positive or channel.name in (*table.HEAD_ROTATION, *table.PAD)
        assert channel.minimum <= 0 <= channel.soft_maximum <= channel.maximum


def test_arkit_shapes_are_each_named_by_the_table():
    named = {channel.arkit for channel in table.CHANNELS if channel.arkit}
    assert named == set(table.ARKIT_52)


@given(ARKIT_VALUES)
def test_arkit_to_channels_to_arkit_is_exact(shapes):
    assert np.abs(table.to_arkit(table.from_arkit(shapes)) - shapes).max() <= 1e-6


@given(arrays(np.float64, len(table.CHANNELS), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_units_stay_in_range_whatever_is_keyed(values):
    units = table.to_units(values)
    assert np.isfinite(units).all() and units.min() >= 0 and units.max() <= table.UNIT_LIMIT


def test_gaze_turns_both_eyes_the_same_way():
    units = dict(zip(table.UNITS, table.to_units(table.from_mapping({"Gaze Horizontal": 0.5})), strict=True))
    assert units["eyeLookOutLeft"] == units["eyeLookInRight"] == 0.5
    assert units["eyeLookInLeft"] == units["eyeLookOutRight"] == 0.0


def test_an_unknown_channel_is_named_in_the_sentence():
    with pytest.raises(MienError, match="AU99"):
        table.from_mapping({"AU99 Ear Wiggler": 1.0})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5", True, None])
def test_a_value_must_be_a_finite_number(value):
    with pytest.raises(MienError, match="Jaw Drop"):
        table.from_mapping({"AU26 Jaw Drop": value})


# ── valence and arousal ──────────────────────────────────────────────────────────────────────────────────────────────


def pad(valence, arousal):
    """Unit values [..., 54] of points of the pad, nothing else keyed."""
    valence, arousal = np.broadcast_arrays(valence, arousal)
    values = np.zeros((*valence.shape, len(table.CHANNELS)))
    values[..., table.INDEX["Valence"]], values[..., table.INDEX["Arousal"]] = valence, arousal
    return table.to_units(values)


@pytest.mark.parametrize("radius", [0.2, 0.6, 1.0])
def test_around_the_circle_the_face_has_no_jumps_and_no_kinks(radius):
    angles = np.radians(np.arange(0, 361))
    units = pad(radius * np.cos(angles), radius * np.sin(angles))
    step = np.abs(np.diff(units, axis=0))
    assert step.max() < 0.04 * radius  # a degree at a time
    assert np.abs(np.diff(units, n=2, axis=0)).max() < 0.002  # a kink would be as large as a step


def test_from_the_centre_outwards_the_face_only_grows():
    radii = np.linspace(0, 1, 41)
    for angle in np.radians(np.arange(0, 360, 15)):
        units = pad(radii * np.cos(angle), radii * np.sin(angle)).sum(axis=-1)
        assert units[0] == 0 and (np.diff(units) > 0).all()


def test_anger_and_excitement_are_different_faces():
    excited, angry = (dict(zip(table.UNITS, pad(v, 0.7), strict=True)) for v in (0.7, -0.7))
    assert excited["mouthSmileLeft"] > 0.4 and angry["mouthSmileLeft"] < 0.02
    assert angry["browDownLeft"] > 0.4 and excited["browDownLeft"] < 0.02


@given(arrays(np.float64, 2, elements=st.floats(-1.5, 1.5)))
def test_the_pad_moves_nothing_that_speech_needs(point):
    units = dict(zip(table.UNITS, pad(*point), strict=True))
    for name in ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthUpperUpLeft", "mouthLowerDownRight",
                 "mouthPressLeft", "mouthRollLower", "eyeLookDownLeft"):  # fmt: skip
        assert units[name] == 0


def test_a_drivers_expression_is_the_same_sum():
    valence, arousal = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))
    for direction in range(circle.DIRECTIONS):
        text = circle.expression(direction, "v", "a")
        for v, a, wanted in zip(valence.flat, arousal.flat, circle.weights(valence, arousal)[..., direction].flat,
                                strict=True):  # fmt: skip
            found = eval(text, {"v": v, "a": a, "sqrt": np.sqrt, "exp": np.exp, "pow": pow})
            assert found == pytest.approx(wanted, abs=1e-6)
