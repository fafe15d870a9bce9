"""Evens out the colours of eyelids after a fit.

Lids lie folded in the open eye and are lit differently when they are closed. Few views show them closed, so that
neighbours learn colours of different light and a blink looks blotched. A Gaussian has one colour for all poses; the
mean over its neighbours in the blink is the one that looks like skin in both.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..heads.anatomy.build import Anatomy
from .seed import KINDS, Gaussians, blink, folds

REACH = 0.0035
"""Standard deviation of the neighbourhood, metres in the closed eye."""
KEPT_FOLDED, KEPT_LID = 0.15, 0.4
"""How much of its own colour a Gaussian keeps, on folded triangles and on the rest of the lid."""
_LID_TRAVEL = 0.0025  # metres that a blink moves what counts as lid
_SKIN_TRAVEL = 0.0004  # and what counts as its surroundings
_FIRMEST = 2.5  # logit up to which thin folded Gaussians are made firmer, so that the ball does not show through


def even_out(head: Anatomy, gaussians: Gaussians) -> None:
    """Blend the colours of the lids' Gaussians with their neighbours', in place. A head without lids is left alone."""
    closed = blink(head)
    corners = head.triangles[gaussians.triangle]
    travel = np.linalg.norm(closed - head.vertices, axis=1)[corners].mean(axis=1)
    skin = np.flatnonzero((gaussians.kind == KINDS.index("skin")) & (travel > _SKIN_TRAVEL))
    if len(skin) == 0:
        return
    folded = np.isin(gaussians.triangle, folds(head)) & (gaussians.kind == KINDS.index("skin"))
    place = closed[corners[skin]].mean(axis=1)
    weight = 1 / (1 + np.exp(-gaussians.opacity_logit[skin].astype(np.float64)))
    colour = gaussians.sh[skin].astype(np.float64)
    for index, near in zip(skin, cKDTree(place).query_ball_point(place, 2.2 * REACH), strict=True):
        if not folded[index] and travel[index] < _LID_TRAVEL:
            continue
        kept = KEPT_FOLDED if folded[index] else KEPT_LID
        distance = np.linalg.norm(place[near] - closed[corners[index]].mean(axis=0), axis=1)
        share = weight[near] * np.exp(-0.5 * (distance / REACH) ** 2)
        mean = np.tensordot(share, colour[near], 1) / share.sum()
        gaussians.sh[index] = kept * gaussians.sh[index] + (1 - kept) * mean
    thin = folded & (gaussians.opacity_logit < _FIRMEST)
    gaussians.opacity_logit[thin] = np.minimum(gaussians.opacity_logit[thin] + 1.0, _FIRMEST)
