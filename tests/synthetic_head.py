"""A small made-up head for tests: an ellipsoid with a jaw, two eyeballs, a still neck, and Gaussians all over."""

from __future__ import annotations

import numpy as np

from engine.contract.channels import MASK_ZONES, UNITS
from engine.heads.format import Head, make_head

UNIT_NAMES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "browInnerUpLeft", "mouthClose")
COMBINATIONS = (("jawOpen", "mouthClose"), ("mouthSmileLeft", "mouthSmileLeft"))
CENTRE = np.array([0.0, 0.0, 0.30])
RADII = np.array([0.075, 0.095, 0.115])
EYE_RADIUS = 0.012


def _ball(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit sphere's vertices [V, 3] and outward triangles [T, 3]; the poles lie above and below."""
    polar = np.linspace(0.0, np.pi, rows + 2)[1:-1]
    around = np.linspace(0.0, 2 * np.pi, columns, endpoint=False)
    rings = np.stack(
        [
            np.outer(np.sin(polar), np.cos(around)),
            np.outer(np.sin(polar), np.sin(around)),
            np.outer(np.cos(polar), np.ones(columns)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    vertices = np.concatenate([[[0.0, 0.0, 1.0]], rings, [[0.0, 0.0, -1.0]]])
    triangles = []
    for column in range(columns):
        following = (column + 1) % columns
        triangles.append((0, 1 + column, 1 + following))
        for row in range(rows - 1):
            a, b = 1 + row * columns + column, 1 + row * columns + following
            triangles += [(a, a + columns, b), (b, a + columns, b + columns)]
        last = 1 + (rows - 1) * columns
        triangles.append((last + column, len(vertices) - 1, last + following))
    return vertices, np.array(triangles)


def make_parts(count: int = 800, degree: int = 1, seed: int = 0) -> tuple[dict, dict[str, np.ndarray]]:
    """`head.json`'s content and the arrays of a valid head with `count` Gaussians."""
    random = np.random.default_rng(seed)
    ball, faces = _ball(14, 20)
    eye, eye_faces = _ball(5, 8)
    skin = CENTRE + ball * RADII
    centres = {"left": np.array([0.03, -0.085, 0.33]), "right": np.array([-0.03, -0.085, 0.33])}
    vertices = np.concatenate([skin, centres["left"] + eye * EYE_RADIUS, centres["right"] + eye * EYE_RADIUS])
    triangles = np.concatenate([faces, eye_faces + len(skin), eye_faces + len(skin) + len(eye)])
    part = np.repeat([0, 1, 2], [len(faces), len(eye_faces), len(eye_faces)])

    moved = np.arange(len(vertices))[vertices[:, 1] < 0.03]
    front = np.clip((0.30 - vertices[moved, 2]) / 0.08, 0, 1)[:, None]
    deltas = np.stack(
        [
            front * [0.0, 0.006, -0.03],
            front * np.clip(vertices[moved, :1] / 0.05, 0, 1) * [0.01, 0.008, 0.012],
            front * np.clip(-vertices[moved, :1] / 0.05, 0, 1) * [-0.01, 0.008, 0.012],
            0.004 * random.normal(size=(len(moved), 3)),
            (1 - front) * [0.0, 0.0, 0.008],
            front * [0.0, 0.0, 0.02],
        ]
    )
    combined = 0.003 * random.normal(size=(len(COMBINATIONS), len(moved), 3))

    triangle = np.sort(random.integers(0, len(triangles), count))
    quaternion = random.normal(size=(count, 4))
    zone = np.clip((0.42 - vertices[:, 2]) / 0.24 * len(MASK_ZONES), 0, len(MASK_ZONES) - 1).astype(np.uint8)
    info = {
        "format": "mien-head",
        "version": [1, 0],
        "name": "Synthetic",
        "author": "Mien's tests",
        "licence": "CC0-1.0",
        "source": "made up",
        "blend_space": "srgb",
        "sh_degree": degree,
        "units": list(UNIT_NAMES),
        "combinations": [{"units": list(names)} for names in COMBINATIONS],
        "eyes": {side: {"centre": centre.tolist(), "yaw": 0.6, "pitch": 0.4} for side, centre in centres.items()},
        "neck": {"pivot": [0.0, 0.01, 0.2]},
        "parts": ["skin", "eye.L", "eye.R"],
        "camera": {"target": [0.0, 0.0, 0.3], "distance": 0.7},
        "figures": {},
    }
    assert set(UNIT_NAMES) <= set(UNITS)
    arrays = {
        "mesh.vertices": vertices.astype(np.float32),
        "mesh.triangles": triangles.astype(np.int32),
        "mesh.part": part.astype(np.uint8),
        "mesh.zone": zone,
        "mesh.head_weight": np.clip((vertices[:, 2] - 0.19) / 0.05, 0, 1).astype(np.float32),
        "units.vertex_ids": moved.astype(np.int32),
        "units.deltas": deltas.astype(np.float16),
        "combinations.deltas": combined.astype(np.float16),
        "gaussians.triangle": triangle.astype(np.int32),
        "gaussians.position": (0.004 * random.normal(size=(count, 3)) * [1, 1, 0.2]).astype(np.float16),
        "gaussians.rotation": (quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)).astype(np.float16),
        "gaussians.log_scale": random.uniform(np.log(0.001), np.log(0.008), (count, 3)).astype(np.float16),
        "gaussians.opacity_logit": random.uniform(-2.0, 5.0, count).astype(np.float16),
        "gaussians.sh": (random.normal(size=(count, (degree + 1) ** 2, 3)) * 0.4).astype(np.float16),
        "gaussians.zone": zone[triangles[triangle, 0]],
    }
    return info, arrays


APPEARANCE = (("jawOpen",), ("mouthSmileLeft", "browInnerUpLeft"), ("eyeBlinkLeft",))


def make_rich_parts(count: int = 800, degree: int = 1, seed: int = 0) -> tuple[dict, dict[str, np.ndarray]]:
    """The same with all that version 1.1 adds: affine stretch, strands and a dynamic appearance on half of it."""
    info, arrays = make_parts(count, degree, seed)
    random = np.random.default_rng(seed + 1)
    lists = [np.sort(random.permutation(count)[: count // 2]) for _ in APPEARANCE]
    size = sum(len(entry) for entry in lists)
    info |= {"version": [1, 1], "stretch": "affine", "appearance": [{"units": list(names)} for names in APPEARANCE]}
    arrays |= {
        "gaussians.strand": (random.random(count) < 0.2).astype(np.uint8),
        "appearance.start": np.cumsum([0, *(len(entry) for entry in lists)]).astype(np.int32),
        "appearance.gaussian": np.concatenate(lists).astype(np.int32),
        "appearance.colour": (0.5 * random.normal(size=(size, 3))).astype(np.float16),
        "appearance.opacity": (2.0 * random.normal(size=size)).astype(np.float16),
        "appearance.log_scale": (0.4 * random.normal(size=(size, 3))).astype(np.float16),
        "appearance.rotation": (0.8 * random.normal(size=(size, 3))).astype(np.float16).clip(-3, 3),
    }
    return info, arrays


def make_rich(count: int = 800, degree: int = 1, seed: int = 0) -> Head:
    """A checked synthetic head of version 1.1."""
    return make_head(*make_rich_parts(count, degree, seed))


def make(count: int = 800, degree: int = 1, seed: int = 0) -> Head:
    """A checked synthetic head."""
    return make_head(*make_parts(count, degree, seed))
