"""SPZ files: Niantic's packed splats, versions 2 and 3, read and written from the public description of the format
(https://github.com/nianticlabs/spz, README). A gzip stream of a 16-byte header and one block an attribute:

positions 3 × 24-bit fixed point; alphas u8; colours 3 × u8; scales 3 × u8; rotations 3 × u8 (version 2: x, y, z) or
4 bytes (version 3: the three smallest at 10 bits); spherical harmonics u8, coefficient by coefficient, RGB inmost.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib

import numpy as np

from ...contract.errors import MienError
from .splats import MAX_SPLATS, Splats, checked, read_whole, write_whole

MAX_BYTES = 1 << 30
_MAGIC = 0x5053474E
_HEADER = struct.Struct("<IIIBBBB")
_COEFFICIENTS = (0, 3, 8, 15)
_COLOUR_SCALE = 0.15
_MAX_FRACTION = 20
_HAS_EXTENSIONS = 2
"""Flag: records that Mien does not need follow the blocks."""
_HALF = np.sqrt(0.5)


def read(path: str | os.PathLike[str]) -> Splats:
    """Read an SPZ file of version 2 or 3.

    Raises:
        MienError: It is no SPZ file, of another version, or does not hold what its header promises.
    """
    packed, where = read_whole(path, MAX_BYTES), str(path)
    if packed.startswith(b"NGSP"):
        raise MienError(f"{where} is SPZ version 4 or later; Mien reads 2 and 3, so export it as one of them.")
    unpacker = zlib.decompressobj(31)
    try:
        head = unpacker.decompress(packed, _HEADER.size)
        if len(head) < _HEADER.size:
            raise zlib.error("too short")
        magic, version, count, degree, fraction, flags, _ = _HEADER.unpack(head)
        if magic != _MAGIC:
            raise MienError(f"{where} is not an SPZ file; give a Gaussian splat saved as .spz.")
        if version not in (2, 3):
            raise MienError(f"{where} is SPZ version {version}; Mien reads 2 and 3, so export it as one of them.")
        if not 0 < count <= MAX_SPLATS or degree > 3 or fraction > 23:
            raise MienError(
                f"{where} has an SPZ header that can't be ({count:,} splats, degree {degree}); export it again."
            )
        sizes = np.array([9, 1, 3, 3, 3 if version == 2 else 4, 3 * _COEFFICIENTS[degree]]) * count
        # The header says how much must follow: a file that unpacks to more or less is refused at that point.
        expected = int(sizes.sum())
        body = unpacker.decompress(unpacker.unconsumed_tail, expected + 1)
    except zlib.error as error:
        raise MienError(f"{where} is damaged or not an SPZ file ({error}); get a fresh copy of it.") from None
    if len(body) < expected or (len(body) > expected and not flags & _HAS_EXTENSIONS):
        raise MienError(f"{where} does not hold the {count:,} splats that its header promises; get a fresh copy of it.")
    blocks = np.split(np.frombuffer(body, np.uint8, expected), np.cumsum(sizes)[:-1])
    position, alpha, colour, scale, rotation, rest = (block.reshape(count, -1) for block in blocks)
    sh = [((colour / 255.0 - 0.5) / _COLOUR_SCALE)[:, None], (rest.reshape(count, -1, 3) - 128.0) / 128.0]
    opacity = np.clip(alpha[:, 0] / 255.0, 1e-4, 1 - 1e-4)
    return checked(
        _fixed_point(position) / 2.0**fraction,
        _rotation_2(rotation) if version == 2 else _rotation_3(rotation),
        scale / 16.0 - 10.0,
        np.log(opacity / (1 - opacity)),
        np.concatenate(sh, axis=1),
        where,
    )


def write(splats: Splats, path: str | os.PathLike[str], version: int = 3) -> None:
    """Write an SPZ file, whole or not at all.

    Raises:
        MienError: The version is neither 2 nor 3, a splat lies too far away, or the folder can't be written.
    """
    if version not in (2, 3):
        raise MienError(f"SPZ version {version} can't be written; choose 2 or 3.")
    reach = float(np.abs(splats.position).max())
    fraction = min(_MAX_FRACTION, int(np.floor(np.log2((2**23 - 1) / max(reach, 1e-6)))))
    if fraction < 0:
        raise MienError("The splats reach too far for an SPZ file; export them as PLY or make them smaller.")
    alpha = 1 / (1 + np.exp(-splats.opacity_logit.astype(np.float64)))
    blocks = [
        _bytes_of(np.round(splats.position.astype(np.float64) * 2.0**fraction).astype(np.int32)),
        _u8(alpha * 255),
        _u8((splats.sh[:, 0] * _COLOUR_SCALE + 0.5) * 255),
        _u8((splats.log_scale + 10) * 16),
        _packed_2(splats.rotation) if version == 2 else _packed_3(splats.rotation),
        _packed_sh(splats.sh[:, 1:]),
    ]
    head = _HEADER.pack(_MAGIC, version, len(splats), splats.sh_degree, fraction, 0, 0)
    data = gzip.compress(head + b"".join(block.tobytes() for block in blocks), mtime=0)
    write_whole(path, lambda stream: stream.write(data))


def _u8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _fixed_point(packed: np.ndarray) -> np.ndarray:
    """[N, 9] bytes → signed 24-bit integers [N, 3]."""
    low, middle, high = np.moveaxis(packed.reshape(-1, 3, 3).astype(np.int32), -1, 0)
    return low | middle << 8 | (high ^ 0x80) - 0x80 << 16


def _bytes_of(values: np.ndarray) -> np.ndarray:
    return np.stack([values & 255, values >> 8 & 255, values >> 16 & 255], axis=-1).astype(np.uint8)


def _rotation_2(packed: np.ndarray) -> np.ndarray:
    xyz = packed / 127.5 - 1.0
    w = np.sqrt(np.maximum(1.0 - (xyz**2).sum(axis=1), 0.0))
    return np.concatenate([w[:, None], xyz], axis=1)


def _packed_2(rotation: np.ndarray) -> np.ndarray:
    return _u8(rotation[:, 1:] * np.where(rotation[:, :1] < 0, -1, 1) * 127.5 + 127.5)


def _rotation_3(packed: np.ndarray) -> np.ndarray:
    """The index of the largest of x, y, z, w in the top two bits; the others below, the last one lowest."""
    word = np.ascontiguousarray(packed).view("<u4")[:, 0].astype(np.int64)
    largest, others = word >> 30, word & 0x3FFFFFFF
    xyzw = np.zeros((len(word), 4))
    for index in (3, 2, 1, 0):
        held = largest != index
        value = (others & 511) / 511.0 * _HALF * np.where(others >> 9 & 1, -1.0, 1.0)
        xyzw[held, index] = value[held]
        others = np.where(held, others >> 10, others)
    xyzw[np.arange(len(word)), largest] = np.sqrt(np.maximum(1.0 - (xyzw**2).sum(axis=1), 0.0))
    return xyzw[:, [3, 0, 1, 2]]


def _packed_3(rotation: np.ndarray) -> np.ndarray:
    xyzw = rotation[:, [1, 2, 3, 0]].astype(np.float64)
    largest = np.abs(xyzw).argmax(axis=1)
    xyzw = xyzw * np.where(xyzw[np.arange(len(xyzw)), largest] < 0, -1.0, 1.0)[:, None]
    word = largest.astype(np.int64)
    for index in range(4):
        held = largest != index
        size = np.minimum(np.floor(511 * np.abs(xyzw[:, index]) / _HALF + 0.5), 511).astype(np.int64)
        word = np.where(held, word << 10 | (xyzw[:, index] < 0).astype(np.int64) << 9 | size, word)
    return word.astype("<u4").view(np.uint8).reshape(-1, 4)


def _packed_sh(rest: np.ndarray) -> np.ndarray:
    """Coefficients beyond the constant [N, S − 1, 3] → u8; degree 1 keeps 5 bits, higher ones 4, as SPZ's own does."""
    step = np.where(np.arange(rest.shape[1]) < 3, 8, 16)[None, :, None]
    value = np.round(rest * 128.0) + 128.0
    return np.clip(np.floor((value + step / 2) / step) * step, 0, 255).astype(np.uint8)
