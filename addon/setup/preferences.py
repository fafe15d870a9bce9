"""The extension's preferences."""

from __future__ import annotations

import bpy

from .. import session


def _changed(self, context) -> None:
    session.stop()


class MienPreferences(bpy.types.AddonPreferences):
    bl_idname = session.PACKAGE

    engine_python: bpy.props.StringProperty(
        name="Engine Python",
        description="Python with the engine's packages; empty for the one that Install Engine makes",
        subtype="FILE_PATH",
        update=_changed,
    )

    def draw(self, context):
        from ..ui.panels import draw_status

        draw_status(self.layout, context)
        self.layout.prop(self, "engine_python")


def register() -> None:
    bpy.utils.register_class(MienPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(MienPreferences)
