"""What the speech panel holds; kept with the scene, so that a line can be made again."""

from __future__ import annotations

import zlib

import bpy

from .. import compat, session

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


_DEFAULT_VOICE = ("af_heart", "Heart", "English (US)", "female")
_voice_items: list[tuple[str, str, str, int]] = []
"""Blender keeps no reference to the texts of a dynamic enum."""


def _number(voice: str) -> int:
    """A voice's number as an enum item: the same whatever other voices there are."""
    return zlib.crc32(voice.encode()) & 0x3FFFFFFF


def voices(self, context: bpy.types.Context | None) -> list[tuple[str, str, str, int]]:
    """The voices that the engine knows, those that are not installed marked so."""
    told = session.capabilities().get("speech", {})
    ready = told.get("voices")
    _voice_items.clear()
    for name, said, language, sex in told.get("all") or [_DEFAULT_VOICE]:
        missing = ready is not None and name not in ready
        title = f"{said}, {sex}, {language}" + (" (not installed)" if missing else "")
        _voice_items.append((name, title, f"Kokoro's voice {name}", _number(name)))
    return _voice_items


def voice_missing() -> bool:
    """Whether the engine has said that no voice is installed."""
    ready = session.capabilities().get("speech", {}).get("voices")
    return ready is not None and not ready


class MienPronunciation(bpy.types.PropertyGroup):
    word: bpy.props.StringProperty(name="Word", description="As it is written, such as Mien")
    ipa: bpy.props.StringProperty(name="IPA", description="As it is said, in the phonetic alphabet, such as miːn")


class MienSpeech(bpy.types.PropertyGroup):
    source: bpy.props.EnumProperty(name="From", description="What is spoken", items=SOURCES)
    audio: bpy.props.StringProperty(name="Sound", description="WAV, FLAC, Ogg or MP3 file", subtype="FILE_PATH")
    strip: bpy.props.StringProperty(name="Strip", description="A sound strip of the sequencer", search=_strip_names)
    text: bpy.props.StringProperty(
        name="Words", description="What the recording says, if you know it: the phones are found more surely"
    )
    line: bpy.props.StringProperty(
        name="Line", description='What the head says, in English; "[Mien](/miːn/)" says how a word is pronounced'
    )
    voice: bpy.props.EnumProperty(
        name="Voice", description="Who speaks a typed line", items=voices, default=_number(_DEFAULT_VOICE[0])
    )
    speed: bpy.props.FloatProperty(
        name="Speed", description="How fast the voice speaks", default=1.0, min=0.5, max=2.0, precision=2, step=5
    )
    pronunciations: bpy.props.CollectionProperty(type=MienPronunciation)
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
        name="At Current Frame",
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


def pronunciations(settings: MienSpeech) -> dict[str, str]:
    """{word: IPA} for the engine; rows that lack either are left out."""
    rows = [(row.word.strip(), row.ipa.strip()) for row in settings.pronunciations]
    return {word: ipa for word, ipa in rows if word and ipa}


def register() -> None:
    bpy.utils.register_class(MienPronunciation)
    bpy.utils.register_class(MienSpeech)
    bpy.types.Scene.mien_speech = bpy.props.PointerProperty(type=MienSpeech)


def unregister() -> None:
    del bpy.types.Scene.mien_speech
    bpy.utils.unregister_class(MienSpeech)
    bpy.utils.unregister_class(MienPronunciation)
