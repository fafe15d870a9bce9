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

    skin: tuple[float, float, float] = (0.60, 0.36, 0.265)
    lips: tuple[float, float, float] = (0.47, 0.17, 0.15)
    shirt: tuple[float, float, float] = (0.030, 0.036, 0.048)
    hair: tuple[float, float, float] = (0.055, 0.032, 0.020)
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
    field = points[:, 2] - line
    field[(masks["ears"] > 0.1) | (masks["inside-mouth"] > 0.3)] = -0.02
    # Inside of the head (eye sockets, mouth) is never scalp.
    field[(np.linalg.norm(away * [1, 0.8, 1], axis=1) < 0.055)] = -0.02
    return field


def knot(mark) -> tuple[np.ndarray, float]:
    """Centre and radius of the hair knot."""
    return np.array([0.0, mark.eye[1] + 0.192, mark.eye[2] + 0.010]), 0.034


def shell(skin, quads, normal, scalp, mark, look: Look) -> parts.Piece:
    """The hair's body: the scalp lifted by a few millimetres, and the knot."""
    chosen = scalp[quads].min(axis=1) > -0.006
    used, renumbered = np.unique(quads[chosen], return_inverse=True)
    field = scalp[used]
    height = skin[used, 2] - mark.eye[2]
    full = 0.0045 + 0.006 * smooth(height, 0.03, 0.10)
    # The edge sinks under the skin, so that the hairline is where it leaves it.
    lift = -0.0012 + (full + 0.0012) * smooth(field, 0.001, 0.034)
    body = parts.Piece(skin[used] + normal[used] * lift[:, None], renumbered.reshape(-1, 4), {"hair": np.ones(len(used))})
    centre, radius = knot(mark)
    theta, phi = np.meshgrid(np.linspace(0.02, np.pi - 0.02, 24), np.linspace(0, 2 * np.pi, 36, endpoint=False), indexing="ij")
    around = np.stack([np.sin(theta) * np.cos(phi) * 1.08, np.cos(theta) * 0.72, np.sin(theta) * np.sin(phi)], axis=-1)
    swirl = 1 + 0.03 * np.sin(3 * phi + 5 * theta)
    ball = parts.Piece((centre + radius * around * swirl[..., None]).reshape(-1, 3), parts.grid_quads(24, 36), {"hair": np.ones(24 * 36)})
    return parts.join([body, ball])


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
    red = 0.55 * spot(0.040, front, ez - 0.040, 0.022, 0.05, 0.018) + 0.5 * spot(0, front - 0.03, ez - 0.045, 0.014, 0.03, 0.012)
    red += 0.35 * spot(0, front, ez - 0.105, 0.02, 0.04, 0.014) + 0.6 * values["ears"]
    red = np.clip(red, 0, 1)[:, None]
    colour = colour * (1 - red * np.array([0.02, 0.20, 0.18]))
    under = spot(ex - 0.002, ey - 0.01, ez - 0.017, 0.016, 0.03, 0.006)[:, None]
    colour = colour * (1 - under * np.array([0.10, 0.13, 0.08]))
    colour = colour * (1 - values["eyelids"][:, None] * np.array([0.07, 0.14, 0.12]))
    lip = smooth(values["lips"], 0.25, 0.9)[:, None] * 0.82
    colour = colour * (1 - lip) + np.array(look.lips) * lip
    inner = (smooth(values["inner_mouth"], 0.3, 0.7) * (1 - smooth(values["lips"], 0.2, 0.9)))[:, None]
    colour = colour * (1 - inner) + np.array([0.26, 0.065, 0.055]) * inner
    scalp = (0.75 * smooth(values["scalp"], -0.003, 0.008))[:, None]
    colour = colour * (1 - scalp) + np.array(look.hair) * 1.2 * scalp

    iris = values["iris"]
    eye_white = np.array([0.70, 0.66, 0.63])
    brown = np.array([0.075, 0.075, 0.055])
    eye_colour = np.where((iris < 1.0)[:, None], brown, eye_white)
    eye_colour = np.where((iris < 0.42)[:, None], 0.004, eye_colour)
    for name, fixed in (("teeth.upper", (0.72, 0.67, 0.57)), ("teeth.lower", (0.66, 0.61, 0.52)), ("gums", (0.45, 0.15, 0.14)),
                        ("tongue", (0.45, 0.16, 0.15)), ("hair", look.hair), ("clothes", look.shirt)):  # fmt: skip
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
        y = corner[inside, 0, 1] + s[inside] * (corner[inside, 1, 1] - corner[inside, 0, 1]) + t[inside] * (
            corner[inside, 2, 1] - corner[inside, 0, 1]
        )
        best = np.argmin(y)
        points[index] = (q[0], y[best], q[1])
        hit[index] = front[inside[best]]
    return points, hit


#: The brow's middle line: along from inner to outer end, mm from the eye's height and half width of the hair's band.
BROW_ALONG = (0.0, 0.15, 0.4, 0.68, 1.0)
BROW_X = (11.5, 16.0, 26.0, 38.5, 49.5)
BROW_Z = (15.6, 17.0, 19.2, 20.2, 15.6)
BROW_HALF = (2.6, 4.1, 3.9, 2.9, 0.8)


def _brows(head, mark, rng, count: int = 520) -> Strands:
    points, tri = [], head.triangles
    binding = []
    for side in (1, -1):
        along = rng.random(count) ** 0.95
        x = np.interp(along, BROW_ALONG, BROW_X) * 1e-3
        middle = np.interp(along, BROW_ALONG, BROW_Z) * 1e-3
        offset = np.clip(rng.normal(0, 0.5, count), -1, 1)
        z = middle + offset * np.interp(along, BROW_ALONG, BROW_HALF) * 1e-3
        root, hit = _front_points(head, np.stack([side * x, mark.eye[2] + z], axis=1))
        ok = hit >= 0
        root, hit, along, offset = root[ok], hit[ok], along[ok], offset[ok]
        # Hairs stand up at the inner end and lie down outward; those below the middle line rise, those above sink.
        angle = np.interp(along, (0, 0.12, 0.3, 0.65, 1), (1.25, 0.85, 0.45, 0.15, -0.45)) - 0.28 * offset
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


def _lash_rows(base, person, group: str) -> tuple[np.ndarray, np.ndarray]:
    """Roots and tips [n,3] along the lid from a lash helper: its rows nearest to and farthest from the eye."""
    ids = np.unique(base.quads[group])
    eye, _ = parts.fit_sphere(person[np.unique(base.quads[group.split("-eyelashes")[0] + "-eye"])])
    points = person[ids]
    distance = np.linalg.norm(points - eye, axis=1)
    tree_order = np.argsort(points[:, 0])
    near = [i for i in tree_order if distance[i] < np.quantile(distance, 0.35)]
    far = [i for i in tree_order if distance[i] > np.quantile(distance, 0.65)]
    return points[near], points[far]


def _lashes(head, mark, base, person, rng) -> Strands:
    all_points, binding = [], []
    tri = head.triangles
    skin = np.flatnonzero(head.part == 0)
    centres = head.vertices[tri[skin]].mean(axis=1)
    tree = cKDTree(centres)
    for side, sign in (("l", 1), ("r", -1)):
        eye, radius = head.eyes["left" if side == "l" else "right"]
        for row, upper in (("2", True), ("1", False)):
            roots, _ = _lash_rows(base, person, f"helper-{side}-eyelashes-{row}")
            roots = roots[np.argsort(sign * roots[:, 0])]
            x = sign * roots[:, 0]
            count = 95 if upper else 55
            t = np.sort(rng.random(count)) * 0.93 + 0.05
            s = np.r_[0, np.cumsum(np.linalg.norm(np.diff(roots, axis=0), axis=1))]
            s /= s[-1]
            root = np.stack([np.interp(t, s, roots[:, k]) for k in range(3)], axis=1)
            out = root - eye
            out /= np.linalg.norm(out, axis=1, keepdims=True)
            # Lashes fan outward along the lid and curl up (down below).
            fan = np.array([sign, 0, 0]) * (0.9 * (t - 0.42))[:, None]
            start = out * 0.95 + fan + np.array([0, -0.35, 0.05 if upper else -0.25])
            start /= np.linalg.norm(start, axis=1, keepdims=True)
            length = (0.0078 if upper else 0.0042) * np.interp(t, (0, 0.25, 0.75, 1), (0.5, 0.85, 1.0, 0.8))
            length = length * rng.uniform(0.8, 1.1, count)
            u = np.linspace(0, 1, 5)
            curl = np.array([0, 0, 0.62 if upper else -0.30]) + rng.normal(0, 0.06, (count, 3))
            pts = root[:, None] + length[:, None, None] * (
                start[:, None] * u[None, :, None] + curl[:, None] * (u * u)[None, :, None]
            )
            all_points.append(pts)
            # The lid's rim: the nearest skin that belongs to this lid.
            lid = np.flatnonzero((centres[:, 2] > eye[2] + 0.0005) if upper else (centres[:, 2] < eye[2] - 0.0005))
            binding.append(skin[lid[cKDTree(centres[lid]).query(root)[1]]])
    del tree
    return Strands(np.concatenate(all_points), np.concatenate(binding), 0.00006)


def _hair(head, mark, look: Look, rng) -> Strands:
    tri = head.triangles
    ids = np.flatnonzero(head.part == 7)
    corner = head.vertices[tri[ids]]
    centre = axis_point(mark)
    knot_centre, knot_radius = knot(mark)
    is_knot = np.linalg.norm(corner.mean(1) - knot_centre, axis=1) < knot_radius * 1.25
    shell_ids, shell_corner = ids[~is_knot], corner[~is_knot]
    area = np.linalg.norm(np.cross(shell_corner[:, 1] - shell_corner[:, 0], shell_corner[:, 2] - shell_corner[:, 0]), axis=1)
    count = look.hair_strands
    pick = rng.choice(len(shell_ids), count, p=area / area.sum())
    a = rng.random((count, 2))
    a[a.sum(1) > 1] = 1 - a[a.sum(1) > 1]
    root = shell_corner[pick, 0] + a[:, :1] * (shell_corner[pick, 1] - shell_corner[pick, 0]) + a[:, 1:] * (
        shell_corner[pick, 2] - shell_corner[pick, 0]
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
    end = knot_centre + [0, -0.014, 0] - centre
    end = end / np.linalg.norm(end) + rng.normal(0, 0.05, (count, 3))
    end /= np.linalg.norm(end, axis=1, keepdims=True)
    total = np.arccos(np.clip((start * end).sum(1), -1, 1))
    run = np.minimum(total * 0.96, rng.uniform(0.35, 0.75, count)) / np.maximum(total, 1e-3)
    t = np.linspace(0, 1, 9)[None, :] * run[:, None]
    sine = np.maximum(np.sin(total), 1e-3)[:, None]
    path = (np.sin((1 - t) * total[:, None]) / sine)[..., None] * start[:, None] + (np.sin(t * total[:, None]) / sine)[..., None] * end[:, None]
    path /= np.linalg.norm(path, axis=-1, keepdims=True)
    height = (0.0002 + rng.gamma(1.4, 0.0005, count))[:, None] * smooth(np.linspace(0, 1, 9), 0, 0.35)[None]
    wave = 0.0004 * np.sin(rng.uniform(0, 6.28, count)[:, None] + np.linspace(0, 7, 9)[None])
    points = centre + path * (radius_at(path) + height + np.abs(wave) * 0.5)[..., None]
    points[:, 0] = root
    spiral, spiral_tri = _knot_strands(head, ids[is_knot], knot_centre, knot_radius, rng)
    mid = cKDTree(head.vertices[tri[ids]].mean(1))
    binding = ids[mid.query(points[:, 4])[1]]
    return Strands(np.concatenate([points, spiral]), np.concatenate([binding, spiral_tri]), 0.00006)


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
