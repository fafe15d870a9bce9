"""Contact sheets: what was measured, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..pictures import write_png

if TYPE_CHECKING:
    from .held_out import Shot
    from .sweeps import Sweep

_MOST = 24
"""Held-out pictures on one sheet."""
_THUMB, _SMALL, _WIDE = 160, 128, 256
_ACROSS = 12
_COLUMNS = 3


def turns(sweep: Sweep, path: Path) -> None:
    """All turns, twelve a row."""
    write_png(path, _grid([_label(_thumb(frame, _THUMB), "") for frame in sweep.frames], _ACROSS))


def channels(sweeps: Sequence[Sweep], path: Path) -> None:
    """Every channel at 0, ¼, ½, ¾ and 1 of its slider, its name on the first picture."""
    strips = []
    for sweep in sweeps:
        thumbs = [_thumb(frame, _SMALL) for frame in sweep.frames]
        thumbs[0] = _label(thumbs[0], sweep.name)
        strips.append(np.concatenate(thumbs, axis=1))
    write_png(path, _grid(strips, _COLUMNS))


def held_out(shots: Sequence[Shot], path: Path) -> None:
    """What was wanted, what was found, and four times the difference; expressions first, evenly chosen."""
    ordered = sorted(shots, key=lambda shot: not shot.expressive)
    chosen = [
        ordered[i] for i in np.unique(np.linspace(0, len(ordered) - 1, min(_MOST, len(ordered))).round().astype(int))
    ]
    strips = []
    for shot in chosen:
        images = [shot.wanted, shot.found, np.clip(4 * np.abs(shot.found - shot.wanted), 0, 1)]
        thumbs = [_thumb((image * 255 + 0.5).astype(np.uint8), _WIDE) for image in images]
        figures = f"{shot.view.pose} {shot.figures['full']:.1f} dB, inside {shot.figures.get('inside', 0):.1f}"
        thumbs[0] = _label(thumbs[0], figures)
        strips.append(np.concatenate(thumbs, axis=1))
    write_png(path, _grid(strips, _COLUMNS - 1))


def _thumb(picture: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    height = max(1, round(side * picture.shape[0] / picture.shape[1]))
    small = Image.fromarray(picture).resize((side, height), Image.Resampling.LANCZOS)
    square = np.full((max(side, height), side, 3), 128, np.uint8)
    square[:height] = np.asarray(small)
    return square[:side] if height <= side else square


def _label(picture: np.ndarray, text: str) -> np.ndarray:
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.text((4, 3), text, fill=(0, 0, 0))
    draw.text((3, 2), text, fill=(255, 255, 255))
    return np.asarray(image)


def _grid(pictures: Sequence[np.ndarray], across: int) -> np.ndarray:
    """Pictures in rows; those that are less high than the highest are filled up with grey."""
    height, width = max(p.shape[0] for p in pictures), max(p.shape[1] for p in pictures)
    rows = -(-len(pictures) // across)
    sheet = np.full((rows * height, min(across, len(pictures)) * width, 3), 128, np.uint8)
    for index, picture in enumerate(pictures):
        y, x = index // across * height, index % across * width
        sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return sheet
