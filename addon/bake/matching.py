"""Which shape keys of a character are which face units. No bpy: the artist's Blender, the baking one and tests use it.

A key's name is read as ARKit's (`eyeBlinkLeft`, `eye_blink_L`, `EyeBlink.L`, `L_eyeBlink`), as a channel's ("AU12 Lip
Corner Puller.L", "Lip Corner Puller_L") or as a FACS code (`AU12`, `AU12L`, `au12_left`). A name without its side moves
both sides: such a key is one picture, and its offsets are split softly at the middle of the face.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from ...engine.contract.channels import ARKIT_52, CHANNELS, UNITS

MINIMUM_UNITS = 6
"""With fewer a head can neither speak nor look alive."""

_SIDES = {"l": "Left", "left": "Left", "r": "Right", "right": "Right"}
_PREFIXES = {
    "arkit", "ar", "kit", "blendshape", "blendshapes", "shape", "shapes", "bs", "face", "facial", "head", "expression",
    "expressions", "exp", "key", "facs", "fac", "ctrl",
}  # fmt: skip
_CORRECTIVE = {"corrective", "correctives", "corr", "cor", "combo", "combination", "fix", "and", "x", "c"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Meaning:
    """What a key's name says: the units it moves, the best first where several names mean the same unit."""

    units: tuple[str, ...]
    rank: int = 0


@dataclass(frozen=True)
class Move:
    """One key that moves a unit. `shared`: it moves the other side too, so that both have one value."""

    object: str
    key: str
    shared: bool


@dataclass
class Match:
    """The table of a character's shape keys.

    Attributes:
        moves: Unit → the keys that move it, at most one an object. In the order of the contract's units.
        combinations: (object, key) → the groups of units whose values multiply to its weight, by its name.
        others: (object, key) of keys that mean no unit.
        muted: (object, key) of keys that would mean one but are switched off.
    """

    moves: dict[str, tuple[Move, ...]] = field(default_factory=dict)
    combinations: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    others: list[tuple[str, str]] = field(default_factory=list)
    muted: list[tuple[str, str]] = field(default_factory=list)

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(self.moves)

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(unit for unit in UNITS if unit not in self.moves)

    def shared(self) -> set[str]:
        """Units that always have their other side's value, on one object at least."""
        return {unit for unit, moves in self.moves.items() if any(move.shared for move in moves)}


def match(objects: Mapping[str, Iterable[str]], muted: Iterable[tuple[str, str]] = ()) -> Match:
    """Object name → its keys' names (without the basis) to the table of what moves what."""
    result = Match()
    off = set(muted)
    found: dict[str, list[Move]] = {}
    for owner, keys in objects.items():
        best: dict[str, tuple[tuple[int, int], str, bool]] = {}
        for key in keys:
            meaning = meaning_of(key)
            if meaning is None:
                groups = combination_of(key)
                if groups:
                    result.combinations[owner, key] = groups
                else:
                    result.others.append((owner, key))
            elif (owner, key) in off:
                result.muted.append((owner, key))
            else:
                order = (len(meaning.units), meaning.rank)
                for unit in meaning.units:
                    if unit not in best or order < best[unit][0]:
                        best[unit] = (order, key, len(meaning.units) > 1)
        for unit, (_, key, shared) in best.items():
            found.setdefault(unit, []).append(Move(owner, key, shared))
    result.moves = {unit: tuple(found[unit]) for unit in UNITS if unit in found}
    return result


def match_objects(objects: Sequence) -> Match:
    """The table of Blender objects."""
    return match(keys_of(objects), muted_of(objects))


def still_channels(units: Iterable[str]) -> list[str]:
    """Names of the channels that move nothing with these units, both sides as one name."""
    have = set(units)
    still = [
        channel.name
        for channel in CHANNELS
        if channel.positive and not have & {*channel.positive, *channel.negative} and channel.zone != "emotion"
    ]
    names = dict.fromkeys(still)
    merged = []
    for name in names:
        base, side = (name[:-2], name[-2:]) if name.endswith((".L", ".R")) else (name, "")
        other = base + {".L": ".R", ".R": ".L"}.get(side, "")
        if side == ".R" and other in names:
            continue
        merged.append(base if side and other in names else name)
    return merged


def missing_sentence(table: Match, codes: bool = False) -> str:
    """One sentence on what will not move; empty where everything does. `codes`: by FACS codes, where there are some."""
    still = still_channels(table.units)
    if not still:
        return ""
    if codes:
        still = list(dict.fromkeys(re.sub(r"^(AU\d+) .*", r"\1", name) for name in still))
    many = f"{len(still)} channels" if len(still) > 1 else "one channel"
    return f"No shape keys were found for {many}, which will not move: {', '.join(still)}."


def keys_of(objects) -> dict[str, list[str]]:
    """Object name → its shape keys without the basis."""
    found = {}
    for obj in objects:
        keys = obj.data.shape_keys if obj.type == "MESH" else None
        if keys is not None:
            found[obj.name] = [block.name for block in keys.key_blocks if block != keys.reference_key]
    return found


def muted_of(objects) -> list[tuple[str, str]]:
    """(object, key) of keys that are switched off."""
    return [
        (obj.name, block.name)
        for obj in objects
        if obj.type == "MESH" and obj.data.shape_keys is not None
        for block in obj.data.shape_keys.key_blocks
        if block.mute
    ]


def few_sentence(table: Match) -> str:
    """What to do where too few units were found."""
    if not table.units and not table.muted:
        return (
            "No shape key of the chosen objects has an ARKit name (such as jawOpen) or a FACS name (such as AU26 Jaw "
            "Drop); choose the object with the face, or rename its keys."
        )
    if table.muted:
        return f"Only {len(table.units)} face shape keys are on; switch on the {len(table.muted)} that are muted."
    return (
        f"Only {len(table.units)} shape keys have ARKit or FACS names ({', '.join(table.units)}), at least "
        f"{MINIMUM_UNITS} are needed; choose the object with the face, or rename its keys."
    )


# ── one name ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def meaning_of(name: str) -> Meaning | None:
    """What a shape key's name says, or None."""
    plain = name.rpartition(":")[2]
    tokens = _tokens(plain)
    if "." in plain and tokens and tokens[-1] not in _SIDES:
        tokens = _tokens(plain.rpartition(".")[2]) or tokens  # Maya's "blendShape1.jawOpen"
    while tokens and tokens[0] in _PREFIXES and len(tokens) > 1:
        tokens = tokens[1:]
    while len(tokens) > 2 and tokens[0].isdigit():
        tokens = tokens[1:]
    return _meaning(tuple(tokens)) or _facs(tokens)


def combination_of(name: str) -> tuple[tuple[str, ...], ...]:
    """The groups of units that a corrective's name lists ("mouthSmileLeft_jawOpen"), or nothing."""
    tokens = [token for token in _tokens(name.rpartition(":")[2]) if token not in _CORRECTIVE]
    groups: list[tuple[str, ...]] = []
    start = 0
    while start < len(tokens):
        for end in range(len(tokens), start, -1):
            found = _meaning(tuple(tokens[start:end])) or _facs(tokens[start:end])
            if found:
                groups.append(found.units)
                start = end
                break
        else:
            return ()
    return tuple(groups) if 2 <= len(groups) <= 4 and len(set(groups)) == len(groups) else ()


def sides(groups: Sequence[Sequence[str]]) -> list[tuple[tuple[str, ...], str | None]]:
    """A combination's groups as combinations of units: [(units, side that its offsets are kept on, or None)]."""
    if all(len(group) == 1 for group in groups):
        return [(tuple(group[0] for group in groups), None)]
    result = []
    for side in ("Left", "Right"):
        picked = []
        for group in groups:
            own = [unit for unit in group if unit.endswith(side)]
            picked.append(group[0] if len(group) == 1 else own[0] if own else None)
        if all(picked):
            result.append((tuple(picked), side))
    return result


def _tokens(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _meaning(tokens: tuple[str, ...]) -> Meaning | None:
    """A name that stands in the table, whatever its spelling: its side may be first, last, a letter or a word."""
    if not tokens:
        return None
    table = _names()
    joined = "".join(tokens)
    if joined in table:
        return table[joined]
    for side, rest in ((tokens[-1], tokens[:-1]), (tokens[0], tokens[1:])):
        if side in _SIDES and rest:
            found = table.get("".join(rest) + _SIDES[side].lower())
            if found:
                return found
    return None


@cache
def _names() -> dict[str, Meaning]:
    """Joined lower-case name → meaning: ARKit's shapes, Mien's units, and the channels that are one unit."""
    table: dict[str, Meaning] = {}
    for unit in dict.fromkeys((*UNITS, *ARKIT_52)):
        stem = re.sub("(Left|Right)$", "", unit)
        if unit in UNITS:
            table[unit.lower()] = Meaning((unit,))
            if stem != unit:
                table[stem.lower() + unit[len(stem)].lower()] = Meaning((unit,))
        if stem + "Left" in UNITS and stem not in ("jaw", "mouth"):
            table[stem.lower()] = Meaning((stem + "Left", stem + "Right"))
    for rank, channel in enumerate(CHANNELS, 1):
        if len(channel.positive) != 1 or channel.negative or next(iter(channel.positive.values())) != 1:
            continue
        unit = next(iter(channel.positive))
        bare = re.sub(r"^AU\d+ ", "", channel.name)
        for name in {channel.name, bare}:
            base = re.sub(r"\W", "", re.sub(r"\.[LR]$", "", name)).lower()
            if channel.side is None:
                table.setdefault(base, Meaning((unit,), rank))
                continue
            table.setdefault(base + _SIDES[channel.side.lower()].lower(), Meaning((unit,), rank))
            other = next(c for c in CHANNELS if c.name == channel.mirrored)
            if channel.side == "L" and "Sideways" not in name:
                table.setdefault(base, Meaning((unit, next(iter(other.positive))), rank))
    return table


def _facs(tokens: Sequence[str]) -> Meaning | None:
    """A FACS code, with or without words and side: [au, 12, l]."""
    tokens = list(tokens)
    while tokens and tokens[0] in _PREFIXES:
        tokens = tokens[1:]
    if len(tokens) < 2 or tokens[0] != "au" or not tokens[1].isdigit() or "au" in tokens[1:]:
        return None
    code, words = int(tokens[1]), tokens[2:]
    side = next((_SIDES[word] for word in (words[-1:] + words[:1]) if word in _SIDES), None)
    lips = {"upper", "lower"} & set(words)
    return _codes().get((code, side, next(iter(lips)) if len(lips) == 1 else None)) or _codes().get((code, side, None))


@cache
def _codes() -> dict[tuple[int, str | None, str | None], Meaning]:
    table: dict[tuple[int, str | None, str | None], Meaning] = {}
    for rank, channel in enumerate(CHANNELS, 1):
        found = re.match(r"AU(\d+) (.*?)(?:\.[LR])?$", channel.name)
        if not found:
            continue
        code, words = int(found[1]), found[2].lower().split()
        # AU27 is a wide AU26, which stands in for it where there is nothing else.
        single = list(channel.positive.items()) if code != 27 else [("jawOpen", 1)]
        if len(single) != 1 or single[0][1] != 1:
            continue
        lips = {"upper", "lower"} & set(words)
        lip = next(iter(lips)) if len(lips) == 1 else None
        side = _SIDES[channel.side.lower()] if channel.side else None
        table.setdefault((code, side, lip), Meaning((single[0][0],), rank))
        if code == 17 and lip == "upper":
            continue
        if side == "Left" and code != 30:
            other = next(c for c in CHANNELS if c.name == channel.mirrored)
            table.setdefault((code, None, lip), Meaning((single[0][0], next(iter(other.positive))), rank))
    return table


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#: What an object or material may be: identifier, label, what it says to the artist. The first eleven are the head
#: file's parts; those named for both sides are told apart where the mesh is read.
PARTS: tuple[tuple[str, str, str], ...] = (
    ("skin", "Skin", "Face, ears, neck, body"),
    ("eyes", "Eyes", "Both eyeballs, told apart by their side; they turn about their centres"),
    ("eye.L", "Eye, Left", "The character's own left eyeball"),
    ("eye.R", "Eye, Right", "The character's own right eyeball"),
    ("teeth", "Teeth", "Both rows, told apart by what the jaw moves"),
    ("teeth.upper", "Teeth, Upper", "The upper row"),
    ("teeth.lower", "Teeth, Lower", "The lower row"),
    ("gums", "Gums", "Gums and the mouth's inside"),
    ("tongue", "Tongue", "The tongue"),
    ("brows", "Brows", "Eyebrows"),
    ("lashes", "Lashes", "Eyelashes"),
    ("hair", "Hair", "Hair and beard"),
    ("clothes", "Clothes", "What stays behind when the head turns"),
    ("none", "Picture Only", "Seen in the pictures, but nothing hangs on it: tear films, glasses, shadow shells"),
)

_PART_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("none", ("occlusion", "tearline", "tear", "eyeshadow", "eyeao", "lacrimal", "meniscus", "eyeblend", "glasses")),
    ("brows", ("eyebrow", "brow")),
    ("lashes", ("eyelash", "lash")),
    ("skin", ("eyelid", "eyesocket", "eyering")),
    ("eyes", ("eye", "cornea", "iris", "sclera", "pupil", "lens")),
    ("gums", ("gum", "gingiva", "mouthinside", "innermouth", "mouthcavity", "palate")),
    ("teeth", ("teeth", "tooth", "denture", "dental")),
    ("tongue", ("tongue",)),
    ("hair", ("hair", "scalpcap", "beard", "moustache", "mustache", "ponytail", "bangs", "fringe", "stubble")),
    ("clothes", (
        "cloth", "shirt", "jacket", "dress", "outfit", "collar", "suit", "sweater", "hoodie", "pants", "trousers",
        "shoe", "footwear", "skirt", "coat", "garment", "bra", "vest", "scarf", "tie",
    )),
    ("skin", ("skin", "head", "face", "body", "neck", "ear", "lip", "nose", "torso", "arm", "leg", "hand")),
)  # fmt: skip


def guess_part(*names: str) -> str:
    """A part from names, the most telling (the material's) first; skin where none says anything."""
    for name in names:
        tokens = _tokens(name)
        joined = "".join(tokens)
        for part, words in _PART_WORDS:
            if any(_says(word, tokens, joined) for word in words):
                return _sided(part, [token for other in names for token in _tokens(other)])
    return "skin"


def _says(word: str, tokens: list[str], joined: str) -> bool:
    if len(word) <= 4:  # "ear" is not in "beard", "tie" not in "anisotropies"
        return any(word in (token, token.removesuffix("s")) for token in tokens) or (word == "hair" and word in joined)
    return word in joined


def _sided(part: str, tokens: list[str]) -> str:
    known = {identifier for identifier, *_ in PARTS}
    for token in tokens:
        side = _SIDES.get(token)
        if side and f"{part.removesuffix('s')}.{side[0]}" in known:
            return f"{part.removesuffix('s')}.{side[0]}"
        if part == "teeth" and token in ("upper", "lower", "top", "bottom"):
            return "teeth.upper" if token in ("upper", "top") else "teeth.lower"
    return part
