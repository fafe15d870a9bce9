"""A character as Blender evaluates it, read as a head's mesh: neutral, what each unit moves, parts, eyes, neck, zones.

Runs in the baking Blender, on a copy of the artist's file, which it may change. Coordinates are the scene's until
`Space` takes them to Mien's: metres, life size, x to the head's own left, −y where the face looks, z up.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import bpy
import numpy as np

from ...engine.contract.channels import MASK_ZONES, UNITS
from ...engine.contract.errors import MienError
from . import matching, plan

MAX_VERTICES, MAX_TRIANGLES = 400_000, 800_000
PARTS = ("skin", "eye.L", "eye.R", "teeth.upper", "teeth.lower", "gums", "tongue", "brows", "lashes", "hair", "clothes")
EYE_YAW, EYE_PITCH = np.radians(30.0), np.radians(21.0)
"""How far eyes turn at full gaze where the character does not say."""
LIFE = {"eyes": 0.0615, "eye to mouth": 0.067}
"""Metres between an adult's pupils, and from their height to the mouth's."""

_STILL = 1e-5
"""Metres below which nothing counts as moved."""
_EYE_TO_BUST, _BUST_WIDTH, _BUST_HEIGHT = 0.326, 0.19, 0.17
_LOOK = re.compile(r"eyeLook(In|Out|Up|Down)(Left|Right)$")


@dataclass(frozen=True)
class Chosen:
    """One object of the character. `parts`: by material slot, or one for all."""

    object: bpy.types.Object
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Space:
    """A similarity from the scene's coordinates to Mien's: p ↦ scale · turn · (p − origin)."""

    turn: np.ndarray
    scale: float
    origin: np.ndarray

    def points(self, points: np.ndarray) -> np.ndarray:
        return (points - self.origin) @ self.turn.T * self.scale

    def offsets(self, offsets: np.ndarray) -> np.ndarray:
        return offsets @ self.turn.T * self.scale

    def to_scene(self) -> np.ndarray:
        """[4,4] from Mien's coordinates to the scene's."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.turn.T / self.scale
        matrix[:3, 3] = self.origin
        return matrix


@dataclass
class Rig:
    """What a dataset says of a head, and what the bake says to the artist."""

    space: Space
    arrays: dict[str, np.ndarray]
    units: tuple[str, ...]
    combinations: list[tuple[str, ...]]
    eyes: dict[str, dict]
    pivot: np.ndarray
    parts: tuple[str, ...]
    frame: plan.Frame
    still_eyes: bool
    notes: list[str] = field(default_factory=list)

    @cached_property
    def digest(self) -> bytes:
        """Of the mesh and its units, to half a millimetre: what evaluates the same way twice has the same."""
        digest = hashlib.sha256()
        for name in ("mesh.vertices", "units.deltas"):
            digest.update(np.round(self.arrays[name].astype(np.float64) * 2e3).astype(np.int32).tobytes())
        return digest.digest()


# ── the character's keys ─────────────────────────────────────────────────────────────────────────────────────────────


class Character:
    """Moves the keys of all its objects together and evaluates their meshes.

    Drivers and Actions on keys that mean units are taken off (this is a copy of the file); drivers of other keys stay,
    so that correctives fire, and those that only their name tells are set to the product of their units.
    """

    def __init__(self, chosen: Sequence[Chosen], table: matching.Match) -> None:
        self.chosen = [entry for entry in chosen if entry.object.type == "MESH"]
        self.table = table
        self.products: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {}
        self.driven: set[tuple[tuple[str, ...], ...]] = set()
        self._values: dict[tuple[str, str], float] = {}
        used = {(move.object, move.key) for moves in table.moves.values() for move in moves}
        for entry in self.chosen:
            self._release(entry.object, used)
        self.set({})

    def _release(self, obj: bpy.types.Object, used: set[tuple[str, str]]) -> None:
        keys = obj.data.shape_keys
        if keys is None:
            return
        if not keys.use_relative:
            raise MienError(
                f"The shape keys of {obj.name} are absolute; tick Relative under Shape Keys and bake again."
            )
        obj.show_only_shape_key = False
        animation = keys.animation_data
        if animation is not None:
            animation.action = None
            for track in list(animation.nla_tracks):
                animation.nla_tracks.remove(track)
            for driver in list(animation.drivers):
                found = re.fullmatch(r'key_blocks\["(.*)"\]\.value', driver.data_path)
                name = found[1].replace('\\"', '"').replace("\\\\", "\\") if found else ""
                if (obj.name, name) in used:
                    animation.drivers.remove(driver)
                elif groups := self._drivers_units(driver):
                    self.driven.add(groups)
        driven = {driver.data_path for driver in animation.drivers} if animation is not None else set()
        for block in keys.key_blocks:
            if (obj.name, block.name) in used:
                block.slider_min, block.slider_max = 0.0, 2.0
            elif (obj.name, block.name) in self.table.combinations:
                groups = self.table.combinations[obj.name, block.name]
                if f'key_blocks["{bpy.utils.escape_identifier(block.name)}"].value' not in driven and not block.mute:
                    block.slider_min, block.slider_max = 0.0, 2.0
                    self.products[obj.name, block.name] = groups

    def _drivers_units(self, driver: bpy.types.FCurve) -> tuple[tuple[str, ...], ...]:
        """The units that a corrective's driver reads, by the names of the keys among its variables."""
        groups = []
        for variable in driver.driver.variables:
            for target in variable.targets:
                found = re.search(r'key_blocks\["(.*)"\]\.value', target.data_path or "")
                meaning = matching.meaning_of(found[1]) if found else None
                if meaning and meaning.units[0] in self.table.moves:
                    groups.append(meaning.units)
        groups = sorted(dict.fromkeys(groups))
        return tuple(groups) if 2 <= len(groups) <= 4 else ()

    def groups(self) -> list[tuple[tuple[str, ...], ...]]:
        """What combinations the character's correctives are for, fewer units first."""
        found = {*self.driven, *self.products.values()}
        known = [g for g in found if all(unit in self.table.moves for group in g for unit in group)]
        return sorted(known, key=lambda groups: (len(groups), groups))

    def set(self, values: Mapping[str, float]) -> None:
        """Bring the keys into a pose {unit: value}; a key that moves both sides takes the greater."""
        wanted: dict[tuple[str, str], float] = {}
        for unit, moves in self.table.moves.items():
            for move in moves:
                place = move.object, move.key
                wanted[place] = max(wanted.get(place, 0.0), values.get(unit, 0.0))
        for place, groups in self.products.items():
            wanted[place] = float(np.prod([max(values.get(unit, 0.0) for unit in group) for group in groups]))
        for (owner, key), value in wanted.items():
            if self._values.get((owner, key)) != value:
                keys = bpy.data.objects[owner].data.shape_keys
                keys.key_blocks[key].value = value
                keys.update_tag()
        self._values = wanted
        bpy.context.view_layer.update()

    def evaluate(self) -> list[np.ndarray]:
        """Every object's vertices [V,3], in the scene's coordinates."""
        depsgraph = bpy.context.evaluated_depsgraph_get()
        return [_points(entry.object.evaluated_get(depsgraph)) for entry in self.chosen]


def _points(evaluated: bpy.types.Object) -> np.ndarray:
    mesh = evaluated.to_mesh()
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    evaluated.to_mesh_clear()
    matrix = np.array(evaluated.matrix_world, np.float64)
    return flat.reshape(-1, 3).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def show_as_rendered(chosen: Iterable[Chosen], levels: int) -> None:
    """Have the viewport evaluate what a render would, subdivided at most `levels` times."""
    for entry in chosen:
        obj = entry.object
        obj.hide_viewport = False
        for modifier in obj.modifiers:
            modifier.show_viewport = modifier.show_render
            if hasattr(modifier, "render_levels"):
                modifier.levels = min(modifier.render_levels, levels)


def _levels(obj: bpy.types.Object) -> int:
    """How often a render subdivides it."""
    return sum(getattr(modifier, "render_levels", 0) for modifier in obj.modifiers if modifier.show_render)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(
    chosen: Sequence[Chosen],
    table: matching.Match,
    budget: int,
    facing: str = "AUTO",
    size: float = 0.0,
    empties: Mapping[str, np.ndarray] | None = None,
    tell=lambda fraction, text: None,
) -> tuple[Character, Rig]:
    """The character's rig.

    Args:
        budget: Triangles that the mesh should have at most; subdivision is lowered until it has.
        facing: Where the face looks along the axes of the object with the most shape keys ("-Y" …), or "AUTO".
        size: Scale to life size; 0 finds it.
        empties: "left" and "right" eye centres in the scene's coordinates, where no part is an eye.

    Raises:
        MienError: What the character lacks, and the remedy.
    """
    character = Character(chosen, table)
    if not character.chosen:
        raise MienError("None of the chosen objects is a mesh; choose the character's face and body too.")
    settings = bpy.context.scene.unit_settings.scale_length or 1.0, facing, size, empties or {}, tell
    show_as_rendered(character.chosen, 0)
    bpy.context.view_layer.update()
    reading = _Reading(character, *settings)
    levels = max((level for level in range(7) if reading.kept_triangles(level) <= budget), default=0)
    if levels and reading.subdivided():
        show_as_rendered(character.chosen, levels)
        bpy.context.view_layer.update()
        reading = _Reading(character, *settings)
    return character, reading.finish()


class _Reading:
    """Steps of `read` that share their arrays."""

    def __init__(self, character, unit_scale, facing, size, empties, tell) -> None:
        self.character, self.table, self.tell = character, character.table, tell
        self.facing, self.given_size, self.empties = facing, size, empties
        self.notes: list[str] = []
        self.unit_scale = unit_scale
        self._neutral()
        self._landmark_units()
        self._find_eyeballs()
        self.space = self._space()
        self._frame_of_head()

    # ── geometry in the scene's space ──

    def _neutral(self) -> None:
        """Vertices, triangles and parts of all objects, joined."""
        self.character.set({})
        pieces = self.character.evaluate()
        self.counts = [len(piece) for piece in pieces]
        self.neutral = np.concatenate(pieces)
        self._check_finite(self.neutral, None)
        triangles, parts, start = [], [], 0
        depsgraph = bpy.context.evaluated_depsgraph_get()
        for entry, count in zip(self.character.chosen, self.counts, strict=True):
            corners, slots = _triangles(entry.object.evaluated_get(depsgraph))
            triangles.append(corners + start)
            indices = np.array([_PART_IDS[part] for part in entry.parts] or [0])
            parts.append(indices[np.minimum(slots, len(indices) - 1)])
            start += count
        self.triangles, self.triangle_part = np.concatenate(triangles), np.concatenate(parts)
        bound = self.triangle_part != _PART_IDS["none"]
        self.triangles, self.triangle_part = self.triangles[bound], self.triangle_part[bound]
        if not len(self.triangles):
            names = ", ".join(entry.object.name for entry in self.character.chosen)
            raise MienError(f"{names} have no faces once their modifiers are applied; choose the character's face too.")

    def _moved(self, values: Mapping[str, float], why: str) -> np.ndarray:
        """What a pose moves every vertex by [V,3]."""
        self.character.set(values)
        pieces = self.character.evaluate()
        for entry, piece, count in zip(self.character.chosen, pieces, self.counts, strict=True):
            if len(piece) != count:
                raise MienError(_topology_sentence(self.character, entry.object, values, why))
        result = np.concatenate(pieces) - self.neutral
        self._check_finite(result, why)
        return result

    def _check_finite(self, points: np.ndarray, why: str | None) -> None:
        if np.isfinite(points).all():
            return
        bad = int(np.argmin(np.isfinite(points).all(axis=1)))
        owner = int(np.searchsorted(np.cumsum(self.counts), bad, side="right"))
        name = self.character.chosen[owner].object.name
        where = f"with shape key {why} at 1" if why else "as it stands"
        raise MienError(
            f"{name} has vertices that are not numbers {where}; repair them (Mesh › Clean Up) or leave the object out."
        )

    def _landmark_units(self) -> None:
        """Offsets of each unit alone, in the scene's space; a key that moves both sides is evaluated once."""
        self.raw: dict[str, np.ndarray] = {}
        seen: dict[frozenset, np.ndarray] = {}
        for number, (unit, moves) in enumerate(self.table.moves.items()):
            self.tell(number / len(self.table.moves), f"Reading {moves[0].key}")
            place = frozenset((move.object, move.key) for move in moves)
            if place not in seen:
                seen[place] = self._moved({unit: 1.0}, f"{moves[0].key} of {moves[0].object}").astype(np.float32)
            self.raw[unit] = seen[place]
        self.character.set({})

    def _weight(self, *stems: str) -> np.ndarray | None:
        """How much the units whose names begin so move each vertex [V]; None where they move nothing."""
        names = [unit for unit in self.raw if unit.startswith(stems)]
        total = sum((np.linalg.norm(self.raw[name], axis=1) for name in names), np.zeros(len(self.neutral)))
        return total if total.sum() > 0 else None

    def _middle(self, *stems: str) -> np.ndarray | None:
        weight = self._weight(*stems)
        return None if weight is None else weight**2 @ self.neutral / (weight**2).sum()

    def _find_eyeballs(self) -> None:
        """Where nothing was named an eye: the loose parts of the skin that each side's look keys turn as one piece."""
        skin = np.flatnonzero(self.triangle_part == _PART_IDS["skin"])
        if np.isin(self.triangle_part, [_PART_IDS[part] for part in ("eyes", "eye.L", "eye.R")]).any() or not len(skin):
            return
        looks = {side: [u for u in self.raw if _LOOK.match(u) and u.endswith(side)] for side in ("Left", "Right")}
        if not all(looks.values()):
            return
        loose, own = _loose_parts(self.neutral, self.triangles[skin]), np.zeros(len(self.neutral), bool)
        for side, units in looks.items():
            balls = [part for part in loose if self._turns(part, units, "eyeBlink" + side)]
            if not balls:
                return
            own[np.concatenate(balls)] = True
        self.triangle_part[skin[own[self.triangles[skin, 0]]]] = _PART_IDS["eyes"]
        self.notes.append("The eyeballs were found by what the look keys turn.")

    def _turns(self, part: np.ndarray, looks: Sequence[str], blink: str) -> bool:
        """Whether look keys turn these vertices about their middle as one piece, which a blink leaves where it is."""
        points = self.neutral[part]
        moved = {unit: _mean_size(self.raw[unit][part]) for unit in looks}
        most = max(moved, key=moved.__getitem__)
        offsets = self.raw[most][part].astype(np.float64)
        stays = blink not in self.raw or _mean_size(self.raw[blink][part]) < 0.2 * moved[most]
        if not stays or moved[most] < 0.02 * np.ptp(points, axis=0).max():
            return False
        centred = points - points.mean(axis=0)
        turned = points + offsets - (points + offsets).mean(axis=0)
        rest = _mean_size(centred @ _rotation(points, points + offsets).T - turned)
        return rest < 0.15 * moved[most] and np.linalg.norm(offsets.mean(axis=0)) < 0.35 * moved[most]

    # ── orientation and size ──

    def _space(self) -> Space:
        turn = self._orientation()
        flat = self.neutral @ turn.T
        self.flat = flat
        balls = self._eyeballs(flat)
        eye = self._eye_line(turn, balls)
        mouth = self._point(turn, ("mouthPucker", "mouthFunnel", "mouthClose", "mouthRoll", "mouthPress", "mouthSmile"))
        if mouth is None:
            mouth = self._point(turn, ("mouth", "jaw"))
        ratios = []
        if len(balls) == 2:
            ratios.append(np.linalg.norm(balls["left"][0] - balls["right"][0]) * self.unit_scale / LIFE["eyes"])
        if mouth is not None and eye[2] - mouth[2] > 0:
            ratios.append((eye[2] - mouth[2]) * self.unit_scale / LIFE["eye to mouth"])
        ratio = float(np.exp(np.mean(np.log(ratios)))) if ratios else 1.0
        scale = self.unit_scale
        if self.given_size > 0:
            scale = self.given_size * self.unit_scale
        else:
            # A grown head that is a little small stays so; one in centimetres or ten times too large does not.
            unit = 10.0 ** round(np.log10(ratio))
            factor = unit if 0.7 < ratio / unit < 1.45 else ratio
            scale = self.unit_scale / factor
            if factor != 1.0:
                size = f"{factor:.3g} times" if factor > 1 else f"1/{1 / factor:.3g} of"
                self.notes.append(f"The character is {size} life size; the head is made at life size.")
        self.mouth = mouth if mouth is not None else eye - np.array([0, 0, LIFE["eye to mouth"] / scale])
        # The neck's axis lies behind the eyes; the bust ends below them, or where the character does.
        below = eye[2] - _EYE_TO_BUST / scale
        reach = flat[self.triangles.ravel()]
        near = reach[np.abs(reach[:, 0] - eye[0]) < 0.25 / scale]
        bottom = max(below, float(near[:, 2].min() if len(near) else below))
        origin = np.array([eye[0], eye[1] + 0.114 / scale, bottom])
        return Space(turn, scale, turn.T @ origin)

    def _orientation(self) -> np.ndarray:
        """Rotation [3,3] into Mien's axes: left by what the sided units move, up from the mouth to the brows."""
        lefts = []
        for unit in self.raw:
            other = plan.opposite(unit)
            if unit.endswith("Left") and other != unit and other in self.raw and unit not in self.table.shared():
                a, b = self._middle(unit), self._middle(other)
                if a is not None and b is not None:
                    lefts.append(a - b)
        upper, lower = self._middle("brow", "eyeBlink", "eyeWide", "eyeSquint"), self._middle("mouth", "jaw")
        main = max(self.character.chosen, key=lambda entry: self._moved_count(entry))
        axes = np.array(main.object.matrix_world.to_3x3().normalized(), np.float64)
        up = upper - lower if upper is not None and lower is not None else axes[:, 2]
        up = up / np.linalg.norm(up)
        if self.facing != "AUTO":
            forward = axes[:, "XYZ".index(self.facing[1])] * (1 if self.facing[0] == "+" else -1)
            choices = [axes[:, k] * sign for k in range(3) for sign in (1, -1) if k != "XYZ".index(self.facing[1])]
            up = max(choices, key=lambda axis: axis @ up)
            return np.stack([np.cross(up, forward), -forward, up])
        if not lefts:
            raise MienError(
                "No shape key moves one side of the face only, so which way it looks can't be told; choose it under "
                "Facing."
            )
        left = np.sum(lefts, axis=0)
        left -= up * (left @ up)
        if np.linalg.norm(left) < 1e-9:
            raise MienError(
                "The left and the right shape keys move the same places; choose the direction under Facing."
            )
        left /= np.linalg.norm(left)
        rough = np.stack([left, np.cross(up, left), up])
        return _nearest_axes(rough, axes)

    def _moved_count(self, entry: Chosen) -> int:
        keys = entry.object.data.shape_keys
        return len(keys.key_blocks) * 1_000_000 + len(entry.object.data.vertices) if keys else 0

    def _point(self, turn: np.ndarray, stems: tuple[str, ...]) -> np.ndarray | None:
        middle = self._middle(*stems)
        return None if middle is None else turn @ middle

    def _eyeballs(self, flat: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
        """Side → (centre, radius) of the eye parts, in turned scene coordinates; decides undecided parts' sides."""
        both = self.triangle_part == _PART_IDS["eyes"]
        if both.any():
            across = flat[self.triangles[both]].mean(axis=1)[:, 0]
            middle = (across.min() + across.max()) / 2
            self.triangle_part[both] = np.where(across > middle, _PART_IDS["eye.L"], _PART_IDS["eye.R"])
        balls = {}
        for side, part in (("left", "eye.L"), ("right", "eye.R")):
            points = flat[np.unique(self.triangles[self.triangle_part == _PART_IDS[part]])]
            if len(points) >= 8:
                balls[side] = _sphere(points)
        if len(balls) == 2 and balls["left"][0][0] < balls["right"][0][0]:
            swap = {_PART_IDS["eye.L"]: _PART_IDS["eye.R"], _PART_IDS["eye.R"]: _PART_IDS["eye.L"]}
            self.triangle_part = np.array([swap.get(int(part), part) for part in self.triangle_part])
            balls = {"left": balls["right"], "right": balls["left"]}
            self.notes.append("The eye parts are named for the viewer's left and right; they were swapped.")
        self.balls = balls
        return balls

    def _eye_line(self, turn: np.ndarray, balls) -> np.ndarray:
        if len(balls) == 2:
            return (balls["left"][0] + balls["right"][0]) / 2
        if len(self.empties) == 2:
            return turn @ (self.empties["left"] + self.empties["right"]) / 2
        for stems in (("eyeBlink",), ("eyeWide", "eyeSquint"), ("brow",)):
            middle = self._point(turn, stems)
            if middle is not None:
                # Lids are moved in front of the ball's centre; brows above it.
                return middle + np.array([0, 0.012, -0.02 if stems == ("brow",) else 0]) / self.unit_scale
        return turn @ self.neutral.mean(axis=0)

    # ── in Mien's space ──

    def _frame_of_head(self) -> None:
        self.vertices = self.space.points(self.neutral)
        self.eye = self.space.points(self.space.turn.T @ self._eye_line(self.space.turn, self.balls))
        self.mouth = self.space.points(self.space.turn.T @ self.mouth)
        self.chin = self._chin()
        self.pivot = np.array([0.0, self.eye[1] + 0.083, self.eye[2] - 0.053])
        centre = self.vertices[self.triangles].mean(axis=1)
        self.inside = bust_field(centre, float(self.eye[2])) > 0
        self.has_bust = bool(self.vertices[self.triangles[self.inside]][..., 2].min() < self.chin[2] - 0.06)

    def kept_triangles(self, levels: int) -> float:
        """About how many triangles head and bust have where everything is subdivided so often, read without any."""
        owner = np.searchsorted(np.cumsum(self.counts), self.triangles[self.inside][:, 0], side="right")
        kept = np.bincount(owner, minlength=len(self.counts))
        return sum(n * 4.0 ** min(levels, _levels(e.object)) for n, e in zip(kept, self.character.chosen, strict=True))

    def subdivided(self) -> bool:
        return any(_levels(entry.object) for entry in self.character.chosen)

    def _chin(self) -> np.ndarray:
        """The lowest point of what jawOpen lowers most, or by the face's proportions."""
        if "jawOpen" in self.raw:
            down = self.space.offsets(self.raw["jawOpen"])[:, 2]
            skin = np.zeros(len(down), bool)
            skin[self.triangles[self.triangle_part == _PART_IDS["skin"]]] = True
            low = skin & (down < 0.8 * down[skin].min(initial=0.0)) & (down < -_STILL)
            if low.any():
                points = self.vertices[low]
                return points[points[:, 2].argmin()]
        return self.mouth + np.array([0, 0.005, -0.65 * (self.eye[2] - self.mouth[2])])

    def finish(self) -> Rig:
        triangles, part = self.triangles[self.inside], self.triangle_part[self.inside]
        part = self._teeth(triangles, part)
        if len(triangles) > MAX_TRIANGLES or len(triangles) * 3 > MAX_VERTICES * 8:
            raise MienError(
                f"The character's head has {len(triangles):,} triangles without any subdivision, more than "
                f"{MAX_TRIANGLES:,}; choose a lighter copy of it, or set dense parts such as hair to Picture Only."
            )
        names = [identifier for identifier, *_ in matching.PARTS]
        used_parts = [name for name in PARTS if (part == names.index(name)).any()]
        # A vertex between two parts becomes two, so that an eye may turn without its lids.
        corner = triangles.astype(np.int64) * len(names) + part[:, None]
        unique, corners = np.unique(corner, return_inverse=True)
        self.ids, vertex_part = unique // len(names), unique % len(names)
        if len(self.ids) > MAX_VERTICES:
            raise MienError(
                f"The character's head has {len(self.ids):,} vertices, more than {MAX_VERTICES:,}; choose a lighter "
                "copy of it, or set dense parts such as hair to Picture Only."
            )
        self.vertex_part = np.array([names[i] for i in range(len(names))])[vertex_part]
        vertices = self.vertices[self.ids]
        deltas = self._unit_deltas(vertices)
        eyes, still = self._eyes(vertices, deltas)
        units = [unit for unit in UNITS if unit in deltas]
        combinations = self._combinations(deltas, units)
        stacked = np.stack([deltas[unit] for unit in units]) if units else np.zeros((0, len(vertices), 3))
        combined = np.stack(list(combinations.values())) if combinations else np.zeros((0, len(vertices), 3))
        moved = np.abs(np.concatenate([stacked, combined])).max(axis=(0, 2), initial=0.0) > _STILL
        order = np.flatnonzero(moved)
        arrays = {
            "mesh.vertices": vertices.astype(np.float32),
            "mesh.triangles": corners.reshape(-1, 3).astype(np.int32),
            "mesh.part": np.array([used_parts.index(names[i]) for i in part], np.uint8),
            "mesh.zone": self._zones(vertices, deltas),
            "mesh.head_weight": self._head_weight(vertices),
            "units.vertex_ids": order.astype(np.int32),
            "units.deltas": stacked[:, order].astype(np.float32),
        }
        if combinations:
            arrays["combinations.deltas"] = combined[:, order].astype(np.float32)
        return Rig(
            self.space, arrays, tuple(units), list(combinations), eyes, self.pivot, tuple(used_parts),
            self._frame(vertices, stacked), still, self.notes,
        )  # fmt: skip

    def _teeth(self, triangles: np.ndarray, part: np.ndarray) -> np.ndarray:
        """Rows of teeth told apart by what the jaw moves."""
        part = part.copy()
        undecided = part == _PART_IDS["teeth"]
        if undecided.any():
            jaw = self.raw.get("jawOpen")
            low = np.zeros(len(triangles), bool)
            if jaw is not None:
                low = np.linalg.norm(self.space.offsets(jaw), axis=1)[triangles].mean(axis=1) > 0.002
            part[undecided] = np.where(low[undecided], _PART_IDS["teeth.lower"], _PART_IDS["teeth.upper"])
        return part

    def _unit_deltas(self, vertices: np.ndarray) -> dict[str, np.ndarray]:
        """Unit → [V,3] in Mien's space; both-sided keys split by a soft weight over the middle 2.4 cm."""
        shared, result, nothing = self.table.shared(), {}, []
        for unit, raw in self.raw.items():
            offsets = self.space.offsets(raw[self.ids].astype(np.float64))
            if unit in shared:
                offsets = offsets * _side(vertices, "Left" if unit.endswith("Left") else "Right")
            if np.abs(offsets).max(initial=0.0) < 1e-4 and not _LOOK.match(unit):
                nothing.append(unit)
                continue
            result[unit] = offsets
        if nothing:
            self.notes.append(f"These shape keys move nothing and are left out: {', '.join(nothing)}.")
        return result

    def _combinations(self, deltas, units) -> dict[tuple[str, ...], np.ndarray]:
        """What correctives add to the sum of their units, by evaluating them together."""
        found: dict[tuple[str, ...], np.ndarray] = {}
        vertices = self.vertices[self.ids]
        for groups in self.character.groups():
            choices = [c for c in matching.sides(groups) if all(unit in units for unit in c[0])]
            if not choices:
                continue
            values = {unit: 1.0 for group in groups for unit in group}
            together = self._moved(values, " and ".join(group[0] for group in groups))
            extra = self.space.offsets(together[self.ids]) - sum(deltas[u] for u in values if u in deltas)
            for names, offsets in found.items():
                if set(names) <= values.keys():
                    extra = extra - offsets
            extra[np.isin(self.vertex_part, ("eye.L", "eye.R"))] = 0.0
            for names, side in choices:
                own = extra * (_side(vertices, side) if side else 1.0)
                if np.abs(own).max() > 2e-4:
                    found[names] = own
        self.character.set({})
        return found

    def _eyes(self, vertices, deltas) -> tuple[dict[str, dict], bool]:
        """Ball centres and how far they turn; the keys' own motion of the balls is replaced by that turn."""
        eyes, turned = {}, []
        for side, part in (("left", "eye.L"), ("right", "eye.R")):
            own = self.vertex_part == part
            if side in self.balls:
                centre = self.space.points(self.space.turn.T @ self.balls[side][0])
            elif len(self.empties) == 2:
                centre = self.space.points(self.empties[side])
            else:
                continue
            angles: dict[str, list[float]] = {"yaw": [], "pitch": []}
            for unit in [unit for unit in deltas if unit.startswith("eyeLook") and unit.endswith(side.title())]:
                kind = "yaw" if "In" in unit or "Out" in unit else "pitch"
                if own.sum() >= 3:
                    gaze = _rotation(vertices[own] - centre, vertices[own] + deltas[unit][own] - centre) @ [0.0, -1, 0]
                    angle = np.arctan2(gaze[0], -gaze[1]) if kind == "yaw" else np.arcsin(np.clip(gaze[2], -1, 1))
                    angles[kind].append(abs(float(angle)))
                deltas[unit][own] = 0.0
            turned += angles["yaw"] + angles["pitch"]
            eyes[side] = {"centre": [float(x) for x in centre]}
            for kind, standard in (("yaw", EYE_YAW), ("pitch", EYE_PITCH)):
                measured = float(np.mean(angles[kind])) if angles[kind] else 0.0
                eyes[side][kind] = min(measured, 1.5) if measured > 0.03 else float(standard)
        if len(eyes) < 2:
            self.notes.append("No eyeballs were named, so the gaze moves the lids only; set Eyes under Parts.")
            return {}, False
        for side in ("Left", "Right"):
            for way in ("In", "Out", "Up", "Down"):
                deltas.setdefault(f"eyeLook{way}{side}", np.zeros_like(vertices))
        still = not turned or max(turned) < 0.03
        if still:
            self.notes.append("The look keys do not turn the eyeballs; Mien turns them about their centres.")
        return eyes, still

    def _zones(self, vertices, deltas) -> np.ndarray:
        """By which channels' units move a vertex most; by its part for what none moves."""
        energy = np.zeros((len(MASK_ZONES), len(vertices)))
        for unit, offsets in deltas.items():
            zone, size = plan.zone_of(unit), np.linalg.norm(offsets, axis=1)
            if zone in MASK_ZONES and size.max() > 1e-4:
                row = MASK_ZONES.index("eyes" if zone == "gaze" else zone)
                energy[row] = np.maximum(energy[row], size / size.max())
        result = energy.argmax(axis=0)
        result[energy.max(axis=0) < 0.12] = MASK_ZONES.index("head")
        for part, zone in _PART_ZONES.items():
            result[self.vertex_part == part] = MASK_ZONES.index(zone)
        return result.astype(np.uint8)

    def _head_weight(self, vertices: np.ndarray) -> np.ndarray:
        """How far each vertex follows the head: by the armature's head and neck, else by height."""
        above = vertices[:, 2] - self.chin[2] - 0.25 * (vertices[:, 1] - self.chin[1])
        weight = _smooth(above, -0.075, -0.002)
        bones = np.concatenate(
            [_bone_weights(e.object, n) for e, n in zip(self.character.chosen, self.counts, strict=True)]
        )
        bones = bones[self.ids]
        known = np.isfinite(bones)
        high = known & (above > 0.05)
        if high.any() and bones[high].mean() > 0.9:
            weight = np.where(known, bones, weight)
        # Clothes stay even where they reach up to the chin; what belongs to the face goes with it.
        firm = np.isin(self.vertex_part, [p for p in PARTS if p not in ("skin", "clothes", "hair")])
        weight[firm] = 1.0
        weight[(self.vertex_part == "clothes") & ~known] = 0.0
        return weight.astype(np.float32)

    def _frame(self, vertices: np.ndarray, stacked: np.ndarray) -> plan.Frame:
        head = vertices[vertices[:, 2] > self.chin[2] - 0.02]
        whole = self.eye + np.array([0, 0.085, -0.035])
        radius = float(np.quantile(np.linalg.norm(head - whole, axis=1), 0.998)) if len(head) else 0.2
        face_middle = self.eye + np.array([0, 0.02, -0.03])
        moved = np.abs(stacked).max(axis=(0, 2), initial=0.0) > 0.002
        face = vertices[moved & (vertices[:, 2] > self.chin[2] - 0.01) & (vertices[:, 1] < self.eye[1] + 0.05)]
        reach = float(np.quantile(np.abs(face - face_middle)[:, [0, 2]].max(axis=1), 0.98)) if len(face) else 0.1
        return plan.Frame(tuple(float(x) for x in self.eye), radius, reach, self.has_bust)


_PART_IDS = {identifier: index for index, (identifier, *_) in enumerate(matching.PARTS)}
_PART_ZONES = {
    "eye.L": "gaze", "eye.R": "gaze", "teeth.upper": "mouth", "teeth.lower": "jaw_tongue", "gums": "mouth",
    "tongue": "jaw_tongue", "hair": "head", "clothes": "head", "brows": "brows", "lashes": "eyes",
}  # fmt: skip


def bust_field(points: np.ndarray, eye_height: float) -> np.ndarray:
    """Positive inside head and bust: a rounded cut through chest and shoulders, in Mien's space."""
    top = eye_height - _EYE_TO_BUST + _BUST_HEIGHT
    down = np.clip(top - points[..., 2], 0, None) / _BUST_HEIGHT
    wide = np.where(down > 0, np.abs(points[..., 0]) / _BUST_WIDTH, 0.0)
    return 1.0 - (wide**2.6 + down**2.6)


def bust_numbers(eye_height: float) -> tuple[float, float, float]:
    """(top, width, height) of `bust_field`, for the nodes that cut the rendered character the same way."""
    return eye_height - _EYE_TO_BUST + _BUST_HEIGHT, _BUST_WIDTH, _BUST_HEIGHT


def _smooth(value: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _side(vertices: np.ndarray, side: str) -> np.ndarray:
    left = _smooth(vertices[:, 0], -0.012, 0.012)[:, None]
    return left if side == "Left" else 1 - left


def _triangles(evaluated: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """(corners [T,3], material slot [T]) of an evaluated object."""
    mesh = evaluated.to_mesh()
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    corners, polygons = np.empty(count * 3, np.int32), np.empty(count, np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    mesh.loop_triangles.foreach_get("polygon_index", polygons)
    slots = np.zeros(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", slots)
    evaluated.to_mesh_clear()
    return corners.reshape(-1, 3).astype(np.int64), slots[polygons] if count else polygons


def _topology_sentence(character: Character, obj: bpy.types.Object, values, why: str) -> str:
    """Which modifier makes another mesh in another pose: the first without which it does not."""
    index = [entry.object for entry in character.chosen].index(obj)
    for modifier in obj.modifiers:
        if not modifier.show_viewport:
            continue
        modifier.show_viewport = False
        counts = []
        for pose in ({}, values):
            character.set(pose)
            counts.append(len(character.evaluate()[index]))
        modifier.show_viewport = True
        if counts[0] == counts[1]:
            return (
                f"Modifier {modifier.name!r} of {obj.name} makes another mesh when {why} moves; apply it, or switch "
                "off its camera icon, and bake again."
            )
    return f"{obj.name} has another number of vertices when {why} moves; apply its modifiers and bake again."


def _nearest_axes(rough: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The rotation along the object's or the world's axes that lies within 25° of a rough one; else the rough one."""
    best, limit = rough, 1 + 2 * np.cos(np.radians(25.0))
    handed = axes if np.linalg.det(axes) > 0 else axes * [-1, 1, 1]
    for base in (handed.T, np.eye(3)):
        for order in itertools.permutations(range(3)):
            for signs in itertools.product((1, -1), repeat=3):
                candidate = base[list(order)] * np.array(signs)[:, None]
                trace = float(np.trace(rough @ candidate.T))
                if np.linalg.det(candidate) > 0 and trace > limit:
                    best, limit = candidate, trace
        if best is not rough:
            return best
    return best


def _sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Least-squares sphere through points [N,3]; the middle of their bounds where they are no cap of one."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = (high - low).max() / 2
    system = np.concatenate([2 * points, np.ones((len(points), 1))], axis=1)
    solution, *_ = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)
    centre = solution[:3]
    radius = float(np.sqrt(max(solution[3] + centre @ centre, 0.0)))
    if not 0.7 * half < radius < 1.6 * half or np.linalg.norm(centre - (low + high) / 2) > 1.2 * half:
        return (low + high) / 2, half
    return centre, radius


def _loose_parts(points: np.ndarray, triangles: np.ndarray) -> list[np.ndarray]:
    """The vertices [N] of each connected piece, seams between coinciding vertices closed; pieces of eight and more."""
    used = np.unique(triangles)
    step = max(np.ptp(points[used], axis=0).max() * 1e-6, 1e-12)
    welded = np.unique(np.round(points[used] / step).astype(np.int64), axis=0, return_inverse=True)[1].ravel()
    corners = welded[np.searchsorted(used, triangles)]
    label = np.arange(len(used))
    while True:
        lower = label.copy()
        for corner in range(3):
            np.minimum.at(lower, corners[:, corner], label[corners].min(axis=1))
        lower = lower[lower]
        if np.array_equal(lower, label):
            break
        label = lower
    label = label[welded]
    order = np.argsort(label, kind="stable")
    pieces = np.split(used[order], np.flatnonzero(np.diff(label[order])) + 1)
    return [piece for piece in pieces if len(piece) >= 8]


def _mean_size(offsets: np.ndarray) -> float:
    """Root mean square length of vectors [N,3]."""
    return float(np.sqrt((offsets.astype(np.float64) ** 2).sum(axis=1).mean()))


def _rotation(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The rotation that takes centred points best to others (Kabsch 1976)."""
    u, _, vt = np.linalg.svd((before - before.mean(axis=0)).T @ (after - after.mean(axis=0)))
    turn = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return turn


def _bone_weights(obj: bpy.types.Object, count: int) -> np.ndarray:
    """[V] how far an armature's head bone (and by half, its neck's) carries each vertex; NaN where unknown."""
    unknown = np.full(count, np.nan)
    armature = obj.parent if obj.parent and obj.parent.type == "ARMATURE" else None
    for modifier in obj.modifiers:
        if modifier.type == "ARMATURE" and modifier.object:
            armature = modifier.object
    if armature is None:
        return unknown
    share = _bone_shares(armature)
    if not share:
        return unknown
    if obj.parent is armature and obj.parent_type == "BONE":
        return np.full(count, share.get(obj.parent_bone, 0.0))
    if not obj.vertex_groups:
        return unknown
    index = {
        group.index: share.get(group.name, 0.0) for group in obj.vertex_groups if group.name in armature.data.bones
    }
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    result = np.full(count, np.nan)
    for vertex in mesh.vertices if len(mesh.vertices) == count else ():
        total = follow = 0.0
        for element in vertex.groups:
            if element.group in index:
                total += element.weight
                follow += element.weight * index[element.group]
        if total > 1e-6:
            result[vertex.index] = follow / total
    return result


def _bone_shares(armature: bpy.types.Object) -> dict[str, float]:
    """Bone → how far it goes with the head: the head and all below it fully, the neck by half."""
    heads = [b for b in armature.data.bones if re.search(r"(?i)(^|[^a-z])head($|[^a-z])|^head|:head$", b.name)]
    heads = [b for b in heads if not re.search(r"(?i)end|top|tip|nub", b.name)]
    if not heads:
        return {}
    top = min(heads, key=lambda bone: len(bone.parent_recursive))
    share = {bone.name: 1.0 for bone in (top, *top.children_recursive)}
    parent = top.parent
    while parent is not None and "neck" in parent.name.lower():
        share[parent.name] = 0.5
        parent = parent.parent
    return share
