"""Installing the engine, and the extension's preferences."""

from __future__ import annotations


def _parts():
    # Not at the top: `session` needs this room's installer, and these need `session`.
    from . import operators, preferences

    return (preferences, operators)


def register() -> None:
    for part in _parts():
        part.register()


def unregister() -> None:
    for part in reversed(_parts()):
        part.unregister()
