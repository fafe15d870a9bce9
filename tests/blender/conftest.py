"""Drives the installed extension zip inside Blender's module: one process a Blender, one clean profile.

MIEN_ZIP is the zip, MIEN_ENGINE_PYTHON the engine's interpreter, BLENDER_USER_RESOURCES the profile: `build_addon.py
test` sets them.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import exr
import pytest

os.environ.setdefault("BLENDER_USER_RESOURCES", tempfile.mkdtemp(prefix="mien-test-profile-"))
PACKAGE = "bl_ext.user_default.mien"
HEAD = "Ada"
SIZE = 96
_exit_code = 0


def pytest_ignore_collect(collection_path, config):
    """Without Blender's module or a zip there is nothing to drive."""
    if collection_path.name.startswith("test_") and importlib.util.find_spec("bpy") is None:
        return True
    return None


def pytest_sessionfinish(session, exitstatus):
    global _exit_code
    _exit_code = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """bpy 4.5 hangs at exit after a Python render engine has rendered: unregister, then leave without more ado."""
    if "bpy" in sys.modules:
        import addon_utils

        addon_utils.disable(PACKAGE)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_code)


@pytest.fixture(scope="session")
def installed():
    """The add-on's modules by name, from the installed zip: `installed("render.camera")`."""
    archive = os.environ.get("MIEN_ZIP")
    if not archive:
        pytest.skip("MIEN_ZIP names no zip; run the tests by build_addon.py test")
    import bpy

    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture
def blender(installed):
    """An empty scene with a camera that frames a head at the origin: bpy, the scene, and what tests do with them."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.clip_start = 70.0, 0.01
    camera.location, camera.rotation_euler = (0.25, -1.1, 0.32), (1.5707963, 0.0, 0.22)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = SIZE, SIZE, 100
    scene.render.engine = "MIEN"
    installed("addon.compat").compositor_device_cpu(scene)
    return Blender(bpy, scene, camera, installed)


class Blender(SimpleNamespace):
    def __init__(self, bpy, scene, camera, installed):
        super().__init__(bpy=bpy, scene=scene, camera=camera, installed=installed)

    def module(self, name: str):
        return self.installed(f"addon.{name}")

    def contract(self, name: str):
        return self.installed(f"engine.contract.{name}")

    def add_head(self, name: str = HEAD):
        assert self.bpy.ops.mien.add_head(head=name) == {"FINISHED"}
        return self.bpy.context.object

    def pose(self, obj, values) -> None:
        for name, value in values.items():
            obj[name] = value
        obj.update_tag()
        self.bpy.context.view_layer.update()

    def evaluated(self, obj):
        depsgraph = self.bpy.context.evaluated_depsgraph_get()
        return obj.evaluated_get(depsgraph)

    def vertices(self, obj):
        """Evaluated vertices [V, 3] in the object's space."""
        import numpy as np

        self.bpy.context.view_layer.update()
        mesh = self.evaluated(obj).to_mesh()
        flat = np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.vertices.foreach_get("co", flat)
        return flat.reshape(-1, 3)

    def render(self, folder: Path, passes=("Combined",), layer: str | None = None) -> dict:
        """Render to a file and read it back: {pass: float32 [H, W, C]}, rows top-down."""
        compat, scene = self.module("compat"), self.scene
        settings = scene.render.image_settings
        compat.multilayer_exr(settings)
        settings.color_depth, settings.exr_codec = "32", "NONE"
        path = folder / "frame.exr"
        path.unlink(missing_ok=True)
        scene.render.filepath = str(path)
        assert self.bpy.ops.render.render(write_still=True, scene=scene.name) == {"FINISHED"}
        planes = exr.read(path)
        found = {name: planes.get(f"{layer or scene.view_layers[0].name}.{name}") for name in passes}
        assert all(plane is not None for plane in found.values()), f"{set(planes)} lacks some of {passes}"
        return found


@pytest.fixture(scope="session")
def engine_python() -> str:
    return os.environ.get("MIEN_ENGINE_PYTHON") or pytest.skip("MIEN_ENGINE_PYTHON names no engine")
