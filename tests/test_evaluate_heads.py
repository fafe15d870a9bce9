"""The measurements of heads: they find what is right, and what was broken on purpose."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic_head

from engine.contract import channels
from engine.contract.errors import MienError
from engine.evaluate import heads as command
from engine.evaluate import held_out, read_back, sheets, sweeps
from engine.fit import dataset as datasets
from engine.heads import format
from engine.heads.deform import Deformer
from engine.pictures import viewable, write_png
from engine.render import view
from engine.splat.cpu import CpuBackend
from engine.splat.interface import Frame


def solid(rich: bool = False) -> format.Head:
    """A synthetic head without gaps: a flat opaque Gaussian on every triangle."""
    info, arrays = synthetic_head.make_rich_parts(900) if rich else synthetic_head.make_parts(900)
    count = len(arrays["mesh.triangles"])
    assert count < 900
    rows = np.arange(900) % count
    arrays["gaussians.triangle"] = rows.astype(np.int32)
    arrays["gaussians.position"] = np.zeros((900, 3), np.float16)
    arrays["gaussians.rotation"] = np.tile(np.float16([1, 0, 0, 0]), (900, 1))
    arrays["gaussians.log_scale"] = np.tile(np.log(np.float32([0.009, 0.009, 0.002])), (900, 1)).astype(np.float16)
    arrays["gaussians.opacity_logit"] = np.full(900, 7.0, np.float16)
    arrays["gaussians.zone"] = arrays["mesh.zone"][arrays["mesh.triangles"][rows, 0]]
    return format.make_head(info, arrays)


# Reading back ---------------------------------------------------------------------------------------------------------


SHAPES = [shape for shape in channels.ARKIT_52 if shape != "tongueOut"]


def scores(**raised: float) -> dict[str, float]:
    return {name: raised.get(name, 0.0) for name in SHAPES}


def test_a_channel_is_right_when_its_own_score_rises_most_partner_aside():
    entry = channels.channel("AU12 Lip Corner Puller.L")
    neutral = scores(mouthPressLeft=0.6)
    both = scores(mouthSmileLeft=0.4, mouthSmileRight=0.7, mouthPressLeft=0.9)
    row = read_back.compare(entry, both, neutral)
    assert row.right and row.own == "mouthSmileLeft" and row.rise == pytest.approx(0.4)
    wrong = read_back.compare(entry, scores(mouthSmileLeft=0.4, mouthDimpleLeft=0.5, mouthPressLeft=0.6), neutral)
    assert not wrong.right and wrong.highest == "mouthDimpleLeft"
    assert not read_back.compare(entry, None, neutral).right
    assert not read_back.compare(entry, neutral, neutral).right, "nothing rose"


def test_the_other_eye_may_look_the_same_way():
    assert read_back.aside("eyeLookInLeft") == {"eyeLookInRight", "eyeLookOutRight"}
    assert read_back.aside("eyeLookUpRight") == {"eyeLookUpLeft"}
    assert read_back.aside("mouthSmileLeft") == {"mouthSmileRight"} and read_back.aside("jawOpen") == set()
    entry = channels.channel("AU62 Eyes Turn Right.L")
    assert read_back.compare(entry, scores(eyeLookInLeft=0.2, eyeLookOutRight=0.3), scores()).right
    assert not read_back.compare(entry, scores(eyeLookInLeft=0.2, eyeLookUpLeft=0.3), scores()).right


def test_the_mirror_image_evens_out_a_lopsided_reader():
    """A reader that sees brows on the picture's left half only reads both sides alike."""
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[0, 0] = 255  # the head's right brow is on the picture's left
    seen = read_back.both_ways(lambda image: scores(browDownRight=float(image[0, 0, 0] > 0)), picture)
    assert seen is not None and seen["browDownRight"] == 0.5 and seen["browDownLeft"] == 0.0
    seen = read_back.both_ways(lambda image: scores(browDownRight=float(image[0, 0, 0] > 0)), picture[:, ::-1])
    assert seen is not None and seen["browDownLeft"] == 0.5 and seen["browDownRight"] == 0.0
    assert read_back.both_ways(lambda image: None, picture) is None
    once = iter([None, scores(jawOpen=0.8)])
    assert read_back.both_ways(lambda image: next(once), picture)["jawOpen"] == 0.8


def test_channels_that_can_not_be_seen_have_a_reason_and_the_others_are_measured():
    seen = {entry.arkit for entry in read_back.visible()}
    assert seen | set(read_back.UNSEEN) == set(channels.ARKIT_52) and not seen & set(read_back.UNSEEN)
    assert all(len(reason) > 20 for reason in read_back.UNSEEN.values())
    assert len(read_back.visible()) == 45


def test_pairs_move_both_sides_and_gaze_both_eyes():
    pairs = {entry.name: names for entry, names in read_back.pairs()}
    assert pairs["AU12 Lip Corner Puller.L"] == ["AU12 Lip Corner Puller.L", "AU12 Lip Corner Puller.R"]
    assert pairs["AU61 Eyes Turn Left.L"] == ["AU61 Eyes Turn Left.L", "AU61 Eyes Turn Left.R"]
    assert pairs["AU26 Jaw Drop"] == ["AU26 Jaw Drop"]
    assert sorted(name for names in pairs.values() for name in names) == sorted(e.name for e in read_back.visible())


def test_a_head_is_read_by_what_it_shows(monkeypatch):
    """A reader that sees the jaw by how much changed in the picture: only the jaw's channels are right."""
    monkeypatch.setattr(read_back, "SIZE", 64)
    head = solid()
    base = read_back.photograph(Deformer(head), CpuBackend(), np.zeros(len(channels.CHANNELS)))

    def read(picture: np.ndarray) -> dict[str, float]:
        away = np.abs(picture.astype(float) - base).mean() + np.abs(picture.astype(float) - base[:, ::-1]).mean()
        still = np.abs(base.astype(float) - base[:, ::-1]).mean()
        return scores(jawOpen=(away - still) / 255, browInnerUp=0.3)

    reading = read_back.measure(head, read)
    assert [row.own for row in reading.rows if row.right] == ["jawOpen"]
    assert reading.share == pytest.approx(1 / 45) and reading.loudest() == ("browInnerUp", pytest.approx(0.3))


def test_a_head_without_a_face_is_told():
    with pytest.raises(MienError, match="sees no face in Synthetic's front view"):
        read_back.measure(solid(), lambda picture: None)


def test_a_missing_reader_is_one_sentence(monkeypatch):
    from engine.heads.foreign import landmarks

    monkeypatch.setattr(landmarks.util, "find_spec", lambda name: None)
    with pytest.raises(MienError, match=r"Reading faces back needs the Python package mediapipe.*install"):
        read_back.measured([solid()])


# Held-out pictures ----------------------------------------------------------------------------------------------------


def photographed(head: format.Head, folder) -> datasets.Dataset:
    """A dataset whose pictures are renders of the head itself: neutral and a smile, from four sides each."""
    poses = {"neutral": {}, "smile": {"mouthSmileLeft": 0.9, "browInnerUpLeft": 0.8, "jawOpen": 0.5}}
    deformer, backend, views = Deformer(head), CpuBackend(), []
    (folder / "images").mkdir(parents=True)
    for name, units in poses.items():
        for azimuth in (-30, 0, 30, 60):
            camera = view(head, azimuth, 96, 96)
            planes = backend.render(Frame([deformer(held_out.unit_values(units))], camera), ["Combined", "Mask"])
            image = f"images/{name}_{azimuth}.png"
            write_png(folder / image, viewable("Combined", planes["Combined"], planes["Mask"]))
            matrix = {"K": camera.K.tolist(), "world_to_camera": camera.world_to_camera[:3].tolist()}
            views.append({"image": image, "pose": name, "held_out": azimuth == 30, "width": 96, "height": 96, **matrix})
    info = head.info()
    keys = ("name", "author", "licence", "source", "units", "combinations", "eyes", "neck", "parts", "camera")
    rig = {
        name: array for name, array in head.arrays.items() if name.split(".")[0] in ("mesh", "units", "combinations")
    }
    return datasets.save(folder, {**{key: info[key] for key in keys}, "poses": poses, "views": views}, rig)


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    head = solid(rich=True)
    return head, photographed(head, tmp_path_factory.mktemp("album") / "data")


def test_a_head_is_the_same_as_its_own_pictures(album):
    pytest.importorskip("skimage"), pytest.importorskip("flip_evaluator")
    head, dataset = album
    shots = held_out.measure(head, dataset)
    assert [shot.view.pose for shot in shots] == ["neutral", "smile"] and [s.expressive for s in shots] == [False, True]
    for shot in shots:
        assert shot.figures["full"] > 45 and shot.figures["ssim"] > 0.995 and shot.figures["flip"] < 0.01
    neutral, smile = shots
    assert neutral.plain == pytest.approx(neutral.figures)
    assert smile.plain["inside"] < smile.figures["inside"] - 3, "without its appearance it is another picture"
    assert held_out.gain(shots) == pytest.approx(smile.figures["inside"] - smile.plain["inside"])


def test_a_worse_head_has_worse_figures(album):
    pytest.importorskip("skimage"), pytest.importorskip("flip_evaluator")
    head, dataset = album
    spoilt = dict(head.arrays) | {"gaussians.sh": head["gaussians.sh"] + np.float16(0.4)}
    good, bad = (
        held_out.measure(entry, dataset)[0].figures for entry in (head, dataclasses.replace(head, arrays=spoilt))
    )
    assert bad["full"] < good["full"] - 10 and bad["inside"] < bad["full"] and bad["flip"] > good["flip"]


def test_regions_are_where_their_gaussians_are_seen():
    head = solid()
    camera = view(head, 0.0, 128, 128)
    gaussians = Deformer(head)(np.zeros(len(channels.CHANNELS)))
    masks = held_out.region_masks(head, gaussians, camera, CpuBackend(), np.ones((128, 128), bool))
    assert set(masks) == set(held_out.REGIONS) and not masks["hair"].any()
    assert masks["eyes"].sum() > 20 and masks["mouth"].sum() > 20 and masks["skin"].sum() > 500
    assert not (masks["eyes"] & masks["skin"]).any()
    rows = {name: np.argwhere(mask)[:, 0].mean() for name, mask in masks.items() if mask.any()}
    assert rows["eyes"] < rows["mouth"], "eyes are above the mouth"


def test_every_unit_can_be_set_alone():
    for name in channels.UNITS:
        units = channels.to_units(held_out.unit_values({name: 0.7}))
        assert units[channels.UNITS.index(name)] == pytest.approx(0.7) and np.count_nonzero(units) == 1


def test_another_heads_dataset_and_missing_packages_are_told(album, monkeypatch):
    head, dataset = album
    info, arrays = synthetic_head.make_parts(20)
    arrays["mesh.vertices"] = np.concatenate([arrays["mesh.vertices"], arrays["mesh.vertices"][:1]])
    for name in ("mesh.zone", "mesh.head_weight"):
        arrays[name] = np.append(arrays[name], arrays[name][:1])
    other = format.make_head(info, arrays)
    monkeypatch.setattr(held_out, "check_tools", lambda: None)
    with pytest.raises(MienError, match="another mesh than Synthetic"):
        held_out.measure(other, dataset)
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MienError, match=r"scikit-image==0\.26\.0.*requirements-evaluate"):
        held_out.measure(head, dataset)


# Turns and sweeps -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Smaller and fewer pictures: the faults here are large."""
    monkeypatch.setattr(sweeps, "SIZE", 128)
    monkeypatch.setattr(sweeps, "TURNS", 6)
    monkeypatch.setattr(sweeps, "STEPS", 4)
    monkeypatch.setattr(sweeps, "SHOWN", (0.0, 0.5, 1.0))


def test_a_solid_head_turns_without_fault(small):
    sweep = sweeps.turns(sweeps.Studio(solid()))
    assert sweep.clean and sweep.holes == 0 and sweep.flying == 0 and len(sweep.frames) == 6
    assert 0 < sweep.change < sweeps.POP


def test_a_hole_is_found(small):
    """Gaussians within 3 cm of the forehead are gone."""
    head = solid()
    corners = head["mesh.vertices"][head["mesh.triangles"][head["gaussians.triangle"]]].mean(axis=1)
    kept = np.flatnonzero(np.linalg.norm(corners - [0.0, -0.08, 0.36], axis=1) > 0.03)
    sweep = sweeps.turns(sweeps.Studio(format.select(head, kept)))
    # What lies behind is seen through the hole and covers it, so the back must go as well.
    through = kept[np.abs(corners[kept, 1]) < 0.07]
    sweep = sweeps.turns(sweeps.Studio(format.select(head, through)))
    assert sweep.holes > 0.01 and not sweep.clean and sweep.place.endswith("°")


def test_a_flying_splat_is_found(small):
    """One Gaussian far from the head, and one that a channel throws out."""
    head = solid()
    position = head["gaussians.position"].astype(np.float32).copy()
    position[5] = [0.0, 0.0, 0.12]
    loose = dataclasses.replace(head, arrays=dict(head.arrays) | {"gaussians.position": position})
    assert sweeps.turns(sweeps.Studio(loose)).flying > sweeps.FLY_BAR
    deltas = head["units.deltas"].astype(np.float32).copy()
    deltas[0, :3] += [0.15, 0.0, 0.0]
    thrown = sweeps.Studio(dataclasses.replace(head, arrays=dict(head.arrays) | {"units.deltas": deltas}))
    some = [channels.channel(name) for name in ("AU26 Jaw Drop", "AU34 Puff.L", "Head Yaw")]
    jaw, puff, yaw = sweeps.channel_sweeps(thrown, some)
    assert puff.clean and yaw.clean and sweeps.turns(thrown).flying == 0
    assert len(jaw.frames) == 3 and (jaw.flying > sweeps.FLY_BAR or jaw.holes > 0)


def test_a_pop_is_a_sudden_change_and_motion_is_none():
    steady = np.full((10, 2, 2), 0.2)
    assert sweeps.pops(steady) == 0, "a block that changes all the time moves"
    jump = np.full((10, 2, 2), 0.01)
    jump[4, 1, 0] = 0.2
    assert sweeps.pops(jump) == 1
    small_jump = np.full((10, 2, 2), 0.001)
    small_jump[4, 1, 0] = 0.9 * sweeps.POP
    assert sweeps.pops(small_jump) == 0
    a, b = np.zeros((2, 32, 32, 3), np.float32)
    b[:16, 16:] = 0.5
    np.testing.assert_allclose(sweeps.block_changes(a, b), [[0, 0.5], [0, 0]])


def test_the_silhouette_is_the_mesh(small):
    """The synthetic head is an ellipsoid: its silhouette's area from the front is that of an ellipse."""
    studio = sweeps.Studio(solid())
    shape = studio.silhouette(studio.neutral, view(studio.head, 0.0, 128, 128))
    scale = studio._pixels(view(studio.head, 0.0, 128, 128), 1.0)
    expected = np.pi * synthetic_head.RADII[0] * synthetic_head.RADII[2] * scale**2
    assert shape.sum() == pytest.approx(expected, rel=0.06)


# The command ----------------------------------------------------------------------------------------------------------


def arguments(**changed) -> SimpleNamespace:
    return SimpleNamespace(**({"dataset": [], "pictures": None, "every": False} | changed))


def test_a_head_without_a_dataset_is_not_measured_and_says_so():
    lines = command._held_out([solid()], arguments())
    assert [line.ok for line in lines] == [None] and "not measured" in lines[0].value


@pytest.mark.parametrize("entry", ["nothing", "=x", "Synthetic=/no/such/folder"])
def test_a_wrong_dataset_option_is_one_sentence(entry):
    with pytest.raises(MienError, match="NAME=FOLDER"):
        command._held_out([solid()], arguments(dataset=[entry]))


def test_a_dataset_of_no_measured_head_is_one_sentence(tmp_path):
    with pytest.raises(MienError, match="'nobody'"):
        command._held_out([solid()], arguments(dataset=[f"Nobody={tmp_path}"]))


def test_figures_stand_beside_their_bars(album, tmp_path, capsys):
    pytest.importorskip("skimage"), pytest.importorskip("flip_evaluator")
    head, dataset = album
    lines = command._held_out([head], arguments(dataset=[f"Synthetic={dataset.folder}"], pictures=tmp_path, every=True))
    for line in lines:
        command.show(line)
    text = capsys.readouterr().out
    assert "no appearance" in text and "smile_30" in text and "≥ 36 dB" in text and "MISSED" not in text
    assert (tmp_path / "Synthetic_held_out.png").read_bytes().startswith(b"\x89PNG")


def test_sheets_are_written(small, tmp_path):
    studio = sweeps.Studio(solid())
    sheets.turns(sweeps.turns(studio), tmp_path / "turns.png")
    sheets.channels(list(sweeps.channel_sweeps(studio, channels.CHANNELS[:4])), tmp_path / "channels.png")
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("turns.png", "channels.png"))
