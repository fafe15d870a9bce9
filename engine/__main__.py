"""`python -m engine COMMAND …`: the engine's command line.

A command is a module with `add_parser(subparsers)`, which adds its parser and sets `func`, a function of the parsed
arguments that returns an exit code or None. Only the module of the command that is called is imported.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import os
import signal
import sys
import traceback

from . import __version__
from .contract.errors import Cancelled, MienError

#: name: (module, what it does)
COMMANDS: dict[str, tuple[str, str]] = {
    "channels": ("engine.channels_command", "list the channels: name, zone, range, ARKit shape, meaning"),
    "heads": ("engine.heads.library", "list the heads of the library"),
    "render": ("engine.render", "render a head to pictures"),
    "perform": ("engine.perform", "turn speech into channel curves"),
    "emotion": ("engine.emotion.command", "turn words, a label or valence–arousal into channel curves"),
    "voices": ("engine.speech.voices", "list the voices that can speak a line"),
    "bench": ("engine.bench", "measure how fast this machine renders"),
    "sync": ("engine.sync.command", "score how well curves fit a sound, find their offset"),
    "clean": ("engine.clean.command", "read captured curves and take the jitter out"),
    "evaluate": ("engine.evaluate", "measure how good the results are"),
    "train": ("engine.train", "train a network that ships with Mien (needs torch)"),
    "fit": ("engine.fit", "make a head file"),
    "new-head": ("engine.new_head", "make a new person's head: shape, pictures, fit"),
    "import-head": ("engine.heads.foreign.importing", "make a head file from a LAM avatar or a splat of a still head"),
    "export-head": ("engine.heads.foreign.exporting", "write a posed head as 3DGS PLY or SPZ, or a sequence of them"),
    "install-faces": ("engine.heads.foreign.faces", "fetch what rigging splats of still heads needs"),
    "splat-cloud": ("engine.heads.foreign.cloud", "write a still head's splats as tiles, to place landmarks on"),
    "serve": ("engine.serve", "answer an add-on's requests on stdin and stdout"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code: 0, 1 for a mistake of Mien's, 2 for bad input, 130 for Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without "…" is no reason to stop
    try:
        parsed = _parser(arguments).parse_args(arguments)
        code = parsed.func(parsed)
        sys.stdout.flush()
        return int(code or 0)
    except MienError as error:
        return _complain(error, 2)
    except ImportError as error:
        if error.name and error.name.split(".")[0] == "engine":
            return _complain(error, 1)
        sentence = (
            f"this command needs the Python package {error.name or error}, which is not installed; install it with pip."
        )
        return _complain(sentence, 2)
    except (KeyboardInterrupt, Cancelled):
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone (`engine channels | head`): no error, but Python would complain at its exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + getattr(signal, "SIGPIPE", 13)
    except MemoryError:
        return _complain("there is not enough memory for this; ask for a smaller size or fewer passes.", 2)
    except Exception as error:
        return _complain(f"a mistake of Mien's own, {type(error).__name__}: {error}", 1)


def _complain(error: object, code: int) -> int:
    if os.environ.get("MIEN_DEBUG") == "1":
        traceback.print_exc()
    line = " ".join(str(error).split())
    with contextlib.suppress(OSError):
        print(f"mien: {line}".encode("utf-8", "replace").decode("utf-8"), file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """Wrong arguments are bad input like any other: one line."""

    def error(self, message: str) -> None:
        raise MienError(f"{message} (see {self.prog} --help)")


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="engine", description="Mien's engine: Gaussian talking heads.")
    parser.add_argument("--version", action="version", version=f"Mien engine {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((entry for entry in arguments if not entry.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        if name == asked:
            importlib.import_module(module).add_parser(commands)
        elif (found := importlib.util.find_spec(module)) and found.origin:
            commands.add_parser(name, help=summary)
    return parser


if __name__ == "__main__":
    sys.exit(main())
