"""A mouth's inside for heads that come without one."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from ...contract.channels import MASK_ZONES
from ...contract.errors import MienError
from ...splat.cpu import CpuBackend
from ...splat.interface import Frame
from .rig import Rig, frames, part_index
from .splats import SH0, Splats, orbit, quaternions, to_gaussians

_GAP = 0.004
"""Metres: lips that lie nearer to each other are closed."""
Rim = tuple[np.ndarray, np.ndarray]
"""Vertex ids on the upper lip and, beside them, on the lower one."""
_SOLID = 0.9
"""Skin of this opacity hides a mouth."""
_VIEW = 160
"""Pixels a side of the pictures that tell what the face hides."""
_VIEWS = [(azimuth, elevation) for azimuth in (-60, -30, 0, 30, 60) for elevation in (-20, 12)]
_COLUMNS, _ROWS = 52, 22
"""Vertices of a curtain across and down."""
_TOOTH_EDGES = (0.0, 0.30, 0.54, 0.78)
"""Where teeth meet, as shares of half a mouth's width: two incisors, a canine, and what lies behind."""


def lips(rig: Rig, gap: float = _GAP) -> Rim:
    """Vertex ids [P] on the upper lip and their neighbours [P] on the lower one: skin that jawOpen tears apart.

    Args:
        gap: Metres between the two at most.

    Raises:
        MienError: The rig has no such place.
    """
    skin = np.unique(rig.triangles[rig.part == part_index("skin")])
    move = np.linalg.norm(rig.units["jawOpen"][skin], axis=1) if "jawOpen" in rig.units else np.zeros(len(skin))
    upper, lower = skin[move < 0.25 * move.max()], skin[move > 0.6 * move.max()]
    if not len(upper) or not len(lower):
        raise MienError(
            "The head's jawOpen shape moves nothing, so its mouth can't be found; export it with that shape."
        )
    distance, match = KDTree(rig.vertices[upper]).query(rig.vertices[lower])
    close = distance < gap
    if close.sum() < 4:
        raise MienError("The head's lips are open in neutral, so its mouth can't be found; export it with closed lips.")
    return upper[match[close]], lower[close]


def curtain(rig: Rig, beside: np.ndarray, degree: int, rim: Rim | None = None) -> tuple[Rig, Splats, np.ndarray]:
    """A rig whose lips part on nothing, with a curtain between them; and the curtain's splats, bound to triangles [M].

    For heads whose skin is half transparent, as LAM's is: teeth put behind the lips would shine through them. The
    curtain hangs from the upper lip's rim to the lower one's. Closed, it is a thin line behind the lips; when they
    part it unfolds, bulges inwards, and shows teeth at its rims, the tongue below and darkness between.

    Args:
        beside: From the mesh's lips to those that the splats show [3], metres.
        degree: Of the splats' spherical harmonics.
        rim: What `lips` gives, where it is known.

    Raises:
        MienError: The lips can't be found.
    """
    rims = [_front(rig, lip) for lip in (rim or lips(rig))]
    ends = [rig.vertices[rim[[0, -1]], 0] for rim in rims]
    columns = np.linspace(max(e[0] for e in ends), min(e[1] for e in ends), _COLUMNS)

    def along(values: np.ndarray) -> np.ndarray:
        """Values [V, 3] of both rims at the columns: [2, columns, 3]."""
        return np.stack(
            [[np.interp(columns, rig.vertices[rim, 0], values[rim, axis]) for axis in range(3)] for rim in rims]
        ).transpose(0, 2, 1)

    t = np.linspace(0, 1, _ROWS)[:, None, None]

    def hung(values: np.ndarray) -> np.ndarray:
        top, bottom = along(values)
        return ((1 - t) * top + t * bottom).reshape(-1, 3)

    size = _eye_distance(rig) / 0.063
    width = np.abs(np.linspace(-1, 1, _COLUMNS))[None, :]
    bulge = np.sin(np.pi * t[..., 0]) * (1 - width**2)
    inwards = size * (0.004 + 0.003 * bulge)
    spread = size * 0.001 * (1 - 2 * t[..., 0]) * np.ones_like(width)
    moved_by = np.stack([0 * inwards, inwards + beside[1], spread + beside[2]], axis=-1)
    vertices = hung(rig.vertices) + moved_by.reshape(-1, 3)
    cell = np.arange((_ROWS - 1) * _COLUMNS).reshape(-1, _COLUMNS)[:, :-1].ravel()
    triangles = np.concatenate(
        [
            np.stack([cell, cell + _COLUMNS, cell + 1], axis=1),
            np.stack([cell + 1, cell + _COLUMNS, cell + _COLUMNS + 1], axis=1),
        ]
    )
    part = np.full(len(triangles), part_index("gums"))
    offsets = {unit: hung(delta) for unit, delta in rig.units.items()}
    offsets["jawOpen"][:, 1] += (0.016 * size * bulge).ravel()
    grown = _extended(rig, vertices, triangles + len(rig.vertices), part, offsets)
    centroid, axes = frames(vertices, triangles)
    count = len(triangles)
    row = triangles.min(axis=1) // _COLUMNS / (_ROWS - 2)
    sh = np.zeros((count, (degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = (_painted(row, 2 * (centroid[:, 0] - columns[0]) / np.ptp(columns) - 1) - 0.5) / SH0
    # A frame grows at most threefold, so a splat must be wide enough closed to cover its cell open.
    scale = np.array([0.8, 0.8, 0.3]) * np.ptp(columns) / _COLUMNS
    splats = Splats(
        centroid.astype(np.float32),
        quaternions(axes).astype(np.float32),
        np.tile(np.log(scale), (count, 1)).astype(np.float32),
        np.full(count, 3.0, np.float32),
        sh,
    )
    return grown, splats, len(rig.triangles) + np.arange(count)


def _painted(row: np.ndarray, side: np.ndarray) -> np.ndarray:
    """sRGB colours [M, 3] of a curtain at rows (0 above, 1 below) and sides (0 in the middle, ±1 at the corners)."""
    tooth, dark, tongue = np.array([0.82, 0.79, 0.74]), np.array([0.10, 0.04, 0.04]), np.array([0.52, 0.24, 0.23])
    away = np.abs(side)

    def within(distance: np.ndarray, edge: float) -> np.ndarray:
        """1 where a distance is below −edge, 0 where it is above 0."""
        return np.clip(-distance / edge, 0, 1)

    # The row of teeth is an arch: farther back at the sides, so shorter to see, and in shadow.
    tooth_edge = np.minimum.reduce([np.abs(away - place) for place in _TOOTH_EDGES])
    rounded = 0.02 * np.clip(1 - tooth_edge / 0.08, 0, 1)
    upper = within(row - (0.31 - 0.20 * side**2 - rounded), 0.05) * within(away - 0.88, 0.15)
    lower = 0.7 * within(0.84 + 0.12 * side**2 - row, 0.06) * within(away - 0.65, 0.2)
    under_lip = 0.55 + 0.45 * np.clip(np.minimum(row, 1 - row) / 0.12, 0, 1)
    shade = under_lip * (1 - 0.6 * side**2) * (1 - 0.22 * np.clip(1 - tooth_edge / 0.035, 0, 1))
    flesh = within((side / 0.9) ** 2 + ((row - 0.80) / 0.30) ** 2 - 1, 0.6)
    flesh_shade = (1 - 0.15 * np.clip(1 - away / 0.06, 0, 1)) * (0.75 + 0.5 * np.clip(row - 0.55, 0, 0.5))
    colour = dark + flesh[:, None] * (tongue * flesh_shade[:, None] - dark)
    teeth = np.maximum(upper, lower)
    return colour + teeth[:, None] * (tooth * shade[:, None] - colour)


def _front(rig: Rig, lip: np.ndarray, bins: int = 24) -> np.ndarray:
    """Of a lip's vertex ids the foremost ones, from the head's right to its left."""
    x = rig.vertices[lip, 0]
    slot = np.floor((x - x.min()) / (np.ptp(x) + 1e-9) * bins).astype(int)
    foremost = [lip[slot == k][rig.vertices[lip[slot == k], 1].argmin()] for k in np.unique(slot)]
    return np.array(foremost)[np.argsort(rig.vertices[foremost, 0])]


def is_translucent(cloud: Splats, seam: np.ndarray) -> bool:
    """Whether what lies behind the skin around a closed mouth (its seam [P, 3]) would shine through."""
    middle, half = seam.mean(axis=0), np.ptp(seam[:, 0]) / 2
    reach = np.abs(cloud.position - [middle[0], seam[:, 1].min() + 0.005, middle[2]])
    front = cloud[np.all(reach < np.array([1.6 * half, 0.015, 1.6 * half]), axis=1)]
    if not len(front):
        return True
    camera = orbit(middle, 0.0, 0.0, 0.6, 2 * float(np.arctan(half / 0.6)), 64)
    opacity = CpuBackend().render(Frame([to_gaussians(front)], camera), ["Mask"])["Mask"]
    return bool(np.quantile(opacity, 0.2) < _SOLID)


class Surface:
    """What is seen of an opaque face in neutral from the sides that can see a mouth."""

    def __init__(self, cloud: Splats, middle: np.ndarray) -> None:
        near = to_gaussians(cloud[np.linalg.norm(cloud.position - middle, axis=1) < 0.1])
        backend, self.views = CpuBackend(), []
        for azimuth, elevation in _VIEWS:
            camera = orbit(middle, np.radians(azimuth), np.radians(elevation), 0.6, 0.2, _VIEW)
            passes = backend.render(Frame([near], camera), ["Depth", "Mask"])
            self.views.append((camera, np.where(passes["Mask"] > 0.5, passes["Depth"], np.inf)[..., 0]))

    def depth(self, points: np.ndarray) -> np.ndarray:
        """How far points [N, 3] lie behind what is seen, in the view where that is least: metres, below 0 in front."""
        least = np.full(len(points), np.inf)
        for camera, depth in self.views:
            seen = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
            x, y = ((seen[:, :2] / seen[:, 2:]) @ camera.K[:2, :2].T + camera.K[:2, 2]).astype(int).T.clip(0, _VIEW - 1)
            least = np.minimum(least, seen[:, 2] - depth[y, x])
        return least


def joined(*clouds: Splats) -> Splats:
    """Several clouds of the same degree as one."""
    fields = ("position", "rotation", "log_scale", "opacity_logit", "sh")
    return Splats(*(np.concatenate([getattr(cloud, field) for cloud in clouds]) for field in fields))


def _eye_distance(rig: Rig) -> float:
    if rig.eyes is None:
        return 0.063
    return float(np.linalg.norm(np.subtract(rig.eyes["left"].centre, rig.eyes["right"].centre)))


def _extended(
    rig: Rig, vertices: np.ndarray, triangles: np.ndarray, part: np.ndarray, offsets: dict[str, np.ndarray]
) -> Rig:
    count = len(vertices)
    still = np.zeros((count, 3))
    mouth = np.full(count, MASK_ZONES.index("jaw_tongue"))
    names = {*rig.units, *(unit for unit in offsets if np.any(offsets[unit]))}
    before = np.zeros_like(rig.vertices)
    return Rig(
        np.concatenate([rig.vertices, vertices]),
        np.concatenate([rig.triangles, triangles]),
        np.concatenate([rig.part, part]),
        np.concatenate([rig.zone, mouth]),
        np.concatenate([rig.head_weight, np.ones(count)]),
        {name: np.concatenate([rig.units.get(name, before), offsets.get(name, still)]) for name in names},
        {names: np.concatenate([delta, still]) for names, delta in rig.bends.items()},
        rig.eyes,
        rig.pivot,
    )
