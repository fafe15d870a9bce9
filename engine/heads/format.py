"""The head file: reading, checking and writing `.mien`. docs/head-file.md is the specification; this is its code.

Nothing in a file is trusted. Sizes are read from the archive's directory and from the array header first and compared
with the limits, so that a hostile file costs no more memory than an honest one of the largest size; every array is
checked for dtype, shape, range and finiteness before a `Head` exists. There is no pickle anywhere.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..contract.channels import MASK_ZONES, UNITS
from ..contract.errors import MienError
from ..contract.files import parse_json
from ..splat.interface import DILATION

FORMAT = "mien-head"
VERSION = (1, 2)
"""What this code reads; it writes the lowest that holds the head."""
SUFFIX = ".mien"
PARTS = (
    "skin", "eye.L", "eye.R", "teeth.upper", "teeth.lower", "gums", "tongue", "brows", "lashes", "hair", "clothes",
)  # fmt: skip
BLEND_SPACES = ("srgb", "linear")
STRETCHES = ("area", "affine")
"""How a Gaussian follows its triangle's change of shape; the first is what a file that says nothing means."""

MAX_VERTICES = 400_000
MAX_TRIANGLES = 800_000
MAX_GAUSSIANS = 2_000_000
MAX_COMBINATIONS = 256
MAX_SH_DEGREE = 3
DILATIONS = (0.01, 2.0)
MAX_DRIVERS = 256
MAX_APPEARANCE = 4_000_000
"""Rows of the dynamic appearance: changes of one Gaussian by one driver."""
REACH = 5.0
"""Metres: no coordinate of a head lies farther from its origin."""
MAX_DELTA = 0.5
MIN_AREA = 1e-14
"""Square metres (a tenth of a micrometre squared): the smallest triangle that can carry a Gaussian."""

_MEBIBYTE = 1 << 20
_JSON_LIMIT = _MEBIBYTE
_HEADER_LIMIT = _MEBIBYTE
_THUMBNAIL_LIMIT = _MEBIBYTE
_ARRAYS_LIMIT = 2048 * _MEBIBYTE
_MEMBERS = {"head.json": _JSON_LIMIT, "arrays.safetensors": _ARRAYS_LIMIT, "thumbnail.png": _THUMBNAIL_LIMIT}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYS = (
    "format", "version", "name", "author", "licence", "source", "blend_space", "sh_degree", "units", "combinations",
    "eyes", "neck", "parts", "camera", "figures", "appearance", "stretch", "dilation",
)  # fmt: skip
_OPTIONAL_KEYS = ("eyes", "figures", "appearance", "stretch", "dilation")
_SINCE = {"appearance": 1, "stretch": 1, "dilation": 2}
"""Optional keys and the minor version that brought them."""

_DTYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "U8": np.uint8}
_FLOATS = ("F32", "F16")
#: name → (allowed dtypes, shape in letters or numbers); letters are resolved by `_dimensions`.
_ARRAYS: dict[str, tuple[tuple[str, ...], tuple[str | int, ...]]] = {
    "mesh.vertices": (("F32",), ("V", 3)),
    "mesh.triangles": (("I32",), ("T", 3)),
    "mesh.part": (("U8",), ("T",)),
    "mesh.zone": (("U8",), ("V",)),
    "mesh.head_weight": (("F32",), ("V",)),
    "units.vertex_ids": (("I32",), ("K",)),
    "units.deltas": (_FLOATS, ("U", "K", 3)),
    "combinations.deltas": (_FLOATS, ("P", "K", 3)),
    "gaussians.triangle": (("I32",), ("N",)),
    "gaussians.position": (_FLOATS, ("N", 3)),
    "gaussians.rotation": (_FLOATS, ("N", 4)),
    "gaussians.log_scale": (_FLOATS, ("N", 3)),
    "gaussians.opacity_logit": (_FLOATS, ("N",)),
    "gaussians.sh": (_FLOATS, ("N", "S", 3)),
    "gaussians.zone": (("U8",), ("N",)),
    "gaussians.strand": (("U8",), ("N",)),
    "appearance.start": (("I32",), ("D + 1",)),
    "appearance.gaussian": (("I32",), ("M",)),
    "appearance.colour": (_FLOATS, ("M", 3)),
    "appearance.opacity": (_FLOATS, ("M",)),
    "appearance.log_scale": (_FLOATS, ("M", 3)),
    "appearance.rotation": (_FLOATS, ("M", 3)),
}
_OPTIONAL_ARRAYS = (
    "combinations.deltas",
    "gaussians.strand",
    *(name for name in _ARRAYS if name.startswith("appearance.")),
)
#: name → (lowest, highest) value, where the range does not depend on other arrays.
_RANGES: dict[str, tuple[float, float]] = {
    "mesh.vertices": (-REACH, REACH),
    "mesh.zone": (0, len(MASK_ZONES) - 1),
    "mesh.head_weight": (0.0, 1.0),
    "units.deltas": (-MAX_DELTA, MAX_DELTA),
    "combinations.deltas": (-MAX_DELTA, MAX_DELTA),
    "gaussians.position": (-REACH, REACH),
    "gaussians.log_scale": (-20.0, 5.0),
    "gaussians.opacity_logit": (-20.0, 20.0),
    "gaussians.sh": (-1000.0, 1000.0),
    "gaussians.zone": (0, len(MASK_ZONES) - 1),
    "gaussians.strand": (0, 1),
    "appearance.colour": (-20.0, 20.0),
    "appearance.opacity": (-40.0, 40.0),
    "appearance.log_scale": (-10.0, 10.0),
    "appearance.rotation": (-3.1416, 3.1416),
}


@dataclass(frozen=True, slots=True)
class Eye:
    """A ball: its centre in neutral (metres) and its turn (radians) at unit value 1."""

    centre: tuple[float, float, float]
    yaw: float
    pitch: float


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A checked head. `arrays` holds read-only arrays under the names of docs/head-file.md, as `head[name]` does.

    Attributes:
        units: Names of the units in `units.deltas`' order.
        combinations: Unit names of each combination in `combinations.deltas`' order.
        dilation: Square pixels added to every projected covariance: how soft the pictures were that it was fitted to.
        stretch: "area" or "affine": how Gaussians follow their triangles, see docs/head-file.md.
        appearance: Unit names of each driver of the dynamic appearance, in `appearance.start`'s order.
        eyes: `{"left": Eye, "right": Eye}`, or None.
        neck_pivot, camera_target: Metres. `camera_distance`: metres from the target.
        thumbnail: PNG file bytes, or None.
    """

    name: str
    author: str
    licence: str
    source: str
    blend_space: str
    sh_degree: int
    units: tuple[str, ...]
    combinations: tuple[tuple[str, ...], ...]
    eyes: Mapping[str, Eye] | None
    neck_pivot: tuple[float, float, float]
    parts: tuple[str, ...]
    camera_target: tuple[float, float, float]
    camera_distance: float
    figures: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    thumbnail: bytes | None = None
    stretch: str = "area"
    dilation: float = DILATION
    appearance: tuple[tuple[str, ...], ...] = ()

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    @property
    def gaussian_count(self) -> int:
        return len(self.arrays["gaussians.triangle"])

    def _minor(self) -> int:
        """The lowest minor version that knows all that it holds."""
        if self.dilation != DILATION:
            return 2
        return int(bool(self.appearance) or self.stretch != STRETCHES[0] or "gaussians.strand" in self.arrays)

    def info(self) -> dict[str, Any]:
        """What `head.json` holds."""
        info: dict[str, Any] = {
            "format": FORMAT,
            "version": [1, self._minor()],
            "name": self.name,
            "author": self.author,
            "licence": self.licence,
            "source": self.source,
            "blend_space": self.blend_space,
            "sh_degree": self.sh_degree,
            "units": list(self.units),
            "combinations": [{"units": list(names)} for names in self.combinations],
            "neck": {"pivot": list(self.neck_pivot)},
            "parts": list(self.parts),
            "camera": {"target": list(self.camera_target), "distance": self.camera_distance},
            "figures": dict(self.figures),
        }
        if self.eyes is not None:
            info["eyes"] = {
                side: {"centre": list(eye.centre), "yaw": eye.yaw, "pitch": eye.pitch}
                for side, eye in self.eyes.items()
            }
        if self.stretch != STRETCHES[0]:
            info["stretch"] = self.stretch
        if self.dilation != DILATION:
            info["dilation"] = self.dilation
        if self.appearance:
            info["appearance"] = [{"units": list(names)} for names in self.appearance]
        return info


def load(path: str | os.PathLike[str]) -> Head:
    """Read and check a head file.

    Raises:
        MienError: The file is missing, damaged, not a head file, of a newer major version, or breaks a rule.
    """
    path = Path(path)
    where = f"Head file {path}"
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, where)
            info = _json_object(_read(archive, members["head.json"], where), where, "head.json")
            _check_version(info, where)
            arrays = _read_arrays(archive, members["arrays.safetensors"], where)
            picture = members.get("thumbnail.png")
            thumbnail = _read(archive, picture, where) if picture else None
    except FileNotFoundError:
        raise MienError(f"{where} does not exist; check the path or choose another head.") from None
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, struct.error) as error:
        raise MienError(f"{where} is damaged or not a head file ({error}); get a fresh copy of it.") from None
    except OSError as error:
        reason = error.strerror or error
        raise MienError(f"{where} can't be read ({reason}); check that it is a readable file.") from None
    return make_head(info, arrays, thumbnail, where)


def save(head: Head, path: str | os.PathLike[str]) -> None:
    """Check the head again and write it, whole or not at all. Equal heads give equal bytes.

    Raises:
        MienError: The head breaks a rule, or the file can't be written.
    """
    from safetensors.numpy import save as pack

    path = Path(path)
    info = head.info()
    make_head(info, head.arrays, head.thumbnail, f"Head {head.name!r}")
    members = {
        "head.json": json.dumps(info, indent=1, ensure_ascii=False, allow_nan=False).encode(),
        "arrays.safetensors": pack({name: np.ascontiguousarray(array) for name, array in head.arrays.items()}),
    }
    if head.thumbnail:
        members["thumbnail.png"] = head.thumbnail
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as stream:
            temporary = Path(stream.name)
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in members.items():
                    entry = zipfile.ZipInfo(name)  # its fixed date of 1980 keeps equal heads equal in bytes
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    entry.external_attr = 0o644 << 16
                    archive.writestr(entry, data)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        reason = error.strerror or error
        raise MienError(f"Head file {path} can't be written ({reason}); choose another folder.") from None


def make_head(
    info: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    thumbnail: bytes | None = None,
    where: str = "The new head",
) -> Head:
    """A checked `Head` from what `head.json` holds and the arrays under their names; `where` begins error sentences.

    Raises:
        MienError: A rule of docs/head-file.md is broken; the sentence names the key or the array.
    """
    newer = _check_version(info, where)
    fields = _Fields(info, where, newer)
    head = fields.read()
    for name, array in arrays.items():
        if name in _ARRAYS and not isinstance(array, np.ndarray):
            _refuse(where, f"array {name!r} is not an array")
    described = {
        name: (_dtype_name(array.dtype), array.shape) for name, array in arrays.items() if isinstance(array, np.ndarray)
    }
    _check_shapes(described, where, newer)
    _check_against_info(described, head, where)
    kept: dict[str, np.ndarray] = {}
    for name in _ARRAYS:
        if name in arrays:
            view = arrays[name].view()
            view.setflags(write=False)
            kept[name] = view
    _check_values(kept, len(head["parts"]), where)
    if head["appearance"]:
        _check_appearance(kept, where)
    _check_thumbnail(thumbnail, where)
    return Head(**head, arrays=kept, thumbnail=thumbnail or None)


def select(head: Head, rows: np.ndarray) -> Head:
    """The head with only these Gaussians, in this order; a row may repeat. Its dynamic appearance goes with them.

    Args:
        rows: [n] integers, 0 … N−1, at least one.
    """
    rows = np.asarray(rows, dtype=np.int64)
    arrays = {name: array[rows] if name.startswith("gaussians.") else array for name, array in head.arrays.items()}
    if head.appearance:
        order = np.argsort(rows, kind="stable")
        gaussian = head["appearance.gaussian"]
        first = np.searchsorted(rows[order], gaussian, side="left")
        times = np.searchsorted(rows[order], gaussian, side="right") - first
        change = np.repeat(np.arange(len(gaussian)), times)  # the old change of each new one
        nth = np.arange(len(change)) - np.repeat(np.cumsum(times) - times, times)
        driver = np.repeat(np.arange(len(head.appearance)), np.diff(head["appearance.start"]))[change]
        gaussian = order[np.repeat(first, times) + nth]
        rising = np.lexsort((gaussian, driver))
        for name in arrays:
            if name.startswith("appearance."):
                arrays[name] = arrays[name][change[rising]] if name != "appearance.start" else arrays[name]
        arrays["appearance.gaussian"] = gaussian[rising].astype(np.int32)
        arrays["appearance.start"] = np.searchsorted(driver[rising], np.arange(len(head.appearance) + 1)).astype(
            np.int32
        )
    return dataclasses.replace(head, arrays=arrays)


def _refuse(where: str, what: str, remedy: str = "export the head again or get a fresh copy") -> NoReturn:
    raise MienError(f"{where}: {what}; {remedy}.")


# The archive ----------------------------------------------------------------------------------------------------------


def _members(archive: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    entries = archive.infolist()
    if len(entries) > 64:
        _refuse(where, f"the archive holds {len(entries)} members, a head file at most three")
    for entry in entries:
        limit = _MEMBERS.get(entry.filename)
        if limit is None:
            _refuse(where, f"member {entry.filename[:80]!r} does not belong in a head file")
        if entry.filename in members:
            _refuse(where, f"member {entry.filename!r} is there twice")
        if entry.flag_bits & 1:
            _refuse(where, f"member {entry.filename!r} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _refuse(where, f"member {entry.filename!r} is packed by a method that head files do not use")
        if entry.file_size > limit:
            _refuse(where, f"member {entry.filename!r} unpacks to {entry.file_size:,} bytes, the limit is {limit:,}")
        members[entry.filename] = entry
    for name in ("head.json", "arrays.safetensors"):
        if name not in members:
            _refuse(where, f"member {name!r} is missing")
    return members


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> bytes:
    """One member, whole. zipfile stops at the declared size, which was checked, and compares the check sum."""
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size)
        if len(data) != entry.file_size or stream.read(1):
            _refuse(where, f"member {entry.filename!r} has another size than the archive says")
    return data


def _json_object(data: bytes, where: str, member: str) -> dict[str, Any]:
    try:
        value = parse_json(data.decode("utf-8"), f"{where}: {member}")
    except UnicodeDecodeError as error:
        _refuse(where, f"{member} is not UTF-8 text (byte {error.start})")
    if not isinstance(value, dict):
        _refuse(where, f"{member} does not hold an object")
    return value


def _read_arrays(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> dict[str, np.ndarray]:
    """The arrays of a safetensors member. The header is checked before anything behind it is unpacked."""
    with archive.open(entry) as stream:
        start = stream.read(8)
        if len(start) != 8:
            _refuse(where, "arrays.safetensors is cut short")
        (length,) = struct.unpack("<Q", start)
        if length > min(_HEADER_LIMIT, entry.file_size - 8):
            _refuse(where, f"arrays.safetensors has a header of {length:,} bytes, which is too long")
        header = _json_object(stream.read(length), where, "the header of arrays.safetensors")
        header.pop("__metadata__", None)
        size = entry.file_size - 8 - length
        layout = _layout(header, size, where)
        _check_shapes({name: (kind, shape) for name, (kind, shape, _) in layout.items()}, where, newer=True)
        data = stream.read(size)
        if len(data) != size or stream.read(1):
            _refuse(where, "arrays.safetensors has another size than the archive says")
    arrays = {}
    for name, (kind, shape, begin) in layout.items():
        if kind in _DTYPES:  # others belong to a newer minor version and are not used
            dtype = np.dtype(_DTYPES[kind]).newbyteorder("<")
            array = np.frombuffer(data, dtype, math.prod(shape), begin).reshape(shape)
            arrays[name] = np.require(array.astype(_DTYPES[kind], copy=False), requirements=["C", "A"])
    return arrays


def _layout(header: Mapping[str, Any], size: int, where: str) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """name → (dtype, shape, first byte), after checking that the arrays fill the data without gap or overlap."""
    layout: dict[str, tuple[str, tuple[int, ...], int]] = {}
    spans = []
    for name, entry in header.items():
        try:
            kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        except (TypeError, KeyError, ValueError):
            _refuse(where, f"array {name[:80]!r} has a damaged header")
        whole = all(type(number) is int and 0 <= number <= _ARRAYS_LIMIT for number in (*shape, begin, end))
        if not whole or not isinstance(kind, str) or len(shape) > 8:
            _refuse(where, f"array {name[:80]!r} has a damaged header")
        if kind in _DTYPES and end - begin != math.prod(shape) * np.dtype(_DTYPES[kind]).itemsize:
            _refuse(where, f"array {name[:80]!r} says {list(shape)} {kind} but holds {end - begin:,} bytes")
        layout[name] = kind, shape, begin
        spans.append((begin, end))
    position = 0
    for begin, end in sorted(spans):
        if begin != position or end < begin:
            _refuse(where, "the arrays of arrays.safetensors overlap or leave gaps")
        position = end
    if position != size:
        _refuse(where, f"arrays.safetensors holds {size:,} bytes of data where its header says {position:,}")
    return layout


# head.json ------------------------------------------------------------------------------------------------------------


def _check_version(info: Mapping[str, Any], where: str) -> bool:
    """Whether the file's minor version is newer than this code, so that unknown keys and arrays are passed over."""
    if info.get("format") != FORMAT:
        found = str(info.get("format"))[:80]
        _refuse(where, f"head.json says format {found!r}, not {FORMAT!r}", "choose a .mien head file")
    version = info.get("version")
    if not isinstance(version, list) or [type(part) for part in version] != [int, int] or min(version) < 0:
        _refuse(where, "key 'version' of head.json is not [major, minor]")
    if version[0] != VERSION[0]:
        remedy = "update Mien" if version[0] > VERSION[0] else "export the head again with this version of Mien"
        _refuse(where, f"it has format version {version[0]}, this Mien reads version {VERSION[0]}", remedy)
    return version[1] > VERSION[1]


class _Fields:
    """Checked reading of head.json's values."""

    def __init__(self, info: Mapping[str, Any], where: str, newer: bool) -> None:
        self.info, self.where = info, where
        missing = [key for key in _KEYS if key not in info and key not in _OPTIONAL_KEYS]
        if missing:
            self.refuse(missing[0], "is missing")
        unknown = [key for key in info if key not in _KEYS]
        if unknown and not newer:
            self.refuse(str(unknown[0])[:80], "is unknown")
        for key, minor in _SINCE.items():
            if key in info and info["version"][1] < minor:
                self.refuse(key, f"belongs to version 1.{minor}, and the file says 1.{info['version'][1]}")

    def refuse(self, key: str, what: str) -> NoReturn:
        _refuse(self.where, f"key {key!r} of head.json {what}")

    def read(self) -> dict[str, Any]:
        camera = self.object("camera", self.info["camera"], ("target", "distance"))
        neck = self.object("neck", self.info["neck"], ("pivot",))
        degree = self.info["sh_degree"]
        if type(degree) is not int or not 0 <= degree <= MAX_SH_DEGREE:
            self.refuse("sh_degree", f"must be 0 to {MAX_SH_DEGREE}")
        if self.info["blend_space"] not in BLEND_SPACES:
            self.refuse("blend_space", "must be 'srgb' or 'linear'")
        figures = self.info.get("figures", {})
        if not isinstance(figures, dict):
            self.refuse("figures", "must be an object")
        stretch = self.info.get("stretch", STRETCHES[0])
        if stretch not in STRETCHES:
            self.refuse("stretch", "must be 'area' or 'affine'")
        units = self.names("units", self.info["units"], UNITS, 0, len(UNITS))
        parts = self.names("parts", self.info["parts"], PARTS, 1, len(PARTS))
        for key, names in (("units", units), ("parts", parts)):
            if len(set(names)) != len(names):
                self.refuse(key, "names one twice")
        return {
            **{key: self.text(key) for key in ("name", "author", "licence", "source")},
            "blend_space": self.info["blend_space"],
            "sh_degree": degree,
            "units": units,
            "combinations": self.products("combinations", self.info["combinations"], units, 2, MAX_COMBINATIONS),
            "stretch": stretch,
            "dilation": self.number("dilation", self.info.get("dilation", DILATION), *DILATIONS),
            "appearance": self.products("appearance", self.info.get("appearance", []), units, 1, MAX_DRIVERS),
            "eyes": self.eyes(),
            "neck_pivot": self.point("neck.pivot", neck["pivot"]),
            "parts": parts,
            "camera_target": self.point("camera.target", camera["target"]),
            "camera_distance": self.number("camera.distance", camera["distance"], 0.01, 100.0),
            "figures": figures,
        }

    def text(self, key: str) -> str:
        value = self.info[key]
        limit = 200 if key == "name" else 4000
        if not isinstance(value, str) or len(value) > limit or (key == "name" and not value.strip()):
            self.refuse(key, f"must be text of at most {limit} characters")
        return value

    def object(self, key: str, value: Any, keys: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict) or any(name not in value for name in keys):
            self.refuse(key, f"must be an object with {' and '.join(keys)}")
        return value

    def number(self, key: str, value: Any, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self.refuse(key, f"must be a number from {low} to {high}")
        return float(value)

    def point(self, key: str, value: Any) -> tuple[float, float, float]:
        if not isinstance(value, list) or len(value) != 3:
            self.refuse(key, "must be [x, y, z] in metres")
        x, y, z = (self.number(key, number, -REACH, REACH) for number in value)
        return x, y, z

    def names(self, key: str, value: Any, allowed: tuple[str, ...], low: int, high: int) -> tuple[str, ...]:
        if not isinstance(value, list) or not low <= len(value) <= high:
            self.refuse(key, f"must be a list of {low} to {high} names")
        for name in value:
            if not isinstance(name, str) or name not in allowed:
                self.refuse(key, f"holds {str(name)[:80]!r}, which does not belong there")
        return tuple(value)

    def products(
        self, key: str, value: Any, units: tuple[str, ...], least: int, limit: int
    ) -> tuple[tuple[str, ...], ...]:
        """A list of products of `least` to 4 units."""
        if not isinstance(value, list) or len(value) > limit:
            self.refuse(key, f"must be a list of at most {limit}")
        return tuple(self.names(key, self.object(key, entry, ("units",))["units"], units, least, 4) for entry in value)

    def eyes(self) -> dict[str, Eye] | None:
        value = self.info.get("eyes")
        if value is None:
            return None
        sides = self.object("eyes", value, ("left", "right"))
        eyes = {}
        for side in ("left", "right"):
            entry = self.object(f"eyes.{side}", sides[side], ("centre", "yaw", "pitch"))
            turns = (self.number(f"eyes.{side}.{key}", entry[key], 0.0, math.pi / 2) for key in ("yaw", "pitch"))
            eyes[side] = Eye(self.point(f"eyes.{side}.centre", entry["centre"]), *turns)
        return eyes


# The arrays -----------------------------------------------------------------------------------------------------------


def _dtype_name(dtype: np.dtype) -> str:
    return next((name for name, kind in _DTYPES.items() if dtype == kind), str(dtype))


def _check_shapes(described: Mapping[str, tuple[str, tuple[int, ...]]], where: str, newer: bool) -> None:
    """dtypes and shapes, and that the shapes agree with each other: all that can be said without the data."""
    unknown = [name for name in described if name not in _ARRAYS]
    if unknown and not newer:
        _refuse(where, f"array {unknown[0][:80]!r} does not belong in a head file")
    limits = {"V": MAX_VERTICES, "T": MAX_TRIANGLES, "N": MAX_GAUSSIANS, "P": MAX_COMBINATIONS, "U": len(UNITS)}
    limits |= {"K": MAX_VERTICES, "S": (MAX_SH_DEGREE + 1) ** 2, "D + 1": MAX_DRIVERS + 1, "M": MAX_APPEARANCE}
    sizes: dict[str, int] = {}
    for name, (kinds, letters) in _ARRAYS.items():
        if name not in described:
            if name in _OPTIONAL_ARRAYS:
                continue
            _refuse(where, f"array {name!r} is missing")
        kind, shape = described[name]
        if kind not in kinds:
            _refuse(where, f"array {name!r} is {kind[:20]}, it must be {' or '.join(kinds)}")
        wanted = "[" + ", ".join(map(str, letters)) + "]"
        if len(shape) != len(letters):
            _refuse(where, f"array {name!r} has shape {list(shape)}, it must be {wanted}")
        for letter, size in zip(letters, shape, strict=True):
            expected = letter if isinstance(letter, int) else sizes.setdefault(letter, size)
            if size != expected:
                _refuse(where, f"array {name!r} has shape {list(shape)}, not {wanted} with {letter} = {expected}")
            if isinstance(letter, str) and size > limits[letter]:
                _refuse(where, f"array {name!r} has {size:,} rows, the limit is {limits[letter]:,}")
    for letter, name in (("V", "mesh.vertices"), ("T", "mesh.triangles"), ("N", "gaussians.triangle")):
        if sizes[letter] == 0:
            _refuse(where, f"array {name!r} is empty")


def _check_against_info(
    described: Mapping[str, tuple[str, tuple[int, ...]]], head: Mapping[str, Any], where: str
) -> None:
    counts = {
        "units.deltas": (0, len(head["units"]), "units"),
        "gaussians.sh": (1, (head["sh_degree"] + 1) ** 2, "sh_degree"),
        "combinations.deltas": (0, len(head["combinations"]), "combinations"),
    }
    drivers = len(head["appearance"])
    if drivers:
        counts["appearance.start"] = (0, drivers + 1, "appearance")
        if "appearance.gaussian" not in described:
            _refuse(where, "array 'appearance.gaussian' is missing")
    for name, (axis, expected, key) in counts.items():
        found = described[name][1][axis] if name in described else 0
        if found != expected:
            _refuse(where, f"array {name!r} has {found} rows where {key!r} of head.json asks for {expected}")
    for name in described:
        if name.startswith("appearance.") and name in _ARRAYS and not drivers:
            _refuse(where, f"array {name!r} is there, but head.json has no 'appearance'")


def _check_values(arrays: Mapping[str, np.ndarray], part_count: int, where: str) -> None:
    vertex_count, triangle_count = len(arrays["mesh.vertices"]), len(arrays["mesh.triangles"])
    ranges = _RANGES | {
        "mesh.triangles": (0, vertex_count - 1),
        "mesh.part": (0, part_count - 1),
        "units.vertex_ids": (0, vertex_count - 1),
        "gaussians.triangle": (0, triangle_count - 1),
        "gaussians.rotation": (-1.01, 1.01),
        "appearance.gaussian": (0, len(arrays["gaussians.triangle"]) - 1),
    }
    for name, (low, high) in ranges.items():
        if name not in arrays or not arrays[name].size:
            continue
        # A NaN makes both comparisons false, so one test covers range and finiteness.
        if not (arrays[name].min() >= low and arrays[name].max() <= high):
            _refuse(where, f"array {name!r} holds values that are not finite or outside {low} to {high}")
    if not np.all(np.diff(arrays["units.vertex_ids"]) > 0):
        _refuse(where, "array 'units.vertex_ids' does not rise strictly")
    length = np.sqrt(np.einsum("ni,ni->n", *(arrays["gaussians.rotation"].astype(np.float32),) * 2))
    if np.abs(length - 1.0).max() > 1e-2:
        _refuse(where, "array 'gaussians.rotation' holds quaternions that are not of unit length")
    used = np.unique(arrays["gaussians.triangle"])
    corners = arrays["mesh.vertices"][arrays["mesh.triangles"][used]].astype(np.float64)
    double_area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1)
    if double_area.min() < 2 * MIN_AREA:
        flat = int(used[double_area.argmin()])
        _refuse(where, f"array 'gaussians.triangle' binds to triangle {flat}, which has no area in neutral")


def _check_appearance(arrays: Mapping[str, np.ndarray], where: str) -> None:
    start, gaussian = arrays["appearance.start"].astype(np.int64), arrays["appearance.gaussian"].astype(np.int64)
    if start[0] != 0 or start[-1] != len(gaussian) or np.any(np.diff(start) < 0):
        _refuse(where, f"array 'appearance.start' does not rise from 0 to the {len(gaussian):,} rows that there are")
    rising = np.diff(gaussian) > 0
    begins = start[1:-1]
    rising[begins[(begins > 0) & (begins < len(gaussian))] - 1] = True  # from one driver's rows to the next one's
    if not rising.all():
        _refuse(where, "array 'appearance.gaussian' does not rise strictly within each driver")


def _check_thumbnail(thumbnail: bytes | None, where: str) -> None:
    if thumbnail is None:
        return
    if len(thumbnail) > _THUMBNAIL_LIMIT or not thumbnail.startswith(_PNG_SIGNATURE):
        _refuse(where, "thumbnail.png is not a PNG of at most 1 MiB", "leave it out or save it as PNG")
