"""Blender and its engine process: Blender goes on when it dies, says so when it is missing, and leaves none behind."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture
def session(blender, engine_python):
    session = blender.module("session")
    yield session
    os.environ["MIEN_ENGINE_PYTHON"] = engine_python
    session.restart()


def kill_soon(session, seconds):
    """Kill the engine process that runs now, from the side."""
    child = session.engine()._link.child

    def kill():
        time.sleep(seconds)
        os.kill(child.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_render_goes_on_when_the_engine_is_killed(blender, session, tmp_path):
    blender.add_head()
    scene = blender.scene
    scene.render.use_motion_blur, scene.mien.motion_samples = True, 32
    undisturbed = blender.render(tmp_path)["Combined"]
    killer = kill_soon(session, 0.05)
    assert np.allclose(blender.render(tmp_path)["Combined"], undisturbed, atol=1e-5)
    killer.join()
    assert session.status()[0] == "ready"
    assert any("SIGKILL" in line for line in session.engine().recent_log(200))


def test_an_engine_that_cannot_start_is_said_and_can_be_mended(blender, session, tmp_path, engine_python):
    blender.add_head()
    session.stop()
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'the disk is on fire' >&2\nexit 3\n")
    program.chmod(0o755)
    os.environ["MIEN_ENGINE_PYTHON"] = str(program)
    with pytest.raises(RuntimeError, match="exit code 3; the disk is on fire"):
        blender.render(tmp_path)
    os.environ["MIEN_ENGINE_PYTHON"] = engine_python
    session.restart()
    assert blender.render(tmp_path)["Combined"][..., 3].max() > 0.9


def test_stopping_leaves_no_process_and_no_folder(blender, session, tmp_path):
    blender.add_head()
    blender.render(tmp_path)
    link = session.engine()._link
    assert link.folder.is_dir()
    session.stop()
    assert link.child.exit_code is not None
    assert not link.folder.exists()
