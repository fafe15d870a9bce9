"""Jobs and the two queues they wait in: renders, where the newest preview of a viewport wins, and performances."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..contract.errors import Cancelled, Superseded
from ..contract.messages import Request

PREPARE_SECONDS = 900.0
"""The longest that compiling a renderer may take: gsplat's kernels take minutes, once."""


class Preempted(Exception):
    """A final frame needs the renderer: this preview starts anew after it."""


class Job:
    """A request that a worker answers.

    Attributes:
        progress: Tells the add-on how far it is: (fraction 0 to 1, message).
        preview: Shows the add-on rough curves long before the reply: (a curve file's content).
    """

    def __init__(
        self,
        request: Request,
        progress: Callable[[float, str], None],
        preview: Callable[[Mapping[str, Any]], None] = lambda curves: None,
    ) -> None:
        self.request = request
        self.progress = progress
        self.preview = preview
        self._stop: type[Exception] | None = None

    @property
    def viewport(self) -> str | None:
        """The viewport whose preview this is, None for everything else."""
        params = self.request.params
        return params["viewport"] if params.get("priority") == "preview" else None

    @property
    def stopped(self) -> bool:
        return self._stop is not None

    def stop(self, why: type[Exception]) -> None:
        """Have it end the next time it looks. A cancellation stands above a preemption."""
        if self._stop is None or why is not Preempted:
            self._stop = why

    def check(self) -> None:
        """Called by the work between steps.

        Raises:
            Cancelled, Superseded, Preempted: It is to end.
        """
        if self._stop is not None:
            raise self._stop(
                "The request was superseded." if self._stop is Superseded else "The request was cancelled."
            )

    @contextlib.contextmanager
    def preparing(self, message: str, at_most: float = PREPARE_SECONDS) -> Iterator[None]:
        """Say so each second meanwhile: compiling is long, once, and no hang; but bounded, as it may be one."""
        done = threading.Event()

        def repeat() -> None:
            for _ in range(int(at_most)):
                if done.wait(1.0):
                    return
                self.progress(0.0, message)

        threading.Thread(target=repeat, name="mien-preparing", daemon=True).start()
        try:
            yield
        finally:
            done.set()

    def restart(self) -> None:
        if self._stop is Preempted:
            self._stop = None


class Queue:
    """Jobs for one worker. What is no preview runs first, in order; of each viewport at most one preview waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ordered: deque[Job] = deque()
        self._previews: dict[str, Job] = {}
        self._running: Job | None = None
        self._closed = False

    def put(self, job: Job) -> Job | None:
        """Queue a job; returns the preview whose place it took."""
        with self._changed:
            displaced = None
            if job.viewport is None:
                self._ordered.append(job)
                if self._running is not None and self._running.viewport is not None:
                    self._running.stop(Preempted)
            else:
                displaced = self._previews.pop(job.viewport, None)
                self._previews[job.viewport] = job
            self._changed.notify()
            return displaced

    def put_back(self, job: Job) -> bool:
        """Queue a preempted preview again, unless a newer one is there: then False."""
        with self._changed:
            if job.viewport is None or job.viewport in self._previews:
                return False
            job.restart()
            self._previews[job.viewport] = job
            self._changed.notify()
            return True

    def get(self) -> Job | None:
        """Wait for the next job; None once the queue is closed."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._closed or self._ordered or self._previews)
            if self._closed:
                return None
            if self._ordered:
                self._running = self._ordered.popleft()
            else:
                self._running = self._previews.pop(next(iter(self._previews)))
            return self._running

    def cancel(self, id: int) -> Job | None:
        """Cancel a request; returns it where it only waited, so that it can be answered at once."""
        with self._changed:
            if self._running is not None and self._running.request.id == id:
                self._running.stop(Cancelled)
                return None
            for job in [*self._ordered, *self._previews.values()]:
                if job.request.id == id:
                    if job.viewport is None:
                        self._ordered.remove(job)
                    else:
                        del self._previews[job.viewport]
                    return job
            return None

    def close(self) -> None:
        """Let go of what waits and stop what runs."""
        with self._changed:
            self._closed = True
            self._ordered.clear()
            self._previews.clear()
            if self._running is not None:
                self._running.stop(Cancelled)
            self._changed.notify_all()
