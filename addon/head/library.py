"""The heads that ship with Mien, the artist's own, and their pictures, read without the engine, before it runs."""

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
_seen: tuple[int, ...] = ()
_items: list[tuple[str, str, str, int, int]] = []
_previews: bpy.utils.previews.ImagePreviewCollection | None = None


@dataclass(frozen=True)
class Entry:
    """A head that can be added: `head` is what names it, a shipped head's name or an own head's file."""

    head: str
    name: str
    author: str
    licence: str
    icon: int


def own_folder() -> Path:
    """Where the artist's own heads are kept: imported ones, and those made from their characters."""
    return session.folder("heads")


def free_file(name: str) -> Path:
    """A file for a new head of that name in the artist's folder, which overwrites none."""
    stem = (
        "".join(letter if letter.isalnum() or letter in " -_." else "_" for letter in name).strip(" .")[:80] or "Head"
    )
    path, number = own_folder() / f"{stem}.mien", 1
    while path.exists():
        number += 1
        path = own_folder() / f"{stem} {number}.mien"
    return path


def entries() -> list[Entry]:
    """The shipped heads by name, then the artist's own; files that can't be read are left out, the engine says why when
    one is asked for.
    """
    global _found, _seen, _items
    stamp = tuple(folder.stat().st_mtime_ns if folder.is_dir() else 0 for folder in (FOLDER, own_folder()))
    if _found is None or stamp != _seen:
        _found, _seen, _items = [], stamp, []
        for folder in (FOLDER, own_folder()):
            some = []
            for file in sorted(folder.glob("*.mien")):
                with contextlib.suppress(
                    OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError
                ):
                    some.append(_read(file))
            _found += sorted(some, key=lambda entry: entry.name)
    return _found


def _read(file: Path) -> Entry:
    with zipfile.ZipFile(file) as archive:
        info = json.loads(_member(archive, "head.json"))
        own = file.parent != FOLDER
        head = str(file) if own else str(info["name"])
        icon = 0
        if _previews is not None and "thumbnail.png" in archive.namelist():
            key = f"{head} {file.stat().st_mtime_ns}"
            picture = session.folder("thumbnails") / f"{'own-' if own else ''}{file.stem}.png"
            picture.write_bytes(_member(archive, "thumbnail.png"))
            if key not in _previews:
                _previews.load(key, str(picture), "IMAGE", force_reload=True)
            icon = _previews[key].icon_id
    return Entry(head, str(info["name"]), str(info.get("author", "")), str(info.get("licence", "")), icon)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as stream:
        return stream.read(_LIMIT)


def enum_items(self, context) -> list[tuple[str, str, str, int, int]]:
    """For an EnumProperty. Blender keeps no reference to the texts, so the list is kept here."""
    global _items
    found = entries()
    if not _items:
        _items = [
            (entry.head, entry.name, f"{entry.name}. {entry.author}. {entry.licence}", entry.icon, number)
            for number, entry in enumerate(found)
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
