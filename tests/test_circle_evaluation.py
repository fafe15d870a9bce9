"""`engine evaluate circle`: what it makes of readings; the reading itself needs MediaPipe and minutes."""

import numpy as np
import pytest

from engine.contract import channels
from engine.evaluate import circle
from engine.motion import articulation


def test_a_reading_that_follows_the_angle_is_whole():
    angles = circle.around()
    found = circle.Read(np.cos(angles), 0.1 * np.sin(angles), 0)
    assert found.signs() == (1.0, 1.0) and found.ranks() == pytest.approx((1.0, 1.0))


def test_a_reading_that_goes_the_other_way_is_nothing():
    angles = circle.around()
    found = circle.Read(-np.cos(angles), np.zeros(12), 3)
    assert found.signs() == (0.0, 0.0) and found.ranks() == pytest.approx((-1.0, 0.0))


def test_the_moments_are_of_somebody_speaking():
    spoken = circle.moments(4)
    assert spoken.shape == (4, len(channels.CHANNELS)) and spoken[:, channels.INDEX["AU26 Jaw Drop"]].max() > 0.05
    assert np.abs(spoken[:, [channels.INDEX[name] for name in channels.PAD]]).max() == 0


def test_the_pad_leaves_the_lips_to_speech():
    lost, change = circle.lips()
    assert lost == 0 and change < circle.LIPS_BAR


def test_an_open_mouth_would_be_noticed(monkeypatch):
    """The measure can fail: a pad that parted the lips would lose closures."""
    aperture = articulation.lip_aperture

    def parted(values, names):
        return aperture(values, names) + 0.2 * np.abs(values[:, channels.INDEX["Valence"]])

    monkeypatch.setattr(articulation, "lip_aperture", parted)
    assert circle.lips()[0] > 0.5
