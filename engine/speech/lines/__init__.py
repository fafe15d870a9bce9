"""The line that ships with Mien, spoken by Mien's own voice: see CARD.md beside it for how it was made."""

from __future__ import annotations

from pathlib import Path

from ...contract.curves import read_json
from ..phones import Phone, Word

SOUND = Path(__file__).with_name("default.flac")
_MARKS = Path(__file__).with_name("default.json")


def text() -> str:
    """The words of the line."""
    return _marks()["text"]


def phones() -> list[Phone]:
    """Phones from the network's own durations, refined against the sound: the times that the tests compare with."""
    return [Phone(symbol, start, end) for symbol, start, end in _marks()["phones"]]


def words() -> list[Word]:
    return [Word(word, start, end) for word, start, end in _marks()["words"]]


def _marks() -> dict:
    content = read_json(_MARKS, 1 << 20)
    assert isinstance(content, dict)
    return content
