"""The emotion vector: nine numbers that a generator of motion is told, from whatever a feeling came from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.contract.curves import Curves
from engine.contract.errors import MienError
from engine.emotion import condition
from engine.emotion.command import from_labels, from_text
from engine.emotion.tables import emotions, slots


def test_the_order_is_fixed():
    assert condition.DIMENSIONS == (
        "valence", "arousal", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "contempt",
    )  # fmt: skip


@pytest.mark.parametrize("name", condition.LABELS)
def test_a_labels_own_face_is_read_back_as_that_label(name):
    read = condition.of_face(emotions()[name].face(1.0))
    wanted = condition.label(name)
    assert np.abs(read[2:] - wanted[2:]).max() < 0.08
    assert np.abs(read[:2] - wanted[:2]).max() < 0.2


def test_a_label_that_is_not_one_of_the_seven_is_a_mixture_of_them():
    vector = dict(zip(condition.DIMENSIONS, condition.label("malice"), strict=True))
    assert vector["anger"] > 0.2 and vector["happiness"] > 0.2 and vector["fear"] < 0.05


def test_a_direction_over_time():
    vectors = condition.text("calm, then furious at 3 s", duration=6.0, fps=24, meaning=False)
    assert vectors.shape == (145, 9)
    anger = vectors[:, condition.DIMENSIONS.index("anger")]
    assert anger[48] < 0.05 and anger[-1] > 0.7
    assert vectors[48, 0] > 0.2 and vectors[-1, 0] < -0.5  # valence, from calm to fury


def test_curves_of_a_label_give_its_vector():
    curves = from_labels([("sadness", 1.0)]).curves
    middle = condition.timeline(curves)[40]
    assert condition.LABELS[int(middle[2:].argmax())] == "sadness" and middle[0] < -0.4


def test_the_pad_is_continuous():
    angles = np.linspace(0, 2 * np.pi, 721)
    vectors = condition.va(np.cos(angles), np.sin(angles))
    assert np.abs(np.diff(vectors, axis=0)).max() < 0.04


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, (3, 9), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_any_numbers_are_brought_into_range(vectors):
    clipped = condition.clip(vectors)
    assert np.isfinite(clipped).all() and np.abs(clipped[:, :2]).max() <= 1 and clipped[:, 2:].min() >= 0
    assert clipped.max() <= 1.5


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, (4, len(slots())), elements=st.floats(0, 1.5)))
def test_any_face_has_a_vector(faces):
    vectors = condition.of_face(faces)
    assert vectors.shape == (4, 9) and np.array_equal(vectors, condition.clip(vectors))


def test_what_is_neutral_is_nothing():
    still = Curves(24.0, ("AU26 Jaw Drop",), np.zeros((10, 1)))
    assert np.abs(condition.timeline(still)).max() < 1e-9
    assert np.abs(condition.reading(from_text("", meaning=False))).max() < 1e-9


def test_an_intensity_out_of_range_is_said():
    with pytest.raises(MienError, match=r"0 to 1\.5"):
        condition.label("anger", 2.0)
