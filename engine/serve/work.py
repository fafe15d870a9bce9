"""What the engine does for an add-on: loads heads, renders frames, performs lines. Knows rooms, no pipes."""

from __future__ import annotations

import base64
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import channels
from ..contract.errors import Cancelled, MienError
from ..contract.passes import DEPTH_BACKGROUND, PASS_BY_NAME, PASSES
from ..contract.ring import RingWriter
from ..heads import format, library
from ..heads.deform import Deformer
from ..splat.interface import Backend, Camera, Frame, Gaussians
from ..splat.lens import Lens
from . import foreign, moods
from .child import run_command
from .inline import inline_pass
from .jobs import Job, Preempted
from .proxy import save_proxy

log = logging.getLogger("mien")

MAX_HEADS = 64
MAX_FRAME_BYTES = 4 * 1024**3
"""What one frame's passes may take in memory."""
COVERED = 1 / 255


class Work:
    """The heads that are loaded and the ways to render them.

    `load_head`, `release_head` and `render` are called from one thread, `perform` and `emotion` from another, and what
    reads and writes other programs' files from a third.
    Each takes a request's params and its `Job`, and returns the result, both as `engine.contract.messages` has them.

    Args:
        folder: The private folder for the frame ring and proxies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ring = RingWriter(folder)
        self._heads: dict[str, Deformer] = {}
        self._files: dict[tuple[Path, int, int], tuple[Deformer, Path]] = {}
        self._backends: dict[str, Backend] = {}
        self._drawn: set[tuple[str, frozenset[str]]] = set()

    @property
    def ring_path(self) -> Path:
        return self._ring.path

    def capabilities(self) -> dict[str, Any]:
        from .. import splat
        from ..heads.foreign import faces
        from ..speech import voices

        return {
            "backends": splat.backends(),
            "passes": [entry.name for entry in PASSES],
            "heads": [{"name": name, "path": str(path)} for name, path in library.library()],
            "speech": {
                "voices": voices.installed(),
                "all": [[name, *voices.described(name)] for name in voices.VOICES],
            },
            "faces": faces.installed(),
        }

    # ── heads ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def load_head(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`head/load`.

        Raises:
            MienError: There is no such head, its file is bad, or too many are loaded.
        """
        if params["id"] not in self._heads and len(self._heads) >= MAX_HEADS:
            raise MienError(f"{MAX_HEADS} heads are loaded already; remove one from the scene first.")
        deformer, proxy = self._open(library.find(params["head"]))
        self._heads[params["id"]] = deformer
        moods.warm_soon()
        head = deformer.head
        info = head.info()
        result = {
            "head": params["id"],
            **{key: info[key] for key in ("name", "author", "licence", "source", "units", "parts", "camera", "neck")},
            "eyes": info.get("eyes"),
            "figures": info.get("figures", {}),
            "gaussians": head.gaussian_count,
            "proxy": str(proxy),
        }
        if params.get("transport") == "inline":
            result["proxy_data"] = base64.b64encode(proxy.read_bytes()).decode("ascii")
        return result

    def release_head(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        self._heads.pop(params["id"], None)
        kept = {id(deformer) for deformer in self._heads.values()}
        self._files = {key: entry for key, entry in self._files.items() if id(entry[0]) in kept}
        return {}

    def _open(self, path: Path) -> tuple[Deformer, Path]:
        """A file's deformer and proxy; several heads of one file share them."""
        path = path.resolve()
        facts = os.stat(path)
        key = (path, facts.st_mtime_ns, facts.st_size)
        if key not in self._files:
            head = format.load(path)
            self._files[key] = (Deformer(head), save_proxy(head, self._folder))
        return self._files[key]

    # ── heads from outside and for elsewhere ─────────────────────────────────────────────────────────────────────────

    def import_head(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`head/import`."""
        return foreign.import_head(params, self._folder, job)

    def cloud(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`head/cloud`."""
        return foreign.cloud(params, self._folder, job)

    def export_head(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`head/export`."""
        return foreign.export_head(params, job)

    def install_faces(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`faces/install`."""
        return run_command(["install-faces"], job)

    # ── frames ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def render(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`frame/render`.

        Raises:
            MienError: A head is not loaded, or what is asked for cannot be rendered.
        """
        started = time.perf_counter()
        planes, backend, note = self._draw(params, job)
        height, width = planes[params["passes"][0]].shape[:2]
        result: dict[str, Any] = {"width": width, "height": height, "backend": backend.name, "device": backend.device}
        if note:
            result["reason"] = note
        if params["transport"] == "inline":
            result["passes"] = [inline_pass(name, plane) for name, plane in planes.items()]
        else:
            written = self._ring.write(params["viewport"], planes)
            result |= {"ring": str(written.path), "slot": written.slot, "sequence": written.sequence}
            result["passes"] = [
                {"name": name, "components": planes[name].shape[2], "offset": offset}
                for name, offset in written.offsets.items()
            ]
        result["seconds"] = time.perf_counter() - started
        return result

    def _draw(self, params: Mapping[str, Any], job: Job) -> tuple[dict[str, np.ndarray], Backend, str]:
        """(planes, the backend that drew them, why it is not the one asked for); the CPU steps in where CUDA fails."""
        backend = self._backend(params["backend"], job)
        try:
            return self._planes(params, backend, job), backend, backend.note
        except (MienError, Cancelled, Preempted):
            raise
        except Exception as error:
            if backend.name == "cpu":
                raise
            log.exception("%s failed", backend.name)
            what = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            instead, note = self._backend("cpu", job), f"{backend.device} failed ({what}); rendering on the CPU"
            return self._planes(params, instead, job), instead, note

    def _backend(self, name: str, job: Job) -> Backend:
        from .. import splat

        if name not in self._backends:
            with job.preparing("Preparing the renderer; the first time on a graphics card takes minutes"):
                self._backends[name] = splat.open_backend(name)
        return self._backends[name]

    def _render(
        self, backend: Backend, job: Job, passes: list[str], frame: Frame, before: Frame | None, after: Frame | None
    ) -> dict[str, np.ndarray]:
        """One picture. The first with its passes compiles what draws them."""
        kind = (backend.name, frozenset(passes))
        if kind in self._drawn:
            return backend.render(frame, passes, before, after)
        with job.preparing("Preparing the renderer; this takes longer once"):
            planes = backend.render(frame, passes, before, after)
        self._drawn.add(kind)
        return planes

    def _planes(self, params: Mapping[str, Any], backend: Backend, job: Job) -> dict[str, np.ndarray]:
        """The passes asked for, averaged over the samples."""
        samples, names = params["samples"], list(dict.fromkeys(params["passes"]))
        _check_size(samples, names)
        # Where samples are averaged, Depth and Vector count by coverage, which Mask gives.
        rendered = list(dict.fromkeys([*names, "Mask"]))
        mean, count = Average(), 0
        for index, sample in enumerate(samples):
            job.check()
            frame = self._frame(sample["heads"], sample["camera"])
            before = after = None
            if "Vector" in names:
                before = self._neighbour(sample, "previous", params.get("camera_previous"))
                after = self._neighbour(sample, "next", params.get("camera_next"))
            lens = _lens(sample["camera"])
            count = count or lens.count(lens.disc(frame.camera, frame.objects), len(samples))
            if len(samples) == count == 1:
                return self._render(backend, job, names, frame, before, after)
            for at, pinhole in enumerate(lens.pinholes(frame.camera, count, index)):
                done, total = index * count + at, len(samples) * count
                job.check()
                job.progress(done / total, f"Sample {done + 1} of {total}")
                # The frames beside are seen from the same place on the lens, or the lens would count as motion.
                beside = [
                    other and replace(other, camera=_beside(other.camera, frame.camera, pinhole))
                    for other in (before, after)
                ]
                mean.add(self._render(backend, job, rendered, replace(frame, camera=pinhole), *beside))
        means = mean.result()
        return {name: means[name] for name in names}

    def _frame(self, heads: Sequence[Mapping[str, Any]], camera: Mapping[str, Any]) -> Frame:
        return Frame([self._gaussians(entry["head"], entry) for entry in heads], _camera(camera))

    def _neighbour(self, sample: Mapping[str, Any], side: str, camera: Mapping[str, Any] | None) -> Frame | None:
        """The frame before or after; None where nothing moves."""
        if camera is None and not any(side in entry for entry in sample["heads"]):
            return None
        objects = [self._gaussians(entry["head"], entry.get(side, entry)) for entry in sample["heads"]]
        return Frame(objects, _camera(camera or sample["camera"]))

    def _gaussians(self, id: str, pose: Mapping[str, Any]) -> Gaussians:
        if id not in self._heads:
            raise MienError(f"The head {id!r} is not loaded; check that its file is still where it was.")
        matrix = np.array(pose["matrix"], dtype=np.float64).reshape(4, 4)
        return self._heads[id](channels.from_mapping(pose["values"]), matrix)

    # ── performances ─────────────────────────────────────────────────────────────────────────────────────────────────

    def perform(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`perform`."""
        from .performances import perform

        return perform(params, self._folder, job)

    def emotion(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`emotion`."""
        from .moods import emotion

        return emotion(params, job)

    def sync(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`sync`."""
        from .captures import sync

        return sync(params, job)

    def clean(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`clean`."""
        from .captures import clean

        return clean(params, job)

    def write_curves(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`curves/write`."""
        from .captures import write

        return write(params, job)

    def install_voices(self, params: Mapping[str, Any], job: Job) -> dict[str, Any]:
        """`voices/install`."""
        return run_command(["voices", "--install"], job)


class Average:
    """The mean of a frame's samples, in time and over the lens.

    What is premultiplied (Combined, Normal, masks) is averaged as it stands, in linear light. Depth and Vector are
    averaged by coverage, so that an edge covered half the time keeps the head's depth, not a mean with that behind.
    """

    _BY_COVERAGE = ("Depth", "Vector")

    def __init__(self) -> None:
        self._count = 0
        self._sums: dict[str, np.ndarray] = {}

    def add(self, planes: Mapping[str, np.ndarray]) -> None:
        """Add a sample's planes, the same names each time, Mask among them."""
        self._count += 1
        for name, plane in planes.items():
            weighted = plane.astype(np.float64)
            if name in self._BY_COVERAGE:
                weighted = np.where(planes["Mask"] >= COVERED, weighted * planes["Mask"], 0.0)
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted

    def result(self) -> dict[str, np.ndarray]:
        covered = self._sums["Mask"]
        means = {}
        for name, total in self._sums.items():
            if name in self._BY_COVERAGE:
                background = DEPTH_BACKGROUND if name == "Depth" else 0.0
                mean = np.where(covered >= COVERED, total / np.maximum(covered, COVERED), background)
            else:
                mean = total / self._count
            means[name] = mean.astype(np.float32)
        return means


def _camera(content: Mapping[str, Any]) -> Camera:
    options: dict[str, Any] = {"near": content["near"]} if "near" in content else {}
    if "crop" in content:
        options["crop"] = tuple(content["crop"])
    return Camera(
        np.array(content["world_to_camera"], dtype=np.float64).reshape(4, 4),
        np.array(content["K"], dtype=np.float64).reshape(3, 3),
        content["width"],
        content["height"],
        **options,
    )


def _lens(content: Mapping[str, Any]) -> Lens:
    return Lens(content.get("aperture", 0.0), content.get("focus", 1.0))


def _beside(other: Camera, camera: Camera, pinhole: Camera) -> Camera:
    """The previous or next frame's camera, moved over the lens as `pinhole` is from `camera`."""
    view = other.world_to_camera.copy()
    view[:3, 3] += pinhole.world_to_camera[:3, 3] - camera.world_to_camera[:3, 3]
    return replace(other, world_to_camera=view, K=other.K + pinhole.K - camera.K)


def _check_size(samples: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    sizes = {tuple(_camera(sample["camera"]).region[2:]) for sample in samples}
    if len(sizes) > 1:
        raise MienError("The samples of a frame have cameras of different sizes; give all the same.")
    width, height = sizes.pop()
    size = 4 * width * height * sum(len(PASS_BY_NAME[name].components) for name in names)
    if size > MAX_FRAME_BYTES:
        raise MienError(
            f"A frame of {width} × {height} pixels with {len(names)} passes takes {size / 1024**3:.1f} GiB; "
            f"at most {MAX_FRAME_BYTES / 1024**3:.0f} are rendered: choose fewer passes or a smaller size."
        )
