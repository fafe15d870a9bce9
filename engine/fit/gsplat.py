"""The fit's CUDA backend: gsplat 1.5.3's rasteriser, differentiated by torch. Arrays in and out are numpy's.

`raster.Renderer` is the CPU's twin; both keep gsplat's rules, so that either goes on where the other stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..splat.cuda import device, unavailable
from ..splat.interface import DILATION
from .raster import Parameters, Pinhole, Pose


def missing() -> str | None:
    """Why this backend can't be used here, or None."""
    return unavailable() or None


@dataclass
class Trace:
    """One forward pass: torch's leaves and what was rendered from them."""

    leaves: dict[str, Any]
    picture: Any
    alpha: Any
    screen: Any


class Renderer:
    """See `backend.Backend`.

    Args:
        dilation: pixels² that the covariance in the picture gains on its diagonal.
        rasterization: gsplat's function of that name, or one that takes and returns the same.
        where: torch device to compute on.
    """

    name = "cuda"
    device = staticmethod(device)

    def __init__(
        self,
        count: int,
        sh_count: int = 4,
        dilation: float = DILATION,
        rasterization: Callable[..., Any] | None = None,
        where: str = "cuda",
    ) -> None:
        import torch

        if rasterization is None:
            from gsplat import rasterization  # pyright: ignore[reportMissingImports]
        self._torch, self._rasterization = torch, rasterization
        self._where = torch.device(where)
        self._count, self._degree, self._dilation = count, int(np.sqrt(sh_count)) - 1, float(dilation)

    def forward(
        self, p: Parameters, pose: Pose, camera: Pinhole, background: np.ndarray, colour: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, Trace]:
        """See `backend.Backend.forward`."""
        torch = self._torch
        leaves = {name: self._tensor(array).requires_grad_() for name, array in p.arrays().items()}
        origin, axes = self._tensor(pose.origin), self._tensor(pose.axes)
        means = origin + (axes @ leaves["position"][:, :, None])[:, :, 0]
        factor = axes @ _matrices(torch, leaves["rotation"]) * torch.exp(leaves["log_scale"])[:, None, :]
        view = self._tensor(np.r_[np.asarray(camera.view, np.float32), np.float32([[0, 0, 0, 1]])])
        fx, fy, cx, cy = camera.lens
        K = self._tensor(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32))
        screen = _harmonics(torch, leaves["sh"], means - self._tensor(camera.eye), self._degree)
        if colour is not None:
            screen = self._tensor(colour)
        screen = screen if screen.requires_grad else screen.requires_grad_()
        if not screen.is_leaf:
            screen.retain_grad()
        picture, alpha, _ = self._rasterization(
            means=means, quats=None, scales=None, opacities=torch.sigmoid(leaves["opacity_logit"]), colors=screen,
            viewmats=view[None], Ks=K[None], width=camera.width, height=camera.height, near_plane=0.01,
            eps2d=self._dilation, covars=factor @ factor.transpose(1, 2), backgrounds=self._tensor(background)[None],
        )  # fmt: skip
        picture, alpha = picture[0], alpha[0, :, :, 0]
        return self._array(picture), self._array(alpha), Trace(leaves, picture, alpha, screen)

    def to_screen(self, trace: Trace, to_picture: np.ndarray, to_alpha: np.ndarray | None = None) -> np.ndarray:
        """See `backend.Backend.to_screen`."""
        (weights,) = self._torch.autograd.grad(
            trace.picture, trace.screen, self._tensor(to_picture), retain_graph=True, allow_unused=False
        )
        return np.c_[np.zeros((self._count, 6), np.float32), self._array(weights)]

    def backward(
        self, p: Parameters, pose: Pose, camera: Pinhole, trace: Trace, to_picture: np.ndarray, to_alpha: np.ndarray
    ) -> Parameters:
        """See `backend.Backend.backward`."""
        found = self._torch.autograd.grad(
            [trace.picture, trace.alpha], list(trace.leaves.values()),
            [self._tensor(to_picture), self._tensor(to_alpha)], allow_unused=True,
        )  # fmt: skip
        arrays = [
            np.zeros_like(a) if g is None else self._array(g) for a, g in zip(p.arrays().values(), found, strict=True)
        ]
        return Parameters(*arrays)

    def _tensor(self, array: np.ndarray) -> Any:
        return self._torch.tensor(np.ascontiguousarray(array, np.float32), device=self._where)

    def _array(self, tensor: Any) -> np.ndarray:
        return tensor.detach().to("cpu").numpy().copy()


def _matrices(torch: Any, quaternions: Any) -> Any:
    """Rotations [N,3,3] of wxyz quaternions of any length."""
    w, x, y, z = torch.unbind(quaternions / quaternions.norm(dim=1, keepdim=True), dim=1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=1).reshape(-1, 3, 3)


def _harmonics(torch: Any, sh: Any, direction: Any, degree: int) -> Any:
    """Colours [N,3] from coefficients [N,S,3]: gsplat's signs and order, degree 0 to 2."""
    x, y, z = torch.unbind(direction / direction.norm(dim=1, keepdim=True), dim=1)
    basis = [0.28209479177387814 * torch.ones_like(x)]
    if degree > 0:
        basis += [-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x]
    if degree > 1:
        basis += [
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.9461746957575601 * z * z - 0.31539156525252,
        ]
        basis += [-1.0925484305920792 * x * z, 0.5462742152960395 * (x * x - y * y)]
    return torch.clamp_min(0.5 + (torch.stack(basis, dim=1)[:, :, None] * sh).sum(dim=1), 0.0)
