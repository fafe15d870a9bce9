"""As much of binary glTF 2.0 as a rigged head needs: one mesh with morph targets, its joints and weights.

Specification: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html (chapters 3.6, 3.7 and 4.4).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...contract.errors import MienError
from ...contract.files import parse_json

MAX_VERTICES = 400_000
_JSON, _BINARY = 0x4E4F534A, 0x004E4942
_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True, slots=True, eq=False)
class Skinned:
    """A mesh in glTF's axes (x to the head's own left, y up, z where the face looks), metres.

    Attributes:
        vertices: [V, 3] float64. triangles: [T, 3] int64.
        morphs: {target name: [V, 3] float64}.
        weights: {joint name: [V] float64, how much it carries each vertex}.
        joints: {joint name: place in the bind pose [3]}.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    morphs: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]
    joints: Mapping[str, np.ndarray]


def read(data: bytes, where: str) -> Skinned:
    """The first mesh of a .glb that has morph targets.

    Raises:
        MienError: It is no whole glTF 2.0 binary, has no such mesh, or its accessors point outside.
    """
    try:
        content, binary = _chunks(data, where)
        return _Reader(content, binary, where).skinned()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error, OverflowError) as error:
        raise MienError(f"{where} is a damaged glTF file ({type(error).__name__}: {error}); export it again.") from None


def _chunks(data: bytes, where: str) -> tuple[Any, bytes]:
    if data[:4] != b"glTF" or len(data) < 20:
        raise MienError(f"{where} is not a binary glTF file; export it again as .glb.")
    _, version, length = struct.unpack_from("<4sII", data)
    if version != 2:
        raise MienError(f"{where} is glTF version {version}; export it as glTF 2.0.")
    if length > len(data):
        raise MienError(f"{where} is cut short: {len(data):,} of {length:,} bytes are there; get a fresh copy of it.")
    chunks: dict[int, bytes] = {}
    place = 12
    while place + 8 <= length:
        size, kind = struct.unpack_from("<II", data, place)
        if place + 8 + size > length:
            raise MienError(f"{where} is cut short in one of its chunks; get a fresh copy of it.")
        chunks.setdefault(kind, data[place + 8 : place + 8 + size])
        place += 8 + size
    if _JSON not in chunks or _BINARY not in chunks:
        raise MienError(f"{where} lacks its JSON or its binary part; export it again as .glb.")
    return parse_json(chunks[_JSON].decode("utf-8", "replace").rstrip("\0 "), where), chunks[_BINARY]


class _Reader:
    def __init__(self, content: Any, binary: bytes, where: str) -> None:
        self.content, self.binary, self.where = content, binary, where

    def skinned(self) -> Skinned:
        meshes = self.content.get("meshes", [])
        found = [
            (index, mesh) for index, mesh in enumerate(meshes) if any(p.get("targets") for p in mesh["primitives"])
        ]
        if not found:
            raise MienError(f"{self.where} has no mesh with morph targets; export it with its blend shapes.")
        index, mesh = found[0]
        primitive = next(p for p in mesh["primitives"] if p.get("targets"))
        if primitive.get("mode", 4) != 4:
            raise MienError(f"{self.where}: the face mesh is not made of triangles; export it triangulated.")
        vertices = self.accessor(primitive["attributes"]["POSITION"], 3).astype(np.float64)
        triangles = self.accessor(primitive["indices"], 1).astype(np.int64).reshape(-1, 3)
        if not len(triangles) or triangles.min() < 0 or triangles.max() >= len(vertices):
            raise MienError(f"{self.where}: its triangles name vertices that are not there; export it again.")
        return Skinned(
            vertices,
            triangles,
            self._morphs(mesh, primitive, len(vertices)),
            *self._skin(index, primitive["attributes"], len(vertices)),
        )

    def _morphs(self, mesh: Mapping[str, Any], primitive: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
        targets = primitive["targets"]
        names = mesh.get("extras", {}).get("targetNames", [])
        if len(names) != len(targets):
            raise MienError(f"{self.where}: its morph targets have no names; export it with shape key names.")
        morphs = {}
        for name, target in zip(names, targets, strict=True):
            if "POSITION" in target:
                morphs[str(name)] = self.accessor(target["POSITION"], 3).astype(np.float64)
                if len(morphs[str(name)]) != count:
                    raise MienError(
                        f"{self.where}: morph target {str(name)[:40]!r} has {len(morphs[str(name)]):,} vertices, "
                        f"the mesh {count:,}; export it again."
                    )
        return morphs

    def _skin(
        self, mesh: int, attributes: Mapping[str, int], count: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        node = next((node for node in self.content.get("nodes", []) if node.get("mesh") == mesh), {})
        if "skin" not in node or "JOINTS_0" not in attributes:
            return {}, {}
        skin = self.content["skins"][node["skin"]]
        names = [str(self.content["nodes"][joint].get("name", joint)) for joint in skin["joints"]]
        inverse = self.accessor(skin["inverseBindMatrices"], 16).reshape(-1, 4, 4).transpose(0, 2, 1)
        places = {name: np.linalg.pinv(m)[:3, 3] for name, m in zip(names, inverse.astype(np.float64), strict=True)}
        joints = self.accessor(attributes["JOINTS_0"], 4).astype(np.int64)
        weights = self.accessor(attributes["WEIGHTS_0"], 4).astype(np.float64)
        if len(joints) != count or len(weights) != count or joints.max() >= len(names):
            raise MienError(f"{self.where}: its joint weights do not fit its mesh; export it again.")
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total > 0, total, 1)
        carried = {}
        for joint in np.unique(joints[weights > 0]):
            carried[names[joint]] = np.where(joints == joint, weights, 0).sum(axis=1)
        return carried, places

    def accessor(self, index: int, width: int) -> np.ndarray:
        """[count, width], numbers as stored; sparse accessors filled in."""
        entry = self.content["accessors"][_whole(index)]
        count = _whole(entry["count"])
        if count > 3 * 2 * MAX_VERTICES:
            raise MienError(
                f"{self.where} is too large: an array of {count:,} rows; the limit is {6 * MAX_VERTICES:,}."
            )
        if _WIDTHS.get(entry["type"]) != width:
            raise MienError(
                f"{self.where}: an array is {entry['type']!r} where {width} columns belong; export it again."
            )
        dtype = np.dtype(_DTYPES[entry["componentType"]])
        if "bufferView" in entry:
            values = self._view(entry["bufferView"], _whole(entry.get("byteOffset", 0)), count, width, dtype)
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in entry:
            values = values.copy()
            self._fill(values, entry["sparse"])
        if not np.isfinite(values).all():
            raise MienError(f"{self.where} holds numbers that are not finite; export it again.")
        return values

    def _fill(self, values: np.ndarray, sparse: Mapping[str, Any]) -> None:
        count = _whole(sparse["count"])
        place, content = sparse["indices"], sparse["values"]
        kind = np.dtype(_DTYPES[place["componentType"]])
        ids = self._view(place["bufferView"], _whole(place.get("byteOffset", 0)), count, 1, kind)[:, 0].astype(np.int64)
        if count and (ids.min() < 0 or ids.max() >= len(values)):
            raise MienError(f"{self.where}: a sparse array names rows that are not there; export it again.")
        offset = _whole(content.get("byteOffset", 0))
        values[ids] = self._view(content["bufferView"], offset, count, values.shape[1], values.dtype)

    def _view(self, index: int, offset: int, count: int, width: int, dtype: np.dtype) -> np.ndarray:
        view = self.content["bufferViews"][_whole(index)]
        if view.get("buffer", 0) != 0:
            raise MienError(f"{self.where} keeps data outside of the file; export it again as one .glb.")
        begin, length = _whole(view.get("byteOffset", 0)), _whole(view["byteLength"])
        stride = _whole(view.get("byteStride", 0)) or width * dtype.itemsize
        end = offset + (count - 1) * stride + width * dtype.itemsize if count else offset
        if end > length or begin + length > len(self.binary):
            raise MienError(f"{self.where} is cut short: an array reaches beyond its data; get a fresh copy of it.")
        return np.ndarray((count, width), dtype, self.binary, begin + offset, (stride, dtype.itemsize))


def _whole(value: Any) -> int:
    """A number from the file that counts or indexes something."""
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise ValueError(f"{value!r} is no count")
    return value
