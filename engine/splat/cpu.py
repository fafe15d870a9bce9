"""The CPU backend: numba, all cores, tiles of 32 pixels in blocks of 4 × 4, Gaussians sorted once by depth.

Needs no graphics card and no compiler. `kernels` has the loops, `blend` the innermost one.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Collection, Mapping
from functools import cache

import numba
import numpy as np

from ..contract.passes import PASS_BY_NAME
from . import kernels
from .blend import row_size
from .interface import (
    ALPHA_MIN,
    ZONE_PASSES,
    Camera,
    Frame,
    camera_in_object,
    check_request,
    normal_matrix,
    object_to_camera,
    view_limits,
)
from .threads import one_at_a_time

_NOTHING = np.zeros((0, 0, 0), np.float32)
_PLAIN = ("Combined", "Depth", "Mask")
"""Passes that need no features beyond colour and depth."""


class CpuBackend:
    """See `interface.Backend`. Keeps its working memory between frames; calls from several threads take turns."""

    name = "cpu"

    def __init__(self) -> None:
        self.device = device()
        self.note = ""
        self.seconds: dict[str, float] = {}
        """How long each stage of the last frame took."""
        self.visible = self.pairs = self.blends = 0
        """Of the last frame: Gaussians in the picture, how many tiles they lie on, how often one met a block."""
        self._memory: dict[str, np.ndarray] = {}

    def render(
        self,
        frame: Frame,
        passes: Collection[str],
        before: Frame | None = None,
        after: Frame | None = None,
        out: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """See `interface.Backend.render`. `out`: float32 arrays [height, width, components] to write passes into."""
        names = check_request(frame, passes, before, after)
        with one_at_a_time():
            return self._render(frame, names, before, after, out or {})

    def _render(
        self, frame: Frame, names: list[str], before: Frame | None, after: Frame | None, out: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        x, y, width, height = frame.camera.region
        result = {name: _output(name, height, width, out.get(name)) for name in names}
        full = any(name not in _PLAIN for name in names)
        features = kernels.ALL_FEATURES if full else kernels.COLOUR_FEATURES
        stride = row_size(features)
        space = frame.objects[0].blend_space if frame.objects else "linear"
        clock = _Clock()
        rows, spans, keys, boxes = self._project(frame, space, stride)
        if full:
            self._add_features(frame, before, after, stride, rows, keys)
        clock.lap("project")
        order = kernels.sort(keys)
        clock.lap("sort")
        columns, lines = -(-width // kernels.TILE), -(-height // kernels.TILE)
        starts, ids = kernels.assign(order, boxes, columns, lines, numba.get_num_threads())
        clock.lap("bin")
        extra = np.empty((height, width, features - kernels.COLOUR_FEATURES), np.float32) if full else _NOTHING
        mask = result.get("Mask", np.empty((height, width, 1), np.float32) if full else _NOTHING)
        chunk = numba.set_parallel_chunksize(2)
        try:
            blends = kernels.composite(
                starts,
                ids,
                spans.ravel(),
                rows,
                stride,
                np.array([x, y, width, height]),
                columns,
                kernels.DECODE if space == "srgb" else kernels.KEEP,
                (0,) * features,
                result.get("Combined", _NOTHING),
                result.get("Depth", _NOTHING),
                mask,
                extra,
            )
        finally:
            numba.set_parallel_chunksize(chunk)
        clock.lap("composite")
        if full:
            _write_extra(result, mask, extra)
        clock.lap("passes")
        self.seconds = clock.seconds
        self.visible, self.pairs, self.blends = len(order), len(ids), int(blends)
        return result

    def _array(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Working memory that lasts; new pages cost more than the numbers written to them."""
        size = int(np.prod(shape))
        held = self._memory.get(name)
        if held is None or len(held) < size or len(held) > 8 * size + 65536:
            held = self._memory[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)

    def _project(self, frame: Frame, space: str, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        count = sum(len(entry) for entry in frame.objects)
        rows = self._array("rows", (count * stride,), np.float32)
        spans = self._array("spans", (count, kernels.SPAN), np.float32)
        keys = self._array("keys", (count,), np.uint32)
        boxes = self._array("boxes", (count, 4), np.int16)
        camera = frame.camera
        first = 0
        for entry in frame.objects:
            change = kernels.KEEP
            if entry.blend_space != space:
                change = kernels.DECODE if space == "linear" else kernels.ENCODE
            kernels.project(
                entry.centres,
                entry.factors,
                entry.opacity,
                entry.sh,
                _NO_TINT if entry.tint is None else entry.tint,
                entry.turn_weight,
                _single(object_to_camera(entry, camera)[:3]),
                _single(camera_in_object(entry, camera)),
                _single(entry.turn),
                _lens(camera),
                np.array(view_limits(camera), dtype=np.float32),
                np.float32(camera.near),
                np.array(camera.region),
                change,
                np.float32(entry.dilation),
                first,
                stride,
                rows,
                spans,
                keys,
                boxes,
            )
            first += len(entry)
        return rows, spans, keys, boxes

    def _add_features(
        self, frame: Frame, before: Frame | None, after: Frame | None, stride: int, rows: np.ndarray, keys: np.ndarray
    ) -> None:
        first = 0
        for index, entry in enumerate(frame.objects):
            moments = frame, before or frame, after or frame
            entries = [moment.objects[index] for moment in moments]
            view, view_before, view_after = [
                _single(object_to_camera(e, m.camera)[:3]) for e, m in zip(entries, moments, strict=True)
            ]
            lens, lens_before, lens_after = [_lens(moment.camera) for moment in moments]
            kernels.add_features(
                entry.centres,
                entry.normals,
                entry.zone,
                entries[1].centres,
                entries[2].centres,
                view,
                view_before,
                view_after,
                lens,
                lens_before,
                lens_after,
                np.float32(frame.camera.near),
                _single(normal_matrix(entry)),
                _single(camera_in_object(entry, frame.camera)),
                first,
                stride,
                rows,
                keys,
            )
            first += len(entry)


_NO_TINT = np.zeros((3, 0), np.float32)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def _single(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)


def _lens(camera: Camera) -> np.ndarray:
    return np.array([camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]], dtype=np.float32)


def _output(name: str, height: int, width: int, given: np.ndarray | None) -> np.ndarray:
    shape = (height, width, len(PASS_BY_NAME[name].components))
    if given is None:
        return np.empty(shape, np.float32)
    if given.shape != shape or given.dtype != np.float32 or not given.flags.c_contiguous:
        raise ValueError(f"the array for {name} must be contiguous float32 {shape}")
    return given


def _write_extra(result: dict[str, np.ndarray], mask: np.ndarray, extra: np.ndarray) -> None:
    """Sums [H, W, 3 + 4 + zones] → Normal, Vector and the zones' masks."""
    if "Normal" in result:
        length = np.linalg.norm(extra[..., :3], axis=-1, keepdims=True)
        np.multiply(extra[..., :3], mask / np.maximum(length, 1e-12), out=result["Normal"])
    if "Vector" in result:
        np.multiply(extra[..., 3:7], (mask >= ALPHA_MIN) / np.maximum(mask, 1e-12), out=result["Vector"])
    for index, name in enumerate(ZONE_PASSES):
        if name in result:
            result[name][...] = extra[..., 7 + index, None]


@cache
def device() -> str:
    """The processor and how many of its threads are used."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        model = os.environ.get("PROCESSOR_IDENTIFIER", model)
    threads = numba.get_num_threads()
    return f"{model}, {threads} thread{'s' if threads != 1 else ''}"
