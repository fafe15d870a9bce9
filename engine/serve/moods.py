"""`emotion`: a direction, a label or valence and arousal as the keys that are added to a line's own, as a reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..contract import channels
from ..contract.curves import Curves
from ..contract.errors import MienError
from .jobs import Job

_SOURCES = ("text", "label", "va")
_SHUT = 0.9
"""How much of a closure's need binds the keys to `_CLOSED`."""
_CLOSED = 0.006
"""Error allowed to keys where lips close: what the articulation overlaps (`motion.perform` allows its own the same)."""

Row = list[Any]
"""[start, end, the words, what was understood]."""


def emotion(params: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """The reply to `emotion`.

    Raises:
        MienError: Not exactly one of `text`, `label` and `va` is given, or it cannot be used.
        Cancelled: The job was.
    """
    if sum(source in params for source in _SOURCES) != 1:
        raise MienError("A mood needs one of a direction, a label, or valence and arousal; choose one.")
    from ..emotion import combine  # numerical libraries load with the first mood, not with the engine
    from ..motion import keys

    with job.preparing("Reading the direction; the first time loads the language model"):
        mood, reading, notes = _understood(params)
    job.check()
    job.progress(0.6, "Leaving the lips to the speech")
    times = np.arange(len(mood.values)) / mood.fps
    phones = [(symbol, start, end) for symbol, start, end in params.get("phones", ())]
    curves = _used(mood, channels.clamp(combine.added(mood, phones, times)))
    job.check()
    job.progress(0.8, "Setting keys")
    sparse = keys.reduce(curves, tight=_tight(curves, phones, times))
    job.check()
    return {
        "curves": curves.to_json(),
        "keys": {name: [key.row() for key in entries] for name, entries in sparse.items() if entries},
        "reading": reading,
        "duration": mood.duration,
        "notes": notes,
    }


def _understood(params: Mapping[str, Any]) -> tuple[Curves, list[Row], list[str]]:
    """(curves of the mood alone, the reading back, what was not understood)."""
    from ..emotion import circle, command
    from ..emotion.text import Spoken

    timing = {"fps": params["fps"], "duration": params.get("duration")}
    strength = params.get("strength", 1.0)
    if "va" in params:
        curves = circle.curves([(valence, arousal) for valence, arousal in params["va"]], **timing)
        return _scaled(curves, strength), _read_points(params["va"], curves.duration), []
    if "label" in params:
        result = command.from_labels([(params["label"], strength)], **timing)
        curves = result.curves
    else:
        words = [Spoken(text, start, end) for text, start, end in params.get("words", ())]
        result = command.from_text(params["text"], words, **timing)
        curves = _scaled(result.curves, strength)
    return curves, [[part.start, part.end, part.source, part.what] for part in result.parts], list(result.notes)


def _read_points(points: list[list[float]], duration: float) -> list[Row]:
    """A line for every point of the pad, from when the face is there to when it is at the next."""
    times = [*np.linspace(0.0, duration, len(points)), duration]
    return [
        [float(start), float(end), "valence and arousal", f"valence {valence:+.2f}, arousal {arousal:+.2f}"]
        for (valence, arousal), start, end in zip(points, times[:-1], times[1:], strict=True)
    ]


def _scaled(curves: Curves, strength: float) -> Curves:
    return Curves(curves.fps, curves.channels, curves.values * strength)


def _used(mood: Curves, added: np.ndarray) -> Curves:
    """Curves of the channels that the mood moves, from values [T, C] of all; at least one."""
    return Curves(mood.fps, mood.channels, added[:, [channels.INDEX[name] for name in mood.channels]])


def _tight(curves: Curves, phones: list[tuple[str, float, float]], times: np.ndarray) -> dict[str, np.ndarray]:
    """{channel: error allowed [T]}: next to nothing where lips meet or tuck, on what parts or shuts them."""
    from ..emotion.combine import needs
    from ..emotion.tables import data
    from ..motion import keys

    need = needs(phones, times)
    limit = np.where(np.maximum(need["closure"], need["tuck"]) > _SHUT, _CLOSED, keys.TOLERANCE)
    table = data("speech_needs")
    bound = set(table["opening"]) | set(table["closing"])
    return {name: limit for name in curves.channels if name.split(".")[0] in bound}
