"""Moods that a head has: what each was made from and how it was understood, kept on its Action."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import bpy

from ..animate import nla

_LONGEST = 63
"""Characters of a marker's name."""


@dataclass(frozen=True)
class Part:
    """One thing that was understood.

    Attributes:
        start, end: Frames of the scene.
        source: The words that say it.
        what: What they were taken for, and the Action Units it moves.
    """

    start: float
    end: float
    source: str
    what: str


def mark(action: bpy.types.Action, direction: str, reply: dict[str, Any], start: float, fps: float) -> None:
    """Keep on an Action what it came from, and how it was understood; each part is a marker too."""
    parts = [[start + begin * fps, start + end * fps, source, what] for begin, end, source, what in reply["reading"]]
    for begin, _, source, _ in parts:
        action.pose_markers.new(source[:_LONGEST]).frame = round(begin)
    action["mien_direction"] = direction
    action["mien_reading"] = json.dumps(parts)
    action["mien_notes"] = json.dumps(reply["notes"])


def shown(obj: bpy.types.Object, frame: float) -> bpy.types.NlaStrip | None:
    """The mood that plays at a frame, the uppermost first; where none does, the nearest."""
    tracks = {track.as_pointer() for track in nla.playing(obj)}
    strips = [
        strip
        for track in (obj.animation_data.nla_tracks if obj.animation_data else ())
        if track.as_pointer() in tracks
        for strip in track.strips
        if not strip.mute and strip.action is not None and "mien_reading" in strip.action
    ]
    if not strips:
        return None
    return min(reversed(strips), key=lambda strip: max(strip.frame_start - frame, frame - strip.frame_end, 0.0))


def reading(strip: bpy.types.NlaStrip) -> tuple[list[Part], list[str]]:
    """(what was understood, what was not) of a mood, by frames of the scene where its strip now lies."""
    try:
        rows = json.loads(strip.action["mien_reading"])
        notes = [str(note) for note in json.loads(strip.action.get("mien_notes", "[]"))]
        parts = [Part(float(start), float(end), str(source), str(what)) for start, end, source, what in rows]
    except (ValueError, TypeError, KeyError):
        return [], []
    moved, scale, origin = strip.frame_start, strip.scale, strip.action_frame_start
    return [
        Part(moved + (part.start - origin) * scale, moved + (part.end - origin) * scale, part.source, part.what)
        for part in parts
    ], notes


def overlapping(obj: bpy.types.Object, start: float, end: float) -> list[bpy.types.NlaStrip]:
    """Moods within those frames that are not muted."""
    strips = nla.strips_named(obj, nla.EMOTION)
    return [strip for strip in strips if not strip.mute and strip.frame_start < end and start < strip.frame_end]
