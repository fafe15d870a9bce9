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
