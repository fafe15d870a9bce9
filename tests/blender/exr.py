"""Reads uncompressed float32 OpenEXR files, one part or several, as Blender writes them: just enough for the tests."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_MULTIPART = 0x1000
_ORDER = {letter: index for index, letter in enumerate("XRYGZBWA")}


def read(path: Path) -> dict[str, np.ndarray]:
    """{"Layer.Pass": float32 [H, W, C]}, rows top-down; channels in the order RGBA or XYZW."""
    data = Path(path).read_bytes()
    magic, version = struct.unpack_from("<II", data, 0)
    assert magic == 20000630, f"{path} is no OpenEXR file"
    multipart = bool(version & _MULTIPART)
    headers, at = [], 8
    while True:
        header, at = _header(data, at)
        if not header:
            break
        headers.append(header)
        if not multipart:
            break
    planes = {}
    chunks = sum(header["height"] for header in headers)
    for start in struct.unpack_from(f"<{chunks}Q", data, at):
        part = 0
        if multipart:
            (part,) = struct.unpack_from("<i", data, start)
            start += 4
        header = headers[part]
        y, size = struct.unpack_from("<ii", data, start)
        row = np.frombuffer(data, "<f4", size // 4, start + 8).reshape(len(header["channels"]), header["width"])
        for name, values in zip(header["channels"], row, strict=True):
            name = name if "." in name or not header["name"] else f"{header['name']}.{name}"
            if header["view"] and header["view"] not in name:
                base, _, letter = name.rpartition(".")
                name = f"{base}.{header['view']}.{letter}"
            plane = planes.setdefault(name, np.zeros((header["height"], header["width"]), np.float32))
            plane[y - header["top"]] = values
    return _joined(planes)


def _header(data: bytes, at: int) -> tuple[dict, int]:
    header: dict = {"name": "", "view": ""}
    while data[at]:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<i", data, at)
        at += 4
        value = data[at : at + size]
        at += size
        if name == "channels":
            header["channels"] = _channels(value)
        elif name == "dataWindow":
            left, top, right, bottom = struct.unpack("<iiii", value)
            header |= {"width": right - left + 1, "height": bottom - top + 1, "top": top}
        elif name == "compression":
            assert value == b"\0", "only uncompressed files are read"
        elif name in ("name", "view"):
            header[name] = value.decode()
    return (header if "channels" in header else {}), at + 1


def _channels(value: bytes) -> list[str]:
    names, at = [], 0
    while value[at]:
        name, at = _text(value, at)
        (kind,) = struct.unpack_from("<i", value, at)
        assert kind == 2, f"channel {name} is not float32"
        at += 16
        names.append(name)
    return names


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def _joined(planes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    groups: dict[str, list[tuple[int, np.ndarray]]] = {}
    for name, plane in planes.items():
        base, _, letter = name.rpartition(".")
        groups.setdefault(base, []).append((_ORDER.get(letter, 0), plane))
    return {
        base: np.stack([plane for _, plane in sorted(group, key=lambda item: item[0])], -1)
        for base, group in groups.items()
    }
