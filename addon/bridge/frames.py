"""Takes the pixels out of `frame/render` replies: from the ring, or from the reply itself."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.contract.passes import PASS_BY_NAME
from ...engine.contract.ring import FrameLost, RingReader


class Frames:
    """Reads the frames of one engine process. Used by its reader thread only.

    Raises:
        MienError: The ring cannot be mapped: ask for the transport "inline" then.
    """

    def __init__(self, ring: str) -> None:
        self._ring = RingReader(ring)

    def read(self, reply: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The planes of a reply whose pixels lie in the ring.

        Raises:
            FrameLost: They are no longer there.
            MienError: The ring has moved to a file that cannot be mapped.
        """
        if "ring" not in reply or "slot" not in reply or "sequence" not in reply:
            raise FrameLost("The engine's reply does not say where its frame lies.")
        if Path(reply["ring"]) != self._ring.path:
            self._ring = RingReader(reply["ring"])
        planes = self._ring.read(reply["slot"], reply["sequence"])
        for entry in reply["passes"]:
            shape = (reply["height"], reply["width"], entry["components"])
            if entry["name"] not in planes or planes[entry["name"]].shape != shape:
                raise FrameLost(f"The frame file and the engine's reply disagree about {entry['name']!r}.")
        return planes


def is_inline(reply: Mapping[str, Any]) -> bool:
    return all("data" in entry for entry in reply["passes"])


def decode_inline(reply: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The planes of a reply that carries them: {pass name: float32 [H, W, C]}.

    Raises:
        FrameLost: A plane is damaged, or not of the size that the reply says.
    """
    return {entry["name"]: _decode_plane(entry, reply["height"], reply["width"]) for entry in reply["passes"]}


def _decode_plane(entry: Mapping[str, Any], height: int, width: int) -> np.ndarray:
    name, components = entry["name"], entry["components"]
    if components != len(PASS_BY_NAME[name].components):
        raise FrameLost(f"The frame's {name!r} has {components} components.")
    dtype = np.dtype(entry.get("dtype", "float32")).newbyteorder("<")
    size = height * width * components * dtype.itemsize
    try:
        # One byte more than it may have: a small message must not unpack to all of the memory.
        content = zlib.decompressobj().decompress(base64.b64decode(entry["data"], validate=True), size + 1)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise FrameLost(f"The frame's {name!r} came damaged: {error}.") from None
    if len(content) != size:
        raise FrameLost(f"The frame's {name!r} has {len(content)} bytes in place of {size}.")
    return np.frombuffer(content, dtype).reshape(height, width, components).astype(np.float32)
