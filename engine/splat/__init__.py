"""Splats: Gaussians + camera → render passes. `interface` has the types; a backend a file: `cpu`, `cuda`.

frame = Frame([deformer(values, matrix), …], Camera(world_to_camera, K, width, height))
backend = splat.open_backend("auto")           # "cpu", "cuda", or the best there is; .name, .device, .note
passes = backend.render(frame, ["Combined", "Depth"], before, after)     # {name: float32 [H, W, C], rows top-down}
splat.backends()                               # [{"name", "available", "device" or "reason"}, …] for `hello`
"""
