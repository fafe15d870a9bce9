"""Text files read strictly and written whole: what every JSON of Mien's goes through."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .errors import MienError


def read_json(path: str | os.PathLike[str], limit: int) -> object:
    """Parse a JSON file of at most `limit` bytes strictly: no NaN, no repeated keys.

    Raises:
        MienError: It is missing, no plain file, too large, not UTF-8 or not JSON.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise MienError(f"{path} is not a file; give a JSON file.")
        with open(path, "rb") as file:
            content = file.read(limit + 1)
        text = content.decode("utf-8") if len(content) <= limit else ""
    except OSError as error:
        raise MienError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise MienError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8 JSON.") from None
    except ValueError:
        raise MienError(f"{str(path)!r} cannot be a file's path.") from None
    if len(content) > limit:
        raise MienError(f"{path} is {os.path.getsize(path)} bytes long; at most {limit} are read.")
    return parse_json(text, str(path))


def parse_json(text: str, where: str) -> object:
    """Strict JSON: NaN, Infinity and repeated keys are errors, and so is nesting too deep to parse."""

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        result = dict(items)
        if len(result) != len(items):
            raise MienError(f"{where} repeats a key in one object; each key may stand once.")
        return result

    def constant(name: str) -> object:
        raise MienError(f"{where} contains {name}; only finite numbers are allowed.")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MienError(f"{where} is not valid JSON at {place}: {error.msg}.") from None
    except (RecursionError, ValueError) as error:
        raise MienError(f"{where} is not JSON that can be read: {error}.") from None


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        MienError: The folder cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise MienError(f"{path} cannot be written ({error.strerror or error}); choose another folder.") from None
