"""`engine serve`: the engine as a child process. Requests on stdin, replies on stdout, the log on stderr."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("serve", help="answer an add-on's requests on stdin and stdout")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> None:
    """Serve until stdin ends. Does not return: a worker stuck in compiled code must not keep the process alive."""
    source, sink = take_pipes()
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="[%(asctime)s] %(message)s", datefmt="%Y-%m-%d %H:%M:%S"
    )
    from .server import Server
    from .work import Work

    server = Server(source, sink, Work)

    def end() -> None:
        server.close()
        sys.stderr.flush()
        os._exit(0)

    if os.name != "nt":  # Windows ends a process without telling it
        _on_terminate(end)
    try:
        server.run()
    finally:
        end()


def _on_terminate(end: Callable[[], None]) -> None:
    """Calls `end` once SIGTERM comes, from a thread that waits for nothing else.

    A handler runs in the main thread, and there only after the read that it sits in: a signal that comes just before
    that read begins would wait for the next request.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def wait() -> None:
        while os.read(heard, 1) != bytes([signal.SIGTERM]):
            pass
        end()

    threading.Thread(target=wait, name="terminate", daemon=True).start()


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol: whatever else prints goes to stderr, whatever else reads finds an end."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")
