"""`emotion`: a feeling, from whatever it is given by, as the keys that are added to a line's own, as a reply."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract import channels
from ..contract.curves import Curves
from ..contract.errors import MienError
from .jobs import Job

if TYPE_CHECKING:
    from ..emotion.sources import Feeling

log = logging.getLogger("mien")
_SOURCES = ("text", "label", "va", "audio", "example")
WARM_AFTER = 8.0
"""Seconds after the first head at which the models are loaded, when the head itself has been drawn."""
_SHUT = 0.9
"""How much of a closure's need binds the keys to `_CLOSED`."""
_CLOSED = 0.006
"""Error allowed to keys where lips close: what the articulation overlaps (`motion.perform` allows its own the same)."""


@cache
def warm_soon() -> threading.Timer:
    """Load the performer and the sentence model in the background, once: what first needs them finds them there."""

    def warm() -> None:
        from ..emotion import meaning
        from ..motion import perform

        for what, load in (("performer", perform.warm), ("sentence model", meaning.warm)):
            try:
                load()
            except Exception as error:  # a question that is asked will say what is wrong
                log.info("The %s was not warmed: %s", what, error)

    timer = threading.Timer(WARM_AFTER, warm)
    timer.daemon = True
    timer.start()
    return timer


def emotion(params: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """The reply to `emotion`.

    Raises:
        MienError: None of `text`, `audio`, `label`, `example` and `va` is given, or one cannot be used.
        Cancelled: The job was.
    """
    if not any(source in params for source in _SOURCES):
        raise MienError("A mood needs a direction, a sound, a label, an example, or valence and arousal; choose one.")
    from ..emotion import combine  # numerical libraries load with the first mood, not with the engine
    from ..motion import keys

    with job.preparing("Reading the direction; the first time loads the language model"):
        feeling = _feeling(params)
    mood = feeling.curves
    job.check()
    job.progress(0.6, "Leaving the lips to the speech")
    times = np.arange(len(mood.values)) / mood.fps
    phones = [(symbol, start, end) for symbol, start, end in params.get("phones", ())]
    priority = params.get("priority")
    rows = combine.added(mood, phones, times, priority)
    rows = _clamped_above(rows, combine.yielded(_under(params, len(times)), priority))
    curves = _used(mood, rows)
    job.check()
    job.progress(0.8, "Setting keys")
    sparse = keys.reduce(curves, tight=_tight(curves, phones, times))
    job.check()
    return {
        "curves": curves.to_json(),
        "keys": {name: [key.row() for key in entries] for name, entries in sparse.items() if entries},
        "reading": [[start, end, source, what] for start, end, source, what in feeling.rows],
        "duration": mood.duration,
        "notes": feeling.notes,
    }


def _feeling(params: Mapping[str, Any]) -> Feeling:
    from ..contract.curves import from_json
    from ..emotion.sources import Given, feel
    from ..emotion.text import Spoken
    from ..speech.sound import read

    strength = params.get("strength", 1.0)
    words = [Spoken(text, start, end) for text, start, end in params.get("words", ())]
    given = Given(
        text=params.get("text"),
        audio=read(params["audio"]) if "audio" in params else None,
        labels=[(params["label"], strength)] if "label" in params else [],
        example=from_json(params["example"], "The example") if "example" in params else None,
        va=[(valence, arousal) for valence, arousal in params.get("va", ())],
        transcript=params.get("transcript", "") or " ".join(word.text for word in words),
        words=words,
        weights=params.get("weights", {}),
    )
    feeling = feel(given, fps=params["fps"], duration=params.get("duration"))
    if given.sources != ["label"]:  # a label is made at its strength, the others are scaled to it
        scaled = Curves(feeling.curves.fps, feeling.curves.channels, feeling.curves.values * strength)
        feeling = replace(feeling, curves=scaled)
    return feeling


def _under(params: Mapping[str, Any], frames: int) -> np.ndarray:
    """[T, C] what the speech below moves; each row is held at its last value."""
    values = np.zeros((frames, len(channels.CHANNELS)))
    for name, row in params.get("under", {}).items():
        if row:
            padded = np.concatenate([row, np.full(max(frames - len(row), 0), row[-1])])
            values[:, channels.INDEX[name]] = padded[:frames]
    return values


def _clamped_above(rows: np.ndarray, given_up: np.ndarray) -> np.ndarray:
    """[T, C] an emotion within the channels' ranges, less what speech gives up: their sum with speech is in range."""
    return channels.clamp(rows) - given_up


def _used(mood: Curves, added: np.ndarray) -> Curves:
    """Curves of the channels that the mood moves, or keeps speech from moving, from values [T, C]; at least one."""
    moved = np.flatnonzero(np.abs(added).max(axis=0) > 1e-6)
    used = np.union1d(moved, [channels.INDEX[name] for name in mood.channels]).astype(int)
    return Curves(mood.fps, tuple(channels.NAMES[column] for column in used), added[:, used])


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
