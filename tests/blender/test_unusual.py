"""Unusual but ordinary: what artists do to files, names, tracks and nodes, and what becomes of Mien's work."""

import errno
import os
import shutil
import wave
from pathlib import Path

import exr
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


def speech_strip(blender, folder):
    blender.add_head()
    assert blender.bpy.ops.mien.speak(audio=str(buzz(folder / "line.wav"))) == {"FINISHED"}
    return strips(blender.bpy.context.object)[0][1]


def test_another_take_lies_as_the_former_did(blender, tmp_path):
    """Moved, stretched, faded, mixed in another way, at half its influence."""
    former = speech_strip(blender, tmp_path)
    former.scale, former.frame_start_ui = 2.0, 50.0
    former.use_auto_blend, former.blend_in, former.blend_out, former.blend_type = False, 4.0, 6.0, "COMBINE"
    former.use_animated_influence, former.influence = True, 0.5
    blender.scene.frame_set(60)
    assert blender.bpy.ops.mien.regenerate() == {"FINISHED"}
    take = strips(blender.bpy.context.object)[1][1]
    kept = "scale frame_start frame_end action_frame_start action_frame_end blend_in blend_out blend_type influence"
    assert [getattr(take, name) for name in kept.split()] == [getattr(former, name) for name in kept.split()]
    assert take.use_animated_influence and former.mute and not take.mute


def test_a_muted_track_takes_no_new_performance(blender, tmp_path):
    former = speech_strip(blender, tmp_path)
    head = blender.bpy.context.object
    head.animation_data.nla_tracks["Speech"].mute = True
    assert blender.bpy.ops.mien.speak(audio=str(tmp_path / "line.wav"), frame=100) == {"FINISHED"}
    assert [(name, strip == former) for name, strip in strips(head)] == [("Speech", True), ("Speech 2", False)]


@pytest.mark.parametrize("how, said", [("off", "is switched off, which hides"), ("solo", "'Walk' plays alone")])
def test_what_hides_a_new_performance_is_said(blender, tmp_path, capfd, how, said):
    head = blender.add_head()
    data = head.animation_data_create()
    data.nla_tracks.new().name = "Walk"
    data.use_nla, data.nla_tracks["Walk"].is_solo = how != "off", how == "solo"
    assert blender.bpy.ops.mien.speak(audio=str(buzz(tmp_path / "line.wav"))) == {"FINISHED"}
    assert said in capfd.readouterr().out


# ── strips of the sequencer ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sound_strip(blender, tmp_path):
    """A strip at frame 1, at 24 a second, of a sound that is quiet for a second and loud for another."""
    quiet, path = buzz(tmp_path / "line.wav", 2.0), tmp_path / "step.wav"
    with wave.open(str(quiet)) as file:
        sound = np.frombuffer(file.readframes(32000), "<i2") * np.repeat([0.1, 1.0], 16000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(sound.astype("<i2").tobytes())
    blender.scene.render.fps = 24
    return blender.scene.sequence_editor_create().strips.new_sound(
        name="Line", filepath=str(path), channel=1, frame_start=1
    )


def loudness(blender, strip):
    """The greatest level in each quarter of a second of what a strip plays, as the engine is given it."""
    blender.bpy.context.view_layer.update()
    graph = blender.bpy.context.evaluated_depsgraph_get()
    path = blender.module("perform.sounds").write_strip(strip, graph, 24.0)
    with wave.open(str(path)) as file:
        sound = np.abs(np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767)
    shutil.rmtree(path.parent)
    return (np.array([part.max() for part in np.split(sound, range(4000, len(sound), 4000))]) * 10).round() / 10


def test_a_sound_moved_within_its_strip_is_heard_there(blender, sound_strip):
    loud = loudness(blender, sound_strip)[-1]
    sound_strip.sound_offset = 0.5  # as Blender's own mixdown has it, here and below
    assert loudness(blender, sound_strip) == pytest.approx([0, 0, 0.1, 0.1, 0.1, 0.1, loud, loud], abs=0.1)
    sound_strip.sound_offset = -0.5
    assert loudness(blender, sound_strip) == pytest.approx([0.1, 0.1, loud, loud, loud, loud], abs=0.1)


def test_a_sound_at_twice_the_speed_is_heard_so(blender, sound_strip):
    if not blender.module("compat").BLENDER_5:
        pytest.skip("Blender 4.5 makes retiming keys in its window only")
    loud = loudness(blender, sound_strip)[-1]
    sound_strip.retiming_keys.add(timeline_frame=1)
    sound_strip.retiming_keys[-1].timeline_frame = 25
    assert loudness(blender, sound_strip) == pytest.approx([0.1, 0.1, loud, loud], abs=0.1)
    sound_strip.retiming_keys.add(timeline_frame=10)
    with pytest.raises(blender.contract("errors").MienError, match="retimed in parts"):
        loudness(blender, sound_strip)


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


@pytest.mark.parametrize("full", [False, True])
def test_a_temporary_folder_that_takes_nothing_is_named(blender, sound_strip, tmp_path, monkeypatch, full):
    """It is gone, or its disk is full: one sentence, and nothing half-written stays."""
    head, folder = blender.add_head(), tmp_path / "temporary"
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    if full:
        folder.mkdir()

        def refuse(path, content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(RuntimeError, match=r"temporary.*") as error:
        blender.bpy.ops.mien.speak(source="STRIP", strip="Line")
    said = os.strerror(errno.ENOSPC if full else errno.ENOENT)
    assert said in str(error.value) and "Traceback" not in str(error.value)
    assert head.animation_data is None or not strips(head)
    assert not folder.exists() or not list(folder.iterdir())


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
    assert_own_heads(blender, first, before, copy)


@pytest.mark.parametrize("how", ["FULL_COPY", "LINK_COPY"])
def test_in_a_window_a_copied_scene_is_set_up_by_itself(composited, how):
    blender, bpy, first = composited, composited.bpy, composited.scene
    before, compositor = shown(blender, first), blender.module("render.compositor")
    bpy.ops.scene.new(type=how)
    compositor.sync_all()  # what the window's timer calls
    assert_own_heads(blender, first, before, bpy.context.scene)
    count = len(bpy.data.scenes)
    compositor.sync_all()
    assert len(bpy.data.scenes) == count == 4


def assert_own_heads(blender, first, before, copy):
    heads = blender.module("render.compositor").heads_scene(copy)
    assert heads != before["Heads"] and heads.mien.follows == copy
    assert shown(blender, copy) == {"Heads": heads, "Heads Depth": heads, "Background": copy, "Background Depth": copy}
    assert shown(blender, first) == before


# ── cameras, borders, time ───────────────────────────────────────────────────────────────────────────────────────────


def picture(blender, folder, engine):
    """{view or "": RGB [H, W, 3]} of the scene: by Mien alone, or by Cycles, which has heads only by compositing."""
    scene, settings = blender.scene, blender.scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR", "32", "NONE"
    settings.views_format = "INDIVIDUAL"
    scene.render.engine, scene.render.use_compositing = engine, engine == "CYCLES"
    scene.render.filepath = str(folder / f"{engine} .exr")
    assert blender.bpy.ops.render.render(write_still=True) == {"FINISHED"}
    files = sorted(folder.glob(f"{engine} *.exr"))
    pictures = {file.stem.removeprefix(f"{engine} "): next(iter(exr.read(file).values()))[..., :3] for file in files}
    for file in files:
        file.unlink()
    return pictures


def assert_composited_as_alone(blender, folder):
    alone, composited = picture(blender, folder, "MIEN"), picture(blender, folder, "CYCLES")
    assert set(composited) == set(alone)
    for view, plane in alone.items():
        assert plane.max() > 0.1 and composited[view].shape == plane.shape
        assert np.abs(composited[view] - plane).max() < 1e-3, view
    return alone


@pytest.fixture
def over_nothing(composited):
    """A composited head that moves from frame 1 to 21, with nothing behind it."""
    scene, head = composited.scene, composited.bpy.context.object
    scene.render.film_transparent, scene.cycles.samples, scene.cycles.use_denoising = True, 1, False
    for frame, x in ((1, -0.2), (21, 0.2)):
        head.location.x = x
        head.keyframe_insert("location", frame=frame)
    scene.frame_set(11)
    return composited


def another_camera(blender, name, x):
    camera = blender.bpy.data.objects.new(name, blender.camera.data)
    camera.location, camera.rotation_euler = (x, -1.1, 0.32), (1.5707963, 0.0, 0.3 * x)
    blender.scene.collection.objects.link(camera)
    return camera


@pytest.mark.parametrize("crop", [False, True])
def test_the_render_border_holds_for_composited_heads(over_nothing, tmp_path, crop):
    render = over_nothing.scene.render
    render.use_border, render.use_crop_to_border = True, crop
    render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = 0.25, 0.8, 0.3, 0.9
    assert_composited_as_alone(over_nothing, tmp_path)


def test_composited_heads_follow_fractions_of_frames_and_stretched_time(over_nothing, tmp_path):
    blender, scene = over_nothing, over_nothing.scene
    scene.frame_set(5, subframe=0.5)
    assert_composited_as_alone(blender, tmp_path)
    scene.render.frame_map_new = 200
    blender.bpy.ops.mien.setup_compositor()  # in a window, this happens by itself
    scene.frame_set(10)
    stretched = assert_composited_as_alone(blender, tmp_path)[""]
    scene.render.frame_map_new = 100
    scene.frame_set(5)
    assert np.array_equal(stretched, picture(blender, tmp_path, "MIEN")[""])


@pytest.mark.parametrize("looks_aside", ["use_motion_blur", "use_pass_vector"])
def test_stretched_time_is_left_where_it_was(over_nothing, tmp_path, looks_aside):
    """Both look at other moments, and come back."""
    blender, scene = over_nothing, over_nothing.scene
    scene.render.frame_map_new = 200
    owner = scene.render if looks_aside == "use_motion_blur" else scene.view_layers[0]
    scene.render.motion_blur_shutter, scene.mien.motion_samples = 0.01, 2
    sharp = picture(blender, tmp_path, "MIEN")[""]
    setattr(owner, looks_aside, True)
    assert np.abs(picture(blender, tmp_path, "MIEN")[""] - sharp).mean() < 1e-3
    assert (scene.frame_current, scene.frame_subframe) == (11, 0.0)


def test_an_animation_cuts_between_cameras_for_composited_heads_too(over_nothing, tmp_path):
    blender, scene = over_nothing, over_nothing.scene
    for frame, camera in ((1, blender.camera), (12, another_camera(blender, "Other", -0.4))):
        scene.timeline_markers.new(str(frame), frame=frame).camera = camera
    blender.bpy.ops.mien.setup_compositor()
    scene.frame_start, scene.frame_end, scene.frame_step = 10, 14, 4
    film = {}
    for engine in ("MIEN", "CYCLES"):
        scene.frame_set(10)
        picture(blender, tmp_path, engine)
        scene.render.filepath = str(tmp_path / f"{engine}_")
        assert blender.bpy.ops.render.render(animation=True) == {"FINISHED"}
        film[engine] = [next(iter(exr.read(tmp_path / f"{engine}_{frame:04d}.exr").values())) for frame in (10, 14)]
    assert np.abs(film["MIEN"][0] - film["MIEN"][1]).max() > 0.1
    assert np.abs(np.subtract(film["MIEN"], film["CYCLES"])).max() < 1e-3


def test_the_scene_of_heads_renders_alone_at_its_own_frame(over_nothing, tmp_path):
    blender, scene = over_nothing, over_nothing.scene
    heads = blender.module("render.compositor").heads_scene(scene)
    scene.frame_set(15)
    expected = picture(blender, tmp_path, "MIEN")[""]
    scene.frame_set(2, subframe=0.5)
    blender.bpy.context.window.scene = blender.scene = heads  # else Blender renders it at the first scene's frame
    heads.frame_set(15)
    alone = blender.render(tmp_path)["Combined"][..., :3]
    assert np.abs(alone - expected).max() < 1e-3


def test_multi_view_shows_every_camera_its_composited_heads(over_nothing, tmp_path):
    blender, render = over_nothing, over_nothing.scene.render
    render.use_multiview, render.views_format = True, "MULTIVIEW"
    blender.camera.name = "Rig_L"
    another_camera(blender, "Rig_R", 0.4), another_camera(blender, "Rig_M", 0.0)
    render.views.new("middle").camera_suffix = "_M"
    blender.bpy.ops.mien.setup_compositor()
    left, middle, right = assert_composited_as_alone(blender, tmp_path).values()
    assert min(np.abs(left - middle).mean(), np.abs(middle - right).mean()) > 0.01


def test_an_orthographic_camera_sees_the_same_anywhere(blender, tmp_path):
    head, camera = blender.add_head(), blender.camera
    camera.data.type, camera.data.ortho_scale = "ORTHO", 0.6
    here = blender.render(tmp_path)["Combined"]
    for thing in (head, camera):
        thing.location.y += 40.0
    blender.bpy.context.view_layer.update()
    assert np.abs(blender.render(tmp_path)["Combined"] - here).max() < 0.01


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
