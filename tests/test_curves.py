"""Curves and their file: what goes in comes out, and every wrong file gets one sentence."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract import curves as module
from engine.contract.channels import NAMES
from engine.contract.curves import Curves
from engine.contract.errors import MienError

GOOD = {"format": "mien-curves", "version": 1, "fps": 24, "channels": ["AU26 Jaw Drop"], "values": [[0.0], [0.5]]}


@st.composite
def some_curves(draw):
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    rows = draw(st.integers(1, 8))
    value = st.floats(-2, 2)
    values = draw(st.lists(st.lists(value, min_size=len(names), max_size=len(names)), min_size=rows, max_size=rows))
    return Curves(draw(st.floats(1, 240)), tuple(names), np.array(values))


@given(some_curves())
def test_a_saved_file_reads_back_the_same(tmp_path_factory, curves):
    path = tmp_path_factory.mktemp("curves") / "line.json"
    module.save(curves, path)
    read = module.load(path)
    assert (read.fps, read.channels) == (curves.fps, curves.channels)
    assert np.abs(read.values - curves.values).max() <= 1e-5


@given(some_curves())
def test_resampling_to_the_same_rate_changes_nothing(curves):
    again = curves.resampled(curves.fps)
    assert np.allclose(again.values[: len(curves.values)], curves.values, atol=1e-6)


def test_values_between_frames_are_linear_and_held_at_the_ends():
    curves = Curves(10, ("AU26 Jaw Drop",), np.array([[0.0], [1.0]]))
    assert curves.at(np.array([-1.0, 0.05, 9.0]))[:, 0] == pytest.approx([0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"format": "bvh"}, "not a curve file"),
        ({"version": 2}, "version 2"),
        ({"fps": 0}, "frame rate"),
        ({"fps": "24"}, "fps"),
        ({"fps": True}, "fps"),
        ({"channels": ["AU26 Jaw Drop", "AU26 Jaw Drop"], "values": [[0, 0]]}, "twice"),
        ({"channels": ["Nose"]}, "Nose"),
        ({"channels": "AU26 Jaw Drop"}, "list of channel names"),
        ({"values": []}, "at least one row"),
        ({"values": [[0.0], [0.1, 0.2]]}, "Row 1"),
        ({"values": [["a"]]}, "not a number"),
        ({"values": [[10**400]]}, "too large"),
        ({"speed": 2}, "speed"),
    ],
)
def test_a_wrong_file_is_told_apart_by_its_sentence(tmp_path, change, part):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(MienError, match=part) as caught:
        module.load(path)
    assert "wrong.json" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, "\x00", '{"format": "mien-curves"'],
)
def test_broken_json_is_one_sentence(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(MienError, match=r"broken\.json"):
        module.load(path)


def test_bytes_that_are_not_text_and_files_that_are_not_there(tmp_path):
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MienError, match="UTF-8"):
        module.load(binary)
    with pytest.raises(MienError, match=r"missing\.json"):
        module.load(tmp_path / "missing.json")


def test_saving_where_nothing_can_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(MienError, match="cannot be written"):
        module.save(Curves(24, ("AU26 Jaw Drop",), np.zeros((1, 1))), tmp_path / "no" / "such" / "folder.json")
    assert list(tmp_path.iterdir()) == []
