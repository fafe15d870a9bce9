"""The loop of the engine process: reads requests in one thread and works in three others; none waits for another."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from .. import __version__
from ..contract import messages
from ..contract.errors import Cancelled, MienError, Superseded
from ..contract.messages import MessageError, Request
from .jobs import Job, Preempted, Queue

log = logging.getLogger("mien")

FOLDER_VARIABLE = "MIEN_ENGINE_FOLDER"
"""Names a folder that the add-on made for this process, so that it can remove it should the process be killed."""
END_WITHIN = 1.5
"""Seconds that running jobs get to end when the add-on has gone."""


class Server:
    """Answers the requests that come in on `source` with replies on `sink` until the source ends.

    Args:
        make_work: Makes what renders and performs, in the server's private folder: `Work`, or a test's.
    """

    def __init__(self, source: BinaryIO, sink: BinaryIO, make_work: Callable[[Path], Any]) -> None:
        self._source, self._sink = source, sink
        self._sink_lock = threading.Lock()
        self.folder = _private_folder()
        self._work = make_work(self.folder)
        self._greeted = False
        self._renders, self._performances, self._files = Queue(), Queue(), Queue()
        self._methods: dict[str, tuple[Queue, Callable[[dict[str, Any], Job], dict[str, Any]]]] = {
            "head/load": (self._renders, self._work.load_head),
            "head/release": (self._renders, self._work.release_head),
            "frame/render": (self._renders, self._work.render),
            "head/import": (self._files, self._work.import_head),
            "head/cloud": (self._files, self._work.cloud),
            "head/export": (self._files, self._work.export_head),
            "faces/install": (self._files, self._work.install_faces),
            "perform": (self._performances, self._work.perform),
            "emotion": (self._performances, self._work.emotion),
            "sync": (self._performances, self._work.sync),
            "clean": (self._performances, self._work.clean),
            "curves/write": (self._performances, self._work.write_curves),
            "voices/install": (self._files, self._work.install_voices),
        }
        self._workers = [
            threading.Thread(target=self._labour, args=(queue,), name=f"mien-{name}", daemon=True)
            for name, queue in (("render", self._renders), ("perform", self._performances), ("files", self._files))
        ]

    def run(self) -> None:
        """Serve until the source ends or `shutdown` comes."""
        for worker in self._workers:
            worker.start()
        while (line := self._read_line()) is not None:
            try:
                if line.strip() and not self._take(line):
                    break
            except MessageError as error:
                log.info("refused: %s", error)
                self._send(messages.error_line(error.id, error.code, str(error)))

    def close(self) -> None:
        """Drop the work and remove the folder, within two seconds whatever the workers do."""
        for queue in (self._renders, self._performances, self._files):
            queue.close()
        for worker in self._workers:
            if worker.is_alive():
                worker.join(END_WITHIN / len(self._workers))
        shutil.rmtree(self.folder, ignore_errors=True)

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read_line(self) -> bytes | None:
        """The next line; None at the end. Of one that is too long only its beginning is kept."""
        line = self._source.readline(messages.REQUEST_LIMIT + 1)
        if not line:
            return None
        part = line
        while part and not part.endswith(b"\n"):
            part = self._source.readline(1 << 20)
        return line

    def _take(self, line: bytes) -> bool:
        """Answer or queue one request; False once it asks for the end."""
        request = messages.parse_request(line)
        if request.method == "$/cancelRequest":
            self._cancel(request.params["id"])
        elif request.id is None:
            pass  # a notification that is the engine's to send
        elif request.method == "shutdown":
            self._reply(request, {})
            return False
        elif request.method == "ping":
            self._reply(request, {})
        elif request.method == "hello":
            self._answer(request, lambda: self._hello(request.params))
        elif not self._greeted:
            raise MessageError("The first message must be 'hello'.", messages.INVALID_REQUEST, request.id)
        else:
            self._queue(request)
        return True

    def _hello(self, params: dict[str, Any]) -> dict[str, Any]:
        version = messages.check_version(params["protocol"], "add-on")
        capabilities = self._work.capabilities()
        self._greeted = True
        log.info("engine %s serves %s %s", __version__, params["client"], params["version"])
        return {
            "engine": __version__,
            "protocol": messages.version_text(version),
            "pid": os.getpid(),
            "folder": str(self.folder),
            "ring": str(self._work.ring_path),
            "capabilities": capabilities,
        }

    def _queue(self, request: Request) -> None:
        def progress(fraction: float, message: str) -> None:
            params = {"token": request.id, "fraction": min(max(float(fraction), 0.0), 1.0), "message": message[:1000]}
            self._send(messages.request_line("$/progress", params))

        def preview(curves: Mapping[str, Any]) -> None:
            self._send(messages.request_line("$/preview", {"token": request.id, "curves": dict(curves)}))

        queue, _ = self._methods[request.method]
        displaced = queue.put(Job(request, progress, preview))
        if displaced is not None:
            self._fail(displaced.request, Superseded("A newer preview of this viewport took its place."))

    def _cancel(self, id: int) -> None:
        for queue in (self._renders, self._performances, self._files):
            if waiting := queue.cancel(id):
                self._fail(waiting.request, Cancelled("The request was cancelled."))

    # ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _labour(self, queue: Queue) -> None:
        while (job := queue.get()) is not None:
            try:
                self._answer(job.request, lambda job=job: self._do(job))
            except Preempted:
                if not queue.put_back(job):
                    self._fail(job.request, Superseded("A newer preview of this viewport took its place."))

    def _do(self, job: Job) -> dict[str, Any]:
        job.check()
        _, method = self._methods[job.request.method]
        return method(job.request.params, job)

    def _answer(self, request: Request, work: Callable[[], dict[str, Any]]) -> None:
        """Reply with what `work` returns or raises, whatever that is."""
        try:
            self._reply(request, work())
        except Preempted:
            raise
        except MemoryError:
            self._fail(request, MienError("There is not enough memory for this; render smaller or fewer passes."))
        except BaseException as error:
            self._fail(request, error)

    # ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _reply(self, request: Request, result: dict[str, Any]) -> None:
        assert request.id is not None
        self._send(messages.result_line(request.method, request.id, result))

    def _fail(self, request: Request, error: BaseException) -> None:
        code, sentence = messages.error_code(error), str(error)
        if code == messages.INTERNAL:
            log.error("a mistake of the engine's in %s", request.method, exc_info=error)
            sentence = f"The engine made a mistake ({type(error).__name__}) in {request.method}; its log says more."
        self._send(messages.error_line(request.id, code, sentence))

    def _send(self, line: bytes) -> None:
        """Write a line whole. Where nobody reads any more, the end of stdin will say so too."""
        with self._sink_lock, contextlib.suppress(BrokenPipeError, ValueError):
            self._sink.write(line)
            self._sink.flush()


def _private_folder() -> Path:
    """The folder that was made for this process, else a new one, readable by this user only."""
    given = os.environ.pop(FOLDER_VARIABLE, "")
    if given and os.path.isdir(given) and not os.listdir(given):
        return Path(given)
    return Path(tempfile.mkdtemp(prefix="mien-engine-"))
