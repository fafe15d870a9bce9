"""Installing the engine, and the extension's preferences."""

from __future__ import annotations

from . import preferences

_PARTS = (preferences,)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
