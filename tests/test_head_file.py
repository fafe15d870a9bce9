"""Head files: what is written comes back; what is wrong, truncated, huge or hostile is refused by one sentence."""

from __future__ import annotations

import dataclasses
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import synthetic_head
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as pack

from engine.contract.errors import MienError
from engine.heads import format, library

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
RICH = synthetic_head.make_rich_parts(60)
FLOATS = [name for name, array in RICH[1].items() if array.dtype.kind == "f"]
NEW = [name for name in RICH[1] if name not in synthetic_head.make_parts(60)[1]]


@pytest.fixture(scope="module")
def parts():
    return synthetic_head.make_parts(60)


@pytest.fixture(scope="module")
def rich():
    """The parts of a head that uses all of version 1.1."""
    return synthetic_head.make_rich_parts(60)


def write(path: Path, info: object, arrays: object, extra: dict[str, bytes] | None = None, method=zipfile.ZIP_DEFLATED):
    """A head file without any check of ours."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("head.json", info if isinstance(info, bytes) else json.dumps(info))
        archive.writestr("arrays.safetensors", arrays if isinstance(arrays, bytes) else pack(arrays))
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return path


def refused(path: Path, *words: str) -> None:
    """Loading must fail with one sentence that names the file and has these words."""
    with pytest.raises(MienError) as caught:
        format.load(path)
    sentence = str(caught.value)
    assert str(path) in sentence and sentence.endswith(".") and "\n" not in sentence and len(sentence) < 600
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize("make", [synthetic_head.make, synthetic_head.make_rich])
def test_what_is_saved_comes_back(tmp_path, make):
    head = dataclasses.replace(make(60), thumbnail=PNG, figures={"psnr": 31.5})
    format.save(head, tmp_path / "a.mien")
    back = format.load(tmp_path / "a.mien")
    assert back.info() == head.info() and back.thumbnail == PNG and back.gaussian_count == 60
    for name, array in head.arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    format.save(back, tmp_path / "b.mien")
    assert (tmp_path / "a.mien").read_bytes() == (tmp_path / "b.mien").read_bytes()


def test_a_head_says_the_lowest_version_that_holds_it():
    """What uses nothing new is written as before, so that an older Mien reads it."""
    plain, rich = synthetic_head.make(60), synthetic_head.make_rich(60)
    assert plain.info()["version"] == [1, 0] and not {"stretch", "appearance"} & set(plain.info())
    assert rich.info()["version"] == [1, 1]
    assert dataclasses.replace(plain, stretch="affine").info()["version"] == [1, 1]
    assert "dilation" not in rich.info()
    assert dataclasses.replace(plain, dilation=0.1).info()["version"] == [1, 2]


def test_how_soft_a_head_is_comes_back_and_has_bounds(tmp_path, parts):
    format.save(dataclasses.replace(synthetic_head.make(60), dilation=0.1), tmp_path / "a.mien")
    assert format.load(tmp_path / "a.mien").dilation == 0.1
    newer = parts[0] | {"version": [1, 2]}
    assert format.load(write(tmp_path / "b.mien", newer, parts[1])).dilation == 0.3
    refused(write(tmp_path / "c.mien", newer | {"dilation": 0.0}, parts[1]), "'dilation'")
    refused(write(tmp_path / "d.mien", newer | {"version": [1, 1], "dilation": 0.1}, parts[1]), "1.2", "says 1.1")


def test_a_loaded_head_can_not_be_changed(tmp_path, parts):
    head = format.load(write(tmp_path / "a.mien", *parts))
    with pytest.raises(ValueError, match="read-only"):
        head["mesh.vertices"][0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        head.name = "Other"


def test_a_failed_save_leaves_the_old_file(tmp_path):
    head = synthetic_head.make(60)
    path = tmp_path / "a.mien"
    format.save(head, path)
    before = path.read_bytes()
    spoilt = dict(head.arrays) | {"mesh.vertices": head["mesh.vertices"] * np.float32(np.nan)}
    with pytest.raises(MienError, match=r"mesh\.vertices"):
        format.save(dataclasses.replace(head, arrays=spoilt), path)
    assert path.read_bytes() == before and [entry.name for entry in tmp_path.iterdir()] == ["a.mien"]
    with pytest.raises(MienError, match="can't be written"):
        format.save(head, tmp_path / "nowhere" / "a.mien")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "obj"}, ("format", "mien-head")),
        ({"version": [2, 0]}, ("version 2", "update Mien")),
        ({"version": "1.0"}, ("'version'",)),
        ({"version": [True, 0]}, ("'version'",)),
        ({"name": ""}, ("'name'",)),
        ({"licence": 5}, ("'licence'",)),
        ({"author": "x" * 9999}, ("'author'",)),
        ({"blend_space": "acescg"}, ("'blend_space'",)),
        ({"sh_degree": 4}, ("'sh_degree'",)),
        ({"sh_degree": 2}, ("gaussians.sh", "sh_degree")),
        ({"units": [*synthetic_head.UNIT_NAMES, "tongueOut"]}, ("units.deltas", "'units'")),
        ({"units": ["jawOpen"] * 6}, ("'units'", "twice")),
        ({"units": ["wink"]}, ("'units'", "wink")),
        ({"combinations": [{"units": ["jawOpen"]}] * 2}, ("'combinations'",)),
        ({"combinations": [{"units": ["jawOpen", "tongueOut"]}] * 2}, ("'combinations'", "tongueOut")),
        ({"combinations": []}, ("combinations.deltas",)),
        ({"eyes": {"left": {}}}, ("'eyes'",)),
        ({"eyes": []}, ("'eyes'",)),
        ({"neck": {"pivot": [0, 0]}}, ("neck.pivot",)),
        ({"neck": {"pivot": [0, 0, 1e9]}}, ("neck.pivot",)),
        ({"neck": {"pivot": [0, 0, 10**400]}}, ("neck.pivot",)),
        ({"parts": ["skin", "wheels"]}, ("'parts'", "wheels")),
        ({"parts": ["skin"]}, ("mesh.part",)),
        ({"camera": {"target": [0, 0, 0]}}, ("'camera'",)),
        ({"camera": {"target": [0, 0, 0], "distance": -1}}, ("camera.distance",)),
        ({"figures": [1]}, ("'figures'",)),
        ({"colour": "blue"}, ("'colour'",)),
    ],
)
def test_wrong_json_is_refused_by_key(tmp_path, parts, change, words):
    refused(write(tmp_path / "a.mien", parts[0] | change, parts[1]), *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": [1, 0]}, ("1.1", "says 1.0")),
        ({"stretch": "cubic"}, ("'stretch'",)),
        ({"stretch": ["area"]}, ("'stretch'",)),
        ({"appearance": {}}, ("'appearance'",)),
        ({"appearance": []}, ("array 'appearance.", "no 'appearance'")),
        ({"appearance": [{"units": []}] * 3}, ("'appearance'", "1 to 4")),
        ({"appearance": [{"units": ["jawOpen"] * 5}] * 3}, ("'appearance'", "1 to 4")),
        ({"appearance": [{"units": ["tongueOut"]}] * 3}, ("'appearance'", "tongueOut")),
        ({"appearance": [{"units": ["jawOpen"]}] * 2}, ("appearance.start", "'appearance'")),
        ({"appearance": [{"units": ["jawOpen"]}] * 257}, ("'appearance'", "256")),
        ({"appearance": None}, ("'appearance'",)),
    ],
)
def test_wrong_appearances_are_refused_by_key(tmp_path, rich, change, words):
    refused(write(tmp_path / "a.mien", rich[0] | change, rich[1]), *words)


@pytest.mark.parametrize("key", [key for key in synthetic_head.make_parts(60)[0] if key not in ("eyes", "figures")])
def test_missing_keys_are_refused(tmp_path, parts, key):
    refused(write(tmp_path / "a.mien", {k: v for k, v in parts[0].items() if k != key}, parts[1]), key)


def test_a_newer_minor_version_may_hold_more(tmp_path, parts):
    info, arrays = parts
    info = info | {"version": [1, 7], "mood": "new"}
    head = format.load(write(tmp_path / "a.mien", info, arrays | {"mesh.uv": np.zeros((3, 2), np.float64)}))
    assert "mesh.uv" not in head.arrays


@pytest.mark.parametrize("name", sorted(synthetic_head.make_parts(60)[1]))
def test_missing_or_misshapen_arrays_are_refused_by_name(tmp_path, parts, name):
    info, arrays = parts
    array = arrays[name]
    refused(write(tmp_path / "a.mien", info, {k: v for k, v in arrays.items() if k != name}), name)
    refused(write(tmp_path / "b.mien", info, arrays | {name: array[None]}), name, "shape")
    refused(write(tmp_path / "c.mien", info, arrays | {name: array.astype(np.float64)}), name)
    refused(write(tmp_path / "d.mien", info, arrays | {name: array[:-1]}), "rows" if "deltas" in name else "shape")


@pytest.mark.parametrize("name", NEW)
def test_new_arrays_of_the_wrong_kind_are_refused_by_name(tmp_path, rich, name):
    info, arrays = rich
    array = arrays[name]
    refused(write(tmp_path / "a.mien", info, arrays | {name: array[None]}), name, "shape")
    refused(write(tmp_path / "b.mien", info, arrays | {name: array.astype(np.float64)}), name)
    refused(
        write(tmp_path / "c.mien", info, arrays | {name: array[:-1]}), "rows" if name.endswith("start") else "shape"
    )


def test_an_appearance_needs_its_drivers_and_gaussians(tmp_path, rich, parts):
    info, arrays = rich
    for name in ("appearance.start", "appearance.gaussian"):
        refused(write(tmp_path / "a.mien", info, {k: v for k, v in arrays.items() if k != name}), name)
    for name in [name for name in NEW if name.startswith("appearance.")]:
        refused(write(tmp_path / "b.mien", parts[0], parts[1] | {name: arrays[name]}), name)


@pytest.mark.parametrize("start", [[1, 30, 60, 90], [0, 60, 30, 90], [0, 30, 60, 89], [0, 30, 60, 2**31 - 1]])
def test_a_start_that_does_not_rise_is_refused(tmp_path, rich, start):
    spoilt = rich[1] | {"appearance.start": np.array(start, np.int32)}
    refused(write(tmp_path / "a.mien", rich[0], spoilt), "appearance.start")


def test_a_gaussian_changed_twice_by_a_driver_is_refused(tmp_path, rich):
    gaussian = rich[1]["appearance.gaussian"].copy()
    gaussian[1] = gaussian[0]
    refused(write(tmp_path / "a.mien", rich[0], rich[1] | {"appearance.gaussian": gaussian}), "rise strictly")


def test_drivers_without_changes_are_accepted(tmp_path, rich):
    """Empty lists at the beginning, in the middle and at the end."""
    info, arrays = rich
    info = info | {"appearance": [{"units": ["jawOpen"]}] * 6}
    head = format.load(
        write(tmp_path / "a.mien", info, arrays | {"appearance.start": np.array([0, 0, 30, 30, 60, 90, 90], np.int32)})
    )
    assert len(head.appearance) == 6
    nothing = {name: array[:0] for name, array in arrays.items() if name.startswith("appearance.")}
    nothing["appearance.start"] = np.zeros(7, np.int32)
    assert format.load(write(tmp_path / "b.mien", info, arrays | nothing)).appearance


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_by_array(tmp_path, rich, name, value):
    info, arrays = rich
    spoilt = arrays[name].copy()
    spoilt.flat[-1] = value
    refused(write(tmp_path / "a.mien", info, arrays | {name: spoilt}), name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mesh.vertices", 6.0),
        ("mesh.triangles", 9999),
        ("mesh.triangles", -1),
        ("mesh.part", 3),
        ("mesh.zone", 7),
        ("mesh.head_weight", 1.5),
        ("units.vertex_ids", 0),
        ("units.vertex_ids", 9999),
        ("units.deltas", 0.6),
        ("combinations.deltas", -0.6),
        ("gaussians.triangle", -5),
        ("gaussians.position", 9.0),
        ("gaussians.rotation", 0.9),
        ("gaussians.log_scale", 6.0),
        ("gaussians.opacity_logit", 21.0),
        ("gaussians.zone", 255),
        ("gaussians.strand", 2),
        ("appearance.gaussian", 60),
        ("appearance.gaussian", -1),
        ("appearance.colour", 21.0),
        ("appearance.opacity", -41.0),
        ("appearance.log_scale", 11.0),
        ("appearance.rotation", 4.0),
    ],
)
def test_values_out_of_range_are_refused_by_array(tmp_path, rich, name, value):
    info, arrays = rich
    spoilt = arrays[name].copy()
    spoilt[-1] = value
    refused(write(tmp_path / "a.mien", info, arrays | {name: spoilt}), name)


def test_a_gaussian_on_a_flat_triangle_is_refused(tmp_path, parts):
    info, arrays = parts
    triangles = arrays["mesh.triangles"].copy()
    triangles[arrays["gaussians.triangle"][0]] = 5
    refused(write(tmp_path / "a.mien", info, arrays | {"mesh.triangles": triangles}), "no area")


def test_wrong_archives_are_refused(tmp_path, parts):
    info, arrays = parts
    refused(tmp_path / "missing.mien", "does not exist")
    refused(tmp_path, "can't be read")
    (tmp_path / "text.mien").write_text("hello")
    refused(tmp_path / "text.mien", "damaged or not a head file")
    whole = write(tmp_path / "whole.mien", info, arrays).read_bytes()
    for keep in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.mien").write_bytes(whole[:keep])
        refused(tmp_path / "cut.mien")
    refused(write(tmp_path / "more.mien", info, arrays, {"run.py": b"print()"}), "run.py")
    refused(write(tmp_path / "up.mien", info, arrays, {"../evil": b"x"}), "evil")
    refused(write(tmp_path / "lzma.mien", info, arrays, method=zipfile.ZIP_LZMA), "packed")
    refused(write(tmp_path / "jpeg.mien", info, arrays, {"thumbnail.png": b"\xff\xd8\xff"}), "PNG")
    with pytest.warns(UserWarning, match="Duplicate"):
        refused(write(tmp_path / "twice.mien", info, arrays, {"head.json": b"{}"}), "twice")
    with zipfile.ZipFile(tmp_path / "empty.mien", "w"):
        pass
    refused(tmp_path / "empty.mien", "missing")


@pytest.mark.parametrize(
    "text",
    [b"[]", b"{", b"\xff{}", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 100_000, b"1" * 10_000, b'{"format": {}}'],
)
def test_json_that_is_no_head_is_refused(tmp_path, parts, text):
    refused(write(tmp_path / "a.mien", text, parts[1]), "head.json")


def test_archives_that_unpack_to_too_much_are_refused_before_unpacking(tmp_path, parts):
    info, arrays = parts
    refused(write(tmp_path / "json.mien", b" " * (2 << 20), arrays), "head.json", "limit")
    refused(
        write(tmp_path / "png.mien", info, arrays, {"thumbnail.png": PNG + bytes(2 << 20)}), "thumbnail.png", "limit"
    )
    # A directory that lies about the size: what comes out is not what it said.
    honest = write(tmp_path / "honest.mien", info, arrays, method=zipfile.ZIP_STORED).read_bytes()
    size = struct.pack("<I", len(pack(arrays)))
    for lie in (struct.pack("<I", 4_000_000_000), struct.pack("<I", 100)):
        (tmp_path / "lie.mien").write_bytes(honest.replace(size, lie))
        refused(tmp_path / "lie.mien")


def test_a_header_that_asks_for_too_much_is_refused(tmp_path, parts):
    info, _ = parts

    def header(**entries) -> bytes:
        text = json.dumps(entries).encode()
        return struct.pack("<Q", len(text)) + text

    def entry(shape, dtype="F32", offsets=(0, 0)):
        return {"dtype": dtype, "shape": shape, "data_offsets": offsets}

    for data, word in (
        (b"\x01\x02", "cut short"),
        (struct.pack("<Q", 2**63) + b"{}", "too long"),
        (header(a=5), "damaged header"),
        (header(a=entry([-1])), "damaged header"),
        (header(a=entry([1.5])), "damaged header"),
        (header(a=entry([2**62, 2**62])), "damaged header"),
        (header(a=entry([1], offsets=(0, 4))), "holds 0 bytes"),
        (header(a=entry([1], offsets=(4, 0))), "says [1]"),
        (header(**{"mesh.vertices": entry([10**6, 3], offsets=(0, 12 * 10**6))}) + bytes(12 * 10**6), "1,000,000 rows"),
        (header(a=entry([1], offsets=(0, 4)), b=entry([1], offsets=(0, 4))) + bytes(4), "overlap"),
    ):
        refused(write(tmp_path / "a.mien", info, data), word)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), value=st.binary(min_size=1, max_size=8), method=st.sampled_from([0, 8]))
def test_any_damage_is_refused_or_harmless(tmp_path, rich, place, value, method):
    """Bytes overwritten anywhere: a sentence, or a head that passed every check."""
    content = bytearray(write(tmp_path / "a.mien", *rich, method=method).read_bytes())
    place %= len(content)
    content[place : place + len(value)] = value
    (tmp_path / "a.mien").write_bytes(content)
    try:
        head = format.load(tmp_path / "a.mien")
    except MienError as error:
        assert str(tmp_path) in str(error)
    else:
        assert head.gaussian_count == 60


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), value=st.binary(min_size=1, max_size=8))
def test_damage_behind_a_right_checksum_is_refused_or_harmless(tmp_path, rich, place, value):
    """The same within the arrays' header and data, packed again so that the archive itself is whole."""
    data = bytearray(pack(rich[1]))
    place %= 6000
    data[place : place + len(value)] = value
    path = write(tmp_path / "a.mien", rich[0], bytes(data))
    try:
        head = format.load(path)
    except MienError as error:
        assert str(path) in str(error)
    else:
        assert np.isfinite(head["mesh.vertices"]).all()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(sorted(RICH[0])), value=json_values)
def test_any_json_value_anywhere_is_refused_or_fits(key, value):
    info, arrays = RICH
    try:
        head = format.make_head(info | {key: value}, arrays)
    except MienError as error:
        assert str(error).startswith("The new head: ")
    else:
        format.make_head(head.info(), head.arrays)


def test_arrays_of_other_kinds_are_refused():
    info, arrays = synthetic_head.make_parts(60)
    for wrong in (None, [1, 2], np.array(["a"]), np.zeros((4, 2), np.float32)):
        with pytest.raises(MienError, match=r"mesh\.vertices"):
            format.make_head(info, arrays | {"mesh.vertices": wrong})


def test_the_library_lists_heads_that_load():
    heads = library.library()
    assert heads, "Mien ships at least one head"
    for name, path in heads:
        assert format.load(path).name == name
        assert library.find(name) == library.find(name.lower()) == library.find(str(path)) == path
    with pytest.raises(MienError, match=heads[0][0]):
        library.find("Nobody")
