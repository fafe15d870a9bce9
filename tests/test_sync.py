"""The sync network: it hears whether a mouth fits a sound, and by how much it is off."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from engine.__main__ import main
from engine.contract import curves as curve_files
from engine.contract.curves import Curves
from engine.contract.errors import MienError
from engine.motion import articulation
from engine.speech import lines, sound
from engine.speech.prosody import measure
from engine.sync import features, network

FPS = 30.0


@pytest.fixture(scope="module")
def spoken():
    """The shipped line and its mouth by the articulatory layer."""
    heard = sound.read(lines.SOUND)
    times = np.arange(int(heard.duration * FPS) + 1) / FPS
    values = articulation.articulate(lines.phones(), measure(heard), times)
    return heard, Curves(FPS, articulation.CHANNELS, values)


def late(curves: Curves, frames: int) -> Curves:
    values = np.roll(curves.values, frames, axis=0)
    return Curves(curves.fps, curves.channels, values)


@pytest.mark.parametrize("frames", [-12, -4, 0, 3, 9])
def test_the_offset_is_found_within_a_frame(spoken, frames):
    heard, curves = spoken
    found = network.check(heard, late(curves, frames))
    assert found.offset == pytest.approx(frames / FPS, abs=1 / FPS)


def test_what_fits_scores_above_what_does_not(spoken):
    heard, curves = spoken
    right = network.check(heard, curves)
    backwards = network.check(heard, Curves(FPS, curves.channels, curves.values[::-1]))
    still = network.check(heard, Curves(FPS, curves.channels, np.zeros_like(curves.values)))
    assert right.score > 0.7 and right.confidence > 0.3
    assert network.check(heard, late(curves, 6)).score < 0.3 and backwards.score < 0.3
    assert still.score == 0.0 and still.offset == 0.0 and still.worst
    assert 0.0 <= right.distance < backwards.distance


def test_the_worst_range_is_where_the_mouth_was_wrong(spoken):
    heard, curves = spoken
    values = curves.values.copy()
    values[90:135] = values[135:90:-1]
    found = network.check(heard, Curves(FPS, curves.channels, values))
    assert found.worst and found.worst[0].start < 4.5 and found.worst[0].end > 3.0
    assert found.score < network.check(heard, curves).score


def test_an_emotion_on_top_leaves_the_offset(spoken):
    """A smile that comes and goes over the line is no reason to hear it as late."""
    heard, curves = spoken
    smile = 0.6 * np.sin(np.linspace(0, np.pi, len(curves.values)))
    values = curves.values.copy()
    for name in ("AU12 Lip Corner Puller.L", "AU12 Lip Corner Puller.R"):
        values[:, curves.channels.index(name)] += smile
    assert network.check(heard, Curves(FPS, curves.channels, values)).offset == pytest.approx(0.0, abs=1 / FPS)


def test_the_scale_of_a_rig_does_not_matter(spoken):
    heard, curves = spoken
    half = network.check(heard, Curves(FPS, curves.channels, 0.5 * curves.values))
    assert half.score > 0.5 and half.offset == pytest.approx(0.0, abs=1 / FPS)


def test_silence_and_too_short_a_pair_are_said(spoken):
    _, curves = spoken
    with pytest.raises(MienError, match="no speech in it"):
        network.check(sound.Sound(np.zeros(32_000, np.float32), 16_000), curves)
    heard, _ = spoken
    with pytest.raises(MienError, match="at least one second"):
        network.check(heard, Curves(FPS, curves.channels, curves.values[:12]))


def test_features_have_one_frame_every_twenty_milliseconds(spoken):
    heard, curves = spoken
    assert len(features.of_sound(measure(heard))) == pytest.approx(heard.duration / features.STEP, abs=2)
    assert features.of_mouth(curves).shape[1] == features.MOUTH_SIZE
    assert np.isfinite(features.of_mouth(Curves(FPS, curves.channels, np.zeros((40, len(curves.channels)))))).all()


def test_the_network_that_ships_is_small_and_told_apart():
    arrays = network.weights()
    assert network.WEIGHTS.stat().st_size < 2 * 1024 * 1024
    assert {"sound.0.weight", "mouth.out.bias", "calibration"} <= set(arrays)
    assert arrays["sound.0.weight"].shape[1] == features.SOUND_SIZE


def test_a_broken_weights_file_is_said(tmp_path):
    path = tmp_path / "sync.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(MienError, match="install Mien again"):
        network.weights(path)


def test_the_command_prints_and_writes(spoken, tmp_path, capsys):
    heard, curves = spoken
    curve_files.save(late(curves, 6), tmp_path / "mouth.json")
    soundfile.write(tmp_path / "line.wav", heard.samples, heard.rate)
    wanted = ["--audio", str(tmp_path / "line.wav"), "--curves", str(tmp_path / "mouth.json")]
    assert main(["sync", *wanted, "--out", str(tmp_path / "sync.json")]) == 0
    assert "late" in capsys.readouterr().out
    content = json.loads((tmp_path / "sync.json").read_text(encoding="utf-8"))
    assert content["offset"] == pytest.approx(0.2, abs=1 / FPS) and len(content["scores"]) > 100
    assert main(["sync", "--audio", str(tmp_path / "none.wav"), *wanted[2:]]) == 2
