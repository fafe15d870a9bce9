"""Directing a performance: locks, takes, sync, captures in and out."""

import json
from pathlib import Path

import numpy as np
import pytest

JAW, BROW, BLINK = "AU26 Jaw Drop", "AU01 Inner Brow Raiser.L", "AU45 Blink.L"


@pytest.fixture(scope="module")
def line(installed, tmp_path_factory):
    """The first three seconds of the line that ships with Mien."""
    import aud

    (sound,) = (Path(installed("addon.session").ROOT) / "engine" / "speech" / "lines").glob("*.flac")
    path = tmp_path_factory.mktemp("sound") / "line.wav"
    sound = aud.Sound(str(sound)).limit(0.0, 3.0)
    sound.write(str(path), aud.RATE_16000, aud.CHANNELS_MONO, aud.FORMAT_S16, aud.CONTAINER_WAV, aud.CODEC_PCM, 0, 4096)
    return str(path)


@pytest.fixture
def spoken(blender, line):
    """A head that speaks from frame 11 at 24 frames a second."""
    head = blender.add_head()
    blender.scene.render.fps = 24
    assert blender.bpy.ops.mien.speak(audio=line, frame=11, set_range=True) == {"FINISHED"}
    blender.scene.frame_set(30)
    return head


def strips(head, name="Speech"):
    return [strip for track in head.animation_data.nla_tracks if track.name.startswith(name) for strip in track.strips]


def curves_of(blender, strip):
    return blender.module("perform.sample").fcurves(strip.action, strip.action_slot)


def keys(curve):
    return [
        (*point.co, *(round(x, 4) for x in (*point.handle_left, *point.handle_right)), point.interpolation)
        for point in curve.keyframe_points
    ]


def test_sampling_agrees_with_blenders_own_evaluation(blender, spoken):
    """Two takes, a mood on top, an active Action above it and a channel that merely rests somewhere else."""
    bpy = blender.bpy
    assert bpy.ops.mien.emotion(source="LABEL", label="anger", over="FRAMES", start=20, end=50) == {"FINISHED"}
    spoken[JAW] = 0.3
    spoken.keyframe_insert(f'["{JAW}"]', frame=25)
    spoken[JAW] = 0.6
    spoken.keyframe_insert(f'["{JAW}"]', frame=45)
    blender.pose(spoken, {"AU34 Puff.L": 0.25})
    frames = np.arange(5, 100, 7)
    made = blender.module("perform.sample").of_object(spoken, frames)
    for index, frame in enumerate(frames):
        blender.scene.frame_set(int(frame))
        evaluated = blender.evaluated(spoken)
        for name, values in made.items():
            assert values[index] == pytest.approx(evaluated[name], abs=2e-4), (name, frame)
    assert {JAW, "AU34 Puff.L", "AU04 Brow Lowerer.L"} <= set(made)


def test_locked_channels_and_frames_keep_their_keys_and_the_rest_is_another_take(blender, spoken):
    bpy = blender.bpy
    (first,) = strips(spoken)
    before = {name: keys(curve) for name, curve in curves_of(blender, first).items()}
    assert bpy.ops.mien.lock(channel=BLINK) == {"FINISHED"}
    spoken.mien_locks.use_range, spoken.mien_locks.start, spoken.mien_locks.end = True, 40, 60
    assert bpy.ops.mien.regenerate() == {"FINISHED"}
    old, new = strips(spoken)
    assert old.mute and not new.mute and old.action != new.action
    after = curves_of(blender, new)
    assert {name: keys(curve) for name, curve in curves_of(blender, old).items()} == before
    assert keys(after[BLINK]) == before[BLINK]
    assert keys(after["AU45 Blink.R"]) == before["AU45 Blink.R"]
    for name, rows in before.items():
        within = [row for row in rows if 40 <= row[0] <= 60]
        found = [row for row in keys(after[name]) if 40 <= row[0] <= 60] if name in after else []
        assert found == within, name
        for frame in np.arange(40, 60.5, 0.5):
            was, now = curves_of(blender, old)[name].evaluate(frame), after[name].evaluate(frame)
            assert now == pytest.approx(was, abs=1e-6), (name, frame)
    free = [abs(after[name].evaluate(frame) - curves_of(blender, old)[name].evaluate(frame))
            for name in after if name in before for frame in range(62, 82)]  # fmt: skip
    assert max(free) > 0.01


def test_everything_locked_comes_back_as_it_was(blender, spoken):
    (first,) = strips(spoken)
    before = {name: keys(curve) for name, curve in curves_of(blender, first).items()}
    blender.bpy.ops.mien.lock(zone="all")
    assert blender.bpy.ops.mien.regenerate(seed=99) == {"FINISHED"}
    assert {name: keys(curve) for name, curve in curves_of(blender, strips(spoken)[1]).items()} == before


def test_takes_can_be_switched(blender, spoken):
    blender.bpy.ops.mien.regenerate(seed=3)
    old, new = strips(spoken)
    assert [strip.mute for strip in (old, new)] == [True, False]
    assert blender.bpy.ops.mien.show_take(strip=old.name) == {"FINISHED"}
    assert [strip.mute for strip in (old, new)] == [False, True]
    with pytest.raises(RuntimeError, match="no take"):
        blender.bpy.ops.mien.show_take(strip="Nothing")


def test_sync_is_scored_marked_and_cleared(blender, spoken):
    bpy, scene = blender.bpy, blender.scene
    scene.timeline_markers.new("Mine", frame=3)
    assert bpy.ops.mien.check_sync() == {"FINISHED"}
    good = blender.module("perform.sync").result(spoken)
    assert good["score"] > 0.5 and abs(good["offset"]) < 1 / 24
    (strip,) = strips(spoken)
    strip.action_frame_start -= 6  # a quarter of a second late: the Action begins later in the strip
    strip.action_frame_end -= 6
    strip.frame_start, strip.frame_end = 11, 11 + (strip.action_frame_end - strip.action_frame_start)
    strip.action["mien_start"] = strip.action_frame_start  # the sound stays where it was
    assert bpy.ops.mien.check_sync() == {"FINISHED"}
    late = blender.module("perform.sync").result(spoken)
    assert late["offset"] == pytest.approx(0.25, abs=1 / 24) and late["score"] < 0.4 < good["score"]
    assert late["worst"] and any(marker.name.startswith("Mien Sync") for marker in scene.timeline_markers)
    assert bpy.ops.mien.clear_sync() == {"FINISHED"}
    assert [marker.name for marker in scene.timeline_markers] == ["Mine"]


def noisy_action(blender, head):
    """Keys on every frame, as captures have them: a slow swing of the jaw under jitter."""
    rng = np.random.default_rng(3)
    truth = 0.3 + 0.25 * np.sin(np.arange(60) / 6)
    for frame, value in enumerate(truth + 0.02 * rng.standard_normal(60)):
        head[JAW] = float(value)
        head.keyframe_insert(f'["{JAW}"]', frame=1 + frame)
    return truth


def test_clean_up_makes_a_new_take_and_leaves_the_artists_keys(blender):
    head = blender.add_head()
    truth = noisy_action(blender, head)
    own = head.animation_data.action
    (curve,) = blender.module("perform.sample").fcurves(own, head.animation_data.action_slot).values()
    before = keys(curve)
    assert blender.bpy.ops.mien.clean_up(strength=1.0) == {"FINISHED"}
    assert head.animation_data.action is own and keys(curve) == before and curve.mute
    assert len(strips(head, "Capture")) == 1
    values = []
    for frame in range(1, 61):
        blender.scene.frame_set(frame)
        values.append(blender.evaluated(head)[JAW])
    noisy = np.array([point[1] for point in before])
    assert np.std(np.diff(values, 3)) < 0.5 * np.std(np.diff(noisy, 3))
    assert np.abs(np.array(values) - truth).mean() < np.abs(noisy - truth).mean()


def test_a_capture_comes_in_on_a_track_of_its_own(blender, tmp_path):
    head = blender.add_head()
    blender.scene.render.fps = 30
    jaw = [round(0.4 + 0.3 * float(np.sin(k / 5)), 4) for k in range(60)]
    frames = [{"jawOpen": value, "browInnerUp": 0.2} for value in jaw]
    path = tmp_path / "take.json"
    path.write_text(json.dumps({"fps": 30, "frames": frames}), encoding="utf-8")
    assert blender.bpy.ops.mien.import_capture(filepath=str(path), frame=11, strength=0.0) == {"FINISHED"}
    (strip,) = strips(head, "Capture")
    assert strip.frame_start == 11 and strip.frame_end == pytest.approx(70)
    for frame in (11, 30, 60):
        blender.scene.frame_set(frame)
        assert blender.evaluated(head)[JAW] == pytest.approx(jaw[frame - 11], abs=0.021)
        assert blender.evaluated(head)[BROW] == pytest.approx(0.2, abs=0.021)


@pytest.mark.parametrize("form, name", [("livelink", "out.csv"), ("arkit", "out.json"), ("mien", "curves.json")])
def test_curves_go_out_and_come_back(blender, tmp_path, form, name):
    head = blender.add_head()
    scene = blender.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 30, 1, 40
    head[JAW] = 0.1
    head.keyframe_insert(f'["{JAW}"]', frame=1)
    head[JAW] = 0.8
    head.keyframe_insert(f'["{JAW}"]', frame=40)
    assert blender.bpy.ops.mien.export_curves(filepath=str(tmp_path / name), form=form) == {"FINISHED"}
    assert (tmp_path / name).stat().st_size > 500
    other = blender.add_head()
    assert blender.bpy.ops.mien.import_capture(filepath=str(tmp_path / name), frame=1, strength=0.0) == {"FINISHED"}
    assert other is not head and strips(other, "Capture")
    for frame in (1, 20, 40):
        scene.frame_set(frame)
        there, back = (blender.evaluated(obj)[JAW] for obj in (head, other))
        assert back == pytest.approx(there, abs=0.022)


@pytest.mark.parametrize("operator, wanted, said", [
    ("import_capture", {"filepath": "/nowhere/take.csv"}, "not a file"),
    ("clean_up", {}, "nothing to clean up"),
    ("check_sync", {}, "no sound to compare with"),
])  # fmt: skip
def test_what_cannot_be_done_is_said_and_changes_nothing(blender, operator, wanted, said):
    head = blender.add_head()
    actions = len(blender.bpy.data.actions)
    with pytest.raises(RuntimeError, match=said):
        getattr(blender.bpy.ops.mien, operator)(**wanted)
    data = head.animation_data
    assert len(blender.bpy.data.actions) == actions and (data is None or not len(data.nla_tracks))


def test_a_wrong_file_is_named_in_one_sentence(blender, tmp_path):
    blender.add_head()
    path = tmp_path / "take.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="no column Timecode"):
        blender.bpy.ops.mien.import_capture(filepath=str(path))
