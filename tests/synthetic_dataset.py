"""A small made-up dataset for tests: the synthetic head photographed by the fit's own renderer, 64 pixels square."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import synthetic_head

SIZE = 64
POSES = {"neutral": {}, "open": {"jawOpen": 1.0}, "smile": {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}}
VIEWS = [("neutral", a, e) for a, e in ((0, 0), (-40, 5), (40, -5), (-80, 0), (85, 5), (180, 0), (-130, 10), (20, 20))]
VIEWS += [
    (pose, a, e) for pose in ("open", "smile") for a, e in ((0, 0), (-25, 8), (30, -6), (-55, 0), (50, 10), (8, 2))
]


def camera(azimuth: float, elevation: float, distance: float = 0.7) -> np.ndarray:
    """world_to_camera [3,4] that looks at the synthetic head's middle."""
    a, e = np.radians([azimuth, elevation])
    out = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    right = np.cross(-out, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(-out, right), -out])
    return np.c_[rotation, -rotation @ (synthetic_head.CENTRE + distance * out)]


def parts() -> tuple[dict, dict[str, np.ndarray]]:
    """dataset.json's content and the rig's arrays."""
    info, arrays = synthetic_head.make_parts(200)
    K = [[100.0, 0, SIZE / 2], [0, 100.0, SIZE / 2], [0, 0, 1]]
    views = [
        {"image": f"images/{i:02d}.png", "pose": pose, "held_out": False, "width": SIZE, "height": SIZE, "K": K,
         "world_to_camera": camera(a, e).tolist()}
        for i, (pose, a, e) in enumerate(VIEWS)
    ]  # fmt: skip
    keys = ("name", "author", "licence", "source", "units", "combinations", "eyes", "neck", "parts", "camera")
    rig = {name: array for name, array in arrays.items() if not name.startswith("gaussians.")}
    return {**{key: info[key] for key in keys}, "poses": POSES, "views": views}, rig


def write(folder: Path, darker: float = 0.35) -> None:
    """The dataset with its pictures; an open jaw darkens the chin by `darker`."""
    from PIL import Image

    from engine.fit import dataset
    from engine.fit.photos import pinhole
    from engine.fit.raster import SH_0, Parameters, Renderer
    from engine.fit.rig import Rig

    made = dataset.save(folder, *parts())
    rig, rng = Rig(made.rig), np.random.default_rng(5)
    triangle = np.repeat(np.flatnonzero(rig.usable), 3)
    count = len(triangle)
    place = rig.vertices[rig.triangles[triangle]].mean(axis=1)
    sh = np.zeros((count, 1, 3), np.float32)
    sh[:, 0] = 0.3 * np.sin(place * [50, 0, 70] + [0, 1, 2]) / SH_0
    truth = Parameters(
        (0.003 * rng.normal(size=(count, 3)) * [1, 1, 0]).astype(np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (count, 1)), np.full((count, 3), np.log(0.006), np.float32),
        np.full(count, 3.0, np.float32), sh,
    )  # fmt: skip
    chin = np.clip((0.29 - place[:, 2]) / 0.05, 0, 1)[:, None] * (place[:, 1:2] < 0)
    for view in made.views:
        units = POSES[view.pose]
        shown = Parameters(*truth.arrays().values())
        shown.sh = sh - (units.get("jawOpen", 0) * darker * chin / SH_0)[:, None].astype(np.float32)
        pose = rig.carried(rig.pose(units), triangle)
        colour, alpha, _ = Renderer(count, 1).forward(shown, pose, pinhole(view), np.zeros(3))
        straight = colour / np.maximum(alpha[..., None], 1e-4)
        pixels = np.clip(np.concatenate([straight, alpha[..., None]], axis=2), 0, 1)
        Image.fromarray((255 * pixels + 0.5).astype(np.uint8)).save(folder / view.image)
