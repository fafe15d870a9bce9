"""Pictures of a head in known poses → its Gaussians: Adam over the differentiable renderer.

Positions, sizes and opacities stay near where they were seeded: a Gaussian that wanders off its triangle looks right in
the captured poses and wrong in all others.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numba
import numpy as np

from ..contract.errors import MienError
from ..heads.anatomy.build import Anatomy
from ..heads.anatomy.hair import frames
from .bundle import View, pose, unit_row
from .lids import even_out
from .raster import SH_0, SH_1, Parameters, Pinhole, Pose, Renderer
from .seed import KINDS, Gaussians

RATES = {"position": 4e-5, "rotation": 4e-3, "log_scale": 8e-3, "opacity_logit": 3e-2, "sh": 1.0e-2}
FINAL_RATE = 0.08
"""The learning rates fall exponentially to this share."""
SIZE_RANGE = (-1.5, 0.8)
"""How far a log scale may move from its seed."""
JITTER = 0.00015
"""Metres (standard deviation) by which each step moves every Gaussian along its triangle's normal, and …"""
DROPOUT = 0.08
"""… the share that it leaves out. In other poses Gaussians overlap in another order and spread apart: what lies under
the surface must have the surface's colour, and one alone must not be what closes it."""
COLOUR_RANGE = {"skin": 0.08, "clothes": 0.1, "hair": 0.25, "strands": 0.4, "brows": 0.3, "lashes": 0.3}
"""How far a colour may move from the pictures' mean; parts that are not named, 0.6."""
TILT = 0.05
"""Half the sine of the angle by which a Gaussian on a surface may lean out of it."""
VIEW_RANGE = 0.12
"""How much a colour may change with the direction of view."""
STRANDS = (KINDS.index("brows"), KINDS.index("lashes"), KINDS.index("strands"))


@dataclass
class Photo:
    """One picture: premultiplied sRGB [H,W,3] and alpha [H,W], float32."""

    view: View
    camera: Pinhole
    colour: np.ndarray
    alpha: np.ndarray


def camera_of(view: View) -> Pinhole:
    """The pinhole camera of a planned view."""
    azimuth, elevation = np.radians([view.azimuth, view.elevation])
    out = np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
    forward = -out
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    place = np.array(view.target) + out * view.distance
    focal = view.size / 2 / np.tan(np.radians(view.angle) / 2)
    return Pinhole(np.c_[rotation, -rotation @ place], float(focal), view.size)


def load_photos(folder: Path) -> list[Photo]:
    """All pictures of a capture that exist.

    Raises:
        MienError: There is no plan, no picture, or a picture of another size than planned.
    """
    from PIL import Image

    try:
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        views = [View(**{**entry, "target": tuple(entry["target"])}) for entry in plan["views"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MienError(f"{folder}/plan.json can't be read ({error}); write it again with 'plan'.") from None
    photos = []
    for view in views:
        path = folder / "pictures" / f"{view.name}.png"
        if not path.exists():
            continue
        image = np.asarray(Image.open(path).convert("RGBA"), dtype=np.float32) / 255
        if image.shape[:2] != (view.size, view.size):
            raise MienError(f"{path} is not {view.size} pixels square as planned; delete it and take it again.")
        alpha = image[..., 3]
        photos.append(Photo(view, camera_of(view), image[..., :3] * alpha[..., None], np.ascontiguousarray(alpha)))
    if not photos:
        raise MienError(f"There are no pictures in {folder}/pictures; take them with addon/capture first.")
    return photos


def pose_of(head: Anatomy, gaussians: Gaussians, units: np.ndarray) -> Pose:
    """Each Gaussian's triangle under unit values [54], as step 5 of docs/head-file.md has it."""
    vertices = pose(head, units)
    tri = head.triangles[gaussians.triangle]

    def size(points):
        a, b, c = (points[tri[:, k]] for k in range(3))
        return np.sqrt(np.linalg.norm(np.cross(b - a, c - a), axis=1))

    stretch = np.clip(size(vertices) / size(head.vertices), 0.3, 3.0)
    axes = frames(vertices, tri) * stretch[:, None, None]
    return Pose(vertices[tri].mean(axis=1).astype(np.float32), axes.astype(np.float32))


@numba.njit(parallel=True, fastmath=True, cache=True)
def _adam(value, gradient, first, second, rate, step):
    """One step of Adam (Kingma & Ba 2015) on flat arrays, in place."""
    b1, b2 = np.float32(0.9), np.float32(0.99)
    c1, c2 = np.float32(1 / (1 - 0.9**step)), np.float32(1 / (1 - 0.99**step))
    for i in numba.prange(len(value)):
        g = gradient[i]
        first[i] = b1 * first[i] + (1 - b1) * g
        second[i] = b2 * second[i] + (1 - b2) * g * g
        value[i] -= rate * first[i] * c1 / (np.sqrt(second[i] * c2) + np.float32(1e-15))


class Fit:
    """One fit under way: parameters, renderer and the poses' frames."""

    def __init__(self, head: Anatomy, gaussians: Gaussians, photos: list[Photo], poses: dict[str, dict]) -> None:
        self.head, self.gaussians, self.photos = head, gaussians, photos
        self.parameters = Parameters(
            gaussians.position.copy(), gaussians.rotation.copy(), gaussians.log_scale.copy(),
            gaussians.opacity_logit.copy(), gaussians.sh.copy(),
        )  # fmt: skip
        self.start = Parameters(**{name: array.copy() for name, array in self.parameters.arrays().items()})
        used = {photo.view.pose for photo in photos}
        self.poses = {name: pose_of(head, gaussians, unit_row(poses[name])) for name in used}
        self.renderer = Renderer(len(gaussians), gaussians.sh.shape[1])
        self.moments = {
            n: (np.zeros(a.size, np.float32), np.zeros(a.size, np.float32)) for n, a in self._flat().items()
        }
        self.step = 0
        self.rng = np.random.default_rng(0)
        strand = np.isin(gaussians.kind, STRANDS)
        spacing = np.exp(gaussians.log_scale[:, 1])
        # One that leaves its triangle or tilts out of it looks right in the pose it learnt from; in others the skin
        # turns to scales.
        along = np.where(strand, 0.004, 0.5 * spacing)
        # Hair lies loosely; other surfaces are where their triangles are.
        loose = strand | (gaussians.kind == KINDS.index("hair"))
        self.flat = np.flatnonzero(~loose)
        self.reach = np.stack([along, along, np.where(loose, 0.002, 0.00015)], axis=1).astype(np.float32)
        limits = [COLOUR_RANGE.get(name, 0.6) / SH_0 for name in KINDS]
        self.colour_reach = np.array(limits, np.float32)[gaussians.kind][:, None]
        self.least_opacity = np.where(strand, -4.0, 0.3).astype(np.float32)

    def _flat(self) -> dict[str, np.ndarray]:
        return {name: array.reshape(-1) for name, array in self.parameters.arrays().items()}

    def colour_from_photos(self, photos: list[Photo]) -> None:
        """First colours: the mean of what each Gaussian covers in the pictures, weighted by how much it shows there."""
        total, weight = np.zeros((len(self.gaussians), 3)), np.zeros(len(self.gaussians))
        p = self.parameters
        for photo in photos:
            _, _, trace = self.renderer.forward(p, self.poses[photo.view.pose], photo.camera, np.zeros(3))
            size = photo.view.size
            nothing = np.zeros((size, size), np.float32)
            total += self.renderer.to_screen(trace, size, photo.colour, nothing)[:, 6:9]
            shown = np.repeat(photo.alpha[..., None], 3, axis=2)
            weight += self.renderer.to_screen(trace, size, shown, nothing)[:, 6]
        seen = weight > 0.05
        colour = total / np.maximum(weight, 1e-6)[:, None]
        self._lend(colour, seen)
        p.sh[:] = 0
        p.sh[:, 0] = (colour - 0.5) / SH_0
        self.start.sh[:] = p.sh

    def _lend(self, colour: np.ndarray, seen: np.ndarray) -> None:
        """Gaussians that no picture shows take the colour of the nearest seen one of their kind."""
        from scipy.spatial import cKDTree

        place = self.head.vertices[self.head.triangles[self.gaussians.triangle]].mean(axis=1)
        for kind in range(len(KINDS)):
            own = self.gaussians.kind == kind
            giver, taker = np.flatnonzero(own & seen), np.flatnonzero(own & ~seen)
            if len(giver) and len(taker):
                colour[taker] = colour[giver[cKDTree(place[giver]).query(place[taker])[1]]]

    def train(self, photos: list[Photo], steps: int, seed: int, report: Callable[[int, float], None]) -> None:
        """Adam over shuffled photos, on random backgrounds."""
        rng = np.random.default_rng(seed)
        waiting: list[int] = []
        for index in range(steps):
            if not waiting:
                waiting = list(rng.permutation(len(photos)))
            photo = photos[waiting.pop()]
            loss = self._one(photo, rng.random(3).astype(np.float32), FINAL_RATE ** (index / steps))
            report(index, loss)

    def _one(self, photo: Photo, background: np.ndarray, share: float) -> float:
        where = self.poses[photo.view.pose]
        noise = JITTER * self.rng.standard_normal((len(self.gaussians), 1), np.float32)
        where = Pose(where.origin + noise * where.axes[:, :, 2], where.axes)
        dropped = self.rng.random(len(self.gaussians), np.float32) < DROPOUT
        p = replace(self.parameters, opacity_logit=np.where(dropped, np.float32(-20), self.parameters.opacity_logit))
        picture, alpha, trace = self.renderer.forward(p, where, photo.camera, background)
        error = picture - photo.colour - (1 - photo.alpha)[..., None] * background
        off = alpha - photo.alpha
        pixels = alpha.size
        # Absolute error keeps edges sharp, squared error catches the outliers.
        to_picture = (np.sign(error) + 4 * error) / (3 * pixels)
        to_alpha = 0.1 * np.sign(off) / pixels
        gradient = self.renderer.backward(p, where, photo.camera, trace, to_picture, to_alpha).arrays()
        self.step += 1
        for name, flat in self._flat().items():
            rate = np.float32(RATES[name] * share)
            _adam(flat, gradient[name].reshape(-1), *self.moments[name], rate, self.step)
        self._hold()
        return float(np.abs(error).mean())

    def _hold(self) -> None:
        """Keeps what is fitted within reach of its seed."""
        p, start = self.parameters, self.start
        np.clip(p.position, start.position - self.reach, start.position + self.reach, out=p.position)
        # About the surface's normal it may turn as it likes.
        p.rotation[self.flat, 1:3] = np.clip(p.rotation[self.flat, 1:3], -TILT, TILT)
        low, high = SIZE_RANGE
        np.clip(p.log_scale, start.log_scale + low, start.log_scale + high, out=p.log_scale)
        np.clip(p.sh[:, 0], start.sh[:, 0] - self.colour_reach, start.sh[:, 0] + self.colour_reach, out=p.sh[:, 0])
        np.clip(p.sh[:, 1:], -VIEW_RANGE / SH_1, VIEW_RANGE / SH_1, out=p.sh[:, 1:])
        np.clip(p.opacity_logit, self.least_opacity, 7.0, out=p.opacity_logit)

    def even_out_lids(self) -> None:
        """See `lids`; call it after training."""
        finished = self.result()
        even_out(self.head, finished)
        self.parameters.sh[:], self.parameters.opacity_logit[:] = finished.sh, finished.opacity_logit

    def picture(self, photo: Photo, background: np.ndarray | float = 0.5) -> np.ndarray:
        """[H,W,3] of the fit as a photo's camera sees it."""
        background = np.broadcast_to(np.asarray(background, np.float32), 3)
        return self.renderer.forward(self.parameters, self.poses[photo.view.pose], photo.camera, background)[0]

    def result(self) -> Gaussians:
        p, g = self.parameters, self.gaussians
        unit = p.rotation / np.linalg.norm(p.rotation, axis=1, keepdims=True)
        return Gaussians(g.triangle, p.position, unit, p.log_scale, p.opacity_logit, p.sh, g.kind)


def psnr(fit: Fit, photos: list[Photo]) -> dict[str, tuple[float, float]]:
    """pose → mean PSNR in dB (whole picture on grey, inside the head)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for photo in photos:
        wanted = photo.colour + 0.5 * (1 - photo.alpha)[..., None]
        error = (np.clip(fit.picture(photo), 0, 1) - wanted) ** 2
        inside = error[photo.alpha > 0.5]
        found.setdefault(photo.view.pose, []).append((-10 * np.log10(error.mean()), -10 * np.log10(inside.mean())))
    return {name: tuple(round(float(mean), 2) for mean in np.mean(values, axis=0)) for name, values in found.items()}


def fit_head(
    head: Anatomy, gaussians: Gaussians, photos: list[Photo], poses: dict[str, dict], steps: int, seed: int = 0
) -> tuple[Gaussians, dict[str, object], Fit]:
    """Fitted Gaussians, and the figures that `head.json` records. Prints progress to stderr."""
    train = [photo for photo in photos if not photo.view.held_out]
    held_out = [photo for photo in photos if photo.view.held_out]
    fit = Fit(head, gaussians, photos, poses)
    fit.colour_from_photos(train)
    first = psnr(fit, held_out) if held_out else {}
    begin = time.monotonic()
    losses: list[float] = []

    def report(index: int, loss: float) -> None:
        losses.append(loss)
        if index % 100 == 99:
            each = (time.monotonic() - begin) / (index + 1)
            print(f"step {index + 1}/{steps}  error {np.mean(losses[-100:]):.5f}  {each * 1e3:.0f} ms", file=sys.stderr)

    fit.train(train, steps, seed, report)
    fit.even_out_lids()
    last = psnr(fit, held_out) if held_out else {}
    figures = {
        "gaussians": len(gaussians),
        "steps": steps,
        "views": {"train": len(train), "held_out": len(held_out)},
        "psnr_db_held_out": {name: {"full": a, "inside": b} for name, (a, b) in last.items()},
        "psnr_db_held_out_mean": _means(last),
        "psnr_db_colours_only_mean": _means(first),
    }
    return fit.result(), figures, fit


def _means(found: dict[str, tuple[float, float]]) -> dict[str, dict[str, float]]:
    rows = {"neutral": [v for n, v in found.items() if n == "neutral"]}
    rows["expressions"] = [v for n, v in found.items() if n != "neutral"]
    return {
        name: {
            "full": round(float(np.mean([v[0] for v in values])), 2),
            "inside": round(float(np.mean([v[1] for v in values])), 2),
        }
        for name, values in rows.items()
        if values
    }
