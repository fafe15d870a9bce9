"""The one list of render passes. A pass is a plane of float32 with 1, 3 or 4 components a pixel, rows top-down."""

from __future__ import annotations

from dataclasses import dataclass

from .channels import MASK_ZONES, ZONE_LABELS

#: What Depth holds where no Gaussian is: the same as Cycles writes.
DEPTH_BACKGROUND = 1e10


@dataclass(frozen=True, slots=True)
class Pass:
    """`components` names the planes as Blender does: "RGBA", "Z", "XYZ", "X", "XYZW"; `kind` is Blender's pass type."""

    name: str
    components: str
    kind: str
    description: str


PASSES: tuple[Pass, ...] = (
    Pass("Combined", "RGBA", "COLOR", "Scene-linear Rec.709, premultiplied by alpha"),
    Pass("Depth", "Z", "VALUE", "Planar distance from the camera in metres, weighted by opacity; 1e10 where alpha is below 1/255"),
    Pass("Normal", "XYZ", "VECTOR", "World-space unit normal of the surface, premultiplied by alpha"),
    Pass("Mask", "X", "VALUE", "Coverage of the head"),
    Pass("Vector", "XYZW", "VECTOR", "Motion in pixels, with Cycles' signs: previous − here (x, y) and here − next (z, w), y up; 0 where nothing is"),
    *(Pass(f"Mask {ZONE_LABELS[zone]}", "X", "VALUE", f"Coverage of the zone {ZONE_LABELS[zone]}") for zone in MASK_ZONES),
)
PASS_BY_NAME: dict[str, Pass] = {entry.name: entry for entry in PASSES}
