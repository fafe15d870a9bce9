"""One engine process and the threads at its pipes. They hand on what arrives and know nothing of its meaning."""

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

from ...engine.contract import messages
from .log import Log

_LOG_LINE = 4096
_NOT_FOR_CHILDREN = ("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP")


class Child:
    """A started engine process.

    Args:
        on_line: Called in the reader thread with each line of stdout, without its end; with None once at its end.
            A line longer than a reply may be comes as its first part, and reading stops.

    Raises:
        OSError: The program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        log: Log,
        on_line: Callable[[Child, bytes | None], None],
    ) -> None:
        self._log = log
        self._on_line = on_line
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=clean_environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Its own session: Ctrl-C in Blender's terminal is not for the engine, and its children end with it.
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        for name, target in (("reader", self._read), ("writer", self._write), ("log", self._drain)):
            threading.Thread(target=target, name=f"mien-engine-{name}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def send(self, line: bytes) -> None:
        """Queue a line for its stdin. Never blocks: a child that reads no more must not hold up its parent."""
        self._outgoing.put(line)

    def close_input(self) -> None:
        """End its stdin after what is queued, which tells it to end."""
        self._outgoing.put(None)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within that time."""
        try:
            self._process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        with contextlib.suppress(OSError):
            self._process.terminate()

    def kill(self) -> None:
        """End it and the processes it started, at once."""
        with contextlib.suppress(OSError):
            if os.name != "nt" and self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def stop(self, seconds: float) -> None:
        """Have it ended within about `seconds`: end of input, then terminate, then kill, by deadlines."""
        self.close_input()
        for share, harder in ((0.6, self.terminate), (0.2, self.kill), (0.2, None)):
            if self.wait(seconds * share):
                return
            if harder:
                harder()

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            while line := stdout.readline(messages.REPLY_LIMIT + 1):
                self._on_line(self, line.rstrip(b"\r\n"))
                if len(line) > messages.REPLY_LIMIT:
                    break
        except (OSError, ValueError) as error:
            self._log.note(f"reading from the engine failed: {error}")
        self._on_line(self, None)

    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            while (line := self._outgoing.get()) is not None:
                stdin.write(line)
                stdin.flush()
        except (OSError, ValueError):
            pass  # it has gone; the reader sees that too
        with contextlib.suppress(OSError, ValueError):
            stdin.close()

    def _drain(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        with contextlib.suppress(OSError, ValueError):
            while line := stderr.readline(_LOG_LINE):
                self._log.write(line.decode("utf-8", "replace"))


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment for another Python, without what sends that to Blender's own modules or from ours."""
    kept = {key: value for key, value in os.environ.items() if key.upper() not in _NOT_FOR_CHILDREN}
    return {**kept, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", **extra}


def describe_exit(code: int | None) -> str:
    if code is None:
        return "no exit code"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}"


def now() -> float:
    return time.monotonic()
