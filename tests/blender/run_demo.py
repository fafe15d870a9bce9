"""The demo's script inside Blender's module: what an artist does, from the installed zip to the finished film.

Run by `build_addon.py demo`, with a clean profile in BLENDER_USER_RESOURCES and the engine's Python in
MIEN_ENGINE_PYTHON.

The set is still and so is its camera, so Cycles renders it once, as a plate with depth; each frame of the head is
rendered by Mien and laid over the plate by the same nodes that "Set Up Compositing" makes. demo.blend keeps the live
set-up, and the film is checked against it on one frame.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from pathlib import Path

import bpy
import numpy as np

PACKAGE = "bl_ext.user_default.mien"
SHEET_COLUMNS, SHEET_ROWS = 4, 2
DEFAULT_MOOD = "friendly, then delighted at 3 s, ending in a warm smile"
"""For the line that ships with Mien; a recording gets none unless it is asked for."""


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def main() -> int:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=str(options.zip), repo="user_default", enable_on_install=True)
    say(f"installed {options.zip.name} into a clean profile of Blender {bpy.app.version_string}")
    try:
        _make(options)
    except RuntimeError as error:  # an operator's own report
        say(str(error).strip())
        return 1
    finally:
        bpy.ops.preferences.addon_disable(module=PACKAGE)  # stops the engine, and lets bpy 4.5 end
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--zip", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--text", default="")
    parser.add_argument("--mood")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--size", type=int, default=576)
    return parser.parse_args()


def _make(options: argparse.Namespace) -> None:
    scene = bpy.context.scene
    head = _set_the_scene(scene, options.size)
    mesh = head.data
    say(f"added {head.name}: {len(mesh.vertices)} vertices, {len(mesh.shape_keys.key_blocks)} shape keys")
    _speak(scene, options)
    bpy.ops.mien.setup_compositor()
    scene.frame_set(scene.frame_start)
    bpy.ops.wm.save_as_mainfile(filepath=str(options.out / "demo.blend"), compress=True)
    say("saved demo.blend, with the live Cycles set-up")
    frames = options.out / "frames"
    frames.mkdir(exist_ok=True)
    for old in frames.glob("*.png"):
        old.unlink()
    live = _render_live(scene, options.out)
    plate = _render_plate(scene, options.out)
    _use_plate(scene, plate)
    _render_frames(scene, frames)
    _compare(live, frames / f"frame_{_speaking_frame(scene):04d}.png")
    _sheet(frames, options.out / "demo_sheet.png", scene)
    _film(scene, frames, options)
    for temporary in (plate, live):
        temporary.unlink(missing_ok=True)


# ── the scene ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _set_the_scene(scene: bpy.types.Scene, height: int) -> bpy.types.Object:
    studio = importlib.import_module(f"{PACKAGE}.addon.studio")
    bpy.ops.mien.add_head()
    head = bpy.context.object
    studio.build(scene, studio.face_of(head))
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 32
    scene.cycles.use_denoising = True
    scene.cycles.device = "CPU"
    scene.view_settings.view_transform = "Standard"  # the head's colours were captured through it
    scene.render.fps = 24
    scene.render.resolution_x, scene.render.resolution_y = height * 16 // 9 // 2 * 2, height // 2 * 2
    scene.render.resolution_percentage = 100
    return head


def _speak(scene: bpy.types.Scene, options: argparse.Namespace) -> None:
    lines = importlib.import_module(f"{PACKAGE}.addon.perform.lines")
    audio, text = (options.audio, options.text) if options.audio else (lines.sound(), lines.text())
    started = time.monotonic()
    bpy.ops.mien.speak(source="FILE", audio=str(audio), text=text, frame=1, add_sound=True, set_range=True)
    say(f"spoke {audio.name} as frames {scene.frame_start} to {scene.frame_end} in {time.monotonic() - started:.1f} s")
    mood = DEFAULT_MOOD if options.mood is None and not options.audio else options.mood
    if mood:
        bpy.ops.mien.emotion(source="TEXT", text=mood)
        say(f"gave it the mood “{mood}”")
    if options.seconds:
        scene.frame_end = min(scene.frame_end, scene.frame_start + round(options.seconds * scene.render.fps))


def _speaking_frame(scene: bpy.types.Scene) -> int:
    """A frame some way into the line, where the mouth is likely at work."""
    return scene.frame_start + (scene.frame_end - scene.frame_start) * 2 // 5


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _png(scene: bpy.types.Scene) -> None:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"


def _render_live(scene: bpy.types.Scene, out: Path) -> Path:
    """One frame through the live set-up: Cycles and Mien at once, through the one-click compositor."""
    started = time.monotonic()
    _png(scene)
    scene.frame_set(_speaking_frame(scene))
    path = out / "live.png"
    scene.render.filepath = str(path)
    with _quiet():
        bpy.ops.render.render(write_still=True)
    say(f"rendered frame {scene.frame_current} through the live set-up in {time.monotonic() - started:.0f} s")
    return path


def _render_plate(scene: bpy.types.Scene, out: Path) -> Path:
    """The Cycles picture with its depth, without compositing."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"
    path = out / "plate.exr"
    scene.render.filepath = str(path)
    scene.render.use_compositing = False
    with _quiet():
        bpy.ops.render.render(write_still=True)
    scene.render.use_compositing = True
    return path


def _use_plate(scene: bpy.types.Scene, plate: Path) -> None:
    """Put the plate in the place of the set's Render Layers, so that the set is not rendered for each frame."""
    tree = getattr(scene, "compositing_node_group", None) or scene.node_tree
    layers = next(node for node in tree.nodes if node.type == "R_LAYERS" and node.scene == scene)
    image = bpy.data.images.load(str(plate))
    node = tree.nodes.new("CompositorNodeImage")
    node.image = image
    for name, names in (("Image", ("Combined", "Image")), ("Depth", ("Depth",))):
        source = next(socket for wanted in names for socket in node.outputs if socket.name == wanted)
        for link in list(layers.outputs[name].links):
            tree.links.new(source, link.to_socket)
    tree.nodes.remove(layers)


def _render_frames(scene: bpy.types.Scene, frames: Path) -> None:
    _png(scene)
    total = scene.frame_end - scene.frame_start + 1
    started = time.monotonic()
    shown = started
    for done, frame in enumerate(range(scene.frame_start, scene.frame_end + 1), 1):
        scene.frame_set(frame)
        scene.render.filepath = str(frames / f"frame_{frame:04d}.png")
        with _quiet():
            bpy.ops.render.render(write_still=True)
        now = time.monotonic()
        if now - shown > 5 or done == total:
            shown = now
            each = (now - started) / done
            say(f"frame {done} of {total}, {each:.2f} s each, about {each * (total - done):.0f} s to go")


class _quiet:
    """Keep Blender's own line a frame out of the terminal; Python's output is left alone."""

    def __enter__(self) -> None:
        sys.stdout.flush()
        self.kept = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def __exit__(self, *error: object) -> None:
        os.dup2(self.kept, 1)
        os.close(self.kept)


def _pixels(path: Path) -> np.ndarray:
    """[H, W, 4] float32, rows bottom-up, as stored."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    plane = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(plane)
    bpy.data.images.remove(image)
    return plane.reshape(height, width, 4)


def _compare(live: Path, film: Path) -> None:
    difference = np.abs(_pixels(live) - _pixels(film))[..., :3]
    mean, most = difference.mean() * 255, np.percentile(difference, 99) * 255
    say(f"film against the live set-up on that frame: mean difference {mean:.2f}/255, 99th percentile {most:.0f}/255")


def _sheet(frames: Path, target: Path, scene: bpy.types.Scene) -> None:
    """Frames spread over the film, four by two."""
    count = SHEET_COLUMNS * SHEET_ROWS
    numbers = np.linspace(scene.frame_start, scene.frame_end, count + 2)[1:-1].round().astype(int)
    tiles = [_pixels(frames / f"frame_{number:04d}.png")[::2, ::2] for number in numbers]
    starts = range(0, count, SHEET_COLUMNS)
    rows = [np.concatenate(tiles[start : start + SHEET_COLUMNS], axis=1) for start in starts]
    sheet = np.concatenate(rows[::-1], axis=0)
    image = bpy.data.images.new("sheet", sheet.shape[1], sheet.shape[0])
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.ascontiguousarray(sheet, np.float32).ravel())
    image.filepath_raw, image.file_format = str(target), "PNG"
    image.save()


def _film(scene: bpy.types.Scene, frames: Path, options: argparse.Namespace) -> None:
    """Frames and sound to an .mp4, in a scene of its own."""
    film = bpy.data.scenes.new("Film")
    film.render.fps = scene.render.fps
    film.render.resolution_x, film.render.resolution_y = scene.render.resolution_x, scene.render.resolution_y
    film.frame_start, film.frame_end = scene.frame_start, scene.frame_end
    film.view_settings.view_transform = "Standard"
    strips = film.sequence_editor_create().strips
    names = [f"frame_{number:04d}.png" for number in range(scene.frame_start, scene.frame_end + 1)]
    first = str(frames / names[0])
    picture = strips.new_image("film", first, channel=1, frame_start=scene.frame_start, fit_method="ORIGINAL")
    for name in names[1:]:
        picture.elements.append(name)
    picture.frame_final_duration = len(names)
    sound = next(iter(bpy.data.sounds))
    strips.new_sound("voice", bpy.path.abspath(sound.filepath), channel=2, frame_start=scene.frame_start)
    settings = film.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    video = film.render.ffmpeg
    video.format, video.codec, video.constant_rate_factor = "MPEG4", "H264", "HIGH"
    video.audio_codec, video.audio_bitrate = "AAC", 160
    film.render.filepath = str(options.out / "demo.mp4")
    with _quiet():
        bpy.ops.render.render(animation=True, scene=film.name)
    say(f"wrote demo.mp4: {len(names)} frames with sound")


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # bpy 4.5 may wait for ever on the way out
