"""The bake itself, in a Blender of its own on a copy of the artist's file: reads the rig, takes the pictures.

It tells the artist's Blender how it goes by lines on stdout, `MIEN ` and a JSON object: {"progress", "text"}, at the
end {"done": …} or {"error": sentence}. It ends with its parent: when stdin ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...engine.contract.errors import MienError
from ...engine.contract.files import read_json, write_text
from . import matching, plan
from . import rig as rigs
from .studio import Studio, strands

PREFIX = "MIEN "
PLAN = "bake.json"
_LIMIT = 64 << 20
_LEAST_PIXELS = 16


def main(path: str) -> None:
    """Run the job in that JSON file and leave the process."""
    threading.Thread(target=_end_with_parent, name="mien-parent", daemon=True).start()
    try:
        job = json.loads(Path(path).read_text(encoding="utf-8"))
        bpy.ops.wm.open_mainfile(filepath=job["blend"], load_ui=False, use_scripts=bool(job["trust"]))
        tell(done=check(job) if job["stage"] == "check" else bake(job))
    except MienError as error:
        tell(error=str(error))
    except Exception as error:
        traceback.print_exc()
        tell(error=f"The bake failed: {type(error).__name__}: {error}. The log has the details.")
    sys.stdout.flush()
    sys.stderr.flush()
    # Some add-ons and render engines hang when Blender ends; nothing here is left to be saved.
    os._exit(0)


def tell(**message) -> None:
    print(PREFIX + json.dumps(message), flush=True)


def progress(fraction: float, text: str) -> None:
    tell(progress=round(fraction, 4), text=text)


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(3)


# ── the two stages ───────────────────────────────────────────────────────────────────────────────────────────────────


def check(job: Mapping) -> dict:
    """Read the rig, take two small pictures, and say what a bake would be: pictures, seconds, notes."""
    setting = _prepare(job, 0.55)
    rig, studio, views, poses = setting.rig, setting.studio, setting.views, setting.poses
    folder = Path(bpy.app.tempdir)
    progress(0.6, "Trying a small picture")
    small, large = max(studio.size // 8, 16), max(studio.size // 3, 32)
    seconds = []
    # The first builds and compiles, and does not count; the others take another pose, as most pictures do.
    for size, view in ((small, views[0]), (small, views[-1]), (large, views[-2])):
        start = time.monotonic()
        setting.character.set(poses[view.pose])
        studio.gaze(poses[view.pose])
        _check_alpha(studio.take(view, folder / "trial.png", size), view, studio)
        seconds.append(time.monotonic() - start)
        progress(0.6 + 0.1 * len(seconds), "Trying a small picture")
    picture = plan.seconds_of_picture(seconds[1], small, seconds[2], large, studio.size)
    kept, changed = _kept(job, rig, views, poses)
    return {
        "pictures": len(views),
        "kept": len(kept),
        "changed": changed,
        "seconds": picture * (len(views) - len(kept)),
        "triangles": len(rig.arrays["mesh.triangles"]),
        "units": list(rig.units),
        "notes": rig.notes,
    }


def bake(job: Mapping) -> dict:
    """Write the dataset and take every picture that isn't there yet."""
    progress(0.0, "Reading the character")
    setting = _prepare(job, 0.02)
    rig, studio, views, poses = setting.rig, setting.studio, setting.views, setting.poses
    folder = Path(job["folder"])
    kept, changed = _kept(job, rig, views, poses)
    arrays = {**rig.arrays, **strands(studio.chosen, rig)}
    waiting = [view for view in views if view.image not in kept]
    if waiting:  # before anything is written: is it to be seen at all?
        small = min(studio.size, 48)
        alpha = studio.take(views[0], Path(bpy.app.tempdir) / "trial.png", small)
        _check_alpha(alpha, views[0], studio)
    prints = {view.image: _fingerprint(job, rig, view, poses) for view in views}
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for stale in (folder / "images").glob("*.png"):
            if f"images/{stale.name}" not in kept:
                stale.unlink()
        write_bytes(folder / "rig.safetensors", safetensors(arrays))
    except OSError as error:
        raise MienError(f"{folder} can't be written ({error.strerror or error}); choose another folder.") from None
    write_text(folder / PLAN, json.dumps({"format": "mien-bake", "pictures": prints}, indent=1))
    write_text(folder / "dataset.json", json.dumps(_description(job, rig, studio, views, poses), indent=1))
    _take_all(setting, folder, waiting)
    return {
        "folder": str(folder),
        "pictures": len(views),
        "taken": len(waiting),
        "changed": changed,
        "notes": rig.notes,
    }


@dataclass(frozen=True)
class Setting:
    """All that is needed to take pictures."""

    character: rigs.Character
    rig: rigs.Rig
    studio: Studio
    views: list[plan.View]
    poses: dict[str, dict[str, float]]


def _take_all(setting: Setting, folder: Path, waiting: list[plan.View]) -> None:
    character, studio, poses = setting.character, setting.studio, setting.poses
    started, longest = time.monotonic(), len(waiting)
    partial = folder / "partial.png"
    try:
        for number, view in enumerate(waiting):
            left = ""
            if number:
                left = ", " + plan.duration((time.monotonic() - started) / number * (longest - number)) + " left"
            progress(0.02 + 0.98 * number / longest, f"Picture {number + 1} of {longest}: {view.pose}{left}")
            character.set(poses[view.pose])
            studio.gaze(poses[view.pose])
            _check_alpha(studio.take(view, partial), view, studio)
            _move(partial, folder / view.image)
    finally:
        partial.unlink(missing_ok=True)


def _move(source: Path, target: Path) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        raise MienError(f"{target} can't be written ({error.strerror or error}); free some space.") from None


def _prepare(job: Mapping, share: float) -> Setting:
    """The character, its rig, the studio around it, and the plan."""
    bpy.context.window.scene = bpy.data.scenes[job["scene"]]
    bpy.context.scene.frame_set(job["frame"])
    chosen = [rigs.Chosen(bpy.data.objects[o["name"]], tuple(o["parts"])) for o in job["objects"]]
    for entry in chosen:
        if entry.object.name not in bpy.context.scene.collection.all_objects:
            raise MienError(f"{entry.object.name} is in no collection of this scene; link it to one.")
    _show(chosen)
    table = matching.match_objects([entry.object for entry in chosen])
    if len(table.units) < matching.MINIMUM_UNITS:
        raise MienError(matching.few_sentence(table))
    empties = {side: np.array(place, float) for side, place in job["eyes"].items()}
    character, rig = rigs.read(
        chosen, table, job["triangles"], job["facing"], job["life_size"], empties,
        lambda fraction, text: progress(fraction * share, text),
    )  # fmt: skip
    studio = Studio(chosen, rig, job)
    shown = [unit for unit in rig.units if studio.turns_eyes or not unit.startswith("eyeLook")]
    poses = plan.poses(shown, job["quality"], table.shared())
    return Setting(character, rig, studio, plan.views(poses, job["quality"], rig.frame.bust), poses)


def _show(chosen) -> None:
    """Have what was chosen evaluated, wherever its collections are hidden."""
    collection = bpy.data.collections.new("Mien Bake Visible")
    bpy.context.scene.collection.children.link(collection)
    for entry in chosen:
        collection.objects.link(entry.object)
        entry.object.hide_viewport = False
        entry.object.hide_set(False)
    bpy.context.view_layer.update()


def _check_alpha(alpha: np.ndarray, view: plan.View, studio: Studio) -> None:
    if np.count_nonzero(alpha > 0.5) >= _LEAST_PIXELS:
        return
    names = ", ".join(entry.object.name for entry in studio.chosen[:3])
    raise MienError(
        f"The picture {view.image} shows nothing of {names}; see that the character is not hidden from renders or "
        "transparent, and bake again."
    )


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _fingerprint(job: Mapping, rig, view: plan.View, poses) -> str:
    """Of all that decides a picture but the materials and lamps: settings, camera, pose, and the mesh to 0.1 mm."""
    digest = hashlib.sha256()
    settings = {key: job[key] for key in ("size", "samples", "engine", "denoise", "lighting")}
    K, camera = plan.camera(view, rig.frame, job["size"])
    camera = np.round(np.concatenate([K.ravel(), camera.ravel()]), 4) + 0.0
    pose = {unit: round(value, 4) for unit, value in sorted(poses[view.pose].items())}
    digest.update(json.dumps([settings, camera.tolist(), pose]).encode())
    digest.update(rig.digest)
    return digest.hexdigest()[:32]


def _kept(job: Mapping, rig, views, poses) -> tuple[set[str], int]:
    """(pictures that are there and fit the plan, how many are there and don't)."""
    folder = Path(job["folder"])
    if job["start_over"] or not (folder / PLAN).is_file():
        return set(), 0
    stored = read_json(folder / PLAN, _LIMIT)
    known = stored.get("pictures", {}) if isinstance(stored, dict) else {}
    kept, changed = set(), 0
    for view in views:
        if (folder / view.image).is_file():
            if known.get(view.image) == _fingerprint(job, rig, view, poses):
                kept.add(view.image)
            else:
                changed += 1
    return kept, changed


# ── the dataset ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _description(job: Mapping, rig, studio: Studio, views, poses) -> dict:
    """dataset.json; see docs/dataset.md."""
    listed = []
    for view in views:
        K, camera = plan.camera(view, rig.frame, studio.size)
        listed.append({
            "image": view.image, "pose": view.pose, "held_out": view.held_out, "width": studio.size,
            "height": studio.size, "K": K.tolist(), "world_to_camera": camera.tolist(),
        })  # fmt: skip
    eye = rig.frame.eye
    description = {
        "format": "mien-dataset", "version": 1, "name": job["name"], "author": job["author"],
        "licence": job["licence"], "source": job["source"], "poses": poses, "views": listed, "units": list(rig.units),
        "combinations": [{"units": list(names)} for names in rig.combinations],
        "neck": {"pivot": [float(x) for x in rig.pivot]}, "parts": list(rig.parts),
        "camera": {"target": [eye[0], eye[1] + 0.063, eye[2] - 0.035], "distance": plan.DISTANCE},
    }  # fmt: skip
    if rig.eyes:
        description["eyes"] = rig.eyes
    return description


_KINDS = {np.dtype("<f4"): "F32", np.dtype("<f2"): "F16", np.dtype("<i4"): "I32", np.dtype("u1"): "U8"}


def safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays in the safetensors format: 8 bytes of length, a JSON header, the data in order."""
    header, chunks, start = {}, [], 0
    for name, array in sorted(arrays.items()):
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        data = array.tobytes()
        header[name] = {
            "dtype": _KINDS[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, start + len(data)],
        }
        chunks.append(data)
        start += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *chunks])


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
