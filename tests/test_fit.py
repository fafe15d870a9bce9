"""Fitting: gradients against finite differences of a float64 reference, and a fit that finds its way."""

from __future__ import annotations

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from engine.fit.raster import Parameters, Pinhole, Pose, Renderer  # noqa: E402

SIZE = 24


def scene(count: int = 14, seed: int = 3) -> tuple[Parameters, Pose, Pinhole]:
    """Overlapping Gaussians before a camera, in triangle frames that are turned and stretched."""
    rng = np.random.default_rng(seed)
    axes = np.stack([np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.7, 1.4) for _ in range(count)])
    parameters = Parameters(
        rng.normal(0, 0.05, (count, 3)), rng.normal(size=(count, 4)), rng.uniform(-3.2, -2.0, (count, 3)),
        rng.uniform(-1.5, 1.5, count), rng.normal(0, 0.4, (count, 4, 3)),
    )  # fmt: skip
    for name, array in parameters.arrays().items():
        setattr(parameters, name, array.astype(np.float32))
    origin = np.c_[rng.uniform(-0.25, 0.25, (count, 2)), rng.uniform(0.9, 1.3, count)]
    view = np.c_[np.linalg.qr(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))[0], [0.02, -0.01, 0.05]]
    view[:, :3] *= np.sign(np.diag(view[:, :3]))
    return parameters, Pose(origin.astype(np.float32), axes.astype(np.float32)), Pinhole(view, 30.0, SIZE)


def reference(p: Parameters, pose: Pose, camera: Pinhole, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rules of engine/splat in plain float64: picture [H,W,3] and alpha [H,W]."""
    view = camera.view.astype(np.float64)
    centre = pose.origin + np.einsum("nij,nj->ni", pose.axes.astype(np.float64), p.position)
    local = centre @ view[:, :3].T + view[:, 3]
    pixel = np.arange(SIZE) + 0.5
    X, Y = np.meshgrid(pixel, pixel)
    picture, T, alive = np.zeros((SIZE, SIZE, 3)), np.ones((SIZE, SIZE)), np.ones((SIZE, SIZE), bool)
    for n in np.argsort(local[:, 2]):
        x, y, z = local[n]
        w, a, b, c = p.rotation[n] / np.linalg.norm(p.rotation[n])
        R = np.array([
            [1 - 2 * (b * b + c * c), 2 * (a * b - w * c), 2 * (a * c + w * b)],
            [2 * (a * b + w * c), 1 - 2 * (a * a + c * c), 2 * (b * c - w * a)],
            [2 * (a * c - w * b), 2 * (b * c + w * a), 1 - 2 * (a * a + b * b)],
        ])  # fmt: skip
        J = camera.focal / z * np.array([[1, 0, -x / z], [0, 1, -y / z]])
        half = J @ view[:, :3] @ pose.axes[n] @ R @ np.diag(np.exp(p.log_scale[n]))
        conic = np.linalg.inv(half @ half.T + 0.3 * np.eye(2))
        dx = X - (camera.focal * x / z + SIZE / 2)
        dy = Y - (camera.focal * y / z + SIZE / 2)
        power = -0.5 * (conic[0, 0] * dx**2 + conic[1, 1] * dy**2) - conic[0, 1] * dx * dy
        alpha = np.minimum(np.exp(power) / (1 + np.exp(-p.opacity_logit[n])), 0.999)
        alpha = np.where((alpha >= 1 / 255) & alive, alpha, 0)
        alive &= T * (1 - alpha) > 1e-4
        alpha = np.where(alive, alpha, 0)
        d = centre[n] - (-view[:, :3].T @ view[:, 3])
        d /= np.linalg.norm(d)
        basis = np.array([0.28209479, *(0.48860251 * np.array([-d[1], d[2], -d[0]]))])
        picture += (T * alpha)[..., None] * np.maximum(0.5 + basis @ p.sh[n], 0)
        T = T * (1 - alpha)
    return picture + T[..., None] * background, 1 - T


def test_forward_agrees_with_the_reference():
    parameters, pose, camera = scene()
    background = np.array([0.2, 0.5, 0.9])
    picture, alpha, _ = Renderer(len(parameters.position)).forward(parameters, pose, camera, background)
    wanted, wanted_alpha = reference(parameters, pose, camera, background)
    assert wanted_alpha.max() > 0.9
    np.testing.assert_allclose(picture, wanted, atol=2e-5)
    np.testing.assert_allclose(alpha, wanted_alpha, atol=2e-5)


@pytest.mark.parametrize("name", ["position", "rotation", "log_scale", "opacity_logit", "sh"])
def test_gradients_agree_with_finite_differences(name):
    parameters, pose, camera = scene()
    rng = np.random.default_rng(0)
    background = np.array([0.1, 0.6, 0.3])
    to_picture, to_alpha = rng.normal(size=(SIZE, SIZE, 3)), rng.normal(size=(SIZE, SIZE))
    renderer = Renderer(len(parameters.position))
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
    renderer = Renderer(len(parameters.position))
    _, _, trace = renderer.forward(parameters, pose, camera, np.zeros(3))
    ones = np.ones((SIZE, SIZE), np.float32)
    gradient = renderer.backward(parameters, pose, camera, trace, np.repeat(ones[..., None], 3, 2), ones)
    for array in gradient.arrays().values():
        assert np.all(array[3] == 0)
        assert np.all(np.isfinite(array))


def patch():
    """A bent patch of skin that one unit squeezes: the smallest thing that can be photographed and fitted."""
    from engine.contract.channels import UNITS
    from engine.heads.anatomy import parts
    from engine.heads.anatomy.build import Anatomy

    x, z = np.meshgrid(np.linspace(-0.05, 0.05, 9), np.linspace(-0.05, 0.05, 9), indexing="ij")
    vertices = np.stack([x.ravel(), 4 * (x**2).ravel(), z.ravel()], axis=1)
    units = np.zeros((len(UNITS), len(vertices), 3))
    units[UNITS.index("jawOpen"), :, 2] = -0.5 * np.clip(-vertices[:, 2], 0, None)
    quads = parts.grid_quads(9, 9, wrap=False)[:, ::-1]
    zeros = np.zeros(len(vertices))
    return Anatomy(
        vertices=vertices, quads=quads, quad_part=np.zeros(len(quads), np.uint8), units=units, combinations={},
        zone=zeros.astype(np.uint8), head_weight=zeros, values={}, colour=np.zeros_like(vertices), pivot=np.zeros(3),
        eyes={side: (np.array([sign * 0.03, 1.0, 0]), 0.014) for side, sign in (("left", 1), ("right", -1))},
    )  # fmt: skip


def on_patch(head, count: int, rng):
    """Gaussians spread over the patch's triangles, grey."""
    from engine.fit.seed import Gaussians

    triangle = rng.integers(0, len(head.triangles), count).astype(np.int32)
    return Gaussians(
        triangle, np.zeros((count, 3), np.float32), np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        np.full((count, 3), np.log(0.004), np.float32), np.full(count, 2.0, np.float32),
        np.zeros((count, 4, 3), np.float32), np.zeros(count, np.uint8),
    )  # fmt: skip


def test_a_small_fit_learns_colours_that_hold_in_another_pose():
    from engine.fit.bundle import View
    from engine.fit.seed import set_colour
    from engine.fit.train import Fit, Photo, camera_of, psnr

    rng = np.random.default_rng(5)
    head = patch()
    truth = on_patch(head, 400, rng)
    place = head.vertices[head.triangles[truth.triangle]].mean(axis=1)
    set_colour(truth, 0.5 + 0.4 * np.sin(place * [60, 0, 90] + [0, 1, 2]))
    poses = {"neutral": {}, "open": {"jawOpen": 1.0}}
    photos = []
    for index, (pose, azimuth) in enumerate(
        [("neutral", -30), ("neutral", 30), ("neutral", 0), ("open", -15), ("open", 20)]
    ):
        view = View(pose, f"{pose}_{index}", azimuth, 5.0, 0.4, 20.0, (0.0, 0.0, 0.0), 48, held_out=index == 4)
        empty = np.zeros((48, 48), np.float32)
        photo = Photo(view, camera_of(view), np.zeros((48, 48, 3), np.float32), empty)
        maker = Fit(head, truth, [photo], poses)
        colour, alpha, _ = maker.renderer.forward(maker.parameters, maker.poses[pose], photo.camera, np.zeros(3))
        photos.append(Photo(view, photo.camera, colour.copy(), alpha.copy()))
    train, held_out = photos[:4], photos[4:]
    fit = Fit(head, on_patch(head, 400, np.random.default_rng(6)), photos, poses)
    blank = psnr(fit, held_out)["open"][1]
    fit.colour_from_photos(train)
    projected = psnr(fit, held_out)["open"][1]
    fit.train(train, 120, 0, lambda index, loss: None)
    fitted = psnr(fit, held_out)["open"][1]
    assert projected > blank + 2
    assert fitted > projected + 2


def test_missing_pictures_are_named(tmp_path):
    from engine.contract.errors import MienError
    from engine.fit.train import load_photos

    with pytest.raises(MienError, match=r"plan\.json can't be read"):
        load_photos(tmp_path)
    (tmp_path / "plan.json").write_text('{"views": []}')
    with pytest.raises(MienError, match="no pictures"):
        load_photos(tmp_path)


def test_a_unit_name_sets_both_sides_and_a_wrong_one_is_refused():
    from engine.contract.channels import UNITS
    from engine.contract.errors import MienError
    from engine.fit.bundle import unit_row

    assert unit_row({"eyeBlink": 0.5}).sum() == 1.0
    assert unit_row({"jawOpen": 0.5})[UNITS.index("jawOpen")] == 0.5
    with pytest.raises(MienError, match="no face unit named 'eyeblink'"):
        unit_row({"eyeblink": 1.0})


def test_lids_are_evened_out_and_other_skin_is_left_alone():
    from engine.contract.channels import UNITS
    from engine.fit.lids import even_out

    rng = np.random.default_rng(7)
    head = patch()
    upper = head.vertices[:, 2] > 0.02  # the lid: a blink pulls it down by more than it travels elsewhere
    for side in ("Left", "Right"):
        head.units[UNITS.index(f"eyeBlink{side}")][upper, 2] = -0.004
    gaussians = on_patch(head, 1500, rng)
    gaussians.sh[:] = rng.normal(size=gaussians.sh.shape)
    before = gaussians.sh.copy()
    even_out(head, gaussians)
    on_lid = upper[head.triangles[gaussians.triangle]].all(axis=1)
    beside = ~upper[head.triangles[gaussians.triangle]].any(axis=1)
    assert gaussians.sh[on_lid].std() < 0.7 * before[on_lid].std()
    assert np.array_equal(gaussians.sh[beside], before[beside])


def test_a_head_without_lids_keeps_its_colours():
    from engine.fit.lids import even_out

    gaussians = on_patch(patch(), 50, np.random.default_rng(8))
    gaussians.sh[:] = np.random.default_rng(9).normal(size=gaussians.sh.shape)
    before = gaussians.sh.copy()
    even_out(patch(), gaussians)
    assert np.array_equal(gaussians.sh, before)
