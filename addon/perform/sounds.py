"""Sound in and out of Blender: what a strip plays as a file, and a performance's sound in the sequencer."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import wave
import zlib
from pathlib import Path

import bpy
import numpy as np

from ...engine.contract.errors import MienError
from .. import compat, session

_HEAD = "mien_head"
"""On a strip of the sequencer: the head whose line it is, which may be renamed."""
RATE = 16000
"""Speech needs no more, and the engine would reduce it anyway."""


def strip_named(context: bpy.types.Context, name: str) -> bpy.types.Strip:
    """A sound strip of the sequencer.

    Raises:
        MienError: There is none of that name.
    """
    scene = compat.sequencer_scene(context)
    strips = scene.sequence_editor.strips_all if scene.sequence_editor else ()
    for strip in strips:
        if strip.type == "SOUND" and (strip.name == name or not name):
            return strip
    what = f"no sound strip named {name!r}" if name else "no sound strip"
    raise MienError(f"The sequencer of the scene {scene.name!r} has {what}; add one or choose a file.")


def write_strip(strip: bpy.types.Strip, depsgraph: bpy.types.Depsgraph, fps: float) -> Path:
    """What a strip plays between its handles, as a mono WAV file in a temporary folder. The caller deletes it.

    Works for packed sound too, since Blender reads it.

    Raises:
        MienError: Blender can't read the sound, the trimmed strip is silent for want of length, or the disk is full.
    """
    first, last, content = compat.strip_frames(strip)
    try:
        factory = strip.sound.evaluated_get(depsgraph).factory
        samples = np.asarray(factory.resample(RATE, True).data(), np.float32)
    except Exception as error:  # aud raises its own kinds, by what is wrong with the file
        raise MienError(
            f"Blender can't read the sound of the strip {strip.name!r} ({error}); check its file."
        ) from None
    # rechannel(1) would add the channels up and could clip.
    mono = samples.reshape(len(samples), -1).mean(1)
    speed = _speed(strip, len(mono) / RATE * fps)
    start = ((first - content) / fps * speed - strip.sound_offset) * RATE
    there = start + np.arange(round((last - first) / fps * RATE)) * speed  # where in the sound each sample lies
    part = np.interp(there[there < len(mono)], np.arange(len(mono)), mono, left=0.0) if len(mono) else mono
    if not len(part) or there[len(part) - 1] < 0:
        raise MienError(f"The strip {strip.name!r} plays nothing; move its handles.")
    folder = Path(tempfile.mkdtemp(prefix="mien-"))
    path = folder / "strip.wav"
    try:
        path.write_bytes(_wav(part))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise MienError(f"The sound can't be written to {path}: {error.strerror or error}.") from None
    return path


def _wav(samples: np.ndarray) -> bytes:
    """A mono WAV file's content."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return content.getvalue()


def _speed(strip: bpy.types.Strip, length: float) -> float:
    """How much faster a strip plays than its sound, which lasts `length` frames.

    Raises:
        MienError: Parts of it differ, which Blender doesn't tell by how much.
    """
    keys = sorted(key.timeline_frame for key in strip.retiming_keys)
    if len(keys) > 2:
        raise MienError(
            f"The strip {strip.name!r} is retimed in parts, which Mien can't follow; "
            "render it by Render › Render Audio and use that file."
        )
    return length / (keys[1] - keys[0]) if len(keys) == 2 and keys[1] > keys[0] else 1.0


def find(recorded: str) -> Path | None:
    """The sound of a line by the path that its Action keeps, wherever it is by now; None where it is gone.

    Files move with their .blend or are packed into it; Blender keeps track of that in its own sounds, by whose file
    names it is looked for. A packed one is written into a folder of Mien's own.
    """
    path = Path(bpy.path.abspath(recorded)) if recorded else None
    if path is None or path.is_file():
        return path
    for sound in bpy.data.sounds:
        if bpy.path.basename(sound.filepath) != path.name:
            continue
        there = _file(sound)
        if there.is_file():
            return there
        if sound.packed_file is not None:
            return _unpacked(sound.packed_file.data, path.name)
    return None


def _unpacked(data: bytes, name: str) -> Path:
    path = session.folder("sounds") / f"{zlib.crc32(data):08x} {name}"
    if not path.is_file() or path.stat().st_size != len(data):
        try:
            path.write_bytes(data)
        except OSError as error:
            raise MienError(f"The packed sound can't be written to {path}: {error.strerror or error}.") from None
    return path


def _file(sound: bpy.types.Sound) -> Path:
    """Where its file should be."""
    return Path(os.path.normpath(bpy.path.abspath(sound.filepath, library=sound.library)))


def _like_blender(path: Path) -> str:
    """A path as Blender would write it: relative to the .blend where the artist has that on, so that both can move."""
    if bpy.data.is_saved and bpy.context.preferences.filepaths.use_relative_paths:
        with contextlib.suppress(ValueError):  # on another drive
            return bpy.path.relpath(str(path))
    return str(path)


def add_strip(scene: bpy.types.Scene, head: bpy.types.Object, path: Path, frame: int) -> bpy.types.Strip:
    """Put a head's line into a scene's sequencer, on the lowest channel that is free there."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    written = _like_blender(path)
    strip = editor.strips.new_sound(name=f"{head.name} speaks", filepath=written, channel=1, frame_start=frame)
    strip[_HEAD] = head
    first, last, _ = compat.strip_frames(strip)
    taken = {
        other.channel
        for other in editor.strips
        if other != strip and compat.strip_frames(other)[0] < last and first < compat.strip_frames(other)[1]
    }
    strip.channel = next(channel for channel in range(1, 129) if channel not in taken)
    return strip


def play_only(scene: bpy.types.Scene, head: bpy.types.Object, path: Path, start: float, end: float) -> bool:
    """Of the strips that a head's lines have put between those frames, mute all but that file's; whether it is there.

    Two takes of a line at one place would else be heard at once.
    """
    editor, there = scene.sequence_editor, False
    for strip in editor.strips if editor else ():
        first, last, _ = compat.strip_frames(strip)
        own = strip.type == "SOUND" and _is_of(strip, head)
        if own and strip.sound is not None and start - 1 <= first and last <= end + 1:
            strip.mute = path not in (_file(strip.sound), find(strip.sound.filepath))
            there |= not strip.mute
    return there


def _is_of(strip: bpy.types.Strip, head: bpy.types.Object) -> bool:
    """Whether it is a line of that head; strips of older files are told by their names only."""
    return strip[_HEAD] == head if _HEAD in strip else strip.name.startswith(f"{head.name} speaks")


def keep(path: Path) -> Path:
    """Copy the engine's own sound out of its folder, which goes when the engine does."""
    folder = session.folder("lines")
    number = sum(1 for _ in folder.glob("line-*.wav")) + 1
    while (folder / f"line-{number:04d}.wav").exists():
        number += 1
    kept = folder / f"line-{number:04d}.wav"
    try:
        shutil.copyfile(path, kept)
    except OSError as error:
        raise MienError(f"The spoken line can't be copied to {folder}: {error.strerror or error}.") from None
    return kept
