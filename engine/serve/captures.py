"""`sync`, `clean` and `curves/write`: curves that an add-on has, scored, cleaned and written, as replies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import curves as curve_files
from ..contract.errors import MienError
from .jobs import Job

_OWN = "The head's curves"


def sync(params: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """The reply to `sync`.

    Raises:
        MienError: The sound can't be read or nobody speaks in it, or the curves are none.
    """
    from ..speech import sound
    from ..sync import network
    from ..sync.command import as_json

    curves = curve_files.from_json(params["curves"], _OWN)
    job.progress(0.1, "Listening")
    heard = sound.read(params["audio"])
    job.check()
    return as_json(network.check(heard, curves, Path(params["audio"]).name))


def clean(params: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """The reply to `clean`: a capture from a file, or curves, without jitter, and the keys that follow them.

    Raises:
        MienError: Both or neither are given, or they can't be read.
    """
    from ..clean import files, smooth
    from ..motion import keys

    if ("file" in params) == ("curves" in params):
        raise MienError("Clean-up needs a file or curves, and not both; choose one.")
    job.progress(0.0, "Reading the capture")
    if "file" in params:
        captured, notes = files.read(params["file"], params.get("fps"), lambda done: _tell(job, 0.6 * done, "Tracking"))
    else:
        captured, notes = curve_files.from_json(params["curves"], _OWN), []
    job.check()
    cleaned = smooth.smooth(captured, params["strength"], lambda done: _tell(job, 0.6 + 0.15 * done, "Cleaning up"))
    sparse = keys.reduce(cleaned, tick=lambda done: _tell(job, 0.75 + 0.25 * done, "Setting keys"))
    return {
        "curves": cleaned.to_json(),
        "keys": {name: [key.row() for key in entries] for name, entries in sparse.items() if entries},
        "duration": cleaned.duration,
        "jerk": [float(np.abs(np.diff(entry.values, 3, axis=0)).sum()) for entry in (captured, cleaned)],
        "notes": notes,
    }


def write(params: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """`curves/write`.

    Raises:
        MienError: The curves are none, or the file can't be written.
    """
    from ..clean import files

    files.write(curve_files.from_json(params["curves"], _OWN), params["file"], params["form"])
    return {}


def _tell(job: Job, fraction: float, message: str) -> None:
    job.check()
    job.progress(fraction, message)
