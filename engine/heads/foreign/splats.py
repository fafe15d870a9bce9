"""Free Gaussians: what PLY and SPZ files hold, and how a similarity moves them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ...contract.errors import MienError
from ...splat.interface import Camera, Gaussians
from ..deform import matrices

SH0 = 0.28209479177387814
"""The constant of degree 0: colour = 0.5 + SH0 · coefficient + …"""
MAX_SPLATS = 10_000_000
HEAD_FROM_RDF = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Right, down, forward (what 3DGS PLY files use; a face looks along −z) → Mien's head axes."""
HEAD_FROM_RUB = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Right, up, back (SPZ and glTF; a face looks along +z) → Mien's head axes."""


@dataclass(frozen=True, slots=True, eq=False)
class Splats:
    """N free Gaussians, float32.

    Attributes:
        position: [N, 3].
        rotation: [N, 4] wxyz, unit length.
        log_scale: [N, 3], natural log of the standard deviations.
        opacity_logit: [N].
        sh: [N, S, 3], S = 1, 4, 9 or 16; colour = 0.5 + Σ Y·c in sRGB.
    """

    position: np.ndarray
    rotation: np.ndarray
    log_scale: np.ndarray
    opacity_logit: np.ndarray
    sh: np.ndarray

    def __len__(self) -> int:
        return len(self.position)

    def __getitem__(self, pick: np.ndarray) -> Splats:
        """Some of them, by index or mask."""
        return Splats(
            self.position[pick], self.rotation[pick], self.log_scale[pick], self.opacity_logit[pick], self.sh[pick]
        )

    @property
    def sh_degree(self) -> int:
        return {1: 0, 4: 1, 9: 2, 16: 3}[self.sh.shape[1]]


def checked(
    position: np.ndarray,
    rotation: np.ndarray,
    log_scale: np.ndarray,
    opacity_logit: np.ndarray,
    sh: np.ndarray,
    where: str,
) -> Splats:
    """Splats from a file's columns: everything finite, quaternions made unit, extremes that no picture shows cut off.

    Raises:
        MienError: There are none, too many, a value is not finite, or a quaternion is zero.
    """
    if not 0 < len(position) <= MAX_SPLATS:
        count = len(position)
        raise MienError(f"{where} holds {count:,} splats; Mien reads 1 to {MAX_SPLATS:,}, so export it with that many.")
    for name, array in (
        ("positions", position),
        ("rotations", rotation),
        ("scales", log_scale),
        ("opacities", opacity_logit),
        ("colours", sh),
    ):
        bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        if len(bad):
            raise MienError(
                f"{where}: the {name} of {len(bad):,} splats are not finite numbers (the first is splat {bad[0]}); "
                "remove those splats in a splat editor and export it again."
            )
    length = np.linalg.norm(rotation.astype(np.float64), axis=1)
    if length.min() < 1e-6:
        raise MienError(
            f"{where}: splat {int(length.argmin())} has a rotation of length zero; remove it in a splat editor "
            "and export the file again."
        )
    return Splats(
        np.ascontiguousarray(position, dtype=np.float32),
        (rotation / length[:, None]).astype(np.float32),
        np.clip(log_scale, -20.0, 20.0).astype(np.float32),
        np.clip(opacity_logit, -20.0, 20.0).astype(np.float32),
        np.ascontiguousarray(np.clip(sh, -100.0, 100.0), dtype=np.float32),
    )


# Spherical harmonics --------------------------------------------------------------------------------------------------


def sh_basis(directions: np.ndarray, degree: int) -> np.ndarray:
    """Unit directions [N, 3] → real spherical harmonics [N, (degree + 1)²] with gsplat's signs and order.

    The table is the usual one, for example in Sloan, *Stupid Spherical Harmonics Tricks* (2008), appendix A2.
    """
    x, y, z = directions.T
    rows = [np.full(len(directions), SH0)]
    if degree > 0:
        a = 0.4886025119029199
        rows += [-a * y, a * z, -a * x]
    if degree > 1:
        a, b, c = 1.0925484305920792, 0.31539156525252005, 0.5462742152960396
        rows += [a * x * y, -a * y * z, b * (3 * z * z - 1), -a * x * z, c * (x * x - y * y)]
    if degree > 2:
        a, b, c = 0.5900435899266435, 2.890611442640554, 0.4570457994644658
        d, e, f = 0.3731763325901154, 1.445305721320277, 5 * z * z - 1
        rows += [-a * y * (3 * x * x - y * y), b * x * y * z, -c * y * f, d * z * (5 * z * z - 3), -c * x * f]
        rows += [e * z * (x * x - y * y), -a * x * (x * x - 3 * y * y)]
    return np.stack(rows, axis=1)


def sh_rotation(rotation: np.ndarray, degree: int) -> np.ndarray:
    """[S, S] that turns coefficients along with the Gaussians they belong to: c' = D · c."""
    random = np.random.default_rng(0).normal(size=(64, 3))
    directions = random / np.linalg.norm(random, axis=1, keepdims=True)
    # What is seen along d after the turn was seen along Rᵀd before it.
    return np.linalg.pinv(sh_basis(directions, degree)) @ sh_basis(directions @ rotation, degree)


# Motion ---------------------------------------------------------------------------------------------------------------


def quaternions(rotations: np.ndarray) -> np.ndarray:
    """Rotations [N, 3, 3] → unit quaternions [N, 4] wxyz with w ≥ 0."""
    m = rotations
    trace = m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2]
    # Each candidate is the quaternion times one of its components; the one with the largest is the accurate one.
    squared = np.stack([1 + trace, *(1 + 2 * m[:, i, i] - trace for i in range(3))], axis=1)
    a, b, c = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    d, e, f = m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]
    candidates = np.stack(
        [
            np.stack([squared[:, 0], a, b, c], axis=1),
            np.stack([a, squared[:, 1], d, e], axis=1),
            np.stack([b, d, squared[:, 2], f], axis=1),
            np.stack([c, e, f, squared[:, 3]], axis=1),
        ],
        axis=1,
    )
    chosen = candidates[np.arange(len(m)), squared.argmax(axis=1)]
    chosen *= np.where(chosen[:, :1] < 0, -1.0, 1.0)
    return chosen / np.linalg.norm(chosen, axis=1, keepdims=True)


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Quaternion products [N, 4] of wxyz quaternions [N, 4] or [4]."""
    (a, b, c, d), (e, f, g, h) = np.moveaxis(left, -1, 0), np.moveaxis(right, -1, 0)
    return np.stack(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ],
        axis=-1,
    )


def moved(splats: Splats, rotation: np.ndarray, scale: float = 1.0, shift: np.ndarray | None = None) -> Splats:
    """x → scale · R · x + shift, colours turned along."""
    turn = quaternions(rotation[None])[0]
    position = scale * splats.position.astype(np.float64) @ rotation.T
    colour = np.einsum("st,ntc->nsc", sh_rotation(rotation, splats.sh_degree), splats.sh)
    return Splats(
        (position if shift is None else position + shift).astype(np.float32),
        multiply(turn, splats.rotation.astype(np.float64)).astype(np.float32),
        (splats.log_scale + np.log(scale)).astype(np.float32),
        splats.opacity_logit,
        colour.astype(np.float32),
    )


# To and from what is rendered -----------------------------------------------------------------------------------------


def from_gaussians(gaussians: Gaussians) -> Splats:
    """A deformed head → splats in the head's space, with sRGB colours and the head's turn baked into them."""
    axes, scale = _principal(np.moveaxis(gaussians.factors.astype(np.float64), -1, 0))
    opacity = np.clip(gaussians.opacity.astype(np.float64), 1e-7, 1 - 1e-7)
    sh = np.moveaxis(gaussians.sh.astype(np.float64), -1, 0)
    turned = np.einsum("st,ntc->nsc", sh_rotation(gaussians.turn, gaussians.sh_degree), sh)
    weight = gaussians.turn_weight.astype(np.float64)[:, None, None]
    sh = (1 - weight) * sh + weight * turned
    if gaussians.tint is not None:
        sh[:, 0] += gaussians.tint.T / SH0
    if gaussians.blend_space == "linear":
        sh = _encoded(sh)
    return Splats(
        np.ascontiguousarray(gaussians.centres.T, dtype=np.float32),
        quaternions(axes).astype(np.float32),
        np.log(scale).astype(np.float32),
        np.log(opacity / (1 - opacity)).astype(np.float32),
        sh.astype(np.float32),
    )


def _principal(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rotations [N, 3, 3], standard deviations [N, 3]) of Gaussians whose covariances are A·Aᵀ, A [N, 3, 3].

    A's columns are the axes themselves unless its triangle has sheared it; only then an SVD is needed.
    """
    scale = np.linalg.norm(factors, axis=1)
    axes = factors / np.maximum(scale, 1e-9)[:, None, :]
    products = np.einsum("nij,nik->njk", axes, axes)
    sheared = np.abs(products - np.eye(3) * products).max(axis=(1, 2)) > 1e-3
    flat = scale.min(axis=1) < 1e-9
    if (sheared | flat).any():
        axes[sheared | flat], scale[sheared | flat], _ = np.linalg.svd(factors[sheared | flat])
    axes[:, :, 2] *= np.sign(np.linalg.det(axes))[:, None]
    return axes, np.maximum(scale, 1e-9)


def _encoded(sh: np.ndarray) -> np.ndarray:
    """Coefficients of linear colours → of sRGB colours: exact for the mean colour, to first order around it."""
    linear = np.clip(0.5 + SH0 * sh[:, 0], 0.0, 1.0)
    low = linear < 0.0031308
    safe = np.maximum(linear, 0.0031308)
    colour = np.where(low, 12.92 * linear, 1.055 * safe ** (1 / 2.4) - 0.055)
    slope = np.where(low, 12.92, 1.055 / 2.4 * safe ** (1 / 2.4 - 1))
    return np.concatenate([((colour - 0.5) / SH0)[:, None], sh[:, 1:] * slope[:, None]], axis=1)


def to_gaussians(splats: Splats, matrix: np.ndarray | None = None) -> Gaussians:
    """Splats → what a backend renders, under `matrix` (object → world [4, 4])."""
    factors = matrices(splats.rotation.astype(np.float64)) * np.exp(splats.log_scale.astype(np.float64))[:, None, :]
    count = len(splats)
    return Gaussians(
        np.ascontiguousarray(splats.position.T),
        np.ascontiguousarray(np.moveaxis(factors, 0, -1).astype(np.float32)),
        (1 / (1 + np.exp(-splats.opacity_logit.astype(np.float64)))).astype(np.float32),
        np.ascontiguousarray(np.moveaxis(splats.sh, 0, -1)),
        np.zeros((3, count), np.float32),
        np.zeros(count, np.uint8),
        np.zeros(count, np.float32),
        matrix=np.eye(4) if matrix is None else matrix,
    )


def orbit(
    target: Sequence[float] | np.ndarray, azimuth: float, elevation: float, distance: float, field: float, size: int
) -> Camera:
    """A camera around a head (Mien's axes): azimuth 0 looks into its face, positive from its own left; radians, metres.

    Args:
        field: The angle of view, radians. size: pixels a side.
    """
    away = np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    matrix = np.eye(4)
    matrix[:3, :3] = [right, np.cross(-away, right), -away]
    matrix[:3, 3] = -matrix[:3, :3] @ (np.asarray(target) + distance * away)
    focal = size / 2 / np.tan(field / 2)
    return Camera(matrix, np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]), size, size)


def write_whole(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a binary file whole or not at all: `write` gets the open stream.

    Raises:
        MienError: The folder can't be written.
    """
    path = Path(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as stream:
            temporary = Path(stream.name)
            write(stream)
        temporary.chmod(0o644)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise MienError(f"{path} can't be written ({error.strerror or error}); choose another place.") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def read_whole(path: str | os.PathLike[str], limit: int) -> bytes:
    """A file's bytes.

    Raises:
        MienError: It is missing, no plain file, empty, or longer than `limit` bytes.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise MienError(f"{path} does not exist; check the path.")
        if not path.is_file():
            raise MienError(f"{path} is not a file; give a head's file.")
        size = path.stat().st_size
        if not 0 < size <= limit:
            raise MienError(f"{path} has {size:,} bytes; Mien reads files of 1 to {limit:,} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise MienError(
            f"{path} can't be read ({error.strerror or error}); check that it is a readable file."
        ) from None
    except ValueError:
        raise MienError(f"{str(path)!r} can't be a file's path.") from None
