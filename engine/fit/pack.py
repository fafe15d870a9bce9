"""An anatomy and its Gaussians → a head file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..contract.channels import MASK_ZONES, UNITS
from ..heads import format as head_format
from ..heads.anatomy.build import EYE_PITCH, EYE_YAW, PARTS, Anatomy
from .seed import KINDS, Gaussians

#: Offsets shorter than this (metres) are dropped: no one sees a hundredth of a millimetre.
STILL = 1e-5


def _zones(head: Anatomy, gaussians: Gaussians) -> np.ndarray:
    """Zone per Gaussian [N]: that of its triangle's first corner; lashes are eyes', brows are brows'."""
    zone = head.zone[head.triangles[gaussians.triangle, 0]].copy()
    for kind, name in (("lashes", "eyes"), ("brows", "brows"), ("strands", "head")):
        zone[gaussians.kind == KINDS.index(kind)] = MASK_ZONES.index(name)
    return zone.astype(np.uint8)


def pack(
    head: Anatomy,
    gaussians: Gaussians,
    info: Mapping[str, Any],
    thumbnail: bytes | None = None,
) -> head_format.Head:
    """A checked head.

    Args:
        info: `name`, `author`, `licence`, `source` and `figures` of `head.json`; the rest is filled in here.

    Raises:
        MienError: Something is out of the format's range.
    """
    offsets = [np.where(np.abs(unit) < STILL, 0, unit) for unit in head.units]
    bends = [np.where(np.abs(bend) < STILL, 0, bend) for bend in head.combinations.values()]
    moved = np.flatnonzero(np.any([np.any(offset != 0, axis=1) for offset in offsets + bends], axis=0))
    triangles = head.triangles.astype(np.int32)
    degree = int(np.sqrt(gaussians.sh.shape[1])) - 1
    arrays = {
        "mesh.vertices": head.vertices.astype(np.float32),
        "mesh.triangles": triangles,
        "mesh.part": head.part.astype(np.uint8),
        "mesh.zone": head.zone.astype(np.uint8),
        "mesh.head_weight": head.head_weight.astype(np.float32),
        "units.vertex_ids": moved.astype(np.int32),
        "units.deltas": np.stack([offset[moved] for offset in offsets]).astype(np.float32),
        "gaussians.triangle": gaussians.triangle,
        "gaussians.position": gaussians.position.astype(np.float32),
        "gaussians.rotation": gaussians.rotation / np.linalg.norm(gaussians.rotation, axis=1, keepdims=True),
        "gaussians.log_scale": gaussians.log_scale.astype(np.float16),
        "gaussians.opacity_logit": gaussians.opacity_logit.astype(np.float16),
        "gaussians.sh": gaussians.sh.astype(np.float16),
        "gaussians.zone": _zones(head, gaussians),
    }
    arrays["gaussians.rotation"] = arrays["gaussians.rotation"].astype(np.float16)
    if bends:
        arrays["combinations.deltas"] = np.stack([bend[moved] for bend in bends]).astype(np.float32)
    left, right = head.eyes["left"][0], head.eyes["right"][0]
    between = (left + right) / 2
    described = {
        "format": head_format.FORMAT,
        "version": list(head_format.VERSION),
        "blend_space": "srgb",
        "sh_degree": degree,
        "units": list(UNITS),
        "combinations": [{"units": list(names)} for names in head.combinations],
        "eyes": {
            side: {"centre": [float(x) for x in centre], "yaw": float(EYE_YAW), "pitch": float(EYE_PITCH)}
            for side, (centre, _) in head.eyes.items()
        },
        "neck": {"pivot": [float(x) for x in head.pivot]},
        "parts": list(PARTS),
        "camera": {"target": [0.0, float(head.pivot[1] - 0.02), float(between[2] - 0.035)], "distance": 0.95},
        "figures": {},
        **info,
    }
    return head_format.make_head(described, arrays, thumbnail)
