"""Generated Actions go to NLA tracks of their own; what an artist has keyed stays where it is."""

from __future__ import annotations

import bpy

from . import curves

SPEECH = "Speech"
EMOTION = "Emotion"
PREVIEW = "Speech Preview"
_MARKS = {SPEECH: "mien_phones", EMOTION: "mien_reading"}
"""By which an Action is known for one of these, whatever its track is called."""


def place(
    obj: bpy.types.Object, action: bpy.types.Action, start: float, end: float, track_name: str
) -> bpy.types.NlaStrip:
    """Put an Action on the object's NLA track of that name, or on another one where that has something in the way.

    Frames `start` to `end` of the Action play at the same frames of the scene.
    """
    data = obj.animation_data or obj.animation_data_create()
    track = _free_track(data, track_name, start, end)
    first = len(track.strips) == 0
    strip = _new_strip(track, action, start, end)
    # Values outside all strips would otherwise be whatever was evaluated last.
    lowest = _is_lowest(data, track, track_name)
    strip.extrapolation = "HOLD" if first and lowest else "HOLD_FORWARD" if lowest else "NOTHING"
    return strip


def _new_strip(
    track: bpy.types.NlaTrack, action: bpy.types.Action, start: float, end: float, blend: str = "REPLACE"
) -> bpy.types.NlaStrip:
    """Frames `start` to `end` of an Action at the same frames of the scene."""
    strip = track.strips.new(action.name, round(start), action)
    strip.action_frame_start, strip.action_frame_end = start, end
    strip.frame_start, strip.frame_end = start, end
    if strip.action_slot is None:
        strip.action_slot = action.slots[0]
    strip.blend_type = blend
    return strip


def place_preview(obj: bpy.types.Object, action: bpy.types.Action, start: float, end: float) -> bpy.types.NlaStrip:
    """Put an Action on a track of its own directly above all speech, for as long as a better one is being made."""
    data = obj.animation_data or obj.animation_data_create()
    speech = [track for track in data.nla_tracks if _is_of(track, SPEECH)]
    track = data.nla_tracks.new(prev=speech[-1]) if speech else data.nla_tracks.new()
    track.name = PREVIEW
    strip = _new_strip(track, action, start, end)
    strip.extrapolation = "NOTHING" if speech else "HOLD"
    return strip


_PLACE = ("scale", "repeat", "frame_start", "frame_end", "use_reverse", "extrapolation")
_MIX = ("blend_type", "use_auto_blend", "blend_in", "blend_out")


def lie_as(strip: bpy.types.NlaStrip, former: bpy.types.NlaStrip) -> None:
    """Give a strip another one's part of the Action, place and stretch."""
    strip.action_frame_start, strip.action_frame_end = former.action_frame_start, former.action_frame_end
    for name in _PLACE:
        setattr(strip, name, getattr(former, name))


def mix_as(strip: bpy.types.NlaStrip, former: bpy.types.NlaStrip) -> None:
    """Give a strip another one's fades, influence and way of mixing in."""
    for name in _MIX:
        setattr(strip, name, getattr(former, name))
    if not former.use_animated_influence:
        return
    strip.use_animated_influence, strip.influence = True, former.influence
    own = {curve.data_path: curve for curve in strip.fcurves}
    for curve in former.fcurves:
        if curve.data_path in own:
            for point in curve.keyframe_points:
                key = own[curve.data_path].keyframe_points.insert(*point.co)
                key.interpolation = point.interpolation


def _free_track(data: bpy.types.AnimData, name: str, start: float, end: float) -> bpy.types.NlaTrack:
    same = [track for track in data.nla_tracks if _is_of(track, name)]
    for track in same:
        if _open(track) and not _overlaps(track, start, end):
            return track
    # Directly above its like: what is added to them stays on top.
    track = data.nla_tracks.new(prev=same[-1]) if same else data.nla_tracks.new()
    track.name = f"{name} {len(same) + 1}" if same else name
    return track


def place_over(
    obj: bpy.types.Object, action: bpy.types.Action, start: float, end: float, fade: float = 0.0
) -> bpy.types.NlaStrip:
    """Put an Action on an "Emotion" track above all speech, where its values are added to what lies below.

    Args:
        fade: Frames after `end` over which it fades out; at 0 its last frame is held.
    """
    data = obj.animation_data or obj.animation_data_create()
    speech = [index for index, track in enumerate(data.nla_tracks) if _is_of(track, SPEECH)]
    if not speech:
        # A track can't be made below others later, and speech that comes later must lie below.
        data.nla_tracks.new().name = SPEECH
        speech = [len(data.nla_tracks) - 1]
    same = [track for track in data.nla_tracks if _is_of(track, EMOTION)]
    # From the top: a mood that is held ends where the next on its own track begins.
    above = [track for track in list(data.nla_tracks)[speech[-1] + 1 :] if track in same]
    free = (track for track in reversed(above) if _open(track) and not _overlaps(track, start, end + fade))
    track = next(free, None)
    if track is None:
        track = data.nla_tracks.new()
        track.name = f"{EMOTION} {len(same) + 1}" if same else EMOTION
    strip = _new_strip(track, action, start, end + fade, "ADD")
    strip.extrapolation = "NOTHING" if fade else "HOLD_FORWARD"
    strip.blend_out = fade
    return strip


def strips_named(obj: bpy.types.Object, name: str) -> list[bpy.types.NlaStrip]:
    """Strips on the tracks of that name or, renamed, of that kind, from the lowest track up."""
    data = obj.animation_data
    tracks = [track for track in data.nla_tracks if _is_of(track, name)] if data else []
    return [strip for track in tracks for strip in track.strips]


def playing(obj: bpy.types.Object) -> list[bpy.types.NlaTrack]:
    """The tracks that count, from the lowest up: the solo one, else all that are not muted."""
    data = obj.animation_data
    tracks = list(data.nla_tracks) if data else []
    return [track for track in tracks if track.is_solo] or [track for track in tracks if not track.mute]


def _is_of(track: bpy.types.NlaTrack, name: str) -> bool:
    """Whether it is the track of that name, a further one such as "Speech 2", or one that the artist has renamed."""
    rest = track.name.removeprefix(name).strip()
    if track.name.startswith(name) and (not rest or rest.isdigit()):
        return True
    mark = _MARKS.get(name)
    return mark is not None and any(strip.action is not None and mark in strip.action for strip in track.strips)


def _open(track: bpy.types.NlaTrack) -> bool:
    """Whether something may be put on it, and would show there."""
    return not track.lock and not track.mute


def _overlaps(track: bpy.types.NlaTrack, start: float, end: float) -> bool:
    return any(strip.frame_start < end and start < strip.frame_end for strip in track.strips)


def _is_lowest(data: bpy.types.AnimData, track: bpy.types.NlaTrack, name: str) -> bool:
    """Whether no other track for the same thing lies below."""
    return next(other for other in data.nla_tracks if _is_of(other, name)) == track


def masking(obj: bpy.types.Object, names: set[str]) -> set[str]:
    """Those of the channels that the object's active Action covers, so that the NLA below would not show."""
    return curves.keyed_channels(obj) & names


def why_hidden(obj: bpy.types.Object, strip: bpy.types.NlaStrip, names: set[str], what: str) -> str | None:
    """Why a new strip's keys of those channels, such as "their speech", don't show, and what to do; else None."""
    if obj.animation_data is not None and obj.animation_data.use_tweak_mode:
        return f"A strip of {obj.name} is being edited, which hides {what}; press Tab over the NLA editor to leave it."
    if not obj.animation_data.use_nla:
        return f"The NLA of {obj.name} is switched off, which hides {what}; tick it in the NLA editor."
    alone = next((track for track in obj.animation_data.nla_tracks if track.is_solo), None)
    if alone is not None and strip not in list(alone.strips):
        return f"The NLA track {alone.name!r} plays alone, which hides {what}; take its star off in the NLA editor."
    hidden = masking(obj, names)
    if not hidden:
        return None
    return (
        f"The Action {obj.animation_data.action.name!r} covers {len(hidden)} of these channels and hides {what}; "
        "push it down in the Action editor, or unlink it."
    )


def push_down(obj: bpy.types.Object) -> bpy.types.NlaTrack | None:
    """Move the active Action to an NLA track of its own, as the Action editor's Push Down does; not a strip's that is
    being edited, which has a track."""
    data = obj.animation_data
    if data is None or data.action is None or data.use_tweak_mode:
        return None
    action, slot = data.action, data.action_slot
    start, _ = action.frame_range
    track = data.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, round(start), action)
    strip.frame_start = start
    strip.action_slot = slot
    strip.extrapolation = "HOLD"
    data.action = None
    return track
