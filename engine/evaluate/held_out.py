"""A head beside the pictures that its fit has not seen: PSNR, SSIM and FLIP, whole and by region, as Mien renders it.

Pictures are compared as sRGB on mid-grey. A region is where more than half of what is seen comes from its Gaussians:
hair (hair triangles and hair strands), mouth (lips, teeth, gums, tongue), eyes (balls, lids, lashes), skin (the rest of
the skin); it is measured where it has enough pixels. dB of pictures are averaged, not their errors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..contract import channels
from ..contract.channels import MASK_ZONES
from ..contract.errors import MienError
from ..fit import dataset as datasets
from ..fit.dataset import Dataset, View
from ..heads.deform import Deformer
from ..heads.format import Head
from ..pictures import to_srgb
from ..splat.cpu import CpuBackend
from ..splat.interface import Camera, Frame, Gaussians

REGIONS = ("eyes", "mouth", "skin", "hair")
FIGURES = ("full", "inside", *REGIONS, "ssim", "flip")
#: figure: (what it must reach at least, what it is called)
BARS: dict[str, tuple[float, str]] = {
    "full": (36.0, "PSNR full frame"),
    "inside": (33.0, "PSNR inside the head"),
    "eyes": (28.0, "PSNR of the eyes"),
    "mouth": (28.0, "PSNR of the mouth"),
    "ssim": (0.96, "SSIM"),
}
GAIN_BAR = 0.5
"""dB that the dynamic appearance is worth on expressive frames."""
_GREY = 0.5
_LEAST = 60
"""Pixels that a region needs to be measured in a picture."""
_MOUTH_PARTS = ("teeth.upper", "teeth.lower", "gums", "tongue")


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One held-out picture and what the head makes of it.

    Attributes:
        unseen: No fitted picture shows this expression.
        figures, plain: Name in `FIGURES` → value, with the dynamic appearance and without it.
        wanted, found: sRGB on grey [H, W, 3], 0–1.
    """

    view: View
    expressive: bool
    unseen: bool
    figures: dict[str, float]
    plain: dict[str, float]
    wanted: np.ndarray = field(repr=False)
    found: np.ndarray = field(repr=False)


def unit_values(units: Mapping[str, float]) -> np.ndarray:
    """Values of units → channel values [C] that drive just these units.

    Raises:
        MienError: No channel drives a unit alone.
    """
    alone = {next(iter(c.positive)): c.name for c in channels.CHANNELS if list(c.positive.values()) == [1.0]}
    missing = [name for name in units if name not in alone]
    if missing:
        raise MienError(f"No channel drives the unit {missing[0]!r} alone; correct the dataset's poses.")
    return channels.from_mapping({alone[name]: float(value) for name, value in units.items()})


def check_tools() -> None:
    """See that the packages for SSIM and FLIP are there.

    Raises:
        MienError: scikit-image or flip-evaluator is not installed.
    """
    from importlib.util import find_spec

    for module, package in (("skimage", "scikit-image==0.26.0"), ("flip_evaluator", "flip-evaluator==1.7")):
        if find_spec(module) is None:
            raise MienError(
                f"Measuring held-out pictures needs the Python package {package}, which is not installed; install what "
                "engine/requirements-evaluate.txt lists."
            )


def measure(head: Head, dataset: Dataset) -> list[Shot]:
    """Every held-out picture of a head's dataset.

    Raises:
        MienError: The dataset is of another head, has no held-out picture, or a package is missing.
    """
    check_tools()
    if head["mesh.vertices"].shape != dataset.rig["mesh.vertices"].shape:
        raise MienError(f"The dataset {dataset.folder} has another mesh than {head.name}; give the head's own dataset.")
    taken = dataset.taken()
    split = list(zip(taken, datasets.held_out(taken), strict=True))
    views, fitted = [view for view, kept in split if kept], {view.pose for view, kept in split if not kept}
    full, plain, backend = Deformer(head), Deformer(head, appearance=False), CpuBackend()
    shots = []
    for view in views:
        units = dataset.poses[view.pose]
        values = unit_values(units)
        pixels = datasets.picture(dataset.folder, view).astype(np.float64) / 255
        alpha = pixels[..., 3]
        wanted = pixels[..., :3] * alpha[..., None] + _GREY * (1 - alpha[..., None])
        camera = camera_of(view)
        gaussians = full(values)
        regions = region_masks(head, gaussians, camera, backend, alpha > 0.5)
        found = picture(gaussians, camera, backend)
        without = picture(plain(values), camera, backend) if head.appearance else found
        shots.append(
            Shot(
                view,
                any(units.values()),
                view.pose not in fitted,
                compare(found, wanted, alpha > 0.5, regions),
                compare(without, wanted, alpha > 0.5, regions),
                wanted,
                found,
            )
        )
    return shots


def camera_of(view: View) -> Camera:
    """A dataset's camera as the renderer wants it."""
    matrix = np.eye(4)
    matrix[:3] = view.world_to_camera
    return Camera(matrix, np.asarray(view.K, dtype=np.float64), view.width, view.height)


def picture(gaussians: Gaussians, camera: Camera, backend: CpuBackend) -> np.ndarray:
    """sRGB on grey [H, W, 3], 0–1."""
    plane = backend.render(Frame([gaussians], camera), ["Combined"])["Combined"].astype(np.float64)
    alpha = plane[..., 3:]
    straight = np.clip(to_srgb(plane[..., :3] / np.maximum(alpha, 1e-6)), 0, 1)
    return straight * alpha + _GREY * (1 - alpha)


def classes(head: Head) -> np.ndarray:
    """Index into `REGIONS` of each Gaussian [N]; −1 for clothes and what else is none of them."""
    part = head["mesh.part"][head["gaussians.triangle"]]
    zone = head["gaussians.zone"]
    strand = head.arrays.get("gaussians.strand", np.zeros(len(part), np.uint8)) == 1

    def of(*names: str) -> np.ndarray:
        return np.isin(part, [head.parts.index(name) for name in names if name in head.parts])

    def within(*names: str) -> np.ndarray:
        return np.isin(zone, [MASK_ZONES.index(name) for name in names])

    found = np.full(len(part), -1)
    found[of("skin")] = REGIONS.index("skin")
    found[of("eye.L", "eye.R", "lashes") | (of("skin") & within("eyes", "gaze"))] = REGIONS.index("eyes")
    found[of(*_MOUTH_PARTS) | (of("skin") & within("mouth"))] = REGIONS.index("mouth")
    found[of("hair") | (strand & within("head"))] = REGIONS.index("hair")
    return found


def region_masks(
    head: Head, gaussians: Gaussians, camera: Camera, backend: CpuBackend, inside: np.ndarray
) -> dict[str, np.ndarray]:
    """Region → bool [H, W], within `inside`: where more than half of what is seen is of that region."""
    kind = classes(head)
    masks = {}
    for names in (REGIONS[:3], REGIONS[3:]):
        # Red, green and blue stand for up to three regions: a colour of 0.5 + SH0·c that is 1 or 0.
        marks = np.stack([kind == REGIONS.index(name) for name in names] + [kind < -1] * (3 - len(names)))
        colour = ((marks.astype(np.float32) - 0.5) / 0.28209479177387814)[None]
        marked = dataclasses.replace(gaussians, sh=colour, tint=None, blend_space="linear")
        plane = backend.render(Frame([marked], camera), ["Combined"])["Combined"]
        for index, name in enumerate(names):
            masks[name] = (plane[..., index] > 0.5) & inside
    return masks


def compare(
    found: np.ndarray, wanted: np.ndarray, inside: np.ndarray, regions: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """All figures of a picture [H, W, 3] against what it should be."""
    import flip_evaluator
    from skimage.metrics import structural_similarity

    error = ((found - wanted) ** 2).mean(axis=2)
    figures = {"full": decibels(error.mean())}
    if inside.any():
        figures["inside"] = decibels(error[inside].mean())
    figures |= {name: decibels(error[mask].mean()) for name, mask in regions.items() if mask.sum() >= _LEAST}
    likeness: Any = structural_similarity(
        wanted, found, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    reference, test = (np.ascontiguousarray(image, dtype=np.float32) for image in (wanted, found))
    difference: Any = flip_evaluator.evaluate(reference, test, "LDR", applyMagma=False)
    figures |= {"ssim": float(likeness), "flip": float(difference[1])}
    return figures


def decibels(error: float) -> float:
    """PSNR of a mean squared error, at most 100."""
    return float(-10 * np.log10(max(float(error), 1e-10)))


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each figure's mean over the rows that have it."""
    return {
        name: float(np.mean([row[name] for row in rows if name in row]))
        for name in FIGURES
        if any(name in row for row in rows)
    }


def gain(shots: Sequence[Shot]) -> float:
    """dB inside the head that the dynamic appearance is worth on expressive pictures; NaN where there are none."""
    found = [shot.figures["inside"] - shot.plain["inside"] for shot in shots if shot.expressive]
    return float(np.mean(found)) if found else float("nan")
