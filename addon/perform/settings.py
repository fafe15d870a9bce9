"""What the speech panel holds; kept with the scene, so that a line can be made again."""

from __future__ import annotations

import bpy

from .. import compat

SOURCES = (
    ("FILE", "Sound File", "A recording on disk"),
    ("STRIP", "Sound Strip", "A strip of the video sequencer, as it is trimmed"),
    ("LINE", "Typed Line", "English text, spoken by Mien's own voice"),
)
#: (layer of the engine, label, description).
LAYERS = (
    ("mouth", "Mouth", "Lips, jaw and tongue"),
    ("brows", "Brows", "Brow movements on stressed words"),
    ("blinks", "Blinks", "Blinks"),
    ("gaze", "Gaze", "Small eye movements"),
    ("head", "Head", "Nods and sway"),
    ("breath", "Breath", "Breathing between phrases"),
)


def sound_strips(context: bpy.types.Context) -> list[bpy.types.Strip]:
    editor = compat.sequencer_scene(context).sequence_editor
    return [strip for strip in editor.strips_all if strip.type == "SOUND"] if editor else []


def _strip_names(self, context, typed: str) -> list[str]:
    return [strip.name for strip in sound_strips(context)]


class MienSpeech(bpy.types.PropertyGroup):
    source: bpy.props.EnumProperty(name="From", description="What is spoken", items=SOURCES)
    audio: bpy.props.StringProperty(name="Sound", description="WAV, FLAC, Ogg or MP3 file", subtype="FILE_PATH")
    strip: bpy.props.StringProperty(name="Strip", description="A sound strip of the sequencer", search=_strip_names)
    text: bpy.props.StringProperty(
        name="Words", description="What the recording says, if you know it: the phones are found more surely"
    )
    line: bpy.props.StringProperty(name="Line", description="What the head says, in English")
    seed: bpy.props.IntProperty(
        name="Take", description="Another number gives other blinks, glances and head movements", default=0, min=0
    )
    add_sound: bpy.props.BoolProperty(
        name="Add Sound Strip", description="Put the sound into the sequencer at the same frame", default=True
    )
    set_range: bpy.props.BoolProperty(
        name="Set Frame Range", description="Make the scene as long as the speech", default=False
    )
    at_current_frame: bpy.props.BoolProperty(
        name="Start at Current Frame",
        description="Else at the scene's first frame; a strip always keeps its own place",
        default=False,
    )
    show_strengths: bpy.props.BoolProperty(name="Strengths", description="How strong each part is", default=False)


def _strength(label: str, description: str) -> bpy.props.FloatProperty:
    return bpy.props.FloatProperty(
        name=label,
        description=f"{description}: 1 as modelled, 0 leaves it out",
        default=1.0,
        min=0.0,
        max=10.0,
        soft_max=2.0,
    )


for _layer, _label, _description in LAYERS:
    MienSpeech.__annotations__[f"strength_{_layer}"] = _strength(_label, _description)


def strengths(settings: MienSpeech) -> dict[str, float]:
    """{layer: factor} for the engine."""
    return {layer: getattr(settings, f"strength_{layer}") for layer, *_ in LAYERS}


def register() -> None:
    bpy.utils.register_class(MienSpeech)
    bpy.types.Scene.mien_speech = bpy.props.PointerProperty(type=MienSpeech)


def unregister() -> None:
    del bpy.types.Scene.mien_speech
    bpy.utils.unregister_class(MienSpeech)
