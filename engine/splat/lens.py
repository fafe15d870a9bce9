"""Depth of field: a lens's picture is the mean of pinholes' pictures all over its opening, sharp at one distance.

Blurring every Gaussian by itself is quicker and wrong: what lies in front then also covers what it only half hides, and
brows grow over the forehead. The mean is what a lens does, at the price of a picture for every few pixels of blur.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..contract.errors import MienError
from .interface import Camera, Gaussians, object_to_camera

MOST = 96
"""Pictures of one frame: what discs 14 pixels wide need."""
_EACH = 2.0
"""Square pixels of a disc that one picture stands for."""
_UNSEEN = 0.7
"""Pixels: a disc no wider than this is a point."""
_GOLDEN = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, slots=True)
class Lens:
    """A thin lens.

    Attributes:
        aperture: Diameter of its opening, metres; 0 for a pinhole, that leaves everything sharp.
        focus: Metres along the view at which it is sharp.

    Raises:
        MienError: A number is not finite, negative, or the distance is 0.
    """

    aperture: float = 0.0
    focus: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.aperture) and self.aperture >= 0 and math.isfinite(self.focus) and self.focus > 0):
            raise MienError(
                f"The camera's lens has an opening of {self.aperture:g} m and is sharp at {self.focus:g} m; "
                "give an opening of 0 or more and a distance above 0."
            )

    def disc(self, camera: Camera, objects: Sequence[Gaussians]) -> float:
        """Diameter in pixels of the widest disc to which a point of these objects spreads."""
        widest = 0.0
        for entry in objects if self.aperture > 0 else ():
            forward = object_to_camera(entry, camera)[2]
            depth = forward[:3] @ entry.centres + forward[3]
            depth = depth[depth >= camera.near]
            if len(depth):
                ends = np.percentile(depth, [1, 99])
                widest = max(widest, float(np.abs(1 / self.focus - 1 / ends).max()))
        return self.aperture * widest * float(max(camera.K[0, 0], camera.K[1, 1]))

    def count(self, disc: float, shared: int = 1) -> int:
        """Pictures for a disc of a diameter in pixels, where a frame's motion samples share them."""
        if disc <= _UNSEEN:
            return 1
        return max(1, math.ceil(min(MOST, 1 + math.pi / 4 * disc * disc / _EACH) / shared))

    def pinholes(self, camera: Camera, count: int, index: int = 0) -> list[Camera]:
        """`count` cameras all over the opening on a Fibonacci spiral, turned on for each motion sample (`index`)."""
        if self.aperture == 0 or (count == 1 and index == 0):
            return [camera]
        return [self._pinhole(camera, k, count, index) for k in range(count)]

    def _pinhole(self, camera: Camera, k: int, count: int, index: int) -> Camera:
        # Where each motion sample has few, their spirals are turned and shifted so that together they fill the opening.
        ring = (k + (0.5 + index * 0.618034) % 1.0) / count
        radius, turn = 0.5 * self.aperture * math.sqrt(ring), _GOLDEN * (k + index * count)
        aside = radius * np.array([math.cos(turn), math.sin(turn)])
        view, K = camera.world_to_camera.copy(), camera.K.copy()
        view[:2, 3] -= aside
        K[:2, 2] += np.diag(K)[:2] * aside / self.focus
        return replace(camera, world_to_camera=view, K=K)
