"""The Mien render engine, the splats in viewports, and the compositor's set-up."""

from __future__ import annotations

from . import compositor, engine, settings, viewport

_PARTS = (settings, engine, viewport, compositor)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
