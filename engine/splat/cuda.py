"""The CUDA backend: gsplat 1.5.3 on an NVIDIA GPU, through torch.

gsplat's package on PyPI brings sources only: it compiles them at first use, which takes nvcc, a C++ compiler and some
minutes, once. Nothing here imports torch or gsplat before `unavailable` has found everything in place.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..contract.passes import DEPTH_BACKGROUND
from .interface import (
    ALPHA_MIN,
    ZONE_PASSES,
    Camera,
    Frame,
    Gaussians,
    camera_in_object,
    check_request,
    normal_matrix,
    object_to_camera,
)

_PLAIN = ("Combined", "Depth", "Mask")


@cache
def unavailable() -> str:
    """Why CUDA does not run here, as the beginning of a sentence; empty where it does."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed in the engine's environment"
    import torch

    if torch.version.cuda is None:
        return "PyTorch is installed without CUDA"
    if not torch.cuda.is_available():
        return "no NVIDIA GPU with a working driver was found"
    if importlib.util.find_spec("gsplat") is None:
        return f"{torch.cuda.get_device_name(0)} is there, but gsplat is not installed in the engine's environment"
    if importlib.util.find_spec("gsplat.csrc") is None and not _compilers():
        name = torch.cuda.get_device_name(0)
        return f"{name} is there, but gsplat must be compiled once and nvcc or a C++ compiler is missing"
    return ""


def _compilers() -> bool:
    """Whether nvcc and a C++ compiler are there to build gsplat with."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    nvcc = shutil.which("nvcc") or (Path(home) / "bin" / ("nvcc.exe" if sys.platform == "win32" else "nvcc")).is_file()
    compiler = shutil.which("cl" if sys.platform == "win32" else os.environ.get("CXX", "c++"))
    return bool(nvcc and compiler)


def device() -> str:
    """The GPU's name."""
    import torch

    return f"{torch.cuda.get_device_name(0)} (CUDA)"


class CudaBackend:
    """See `interface.Backend`.

    Args:
        rasterization: gsplat's function of that name, or one that takes and returns the same.
        where: torch device to compute on.
    """

    name = "cuda"

    def __init__(self, rasterization: Callable[..., Any] | None = None, where: str = "cuda") -> None:
        import torch

        if rasterization is None:
            from gsplat import rasterization  # pyright: ignore[reportMissingImports]
        self._torch = torch
        self._rasterization: Any = rasterization
        self._where = torch.device(where)
        self._kept: dict[int, tuple[np.ndarray, Any]] = {}
        self.device = device() if where == "cuda" else where
        self.note = ""
        if self._where.type == "cuda":
            self._try()

    def _try(self) -> None:
        """Draw one Gaussian, so that a broken build shows now and not in the first frame."""
        one = np.ones(1, np.float32)
        spot = Gaussians(
            np.zeros((3, 1), np.float32),
            0.01 * np.eye(3, dtype=np.float32)[..., None],
            one,
            np.ones((1, 3, 1), np.float32),
            np.zeros((3, 1), np.float32),
            np.zeros(1, np.uint8),
            0 * one,
        )
        view = np.eye(4)
        view[2, 3] = 1.0
        picture = self.render(Frame([spot], Camera(view, np.diag([32.0, 32.0, 1.0]), 16, 16)), ["Mask"])["Mask"]
        if not picture.max() > 0.5:
            raise RuntimeError("gsplat drew nothing in a trial")

    def render(
        self, frame: Frame, passes: Collection[str], before: Frame | None = None, after: Frame | None = None
    ) -> dict[str, np.ndarray]:
        """See `interface.Backend.render`."""
        names = check_request(frame, passes, before, after)
        with self._torch.inference_mode():
            planes = self._planes(frame, names, before, after)
            return {name: self._host(planes[name]) for name in names}

    def draw(self, frame: Frame, passes: Collection[str]) -> None:
        """Render and wait, but leave the passes on the device: what drawing alone takes."""
        with self._torch.inference_mode():
            self._planes(frame, check_request(frame, passes, None, None), None, None)
            if self._where.type == "cuda":
                self._torch.cuda.synchronize()

    def _planes(self, frame: Frame, names: list[str], before: Frame | None, after: Frame | None) -> dict[str, Any]:
        """Passes as tensors [height, width, components] on the device."""
        torch, camera = self._torch, frame.camera
        x, y, width, height = camera.region
        full = any(name not in _PLAIN for name in names)
        space = frame.objects[0].blend_space if frame.objects else "linear"
        if not sum(len(entry) for entry in frame.objects):
            feature_count = 3 + (14 if full else 0)
            sums = torch.zeros((height, width, feature_count + 1), device=self._where)
            return self._passes(sums, sums[..., :1], names, space)
        means, covariances, opacity, features = (
            torch.cat(column)
            for column in zip(
                *(self._object(index, frame, space, full, before, after) for index in range(len(frame.objects))),
                strict=True,
            )
        )
        least = min(entry.dilation for entry in frame.objects)  # gsplat has one for all; `_softened` adds the rest
        # The whole picture is drawn and the region cut out: gsplat's projection depends on the picture's size.
        sums, coverage, _ = self._rasterization(
            means,
            None,
            None,
            opacity,
            features,
            self._tensor(camera.world_to_camera)[None],
            self._tensor(camera.K)[None],
            camera.width,
            camera.height,
            near_plane=camera.near,
            eps2d=least,
            sh_degree=None,
            packed=False,
            render_mode="RGB+ED",
            covars=covariances,
        )
        cut = slice(y, y + height), slice(x, x + width)
        return self._passes(sums[0][cut], coverage[0][cut], names, space)

    def _object(
        self, index: int, frame: Frame, space: str, full: bool, before: Frame | None, after: Frame | None
    ) -> tuple[Any, Any, Any, Any]:
        """One object's world centres [N, 3], covariances [N, 3, 3], opacities [N] and features [N, 3 or 17]."""
        torch, entry = self._torch, frame.objects[index]
        matrix = self._tensor(entry.matrix)
        centres = self._tensor(entry.centres).T
        factors = matrix[:3, :3] @ self._tensor(entry.factors).permute(2, 0, 1)
        means = centres @ matrix[:3, :3].T + matrix[:3, 3]
        features = [self._colours(entry, centres, frame.camera, space)]
        if full:
            normals = self._tensor(entry.normals).T @ self._tensor(normal_matrix(entry)).T
            normals = torch.nn.functional.normalize(normals, dim=1, eps=1e-20)
            away = (normals * (means - self._tensor(frame.camera.position))).sum(1, keepdim=True) > 0
            features.append(torch.where(away, -normals, normals))
            features.append(self._motion(index, frame, before, 1.0))
            features.append(self._motion(index, frame, after, -1.0))
            zones = torch.arange(len(ZONE_PASSES), device=self._where)
            features.append((self._constant(entry.zone)[:, None] == zones).float())
        covariances = self._softened(factors @ factors.transpose(1, 2), means, entry, frame)
        return means.contiguous(), covariances, self._constant(entry.opacity), torch.cat(features, 1)

    def _softened(self, covariances: Any, means: Any, entry: Gaussians, frame: Frame) -> Any:
        """World covariances [N, 3, 3] that add what the object's dilation has above the frame's least.

        s pixels² are s·(z/f)² across the view, which projects to just that: the projection leaves depth out of it.
        """
        more, camera = entry.dilation - min(other.dilation for other in frame.objects), frame.camera
        if more <= 0:
            return covariances
        view = self._tensor(camera.world_to_camera)
        depth = means @ view[2, :3] + view[2, 3]
        for axis in range(2):
            across = depth[:, None] * view[axis, :3] * (more**0.5 / camera.K[axis, axis])
            covariances = covariances + across[:, :, None] * across[:, None, :]
        return covariances

    def _colours(self, entry: Gaussians, centres: Any, camera: Camera, space: str) -> Any:
        """[N, 3] in the frame's blend space."""
        torch = self._torch
        direction = centres - self._tensor(camera_in_object(entry, camera))
        weight = self._constant(entry.turn_weight)[:, None]
        direction = direction + weight * (direction @ self._tensor(entry.turn) - direction)
        direction = torch.nn.functional.normalize(direction, dim=1)
        basis = _basis(torch, direction, entry.sh.shape[0])
        colour = torch.einsum("ns,scn->nc", basis, self._constant(entry.sh)).add(0.5)
        if entry.tint is not None:
            colour = colour + self._tensor(entry.tint).T
        colour = colour.clamp_min(0.0)
        if entry.blend_space == space:
            return colour
        return _decode(torch, colour) if space == "linear" else _encode(torch, colour)

    def _motion(self, index: int, frame: Frame, other: Frame | None, sign: float) -> Any:
        """Pixels [N, 2], y up: there minus here, times sign; 0 where there is no other frame."""
        torch = self._torch
        if other is None:
            return torch.zeros((len(frame.objects[index]), 2), device=self._where)
        here, _ = self._screen(frame.objects[index], frame.camera)
        there, depth = self._screen(other.objects[index], other.camera)
        motion = (there - here) * self._tensor(np.array([sign, -sign]))
        return torch.where(depth >= frame.camera.near, motion, torch.zeros_like(motion))

    def _screen(self, entry: Gaussians, camera: Camera) -> tuple[Any, Any]:
        view = self._tensor(object_to_camera(entry, camera))
        points = self._tensor(entry.centres).T @ view[:3, :3].T + view[:3, 3]
        image = points @ self._tensor(camera.K).T
        return image[:, :2] / image[:, 2:], points[:, 2:]

    def _passes(self, sums: Any, coverage: Any, names: list[str], space: str) -> dict[str, Any]:
        torch = self._torch
        safe = coverage.clamp_min(1e-12)
        seen = coverage >= ALPHA_MIN
        colour = sums[..., :3]
        if space == "srgb":
            colour = _decode(torch, colour / safe) * coverage
        planes = {
            "Combined": torch.cat([colour, coverage], -1),
            "Depth": torch.where(seen, sums[..., -1:], torch.full_like(coverage, DEPTH_BACKGROUND)),
            "Mask": coverage,
        }
        if any(name not in _PLAIN for name in names):
            length = torch.linalg.norm(sums[..., 3:6], dim=-1, keepdim=True).clamp_min(1e-12)
            planes["Normal"] = sums[..., 3:6] / length * coverage
            planes["Vector"] = torch.where(seen, sums[..., 6:10] / safe, torch.zeros_like(sums[..., 6:10]))
            planes |= {name: sums[..., 10 + k, None] for k, name in enumerate(ZONE_PASSES)}
        return planes

    def _tensor(self, values: np.ndarray) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(self._where)

    def _constant(self, values: np.ndarray) -> Any:
        """An array on the device; one that never changes (read-only) is kept there, the array itself as its key."""
        if values.flags.writeable:
            return self._torch.from_numpy(np.ascontiguousarray(values)).to(self._where)
        held = self._kept.get(id(values))
        if held is None:
            if len(self._kept) > 256:
                self._kept.clear()
            tensor = self._torch.from_numpy(np.array(values)).to(self._where)  # a copy: torch wants writable memory
            held = self._kept[id(values)] = values, tensor
        return held[1]

    def _host(self, plane: Any) -> np.ndarray:
        return plane.contiguous().to("cpu").numpy()


def _decode(torch: Any, colour: Any) -> Any:
    """sRGB → linear; above 1 the curve goes on."""
    curve = ((colour.clamp_min(0.04) + 0.055) / 1.055) ** 2.4
    return torch.where(colour > 0.04045, curve, colour / 12.92)


def _encode(torch: Any, colour: Any) -> Any:
    """Linear → sRGB; above 1 the curve goes on."""
    curve = 1.055 * colour.clamp_min(0.003) ** (1 / 2.4) - 0.055
    return torch.where(colour > 0.0031308, curve, colour * 12.92)


def _basis(torch: Any, direction: Any, count: int) -> Any:
    """Spherical harmonics of unit directions [N, 3] → [N, count]; gsplat's constants, signs and order."""
    x, y, z = direction.unbind(1)
    rows = [torch.full_like(x, 0.28209479177387814)]
    if count > 1:
        rows += [-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x]
    if count > 4:
        xx, yy, zz = x * x, y * y, z * z
        rows += [1.0925484305920792 * x * y, -1.0925484305920792 * y * z, 0.31539156525252005 * (2 * zz - xx - yy)]
        rows += [-1.0925484305920792 * x * z, 0.5462742152960396 * (xx - yy)]
        if count > 9:
            rows += [-0.5900435899266435 * y * (3 * xx - yy), 2.890611442640554 * x * y * z]
            rows += [-0.4570457994644658 * y * (4 * zz - xx - yy)]
            rows += [0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy)]
            rows += [-0.4570457994644658 * x * (4 * zz - xx - yy), 1.445305721320277 * z * (xx - yy)]
            rows += [-0.5900435899266435 * x * (xx - 3 * yy)]
    return torch.stack(rows, 1)
