"""The engine's log: what it writes to stderr, in a file that stays small."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path

LIMIT = 2 * 1024 * 1024
RECENT = 200


class Log:
    """Lines go to `path`; at `limit` bytes that file becomes `path` + ".1" and a new one begins.

    A log that cannot be written (a full disk, a read-only folder) is kept in memory only: it must not stop the work.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path = Path(path)
        self._limit = limit
        self._lock = threading.Lock()
        self._recent: deque[str] = deque(maxlen=RECENT)

    def write(self, line: str) -> None:
        line = line.rstrip("\r\n")
        with self._lock:
            self._recent.append(line)
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with open(self.path, "a", encoding="utf-8", errors="replace") as file:
                    file.write(line + "\n")
                    full = file.tell() > self._limit
                if full:
                    self.path.replace(self.path.with_name(self.path.name + ".1"))
            except OSError:
                pass

    def note(self, text: str) -> None:
        """A line of the add-on's own, with the time."""
        self.write(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {text}")

    def recent(self, lines: int) -> list[str]:
        with self._lock:
            return list(self._recent)[-lines:] if lines > 0 else []
