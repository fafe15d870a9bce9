"""Finding, installing and describing the engine."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def installer(installed, tmp_path):
    """Makes an installer for a list of requirements; nothing is fetched from anywhere."""
    room = installed("addon.setup.installer")

    def make(text: str, *more: str):
        paths = []
        for number, content in enumerate((text, *more)):
            paths.append(tmp_path / f"requirements-{number}.txt")
            paths[-1].write_text(content)
        made = room.Installer(Path(sys.executable), tmp_path / "engine", paths, tmp_path / "install.log")
        made.start()
        return made

    make.room = room
    return make


def test_an_installation_leaves_a_python_and_its_stamp(installer, tmp_path):
    made = installer("# nothing\n")
    assert made.wait(240) and made.error is None and made.fraction == 1.0
    assert installer.room.environment_python(tmp_path / "engine").is_file()
    assert installer.room.stamp(tmp_path / "engine") == installer.room.fingerprint(tmp_path / "requirements-0.txt")


def test_a_failed_installation_says_why_and_leaves_nothing(installer, tmp_path):
    made = installer("./there-is-no-such-package\n")
    assert made.wait(240)
    assert "there-is-no-such-package" in made.error and "install.log" in made.error
    assert not (tmp_path / "engine").exists() and installer.room.stamp(tmp_path / "engine") is None
    assert "venv" in (tmp_path / "install.log").read_text()


def test_an_installation_can_be_stopped(installer, tmp_path):
    made = installer("# nothing\n")
    made.cancel()
    assert made.wait(240) and made.cancelled and made.error is None
    assert not (tmp_path / "engine").exists()


def test_without_an_engine_everything_says_so(blender, monkeypatch):
    session = blender.module("session")
    session.stop()
    monkeypatch.setenv(session.PYTHON_VARIABLE, "/nowhere/python")
    assert session.status()[0] == "missing" and "/nowhere/python" in session.status()[1]
    with pytest.raises(RuntimeError, match="not installed"):
        blender.bpy.ops.mien.add_head()
    monkeypatch.delenv(session.PYTHON_VARIABLE)
    assert session.status() == ("missing", "The engine is not installed yet.")


def test_installing_needs_leave_to_go_online(blender):
    if blender.bpy.app.online_access:
        pytest.skip("this Blender may go online")
    assert not blender.bpy.ops.mien.install_engine.poll()


def test_the_library_is_listed_without_the_engine(blender):
    names = [entry.name for entry in blender.module("head.library").entries()]
    assert "Ada" in names


def test_a_killed_engine_comes_back_and_renders_on(blender, tmp_path):
    import os
    import signal

    head = blender.add_head()
    before = blender.render(tmp_path)["Combined"]
    engine = blender.module("session").engine()
    pid = engine._link.child.pid if hasattr(engine._link.child, "pid") else None
    if pid is None or os.name == "nt":
        pytest.skip("the engine's process can't be told")
    os.kill(pid, signal.SIGKILL)
    blender.pose(head, {})
    assert (blender.render(tmp_path)["Combined"] == before).all()
