"""Channels over time: keys, Actions, NLA tracks."""

from __future__ import annotations

from . import operators


def register() -> None:
    operators.register()


def unregister() -> None:
    operators.unregister()
