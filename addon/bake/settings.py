"""What the bake's panel holds; kept with the scene, so that a bake goes on after Blender was closed."""

from __future__ import annotations

import bpy

from . import matching

QUALITIES = (
    ("DRAFT", "Draft", "About 60 pictures: to see whether everything is in place"),
    ("GOOD", "Good", "About 145 pictures: every expression from a few sides"),
    ("BEST", "Best", "About 225 pictures: every expression by itself, from more sides"),
)
ENGINES = (
    ("CYCLES", "Cycles", "Path tracing: exact light and translucent skin"),
    ("EEVEE", "EEVEE", "Much faster, with the materials' EEVEE look; needs a graphics card"),
)
LIGHTINGS = (
    ("STUDIO", "Studio", "Soft neutral light from the front: the head suits any set"),
    ("SCENE", "Scene", "The scene's own lamps, world and reflections, baked into the head"),
)
FACINGS = (
    ("AUTO", "Automatic", "By what the left and right, upper and lower shape keys move"),
    *((axis, axis, f"Along {axis} of the face object's own axes") for axis in ("-Y", "+Y", "+X", "-X", "+Z", "-Z")),
)
RENDERED = ("MESH", "CURVES", "CURVE", "SURFACE", "FONT", "META", "POINTCLOUD", "VOLUME")


class MienBakePart(bpy.types.PropertyGroup):
    """One material of one object of the character."""

    object: bpy.props.PointerProperty(name="Object", type=bpy.types.Object)
    slot: bpy.props.IntProperty(name="Material Slot")
    material: bpy.props.StringProperty(name="Material")
    part: bpy.props.EnumProperty(name="Part", description="What this is of the head", items=list(matching.PARTS))


def _empties(self, obj: bpy.types.Object) -> bool:
    return obj.type == "EMPTY"


class MienBake(bpy.types.PropertyGroup):
    parts: bpy.props.CollectionProperty(type=MienBakePart)
    active: bpy.props.IntProperty(name="Part")
    name: bpy.props.StringProperty(name="Name", description="What the head will be called", default="")
    author: bpy.props.StringProperty(name="Author", description="Who made the character; goes into the head file")
    licence: bpy.props.StringProperty(
        name="Licence", description="What others may do with the head; goes into the head file",
        default="All rights reserved",
    )  # fmt: skip
    folder: bpy.props.StringProperty(
        name="Folder", description="Where the pictures and the mesh are written, in a folder of the head's name",
        subtype="DIR_PATH", default="//bake", options={"PATH_SUPPORTS_BLEND_RELATIVE"},
    )  # fmt: skip
    quality: bpy.props.EnumProperty(name="Quality", description="How many pictures", items=QUALITIES, default="GOOD")
    size: bpy.props.IntProperty(
        name="Size", description="Width and height of a picture in pixels", default=512, min=32, max=4096, soft_min=256,
        soft_max=1024,
    )  # fmt: skip
    samples: bpy.props.IntProperty(
        name="Samples", description="Samples a pixel", default=64, min=1, max=4096, soft_max=512
    )
    engine: bpy.props.EnumProperty(name="Render With", items=ENGINES, default="CYCLES")
    denoise: bpy.props.BoolProperty(name="Denoise", description="Denoise Cycles' pictures", default=True)
    lighting: bpy.props.EnumProperty(name="Light", items=LIGHTINGS, default="STUDIO")
    facing: bpy.props.EnumProperty(name="Facing", description="Where the face looks", items=FACINGS, default="AUTO")
    life_size: bpy.props.FloatProperty(
        name="Scale", description="Brings the character to life size; 0 finds it by the distance of eyes and mouth",
        default=0.0, min=0.0, max=1000.0, precision=4,
    )  # fmt: skip
    triangles: bpy.props.IntProperty(
        name="Mesh Limit", description="Subdivision is lowered until head and bust have at most so many triangles",
        default=80_000, min=2_000, max=800_000, soft_max=200_000,
    )  # fmt: skip
    eye_left: bpy.props.PointerProperty(
        name="Left Eye", description="An empty in the middle of the character's own left eye, if no mesh is one",
        type=bpy.types.Object, poll=_empties,
    )  # fmt: skip
    eye_right: bpy.props.PointerProperty(
        name="Right Eye", description="An empty in the middle of the character's own right eye", type=bpy.types.Object,
        poll=_empties,
    )  # fmt: skip


def objects(settings: MienBake) -> list[bpy.types.Object]:
    """The chosen objects that still exist, each once."""
    return list(dict.fromkeys(entry.object for entry in settings.parts if entry.object is not None))


def choose(settings: MienBake, chosen: list[bpy.types.Object]) -> None:
    """Make these the character; parts are guessed, those that were set for the same material stay."""
    before = {(entry.object, entry.slot): entry.part for entry in settings.parts if entry.object is not None}
    settings.parts.clear()
    for obj in chosen:
        slots = obj.material_slots or [None]
        for index, slot in enumerate(slots):
            entry = settings.parts.add()
            entry.object, entry.slot = obj, index
            material = slot.material.name if slot is not None and slot.material else ""
            entry.name = f"{obj.name} {material}"
            entry.material = material
            # A skin material on an eye's object is that object's name for it; one called "Material" says nothing.
            entry.part = before.get((obj, index)) or matching.guess_part(material, obj.name)
    if chosen and not settings.name:
        settings.name = chosen[0].name


CLASSES = (MienBakePart, MienBake)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.Scene.mien_bake = bpy.props.PointerProperty(type=MienBake)


def unregister() -> None:
    del bpy.types.Scene.mien_bake
    _unregister_classes()
