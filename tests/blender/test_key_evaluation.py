"""Mien's evaluation of keys is Blender's own."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.blender
FPS = 30.0


def _fcurve(bpy, name: str):
    """An empty F-curve in a new action; 5.x has them in channel bags alone."""
    action = bpy.data.actions.new(name)
    if hasattr(action, "fcurves"):
        return action.fcurves.new('["value"]')
    slot = action.slots.new("OBJECT", name)
    strip = action.layers.new(name).strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True).fcurves.new('["value"]')


def _channels(keys) -> dict[str, list]:
    """Fitted curves, and keys with handles of any length and slope, too long ones included."""
    random = np.random.default_rng(7)
    time = np.arange(200) / FPS
    channels = {
        f"sine {rate:g}": keys.fit(0.8 * np.abs(np.sin(rate * time)), FPS, np.full(200, 0.02))
        for rate in (1.0, 4.0, 9.0)
    }
    wild = []
    for at in np.arange(12) * 0.5:
        value, bend = random.uniform(-1, 1, 2)
        back, ahead = random.uniform(0, 0.8, 2)
        wild.append(keys.Key(at, value, (at - back, value + bend), (at + ahead, value - bend)))
    return channels | {"wild": wild}


def test_blender_evaluates_keys_to_the_same_values(installed) -> None:
    keys = installed("engine.motion.keys")
    import bpy

    frames = np.arange(0, 180, 0.25)
    for name, entries in _channels(keys).items():
        fcurve = _fcurve(bpy, name)
        fcurve.keyframe_points.add(len(entries))
        for point, key in zip(fcurve.keyframe_points, entries, strict=True):
            point.handle_left_type = point.handle_right_type = "FREE"
            point.interpolation = key.interpolation
            point.co = (key.time * FPS, key.value)
            point.handle_left = (key.left[0] * FPS, key.left[1])
            point.handle_right = (key.right[0] * FPS, key.right[1])
        theirs = [fcurve.evaluate(frame) for frame in frames]
        assert keys.evaluate(entries, frames / FPS) == pytest.approx(theirs, abs=2e-4), name
