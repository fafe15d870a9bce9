"""Who wins where: the priority of emotion over speech in each zone, as raw custom properties of a head.

0 is speech alone, 1 emotion first. Like channels they can be keyed and go on working with the add-on disabled.
"""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.contract import channels as table

ZONES: tuple[tuple[str, str], ...] = tuple((zone, label) for zone, label in table.ZONES if zone in table.MASK_ZONES)
BOTH = 0.5


def name(zone: str) -> str:
    """The custom property of a zone's priority."""
    return f"Priority {table.ZONE_LABELS[zone]}"


def path(zone: str) -> str:
    return f'["{name(zone)}"]'


def define(obj: bpy.types.Object) -> None:
    """Give a head the priorities it lacks: speech and emotion side by side, articulation kept."""
    for zone, label in ZONES:
        if not isinstance(obj.get(name(zone)), float):
            obj[name(zone)] = BOTH
            obj.id_properties_ui(name(zone)).update(
                min=0.0, max=1.0, soft_min=0.0, soft_max=1.0, default=BOTH, step=5.0, precision=2,
                description=f"{label}: 0 is speech alone, 0.5 both, 1 emotion before speech. Lips close for p, b and m "
                "whatever it is",
            )  # fmt: skip
            obj.property_overridable_library_set(path(zone), True)


def value(obj: bpy.types.Object, zone: str) -> float:
    """The priority now."""
    held = obj.get(name(zone), BOTH)
    return float(np.clip(held, 0, 1)) if isinstance(held, (int, float)) else BOTH
