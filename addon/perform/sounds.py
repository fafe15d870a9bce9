"""Sound in and out of Blender: what a strip plays as a file, and a performance's sound in the sequencer."""

from __future__ import annotations

import shutil
import tempfile
import wave
from pathlib import Path

import bpy
import numpy as np

from ...engine.contract.errors import MienError
from .. import compat, session

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
        MienError: Blender can't read the sound, or the trimmed strip is silent for want of length.
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
    start = round((first - content) / fps * RATE)
    part = mono[max(start, 0) : max(round((last - content) / fps * RATE), 0)]
    if not len(part):
        raise MienError(f"The strip {strip.name!r} plays nothing; move its handles.")
    folder = Path(tempfile.mkdtemp(prefix="mien-"))
    path = folder / "strip.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(part, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def add_strip(context: bpy.types.Context, path: Path, name: str, frame: int) -> bpy.types.Strip:
    """Put a sound into the sequencer on the lowest channel that is free there."""
    scene = compat.sequencer_scene(context)
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strip = editor.strips.new_sound(name=name, filepath=str(path), channel=1, frame_start=frame)
    first, last, _ = compat.strip_frames(strip)
    taken = {
        other.channel
        for other in editor.strips
        if other != strip and compat.strip_frames(other)[0] < last and first < compat.strip_frames(other)[1]
    }
    strip.channel = next(channel for channel in range(1, 129) if channel not in taken)
    return strip


def play_only(context: bpy.types.Context, head: str, path: Path, start: float, end: float) -> bool:
    """Of the strips that a head's lines have put between those frames, mute all but that file's; whether it is there.

    Two takes of a line at one place would else be heard at once.
    """
    editor, there = compat.sequencer_scene(context).sequence_editor, False
    for strip in editor.strips if editor else ():
        first, last, _ = compat.strip_frames(strip)
        own = strip.type == "SOUND" and strip.name.startswith(strip_name(head))
        if own and strip.sound is not None and start - 1 <= first and last <= end + 1:
            strip.mute = Path(bpy.path.abspath(strip.sound.filepath)) != path
            there |= not strip.mute
    return there


def strip_name(head: str) -> str:
    return f"{head} speaks"


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
