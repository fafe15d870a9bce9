"""Starts the engine, watches it, restarts it, and carries requests to it and replies back.

Threads: a reader, a writer and a log drain for each child, and one watcher. They touch only this package's own state.
Callbacks of `Engine.request` run only inside `Engine.pump`, those of `Ticket.wait` in the thread that waits.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...engine import __version__
from ...engine.contract import messages
from ...engine.contract.errors import Cancelled, MienError, Superseded
from .child import Child, describe_exit, now
from .frames import FrameLost, Frames, decode_inline, is_inline
from .log import Log
from .ticket import Done, EngineError, Failed, Limits, Progress, Ticket, too_late

#: Requests that change nothing, so that one which a dying engine took along can be asked again.
_REPEATABLE = ("frame/render", "head/load")
#: The protocol's minor that brought previews of performances.
_PREVIEWS_SINCE = 3
_TICK = 0.25
_POLL = 0.05
_LAST_WORDS = 1.0


@dataclass
class _Link:
    """What is known about the child that runs now."""

    child: Child
    folder: Path  # what it keeps its files in; removed with it, however it ends
    started: float
    pending: dict[int, Ticket] = field(default_factory=dict)
    cancelled: dict[int, float] = field(default_factory=dict)  # past their deadline, told to end, by when they must
    heard: float = 0.0
    hello: int = 0
    minor: int = 0  # of the protocol that both speak
    ping: tuple[int, float] | None = None
    ready: float | None = None
    frames: Frames | None = None
    babbled: int = 0
    fault: str = ""
    silent: float | None = None  # since when its stdout is at its end


class Engine:
    """The engine process as the add-on sees it.

    Its methods may be called from any thread and, but for `call`, `Ticket.wait` and `stop`, return at once.

    Args:
        log_path: File for the engine's stderr; kept under 2 MiB, the one before it as `.1`.
    """

    def __init__(self, log_path: Path, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._log = Log(Path(log_path))
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._ids = itertools.count(1)
        self._head_ids = itertools.count(1)
        self._state = "stopped"
        self._why = ""
        self._command: tuple[list[str], Path, dict[str, str]] = ([], Path(), {})
        self._watcher: threading.Thread | None = None
        self._link: _Link | None = None
        self._start_at = 0.0
        self._since = 0.0
        self._failures = 0
        self._capabilities: dict[str, Any] | None = None
        self._waiting: deque[Ticket] = deque()
        self._arrived: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._heads: dict[str, tuple[str, object]] = {}  # id: (name or path, stamp of the file)
        self._head_results: dict[str, dict[str, Any]] = {}
        self._own_folder: Path | None = None

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> None:
        """Start the engine, e.g. `[python, "-m", "engine", "serve"]`; does nothing while it runs.

        `env` is added to this process's environment, from which PYTHONHOME and PYTHONPATH are taken out.
        Returns at once; a program that cannot be started shows as the state "failed".
        """
        with self._lock:
            if self._state not in ("stopped", "failed"):
                return
            self._command = (list(command), Path(cwd), dict(env or {}))
            self._failures = 0
            self._state, self._why = "starting", ""
            self._start_at = self._since = now()
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(target=self._watch, name="mien-engine-watch", daemon=True)
                self._watcher.start()
        self._wake.set()

    def stop(self, deadline_s: float = 5.0) -> None:
        """End the engine within `deadline_s` seconds: asks, closes its input, terminates, kills. Open requests fail."""
        with self._lock:
            link, self._link = self._link, None
            self._state, self._why = "stopped", ""
            self._head_results.clear()  # what they name went with the process
            self._fail_all(link, EngineError("The engine was stopped.", messages.ENGINE_GONE))
            watcher, self._watcher = self._watcher, None
        self._wake.set()
        if link is not None:
            link.child.send(messages.request_line("shutdown", {}, next(self._ids)))
            self._end(link, deadline_s)
        if watcher is not None and watcher is not threading.current_thread():
            watcher.join(1.0)
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)
            self._own_folder = None

    @property
    def state(self) -> str:
        """ "stopped", "starting", "ready", "restarting" or "failed"."""
        return self._state

    @property
    def status(self) -> str:
        """One sentence for the panel: "Ready: CPU", "The engine stopped (exit code 1); starting it again …"."""
        with self._lock:
            if self._state == "starting":
                return f"Starting the engine … {now() - self._since:.0f} s"
            if self._state == "restarting":
                return f"The engine stopped ({self._why}); starting it again …"
            if self._state == "failed":
                return f"The engine does not run: {self._why} Its log: {self._log.path}"
            if self._state == "ready":
                return "Ready: " + _device(self._capabilities or {})
            return "The engine is not running."

    @property
    def capabilities(self) -> dict[str, Any] | None:
        """`hello`'s capabilities: backends, passes, heads, speech; None until the engine was ready once."""
        return self._capabilities

    @property
    def log_path(self) -> Path:
        return self._log.path

    def recent_log(self, lines: int = 40) -> list[str]:
        """The last lines of the engine's log, 200 at most."""
        return self._log.recent(lines)

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        on_done: Done | None = None,
        on_error: Failed | None = None,
        on_progress: Progress | None = None,
        deadline_s: float = 120.0,
    ) -> Ticket:
        """Send a request, or queue it until the engine is ready. Callbacks run inside `pump`.

        `on_error` gets an `EngineError`, or `Cancelled` (`Superseded`, where a newer preview of the viewport took its
        place). `deadline_s` is the longest time in seconds without a reply or a progress report; time in which the
        engine starts counts. `frame/render` need not name its `transport`. An engine that is stopped or failed gives
        the error at the next `pump`.

        Raises:
            MienError: The params are not of the method's form.
        """
        ticket = Ticket(self, method, dict(params or {}), (on_done, on_error, on_progress), deadline_s)
        messages.request_line(method, self._with_transport(ticket, "ring"), 0)
        with self._lock:
            if self._state in ("stopped", "failed"):
                self._settle(ticket, error=EngineError(self.status, messages.ENGINE_GONE))
            elif self._state == "ready" and self._link is not None:
                self._send(self._link, ticket)
            else:
                self._waiting.append(ticket)
        return ticket

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        timeout_s: float = 120.0,
        should_cancel: Callable[[], bool] | None = None,
        on_progress: Progress | None = None,
    ) -> dict[str, Any]:
        """`request` and `Ticket.wait` in one: blocks, runs nobody else's callbacks, needs no pump."""
        return self.request(method, params, deadline_s=timeout_s).wait(timeout_s, should_cancel, on_progress)

    def load_head(
        self,
        head: str,
        on_done: Done | None = None,
        on_error: Failed | None = None,
        on_progress: Progress | None = None,
        deadline_s: float = 120.0,
    ) -> Ticket:
        """Load a head by name or path; the reply is `head/load`'s, its "head" the id that `frame/render` takes.

        The id stays good across restarts of the engine: once loaded, a head is loaded again after each.
        Loading what is loaded gives the same id without asking again, unless the file has changed. The reply's "proxy"
        is a file in the engine's folder, there while this engine runs: read it when the reply comes.
        """
        source = (head, _stamp(head))
        with self._lock:
            known = next((id for id, entry in self._heads.items() if entry == source), None)
            if known in self._head_results:
                ticket = Ticket(self, "head/load", {"id": known, "head": head}, (on_done, on_error, on_progress), 0.0)
                self._settle(ticket, self._head_results[known])
                return ticket
            id = known or f"head-{next(self._head_ids)}"
        return self.request("head/load", {"id": id, "head": head}, on_done, on_error, on_progress, deadline_s)

    def release_head(self, head_id: str) -> None:
        """Forget a head."""
        with self._lock:
            self._heads.pop(head_id, None)
            self._head_results.pop(head_id, None)
            ready = self._state == "ready"
        if ready:
            self.request("head/release", {"id": head_id})

    def pump(self, budget_s: float = 0.05) -> int:
        """Run the callbacks of what has arrived, for at most about `budget_s` seconds; returns how many ran.

        Call it from one timer on the main thread. An exception in a callback is logged and doesn't stop the others.
        """
        until, count = now() + budget_s, 0
        while self._arrived and (count == 0 or now() < until):
            try:
                callback, arguments = self._arrived.popleft()
            except IndexError:
                break
            count += 1
            try:
                callback(*arguments)
            except Exception as error:
                self._log.note(f"a callback of the add-on failed: {type(error).__name__}: {error}")
        return count

    def read_frame(self, reply: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The planes of a `frame/render` reply: {pass name: float32 [H, W, C]}, rows top-down.

        The pixels were copied when the reply came in, so it may be called late, and more than once.
        """
        return reply["planes"]

    # ── under the lock: tickets ──────────────────────────────────────────────────────────────────────────────────────

    def _settle(self, ticket: Ticket, result: dict[str, Any] | None = None, error: Exception | None = None) -> None:
        with self._lock:
            if not ticket._finish(result, error):
                return
            if error is None and ticket._on_done is not None:
                self._arrived.append((ticket._on_done, (ticket._result,)))
            elif error is not None and ticket._on_error is not None:
                self._arrived.append((ticket._on_error, (error,)))

    def _with_transport(self, ticket: Ticket, transport: str) -> dict[str, Any]:
        if ticket.method in _REPEATABLE:
            return {**ticket.params, "transport": ticket.params.get("transport", transport)}
        return ticket.params

    def _fitted(self, link: _Link, ticket: Ticket, params: dict[str, Any]) -> dict[str, Any]:
        """The params without what an older engine would refuse, though it can do without."""
        if ticket.method == "perform" and link.minor < _PREVIEWS_SINCE:
            return {name: value for name, value in params.items() if name != "preview"}
        return params

    def _send(self, link: _Link, ticket: Ticket) -> int:
        id = next(self._ids)
        transport = "inline" if link.frames is None else "ring"
        if not link.pending:
            link.heard = now()
        link.pending[id] = ticket
        params = self._fitted(link, ticket, self._with_transport(ticket, transport))
        link.child.send(messages.request_line(ticket.method, params, id))
        return id

    def _cancel(self, ticket: Ticket) -> None:
        self._give_up(ticket, Cancelled("The request was cancelled."))

    def _give_up(self, ticket: Ticket, error: Exception) -> None:
        """Settle a ticket with an error and tell the engine; its reply is still awaited, to know that it is alive."""
        with self._lock:
            self._settle(ticket, error=error)
            with contextlib.suppress(ValueError):
                self._waiting.remove(ticket)
            if self._link is not None:
                for id, entry in self._link.pending.items():
                    if entry is ticket:
                        self._link.child.send(messages.request_line("$/cancelRequest", {"id": id}))

    def _fail_all(self, link: _Link | None, error: Exception) -> None:
        for ticket in [*(link.pending.values() if link else ()), *self._waiting]:
            self._settle(ticket, error=error)
        self._waiting.clear()

    # ── the reader thread ────────────────────────────────────────────────────────────────────────────────────────────

    def _on_line(self, child: Child, line: bytes | None) -> None:
        link = self._link
        if link is None or link.child is not child:
            return
        if line is None:
            link.silent = now()
            self._wake.set()
            return
        try:
            message = messages.parse_reply(line)
            if isinstance(message, messages.Request):
                self._on_notification(link, message)
            else:
                self._on_response(link, message)
        except messages.MessageError as error:
            self._on_babble(link, line, error)
        except Exception as error:  # a mistake here must not end the thread, which would look like a hang
            self._log.note(f"a message could not be taken: {type(error).__name__}: {error}")
            link.fault = "its reply could not be taken"
            self._wake.set()

    def _on_babble(self, link: _Link, line: bytes, error: Exception) -> None:
        link.babbled += 1
        self._log.note(f"the engine wrote what is no message ({error}): {line[:200]!r}")
        if len(line) > messages.REPLY_LIMIT or link.babbled > self._limits.babble:
            link.fault = "it wrote what is no message"
            self._wake.set()

    def _on_notification(self, link: _Link, message: messages.Request) -> None:
        with self._lock:
            link.heard = now()
            ticket = link.pending.get(message.params.get("token", -1))
            if ticket is None:
                return
            ticket._heard = now()
            if message.method == "$/preview":
                ticket._preview = message.params["curves"]
                return
            ticket._progress = (message.params["fraction"], message.params["message"])
            if ticket._on_progress is not None and not ticket.done:
                self._arrived.append((ticket._on_progress, ticket._progress))

    def _on_response(self, link: _Link, message: messages.Response) -> None:
        with self._lock:
            link.heard = now()
            id = -1 if message.id is None else message.id
            if link.ping is not None and id == link.ping[0]:
                link.ping = None
                return
            ticket = link.pending.get(id)
            if ticket is None:
                if message.error is not None:
                    self._log.note(f"the engine says: {message.error[1]}")
                return
        error, result = _as_exception(message.error), message.result
        if error is None:
            try:
                messages.check_result(ticket.method, result)
                result = self._received(link, ticket, result)
            except FrameLost as lost:
                error = EngineError(str(lost), messages.FRAME_LOST)
            except MienError as problem:
                error = EngineError(str(problem), messages.INTERNAL)
        with self._lock:
            if self._link is not link:
                return  # given up meanwhile, and what was pending with it
            del link.pending[id]
            link.cancelled.pop(id, None)
            if id == link.hello:
                self._on_hello(link, result, error)
            elif isinstance(error, EngineError) and error.code == messages.FRAME_LOST and not ticket._repeated:
                ticket._repeated = True
                self._send(link, ticket)
            else:
                if ticket.method == "head/load" and error is not None:
                    self._log.note(f"the head {ticket.params['head']!r} was not loaded: {error}")
                elif ticket.method == "head/load" and not ticket.done:
                    self._remember(ticket, result)
                self._settle(ticket, result, error)

    def _received(self, link: _Link, ticket: Ticket, result: dict[str, Any]) -> dict[str, Any]:
        """A result with what belongs to it fetched, outside the lock: pixels take milliseconds to copy."""
        if ticket.method == "frame/render" and not ticket.done:
            if is_inline(result):
                return {**result, "planes": decode_inline(result)}
            try:
                assert link.frames is not None
                return {**result, "planes": link.frames.read(result)}
            except FrameLost:
                raise
            except MienError as error:
                self._log.note(f"frames come in the replies from now on: {error}")
                link.frames = None
                raise FrameLost(str(error)) from None
        if ticket.method == "head/load" and "proxy_data" in result:
            return self._unpack_proxy(result)
        return result

    def _unpack_proxy(self, result: dict[str, Any]) -> dict[str, Any]:
        """A proxy that came in the reply, as a file of this side."""
        if self._own_folder is None:
            self._own_folder = Path(tempfile.mkdtemp(prefix="mien-bridge-"))
        path = self._own_folder / f"proxy-{next(self._ids)}.npz"
        try:
            path.write_bytes(base64.b64decode(result["proxy_data"], validate=True))
        except (OSError, ValueError) as error:
            raise MienError(f"The head's proxy mesh cannot be stored at {path}: {error}.") from None
        return {**{key: value for key, value in result.items() if key != "proxy_data"}, "proxy": str(path)}

    def _remember(self, ticket: Ticket, result: dict[str, Any]) -> None:
        id, head = ticket.params["id"], ticket.params["head"]
        self._heads[id] = (head, _stamp(head))
        self._head_results[id] = result

    def _on_hello(self, link: _Link, result: dict[str, Any], error: Exception | None) -> None:
        if error is None:
            try:
                _, link.minor = messages.check_version(result["protocol"], "engine")
            except MienError as mismatch:
                error = mismatch
        if error is not None:
            self._abandon(link, str(error))
            return
        try:
            link.frames = Frames(result["ring"])
        except MienError as problem:
            self._log.note(f"frames come in the replies: {problem}")
        self._capabilities = result["capabilities"]
        self._state, self._why, link.ready = "ready", "", now()
        self._head_results.clear()
        for id, (head, _) in self._heads.items():
            self._send(link, Ticket(self, "head/load", {"id": id, "head": head}, (None, None, None), 120.0))
        while self._waiting:
            self._send(link, self._waiting.popleft())

    # ── the watcher thread ───────────────────────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        me = threading.current_thread()
        while True:
            self._wake.wait(_TICK)
            self._wake.clear()
            with self._lock:
                if self._watcher is not me:
                    return
                link = self._link
                self._expire_waiting()
                if link is None and self._state in ("starting", "restarting") and now() >= self._start_at:
                    self._spawn()
            if link is not None:
                self._look_after(link)

    def _spawn(self) -> None:
        command, cwd, env = self._command
        self._log.note(f"starting the engine: {' '.join(command)}")
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="mien-engine-"))
            child = Child(command, cwd, {**env, "MIEN_ENGINE_FOLDER": str(folder)}, self._log, self._on_line)
        except (OSError, ValueError) as error:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
            program = command[0] if command else "(no command)"
            self._fail(f"{program} cannot be started ({error}); press Install Engine in the tab Mien.")
            return
        self._link = link = _Link(child, folder, started=now())
        hello = {"client": "mien-addon", "version": __version__, "protocol": messages.version_text()}
        link.hello = self._send(link, Ticket(self, "hello", hello, (None, None, None), self._limits.start))

    def _look_after(self, link: _Link) -> None:
        if link.fault:
            self._lost(link, link.fault)
            return
        if link.child.exit_code is not None:
            self._read_last(link)
            self._lost(link, describe_exit(link.child.exit_code))
            return
        if link.silent is not None and now() > link.silent + _LAST_WORDS:
            self._lost(link, "it closed its output")
            return
        if link.ready is None:
            if now() > link.started + self._limits.start:
                self._lost(link, f"no answer within {self._limits.start:.0f} s of its start")
            return
        with self._lock:
            if self._link is link:
                hung = self._overdue(link)
        if hung:
            self._lost(link, hung)

    def _read_last(self, link: _Link) -> None:
        """Let the reader take in what a child wrote before it ended."""
        until = now() + _LAST_WORDS
        while link.silent is None and now() < until:
            self._wake.wait(_POLL)
            self._wake.clear()

    def _overdue(self, link: _Link) -> str:
        """Why the child must be taken for hung, or nothing. Settles and cancels what is past its deadline."""
        if link.ping is not None and now() > link.ping[1] + self._limits.ping:
            return "it no longer answers"
        for id, ticket in list(link.pending.items()):
            if id in link.cancelled:
                if now() > link.cancelled[id]:
                    return f"it did not end {ticket.method} when told to"
            elif now() > ticket._heard + ticket._deadline_s:
                self._give_up(ticket, too_late(ticket.method, ticket._deadline_s))
                link.cancelled[id] = now() + self._limits.cancel
        if link.pending and link.ping is None and now() > link.heard + self._limits.quiet:
            id = next(self._ids)
            link.ping = (id, now())
            link.child.send(messages.request_line("ping", {}, id))
        return ""

    def _expire_waiting(self) -> None:
        for ticket in [entry for entry in self._waiting if now() > entry._heard + entry._deadline_s]:
            self._give_up(ticket, too_late(ticket.method, ticket._deadline_s))

    def _lost(self, link: _Link, why: str) -> None:
        """The child has ended, or must: end it, save what can be asked again, and start another or give up."""
        link.child.kill()
        link.child.wait(5.0)
        self._clean(link)
        with self._lock:
            if self._link is not link:
                return
            self._link, self._why = None, why
            self._head_results.clear()
            self._log.note(f"the engine is gone: {why}")
            for id, ticket in link.pending.items():
                if ticket.done or id == link.hello:
                    continue
                if ticket.method in _REPEATABLE and not ticket._repeated:
                    ticket._repeated, ticket._heard = True, now()
                    self._waiting.append(ticket)
                else:
                    sentence = (
                        f"The engine stopped during {ticket.method} ({why}); it is being started again: try again."
                    )
                    self._settle(ticket, error=EngineError(sentence, messages.ENGINE_GONE))
            if link.ready is not None and now() > link.ready + self._limits.good:
                self._failures = 0
            self._failures += 1
            # One that never came up rarely does at the fifth time: say so soon.
            attempts = len(self._limits.backoff) if link.ready is not None else min(2, len(self._limits.backoff))
            if self._failures > attempts:
                last = next((line for line in reversed(self._log.recent(20)) if not line.startswith("[")), "")
                self._fail(f"it stopped {self._failures} times ({why}{'; ' + last if last else ''}).")
                return
            self._state = "restarting"
            self._since = now()
            self._start_at = now() + self._limits.backoff[self._failures - 1]

    def _abandon(self, link: _Link, why: str) -> None:
        """Give a child up for good: another start would end the same."""
        self._link = None
        self._head_results.clear()
        self._fail_all(link, EngineError(why, messages.VERSION_MISMATCH))
        self._fail(why)
        threading.Thread(target=self._end, args=(link, 2.0), daemon=True).start()

    def _fail(self, why: str) -> None:
        self._state, self._why = "failed", why
        self._log.note(f"the engine is given up: {why}")
        self._fail_all(None, EngineError(self.status, messages.ENGINE_GONE))

    def _end(self, link: _Link, seconds: float) -> None:
        link.child.stop(seconds)
        self._clean(link)

    def _clean(self, link: _Link) -> None:
        """Remove the folder of a child that was killed before it could."""
        link.frames = None  # a mapped file can't be removed on Windows
        shutil.rmtree(link.folder, ignore_errors=True)


def _as_exception(error: tuple[int, str] | None) -> Exception | None:
    if error is None:
        return None
    code, sentence = error
    if code == messages.CANCELLED:
        return Cancelled(sentence)
    if code == messages.SUPERSEDED:
        return Superseded(sentence)
    return EngineError(sentence, code)


def _stamp(head: str) -> object:
    """What changes when a head's file does; None for a name."""
    try:
        found = os.stat(head)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def _device(capabilities: Mapping[str, Any]) -> str:
    """What renders: the graphics card's name, or CPU and why, where that is known."""
    backends = [entry for entry in capabilities.get("backends", []) if isinstance(entry, dict)]
    for entry in backends:
        if entry.get("available") and entry.get("name") != "cpu":
            return str(entry.get("device", entry.get("name", "")))
    reasons = [entry["reason"] for entry in backends if entry.get("reason")]
    return "CPU" + (f" ({reasons[0]})" if reasons else "")
