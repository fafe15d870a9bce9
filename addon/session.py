"""The one engine of this Blender: where its Python is, starting it on demand, its timer, the heads it has loaded."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import Any

import bpy

from ..engine.contract.errors import MienError
from .bridge import Engine
from .setup import installer

#: The extension's package, under which Blender keeps its preferences and its folder.
PACKAGE = __package__.rpartition(".")[0]
ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "engine" / "requirements.txt"
PYTHON_VARIABLE = "MIEN_ENGINE_PYTHON"
DEFAULT_HEAD = "Ada"
LOAD_SECONDS = 180.0
_PUMP_SECONDS = 0.02
_SAY_AGAIN_SECONDS = 60.0

_engine: Engine | None = None
_last_status = ""
_to_say: deque[str] = deque(maxlen=4)
_said: dict[str, float] = {}


def folder(*parts: str) -> Path:
    """A folder of Mien's own in the artist's Blender profile; made if need be."""
    return Path(bpy.utils.extension_path_user(PACKAGE, path=os.path.join(*parts) if parts else "", create=True))


def preferences() -> Any:
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None


def installed_folder() -> Path:
    """The environment that Install Engine makes, whether it is there or not."""
    return folder() / "engine"


def installed_python() -> Path:
    return installer.environment_python(installed_folder())


def python() -> Path | None:
    """The engine's interpreter: by environment variable, preference or installation; None where it isn't there."""
    chosen = preferences()
    for candidate in (os.environ.get(PYTHON_VARIABLE), chosen.engine_python if chosen else "", installed_python()):
        if candidate:
            found = Path(bpy.path.abspath(str(candidate)))
            if candidate == installed_python() and installer.stamp(installed_folder()) is None:
                return None  # an installation that was cut off
            return found if found.is_file() else None
    return None


def outdated() -> bool:
    """Whether Install Engine's environment is in use and was made for another version of Mien."""
    return python() == installed_python() and installer.stamp(installed_folder()) != installer.fingerprint(REQUIREMENTS)


def missing_reason() -> str | None:
    """Why the engine can't be started, as a sentence; None where it can."""
    if python():
        return None
    if os.environ.get(PYTHON_VARIABLE):
        return f"{PYTHON_VARIABLE} names {os.environ[PYTHON_VARIABLE]}, which is not a file."
    chosen = preferences()
    if chosen and chosen.engine_python:
        return f"The preference Engine Python names {chosen.engine_python}, which is not a file."
    return "The engine is not installed yet."


def engine() -> Engine:
    """The engine, not necessarily running."""
    global _engine
    if _engine is None:
        _engine = Engine(folder("log") / "engine.log")
    return _engine


def engine_environment() -> dict[str, str]:
    """Compiled code is kept outside the extension, so that an update of it doesn't start from nothing."""
    return {"NUMBA_CACHE_DIR": str(folder("compiled"))}


def running() -> Engine:
    """The engine, started if need be; returns at once, before it is ready.

    Raises:
        MienError: It isn't installed.
    """
    reason = missing_reason()
    if reason:
        raise MienError(reason + " Press Install Engine in the Mien tab of the 3D view's sidebar.")
    it = engine()
    if it.state in ("stopped",):
        it.start([str(python()), "-m", "engine", "serve"], cwd=ROOT, env=engine_environment())
    _start_pump()
    return it


def _start_pump() -> None:
    if not bpy.app.background and not bpy.app.timers.is_registered(_pump):
        bpy.app.timers.register(_pump, first_interval=_PUMP_SECONDS, persistent=True)


def say(sentence: str) -> None:
    """Tell the artist in the window what Blender itself reports nowhere. From any thread; not again for a minute, since
    every frame of an animation may say it."""
    if time.monotonic() - _said.get(sentence, -_SAY_AGAIN_SECONDS) >= _SAY_AGAIN_SECONDS:
        _said[sentence] = time.monotonic()
        _to_say.append(sentence)
        _start_pump()


def _pop_up() -> None:
    manager = bpy.context.window_manager
    if _to_say and manager is not None and manager.windows:
        sentence = _to_say.popleft()
        with bpy.context.temp_override(window=manager.windows[0]):
            manager.popup_menu(lambda menu, _: menu.layout.label(text=sentence), title="Mien", icon="ERROR")


def restart() -> None:
    """Stop the engine, whatever it is doing, and start it again."""
    if _engine is not None:
        _engine.stop(2.0)
    running()


def stop() -> None:
    global _engine
    if bpy.app.timers.is_registered(_pump):
        bpy.app.timers.unregister(_pump)
    if _engine is not None:
        _engine.stop(2.0)
        _engine = None


def status() -> tuple[str, str]:
    """(state, sentence) for the panel: the engine's states, or "missing"."""
    reason = missing_reason()
    if reason and (_engine is None or _engine.state in ("stopped", "failed")):
        return "missing", reason
    if _engine is None:
        return "stopped", "The engine starts when it is needed."
    return _engine.state, _engine.status


def capabilities() -> dict[str, Any]:
    """What the engine said it can do; empty until it was ready once."""
    return (_engine.capabilities or {}) if _engine is not None else {}


def head_argument(head: str) -> str:
    """A head's name, or its file's absolute path where it is one (`//` is the .blend file's folder)."""
    if head.endswith(".mien") or head.startswith("//") or os.sep in head:
        return os.path.abspath(bpy.path.abspath(head))
    return head


def head_id(head: str, should_cancel=None) -> str:
    """Load a head if need be and return the id under which frames are asked for. Blocks; for renders.

    Raises:
        MienError, Cancelled: As `Ticket.wait`.
    """
    ticket = running().load_head(head_argument(head), deadline_s=LOAD_SECONDS)
    return ticket.wait(LOAD_SECONDS, should_cancel)["head"]


def _pump() -> float:
    global _last_status
    _pop_up()
    if _engine is not None:
        _engine.pump()
        if _engine.status != _last_status:
            _last_status = _engine.status
            redraw()
    return _PUMP_SECONDS


def redraw(region_types: tuple[str, ...] = ("UI", "WINDOW")) -> None:
    """Ask every 3D view to draw itself again."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type in region_types:
                        region.tag_redraw()
