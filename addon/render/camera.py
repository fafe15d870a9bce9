"""The one place where Blender's cameras become the engine's: OpenCV axes (x right, y down, z forward), K in pixels.

A pixel's centre lies at (column + 0.5, row + 0.5), rows from the top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.contract.errors import MienError

#: Blender's camera looks along −z with y up, the engine's along +z with y down.
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
FAR_LENS = 200.0
"""Metres that an orthographic view is stepped back, to be seen through a lens as much longer: a point 0.15 m off the
middle plane is then 0.075 % off its place, a quarter of a pixel at the edge of a head 700 pixels wide."""
FAR_DEPTH = 0.5
"""Metres before and behind that plane for which `FAR_LENS` does; where heads stand deeper, the lens grows with that."""
_HEAD = 0.25
"""Metres that a head reaches from its origin, along a view, roughly."""


@dataclass(frozen=True)
class View:
    """A pinhole camera.

    Attributes:
        world_to_camera: [4, 4], rigid. K: [3, 3], pixels of the whole picture, which is `width` by `height`.
        near, far: Metres along the view.
        crop: (left, top, width, height) in pixels: the part that is drawn; None for all.
        aperture, focus: A thin lens's opening (diameter) and the distance at which it is sharp, metres; 0 without
            depth of field.
        step_back: Metres that the camera stands farther off than Blender's; depths are less by it.
    """

    world_to_camera: np.ndarray
    K: np.ndarray
    width: int
    height: int
    near: float
    far: float
    step_back: float = 0.0
    crop: tuple[int, int, int, int] | None = None
    aperture: float = 0.0
    focus: float = 0.0

    def message(self) -> dict[str, Any]:
        """As `frame/render` takes it."""
        entry = {
            "world_to_camera": [float(value) for value in self.world_to_camera.ravel()],
            "K": [float(value) for value in self.K.ravel()],
            "width": self.width,
            "height": self.height,
            "near": float(self.near),
            "far": float(self.far),
        }
        if self.crop is not None:
            entry["crop"] = list(self.crop)
        if self.aperture > 0 and self.focus > 0:
            entry |= {"aperture": self.aperture, "focus": self.focus}
        return entry

    def scaled(self, width: int, height: int) -> View:
        """The same view in another number of pixels."""
        K = self.K.copy()
        K[0] *= width / self.width
        K[1] *= height / self.height
        return replace(self, K=K, width=width, height=height)


def from_matrices(
    model: Matrix,
    projection: Matrix,
    width: int,
    height: int,
    near: float,
    far: float,
    matrices: Sequence[np.ndarray] = (),
) -> View:
    """A view from a camera's model matrix and Blender's (OpenGL's) projection matrix.

    Args:
        matrices: Where the heads stand, object → world [4, 4]: an orthographic view is exact in their midst.
    """
    rigid = np.array(model.normalized(), dtype=np.float64)
    P = np.array(projection, dtype=np.float64)
    step_back = 0.0
    K = np.eye(3)
    if P[3, 3] == 0.0:
        K[0, 0], K[1, 1] = P[0, 0] * width / 2, P[1, 1] * height / 2
        K[0, 2], K[1, 2] = (1 - P[0, 2]) * width / 2, (1 + P[1, 2]) * height / 2
    else:
        # Orthographic: stand far behind the middle of what is to be seen and look through a lens as long.
        middle, reach = _depths(rigid, matrices)
        lens = FAR_LENS * max(reach / FAR_DEPTH, 1.0)
        step_back = lens - middle
        K[0, 0], K[1, 1] = P[0, 0] * lens * width / 2, P[1, 1] * lens * height / 2
        K[0, 2], K[1, 2] = (1 + P[0, 3]) * width / 2, (1 - P[1, 3]) * height / 2
        near, far = max(near + step_back, 0.01), far + step_back
    world_to_camera = FLIP @ np.linalg.inv(rigid)
    world_to_camera[2, 3] += step_back
    return View(world_to_camera, K, width, height, near, far, step_back)


def _depths(rigid: np.ndarray, matrices: Sequence[np.ndarray]) -> tuple[float, float]:
    """(metres along a view to the middle of the heads, metres from there to the farthest bit of one)."""
    if not len(matrices):
        return 0.0, 0.0
    along = (FLIP @ np.linalg.inv(rigid))[2]
    depths = np.array([along @ matrix[:, 3] for matrix in matrices])
    sizes = np.array([np.linalg.norm(matrix[:3, :3], 2) for matrix in matrices]) * _HEAD
    nearest, farthest = (depths - sizes).min(), (depths + sizes).max()
    return float(nearest + farthest) / 2, float(farthest - nearest) / 2


def resolution(render: bpy.types.RenderSettings) -> tuple[int, int]:
    """Pixels of the whole picture, percentage applied, as Blender counts them."""
    return (
        max(render.resolution_x * render.resolution_percentage // 100, 1),
        max(render.resolution_y * render.resolution_percentage // 100, 1),
    )


def border(render: bpy.types.RenderSettings, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, width, height) in pixels of the part that is rendered."""
    # In single precision, as Blender multiplies them: a product may lie on the edge of a pixel.
    edges = np.float32([render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y])
    sizes = (width, width, height, height)
    left, right, bottom, top = (int(edge * np.float32(size)) for edge, size in zip(edges, sizes, strict=True))
    return left, height - top, max(right - left, 1), max(top - bottom, 1)


def leader(scene: bpy.types.Scene) -> bpy.types.Scene:
    """The scene whose camera, border and time count: the one that a scene of heads follows, else the scene itself."""
    return scene.mien.follows or scene


def of_view(scene: bpy.types.Scene, view_name: str) -> bpy.types.Object | None:
    """The camera that a scene is seen through in one of its views, as Blender chooses it: in Multi-View by suffix."""
    render, camera = scene.render, scene.camera
    view = render.views.get(view_name)
    if camera is None or view is None or not render.use_multiview or render.views_format != "MULTIVIEW":
        return camera
    suffixes = [other.camera_suffix for other in render.views if other.camera_suffix]
    mine = next((suffix for suffix in suffixes if camera.name.endswith(suffix)), None)
    if mine is None:
        return camera
    return scene.objects.get(camera.name.removesuffix(mine) + view.camera_suffix, camera)


def of_scene(
    scene: bpy.types.Scene,
    depsgraph: bpy.types.Depsgraph,
    size: tuple[int, int] | None = None,
    view_name: str = "",
    model_matrix: Callable[[bpy.types.Object], Matrix] | None = None,
    shift_x: Callable[[bpy.types.Object], float] | None = None,
    cropped: bool = False,
    matrices: Sequence[np.ndarray] = (),
) -> View:
    """What the scene's camera sees.

    Args:
        size: Pixels of the whole picture, in place of the scene's.
        view_name: Which of a stereo picture's views.
        model_matrix, shift_x: A render engine's, which know about stereo.
        cropped: Whether only the render border's part is drawn.
        matrices: Where the heads stand, object → world [4, 4].

    Raises:
        MienError: There is no camera, or it is panoramic, mirrored or sheared.
    """
    seen = leader(scene)
    render = seen.render
    camera = of_view(seen, view_name)
    if camera is None:
        raise MienError(f"The scene {seen.name!r} has no camera; add one and make it the scene's camera.")
    camera = camera.evaluated_get(depsgraph)
    if camera.type != "CAMERA":
        raise MienError(f"{camera.name!r} is the scene's camera but no camera object; choose a camera.")
    if camera.data.type not in ("PERSP", "ORTHO"):
        raise MienError(f"The camera {camera.name!r} is panoramic; Mien renders perspective and orthographic cameras.")
    width, height = size or resolution(scene.render)
    projection = camera.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    model = model_matrix(camera) if model_matrix else camera.matrix_world
    view = from_matrices(model, projection, width, height, camera.data.clip_start, camera.data.clip_end, matrices)
    if not _is_rigid(view.world_to_camera[:3, :3]):
        raise MienError(f"The camera {camera.name!r} is mirrored or sheared by its scale or a parent's; clear that.")
    if shift_x is not None:
        stereo = shift_x(camera) - camera.data.shift_x
        view.K[0, 2] -= stereo * _shift_unit(camera.data, width, height, render)
    if camera.data.type == "PERSP" and camera.data.dof.use_dof:
        view = replace(view, aperture=_aperture(camera.data), focus=_focus(camera, depsgraph))
    if cropped:
        view = replace(view, crop=border(scene.render if scene.render.use_border else render, width, height))
    return view


def _is_rigid(rotation: np.ndarray) -> bool:
    return bool(np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-3 and np.linalg.det(rotation) > 0)


def _aperture(data: bpy.types.Camera) -> float:
    """The opening's diameter as Cycles has it: the focal length, which is in millimetres, over the f-stop."""
    return 1e-3 * data.lens / max(data.dof.aperture_fstop, 1e-5)


def _focus(camera: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> float:
    """Metres along the view to what is in focus."""
    target = camera.data.dof.focus_object
    if target is None:
        return float(camera.data.dof.focus_distance)
    place = target.evaluated_get(depsgraph).matrix_world.translation
    along = camera.matrix_world.normalized().inverted() @ place
    return abs(float(along.z))


def _shift_unit(data: bpy.types.Camera, width: int, height: int, render: bpy.types.RenderSettings) -> float:
    """Pixels that a lens shift of 1 moves the picture."""
    aspect_x, aspect_y = render.pixel_aspect_x, render.pixel_aspect_y
    horizontal = data.sensor_fit == "HORIZONTAL" or (
        data.sensor_fit == "AUTO" and width * aspect_x >= height * aspect_y
    )
    return float(width) if horizontal else float(height) * aspect_y / aspect_x


def of_viewport(region: bpy.types.Region, view3d: bpy.types.RegionView3D, matrices: Sequence[np.ndarray] = ()) -> View:
    """What a 3D viewport shows, whatever it looks through; `matrices` as in `from_matrices`."""
    projection = view3d.window_matrix
    model = view3d.view_matrix.inverted()
    P = np.array(projection)
    if P[3, 3] == 0.0:
        near, far = P[2, 3] / (P[2, 2] - 1), P[2, 3] / (P[2, 2] + 1)
    else:
        near, far = (P[2, 3] + 1) / P[2, 2], (P[2, 3] - 1) / P[2, 2]
    return from_matrices(model, projection, region.width, region.height, float(near), float(far), matrices)
