"""One space of feelings: words, voice, label, example and valence–arousal, alone or mixed."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.__main__ import main
from engine.contract import channels as contract
from engine.contract import curves as curve_file
from engine.contract.curves import Curves
from engine.contract.errors import MienError
from engine.emotion import condition, space, voice
from engine.emotion.combine import combine, yielded
from engine.emotion.command import from_labels
from engine.emotion.sources import Given, feel
from engine.emotion.tables import emotions
from engine.speech.sound import SPEECH_RATE, Sound

ANGER = condition.DIMENSIONS.index("anger")
HAPPINESS = condition.DIMENSIONS.index("happiness")


def strongest(track):
    vectors, _ = space.decode(track)
    return vectors[np.abs(vectors).sum(axis=1).argmax()]


def tone(pitch, seconds=3.0, sway=0.0, bright=0.05):
    """A voice-like buzz: harmonics of a pitch that sways by semitones, in bursts of four a second."""
    times = np.arange(int(seconds * SPEECH_RATE)) / SPEECH_RATE
    hertz = pitch * 2 ** (sway / 12 * np.sin(2 * np.pi * 0.7 * times))
    phase = 2 * np.pi * np.cumsum(hertz) / SPEECH_RATE
    buzz = sum(np.sin(k * phase) * (1.0 / k if k < 12 else bright) for k in range(1, 30))
    bursts = np.clip(1.4 * np.sin(2 * np.pi * 2 * times) ** 2, 0.02, 1)
    samples = (0.1 * buzz * bursts).astype(np.float32)
    samples[: SPEECH_RATE // 4] = 0
    return Sound(samples, SPEECH_RATE)


@pytest.mark.parametrize("name", condition.LABELS)
def test_a_label_an_example_of_it_and_its_words_lie_together(name):
    words = {"anger": "furious", "disgust": "disgusted", "fear": "terrified", "happiness": "happy", "sadness": "sad",
             "surprise": "surprised", "contempt": "contemptuous"}  # fmt: skip
    example = space.from_motion(from_labels([(name, 1.0)]).curves)
    text = space.from_text(words[name], model=False)
    at = len(example.strength) // 2
    table = {label: space.from_label(label).direction[-1] for label in condition.LABELS}
    for vector in (example.direction[at], text.direction[at]):
        assert max(table, key=lambda label: float(vector @ table[label])) == name


@pytest.mark.parametrize("name", condition.LABELS)
def test_a_label_is_decoded_to_itself(name):
    vector = strongest(space.from_label(name, 1.0))
    assert condition.LABELS[int(vector[2:].argmax())] == name
    assert np.abs(vector[:2] - condition.label(name)[:2]).max() < 0.25


def test_strength_is_kept():
    weak, strong = (strongest(space.from_label("anger", amount))[ANGER] for amount in (0.3, 1.0))
    assert 0.1 < weak < 0.5 < strong


def test_a_mix_has_both():
    mixed = space.mix([(0.5, space.from_label("anger")), (0.5, space.from_label("happiness"))])
    vector = strongest(mixed)
    assert vector[ANGER] > 0.2 and vector[HAPPINESS] > 0.2
    mostly = strongest(space.mix([(0.9, space.from_label("anger")), (0.1, space.from_label("happiness"))]))
    assert mostly[ANGER] > vector[ANGER]


def test_around_the_pad_the_layer_is_continuous():
    angles = np.linspace(0, 2 * np.pi, 90)
    faces = []
    for angle in angles:
        track = space.from_va([(float(np.cos(angle)), float(np.sin(angle)))], duration=1.0, fps=4)
        faces.append(space.decode(track)[1][-1])
    assert np.abs(np.diff(faces, axis=0)).max() < 0.25


def test_a_stirred_voice_is_heard_as_aroused():
    calm, stirred = tone(100, sway=0.5, bright=0.003), tone(190, sway=7, bright=0.06)
    assert voice.listen(stirred).arousal.max() > voice.listen(calm).arousal.max() + 0.4


def test_the_voices_valence_comes_from_its_words():
    sound = tone(170, sway=5)
    glad, sorry = (strongest(space.from_voice(sound, text, model=False))[0]
                   for text in ("I am so happy and full of joy", "I am sad and full of grief"))  # fmt: skip
    assert glad > sorry + 0.3


def test_silence_has_no_feeling_and_says_so():
    quiet = Sound(np.zeros(SPEECH_RATE, np.float32), SPEECH_RATE)
    with pytest.raises(MienError, match="no voice"):
        space.from_voice(quiet)


def test_a_layer_of_a_mix_is_a_face():
    given = Given(text="furious", labels=[("sadness", 0.8)], weights={"text": 0.6, "label": 0.4})
    feeling = feel(given, meaning=False, duration=4.0)
    assert feeling.vectors.shape == (len(feeling.curves.values), 9)
    values = dict(zip(feeling.curves.channels, feeling.curves.values.max(axis=0), strict=True))
    assert values["AU04 Brow Lowerer.L"] > 0.3
    assert any("together" in line for line in feeling.lines())


@pytest.mark.parametrize("given, said", [
    (Given(), "nothing to take"),
    (Given(text="happy", weights={"voice": 1}), "no source 'voice'"),
    (Given(text="happy", weights={"audio": 1}), "not given"),
    (Given(text="happy", labels=[("anger", 1)], weights={"text": 0, "label": 0}), "above 0"),
    (Given(text="happy", labels=[("bliss & co", 1)]), "no emotion label"),
])  # fmt: skip
def test_what_cannot_be_mixed_is_said(given, said):
    with pytest.raises(MienError, match=said):
        feel(given, meaning=False)


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_place(text):
    track = space.from_text(text, model=False, fps=10, duration=1.0)
    vectors, faces = space.decode(track)
    assert np.isfinite(faces).all() and np.array_equal(vectors, condition.clip(vectors))


@settings(max_examples=20, deadline=None)
@given(arrays(np.float64, (6, 3), elements=st.floats(-1e9, 1e9)))
def test_any_motion_has_a_place(values):
    curves = Curves(24.0, ("AU12 Lip Corner Puller.L", "Head Yaw", "Valence"), values)
    layer = space.layer(space.from_motion(curves)).dense()
    assert np.isfinite(layer).all() and np.array_equal(layer, contract.clamp(layer))


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, 2, elements=st.floats(-1, 1)))
def test_any_point_has_a_place(point):
    vectors, faces = space.decode(space.from_va([tuple(point)], fps=4, duration=0.5))
    assert np.isfinite(vectors).all() and faces.max(initial=0) < 2


def test_the_command_mixes_and_writes(tmp_path, capsys):
    example, out, vectors = tmp_path / "smile.json", tmp_path / "mood.json", tmp_path / "vectors.json"
    curve_file.save(from_labels([("happiness", 1.0)]).curves, example)
    arguments = ["emotion", "--no-model", "--example", str(example), "--va", "-0.6,0.6", "--mix", "example=0.5,va=0.5"]
    assert main([*arguments, "--out", str(out), "--vectors", str(vectors)]) == 0
    assert curve_file.load(out).channels and "together" in capsys.readouterr().out
    content = json.loads(vectors.read_text())
    assert content["dimensions"] == list(condition.DIMENSIONS) and len(content["values"][0]) == 9


@pytest.mark.parametrize("mix", ["text", "text=much", "text=1,voice=1", "=3"])
def test_a_mix_that_is_none_is_said(mix, capsys):
    assert main(["emotion", "--no-model", "--text", "happy", "--mix", mix]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_weights_are_small():
    assert space.WEIGHTS.stat().st_size < 3e6
    assert space.weights()["label"].shape == (len(space.labels()), space.SIZE)
    assert len(space.labels()) == len(emotions()) - 1


# ── zones ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SPEECH = Curves(24.0, ("AU02 Outer Brow Raiser.L", "AU26 Jaw Drop"), np.full((48, 2), 0.4))
SCOWL = Curves(24.0, ("AU04 Brow Lowerer.L",), np.full((48, 1), 0.8))


def test_a_zones_priority_can_change_over_time():
    ramp = np.linspace(0, 1, 48)
    both = combine(SPEECH, SCOWL, [], {"brows": ramp})
    brows = dict(zip(both.channels, both.values.T, strict=True))
    assert brows["AU04 Brow Lowerer.L"][0] == 0 and brows["AU04 Brow Lowerer.L"][-1] == pytest.approx(0.8)
    assert brows["AU02 Outer Brow Raiser.L"][0] == pytest.approx(0.4) and brows["AU02 Outer Brow Raiser.L"][-1] < 1e-9
    assert np.allclose(brows["AU26 Jaw Drop"], 0.4)


def test_speech_gives_up_nothing_in_mouth_and_jaw():
    row = yielded(SPEECH.dense(), {"mouth": 1.0, "jaw_tongue": 1.0, "brows": 0.5})
    assert np.abs(row).max() == 0


@pytest.mark.parametrize("priority", [{"brows": []}, {"brows": [0.5, 2.0]}, {"ears": 0.5}, {"brows": [[0.5]]}])
def test_a_priority_out_of_range_is_said(priority):
    with pytest.raises(MienError, match="each from 0 to 1"):
        combine(SPEECH, SCOWL, [], priority)
