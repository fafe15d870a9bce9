"""Deformation against a slow float64 reference written from docs/head-file.md, and what an artist expects of it."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_head
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import channels, pose
from engine.heads.deform import Deformer, mesh
from engine.heads.format import Head, make_head

HEAD = synthetic_head.make(400)
DEFORMER = Deformer(HEAD)


def about(axis: str, angle: float) -> np.ndarray:
    """A right-handed rotation about a coordinate axis."""
    c, s = np.cos(angle), np.sin(angle)
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    matrix = np.eye(3)
    matrix[j, j] = matrix[k, k] = c
    matrix[j, k], matrix[k, j] = -s, s
    return matrix


def reference_mesh(head: Head, values: np.ndarray) -> np.ndarray:
    """Steps 1 to 4 of docs/head-file.md, in float64."""
    units = dict(zip(channels.UNITS, channels.to_units(values), strict=True))
    ids = head["units.vertex_ids"]
    vertices = head["mesh.vertices"].astype(np.float64)
    moved = np.zeros_like(vertices)
    for name, delta in zip(head.units, head["units.deltas"].astype(np.float64), strict=True):
        moved[ids] += units[name] * delta
    if head.combinations:
        for names, delta in zip(head.combinations, head["combinations.deltas"].astype(np.float64), strict=True):
            moved[ids] += np.prod([units[name] for name in names]) * delta
    vertices += moved
    for side, part, outwards in (("left", "eye.L", 1), ("right", "eye.R", -1)):
        if head.eyes is None or part not in head.parts:
            continue
        ball = np.unique(head["mesh.triangles"][head["mesh.part"] == head.parts.index(part)])
        centre = np.array(head.eyes[side].centre) + moved[ball].mean(0)
        look = {way: units[f"eyeLook{way}{side.title()}"] for way in ("In", "Out", "Up", "Down")}
        yaw = outwards * (look["Out"] - look["In"]) * head.eyes[side].yaw
        pitch = (look["Up"] - look["Down"]) * head.eyes[side].pitch
        vertices[ball] = centre + (vertices[ball] - centre) @ (about("z", yaw) @ about("x", -pitch)).T
    yaw, pitch, roll = channels.clamp(values)[[channels.INDEX[name] for name in channels.HEAD_ROTATION]]
    rotation = about("z", yaw) @ about("x", -pitch) @ about("y", roll)
    pivot = np.array(head.neck_pivot)
    weight = head["mesh.head_weight"][:, None].astype(np.float64)
    return (1 - weight) * vertices + weight * (pivot + (vertices - pivot) @ rotation.T)


def frames(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles [N, 3, 3] → origins [N, 3], rotations [N, 3, 3] (axes in columns), sizes √(2·area) [N]."""
    edge = corners[:, 1] - corners[:, 0]
    normal = np.cross(edge, corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(normal, axis=1)
    x = edge / np.linalg.norm(edge, axis=1, keepdims=True)
    z = normal / double_area[:, None]
    return corners.mean(1), np.stack([x, np.cross(z, x), z], axis=-1), np.sqrt(double_area)


def reference_gaussians(head: Head, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step 5: centres [N, 3], covariances [N, 3, 3], normals [N, 3]."""
    triangles = head["mesh.triangles"][head["gaussians.triangle"]]
    origin, axes, size = frames(reference_mesh(head, values)[triangles])
    k = np.clip(size / frames(head["mesh.vertices"].astype(np.float64)[triangles])[2], 0.3, 3.0)[:, None]
    centres = origin + k * np.einsum("nij,nj->ni", axes, head["gaussians.position"].astype(np.float64))
    w, x, y, z = (q := head["gaussians.rotation"].astype(np.float64).T) / np.linalg.norm(q, axis=0)
    skew = np.array([[0 * w, -z, y], [z, 0 * w, -x], [-y, x, 0 * w]]).transpose(2, 0, 1)
    rotation = axes @ (np.eye(3) + 2 * w[:, None, None] * skew + 2 * skew @ skew)
    factors = rotation * (k * np.exp(head["gaussians.log_scale"].astype(np.float64)))[:, None, :]
    return centres, factors @ factors.transpose(0, 2, 1), axes[..., 2]


def assert_agrees(head: Head, values: np.ndarray) -> None:
    deformer = Deformer(head)
    np.testing.assert_allclose(deformer.mesh(values), reference_mesh(head, values), atol=2e-7)
    found = deformer(values)
    centres, covariances, normals = reference_gaussians(head, values)
    factors = np.moveaxis(found.factors.astype(np.float64), -1, 0)
    np.testing.assert_allclose(found.centres.T, centres, atol=1e-6)
    scale = np.abs(covariances).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(factors @ factors.transpose(0, 2, 1) / scale, covariances / scale, atol=2e-4)
    np.testing.assert_allclose(found.normals.T, normals, atol=2e-4)


def at(**named: float) -> np.ndarray:
    return channels.from_mapping({name.replace("_", " "): value for name, value in named.items()})


@pytest.mark.parametrize("seed", range(6))
def test_any_pose_agrees_with_the_reference(seed):
    random = np.random.default_rng(seed)
    ranges = np.array([(row.minimum, row.maximum) for row in channels.CHANNELS])
    assert_agrees(HEAD, random.uniform(*ranges.T) * random.integers(0, 2, len(ranges)))


def test_heads_without_eyes_units_or_combinations_deform_too():
    info, arrays = synthetic_head.make_parts(100)
    info = {key: value for key, value in info.items() if key != "eyes"} | {"combinations": [], "units": []}
    arrays = {name: array for name, array in arrays.items() if name != "combinations.deltas"}
    arrays["units.deltas"] = arrays["units.deltas"][:0]
    bare = make_head(info, arrays)
    assert_agrees(bare, at(AU26_Jaw_Drop=1.0, Gaze_Horizontal=1.0, Head_Roll=0.4))
    arrays["units.vertex_ids"] = arrays["units.vertex_ids"][:0]
    arrays["units.deltas"] = arrays["units.deltas"][:, :0]
    assert_agrees(make_head(info, arrays), at(Head_Pitch=0.4))


def test_neutral_is_the_file():
    neutral = np.zeros(len(channels.CHANNELS))
    np.testing.assert_array_equal(DEFORMER.mesh(neutral), HEAD["mesh.vertices"])
    np.testing.assert_array_equal(mesh(HEAD, neutral), HEAD["mesh.vertices"])


def test_values_beyond_their_range_are_clamped():
    wild = at(AU26_Jaw_Drop=1e9, Head_Yaw=-99.0)
    limit = at(AU26_Jaw_Drop=1.5, Head_Yaw=-channels.HEAD_TURN_LIMIT)
    np.testing.assert_array_equal(DEFORMER.mesh(wild), DEFORMER.mesh(limit))


def test_a_combination_is_the_product_of_its_units():
    """jawOpen · mouthClose: the pair moves vertices beyond what each does alone."""
    alone = [DEFORMER.mesh(at(AU26_Jaw_Drop=0.5)), DEFORMER.mesh(at(AU08_Lips_Toward_Each_Other=0.8))]
    both = DEFORMER.mesh(at(AU26_Jaw_Drop=0.5, AU08_Lips_Toward_Each_Other=0.8))
    extra = both - (alone[0] + alone[1] - HEAD["mesh.vertices"])
    expected = 0.5 * 0.8 * HEAD["combinations.deltas"][0].astype(np.float64)
    np.testing.assert_allclose(extra[HEAD["units.vertex_ids"]], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [("Head Yaw", 0, 1), ("Head Pitch", 2, 1), ("Gaze Horizontal", 0, 1), ("Gaze Vertical", 2, 1)],
)
def test_positive_turns_look_left_and_up(name, axis, sign):
    """+x is the head's own left, +z is up, and the face looks along −y."""
    part = "skin" if name.startswith("Head") else "eye.L"
    mine = np.unique(HEAD["mesh.triangles"][HEAD["mesh.part"] == HEAD.parts.index(part)])
    front = mine[HEAD["mesh.vertices"][mine, 1].argmin()]
    moved = DEFORMER.mesh(channels.from_mapping({name: 0.4}))[front] - HEAD["mesh.vertices"][front]
    assert sign * moved[axis] > 1e-3


def test_positive_roll_tilts_to_the_left_shoulder():
    top = HEAD["mesh.vertices"][:, 2].argmax()
    assert DEFORMER.mesh(at(Head_Roll=0.3))[top, 0] > 0.02


def test_the_bust_stays_and_the_head_turns_rigidly():
    still, carried = HEAD["mesh.head_weight"] == 0, HEAD["mesh.head_weight"] == 1
    assert still.any() and carried.any()
    values = at(Head_Yaw=0.5, Head_Pitch=-0.2, Head_Roll=0.1)
    moved, neutral = DEFORMER.mesh(values), HEAD["mesh.vertices"]
    np.testing.assert_array_equal(moved[still], neutral[still])
    pivot = np.array(HEAD.neck_pivot)
    np.testing.assert_allclose(
        moved[carried], pivot + (neutral[carried] - pivot) @ pose.head_rotation(values).T, atol=1e-7
    )


def test_each_eye_turns_about_its_own_centre():
    ball = np.unique(HEAD["mesh.triangles"][HEAD["mesh.part"] == 1])
    moved = DEFORMER.mesh(channels.from_mapping({"AU61 Eyes Turn Left.L": 1.0}))
    changed = np.flatnonzero(np.abs(moved - HEAD["mesh.vertices"]).max(1) > 1e-6)
    assert set(changed) <= set(ball)
    distance = np.linalg.norm(moved[ball] - HEAD.eyes["left"].centre, axis=1)
    np.testing.assert_allclose(distance, synthetic_head.EYE_RADIUS, atol=1e-6)


def test_gaussians_stay_bounded_where_a_triangle_collapses():
    """A triangle drawn together to a point leaves finite Gaussians at 0.3 of their size or less."""
    info, arrays = synthetic_head.make_parts(200)
    ids = arrays["units.vertex_ids"]
    deltas = arrays["units.deltas"].astype(np.float32)
    deltas[0] = [0.0, 0.0, 0.3] - arrays["mesh.vertices"][ids]
    found = Deformer(make_head(info, arrays | {"units.deltas": deltas}))(at(AU26_Jaw_Drop=1.0))
    assert np.isfinite(found.centres).all() and np.isfinite(found.factors).all() and np.isfinite(found.normals).all()
    assert np.abs(found.centres).max() < 1.0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True), min_size=len(channels.CHANNELS), max_size=len(channels.CHANNELS)
    )
)
def test_any_numbers_give_finite_gaussians(values):
    found = DEFORMER(np.array(values))
    assert np.isfinite(found.centres).all() and np.isfinite(found.factors).all()
