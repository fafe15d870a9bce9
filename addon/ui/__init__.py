"""Panels."""

from __future__ import annotations

from . import bake, outside, panels

_PARTS = (panels, outside, bake)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
