"""Deformation against a slow float64 reference written from docs/head-file.md, and what an artist expects of it."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_head
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.contract import channels, pose
from engine.heads import format
from engine.heads.deform import Deformer, mesh, triangle_frames
from engine.heads.format import Head, make_head

HEAD = synthetic_head.make(400)
RICH = synthetic_head.make_rich(400)
DEFORMER, RICH_DEFORMER = Deformer(HEAD), Deformer(RICH)
SH0 = np.sqrt(1 / (4 * np.pi))


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


def turned(vectors: np.ndarray) -> np.ndarray:
    """Rotation vectors [N, 3] → rotations [N, 3, 3]."""
    return Rotation.from_rotvec(vectors).as_matrix()


def followed(corners: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """[N, 3, 3]: the affine map of space that carries neutral triangles [N, 3, 3] to where they are now.

    Written without frames: the map of the plane, E_now · pinv(E_neutral), by its singular values in space; and normal
    to normal.
    """
    edges = [np.stack([t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]], axis=-1) for t in (corners, neutral)]
    left, singular, right = np.linalg.svd(edges[0] @ np.linalg.pinv(edges[1]))
    singular[:, :2] = np.clip(singular[:, :2], 0.2, 4.0)
    singular[:, 2] = 0.0
    normals = [np.cross(e[..., 0], e[..., 1]) for e in edges]
    normals = [n / np.linalg.norm(n, axis=1, keepdims=True) for n in normals]
    return (left * singular[:, None, :]) @ right + normals[0][:, :, None] * normals[1][:, None, :]


def reference_gaussians(head: Head, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Steps 5 and 6: centres [N, 3], covariances [N, 3, 3], normals [N, 3], opacities [N], tints [N, 3]."""
    triangles = head["mesh.triangles"][head["gaussians.triangle"]]
    corners, neutral = reference_mesh(head, values)[triangles], head["mesh.vertices"].astype(np.float64)[triangles]
    origin, axes, size = frames(corners)
    _, neutral_axes, neutral_size = frames(neutral)
    carried = axes * np.clip(size / neutral_size, 0.3, 3.0)[:, None, None]
    if head.stretch == "affine":
        strand = head.arrays.get("gaussians.strand", np.zeros(head.gaussian_count))[:, None, None]
        carried = np.where(strand == 1, carried, followed(corners, neutral) @ neutral_axes)
    colour, logit, log_scale, vector = reference_appearance(head, values)
    centres = origin + np.einsum("nij,nj->ni", carried, head["gaussians.position"].astype(np.float64))
    rotation = turned(vector) @ Rotation.from_quat(head["gaussians.rotation"][:, [1, 2, 3, 0]]).as_matrix()
    factors = carried @ (rotation * np.exp(log_scale)[:, None, :])
    opacity = 1 / (1 + np.exp(-logit))
    return centres, factors @ factors.transpose(0, 2, 1), axes[..., 2], opacity, SH0 * colour


def reference_appearance(head: Head, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Step 6: added colour [N, 3], logit [N], log scale [N, 3], rotation vector [N, 3]."""
    units = dict(zip(channels.UNITS, channels.to_units(values), strict=True))
    sums = {"colour": np.zeros((head.gaussian_count, 3)), "opacity": np.zeros(head.gaussian_count)}
    sums |= {name: np.zeros((head.gaussian_count, 3)) for name in ("log_scale", "rotation")}
    for driver, names in enumerate(head.appearance):
        for row in range(*head["appearance.start"][driver : driver + 2]):
            for name, total in sums.items():
                if f"appearance.{name}" in head.arrays:
                    change = head[f"appearance.{name}"][row].astype(np.float64)
                    total[head["appearance.gaussian"][row]] += np.prod([units[unit] for unit in names]) * change
    logit = np.clip(head["gaussians.opacity_logit"] + sums["opacity"], -20, 20)
    return sums["colour"], logit, np.clip(head["gaussians.log_scale"] + sums["log_scale"], -20, 5), sums["rotation"]


def assert_agrees(head: Head, values: np.ndarray) -> None:
    deformer = Deformer(head)
    np.testing.assert_allclose(deformer.mesh(values), reference_mesh(head, values), atol=2e-7)
    found = deformer(values)
    centres, covariances, normals, opacity, tint = reference_gaussians(head, values)
    factors = np.moveaxis(found.factors.astype(np.float64), -1, 0)
    np.testing.assert_allclose(found.centres.T, centres, atol=1e-6)
    scale = np.abs(covariances).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(factors @ factors.transpose(0, 2, 1) / scale, covariances / scale, atol=2e-4)
    np.testing.assert_allclose(found.normals.T, normals, atol=2e-4)
    np.testing.assert_allclose(found.opacity, opacity, atol=1e-6)
    np.testing.assert_allclose(np.zeros_like(tint) if found.tint is None else found.tint.T, tint, atol=1e-5)


def at(**named: float) -> np.ndarray:
    return channels.from_mapping({name.replace("_", " "): value for name, value in named.items()})


def anyhow(seed: int) -> np.ndarray:
    """Channel values, about half of them 0, the others anywhere in their ranges."""
    random = np.random.default_rng(seed)
    ranges = np.array([(row.minimum, row.maximum) for row in channels.CHANNELS])
    return random.uniform(*ranges.T) * random.integers(0, 2, len(ranges))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("head", [HEAD, RICH], ids=["1.0", "1.1"])
def test_any_pose_agrees_with_the_reference(head, seed):
    assert_agrees(head, anyhow(seed))


@pytest.mark.parametrize("left_out", ["colour", "opacity", "log_scale", "rotation"])
def test_an_appearance_may_leave_kinds_of_change_out(left_out):
    info, arrays = synthetic_head.make_rich_parts(120)
    arrays.pop(f"appearance.{left_out}")
    assert_agrees(make_head(info, arrays), anyhow(3))


def test_changes_are_held_to_the_files_own_ranges():
    """Rows that add far more than anything needs: opacity and size stay within what a file may say."""
    info, arrays = synthetic_head.make_rich_parts(80)
    arrays["appearance.opacity"] = np.full_like(arrays["appearance.opacity"], 40.0)
    arrays["appearance.log_scale"] = np.full_like(arrays["appearance.log_scale"], 10.0)
    head = make_head(info, arrays)
    values = at(AU26_Jaw_Drop=1.5)
    assert_agrees(head, values)
    assert np.exp(reference_appearance(head, values)[2]).max() == pytest.approx(np.exp(5))


def test_the_appearance_can_be_left_out():
    """As if the file had none; and in neutral it does nothing anyhow."""
    info, arrays = synthetic_head.make_rich_parts(200)
    plain = make_head(
        {key: value for key, value in info.items() if key != "appearance"},
        {name: array for name, array in arrays.items() if not name.startswith("appearance.")},
    )
    rich = make_head(info, arrays)
    smile = at(AU26_Jaw_Drop=0.7)
    for values, kept in ((smile, False), (np.zeros(len(channels.CHANNELS)), True)):
        wanted, found = Deformer(plain)(values), Deformer(rich, appearance=kept)(values)
        assert found.tint is None
        np.testing.assert_array_equal(found.factors, wanted.factors)
        np.testing.assert_array_equal(found.opacity, wanted.opacity)
    assert np.abs(Deformer(rich)(smile).tint).max() > 0.01


def test_only_what_a_driver_names_changes():
    """A driver of two units is their product: one of them alone changes nothing."""
    half = channels.from_mapping({"AU01 Inner Brow Raiser.L": 0.5})
    other = channels.from_mapping({"AU12 Lip Corner Puller.L": 0.8})
    deformer = Deformer(RICH)
    assert deformer(half).tint is None and deformer(other).tint is None
    rows = slice(*RICH["appearance.start"][1:3])
    expected = 0.5 * 0.8 * SH0 * RICH["appearance.colour"][rows].astype(np.float64)
    tint = deformer(half + other).tint
    np.testing.assert_allclose(tint.T[RICH["appearance.gaussian"][rows]], expected, atol=1e-5)
    assert np.count_nonzero(tint.any(axis=0)) == rows.stop - rows.start


def test_a_frame_is_the_same_whatever_came_before():
    """Working memory is shared between frames; nothing of one may show in the next."""
    deformer, values = Deformer(RICH), at(AU26_Jaw_Drop=0.6)
    first = deformer(values)
    kept = first.factors.copy(), first.opacity.copy(), first.tint.copy()
    deformer(anyhow(1))
    for array, before in zip((first.factors, first.opacity, first.tint), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(deformer(values).factors, kept[0])


@pytest.mark.parametrize("stretch", ["area", "affine"])
def test_triangle_frames_are_those_that_heads_are_shown_with(stretch):
    values = anyhow(2)
    strand = RICH["gaussians.strand"] == 1
    corners = RICH["mesh.triangles"][RICH["gaussians.triangle"]]
    deformer = Deformer(RICH, stretch=stretch)
    origin, axes = triangle_frames(RICH["mesh.vertices"], deformer.mesh(values), corners, stretch, strand)
    centres = origin + np.einsum("nij,nj->ni", axes, RICH["gaussians.position"].astype(np.float64))
    np.testing.assert_allclose(deformer(values).centres.T, centres, atol=1e-6)


def test_affine_stretch_follows_one_direction_only():
    """Skin drawn to twice its width: a round Gaussian becomes an ellipse twice as wide; a hair on it stays round."""
    info, arrays = synthetic_head.make_parts(2)
    neutral = np.array([[0.0, 0, 0.3], [0.01, 0, 0.3], [0, 0.01, 0.3]])
    arrays["mesh.vertices"] = arrays["mesh.vertices"].copy()
    corner = arrays["mesh.triangles"][0]
    arrays["mesh.vertices"][corner] = neutral
    ids = np.sort(corner).astype(np.int32)
    arrays["units.vertex_ids"] = ids
    deltas = np.zeros((6, 3, 3), np.float32)
    deltas[0, :, 0] = arrays["mesh.vertices"][ids, 0]  # jawOpen doubles x
    arrays["units.deltas"] = deltas
    arrays["combinations.deltas"] = np.zeros((2, 3, 3), np.float32)
    arrays["gaussians.triangle"] = np.zeros(2, np.int32)
    arrays["gaussians.rotation"] = np.tile(np.float32([1, 0, 0, 0]), (2, 1))
    arrays["gaussians.log_scale"] = np.full((2, 3), np.log(0.001), np.float32)
    arrays["gaussians.strand"] = np.array([0, 1], np.uint8)
    head = make_head(info | {"version": [1, 1], "stretch": "affine"}, arrays)
    jaw = channels.from_mapping({"AU26 Jaw Drop": 1.0})
    factors = np.moveaxis(Deformer(head)(jaw).factors, -1, 0).astype(np.float64)
    widths = np.sqrt(np.linalg.eigvalsh(factors @ factors.transpose(0, 2, 1)))
    np.testing.assert_allclose(widths[0], [0.001, 0.001, 0.002], rtol=1e-4)
    np.testing.assert_allclose(widths[1], np.full(3, 0.001 * np.sqrt(2)), rtol=1e-4)


def test_hair_goes_on_lying_along_a_lock_that_bends():
    """A lock that hangs: its upper end goes with the head, its lower end stays. Tilted, it does not splay."""
    info, arrays = synthetic_head.make_parts(2)
    rows = 25
    z = np.linspace(0.30, 0.10, rows)
    lock = np.concatenate([np.stack([np.full(rows, x), np.zeros(rows), z], axis=1) for x in (0.0, 0.01)])
    a = np.arange(rows - 1)
    triangles = np.concatenate([np.stack([a + rows, a, a + 1], 1), np.stack([a + 1, a + rows + 1, a + rows], 1)])
    count = len(triangles)
    _, frame = triangle_frames(lock, lock, triangles)
    down = np.einsum("nji,j->ni", frame, [0.0, 0.0, -1.0])  # the hair's direction in its triangle's frame
    half = np.arctan2(down[:, 1], down[:, 0]) / 2
    arrays = {name: array for name, array in arrays.items() if not name.startswith(("units.", "combinations."))}
    arrays |= {
        "mesh.vertices": lock.astype(np.float32),
        "mesh.triangles": triangles.astype(np.int32),
        "mesh.part": np.zeros(count, np.uint8),
        "mesh.zone": np.zeros(len(lock), np.uint8),
        "mesh.head_weight": np.clip((lock[:, 2] - 0.13) / 0.14, 0, 1).astype(np.float32),
        "units.vertex_ids": np.zeros(0, np.int32),
        "units.deltas": np.zeros((0, 0, 3), np.float32),
        "gaussians.triangle": np.arange(count, dtype=np.int32),
        "gaussians.position": np.zeros((count, 3), np.float32),
        "gaussians.rotation": np.stack([np.cos(half), 0 * half, 0 * half, np.sin(half)], 1).astype(np.float32),
        "gaussians.log_scale": np.tile(np.log([0.006, 0.0004, 0.0004]), (count, 1)).astype(np.float32),
        "gaussians.opacity_logit": np.zeros(count, np.float32),
        "gaussians.sh": np.zeros((count, arrays["gaussians.sh"].shape[1], 3), np.float32),
        "gaussians.zone": np.zeros(count, np.uint8),
    }
    info = info | {"version": [1, 1], "stretch": "affine", "units": [], "combinations": [], "parts": ["hair"]}
    info |= {"eyes": None, "neck": {"pivot": [0.0, 0.0, 0.2]}}
    tilted = channels.from_mapping({"Head Roll": np.radians(60)})

    def astray(strand: int) -> float:
        """Largest angle, degrees, between a hair and the lock below it."""
        deformer = Deformer(make_head(info, arrays | {"gaussians.strand": np.full(count, strand, np.uint8)}))
        vertices = deformer.mesh(tilted)
        along = (vertices[1:rows] - vertices[: rows - 1]).astype(np.float64)
        hair = np.moveaxis(deformer(tilted).factors, -1, 0)[: rows - 1, :, 0].astype(np.float64)
        cosine = (along * hair).sum(1) / np.linalg.norm(along, axis=1) / np.linalg.norm(hair, axis=1)
        return float(np.degrees(np.arccos(np.clip(np.abs(cosine), 0, 1))).max())

    assert astray(strand=0) < 0.5
    assert astray(strand=1) > 15  # which is for hairs on skin


def test_chosen_gaussians_keep_their_appearance():
    rows = np.array([7, 3, 3, 250, 399, 0, 7])
    chosen = format.select(RICH, rows)
    values = anyhow(4)
    found, wanted = Deformer(make_head(chosen.info(), chosen.arrays))(values), Deformer(RICH)(values)
    np.testing.assert_allclose(found.tint, wanted.tint[:, rows], atol=1e-6)
    np.testing.assert_allclose(found.factors, wanted.factors[..., rows], atol=1e-7)
    np.testing.assert_allclose(found.opacity, wanted.opacity[rows], atol=1e-7)


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


@pytest.mark.parametrize("stretch", ["area", "affine"])
def test_gaussians_stay_bounded_where_a_triangle_collapses(stretch):
    """A triangle drawn together to a point leaves finite Gaussians at 0.3 of their size or less."""
    info, arrays = synthetic_head.make_parts(200)
    ids = arrays["units.vertex_ids"]
    deltas = arrays["units.deltas"].astype(np.float32)
    deltas[0] = [0.0, 0.0, 0.3] - arrays["mesh.vertices"][ids]
    found = Deformer(make_head(info, arrays | {"units.deltas": deltas}), stretch=stretch)(at(AU26_Jaw_Drop=1.0))
    assert np.isfinite(found.centres).all() and np.isfinite(found.factors).all() and np.isfinite(found.normals).all()
    assert np.abs(found.centres).max() < 1.0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True), min_size=len(channels.CHANNELS), max_size=len(channels.CHANNELS)
    )
)
def test_any_numbers_give_finite_gaussians(values):
    for deformer in (DEFORMER, RICH_DEFORMER):
        found = deformer(np.array(values))
        assert np.isfinite(found.centres).all() and np.isfinite(found.factors).all()
        assert found.tint is None or np.isfinite(found.tint).all()
