"""Curves → sparse keys → the same curves, and Blender's evaluation of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.contract.curves import Curves
from engine.contract.errors import MienError
from engine.motion import keys
from engine.motion.keys import Key


def _error(values: np.ndarray, fps: float, entries: list[Key]) -> float:
    return float(np.abs(keys.evaluate(entries, np.arange(len(values)) / fps) - values).max())


@settings(max_examples=80, deadline=None)
@given(
    arrays.arrays(np.float64, st.integers(1, 150), elements=st.floats(-1.5, 1.5, width=32)),
    st.sampled_from([1.0, 24.0, 29.97, 30.0, 60.0, 1000.0]),
    st.sampled_from([0.001, 0.02, 0.3]),
)
def test_any_curve_is_followed_within_the_tolerance(values: np.ndarray, fps: float, tolerance: float) -> None:
    entries = keys.reduce(Curves(fps, ("AU26 Jaw Drop",), values[:, None]), tolerance)["AU26 Jaw Drop"]
    assert _error(values, fps, entries) <= tolerance
    assert all(a.time < b.time for a, b in itertools.pairwise(entries))
    assert all(abs(key.time * fps - round(key.time * fps)) < 1e-6 for key in entries), "keys stand on frames"


def test_a_smooth_movement_needs_few_keys() -> None:
    time = np.arange(300) / 30
    values = 0.4 + 0.4 * np.sin(2 * np.pi * 0.5 * time)
    entries = keys.fit(values, 30.0, np.full(300, 0.02))
    assert _error(values, 30.0, entries) <= 0.02
    assert len(entries) <= 14  # a key or so for each of the ten turning points


def test_rest_needs_no_key_and_a_held_value_one() -> None:
    curves = Curves(30.0, ("AU25 Lips Part", "AU26 Jaw Drop"), np.column_stack([np.zeros(50), np.full(50, 0.3)]))
    reduced = keys.reduce(curves)
    assert reduced["AU25 Lips Part"] == []
    assert [key.value for key in reduced["AU26 Jaw Drop"]] == [0.3]


def test_handles_make_no_corner_and_do_not_cross_the_next_key() -> None:
    values = np.abs(np.sin(np.arange(120) / 7.0))
    entries = keys.fit(values, 30.0, np.full(120, 0.02))
    for key in entries:
        back, ahead = np.subtract(key.left, (key.time, key.value)), np.subtract((key.time, key.value), key.right)
        assert back[0] * ahead[1] - back[1] * ahead[0] == pytest.approx(0.0, abs=1e-9)
    assert all(a.right[0] < b.left[0] + 1e-9 for a, b in itertools.pairwise(entries))


def test_frames_that_matter_are_followed_closely() -> None:
    values = np.random.default_rng(3).uniform(0, 1, 90)
    limit = np.full(90, 0.1)
    limit[40:50] = 0.002
    entries = keys.reduce(Curves(30.0, ("AU26 Jaw Drop",), values[:, None]), 0.1, {"AU26 Jaw Drop": limit})[
        "AU26 Jaw Drop"
    ]
    off = np.abs(keys.evaluate(entries, np.arange(90) / 30) - values)
    assert off.max() <= 0.1 and off[40:50].max() <= 0.002


def test_a_row_is_a_key_again_and_nonsense_is_refused() -> None:
    key = Key(0.5, 0.25, (0.4, 0.2), (0.6, 0.3))
    assert keys.from_row(key.row()) == key
    for bad in (
        [],
        [0, 1, 2, 3, 4, 5, "ELASTIC"],
        [0, float("nan"), 0, 0, 0, 0, "BEZIER"],
        [True, 0, 0, 0, 0, 0, "BEZIER"],
    ):
        with pytest.raises(MienError, match="is not a key"):
            keys.from_row(bad)
    for tolerance in (0.0, -1.0, float("nan")):
        with pytest.raises(MienError, match="tolerance"):
            keys.reduce(Curves(30.0, ("AU26 Jaw Drop",), np.zeros((3, 1))), tolerance)


def test_evaluation_holds_before_the_first_and_after_the_last_key() -> None:
    entries = [Key(1.0, 0.2, (0.9, 0.2), (1.3, 0.2)), Key(2.0, 0.8, (1.7, 0.8), (2.1, 0.8))]
    assert keys.evaluate(entries, [0.0, 1.0, 1.5, 2.0, 9.0]) == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])
    assert keys.evaluate([], [0.0, 1.0]).tolist() == [0.0, 0.0]
