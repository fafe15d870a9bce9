"""The render engine "Mien": the heads' splats with all passes, for F12, animation and `blender -b`."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np

from ...engine.contract.errors import Cancelled, MienError
from ...engine.contract.passes import DEPTH_BACKGROUND, PASS_BY_NAME, Pass
from .. import session, timing
from . import camera, scene, settings, viewport
from .camera import View
from .scene import Key, Seen

IDENTIFIER = "MIEN"
FRAME_SECONDS = 600.0
"""The longest a frame may take without a word from the engine."""
_SEE_THROUGH = 1.0 / 255.0


@dataclass(frozen=True)
class Moment:
    """What a render sees at one time."""

    view: View
    heads: dict[Key, Seen]


class MienRenderEngine(bpy.types.RenderEngine):
    bl_idname = IDENTIFIER
    bl_label = "Mien"
    bl_use_preview = False
    bl_use_postprocess = True
    bl_use_gpu_context = False
    bl_use_eevee_viewport = True
    bl_use_shading_nodes_custom = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def update_render_passes(self, scene=None, renderlayer=None):
        for entry in settings.wanted_passes(renderlayer):
            self.register_pass(scene, renderlayer, entry.name, len(entry.components), entry.components, entry.kind)

    def render(self, depsgraph):
        times = Times(self, depsgraph)
        try:
            _render_layer(self, depsgraph, times)
        except Cancelled:
            pass
        except MienError as error:
            _fail(self, depsgraph.scene, str(error))
        except BaseException as error:
            traceback.print_exc()
            what = f"{type(error).__name__}: {error}"
            _fail(self, depsgraph.scene, f"Mien could not render: {what}. The console has the details.")
            if not isinstance(error, Exception):
                raise
        finally:
            times.restore()

    def view_update(self, context, depsgraph):
        viewport.request_redraw(context)

    def view_draw(self, context, depsgraph):
        viewport.draw_rendered(self, context, depsgraph)


def _fail(engine: bpy.types.RenderEngine, failed: bpy.types.Scene, sentence: str) -> None:
    """Both are needed: the report makes the operator raise, the error stops an animation (blender-facts)."""
    engine.report({"ERROR"}, sentence)
    engine.error_set(sentence)
    if failed.mien.follows is not None:  # of what the compositor has rendered, Blender shows neither
        session.say(f"The picture lacks its heads. {sentence}")


class Times:
    """Goes to other (sub)frames and back. The depsgraph is the one that the engine was given.

    Attributes:
        start: The frame that is rendered. For another's compositor Blender takes a scene to the whole frame only,
            while that other may stand at a fraction.
        cropped: Whether the border's part of the picture is all that Blender wants.
    """

    def __init__(self, engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph) -> None:
        self.engine = engine
        self.depsgraph = depsgraph
        own, leader = depsgraph.scene, camera.leader(depsgraph.scene)
        self.start = timing.now(leader if leader.frame_current == own.frame_current else own)
        self.cropped = False
        self._home = self._now = timing.now(own)
        self._seen: dict[tuple[float, str], Moment] = {}

    def go(self, time: float) -> None:
        if time != self._now:
            frame = math.floor(time)
            self.engine.frame_set(frame, time - frame)
            self._now = time

    def restore(self) -> None:
        self.go(self._home)

    def moment(self, time: float, view_name: str) -> Moment:
        """What is seen at a time, in frames, in one stereo view. Looked up once."""
        if (time, view_name) not in self._seen:
            self.go(time)
            engine = self.engine
            heads = {seen.key: seen for seen in scene.heads(self.depsgraph)}
            view = camera.of_scene(
                self.depsgraph.scene,
                self.depsgraph,
                size=(engine.resolution_x, engine.resolution_y),
                view_name=view_name,
                model_matrix=engine.camera_model_matrix,
                shift_x=engine.camera_shift_x,
                cropped=self.cropped,
                matrices=[seen.pose.matrix for seen in heads.values()],
            )
            self._seen[time, view_name] = Moment(view, heads)
        return self._seen[time, view_name]


def shutter_times(render: bpy.types.RenderSettings, frame: float, samples: int) -> list[float]:
    """The moments, in frames, that make up the picture of a frame; `[frame]` without motion blur."""
    if not render.use_motion_blur or render.motion_blur_shutter <= 0:
        return [frame]
    start = {"START": 0.0, "CENTER": -0.5, "END": -1.0}[render.motion_blur_position]
    return [frame + (start + (index + 0.5) / samples) * render.motion_blur_shutter for index in range(samples)]


def _render_layer(engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph, times: Times) -> None:
    layer = depsgraph.view_layer
    passes = settings.wanted_passes(layer)
    for entry in passes:
        if entry.name != "Combined":
            engine.add_pass(entry.name, len(entry.components), entry.components)
    views, size = _wanted(engine, layer.name)
    times.cropped = size != (engine.resolution_x, engine.resolution_y)
    for index, view_name in enumerate(views):
        engine.active_view_set(view_name)

        def tell(fraction: float, text: str, done: int = index) -> None:
            engine.update_progress((done + fraction) / len(views))
            engine.update_stats("", f"Mien | {text}" if text else "Mien")

        tell(0.0, "Reading the scene")
        planes, step_back = _frame(engine, times, view_name, passes, tell)
        _write(engine, layer.name, view_name, planes, step_back)


def _wanted(engine: bpy.types.RenderEngine, layer: str) -> tuple[list[str], tuple[int, int]]:
    """(the stereo views that are to be rendered, one without a name where there is no stereo; pixels of the picture).

    With a border, its part is all that Blender takes; also of a scene that has none and is rendered for another's
    compositor.
    """
    row = engine.begin_result(0, 0, engine.resolution_x, 1, layer=layer)  # Blender cuts it to what it takes
    names, width = [view.name for view in row.views], row.resolution_x
    engine.end_result(row, cancel=True)
    column = engine.begin_result(0, 0, 1, engine.resolution_y, layer=layer)
    height = column.resolution_y
    engine.end_result(column, cancel=True)
    return names or [""], (width, height)


def _frame(engine, times: Times, view_name: str, passes: list[Pass], tell) -> tuple[dict[str, np.ndarray], float]:
    """The planes of one picture, top-down, and how far its camera stepped back."""
    scene_ = times.depsgraph.scene
    moving = any(entry.name == "Vector" for entry in passes)
    moments = []
    for time in shutter_times(camera.leader(scene_).render, times.start, scene_.mien.motion_samples):
        now = times.moment(time, view_name)
        around = (times.moment(time - 1, view_name), times.moment(time + 1, view_name)) if moving else (None, None)
        moments.append((now, *around))
        if engine.test_break():
            raise Cancelled("The render was stopped.")
    times.restore()
    ids = {head: session.head_id(head, engine.test_break) for head in sorted(_heads_named(moments))}
    ask = _Ask(engine, ids, scene_.mien.backend, tell)
    names = [entry.name for entry in passes]
    if any(seen.holdout for now, *_ in moments for seen in now.heads.values()):
        planes = ask.frame(moments, False, list(dict.fromkeys([*names, "Depth"])))
        _cut_out(planes, ask.frame(moments, True, ["Combined", "Mask", "Depth"]))
    else:
        planes = ask.frame(moments, False, names)
    return planes, moments[0][0].view.step_back


def _heads_named(moments: Iterable[tuple]) -> set[str]:
    return {seen.head for now, *_ in moments for seen in now.heads.values()}


@dataclass(frozen=True)
class _Ask:
    """Asks the engine for pictures of the same moments."""

    engine: bpy.types.RenderEngine
    ids: dict[str, str]
    backend: str
    tell: object

    def frame(self, moments: list[tuple], holdout: bool, passes: list[str]) -> dict[str, np.ndarray]:
        samples = []
        for now, before, after in moments:
            heads = [
                scene.message(
                    seen,
                    self.ids[seen.head],
                    before.heads[key].pose if before and key in before.heads else None,
                    after.heads[key].pose if after and key in after.heads else None,
                )
                for key, seen in now.heads.items()
                if seen.holdout == holdout
            ]
            samples.append({"heads": heads, "camera": now.view.message()})
        params = {
            "viewport": "render",
            "samples": samples,
            "passes": passes,
            "backend": self.backend,
            "priority": "final",
        }
        now, before, after = moments[len(moments) // 2]
        if before and after:
            params["camera_previous"], params["camera_next"] = before.view.message(), after.view.message()
        link = session.running()
        reply = link.call("frame/render", params, FRAME_SECONDS, self.engine.test_break, self.tell)
        return link.read_frame(reply)


def _cut_out(planes: dict[str, np.ndarray], hole: dict[str, np.ndarray]) -> None:
    """Take held-out heads out of the picture where they are in front. In place."""
    depth = planes["Depth"]
    keep = 1.0 - hole["Mask"] * (hole["Depth"] <= depth)
    for name, plane in planes.items():
        if name not in ("Depth", "Vector"):
            planes[name] = plane * keep
    planes["Depth"] = np.where(planes["Combined"][..., 3:] < _SEE_THROUGH, np.float32(DEPTH_BACKGROUND), depth)


def _write(engine, layer: str, view_name: str, planes: dict[str, np.ndarray], step_back: float) -> None:
    height, width = planes["Combined"].shape[:2]
    if step_back and "Depth" in planes:
        depth = planes["Depth"]
        planes["Depth"] = np.where(depth < DEPTH_BACKGROUND, depth - np.float32(step_back), depth)
    result = engine.begin_result(0, 0, width, height, layer=layer, view=view_name)
    try:
        for target in result.layers[0].passes:
            if target.name in planes and target.name in PASS_BY_NAME:
                target.rect.foreach_set(np.ascontiguousarray(planes[target.name][::-1], np.float32).ravel())
    finally:
        engine.end_result(result)


def _panels() -> Iterable[type]:
    """Blender's own panels that make sense for this engine."""
    excluded = {"VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes", "RENDER_PT_simplify"}
    for panel in bpy.types.Panel.__subclasses__():
        engines = getattr(panel, "COMPAT_ENGINES", None)
        if engines is not None and "BLENDER_RENDER" in engines and panel.__name__ not in excluded:
            yield panel


def register() -> None:
    bpy.utils.register_class(MienRenderEngine)
    for panel in _panels():
        panel.COMPAT_ENGINES.add(IDENTIFIER)


def unregister() -> None:
    for panel in _panels():
        panel.COMPAT_ENGINES.discard(IDENTIFIER)
    bpy.utils.unregister_class(MienRenderEngine)
