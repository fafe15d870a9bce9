"""The dataset: pictures of a head from known cameras in known poses, and its mesh; docs/dataset.md specifies it.

Whoever photographs a head writes one (engine/new_head.py, addon/bake); the fit needs nothing else. Nothing in it is
trusted: names, sizes and numbers are checked before a picture is unpacked, and all that is wrong is one sentence.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import numpy as np

from ..contract.channels import UNIT_LIMIT, UNITS
from ..contract.errors import MienError
from ..contract.files import read_json, write_text
from ..heads import format as head_format
from ..heads.format import Head

FORMAT = "mien-dataset"
VERSION = 1
STRANDS = ("hair", "brows", "lashes")
HINTS = ("lips", "inner_mouth", "ears", "scalp")
MAX_VIEWS = 4096
MAX_POSES = 1024
MAX_SIDE = 8192
MAX_PIXELS = 1 << 30
"""Of all pictures together; 4 bytes each stay in memory."""
MAX_STRANDS, MAX_STRAND_POINTS = 400_000, 64

_JSON_LIMIT = 64 << 20
_RIG_LIMIT = 2 << 30
_MESH_KEYS = ("units", "combinations", "eyes", "neck", "parts", "camera")
_KEYS = ("format", "version", "name", "author", "licence", "source", "poses", "views", *_MESH_KEYS)
_VIEW_KEYS = ("image", "pose", "held_out", "width", "height", "K", "world_to_camera")
_RIG_ARRAY = re.compile(r"mesh\.|units\.|combinations\.")
_AGAIN = "write the dataset again"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One picture: its file below the dataset's folder, its pose, and the pinhole camera that took it.

    K [3,3] in pixels (pixel centres at halves), world_to_camera [3,4]: OpenCV (x right, y down, z forward), metres.
    """

    image: str
    pose: str
    held_out: bool
    width: int
    height: int
    K: np.ndarray
    world_to_camera: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Strands:
    """n strands of k points [n,k,3] (metres, neutral), each carried by `triangle` [n]; `radius` at the root, metres."""

    points: np.ndarray
    triangle: np.ndarray
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A checked dataset.

    Attributes:
        rig: The mesh, its units and all that a head file says of them; its one Gaussian means nothing.
        poses: Name → values of units.
        views: All of them, also those whose picture does not exist yet.
        hints: Name → [V], 0–1: where the lips, the mouth's inside, the ears and the scalp are.
    """

    folder: Path
    rig: Head
    poses: Mapping[str, Mapping[str, float]]
    views: tuple[View, ...]
    strands: Mapping[str, Strands] = field(default_factory=dict)
    hints: Mapping[str, np.ndarray] = field(default_factory=dict)

    def taken(self) -> list[View]:
        """The views whose picture exists."""
        return [view for view in self.views if (self.folder / view.image).is_file()]


def load(folder: str | os.PathLike[str]) -> Dataset:
    """Read and check a dataset; pictures are only looked at by `picture`.

    Raises:
        MienError: Something is missing, damaged, too large or breaks a rule.
    """
    from safetensors import SafetensorError, safe_open

    folder = Path(folder)
    if not (folder / "dataset.json").is_file():
        raise MienError(f"There is no dataset.json in {folder}; give the folder that a capture was written into.")
    info = read_json(folder / "dataset.json", _JSON_LIMIT)
    path = folder / "rig.safetensors"
    try:
        if path.stat().st_size > _RIG_LIMIT:
            raise MienError(f"{path} is larger than {_RIG_LIMIT >> 30} GiB; {_AGAIN} with a lighter mesh.")
        with safe_open(path, framework="numpy") as stored:
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except OSError as error:
        raise MienError(f"{path} can't be read ({error.strerror or error}); {_AGAIN}.") from None
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        raise MienError(f"{path} is damaged or no safetensors file ({error}); {_AGAIN}.") from None
    return make(folder, info, arrays)


def save(folder: str | os.PathLike[str], info: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Dataset:
    """Check and write `dataset.json` and `rig.safetensors`; pictures go to where the views say, at any time later.

    Args:
        info: dataset.json's content; `format` and `version` are filled in.
        arrays: rig.safetensors' content.

    Raises:
        MienError: A rule is broken, or the folder can't be written.
    """
    from safetensors.numpy import save as pack

    folder = Path(folder)
    info = {"format": FORMAT, "version": VERSION, **info}
    dataset = make(folder, info, arrays)
    packed = pack({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        write_whole(folder / "rig.safetensors", packed)
    except OSError as error:
        raise MienError(f"{folder} can't be written ({error.strerror or error}); choose another folder.") from None
    write_text(folder / "dataset.json", json.dumps(info, indent=1, ensure_ascii=False, allow_nan=False))
    return dataset


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False) as stream:
        stream.write(data)
    os.chmod(stream.name, 0o644)
    os.replace(stream.name, path)


def make(folder: str | os.PathLike[str], info: Any, arrays: Mapping[str, np.ndarray]) -> Dataset:
    """A checked dataset from dataset.json's content and the rig's arrays.

    Raises:
        MienError: A rule of docs/dataset.md is broken; the sentence names the key, the view or the array.
    """
    where = f"Dataset {folder}"
    if not isinstance(info, Mapping) or info.get("format") != FORMAT:
        _refuse(where, f"dataset.json does not say format {FORMAT!r}", "give the folder of a capture made with Mien")
    if info.get("version") != VERSION:
        _refuse(where, f"it has version {str(info.get('version'))[:20]}, this Mien reads {VERSION}", "update Mien")
    for key in _KEYS:
        if key not in info and key != "eyes":
            _refuse(where, f"key {key!r} is missing", f"{_AGAIN} with it")
    rig = _rig(info, arrays, where)
    poses = _poses(info["poses"], rig, where)
    views = _views(info["views"], poses, rig, where)
    return Dataset(Path(folder), rig, poses, views, _strands(arrays, rig, where), _hints(arrays, rig, where))


def picture(folder: Path, view: View) -> np.ndarray:
    """A view's picture [H,W,4] uint8: straight alpha, sRGB. 16-bit files lose their lower bits.

    Raises:
        MienError: It is no PNG with alpha of the view's size, or shows nothing.
    """
    from PIL import Image, UnidentifiedImageError

    path = folder / view.image
    again = "delete it and take it again"
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.size != (view.width, view.height):
                size = f"{image.size[0]} × {image.size[1]}"
                raise MienError(f"{path} is {size} pixels, dataset.json says {view.width} × {view.height}; {again}.")
            if "A" not in image.mode and "transparency" not in image.info:
                raise MienError(f"{path} has no alpha channel; render with a transparent background and take it again.")
            pixels = np.asarray(image.convert("RGBA"))
    except UnidentifiedImageError:
        raise MienError(f"{path} is no PNG picture; {again}.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MienError(f"{path} is damaged ({error}); {again}.") from None
    if np.count_nonzero(pixels[..., 3] > 127) < 16:
        raise MienError(f"{path} is empty: its alpha is 0 everywhere; make the head visible and take it again.")
    return pixels


def held_out(views: Sequence[View]) -> list[bool]:
    """Which of the views are kept from the fit: the marked ones, or where none is marked one in eight of each pose.

    Every pose keeps two views at least to be learnt from, so that poses with fewer than three are not measured.

    Raises:
        MienError: There are too few views to keep one out.
    """
    marked = [view.held_out for view in views]
    if not any(marked):
        seen: dict[str, list[int]] = {}
        for index, view in enumerate(views):
            seen.setdefault(view.pose, []).append(index)
        for indices in seen.values():
            # From the third on, so that the first views of a pose, usually the most telling, stay.
            for index in indices[2::8]:
                marked[index] = True
    if all(marked) or not any(marked):
        raise MienError(
            f"The dataset has {len(views)} pictures, too few to fit some and measure on others; take at least three of "
            "one pose."
        )
    return marked


def _refuse(where: str, what: str, remedy: str = _AGAIN) -> NoReturn:
    raise MienError(f"{where}: {what}; {remedy}.")


def _rig(info: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> Head:
    """The mesh as a head file has it, checked by the head file's own rules."""
    for name, array in arrays.items():
        if not (_RIG_ARRAY.match(name) or name.startswith(("strands.", "hint."))):
            _refuse(where, f"array {name[:80]!r} does not belong in rig.safetensors", f"{_AGAIN} without it")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            _refuse(where, f"array {name!r} holds values that are not finite")
    if not info["units"]:
        _refuse(
            where,
            "the mesh has no face units",
            "give the character shape keys with ARKit or FACS names and capture it again",
        )
    mesh = {name: array for name, array in arrays.items() if _RIG_ARRAY.match(name)}
    triangles, vertices = mesh.get("mesh.triangles"), mesh.get("mesh.vertices")
    host = 0
    if triangles is not None and vertices is not None and triangles.ndim == 2 and vertices.ndim == 2:
        host = _largest(vertices, triangles, where)
    one = {
        "gaussians.triangle": np.array([host], np.int32),
        "gaussians.position": np.zeros((1, 3), np.float32),
        "gaussians.rotation": np.array([[1, 0, 0, 0]], np.float32),
        "gaussians.log_scale": np.full((1, 3), -8, np.float32),
        "gaussians.opacity_logit": np.zeros(1, np.float32),
        "gaussians.sh": np.zeros((1, 1, 3), np.float32),
        "gaussians.zone": np.zeros(1, np.uint8),
    }
    described = {key: info[key] for key in ("name", "author", "licence", "source", *_MESH_KEYS) if key in info}
    described |= {"format": head_format.FORMAT, "version": list(head_format.VERSION), "blend_space": "srgb"}
    try:
        return head_format.make_head({**described, "sh_degree": 0}, {**mesh, **one}, None, where)
    except MienError as error:
        # The rules are the head file's, the file is not.
        sentence = str(error).replace("head.json", "dataset.json")
        raise MienError(sentence.replace("export the head again or get a fresh copy", _AGAIN)) from None


def _largest(vertices: np.ndarray, triangles: np.ndarray, where: str) -> int:
    """The triangle with the largest area."""
    if not len(triangles) or triangles.min() < 0 or triangles.max() >= len(vertices) or triangles.dtype.kind != "i":
        _refuse(where, "array 'mesh.triangles' does not point into 'mesh.vertices'")
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return int(np.linalg.norm(np.cross(b - a, c - a), axis=1).argmax())


def _poses(value: Any, rig: Head, where: str) -> dict[str, dict[str, float]]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_POSES:
        _refuse(where, f"'poses' must be an object of 1 to {MAX_POSES} poses")
    poses = {}
    for name, units in value.items():
        if not isinstance(units, dict):
            _refuse(where, f"pose {name[:80]!r} is not an object of unit values")
        for unit, amount in units.items():
            if unit not in UNITS:
                _refuse(where, f"pose {name[:80]!r} uses {unit[:80]!r}, which is no face unit", "use ARKit's names")
            if unit not in rig.units:
                _refuse(where, f"pose {name[:80]!r} uses {unit!r}, which the mesh does not have", "leave it out")
            if not _is_number(amount) or not 0 <= amount <= UNIT_LIMIT:
                _refuse(where, f"{unit} of pose {name[:80]!r} must be a number from 0 to {UNIT_LIMIT}")
        poses[name] = {unit: float(amount) for unit, amount in units.items()}
    return poses


def _views(value: Any, poses: Mapping[str, Any], rig: Head, where: str) -> tuple[View, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_VIEWS:
        _refuse(where, f"'views' must be a list of 1 to {MAX_VIEWS} views")
    views = tuple(_view(entry, index, poses, rig, where) for index, entry in enumerate(value))
    if len({view.image for view in views}) != len(views):
        _refuse(where, "two views have the same picture", "give every view a picture of its own")
    if sum(view.width * view.height for view in views) > MAX_PIXELS:
        _refuse(where, f"its pictures have more than {MAX_PIXELS:,} pixels", "take fewer or smaller ones")
    return views


def _view(entry: Any, index: int, poses: Mapping[str, Any], rig: Head, where: str) -> View:
    where = f"{where}, view {index}"
    if not isinstance(entry, dict):
        _refuse(where, "it is not an object")
    for key in _VIEW_KEYS:
        if key not in entry and key != "held_out":
            _refuse(where, f"key {key!r} is missing")
    image, width, height = _path(entry["image"], where), entry["width"], entry["height"]
    where = f"{where} ({image})"
    if not isinstance(entry["pose"], str) or entry["pose"] not in poses:
        _refuse(where, f"its pose {str(entry['pose'])[:80]!r} is not among 'poses'")
    if not all(type(side) is int and 8 <= side <= MAX_SIDE for side in (width, height)):
        _refuse(where, f"'width' and 'height' must be whole numbers from 8 to {MAX_SIDE}")
    if type(entry.get("held_out", False)) is not bool:
        _refuse(where, "'held_out' must be true or false")
    K = _matrix(entry["K"], 3, 3, "K", where)
    if not (K[0, 0] > 0 and K[1, 1] > 0 and abs(K[0, 1]) < 1e-6 and abs(K[1, 0]) < 1e-6):
        _refuse(where, "'K' must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx and fy above 0")
    if np.abs(K[2] - [0, 0, 1]).max() > 1e-6 or np.abs(K).max() > 1e6:
        _refuse(where, "the last row of 'K' must be [0, 0, 1] and no number above a million")
    camera = _matrix(entry["world_to_camera"], 3, 4, "world_to_camera", where)
    turn = camera[:, :3]
    if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-3 or np.linalg.det(turn) < 0:
        _refuse(where, "'world_to_camera' is not a rotation and a shift (it scales, shears or mirrors)")
    ahead = (rig["mesh.vertices"][::7].astype(np.float64) @ turn.T + camera[:, 3])[:, 2]
    if not np.any(ahead > 0.01):
        _refuse(
            where,
            "the whole mesh lies behind its camera",
            "give world_to_camera in OpenCV's axes (z forward; Blender's cameras look along −z)",
        )
    return View(image, entry["pose"], entry.get("held_out", False), width, height, K, camera)


def _path(value: Any, where: str) -> str:
    """A picture's path, which stays below the dataset's folder."""
    if not isinstance(value, str) or not 0 < len(value) <= 400 or "\\" in value or "\0" in value or ":" in value:
        _refuse(where, "'image' must be a path below the dataset's folder, such as images/front.png")
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or path.suffix.lower() != ".png":
        _refuse(where, f"picture {value[:80]!r} is not a PNG file below the dataset's folder", "use images/NAME.png")
    return value


def _matrix(value: Any, rows: int, columns: int, key: str, where: str) -> np.ndarray:
    shaped = isinstance(value, list) and len(value) == rows
    shaped = shaped and all(isinstance(row, list) and len(row) == columns for row in value)
    if not shaped or not all(_is_number(number) for row in value for number in row):
        _refuse(where, f"{key!r} must be {rows} rows of {columns} finite numbers")
    return np.array(value, np.float64)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12 and math.isfinite(value)
    )


def _strands(arrays: Mapping[str, np.ndarray], rig: Head, where: str) -> dict[str, Strands]:
    known = {f"strands.{name}.{kind}" for name in STRANDS for kind in ("points", "triangle", "radius")}
    unknown = [name for name in arrays if name.startswith("strands.") and name not in known]
    if unknown:
        _refuse(where, f"array {unknown[0][:80]!r} is unknown", f"name strands {', '.join(STRANDS)}")
    result = {}
    for name in STRANDS:
        points, triangle, radius = (arrays.get(f"strands.{name}.{kind}") for kind in ("points", "triangle", "radius"))
        if points is None and triangle is None:
            continue
        if points is None or triangle is None or radius is None:
            _refuse(where, f"strands {name!r} need points, triangle and radius", f"{_AGAIN} with all three")
        if points.ndim != 3 or points.shape[2] != 3 or not 2 <= points.shape[1] <= MAX_STRAND_POINTS:
            _refuse(where, f"array 'strands.{name}.points' must be [n, 2 to {MAX_STRAND_POINTS}, 3]")
        if len(points) > MAX_STRANDS or triangle.shape != (len(points),) or triangle.dtype.kind not in "iu":
            _refuse(where, f"strands {name!r} must have one triangle each and be at most {MAX_STRANDS:,}")
        if len(triangle) and (triangle.min() < 0 or triangle.max() >= len(rig["mesh.triangles"])):
            _refuse(where, f"array 'strands.{name}.triangle' names triangles that the mesh does not have")
        if points.dtype.kind != "f" or radius.size != 1 or not 0 < float(radius.ravel()[0]) < 0.01:
            _refuse(where, f"'strands.{name}.radius' must be one number between 0 and 0.01 metres")
        if len(points) and np.abs(points).max() > head_format.REACH:
            _refuse(where, f"array 'strands.{name}.points' reaches farther than {head_format.REACH:g} metres")
        if len(points):
            result[name] = Strands(points.astype(np.float64), triangle.astype(np.int64), float(radius.ravel()[0]))
    return result


def _hints(arrays: Mapping[str, np.ndarray], rig: Head, where: str) -> dict[str, np.ndarray]:
    result = {}
    for name, array in arrays.items():
        if not name.startswith("hint."):
            continue
        hint = name.removeprefix("hint.")
        if hint not in HINTS:
            _refuse(where, f"array {name[:80]!r} is unknown", f"name hints {', '.join(HINTS)}")
        if array.shape != (len(rig["mesh.vertices"]),) or array.dtype.kind != "f":
            _refuse(where, f"array {name!r} must hold one float for each vertex")
        if array.size and not (array.min() >= 0 and array.max() <= 1):
            _refuse(where, f"array {name!r} must lie between 0 and 1")
        result[hint] = array.astype(np.float64)
    return result
