"""Takes the planned pictures of a head: `python addon/capture BUNDLE [--samples 24]`, or Blender with `--python`.

Pictures that exist are skipped, so that an interrupted capture goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import scene as studio


def main() -> None:
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="a dataset's folder 'scene': static.npz, pose_*.npz, plan.json")
    parser.add_argument("--samples", type=int, default=12, help="Cycles' samples a pixel")
    parser.add_argument("--held-out-samples", type=int, help="of pictures that are held out; by default as the others")
    parser.add_argument("--size", type=int, help="pixels, instead of the plan's")
    parser.add_argument("--only", help="take only views whose name contains this")
    parser.add_argument("--raw", action="store_true", help="do not denoise")
    options = parser.parse_args(arguments)
    static = np.load(options.bundle / "static.npz")
    plan = json.loads((options.bundle / "plan.json").read_text(encoding="utf-8"))
    views = [view for view in plan["views"] if not options.only or options.only in view["name"]]
    waiting = [view for view in views if not picture(options.bundle, view).exists()]
    for name, of_pose in groupby(waiting, key=lambda view: view["pose"]):
        take(options, static, name, list(of_pose))


def picture(bundle: Path, view: dict) -> Path:
    return bundle.parent / "images" / f"{view['name']}.png"


def take(options, static, pose: str, views: list[dict]) -> None:
    """All waiting pictures of one pose: first their colours, then, with cheap materials, their alpha."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    studio.settings(options.samples, not options.raw)
    studio.build(static, np.load(options.bundle / f"pose_{pose}.npz"))
    studio.light(float(static["eyes"][0, 2]))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.clip_start = 0.01
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    if options.size:
        views = [{**view, "size": options.size} for view in views]
    with tempfile.TemporaryDirectory() as folder:
        colours, seconds = [], []
        for view in views:
            start = time.monotonic()
            fewer = None if view["held_out"] else options.samples
            bpy.context.scene.cycles.samples = fewer or options.held_out_samples or options.samples
            colours.append(shot(camera, view, Path(folder) / f"{view['name']}.exr"))
            seconds.append(time.monotonic() - start)
        studio.matte()
        for view, colour, taken in zip(views, colours, seconds, strict=True):
            start = time.monotonic()
            alpha = studio.pixels(shot(camera, view, Path(folder) / "alpha.exr"))[..., 3]
            final = picture(options.bundle, view)
            partial = final.with_name("partial.tmp.png")
            studio.save_png(partial, studio.pixels(colour)[..., :3], alpha)
            os.replace(partial, final)
            print(f"PICTURE {final.name} {taken + time.monotonic() - start:.1f} s", flush=True)


def shot(camera, view: dict, path: Path) -> Path:
    """Renders one view into an EXR file."""
    studio.aim(camera, view)
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return path


if __name__ == "__main__":
    main()
