"""One request on its way to the engine, and what may go wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...engine.contract import messages
from ...engine.contract.errors import MienError
from .child import now

if TYPE_CHECKING:
    from .supervisor import Engine

Done = Callable[[dict[str, Any]], None]
Failed = Callable[[Exception], None]
Progress = Callable[[float, str], None]

_POLL = 0.05


class EngineError(MienError):
    """The engine could not do what was asked; the text is a sentence for the artist.

    Attributes:
        code: JSON-RPC error code, see `engine.contract.messages`: BAD_INPUT, INTERNAL, ENGINE_GONE, TIMED_OUT …
    """

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Limits:
    """Deadlines in seconds, and how often.

    Attributes:
        start: From starting the process to its answer to `hello`. A cold disk and a virus scanner take their time.
        quiet: How long an engine that owes a reply may say nothing before it is pinged.
        ping: How long it may take to answer that. Loading a large library can hold up a Python process for seconds.
        cancel: How long a request that is past its deadline may take to end once it is cancelled.
        backoff: Waits before each new start; with one more failure the engine is given up.
        good: An engine that was ready for so long has its failures forgotten.
        babble: Lines that are no messages, after which a child is given up.
    """

    start: float = 120.0
    quiet: float = 5.0
    ping: float = 20.0
    cancel: float = 15.0
    backoff: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    good: float = 60.0
    babble: int = 200


class Ticket:
    """One request on its way. Made by `Engine.request`."""

    def __init__(
        self,
        engine: Engine,
        method: str,
        params: dict[str, Any],
        callbacks: tuple[Done | None, Failed | None, Progress | None],
        deadline_s: float,
    ) -> None:
        self.method = method
        self.params = params
        self._engine = engine
        self._on_done, self._on_error, self._on_progress = callbacks
        self._deadline_s = deadline_s
        self._heard = now()
        self._ended = threading.Event()
        self._result: dict[str, Any] = {}
        self._error: Exception | None = None
        self._progress = (0.0, "")
        self._preview: dict[str, Any] | None = None
        self._repeated = False

    @property
    def done(self) -> bool:
        """Whether a result, an error or a cancellation is there."""
        return self._ended.is_set()

    @property
    def progress(self) -> tuple[float, str]:
        """(fraction 0 to 1, message) last told by the engine."""
        return self._progress

    @property
    def preview(self) -> dict[str, Any] | None:
        """Rough curves that the engine has shown before its reply: a curve file's content; None before that."""
        return self._preview

    def cancel(self) -> None:
        """Give the request up. `on_error` gets `Cancelled` at the next `pump`; the engine is told. Never blocks."""
        self._engine._cancel(self)

    def wait(
        self,
        timeout_s: float | None = None,
        should_cancel: Callable[[], bool] | None = None,
        on_progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Block until the reply is there and return its result. Callbacks run in the calling thread.

        Raises:
            Cancelled: `should_cancel()` was true, or the request was cancelled or superseded (`Superseded`).
            EngineError: The engine answered with an error, went away for good, or `timeout_s` seconds passed in all.
        """
        until = None if timeout_s is None else now() + timeout_s
        shown = self._progress
        try:
            while not self._ended.wait(_POLL if until is None else min(_POLL, max(until - now(), 0.0))):
                if should_cancel is not None and should_cancel():
                    self.cancel()
                elif until is not None and now() >= until:
                    self._engine._give_up(self, too_late(self.method, timeout_s or 0.0))
                if on_progress is not None and self._progress != shown:
                    shown = self._progress
                    on_progress(*shown)
        except BaseException:  # Ctrl-C, or a callback that failed: nobody waits any longer
            self.cancel()
            raise
        if self._error is not None:
            raise self._error
        return self._result

    def _finish(self, result: dict[str, Any] | None = None, error: Exception | None = None) -> bool:
        """Settle it, under the engine's lock; whether it was still open."""
        if self.done:
            return False
        self._result, self._error = result or {}, error
        self._ended.set()
        return True


def too_late(method: str, seconds: float) -> EngineError:
    sentence = (
        f"The engine gave no answer to {method} within {seconds:.0f} s; try again, and see its log if that stays so."
    )
    return EngineError(sentence, messages.TIMED_OUT)
