"""The programs that Mien is compared with: how their visemes are read, and that the comparison is fair."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from engine.contract import channels as table
from engine.contract.errors import MienError
from engine.evaluate import peers


@pytest.fixture
def spoken(tmp_path):
    """Half a second of noise between two silences."""
    samples = np.zeros(24_000, np.float32)
    samples[8_000:16_000] = 0.3 * np.random.default_rng(1).standard_normal(8_000)
    path = tmp_path / "noise.wav"
    soundfile.write(path, samples, 16_000)
    return path


def test_a_channel_reads_as_the_measure_that_it_is():
    names = ("AU26 Jaw Drop", "AU24 Lip Pressor.L", "AU24 Lip Pressor.R", "AU18 Lip Pucker", "AU20 Lip Stretcher.L")
    found = peers.of_curves(np.eye(5), names)
    assert found["jaw"] == pytest.approx([1, 0, 0, 0, 0])
    assert found["closure"] == pytest.approx([0, 0.5, 0.5, 0, 0])
    assert found["rounding"] == pytest.approx([0, 0, 0, 1, 0])
    assert found["spread"] == pytest.approx([0, 0, 0, 0, 0.5])
    assert set(names) <= set(table.NAMES)


def test_visemes_mean_what_their_phonemes_do():
    mouths = peers._of_visemes({name: np.ones(1) for name in ("viseme_aa",)}, peers._HEADAUDIO)
    closed = peers._of_visemes({"viseme_PP": np.ones(1)}, peers._HEADAUDIO)
    round_ = peers._of_visemes({"viseme_U": np.ones(1)}, peers._HEADAUDIO)
    assert mouths["jaw"] > closed["jaw"] and mouths["jaw"] > round_["jaw"]
    assert closed["closure"] == 1.0 and mouths["closure"] == 0.0
    assert round_["rounding"] > 0.5 > mouths["rounding"]


def test_a_fit_takes_off_a_constant_delay_and_any_scale():
    rng = np.random.default_rng(2)
    truth = {name: np.cumsum(rng.standard_normal(300)) for name in peers.MEASURES}
    late = {name: 3.0 * np.concatenate([curve[:1].repeat(3), curve[:-3]]) - 1.0 for name, curve in truth.items()}
    found = peers.fit([(late, truth)], 30.0)
    assert found.delay == pytest.approx(0.1)
    mended = found.apply(late, 30.0)
    for name in peers.MEASURES:
        assert mended[name][:-3] == pytest.approx(truth[name][:-3], abs=0.35)


@pytest.mark.parametrize("name", [*peers.PEERS])
def test_every_peer_that_is_installed_moves_with_the_sound(name, spoken):
    reason = peers.missing(name)
    if reason:
        pytest.skip(reason)
    curves = peers.peer_curves(name, spoken, None, 30.0)
    assert set(curves) == set(peers.MEASURES)
    assert all(len(curve) == 46 and np.isfinite(curve).all() for curve in curves.values())
    if name == "envelope":
        assert curves["jaw"][15:30].min() > 10 * curves["jaw"][:8].max()


def test_a_peer_that_is_not_there_says_how_to_get_it(spoken, monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_HEADAUDIO", str(tmp_path))
    with pytest.raises(MienError, match=r"requirements-peers\.txt"):
        peers.peer_curves("headaudio", spoken, None, 30.0)
    with pytest.raises(MienError, match="no peer 'salsa'; there are openfacefx"):
        peers.peer_curves("salsa", spoken, None, 30.0)
