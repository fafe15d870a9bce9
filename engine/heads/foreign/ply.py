"""3DGS PLY files as the INRIA code writes them: one element `vertex` of plain numbers, a row a Gaussian.

Columns: x y z, f_dc_0…2, f_rest_* (all of red, then green, then blue), opacity (logit), scale_* (log), rot_* (wxyz).
Own code rather than a library: only flat rows are needed, they come out of zips as well as out of files, and the length
must be compared with what the header promises before any memory is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from ...contract.errors import MienError
from .splats import MAX_SPLATS, Splats, checked, read_whole, write_whole

MAX_BYTES = 3 << 30
_HEADER_LIMIT = 1 << 16
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_GEOMETRY = ("x", "y", "z", "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3")
_COLOUR = ("f_dc_0", "f_dc_1", "f_dc_2")


def read(path: str | os.PathLike[str]) -> Splats:
    """Read a 3DGS PLY.

    Raises:
        MienError: It is no PLY, lacks a property, is cut short, or holds values that are not finite.
    """
    return splats(columns(read_whole(path, MAX_BYTES), str(path)), str(path))


def splats(table: Mapping[str, np.ndarray], where: str) -> Splats:
    """A PLY's columns → splats.

    Raises:
        MienError: A column is missing, or a value is wrong.
    """
    need(table, (*_GEOMETRY, *_COLOUR), where)
    rest = sorted((name for name in table if name.startswith("f_rest_")), key=lambda name: int(name[7:] or 0))
    if len(rest) not in (0, 9, 24, 45):
        raise MienError(
            f"{where} has {len(rest)} f_rest properties where 3DGS files have 0, 9, 24 or 45; export it again with "
            "whole spherical harmonics, or with none."
        )
    dc = np.stack([table[name] for name in _COLOUR], axis=1)[:, None]
    higher = np.stack([table[name] for name in rest], axis=1) if rest else np.zeros((len(dc), 0))
    sh = np.concatenate([dc, higher.reshape(len(dc), 3, -1).transpose(0, 2, 1)], axis=1)
    return checked(*geometry(table), sh, where)


def geometry(table: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(position [N, 3], rotation [N, 4], log_scale [N, 3], opacity_logit [N]) of a PLY's columns."""
    position, rotation, log_scale = (
        np.stack([table[name] for name in names], axis=1) for names in (_GEOMETRY[:3], _GEOMETRY[7:], _GEOMETRY[4:7])
    )
    return position, rotation, log_scale, table["opacity"]


def need(table: Mapping[str, np.ndarray], names: tuple[str, ...], where: str) -> None:
    """Raises MienError unless all columns are there."""
    missing = [name for name in names if name not in table]
    if missing:
        raise MienError(
            f"{where} lacks the property {missing[0]!r}, so it is no 3DGS splat file; "
            "export it as an uncompressed Gaussian splat PLY."
        )


def columns(data: bytes, where: str) -> dict[str, np.ndarray]:
    """The element `vertex` of a PLY: {property: [N] in the file's type}.

    Raises:
        MienError: It is no PLY of flat rows, or it is cut short.
    """
    order, count, fields, start = _header(data, where)
    if not 0 < count <= MAX_SPLATS:
        raise MienError(f"{where} says it holds {count:,} splats; Mien reads 1 to {MAX_SPLATS:,}.")
    if order == "":
        return _read_ascii(data, start, count, fields, where)
    row = np.dtype([(name, order + kind) for name, kind in fields])
    if len(data) - start < count * row.itemsize:
        held = (len(data) - start) // row.itemsize
        raise MienError(f"{where} is cut short: it holds {held:,} of {count:,} splats; get a fresh copy of it.")
    rows = np.frombuffer(data, row, count, start)
    return {name: rows[name] for name, _ in fields}


def _read_ascii(
    data: bytes, start: int, count: int, fields: list[tuple[str, str]], where: str
) -> dict[str, np.ndarray]:
    words = data[start:].split()
    if len(words) < count * len(fields):
        raise MienError(f"{where} is cut short: it holds too few numbers for {count:,} splats; get a fresh copy of it.")
    try:
        rows = np.array(words[: count * len(fields)], dtype=np.float64).reshape(count, len(fields))
    except ValueError:
        raise MienError(f"{where} holds text where numbers belong; export it again as binary PLY.") from None
    return {name: rows[:, index] for index, (name, _) in enumerate(fields)}


def _header(data: bytes, where: str) -> tuple[str, int, list[tuple[str, str]], int]:
    """(byte order, rows, [(property, type)], first byte of the rows)."""
    head = data[:_HEADER_LIMIT]
    end = head.find(b"end_header")
    if not head.startswith(b"ply") or end < 0:
        raise MienError(f"{where} is not a PLY file; give a Gaussian splat saved as .ply.")
    start = data.find(b"\n", end) + 1
    order, count, fields, elements = None, 0, [], 0
    for line in head[:end].decode("ascii", "replace").splitlines()[1:]:
        words = line.split() or ["comment"]
        match words:
            case ["format", kind, _] if kind in _FORMATS:
                order = _FORMATS[kind]
            case ["element", name, number] if number.isdigit() and len(number) < 19:
                elements += 1
                if elements == 1 and name != "vertex":
                    raise MienError(
                        f"{where} begins with {name[:40]!r} instead of 'vertex', as compressed splat files do; "
                        "export it as an uncompressed Gaussian splat PLY."
                    )
                count = int(number) if elements == 1 else count
            case ["property", kind, name] if kind in _TYPES and elements:
                if elements == 1:
                    fields.append((name, _TYPES[kind]))
            case ["property", "list", _, _, _] if elements > 1:
                pass
            case ["comment" | "obj_info", *_]:
                pass
            case _:
                raise MienError(f"{where} has a PLY header line that Mien can't read ({line[:60]!r}); export it again.")
    if order is None or not fields or len(dict(fields)) != len(fields) or start == 0:
        raise MienError(f"{where} has a damaged PLY header; export it again as a Gaussian splat PLY.")
    return order, count, fields, start


def write(splats: Splats, path: str | os.PathLike[str]) -> None:
    """Write a binary 3DGS PLY in INRIA's layout, whole or not at all.

    Raises:
        MienError: The folder can't be written.
    """
    count, coefficients = splats.sh.shape[:2]
    rest = splats.sh[:, 1:].transpose(0, 2, 1).reshape(count, -1)
    names = ["x", "y", "z", "nx", "ny", "nz", *_COLOUR]
    names += [f"f_rest_{index}" for index in range(3 * (coefficients - 1))]
    names += ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    rows = np.concatenate(
        [
            splats.position,
            np.zeros((count, 3), np.float32),
            splats.sh[:, 0],
            rest,
            splats.opacity_logit[:, None],
            splats.log_scale,
            splats.rotation,
        ],
        axis=1,
        dtype="<f4",
    )
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property float {name}" for name in names]
    header = "\n".join([*lines, "end_header", ""]).encode()
    write_whole(path, lambda stream: (stream.write(header), stream.write(rows.tobytes())))
