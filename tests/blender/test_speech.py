"""Making a head speak: keys on a track of their own, and nothing lost."""

import json
import shutil
import time
import wave
from pathlib import Path
from types import SimpleNamespace

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


# ── the preview, while a window lives on ─────────────────────────────────────────────────────────────────────────────


class Context:
    """Blender's context with a window that can be told to wait: without a display there is none."""

    def __init__(self, bpy):
        self._context = bpy.context
        self.window, self.screen = None, SimpleNamespace(areas=[])
        deaf = dict.fromkeys(("modal_handler_add", "progress_begin", "progress_end", "progress_update"), print_nothing)
        timers = {"event_timer_add": print_nothing, "event_timer_remove": print_nothing}
        self.window_manager = SimpleNamespace(**deaf, **timers)

    def __getattr__(self, name):
        return getattr(self._context, name)


def print_nothing(*_, **__):
    return True


@pytest.fixture
def window(blender, monkeypatch):
    """`window(operator class, **its properties)` invokes it as in a window; `.step()` is a tick of its timer."""
    jobs = blender.module("jobs")
    monkeypatch.setattr(jobs, "bpy", SimpleNamespace(app=SimpleNamespace(background=False)))
    context, made = Context(blender.bpy), []

    def invoke(operator, **properties):
        parts = {name: part for kind in (jobs.EngineJob, operator) for name, part in vars(kind).items()}
        parts = {name: part for name, part in parts.items() if not name.startswith("__") and name != "bl_rna"}
        known = getattr(blender.bpy.ops.mien, operator.bl_idname.removeprefix("mien.")).get_rna_type().properties
        defaults = {name: known[name].default for name in operator.__annotations__}
        job = type("Job", (), {**defaults, **parts, **properties})()
        job.said = []
        job.report = lambda kind, sentence: job.said.append(sentence)
        job.step = lambda event="TIMER": job.modal(context, SimpleNamespace(type=event, value="PRESS"))
        made.append(job)
        assert job.invoke(context, None) == {"RUNNING_MODAL"}
        return job

    yield invoke
    for job in made:
        if job._ticket is not None:
            job._ticket.cancel()
        jobs._running.discard(type(job).bl_idname)


def until(job, condition, seconds=180.0):
    """Tick until the condition holds or the job is over; what the last tick returned."""
    end = time.monotonic() + seconds
    while not condition() and (result := job.step()) == {"RUNNING_MODAL"}:
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
    return None if condition() else result


def never():
    return False


def previews(blender):
    return [action for action in blender.bpy.data.actions if "mien_preview" in action]


def speak_in(window, blender, line, **properties):
    """A speech under way whose preview shows."""
    job = window(blender.module("perform.operators").MIEN_OT_speak, source="FILE", audio=line, frame=1, **properties)
    until(job, lambda: previews(blender))
    assert previews(blender), job.said
    return job


def test_a_preview_moves_the_face_before_the_keys_come_and_is_replaced_by_them(blender, line, window):
    head = blender.add_head()
    head["AU12 Lip Corner Puller.L"] = 0.25
    job = speak_in(window, blender, line)
    assert not job._ticket.done
    ((name, strip),) = strips(head)
    assert name == "Speech Preview" and strip.action in previews(blender)
    seen = []
    for frame in range(1, 150, 3):
        blender.scene.frame_set(frame)
        seen.append(blender.evaluated(head)[JAW])
    assert max(seen) > 0.1 and np.std(seen) > 0.02
    assert until(job, never) == {"FINISHED"}
    ((name, strip),) = strips(head)
    assert name == "Speech" and not previews(blender)
    assert "preview" not in json.loads(strip.action["mien_request"])
    moved = {curve.data_path for curve in blender.module("compat").channelbag(strip.action, strip.action_slot).fcurves}
    if '["AU12 Lip Corner Puller.L"]' not in moved:
        assert head["AU12 Lip Corner Puller.L"] == 0.25


def fail(job, blender):
    error = blender.module("bridge").EngineError("It failed; try again.", -32001)
    job._ticket.cancel()
    job._ticket = SimpleNamespace(progress=(0.5, ""), done=True, wait=raiser(error), cancel=lambda: None, preview=None)
    assert job.step() == {"CANCELLED"} and job.said == ["It failed; try again."]


def raiser(error):
    def wait(_):
        raise error

    return wait


def escape(job, blender):
    assert job.step("ESC") == {"CANCELLED"}


def leave(job, blender):
    job.cancel(Context(blender.bpy))


def save(job, blender):
    blender.bpy.ops.wm.save_as_mainfile(filepath=str(Path(blender.bpy.app.tempdir) / "saved.blend"), copy=True)


@pytest.mark.parametrize("end", [fail, escape, leave, save])
def test_a_preview_leaves_no_trace(blender, line, window, end):
    head = blender.add_head()
    names = blender.contract("channels").NAMES
    head[JAW], head["AU12 Lip Corner Puller.L"] = 0.3, 0.2
    before, tracked = {name: head[name] for name in names}, head.animation_data is not None
    job = speak_in(window, blender, line)
    blender.scene.frame_set(40)
    assert head[JAW] != 0.3
    head["AU12 Lip Corner Puller.L"] = 0.77  # the artist's, meanwhile
    end(job, blender)
    assert not previews(blender) and not strips_or_none(head)
    assert (head.animation_data is not None) == tracked
    assert {name: head[name] for name in names} == {**before, "AU12 Lip Corner Puller.L": 0.77}


def test_an_undo_step_brings_no_preview_back(blender, line, window):
    bpy = blender.bpy
    blender.add_head()
    bpy.ops.ed.undo_push(message="before")
    job = speak_in(window, blender, line)
    bpy.ops.ed.undo_push(message="something done meanwhile")
    job.step("ESC")
    bpy.ops.ed.undo_push(message="something done after it")
    bpy.ops.ed.undo()
    assert not previews(blender) and not strips_or_none(bpy.data.objects["Ada"])


def test_a_head_renamed_meanwhile_speaks_all_the_same(blender, line, window):
    head = blender.add_head()
    job = speak_in(window, blender, line)
    head.name = "Grace"
    assert until(job, never) == {"FINISHED"}, job.said
    ((name, strip),) = strips(head)
    assert name == "Speech" and strip.action.name == "Grace Speech"


def test_another_takes_preview_plays_over_the_speech_and_leaves_the_artists_keys(blender, line, window):
    head = blender.add_head()
    speak(blender, audio=line, frame=1)
    ((_, spoken),) = strips(head)
    keys = {curve.data_path: [tuple(point.co) for point in curve.keyframe_points]
            for curve in blender.module("compat").channelbag(spoken.action, spoken.action_slot).fcurves}  # fmt: skip
    blender.scene.frame_set(20)
    blender.bpy.ops.mien.lock(channel=JAW)
    job = window(blender.module("perform.regenerate").MIEN_OT_regenerate, seed=5)
    until(job, lambda: previews(blender))
    assert [name for name, _ in strips(head)] == ["Speech", "Speech Preview"]
    assert strips(head)[1][1].frame_end == spoken.frame_end
    shown = blender.module("compat").channelbag(previews(blender)[0], previews(blender)[0].slots[0]).fcurves
    assert len(shown) > 10 and f'["{JAW}"]' not in [curve.data_path for curve in shown], "what is locked stays as it is"
    job.step("ESC")
    assert strips(head) == [("Speech", spoken)] and not previews(blender)
    bag = blender.module("compat").channelbag(spoken.action, spoken.action_slot)
    assert {curve.data_path: [tuple(point.co) for point in curve.keyframe_points] for curve in bag.fcurves} == keys


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
