"""The add-on's side of the engine process, against a worker that crashes, hangs, babbles and starts slowly."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from fake_worker import HOSTILE
from mien.addon.bridge import Engine, EngineError
from mien.addon.bridge.log import Log
from mien.addon.bridge.ticket import Limits
from mien.engine.contract import messages
from mien.engine.contract.errors import Cancelled, MienError, Superseded

ROOT = Path(__file__).resolve().parent.parent
IDENTITY = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
#: Short, so that the tests are quick; a start takes the time it takes.
QUICK = Limits(start=30, quiet=0.3, ping=0.7, cancel=0.5, backoff=(0.01, 0.02, 0.03), good=60, babble=50)


@pytest.fixture
def start(tmp_path):
    engines = []

    def start(*faults, limits=QUICK, command=None):
        engine = Engine(tmp_path / "engine.log", limits)
        engines.append(engine)
        worker = [sys.executable, str(ROOT / "tests" / "fake_worker.py"), f"marks={tmp_path}", *faults]
        engine.start(command or worker, cwd=ROOT)
        return engine

    yield start
    for engine in engines:
        engine.stop(1.0)


def frame(viewport="View", head=None, value=1.0, size=(8, 4), priority="final"):
    heads = [{"head": head, "values": {}, "matrix": [value, *IDENTITY[1:]]}] if head else []
    camera = {"world_to_camera": IDENTITY, "K": [9.0, 0, 4, 0, 9, 2, 0, 0, 1], "width": size[0], "height": size[1]}
    samples = [{"heads": heads, "camera": camera}]
    return {"viewport": viewport, "samples": samples, "passes": ["Combined"], "backend": "auto", "priority": priority}


def line(text):
    return {"line": text, "seed": 0, "fps": 24}


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_head_is_loaded_and_its_frame_read(start):
    engine = start()
    head = engine.load_head("Ada").wait(30)["head"]
    reply = engine.call("frame/render", frame(head=head, value=0.25))
    planes = engine.read_frame(reply)
    assert planes["Combined"].shape == (4, 8, 4)
    assert np.all(planes["Combined"] == 0.25)
    assert engine.state == "ready"
    assert engine.status == "Ready: CPU"
    assert engine.capabilities["backends"][0]["device"] == "Fake"


def test_a_frame_larger_than_the_ring_arrives_too(start):
    engine = start()
    for size in ((8, 4), (300, 200), (900, 700)):
        planes = engine.read_frame(engine.call("frame/render", frame(size=size)))
        assert planes["Combined"].shape == (size[1], size[0], 4)


def test_callbacks_run_in_pump_and_nowhere_else(start):
    engine, done, steps = start(), [], []
    engine.call("ping")
    ticket = engine.request(
        "perform", line("Hello."), on_done=done.append, on_progress=lambda *step: steps.append(step)
    )
    assert ticket.wait(10)["duration"] == 1.0
    assert done == steps == []
    engine.pump(1.0)
    assert len(done) == 1
    assert steps[0] == (0.0, "Step 0")


def test_a_callback_that_fails_does_not_stop_the_next(start):
    engine, done = start(), []
    first = engine.request("ping", on_done=lambda _: 1 / 0)
    second = engine.request("ping", on_done=done.append)
    first.wait(30), second.wait(30)
    engine.pump(1.0)
    assert done == [{}]
    assert any("ZeroDivisionError" in entry for entry in engine.recent_log())


def test_waiting_tells_progress(start):
    steps = []
    start().call("perform", line("Hello."), on_progress=lambda fraction, message: steps.append(message))
    assert "Step 1" in steps


def test_a_preview_is_there_before_the_reply(start):
    engine, at = start(), []
    ticket = engine.request("perform", {**line("Hello."), "preview": True})
    assert ticket.preview is None
    ticket.wait(30, on_progress=lambda fraction, message: at.append(ticket.preview))
    assert at and at[0] == {"fps": 24}


def test_an_older_engine_is_not_asked_for_what_it_does_not_know(start):
    ticket = start("minor=2").request("perform", {**line("Hello."), "preview": True})
    ticket.wait(30)
    assert ticket.preview is None


def test_params_of_the_wrong_form_are_refused_before_they_are_sent(start):
    engine = start()
    with pytest.raises(MienError, match=r"perform lacks the field 'fps'"):
        engine.request("perform", {"line": "Hello.", "seed": 0})


def test_bad_input_comes_back_as_the_engines_sentence(start):
    with pytest.raises(EngineError, match="There is no head 'missing'; choose another") as caught:
        start().load_head("missing").wait(30)
    assert caught.value.code == messages.BAD_INPUT


def test_a_mistake_of_the_engines_is_told_without_its_insides_which_are_in_the_log(start):
    engine = start()
    with pytest.raises(EngineError) as caught:
        engine.call("perform", line("bug"))
    assert caught.value.code == messages.INTERNAL
    assert "secret" not in str(caught.value)
    until(lambda: any("a mistake with a secret in it" in entry for entry in engine.recent_log()))


def test_requests_made_while_it_starts_slowly_wait_for_it(start):
    engine = start("slow-start=0.5")
    ticket = engine.load_head("Ada")
    assert engine.state == "starting"
    assert engine.status.startswith("Starting the engine")
    assert ticket.wait(30)["head"] == "head-1"


def test_one_that_starts_too_slowly_is_given_up_with_a_sentence(start):
    engine = start("slow-start=60", limits=Limits(start=0.6, backoff=()))
    with pytest.raises(EngineError, match=r"no answer within 1 s of its start.*engine.log"):
        engine.call("ping", timeout_s=30)
    assert engine.state == "failed"


def test_after_a_crash_the_head_is_there_again_and_the_frame_is_rendered(start):
    engine = start()
    head = engine.load_head("Ada").wait(30)["head"]
    reply = engine.call("frame/render", frame("crash-once", head, 0.5))
    assert engine.read_frame(reply)["Combined"][0, 0, 0] == 0.5
    until(lambda: engine.recent_log().count("loaded head-1 Ada") == 2)
    assert engine.load_head("Ada").wait(30)["head"] == head


def test_after_a_stop_and_a_start_a_head_is_asked_for_anew_under_its_old_id(start):
    engine = start("remote")
    first = engine.load_head("Ada").wait(30)
    engine.stop()
    engine.start(engine._command[0], cwd=ROOT)
    second = engine.load_head("Ada").wait(30)
    assert second["head"] == first["head"]
    assert Path(second["proxy"]).exists(), "the first one's went with its engine"
    assert engine.call("frame/render", frame(head=first["head"]))["width"] == 8


def test_a_frame_that_crashes_the_engine_each_time_fails_and_the_engine_goes_on(start):
    engine = start()
    with pytest.raises(EngineError, match=r"The engine stopped during frame/render \(exit code 7\)"):
        engine.call("frame/render", frame("crash"))
    assert engine.call("ping") == {}


def test_a_performance_is_not_repeated_after_a_crash(start):
    engine = start()
    with pytest.raises(EngineError, match="being started again: try again") as caught:
        engine.call("perform", line("crash"))
    assert caught.value.code == messages.ENGINE_GONE
    assert engine.call("perform", line("Hello."))["duration"] == 1.0


def test_an_engine_that_crashes_again_and_again_is_given_up_and_can_be_started_again(start):
    engine = start()
    for _ in range(4):
        with pytest.raises(EngineError):
            engine.call("perform", line("crash"))
    until(lambda: engine.state == "failed")
    assert "stopped 4 times" in engine.status
    assert str(engine.log_path) in engine.status
    with pytest.raises(EngineError, match="does not run"):
        engine.call("ping")
    engine.start([sys.executable, str(ROOT / "tests" / "fake_worker.py")], cwd=ROOT)
    assert engine.call("ping") == {}


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGSTOP on Windows")
def test_a_stopped_process_is_noticed_and_replaced(start):
    engine = start()
    engine.call("ping")
    ticket = engine.request("frame/render", frame("endless-once"))
    time.sleep(0.1)
    os.kill(engine._link.child.pid, signal.SIGSTOP)
    assert engine.read_frame(ticket.wait(30))["Combined"].shape == (4, 8, 4)
    assert any("no longer answers" in entry for entry in engine.recent_log())


def test_work_that_heeds_no_deadline_and_no_cancellation_is_ended_with_its_process(start):
    engine = start()
    engine.call("ping")
    ticket = engine.request("perform", line("deaf"), deadline_s=0.3)
    with pytest.raises(EngineError, match="no answer to perform within 0 s"):
        ticket.wait(10)
    until(lambda: any("did not end perform" in entry for entry in engine.recent_log()))
    assert engine.call("ping") == {}


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_killed_from_outside_it_comes_back_and_its_folder_does_not_stay(start):
    engine = start()
    engine.call("ping")
    folder = engine._link.folder
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o700
    ticket = engine.request("frame/render", frame("slow"))
    time.sleep(0.1)
    os.kill(engine._link.child.pid, signal.SIGKILL)
    assert ticket.wait(30)["width"] == 8
    assert not folder.exists()


def test_a_cancelled_request_ends_at_once_on_both_sides(start):
    engine, errors = start(), []
    engine.call("ping")
    ticket = engine.request("perform", line("patient"), on_error=errors.append)
    ticket.cancel()
    with pytest.raises(Cancelled):
        ticket.wait(10)
    engine.pump(1.0)
    assert [type(error) for error in errors] == [Cancelled]
    assert engine.call("perform", line("Hello."), timeout_s=10)["duration"] == 1.0, "the worker is free again"


def test_waiting_ends_when_the_artist_presses_escape(start):
    engine = start()
    engine.call("ping")
    with pytest.raises(Cancelled):
        engine.call("frame/render", frame("patient"), should_cancel=lambda: True)


def test_of_a_viewports_previews_only_the_newest_waits(start):
    engine = start()
    engine.call("ping")
    busy = engine.request("frame/render", frame("slow"))
    tickets = [engine.request("frame/render", frame("View", priority="preview")) for _ in range(3)]
    for ticket in tickets[:2]:
        with pytest.raises(Superseded):
            ticket.wait(10)
    assert tickets[2].wait(10)["width"] == busy.wait(10)["width"] == 8


def test_a_greeting_before_the_first_message_is_tolerated(start):
    engine = start("greets")
    assert engine.call("ping") == {}
    assert any("Welcome to this machine" in entry for entry in engine.recent_log())


@pytest.mark.parametrize("fault", ["babbles", "unending"])
def test_an_engine_that_writes_garbage_is_given_up(start, fault, monkeypatch):
    monkeypatch.setattr("mien.engine.contract.messages.REPLY_LIMIT", 4 << 20)
    engine = start(fault, limits=Limits(babble=20, backoff=(0.01,)))
    until(lambda: engine.state == "failed")
    assert "it wrote what is no message" in engine.status


def test_a_flood_in_the_log_is_drained_and_the_log_stays_small(start, tmp_path):
    engine = start("shouts")
    assert engine.call("ping") == {}
    until(lambda: any("line 49999" in entry for entry in engine.recent_log()))
    assert max(len(entry) for entry in engine.recent_log(200)) <= 4096


def test_the_log_rotates(tmp_path):
    log = Log(tmp_path / "logs" / "engine.log", limit=1000)
    for number in range(100):
        log.write(f"line {number:090}")
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {"engine.log", "engine.log.1"}
    assert sum(path.stat().st_size for path in (tmp_path / "logs").iterdir()) < 2300
    assert log.recent(1)[0].endswith("99")


def test_another_protocol_version_says_which_side_to_update(start):
    engine = start("old")
    with pytest.raises(EngineError, match="update the engine"):
        engine.call("ping", timeout_s=30)
    assert engine.state == "failed"


def test_a_program_that_is_not_there_is_told_at_once(start):
    engine = start(command=["/no/such/python"])
    with pytest.raises(EngineError, match=r"/no/such/python cannot be started.*Install Engine"):
        engine.call("ping", timeout_s=10)


def test_one_that_cannot_even_start_shows_its_last_words(start):
    engine = start("not-at-all")
    with pytest.raises(EngineError, match="No module named 'nothing'"):
        engine.call("ping", timeout_s=30)


def test_a_frame_that_was_overwritten_is_asked_for_again(start):
    engine = start("lose-frames")
    assert engine.read_frame(engine.call("frame/render", frame()))["Combined"].shape == (4, 8, 4)


def test_without_a_common_disk_frames_and_proxies_come_in_the_replies(start):
    engine = start("remote")
    loaded = engine.load_head("Ada").wait(30)
    head, proxy = loaded["head"], Path(loaded["proxy"])
    reply = engine.call("frame/render", frame(head=head, value=0.5))
    assert "slot" not in reply
    assert proxy.read_bytes() == b"the proxy"
    assert np.all(engine.read_frame(reply)["Combined"] == 0.5)
    engine.stop()
    assert not proxy.exists()


@pytest.mark.parametrize("reply", ["another file", "no such slot"])
def test_a_ring_that_cannot_be_read_any_more_is_done_without(start, reply):
    engine = start()
    assert engine.read_frame(engine.call("frame/render", frame(reply)))["Combined"].shape == (4, 8, 4)
    assert any("frames come in the replies from now on" in entry for entry in engine.recent_log())


@pytest.mark.parametrize("reply", sorted(set(HOSTILE) - {"another file", "no such slot"}))
def test_a_reply_that_is_wrong_becomes_a_sentence_and_harms_nothing(start, reply):
    engine = start()
    with pytest.raises(EngineError):
        engine.call("frame/render", frame(reply), timeout_s=20)
    assert engine.read_frame(engine.call("frame/render", frame()))["Combined"].shape == (4, 8, 4)
    assert engine.state == "ready"


def test_requests_to_a_stopped_engine_fail_at_the_next_pump(tmp_path):
    errors = []
    engine = Engine(tmp_path / "engine.log")
    engine.request("ping", on_error=errors.append)
    engine.pump()
    assert "not running" in str(errors[0])


@pytest.mark.parametrize("fault", [None, "stubborn"])
def test_stopping_takes_no_longer_than_it_may(start, fault):
    engine = start(*[fault] if fault else [])
    engine.call("ping")
    child = engine._link.child
    open_ticket = engine.request("perform", line("deaf"))
    began = time.monotonic()
    engine.stop(1.5)
    assert time.monotonic() - began < 4.0
    assert child.exit_code is not None
    assert engine.state == "stopped"
    with pytest.raises(EngineError, match="was stopped"):
        open_ticket.wait(1)


def test_the_engine_ends_with_its_parent(tmp_path):
    """A parent that is killed leaves neither a process nor a folder behind."""
    parent = textwrap.dedent(
        f"""
        import sys, time
        sys.path[:0] = [{str(ROOT / "tests")!r}]
        import conftest
        from pathlib import Path
        from mien.addon.bridge import Engine
        engine = Engine(Path({str(tmp_path / "engine.log")!r}))
        engine.start([sys.executable, {str(ROOT / "tests" / "fake_worker.py")!r}], cwd=Path({str(ROOT)!r}))
        engine.call("ping")
        print(engine._link.child.pid, engine._link.folder, flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    pid, folder = process.stdout.readline().split()
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not Path(folder).exists())
    until(lambda: not _runs(int(pid)))


def _runs(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_blenders_own_python_settings_do_not_reach_the_engine(monkeypatch):
    from mien.addon.bridge.child import clean_environment

    monkeypatch.setenv("PYTHONHOME", "/blender/python")
    monkeypatch.setenv("PYTHONPATH", "/blender/scripts")
    environment = clean_environment({"MIEN": "1"})
    assert "PYTHONHOME" not in environment
    assert "PYTHONPATH" not in environment
    assert os.environ["PYTHONPATH"] == "/blender/scripts"
    assert environment["MIEN"] == "1"
