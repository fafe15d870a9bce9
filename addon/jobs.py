"""Operators that wait for the engine: modal in a window, with progress and Esc; plain calls in `blender -b`."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator
from typing import Any

import bpy

from ..engine.contract.errors import Cancelled, MienError
from . import session
from .bridge import Ticket

_running: set[str] = set()
_STEP_SECONDS = 0.05
"""How long Blender's own work may hold up the window at a time."""


def running(idname: str) -> bool:
    """Whether a job of that operator (its `bl_idname`) goes on in the window."""
    return idname in _running


def possible(cls: type[bpy.types.Operator], reason: str | None) -> bool:
    """An operator's `poll`: greyed out with the reason, where there is one."""
    if reason:
        cls.poll_message_set(reason)
    return not reason


class EngineJob:
    """Mixin: `begin` sends a request, `finish` does something with its reply. All may raise `MienError`.

    `steps` is Blender's own work before the request, in pieces between which the window lives on; `follow` sends
    another request, given the last reply, until it returns None. `clean_up` removes what `begin` has written for the
    engine: once the requests are over, however they end. In a window, `show_preview` is given what the engine shows of
    its work before it replies; whatever that leaves in the scene is `clean_up`'s to remove.

    Attributes:
        in_window: Whether the window lives on meanwhile, so that somebody may see a preview.
        progress_label: What the status bar says before the engine reports anything.
        seconds: The longest it may take as a plain call.
    """

    progress_label = "Mien"
    seconds = 600.0
    in_window = False
    _seen: dict[str, Any] | None = None
    _ticket: Ticket | None = None
    _timer: bpy.types.Timer | None = None
    _steps: Iterator[tuple[float, str]] | None = None

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[float, str]]:
        return iter(())

    def begin(self, context: bpy.types.Context) -> Ticket:
        raise NotImplementedError

    def follow(self, context: bpy.types.Context, reply: dict[str, Any]) -> Ticket | None:
        return None

    def show_preview(self, context: bpy.types.Context, content: dict[str, Any]) -> None:
        pass

    def finish(self, context: bpy.types.Context, reply: dict[str, Any]) -> set[str]:
        raise NotImplementedError

    def clean_up(self) -> None:
        pass

    def execute(self, context):
        try:
            for _ in self.steps(context):
                pass
            reply = self.begin(context).wait(self.seconds)
            while ticket := self.follow(context, reply):
                reply = ticket.wait(self.seconds)
            return self.finish(context, reply)
        except Exception as error:
            return self._failed(error)
        finally:
            self.clean_up()

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        if running(type(self).bl_idname):
            self.report({"WARNING"}, f"{self.bl_label} is still running; press Esc in the 3D view to stop it.")
            return {"CANCELLED"}
        try:
            self._ticket, self._seen, self._steps = None, None, self.steps(context)
            self.in_window = True
            self._step(context)
        except Exception as error:
            self.clean_up()
            return self._failed(error)
        manager = context.window_manager
        self._timer = manager.event_timer_add(0.1, window=context.window)
        manager.modal_handler_add(self)
        manager.progress_begin(0, 100)
        _running.add(type(self).bl_idname)
        state.start(type(self).bl_idname, self.progress_label)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if (event.type == "ESC" and event.value == "PRESS") or state.stop_wanted(type(self).bl_idname):
            if self._ticket is not None:
                self._ticket.cancel()
            self._end(context)
            self.report({"INFO"}, f"{self.bl_label} was stopped; nothing has changed.")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            fraction, text = self._ticket.progress if self._ticket is not None else self._step(context)
            context.window_manager.progress_update(int(fraction * 100))
            state.tell(type(self).bl_idname, fraction, text or self.progress_label)
            if self._ticket is None or not self._ticket.done:
                self._look(context)
                return {"RUNNING_MODAL"}
            following = self.follow(context, self._ticket.wait(0.0))
            if following is not None:
                self._ticket = following
                return {"RUNNING_MODAL"}
        except Exception as error:
            self._end(context)
            return self._failed(error)
        self._end(context)
        try:
            result = self.finish(context, self._ticket.wait(0.0))
            _show_changes(context)
            return result
        except Exception as error:
            return self._failed(error)

    def _look(self, context) -> None:
        """Show what the engine shows before its reply; should that fail, the job goes on without."""
        content = self._ticket.preview if self._ticket is not None else None
        if content is None or content is self._seen:
            return
        self._seen = content
        try:
            self.show_preview(context, content)
        except Exception as error:
            traceback.print_exception(error)
        _show_changes(context)

    def _step(self, context) -> tuple[float, str]:
        """Some of the steps; after the last, the request."""
        until, told = time.monotonic() + _STEP_SECONDS, (0.0, self.progress_label)
        while time.monotonic() < until:
            try:
                told = next(self._steps)
            except StopIteration:
                self._ticket = self.begin(context)
                break
        return told

    def _failed(self, error: Exception) -> set[str]:
        if isinstance(error, Cancelled):
            pass
        elif isinstance(error, MienError):
            self.report({"ERROR"}, str(error))
        elif isinstance(error, OSError) and error.filename:
            what, where = error.strerror or str(error), os.fspath(error.filename)
            self.report({"ERROR"}, f"{self.bl_label} failed: {what} ({where}); see to that place and try again.")
        else:
            traceback.print_exception(error)
            self.report({"ERROR"}, f"{self.bl_label} failed: {error}. The console has the details.")
        return {"CANCELLED"}

    def cancel(self, context):
        """Blender is closing or loading another file."""
        if self._ticket is not None:
            self._ticket.cancel()
        self._end(context)

    def _end(self, context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.window_manager.progress_end()
            self._timer = None
        _running.discard(type(self).bl_idname)
        state.end(type(self).bl_idname)
        self.clean_up()


def _show_changes(context) -> None:
    """A timer's event makes Blender neither evaluate nor draw what changed."""
    context.view_layer.update()
    for area in context.screen.areas:
        area.tag_redraw()


class _State:
    """Progress of the running jobs, for panels."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, str]] = {}
        self._stop: set[str] = set()

    def start(self, idname: str, label: str) -> None:
        self._told[idname] = (0.0, label)
        self._stop.discard(idname)

    def tell(self, idname: str, fraction: float, text: str) -> None:
        if self._told.get(idname) != (fraction, text):
            self._told[idname] = (fraction, text)
            session.redraw(("UI",))

    def end(self, idname: str) -> None:
        self._told.pop(idname, None)
        self._stop.discard(idname)
        session.redraw(("UI",))

    def progress(self, idname: str) -> tuple[float, str] | None:
        return self._told.get(idname)

    def stop(self, idname: str) -> None:
        self._stop.add(idname)

    def stop_wanted(self, idname: str) -> bool:
        return idname in self._stop


state = _State()


class MIEN_OT_stop_job(bpy.types.Operator):
    """Stop this; nothing will have changed"""

    bl_idname = "mien.stop_job"
    bl_label = "Stop"
    bl_options = {"INTERNAL"}

    job: bpy.props.StringProperty(options={"HIDDEN"})

    def execute(self, context):
        state.stop(self.job)
        return {"FINISHED"}


def register() -> None:
    bpy.utils.register_class(MIEN_OT_stop_job)


def unregister() -> None:
    bpy.utils.unregister_class(MIEN_OT_stop_job)
