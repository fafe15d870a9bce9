"""Catmull–Clark subdivision as one sparse matrix, so that face-unit offsets subdivide exactly like the vertices.

E. Catmull, J. Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes", CAD 10 (1978).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def catmull_clark(quads: np.ndarray, count: int) -> tuple[np.ndarray, sp.csr_matrix]:
    """One step. quads [F,4] over `count` vertices → quads [4F,4], matrix [count + E + F, count].

    Open borders become cubic B-spline curves; vertices in no face stay where they are.
    """
    faces = len(quads)
    loops = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
    edges, edge_of_loop = np.unique(np.sort(loops, axis=1), axis=0, return_inverse=True)
    edge_of_loop = edge_of_loop.reshape(faces, 4)
    number = len(edges)
    face_index = np.repeat(np.arange(faces), 4)

    def gather(values, rows, columns, shape):
        return sp.csr_matrix((np.full(len(rows), values), (rows, columns)), shape)

    face_points = gather(0.25, face_index, quads.ravel(), (faces, count))
    middles = gather(0.5, np.repeat(np.arange(number), 2), edges.ravel(), (number, count))
    edge_faces = gather(1.0, edge_of_loop.ravel(), face_index, (number, faces))
    inner_edge = np.bincount(edge_of_loop.ravel(), minlength=number) == 2
    edge_points = sp.diags(np.where(inner_edge, 0.5, 1.0)) @ middles + sp.diags(np.where(inner_edge, 0.25, 0.0)) @ (
        edge_faces @ face_points
    )

    vertex_faces = gather(1.0, quads.ravel(), face_index, (count, faces))
    vertex_edges = gather(1.0, edges.ravel(), np.repeat(np.arange(number), 2), (count, number))
    valence = np.asarray(vertex_faces.sum(axis=1)).ravel()
    edge_valence = np.asarray(vertex_edges.sum(axis=1)).ravel()
    border = np.zeros(count, dtype=bool)
    border_edges = edges[~inner_edge]
    border[border_edges.ravel()] = True
    lonely = valence == 0
    inner = ~border & ~lonely
    n = np.maximum(valence, 1)
    vertex_points = (
        sp.diags(np.where(inner, 1 / n**2, 0)) @ (vertex_faces @ face_points)
        + sp.diags(np.where(inner, 2 / (n * np.maximum(edge_valence, 1)), 0)) @ (vertex_edges @ middles)
        + sp.diags(np.where(inner, (n - 3) / n, 0) + np.where(border, 0.75, 0) + np.where(lonely, 1.0, 0))
    )
    both = gather(1.0, border_edges.ravel(), border_edges[:, ::-1].ravel(), (count, count))
    neighbours = np.maximum(np.asarray(both.sum(axis=1)).ravel(), 1)
    vertex_points = vertex_points + sp.diags(np.where(border, 0.25 / neighbours, 0)) @ both

    matrix = sp.vstack([vertex_points, edge_points, face_points]).tocsr()
    edge_id, face_id = count + edge_of_loop, count + number + np.arange(faces)
    corners = [np.stack([quads[:, k], edge_id[:, k], face_id, edge_id[:, k - 1]], axis=1) for k in range(4)]
    return np.stack(corners, axis=1).reshape(-1, 4), matrix


def subdivide(quads: np.ndarray, count: int, levels: int) -> tuple[np.ndarray, sp.csr_matrix]:
    """`levels` steps of `catmull_clark`: the quads and the product of the matrices."""
    matrix = sp.identity(count, format="csr")
    for _ in range(levels):
        quads, step = catmull_clark(quads, matrix.shape[0])
        matrix = (step @ matrix).tocsr()
    return quads, matrix


def subdivide_corners(corners: np.ndarray, levels: int) -> np.ndarray:
    """Values at face corners [F,4,C] (texture coordinates) → [F·4^levels,4,C], linear, in `subdivide`'s face order."""
    for _ in range(levels):
        middle = (corners + np.roll(corners, -1, axis=1)) / 2
        centre = corners.mean(axis=1)
        parts = [np.stack([corners[:, k], middle[:, k], centre, middle[:, k - 1]], axis=1) for k in range(4)]
        corners = np.stack(parts, axis=1).reshape(-1, 4, corners.shape[-1])
    return corners


def triangles(quads: np.ndarray) -> np.ndarray:
    """Quads [F,4] → triangles [2F,3]."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
