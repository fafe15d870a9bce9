"""How a command that the serving engine runs as a process of its own tells how far it is; `serve.child` listens.

With `--progress`, a command's standard output is one JSON object a line: `{"fraction": 0.3, "message": "…"}`, and at
the end `{"result": {…}}`. The process ends as soon as its standard input does, so that none outlives the engine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

Tell = Callable[[float, str], None]
"""(fraction 0 to 1, what is done now, for the artist)."""


def silent(fraction: float, message: str) -> None:
    """Nobody listens."""


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--progress", action="store_true", help="tell progress and result as JSON, a line each")


def teller(wanted: bool) -> Tell:
    """What to call with progress; with `wanted` the lines begin, and the process ends with its standard input."""
    if not wanted:
        return silent
    threading.Thread(target=_end_with_input, name="mien-orphan", daemon=True).start()
    return lambda fraction, message: _say({"fraction": fraction, "message": message})


def tell_result(result: Mapping[str, Any]) -> None:
    _say({"result": dict(result)})


def _say(content: Mapping[str, Any]) -> None:
    print(json.dumps(content, allow_nan=False), flush=True)


def _end_with_input() -> None:
    # Not through sys.stdin, whose lock this thread would hold when the interpreter ends.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os._exit(130)
