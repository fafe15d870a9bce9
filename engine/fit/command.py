"""`python -m engine fit DATASET --out HEAD.mien`: from a dataset to a head file; see docs/dataset.md."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

from ..contract.errors import MienError
from ..heads import format as head_format
from . import backend, checkpoint, report
from .dataset import Dataset, load
from .pack import pack
from .photos import Photo, load_photos
from .raster import Pinhole
from .rig import Rig
from .seed import seed
from .train import DILATION, SEEDED, Fit, Options, Progress

SAVE_EVERY = 250
"""Steps between checkpoints."""


def run(options: argparse.Namespace) -> None:
    """Fits a dataset and writes the head file."""
    out: Path = options.out
    if out.suffix != head_format.SUFFIX:
        raise MienError(f"{out} does not end in {head_format.SUFFIX}; name the head file so.")
    if not out.parent.is_dir():
        raise MienError(f"There is no folder {out.parent}; make it or write the head elsewhere.")
    began = time.perf_counter()
    dataset = load(options.dataset)
    wanted = Options(
        options.gaussians,
        options.steps,
        options.seed,
        options.sh_degree,
        0 if options.no_appearance else options.changes,
    )
    fit, first = begin(dataset, wanted, backend.choose(options.backend))
    kept = [photo for photo in fit.photos if photo.held_out]
    saved = checkpoint.path(out)
    if options.resume and checkpoint.restore(saved, fit, first):
        say(f"going on from step {fit.step}")
    fit.seconds += time.perf_counter() - began
    progress = Progress(say)

    with _asked_to_stop() as stop:

        def after(fit: Fit, loss: float) -> None:
            progress(fit, loss)
            if stop.is_set() or (fit.step % SAVE_EVERY == 0 and fit.step < wanted.steps):
                checkpoint.save(saved, fit, first)
            if stop.is_set():
                say(f"stopped after step {fit.step}; --resume goes on from there")
                raise KeyboardInterrupt

        fit.run(after)
    figures = measured(fit, kept, first)
    head = pack(dataset.rig, fit.result(), fit.appearance, figures, thumbnail(fit, dataset), DILATION)
    head_format.save(head, out)
    saved.unlink(missing_ok=True)
    print(report.table(figures["held_out"]["by_pose"] | figures["held_out"]["mean"]))
    print(f"{out}: {len(fit.kind):,} Gaussians, {out.stat().st_size / 1e6:.1f} MB")


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Set by Ctrl-C or a request to end, so that a step is never left half done; the second one ends at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def begin(dataset: Dataset, options: Options, chosen: type[backend.Backend]) -> tuple[Fit, dict]:
    """A fit before its first step, and the figures of its first colours."""
    rig = Rig(dataset.rig)
    photos = load_photos(dataset, rig)
    train = [photo for photo in photos if not photo.held_out]
    missing = len(dataset.views) - len(photos)
    say(
        f"{dataset.rig.name}: {len(train)} pictures to fit, {len(photos) - len(train)} held out"
        + (f", {missing} not taken yet" if missing else "")
    )
    count, sh_count = round(SEEDED * options.gaussians), (options.sh_degree + 1) ** 2
    gaussians = seed(dataset, rig, train, count, sh_count, np.random.default_rng(options.seed))
    fit = Fit(rig, gaussians, photos, options, chosen)
    fit.colour_from_photos()
    first = report.split(report.measure(fit, [p for p in photos if p.held_out]), fit)
    return fit, first


def measured(fit: Fit, kept: list[Photo], first: dict) -> dict:
    """What `head.json` records under `figures`."""
    rows = report.measure(fit, kept)
    still = report.measure(fit, kept, changes=False) if fit.appearance is not None else rows
    return {
        "gaussians": len(fit.kind),
        "steps": fit.options.steps,
        "seed": fit.options.seed,
        "fit": {"seconds": round(fit.seconds), "backend": fit.backend.name, "device": fit.backend.device()},
        "appearance": 0 if fit.appearance is None else len(fit.appearance),
        "views": {"train": len(fit.train_photos), "held_out": len(kept)},
        "held_out": {
            "by_pose": report.by_pose(rows),
            "mean": report.split(rows, fit),
            "mean_appearance_off": report.split(still, fit),
            "mean_colours_only": first,
        },
    }


def thumbnail(fit: Fit, dataset: Dataset, size: int = 256) -> bytes:
    """A PNG portrait in neutral, a little from the side."""
    from PIL import Image

    head = dataset.rig
    azimuth, elevation = np.radians([16.0, 3.0])
    out = np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
    right = np.cross(-out, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(-out, right), -out])
    place = np.array(head.camera_target) + out * head.camera_distance
    focal = size * head.camera_distance / 0.36  # 36 cm fill the picture
    camera = Pinhole(np.c_[rotation, -rotation @ place], (focal, focal, size / 2, size / 2), size, size)
    pose = fit.rig.carried(fit.rig.vertices, fit.triangle)
    ground = np.array([0.36, 0.38, 0.41], np.float32)
    picture = fit.renderer.forward(fit.parameters, pose, camera, ground)[0]
    stream = BytesIO()
    Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def say(line: str) -> None:
    """Progress goes to stderr; stdout carries the result."""
    print(line, file=sys.stderr, flush=True)
