"""Head objects: settings, channels, the proxy mesh, copies, and the operators that add, import and export them."""

from __future__ import annotations

from . import copies, display, exporting, importing, landmarks, library, operators, settings

_PARTS = (settings, library, operators, importing, landmarks, exporting, copies, display)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
