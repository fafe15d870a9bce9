"""The proxy mesh of a head, for Blender: an .npz without pickle. docs/protocol.md lists its arrays."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from ..heads.format import Head

_SH_C0 = 0.28209479177387814
_numbers = itertools.count(1)


def save_proxy(head: Head, folder: Path) -> Path:
    """Write a head's proxy into a folder; the file's path."""
    path = folder / f"proxy-{next(_numbers)}.npz"
    units = list(head.units)
    combinations = np.full((len(head.combinations), 4), -1, np.int32)
    for row, names in enumerate(head.combinations):
        combinations[row, : len(names)] = [units.index(name) for name in names]
    moved = len(head["units.vertex_ids"])
    deltas = head["combinations.deltas"] if head.combinations else np.zeros((0, moved, 3))
    np.savez(
        path,
        vertices=head["mesh.vertices"].astype(np.float32),
        triangles=head["mesh.triangles"].astype(np.int32),
        part=head["mesh.part"],
        zone=head["mesh.zone"],
        head_weight=head["mesh.head_weight"].astype(np.float32),
        colour=vertex_colours(head),
        vertex_ids=head["units.vertex_ids"].astype(np.int32),
        unit_deltas=head["units.deltas"].astype(np.float32),
        combinations=combinations,
        combination_deltas=deltas.astype(np.float32),
    )
    return path


def vertex_colours(head: Head) -> np.ndarray:
    """Scene-linear colours [V, 3] float32: the mean of the Gaussians on a vertex's triangles, by opacity.

    A vertex that carries none gets its part's mean.
    """
    triangles, vertex_count = head["mesh.triangles"], len(head["mesh.vertices"])
    colours = np.maximum(0.5 + _SH_C0 * head["gaussians.sh"][:, 0].astype(np.float64), 0.0)
    if head.blend_space == "srgb":
        colours = srgb_to_linear(colours)
    opacity = 1.0 / (1.0 + np.exp(-head["gaussians.opacity_logit"].astype(np.float64)))
    corners = triangles[head["gaussians.triangle"]].ravel()
    weight = np.bincount(corners, np.repeat(opacity, 3), vertex_count)
    sums = [np.bincount(corners, np.repeat(opacity * channel, 3), vertex_count) for channel in colours.T]
    result = np.stack(sums, axis=1) / np.maximum(weight, 1e-9)[:, None]
    bare = weight < 1e-6
    for part in range(len(head.parts)):
        members = np.unique(triangles[head["mesh.part"] == part])
        coloured = members[~bare[members]]
        result[members[bare[members]]] = result[coloured].mean(0) if len(coloured) else 0.5
    return result.astype(np.float32)


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1."""
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0.0) + 0.055) / 1.055) ** 2.4)
