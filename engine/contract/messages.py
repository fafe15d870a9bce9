"""The messages between add-on and engine: JSON-RPC 2.0, one a line, checked on both sides. See docs/protocol.md.

A message's form is written down once, as a `Check` a field; `REQUESTS` and `RESULTS` are those forms by method.
A field that no form names is an error, so that a misspelt one shows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .channels import INDEX
from .errors import Cancelled, MienError, Superseded
from .files import parse_json
from .passes import PASS_BY_NAME

#: (major, minor). Another major is refused; both sides keep to the lower minor.
PROTOCOL = (1, 3)
REQUEST_LIMIT = 8 * 1024 * 1024
REPLY_LIMIT = 512 * 1024 * 1024
MAX_SIZE = 16384
MAX_HEADS = 64
MAX_SAMPLES = 256

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL = -32603
BAD_INPUT = -32001
VERSION_MISMATCH = -32002
ENGINE_GONE = -32010
TIMED_OUT = -32011
FRAME_LOST = -32012
CANCELLED = -32800
SUPERSEDED = -32801

Check = Callable[[object, str], None]
"""Called with a value and where it stands; raises MienError if the value is not of the form."""


class MessageError(MienError):
    """A message is not of the contract's form.

    Attributes:
        code: JSON-RPC's error code.
        id: The message's id where it could be read, else None.
    """

    def __init__(self, sentence: str, code: int, id: int | str | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.id = id


# ── forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def number(low: float = -1e12, high: float = 1e12) -> Check:
    def check(value: object, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise MienError(f"{where} must be a number.")
        if not low <= value <= high:  # also refuses NaN and infinity
            raise MienError(f"{where} is {_short(value)}; it must be from {low:g} to {high:g}.")

    return check


def integer(low: int, high: int) -> Check:
    def check(value: object, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise MienError(f"{where} must be a whole number.")
        if not low <= value <= high:
            raise MienError(f"{where} is {_short(value)}; it must be from {low} to {high}.")

    return check


def text(most: int = 4096, least: int = 0) -> Check:
    def check(value: object, where: str) -> None:
        if not isinstance(value, str):
            raise MienError(f"{where} must be text.")
        if not least <= len(value) <= most:
            raise MienError(f"{where} has {len(value)} characters; it must have {least} to {most}.")
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise MienError(f"{where} contains a character that is not text.")

    return check


def one_of(*names: str) -> Check:
    def check(value: object, where: str) -> None:
        if value not in names:
            raise MienError(f"{where} is {_short(value)}; it must be one of {', '.join(names)}.")

    return check


def list_of(item: Check, least: int = 0, most: int = 100_000) -> Check:
    def check(value: object, where: str) -> None:
        if not isinstance(value, list):
            raise MienError(f"{where} must be a list.")
        if not least <= len(value) <= most:
            count = f"exactly {least}" if least == most else f"{least} to {most}"
            raise MienError(f"{where} has {len(value)} entries; it must have {count}.")
        for index, entry in enumerate(value):
            item(entry, f"{where}[{index}]")

    return check


def record(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, others: Check | None = None
) -> Check:
    """An object with exactly these fields, or with `others` for fields of any other name too."""
    optional = optional or {}
    known = {**required, **optional}

    def check(value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise MienError(f"{where} must be an object.")
        for name in required:
            if name not in value:
                raise MienError(f"{where} lacks the field {name!r}.")
        for name, entry in value.items():
            field_check = known.get(name, others)
            if field_check is None:
                raise MienError(f"{where} has the unknown field {_short(name)}.")
            field_check(entry, f"{where}.{name}")

    return check


def row_of(*checks: Check) -> Check:
    """A list with exactly one entry a check, in their order."""

    def check(value: object, where: str) -> None:
        list_of(anything, len(checks), len(checks))(value, where)
        assert isinstance(value, list)
        for index, (entry_check, entry) in enumerate(zip(checks, value, strict=True)):
            entry_check(entry, f"{where}[{index}]")

    return check


def mapping(value_check: Check, key_check: Check = text(256), most: int = 10_000) -> Check:  # noqa: B008
    """An object with any keys."""

    def check(value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise MienError(f"{where} must be an object.")
        if len(value) > most:
            raise MienError(f"{where} has {len(value)} entries; it may have {most}.")
        for name, entry in value.items():
            key_check(name, f"A name in {where}")
            value_check(entry, f"{where}[{_short(name)}]")

    return check


def anything(value: object, where: str, depth: int = 12) -> None:
    """Any JSON with finite numbers, nested at most 12 deep: for what only one side understands."""
    if depth == 0:
        raise MienError(f"{where} is nested too deeply.")
    if isinstance(value, float) and not math.isfinite(value):
        raise MienError(f"{where} must be a finite number.")
    for entry in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        anything(entry, where, depth - 1)


def maybe(check: Check) -> Check:
    """That, or null."""

    def both(value: object, where: str) -> None:
        if value is not None:
            check(value, where)

    return both


def _pass_name(value: object, where: str) -> None:
    if not isinstance(value, str) or value not in PASS_BY_NAME:
        raise MienError(f"{where} is {_short(value)}, which is no pass; there are {', '.join(PASS_BY_NAME)}.")


def _channel_name(value: object, where: str) -> None:
    if value not in INDEX:
        raise MienError(f"{where} is {_short(value)}, which is no channel; 'engine channels' lists them.")


def _landmark_name(value: object, where: str) -> None:
    if not (isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) < 4 and int(value) < 478):
        raise MienError(f"{where} is {_short(value)}, which is no landmark; they are 0 to 477.")


def flag(value: object, where: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise MienError(f"{where} must be true or false.")


def _short(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    return shown if len(shown) <= 60 else shown[:57] + "…"


# ── the contract ─────────────────────────────────────────────────────────────────────────────────────────────────────

_NAME = text(256, 1)
_PATH = text(4096, 1)
_MATRIX = list_of(number(), 16, 16)
_VALUES = mapping(number(), _channel_name)
_POSE = record({"values": _VALUES, "matrix": _MATRIX})
_HEAD = record({"head": _NAME, "values": _VALUES, "matrix": _MATRIX}, {"previous": _POSE, "next": _POSE})
_CAMERA = record(
    {
        "world_to_camera": _MATRIX,
        "K": list_of(number(), 9, 9),
        "width": integer(1, MAX_SIZE),
        "height": integer(1, MAX_SIZE),
    },
    {
        "near": number(0.0),
        "far": number(0.0),
        "crop": list_of(integer(0, MAX_SIZE), 4, 4),
        "aperture": number(0.0),
        "focus": number(0.0),
    },
)
_SAMPLE = record({"heads": list_of(_HEAD, 0, MAX_HEADS), "camera": _CAMERA})
_TRANSPORT = one_of("ring", "inline")
_POINT = list_of(number(), 3, 3)
_NOTHING = record({})
_COUNT = integer(0, 2**53)
_SECONDS = number(0, 3600)
#: [what is said, start, end]: a word or a phone.
_SPOKEN = row_of(text(256), _SECONDS, _SECONDS)

REQUESTS: dict[str, Check] = {
    # The one message that another version may send: fields it has beyond these are no error, its version may be.
    "hello": record({"client": _NAME, "version": _NAME, "protocol": text(16, 1)}, others=anything),
    "ping": _NOTHING,
    "head/load": record({"id": _NAME, "head": _PATH}, {"transport": _TRANSPORT}),
    "head/release": record({"id": _NAME}),
    "head/import": record(
        {"file": _PATH, "out": _PATH},
        {
            "name": _NAME,
            "author": text(256),
            "licence": text(4096),
            "template": _PATH,
            "flame": _PATH,
            "landmarks": mapping(_POINT, _landmark_name, 478),
        },
    ),
    "head/cloud": record({"file": _PATH}, {"template": _PATH, "landmarks": _PATH, "search": flag}),
    "head/export": record(
        {"head": _PATH, "curves": _PATH, "format": one_of("ply", "spz"), "out": _PATH}, {"transforms": _PATH}
    ),
    "faces/install": _NOTHING,
    "frame/render": record(
        {
            "viewport": _NAME,
            "samples": list_of(_SAMPLE, 1, MAX_SAMPLES),
            "passes": list_of(_pass_name, 1, len(PASS_BY_NAME)),
            "backend": one_of("auto", "cpu", "cuda"),
            "priority": one_of("preview", "final"),
            "transport": _TRANSPORT,
        },
        {"camera_previous": _CAMERA, "camera_next": _CAMERA},
    ),
    "perform": record(
        {"seed": integer(0, 2**63 - 1), "fps": number(1, 1000)},
        {
            "audio": _PATH,
            "line": text(20_000, 1),
            "voice": _NAME,
            "text": text(100_000),
            "strengths": mapping(number(0, 10), most=100),
            "speed": number(0.5, 2),
            "pronunciations": mapping(text(200, 1), text(100, 1), 1000),
            "given": mapping(anything),
            "locked": mapping(list_of(row_of(_COUNT, _COUNT), most=10_000), _channel_name),
            "preview": flag,
        },
    ),
    "emotion": record(
        {"fps": number(1, 1000)},
        {
            "text": text(20_000),
            "label": _NAME,
            "va": list_of(row_of(number(-1, 1), number(-1, 1)), 1, 1000),
            "duration": _SECONDS,
            "words": list_of(_SPOKEN, most=20_000),
            "phones": list_of(_SPOKEN),
            "strength": number(0, 1.5),
            "audio": _PATH,
            "transcript": text(20_000),
            "example": mapping(anything),
            "weights": mapping(number(0, 1), _NAME, 10),
            # {zone: a value at each frame}: who wins there, 0 speech, 1 emotion.
            "priority": mapping(list_of(number(0, 1)), _NAME, 16),
            # {channel: a value at each frame}: what speech moves where the emotion may be to win.
            "under": mapping(list_of(number()), _channel_name),
        },
    ),
    "sync": record({"audio": _PATH, "curves": mapping(anything)}),
    "clean": record(
        {"strength": number(0, 3)},
        {"file": _PATH, "curves": mapping(anything), "fps": number(1, 1000)},
    ),
    "curves/write": record({"curves": mapping(anything), "file": _PATH, "form": one_of("mien", "arkit", "livelink")}),
    "voices/install": _NOTHING,
    "shutdown": _NOTHING,
}

NOTIFICATIONS: dict[str, Check] = {
    "$/cancelRequest": record({"id": integer(0, 2**53)}),
    "$/progress": record({"token": integer(0, 2**53), "fraction": number(0, 1), "message": text(1000)}),
    "$/preview": record({"token": integer(0, 2**53), "curves": mapping(anything)}),
}

_PLANE = record(
    {"name": _pass_name, "components": integer(1, 4)},
    {"offset": _COUNT, "dtype": one_of("float16", "float32"), "data": text(REPLY_LIMIT)},
)
RESULTS: dict[str, Check] = {
    "hello": record(
        {
            "engine": _NAME,
            "protocol": text(16, 1),
            "pid": _COUNT,
            "folder": _PATH,
            "ring": _PATH,
            "capabilities": mapping(anything),
        },
        others=anything,
    ),
    "ping": _NOTHING,
    "head/load": record(
        {
            "head": _NAME,
            "name": text(256),
            "author": text(),
            "licence": text(),
            "source": text(),
            "units": list_of(_NAME),
            "parts": list_of(_NAME),
            "camera": maybe(mapping(anything)),
            "eyes": maybe(mapping(anything)),
            "neck": maybe(mapping(anything)),
            "figures": mapping(anything),
            "gaussians": _COUNT,
            "proxy": _PATH,
        },
        {"proxy_data": text(REPLY_LIMIT)},
    ),
    "head/release": _NOTHING,
    "head/import": record({"file": _PATH, "name": text(256), "figures": mapping(anything)}, {"landmarks": _PATH}),
    "head/cloud": record({"cloud": _PATH, "known": flag}),
    "faces/install": _NOTHING,
    "head/export": record({"out": _PATH, "files": integer(1, 10_000_000)}),
    "frame/render": record(
        {
            "width": integer(1, MAX_SIZE),
            "height": integer(1, MAX_SIZE),
            "passes": list_of(_PLANE, 1, len(PASS_BY_NAME)),
            "seconds": number(0),
            "backend": _NAME,
            "device": text(),
        },
        {"ring": _PATH, "slot": integer(0, 255), "sequence": integer(1, 2**63 - 1), "reason": text()},
    ),
    "perform": record(
        {
            "curves": mapping(anything),
            "keys": mapping(anything),
            "words": list_of(anything),
            "phones": list_of(anything),
            "duration": number(0),
            "notes": list_of(text()),
        },
        {"audio": _PATH},
    ),
    "emotion": record(
        {
            "curves": mapping(anything),
            "keys": mapping(anything),
            "reading": list_of(row_of(_SECONDS, _SECONDS, text(40_000), text(40_000))),
            "duration": _SECONDS,
            "notes": list_of(text(40_000)),
        }
    ),
    "sync": record(
        {
            "score": number(0, 1),
            "confidence": number(-2, 2),
            "distance": number(0, 2),
            "offset": number(-1, 1),
            "worst": list_of(row_of(_SECONDS, _SECONDS, number(0, 1))),
        }
    ),
    "clean": record(
        {
            "curves": mapping(anything),
            "keys": mapping(anything),
            "duration": number(0),
            "jerk": row_of(number(0), number(0)),
            "notes": list_of(text()),
        }
    ),
    "curves/write": _NOTHING,
    "voices/install": record({"voices": list_of(_NAME)}),
    "shutdown": _NOTHING,
}


# ── envelopes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Request:
    """A method to answer (`id` is a number) or to heed (`id` is None)."""

    method: str
    params: dict[str, Any]
    id: int | None = None


@dataclass(frozen=True)
class Response:
    """`error` is None exactly when the request succeeded; `id` is None where the engine could not read one."""

    id: int | None
    result: dict[str, Any] = field(default_factory=dict)
    error: tuple[int, str] | None = None


_REQUEST_FORM = record({"jsonrpc": one_of("2.0"), "method": text(64, 1)}, {"id": integer(0, 2**53), "params": anything})
_RESULT_FORM = record({"jsonrpc": one_of("2.0"), "id": integer(0, 2**53), "result": mapping(lambda value, where: None)})
_ERROR_FORM = record(
    {
        "jsonrpc": one_of("2.0"),
        "id": maybe(integer(0, 2**53)),
        "error": record({"code": integer(-(2**31), 2**31), "message": text(10_000)}),
    }
)


def parse_request(line: bytes) -> Request:
    """One line from the add-on → a checked request, or a notification.

    Raises:
        MessageError: It is not JSON, no request, of an unknown method, or its params are not of the method's form.
    """
    content = _parse(line, REQUEST_LIMIT, "The request")
    _envelope(_REQUEST_FORM, content, "The request")
    return _checked(content, REQUESTS)


def parse_reply(line: bytes) -> Request | Response:
    """One line from the engine → a response, or a notification. A result's form is checked by `check_result`.

    Raises:
        MessageError: It is neither.
    """
    content = _parse(line, REPLY_LIMIT, "The engine's reply")
    if isinstance(content, dict) and "method" in content:
        _envelope(_REQUEST_FORM, content, "The engine's message")
        return _checked(content, {})
    if isinstance(content, dict) and "error" in content:
        _envelope(_ERROR_FORM, content, "The engine's reply")
        return Response(content["id"], error=(content["error"]["code"], content["error"]["message"]))
    _envelope(_RESULT_FORM, content, "The engine's reply")
    return Response(content["id"], content["result"])


def check_result(method: str, result: object) -> None:
    """Raises MessageError where a result is not of its method's form."""
    try:
        RESULTS[method](result, f"The engine's reply to {method}")
    except MienError as error:
        raise MessageError(str(error), INTERNAL) from None


def request_line(method: str, params: Mapping[str, Any], id: int | None = None) -> bytes:
    """A request, or without `id` a notification, as a line.

    Raises:
        MessageError: The params are not of the method's form, or too long.
    """
    content: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": dict(params)}
    if id is not None:
        content["id"] = id
    _checked(content, REQUESTS)
    line = _line(content)
    if len(line) > REQUEST_LIMIT:
        sentence = f"{method} would be {len(line)} bytes long; at most {REQUEST_LIMIT} are sent."
        raise MessageError(sentence, INVALID_PARAMS)
    return line


def result_line(method: str, id: int, result: Mapping[str, Any]) -> bytes:
    """A result as a line; MessageError where it is not of its method's form, which is the engine's own mistake."""
    check_result(method, result)
    return _line({"jsonrpc": "2.0", "id": id, "result": dict(result)})


def error_line(id: int | str | None, code: int, sentence: str) -> bytes:
    readable = sentence.encode("utf-8", "replace").decode("utf-8")[:10_000].replace("\0", "�")
    return _line({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": readable}})


def error_code(error: BaseException) -> int:
    """The code under which an exception travels; INTERNAL for what nobody meant to raise."""
    if isinstance(error, MessageError):
        return error.code
    for kind, code in ((Superseded, SUPERSEDED), (Cancelled, CANCELLED), (MienError, BAD_INPUT)):
        if isinstance(error, kind):
            return code
    return INTERNAL


def check_version(theirs: str, who: str) -> tuple[int, int]:
    """The protocol version both speak: ours, with the lower of the minors.

    Args:
        theirs: What the other side says, such as "1.0".
        who: "engine" or "add-on": the other side.

    Raises:
        MessageError: Another major, or no version at all; says which side to update.
    """
    parts = theirs.split(".")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise MessageError(f"The {who} gives its protocol version as {theirs!r}, not as MAJOR.MINOR.", VERSION_MISMATCH)
    major, minor = int(parts[0]), int(parts[1])
    if major != PROTOCOL[0]:
        older = who if major < PROTOCOL[0] else {"engine": "add-on", "add-on": "engine"}[who]
        remedy = "press Install Engine again" if older == "engine" else "install the newer extension"
        sentence = f"The {who} speaks protocol {theirs}, this side {version_text()}: update the {older} ({remedy})."
        raise MessageError(sentence, VERSION_MISMATCH)
    return major, min(minor, PROTOCOL[1])


def version_text(version: tuple[int, int] = PROTOCOL) -> str:
    return f"{version[0]}.{version[1]}"


def _parse(line: bytes, limit: int, where: str) -> Any:
    if len(line) > limit:
        raise MessageError(f"{where} is longer than {limit} bytes.", INVALID_REQUEST)
    try:
        return parse_json(line.decode("utf-8"), where)
    except UnicodeDecodeError as error:
        raise MessageError(f"{where} is not UTF-8 text (byte {error.start}).", PARSE_ERROR) from None
    except MienError as error:
        raise MessageError(str(error), PARSE_ERROR) from None


def _envelope(form: Check, content: object, where: str) -> None:
    try:
        form(content, where)
    except MienError as error:
        raise MessageError(str(error), INVALID_REQUEST, _readable_id(content)) from None


def _readable_id(content: object) -> int | None:
    id = content.get("id") if isinstance(content, dict) else None
    return id if isinstance(id, int) and not isinstance(id, bool) and 0 <= id <= 2**53 else None


def _checked(content: dict[str, Any], requests: Mapping[str, Check]) -> Request:
    """The request in an envelope whose own form is known to be good."""
    method, params, id = content["method"], content.get("params", {}), content.get("id")
    known = NOTIFICATIONS if id is None else requests
    if method not in known:
        what = "notification" if id is None else "method"
        raise MessageError(f"There is no {what} {method!r}.", METHOD_NOT_FOUND, id)
    try:
        known[method](params, method)
    except MienError as error:
        raise MessageError(str(error), INVALID_PARAMS, id) from None
    return Request(method, params, id)


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
