"""The pictures of a dataset in memory, as the fit compares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..contract.errors import MienError
from .dataset import Dataset, View, held_out, picture
from .raster import Pinhole
from .rig import Rig

_FITS = 0.5
"""Share of the mesh's points in a picture that must lie on its silhouette; a right camera has nearly all."""


@dataclass(frozen=True, eq=False)
class Photo:
    """One picture: `pixels` [H,W,4] uint8, straight alpha, sRGB; whether it is kept from the fit; its pose's units."""

    view: View
    camera: Pinhole
    pixels: np.ndarray
    held_out: bool
    units: Mapping[str, float]

    def smaller(self, factor: int) -> Photo:
        """The picture averaged over blocks of that many pixels a side."""
        if factor == 1:
            return self
        camera = self.camera.smaller(factor)
        colour, alpha = self.layers()
        cut = np.concatenate([colour, alpha[..., None]], axis=2)[: camera.height * factor, : camera.width * factor]
        mean = cut.reshape(camera.height, factor, camera.width, factor, 4).mean(axis=(1, 3))
        mean[..., :3] /= np.maximum(mean[..., 3:], 1e-6)
        pixels = (np.clip(mean, 0, 1) * 255 + 0.5).astype(np.uint8)
        return Photo(self.view, camera, pixels, self.held_out, self.units)

    def layers(self) -> tuple[np.ndarray, np.ndarray]:
        """(premultiplied colour [H,W,3], alpha [H,W]), float32, 0–1."""
        alpha = self.pixels[..., 3].astype(np.float32) / 255
        return self.pixels[..., :3].astype(np.float32) * (alpha / 255)[..., None], alpha


def pinhole(view: View) -> Pinhole:
    """A view's camera."""
    K = view.K
    return Pinhole(view.world_to_camera, (K[0, 0], K[1, 1], K[0, 2], K[1, 2]), view.width, view.height)


def load_photos(dataset: Dataset, rig: Rig) -> list[Photo]:
    """All pictures that exist, each compared with where its camera says that the mesh is.

    Raises:
        MienError: There is none, or one can't be used; see `dataset.picture`.
    """
    views = dataset.taken()
    if not views:
        raise MienError(f"There are no pictures in {dataset.folder}; capture them first.")
    photos = []
    posed: dict[str, np.ndarray] = {}
    for view, kept in zip(views, held_out(views), strict=True):
        pixels = picture(dataset.folder, view)
        if view.pose not in posed:
            posed[view.pose] = rig.pose(dataset.poses[view.pose])
        photo = Photo(view, pinhole(view), pixels, kept, dataset.poses[view.pose])
        _check_silhouette(photo, posed[view.pose], dataset)
        photos.append(photo)
    if all(photo.pixels[..., 3].min() == 255 for photo in photos):
        raise MienError(
            f"No picture in {dataset.folder} has a transparent pixel; render with a transparent background and capture "
            "again."
        )
    return photos


def _check_silhouette(photo: Photo, vertices: np.ndarray, dataset: Dataset) -> None:
    camera = photo.camera
    local = vertices[::5] @ camera.view[:, :3].T + camera.view[:, 3]
    local = local[local[:, 2] > 0.01]
    fx, fy, cx, cy = camera.lens
    column = np.floor(fx * local[:, 0] / local[:, 2] + cx)
    row = np.floor(fy * local[:, 1] / local[:, 2] + cy)
    inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    where = f"{dataset.folder / photo.view.image}"
    if not inside.any():
        raise MienError(f"{where}: its camera does not see the mesh; check world_to_camera and K of this view.")
    on = photo.pixels[row[inside].astype(int), column[inside].astype(int), 3] > 0
    if on.mean() < _FITS:
        raise MienError(
            f"{where}: only {on.mean():.0%} of the mesh lies where the picture shows the head; check its camera, "
            "or delete the picture and take it again."
        )
