"""The emotion tables: what each AU code moves and what each emotion does with the codes.

Inside this room a face is a vector of *slots*: one for every AU code, two (L, R) for the codes that have sides.
`SLOTS.to_channels` turns slots into the contract's channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import channels as contract
from ..contract.errors import MienError
from ..contract.files import read_json

DATA = Path(__file__).resolve().parent / "data"
MAX_BYTES = 8 * 1024 * 1024
MAX_INTENSITY = 1.5


@cache
def data(name: str) -> dict:
    """The content of a data file, read once."""
    content = read_json(DATA / f"{name}.json", MAX_BYTES)
    if not isinstance(content, dict):
        raise MienError(f"{DATA / name}.json must hold one JSON object.")
    return content


def split_words(text: str) -> list[str]:
    """The data files' word lists: phrases separated by commas."""
    return [phrase.strip() for phrase in text.split(",") if phrase.strip()]


def number(text: str) -> float | None:
    """A number in digits or as a word; None if it is none."""
    text = text.strip().replace(",", ".")
    if "half" in text:
        return 0.5
    if text in ("a", "an"):
        return 1.0
    try:
        return float(text)
    except ValueError:
        return data("grammar")["numbers"].get(text)


class Slots:
    """Index of (code, side) pairs and their way to the contract's channels.

    Attributes:
        names: [(code, "L" | "R" | "")] of length S.
        limit, onset, offset, lead: [S], see data/aus.json.
    """

    def __init__(self) -> None:
        self.aus: dict[str, dict] = data("aus")["aus"]
        self.names = [(code, side) for code, au in self.aus.items() for side in ("LR" if au.get("sided") else ("",))]
        self.index = {name: position for position, name in enumerate(self.names)}
        self.codes = np.array([code for code, _ in self.names])
        self.sides = np.array([side for _, side in self.names])
        self.limit, self.onset, self.offset, self.lead = (
            np.array([float(self.aus[code][key]) for code, _ in self.names])
            for key in ("limit", "onset", "offset", "lead")
        )
        self.matrix = np.zeros((len(self.names), len(contract.CHANNELS)))
        for row, (code, side) in enumerate(self.names):
            for channel, share in self.aus[code]["channels"].items():
                full = f"{channel}.{side}" if side else channel
                contract.channel(full)
                self.matrix[row, contract.INDEX[full]] = share
        self._rules = [
            (self._rows(rule["a"]), self._rows(rule["b"]), float(rule["strength"])) for rule in data("aus")["opposing"]
        ]

    def __len__(self) -> int:
        return len(self.names)

    def _rows(self, codes: Iterable[str]) -> dict[str, np.ndarray]:
        """Row numbers by side: a code without sides counts on both."""
        chosen = np.isin(self.codes, list(codes))
        return {side: np.flatnonzero(chosen & ((self.sides == side) | (self.sides == ""))) for side in "LR"}

    def mask(self, codes: Iterable[str], side: str = "") -> np.ndarray:
        """[S] bool: the slots of those codes, on one side where one is given and the code has sides."""
        chosen = np.isin(self.codes, list(codes))
        return chosen & ((self.sides == side) | (self.sides == "")) if side in ("L", "R") else chosen

    def vector(self, values: Mapping[str, float], side: str = "") -> np.ndarray:
        """[S] from {code: value}. A code may carry its own side ("30ML")."""
        result = np.zeros(len(self))
        for code, value in values.items():
            own, name = ("", code) if code in self.aus else (code[-1], code[:-1])
            result[self.mask([name], own or side)] = value
        return result

    def resolve(self, values: np.ndarray, exact: np.ndarray) -> np.ndarray:
        """A face without contradictions: opposing muscles yield to each other, exaggeration saturates.

        Args:
            values: [S], 0 or more.
            exact: [S] bool, values asked for by number: they neither yield nor saturate.

        Each of two opposing groups a, b becomes a·(1 − s·b·b/(a+b)): the stronger hardly yields, equals halve, and the
        result is continuous in both.
        """
        knee = 0.8 * self.limit
        room = self.limit - knee
        soft = knee + room * (1 - np.exp(-np.maximum(values - knee, 0) / room))
        values = np.where((values > knee) & ~exact, soft, values)
        factor = np.ones(len(self))
        for a, b, strength in self._rules:
            for side in "LR":
                self._yield(values, exact, factor, (a[side], b[side], strength), side)
        return np.where(exact, values, values * factor)

    def _yield(self, values, exact, factor, rule, side) -> None:
        rows_a, rows_b, strength = rule
        top_a, top_b = values[rows_a].max(initial=0.0), values[rows_b].max(initial=0.0)
        if top_a <= 0 or top_b <= 0:
            return
        for rows, mine, other, other_rows in ((rows_a, top_a, top_b, rows_b), (rows_b, top_b, top_a, rows_a)):
            share = 1.0 if exact[other_rows][values[other_rows] > 0].any() else other / (mine + other)
            left = max(0.0, 1 - strength * min(other, 1.0) * share)
            both = self.sides[rows] == ""
            # A code without sides meets the rule once a side: half of its yielding each time.
            factor[rows] *= np.where(both, np.sqrt(left), left)

    def to_channels(self, values: np.ndarray) -> np.ndarray:
        """Slots [..., S] → channel values [..., C], clamped to the contract's ranges."""
        return contract.clamp(values @ self.matrix)


@cache
def slots() -> Slots:
    """The one slot index."""
    return Slots()


def _strength(spec: float | list[float], intensity: float) -> float:
    """A table entry at an intensity: in proportion, or from a threshold on."""
    if not isinstance(spec, list):
        return spec * intensity
    value, start = spec
    ramp = min(max((intensity - start) / max(1 - start, 0.2), 0.0), 1.0)
    return value * intensity * ramp * ramp * (3 - 2 * ramp)


def expression(table: Mapping[str, Any], intensity: float, side: str = "") -> np.ndarray:
    """[S] of an expression's `aus` table at an intensity.

    Args:
        side: "L", "R" or "B": mirrors a one-sided table (written for the left) or shows it on both sides; for any other
            table it keeps that side alone. "" leaves the table as it is.
    """
    index = slots()
    result = np.zeros(len(index))
    one_sided = any(isinstance(spec, dict) for spec in table.values())
    for code, spec in table.items():
        if isinstance(spec, dict):
            left, right = spec["L"], spec["R"]
            if side == "R":
                left, right = right, left
            elif side == "B":
                right = left
            result[index.mask([code], "L")] = _strength(left, intensity)
            result[index.mask([code], "R")] = _strength(right, intensity)
        else:
            rows = index.mask([code], "" if one_sided else side)
            result[rows] = _strength(spec, intensity)
    return result


@dataclass(frozen=True)
class Emotion:
    """One row of data/emotions.json."""

    name: str
    valence: float
    arousal: float
    aus: Mapping[str, Any]
    onset: float
    offset: float
    source: tuple[str, ...]
    of: frozenset[str]

    def face(self, intensity: float, side: str = "") -> np.ndarray:
        """[S] at an intensity of 0 to 1.5."""
        return expression(self.aus, intensity, side)


@cache
def emotions() -> dict[str, Emotion]:
    """All emotions by name."""
    return {
        name: Emotion(
            name, row["valence"], row["arousal"], row["aus"], row.get("onset", 1.0), row.get("offset", 1.0),
            tuple(row["source"]), frozenset(row.get("of", ())),
        )
        for name, row in data("emotions")["emotions"].items()
    }  # fmt: skip


def emotion(name: str) -> Emotion:
    """The emotion of that name; underscores and capitals don't matter.

    Raises:
        MienError: There is none.
    """
    wanted = name.strip().lower().replace("_", " ")
    for key, entry in emotions().items():
        if key.replace("_", " ") == wanted:
            return entry
    some = ", ".join(key.replace("_", " ") for key in emotions())
    raise MienError(f"There is no emotion label {name!r}; the labels are {some}.")
