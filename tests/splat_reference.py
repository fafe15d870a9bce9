"""The rasteriser at its slowest and plainest: numpy, float64, every pixel meets every Gaussian. Backends must match.

Written from the rules in engine/splat/interface.py and docs/head-file.md alone; it shares no code with a backend.
"""

from __future__ import annotations

import numpy as np

from engine.contract.channels import MASK_ZONES
from engine.contract.passes import DEPTH_BACKGROUND, PASSES
from engine.splat.interface import Camera, Frame, Gaussians

ZONE_PASSES = [entry.name for entry in PASSES if entry.name.startswith("Mask ")]


def sh_basis(direction: np.ndarray, count: int) -> np.ndarray:
    """Real spherical harmonics with the Condon–Shortley sign, the 3DGS order: unit directions [N, 3] → [N, count]."""
    x, y, z = direction.T
    one = np.ones_like(x)
    basis = [np.sqrt(1 / (4 * np.pi)) * one]
    k1 = np.sqrt(3 / (4 * np.pi))
    basis += [-k1 * y, k1 * z, -k1 * x]
    k2 = np.sqrt(15 / (4 * np.pi))
    basis += [
        k2 * x * y,
        -k2 * y * z,
        np.sqrt(5 / (16 * np.pi)) * (3 * z * z - 1),
        -k2 * x * z,
        k2 / 2 * (x * x - y * y),
    ]
    a, b, c = np.sqrt(35 / (32 * np.pi)), np.sqrt(105 / (4 * np.pi)), np.sqrt(21 / (32 * np.pi))
    basis += [
        -a * y * (3 * x * x - y * y),
        b * x * y * z,
        -c * y * (5 * z * z - 1),
        np.sqrt(7 / (16 * np.pi)) * z * (5 * z * z - 3),
        -c * x * (5 * z * z - 1),
        b / 2 * z * (x * x - y * y),
        -a * x * (x * x - 3 * y * y),
    ]
    return np.stack(basis[:count], axis=-1)


def to_linear(colour: np.ndarray) -> np.ndarray:
    """sRGB → linear, IEC 61966-2-1; beyond 1 the curve goes on."""
    return np.where(colour <= 0.04045, colour / 12.92, ((np.maximum(colour, 0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(colour: np.ndarray) -> np.ndarray:
    return np.where(colour <= 0.0031308, colour * 12.92, 1.055 * np.maximum(colour, 0.0031308) ** (1 / 2.4) - 0.055)


def transformed(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A [4, 4] applied to points [N, 3]."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def colours(entry: Gaussians, camera: Camera) -> np.ndarray:
    """[N, 3] in the entry's own blend space."""
    centres = entry.centres.T.astype(np.float64)
    inverse = np.linalg.inv(entry.matrix)
    position = transformed(inverse, np.linalg.inv(camera.world_to_camera)[:3, 3][None])
    direction = centres - position
    weight = entry.turn_weight[:, None].astype(np.float64)
    direction = (1 - weight) * direction + weight * (direction @ entry.turn)  # d @ R is Rᵀ d
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    basis = sh_basis(direction, entry.sh.shape[0])
    tint = 0.0 if entry.tint is None else entry.tint.T.astype(np.float64)
    return np.maximum(0.5 + tint + np.einsum("ns,scn->nc", basis, entry.sh.astype(np.float64)), 0.0)


def screen(entry: Gaussians, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Centres in the camera's space [N, 3] and in pixels [N, 2]."""
    points = transformed(camera.world_to_camera, transformed(entry.matrix, entry.centres.T.astype(np.float64)))
    image = points @ camera.K.T
    return points, image[:, :2] / image[:, 2:]


def covariances(entry: Gaussians, camera: Camera, points: np.ndarray) -> np.ndarray:
    """In pixels [N, 2, 2], dilated."""
    factors = np.moveaxis(entry.factors.astype(np.float64), -1, 0)
    linear = camera.world_to_camera[:3, :3] @ entry.matrix[:3, :3]
    world = linear @ (factors @ np.swapaxes(factors, 1, 2)) @ linear.T
    K, size = camera.K, (camera.width, camera.height)
    slopes = points[:, :2] / points[:, 2:]
    for axis in range(2):
        margin = 0.15 * size[axis] / K[axis, axis]
        low, high = -K[axis, 2] / K[axis, axis] - margin, (size[axis] - K[axis, 2]) / K[axis, axis] + margin
        slopes[:, axis] = np.clip(slopes[:, axis], low, high)
    jacobian = np.zeros((len(points), 2, 3))
    for axis in range(2):
        jacobian[:, axis, axis] = K[axis, axis] / points[:, 2]
        jacobian[:, axis, 2] = -K[axis, axis] * slopes[:, axis] / points[:, 2]
    return jacobian @ world @ np.swapaxes(jacobian, 1, 2) + entry.dilation * np.eye(2)


def blend(
    means: np.ndarray, covariance: np.ndarray, opacity: np.ndarray, features: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Front-to-back blending of Gaussians that come nearest first → (sums [H, W, F], coverage [H, W])."""
    height, width = shape
    ys, xs = np.mgrid[:height, :width] + 0.5
    transmittance = np.ones(shape)
    going = np.ones(shape, bool)
    sums = np.zeros((*shape, features.shape[1]))
    for mean, inverse, peak, feature in zip(means, np.linalg.inv(covariance), opacity, features, strict=True):
        dx, dy = xs - mean[0], ys - mean[1]
        power = 0.5 * (inverse[0, 0] * dx * dx + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy * dy)
        alpha = np.minimum(peak * np.exp(-power), 0.999)
        alpha = np.where(alpha >= 1 / 255, alpha, 0.0)
        following = transmittance * (1 - alpha)
        going &= (following > 1e-4) | (alpha == 0)
        weight = np.where(going, transmittance * alpha, 0.0)
        transmittance = np.where(going, following, transmittance)
        sums += weight[..., None] * feature
    return sums, 1 - transmittance


def render(frame: Frame, before: Frame | None = None, after: Frame | None = None) -> dict[str, np.ndarray]:
    """All passes of a frame: name → float64 [H, W, components]."""
    camera = frame.camera
    space = frame.objects[0].blend_space
    parts = []
    for index, entry in enumerate(frame.objects):
        points, pixels = screen(entry, camera)
        colour = colours(entry, camera)
        if entry.blend_space != space:
            colour = to_linear(colour) if space == "linear" else to_srgb(colour)
        normals = entry.normals.T.astype(np.float64) @ np.linalg.inv(entry.matrix[:3, :3])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-20
        position = np.linalg.inv(camera.world_to_camera)[:3, 3]
        towards = transformed(entry.matrix, entry.centres.T.astype(np.float64)) - position
        normals *= np.where((normals * towards).sum(1, keepdims=True) > 0, -1.0, 1.0)
        motion = np.zeros((len(entry), 4))
        for frame_then, columns, sign in ((before, slice(0, 2), 1.0), (after, slice(2, 4), -1.0)):
            if frame_then is not None:
                _, then = screen(frame_then.objects[index], frame_then.camera)
                motion[:, columns] = sign * (then - pixels) * [1.0, -1.0]
        zones = np.eye(len(MASK_ZONES))[entry.zone]
        features = np.concatenate([colour, points[:, 2:], normals, motion, zones], axis=1)
        parts.append(
            (points[:, 2], pixels, covariances(entry, camera, points), entry.opacity.astype(np.float64), features)
        )
    depth, pixels, covariance, opacity, features = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(depth, kind="stable")
    order = order[(depth[order] >= camera.near) & (opacity[order] >= 1 / 255)]
    sums, coverage = blend(
        pixels[order], covariance[order], opacity[order], features[order], (camera.height, camera.width)
    )
    return _passes(sums, coverage[..., None], space)


def _passes(sums: np.ndarray, coverage: np.ndarray, space: str) -> dict[str, np.ndarray]:
    safe = np.maximum(coverage, 1e-12)
    colour = to_linear(sums[..., :3] / safe) * coverage if space == "srgb" else sums[..., :3]
    length = np.linalg.norm(sums[..., 4:7], axis=-1, keepdims=True)
    seen = coverage >= 1 / 255
    result = {
        "Combined": np.concatenate([colour, coverage], axis=-1),
        "Depth": np.where(seen, sums[..., 3:4] / safe, DEPTH_BACKGROUND),
        "Normal": sums[..., 4:7] / np.maximum(length, 1e-12) * coverage,
        "Mask": coverage,
        "Vector": np.where(seen, sums[..., 7:11] / safe, 0.0),
    }
    return result | {name: sums[..., 11 + k, None] for k, name in enumerate(ZONE_PASSES)}
