"""The engine process as the add-on meets it: over pipes, with good requests, bad ones and none."""

import base64
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import wave
import zlib
from pathlib import Path

import numpy as np
import pytest
from synthetic_head import make_parts

from engine.contract import curves, messages
from engine.contract.channels import from_mapping
from engine.contract.errors import Cancelled
from engine.contract.passes import DEPTH_BACKGROUND, PASSES
from engine.contract.ring import RingReader
from engine.heads import format
from engine.heads.deform import Deformer
from engine.motion import keys
from engine.motion import perform as motion
from engine.serve.child import run_command
from engine.serve.jobs import Job, Preempted, Queue
from engine.serve.proxy import save_proxy, srgb_to_linear
from engine.serve.work import Average, Work
from engine.speech import lines
from engine.splat import open_backend
from engine.splat.interface import Camera, Frame

ROOT = Path(__file__).resolve().parent.parent
IDENTITY = np.eye(4)
ALL = [entry.name for entry in PASSES]


class Client:
    """Speaks to an engine process line by line; every wait ends."""

    def __init__(self, *command, greet=True):
        self.process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "engine", "serve"))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.log = b""
        self._lines = queue.Queue()
        self.count = 0
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._drain, daemon=True).start()
        if greet:
            self.hello = self.ask("hello", client="test", version="1", protocol="1.0")

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(messages.parse_reply(line))

    def _drain(self):
        for line in self.process.stderr:
            self.log += line

    def write(self, content):
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def send(self, method, **params):
        self.count += 1
        self.write(messages.request_line(method, params, self.count))
        return self.count

    def cancel(self, id):
        self.write(messages.request_line("$/cancelRequest", {"id": id}))

    def receive(self, seconds=90):
        """The next response; notifications before it are kept in `told`."""
        self.told = []
        while True:
            message = self._lines.get(timeout=seconds)
            if isinstance(message, messages.Response):
                return message
            self.told.append(message)

    def ask(self, method, **params):
        id = self.send(method, **params)
        response = self.receive()
        assert response.id == id
        assert response.error is None, response.error
        return response.result

    def refused(self, method, **params):
        self.send(method, **params)
        return self.receive().error

    def end(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


@pytest.fixture
def clients():
    made = []

    def make(*command, **options):
        made.append(Client(*command, **options))
        return made[-1]

    yield make
    for client in made:
        client.end()


@pytest.fixture
def fake(clients, tmp_path):
    """The real loop and queues around work that does as it is told."""
    return clients(str(ROOT / "tests" / "fake_worker.py"), f"marks={tmp_path}")


@pytest.fixture(scope="module")
def engine():
    client = Client()
    yield client
    client.end()


@pytest.fixture(scope="module")
def head_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("heads") / "ellipsoid.mien"
    info, arrays = make_parts()
    format.save(format.make_head(info, arrays), path)
    return path


@pytest.fixture(scope="module")
def head(engine, head_file):
    return engine.ask("head/load", id="one", head=str(head_file))


def camera(size=48, distance=1.0):
    """From the front, looking along +y at the head's middle."""
    matrix = np.array([[1, 0, 0, 0], [0, 0, -1, 0.3], [0, 1, 0, distance], [0, 0, 0, 1.0]])
    K = [size * 2.0, 0, size / 2, 0, size * 2.0, size / 2, 0, 0, 1]
    return {"world_to_camera": matrix.ravel().tolist(), "K": K, "width": size, "height": size}


def pose(values=None, x=0.0, **neighbours):
    matrix = np.eye(4)
    matrix[0, 3] = x
    return {"head": "one", "values": values or {}, "matrix": matrix.ravel().tolist(), **neighbours}


def params(*samples, passes=("Combined",), **changes):
    samples = [{"heads": [entry], "camera": camera()} for entry in samples or (pose(),)]
    fixed = {"viewport": "View", "backend": "cpu", "priority": "final", "transport": "ring"}
    return {**fixed, "samples": samples, "passes": list(passes), **changes}


def pixels(reply):
    return RingReader(reply["ring"]).read(reply["slot"], reply["sequence"])


def direct(head_file, values=None, x=0.0, passes=("Combined",)):
    """The same picture without the process."""
    matrix = np.eye(4)
    matrix[0, 3] = x
    view = camera()
    shapes = Camera(np.reshape(view["world_to_camera"], (4, 4)), np.reshape(view["K"], (3, 3)), 48, 48)
    objects = [Deformer(format.load(head_file))(from_mapping(values or {}), matrix)]
    return open_backend("cpu").render(Frame(objects, shapes), passes)


# ── rendering ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hello_says_what_the_engine_can_do(engine):
    hello = engine.hello
    assert hello["pid"] == engine.process.pid
    assert Path(hello["folder"]).stat().st_mode & 0o777 == 0o700
    capabilities = hello["capabilities"]
    assert capabilities["passes"] == ALL
    assert any(entry["name"] == "cpu" and entry["available"] for entry in capabilities["backends"])


def test_a_head_comes_with_its_proxy(head, head_file):
    info, arrays = make_parts()
    assert head["head"] == "one"
    assert head["units"] == list(info["units"])
    with np.load(head["proxy"], allow_pickle=False) as proxy:
        assert np.array_equal(proxy["vertices"], arrays["mesh.vertices"])
        assert proxy["unit_deltas"].shape == arrays["units.deltas"].shape
        assert proxy["colour"].shape == arrays["mesh.vertices"].shape
        assert np.isfinite(proxy["colour"]).all()
        names = [[head["units"][index] for index in row if index >= 0] for row in proxy["combinations"]]
    assert names == [entry["units"] for entry in info["combinations"]]


def test_a_proxys_vertex_has_the_colour_of_the_gaussians_on_it(tmp_path):
    info, arrays = make_parts()
    arrays["gaussians.sh"][:] = 0.0
    arrays["gaussians.sh"][:, 0] = [0.9, 0.0, -0.9]
    head = format.make_head(info, arrays)
    with np.load(save_proxy(head, tmp_path)) as proxy:
        colour = 0.5 + 0.28209479 * np.array([0.9, 0.0, -0.9])
        expected = srgb_to_linear(colour) if head.blend_space == "srgb" else colour
        assert np.allclose(proxy["colour"], expected, atol=1e-3)


def test_a_frame_is_the_one_that_the_renderer_makes(engine, head, head_file):
    values = {"AU26 Jaw Drop": 0.7, "Head Yaw": 0.3}
    reply = engine.ask("frame/render", **params(pose(values, 0.02), passes=ALL))
    found, expected = pixels(reply), direct(head_file, values, 0.02, ALL)
    assert (reply["width"], reply["height"], reply["backend"]) == (48, 48, "cpu")
    assert [entry["name"] for entry in reply["passes"]] == list(found)
    for name in ALL:
        assert np.allclose(found[name], expected[name], atol=1e-6), name
    assert found["Mask"].max() > 0.5


def test_a_frame_in_the_reply_is_the_frame_in_the_ring(engine, head):
    wanted = params(passes=ALL)
    found = pixels(engine.ask("frame/render", **wanted))
    reply = engine.ask("frame/render", **{**wanted, "transport": "inline"})
    for entry in reply["passes"]:
        content = zlib.decompress(base64.b64decode(entry["data"]))
        plane = np.frombuffer(content, entry["dtype"]).reshape(48, 48, entry["components"])
        assert np.allclose(plane, found[entry["name"]], rtol=1e-3, atol=1e-4)


def test_motion_blur_is_the_mean_of_the_samples_and_keeps_the_heads_depth(engine, head, head_file):
    places = (-0.03, 0.0, 0.03)
    reply = engine.ask("frame/render", **params(*(pose(x=x) for x in places), passes=["Depth", "Combined"]))
    found = pixels(reply)
    apart = [direct(head_file, x=x, passes=["Combined", "Depth", "Mask"]) for x in places]
    assert list(found) == ["Depth", "Combined"]
    assert np.allclose(found["Combined"], np.mean([entry["Combined"] for entry in apart], axis=0), atol=1e-5)
    anywhere = np.max([entry["Mask"] for entry in apart], axis=0) > 0.01
    nowhere = np.max([entry["Mask"] for entry in apart], axis=0) < 1 / 1000
    assert found["Depth"][anywhere].max() < 1.2
    assert np.all(found["Depth"][nowhere] == np.float32(DEPTH_BACKGROUND))


def test_depth_of_field_is_the_mean_over_the_lens_and_nothing_where_the_head_is_in_focus(engine, head):
    def picture(**lens):
        wanted = params(passes=["Combined", "Depth", "Vector"])
        wanted["samples"][0]["camera"] |= lens
        return pixels(engine.ask("frame/render", **wanted))

    sharp, behind = picture(), picture(aperture=0.08, focus=2.0)
    tiny = picture(aperture=1e-4, focus=2.0)  # its blur is narrower than a pixel
    assert np.array_equal(tiny["Combined"], sharp["Combined"])

    def edges(planes):
        return np.abs(np.diff(planes["Combined"][..., 3], axis=1)).max()

    assert edges(behind) < 0.6 * edges(sharp)
    assert behind["Combined"][..., 3].sum() == pytest.approx(sharp["Combined"][..., 3].sum(), rel=0.05)
    covered = behind["Combined"][..., 3] > 0.01
    assert behind["Depth"][covered].max() < 1.2 and np.abs(behind["Vector"]).max() < 1e-3


def test_the_mean_of_one_sample_is_that_sample():
    random = np.random.default_rng(1)
    mask = random.uniform(0.1, 1, (4, 5, 1)).astype(np.float32)
    planes = {"Mask": mask, "Depth": np.full((4, 5, 1), 2.5, np.float32), "Vector": random.normal(size=(4, 5, 4))}
    average = Average()
    average.add(planes)
    for name, plane in average.result().items():
        assert np.allclose(plane, plane * 0 + planes[name], atol=1e-6)


def test_what_moves_has_vectors_and_what_stands_has_none(engine, head):
    still = pixels(engine.ask("frame/render", **params(passes=["Vector", "Mask"])))
    assert np.abs(still["Vector"]).max() < 1e-4
    neighbours = {
        side: {"values": {}, "matrix": pose(x=x)["matrix"]} for side, x in (("previous", -0.01), ("next", 0.01))
    }
    moving = pixels(engine.ask("frame/render", **params(pose(**neighbours), passes=["Vector", "Mask"])))
    solid = moving["Mask"][..., 0] > 0.9
    assert solid.any()
    assert np.abs(moving["Vector"][solid][:, [0, 2]]).min() > 0.5
    assert np.abs(moving["Vector"][solid][:, [1, 3]]).max() < 0.2


def test_a_border_is_a_part_of_the_whole_picture(engine, head):
    whole = pixels(engine.ask("frame/render", **params()))["Combined"]
    cropped = params()
    cropped["samples"][0]["camera"]["crop"] = [10, 20, 30, 17]
    reply = engine.ask("frame/render", **cropped)
    assert (reply["width"], reply["height"]) == (30, 17)
    assert np.allclose(pixels(reply)["Combined"], whole[20:37, 10:40], atol=1e-6)


class BrokenCard:
    """A backend that has opened well and fails in its first frame."""

    name, device, note = "cuda", "NVIDIA Test (CUDA)", ""

    def render(self, frame, passes, before=None, after=None):
        raise RuntimeError("CUDA error: out of memory\nand a long explanation")


def test_where_the_graphics_card_fails_the_processor_renders_and_says_why(head_file, tmp_path):
    work, job = Work(tmp_path), Job(messages.Request("frame/render", {}, 1), lambda *_: None)
    work.load_head({"id": "one", "head": str(head_file)}, job)
    work._backends["auto"] = BrokenCard()
    reply = work.render(params(backend="auto"), job)
    assert reply["backend"] == "cpu"
    assert reply["reason"] == "NVIDIA Test (CUDA) failed (CUDA error: out of memory); rendering on the CPU"
    assert np.allclose(pixels(reply)["Combined"], direct(head_file)["Combined"], atol=1e-6)


def test_long_preparations_are_told_so_that_they_are_not_taken_for_a_hang():
    told = []
    job = Job(messages.Request("frame/render", {}, 1), lambda *step: told.append(step))
    with job.preparing("Compiling"):
        time.sleep(1.3)
    time.sleep(1.2)
    assert told == [(0.0, "Compiling")]


def test_the_command_line_renders_the_same_picture(engine, head, head_file, tmp_path):
    values = {"AU12 Lip Corner Puller.L": 0.8, "Head Pitch": -0.2}
    view = camera()
    file = tmp_path / "camera.json"
    matrices = {
        "world_to_camera": np.reshape(view["world_to_camera"], (4, 4)).tolist(),
        "K": np.reshape(view["K"], (3, 3)).tolist(),
    }
    file.write_text(json.dumps(matrices))
    settings = [text for name, value in values.items() for text in ("--set", f"{name}={value}")]
    command = [
        sys.executable,
        "-m",
        "engine",
        "render",
        "--head",
        str(head_file),
        "--camera",
        str(file),
        "--size",
        "48x48",
    ]
    command += ["--out", str(tmp_path), "--passes", "all", "--float", *settings]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120).returncode == 0
    found = pixels(engine.ask("frame/render", **params(pose(values), passes=ALL)))
    with np.load(tmp_path / "frame_0001.npz") as written:
        for name in ALL:
            assert np.allclose(written[name], found[name], atol=1e-6), name


def test_a_frame_without_heads_is_empty(engine):
    wanted = params(passes=["Combined", "Depth"])
    wanted["samples"][0]["heads"] = []
    found = pixels(engine.ask("frame/render", **wanted))
    assert not found["Combined"].any()
    assert np.all(found["Depth"] == np.float32(DEPTH_BACKGROUND))


def test_a_recording_is_performed(engine, tmp_path):
    seconds, rate = 1.0, 16_000
    times = np.arange(int(seconds * rate)) / rate
    voice = 0.3 * np.sign(np.sin(2 * np.pi * 120 * times)) * (np.sin(2 * np.pi * 3 * times) > 0)
    path = tmp_path / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes((voice * 32767).astype("<i2").tobytes())
    wanted = {"audio": str(path), "seed": 3, "fps": 24, "strengths": {"head": 0.5}}
    first, again = engine.ask("perform", **wanted), engine.ask("perform", **wanted)
    performed = curves.from_json(first["curves"], "the reply")
    assert first["duration"] == pytest.approx(seconds)
    assert len(performed.values) == 25
    assert set(first["keys"]) <= set(performed.channels)
    assert first == again, "the same seed gives the same take"


def test_a_performance_shows_a_preview_first_where_one_is_asked_for(engine):
    """The rough curves that `perform` makes before it knows any phone, without the channels that rest."""
    wanted = {"audio": str(lines.SOUND), "seed": 3, "fps": 30}
    engine.ask("perform", **wanted)
    assert "$/preview" not in [message.method for message in engine.told]
    reply = engine.ask("perform", **wanted, preview=True)
    (shown,) = [message.params for message in engine.told if message.method == "$/preview"]
    told = [message.method for message in engine.told]
    assert shown["token"] == engine.count and told.index("$/preview") < len(told) - 5, "long before the reply"
    rough, seen = curves.from_json(shown["curves"], "the preview"), []
    motion.perform(lines.SOUND, seed=3, fps=30, preview=seen.append)
    assert np.abs(rough.dense() - seen[0].dense()).max() <= 0.5e-4
    assert rough.values.any(axis=0).all() and len(rough.channels) < len(seen[0].channels)
    assert len(rough.values) <= len(reply["curves"]["values"]) and rough.fps == 30


def test_a_direction_becomes_keys_that_leave_the_lips_to_the_speech(engine):
    """'furious' over "bam": anger parts and stretches the lips, but not while they meet."""
    line = [["b", 1.0, 1.1], ["æ", 1.1, 1.4], ["m", 1.4, 1.55]]
    wanted = {"text": "screaming with rage", "fps": 50, "duration": 3.0}
    free, bound = engine.ask("emotion", **wanted), engine.ask("emotion", **wanted, phones=line)
    parting = "AU25 Lips Part"
    at = {name: curves.from_json(reply["curves"], "reply") for name, reply in (("free", free), ("bound", bound))}
    frames = {name: of.values[:, of.channels.index(parting)] for name, of in at.items()}
    assert frames["free"][52] > 0.3, "the mood alone parts the lips there"
    assert frames["bound"][50:55].max() < 0.02 and frames["bound"][70:77].max() < 0.02
    assert frames["bound"][145] == pytest.approx(frames["free"][145]), "in the pause the mouth is the mood's"
    keyed = {name: [keys.from_row(row) for row in rows] for name, rows in bound["keys"].items()}
    keyed = keys.to_curves(keyed, 50, 151)
    kept = [at["bound"].channels.index(name) for name in keyed.channels]
    assert np.abs(keyed.values - at["bound"].values[:, kept]).max() <= keys.TOLERANCE
    closed = keyed.values[50:55, keyed.channels.index(parting)]
    assert closed.max() < 0.02
    ((start, end, source, what),) = bound["reading"]
    assert (start, end) == (0.0, 3.0) and "rage" in source and "anger" in what


def test_a_direction_may_name_a_word_of_the_line(engine):
    reply = engine.ask("emotion", text="calm, but sad while she says 'never'", fps=24, duration=4.0,
                       words=[["I", 1.0, 1.2], ["never", 2.0, 2.6]])  # fmt: skip
    times = {row[2]: row[:2] for row in reply["reading"]}
    (sad,) = [span for source, span in times.items() if "sad" in source]
    assert sad[0] == pytest.approx(2.0, abs=0.2) and 2.6 <= sad[1] <= 3.0


def test_moods_by_label_and_by_valence_and_arousal(engine):
    strong = engine.ask("emotion", label="happiness", fps=24, duration=2.0)
    faint = engine.ask("emotion", label="happiness", fps=24, duration=2.0, strength=0.3)
    smile = "AU12 Lip Corner Puller.L"
    assert strong["keys"][smile][-1][1] > 2 * faint["keys"][smile][-1][1] > 0.1
    assert "happiness" in strong["reading"][0][3]
    path = engine.ask("emotion", va=[[0.8, 0.3], [-0.8, -0.2]], fps=24, duration=2.0)
    assert path["keys"][smile][0][1] > 0.2 > path["keys"].get(smile, [[0, 0]])[-1][1]
    assert [row[0] for row in path["reading"]] == [0.0, 2.0]


def test_what_is_no_mood_is_said(engine):
    assert "choose one" in engine.refused("emotion", fps=24)[1]
    assert "no emotion label" in engine.refused("emotion", fps=24, label="joy", va=[[0, 0]])[1]
    code, sentence = engine.refused("emotion", fps=24, label="chartreuse")
    assert (code, "chartreuse" in sentence) == (messages.BAD_INPUT, True)
    with pytest.raises(messages.MessageError, match="words"):
        engine.ask("emotion", fps=24, text="sad", words=[["never", 0.5]])
    silent = engine.ask("emotion", fps=24, text=" ", duration=2.0)
    assert silent["keys"] == {} and "empty" in silent["notes"][0]
    assert b"Traceback" not in engine.log


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bad_input_gets_a_sentence_and_the_engine_goes_on(engine, head, tmp_path):
    code, sentence = engine.refused("head/load", id="two", head="No Such Head")
    assert (code, "No Such Head" in sentence) == (messages.BAD_INPUT, True)
    broken = tmp_path / "broken.mien"
    broken.write_bytes(b"PK\x03\x04 and nothing more")
    code, sentence = engine.refused("head/load", id="two", head=str(broken))
    assert (code, "broken.mien" in sentence) == (messages.BAD_INPUT, True)
    code, sentence = engine.refused("head/load", id="two", head="x" * 4000)
    assert code == messages.BAD_INPUT
    unknown = params()
    unknown["samples"][0]["heads"][0]["head"] = "nobody"
    assert engine.refused("frame/render", **unknown) == (
        messages.BAD_INPUT,
        "The head 'nobody' is not loaded; check that its file is still where it was.",
    )
    flat = params()
    flat["samples"][0]["heads"][0]["matrix"] = [0.0] * 16
    assert engine.refused("frame/render", **flat)[0] == messages.BAD_INPUT
    huge = params(passes=ALL)
    huge["samples"][0]["camera"] |= {"width": 16384, "height": 16384}
    code, sentence = engine.refused("frame/render", **huge)
    assert "choose fewer passes or a smaller size" in sentence
    assert engine.refused("perform", audio=str(broken), seed=0, fps=24)[0] == messages.BAD_INPUT
    assert engine.refused("perform", seed=0, fps=24)[0] == messages.BAD_INPUT
    assert engine.ask("frame/render", **params())["width"] == 48
    assert b"Traceback" not in engine.log


def test_random_bytes_and_an_endless_line_are_refused_and_the_engine_goes_on(clients):
    client = clients(str(ROOT / "tests" / "fake_worker.py"))
    random = np.random.default_rng(0)
    noise = bytes(random.integers(0, 256, 20_000, dtype=np.uint8).tolist())
    client.write(noise + b"\n")
    client.write(b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"a" * (3 * messages.REQUEST_LIMIT) + b'"}\n')
    client.write(b'\n  \n{"half": \n')
    id = client.send("ping")
    answers = []
    while not answers or answers[-1].id != id:
        answers.append(client.receive())
    refusals = [entry.error for entry in answers[:-1]]
    assert all(code in (messages.PARSE_ERROR, messages.INVALID_REQUEST) for code, _ in refusals)
    assert sum("longer than 8388608 bytes" in sentence for _, sentence in refusals) == 1


def test_hello_comes_first_and_its_version_counts(clients):
    client = clients(str(ROOT / "tests" / "fake_worker.py"), greet=False)
    assert client.refused("head/release", id="one") == (messages.INVALID_REQUEST, "The first message must be 'hello'.")
    code, sentence = client.refused("hello", client="test", version="1", protocol="2.0", novelty=[1])
    assert (code, "update the engine" in sentence) == (messages.VERSION_MISMATCH, True)
    assert client.ask("hello", client="test", version="1", protocol="1.9")["protocol"] == "1.3"


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def order(viewport, priority="preview"):
    return {**params(), "viewport": viewport, "priority": priority, "samples": [{"heads": [], "camera": camera(4)}]}


def test_a_final_frame_overtakes_waiting_previews_and_preempts_the_running_one(fake):
    running = fake.send("frame/render", **order("patient"))
    time.sleep(0.1)
    waiting = fake.send("frame/render", **order("other"))
    final = fake.send("frame/render", **order("render", "final"))
    assert fake.receive().id == final
    answers = {fake.receive().id}
    assert answers == {waiting}, "and the preempted preview runs again after those that waited"
    fake.cancel(running)
    response = fake.receive()
    assert (response.id, response.error[0]) == (running, messages.CANCELLED)


def test_of_a_viewports_previews_the_newest_wins(fake):
    busy = fake.send("frame/render", **order("slow", "final"))
    time.sleep(0.1)
    sent = [fake.send("frame/render", **order(viewport)) for viewport in ("A", "B", "A", "A")]
    answers = [fake.receive() for _ in range(5)]
    superseded = [entry.id for entry in answers if entry.error and entry.error[0] == messages.SUPERSEDED]
    assert superseded == [sent[0], sent[2]]
    assert {entry.id for entry in answers if entry.error is None} == {busy, sent[1], sent[3]}


def test_a_performance_holds_up_no_frame_and_a_ping_is_answered_at_once(fake):
    performing = fake.send("perform", line="patient", seed=0, fps=24)
    rendering = fake.send("frame/render", **order("patient"))
    ping = fake.send("ping")
    assert fake.receive(10).id == ping
    final = fake.send("frame/render", **order("render", "final"))
    assert fake.receive(10).id == final
    for id in (performing, rendering):
        fake.cancel(id)
    assert {fake.receive(10).error[0] for _ in range(2)} == {messages.CANCELLED}


def test_what_only_waits_is_cancelled_at_once(fake):
    blocking = fake.send("perform", line="patient", seed=0, fps=24)
    waiting = fake.send("perform", line="Hello.", seed=0, fps=24)
    fake.cancel(waiting)
    fake.cancel(999_999)
    response = fake.receive(10)
    assert (response.id, response.error[0]) == (waiting, messages.CANCELLED)
    fake.cancel(blocking)
    assert fake.receive(10).id == blocking


def test_a_preempted_preview_gives_way_to_a_newer_one():
    jobs = Queue()
    old, new = (Job(messages.Request("frame/render", order("A"), id), print) for id in (1, 2))
    jobs.put(old)
    assert jobs.get() is old
    jobs.put(Job(messages.Request("frame/render", order("R", "final"), 3), print))
    with pytest.raises(Preempted):
        old.check()
    jobs.put(new)
    assert not jobs.put_back(old)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_shutdown_ends_the_process_and_its_folder(fake):
    folder = Path(fake.hello["folder"])
    assert fake.ask("shutdown") == {}
    fake.process.wait(10)
    assert not folder.exists()


def test_at_the_end_of_its_input_the_engine_ends_whatever_its_workers_do(clients, tmp_path):
    client = clients(str(ROOT / "tests" / "fake_worker.py"), f"marks={tmp_path}")
    folder = Path(client.hello["folder"])
    client.send("frame/render", **order("deaf", "final"))
    client.send("perform", line="deaf", seed=0, fps=24)
    time.sleep(0.2)
    client.process.stdin.close()
    client.process.wait(10)
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without telling it")
def test_terminated_it_removes_its_folder(clients):
    client = clients()
    client.process.send_signal(signal.SIGTERM)
    client.process.wait(10)
    assert not Path(client.hello["folder"]).exists()


def test_what_libraries_print_goes_to_the_log_and_what_they_read_is_not_the_protocol():
    code = (
        "import os, sys\n"
        "from engine.serve import take_pipes\n"
        "source, sink = take_pipes()\n"
        "print('from Python'); os.system('echo from a child'); os.write(1, b'from C\\n')\n"
        "assert sys.stdin.readline() == ''\n"
        "sink.write(source.readline()); sink.flush()\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, input="message\n", capture_output=True, text=True, timeout=60)
    assert result.stdout == "message\n"
    for text in ("from Python", "from a child", "from C"):
        assert text in result.stderr


def test_every_line_on_stdout_is_a_message():
    requests = [
        messages.request_line("hello", {"client": "t", "version": "1", "protocol": "1.0"}, 1),
        messages.request_line("frame/render", params(), 2),
        b"nonsense\n",
        messages.request_line("shutdown", {}, 3),
    ]
    command = [sys.executable, "-m", "engine", "serve"]
    result = subprocess.run(command, cwd=ROOT, input=b"".join(requests), capture_output=True, timeout=60)
    assert result.returncode == 0
    for line in result.stdout.splitlines():
        assert json.loads(line)["jsonrpc"] == "2.0"


# ── heads from files ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_is_no_head_is_refused_with_the_commands_sentence_and_nothing_is_written(engine, tmp_path):
    wrong = tmp_path / "wall.ply"
    wrong.write_bytes(b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n")
    _, sentence = engine.refused("head/import", file=str(wrong), out=str(tmp_path / "wall.mien"))
    assert "lacks the property 'y'" in sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wall.ply"]
    assert not list(Path(engine.hello["folder"]).glob("tmp*"))


def test_a_head_is_exported_along_curves(engine, head_file, tmp_path):
    curve = curves.Curves(24.0, ("AU26 Jaw Drop",), np.linspace(0, 1, 3)[:, None])
    curves.save(curve, tmp_path / "c.json")
    out = tmp_path / "frames"
    ask = {"head": str(head_file), "curves": str(tmp_path / "c.json"), "format": "ply", "out": str(out)}
    assert engine.ask("head/export", **ask) == {"out": str(out), "files": 3}
    assert [path.name for path in sorted(out.iterdir())] == [f"frame_{k:04d}.ply" for k in (1, 2, 3)]


def test_a_cancelled_command_ends_at_once_and_leaves_nothing(tmp_path):
    job = Job(messages.Request("head/export", {}, 1), lambda *_: None)
    job.stop(Cancelled)
    with pytest.raises(Cancelled):
        run_command(["heads"], job)
