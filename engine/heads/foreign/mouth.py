"""A mouth's inside for heads that come without one: teeth, gums and tongue of a library head, and a dark bag behind."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import minimum_filter
from scipy.spatial import cKDTree

from ...contract.channels import CHANNELS, MASK_ZONES
from ...contract.errors import MienError
from ...splat.cpu import CpuBackend
from ...splat.interface import Frame
from .. import format as head_format
from ..deform import Deformer
from .rig import Rig, areas, frames, from_head, part_index
from .splats import SH0, Splats, from_gaussians, orbit, quaternions, to_gaussians

PARTS = ("teeth.upper", "teeth.lower", "gums", "tongue")
JAW_UNITS = ("jawOpen", "jawForward", "jawLeft", "jawRight")
_GAP = 0.004
"""Metres: lips that lie nearer to each other are closed."""
_BAG = np.array([0.024, 0.030, 0.020])
"""Half the bag's width, depth and height in metres at a distance of 63 mm between the eyes."""
_BAG_BEHIND = 0.034
"""Metres from the lips' seam back to the bag's centre, at that size."""
_VIEW = 128
"""Pixels a side of the pictures that tell what the face hides."""
_VIEWS = [(azimuth, elevation) for azimuth in (-75, -45, -20, 0, 20, 45, 75) for elevation in (-25, 15)]
_PLANES = 28
_SOLID = 0.8
"""A face hides what is behind it where it is at least so opaque."""
_TEETH_MARGIN = 0.003
"""Metres that the teeth's splats lie behind the face's."""
_MAY_SHOW = 0.02
_COLUMNS, _ROWS = 36, 16
"""Vertices of a curtain across and down."""
_BAG_COLOUR = (0.13, 0.045, 0.045)


def lip_seam(rig: Rig) -> np.ndarray:
    """Points [P, 3] where the closed lips meet.

    Raises:
        MienError: The rig has no such place.
    """
    upper, lower = _lips(rig)
    return (rig.vertices[lower] + rig.vertices[upper]) / 2


def _lips(rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """Vertex ids [P] on the upper lip and their neighbours [P] on the lower one: skin that jawOpen tears apart.

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
    distance, match = cKDTree(rig.vertices[upper]).query(rig.vertices[lower])
    close = distance < _GAP
    if close.sum() < 4:
        raise MienError("The head's lips are open in neutral, so its mouth can't be found; export it with closed lips.")
    return upper[match[close]], lower[close]


def jaw_motion(rig: Rig) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{unit: (rotation [3, 3], shift [3])}: the rigid motion of the chin at unit value 1."""
    skin = np.unique(rig.triangles[rig.part == part_index("skin")])
    move = np.linalg.norm(rig.units["jawOpen"][skin], axis=1)
    chin = skin[move > 0.75 * move.max()]
    return {unit: _rigid(rig.vertices[chin], rig.units[unit][chin]) for unit in JAW_UNITS if unit in rig.units}


def _rigid(points: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rigid motion nearest to points + offsets (Kabsch)."""
    before, after = points.mean(axis=0), (points + offsets).mean(axis=0)
    u, _, vt = np.linalg.svd((points - before).T @ (points + offsets - after))
    rotation = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return rotation, after - rotation @ before


def graft(rig: Rig, template: head_format.Head, cover: Splats) -> tuple[Rig, Splats, np.ndarray]:
    """A rig that has no mouth, with one; and the mouth's splats, bound to triangles [M] of the new rig.

    The mouth is made smaller and moved back until the closed lips hide it, and what still shows is left out.

    Args:
        template: A library head whose teeth, gums and tongue are taken.
        cover: The rig's own splats in neutral, for the mouth to hide behind; the new ones have their degree.

    Raises:
        MienError: One of the heads has no mouth that opens.
    """
    donor = from_head(template)
    chosen = np.isin(donor.part, [part_index(name) for name in PARTS])
    used = np.unique(donor.triangles[chosen])
    here, there, size = _seam_front(rig), _seam_front(donor), _eye_distance(rig) / _eye_distance(donor)
    cloud, bound = _borrowed(template, chosen, cover.sh_degree)
    hidden = _Hidden(cover, here, size)
    teeth = np.isin(donor.part[chosen][bound], [part_index(name) for name in PARTS[:2]])
    change, back = _tucked(hidden, cloud.position[teeth], there, here, size)
    scale, place = size * change, here + [0, back, 0]

    number = np.full(len(donor.vertices), -1)
    number[used] = np.arange(len(used))
    bag, bag_triangles, bag_along = _bag(place, scale * _eye_distance(donor) / 0.063)
    vertices = np.concatenate([(donor.vertices[used] - there) * scale + place, bag])
    offsets = _offsets(jaw_motion(rig), vertices, np.concatenate([_share_of_jaw(donor, used), bag_along]))
    if "tongueOut" in donor.units:
        show = donor.units["tongueOut"][used] * scale
        offsets["tongueOut"] = np.concatenate([show, np.zeros_like(bag)])
    triangles = np.concatenate([number[donor.triangles[chosen]], bag_triangles + len(used)]) + len(rig.vertices)
    part = np.concatenate([donor.part[chosen], np.full(len(bag_triangles), part_index("gums"))])
    grown = _extended(rig, vertices, triangles, part, offsets)

    lining = _lining(bag, bag_triangles, cover.sh_degree)
    position = ((cloud.position - there) * scale + place).astype(np.float32)
    placed = Splats(
        position, cloud.rotation, cloud.log_scale + np.float32(np.log(scale)), cloud.opacity_logit, cloud.sh
    )
    inside = joined(placed, lining)
    triangle = np.concatenate([bound, len(part) - len(lining) + np.arange(len(lining))]) + len(rig.triangles)
    kept = ~hidden.shows(inside.position)
    return grown, inside[kept], triangle[kept]


def curtain(rig: Rig, skin: Splats) -> tuple[Rig, Splats, np.ndarray]:
    """A rig whose lips part on nothing, with a curtain between them; and the curtain's splats, bound to triangles [M].

    For heads whose skin is half transparent, as LAM's is: teeth put behind the lips would shine through them. The
    curtain hangs from the upper lip's rim to the lower one's. Closed, it is a thin line behind the lips; when they
    part it unfolds, bulges inwards, and shows teeth at its rims, the tongue below and darkness between.

    Args:
        skin: Splat k is vertex k's; the curtain hangs behind those of the lips, which need not lie on the mesh.

    Raises:
        MienError: The lips can't be found.
    """
    rims = _rims(rig)
    lips = np.concatenate(_lips(rig))
    beside = np.average(
        skin.position[lips] - rig.vertices[lips], axis=0, weights=1e-3 + 1 / (1 + np.exp(-skin.opacity_logit[lips]))
    )
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
    vertices = (
        hung(rig.vertices)
        + [0, beside[1], beside[2]]
        + np.stack([0 * inwards, inwards, spread], axis=-1).reshape(-1, 3)
    )
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
    sh = np.zeros((count, skin.sh.shape[1], 3), np.float32)
    sh[:, 0] = (_painted(row, np.abs(2 * (centroid[:, 0] - columns[0]) / np.ptp(columns) - 1)) - 0.5) / SH0
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
    """sRGB colours [M, 3] of a curtain at rows (0 above, 1 below) and sides (0 in the middle, 1 at a corner)."""
    tooth, dark, tongue = np.array([0.80, 0.77, 0.72]), np.array([0.10, 0.04, 0.04]), np.array([0.50, 0.22, 0.21])

    def band(low: float, high: float, edge: float = 0.05) -> np.ndarray:
        return np.clip((row - low) / edge, 0, 1) * np.clip((high - row) / edge, 0, 1)

    teeth = np.maximum(band(-0.1, 0.32), 0.8 * band(0.8, 1.2)) * np.clip((0.85 - side) / 0.25, 0, 1)
    flesh = band(0.55, 0.95, 0.2) * np.clip((0.7 - side) / 0.3, 0, 1)
    colour = dark + flesh[:, None] * (tongue - dark)
    return colour + teeth[:, None] * (tooth * (1 - 0.45 * side[:, None]) - colour)


def _rims(rig: Rig, bins: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Vertex ids of the upper and of the lower lip's front rim, each from the head's right to its left."""
    upper, lower = _lips(rig)
    rims = []
    for lip in (upper, lower):
        x = rig.vertices[lip, 0]
        slot = np.floor((x - x.min()) / (np.ptp(x) + 1e-9) * bins).astype(int)
        foremost = [lip[slot == k][rig.vertices[lip[slot == k], 1].argmin()] for k in np.unique(slot)]
        rims.append(np.array(foremost)[np.argsort(rig.vertices[foremost, 0])])
    return rims[0], rims[1]


class _Hidden:
    """Which points the neutral face hides, seen from all sides that can see a mouth.

    A picture's depth says too little: skin splats are translucent at their rims, and what lies far behind them shifts
    the mean. So for every view the face is rendered up to each of a row of planes; its opacity there is what hides.
    """

    def __init__(self, cover: Splats, target: np.ndarray, size: float) -> None:
        backend = CpuBackend()
        self.step, self.start = 0.003 * size, -0.03 * size
        self.views = []
        near = cover[np.linalg.norm(cover.position - target, axis=1) < 0.09 * size]
        for azimuth, elevation in _VIEWS:
            away = 0.6 * size
            camera = orbit(target, np.radians(azimuth), np.radians(elevation), away, 0.35, _VIEW)
            depth = near.position @ camera.world_to_camera[2, :3] + camera.world_to_camera[2, 3] - away
            layers = [
                backend.render(Frame([to_gaussians(near[depth < self.start + index * self.step])], camera), ["Mask"])
                for index in range(_PLANES)
            ]
            # A rim is not sharp: a point counts as hidden only where the face around it hides too.
            opacity = np.stack([minimum_filter(layer["Mask"][..., 0], 3) for layer in layers])
            self.views.append((camera, away, opacity))

    def shows(self, points: np.ndarray, margin: float = 0.001) -> np.ndarray:
        """Whether points [N, 3], pulled `margin` metres nearer, can be seen in any view."""
        result = np.zeros(len(points), dtype=bool)
        for camera, away, opacity in self.views:
            seen = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
            x, y = ((seen[:, :2] / seen[:, 2:]) @ camera.K[:2, :2].T + camera.K[:2, 2]).astype(int).T.clip(0, _VIEW - 1)
            plane = np.floor((seen[:, 2] - away - margin - self.start) / self.step).astype(int).clip(0, _PLANES - 1)
            result |= opacity[plane, y, x] < _SOLID
        return result


def _tucked(
    hidden: _Hidden, teeth: np.ndarray, there: np.ndarray, here: np.ndarray, size: float
) -> tuple[float, float]:
    """(change of size, metres back) of the least change that hides the teeth."""
    tries = [
        (change, back * size) for change in (1.0, 0.94, 0.88, 0.82, 0.76, 0.7) for back in np.arange(0, 0.013, 0.002)
    ]
    tries.sort(key=lambda row: (1 - row[0]) / 0.06 + row[1] / 0.003)
    shown = []
    for change, back in tries:
        shown.append(hidden.shows((teeth - there) * size * change + here + [0, back, 0], _TEETH_MARGIN).mean())
        if shown[-1] < _MAY_SHOW:
            break
    return tries[int(np.argmin(shown))]


def joined(*clouds: Splats) -> Splats:
    """Several clouds of the same degree as one."""
    fields = ("position", "rotation", "log_scale", "opacity_logit", "sh")
    return Splats(*(np.concatenate([getattr(cloud, field) for cloud in clouds]) for field in fields))


def _eye_distance(rig: Rig) -> float:
    if rig.eyes is None:
        return 0.063
    return float(np.linalg.norm(np.subtract(rig.eyes["left"].centre, rig.eyes["right"].centre)))


def _seam_front(rig: Rig) -> np.ndarray:
    """The middle of the lips' seam: its foremost point in depth, its mean height in the middle third."""
    seam = lip_seam(rig)
    middle = (seam[:, 0].min() + seam[:, 0].max()) / 2
    near = seam[np.abs(seam[:, 0] - middle) < np.ptp(seam[:, 0]) / 6]
    near = near if len(near) else seam
    return np.array([middle, near[:, 1].min(), near[:, 2].mean()])


def _share_of_jaw(donor: Rig, used: np.ndarray) -> np.ndarray:
    """How far each vertex [M] goes along with the jaw, 0 to 1, read from the donor's own jawOpen."""
    teeth = np.unique(donor.triangles[donor.part == part_index("teeth.lower")])
    rotation, shift = _rigid(donor.vertices[teeth], donor.units["jawOpen"][teeth])
    fully = donor.vertices[used] @ rotation.T + shift - donor.vertices[used]
    own = donor.units["jawOpen"][used]
    return np.clip((own * fully).sum(axis=1) / np.maximum((fully**2).sum(axis=1), 1e-12), 0, 1)


def _offsets(
    motion: dict[str, tuple[np.ndarray, np.ndarray]], points: np.ndarray, along: np.ndarray
) -> dict[str, np.ndarray]:
    return {unit: along[:, None] * (points @ rotation.T + shift - points) for unit, (rotation, shift) in motion.items()}


def _bag(front: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An ellipsoid without its front: (vertices, triangles, how far each vertex goes along with the jaw)."""
    around, rings = 24, 9
    # From the back's pole (+y) to 60° from the front's.
    polar = np.linspace(0, np.pi * 2 / 3, rings + 1)[1:]
    turn = np.arange(around) * 2 * np.pi / around
    ring = np.stack(
        [
            np.outer(np.sin(polar), np.cos(turn)),
            np.outer(np.cos(polar), np.ones(around)),
            np.outer(np.sin(polar), np.sin(turn)),
        ],
        axis=-1,
    )
    unit = np.concatenate([[[0.0, 1.0, 0.0]], ring.reshape(-1, 3)])
    triangles = [(0, 1 + (k + 1) % around, 1 + k) for k in range(around)]
    for row in range(rings - 1):
        for k in range(around):
            a, b = 1 + row * around + k, 1 + row * around + (k + 1) % around
            triangles += [(a, b, a + around), (b, b + around, a + around)]
    vertices = unit * _BAG * size + front + np.array([0, _BAG_BEHIND * size, 0])
    along = np.clip(0.5 - unit[:, 2], 0, 1) * np.clip(1 - unit[:, 1], 0, 1)
    return vertices, np.array(triangles), along


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


def _borrowed(template: head_format.Head, chosen: np.ndarray, degree: int) -> tuple[Splats, np.ndarray]:
    """The template's neutral splats on the chosen triangles, at a degree; and which of the chosen each is bound to."""
    number = np.cumsum(chosen) - 1
    bound = template["gaussians.triangle"]
    own = np.flatnonzero(chosen[bound])
    cloud = from_gaussians(Deformer(template)(np.zeros(len(CHANNELS))))[own]
    sh = np.zeros((len(cloud), (degree + 1) ** 2, 3), np.float32)
    kept = min(sh.shape[1], cloud.sh.shape[1])
    sh[:, :kept] = cloud.sh[:, :kept]
    return Splats(cloud.position, cloud.rotation, cloud.log_scale, cloud.opacity_logit, sh), number[bound[own]]


def _lining(vertices: np.ndarray, triangles: np.ndarray, degree: int) -> Splats:
    """A flat dark splat on every triangle of the bag."""
    centroid, axes = frames(vertices, triangles)
    size = np.sqrt(areas(vertices, triangles))
    count = len(triangles)
    sh = np.zeros((count, (degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = (np.array(_BAG_COLOUR) - 0.5) / SH0
    scale = size[:, None] * np.array([0.9, 0.9, 0.15])
    return Splats(
        centroid.astype(np.float32),
        quaternions(axes).astype(np.float32),
        np.log(scale).astype(np.float32),
        np.full(count, 5.0, np.float32),
        sh,
    )
