"""Pixels in a reply, for an add-on that cannot map the frame ring."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

_HALF_MAX = 6e4


def inline_pass(name: str, plane: np.ndarray) -> dict[str, Any]:
    """A pass of `frame/render`'s reply that carries its plane [H, W, C], as halves where they hold it."""
    # Depth's background and long motions are beyond a half's range or precision.
    exact = name in ("Depth", "Vector") or np.abs(plane).max(initial=0.0) > _HALF_MAX
    dtype = np.dtype(np.float32 if exact else np.float16)
    content = plane.astype(dtype.newbyteorder("<")).tobytes()
    return {
        "name": name,
        "components": plane.shape[2],
        "dtype": dtype.name,
        "data": base64.b64encode(zlib.compress(content, 1)).decode("ascii"),
    }
