"""File › Export › Mien Splats: a head as its animation shows it, as 3DGS PLY or SPZ, one frame or a file a frame."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper

from ...engine.contract import channels as table
from ...engine.contract import curves
from ...engine.contract.errors import MienError
from .. import session, timing
from ..jobs import EngineJob, possible
from . import channels
from .settings import active_head

_SECONDS = 7200.0
_FORMATS = (
    ("ply", "PLY", "3D Gaussian splatting's own format; x right, y down, z forward"),
    ("spz", "SPZ", "A tenth of the size; x right, y up, z back"),
)
_RANGES = (
    ("CURRENT", "Current Frame", "One file"),
    ("SCENE", "Frame Range", "A folder with a file for every frame of the scene, or of its preview range"),
)


class MIEN_OT_export_splats(EngineJob, ExportHelper, bpy.types.Operator):
    """Write the active head's Gaussians, as its animation moves them, for other splat programs"""

    bl_idname = "mien.export_splats"
    bl_label = "Export Mien Splats"
    bl_options = {"REGISTER"}
    progress_label = "Writing splats"
    seconds = _SECONDS

    filename_ext = ""
    check_extension = None
    filter_glob: bpy.props.StringProperty(default="*.ply;*.spz", options={"HIDDEN"})
    format: bpy.props.EnumProperty(name="Format", items=_FORMATS)
    range: bpy.props.EnumProperty(name="Frames", items=_RANGES)
    world: bpy.props.BoolProperty(
        name="Object Transform",
        description="Move, turn and scale the splats as the object is; otherwise the head stands at the origin",
        default=False,
    )

    @classmethod
    def poll(cls, context):
        return possible(cls, session.missing_reason() if active_head(context) else "Select a Mien head first")

    def invoke(self, context, event):
        if not self.filepath:
            self.filepath = bpy.path.clean_name(active_head(context).name)
        return ExportHelper.invoke(self, context, event)

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        for name in ("format", "range", "world"):
            layout.prop(self, name)
        if self.range == "SCENE":
            first, last = timing.played(context.scene)
            layout.label(text=f"{last - first + 1} files in the folder {self._out().name}", icon="FILE_FOLDER")

    def _out(self) -> Path:
        """The file, or the folder of a range."""
        path = Path(os.path.abspath(bpy.path.abspath(self.filepath)))
        if path.suffix.lower() in (".ply", ".spz"):
            path = path.with_suffix("")
        return path if self.range == "SCENE" else path.with_name(f"{path.name}.{self.format}")

    def execute(self, context):
        return EngineJob.execute(self, context) if bpy.app.background else EngineJob.invoke(self, context, None)

    def steps(self, context):
        head, scene = active_head(context), context.scene
        if head is None or not self.filepath:
            raise MienError("There is nothing to export; select a Mien head and name a file.")
        if not self._out().parent.is_dir():
            raise MienError(f"The folder {self._out().parent} does not exist; choose another.")
        self._head = session.head_argument(head.mien.head)
        self._values: list[np.ndarray] = []
        self._matrices: list[list[float]] = []
        self._folder: Path | None = None
        first, last = timing.played(scene) if self.range == "SCENE" else (scene.frame_current, scene.frame_current)
        self._fps = timing.frame_rate(scene)
        before = scene.frame_current, scene.frame_subframe
        try:
            for frame in range(first, last + 1):
                if self.range == "SCENE":
                    scene.frame_set(frame)
                evaluated = head.evaluated_get(context.evaluated_depsgraph_get())
                self._values.append(table.clamp(channels.read(evaluated)))
                self._matrices.append([float(x) for row in evaluated.matrix_world for x in row])
                yield 0.3 * (frame - first) / (last - first + 1), f"Reading frame {frame}"
        finally:
            if self.range == "SCENE":
                scene.frame_set(before[0], subframe=before[1])

    def begin(self, context):
        self._folder = Path(tempfile.mkdtemp(prefix="mien-export-"))
        path = self._folder / "curves.json"
        curves.save(curves.Curves(self._fps, table.NAMES, np.array(self._values)), path)
        out = self._out()
        params = {"head": self._head, "curves": str(path), "format": self.format, "out": str(out)}
        if self.world:
            transforms = self._folder / "transforms.json"
            transforms.write_text(json.dumps(self._matrices), encoding="utf-8")
            params["transforms"] = str(transforms)
        return session.running().request("head/export", params, deadline_s=_SECONDS)

    def finish(self, context, reply):
        count = reply["files"]
        self.report({"INFO"}, f"Wrote {reply['out']}" + (f", {count} files" if count > 1 else ""))
        return {"FINISHED"}

    def clean_up(self) -> None:
        folder = getattr(self, "_folder", None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _menu(self, context) -> None:
    self.layout.operator(MIEN_OT_export_splats.bl_idname, text="Mien Splats (.ply/.spz)")


def register() -> None:
    bpy.utils.register_class(MIEN_OT_export_splats)
    bpy.types.TOPBAR_MT_file_export.append(_menu)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_export.remove(_menu)
    bpy.utils.unregister_class(MIEN_OT_export_splats)
