"""`engine bench`: how fast this machine renders, stage by stage, beside the bars and what the work needs at least; and
the figures of channels and speech, which `engine evaluate speech --data FOLDER` gives for recordings too.

The least is what each stage's bytes and floating-point operations would take at this machine's own bandwidth and peak,
both measured here with all threads: counted from the sizes of the arrays and the loops in `kernels` and `blend`, as if
nothing stayed in a cache between stages and nothing were fetched twice within one.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numba
import numpy as np

from . import splat
from .contract import channels
from .contract.passes import PASS_BY_NAME
from .evaluate import speech
from .heads import format, library
from .heads.deform import Deformer
from .render import view
from .splat import blend, cpu, kernels
from .splat.interface import Camera, Frame
from .splat.threads import one_at_a_time

BARS = {(60_000, 512): 32.0, (60_000, 1024): 70.0}
"""Milliseconds a frame on two cores, deformation included."""
CUDA_BAR = 300.0
"""1080p frames a second on one H100."""
STAGES = ("deform", "project", "sort", "bin", "composite")
PASSES = ("Combined", "Depth")
_EXPRESSION = {
    "AU26 Jaw Drop": 0.4, "AU12 Lip Corner Puller.L": 0.7, "AU12 Lip Corner Puller.R": 0.6, "AU45 Blink.L": 0.3,
    "AU01 Inner Brow Raiser.L": 0.5, "Gaze Horizontal": 0.3, "Head Yaw": 0.2, "Valence": 0.3,
}  # fmt: skip


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("bench", help="measure rendering, channels and speech beside their bars")
    parser.add_argument("--head", metavar="NAME|FILE", help="a head other than the library's first")
    parser.add_argument("--runs", type=int, default=15, metavar="N", help="frames measured for a row (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="only 60,000 Gaussians at 512, and no speech")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    head = format.load(library.find(args.head or library.library()[0][0]))
    runs = max(args.runs, 10)
    machine = Machine.measure()
    print(f"Head {head.name}, {head.gaussian_count:,} Gaussians. CPU: {cpu.device()}")
    print(f"Bandwidth {machine.bandwidth / 1e9:.1f} GB/s, peak {machine.flops / 1e9:.0f} Gflop/s, measured here.\n")
    print(_load())
    print(f"CPU, milliseconds a frame: medians of {runs}; lowest of the totals")
    columns = [*STAGES, "total", "lowest", "bar", "MB", "Mflop", "least", "× least"]
    print(f"{'Gaussians':>10} {'size':>6}" + "".join(f"{name:>10}" for name in columns))
    for count in (60_000,) if args.quick else (60_000, 200_000):
        sized = head if abs(head.gaussian_count - count) < 0.1 * count else resized(head, count)
        deformer = Deformer(sized)
        for size in (512,) if args.quick else (512, 1024):
            print(_cpu_row(deformer, view(sized, 0.0, size, size), runs, BARS.get((count, size)), machine))
    print()
    for line in _agreement(head):
        print(line)
    print()
    for line in _cuda(head, runs):
        print(line)
    print()
    print(_channels())
    if not args.quick:
        speech.show(speech.report())
    return 0


def _channels() -> str:
    """ARKit's 52 shapes to channels and back, on random values."""
    shapes = np.random.default_rng(0).random((10_000, len(channels.ARKIT_52)))
    error = np.abs(channels.to_arkit(channels.from_arkit(shapes)) - shapes).max()
    verdict = "ok" if error <= 1e-6 else "MISSED"
    return f"ARKit 52 → channels → ARKit 52: greatest error {error:.1e}  [≤ 1e-6]  {verdict}"


def _load() -> str:
    """A warning where other programs take time that the figures then count as ours."""
    load, cores = (os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0), os.cpu_count() or 1
    busy = f"The machine is busy (load {load:.1f} on {cores} cores), so the times below are too high.\n"
    return busy if load > 0.5 * cores else ""


def resized(head: format.Head, count: int) -> format.Head:
    """The head with about `count` Gaussians: each repeated with an offset, and smaller, to cover the same surface."""
    times = max(1, round(count / head.gaussian_count))
    random = np.random.default_rng(0)
    head = format.select(head, np.repeat(np.arange(head.gaussian_count), times))
    arrays = dict(head.arrays)
    offset = random.normal(size=arrays["gaussians.position"].shape) * 5e-4
    arrays["gaussians.position"] = (arrays["gaussians.position"] + offset).astype(head["gaussians.position"].dtype)
    smaller = arrays["gaussians.log_scale"] - 0.5 * np.log(times)
    arrays["gaussians.log_scale"] = np.maximum(smaller, -20.0).astype(head["gaussians.log_scale"].dtype)
    return dataclasses.replace(head, arrays=arrays)


# The CPU --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Machine:
    """Bytes and floating-point operations a second, all threads together."""

    bandwidth: float
    flops: float

    @classmethod
    def measure(cls) -> Machine:
        source = np.ones(1 << 24, np.float32)
        target = np.zeros_like(source)
        values = np.linspace(0.0, 0.5, numba.get_num_threads() * 2048).astype(np.float32)
        with one_at_a_time():
            copying = _fastest(lambda: _copy(source, target))
            computing = _fastest(lambda: _multiply_add(values, 20_000))
        return cls(2.0 * source.nbytes / copying, values.size * 32.0 * 20_000 / computing)

    def least(self, bytes: float, flops: float) -> float:
        """Seconds."""
        return max(bytes / self.bandwidth, flops / self.flops)


@numba.njit(parallel=True, fastmath=True, cache=True)
def _copy(source, target):  # pragma: no cover - compiled
    for i in numba.prange(len(source)):
        target[i] = source[i]


@numba.njit(parallel=True, fastmath=True, cache=True)
def _multiply_add(values, times):  # pragma: no cover - compiled
    """16 fused multiply-adds a value and time, on values that stay in the first-level cache."""
    for part in numba.prange(len(values) // 2048):
        mine = values[part * 2048 : (part + 1) * 2048]
        for _ in range(times):
            for i in range(2048):
                x = mine[i]
                y = x
                for _ in range(16):
                    y = y * x + np.float32(0.25)
                mine[i] = y * np.float32(0.5)


def _fastest(work: Callable[[], object], runs: int = 4) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _cpu_row(deformer: Deformer, camera: Camera, runs: int, bar: float | None, machine: Machine) -> str:
    backend = cpu.CpuBackend()
    values = channels.from_mapping(_EXPRESSION)
    times, planes = [], {}
    for _ in range(runs + 2):
        start = time.perf_counter()
        gaussians = deformer(values)
        deformed = time.perf_counter() - start
        planes = backend.render(Frame([gaussians], camera), PASSES, out=planes)
        stages = {"deform": deformed, **backend.seconds}
        times.append([*(stages[name] for name in STAGES), time.perf_counter() - start])
    stages = np.median(times[2:], axis=0) * 1e3
    lowest = min(row[-1] for row in times[2:]) * 1e3
    work = needed(deformer, values, backend, camera)
    least = sum(machine.least(*work[name]) for name in STAGES) * 1e3
    megabytes, megaflops = (sum(work[name][k] for name in STAGES) / 1e6 for k in (0, 1))
    figures = "".join(f"{figure:10.2f}" for figure in (*stages, lowest))
    limit = f"{bar:10.0f}" if bar else f"{'–':>10}"
    tail = f"{limit}{megabytes:10.1f}{megaflops:10.0f}{least:10.2f}{stages[-1] / least:10.1f}"
    return f"{deformer.head.gaussian_count:>10,} {camera.width:>6}{figures}{tail}"


def needed(
    deformer: Deformer, values: np.ndarray, backend: cpu.CpuBackend, camera: Camera
) -> dict[str, tuple[float, float]]:
    """(bytes, flops) that each stage needs at least for the last frame; see the module's docstring."""
    head = deformer.head
    count, vertices = head.gaussian_count, len(head["mesh.vertices"])
    active = np.count_nonzero(deformer.weights(values))
    moved = len(head["units.vertex_ids"])
    coefficients = (head.sh_degree + 1) ** 2 * 3
    row = 4 * blend.row_size(kernels.COLOUR_FEATURES)
    pixels = camera.width * camera.height
    blends = backend.blends
    changes = deformer.changes(values)
    return {
        # Deltas once, vertices in and out; a Gaussian's corners, place and factor in, centre, factor and normal out.
        # A change of the appearance: its ten numbers and its Gaussian's place in.
        "deform": (12.0 * (active * moved + 2 * vertices) + 4.0 * count * (6 + 9 + 3 + 9 + 1 + 15) + 44.0 * changes,
                   active * moved * 6.0 + 40.0 * vertices + 150.0 * count + 20.0 * changes),
        # Centre, factor, opacity, colours in; row, span, key and box out.
        "project": (count * (4.0 * (3 + 9 + 2 + coefficients) + row + 44), count * (160.0 + 2 * coefficients)),
        "sort": (count * 8.0 * 4, 0.0),
        "bin": (count * 16.0 + backend.pairs * 4.0, 0.0),
        # 33 operations a lane and Gaussian; finding the blocks 15 a block line; decoding 90 a pixel.
        "composite": (backend.pairs * (4.0 + 32) + backend.visible * row + pixels * 20.0, blends * blend.LANES * 33.0
                      + backend.pairs * 8 * 30.0 + pixels * 90.0),
    }  # fmt: skip


# Agreement ------------------------------------------------------------------------------------------------------------


def _reference() -> ModuleType | None:
    """tests/splat_reference.py where the source tree is at hand."""
    path = Path(__file__).parent.parent / "tests" / "splat_reference.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("mien_splat_reference", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _agreement(head: format.Head) -> list[str]:
    reference = _reference()
    if reference is None:
        return ["Agreement: not measured: the float64 reference is in the source tree's tests only."]
    size = 48
    chosen = np.random.default_rng(0).permutation(head.gaussian_count)[:6000]
    deformer = Deformer(format.select(head, np.sort(chosen)))
    camera = view(head, 30.0, size, size)
    pose = channels.from_mapping(_EXPRESSION)
    frame, before = (Frame([deformer(values)], camera) for values in (pose, 0.8 * pose))
    wanted = reference.render(frame, before, None)
    clear = np.abs(wanted["Mask"] - 1 / 255) > 1e-4
    lines = [f"Agreement with the float64 reference, {len(chosen):,} Gaussians at {size} × {size}, every pass:"]
    for entry in splat.backends():
        if not entry["available"]:
            lines.append(f"  {entry['name']}: not measured: {entry['reason']}")
            continue
        found = splat.open_backend(str(entry["name"])).render(frame, list(PASS_BY_NAME), before, None)
        errors = {name: np.abs(found[name] - wanted[name]) * clear for name in found}
        worst = max(errors, key=lambda name: errors[name].max())
        lowest = min(errors, key=lambda name: _psnr(errors[name]))
        lines.append(
            f"  {entry['name']}: lowest PSNR {_psnr(errors[lowest]):.0f} dB ({lowest}; bar 50), greatest error "
            f"{errors[worst].max() * 255:.3f}/255 ({worst}; bar 2)"
        )
    return lines


def _psnr(error: np.ndarray) -> float:
    return float(10 * np.log10(1 / max(np.mean(error**2), 1e-20)))


# CUDA -----------------------------------------------------------------------------------------------------------------


def _cuda(head: format.Head, runs: int) -> list[str]:
    from .splat import cuda

    lines = [f"CUDA, 1920 × 1080, Combined and Depth (bar: {CUDA_BAR:.0f} frames a second on one H100):"]
    reason = cuda.unavailable()
    if reason:
        return [*lines, f"  not measured: {reason}"]
    backend = splat.open_backend("cuda")
    if not isinstance(backend, cuda.CudaBackend):
        return [*lines, f"  not measured: {backend.note}"]
    deformer, camera = Deformer(head), view(head, 0.0, 1920, 1080)
    values = channels.from_mapping(_EXPRESSION)
    gaussians = deformer(values)
    rows = {
        "drawn, kept on the GPU": lambda: backend.draw(Frame([gaussians], camera), PASSES),
        "drawn and copied to memory": lambda: backend.render(Frame([gaussians], camera), PASSES),
        "deformed, drawn and copied": lambda: backend.render(Frame([deformer(values)], camera), PASSES),
    }
    for name, work in rows.items():
        times = []
        for _ in range(max(runs, 30) + 5):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        median = float(np.median(times[5:]))
        lines.append(f"  {name:<28}{median * 1e3:8.2f} ms{1 / median:8.0f} frames a second, {backend.device}")
    return lines
