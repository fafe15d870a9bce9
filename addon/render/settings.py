"""What an artist sets about rendering: for the scene, and for each view layer its passes."""

from __future__ import annotations

import bpy

from ...engine.contract.passes import PASSES, Pass
from .. import session
from ..head import display

BACKENDS = (
    ("auto", "Automatic", "The graphics card where it can, else the processor"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
)


def _changed(self, context) -> None:
    display.update()
    session.redraw()


class MienScene(bpy.types.PropertyGroup):
    """Settings of a scene."""

    follows: bpy.props.PointerProperty(
        name="Follows", description="The scene whose heads this one renders for the compositor", type=bpy.types.Scene
    )
    backend: bpy.props.EnumProperty(
        name="Backend", description="What draws the splats", items=BACKENDS, update=_changed
    )
    motion_samples: bpy.props.IntProperty(
        name="Motion Samples",
        description="Moments within the shutter that motion blur is made of",
        default=12,
        min=2,
        max=128,
    )
    show_overlay: bpy.props.BoolProperty(
        name="Splats in Viewports", description="Draw the heads' splats in 3D viewports", default=True, update=_changed
    )
    overlay_scale: bpy.props.IntProperty(
        name="While Moving",
        description="Resolution of the splats while the view or a head moves; they sharpen when it rests",
        default=50,
        min=10,
        max=100,
        subtype="PERCENTAGE",
    )


def _passes_changed(self, context) -> None:
    for layer in context.scene.view_layers:
        layer.update_render_passes()


class MienViewLayer(bpy.types.PropertyGroup):
    """Mien's own passes of a view layer; Depth, Normal and Vector follow Blender's switches."""

    use_pass_mask: bpy.props.BoolProperty(
        name="Mask", description="Coverage of the heads", default=True, update=_passes_changed
    )
    use_pass_zones: bpy.props.BoolProperty(
        name="Zone Masks",
        description="One mask for each zone: brows, eyes, nose and cheeks, mouth, jaw and tongue, gaze, head",
        default=False,
        update=_passes_changed,
    )


def wanted_passes(layer: bpy.types.ViewLayer) -> list[Pass]:
    """The passes that a view layer asks for, in the contract's order."""
    switches = {
        "Combined": True,
        "Depth": layer.use_pass_z,
        "Normal": layer.use_pass_normal,
        "Vector": layer.use_pass_vector,
        "Mask": layer.mien.use_pass_mask,
    }
    return [entry for entry in PASSES if switches.get(entry.name, layer.mien.use_pass_zones)]


def register() -> None:
    bpy.utils.register_class(MienScene)
    bpy.utils.register_class(MienViewLayer)
    bpy.types.Scene.mien = bpy.props.PointerProperty(type=MienScene)
    bpy.types.ViewLayer.mien = bpy.props.PointerProperty(type=MienViewLayer)


def unregister() -> None:
    del bpy.types.ViewLayer.mien
    del bpy.types.Scene.mien
    bpy.utils.unregister_class(MienViewLayer)
    bpy.utils.unregister_class(MienScene)
