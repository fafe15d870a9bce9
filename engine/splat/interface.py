"""What goes into a splat backend and what comes out; every backend in this folder implements `Backend`."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..contract.channels import MASK_ZONES
from ..contract.errors import MienError
from ..contract.passes import PASS_BY_NAME

MAX_SIZE = 16384
"""Pixels: the longest side of a picture."""

# The rules of gsplat 1.5.3, which every backend follows.
ALPHA_MIN = 1.0 / 255.0
"""A Gaussian is skipped where it contributes less to a pixel; Depth is background where alpha is below it."""
ALPHA_MAX = 0.999
TRANSMITTANCE_MIN = 1e-4
"""The Gaussian that would bring a pixel's transmittance to this, and all behind it, are skipped."""
DILATION = 0.3
"""Square pixels added to the diagonal of every projected covariance, where a head says nothing else."""


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera in OpenCV's axes: x right, y down, z forward; pixel centres at k + 0.5.

    Attributes:
        world_to_camera: [4, 4], a rigid motion.
        K: [3, 3] pixels, no skew.
        width, height: Pixels of the whole picture.
        near: Metres; what lies nearer is not drawn.
        crop: (x, y, width, height) of the part to render, or None for all. The values of its pixels are exactly those
            that the whole picture has there.

    Raises:
        MienError: A number is not finite, or a size is out of bounds.
    """

    world_to_camera: np.ndarray
    K: np.ndarray
    width: int
    height: int
    near: float = 0.01
    crop: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIZE and 1 <= self.height <= MAX_SIZE):
            size = f"{self.width} × {self.height}"
            raise MienError(f"A picture of {size} can't be rendered; use 1 to {MAX_SIZE} pixels a side.")
        for name, shape in (("world_to_camera", (4, 4)), ("K", (3, 3))):
            try:
                matrix = np.asarray(getattr(self, name), dtype=np.float64)
            except (TypeError, ValueError):
                matrix = np.zeros(0)
            if matrix.shape != shape or not np.isfinite(matrix).all() or np.abs(matrix).max() > 1e9:
                raise MienError(f"The camera's {name} must be {shape[0]} rows of {shape[1]} finite numbers.")
            object.__setattr__(self, name, matrix)
        rotation = self.world_to_camera[:3, :3]
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0:
            raise MienError("The camera's world_to_camera is no rigid motion; take out its scale and mirroring.")
        if not (self.K[0, 0] > 0 and self.K[1, 1] > 0):
            raise MienError("The camera's focal lengths K[0][0] and K[1][1] must be above 0 pixels; correct them.")
        if not (math.isfinite(self.near) and self.near > 0):
            raise MienError(f"The camera's near distance must be above 0 metres, not {self.near}; correct it.")
        x, y, width, height = self.region
        if not (0 <= x < x + width <= self.width and 0 <= y < y + height <= self.height):
            raise MienError(f"The crop {self.crop} is not within the picture's {self.width} × {self.height} pixels.")

    @property
    def region(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) of what is rendered."""
        return self.crop if self.crop is not None else (0, 0, self.width, self.height)

    @property
    def position(self) -> np.ndarray:
        """The camera's place in the world [3]."""
        return -self.world_to_camera[:3, :3].T @ self.world_to_camera[:3, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """N Gaussians of one object. Components come first, so that the processor reads each as one row.

    Attributes:
        centres: [3, N] float32, object space, metres.
        factors: [3, 3, N] float32 F; a Gaussian's covariance in object space is F Fᵀ.
        opacity: [N] float32, 0 … 1.
        sh: [S, 3, N] float32, S = 1, 4, 9 or 16; gsplat's sign and order; colour = 0.5 + Σ Y·c, clamped at 0 below.
        normals: [3, N] float32, object space, unit or zero; the sign does not matter, they are turned to the camera.
        zone: [N] uint8, index into the contract's `MASK_ZONES`.
        matrix: [4, 4] object → world, any invertible affine map.
        turn, turn_weight: [3, 3] and [N] float32. The viewing direction d (object space, from the camera to the
            Gaussian) in which `sh` is evaluated is (1 − w)·d + w·turnᵀ·d, normalised: the head's rotation turned back
            as far as linear blend skinning applied it.
        blend_space: "srgb" or "linear": the space in which `sh` gives colours and they are alpha-blended.
        tint: [3, N] float32, added to the colours that `sh` gives before they are clamped; None for nothing. It is what
            the dynamic appearance changes from frame to frame while `sh` stays.
        dilation: Square pixels added to the diagonal of every projected covariance.

    Arrays that are read-only stay the same for good: a backend may keep its copy of them.
    """

    centres: np.ndarray
    factors: np.ndarray
    opacity: np.ndarray
    sh: np.ndarray
    normals: np.ndarray
    zone: np.ndarray
    turn_weight: np.ndarray
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    matrix: np.ndarray = field(default_factory=lambda: np.eye(4))
    blend_space: str = "srgb"
    tint: np.ndarray | None = None
    dilation: float = DILATION

    def __len__(self) -> int:
        return self.centres.shape[1]

    @property
    def sh_degree(self) -> int:
        return math.isqrt(self.sh.shape[0]) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What is seen at one instant. Objects of one frame are composited together by depth, Gaussian by Gaussian."""

    objects: Sequence[Gaussians]
    camera: Camera


class Backend(Protocol):
    """A way to render. `note` says why it took the place of a faster one, or is empty."""

    name: str
    device: str
    note: str
    note: str
    """Why this is not the backend that was asked for, or empty."""

    def render(
        self, frame: Frame, passes: Collection[str], before: Frame | None = None, after: Frame | None = None
    ) -> dict[str, np.ndarray]:
        """Render some of the contract's passes: name → float32 [height, width, components], rows top-down.

        Args:
            before, after: The previous and the next frame, same objects in the same order, for the pass Vector; where
                one is missing, that half of Vector is 0.

        Raises:
            MienError: A pass is unknown, or the frames do not fit each other.
        """
        ...


# Everything below is shared by the backends. --------------------------------------------------------------------------


def check_request(frame: Frame, passes: Collection[str], before: Frame | None, after: Frame | None) -> list[str]:
    """The passes asked for, in the contract's order.

    Raises:
        MienError: See `Backend.render`.
    """
    for name in passes:
        if name not in PASS_BY_NAME:
            raise MienError(f"There is no render pass {name!r}; choose from {', '.join(PASS_BY_NAME)}.")
    counts = [len(entry) for entry in frame.objects]
    for other in (before, after):
        if other is not None and [len(entry) for entry in other.objects] != counts:
            raise MienError("The previous or next frame holds other heads than this one; render Vector with the same.")
    return [name for name in PASS_BY_NAME if name in passes]


def object_to_camera(entry: Gaussians, camera: Camera) -> np.ndarray:
    """[4, 4] object space → camera space."""
    return camera.world_to_camera @ np.asarray(entry.matrix, dtype=np.float64)


def camera_in_object(entry: Gaussians, camera: Camera) -> np.ndarray:
    """The camera's place in object space [3].

    Raises:
        MienError: The object's matrix can't be inverted.
    """
    matrix = np.asarray(entry.matrix, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-18:
        raise MienError("A head is scaled to nothing along an axis, so it can't be drawn; correct its scale.")
    return np.linalg.solve(matrix[:3, :3], camera.position - matrix[:3, 3])


def normal_matrix(entry: Gaussians) -> np.ndarray:
    """[3, 3] object-space normals → world-space normals (not normalised)."""
    return np.linalg.inv(np.asarray(entry.matrix, dtype=np.float64)[:3, :3]).T


def view_limits(camera: Camera) -> tuple[float, float, float, float]:
    """gsplat's bounds on x/z and y/z where the projection is linearised: (x low, x high, y low, y high).

    15 % of the whole picture's size beyond its edge on each side; they do not depend on the crop.
    """
    K, width, height = camera.K, camera.width, camera.height
    margin_x, margin_y = 0.15 * width / K[0, 0], 0.15 * height / K[1, 1]
    return (
        -(K[0, 2] / K[0, 0] + margin_x),
        (width - K[0, 2]) / K[0, 0] + margin_x,
        -(K[1, 2] / K[1, 1] + margin_y),
        (height - K[1, 2]) / K[1, 1] + margin_y,
    )


ZONE_PASSES = tuple(name for name in PASS_BY_NAME if name.startswith("Mask "))
assert len(ZONE_PASSES) == len(MASK_ZONES)
