"""A dataset's mesh and fitted Gaussians → a head file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..contract.channels import MASK_ZONES
from ..heads import format as head_format
from ..heads.format import Head
from .appearance import Appearance
from .seed import KINDS, STRAND_KINDS, Gaussians

LEAST = {"colour": 0.02, "opacity": 0.08, "log_scale": 0.03, "rotation": 0.02}
"""Changes below all of these are not worth their bytes."""


def zones(head: Head, triangle: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Zone of each Gaussian [N] u8: that of its triangle's first corner; lashes are eyes', brows are brows'."""
    zone = head["mesh.zone"][head["mesh.triangles"][triangle, 0]].astype(np.uint8)
    for name, own in (("lashes", "eyes"), ("brows", "brows"), ("hair", "head")):
        zone[kind == KINDS.index(f"strands.{name}")] = MASK_ZONES.index(own)
    return zone


def keeps_shape(head: Head, triangle: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """[N] bool: hairs on skin, which do not thin where it is squeezed.

    What lies on the hair's body is stretched and sheared with it, so that it goes on lying along it where hair bends.
    """
    body = head.parts.index("hair") if "hair" in head.parts else -1
    return np.isin(kind, STRAND_KINDS) & (head["mesh.part"][triangle] != body)


def pack(
    rig: Head,
    gaussians: Gaussians,
    appearance: Appearance | None,
    figures: Mapping[str, Any],
    thumbnail: bytes | None,
    dilation: float,
) -> Head:
    """A checked head: the dataset's mesh, units and names with these Gaussians.

    Raises:
        MienError: Something is out of the format's range.
    """
    p = gaussians.parameters
    arrays = {name: array for name, array in rig.arrays.items() if not name.startswith("gaussians.")}
    for name in ("units.deltas", "combinations.deltas"):
        if name in arrays:
            arrays[name] = arrays[name].astype(np.float16)
    rotation = p.rotation / np.linalg.norm(p.rotation, axis=1, keepdims=True)
    arrays |= {
        "gaussians.triangle": gaussians.triangle.astype(np.int32),
        "gaussians.position": p.position.astype(np.float16),
        "gaussians.rotation": rotation.astype(np.float16),
        "gaussians.log_scale": p.log_scale.astype(np.float16),
        "gaussians.opacity_logit": p.opacity_logit.astype(np.float16),
        "gaussians.sh": p.sh.astype(np.float16),
        "gaussians.zone": zones(rig, gaussians.triangle, gaussians.kind),
        "gaussians.strand": keeps_shape(rig, gaussians.triangle, gaussians.kind).astype(np.uint8),
    }
    info = rig.info() | {
        "version": [1, 2],
        "dilation": dilation,
        "sh_degree": int(np.sqrt(p.sh.shape[1])) - 1,
        "stretch": "affine",
        "figures": dict(figures),
    }
    if appearance is not None:
        kept = appearance.kept(worth(appearance))
        if len(kept):
            info["appearance"] = [{"units": list(names)} for names in kept.drivers]
            arrays["appearance.start"], arrays["appearance.gaussian"] = kept.start, kept.gaussian
            for name, value in kept.values.items():
                arrays[f"appearance.{name}"] = (value[:, 0] if value.shape[1] == 1 else value).astype(np.float16)
    return head_format.make_head(info, arrays, thumbnail)


def worth(appearance: Appearance) -> np.ndarray:
    """[M] bool: rows with a change that can be seen."""
    found = np.zeros(len(appearance), bool)
    for name, value in appearance.values.items():
        found |= np.abs(value).max(axis=1, initial=0) > LEAST[name]
    return found
