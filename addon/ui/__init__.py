"""Panels."""

from __future__ import annotations

from . import bake, emotion_more, outside, panels, perform_more

_PARTS = (panels, emotion_more, perform_more, outside, bake)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
