"""`engine render`: pictures that other programs read, frames from curves, and one sentence for what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
import synthetic_head
from PIL import Image

from engine import splat
from engine.__main__ import main
from engine.contract import channels, curves
from engine.contract.passes import PASS_BY_NAME
from engine.heads import format
from engine.heads.deform import Deformer
from engine.pictures import viewable, write_png
from engine.render import open_camera, render_frame


@pytest.fixture(scope="module")
def head_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("heads") / "synthetic.mien"
    format.save(synthetic_head.make(300), path)
    return path


def test_curves_become_frames_that_agree_with_the_engine_to_half_a_step(tmp_path, head_file):
    moving = curves.from_mappings(24.0, [{"AU26 Jaw Drop": value} for value in (0.0, 0.5, 1.0)])
    curves.save(moving, tmp_path / "c.json")
    arguments = ["--curves", str(tmp_path / "c.json"), "--size", "48x40", "--camera", "three-quarter"]
    out = tmp_path / "out"
    wanted = ["--out", str(out), "--passes", "Combined, Vector", "--frames", "2-3", "--float", "--backend", "cpu"]
    assert main(["render", "--head", str(head_file), *arguments, *wanted]) == 0
    names = [f"frame_{n:04d}{end}" for n in (2, 3) for end in (".npz", ".png", "_vector.png")]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)

    head = format.load(head_file)
    camera = open_camera("three-quarter", head, 48, 40)
    values = moving.dense()
    planes = render_frame(splat.open_backend("cpu"), Deformer(head), camera, values, 1, ["Combined", "Vector"])
    with np.load(out / "frame_0002.npz", allow_pickle=False) as exact:
        assert sorted(exact.files) == ["Combined", "Vector"]
        np.testing.assert_array_equal(exact["Combined"], planes["Combined"])
        assert np.abs(exact["Vector"][..., :2]).max() > 0.1 and np.abs(exact["Vector"][..., 2:]).max() > 0.1
    picture = np.asarray(Image.open(out / "frame_0002.png"))
    assert picture.shape == (40, 48, 4)
    alpha = planes["Combined"][..., 3]
    np.testing.assert_allclose(picture[..., 3] / 255, alpha, atol=0.5 / 255 + 1e-6)
    solid = alpha > 0.5
    straight = planes["Combined"][..., :3][solid] / alpha[solid][:, None]
    srgb = np.where(straight < 0.0031308, straight * 12.92, 1.055 * np.maximum(straight, 1e-9) ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(picture[solid][:, :3] / 255, np.clip(srgb, 0, 1), atol=0.5 / 255 + 1e-6)


def test_a_camera_file_and_set_values(tmp_path, head_file):
    head = format.load(head_file)
    front = open_camera("front", head, 32, 32)
    content = {"world_to_camera": front.world_to_camera.tolist(), "K": front.K.tolist()}
    (tmp_path / "camera.json").write_text(json.dumps(content))
    common = [
        "render",
        "--head",
        str(head_file),
        "--size",
        "32x32",
        "--set",
        "Head Yaw=0.3",
        "--set",
        "AU26 Jaw Drop=.5",
    ]
    for camera, out in (("front", "a"), (str(tmp_path / "camera.json"), "b")):
        assert main([*common, "--camera", camera, "--out", str(tmp_path / out)]) == 0
    assert (tmp_path / "a" / "frame_0001.png").read_bytes() == (tmp_path / "b" / "frame_0001.png").read_bytes()


@pytest.mark.parametrize("components", [1, 3, 4])
def test_pngs_are_read_back_exactly(tmp_path, components):
    picture = np.random.default_rng(0).integers(0, 256, (7, 13, components), dtype=np.uint8)
    write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")).reshape(picture.shape), picture)


def test_every_pass_has_a_picture():
    coverage = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4, 1)
    for name, entry in PASS_BY_NAME.items():
        plane = np.full((3, 4, len(entry.components)), 0.3, np.float32)
        assert viewable(name, plane, coverage).dtype == np.uint8
    assert viewable("Depth", np.full((3, 4, 1), 1e10, np.float32), coverage).max() == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--size", "32"], "WxH"),
        (["--size", "0x32"], "can't be rendered"),
        (["--set", "AU26 Jaw Drop"], "CHANNEL=VALUE"),
        (["--set", "AU26 Jaw Drop=wide"], "CHANNEL=VALUE"),
        (["--set", "AU26 Jaw Drop=nan"], "finite"),
        (["--set", "AU99 Ear=1"], "AU99 Ear"),
        (["--passes", "Beauty"], "Beauty"),
        (["--passes", ","], "no pass"),
        (["--frames", "2-3"], "frames"),
        (["--frames", "x"], "A-B"),
        (["--camera", "sideways"], "sideways"),
        (["--curves", "/nowhere.json"], "/nowhere.json"),
        (["--head", "Nobody"], "Nobody"),
        (["--out", "/dev/null/x"], "/dev/null/x"),
    ],
)
def test_wrong_arguments_end_with_a_sentence_and_2(tmp_path, head_file, capsys, arguments, word):
    common = {"--head": str(head_file), "--size": "16x16", "--out": str(tmp_path)}
    common |= {arguments[0]: arguments[1]}
    assert main(["render", *(part for pair in common.items() for part in pair)]) == 2
    assert word in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({}, "world_to_camera"),
        ({"world_to_camera": [[1]], "K": 5}, "4 rows"),
        ({"world_to_camera": None, "K": None}, "4 rows"),
    ],
)
def test_wrong_camera_files_are_refused(tmp_path, head_file, capsys, content, word):
    (tmp_path / "camera.json").write_text(json.dumps(content))
    arguments = ["--size", "9x9", "--camera", str(tmp_path / "camera.json"), "--out", str(tmp_path / "out")]
    assert main(["render", "--head", str(head_file), *arguments]) == 2
    error = capsys.readouterr().err
    assert word in error and "camera.json" in error


def test_the_head_fills_its_portrait_from_every_view():
    head = synthetic_head.make(300)
    for name in ("front", "three-quarter", "profile"):
        camera = open_camera(name, head, 60, 80)
        frame = render_frame(
            splat.open_backend("cpu"), Deformer(head), camera, np.zeros((1, len(channels.NAMES))), 0, []
        )
        assert 0.1 < frame["Mask"].mean() < 0.9 and frame["Mask"][30:50, 20:40].max() > 0.5
