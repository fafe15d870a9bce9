"""The line that ships with Mien: something to say before there is any recording."""

from __future__ import annotations

import json
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent.parent.parent / "engine" / "speech" / "lines"


def sound() -> Path:
    return _FOLDER / "default.flac"


def text() -> str:
    """The words that the sound says."""
    return json.loads((_FOLDER / "default.json").read_text(encoding="utf-8"))["text"]
