"""The line that a mood goes over: the Speech strips that play in a range of frames, their words and phones."""

from __future__ import annotations

import json
from collections.abc import Iterator

import bpy

from ..animate import nla

Spoken = list
"""[what is said, start, end] in seconds."""


def speech_strip(obj: bpy.types.Object, frame: float) -> bpy.types.NlaStrip | None:
    """The strip that speaks at a frame; where none does, the one nearest to it."""
    strips = list(speaking(obj))
    if not strips:
        return None
    return min(strips, key=lambda strip: max(strip.frame_start - frame, frame - strip.frame_end, 0.0))


def speaking(obj: bpy.types.Object) -> Iterator[bpy.types.NlaStrip]:
    """Speech strips that are heard, from the top track down."""
    for track in reversed(nla.playing(obj)):
        yield from (strip for strip in track.strips if not strip.mute and _is_speech(strip.action))


def spoken(obj: bpy.types.Object, start: float, end: float, fps: float) -> tuple[list[Spoken], list[Spoken]]:
    """(words, phones) that are said between two frames, by their seconds after the first.

    What an artist has moved, stretched or trimmed in the NLA is followed. Where strips lie over each other, the upper
    one speaks. A strip that plays backwards says nothing that could be read.
    """
    words: list[Spoken] = []
    phones: list[Spoken] = []
    taken: list[tuple[float, float]] = []
    for strip in speaking(obj):
        if not strip.use_reverse:
            for rows, name in ((words, "mien_words"), (phones, "mien_phones")):
                rows += _clipped(_in_scene(strip, name, fps), start, end, taken)
        taken.append((strip.frame_start, strip.frame_end))
    return tuple(sorted(_in_seconds(rows, start, fps), key=lambda row: row[1]) for rows in (words, phones))


def _is_speech(action: bpy.types.Action | None) -> bool:
    return action is not None and "mien_phones" in action


def _in_scene(strip: bpy.types.NlaStrip, name: str, fps: float) -> list[Spoken]:
    """What a strip's Action says, by frames of the scene; only what its handles leave."""
    action = strip.action
    own_fps = float(action.get("mien_fps", fps))
    zero = float(action.get("mien_start", action.frame_range[0]))
    rows = []
    for text, begin, finish in _rows(action.get(name, "[]")):
        first, last = (
            strip.frame_start + (zero + seconds * own_fps - strip.action_frame_start) * strip.scale
            for seconds in (begin, finish)
        )
        rows.append([text, first, last])
    return _clipped(rows, strip.frame_start, strip.frame_end, [])


def _rows(content: object) -> list[Spoken]:
    """The rows of a stored list; none of what is not one, since an Action may come from anywhere."""
    try:
        rows = json.loads(content) if isinstance(content, str) else []
        return [[str(text), float(begin), float(finish)] for text, begin, finish in rows]
    except (ValueError, TypeError):
        return []


def _clipped(rows: list[Spoken], start: float, end: float, taken: list[tuple[float, float]]) -> list[Spoken]:
    """Those that lie within `start` … `end` at least in part and whose middle no upper strip speaks over."""
    found = []
    for text, first, last in rows:
        covered = any(low <= 0.5 * (first + last) < high for low, high in taken)
        if first < end and last > start and not covered:
            found.append([text, max(first, start), min(last, end)])
    return found


def _in_seconds(rows: list[Spoken], start: float, fps: float) -> list[Spoken]:
    return [[text, (first - start) / fps, (last - start) / fps] for text, first, last in rows]
