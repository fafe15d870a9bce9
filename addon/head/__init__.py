"""Head objects: settings, channels, the proxy mesh, copies, and the operators that add them."""

from __future__ import annotations

from . import copies, display, library, operators, settings

_PARTS = (settings, library, operators, copies, display)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
