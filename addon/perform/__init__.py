"""Speech: from a sound or a line to keys on a head."""

from __future__ import annotations

from . import captures, locks, operators, regenerate, rough, settings, sync, voices

_PARTS = (settings, rough, operators, locks, regenerate, sync, captures, voices)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
