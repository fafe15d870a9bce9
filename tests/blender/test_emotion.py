"""Giving a head a mood: added over its speech, understood part by part, and nothing lost."""

import json
from pathlib import Path

import numpy as np
import pytest

SMILE, JAW, PARTS, FROWN = "AU12 Lip Corner Puller.L", "AU26 Jaw Drop", "AU25 Lips Part", "AU04 Brow Lowerer.L"


@pytest.fixture
def head(blender):
    blender.scene.render.fps = 24
    return blender.add_head()


@pytest.fixture
def speaking(blender, head):
    """A head that speaks the line that ships with Mien from frame 11 on: (head, its Speech strip)."""
    (sound,) = (Path(blender.module("session").ROOT) / "engine" / "speech" / "lines").glob("*.flac")
    text = blender.module("perform.lines").text()
    assert blender.bpy.ops.mien.speak(audio=str(sound), text=text, frame=11) == {"FINISHED"}
    return head, strips(head)["Speech"]


def mood(blender, **wanted):
    assert blender.bpy.ops.mien.emotion(**wanted) == {"FINISHED"}


def strips(head):
    return {track.name: strip for track in head.animation_data.nla_tracks for strip in track.strips}


def track_names(head):
    return [track.name for track in head.animation_data.nla_tracks]


def sampled(blender, head, frames, *names):
    """{channel: [T]} as Blender evaluates them."""
    rows = []
    for frame in frames:
        blender.scene.frame_set(int(frame), subframe=float(frame) % 1)
        found = blender.evaluated(head)
        rows.append([found[name] for name in names])
    return dict(zip(names, np.array(rows).T, strict=True))


def test_a_mood_is_added_over_the_speech(blender, speaking):
    head, speech = speaking
    frames = np.arange(11, int(speech.frame_end))
    before = sampled(blender, head, frames, JAW, SMILE, FROWN)
    mood(blender, text="furious")
    found = strips(head)
    assert track_names(head) == ["Speech", "Emotion"] and found["Emotion"].blend_type == "ADD"
    assert (found["Emotion"].frame_start, found["Emotion"].frame_end) == (speech.frame_start, speech.frame_end)
    after = sampled(blender, head, frames, JAW, SMILE, FROWN)
    assert (after[FROWN] - before[FROWN])[-10:].min() > 0.5
    assert np.corrcoef(before[JAW], after[JAW])[0, 1] > 0.95, "the jaw still speaks"
    bag = blender.module("compat").channelbag(found["Emotion"].action, found["Emotion"].action_slot)
    assert {"Brows", "Mouth"} <= {group.name for group in bag.groups}


def test_what_is_evaluated_is_speech_plus_the_engines_curve_and_lips_stay_shut(blender, speaking):
    head, speech = speaking
    blender.scene.frame_set(11)
    line = blender.module("emotion.line")
    words, phones = line.spoken(head, speech.frame_start, speech.frame_end, 24.0)
    seconds = (speech.frame_end - speech.frame_start) / 24
    wanted = {"text": "screaming with rage", "fps": 24.0, "duration": seconds, "words": words, "phones": phones}
    reply = blender.module("session").running().call("emotion", wanted)
    curve = blender.contract("curves").from_json(reply["curves"], "reply")
    frames = 11 + np.arange(len(curve.values) - 1)
    before = sampled(blender, head, frames, PARTS, JAW)
    mood(blender, text="screaming with rage", strength=1.0)
    after = sampled(blender, head, frames, PARTS, JAW)
    for name in (PARTS, JAW):
        added = curve.values[:-1, curve.channels.index(name)]
        assert np.abs(after[name] - before[name] - added).max() < 0.021
    shut = [(start + end) / 2 for symbol, start, end in phones if symbol in "pbm"]
    assert shut
    for time in shut:
        place = 11 + time * 24
        (opened,) = sampled(blender, head, [place], PARTS)[PARTS]
        nla = head.animation_data.nla_tracks["Emotion"]
        nla.mute = True
        (spoken,) = sampled(blender, head, [place], PARTS)[PARTS]
        nla.mute = False
        assert opened - spoken < 0.05, f"lips part by {opened - spoken:.2f} more at {time:.2f} s"


def test_words_and_phones_follow_the_strip(blender, speaking):
    """Moved, stretched and trimmed in the NLA: times are what is heard in the scene."""
    head, speech = speaking
    line = blender.module("emotion.line")
    words, _ = line.spoken(head, 11, speech.frame_end, 24.0)
    stored = json.loads(speech.action["mien_words"])
    assert [row[1] for row in words] == pytest.approx([row[1] for row in stored], abs=1e-4)
    length = speech.frame_end - speech.frame_start
    speech.frame_end += 100
    speech.frame_start += 100
    speech.scale = 2.0
    later, _ = line.spoken(head, 111, 111 + 2 * length, 24.0)
    assert [row[1] for row in later] == pytest.approx([2 * row[1] for row in words], abs=0.02)
    assert line.spoken(head, 11, 60, 24.0) == ([], [])
    only, _ = line.spoken(head, 111 + 2 * 24 * words[1][1], 111 + 2 * length, 24.0)
    assert [row[0] for row in only] == [row[0] for row in words[1:]] and only[0][1] == pytest.approx(0, abs=0.02)
    head.animation_data.nla_tracks["Speech"].mute = True
    assert line.spoken(head, 111, 111 + 2 * length, 24.0) == ([], [])


def test_a_word_of_the_line_can_be_named(blender, speaking):
    head, speech = speaking
    word, begin, _ = json.loads(speech.action["mien_words"])[2]
    mood(blender, text=f"calm, but disgusted while she says '{word}'")
    parts, _ = blender.module("emotion.takes").reading(strips(head)["Emotion"])
    (felt,) = [part for part in parts if "disgust" in part.what]
    assert felt.start == pytest.approx(11 + begin * 24, abs=6)
    assert felt.source[:63] in strips(head)["Emotion"].action.pose_markers


def test_former_takes_are_muted_or_kept_and_never_lost(blender, speaking):
    head, _ = speaking
    mood(blender, text="happy")
    mood(blender, text="sad")
    found = strips(head)
    assert set(found) == {"Speech", "Emotion", "Emotion 2"}
    assert found["Emotion"].mute and not found["Emotion 2"].mute
    mood(blender, label="surprise", source="LABEL", strength=0.4, former="KEEP")
    found = strips(head)
    assert not found["Emotion 2"].mute and not found["Emotion 3"].mute
    assert len({strip.action.name for strip in found.values()}) == 4


def test_speech_that_comes_later_lies_below(blender, head):
    """A mood first, then the line, then another take of the line: the mood is added to both."""
    blender.scene.frame_end = 60
    mood(blender, label="happiness", source="LABEL", over="SCENE")
    (sound,) = (Path(blender.module("session").ROOT) / "engine" / "speech" / "lines").glob("*.flac")
    for seed in (0, 1):
        blender.bpy.ops.mien.speak(audio=str(sound), seed=seed)
    assert track_names(head) == ["Speech", "Speech 2", "Emotion"]
    assert sampled(blender, head, [40], SMILE)[SMILE][0] > 0.5


def test_the_last_frame_stays_or_fades(blender, head):
    mood(blender, source="VA", valence=0.9, arousal=0.3, over="FRAMES", start=10, end=34)
    peak, later = sampled(blender, head, [34, 90], SMILE)[SMILE]
    assert later == pytest.approx(peak) and peak > 0.3
    mood(blender, source="VA", valence=0.9, arousal=0.3, over="FRAMES", start=10, end=34, after="FADE")
    peak, half, gone = sampled(blender, head, [34, 44, 60], SMILE)[SMILE]
    assert 0.1 * peak < half < 0.9 * peak and gone == 0


def test_strength_and_scene_range(blender, head):
    blender.scene.frame_start, blender.scene.frame_end = 5, 53
    mood(blender, text="a big smile", over="SCENE", strength=0.4)
    strip = strips(head)["Emotion"]
    assert (strip.frame_start, strip.frame_end) == (5, 53)
    faint = sampled(blender, head, [40], SMILE)[SMILE][0]
    mood(blender, text="a big smile", over="SCENE")
    assert sampled(blender, head, [40], SMILE)[SMILE][0] > 1.8 * faint > 0.1


def test_what_was_keyed_stays(blender, head):
    head.keyframe_insert(f'["{SMILE}"]', frame=1)
    own = head.animation_data.action
    mood(blender, text="happy", over="SCENE")
    assert head.animation_data.action is own  # warned about, not touched
    mood(blender, text="happy", over="SCENE", push_down=True)
    assert head.animation_data.action is None
    assert own.name in [strip.action.name for strip in strips(head).values()]


def test_one_undo_step(blender, head):
    bpy = blender.bpy
    mood(blender, text="happy", over="SCENE")
    bpy.ops.ed.undo_push(message="before")
    mood(blender, text="sad", over="SCENE")
    bpy.ops.ed.undo_push(message="sad")
    bpy.ops.ed.undo()
    (strip,) = strips(bpy.data.objects["Ada"]).values()
    assert not strip.mute and strip.action["mien_direction"] == "happy"


def test_what_was_not_understood_is_kept_with_the_take(blender, head):
    mood(blender, text="happy, wearing a purple hat", over="SCENE")
    parts, notes = blender.module("emotion.takes").reading(strips(head)["Emotion"])
    assert [part.source for part in parts] and any("purple" in note or "hat" in note for note in notes)


@pytest.mark.parametrize("wanted, said", [
    ({"text": "  "}, "no direction"),
    ({"text": "qwertz asdfgh", "over": "SCENE"}, "“qwertz asdfgh” names a feeling.*say it in other words"),
    ({"source": "LABEL", "label": "chartreuse"}, "chartreuse"),
    ({"text": "happy", "over": "FRAMES", "start": 10, "end": 10}, "more frames"),
    ({"text": "x" * 30_000}, "characters"),
])  # fmt: skip
def test_what_is_no_mood_is_said_and_changes_nothing(blender, head, wanted, said):
    actions = len(blender.bpy.data.actions)
    with pytest.raises(RuntimeError, match=said):
        blender.bpy.ops.mien.emotion(**wanted)
    assert len(blender.bpy.data.actions) == actions
    assert head.animation_data is None or not len(head.animation_data.nla_tracks)


def test_without_a_head_the_button_says_why(blender):
    with pytest.raises(RuntimeError, match="Select a Mien head"):
        blender.bpy.ops.mien.emotion(text="happy")


# ── what a mood can come from ────────────────────────────────────────────────────────────────────────────────────────


def peak(strip, channel):
    bag = strip.action.layers[0].strips[0].channelbag(strip.action_slot)
    curve = bag.fcurves.find(f'["{channel}"]')
    return 0.0 if curve is None else max(point.co[1] for point in curve.keyframe_points)


def test_the_voice_of_the_line_gives_a_mood(blender, speaking):
    head, _ = speaking
    mood(blender, source="VOICE")
    assert "voice" in strips(head)["Emotion"].action["mien_direction"]
    _, notes = blender.module("emotion.takes").reading(strips(head)["Emotion"])
    assert isinstance(notes, list)


def test_another_heads_smile_is_an_example(blender, head):
    other = blender.add_head()
    for frame, value in ((1, 0.0), (12, 1.0)):
        for channel in (SMILE, SMILE[:-1] + "R", "AU06 Cheek Raiser.L", "AU06 Cheek Raiser.R"):
            other[channel] = value
            other.keyframe_insert(f'["{channel}"]', frame=frame)
    blender.bpy.context.view_layer.objects.active = head
    mood(blender, source="EXAMPLE", example=other.name, over="FRAMES", start=1, end=48)
    assert peak(strips(head)["Emotion"], SMILE) > 0.4
    assert peak(strips(head)["Emotion"], FROWN) < 0.3 * peak(strips(head)["Emotion"], SMILE)


def test_a_mix_has_something_of_each(blender, head):
    mood(blender, source="MIX", text="furious", mix_text=0.6, label="happiness", mix_label=0.4, over="FRAMES", start=1,
         end=60)  # fmt: skip
    strip = strips(head)["Emotion"]
    assert peak(strip, FROWN) > 0.15 and peak(strip, SMILE) > 0.1
    assert "× 0.60" in strip.action["mien_direction"]


@pytest.mark.parametrize("wanted, said", [
    ({"source": "EXAMPLE"}, "no example"),
    ({"source": "EXAMPLE", "example": "Ada"}, "moves no channel"),
    ({"source": "VOICE"}, "no Speech strip"),
    ({"source": "VOICE", "voice": "/nowhere.wav"}, "no sound"),
    ({"source": "MIX", "mix_text": 0.0}, "Every weight"),
])  # fmt: skip
def test_what_gives_no_feeling_is_said(blender, head, wanted, said):
    with pytest.raises(RuntimeError, match=said):
        blender.bpy.ops.mien.emotion(over="SCENE", **wanted)


# ── zones and the pad ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_zone_left_to_speech_gets_no_mood(blender, head):
    head["Priority Brows"] = 0.0
    mood(blender, text="furious", over="FRAMES", start=1, end=48)
    assert peak(strips(head)["Emotion"], FROWN) < 0.02 and peak(strips(head)["Emotion"], "AU07 Lid Tightener.L") > 0.2


def test_a_keyed_priority_is_followed(blender, head):
    for frame, value in ((1, 0.0), (40, 0.0), (60, 0.5)):
        head["Priority Brows"] = value
        head.keyframe_insert('["Priority Brows"]', frame=frame)
    mood(blender, text="furious", over="FRAMES", start=1, end=96)
    strip = strips(head)["Emotion"]
    curve = strip.action.layers[0].strips[0].channelbag(strip.action_slot).fcurves.find(f'["{FROWN}"]')
    assert curve.evaluate(30) < 0.03 < 0.4 < curve.evaluate(90)


def test_an_emotion_before_speech_takes_the_brows_from_it(blender, speaking):
    head, _ = speaking
    brow = "AU02 Outer Brow Raiser.L"
    head["Priority Brows"] = 1.0
    mood(blender, text="furious")
    worst = 0.0
    for frame in range(20, 60, 5):
        blender.scene.frame_set(frame)
        worst = max(worst, abs(float(blender.evaluated(head)[brow])))
    assert worst < 0.05


def test_the_pad_moves_the_head_and_keys_where_that_is_on(blender, head):
    assert blender.bpy.ops.mien.pad_point(valence=-0.7, arousal=0.6) == {"FINISHED"}
    assert (head["Valence"], head["Arousal"]) == pytest.approx((-0.7, 0.6))
    assert blender.bpy.ops.mien.pad_key() == {"FINISHED"}
    (bag,) = blender.module("animate.curves").channelbags(head)
    assert {curve.data_path for curve in bag.fcurves} == {'["Valence"]', '["Arousal"]'}


def test_the_active_heads_priorities_colour_the_zones(blender):
    first, second = blender.add_head(), blender.add_head("Bram")
    first["Priority Mouth"], second["Priority Mouth"] = 0.0, 1.0
    blender.scene.mien_emotion.show_zone = "PRIORITY"
    zones, colours = blender.module("emotion.zones"), []
    for head in (first, second):
        blender.bpy.context.view_layer.objects.active = head
        colours.append(zones.shown(blender.bpy.context)["Mask Mouth"])
    (_, _, speech), (emotion, _, _) = colours
    assert speech == 1.0 and emotion == 1.0 and colours[0] != colours[1]


def test_zones_are_painted_where_their_mask_is(blender):
    zones = blender.module("emotion.zones")
    colour = np.full((4, 4, 4), 0.5, np.float32)
    mask = np.zeros((4, 4, 1), np.float32)
    mask[:2] = 0.5
    painted = zones.painted(colour, {"Mask Mouth": mask}, {"Mask Mouth": (1.0, 0.0, 0.0)})
    assert np.array_equal(painted[2:], colour[2:]) and np.array_equal(painted[..., 3], colour[..., 3])
    assert (painted[:2, :, 0] > painted[:2, :, 1]).all()
