"""Install, restart and inspect the engine."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

from .. import jobs, session
from .installer import Installer

_LOG = "install.log"
_LINES = 400

current: Installer | None = None


def requirements() -> list[Path]:
    """The engine's packages; then those for speaking typed lines, without which everything else works."""
    return [session.REQUIREMENTS, session.REQUIREMENTS.with_name("requirements-voice.txt")]


def _first_picture() -> tuple[list[str], Path, dict[str, str]]:
    """A tiny picture with every pass: it compiles the renderer, which takes some ten seconds once."""
    pictures = str(session.folder("first-picture"))
    wanted = ["--set", "AU26 Jaw Drop=0.1", "--size", "64x64", "--passes", "all", "--out", pictures]
    command = ["-m", "engine", "render", "--head", session.DEFAULT_HEAD, *wanted]
    return command, session.ROOT, session.engine_environment()


class MIEN_OT_install_engine(bpy.types.Operator):
    """Download the engine's packages into a folder of Mien's own. Blender's Python stays as it is"""

    bl_idname = "mien.install_engine"
    bl_label = "Install Engine"
    _timer = None

    @classmethod
    def poll(cls, context):
        if not bpy.app.online_access:
            cls.poll_message_set("Allow online access in Preferences › System first")
            return False
        if current is not None and not current.finished:
            cls.poll_message_set("The engine is being installed")
            return False
        return True

    def _begin(self) -> Installer:
        global current
        session.stop()
        wanted = [path for path in requirements() if path.is_file()]
        log = session.folder("log") / _LOG
        current = Installer(Path(sys.executable), session.installed_folder(), wanted, log, _first_picture())
        current.start()
        return current

    def execute(self, context):
        installer = self._begin()
        while not installer.wait(0.5):
            print(f"Mien: {installer.fraction:4.0%} {installer.message}", flush=True)
        return self._conclude(installer)

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        self._begin()
        self._timer = context.window_manager.event_timer_add(0.2, window=context.window)
        context.window_manager.modal_handler_add(self)
        jobs.state.start(type(self).bl_idname, "Installing the engine")
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if jobs.state.stop_wanted(type(self).bl_idname):
            current.cancel()
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        jobs.state.tell(type(self).bl_idname, current.fraction, current.message)
        if not current.finished:
            return {"PASS_THROUGH"}
        self._end(context)
        return self._conclude(current)

    def cancel(self, context):
        if current is not None:
            current.cancel()
        self._end(context)

    def _end(self, context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        jobs.state.end(type(self).bl_idname)

    def _conclude(self, installer: Installer) -> set[str]:
        if installer.cancelled:
            self.report({"INFO"}, "The installation was stopped; what it had fetched is removed")
            return {"CANCELLED"}
        if installer.error:
            self.report({"ERROR"}, installer.error)
            return {"CANCELLED"}
        for note in installer.notes:
            self.report({"WARNING"}, f"The engine works, but something is missing: {note}")
        self.report({"INFO"}, "The engine is installed")
        _start_afresh()
        return {"FINISHED"}


def _start_afresh() -> None:
    from ..head import display
    from ..render import viewport

    viewport.forget_failures()
    display.update()
    if not bpy.app.background:
        session.running()


class MIEN_OT_restart_engine(bpy.types.Operator):
    """Stop the engine and start it again; heads are loaded again by themselves"""

    bl_idname = "mien.restart_engine"
    bl_label = "Restart Engine"

    @classmethod
    def poll(cls, context):
        if session.missing_reason():
            cls.poll_message_set("The engine is not installed")
            return False
        return True

    def execute(self, context):
        session.restart()
        _start_afresh()
        return {"FINISHED"}


class MIEN_OT_show_log(bpy.types.Operator):
    """Open the engine's log in a text editor"""

    bl_idname = "mien.show_log"
    bl_label = "Show Log"

    def execute(self, context):
        parts = []
        for name in (_LOG, "engine.log"):
            path = session.folder("log") / name
            if path.is_file():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
                parts.append(f"{path}\n\n" + "\n".join(lines[-_LINES:]))
        text = bpy.data.texts.get("Mien Log") or bpy.data.texts.new("Mien Log")
        text.from_string("\n\n\n".join(parts) or "There is no log yet: the engine has not run.")
        if bpy.app.background:
            return {"FINISHED"}
        bpy.ops.screen.area_dupli("INVOKE_DEFAULT")
        area = context.window_manager.windows[-1].screen.areas[0]
        area.type = "TEXT_EDITOR"
        area.spaces.active.text = text
        return {"FINISHED"}


CLASSES = (MIEN_OT_install_engine, MIEN_OT_restart_engine, MIEN_OT_show_log)
register, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def unregister() -> None:
    if current is not None:
        current.cancel()
    _unregister_classes()
