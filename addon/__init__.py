"""Inside Blender: bpy, numpy and the standard library.

Importing this package imports no bpy: `addon.bridge` is used and tested without Blender.
"""


def _parts():
    from . import animate, bake, emotion, head, jobs, perform, render, setup, ui

    return (setup, jobs, head, render, animate, perform, emotion, bake, ui)


def register() -> None:
    for part in _parts():
        part.register()


def unregister() -> None:
    from . import session

    for part in reversed(_parts()):
        part.unregister()
    session.stop()
