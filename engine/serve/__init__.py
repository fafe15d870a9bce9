"""`engine serve`: the engine as a child process. Requests on stdin, replies on stdout, the log on stderr."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from .server import Server
    from .work import Work

    server = Server(source, sink, Work)
    try:
        server.run()
    finally:
        server.close()
        sys.stderr.flush()
        os._exit(0)


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol: whatever else prints goes to stderr, whatever else reads finds an end."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")
