"""Who wins where: the priority of emotion over speech in each zone of a head, and the zones shown on it.

A priority (`head.priorities`) counts when a mood is made: an emotion's keys follow it frame by frame.
"""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.contract import channels as table
from ..head.priorities import BOTH, ZONES, path, value
from ..perform import sample
from . import line

SHOWN = (
    ("NONE", "Hidden", "No zone is shown"),
    ("PRIORITY", "Priorities", "All zones: blue where speech wins, orange where emotion does"),
    *((zone, label, f"Where {label} lies on the head") for zone, label in ZONES),
)
_SPEECH, _EMOTION = np.array((0.05, 0.25, 1.0)), np.array((1.0, 0.3, 0.02))
_COVER = 0.6
"""How much of the head's own colour a shown zone hides."""


def over(obj: bpy.types.Object, frames: np.ndarray) -> dict[str, list[float]]:
    """{zone: priority at each of the scene's frames}; zones that are left at the middle are left out."""
    curves = _curves(obj)
    found = {}
    for zone, _ in ZONES:
        curve = curves.get(path(zone))
        row = [curve.evaluate(frame) for frame in frames] if curve else [value(obj, zone)] * len(frames)
        row = np.clip(np.nan_to_num(row, nan=BOTH), 0, 1).round(4)
        if np.abs(row - BOTH).max() > 1e-3:
            found[zone] = row.tolist()
    return found


def _curves(obj: bpy.types.Object) -> dict[str, bpy.types.FCurve]:
    """The F-curves of the object's active Action by path, muted ones left out."""
    data = obj.animation_data
    bag = sample.bag_of(data.action, data.action_slot) if data and data.action else None
    return {curve.data_path: curve for curve in (bag.fcurves if bag else ()) if not curve.mute}


def under(obj: bpy.types.Object, priority: dict[str, list[float]], frames: np.ndarray) -> dict[str, list[float]]:
    """{channel: what the speech below moves at each frame}, in zones where the emotion is to win outside the mouth."""
    strong = {
        zone for zone, row in priority.items() if max(row) > BOTH and zone not in ("mouth", "jaw_tongue")
    }  # fmt: skip
    found: dict[str, np.ndarray] = {}
    if not strong:
        return {}
    for strip in reversed(list(line.speaking(obj))):
        inside = (frames >= strip.frame_start) & (frames <= strip.frame_end)
        if not inside.any():
            continue
        at = sample.action_frames(strip, frames[inside])
        for channel, curve in sample.fcurves(strip.action, strip.action_slot).items():
            if table.channel(channel).zone in strong:
                row = found.setdefault(channel, np.zeros(len(frames)))
                row[inside] = [curve.evaluate(frame) for frame in at]
    return {channel: row.round(5).tolist() for channel, row in found.items()}


# ── shown on the head ────────────────────────────────────────────────────────────────────────────────────────────────


def shown(context: bpy.types.Context) -> dict[str, tuple[float, float, float]]:
    """{render pass: colour} of the zones that are shown on heads; the active head's priorities give the colours."""
    chosen = context.scene.mien_emotion.show_zone
    if chosen == "NONE":
        return {}
    from ..head.settings import active_head, in_scene

    obj = active_head(context) or next(in_scene(context.scene), None)
    if chosen != "PRIORITY":
        return {f"Mask {table.ZONE_LABELS[chosen]}": tuple(_EMOTION)}
    return {f"Mask {label}": tuple(_mixed(value(obj, zone) if obj else BOTH)) for zone, label in ZONES}


def _mixed(priority: float) -> np.ndarray:
    return _SPEECH + (_EMOTION - _SPEECH) * priority


def painted(colour: np.ndarray, planes: dict[str, np.ndarray], tints: dict[str, tuple]) -> np.ndarray:
    """[H, W, 4] a picture, premultiplied, with zones laid over it in their colours."""
    result = colour.astype(np.float32).copy()
    alpha = np.maximum(result[..., 3:], 1e-6)
    light = 0.35 + result[..., :3].mean(-1, keepdims=True) / alpha
    for mask, tint in tints.items():
        share = _COVER * np.clip(planes[mask][..., :1] / alpha, 0, 1)
        result[..., :3] = result[..., :3] * (1 - share) + np.asarray(tint) * np.minimum(light, 1.0) * share * alpha
    return result
