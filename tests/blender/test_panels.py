"""Every panel of the tab draws in every state an artist brings it into; Blender tells its console alone of errors."""

from types import FunctionType, MethodType, SimpleNamespace
from unittest.mock import MagicMock


def recorder(said: list[str]) -> MagicMock:
    """Takes whatever a panel draws; the labels of it and of all that lies in it go to `said`."""
    made = MagicMock()
    made.label.side_effect = lambda text="", **_: said.append(text)
    for kind in ("row", "column", "split", "box"):
        getattr(made, kind).side_effect = lambda *_, **__: recorder(said)
    return made


class Context:
    """Blender's, with the interface's scale of a window, which is 0 without one."""

    def __init__(self, context) -> None:
        self._context = context
        self.preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))

    def __getattr__(self, name):
        return getattr(self._context, name)


def draw_tab(blender) -> list[str]:
    """Draw all panels that show now; their labels."""
    context, said, drawn = Context(blender.bpy.context), [], 0
    for name in ("panels", "perform_more", "emotion_more", "outside", "bake"):
        for panel in blender.module(f"ui.{name}").CLASSES:
            if getattr(panel, "bl_category", "") != "Mien" or (hasattr(panel, "poll") and not panel.poll(context)):
                continue
            drawn += 1
            stand_in = SimpleNamespace(layout=recorder(said))
            for own, value in vars(panel).items():
                if isinstance(value, FunctionType):
                    setattr(stand_in, own, MethodType(value, stand_in))
            stand_in.draw(context)
    assert drawn >= 4
    return said


def test_the_tab_of_an_empty_scene_says_what_to_do(blender, engine_python):
    said = draw_tab(blender)
    assert "Select a head to pose it" in said
    assert any(text.startswith("Select a character") for text in said)


def test_the_tab_of_a_head_and_of_one_that_speaks(blender, engine_python):
    head = blender.add_head()
    said = draw_tab(blender)
    assert "Choose a sound file first" in said and "Speech  0 — 0.5 both — 1  Emotion" in said
    for source in ("STRIP", "LINE"):
        blender.scene.mien_speech.source = source
        draw_tab(blender)
    for source in blender.scene.mien_emotion.bl_rna.properties["source"].enum_items:
        blender.scene.mien_emotion.source = source.identifier
        draw_tab(blender)
    root = blender.module("session").ROOT
    assert blender.bpy.ops.mien.speak(audio=f"{root}/engine/speech/lines/default.flac") == {"FINISHED"}
    assert "No channel is locked" in draw_tab(blender)
    del head[blender.module("head.priorities").name("mouth")]
    draw_tab(blender)


def test_the_tab_of_a_character(blender, engine_python):
    """Its table names the side first, since a narrow sidebar cuts the end off."""
    import character

    for obj in character.build():
        obj.select_set(True)
    assert blender.bpy.ops.mien.bake_choose() == {"FINISHED"}
    said = draw_tab(blender)
    assert "12 L Lip Corner Puller" in said and "26 Jaw Drop" in said
    found = {"pictures": 60, "kept": 2, "changed": 1, "seconds": 90.0, "units": ["jawOpen"], "triangles": 4000}
    dialog: list[str] = []
    operator = SimpleNamespace(start_over=False)
    draw = blender.module("ui.bake").draw_confirmation
    draw(recorder(dialog), Context(blender.bpy.context), found | {"notes": ["A note."]}, operator)
    assert "A note." in dialog and any(text.startswith("58 pictures of Head") for text in dialog)
