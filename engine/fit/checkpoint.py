"""What a stopped fit goes on from: a safetensors file beside the head file, written whole, removed when it is done."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..contract.errors import MienError
from .dataset import write_whole
from .train import Fit


def path(out: Path) -> Path:
    """Where the checkpoint of a head file is kept."""
    return out.with_name(out.name + ".fit")


def save(where: Path, fit: Fit, first: dict) -> None:
    """Writes a fit's state; `first` are the figures of its first colours.

    Raises:
        MienError: The folder can't be written.
    """
    from safetensors.numpy import save as pack

    arrays, info = fit.state()
    info = {**info, "first": first, "photos": _photos(fit)}
    try:
        packed = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_whole(where, pack(packed, {"fit": json.dumps(info)}))
    except OSError as error:
        raise MienError(f"{where} can't be written ({error.strerror or error}); make room there.") from None


def restore(where: Path, fit: Fit, first: dict) -> bool:
    """Puts a fit back to its checkpoint, if there is one; whether there was.

    Raises:
        MienError: The checkpoint is damaged, or of other pictures or options.
    """
    from safetensors import SafetensorError, safe_open

    if not where.is_file():
        return False
    again = "delete it, or fit without --resume"
    try:
        with safe_open(where, framework="numpy") as stored:
            info = json.loads(stored.metadata()["fit"])
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
        if info["options"] != asdict(fit.options):
            raise MienError(f"{where} was begun with other options ({_text(info['options'])}); {again}.")
        if info["photos"] != _photos(fit):
            raise MienError(f"{where} was begun with other pictures; {again}.")
        fit.restore(arrays, info)
        first.clear()
        first.update(info["first"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise MienError(f"{where} is damaged ({type(error).__name__}); {again}.") from None
    return True


def _photos(fit: Fit) -> list[str]:
    return [f"{photo.view.image} {photo.held_out}" for photo in fit.photos]


def _text(options: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())
