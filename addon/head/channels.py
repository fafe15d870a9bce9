"""The AU channels of a head object: raw custom properties, so that they key, drive, layer and override like any.

Raw properties rather than a registered group: they go on animating with the add-on disabled (blender-facts).
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

from ...engine.contract import channels as table


def path(name: str) -> str:
    """RNA path of a channel from its object."""
    return f'["{name}"]'


def name_of(data_path: str) -> str | None:
    """The channel that an F-curve's path means, or None."""
    name = data_path[2:-2] if data_path.startswith('["') and data_path.endswith('"]') else ""
    return name if name in table.INDEX else None


def define(obj: bpy.types.Object) -> None:
    """Give an object every channel it lacks, at 0, with range, tooltip and leave to be overridden.

    What is there keeps its value; calling it again brings ranges and tooltips up to date.
    """
    for channel in table.CHANNELS:
        if not isinstance(obj.get(channel.name), float):
            obj[channel.name] = float(obj.get(channel.name) or 0.0)
        angle = channel.unit == "radians"
        obj.id_properties_ui(channel.name).update(
            min=channel.minimum,
            max=channel.maximum,
            soft_min=-channel.soft_maximum if channel.minimum < 0 else channel.minimum,
            soft_max=channel.soft_maximum,
            default=0.0,
            step=1.0,
            precision=1 if angle else 2,
            description=channel.tooltip,
            subtype="ANGLE" if angle else "NONE",
        )
        obj.property_overridable_library_set(path(channel.name), True)


def read(evaluated: bpy.types.Object) -> np.ndarray:
    """Channel values [C] of an object that the depsgraph evaluated; not clamped, a missing or odd property is 0."""
    row = np.zeros(len(table.CHANNELS))
    for index, name in enumerate(table.NAMES):
        value = evaluated.get(name, 0.0)
        if isinstance(value, (int, float)):
            row[index] = value
    return row


def as_mapping(values: np.ndarray) -> dict[str, float]:
    """Channel values [C] as messages carry them: clamped, those at 0 left out."""
    return {table.NAMES[i]: float(v) for i, v in enumerate(table.clamp(values)) if v != 0.0}


def of_zone(zone: str) -> list[table.Channel]:
    """The channels of one zone, in panel order."""
    return [channel for channel in table.CHANNELS if channel.zone == zone]


def reset(obj: bpy.types.Object, names: Iterable[str]) -> None:
    for name in names:
        obj[name] = 0.0
    obj.update_tag()


def partner(name: str) -> str:
    """The channel that does on a mirrored face what this one does; its own name where that is itself."""
    for code, other in (
        ("AU61 Eyes Turn Left", "AU62 Eyes Turn Right"),
        ("AU62 Eyes Turn Right", "AU61 Eyes Turn Left"),
    ):
        if name.startswith(code):  # a left eye turning left mirrors to a right eye turning right
            return other + (".R" if name.endswith(".L") else ".L")
    return table.channel(name).mirrored


def mirror(obj: bpy.types.Object, names: Iterable[str]) -> None:
    """Swap left and right, and turn gaze and head the other way."""
    names = set(names)
    old = {name: float(obj.get(name, 0.0)) for name in names}
    for name in names:
        if name in SIDEWAYS:
            obj[name] = -old[name]
        elif partner(name) in names:
            obj[name] = old[partner(name)]
    obj.update_tag()


#: Signed channels without sides that mean the opposite on a mirrored face.
SIDEWAYS: tuple[str, ...] = ("Gaze Horizontal", "Head Yaw", "Head Roll")
