"""An engine for tests of the add-on's side: does what its arguments say instead of rendering.

python tests/fake_worker.py [FAULT …]     what each does is in the code below, under its name
"""

import base64
import os
import sys
import threading
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from engine.contract import messages
from engine.serve.server import Server

FAULTS = {name: value for name, _, value in (entry.partition("=") for entry in sys.argv[1:])}
MARKS = Path(FAULTS.get("marks", "."))


BOMB = base64.b64encode(zlib.compress(bytes(1 << 26))).decode()
#: What a reply to a frame of that viewport has in place of what it should.
HOSTILE = {
    "no place": {},
    "another file": {"ring": __file__, "slot": 0, "sequence": 1},
    "no such slot": {"ring": "/nowhere", "slot": 200, "sequence": 1},
    "a bomb": {"passes": [{"name": "Combined", "components": 4, "dtype": "float32", "data": BOMB}]},
    "not base64": {"passes": [{"name": "Combined", "components": 4, "dtype": "float32", "data": "é"}]},
    "too short": {"passes": [{"name": "Combined", "components": 4, "dtype": "float32", "data": BOMB[:100]}]},
    "wrong components": {"passes": [{"name": "Combined", "components": 1, "dtype": "float16", "data": BOMB}]},
    "wrong form": {"width": "wide"},
    "unknown field": {"secret": 1},
}


def first_time(name: str) -> bool:
    """Whether no earlier process of this test has done that."""
    try:
        (MARKS / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class FakeWork:
    """Renders planes filled with the first matrix's first number."""

    def __init__(self, folder):
        from engine.contract.ring import RingWriter

        self._ring = RingWriter(folder, slots=2, slot_size=1 << 16)
        self._heads = {}
        self.ring_path = Path("/nowhere/frames.ring") if "remote" in FAULTS else self._ring.path

    def capabilities(self):
        if "slow-start" in FAULTS:
            time.sleep(float(FAULTS["slow-start"]))
        backends = [{"name": "cpu", "available": True, "device": "Fake"}]
        return {"backends": backends, "passes": ["Combined", "Depth"], "heads": []}

    def load_head(self, params, job):
        from engine.contract.errors import MienError

        if params["head"] == "missing":
            raise MienError("There is no head 'missing'; choose another.")
        if FAULTS.get("crash") == "load" and first_time("crash"):
            os._exit(7)
        self._heads[params["id"]] = params["head"]
        log(f"loaded {params['id']} {params['head']}")
        texts = dict.fromkeys(("name", "author", "licence", "source"), "Fake")
        empty = {"units": [], "parts": [], "camera": None, "eyes": None, "neck": None, "figures": {}, "gaussians": 0}
        reply = {"head": params["id"], **texts, **empty, "proxy": "/nowhere/proxy.npz"}
        if params.get("transport") == "inline":
            reply["proxy_data"] = base64.b64encode(b"the proxy").decode()
        return reply

    def release_head(self, params, job):
        self._heads.pop(params["id"], None)
        return {}

    def import_head(self, params, job):
        from engine.contract.errors import MienError

        raise MienError("A fake engine reads no files.")

    cloud = export_head = install_faces = import_head
    sync = clean = write_curves = install_voices = import_head

    def render(self, params, job):
        from engine.contract.errors import MienError
        from engine.serve.inline import inline_pass

        sample = params["samples"][0]
        for entry in sample["heads"]:
            if entry["head"] not in self._heads:
                raise MienError(f"The head {entry['head']!r} is not loaded.")
        misbehave(params["viewport"], job)
        value = sample["heads"][0]["matrix"][0] if sample["heads"] else 0.0
        width, height = sample["camera"]["width"], sample["camera"]["height"]
        planes = {"Combined": np.full((height, width, 4), value, np.float32)}
        reply = {"width": width, "height": height, "seconds": 0.0, "backend": "cpu", "device": "Fake"}
        if params["transport"] == "inline":
            return {**reply, "passes": [inline_pass(name, plane) for name, plane in planes.items()]}
        if params["viewport"] in HOSTILE:
            return {**reply, "passes": [{"name": "Combined", "components": 4}], **HOSTILE[params["viewport"]]}
        written = self._ring.write(params["viewport"], planes)
        sequence = written.sequence
        if "lose-frames" in FAULTS and first_time("lost"):
            sequence += 99
        reply |= {"ring": str(written.path), "slot": written.slot, "sequence": sequence}
        return {**reply, "passes": [{"name": "Combined", "components": 4, "offset": 0}]}

    def perform(self, params, job):
        misbehave(params.get("line", ""), job)
        if params.get("preview"):
            job.preview({"fps": params["fps"]})
        for step in range(3):
            job.progress(step / 3, f"Step {step}")
            time.sleep(0.06)
        return {"curves": {}, "keys": {}, "words": [], "phones": [], "duration": 1.0, "notes": []}

    def emotion(self, params, job):
        misbehave(params.get("text", ""), job)
        return {"curves": {}, "keys": {}, "reading": [], "duration": 1.0, "notes": []}


def misbehave(what, job):
    """What a viewport's name or a line to speak asks for."""
    if what.startswith("crash-once"):
        if first_time(what):
            os._exit(7)
    elif what.startswith("crash"):
        os._exit(7)
    elif what.startswith("deaf") or (what.startswith("endless-once") and first_time(what)):
        while True:  # works on, whatever it is told
            time.sleep(0.05)
    elif what.startswith("patient"):
        while True:
            job.check()
            time.sleep(0.01)
    elif what.startswith("slow"):
        time.sleep(0.3)
    elif what.startswith("bug"):
        raise ZeroDivisionError("a mistake with a secret in it")


def main() -> None:
    if "not-at-all" in FAULTS:
        sys.exit("ModuleNotFoundError: No module named 'nothing'")
    sink = os.fdopen(os.dup(1), "wb")
    if "greets" in FAULTS:
        sink.write(b"Welcome to this machine!\nLast login: today\n")
    if "babbles" in FAULTS:
        threading.Thread(target=babble, args=(sink,), daemon=True).start()
    if "minor" in FAULTS:
        messages.PROTOCOL = (1, int(FAULTS["minor"]))
    if "old" in FAULTS:
        messages.PROTOCOL = (0, 9)
        messages.check_version = lambda theirs, who: (0, 9)
    if "unending" in FAULTS:
        while True:
            sink.write(b"x" * (1 << 20))
    if "shouts" in FAULTS:
        log("y" * 100_000 + "\n" + "\n".join(f"line {number}" for number in range(50_000)))
    server = Server(sys.stdin.buffer, sink, FakeWork)
    try:
        server.run()
        if "stubborn" in FAULTS:
            time.sleep(60)
    finally:
        server.close()
        os._exit(0)


def babble(sink) -> None:
    while True:
        sink.write(b'{"jsonrpc": "2.0", "id": NaN}\n\xff\xfe\n[1, 2]\n{"half": \n')
        sink.flush()
        time.sleep(0.001)


if __name__ == "__main__":
    main()
