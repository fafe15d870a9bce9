"""The frame ring: a memory-mapped file in which the engine leaves rendered frames for the add-on.

Layout, little-endian: a file header of 64 bytes; then `slots` slots of `SLOT_HEADER + slot_size` bytes each. A slot's
planes are float32 [height, width, components], rows top-down, each at an offset from the slot's data that is a multiple
of 64. The sequence number of a slot is set to 0 before its planes are written and to the frame's number last of all;
who reads checks it before and after copying, so that a frame overwritten meanwhile is noticed.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import MienError
from .passes import PASSES

MAGIC = b"MIENRING"
VERSION = 1
_HEADER = struct.Struct("<8sIIQ")  # magic, version, slots, slot size
_SLOT = struct.Struct("<QIIIIQ")  # sequence, width, height, planes, state, viewport
_PLANE = struct.Struct("<IIQ")  # index into PASSES, components, offset
HEADER = 64
SLOT_HEADER = 512
ALIGNMENT = 64
MAX_SLOTS = 64
MAX_SIDE = 65536
FIRST_SLOT_SIZE = 16 * 1024 * 1024
EMPTY, WRITING, READY = 0, 1, 2


class FrameLost(MienError):
    """The frame has been overwritten, or was never whole."""


@dataclass(frozen=True)
class Written:
    """Where a frame lies: what `frame/render` replies."""

    path: Path
    slot: int
    sequence: int
    offsets: dict[str, int]


def viewport_hash(viewport: str) -> int:
    return zlib.crc32(viewport.encode("utf-8"))


def _layout(planes: Mapping[str, np.ndarray]) -> tuple[dict[str, int], int]:
    offsets, end = {}, 0
    for name, plane in planes.items():
        offsets[name] = end
        end += -(-plane.nbytes // ALIGNMENT) * ALIGNMENT
    return offsets, end


class RingWriter:
    """The engine's side. Slots are used in turn; a frame too large for them moves the ring to a new, larger file.

    Args:
        folder: A private folder; the files in it are the writer's.
        slots: Frames that stay readable.
        slot_size: Bytes a frame may have before the ring must grow.
    """

    def __init__(self, folder: str | os.PathLike[str], slots: int = 4, slot_size: int = FIRST_SLOT_SIZE) -> None:
        self._folder = Path(folder)
        self._slots = slots
        self._sequence = 0
        self._old: list[Path] = []
        self._open(slot_size)

    @property
    def path(self) -> Path:
        return self._path

    def _open(self, slot_size: int) -> None:
        self._slot_size = -(-slot_size // mmap.PAGESIZE) * mmap.PAGESIZE
        stride = SLOT_HEADER + self._slot_size
        try:
            handle, path = tempfile.mkstemp(prefix="frames-", suffix=".ring", dir=self._folder)
            try:
                os.truncate(handle, HEADER + self._slots * stride)
                self._map = mmap.mmap(handle, 0)
            finally:
                os.close(handle)
        except (OSError, ValueError) as error:
            remedy = "free some space there or render fewer passes"
            raise MienError(f"The frame file in {self._folder} cannot be made ({error}); {remedy}.") from None
        self._path = Path(path)
        self._reserved = [0] * self._slots
        _HEADER.pack_into(self._map, 0, MAGIC, VERSION, self._slots, self._slot_size)

    def _reserve(self, slot: int, size: int) -> None:
        """Have the disk blocks for `size` bytes of a slot: writing to a hole on a full disk would kill the process."""
        if size <= self._reserved[slot] or not hasattr(os, "posix_fallocate"):
            return
        start = HEADER + slot * (SLOT_HEADER + self._slot_size)
        handle = os.open(self._path, os.O_RDWR)
        try:
            os.posix_fallocate(handle, start, SLOT_HEADER + size)
        except OSError as error:
            raise MienError(
                f"There is no room for a frame of {size >> 20} MiB in {self._folder} ({error.strerror}); "
                "free some space there or render fewer passes."
            ) from None
        finally:
            os.close(handle)
        self._reserved[slot] = size

    def write(self, viewport: str, planes: Mapping[str, np.ndarray]) -> Written:
        """Leave a frame in the next slot.

        Args:
            viewport: Whose frame it is.
            planes: {pass name: float32 [H, W, C]}, all of one size.

        Raises:
            MienError: There is no disk space for it.
        """
        height, width = next(iter(planes.values())).shape[:2]
        offsets, size = _layout(planes)
        if size > self._slot_size:
            self._grow(size)
        slot = self._sequence % self._slots
        self._reserve(slot, size)
        self._sequence += 1
        start = HEADER + slot * (SLOT_HEADER + self._slot_size)
        _SLOT.pack_into(self._map, start, 0, width, height, len(planes), WRITING, viewport_hash(viewport))
        names = [entry.name for entry in PASSES]
        for index, (name, plane) in enumerate(planes.items()):
            components = plane.shape[2]
            where = start + _SLOT.size + index * _PLANE.size
            _PLANE.pack_into(self._map, where, names.index(name), components, offsets[name])
            target = np.frombuffer(self._map, np.float32, plane.size, start + SLOT_HEADER + offsets[name])
            target.reshape(height, width, components)[...] = plane
        _SLOT.pack_into(self._map, start, 0, width, height, len(planes), READY, viewport_hash(viewport))
        struct.pack_into("<Q", self._map, start, self._sequence)
        return Written(self._path, slot, self._sequence, offsets)

    def _grow(self, size: int) -> None:
        # The reader may not have opened the last file yet, so that one stays until the next time.
        for path in self._old:
            path.unlink(missing_ok=True) if os.name != "nt" else None
        self._old = [self._path]
        # Large frames are final ones, read at once: fewer slots keep a 4K frame with all passes within a disk's reach.
        self._slots = min(self._slots, 2 if size > 256 * 1024 * 1024 else self._slots)
        self._open(size + size // 4)  # the old mapping is closed when the last array on it goes


class RingReader:
    """The add-on's side: opens a ring file and copies frames out of it.

    Raises:
        MienError: The file cannot be mapped, or is not a ring file of this version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with open(path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise MienError(f"The engine's frame file {path} cannot be read: {error}.") from None
        if len(self._map) < HEADER:
            raise MienError(f"The engine's frame file {path} is cut short.")
        magic, version, self._slots, self._slot_size = _HEADER.unpack_from(self._map, 0)
        if magic != MAGIC or version != VERSION:
            remedy = "update the engine and the add-on together"
            raise MienError(f"{path} is not a frame file of version {VERSION}; {remedy}.")
        if not 1 <= self._slots <= MAX_SLOTS or len(self._map) < HEADER + self._slots * (SLOT_HEADER + self._slot_size):
            raise MienError(f"The engine's frame file {path} is cut short.")

    def read(self, slot: int, sequence: int) -> dict[str, np.ndarray]:
        """Copies of a frame's planes: {pass name: float32 [H, W, C]}.

        Raises:
            FrameLost: The slot no longer holds, or never held, that frame whole.
        """
        if not 0 <= slot < self._slots:
            raise FrameLost(f"The frame file has no slot {slot}.")
        start = HEADER + slot * (SLOT_HEADER + self._slot_size)
        planes = self._copy(start, sequence)
        if self._sequence(start) != sequence:
            raise FrameLost(f"Frame {sequence} was overwritten while it was read.")
        return planes

    def _sequence(self, start: int) -> int:
        return struct.unpack_from("<Q", self._map, start)[0]

    def _copy(self, start: int, sequence: int) -> dict[str, np.ndarray]:
        found, width, height, count, state, _ = _SLOT.unpack_from(self._map, start)
        if found != sequence or state != READY:
            raise FrameLost(f"Frame {sequence} is no longer in the frame file.")
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and 1 <= count <= len(PASSES)):
            raise FrameLost(f"Frame {sequence} has a damaged header.")
        planes = {}
        for index in range(count):
            kind, components, offset = _PLANE.unpack_from(self._map, start + _SLOT.size + index * _PLANE.size)
            size = width * height * components
            if kind >= len(PASSES) or not 1 <= components <= 4 or offset % 4 or offset + 4 * size > self._slot_size:
                raise FrameLost(f"Frame {sequence} has a damaged header.")
            plane = np.frombuffer(self._map, np.float32, size, start + SLOT_HEADER + offset)
            planes[PASSES[kind].name] = plane.reshape(height, width, components).copy()
        return planes

    def close(self) -> None:
        self._map.close()
