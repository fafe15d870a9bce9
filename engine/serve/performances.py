"""`perform`: what the motion room makes of a recording or a typed line, as a reply."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import curves as curve_files
from ..contract.curves import Curves
from ..contract.errors import MienError
from .jobs import Job

_numbers = itertools.count(1)
_PREVIEW_DECIMALS = 4


def perform(params: Mapping[str, Any], folder: Path, job: Job) -> dict[str, Any]:
    """The reply to `perform`; a spoken line's sound is written into `folder`.

    Raises:
        MienError: Neither or both of `audio` and `line` are given, or they cannot be used.
        Cancelled: The job was.
    """
    if ("audio" in params) == ("line" in params):
        raise MienError("A performance needs a recording or a typed line, and not both; choose one.")
    from ..motion import perform as motion  # numerical libraries load with the first performance, not with the engine

    settings = {
        "seed": params["seed"],
        "fps": params["fps"],
        "strengths": params.get("strengths"),
        "progress": job.progress,
        "cancelled": lambda: job.stopped,
    }
    if "given" in params or "locked" in params:
        settings["given"], settings["locked"] = _locks(params)
    if params.get("preview"):
        settings["preview"] = lambda rough: job.preview(_moving(rough).to_json(_PREVIEW_DECIMALS))
    if "line" in params:
        from ..speech import voices

        settings |= {"speed": params.get("speed", 1.0), "pronunciations": params.get("pronunciations")}
        result = motion.perform_line(params["line"], params.get("voice", voices.DEFAULT_VOICE), **settings)
    else:
        result = motion.perform(params["audio"], params.get("text"), **settings)
    job.check()
    reply = {
        "curves": result.curves.to_json(),
        "keys": {name: [key.row() for key in entries] for name, entries in result.keys.items()},
        "words": [list(word) for word in result.words],
        "phones": [list(phone) for phone in result.phones],
        "duration": result.duration,
        "notes": list(result.notes),
    }
    if result.sound is not None:
        reply["audio"] = str(_save_sound(result.sound, folder / f"line-{next(_numbers)}.wav"))
    return reply


def _moving(curves: Curves) -> Curves:
    """Without the channels that rest throughout: a preview is to be small."""
    moves = np.any(np.abs(curves.values) >= 0.5 * 10.0**-_PREVIEW_DECIMALS, axis=0)
    names = tuple(curves.channels[column] for column in np.flatnonzero(moves))
    return Curves(curves.fps, names, curves.values[:, moves])


def _locks(params: Mapping[str, Any]) -> tuple[Curves, np.ndarray | None]:
    """(curves that the artist has, bool [T, C] which of their values are kept): `locked` names ranges of frames."""
    if "given" not in params:
        raise MienError("Locks need the curves that they keep; send them as `given`.")
    given = curve_files.from_json(params["given"], "The head's curves")
    if "locked" not in params:
        return given, None
    locked = np.zeros(given.values.shape, bool)
    for name, spans in params["locked"].items():
        if name not in given.channels:
            raise MienError(f"The channel {name!r} is locked but has no curve; unlock it or key it.")
        for first, last in spans:
            locked[first : last + 1, given.channels.index(name)] = True
    return given, locked


def _save_sound(sound: Any, path: Path) -> Path:
    import soundfile

    soundfile.write(path, sound.samples, sound.rate)
    return path
