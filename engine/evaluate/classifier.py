"""A facial-emotion classifier that others trained: face-api's expression network, read from its own package.

The network and its weights are MIT-licensed (npm package @vladmandic/face-api, 330 kB); Mien neither ships them nor
learns from them, it only lets them look at what it shows. Seven labels, 112² pixels, four blocks of separable
convolutions (Howard et al. 2017) with sums of what came before, as in the package's `denseBlock4`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..contract.errors import MienError

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
SIZE = 112
MANIFEST, WEIGHTS = "face_expression_model-weights_manifest.json", "face_expression_model.bin"
PACKAGE = "@vladmandic/face-api"
_MEAN = np.array([122.782, 117.001, 104.298], np.float32)
_BROWS, _CHIN = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336), 152
_PADDING = 0.2
"""How much is added to the box around brows, jaw and chin, as a share of its sides: the package's own."""


def folder() -> Path | None:
    """Where the weights lie: named by MIEN_FACE_API, or in node_modules here or in a folder above; None if nowhere."""
    named = os.environ.get("MIEN_FACE_API")
    here = Path.cwd()
    places = [Path(named), Path(named) / "model"] if named else [
        above / "node_modules" / PACKAGE / "model" for above in (here, *here.parents)
    ]  # fmt: skip
    return next((place for place in places if (place / MANIFEST).is_file()), None)


def load(where: Path) -> dict[str, np.ndarray]:
    """The network's arrays by name, float32, from the package's folder `model`.

    Raises:
        MienError: A file is missing, or is not what the manifest says.
    """
    try:
        rows = json.loads((where / MANIFEST).read_text(encoding="utf-8"))[0]["weights"]
        content = (where / WEIGHTS).read_bytes()
        arrays, at = {}, 0
        for row in rows:
            packed = row.get("quantization")
            kind = np.dtype(packed["dtype"] if packed else row["dtype"]).newbyteorder("<")
            count = int(np.prod(row["shape"]))
            values = np.frombuffer(content, kind, count, at).astype(np.float32).reshape(row["shape"])
            arrays[row["name"]] = values * np.float32(packed["scale"]) + np.float32(packed["min"]) if packed else values
            at += count * kind.itemsize
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise MienError(
            f"{where} does not hold face-api's expression network ({error}); unpack {PACKAGE} again."
        ) from None
    return arrays


def evidence(arrays: Mapping[str, np.ndarray], face: np.ndarray) -> dict[str, float]:
    """Label → log-odds before softmax, their mean taken off, of a face cut out as [SIZE, SIZE, 3], sRGB 0–255.

    Shares after softmax say 0.9999 neutral of every calm face; what moves is seen here.
    """
    x = (face.astype(np.float32) - _MEAN) / 255
    for block in range(4):
        x = _block(arrays, x, f"dense{block}")
    scores = x.mean(axis=(0, 1)) @ arrays["fc/weights"] + arrays["fc/bias"]
    return dict(zip(LABELS, (scores - scores.mean()).tolist(), strict=True))


def cut_out(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face of a picture [H, W, 3] whose MediaPipe landmarks [478, 2] (pixels) are given, as the network wants it.

    The box goes from the brows to the chin, padded; what is missing to a square is black.
    """
    from PIL import Image

    low = np.array([points[:, 0].min(), points[_BROWS, 1].min()])
    high = np.array([points[:, 0].max(), points[_CHIN, 1]])
    pad = (high - low) * _PADDING / 2
    left, top, right, bottom = (round(float(number)) for number in (*(low - pad), *(high + pad)))
    face = Image.fromarray(picture).crop((left, top, right, bottom))
    scale = SIZE / max(face.size)
    width, height = (max(round(side * scale), 1) for side in face.size)
    face = face.resize((width, height), Image.Resampling.BILINEAR)
    square = Image.new("RGB", (SIZE, SIZE))
    square.paste(face, ((SIZE - face.width) // 2, (SIZE - face.height) // 2))
    return np.asarray(square)


def _block(arrays: Mapping[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    first = f"{name}/conv0"
    if f"{first}/filters" in arrays:
        whole = np.einsum("hwcij,ijco->hwo", _windows(x, 2), arrays[f"{first}/filters"], optimize=True)
        total = np.maximum(whole + arrays[f"{first}/bias"], 0)
    else:
        total = np.maximum(_separable(arrays, x, first, 2), 0)
    for index in (1, 2, 3):
        total = total + _separable(arrays, np.maximum(total, 0), f"{name}/conv{index}", 1)
    return np.maximum(total, 0)


def _separable(arrays: Mapping[str, np.ndarray], x: np.ndarray, name: str, stride: int) -> np.ndarray:
    deep = np.einsum("hwcij,ijc->hwc", _windows(x, stride), arrays[f"{name}/depthwise_filter"][..., 0])
    return deep @ arrays[f"{name}/pointwise_filter"][0, 0] + arrays[f"{name}/bias"]


def _windows(x: np.ndarray, stride: int) -> np.ndarray:
    """[h, w, C, 3, 3] of [H, W, C]: TensorFlow's "same", which puts the odd zero behind."""
    pads = []
    for length in x.shape[:2]:
        total = max((-(-length // stride) - 1) * stride + 3 - length, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x, (*pads, (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))[::stride, ::stride]
