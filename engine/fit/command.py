"""`python -m engine fit plan` and `… fit run`: from a planned capture to a head file; see docs/heads.md."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from io import BytesIO

import numpy as np

from ..heads import format as head_format
from . import ada
from .bundle import View, write_bundle
from .pack import pack
from .seed import seed
from .train import Fit, Photo, camera_of, fit_head, load_photos


def plan(options: argparse.Namespace) -> None:
    """Writes the bundle that addon/capture photographs."""
    head = ada.anatomy(options.data)
    write_bundle(options.folder, head, ada.POSES, ada.views(head, options.size))
    print(f"{options.folder}: {len(ada.views(head))} views; photograph them with addon/capture.")


def run(options: argparse.Namespace) -> None:
    """Fits the photographs and writes the head file."""
    photos = load_photos(options.folder)
    head = ada.anatomy(options.data)
    gaussians, figures, fit = fit_head(head, seed(head, options.scale), photos, ada.POSES, options.steps)
    info = {
        "name": ada.NAME,
        "author": "The Mien authors",
        "licence": "GPL-3.0-or-later",
        "source": ada.SOURCE,
        "figures": figures,
    }
    head_format.save(pack(head, gaussians, info, _thumbnail(fit)), options.out)
    print(json.dumps(figures))


def _thumbnail(fit: Fit) -> bytes:
    """A PNG portrait, 256 pixels."""
    from PIL import Image

    photo = next(p for p in fit.photos if p.view.pose == "neutral")
    view = View(**{**asdict(photo.view), "azimuth": 16.0, "elevation": 3.0, "angle": 21.0, "size": 256})
    empty = np.zeros((256, 256), np.float32)
    picture = fit.picture(Photo(view, camera_of(view), empty[..., None], empty), (0.36, 0.38, 0.41))
    stream = BytesIO()
    Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
