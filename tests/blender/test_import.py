"""Heads from files and splats for elsewhere, in Blender: import, landmarks by hand, export, and what bad files do."""

import json
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).resolve().parents[1]
JAW = "AU26 Jaw Drop"


def in_engine(engine_python, code, *arguments):
    """Run test code with the engine's Python, which has what makes avatars and splats."""
    program = f"import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]; {code}"
    done = subprocess.run([engine_python, "-c", program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def avatar(engine_python, tmp_path):
    """A made-up LAM avatar."""
    path = tmp_path / "zoe.zip"
    in_engine(engine_python, "import pathlib, test_foreign_heads as t; t.avatar(pathlib.Path(sys.argv[1]))", path)
    return path


@pytest.fixture
def own(blender):
    """The artist's folder of heads, emptied of what a test leaves."""
    folder = blender.module("head.library").own_folder()
    before = set(folder.iterdir())
    yield folder
    for path in set(folder.iterdir()) - before:
        path.unlink()


def needs_faces(engine_python):
    found = in_engine(engine_python, "from engine.heads.foreign import faces; print(faces.installed())")
    if found.strip() != "True":
        pytest.skip("the engine has no face finder (requirements-faces.txt)")


def world(blender, head):
    return np.array([list(head.matrix_world @ vertex.co) for vertex in head.data.vertices])


def ply_positions(path):
    data = path.read_bytes()
    header, _, body = data.partition(b"end_header\n")
    columns = header.count(b"property float")
    return np.frombuffer(body, "<f4").reshape(-1, columns)[:, :3]


def test_a_lam_avatar_becomes_a_head_of_the_artists(blender, own, avatar):
    bpy = blender.bpy
    assert bpy.ops.mien.add_head_file(filepath=str(avatar), name="Zoe", licence="CC0") == {"FINISHED"}
    head = bpy.context.object
    assert head.name == "Zoe" and Path(head.mien.head) == own / "Zoe.mien" and (own / "Zoe.mien").is_file()
    entry = next(entry for entry in blender.module("head.library").entries() if entry.name == "Zoe")
    assert entry.licence == "CC0" and entry.head == head.mien.head
    neutral = blender.vertices(head)
    blender.pose(head, {JAW: 1.0})
    assert np.abs(blender.vertices(head) - neutral).max() > 0.01
    assert bpy.ops.mien.add_head_file(filepath=str(avatar), name="Zoe") == {"FINISHED"}
    assert (own / "Zoe 2.mien").is_file(), "an import overwrites no head"
    assert bpy.ops.mien.add_head(head=str(own / "Zoe.mien")) == {"FINISHED"}
    assert bpy.ops.mien.add_head_file(filepath=str(own / "Zoe.mien")) == {"FINISHED"}
    assert bpy.context.object.mien.head == str(own / "Zoe.mien")


def test_files_may_be_dropped_onto_a_view(blender):
    handler = next(cls for cls in blender.bpy.types.FileHandler.__subclasses__() if cls.__name__ == "MIEN_FH_heads")
    assert handler.bl_import_operator == "mien.add_head_file"
    assert set(handler.bl_file_extensions.split(";")) == {".mien", ".zip", ".ply", ".spz"}


def bad_files(folder, avatar):
    """{name: (file, words of the sentence)}."""
    rows = np.zeros((20, 4), "<f4")
    rows[3, 1] = np.nan
    columns = "".join(f"property float {name}\n" for name in ("x", "y", "z", "opacity"))
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex 20\n{columns}end_header\n".encode()
    huge = header.replace(b"vertex 20", b"vertex 90000000")
    cut = avatar.read_bytes()[:-300]
    files = {
        "none.ply": (None, "does not exist"),
        "text.ply": (b"hello", "no kind of head"),
        "lacks.ply": (header + rows.tobytes(), "'scale_0'"),
        "huge.ply": (huge + rows.tobytes(), "90,000,000"),
        "cut.zip": (cut, "damaged"),
        "cut.spz": (b"\x1f\x8b" + bytes(80), "damaged"),
        "cut.mien": (cut[:100], "cut.mien"),
        "picture.jpg": (b"\xff\xd8", "no kind of head"),
    }
    for name, (content, words) in files.items():
        if content is not None:
            (folder / name).write_bytes(content)
        yield folder / name, words
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("offset.ply", bytes(300 << 20))
        archive.writestr("skin.glb", b"glTF")
    yield folder / "bomb.zip", "unpacks to"


def test_a_file_that_is_no_head_is_one_sentence_and_leaves_nothing(blender, own, avatar, tmp_path):
    bpy = blender.bpy
    before = set(own.iterdir()), len(bpy.data.objects), len(bpy.data.meshes)
    for path, words in bad_files(tmp_path, avatar):
        with pytest.raises(RuntimeError) as refused:
            bpy.ops.mien.add_head_file(filepath=str(path))
        sentence = str(refused.value).removeprefix("Error: ").strip()
        assert words in sentence and sentence.endswith(".") and "\n" not in sentence, (path.name, sentence)
        assert (set(own.iterdir()), len(bpy.data.objects), len(bpy.data.meshes)) == before


def test_splats_are_exported_as_the_animation_shows_them(blender, tmp_path):
    bpy, scene = blender.bpy, blender.scene
    head = blender.add_head()
    head.location = (0.0, 0.0, 2.0)
    for frame, value in ((1, 0.0), (3, 1.0)):
        head[JAW] = value
        head.keyframe_insert(f'["{JAW}"]', frame=frame)
    scene.frame_start, scene.frame_end = 1, 3
    scene.frame_set(3)
    one = tmp_path / "one"
    assert bpy.ops.mien.export_splats(filepath=str(one), format="ply") == {"FINISHED"}
    assert bpy.ops.mien.export_splats(filepath=str(one), format="spz") == {"FINISHED"}
    assert (tmp_path / "one.spz").stat().st_size < 0.3 * (tmp_path / "one.ply").stat().st_size
    scene.frame_set(2)
    frames = tmp_path / "frames"
    assert bpy.ops.mien.export_splats(filepath=str(frames), format="ply", range="SCENE", world=True) == {"FINISHED"}
    assert scene.frame_current == 2
    files = sorted(frames.iterdir())
    assert [path.name for path in files] == [f"frame_{k:04d}.ply" for k in (1, 2, 3)]
    closed, opened = ply_positions(files[0]), ply_positions(files[2])
    assert np.abs(opened - closed).max() > 0.01
    # World up is PLY's −y; only the range was asked for where the object stands.
    np.testing.assert_allclose(opened + np.array([0, 2, 0]), ply_positions(tmp_path / "one.ply"), atol=1e-5)
    with pytest.raises(RuntimeError, match="not empty"):
        bpy.ops.mien.export_splats(filepath=str(frames), format="ply", range="SCENE")


def test_a_still_splats_landmarks_are_corrected_by_hand(blender, own, engine_python, tmp_path):
    needs_faces(engine_python)
    bpy, landmarks = blender.bpy, blender.module("head.landmarks")
    source = blender.add_head()
    splat = tmp_path / "stranger.ply"
    assert bpy.ops.mien.export_splats(filepath=str(splat), format="ply") == {"FINISHED"}
    bpy.data.objects.remove(source)
    assert bpy.ops.mien.add_head_file(filepath=str(splat), name="Stranger") == {"FINISHED"}
    head = bpy.context.object
    assert (own / "Stranger.landmarks.json").is_file()
    head[JAW] = 0.5
    head.keyframe_insert(f'["{JAW}"]', frame=1)
    neutral = world(blender, head)

    assert bpy.ops.mien.correct_landmarks() == {"FINISHED"}
    cloud = landmarks.cloud_in(blender.scene)
    points = {child["mien_landmark"]: child for child in cloud.children}
    assert len(points) == 19 and all(point.show_name for point in points.values()) and not head.visible_get()
    # They lie on the face, upright and at life size.
    blender.bpy.context.view_layer.update()
    left, right, nose, chin = (np.array(points[k].matrix_world.translation) for k in (473, 468, 1, 152))
    assert 0.055 < left[0] - right[0] < 0.070 and nose[1] < left[1] and chin[2] < nose[2] < left[2]
    tiles = np.array([list(cloud.matrix_world @ vertex.co) for vertex in cloud.data.vertices])
    assert np.linalg.norm(tiles - nose, axis=1).min() < 0.004

    points[152].location = np.array(points[152].location) + np.array([0, 0.010, 0])  # the splat's y is down
    assert bpy.ops.mien.rig_again() == {"FINISHED"}
    assert landmarks.cloud_in(blender.scene) is None and head.visible_get()
    assert head.mien.head == str(own / "Stranger.mien") and head.animation_data.action is not None
    moved = world(blender, head)
    assert len(moved) == len(neutral)
    lowered = (moved - neutral)[np.linalg.norm(neutral - chin, axis=1) < 0.01, 2].mean()
    assert -0.013 < lowered < -0.006
    given = json.loads((own / "Stranger.landmarks.json").read_text())
    assert given["splat"] == str(splat) and len(given["points"]) == 478
    # The head follows its own channels with its new mesh.
    blender.pose(head, {JAW: 0.0})
    closed = blender.vertices(head)
    blender.pose(head, {JAW: 1.0})
    assert np.abs(blender.vertices(head) - closed).max() > 0.01

    assert bpy.ops.mien.correct_landmarks() == {"FINISHED"}
    assert bpy.ops.mien.stop_correcting() == {"FINISHED"}
    assert landmarks.cloud_in(blender.scene) is None and not [o for o in bpy.data.objects if "mien_landmark" in o]


def test_where_no_face_is_found_landmarks_are_placed_by_hand(blender, own, engine_python, tmp_path):
    needs_faces(engine_python)
    bpy = blender.bpy
    wall = tmp_path / "wall.ply"
    code = "import test_foreign_heads as t; t.ply.write(t.cloud(400, 0), sys.argv[1])"
    in_engine(engine_python, code, wall)
    with pytest.raises(RuntimeError, match=r"no face was found.*by hand"):
        bpy.ops.mien.add_head_file(filepath=str(wall))
    assert not list(own.glob("wall*")) and not bpy.data.objects.get("wall")
    assert bpy.ops.mien.add_head_file(filepath=str(wall), by_hand=True) == {"FINISHED"}
    cloud = blender.module("head.landmarks").cloud_in(blender.scene)
    assert len(cloud.children) == 19 and len(cloud.data.polygons) > 100
