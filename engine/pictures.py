"""Render passes as PNG files to look at; the exact numbers are for `.npz`."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from .contract.errors import MienError
from .contract.passes import DEPTH_BACKGROUND

VECTOR_SCALE = 1 / 64
"""Motion of 32 pixels is full scale in a picture of Vector."""


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear → sRGB, IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def viewable(name: str, plane: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """A pass [H, W, C] as an 8-bit picture [H, W, 1 or 4].

    Combined: sRGB with straight alpha. Depth: nearest white, farthest a dark grey. Normal and Vector: x, y, z as
    colours around mid-grey (Vector: the motion to the next frame).

    Args:
        coverage: The pass Mask [H, W, 1].
    """
    safe = np.maximum(coverage, 1e-6)
    if name == "Combined":
        alpha = plane[..., 3:]
        picture = np.concatenate([to_srgb(plane[..., :3] / np.maximum(alpha, 1e-6)) * (alpha > 0), alpha], axis=-1)
    elif name == "Depth":
        seen = plane < DEPTH_BACKGROUND * 0.5
        low, high = (plane[seen].min(), plane[seen].max()) if seen.any() else (0.0, 1.0)
        picture = np.where(seen, 1.0 - 0.8 * (plane - low) / max(high - low, 1e-6), 0.0)
    elif name == "Normal":
        picture = np.concatenate([0.5 + 0.5 * plane / safe, coverage], axis=-1)
    elif name == "Vector":
        motion = 0.5 - VECTOR_SCALE * plane[..., 2:]
        picture = np.concatenate([motion, np.full_like(coverage, 0.5), coverage], axis=-1)
    else:
        picture = plane
    return (np.clip(picture, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write an 8-bit picture [H, W, 1, 3 or 4] as grey, RGB or RGBA with straight alpha.

    Raises:
        MienError: The file can't be written.
    """
    height, width, components = picture.shape
    kind = {1: 0, 3: 2, 4: 6}[components]
    # Each row minus the one above ("up", filter 2): heads are smooth, so this packs well.
    rows = np.zeros((height, 1 + width * components), np.uint8)
    flat = picture.reshape(height, -1)
    rows[:, 0] = 2
    rows[:, 1:] = flat
    rows[1:, 1:] -= flat[:-1]
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"sRGB", b"\0")
    content += _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)) + _chunk(b"IEND", b"")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise MienError(f"{path} can't be written ({error.strerror or error}); choose another folder.") from None


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
