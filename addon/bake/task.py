"""A long job as a process of its own, watched without blocking: the bake's Blender, and the fit. No bpy.

Not the serving engine's: a fit of twenty minutes must hold up neither a render nor a performance, and a bake goes on
while the artist works, whatever happens to the engine.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...engine.contract.errors import Cancelled, MienError
from ..bridge.child import clean_environment, describe_exit
from ..bridge.log import Log

_GENTLE_SECONDS = 20.0


class Task:
    """One child process.

    Args:
        hear: Makes of a line of its output {"progress": fraction, "text": …}, {"done": {…}}, {"error": sentence}, None.
        hint: What to try where it ends without a word.
        gently: Stop it as Ctrl-C does, so that it can save where it is; it is killed if that takes too long.

    Attributes:
        progress: (fraction 0 to 1, what it does).
        result: What it ended with; None until then.
        error: A sentence, where it failed.

    Raises:
        MienError: The program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Log,
        hear: Callable[[str], Mapping[str, Any] | None],
        what: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        hint: str = "",
        gently: bool = False,
    ) -> None:
        self.progress: tuple[float, str] = (0.0, what)
        self.result: dict[str, Any] | None = None
        self.error: str | None = None
        self.cancelled = False
        self._hear, self._what, self._log, self._gently = hear, what, log, gently
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._hint = hint
        self._stopped_at = 0.0
        self._ended = False
        log.note(" ".join(command))
        try:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd,
                env=clean_environment(env or {}), start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0)
                | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
            )  # fmt: skip
        except OSError as error:
            raise MienError(f"{what} could not start {command[0]}: {error.strerror or error}.") from None
        if hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):  # the artist's own Blender comes first
                os.setpriority(os.PRIO_PROCESS, self._process.pid, max(os.getpriority(os.PRIO_PROCESS, 0), 5))
        threading.Thread(target=self._read, name="mien-task", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether it has ended; takes in what it said. Never blocks."""
        while not self._ended:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                break
            self._take(line)
        if self._stopped_at and not self._ended and time.monotonic() - self._stopped_at > _GENTLE_SECONDS:
            self._kill()
        return self._ended

    def wait(self, tell: Callable[[float, str], None] | None = None) -> dict[str, Any]:
        """Block until its end; its result.

        Raises:
            MienError: It failed.
            Cancelled: It was stopped.
        """
        told = None
        try:
            while not self.done:
                if tell and told != self.progress:
                    told = self.progress
                    tell(*told)
                time.sleep(0.05)
        except BaseException:
            self.cancel()
            raise
        return self.outcome()

    def outcome(self) -> dict[str, Any]:
        """Its result, once it is done; raises as `wait`."""
        if self.cancelled and self.result is None:
            raise Cancelled(f"{self._what} was stopped.")
        if self.error or self.result is None:
            raise MienError(self.error or f"{self._what} ended unexpectedly.")
        return self.result

    def cancel(self) -> None:
        """Have it end; what it has finished stays. Returns at once."""
        if self._ended or self.cancelled:
            return
        self.cancelled = True
        self._stopped_at = time.monotonic()
        if self._gently and os.name != "nt":
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGINT)
        else:
            self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            if os.name != "nt" and self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def _read(self) -> None:
        stream = self._process.stdout
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(1 << 20):
                text = line.decode("utf-8", "replace").rstrip()
                self._log.write(text)
                self._lines.put(text)
        self._process.wait()
        self._lines.put(None)

    def _take(self, line: str | None) -> None:
        if line is None:
            self._ended = True
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            if self.result is None and self.error is None and not self.cancelled:
                code = describe_exit(self._process.returncode)
                hint = f"; {self._hint}" if self._hint else ""
                self.error = f"{self._what} ended unexpectedly ({code}){hint}; the log {self._log.path} may say why."
            return
        heard = self._hear(line)
        if not heard:
            return
        if "done" in heard:
            self.result = dict(heard["done"])
        elif "error" in heard:
            self.error = str(heard["error"])
        else:
            self.progress = max(self.progress[0], float(heard["progress"])), str(heard["text"])
