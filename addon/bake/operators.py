"""Bake Gaussian Head: choose the character, look at it, bake it, fit it. The work itself is done by child processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ...engine.contract.errors import Cancelled, MienError
from .. import jobs, session
from ..bridge.log import Log
from ..head import library
from . import matching
from .settings import RENDERED, MienBake, choose, objects
from .task import Task

BAKE, FIT = "mien.bake", "mien.bake_fit"
_PREFIX = "MIEN "
_NAMES = {"CYCLES": "Cycles", "EEVEE": "EEVEE"}
_PUMP_SECONDS = 0.2
_FIT_LINE = re.compile(r"step (\d+)/(\d+)\b.*?([\d.]+) min left")
#: quality → arguments of the fit.
_FITS = {
    "DRAFT": ["--gaussians", "40000", "--steps", "1200"],
    "GOOD": ["--gaussians", "60000", "--steps", "3000"],
    "BEST": ["--gaussians", "90000", "--steps", "5000"],
}

_tasks: dict[str, tuple[Task, Callable[[Task], None]]] = {}
#: What a check found, for the dialog that follows it.
found: dict[str, Any] = {}
last: dict[str, str] = {}
"""What the last bake or fit ended with, by its operator: a sentence for the panel."""


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def running(job: str) -> bool:
    return job in _tasks


def _start(job: str, task: Task, then: Callable[[Task], None]) -> None:
    """Watch a task by a timer; `then` is called with it at its end. It survives the loading of another file."""
    _tasks[job] = task, then
    last.pop(job, None)
    jobs.state.start(job, task.progress[1])
    if not bpy.app.timers.is_registered(_pump):
        bpy.app.timers.register(_pump, first_interval=_PUMP_SECONDS, persistent=True)


def _pump() -> float | None:
    for job, (task, then) in list(_tasks.items()):
        if jobs.state.stop_wanted(job):
            task.cancel()
        if not task.done:
            jobs.state.tell(job, *(task.progress if not task.cancelled else (task.progress[0], "Stopping")))
            continue
        del _tasks[job]
        jobs.state.end(job)
        try:
            then(task)
        except Exception as error:
            traceback.print_exc()
            _say(job, f"It failed: {error}. The console has the details.", "ERROR")
    return _PUMP_SECONDS if _tasks else None


def _say(job: str, sentence: str, level: str = "INFO") -> None:
    """Tell the artist, from a timer: in the panel, and by a report."""
    last[job] = sentence
    session.redraw(("UI",))
    window = _window()
    if window is not None:
        with bpy.context.temp_override(**window):
            bpy.ops.mien.bake_tell("INVOKE_DEFAULT", level=level, sentence=sentence)


def _window() -> dict[str, Any] | None:
    """The context of a 3D view for operators that are called from a timer."""
    if bpy.app.background:
        return None
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                region = next(region for region in area.regions if region.type == "WINDOW")
                return {"window": window, "area": area, "region": region}
    return None


class MIEN_OT_bake_tell(bpy.types.Operator):
    """Report how a bake or a fit ended"""

    bl_idname = "mien.bake_tell"
    bl_label = "Bake Gaussian Head"
    bl_options = {"INTERNAL"}

    level: bpy.props.StringProperty()
    sentence: bpy.props.StringProperty()

    def execute(self, context):
        self.report({self.level}, self.sentence)
        return {"FINISHED"}


# ── what is baked ────────────────────────────────────────────────────────────────────────────────────────────────────


def dataset_folder(settings: MienBake) -> Path:
    """The head's folder.

    Raises:
        MienError: It is relative to a file that was never saved.
    """
    if settings.folder.startswith("//") and not bpy.data.filepath:
        raise MienError("The folder is relative to this file, which was never saved; save it or choose a folder.")
    return Path(os.path.abspath(bpy.path.abspath(settings.folder))) / _file_name(settings.name)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w. -]", "_", name).strip(" .")[:80] or "Head"


def complaint(scene: bpy.types.Scene) -> str | None:
    """Why the chosen character can't be baked, as a sentence; None where it can."""
    settings = scene.mien_bake
    chosen = objects(settings)
    if not chosen:
        return (
            "No objects are chosen; select the character's face, eyes, teeth and hair and press Use Selected Objects."
        )
    for obj in chosen:
        linked = obj.library or (obj.data.library if obj.data is not None else None)
        if linked is not None:
            return (
                f"{obj.name} is linked from {bpy.path.basename(linked.filepath)}; bake in that file, or make it local "
                "(Object › Relations › Make Local › Selected Objects and Data)."
            )
        if scene not in obj.users_scene:
            return f"{obj.name} is not in this scene; choose the character's objects again."
        if obj.hide_render:
            return (
                f"{obj.name} is hidden from renders; switch on its camera icon in the Outliner, or choose without it."
            )
    if not any(obj.type == "MESH" and len(obj.data.vertices) for obj in chosen):
        return f"{chosen[0].name} has no mesh; choose the object with the face."
    table = matching.match_objects(chosen)
    if len(table.units) < matching.MINIMUM_UNITS:
        return matching.few_sentence(table)
    return None


def _folder_complaint(folder: Path) -> str | None:
    if (folder / "dataset.json").is_file() and not (folder / "bake.json").is_file():
        return f"{folder} holds a dataset that was not baked here; choose another folder or name."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
    except OSError as error:
        return f"{folder} can't be written ({error.strerror or error}); choose another folder."
    return None


def _job(context: bpy.types.Context, stage: str, start_over: bool) -> dict[str, Any]:
    """What the baking Blender has to know.

    Raises:
        MienError: Something is missing.
    """
    scene = context.scene
    settings = scene.mien_bake
    reason = complaint(scene)
    if reason:
        raise MienError(reason)
    folder = dataset_folder(settings)
    reason = _folder_complaint(folder)
    if reason:
        raise MienError(reason)
    parts: dict[bpy.types.Object, dict[int, str]] = {}
    for entry in settings.parts:
        if entry.object is not None:
            parts.setdefault(entry.object, {})[entry.slot] = entry.part
    empties = {"left": settings.eye_left, "right": settings.eye_right}
    placed = {side: list(obj.matrix_world.translation) for side, obj in empties.items() if obj is not None}
    file = bpy.path.basename(bpy.data.filepath) or "an unsaved file"
    source = f"Baked in Blender {bpy.app.version_string} with {_NAMES[settings.engine]} from {file}."
    return {
        "stage": stage, "scene": scene.name, "frame": scene.frame_current, "trust": not bpy.app.autoexec_fail,
        "objects": [
            {"name": obj.name, "parts": [by.get(slot, "skin") for slot in range(max(by) + 1)]}
            for obj, by in parts.items()
        ],
        "eyes": placed if len(placed) == 2 else {}, "folder": str(folder), "start_over": start_over,
        "name": settings.name or "Head", "author": settings.author, "licence": settings.licence, "source": source,
        "facing": settings.facing, "life_size": settings.life_size, "triangles": settings.triangles,
        "quality": settings.quality, "size": settings.size, "samples": settings.samples, "engine": settings.engine,
        "denoise": settings.denoise, "lighting": settings.lighting,
    }  # fmt: skip


def _launch(job: dict[str, Any]) -> tuple[Task, Callable[[], None]]:
    """Save a copy of the file and bake it in a Blender of its own; (task, what to call at its end).

    Raises:
        MienError: The copy can't be saved, or Blender can't be started.
    """
    scratch = Path(tempfile.mkdtemp(prefix="mien-bake-"))

    def tidy() -> None:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(job["folder"])  # only if nothing was written

    try:
        job["blend"] = str(scratch / "character.blend")
        bpy.ops.wm.save_as_mainfile(filepath=job["blend"], copy=True, check_existing=False, relative_remap=True)
        path = scratch / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        script = str(Path(__file__).with_name("__main__.py"))
        # As a Python module, Blender has no program of its own; then Python is.
        program = [bpy.app.binary_path, "-b", "--python-exit-code", "1", "--python"] if bpy.app.binary_path else []
        command = [*(program or [sys.executable]), script, "--", str(path)]
        hint = "EEVEE needs a graphics card, choose Cycles without one" if job["engine"] == "EEVEE" else ""
        log = Log(session.folder("log") / "bake.log")
        return Task(command, log, _hear_bake, "Bake Gaussian Head", hint=hint), tidy
    except (RuntimeError, OSError) as error:
        tidy()
        raise MienError(f"A copy of the file can't be saved in {scratch.parent}: {error}") from None
    except MienError:
        tidy()
        raise


def _hear_bake(line: str) -> dict[str, Any] | None:
    if not line.startswith(_PREFIX):
        return None
    try:
        return json.loads(line[len(_PREFIX) :])
    except ValueError:
        return None


def _unsaved_images() -> str:
    names = [
        image.name for image in bpy.data.images if image.is_dirty and image.users and image.type != "RENDER_RESULT"
    ]
    if not names:
        return ""
    return f"Unsaved changes of {', '.join(names[:4])} will not be seen; save the image{'s' * (len(names) > 1)} first."


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────────────


class MIEN_OT_bake_choose(bpy.types.Operator):
    """Make the selected objects the character: body, eyes, teeth, hair. Parts are guessed from their names"""

    bl_idname = "mien.bake_choose"
    bl_label = "Use Selected Objects"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        if not any(obj.type in RENDERED for obj in context.selected_objects):
            cls.poll_message_set("Select the character's objects first")
            return False
        return True

    def execute(self, context):
        chosen = [obj for obj in context.selected_objects if obj.type in RENDERED]
        # The face first: its name is the head's.
        chosen.sort(key=lambda obj: -len(matching.keys_of([obj]).get(obj.name, ())))
        choose(context.scene.mien_bake, chosen)
        return {"FINISHED"}


class MIEN_OT_bake(bpy.types.Operator):
    """Looks at the character, asks, and bakes; in scripts and `blender -b` it bakes at once and waits."""

    bl_idname = BAKE
    bl_label = "Bake Gaussian Head"
    bl_description = (
        "Photograph the chosen character from all around with its expressions, for a Gaussian head; how long that "
        "takes is tried first. Works on a copy of this file in a Blender of its own"
    )

    start_over: bpy.props.BoolProperty(
        name="Start Over", description="Take every picture anew, also those that fit", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context):
        if running(BAKE):
            cls.poll_message_set("A bake is running; Esc in the 3D view stops it")
            return False
        return True

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        try:
            task, tidy = _launch(_job(context, "check", self.start_over))
        except MienError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        scene = context.scene.name

        def then(ended: Task) -> None:
            tidy()
            result = _outcome(BAKE, ended, "The look at the character was stopped.")
            if result is None or scene not in bpy.data.scenes:
                return
            found.clear()
            found.update(result, images=_unsaved_images())
            window = _window()
            if window is not None:
                with bpy.context.temp_override(**window):
                    bpy.ops.mien.bake_confirm("INVOKE_DEFAULT")

        _start(BAKE, task, then)
        return {"FINISHED"}

    def execute(self, context):
        """Bake and wait: for scripts and `blender -b`."""
        tidy = None
        try:
            task, tidy = _launch(_job(context, "bake", self.start_over))
            result = task.wait(lambda fraction, text: print(f"Mien: {fraction:4.0%} {text}", flush=True))
        except Cancelled:
            return {"CANCELLED"}
        except MienError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finally:
            if tidy is not None:
                tidy()
        self.report({"INFO"}, _ended_sentence(result))
        return {"FINISHED"}


def _outcome(job: str, task: Task, stopped: str) -> dict[str, Any] | None:
    try:
        return task.outcome()
    except Cancelled:
        _say(job, stopped)
    except MienError as error:
        _say(job, str(error), "ERROR")
    return None


def _ended_sentence(result: dict[str, Any]) -> str:
    said = [f"{result['pictures']} pictures are in {result['folder']}."]
    if result["changed"]:
        said.append(f"{result['changed']} did not fit the plan any more and were taken anew.")
    return " ".join([*said, *result["notes"]])


class MIEN_OT_bake_confirm(bpy.types.Operator):
    """Start the bake"""

    bl_idname = "mien.bake_confirm"
    bl_label = "Bake Gaussian Head"
    bl_options = {"INTERNAL"}

    start_over: bpy.props.BoolProperty(
        name="Start Over", description="Take every picture anew, also those that fit", options={"SKIP_SAVE"}
    )

    def invoke(self, context, event):
        return context.window_manager.invoke_props_dialog(self, width=440, confirm_text="Bake")

    def draw(self, context):
        from ..ui.bake import draw_confirmation

        draw_confirmation(self.layout, context, found, self)

    def execute(self, context):
        try:
            task, tidy = _launch(_job(context, "bake", self.start_over))
        except MienError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

        def then(ended: Task) -> None:
            tidy()
            result = _outcome(
                BAKE, ended, "The bake was stopped; its pictures are kept, and the next one goes on from there."
            )
            if result is not None:
                _say(BAKE, _ended_sentence(result))

        _start(BAKE, task, then)
        return {"FINISHED"}


class MIEN_OT_bake_stop(bpy.types.Operator):
    """Stop the bake or the fit; the next one goes on where it stopped"""

    bl_idname = "mien.bake_stop"
    bl_label = "Stop Baking"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        return bool(_tasks)

    def execute(self, context):
        for job in _tasks:
            jobs.state.stop(job)
        return {"FINISHED"}


class MIEN_OT_bake_fit(bpy.types.Operator):
    """Fit Gaussians to the baked pictures and add the head. Takes some twenty minutes, in a process of its own"""

    bl_idname = FIT
    bl_label = "Fit Head"

    arguments: bpy.props.StringProperty(
        name="Arguments", description="More arguments for engine fit, for scripts", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context):
        if running(FIT):
            cls.poll_message_set("A fit is running")
            return False
        if session.missing_reason():
            cls.poll_message_set("The engine is not installed; press Install Engine in the Mien tab")
            return False
        return True

    def _launch(self, context) -> tuple[Task, Path]:
        settings = context.scene.mien_bake
        folder = dataset_folder(settings)
        if not (folder / "dataset.json").is_file():
            raise MienError(f"There is no baked character in {folder}; bake it first.")
        out = folder / f"{_file_name(settings.name)}.mien"
        command = [str(session.python()), "-m", "engine", "fit", str(folder), "--out", str(out), "--resume"]
        command += self.arguments.split() if self.arguments else _FITS[settings.quality]
        environment = session.engine_environment() | {"PYTHONUNBUFFERED": "1"}
        hear = _FitListener(out)
        log = Log(session.folder("log") / "fit.log")
        return Task(command, log, hear, "Fit Head", session.ROOT, environment, gently=True), out

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        try:
            task, out = self._launch(context)
        except MienError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

        def then(ended: Task) -> None:
            if _outcome(FIT, ended, "The fit was stopped; the next one goes on from where it was saved.") is None:
                return
            head = _shelve(out)
            _say(FIT, f"The head {out.stem} is fitted and in your library.")
            window = _window()
            if window is not None:
                with bpy.context.temp_override(**window):
                    bpy.ops.mien.add_head("INVOKE_DEFAULT", head=str(head))

        _start(FIT, task, then)
        return {"FINISHED"}

    def execute(self, context):
        try:
            task, out = self._launch(context)
            task.wait(lambda fraction, text: print(f"Mien: {fraction:4.0%} {text}", flush=True))
        except Cancelled:
            return {"CANCELLED"}
        except MienError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return bpy.ops.mien.add_head(head=str(_shelve(out)))


def _shelve(head: Path) -> Path:
    """A copy of a head in the artist's library; the head itself where that can't be written."""
    target = library.free_file(head.stem)
    try:
        shutil.copyfile(head, target)
    except OSError:
        target.unlink(missing_ok=True)
        return head
    return target


class _FitListener:
    """Understands what `engine fit` says."""

    def __init__(self, out: Path) -> None:
        self._out, self._begun = out, False

    def __call__(self, line: str) -> dict[str, Any] | None:
        step = _FIT_LINE.search(line)
        if step:
            done, total, left = int(step[1]), int(step[2]), float(step[3])
            return {
                "progress": 0.05 + 0.9 * done / total,
                "text": f"Step {done} of {total}, {max(left, 0.1):.1f} min left",
            }
        if line.startswith("mien: "):
            return {"error": line.removeprefix("mien: ")}
        if line.startswith(f"{self._out}: "):
            return {"done": {"head": str(self._out)}}
        if not self._begun and "pictures to fit" in line:
            self._begun = True
            return {"progress": 0.03, "text": line[:120]}
        return None


class MIEN_OT_bake_open(bpy.types.Operator):
    """Open the folder of the baked pictures"""

    bl_idname = "mien.bake_open"
    bl_label = "Open Folder"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        try:
            folder = dataset_folder(context.scene.mien_bake)
        except MienError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(folder))


CLASSES = (
    MIEN_OT_bake_tell,
    MIEN_OT_bake_choose,
    MIEN_OT_bake,
    MIEN_OT_bake_confirm,
    MIEN_OT_bake_stop,
    MIEN_OT_bake_fit,
    MIEN_OT_bake_open,
)
_keys: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is not None:
        # Not a modal operator, which would put off Blender's auto-save for as long as it runs.
        keymap = configuration.keymaps.new("3D View", space_type="VIEW_3D")
        _keys.append((keymap, keymap.keymap_items.new(MIEN_OT_bake_stop.bl_idname, "ESC", "PRESS")))


def unregister() -> None:
    for keymap, item in _keys:
        keymap.keymap_items.remove(item)
    _keys.clear()
    for task, _ in _tasks.values():
        task.cancel()
    _tasks.clear()
    if bpy.app.timers.is_registered(_pump):
        bpy.app.timers.unregister(_pump)
    _unregister_classes()
