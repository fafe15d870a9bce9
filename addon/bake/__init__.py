"""Any Blender character with ARKit or FACS shape keys, photographed and fitted as a Gaussian head; docs/bake.md."""

from __future__ import annotations


def register() -> None:
    from . import operators, settings

    settings.register()
    operators.register()


def unregister() -> None:
    from . import operators, settings

    operators.unregister()
    settings.unregister()
