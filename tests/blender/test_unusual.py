"""Unusual but ordinary: what artists do to files, names, tracks and nodes, and what becomes of Mien's work."""

import shutil
import wave
from pathlib import Path

import numpy as np
import pytest


def strips(head):
    return [(track.name, strip) for track in head.animation_data.nla_tracks for strip in track.strips]


def buzz(path, seconds=1.0):
    """A vowel-like sound as a WAV file."""
    time = np.arange(int(16000 * seconds)) / 16000
    sound = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 20)) * 0.2
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


def heard(scene):
    return [strip for strip in scene.sequence_editor.strips_all if not strip.mute]


# ── linked files ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def library(blender, tmp_path):
    """A scene that links the collection "Cast" with a head from another file; the head."""
    bpy = blender.bpy
    head, cast = blender.add_head(), bpy.data.collections.new("Cast")
    blender.scene.collection.children.link(cast)
    cast.objects.link(head)
    blender.scene.collection.objects.unlink(head)
    path = tmp_path / "cast.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.collections = ["Cast"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    bpy.context.view_layer.update()
    return wanted.collections[0].objects[0]


def test_a_linked_head_takes_no_keys_that_would_be_forgotten(blender, library):
    mien, actions = blender.bpy.ops.mien, len(blender.bpy.data.actions)
    for change in (mien.speak, mien.emotion, mien.clean_up, mien.key_zone, mien.reset_zone, mien.lock, mien.pad_point):
        assert not change.poll()
        with pytest.raises(RuntimeError, match=r"linked from cast\.blend; make a library override"):
            change()
    assert library.animation_data is None or not len(library.animation_data.nla_tracks)
    assert len(blender.bpy.data.actions) == actions
    assert mien.export_curves.poll() and mien.check_sync.poll()  # these change nothing about it


def test_moods_of_a_library_override_are_saved(blender, library, tmp_path):
    bpy = blender.bpy
    cast, context = library.users_collection[0], bpy.context
    own = cast.override_hierarchy_create(context.scene, context.view_layer, do_fully_editable=True)
    (head,) = own.objects
    context.view_layer.objects.active = head
    for label in ("happiness", "sadness"):
        assert bpy.ops.mien.emotion(source="LABEL", label=label, over="SCENE") == {"FINISHED"}
    before = [(name, strip.action.name, strip.mute) for name, strip in strips(head)]
    assert len(before) == 2
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    head = next(obj for obj in bpy.data.objects if obj.override_library and obj.type == "MESH")
    assert [(name, strip.action.name, strip.mute) for name, strip in strips(head)] == before


def test_a_head_is_added_beside_a_linked_collection(blender, library):
    view_layer = blender.bpy.context.view_layer
    view_layer.active_layer_collection = view_layer.layer_collection.children["Cast"]
    head = blender.add_head()
    assert head.library is None and head.name in blender.bpy.context.scene.collection.objects


# ── names, tracks, the NLA ───────────────────────────────────────────────────────────────────────────────────────────


def test_names_that_an_artist_changes_lose_nothing(blender, tmp_path):
    """Another head's name, another track's: still one sound at a place, and another take of the same line."""
    head, bpy = blender.add_head(), blender.bpy
    bpy.ops.mien.speak(audio=str(buzz(tmp_path / "línea 一.wav")), add_sound=True)
    head.name = "Zoë 世界"
    head.animation_data.nla_tracks["Speech"].name = "Dialog"
    bpy.ops.mien.speak(audio=str(buzz(tmp_path / "another.wav", 1.1)), add_sound=True)
    (sound,) = heard(blender.scene)
    assert Path(sound.sound.filepath).name == "another.wav"
    head.animation_data.nla_tracks["Speech 2"].name = "Words"
    assert bpy.ops.mien.regenerate() == {"FINISHED"}
    (playing,) = [strip for _, strip in strips(head) if not strip.mute]
    assert playing.action["mien_take"] == 1


@pytest.mark.parametrize("push_down", [False, True])
def test_a_performance_arrives_while_a_strip_is_edited(blender, tmp_path, capfd, push_down):
    head, sound = blender.add_head(), str(buzz(tmp_path / "line.wav"))
    blender.bpy.ops.mien.speak(audio=sound)
    data = head.animation_data
    (track,) = data.nla_tracks
    data.nla_tracks.active, track.select, track.strips[0].select = track, True, True
    data.use_tweak_mode = True
    edited = data.action
    assert blender.bpy.ops.mien.speak(audio=sound, seed=2, push_down=push_down) == {"FINISHED"}
    assert "is being edited" in capfd.readouterr().out
    assert data.use_tweak_mode and data.action == edited
    data.use_tweak_mode = False
    assert [(name, strip.mute) for name, strip in strips(head)] == [("Speech", True), ("Speech 2", False)]


def test_another_frame_rate_leaves_a_trimmed_strips_sound(blender, tmp_path):
    """Blender keeps strips in step with their sound when the rate changes; another take hears the same second."""
    head, scene = blender.add_head(), blender.scene
    scene.render.fps = 24
    strip = scene.sequence_editor_create().strips.new_sound(
        name="Line", filepath=str(buzz(tmp_path / "line.wav", 2.0)), channel=1, frame_start=1
    )
    if hasattr(strip, "left_handle_offset"):
        strip.left_handle_offset = 24
    else:
        strip.frame_offset_start = 24
    assert blender.bpy.ops.mien.speak(source="STRIP", strip="Line") == {"FINISHED"}
    scene.render.fps = 48
    blender.bpy.context.view_layer.update()
    assert blender.bpy.ops.mien.regenerate() == {"FINISHED"}
    durations = [strip.action["mien_duration"] for _, strip in strips(head)]
    assert durations == pytest.approx([1.0, 1.0], abs=0.05)


# ── files that move ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_project_moved_with_its_sounds_speaks_on(blender, tmp_path):
    bpy, here, there = blender.bpy, tmp_path / "here", tmp_path / "there"
    here.mkdir()
    buzz(here / "line.wav")
    blender.add_head()
    bpy.ops.wm.save_as_mainfile(filepath=str(here / "shot.blend"))
    bpy.ops.mien.speak(audio="//line.wav", add_sound=True)
    bpy.ops.wm.save_mainfile()
    shutil.move(here, there)
    bpy.ops.wm.open_mainfile(filepath=str(there / "shot.blend"))
    head = bpy.data.objects["Ada"]
    bpy.context.view_layer.objects.active = head
    assert bpy.ops.mien.regenerate() == {"FINISHED"}
    take = strips(head)[0][1]
    assert bpy.ops.mien.show_take(strip=take.name) == {"FINISHED"}
    (sound,) = heard(bpy.context.scene)
    assert Path(bpy.path.abspath(sound.sound.filepath)) == there / "line.wav"


def test_a_packed_sound_needs_no_file(blender, tmp_path):
    bpy, path = blender.bpy, buzz(tmp_path / "line.wav")
    blender.add_head()
    bpy.ops.mien.speak(audio=str(path), add_sound=True)
    content = path.read_bytes()
    bpy.data.sounds["line.wav"].pack()
    path.unlink()
    found = blender.module("perform.sounds").find(str(path))
    assert found != path and found.read_bytes() == content
    assert bpy.ops.mien.regenerate() == {"FINISHED"}
    bpy.data.sounds["line.wav"].unpack(method="REMOVE")
    with pytest.raises(RuntimeError, match=r"line\.wav is gone; put it back"):
        bpy.ops.mien.regenerate()


# ── compositing ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def composited(blender):
    blender.add_head()
    blender.scene.render.engine = "CYCLES"
    assert blender.bpy.ops.mien.setup_compositor() == {"FINISHED"}
    return blender


def shown(blender, scene):
    """Whose heads are laid over whose picture: the scenes that a scene's output is made of."""
    compat, compositor = blender.module("compat"), blender.module("render.compositor")
    tree = compat.compositor_tree(scene)
    (over,) = [node for node in tree.nodes if node.type == "GROUP"]
    assert compat.compositor_output(tree).inputs[0].links[0].from_node == over
    made_of = {}
    for name in ("Heads", "Heads Depth", "Background", "Background Depth"):
        (source,) = [node for node in compositor._before(over.inputs[name]) if node.type == "R_LAYERS"]
        assert source.layer == source.scene.view_layers[0].name
        made_of[name] = source.scene
    return made_of


def spoil_node(blender, tree):
    tree.nodes.remove(next(node for node in tree.nodes if node.label == "Heads"))


def spoil_background(blender, tree):
    tree.nodes.remove(next(node for node in tree.nodes if node.type == "R_LAYERS" and node.label != "Heads"))


def spoil_output(blender, tree):
    tree.links.remove(blender.module("compat").compositor_output(tree).inputs[0].links[0])


def spoil_scene(blender, tree):
    blender.bpy.data.scenes.remove(blender.module("render.compositor").heads_scene(blender.scene))


def spoil_everything(blender, tree):
    tree.nodes.clear()


@pytest.mark.parametrize("spoil", [spoil_node, spoil_background, spoil_output, spoil_scene, spoil_everything])
def test_compositing_taken_apart_is_set_up_again(composited, spoil):
    blender, scene = composited, composited.scene
    spoil(blender, blender.module("compat").compositor_tree(scene))
    assert blender.bpy.ops.mien.setup_compositor() == {"FINISHED"}
    heads = blender.module("render.compositor").heads_scene(scene)
    expected = {"Heads": heads, "Heads Depth": heads, "Background": scene, "Background Depth": scene}
    assert shown(blender, scene) == expected


@pytest.mark.parametrize("how", ["FULL_COPY", "LINK_COPY"])
def test_a_copied_scene_shows_its_own_heads(composited, how):
    blender, bpy, first = composited, composited.bpy, composited.scene
    before = shown(blender, first)
    bpy.ops.scene.new(type=how)
    copy = bpy.context.scene
    assert copy != first and bpy.ops.mien.setup_compositor() == {"FINISHED"}
    heads = blender.module("render.compositor").heads_scene(copy)
    assert heads != before["Heads"] and heads.mien.follows == copy
    assert shown(blender, copy) == {"Heads": heads, "Heads Depth": heads, "Background": copy, "Background Depth": copy}
    assert shown(blender, first) == before


# ── scale ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_head_keyed_to_no_size_is_hidden(blender):
    head, context = blender.add_head(), blender.bpy.context
    for frame, size in ((1, 1.0), (2, 0.0)):
        head.scale = (size, size, size)
        head.keyframe_insert("scale", frame=frame)
    seen = []
    for frame in (1, 2):
        blender.scene.frame_set(frame)
        seen.append(len(blender.module("render.scene").heads(context.evaluated_depsgraph_get())))
    assert seen == [1, 0]


@pytest.mark.parametrize("scale, rotation", [((-1.0, 1.0, 1.0), 0.0), ((3.0, 1.0, 1.0), 0.5)])
def test_a_camera_that_cannot_be_followed_is_named(blender, scale, rotation):
    """Mirrored, or sheared by a stretched parent; a camera's even scale does nothing."""
    parent = blender.bpy.data.objects.new("Rig", None)
    blender.scene.collection.objects.link(parent)
    blender.camera.parent, blender.camera.rotation_euler.z = parent, rotation
    camera, graph = blender.module("render.camera"), blender.bpy.context.evaluated_depsgraph_get
    parent.scale = (2.0, 2.0, 2.0)
    blender.bpy.context.view_layer.update()
    camera.of_scene(blender.scene, graph())
    parent.scale = scale
    blender.bpy.context.view_layer.update()
    with pytest.raises(blender.contract("errors").MienError, match="'Camera' is mirrored or sheared"):
        camera.of_scene(blender.scene, graph())
