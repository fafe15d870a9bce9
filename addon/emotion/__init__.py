"""Emotion: from a direction, a label or valence and arousal to keys that are added to a head's speech."""

from __future__ import annotations

from . import operators, settings

_PARTS = (settings, operators)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
