"""The way to the engine process, without bpy: start and watch it, ask it things, read its frames.

engine = Engine(log_path)
engine.start([python, "-m", "engine", "serve"], cwd=root)
head = engine.load_head("Name or path").wait(60)["head"]           # in the render thread, `blender -b`, tests
reply = engine.call("frame/render", {...}, timeout_s=120, should_cancel=test_break)
planes = engine.read_frame(reply)                                  # {"Combined": float32 [H, W, 4], ...}, top-down

engine.request("frame/render", {...}, on_done=show, on_error=tell)  # in the window: returns at once,
engine.pump()                                                      # one timer calls back what has arrived
"""

from .supervisor import Engine
from .ticket import EngineError, Ticket

__all__ = ["Engine", "EngineError", "Ticket"]
