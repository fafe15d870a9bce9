"""Every backend against the float64 reference, pass by pass; crops, several heads, bad input, CUDA's conventions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import splat_reference as reference
import synthetic_head

from engine import splat
from engine.contract import channels
from engine.contract.errors import MienError
from engine.contract.passes import DEPTH_BACKGROUND, PASS_BY_NAME
from engine.heads.deform import Deformer
from engine.splat import cuda
from engine.splat.cpu import CpuBackend
from engine.splat.interface import Camera, Frame, Gaussians

PASSES = list(PASS_BY_NAME)
SMILE = {"AU12 Lip Corner Puller.L": 0.8, "AU26 Jaw Drop": 0.4, "Head Yaw": 0.3}
OPEN = {"AU26 Jaw Drop": 0.9, "Head Yaw": 0.45, "Head Pitch": -0.1}
SHEARED = np.array([[1.1, 0.2, 0.0, 0.02], [0.0, 0.9, 0.1, 0.0], [0.1, 0.0, 1.0, -0.01], [0, 0, 0, 1]])


def look(width=72, height=64, azimuth=0.4, distance=0.7, focal=2.4, shift=(0.0, 0.0), **options) -> Camera:
    """A camera that looks at the synthetic head's centre, from its front at azimuth 0."""
    target = np.array([0.0, 0.0, 0.3])
    position = target + distance * np.array([np.sin(azimuth), -np.cos(azimuth), 0.1])
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = [right, np.cross(forward, right), forward]
    view[:3, 3] = -view[:3, :3] @ position
    K = np.array([[focal * height, 0, width / 2 + shift[0]], [0, focal * height, height / 2 + shift[1]], [0, 0, 1.0]])
    return Camera(view, K, width, height, **options)


def pose(values, matrix=None, degree=1, seed=0, count=500) -> Gaussians:
    head = synthetic_head.make(count, degree, seed)
    return Deformer(head)(channels.from_mapping(values), matrix)


def assert_agrees(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    """PSNR ≥ 50 dB and no error above 2/255 on every pass.

    Depth and Vector jump where alpha crosses 1/255, so pixels at that very alpha are left out. Vector counts in pixels.
    """
    clear = np.abs(wanted["Mask"] - 1 / 255) > 1e-4
    for name, plane in found.items():
        assert plane.dtype == np.float32 and plane.shape == wanted[name].shape, name
        error = np.abs(plane - wanted[name])
        if name in ("Depth", "Vector"):
            error = error * clear
        assert error.max() <= 2 / 255, name
        assert 10 * np.log10(1 / max(np.mean(error**2), 1e-20)) >= 50, name


@pytest.fixture(scope="module")
def cpu() -> CpuBackend:
    return CpuBackend()


@pytest.mark.parametrize("dilation", [0.05, 0.3])
def test_each_head_is_as_soft_as_it_says(cpu, dilation):
    aside = np.eye(4)
    aside[:3, 3] = [0.08, 0.04, 0.0]
    frame = Frame([dataclasses.replace(pose(SMILE), dilation=dilation), pose({}, aside, seed=2)], look())
    assert_agrees(cpu.render(frame, PASSES), reference.render(frame))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_all_passes_agree_with_the_reference(cpu, degree):
    camera = look()
    frame = Frame([pose(SMILE, degree=degree)], camera)
    before, after = Frame([pose(OPEN, degree=degree)], look(azimuth=0.38)), Frame([pose({}, degree=degree)], camera)
    wanted = reference.render(frame, before, after)
    found = cpu.render(frame, PASSES, before, after)
    assert set(found) == set(PASSES)
    assert_agrees(found, wanted)
    assert wanted["Mask"].max() > 0.9 and np.abs(wanted["Vector"]).max() > 1  # there is something to agree about


@pytest.mark.parametrize("matrix", [np.eye(4), SHEARED, np.diag([-1.0, 1.0, 1.0, 1.0]), np.diag([1, 1, 0.4, 1.0])])
def test_objects_may_be_moved_scaled_sheared_and_mirrored(cpu, matrix):
    frame = Frame([pose(SMILE, matrix, degree=2)], look(70, 50, shift=(5.0, -3.0)))
    assert_agrees(cpu.render(frame, PASSES), reference.render(frame))


def test_heads_that_overlap_composite_by_depth(cpu):
    aside = np.eye(4)
    aside[:3, 3] = [0.06, 0.03, 0.0]
    other = dataclasses.replace(pose(OPEN, aside, degree=0, seed=3), blend_space="linear")
    for objects in ([pose(SMILE), other], [other, pose(SMILE)]):
        frame = Frame(objects, look())
        assert_agrees(cpu.render(frame, PASSES), reference.render(frame))


def test_close_ups_with_gaussians_beside_and_behind_the_camera(cpu):
    frame = Frame([pose(SMILE)], look(48, 40, distance=0.13, focal=0.9, near=0.02))
    assert_agrees(cpu.render(frame, PASSES), reference.render(frame))


def test_few_passes_are_the_same_as_all(cpu):
    frame = Frame([pose(SMILE)], look())
    everything = cpu.render(frame, PASSES)
    for names in (["Combined"], ["Depth", "Mask"], ["Normal"], ["Mask Mouth"]):
        found = cpu.render(frame, names)
        assert list(found) == names
        for name in names:
            np.testing.assert_allclose(found[name], everything[name], atol=1e-5)


@pytest.mark.parametrize("crop", [(0, 0, 33, 30), (37, 11, 101, 77), (13, 5, 1, 1), (150, 100, 10, 28)])
def test_a_crop_is_exactly_the_part_of_the_whole(cpu, crop):
    camera = look(160, 128)
    entry = pose(SMILE, count=1500)
    whole = cpu.render(Frame([entry], camera), PASSES)
    part = cpu.render(Frame([entry], dataclasses.replace(camera, crop=crop)), PASSES)
    x, y, width, height = crop
    for name in PASSES:
        np.testing.assert_array_equal(part[name], whole[name][y : y + height, x : x + width], err_msg=name)


def test_a_border_by_shifted_principal_point_agrees(cpu):
    camera = look(96, 80)
    shifted = dataclasses.replace(camera, K=camera.K - [[0, 0, 21.0], [0, 0, 13.0], [0, 0, 0]], width=50, height=48)
    entry = pose(SMILE)
    whole = cpu.render(Frame([entry], camera), ["Combined"])["Combined"]
    part = cpu.render(Frame([entry], shifted), ["Combined"])["Combined"]
    np.testing.assert_allclose(part, whole[13:61, 21:71], atol=1 / 255)


def test_rendering_twice_gives_the_same_bits(cpu):
    frame = Frame([pose(SMILE)], look())
    first, second = cpu.render(frame, PASSES), CpuBackend().render(frame, PASSES)
    for name in PASSES:
        np.testing.assert_array_equal(first[name], second[name])


def test_passes_can_be_written_where_the_caller_wants_them(cpu):
    frame = Frame([pose(SMILE)], look())
    place = np.full((64, 72, 4), 7.0, np.float32)
    found = cpu.render(frame, ["Combined"], out={"Combined": place})
    assert found["Combined"] is place
    np.testing.assert_array_equal(place, cpu.render(frame, ["Combined"])["Combined"])


def test_nothing_to_see_is_background_everywhere(cpu):
    away = np.eye(4)
    away[:3, 3] = [0, -5.0, 0]  # behind the camera
    for objects in ([], [pose({}, away)]):
        planes = cpu.render(Frame(objects, look(40, 33)), PASSES)
        assert (planes["Depth"] == np.float32(DEPTH_BACKGROUND)).all()
        assert all((planes[name] == 0).all() for name in PASSES if name != "Depth")


def test_vector_follows_cycles_signs(cpu):
    """Cycles writes previous − here and here − next, y up: a head that moves steadily right and up has (−, −, −, −)."""
    moved = [np.eye(4) for _ in range(3)]
    for k, matrix in enumerate(moved):
        matrix[:3, 3] = [0.01 * k, 0.0, 0.01 * k]
    frames = [Frame([pose({}, matrix)], look(azimuth=0.0)) for matrix in moved]
    planes = cpu.render(frames[1], ["Vector", "Mask"], frames[0], frames[2])
    inside = planes["Vector"][planes["Mask"][..., 0] > 0.9]
    step = 0.01 / 0.7 * 2.4 * 64
    np.testing.assert_allclose(np.abs(inside).mean(0), step, rtol=0.2)
    assert (inside < 0).all()


def test_a_head_of_random_garbage_stays_finite(cpu):
    random = np.random.default_rng(5)
    entry = pose({})
    entry = dataclasses.replace(
        entry,
        factors=(random.normal(size=entry.factors.shape) * 10.0 ** random.uniform(-6, 1, len(entry))).astype(
            np.float32
        ),
        sh=(random.normal(size=entry.sh.shape) * 1000).astype(np.float32),
        centres=(random.normal(size=entry.centres.shape) * 2).astype(np.float32),
    )
    planes = cpu.render(Frame([entry], look(64, 48)), PASSES)
    assert all(np.isfinite(plane).all() for plane in planes.values())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"width": 0}, "can't be rendered"),
        ({"height": 10**6}, "can't be rendered"),
        ({"K": np.full((3, 3), np.nan)}, "K"),
        ({"K": np.zeros((3, 3))}, "focal"),
        ({"world_to_camera": 2 * np.eye(4)}, "rigid"),
        ({"world_to_camera": [[1, 2], [3]]}, "world_to_camera"),
        ({"near": 0.0}, "near"),
        ({"crop": (0, 0, 100, 1)}, "crop"),
        ({"crop": (5, 5, 0, 3)}, "crop"),
    ],
)
def test_bad_cameras_are_refused_with_a_sentence(change, word):
    with pytest.raises(MienError, match=word):
        dataclasses.replace(look(), **change)


def test_bad_requests_are_refused_with_a_sentence(cpu):
    frame = Frame([pose({}, count=20)], look(16, 16))
    with pytest.raises(MienError, match="no render pass 'Beauty'"):
        cpu.render(frame, ["Beauty"])
    with pytest.raises(MienError, match="other heads"):
        cpu.render(frame, ["Vector"], before=Frame([], look(16, 16)))
    with pytest.raises(MienError, match="scaled to nothing"):
        cpu.render(Frame([pose({}, np.diag([1, 1, 0, 1.0]), count=20)], look(16, 16)), ["Mask"])
    with pytest.raises(MienError, match="no backend 'vulkan'"):
        splat.open_backend("vulkan")


def test_what_can_render_here_is_told_plainly():
    found = {entry["name"]: entry for entry in splat.backends()}
    assert found["cpu"]["available"] and "thread" in found["cpu"]["device"]
    assert found["cuda"].get("device" if found["cuda"]["available"] else "reason")
    backend = splat.open_backend("cuda")
    if not found["cuda"]["available"]:
        assert backend.name == "cpu" and found["cuda"]["reason"] in backend.note


@pytest.mark.parametrize("space", ["srgb", "linear"])
def test_a_dynamic_appearance_agrees_with_the_reference(cpu, space):
    """Tint is added before colours are clamped and decoded; opacity and shape are this frame's."""
    entry = Deformer(synthetic_head.make_rich(500))(channels.from_mapping(OPEN))
    assert entry.tint is not None and np.abs(entry.tint).max() > 0.1
    frame = Frame([dataclasses.replace(entry, blend_space=space)], look())
    assert_agrees(cpu.render(frame, PASSES), reference.render(frame, None, None))


def test_an_exported_frame_shows_what_is_rendered(cpu):
    """Splats carry this frame's colour, opacity and shape, also where a triangle's stretch has sheared a Gaussian."""
    from engine.heads.foreign.splats import from_gaussians, to_gaussians

    entry = Deformer(synthetic_head.make_rich(500, degree=0))(channels.from_mapping(OPEN))
    assert entry.tint is not None
    exported = to_gaussians(from_gaussians(entry))
    shown = cpu.render(Frame([exported], look()), ["Combined", "Mask"])
    assert_agrees(shown, cpu.render(Frame([entry], look()), ["Combined", "Mask"]))


# CUDA -----------------------------------------------------------------------------------------------------------------


def gsplat_stand_in(
    means, quats, scales, opacities, colors, viewmats, Ks, width, height,
    near_plane=0.01, far_plane=1e10, radius_clip=0.0, eps2d=0.3, sh_degree=None, packed=True, tile_size=16,
    backgrounds=None, render_mode="RGB", rasterize_mode="classic", camera_model="pinhole", covars=None,
):  # fmt: skip
    """gsplat.rasterization's documented behaviour for one camera, by the reference."""
    torch = pytest.importorskip("torch")
    assert quats is None and scales is None and sh_degree is None and backgrounds is None
    assert render_mode == "RGB+ED" and colors.dim() == 2 and means.dtype == torch.float32
    assert covars.shape == (len(means), 3, 3) and viewmats.shape == (1, 4, 4) and Ks.shape == (1, 3, 3)
    assert opacities.shape == (len(means),) and colors.shape[0] == len(means) and means.is_contiguous()
    camera = Camera(viewmats[0].numpy(), Ks[0].numpy(), width, height, near_plane)
    root = torch.linalg.cholesky(covars.double() + 1e-16 * torch.eye(3)).permute(1, 2, 0).numpy()
    entry = Gaussians(means.T.numpy(), root, opacities.numpy(), *(np.zeros((1, 3, 1)),) * 2, None, None, dilation=eps2d)
    points, pixels = reference.screen(entry, camera)
    covariance = reference.covariances(entry, camera, points)
    order = np.argsort(points[:, 2], kind="stable")
    order = order[(points[order, 2] >= near_plane) & (entry.opacity[order] >= 1 / 255)]
    features = np.concatenate([colors.double().numpy(), points[:, 2:]], axis=1)[order]
    sums, coverage = reference.blend(
        pixels[order], covariance[order], entry.opacity[order].astype(float), features, (height, width)
    )
    coverage = coverage[..., None]
    sums[..., -1:] /= np.maximum(coverage, 1e-10)
    return *(torch.from_numpy(plane).float()[None] for plane in (sums, coverage)), {}


@pytest.fixture(params=["stand-in", "gpu"])
def gsplat(request):
    pytest.importorskip("torch")
    if request.param == "stand-in":
        return cuda.CudaBackend(gsplat_stand_in, "cpu")
    if cuda.unavailable():
        pytest.skip(f"not run on CUDA: {cuda.unavailable()}")
    return cuda.CudaBackend()


def test_cuda_agrees_with_the_reference_on_every_pass(gsplat):
    aside = np.eye(4)
    aside[:3, 3] = [0.08, 0.04, 0.0]
    objects = [pose(SMILE, SHEARED, degree=3), dataclasses.replace(pose({}, aside, seed=2), blend_space="linear")]
    objects[1] = dataclasses.replace(objects[1], dilation=0.1)
    frame = Frame(objects, look(shift=(4.0, 2.0)))
    before = Frame([pose(OPEN, degree=3), pose({}, seed=2)], look())
    after = Frame([pose({}, SHEARED, degree=3), pose({}, aside, seed=2)], look(azimuth=0.45))
    assert_agrees(gsplat.render(frame, PASSES, before, after), reference.render(frame, before, after))


def test_cuda_shows_the_dynamic_appearance_of_this_frame(gsplat):
    """Changed opacity and tint, frame after frame of one deformer: nothing stays behind on the device."""
    deformer = Deformer(synthetic_head.make_rich(500))
    for values in (SMILE, OPEN, {}):
        frame = Frame([deformer(channels.from_mapping(values))], look())
        assert (frame.objects[0].tint is None) == (not values)
        assert_agrees(gsplat.render(frame, ["Combined", "Mask"]), reference.render(frame, None, None))
    kept = [array for array, _ in gsplat._kept.values()]
    assert all(not array.flags.writeable for array in kept) and len(kept) <= 4


def test_cuda_crops_and_draws_nothing_like_the_cpu(gsplat, cpu):
    for entries in ([pose(SMILE)], []):
        frame = Frame(entries, look(crop=(30, 12, 25, 41)))
        assert_agrees(gsplat.render(frame, PASSES), cpu.render(frame, PASSES))


@pytest.mark.parametrize(
    ("missing", "word"),
    [
        ("torch", "PyTorch is not installed"),
        ("gsplat", "gsplat is not installed"),
        ("nvcc", "nvcc"),
        ("gpu", "no NVIDIA"),
    ],
)
def test_why_cuda_does_not_run_is_told(monkeypatch, missing, word):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: missing != "gpu")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA Test")
    here = ("torch", "gsplat")
    monkeypatch.setattr(cuda.importlib.util, "find_spec", lambda name: (name in here and name != missing) or None)
    monkeypatch.setattr(cuda, "_compilers", lambda: missing != "nvcc")
    cuda.unavailable.cache_clear()
    try:
        assert word in cuda.unavailable()
    finally:
        cuda.unavailable.cache_clear()
