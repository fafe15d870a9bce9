"""Splats: Gaussians + camera → render passes. `interface` has the types; a backend a file: `cpu`, `cuda`.

frame = Frame([deformer(values, matrix), …], Camera(world_to_camera, K, width, height))
backend = splat.open_backend("auto")           # or "cpu", "cuda"; has .name, .device, .note
passes = backend.render(frame, ["Combined", "Depth"], before, after)     # {name: float32 [H, W, C], rows top-down}
splat.backends()                               # [{"name", "available", "device" or "reason"}, …] for `hello`
"""

from __future__ import annotations

from .interface import Backend

NAMES = ("cuda", "cpu")
"""Fastest first."""


def backends() -> list[dict[str, object]]:
    """What can render here, fastest first: name, available, and device, or reason why not."""
    from . import cpu, cuda

    reason = cuda.unavailable()
    fast: dict[str, object] = {"name": "cuda", "available": not reason}
    fast["reason" if reason else "device"] = reason or cuda.device()
    return [fast, {"name": "cpu", "available": True, "device": cpu.device()}]


def open_backend(name: str = "auto") -> Backend:
    """A backend by name; "auto" is the fastest that runs here.

    Where CUDA does not run, the CPU backend comes back in its place, and its `note` says why.

    Raises:
        MienError: There is no backend of that name.
    """
    from ..contract.errors import MienError
    from . import cpu, cuda

    if name not in ("auto", *NAMES):
        raise MienError(f"There is no backend {name!r}; choose auto, cuda or cpu.")
    backend = cpu.CpuBackend()
    if name == "cpu":
        return backend
    reason = cuda.unavailable()
    if not reason:
        try:
            return cuda.CudaBackend()
        except Exception as error:  # a build or driver that fails does so in many ways; the CPU always renders
            reason = (
                f"CUDA could not be started ({str(error).strip().splitlines()[0][:200] if str(error) else error!r})"
            )
    backend.note = f"{reason}; rendering on the CPU"
    return backend
