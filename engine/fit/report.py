"""How good a fit is on pictures that it has not seen: PSNR and SSIM, whole, inside the head, by pose and by region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract.channels import MASK_ZONES
from .likeness import similarity
from .pack import zones
from .photos import Photo
from .seed import KINDS, MOUTH
from .train import Fit

REGIONS = ("eyes", "mouth", "skin", "hair")
_LEAST = 60
"""A region with fewer pixels in a picture is not measured there."""


def measure(fit: Fit, photos: Sequence[Photo], changes: bool = True) -> list[dict[str, object]]:
    """One row a picture: its pose, and dB (`full`, `inside`, regions) and `ssim`; on grey, as 0–1 sRGB."""
    masks = _masks(fit)
    rows = []
    for photo in photos:
        colour, alpha = photo.layers()
        wanted = colour + 0.5 * (1 - alpha)[..., None]
        seen = np.clip(fit.picture(photo, changes=changes), 0, 1)
        error = ((seen - wanted) ** 2).mean(axis=2)
        row: dict[str, object] = {
            "pose": photo.view.pose,
            "full": _db(error.mean()),
            "ssim": similarity(seen, wanted)[0],
        }
        inside = alpha > 0.5
        row["inside"] = _db(error[inside].mean())
        shares = fit.shares(photo, masks) > 0.5
        own = dict(zip(("eyes", "mouth", "hair"), np.moveaxis(shares & inside[..., None], 2, 0), strict=True))
        own["skin"] = inside & ~shares.any(axis=2)
        row |= {name: _db(error[own[name]].mean()) for name in REGIONS if own[name].sum() >= _LEAST}
        rows.append(row)
    return rows


def means(rows: Sequence[dict[str, object]]) -> dict[str, float]:
    """Each figure's mean over the rows that have it."""
    result = {}
    for name in ("full", "inside", *REGIONS, "ssim"):
        found = [float(row[name]) for row in rows if name in row]
        if found:
            result[name] = round(float(np.mean(found)), 4 if name == "ssim" else 2)
    return result


def by_pose(rows: Sequence[dict[str, object]]) -> dict[str, dict[str, float]]:
    """`means` of each pose."""
    return {
        pose: means([row for row in rows if row["pose"] == pose]) for pose in sorted({str(r["pose"]) for r in rows})
    }


def split(rows: Sequence[dict[str, object]], fit: Fit) -> dict[str, dict[str, float]]:
    """`means` of neutral pictures, of expressions, of those expressions that no fitted picture shows, and of all."""
    fitted = {photo.view.pose for photo in fit.train_photos}
    still = [row for row in rows if not any(fit.units[str(row["pose"])].values())]
    moved = [row for row in rows if any(fit.units[str(row["pose"])].values())]
    unseen = [row for row in moved if row["pose"] not in fitted]
    groups = (("neutral", still), ("expressions", moved), ("unseen", unseen), ("all", rows))
    return {name: means(own) for name, own in groups if own}


def table(figures: dict[str, dict[str, float]]) -> str:
    """Lines for a terminal."""
    columns = ("full", "inside", *REGIONS, "ssim")
    lines = [f"{'':14}" + "".join(f"{name:>8}" for name in columns)]
    for name, row in figures.items():
        lines.append(f"{name[:14]:14}" + "".join(f"{row[c]:8.4g}" if c in row else f"{'–':>8}" for c in columns))
    return "\n".join(lines)


def _db(error: float) -> float:
    return round(float(-10 * np.log10(max(float(error), 1e-10))), 2)


def _masks(fit: Fit) -> np.ndarray:
    """[N,3]: which Gaussians are eyes (with lids and lashes), mouth (with lips) and hair."""
    zone = zones(fit.rig.head, fit.triangle, fit.kind)
    eyes = np.isin(zone, [MASK_ZONES.index(name) for name in ("eyes", "gaze")])
    mouth = np.isin(fit.kind, MOUTH) | (zone == MASK_ZONES.index("mouth"))
    hair = np.isin(fit.kind, [KINDS.index(name) for name in ("hair", "strands.hair")])
    return np.stack([eyes & ~hair & ~mouth, mouth & ~hair, hair], axis=1)
