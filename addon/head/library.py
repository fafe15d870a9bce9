"""The heads that ship with Mien and their pictures, read without the engine, so that they show before it runs."""

from __future__ import annotations

import contextlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import bpy.utils.previews

from .. import session

FOLDER = session.ROOT / "engine" / "heads" / "library"
_LIMIT = 1 << 20

_found: list[Entry] | None = None
_items: list[tuple[str, str, str, int, int]] = []
_previews: bpy.utils.previews.ImagePreviewCollection | None = None


@dataclass(frozen=True)
class Entry:
    """A shipped head."""

    name: str
    author: str
    licence: str
    icon: int


def entries() -> list[Entry]:
    """The shipped heads by name; files that can't be read are left out, the engine says why when one is asked for."""
    global _found
    if _found is None:
        _found = []
        for file in sorted(FOLDER.glob("*.mien")):
            with contextlib.suppress(
                OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError
            ):
                _found.append(_read(file))
        _found.sort(key=lambda entry: entry.name)
    return _found


def _read(file: Path) -> Entry:
    with zipfile.ZipFile(file) as archive:
        info = json.loads(_member(archive, "head.json"))
        icon = 0
        if _previews is not None and "thumbnail.png" in archive.namelist():
            picture = session.folder("thumbnails") / f"{file.stem}.png"
            picture.write_bytes(_member(archive, "thumbnail.png"))
            if info["name"] not in _previews:
                _previews.load(info["name"], str(picture), "IMAGE")
            icon = _previews[info["name"]].icon_id
    return Entry(str(info["name"]), str(info.get("author", "")), str(info.get("licence", "")), icon)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as stream:
        return stream.read(_LIMIT)


def enum_items(self, context) -> list[tuple[str, str, str, int, int]]:
    """For an EnumProperty. Blender keeps no reference to the texts, so the list is kept here."""
    global _items
    if not _items:
        _items = [
            (entry.name, entry.name, f"{entry.name}. {entry.author}. {entry.licence}", entry.icon, number)
            for number, entry in enumerate(entries())
        ]
    return _items


def register() -> None:
    global _previews
    if not bpy.app.background:
        _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _previews, _found, _items
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews, _found, _items = None, None, []
