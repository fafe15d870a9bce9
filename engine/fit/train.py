"""Pictures of a head in known poses → its Gaussians: Adam over a differentiable renderer.

Three stretches: coarse pictures, then whole ones while Gaussians are added where the error is, then the dynamic
appearance with them. Positions, sizes and opacities stay near where they were seeded: a Gaussian that wanders off its
triangle looks right in the captured poses and wrong in all others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..contract.channels import MASK_ZONES
from . import appearance as dynamic
from .appearance import UNBOUND, Appearance
from .backend import Backend
from .likeness import similarity
from .pack import keeps_shape, zones
from .photos import Photo
from .raster import SH_0, SH_1, Parameters, Pose
from .rig import Rig
from .seed import EYES, KINDS, MOUTH, STRAND_KINDS, Gaussians

RATES = {"position": 4e-5, "rotation": 4e-3, "log_scale": 8e-3, "opacity_logit": 3e-2, "sh": 1.0e-2}
OWN_RATE = 1.4
"""Eyes and what is in the mouth learn faster: few pictures show them, and never much of them."""
FINAL_RATE = 0.08
"""The learning rates fall exponentially to this share."""
COARSE = 0.40
"""Share of the steps on pictures of half the size."""
GROWTH = (0.10, 0.18, 0.26, 0.34)
"""When Gaussians are added, as shares of the steps; all that are in the budget by the last."""
SEEDED = 0.75
"""Share of the budget that is there from the start."""
DYNAMIC = 0.40
"""When the dynamic appearance begins."""
SIZE_RANGE = (-1.5, 0.8)
"""How far a log scale may move from its seed; on surfaces that close the head no further down than …"""
LEAST_COVER = -0.5
"""… this: where poses that were not photographed stretch the skin, smaller ones leave gaps."""
CLOTH_COVER = -0.15
"""The same for clothes, which few pictures see from close by and all around."""
LARGEST = {"skin": 0.006, "hair": 0.010, "clothes": 0.016}
"""Metres (standard deviation) that none on these surfaces exceeds, or 1.6 times their median; others 4 mm; strands may.
What no picture shows is covered by few and large ones, which stick out where a tilted head bares their edge."""
BENDING, BENT = 0.006, 0.02
"""The same for strands within so many metres of where the head's rotation bends hair: a long Gaussian would stick out,
as none is bent itself."""
THICKEST = 0.0004
"""The same across a surface, but for hair: what is thick is seen outside of the outline."""
FIRMNESS = 0.004
"""How much each step firms the skin's opacity, so that nothing shines through in other poses, up to …"""
FIRM = 4.0
"""… this logit."""
DILATION = 0.1
"""Square pixels: how soft the pictures are, which the head file then says. Cycles' pixel filter is about as wide."""
INWARD, OUTWARD = 0.0006, 0.0001
"""Metres that a Gaussian on a surface may sink below it or rise above it. A firm one that lies in the surface itself is
seen half a pixel outside of it at every outline."""
THIN = 0.00015
"""The same for both where there is little below: lids over the eyes, lips over the teeth."""
THIN_ZONES = ("eyes", "gaze", "mouth")
SIMILARITY, SIMILAR_FROM = 0.3, 0.4
"""Weight of structural similarity in the error, and when it begins, as a share of the steps; Kerbl et al. 2023."""
JITTER = 0.00015
"""Metres (standard deviation) by which each step moves every Gaussian along its triangle's normal, and …"""
DROPOUT = 0.08
"""… the share that it leaves out. In other poses Gaussians overlap in another order and spread apart: what lies under
the surface must have the surface's colour, and one alone must not be what closes it."""
COLOUR_RANGE = {"skin": 0.08, "clothes": 0.1, "hair": 0.25, "strands.hair": 0.4, "strands.brows": 0.3}
COLOUR_RANGE["strands.lashes"] = 0.3
"""How far a colour may move from the pictures' mean; kinds that are not named, 0.6."""
FACING = 0.02
"""Metres that a right angle between two normals counts for, about, where colours are lent."""
TILT = 0.05
"""Half the sine of the angle by which a Gaussian on a surface may lean out of it."""
VIEW_RANGE, CLOTH_VIEW_RANGE = 0.12, 0.03
"""How much a colour may change with the direction of view; clothes hardly shine."""
VIEW_HUE = 0.02
"""How far red, green and blue may change apart: what shines on skin, hair and cloth has no hue, and from where no
picture was taken a learnt one would be a stain."""
EVEN, EVEN_EVERY, EVEN_NEIGHBOURS = 0.25, 10, 6
"""How far, every so many steps, the skin's dependence on the view goes towards the mean of so many neighbours:
highlights are broad, and few views leave each Gaussian alone with too few of them."""
SQUARED = 4.0
"""Weight of the squared error beside the absolute one: absolute keeps edges sharp, squared catches outliers."""


@dataclass(frozen=True)
class Options:
    """What a fit is asked for."""

    gaussians: int = 70_000
    steps: int = 2600
    seed: int = 0
    sh_degree: int = 2
    rows: int = 110_000
    """Most changes of the dynamic appearance; 0 for none."""


class Fit:
    """One fit under way. All that a resumed fit needs is in `state` and back by `restore`."""

    def __init__(
        self, rig: Rig, gaussians: Gaussians, photos: Sequence[Photo], options: Options, backend: type[Backend]
    ) -> None:
        self.rig, self.options, self.backend = rig, options, backend
        self.photos = list(photos)
        self.train_photos = [photo for photo in photos if not photo.held_out]
        self.small = [photo.smaller(_factor(photo)) for photo in self.train_photos]
        self.units = {photo.view.pose: photo.units for photo in photos}
        self.rng = np.random.default_rng(options.seed + 1)
        self.step = 0
        self.seconds = 0.0
        self.waiting: list[int] = []
        self.appearance: Appearance | None = None
        self._adopt(gaussians.triangle, gaussians.kind, gaussians.parameters, _copy(gaussians.parameters))

    def _adopt(self, triangle: np.ndarray, kind: np.ndarray, parameters: Parameters, start: Parameters) -> None:
        """Takes Gaussians, and derives all that follows from them."""
        self.triangle, self.kind, self.parameters, self.start = triangle, kind, parameters, start
        count = len(triangle)
        self.moments = {
            name: tuple(np.zeros((count, array.size // count), np.float32) for _ in range(2))
            for name, array in parameters.arrays().items()
        }
        self.renderer = self.backend(count, parameters.sh.shape[1], DILATION)
        rigid = keeps_shape(self.rig.head, triangle, kind)
        self.poses = {
            name: self.rig.carried(self.rig.pose(units), triangle, rigid) for name, units in self.units.items()
        }
        self._limits()

    def _limits(self) -> None:
        """How far what is fitted may go, [N] or [N,·]."""
        kind, scale = self.kind, np.exp(self.start.log_scale)
        strand = np.isin(kind, STRAND_KINDS)
        own = np.isin(kind, (*EYES, *MOUTH))
        # One that leaves its triangle or tilts out of it looks right in the pose it learnt from; in others the skin
        # turns to scales. Hair lies loosely; other surfaces are where their triangles are.
        loose = strand | (kind == KINDS.index("hair"))
        along = np.where(strand, 0.004, np.where(own, 0.35, 0.5) * np.sqrt(scale[:, 0] * scale[:, 1]))
        self.flat = np.flatnonzero(~loose)
        thin = own | np.isin(zones(self.rig.head, self.triangle, kind), [MASK_ZONES.index(name) for name in THIN_ZONES])
        down = np.where(loose, 0.002, np.where(thin, THIN, INWARD))
        up = np.where(loose, 0.002, np.where(thin, THIN, OUTWARD))
        self.least = self.start.position - np.stack([along, along, down], axis=1).astype(np.float32)
        self.most = self.start.position + np.stack([along, along, up], axis=1).astype(np.float32)
        limits = [COLOUR_RANGE.get(name, 0.6) / SH_0 for name in KINDS]
        self.colour_reach = np.array(limits, np.float32)[kind][:, None]
        closing = np.isin(kind, [KINDS.index(name) for name in ("skin", "inside", "clothes")])
        self.closing = np.flatnonzero(closing)
        self.clothes = np.flatnonzero(kind == KINDS.index("clothes"))
        self.sheen = np.full((len(kind), 1, 1), VIEW_RANGE / SH_1, np.float32)
        self.sheen[self.clothes] = CLOTH_VIEW_RANGE / SH_1
        self.near = np.zeros((0, 1), np.int64)
        self.least_opacity = np.where(strand, -4.0, np.where(closing, 1.2, 0.3)).astype(np.float32)
        self.least_scale = self.start.log_scale + SIZE_RANGE[0]
        self.least_scale[self.closing, :2] = self.start.log_scale[self.closing, :2] + LEAST_COVER
        self.least_scale[self.clothes, :2] = self.start.log_scale[self.clothes, :2] + CLOTH_COVER
        largest = np.array([LARGEST.get(name, 0.004) for name in KINDS], np.float32)
        for number in np.unique(kind):  # few Gaussians are large ones
            largest[number] = max(largest[number], 1.6 * np.median(scale[kind == number, :2]))
        largest[list(STRAND_KINDS)] = np.inf
        most = np.repeat(largest[kind][:, None], 3, axis=1)
        most[strand & self._near_bends()] = BENDING
        most[~loose, 2] = THICKEST
        self.most_scale = np.minimum(self.start.log_scale + SIZE_RANGE[1], np.log(most))
        self.least_scale = np.minimum(self.least_scale, self.most_scale)
        self.rate = np.where(own, OWN_RATE, 1.0).astype(np.float32)

    def _near_bends(self) -> np.ndarray:
        """[N] bool: Gaussians on, or within `BENT` of, what the head's rotation bends of the hair's body."""
        weight = self.rig.head["mesh.head_weight"][self.rig.triangles].mean(axis=1)
        bends = np.flatnonzero(self.rig.part_is("hair") & (weight > 0.01) & (weight < 0.99))
        if not len(bends):
            return np.zeros(len(self.kind), bool)
        tree = cKDTree(self.rig.vertices[self.rig.triangles[bends]].mean(axis=1))
        near = tree.query(self.rig.place(self.triangle, self.start.position))[0] < BENT
        return near | np.isin(self.triangle, bends)

    def _even_out(self) -> None:
        """Brings the view-dependent part of neighbouring skin closer together."""
        if self.parameters.sh.shape[1] < 2:
            return
        if len(self.near) != len(self.closing):
            place = self.rig.place(self.triangle[self.closing], self.start.position[self.closing])
            number = min(EVEN_NEIGHBOURS + 1, len(place))
            self.near = cKDTree(place).query(place, k=number)[1].reshape(len(place), number)
        own = self.parameters.sh[self.closing, 1:].reshape(len(self.closing), -1)
        dynamic.smooth(own, self.near, EVEN)
        self.parameters.sh[self.closing, 1:] = own.reshape(len(own), -1, 3)

    def changed(self, units: dict[str, float]) -> Parameters:
        """The Gaussians as the dynamic appearance changes them under unit values."""
        if self.appearance is None:
            return self.parameters
        return self.appearance.apply(self.parameters, self.appearance.weights(units))

    def colour_from_photos(self) -> None:
        """First colours: the mean of what each Gaussian covers in the pictures, weighted by how much it shows there."""
        total, weight = np.zeros((len(self.kind), 3)), np.zeros(len(self.kind))
        for photo in self.small:
            _, _, trace = self.renderer.forward(
                self.parameters, self.poses[photo.view.pose], photo.camera, np.zeros(3, np.float32)
            )
            colour, alpha = photo.layers()
            total += self.renderer.to_screen(trace, colour)[:, 6:9]
            weight += self.renderer.to_screen(trace, np.repeat(alpha[..., None], 3, axis=2))[:, 6]
        seen = weight > 0.05
        colour = total / np.maximum(weight, 1e-6)[:, None]
        self._lend(colour, seen)
        self.parameters.sh[:] = 0
        self.parameters.sh[:, 0] = (colour - 0.5) / SH_0
        self.start.sh[:] = self.parameters.sh

    def _lend(self, colour: np.ndarray, seen: np.ndarray) -> None:
        """Gaussians that no picture shows take the colour of the nearest seen one of their kind that faces alike.

        The inside of a sheet of hair is dark where its outside is lit.
        """
        place = self.rig.place(self.triangle, self.parameters.position)
        corner = self.rig.vertices[self.rig.triangles[self.triangle]]
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        place = np.c_[place, FACING * normal / np.linalg.norm(normal, axis=1, keepdims=True)]
        for kind in np.unique(self.kind):
            own = self.kind == kind
            giver, taker = np.flatnonzero(own & seen), np.flatnonzero(own & ~seen)
            if len(giver) and len(taker):
                colour[taker] = colour[giver[cKDTree(place[giver]).query(place[taker])[1]]]

    def run(self, report: Callable[[Fit, float], None]) -> None:
        """Takes the steps that are left; `report(self, loss)` after each."""
        steps = self.options.steps
        growth = [round(share * steps) for share in GROWTH]
        began = time.perf_counter()
        while self.step < steps:
            if self.step in growth and len(self.kind) < self.options.gaussians:
                left = len(growth) - growth.index(self.step)
                self.grow(round((self.options.gaussians - len(self.kind)) / left))
            if self.appearance is None and self.options.rows and self.step >= round(DYNAMIC * steps):
                self.begin_appearance()
            loss = self._one(self.step / steps)
            self.seconds, began = self.seconds + time.perf_counter() - began, time.perf_counter()
            report(self, loss)

    def _next(self, share: float) -> Photo:
        if not self.waiting:
            self.waiting = [int(index) for index in self.rng.permutation(len(self.train_photos))]
        index = self.waiting.pop()
        return (self.small if share < COARSE else self.train_photos)[index]

    def _one(self, share: float) -> float:
        photo = self._next(share)
        background = self.rng.random(3, np.float32)
        where = self.poses[photo.view.pose]
        noise = JITTER * self.rng.standard_normal((len(self.kind), 1), np.float32)
        where = Pose(where.origin + noise * where.axes[:, :, 2], where.axes)
        dropped = self.rng.random(len(self.kind), np.float32) < DROPOUT
        weights = None if self.appearance is None else self.appearance.weights(photo.units)
        p = self.parameters if weights is None else self.appearance.apply(self.parameters, weights)
        p = replace(p, opacity_logit=np.where(dropped, np.float32(-20), p.opacity_logit))
        picture, alpha, trace = self.renderer.forward(p, where, photo.camera, background)
        wanted, wanted_alpha = photo.layers()
        wanted = wanted + (1 - wanted_alpha)[..., None] * background
        error = picture - wanted
        to_picture = (np.sign(error) + SQUARED * error) / (3 * alpha.size)
        if share >= SIMILAR_FROM:
            to_picture = (1 - SIMILARITY) * to_picture - 0.5 * SIMILARITY * similarity(picture, wanted)[1]
        to_alpha = 0.1 * np.sign(alpha - wanted_alpha) / alpha.size
        gradient = self.renderer.backward(p, where, photo.camera, trace, to_picture, to_alpha)
        self.step += 1
        rate = FINAL_RATE**share
        if weights is not None and np.any(weights):
            changes = self.appearance.gradients(self.parameters, weights, gradient)
            self.appearance.step(weights, changes, rate)
        for name, array in self.parameters.arrays().items():
            flat = array.reshape(len(array), -1)
            slope = gradient.arrays()[name].reshape(flat.shape)
            rates = (RATES[name] * rate * self.rate).astype(np.float32)
            dynamic.adam(flat, slope, *self.moments[name], rates, 0.0, UNBOUND, self.step)
        if self.step % EVEN_EVERY == 0:
            self._even_out()
        self._hold()
        return float(np.abs(error).mean())

    def _hold(self) -> None:
        """Keeps what is fitted within reach of its seed."""
        p, start = self.parameters, self.start
        np.clip(p.position, self.least, self.most, out=p.position)
        # About the surface's normal it may turn as it likes.
        p.rotation[self.flat, 1:3] = np.clip(p.rotation[self.flat, 1:3], -TILT, TILT)
        np.clip(p.log_scale, self.least_scale, self.most_scale, out=p.log_scale)
        np.clip(p.sh[:, 0], start.sh[:, 0] - self.colour_reach, start.sh[:, 0] + self.colour_reach, out=p.sh[:, 0])
        np.clip(p.sh[:, 1:], -self.sheen, self.sheen, out=p.sh[:, 1:])
        dynamic.near_grey(p.sh[:, 1:], VIEW_HUE / SH_1)
        logit = p.opacity_logit[self.closing]
        p.opacity_logit[self.closing] = logit + np.float32(FIRMNESS) * (logit < FIRM)
        np.clip(p.opacity_logit, self.least_opacity, 7.0, out=p.opacity_logit)

    def grow(self, count: int) -> None:
        """Splits the `count` Gaussians that the pictures' error lies on most, each along its longest axis.

        The error of a pixel is shared by contribution (Rota Bulò et al. 2024); eyes and mouth keep their shares.
        """
        if count <= 0:
            return
        score = np.zeros(len(self.kind))
        for index in self.rng.permutation(len(self.small))[:32]:
            photo = self.small[index]
            error, trace = self._error(photo)
            score += self.renderer.to_screen(trace, np.abs(error))[:, 6:9].sum(axis=1)
        chosen = []
        own = [np.isin(self.kind, EYES), np.isin(self.kind, MOUTH)]
        for group in [*own, ~(own[0] | own[1])]:
            ids = np.flatnonzero(group)
            number = min(len(ids), round(count * len(ids) / len(self.kind)))
            chosen.append(ids[np.argsort(-score[ids], kind="stable")[:number]])
        self._split(np.sort(np.concatenate(chosen)))

    def _split(self, ids: np.ndarray) -> None:
        old, start, moments, poses = self.parameters, self.start, self.moments, self.poses
        axis = old.log_scale[ids].argmax(axis=1)
        rows = np.arange(len(ids))
        direction = _matrices(old.rotation[ids])[rows, :, axis]
        shift = 0.6 * np.exp(old.log_scale[ids, axis])[:, None] * direction
        shrink = np.full((len(ids), 3), np.float32(np.log(0.95)))
        shrink[rows, axis] = np.log(0.75)
        children = Parameters(*(array[ids].copy() for array in old.arrays().values()))
        seeds = Parameters(*(array[ids].copy() for array in start.arrays().values()))
        for part, sign in ((old, 1.0), (children, -1.0)):
            where = ids if part is old else slice(None)
            part.position[where] += (sign * shift).astype(np.float32)
            part.log_scale[where] += shrink.astype(np.float32)
        # Both halves are new seeds: they may move as far from here as others from where they began.
        for seed, now, where in ((start, old, ids), (seeds, children, slice(None))):
            seed.position[where], seed.log_scale[where] = now.position[where], now.log_scale[where]
        joined = [
            Parameters(*(np.concatenate(pair) for pair in zip(a.arrays().values(), b.arrays().values(), strict=True)))
            for a, b in ((old, children), (start, seeds))
        ]
        self.triangle = np.concatenate([self.triangle, self.triangle[ids]])
        self.kind = np.concatenate([self.kind, self.kind[ids]])
        self.parameters, self.start = joined
        self.moments = {
            name: tuple(np.concatenate([m, np.zeros((len(ids), m.shape[1]), np.float32)]) for m in pair)
            for name, pair in moments.items()
        }
        self.poses = {
            name: Pose(np.concatenate([p.origin, p.origin[ids]]), np.concatenate([p.axes, p.axes[ids]]))
            for name, p in poses.items()
        }
        self.renderer = self.backend(len(self.kind), self.parameters.sh.shape[1], DILATION)
        self._limits()

    def begin_appearance(self) -> None:
        """Chooses drivers and Gaussians of the dynamic appearance; see `appearance`."""
        names = dynamic.drivers(self.rig, self.train_photos)
        weights = [[dynamic.product(units, photo.units) for units in names] for photo in self.small]
        weights = np.array(weights, np.float32).reshape(len(self.small), len(names))
        pull = np.zeros((len(names), len(self.kind), 3), np.float32)
        for photo, row in zip(self.small, weights, strict=True):
            if np.any(row):
                error, trace = self._error(photo)
                wanted = self.renderer.to_screen(trace, error)[:, 6:9]
                for driver in np.flatnonzero(row):
                    pull[driver] += row[driver] * wanted
        place = self.rig.place(self.triangle, self.parameters.position)
        wanted = [(units, dynamic.reach(self.rig, units, place), np.linalg.norm(pull[index], axis=1))
                  for index, units in enumerate(names)]  # fmt: skip
        self.appearance = dynamic.choose(wanted, self.options.rows)
        self.appearance.find_neighbours(place)

    def _error(self, photo: Photo) -> tuple[np.ndarray, object]:
        """What is rendered less what is pictured [H,W,3], on black, and the trace."""
        picture, _, trace = self.renderer.forward(
            self.changed(photo.units), self.poses[photo.view.pose], photo.camera, np.zeros(3, np.float32)
        )
        return picture - photo.layers()[0], trace

    def picture(self, photo: Photo, background: Sequence[float] = (0.5, 0.5, 0.5), changes: bool = True) -> np.ndarray:
        """[H,W,3] of the fit as a photo's camera sees it, with or without the dynamic appearance."""
        p = self.changed(photo.units) if changes else self.parameters
        pose = self.poses[photo.view.pose]
        return self.renderer.forward(p, pose, photo.camera, np.asarray(background, np.float32))[0]

    def shares(self, photo: Photo, masks: np.ndarray) -> np.ndarray:
        """[H,W,3]: how much of each pixel is Gaussians that `masks` [N,3] marks."""
        pose, nothing = self.poses[photo.view.pose], np.zeros(3, np.float32)
        p = self.changed(photo.units)
        return self.renderer.forward(p, pose, photo.camera, nothing, colour=masks.astype(np.float32))[0]

    def result(self) -> Gaussians:
        """What was fitted, quaternions of unit length."""
        p = _copy(self.parameters)
        p.rotation /= np.linalg.norm(p.rotation, axis=1, keepdims=True)
        return Gaussians(self.triangle, self.kind, p)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        """(arrays, what JSON can hold): everything that changes while fitting."""
        arrays = {"triangle": self.triangle, "kind": self.kind}
        for name in self.parameters.arrays():
            arrays[f"now.{name}"] = self.parameters.arrays()[name]
            arrays[f"start.{name}"] = self.start.arrays()[name]
            arrays[f"first.{name}"], arrays[f"second.{name}"] = self.moments[name]
        info: dict[str, object] = {
            "step": self.step, "seconds": self.seconds, "waiting": self.waiting, "random": self.rng.bit_generator.state,
            "options": asdict(self.options),
        }  # fmt: skip
        if self.appearance is not None:
            a = self.appearance
            arrays |= {"appearance.start": a.start, "appearance.gaussian": a.gaussian, "appearance.used": a.used}
            arrays["appearance.near"] = a.near
            for name in a.values:
                arrays[f"appearance.now.{name}"] = a.values[name]
                arrays[f"appearance.first.{name}"], arrays[f"appearance.second.{name}"] = a.moments[name]
            info["drivers"] = [list(names) for names in a.drivers]
        return arrays, info

    def restore(self, arrays: dict[str, np.ndarray], info: dict) -> None:
        """Goes on where `state` was taken."""
        names = list(self.parameters.arrays())
        now, start = (Parameters(*(arrays[f"{kind}.{name}"].copy() for name in names)) for kind in ("now", "start"))
        self._adopt(arrays["triangle"].copy(), arrays["kind"].copy(), now, start)
        self.moments = {name: (arrays[f"first.{name}"].copy(), arrays[f"second.{name}"].copy()) for name in names}
        self.step, self.seconds = int(info["step"]), float(info["seconds"])
        self.waiting = [int(index) for index in info["waiting"]]
        self.rng.bit_generator.state = info["random"]
        if "drivers" in info:
            found = {name for name in dynamic.VALUES if f"appearance.now.{name}" in arrays}
            pairs = {
                n: (arrays[f"appearance.first.{n}"].copy(), arrays[f"appearance.second.{n}"].copy()) for n in found
            }
            self.appearance = Appearance(
                [tuple(units) for units in info["drivers"]], arrays["appearance.start"].copy(),
                arrays["appearance.gaussian"].copy(),
                {name: arrays[f"appearance.now.{name}"].copy() for name in dynamic.VALUES if name in found}, pairs,
                arrays["appearance.used"].copy(), arrays["appearance.near"].copy(),
            )  # fmt: skip


def _factor(photo: Photo) -> int:
    return 2 if min(photo.camera.width, photo.camera.height) >= 200 else 1


def _copy(p: Parameters) -> Parameters:
    return Parameters(*(array.copy() for array in p.arrays().values()))


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    from ..heads.deform import matrices

    return matrices(quaternions.astype(np.float64))


class Progress:
    """Prints a line every few seconds, and how long the rest will take."""

    def __init__(self, say: Callable[[str], None], every: float = 10.0) -> None:
        self.say, self.every = say, every
        self.began = self.said = time.monotonic()
        self.first: int | None = None
        self.losses: list[float] = []

    def __call__(self, fit: Fit, loss: float) -> None:
        if self.first is None:
            self.first = fit.step - 1
        self.losses.append(loss)
        now = time.monotonic()
        steps = fit.options.steps
        if now - self.said < self.every and fit.step < steps:
            return
        each = (now - self.began) / (fit.step - self.first)
        rows = 0 if fit.appearance is None else len(fit.appearance)
        left = each * (steps - fit.step)
        self.say(
            f"step {fit.step}/{steps}  error {np.mean(self.losses):.5f}  {len(fit.kind):,} Gaussians"
            + (f"  {rows:,} changes" if rows else "")
            + f"  {each * 1e3:.0f} ms a step, {left / 60:.1f} min left"
        )
        self.said, self.losses = now, []
