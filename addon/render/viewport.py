"""The splats in 3D viewports: a picture with depth from the engine, laid over what Blender drew.

Nothing here waits. A redraw shows the last picture that came, moved to the present view by its own depth, and asks for
a newer one if the view or a head has changed; when that arrives, the viewports are drawn again. One picture is under
way for each viewport: what changes meanwhile is asked for as soon as it is there.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from typing import Any

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from gpu_extras.presets import draw_texture_2d

from ...engine.contract.errors import Cancelled, MienError
from ...engine.contract.passes import DEPTH_BACKGROUND
from .. import session
from ..head.settings import is_head
from . import camera, scene
from .camera import View
from .scene import Seen

GRID = 160
"""Cells along the longer side of the net on which a picture is moved to another view."""
MAX_SIDE = 2560
QUICK_SECONDS = 0.045
"""A full-size picture that is expected within this time is asked for at once, even while the view moves."""
FRAME_SECONDS = 60.0
RETRY_SECONDS = 2.0


@dataclass
class Picture:
    """A frame as textures, and what it shows."""

    view: View
    signature: tuple
    colour: gpu.types.GPUTexture
    depth: gpu.types.GPUTexture
    middle: float
    scale: float


@dataclass
class Screen:
    """One viewport region."""

    name: str
    picture: Picture | None = None
    asked: tuple | None = None
    message: str = ""
    seconds_per_pixel: float = 0.0
    failed_at: float = 0.0
    drawn_at: float = field(default_factory=time.monotonic)


_screens: dict[int, Screen] = {}
_ids: dict[str, str] = {}
_ids_of: Any = None
_loading: set[str] = set()
_failed_heads: dict[str, str] = {}
_handlers: list[Any] = []
_shader: gpu.types.GPUShader | None = None
_net: dict[tuple[int, int], gpu.types.GPUBatch] = {}


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _signature(view: View, heads: list[Seen], backend: str, zones: dict) -> tuple:
    """Changes when the picture would."""
    place = np.concatenate([view.world_to_camera.ravel(), view.K.ravel(), [view.width, view.height]])
    faces = tuple(
        (seen.key, seen.head, tuple(sorted(seen.pose.values.items())), seen.pose.matrix.tobytes()) for seen in heads
    )
    return np.round(place, 6).tobytes(), faces, backend, tuple(zones.items())


def _update(screen: Screen, context: bpy.types.Context, view: View, heads: list[Seen]) -> None:
    """Ask for a picture if the one that is there, or under way, is of something else."""
    settings = context.scene.mien
    zones = _zones(context)
    signature = _signature(view, heads, settings.backend, zones)
    shown = screen.picture
    playing = context.screen is not None and context.screen.is_animation_playing
    current = shown is not None and shown.signature == signature
    if screen.asked is not None or (current and (shown.scale == 1.0 or playing)):
        return
    if time.monotonic() - screen.failed_at < RETRY_SECONDS:
        return
    quick = 0 < screen.seconds_per_pixel * view.width * view.height < QUICK_SECONDS
    scale = 1.0 if current or quick else settings.overlay_scale / 100
    try:
        engine = session.running()
        if not _load(engine, heads, screen):
            return
        _ask(engine, screen, view, heads, signature, scale, settings.backend, zones)
    except MienError as error:
        _fail(screen, error)


def _zones(context: bpy.types.Context) -> dict[str, tuple[float, float, float]]:
    """{pass: colour} of the zones that are shown over the heads."""
    from ..emotion import zones  # which needs what this room registers

    return zones.shown(context)


def _painted(planes: dict[str, np.ndarray], tints: dict[str, tuple[float, float, float]]) -> dict[str, np.ndarray]:
    from ..emotion import zones

    return {**planes, "Combined": zones.painted(planes["Combined"], planes, tints)} if tints else planes


def _load(engine, heads: list[Seen], screen: Screen) -> bool:
    """Whether all heads are loaded; asks for those that aren't."""
    global _ids_of
    if _ids_of is not engine:  # another process, which knows nothing of the old one's heads
        _ids_of = engine
        _ids.clear()
        _loading.clear()
    ready = True
    for name in {seen.head for seen in heads}:
        if name in _ids:
            continue
        ready = False
        if name in _failed_heads:
            screen.message = _failed_heads[name]
        elif name not in _loading:
            _loading.add(name)

            def done(reply: dict, name: str = name) -> None:
                _loading.discard(name)
                _ids[name] = reply["head"]
                session.redraw(("WINDOW",))

            def failed(error: Exception, name: str = name) -> None:
                _loading.discard(name)
                if not isinstance(error, Cancelled):
                    _failed_heads[name] = str(error)
                    session.redraw(("WINDOW",))

            engine.load_head(session.head_argument(name), done, failed)
    return ready


def _ask(
    engine, screen: Screen, view: View, heads: list[Seen], signature: tuple, scale: float, backend: str, zones: dict
) -> None:
    scale = min(scale, MAX_SIDE / max(view.width, view.height))
    small = view.scaled(max(round(view.width * scale), 1), max(round(view.height * scale), 1))
    sample = {"heads": [scene.message(seen, _ids[seen.head]) for seen in heads], "camera": small.message()}
    params = {
        "viewport": screen.name,
        "samples": [sample],
        "passes": ["Combined", "Depth", *zones],
        "backend": backend,
        "priority": "preview",
    }
    scale = 1.0 if scale >= MAX_SIDE / max(view.width, view.height) else scale

    def done(reply: dict) -> None:
        screen.asked = None
        screen.message = ""
        screen.seconds_per_pixel = reply["seconds"] / (small.width * small.height)
        planes = _painted(engine.read_frame(reply), zones)
        # Textures can only be made while drawing, where Blender's GPU context is at hand.
        _arrived[screen.name] = (planes, small, signature, scale)
        session.redraw(("WINDOW",))

    def failed(error: Exception) -> None:
        screen.asked = None
        if not isinstance(error, Cancelled):
            _fail(screen, error)
        session.redraw(("WINDOW",))

    screen.asked = signature
    engine.request("frame/render", params, done, failed, deadline_s=FRAME_SECONDS)


_arrived: dict[str, tuple[dict[str, np.ndarray], View, tuple, float]] = {}


def _fail(screen: Screen, error: Exception) -> None:
    screen.message = str(error)
    screen.failed_at = time.monotonic()


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _take(screen: Screen) -> None:
    """Make textures of the newest frame, if one has come."""
    arrived = _arrived.pop(screen.name, None)
    if arrived is None:
        return
    planes, view, signature, scale = arrived
    colour, depth = planes["Combined"], planes["Depth"][..., 0]
    covered = depth < DEPTH_BACKGROUND
    middle = float(np.median(depth[covered][:: max(covered.sum() // 5000, 1)])) if covered.any() else 1.0
    screen.picture = Picture(
        view, signature, _texture(colour, "RGBA16F"), _texture(np.where(covered, depth, 0.0), "R32F"), middle, scale
    )


def _texture(plane: np.ndarray, kind: str) -> gpu.types.GPUTexture:
    """Rows top-down become a texture whose first row is the top one."""
    plane = np.ascontiguousarray(plane, np.float32)
    data = gpu.types.Buffer("FLOAT", plane.size, plane.ravel())
    texture = gpu.types.GPUTexture((plane.shape[1], plane.shape[0]), format=kind, data=data)
    if kind == "RGBA16F" and hasattr(texture, "filter_mode"):
        texture.filter_mode(True)
    return texture


_VERTEX = """
vec4 in_view(vec2 uv, float depth)
{
  vec2 ray = (uv - lens.zw) / lens.xy;
  return vec4(ray * depth, depth, 1.0);
}

void main()
{
  ivec2 size = textureSize(depths, 0);
  ivec2 texel = clamp(ivec2(pos * vec2(size)), ivec2(0), size - 1);
  float depth = texelFetch(depths, texel, 0).r;
  uv = pos;
  gl_Position = to_clip * in_view(pos, depth > 0.0 ? depth : middle);
}
"""
_FRAGMENT = """
void main()
{
  vec4 shade = texture(colours, uv);
  if (shade.a < 0.004) {
    discard;
  }
  ivec2 size = textureSize(depths, 0);
  ivec2 texel = clamp(ivec2(uv * vec2(size)), ivec2(0), size - 1);
  float depth = texelFetch(depths, texel, 0).r;
  depth = (depth > 0.0 ? depth : middle);
  vec2 ray = (uv - lens.zw) / lens.xy;
  vec4 clip = to_clip * vec4(ray * depth, depth, 1.0);
  gl_FragDepth = clamp(clip.z / clip.w * 0.5 + 0.5, 0.0, 1.0);
  colour = shade;
}
"""


def _make_shader() -> gpu.types.GPUShader:
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("MAT4", "to_clip")
    info.push_constant("VEC4", "lens")
    info.push_constant("FLOAT", "middle")
    info.vertex_in(0, "VEC2", "pos")
    interface = gpu.types.GPUStageInterfaceInfo("mien_splats")
    interface.no_perspective("VEC2", "uv")
    info.vertex_out(interface)
    info.sampler(0, "FLOAT_2D", "colours")
    info.sampler(1, "FLOAT_2D", "depths")
    info.fragment_out(0, "VEC4", "colour")
    info.depth_write("ANY")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


def _net_for(width: int, height: int) -> gpu.types.GPUBatch:
    """A net of triangles over the picture, in texture coordinates from its top left corner."""
    longer = max(width, height)
    columns, rows = max(GRID * width // longer, 1), max(GRID * height // longer, 1)
    if (columns, rows) not in _net:
        x, y = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
        points = np.stack([x.ravel(), y.ravel()], 1).astype(np.float32)
        first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
        corner = np.stack([first, first + 1, first + columns + 1, first + columns + 2], 1)
        triangles = np.ascontiguousarray(np.concatenate([corner[:, [0, 1, 2]], corner[:, [1, 3, 2]]]), np.int32)
        if len(_net) > 16:
            _net.clear()
        _net[columns, rows] = batch_for_shader(_shader, "TRIS", {"pos": points}, indices=triangles)
    return _net[columns, rows]


def _draw_picture(picture: Picture, clip: np.ndarray) -> None:
    """Draw with depth into the present view. `clip`: world → clip space [4, 4]."""
    global _shader
    if _shader is None:
        _shader = _make_shader()
    view = picture.view
    to_clip = clip @ np.linalg.inv(view.world_to_camera)
    # A push constant's matrix is given row by row here and turned by Blender.
    _shader.bind()
    _shader.uniform_float("to_clip", _matrix(to_clip))
    lens = (
        view.K[0, 0] / view.width,
        view.K[1, 1] / view.height,
        view.K[0, 2] / view.width,
        view.K[1, 2] / view.height,
    )
    _shader.uniform_float("lens", lens)
    _shader.uniform_float("middle", picture.middle)
    _shader.uniform_sampler("colours", picture.colour)
    _shader.uniform_sampler("depths", picture.depth)
    _net_for(view.width, view.height).draw(_shader)


def _matrix(array: np.ndarray):
    from mathutils import Matrix

    return Matrix(array.tolist())


# ── Blender's callbacks ──────────────────────────────────────────────────────────────────────────────────────────────


def _screen(region: bpy.types.Region) -> Screen:
    key = region.as_pointer()
    if key not in _screens:
        _screens[key] = Screen(f"viewport-{key:x}")
        _forget_old()
    _screens[key].drawn_at = time.monotonic()
    return _screens[key]


def _forget_old() -> None:
    """Regions come and go; what has not been drawn for long gives its textures back."""
    limit = time.monotonic() - 600.0
    for key in [key for key, screen in _screens.items() if screen.drawn_at < limit]:
        del _screens[key]


def _view(context: bpy.types.Context, heads: list[Seen]) -> View:
    return camera.of_viewport(context.region, context.region_data, [seen.pose.matrix for seen in heads])


def _wanted(context: bpy.types.Context) -> bool:
    space = context.space_data
    if space is None or space.type != "VIEW_3D" or not context.scene.mien.show_overlay:
        return False
    rendered = space.shading.type == "RENDERED"
    return not (rendered and context.scene.render.engine == "MIEN") and any(
        is_head(obj) for obj in context.scene.objects
    )


def _post_view() -> None:
    context = bpy.context
    try:
        if not _wanted(context):
            return
        screen = _screen(context.region)
        view3d = context.region_data
        heads = scene.heads(context.evaluated_depsgraph_get(), context.space_data)
        if not heads:
            screen.picture = None
            return
        _take(screen)
        _update(screen, context, _view(context, heads), heads)
        if screen.picture is not None:
            gpu.state.depth_test_set("LESS_EQUAL")
            gpu.state.depth_mask_set(True)
            gpu.state.blend_set("ALPHA_PREMULT")
            try:
                _draw_picture(screen.picture, np.array(view3d.perspective_matrix, dtype=np.float64))
            finally:
                gpu.state.depth_test_set("NONE")
                gpu.state.depth_mask_set(False)
                gpu.state.blend_set("NONE")
    except Exception:  # a draw callback that raises is called, and raises, at every redraw
        traceback.print_exc()
        unregister()


def _post_pixel() -> None:
    """Say what the engine does while there is no picture, or what went wrong."""
    context = bpy.context
    if not _wanted(context):
        return
    screen = _screen(context.region)
    text = screen.message
    if not text and screen.picture is None:
        state, sentence = session.status()
        text = sentence if state != "ready" else "Loading the head …" if _loading else "Drawing the first picture …"
    if text:
        scale = context.preferences.system.ui_scale
        blf.size(0, 12 * scale)
        blf.color(0, 1.0, 1.0, 1.0, 0.9)
        blf.enable(0, blf.SHADOW)
        blf.shadow(0, 3, 0.0, 0.0, 0.0, 0.8)
        blf.position(0, 70 * scale, 24 * scale, 0)
        blf.draw(0, f"Mien: {text}")
        blf.disable(0, blf.SHADOW)


# ── rendered shading ─────────────────────────────────────────────────────────────────────────────────────────────────


def request_redraw(context: bpy.types.Context) -> None:
    """The render engine's view_update: the next view_draw sees what changed."""


def draw_rendered(engine: bpy.types.RenderEngine, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
    """The render engine's view_draw: the newest picture, without depth, over nothing."""
    screen = _screen(context.region)
    heads = scene.heads(depsgraph, context.space_data)
    _take(screen)
    if heads:
        _update(screen, context, _view(context, heads), heads)
    picture = screen.picture
    if picture is None or not heads:
        return
    gpu.state.blend_set("ALPHA_PREMULT")
    engine.bind_display_space_shader(depsgraph.scene)
    # The texture's first row is the top one.
    draw_texture_2d(picture.colour, (0, context.region.height), context.region.width, -context.region.height)
    engine.unbind_display_space_shader()
    gpu.state.blend_set("NONE")


@bpy.app.handlers.persistent
def _after_load(*_) -> None:
    """Another file: other regions, perhaps other heads. A head that failed may have been mended."""
    _screens.clear()
    _arrived.clear()
    _failed_heads.clear()


def forget_failures() -> None:
    """Try again what failed: after a restart of the engine or its installation."""
    _failed_heads.clear()
    for screen in _screens.values():
        screen.message, screen.failed_at = "", 0.0
    session.redraw()


def register() -> None:
    bpy.app.handlers.load_post.append(_after_load)
    if bpy.app.background:
        return
    add = bpy.types.SpaceView3D.draw_handler_add
    _handlers.append(add(_post_view, (), "WINDOW", "POST_VIEW"))
    _handlers.append(add(_post_pixel, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    global _shader
    while _handlers:
        bpy.types.SpaceView3D.draw_handler_remove(_handlers.pop(), "WINDOW")
    if _after_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_after_load)
    _screens.clear()
    _ids.clear()
    _net.clear()
    _shader = None
