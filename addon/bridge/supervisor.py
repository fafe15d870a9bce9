"""Starts the engine, watches it, restarts it, and carries requests to it and replies back.

Threads: a reader, a writer and a log drain for each child, and one watcher. They touch only this module's own state.
Callbacks of `Engine.request` run only inside `Engine.pump`, `Ticket.wait` runs in the thread that calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.contract.errors import MienError


class EngineError(MienError):
    """The engine could not do what was asked; the text is a sentence for the artist.

    Attributes:
        code: JSON-RPC error code, see `engine.contract.messages`: BAD_INPUT, INTERNAL, ENGINE_GONE, TIMED_OUT …
    """

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


class Ticket:
    """One request on its way."""

    method: str
    params: dict[str, Any]

    @property
    def done(self) -> bool:
        """Whether a result, an error or a cancellation is there."""

    @property
    def progress(self) -> tuple[float, str]:
        """(fraction 0 to 1, message) last told by the engine."""

    def cancel(self) -> None:
        """Give the request up. `on_error` gets `Cancelled` at the next `pump`; the engine is told. Never blocks."""

    def wait(
        self,
        timeout_s: float | None = None,
        should_cancel: Callable[[], bool] | None = None,
        on_progress: Callable[[float, str], None] | None = None,
    ) -> dict[str, Any]:
        """Block until the reply is there and return its result. Callbacks run in the calling thread.

        Raises:
            Cancelled: `should_cancel()` was true, or the request was cancelled or superseded (`Superseded`).
            EngineError: The engine answered with an error, went away for good, or `timeout_s` seconds passed in all.
        """


class Engine:
    """The engine process as the add-on sees it. All methods may be called from any thread and, but for `call`, `Ticket.wait`
    and `stop`, return at once.

    Args:
        log_path: File for the engine's stderr; kept under 2 MiB, the one before it as `.1`.
    """

    def __init__(self, log_path: Path) -> None: ...

    def start(self, command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> None:
        """Start the engine, e.g. `[python, "-m", "engine", "serve"]`; does nothing while it runs.

        `env` is added to this process's environment, from which PYTHONHOME and PYTHONPATH are taken out.
        Returns at once; a program that cannot be started shows as the state "failed".
        """

    def stop(self, deadline_s: float = 5.0) -> None:
        """End the engine within `deadline_s` seconds: asks, closes its input, terminates, kills. Open requests fail."""

    @property
    def state(self) -> str:
        """"stopped", "starting", "ready", "restarting" or "failed"."""

    @property
    def status(self) -> str:
        """One sentence for the panel: "Ready: CPU", "The engine stopped (exit code 1); starting it again …"."""

    @property
    def capabilities(self) -> dict[str, Any] | None:
        """`hello`'s reply's capabilities, None until the engine was ready once."""

    @property
    def log_path(self) -> Path: ...

    def recent_log(self, lines: int = 40) -> list[str]:
        """The last lines that the engine wrote to its log."""

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        on_done: Callable[[dict[str, Any]], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        deadline_s: float = 120.0,
    ) -> Ticket:
        """Send a request, or queue it until the engine is ready. Callbacks run inside `pump`.

        `on_error` gets an `EngineError`, or `Cancelled` (`Superseded`, where a newer preview of the viewport took its place).
        `deadline_s` is the longest time in seconds without a reply or a progress report; time in which the engine starts
        counts. `frame/render` need not name its `transport`. An engine that is stopped or failed gives the error at the next `pump`.
        """

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        timeout_s: float = 120.0,
        should_cancel: Callable[[], bool] | None = None,
        on_progress: Callable[[float, str], None] | None = None,
    ) -> dict[str, Any]:
        """`request` and `Ticket.wait` in one: blocks, runs nobody else's callbacks, needs no pump."""

    def load_head(
        self,
        head: str,
        on_done: Callable[[dict[str, Any]], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        deadline_s: float = 120.0,
    ) -> Ticket:
        """Load a head by name or path; the reply is `head/load`'s, its "head" the id that `frame/render` takes.

        The id stays good across restarts of the engine: once loaded, a head is loaded again after each.
        Loading what is loaded gives the same id without asking again.
        """

    def release_head(self, head_id: str) -> None:
        """Forget a head."""

    def pump(self, budget: float = 0.05) -> int:
        """Run the callbacks of what has arrived, for at most about `budget` seconds; returns how many ran.

        Call it from one timer on the main thread. An exception in a callback is logged and doesn't stop the others.
        """

    def read_frame(self, reply: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The planes of a `frame/render` reply: {pass name: float32 [H, W, C]}, rows top-down.

        The pixels were copied when the reply came in, so it may be called late, and more than once.
        """
