"""A face tracked in a video: MediaPipe's blendshape scores a frame, as a capture that then wants cleaning.

Optional: needs what `engine/requirements-faces.txt` lists, and OpenCV or PyAV to read the video.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..contract import channels as table
from ..contract.curves import MAX_FRAMES, Curves
from ..contract.errors import MienError

ENDINGS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm")
_NO_VIDEO = "{} is not a video that can be read; give an MP4 or MOV file."


def read(
    path: str | os.PathLike[str], fps: float | None = None, tick: Callable[[float], None] | None = None
) -> tuple[Curves, list[str]]:
    """A video's face as channel curves, and sentences about what was mended.

    Raises:
        MienError: What it needs is not installed, the video can't be read, or no face is in it.
    """
    from ..heads.foreign import landmarks

    if not Path(path).is_file():
        raise MienError(f"{path} is not a file; give a video.")
    with landmarks.reader() as look:
        rate, count, pictures = _frames(Path(path))
        rows = []
        for number, picture in enumerate(pictures):
            if number >= MAX_FRAMES:
                break
            rows.append(_weights(look(picture)))
            if tick is not None and count:
                tick(min((number + 1) / count, 1.0))
    if not rows:
        raise MienError(_NO_VIDEO.format(path))
    shapes = np.array(rows)
    lost = np.isnan(shapes[:, 0])
    if lost.all():
        raise MienError(f"No face was found in {path}; film one face from the front, in good light.")
    frames = np.arange(len(shapes))
    filled = np.stack([np.interp(frames, frames[~lost], column[~lost]) for column in shapes.T], axis=1)
    dense = table.from_arkit(np.clip(filled, 0.0, table.UNIT_LIMIT))
    names = tuple(entry.name for entry in table.CHANNELS if entry.arkit)
    curves = Curves(rate, names, dense[:, [table.INDEX[name] for name in names]])
    notes = [f"No face was seen in {int(lost.sum())} of {len(lost)} frames; they were filled."] if lost.any() else []
    return (curves if fps is None or fps == curves.fps else curves.resampled(fps)), notes


def _weights(scores: dict[str, float] | None) -> np.ndarray:
    """ARKit values [52]; NaN where no face is seen. MediaPipe knows no tongue: 0."""
    if scores is None:
        return np.full(len(table.ARKIT_52), np.nan)
    return np.array([scores.get(name, 0.0) for name in table.ARKIT_52])


def _frames(path: Path) -> tuple[float, int, Iterator[np.ndarray]]:
    """(frames a second, how many or 0, the pictures [H, W, 3] u8) by whichever reader is installed."""
    if importlib.util.find_spec("cv2") is not None:
        return _by_opencv(path)
    if importlib.util.find_spec("av") is not None:
        return _by_pyav(path)
    raise MienError("Reading a video needs OpenCV or PyAV, neither of which is installed; pip install av.")


def _by_opencv(path: Path) -> tuple[float, int, Iterator[np.ndarray]]:
    import cv2

    video = cv2.VideoCapture(str(path))
    rate, count = video.get(cv2.CAP_PROP_FPS), int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    if not video.isOpened() or not 1.0 <= rate <= 1000.0:
        raise MienError(_NO_VIDEO.format(path))

    def pictures() -> Iterator[np.ndarray]:
        while True:
            good, picture = video.read()
            if not good:
                return
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    return rate, max(count, 0), pictures()


def _by_pyav(path: Path) -> tuple[float, int, Iterator[np.ndarray]]:
    import av

    try:
        container = av.open(str(path))
        stream = container.streams.video[0]
    except (av.FFmpegError, IndexError):
        raise MienError(_NO_VIDEO.format(path)) from None
    pictures = (frame.to_ndarray(format="rgb24") for frame in container.decode(stream))
    return float(stream.average_rate or 30), int(stream.frames or 0), pictures
