"""Mien: Gaussian talking heads for Blender. Blender's way in.

Nothing here imports bpy until `register` runs, so that tests can load the tree as the package `mien` without Blender.
"""


def register() -> None:
    from . import addon

    addon.register()


def unregister() -> None:
    from . import addon

    addon.unregister()
