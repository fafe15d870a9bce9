"""Fitting: gradients against finite differences of a float64 reference, and a fit that finds its way."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

numba = pytest.importorskip("numba")

import synthetic_dataset  # noqa: E402
from scipy.ndimage import gaussian_filter  # noqa: E402
from scipy.spatial import cKDTree  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from engine.contract import channels  # noqa: E402
from engine.contract.errors import MienError  # noqa: E402
from engine.evaluate import held_out as held_out_pictures  # noqa: E402
from engine.fit import appearance, checkpoint, command, dataset, report, train  # noqa: E402
from engine.fit.appearance import WIDTHS, Appearance  # noqa: E402
from engine.fit.likeness import similarity  # noqa: E402
from engine.fit.pack import pack  # noqa: E402
from engine.fit.raster import Parameters, Pinhole, Pose, Renderer  # noqa: E402
from engine.fit.rig import Rig  # noqa: E402
from engine.fit.seed import KINDS  # noqa: E402
from engine.fit.train import Options  # noqa: E402
from engine.splat.cpu import CpuBackend  # noqa: E402

WIDTH, HEIGHT = 28, 22
DILATION = 0.2


def scene(count: int = 14, seed: int = 3, sh_count: int = 9) -> tuple[Parameters, Pose, Pinhole]:
    """Overlapping Gaussians before a camera, in triangle frames that are turned, stretched and sheared."""
    rng = np.random.default_rng(seed)
    axes = np.stack(
        [np.linalg.qr(rng.normal(size=(3, 3)))[0] @ (np.eye(3) + rng.normal(0, 0.2, (3, 3))) for _ in range(count)]
    )
    parameters = Parameters(
        rng.normal(0, 0.05, (count, 3)), rng.normal(size=(count, 4)), rng.uniform(-3.2, -2.0, (count, 3)),
        rng.uniform(-1.5, 1.5, count), rng.normal(0, 0.3, (count, sh_count, 3)),
    )  # fmt: skip
    for name, array in parameters.arrays().items():
        setattr(parameters, name, array.astype(np.float32))
    origin = np.c_[rng.uniform(-0.25, 0.25, (count, 2)), rng.uniform(0.9, 1.3, count)]
    view = np.c_[np.linalg.qr(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))[0], [0.02, -0.01, 0.05]]
    view[:, :3] *= np.sign(np.diag(view[:, :3]))
    return (
        parameters,
        Pose(origin.astype(np.float32), axes.astype(np.float32)),
        Pinhole(view, (30.0, 27.0, 14.6, 10.5), WIDTH, HEIGHT),
    )


def harmonics(d: np.ndarray) -> np.ndarray:
    """The first nine real spherical harmonics in direction d, with gsplat's signs and order."""
    x, y, z = d
    first = [0.28209479177, -0.48860251190 * y, 0.48860251190 * z, -0.48860251190 * x]
    second = [1.09254843059 * x * y, -1.09254843059 * y * z, 0.31539156525 * (2 * z * z - x * x - y * y)]
    return np.array([*first, *second, -1.09254843059 * x * z, 0.54627421530 * (x * x - y * y)])


def reference(p: Parameters, pose: Pose, camera: Pinhole, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rules of engine/splat in plain float64: picture [H,W,3] and alpha [H,W]."""
    view = camera.view.astype(np.float64)
    centre = pose.origin + np.einsum("nij,nj->ni", pose.axes.astype(np.float64), p.position)
    local = centre @ view[:, :3].T + view[:, 3]
    fx, fy, cx, cy = camera.lens
    X, Y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    picture, T, alive = np.zeros((HEIGHT, WIDTH, 3)), np.ones((HEIGHT, WIDTH)), np.ones((HEIGHT, WIDTH), bool)
    for n in np.argsort(local[:, 2]):
        x, y, z = local[n]
        w, a, b, c = p.rotation[n] / np.linalg.norm(p.rotation[n])
        R = np.array([
            [1 - 2 * (b * b + c * c), 2 * (a * b - w * c), 2 * (a * c + w * b)],
            [2 * (a * b + w * c), 1 - 2 * (a * a + c * c), 2 * (b * c - w * a)],
            [2 * (a * c - w * b), 2 * (b * c + w * a), 1 - 2 * (a * a + b * b)],
        ])  # fmt: skip
        J = np.array([[fx, 0, -fx * x / z], [0, fy, -fy * y / z]]) / z
        half = J @ view[:, :3] @ pose.axes[n] @ R @ np.diag(np.exp(p.log_scale[n]))
        conic = np.linalg.inv(half @ half.T + DILATION * np.eye(2))
        dx, dy = X - (fx * x / z + cx), Y - (fy * y / z + cy)
        power = -0.5 * (conic[0, 0] * dx**2 + conic[1, 1] * dy**2) - conic[0, 1] * dx * dy
        alpha = np.minimum(np.exp(power) / (1 + np.exp(-p.opacity_logit[n])), 0.999)
        alpha = np.where((alpha >= 1 / 255) & alive, alpha, 0)
        alive &= T * (1 - alpha) > 1e-4
        alpha = np.where(alive, alpha, 0)
        d = centre[n] - (-view[:, :3].T @ view[:, 3])
        d /= np.linalg.norm(d)
        colour = np.maximum(0.5 + harmonics(d)[: p.sh.shape[1]] @ p.sh[n], 0)
        picture += (T * alpha)[..., None] * colour
        T = T * (1 - alpha)
    return picture + T[..., None] * background, 1 - T


def test_forward_agrees_with_the_reference():
    parameters, pose, camera = scene()
    background = np.array([0.2, 0.5, 0.9])
    picture, alpha, _ = Renderer(len(parameters.position), 9, DILATION).forward(parameters, pose, camera, background)
    wanted, wanted_alpha = reference(parameters, pose, camera, background)
    assert wanted_alpha.max() > 0.9
    np.testing.assert_allclose(picture, wanted, atol=2e-5)
    np.testing.assert_allclose(alpha, wanted_alpha, atol=2e-5)


@pytest.mark.parametrize("name", ["position", "rotation", "log_scale", "opacity_logit", "sh"])
def test_gradients_agree_with_finite_differences(name):
    parameters, pose, camera = scene()
    rng = np.random.default_rng(0)
    background = np.array([0.1, 0.6, 0.3])
    to_picture, to_alpha = rng.normal(size=(HEIGHT, WIDTH, 3)), rng.normal(size=(HEIGHT, WIDTH))
    renderer = Renderer(len(parameters.position), 9, DILATION)
    _, _, trace = renderer.forward(parameters, pose, camera, background)
    gradient = getattr(renderer.backward(parameters, pose, camera, trace, to_picture, to_alpha), name)

    def loss(values: np.ndarray) -> float:
        changed = Parameters(**{**{k: v.astype(np.float64) for k, v in parameters.arrays().items()}, name: values})
        picture, alpha = reference(changed, pose, camera, background)
        return float((picture * to_picture).sum() + (alpha * to_alpha).sum())

    start = getattr(parameters, name).astype(np.float64)
    for _ in range(6):
        direction = rng.normal(size=start.shape)
        # Small enough to stay clear of the alpha cut-off's jumps.
        step = 1e-6 * direction
        wanted = (loss(start + step) - loss(start - step)) / 2e-6
        assert np.sum(gradient * direction) == pytest.approx(wanted, rel=2e-2, abs=5e-3)


def test_what_is_behind_the_camera_has_no_gradient():
    parameters, pose, camera = scene()
    pose.origin[3, 2] = -1.0
    renderer = Renderer(len(parameters.position), 9, DILATION)
    _, _, trace = renderer.forward(parameters, pose, camera, np.zeros(3))
    ones = np.ones((HEIGHT, WIDTH), np.float32)
    gradient = renderer.backward(parameters, pose, camera, trace, np.repeat(ones[..., None], 3, 2), ones)
    for array in gradient.arrays().values():
        assert np.all(array[3] == 0)
        assert np.all(np.isfinite(array))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("dataset")
    synthetic_dataset.write(where)
    return where


def begin(folder, **changes):
    options = Options(**{"gaussians": 900, "steps": 60, "sh_degree": 1, "rows": 1500, **changes})
    return command.begin(dataset.load(folder), options, Renderer)


def held_out(fit, changes=True):
    rows = report.measure(fit, [photo for photo in fit.photos if photo.held_out], changes)
    return report.split(rows, fit)


def nothing(fit, loss):
    pass


def test_a_fit_improves_on_its_first_colours_and_keeps_its_budget(folder):
    fit, first = begin(folder, steps=150)
    fit.run(nothing)
    assert held_out(fit)["all"]["inside"] > first["all"]["inside"] + 2
    assert 850 <= len(fit.kind) <= 900


def test_dynamic_appearance_helps_expressions_that_were_held_out(folder):
    fit, _ = begin(folder, steps=480)  # enough for what changes to settle: at half of that neutral lags by 0.35 dB
    fit.run(nothing)
    plain, _ = begin(folder, steps=480, rows=0)
    plain.run(nothing)
    assert ("jawOpen",) in fit.appearance.drivers
    colour = fit.appearance.values["colour"]
    hue = colour - colour.mean(axis=1, keepdims=True)
    assert 0 < np.abs(hue).max() <= appearance.TINT + 1e-6
    assert held_out(fit)["expressions"]["inside"] > held_out(plain)["expressions"]["inside"] + 0.5
    assert held_out(fit)["neutral"]["inside"] > held_out(plain)["neutral"]["inside"] - 0.3


@dataclass
class Shown:
    """A picture, as far as choosing drivers looks at it: pose by name, and its units."""

    pose: str
    units: dict[str, float]

    @property
    def view(self):
        return self


def drivers_of(*shown: tuple[int, dict[str, float]]):
    photos = [Shown(f"pose {index}", units) for index, (count, units) in enumerate(shown) for _ in range(count)]
    return appearance.drivers(SimpleNamespace(products=[("jawOpen",), ("mouthFunnel",)]), photos)


def test_a_driver_is_what_two_pictures_show():
    assert drivers_of((2, {"mouthFunnel": 1.0}), (1, {"jawOpen": 1.0})) == [("mouthFunnel",)]
    assert drivers_of((9, {"mouthFunnel": 0.2})) == []


def test_a_square_is_a_driver_where_pictures_show_half_and_all_of_a_unit():
    jaw = ("jawOpen",)
    assert drivers_of((4, {"jawOpen": 0.5}), (4, {"jawOpen": 1.0})) == [jaw, jaw * 2]
    assert drivers_of((9, {"jawOpen": 1.0}), (3, {"jawOpen": 0.5})) == [jaw]


def test_colours_near_grey_keep_their_mean_and_their_hue():
    colour = np.random.default_rng(4).normal(0, 0.3, (50, 2, 3)).astype(np.float32)
    near = colour.copy()
    appearance.near_grey(near, 0.1)
    before, after = (c - c.mean(axis=2, keepdims=True) for c in (colour, near))
    np.testing.assert_allclose(near.mean(axis=2), colour.mean(axis=2), atol=1e-6)
    assert np.abs(after).max() <= 0.1 + 1e-6
    little = np.abs(before).max(axis=2) <= 0.1
    assert 0 < little.mean() < 1
    np.testing.assert_array_equal(near[little], colour[little])
    np.testing.assert_allclose(np.cross(before, after), 0, atol=1e-6)


def test_central_units_change_more_around_them_than_those_of_one_side(folder):
    fit, _ = begin(folder)
    place = fit.rig.place(fit.triangle, fit.parameters.position)
    moved = np.linalg.norm(fit.rig.pose({"jawOpen": 1.0}) - fit.rig.vertices, axis=1)[fit.rig.triangles].mean(axis=1)
    far = cKDTree(fit.rig.vertices[fit.rig.triangles[moved > 0.2 * moved.max()]].mean(axis=1)).query(place)[0]
    near = appearance.reach(fit.rig, ("jawOpen",), place)
    assert np.all((near > 0) == (far < appearance.WIDE_REACH))
    assert np.any((near > 0) & (far > appearance.REACH))


def test_expressions_that_no_fitted_picture_shows_are_told_apart():
    units = {"neutral": {}, "smile": {"mouthSmileLeft": 1.0}, "laugh": {"mouthSmileLeft": 1.0, "jawOpen": 0.5}}
    photos = [SimpleNamespace(view=SimpleNamespace(pose=pose)) for pose in ("neutral", "smile")]
    rows = [{"pose": pose, "full": value} for pose, value in (("neutral", 40.0), ("smile", 36.0), ("laugh", 30.0))]
    found = report.split(rows, SimpleNamespace(units=units, train_photos=photos))
    assert {name: row["full"] for name, row in found.items()} == {
        "neutral": 40.0, "expressions": 33.0, "unseen": 30.0, "all": 35.33,
    }  # fmt: skip


def test_equal_seeds_give_equal_heads(folder):
    results = []
    for seed in (0, 0, 1):
        fit, _ = begin(folder, seed=seed)
        fit.run(nothing)
        results.append(fit.result().parameters)
    assert all(np.array_equal(a, b) for a, b in zip(*(r.arrays().values() for r in results[:2]), strict=True))
    assert not np.array_equal(results[0].position[:50], results[2].position[:50])


@pytest.mark.parametrize("stop", [17, 45])  # while Gaussians are added, and with the dynamic appearance
def test_a_resumed_fit_ends_as_one_that_was_never_stopped(folder, tmp_path, stop):
    whole, _ = begin(folder)
    whole.run(nothing)

    def interrupt(fit, loss):
        if fit.step == stop:
            raise KeyboardInterrupt

    stopped, first = begin(folder)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(interrupt)
    checkpoint.save(tmp_path / "half", stopped, first)
    resumed, first = begin(folder)
    assert checkpoint.restore(tmp_path / "half", resumed, first)
    assert resumed.step == stop
    resumed.run(nothing)
    for a, b in zip(whole.parameters.arrays().values(), resumed.parameters.arrays().values(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, value in whole.appearance.values.items():
        np.testing.assert_array_equal(value, resumed.appearance.values[name])


def test_checkpoints_of_something_else_are_refused(folder, tmp_path):
    fit, first = begin(folder)
    checkpoint.save(tmp_path / "saved", fit, first)
    other, first = begin(folder, steps=70)
    with pytest.raises(MienError, match=r"other options .*without --resume"):
        checkpoint.restore(tmp_path / "saved", other, first)
    data = (tmp_path / "saved").read_bytes()
    for cut in (0, 5, 100, len(data) // 2):
        (tmp_path / "saved").write_bytes(data[:cut])
        with pytest.raises(MienError, match="damaged"):
            checkpoint.restore(tmp_path / "saved", other, first)


def test_the_command_writes_a_head_that_renders_as_it_was_fitted(folder, tmp_path, capsys):
    from engine.__main__ import main
    from engine.heads import format as head_format

    out = tmp_path / "made.mien"
    arguments = ["fit", str(folder), "--out", str(out), "--gaussians", "900", "--steps", "150", "--backend", "cpu"]
    assert main(arguments) == 0, capsys.readouterr().err
    assert "neutral" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.mien"]
    head = head_format.load(out)
    assert head.stretch == "affine"
    assert head.appearance
    assert head.figures["views"]["held_out"] >= 3
    assert head.figures["fit"]["seconds"] > 0 and head.figures["fit"]["backend"] == "cpu"
    fit, _ = begin(folder, steps=150, rows=110_000, sh_degree=2)
    fit.run(nothing)
    from engine.contract.channels import UNITS
    from engine.heads.deform import Deformer

    photo = next(photo for photo in fit.photos if photo.view.pose == "open")
    values = channels.from_mapping({"AU26 Jaw Drop": 1.0})
    assert channels.to_units(values)[UNITS.index("jawOpen")] == 1.0
    moved = Deformer(head)(values)
    pose = fit.poses["open"]
    wanted = pose.origin + np.einsum("nij,nj->ni", pose.axes, fit.parameters.position)
    np.testing.assert_allclose(moved.centres.T, wanted, atol=2e-4)
    assert photo.units == {"jawOpen": 1.0}
    seen = held_out_pictures.picture(moved, held_out_pictures.camera_of(photo.view), CpuBackend())
    assert np.abs(seen - np.clip(fit.picture(photo), 0, 1)).mean() < 2e-3


def test_gaussians_stay_small_flat_and_under_the_surface(folder):
    """What no picture shows may otherwise do as it likes, and is seen when the head turns."""
    fit, _ = begin(folder, steps=120)
    fit.run(nothing)
    p, start = fit.parameters, fit.start
    sunk = p.position[fit.flat, 2] - start.position[fit.flat, 2]
    assert -train.INWARD - 1e-7 <= sunk.min() < -train.OUTWARD and sunk.max() <= max(train.OUTWARD, train.THIN) + 1e-7
    sizes = np.exp(p.log_scale[fit.flat])
    assert sizes[:, 2].max() <= train.THICKEST * 1.0001
    own = fit.kind[fit.flat] == KINDS.index("skin")
    usual = np.median(np.exp(start.log_scale[fit.flat][own, :2]))
    assert sizes[own].max() <= 1.0001 * max(train.LARGEST["skin"], 1.6 * usual)


def hairy(folder, tmp_path):
    """A fit whose upper half is hair, with strands bound to triangles far from them; its lower half stays still."""
    info, arrays = synthetic_dataset.parts()
    info = info | {"parts": [*info["parts"], "hair"]}
    corners = arrays["mesh.vertices"][arrays["mesh.triangles"]]
    top = (arrays["mesh.part"] == 0) & (corners[:, :, 2].mean(axis=1) > 0.26)
    part = np.where(top, info["parts"].index("hair"), arrays["mesh.part"]).astype(np.uint8)
    weight = np.clip((arrays["mesh.vertices"][:, 2] - 0.26) / 0.06, 0, 1).astype(np.float32)
    place = corners.mean(axis=1)
    hair, skin = np.flatnonzero(top), np.flatnonzero(part == 0)[:40]
    lengths = np.linspace(0, 0.05, 5)[:, None] * [0, 0, -1]
    arrays = arrays | {"mesh.part": part, "mesh.head_weight": weight}
    for name, chosen, bound in (("hair", hair, np.roll(hair, 40)), ("brows", skin, skin)):
        arrays[f"strands.{name}.points"] = (place[chosen][:, None] + lengths).astype(np.float32)
        arrays[f"strands.{name}.triangle"] = bound.astype(np.int32)
        arrays[f"strands.{name}.radius"] = np.float32([0.0001])
    dataset.save(tmp_path, info, arrays)
    for image in (folder / "images").iterdir():
        shutil.copy2(image, tmp_path / "images" / image.name)
    return begin(tmp_path, steps=40, gaussians=1500, rows=0)[0]


def test_hair_is_carried_by_what_lies_under_it_and_short_where_it_bends(folder, tmp_path):
    fit = hairy(folder, tmp_path)
    fit.run(nothing)
    strand = fit.kind == KINDS.index("strands.hair")
    assert strand.sum() > 50
    rig, triangle = fit.rig, fit.triangle[strand]
    place = rig.place(triangle, fit.start.position[strand])
    body = np.flatnonzero(rig.part_is("hair") & rig.usable)
    centres = rig.vertices[rig.triangles].mean(axis=1)
    nearest = cKDTree(centres[body]).query(place)[0]
    np.testing.assert_allclose(np.linalg.norm(centres[triangle] - place, axis=1), nearest, atol=1e-3)
    weight = rig.head["mesh.head_weight"][rig.triangles[triangle]].mean(axis=1)
    sizes = np.exp(fit.parameters.log_scale[strand]).max(axis=1)
    bent = (weight > 0.05) & (weight < 0.95)
    assert bent.any() and sizes[bent].max() <= train.BENDING * 1.0001
    head = pack(rig.head, fit.result(), None, {}, None, 0.1)
    kept = {name: head["gaussians.strand"][fit.kind == KINDS.index(f"strands.{name}")] for name in ("hair", "brows")}
    assert not kept["hair"].any() and kept["brows"].all()


def test_ctrl_c_saves_and_the_next_fit_goes_on(folder, tmp_path, capsys, monkeypatch):
    import os
    import signal

    from engine.__main__ import main

    out = tmp_path / "made.mien"
    arguments = ["fit", str(folder), "--out", str(out), "--gaussians", "900", "--steps", "40", "--backend", "cpu"]

    def press(progress, fit, loss):
        if fit.step == 25:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(command.Progress, "__call__", press)
    assert main(arguments) == 130
    assert "--resume goes on" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["made.mien.fit"]
    assert main([*arguments, "--resume"]) == 0
    assert "going on from step 25" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["made.mien"]


def test_output_that_cannot_be_written_is_refused_before_the_fit(folder, tmp_path, capsys):
    from engine.__main__ import main

    assert main(["fit", str(folder), "--out", str(tmp_path / "head.zip")]) == 2
    assert main(["fit", str(folder), "--out", str(tmp_path / "missing" / "head.mien")]) == 2
    assert "no folder" in capsys.readouterr().err
    assert main(["fit", str(tmp_path), "--out", str(tmp_path / "head.mien")]) == 2
    assert "no dataset.json" in capsys.readouterr().err


def test_gradients_of_changes_agree_with_finite_differences():
    parameters, pose, camera = scene()
    count = len(parameters.position)
    rng = np.random.default_rng(2)
    values = {name: rng.normal(0, 0.2, (8, width)).astype(np.float32) for name, width in WIDTHS.items()}
    gaussian = np.array([0, 3, 5, 8, 2, 3, 8, 9], np.int32)
    table = Appearance([("jawOpen",), ("jawOpen", "mouthClose")], np.array([0, 4, 8], np.int32), gaussian, values)
    weights = table.weights({"jawOpen": 0.8, "mouthClose": 0.5})
    assert weights == pytest.approx([0.8, 0.4])
    to_picture, to_alpha = rng.normal(size=(HEIGHT, WIDTH, 3)), rng.normal(size=(HEIGHT, WIDTH))
    background, renderer = np.array([0.1, 0.6, 0.3]), Renderer(count, 9, DILATION)
    changed = table.apply(parameters, weights)
    _, _, trace = renderer.forward(changed, pose, camera, background)
    gradient = renderer.backward(changed, pose, camera, trace, to_picture, to_alpha)
    found = table.gradients(parameters, weights, gradient)
    to_rotation = gradient.rotation.copy()

    def loss(base, values) -> float:
        total = {name: np.zeros((count, width)) for name, width in WIDTHS.items()}
        for row in range(8):
            for name in total:
                total[name][gaussian[row]] += weights[row // 4] * values[name][row]
        shown = Parameters(**{name: array.astype(np.float64) for name, array in base.arrays().items()})
        shown.sh[:, 0] += total["colour"]
        shown.opacity_logit += total["opacity"][:, 0]
        shown.log_scale += total["log_scale"]
        shown.rotation = (Rotation.from_rotvec(total["rotation"]) * rotation(base)).as_quat(scalar_first=True)
        picture, alpha = reference(shown, pose, camera, background)
        return float((picture * to_picture).sum() + (alpha * to_alpha).sum())

    def rotation(base):
        return Rotation.from_quat(base.rotation, scalar_first=True)

    exact = {name: value.astype(np.float64) for name, value in values.items()}
    for name, width in WIDTHS.items():
        for _ in range(4):
            direction = rng.normal(size=(8, width))
            sides = [loss(parameters, exact | {name: exact[name] + sign * 1e-6 * direction}) for sign in (1, -1)]
            wanted = (sides[0] - sides[1]) / 2e-6
            assert np.sum(found[name] * direction) == pytest.approx(wanted, rel=2e-2, abs=5e-3)
    # The unchanged rotation's gradient comes back through the change.
    for _ in range(4):
        direction = rng.normal(size=(count, 4))
        sides = []
        for sign in (1, -1):
            moved = Parameters(**{n: a.astype(np.float64) for n, a in parameters.arrays().items()})
            moved.rotation = moved.rotation + sign * 1e-6 * direction
            sides.append(loss(moved, exact))
        assert np.sum(to_rotation * direction) == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=2e-2, abs=5e-3)


def test_posed_vertices_are_those_of_the_head(folder):
    from engine.heads.deform import mesh

    rig = Rig(dataset.load(folder).rig)
    values = channels.from_mapping({"AU26 Jaw Drop": 0.7, "AU12 Lip Corner Puller.L": 0.4})
    units = {name: float(v) for name, v in zip(channels.UNITS, channels.to_units(values), strict=True) if v}
    np.testing.assert_allclose(rig.pose(units), mesh(rig.head, values), atol=2e-6)


def test_cuda_is_refused_in_one_sentence_where_there_is_none():
    from engine.fit import backend, gsplat

    assert backend.choose("cpu") is Renderer
    if gsplat.missing():
        assert backend.choose("auto") is Renderer
        with pytest.raises(MienError, match="--backend cpu"):
            backend.choose("cuda")


def test_the_cuda_backend_agrees_with_the_cpu_through_its_interface():
    """gsplat's rasteriser is replaced by torch code of the same signature; the gradients must be the CPU's."""
    torch = pytest.importorskip("torch")
    from engine.fit import gsplat

    parameters, pose, camera = scene()
    count = len(parameters.position)

    def rasterization(means, quats, scales, opacities, colors, viewmats, Ks, width, height, near_plane, covars,
                      backgrounds, eps2d):  # fmt: skip
        view, K = viewmats[0], Ks[0]
        local = means @ view[:3, :3].T + view[:3, 3]
        rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        T, picture = torch.ones(height, width), torch.zeros(height, width, 3)
        alive = torch.ones(height, width)
        for n in torch.argsort(local[:, 2]):
            x, y, z = local[n]
            zero = torch.zeros(())
            J = torch.stack([torch.stack([K[0, 0] / z, zero, -K[0, 0] * x / z**2]),
                             torch.stack([zero, K[1, 1] / z, -K[1, 1] * y / z**2])]) @ view[:3, :3]  # fmt: skip
            conic = torch.linalg.inv(J @ covars[n] @ J.T + eps2d * torch.eye(2))
            dx, dy = columns - (K[0, 0] * x / z + K[0, 2]), rows - (K[1, 1] * y / z + K[1, 2])
            power = -0.5 * (conic[0, 0] * dx**2 + conic[1, 1] * dy**2) - conic[0, 1] * dx * dy
            alpha = torch.clamp_max(opacities[n] * torch.exp(power), 0.999)
            alpha = torch.where(alpha >= 1 / 255, alpha, zero) * alive
            alive = alive * (T * (1 - alpha) > 1e-4)
            alpha = alpha * alive
            picture = picture + (T * alpha)[..., None] * colors[n]
            T = T * (1 - alpha)
        return (picture + T[..., None] * backgrounds[0])[None], (1 - T)[None, ..., None], {}

    rng = np.random.default_rng(4)
    to_picture, to_alpha = (rng.normal(size=(HEIGHT, WIDTH, *more)).astype(np.float32) for more in ((3,), ()))
    background = np.float32([0.2, 0.5, 0.9])
    ours = Renderer(count, 9, DILATION)
    theirs = gsplat.Renderer(count, 9, DILATION, rasterization, "cpu")
    results = []
    for renderer in (ours, theirs):
        picture, alpha, trace = renderer.forward(parameters, pose, camera, background)
        weights = renderer.to_screen(trace, to_picture)[:, 6:9].copy()
        gradient = renderer.backward(parameters, pose, camera, trace, to_picture, to_alpha)
        results.append([picture, alpha, weights, *(array.copy() for array in gradient.arrays().values())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=3e-3 * max(1, np.abs(b).max()))


def test_similarity_is_one_for_equal_pictures_and_falls_with_noise():
    rng = np.random.default_rng(0)
    picture = rng.random((32, 32, 3))
    assert similarity(picture, picture)[0] == pytest.approx(1)
    assert similarity(picture, np.clip(picture + rng.normal(0, 0.2, picture.shape), 0, 1))[0] < 0.95


def similarity_reference(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM as Wang et al. 2004 write it, in float64."""

    def mean(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, (1.5, 1.5, 0), mode="constant", radius=5)

    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    return np.mean((2 * ma * mb + 1e-4) * (2 * both + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4)))


def test_similarity_and_its_gradient_agree_with_finite_differences():
    rng = np.random.default_rng(1)
    wanted = rng.random((41, 50, 3))
    picture = np.clip(wanted + rng.normal(0, 0.3, wanted.shape), 0, 1)
    value, gradient = similarity(picture, wanted)
    assert value == pytest.approx(similarity_reference(picture, wanted), abs=1e-6)
    for _ in range(4):
        step = 1e-5 * rng.normal(size=wanted.shape)
        slope = similarity_reference(picture + step, wanted) - similarity_reference(picture - step, wanted)
        assert np.sum(gradient * step) == pytest.approx(slope / 2, rel=1e-3, abs=1e-9)
