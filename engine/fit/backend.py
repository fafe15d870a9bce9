"""What a fit asks of a renderer: pictures of Gaussians on triangles, and gradients. One file a backend.

`cpu` is `raster.Renderer` (numba); `cuda` is `gsplat.Renderer` (gsplat over torch's autograd).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..contract.errors import MienError
from .raster import Parameters, Pinhole, Pose, Renderer

BACKENDS = ("auto", "cpu", "cuda")


class Backend(Protocol):
    """Forward and backward for a fixed number of Gaussians; arrays in and out are numpy's, float32."""

    name: str

    @staticmethod
    def device() -> str:
        """What it computes on, in words."""
        ...

    def __init__(self, count: int, sh_count: int, dilation: float) -> None: ...

    def forward(
        self, p: Parameters, pose: Pose, camera: Pinhole, background: np.ndarray, colour: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, object]:
        """Picture [H,W,3] over the background [3], alpha [H,W], and what the other two calls need."""
        ...

    def to_screen(self, trace: object, to_picture: np.ndarray, to_alpha: np.ndarray | None = None) -> np.ndarray:
        """[N,9]; columns 6–8 are Σ over pixels of each Gaussian's weight there times `to_picture` [H,W,3]."""
        ...

    def backward(
        self, p: Parameters, pose: Pose, camera: Pinhole, trace: object, to_picture: np.ndarray, to_alpha: np.ndarray
    ) -> Parameters:
        """Gradients of all parameters; valid until the next call."""
        ...


def choose(name: str) -> type[Backend]:
    """The backend of that name; `auto` takes CUDA where it works.

    Raises:
        MienError: CUDA is asked for and can't be had.
    """
    if name == "cpu":
        return Renderer
    from . import gsplat

    reason = gsplat.missing()
    if reason is None:
        return gsplat.Renderer
    if name == "cuda":
        raise MienError(f"Fitting on CUDA is not possible: {reason}; fit with --backend cpu.")
    return Renderer
