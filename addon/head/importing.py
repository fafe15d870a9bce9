"""Heads from files: Mien's own, LAM avatars, and splats of still heads, which the engine rigs first."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ...engine.contract.errors import MienError
from .. import session
from ..jobs import EngineJob
from . import landmarks, library, operators

STILL = (".ply", ".spz")
ENDINGS = (".mien", ".zip", *STILL)
SECONDS = 900.0


def _templates(self, context) -> list[tuple[str, str, str, int, int]]:
    """Library heads, the one that the engine would take first."""
    global _items
    heads = sorted(library.entries(), key=lambda entry: entry.name != session.DEFAULT_HEAD)
    _items = [
        (entry.head, entry.name, f"Its motion, mouth and lids: {entry.name}", entry.icon, number)
        for number, entry in enumerate(heads)
    ] or [(session.DEFAULT_HEAD, session.DEFAULT_HEAD, "", 0, 0)]
    return _items


_items: list[tuple[str, str, str, int, int]] = []


class MIEN_OT_add_head_file(EngineJob, ImportHelper, bpy.types.Operator):
    """Add a talking head from a file: Mien's .mien, a LAM avatar .zip, or a Gaussian splat of a still head (.ply, .spz), which is rigged first"""  # noqa: E501 - a tooltip

    bl_idname = "mien.add_head_file"
    bl_label = "Head from File"
    bl_options = {"REGISTER", "UNDO"}
    progress_label = "Reading the head"
    seconds = SECONDS

    filename_ext = ".mien"
    filter_glob: bpy.props.StringProperty(default=";".join(f"*{ending}" for ending in ENDINGS), options={"HIDDEN"})
    name: bpy.props.StringProperty(
        name="Name", description="The head's name; the file's where this is empty", maxlen=200, options={"SKIP_SAVE"}
    )
    licence: bpy.props.StringProperty(
        name="Licence",
        description="What the head's maker states; files don't say it. A likeness needs its person's consent too",
        maxlen=1000,
        options={"SKIP_SAVE"},
    )
    template: bpy.props.EnumProperty(
        name="Moves Like", description="The head that lends a still splat its motion and mouth", items=_templates
    )
    by_hand: bpy.props.BoolProperty(
        name="Place Landmarks by Hand",
        description="For a splat whose face is not found: show it with landmarks to drag into place, instead of "
        "looking for them",
        options={"SKIP_SAVE"},
    )
    flame: bpy.props.StringProperty(
        name="FLAME Model",
        description="Your own FLAME model as .npz, for GaussianAvatars files, which are bound to it; the manual says "
        "how to convert it",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    poll = operators.MIEN_OT_add_head.poll

    def invoke(self, context, event):
        if not self.properties.is_property_set("filepath"):
            return ImportHelper.invoke(self, context, event)
        # A dropped file needs no file browser, but its options may be wanted.
        name = Path(self.filepath).name
        return context.window_manager.invoke_props_dialog(self, width=380, title=name, confirm_text="Import")

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        ending = Path(self.filepath).suffix.lower()
        if ending == ".mien":
            layout.label(text="A Mien head: used as it is", icon="CHECKMARK")
            return
        if ending not in ENDINGS:
            layout.label(text="Choose a .mien, .zip, .ply or .spz", icon="INFO")
            return
        layout.prop(self, "name", placeholder=Path(self.filepath).stem)
        layout.prop(self, "licence", placeholder="unknown")
        if ending in STILL:
            layout.prop(self, "template")
            layout.prop(self, "by_hand")
            if ending == ".ply":
                layout.prop(self, "flame")

    def execute(self, context):
        # Called by the file browser too, in whose window nothing may block.
        return EngineJob.execute(self, context) if bpy.app.background else EngineJob.invoke(self, context, None)

    def begin(self, context):
        self._file = os.path.abspath(bpy.path.abspath(self.filepath))
        ending = Path(self._file).suffix.lower()
        self._made: Path | None = None
        self._loading = ending == ".mien"
        engine = session.running()
        if self._loading:
            return engine.load_head(self._file)
        if ending not in ENDINGS:
            raise MienError(f"{self._file} is no kind of head that Mien reads; choose a .mien, .zip, .ply or .spz.")
        template = {"template": session.head_argument(self.template)} if ending in STILL and self.template else {}
        if self.by_hand and ending in STILL:
            return engine.request("head/cloud", {"file": self._file, "search": False, **template}, deadline_s=SECONDS)
        name = self.name.strip() or Path(self._file).stem
        self._made = library.free_file(name)
        task = landmarks.Task(self._file, name, self.licence.strip(), self.template if template else "")
        params = landmarks.conversion(task, str(self._made))
        if self.flame and ending == ".ply":
            params["flame"] = os.path.abspath(bpy.path.abspath(self.flame))
        return engine.request("head/import", params, deadline_s=SECONDS)

    def follow(self, context, reply):
        if self._loading or "cloud" in reply:
            return None
        self._loading = True
        return session.running().load_head(reply["file"])

    def finish(self, context, reply):
        operators.leave_mode(context)
        if "cloud" in reply:
            name = self.name.strip() or Path(self._file).stem
            landmarks.start(context, reply, landmarks.Task(self._file, name, self.licence.strip(), self.template))
            self.report({"INFO"}, "Drag the landmarks onto the face, then press Rig in the Mien tab")
            return {"FINISHED"}
        operators.add(context, reply, str(self._made or self._file))
        self.report({"INFO"}, f"Added {reply['name']} by {reply['author']} ({reply['licence']})")
        return {"FINISHED"}


class MIEN_FH_heads(bpy.types.FileHandler):
    """Heads dropped onto a 3D view."""

    bl_idname = "MIEN_FH_heads"
    bl_label = "Mien Head"
    bl_import_operator = "mien.add_head_file"
    bl_file_extensions = ";".join(ENDINGS)

    @classmethod
    def poll_drop(cls, context):
        return context.area is not None and context.area.type == "VIEW_3D"


class MIEN_OT_install_faces(EngineJob, bpy.types.Operator):
    """Download the face finder (MediaPipe, 300 MB on disk) into the engine's Python. It is needed to rig splats of still heads"""  # noqa: E501 - a tooltip

    bl_idname = "mien.install_faces"
    bl_label = "Install Face Finder"
    progress_label = "Installing the face finder"
    seconds = SECONDS

    @classmethod
    def poll(cls, context):
        if not bpy.app.online_access:
            cls.poll_message_set("Allow online access in Preferences › System first")
            return False
        return session.missing_reason() is None

    def begin(self, context):
        return session.running().request("faces/install", {}, deadline_s=SECONDS)

    def finish(self, context, reply):
        self.report({"INFO"}, "The face finder is installed")
        return {"FINISHED"}


def sidecar(head: str) -> Path:
    """The file beside a head's file that says where its face was found, and in which splat; it may not exist."""
    path = Path(session.head_argument(head))
    return path.with_name(path.stem + ".landmarks.json")


def splat_of(head: str) -> str:
    """The splat that a head was rigged from; empty where there is none."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        path = sidecar(head)
        if path.is_file() and path.stat().st_size < 1 << 20:
            return str(json.loads(path.read_text(encoding="utf-8")).get("splat", ""))
    return ""


def _menu(self, context) -> None:
    self.layout.operator(MIEN_OT_add_head_file.bl_idname, text="Mien Head (.mien, LAM .zip, splat .ply/.spz)")


CLASSES = (MIEN_OT_add_head_file, MIEN_FH_heads, MIEN_OT_install_faces)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.TOPBAR_MT_file_import.append(_menu)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(_menu)
    _unregister_classes()
