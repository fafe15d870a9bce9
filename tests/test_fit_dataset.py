"""Datasets: what is read back, and a sentence for everything that can be wrong with one."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

pytest.importorskip("numba")

import synthetic_dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.contract.errors import MienError
from engine.fit import dataset
from engine.fit.photos import load_photos
from engine.fit.rig import Rig


@pytest.fixture(scope="module")
def made():
    return synthetic_dataset.parts()


@pytest.fixture
def folder(tmp_path):
    synthetic_dataset.write(tmp_path)
    return tmp_path


def changed(info: dict, path: tuple, value) -> dict:
    """dataset.json's content with one entry replaced; a value of None removes it."""
    result = copy.deepcopy(info)
    at = result
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return result


def test_what_is_saved_is_read_back(tmp_path, made):
    info, arrays = made
    strands = {
        "strands.hair.points": np.random.default_rng(0).random((5, 4, 3)).astype(np.float32),
        "strands.hair.triangle": np.arange(5, dtype=np.int32),
        "strands.hair.radius": np.float32([0.0001]),
        "hint.lips": np.linspace(0, 1, len(arrays["mesh.vertices"]), dtype=np.float32),
    }
    dataset.save(tmp_path, info, {**arrays, **strands})
    read = dataset.load(tmp_path)
    assert read.rig.units == tuple(info["units"])
    assert read.poses == info["poses"]
    assert len(read.views) == len(info["views"])
    assert read.taken() == []
    np.testing.assert_array_equal(read.rig["mesh.vertices"], arrays["mesh.vertices"])
    np.testing.assert_array_equal(read.strands["hair"].triangle, np.arange(5))
    assert read.hints["lips"].max() == 1


def test_pictures_are_read_and_some_are_always_held_out(folder):
    read = dataset.load(folder)
    (folder / "images" / "05.png").unlink()
    photos = load_photos(read, Rig(read.rig))
    assert len(photos) == len(read.views) - 1
    kept = [photo for photo in photos if photo.held_out]
    assert {photo.view.pose for photo in kept} == {"neutral", "open", "smile"}
    assert len(kept) < len(photos) / 3
    small = photos[0].smaller(2)
    assert small.pixels.shape == (32, 32, 4)
    np.testing.assert_allclose(small.layers()[1].mean(), photos[0].layers()[1].mean(), atol=0.01)


NAN, FAR = float("nan"), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -9]]
VIEW = ("views", 3)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("units",), None, "key 'units' is missing"),
        (("units",), [], "no face units; give the character shape keys"),
        (("poses", "open"), {"jawDrop": 1.0}, "'jawDrop', which is no face unit"),
        (("poses", "open"), {"tongueOut": 1.0}, "the mesh does not have"),
        (("poses", "open"), {"jawOpen": NAN}, "number from 0 to"),
        (("poses", "open"), {"jawOpen": -0.1}, "number from 0 to"),
        (("poses", "open"), 3, "not an object"),
        (("poses",), {}, "1 to"),
        (("views",), [], "1 to"),
        ((*VIEW, "pose"), "laughing", "not among 'poses'"),
        ((*VIEW, "width"), 1_000_000, "whole numbers from"),
        ((*VIEW, "height"), 2.5, "whole numbers from"),
        ((*VIEW, "held_out"), "no", "true or false"),
        ((*VIEW, "K"), [[1, 0], [0, 1]], "3 rows of 3"),
        ((*VIEW, "K"), [[NAN, 0, 1], [0, 1, 1], [0, 0, 1]], "finite"),
        ((*VIEW, "K"), [[-5, 0, 1], [0, 5, 1], [0, 0, 1]], "fx and fy above 0"),
        ((*VIEW, "K"), [[5, 0, 1], [0, 5, 1], [0, 0, 2]], r"\[0, 0, 1\]"),
        ((*VIEW, "world_to_camera"), None, "'world_to_camera' is missing"),
        ((*VIEW, "world_to_camera"), [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 5]], "scales, shears or mirrors"),
        ((*VIEW, "world_to_camera"), [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 5]], "mirrors"),
        ((*VIEW, "world_to_camera"), [[NAN] * 4] * 3, "finite"),
        ((*VIEW, "world_to_camera"), FAR, "behind its camera; give world_to_camera in OpenCV's axes"),
        ((*VIEW, "image"), "../../etc/passwd.png", "not a PNG file below"),
        ((*VIEW, "image"), "/etc/x.png", "not a PNG file below"),
        ((*VIEW, "image"), "images\\x.png", "below the dataset's folder"),
        ((*VIEW, "image"), "C:/x.png", "below the dataset's folder"),
        ((*VIEW, "image"), "images/x.exr", "not a PNG file"),
        ((*VIEW, "image"), "images/00.png", "two views have the same picture"),
        (VIEW, 7, "not an object"),
        (("format",), "mien-head", "does not say format"),
        (("version",), 2, "reads 1; update Mien"),
        (("camera",), {"target": [0, 0]}, "dataset.json"),
        (("neck",), None, "'neck' is missing"),
    ],
)
def test_what_is_wrong_in_the_description_is_said_in_one_sentence(made, path, value, sentence):
    info, arrays = made
    whole = {"format": dataset.FORMAT, "version": dataset.VERSION, **info}
    with pytest.raises(MienError, match=sentence) as caught:
        dataset.make("D", changed(whole, path, value), arrays)
    text = str(caught.value)
    assert text.startswith("Dataset D")
    assert ";" in text
    assert text.endswith(".")
    assert "head.json" not in text


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("mesh.vertices", None, "is missing"),
        ("mesh.vertices", lambda a: a * np.float32(np.nan), "not finite"),
        ("mesh.vertices", lambda a: a * np.float32(1000), "outside"),
        ("mesh.triangles", lambda a: a + 100_000, "does not point into"),
        ("mesh.triangles", lambda a: a[:0], "does not point into"),
        ("units.deltas", lambda a: a[:2], "has 2 rows"),
        ("combinations.deltas", None, "has 0 rows"),
        ("mesh.head_weight", lambda a: a[:-1], "shape"),
        ("secret", np.zeros(3), "does not belong"),
        ("strands.beard.points", np.zeros((2, 3, 3)), "name strands"),
        ("strands.hair.points", np.zeros((2, 3, 3), np.float32), "need points, triangle and radius"),
        ("hint.lips", np.float32([0.5]), "one float for each vertex"),
        ("hint.nose", np.float32([0.5]), "name hints"),
    ],
)
def test_what_is_wrong_in_the_mesh_is_said_in_one_sentence(made, name, value, sentence):
    info, arrays = made
    arrays = dict(arrays)
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value(arrays[name]) if callable(value) else value
    with pytest.raises(MienError, match=sentence) as caught:
        dataset.make("D", {"format": dataset.FORMAT, "version": dataset.VERSION, **info}, arrays)
    assert "head.json" not in str(caught.value)


def paint(path, mode="RGBA", size=(64, 64), colour=(200, 100, 50, 255)):
    Image.new(mode, size, colour[: len(mode)]).save(path)


def test_pictures_that_cannot_be_used_are_named(folder):
    read = dataset.load(folder)
    path = folder / "images" / "00.png"
    good = path.read_bytes()
    for prepare, sentence in (
        (lambda: paint(path, size=(32, 64)), "is 32 × 64 pixels, dataset.json says 64 × 64"),
        (lambda: paint(path, mode="RGB"), "no alpha channel"),
        (lambda: paint(path, colour=(9, 9, 9, 0)), "is empty"),
        (lambda: path.write_bytes(good[:200]), "damaged"),
        (lambda: path.write_bytes(b"GIF89a"), "no PNG"),
        (lambda: path.write_bytes(b""), "no PNG"),
        (lambda: Image.new("RGBA", (64, 64)).save(path, "TIFF"), "no PNG"),
    ):
        prepare()
        with pytest.raises(MienError, match=sentence) as caught:
            load_photos(read, Rig(read.rig))
        assert "00.png" in str(caught.value)


def test_a_camera_that_does_not_fit_its_picture_is_found(folder):
    info = json.loads((folder / "dataset.json").read_text())
    info["views"][0]["world_to_camera"][0][3] += 0.12
    (folder / "dataset.json").write_text(json.dumps(info))
    read = dataset.load(folder)
    with pytest.raises(MienError, match=r"00\.png: only .* of the mesh lies where the picture shows the head"):
        load_photos(read, Rig(read.rig))


def test_pictures_without_transparency_and_missing_ones_are_refused(folder):
    read = dataset.load(folder)
    for view in read.views:
        paint(folder / view.image)
    with pytest.raises(MienError, match="transparent background"):
        load_photos(read, Rig(read.rig))
    for view in read.views[2:]:
        (folder / view.image).unlink()
    with pytest.raises(MienError, match="too few"):
        load_photos(read, Rig(read.rig))
    for view in read.views[:2]:
        (folder / view.image).unlink()
    with pytest.raises(MienError, match="no pictures"):
        load_photos(read, Rig(read.rig))


def test_folders_and_files_that_are_none_are_refused(folder, tmp_path):
    with pytest.raises(MienError, match=r"no dataset\.json"):
        dataset.load(tmp_path / "nowhere")
    rig = folder / "rig.safetensors"
    data = rig.read_bytes()
    for broken in (b"", data[:7], data[: len(data) // 2], b"\xff" * 64, b"\xff\xff\xff\xff\xff\xff\xff\x7f" + data[8:]):
        rig.write_bytes(broken)
        with pytest.raises(MienError, match=r"rig\.safetensors .*write the dataset again"):
            dataset.load(folder)
    rig.unlink()
    with pytest.raises(MienError, match="can't be read"):
        dataset.load(folder)


def test_nothing_is_written_where_a_rule_is_broken(tmp_path, made):
    info, arrays = made
    with pytest.raises(MienError):
        dataset.save(tmp_path / "new", changed(info, ("views", 0, "pose"), "none"), arrays)
    assert not (tmp_path / "new").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_damage_to_the_description_is_a_crash(made, data):
    info, arrays = made
    whole = {"format": dataset.FORMAT, "version": dataset.VERSION, **copy.deepcopy(info)}
    whole["views"] = whole["views"][:2]
    at, key = whole, data.draw(st.sampled_from(sorted(whole)))
    for _ in range(3):
        if isinstance(at[key], dict) and at[key] and data.draw(st.booleans()):
            at, key = at[key], data.draw(st.sampled_from(sorted(at[key])))
        elif isinstance(at[key], list) and at[key] and data.draw(st.booleans()):
            at, key = at[key], data.draw(st.integers(0, len(at[key]) - 1))
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    at[key] = data.draw(st.recursive(leaf, lambda inner: st.lists(inner, max_size=3), max_leaves=6))
    try:
        dataset.make("D", whole, arrays)
    except MienError as error:
        assert str(error).endswith(".")
