"""What the emotion panel holds; kept with the scene, so that a mood can be made again."""

from __future__ import annotations

import bpy

from ...engine.contract.errors import MienError
from ...engine.contract.files import read_json
from .. import session
from . import zones

SOURCES = (
    ("TEXT", "Direction", "In words, as a director says it: what, when, how much, on which side"),
    ("LABEL", "Emotion", "An emotion by its name"),
    ("VA", "Pad", "A point between unpleasant and pleasant, drowsy and excited"),
    ("VOICE", "Voice", "How the line is said: its arousal, and from its words whether it is glad"),
    ("EXAMPLE", "Example", "Another head's animation, or a curve file: feel as that face does"),
    ("MIX", "Mix", "Several of these at once, by weight"),
)
#: What a mix is made of: (source of the panel, the engine's name, default weight).
PARTS = (("TEXT", "text", 1.0), ("VOICE", "audio", 0.0), ("LABEL", "label", 0.0), ("EXAMPLE", "example", 0.0),
         ("VA", "va", 0.0))  # fmt: skip
OVER = (
    ("SPEECH", "Speech", "As long as the Speech strip at the current frame, or the nearest; without any, the scene"),
    ("SCENE", "Scene Range", "The scene's frame range, or its preview range"),
)
FORMER = (
    ("MUTE", "Mute Them", "Former moods in these frames are muted in the NLA; unmute one to have it back"),
    ("KEEP", "Add to Them", "Former moods stay and the new one is added to them"),
)
AFTER = (
    ("STAY", "Stays", "The last frame's mood is held until another begins"),
    ("FADE", "Fades", "The face goes back to what lies below within 0.8 s"),
)
_TABLE = session.ROOT / "engine" / "emotion" / "data" / "emotions.json"
_TABLE_BYTES = 1024 * 1024


def _labels() -> list[tuple[str, str, str]]:
    """The emotion table's labels, by name, as a menu's entries; the table belongs to the engine's files."""
    try:
        entries = read_json(_TABLE, _TABLE_BYTES)["emotions"]
    except MienError as error:
        return [("neutral", "Neutral", str(error))]
    return [
        (name, name.replace("_", " ").capitalize(), f"Valence {entry['valence']:+.1f}, arousal {entry['arousal']:+.1f}")
        for name, entry in sorted(entries.items())
    ]


def _shown(self, context) -> None:
    session.redraw()


class MienEmotion(bpy.types.PropertyGroup):
    source: bpy.props.EnumProperty(name="From", description="What gives the mood", items=SOURCES)
    text: bpy.props.StringProperty(
        name="Direction",
        description='Such as "calm, then furious at 3 s, ending in a bitter smile", '
        '"a hint of a smirk on the left" or "sad while she says \'never\'"',
    )
    label: bpy.props.EnumProperty(name="Emotion", description="What is felt", items=_labels(), default="happiness")
    valence: bpy.props.FloatProperty(
        name="Valence", description="-1 unpleasant, 1 pleasant", default=0.5, min=-1.0, max=1.0, step=5
    )
    arousal: bpy.props.FloatProperty(
        name="Arousal", description="-1 drowsy, 1 excited", default=0.3, min=-1.0, max=1.0, step=5
    )
    voice: bpy.props.StringProperty(
        name="Sound",
        description="A recording of speech; without one, the sound of the Speech strip at the current frame",
        subtype="FILE_PATH",
    )
    example: bpy.props.PointerProperty(
        name="Example", description="A head or object whose animated channels show the feeling", type=bpy.types.Object
    )
    example_file: bpy.props.StringProperty(
        name="Curve File", description="A .json curve file that shows the feeling", subtype="FILE_PATH"
    )
    mix_text: bpy.props.FloatProperty(name="Direction", default=1.0, min=0.0, max=1.0, step=5)
    mix_audio: bpy.props.FloatProperty(name="Voice", default=0.0, min=0.0, max=1.0, step=5)
    mix_label: bpy.props.FloatProperty(name="Emotion", default=0.0, min=0.0, max=1.0, step=5)
    mix_example: bpy.props.FloatProperty(name="Example", default=0.0, min=0.0, max=1.0, step=5)
    mix_va: bpy.props.FloatProperty(name="Pad", default=0.0, min=0.0, max=1.0, step=5)
    show_zone: bpy.props.EnumProperty(
        name="Show Zone", description="Lay a zone's mask over the heads in viewports", items=zones.SHOWN, update=_shown
    )
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="0.1 is a trace, 1 as it is meant, up to 1.5 exaggerated",
        default=1.0,
        min=0.0,
        max=1.5,
        step=5,
    )
    over: bpy.props.EnumProperty(name="Over", description="Which frames it takes", items=OVER)
    after: bpy.props.EnumProperty(name="At the End", description="What the face does after the last frame", items=AFTER)
    former: bpy.props.EnumProperty(
        name="Former Takes", description="What becomes of moods in the same frames; they are never lost", items=FORMER
    )


def register() -> None:
    bpy.utils.register_class(MienEmotion)
    bpy.types.Scene.mien_emotion = bpy.props.PointerProperty(type=MienEmotion)


def unregister() -> None:
    del bpy.types.Scene.mien_emotion
    bpy.utils.unregister_class(MienEmotion)
