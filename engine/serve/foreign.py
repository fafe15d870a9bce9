"""Heads from other programs' files and for them: each a command in a process of its own, which Esc ends at once."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..contract.errors import MienError
from .child import run_command
from .jobs import Job

LANDMARKS = ".landmarks.json"
"""Ends the name of the file beside an imported still head that says where its face was found, and in which splat."""


def import_head(params: Mapping[str, Any], folder: Path, job: Job) -> dict[str, Any]:
    """`head/import`: a file → a head file at `out`, and landmarks beside it where they were needed; both or neither.

    Args:
        folder: For what is not finished.

    Raises:
        MienError: The file is no head, or `out` can't be written.
        Cancelled: The job was.
    """
    out = Path(params["out"])
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as work:
        head, found = Path(work, "head.mien"), Path(work, "found.json")
        arguments = ["import-head", f"--out={head}", f"--save-landmarks={found}"]
        for name in ("name", "author", "licence", "template", "flame"):
            if params.get(name):
                arguments.append(f"--{name}={params[name]}")
        if params.get("landmarks"):
            given = Path(work, "given.json")
            content = {"format": "mien-landmarks", "version": 1, "points": params["landmarks"]}
            given.write_text(json.dumps(content), encoding="utf-8")
            arguments.append(f"--landmarks={given}")
        result = {"file": str(out), **run_command([*arguments, "--", params["file"]], job)}
        job.check()
        if found.is_file():
            result["landmarks"] = str(out.with_name(out.stem + LANDMARKS))
            _move(found, Path(result["landmarks"]))
        _move(head, out)
    return result


def cloud(params: Mapping[str, Any], folder: Path, job: Job) -> dict[str, Any]:
    """`head/cloud`: a splat's tiles and landmarks, in a file of the engine's folder."""
    handle, path = tempfile.mkstemp(prefix="cloud-", suffix=".npz", dir=folder)
    os.close(handle)
    arguments = ["splat-cloud", f"--out={path}"]
    for name in ("template", "landmarks"):
        if params.get(name):
            arguments.append(f"--{name}={params[name]}")
    if not params.get("search", True):
        arguments.append("--no-search")
    return {"cloud": path, **run_command([*arguments, "--", params["file"]], job)}


def export_head(params: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """`head/export`: a head along curves → a file, or a folder with a file a frame."""
    given = {name: params[name] for name in ("head", "curves", "out", "format", "transforms") if params.get(name)}
    arguments = ["export-head", *(f"--{name}={value}" for name, value in given.items())]
    return {"out": params["out"], **run_command(arguments, job)}


def _move(source: Path, target: Path) -> None:
    """Put a finished file in its place, on whatever disk that is; what was there is replaced only by the whole."""
    partial = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, partial)
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise MienError(f"{target} can't be written ({error.strerror or error}); choose another place.") from None
