"""Unit values as driver expressions over the channels, from the same table that the engine multiplies by."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...engine.contract import channels as table
from ...engine.contract import circle

EXPRESSION_LIMIT = 255
"""Blender cuts a driver's expression after this many characters."""


PAD, CIRCLE = "mien_pad", "mien_circle"
"""Array properties of the shape keys: valence and arousal within their range, and the weights of the directions."""


@dataclass(frozen=True)
class Expression:
    """A driver: `text` over single-letter variables, each a channel of the head.

    Attributes:
        own: {letter: path on the driven data-block itself}.
    """

    text: str
    variables: dict[str, str]
    own: dict[str, str] = field(default_factory=dict)


def unit(name: str) -> Expression:
    """The value of a face unit, 0 to the contract's limit. Only functions that Blender evaluates without Python."""
    variables: dict[str, str] = {}
    total = _sum(name, variables)
    own: dict[str, str] = {}
    for direction, weight in enumerate(circle.matrix(table.UNITS)[:, table.UNITS.index(name)]):
        if weight:
            letter = chr(ord("a") + len(variables) + len(own))
            own[letter] = f'["{CIRCLE}"][{direction}]'
            total += f" + {weight:g}*{letter}"
    return Expression(f"clamp({total}, 0, {table.UNIT_LIMIT:g})", variables, own)


def pad() -> list[Expression]:
    """Valence and arousal within their range: the elements of `PAD`."""
    return [channel(name) for name in table.PAD]


def directions() -> list[Expression]:
    """The weights of the circle's directions: the elements of `CIRCLE`."""
    own = {"v": f'["{PAD}"][0]', "a": f'["{PAD}"][1]'}
    return [Expression(circle.expression(number, "v", "a"), {}, own) for number in range(circle.DIRECTIONS)]


def difference(plus: str, minus: str, factor: float) -> Expression:
    """factor · (unit `plus` − unit `minus`), each clamped; for units that the circle leaves alone."""
    variables: dict[str, str] = {}
    first, second = (f"clamp({_sum(name, variables)}, 0, {table.UNIT_LIMIT:g})" for name in (plus, minus))
    return Expression(f"{factor:.8g} * ({first} - {second})", variables)


def channel(name: str) -> Expression:
    """The channel's own value, brought into its range."""
    entry = table.channel(name)
    return Expression(f"clamp(a, {entry.minimum:.8g}, {entry.maximum:.8g})", {"a": name})


def _sum(unit_name: str, variables: dict[str, str]) -> str:
    """The unclamped sum; adds its channels to `variables` under the next free letters."""
    terms = []
    for entry in table.CHANNELS:
        for sign, weights in (("", entry.positive), ("-", entry.negative)):
            weight = weights.get(unit_name)
            if weight:
                letter = _letter(entry.name, variables)
                limit = entry.maximum if sign == "" else -entry.minimum
                factor = "" if weight == 1 else f"{weight:g} * "
                terms.append(f"{factor}clamp({sign}{letter}, 0, {limit:g})")
    return " + ".join(terms) if terms else "0"


def _letter(channel_name: str, variables: dict[str, str]) -> str:
    for letter, name in variables.items():
        if name == channel_name:
            return letter
    letter = chr(ord("a") + len(variables))
    variables[letter] = channel_name
    return letter
