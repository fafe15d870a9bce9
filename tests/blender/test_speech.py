"""Making a head speak: keys on a track of their own, and nothing lost."""

import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

JAW = "AU26 Jaw Drop"


@pytest.fixture
def line(blender):
    """The line that ships with Mien."""
    (sound,) = (Path(blender.module("session").ROOT) / "engine" / "speech" / "lines").glob("*.flac")
    return str(sound)


def speak(blender, **wanted):
    assert blender.bpy.ops.mien.speak(**wanted) == {"FINISHED"}


def strips(head):
    return [(track.name, strip) for track in head.animation_data.nla_tracks for strip in track.strips]


def test_speech_becomes_an_action_on_the_speech_track(blender, line):
    head = blender.add_head()
    blender.scene.render.fps = 25
    speak(blender, audio=line, frame=11, set_range=True, add_sound=True)
    ((name, strip),) = strips(head)
    assert name == "Speech" and strip.frame_start == 11 and head.animation_data.action is None
    assert (blender.scene.frame_start, blender.scene.frame_end) == (11, round(strip.frame_end))
    bag = blender.module("compat").channelbag(strip.action, strip.action_slot)
    assert {"Mouth", "Jaw and Tongue", "Eyes", "Head"} <= {group.name for group in bag.groups}
    assert all(curve.group is not None for curve in bag.fcurves)
    keys = sum(len(curve.keyframe_points) for curve in bag.fcurves)
    frames = (strip.frame_end - strip.frame_start) * len(bag.fcurves)
    assert keys * 5 < frames  # at least five times fewer keys than frames
    (sound,) = blender.scene.sequence_editor.strips_all
    assert blender.module("compat").strip_frames(sound)[0] == 11
    values = []
    for frame in range(11, int(strip.frame_end), 2):
        blender.scene.frame_set(frame)
        values.append(blender.evaluated(head)[JAW])
    assert max(values) > 0.15 and np.std(values) > 0.03


def test_the_keys_are_the_engines_curves(blender, line):
    """What Blender evaluates from the keys follows the curve that the engine sampled at every frame."""
    head = blender.add_head()
    fps = blender.scene.render.fps / blender.scene.render.fps_base
    reply = blender.module("session").running().call("perform", {"audio": line, "seed": 7, "fps": fps})
    speak(blender, audio=line, seed=7, frame=1)
    curves = blender.contract("curves").from_json(reply["curves"], "reply")
    ((_, strip),) = strips(head)
    bag = blender.module("compat").channelbag(strip.action, strip.action_slot)
    by_name = {blender.module("head.channels").name_of(curve.data_path): curve for curve in bag.fcurves}
    for column, name in enumerate(curves.channels):
        if name in by_name:
            blended = [by_name[name].evaluate(1 + frame) for frame in range(len(curves.values))]
            assert np.abs(np.array(blended) - curves.values[:, column]).max() < 0.021, name


def test_what_was_keyed_stays(blender, line):
    head = blender.add_head()
    head.keyframe_insert(f'["{JAW}"]', frame=1)
    own = head.animation_data.action
    speak(blender, audio=line)
    assert head.animation_data.action is own  # warned about, not touched
    speak(blender, audio=line, seed=2, push_down=True)
    assert head.animation_data.action is None
    assert own.name in [strip.action.name for _, strip in strips(head)]
    assert [name for name, _ in strips(head) if name.startswith("Speech")] == ["Speech", "Speech 2"]
    actions = {strip.action.name for _, strip in strips(head)}
    assert len(actions) == 3


def test_another_take_at_the_same_place_is_neither_seen_nor_heard_twice(blender, line):
    head = blender.add_head()
    for seed in (1, 2):
        speak(blender, audio=line, seed=seed, add_sound=True)
    takes = blender.module("perform.regenerate").takes(head, blender.scene.frame_current)
    assert [strip.mute for strip in takes] == [True, False]
    (sound,) = blender.scene.sequence_editor.strips_all
    assert not sound.mute
    speak(blender, audio=line, frame=1000, add_sound=True)  # elsewhere, both are left alone
    assert [strip.mute for _, strip in strips(head)].count(False) == 2
    assert [strip.mute for strip in blender.scene.sequence_editor.strips_all] == [False, False]


def test_a_take_is_shown_with_its_own_sound(blender, line, tmp_path):
    """Two recordings at one place: only the one whose take is shown is heard."""
    head = blender.add_head()
    other = tmp_path / "other.flac"
    shutil.copyfile(line, other)
    for path in (line, other):
        speak(blender, audio=str(path), add_sound=True)
    first, second = blender.module("perform.regenerate").takes(head, blender.scene.frame_current)

    def heard():
        return [strip.sound.filepath for strip in blender.scene.sequence_editor.strips_all if not strip.mute]

    assert heard() == [str(other)] and first.mute
    assert blender.bpy.ops.mien.show_take(strip=first.name) == {"FINISHED"}
    assert heard() == [str(Path(line).resolve())] and second.mute


def test_a_trimmed_strip_is_spoken_as_it_is_trimmed(blender, tmp_path):
    """Silence, then a vowel-like buzz: with the silence trimmed off, the mouth opens at the strip's own start."""
    head = blender.add_head()
    scene = blender.scene
    scene.render.fps = 24
    rate = 16000
    time = np.arange(rate * 3) / rate
    buzz = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 20)) * (time > 1.5) * 0.2
    path = tmp_path / "buzz.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes((buzz * 32767).astype("<i2").tobytes())
    editor = scene.sequence_editor_create()
    strip = editor.strips.new_sound(name="Buzz", filepath=str(path), channel=1, frame_start=1)
    if hasattr(strip, "left_handle_offset"):
        strip.left_handle_offset = 36
    else:
        strip.frame_offset_start = 36
    speak(blender, source="STRIP", strip="Buzz")
    ((_, made),) = strips(head)
    assert made.frame_start == 37
    assert made.frame_end == pytest.approx(73, abs=1.5)  # three seconds less one and a half


def test_one_undo_step(blender, line):
    bpy = blender.bpy
    blender.add_head()
    bpy.ops.ed.undo_push(message="before")
    speak(blender, audio=line)
    bpy.ops.ed.undo_push(message="spoken")
    bpy.ops.ed.undo()
    head = bpy.data.objects["Ada"]
    assert head.animation_data is None or not len(head.animation_data.nla_tracks)


@pytest.mark.parametrize("wanted, said", [
    ({"audio": "/nowhere/line.wav"}, "does not exist"),
    ({"source": "LINE", "line": "  "}, "nothing to say"),
    ({"source": "STRIP", "strip": "None"}, "no sound strip"),
])  # fmt: skip
def test_what_cannot_be_spoken_is_said_and_changes_nothing(blender, wanted, said):
    head = blender.add_head()
    actions = len(blender.bpy.data.actions)
    with pytest.raises(RuntimeError, match=said):
        blender.bpy.ops.mien.speak(**wanted)
    assert len(blender.bpy.data.actions) == actions and not strips_or_none(head)


def strips_or_none(head):
    return head.animation_data is not None and len(head.animation_data.nla_tracks)
