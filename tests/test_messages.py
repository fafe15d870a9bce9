"""The messages between add-on and engine: what is well formed comes through, all else is refused with a sentence."""

import copy
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract import messages
from engine.contract.errors import Cancelled, MienError, Superseded
from engine.contract.messages import MessageError

IDENTITY = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
CAMERA = {"world_to_camera": IDENTITY, "K": [500.0, 0, 256, 0, 500, 256, 0, 0, 1], "width": 512, "height": 512}
HEAD = {"head": "head-1", "values": {"AU26 Jaw Drop": 0.5}, "matrix": IDENTITY}
RENDER = {
    "viewport": "View",
    "samples": [{"heads": [HEAD], "camera": CAMERA}],
    "passes": ["Combined", "Depth"],
    "backend": "auto",
    "priority": "preview",
    "transport": "ring",
}
#: One good request a method.
GOOD = {
    "hello": {"client": "test", "version": "1", "protocol": "1.0"},
    "ping": {},
    "head/load": {"id": "head-1", "head": "Ada"},
    "head/release": {"id": "head-1"},
    "head/import": {"file": "/a.ply", "out": "/heads/a.mien", "name": "A", "landmarks": {"33": [0.1, 0, 2]}},
    "head/cloud": {"file": "/a.ply", "search": False},
    "head/export": {"head": "Ada", "curves": "/c.json", "format": "ply", "out": "/frames"},
    "faces/install": {},
    "frame/render": RENDER,
    "perform": {
        "line": "Hello.",
        "seed": 7,
        "fps": 29.97,
        "strengths": {"blinks": 0.5},
        "speed": 1.2,
        "pronunciations": {"Mien": "miːn"},
        "given": {"format": "mien-curves"},
        "locked": {"AU26 Jaw Drop": [[0, 9], [20, 29]]},
        "preview": True,
    },
    "emotion": {
        "text": "sad while she says 'never'",
        "fps": 25,
        "duration": 2.5,
        "words": [["never", 0.5, 0.9]],
        "phones": [["n", 0.5, 0.6], ["ɛ", 0.6, 0.7]],
        "strength": 1.2,
    },
    "sync": {"audio": "/a.wav", "curves": {"format": "mien-curves"}},
    "clean": {"file": "/a.csv", "strength": 1, "fps": 24},
    "curves/write": {"curves": {"format": "mien-curves"}, "file": "/a.csv", "form": "livelink"},
    "voices/install": {},
    "shutdown": {},
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_there_is_a_good_request_for_every_method():
    assert set(GOOD) == set(messages.REQUESTS) == set(messages.RESULTS)


@pytest.mark.parametrize("method", GOOD)
def test_a_good_request_comes_through_unchanged(method):
    line = messages.request_line(method, GOOD[method], 3)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert messages.parse_request(line) == messages.Request(method, GOOD[method], 3)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_nothing_else_happens(line):
    for parse in (messages.parse_request, messages.parse_reply):
        with pytest.raises(MessageError):
            parse(line)


@given(JSON)
def test_random_json_is_refused_and_nothing_else_happens(content):
    for parse in (messages.parse_request, messages.parse_reply):
        with pytest.raises(MessageError):
            parse(json.dumps(content).encode())


def _places(content, path=()):
    """Every path into a JSON value."""
    yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, entry in items:
        yield from _places(entry, (*path, key))


@given(st.data(), st.sampled_from(sorted(GOOD)), JSON)
def test_a_good_request_with_one_thing_changed_passes_or_is_refused_by_its_id(data, method, other):
    content = {"jsonrpc": "2.0", "id": 5, "method": method, "params": copy.deepcopy(GOOD[method])}
    path = data.draw(st.sampled_from([path for path in _places(content) if path[:1] == ("params",)]))
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = other
    try:
        request = messages.parse_request(json.dumps(content).encode())
    except MessageError as error:
        assert error.code in (messages.INVALID_PARAMS, messages.INVALID_REQUEST, messages.PARSE_ERROR)
        assert error.id == 5 or error.code == messages.PARSE_ERROR
    else:
        assert all(math.isfinite(entry) for entry in _numbers(request.params))


def _numbers(content):
    for path in _places(content):
        entry = content
        for key in path:
            entry = entry[key]
        if isinstance(entry, float):
            yield entry


def test_every_leaf_of_a_render_request_is_needed_in_its_type():
    for path in _places(RENDER):
        if not path:
            continue
        changed = copy.deepcopy(RENDER)
        target = changed
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = object
        with pytest.raises(MessageError):
            messages._checked({"method": "frame/render", "params": changed, "id": 1}, messages.REQUESTS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"passes": []}, r"frame/render.passes has 0 entries; it must have 1 to 12"),
        ({"passes": ["Combined", "Albedo"]}, r"frame/render.passes\[1\] is 'Albedo', which is no pass"),
        ({"colour": 1}, r"frame/render has the unknown field 'colour'"),
        ({"samples": []}, r"frame/render.samples has 0 entries"),
        ({"priority": "urgent"}, r"frame/render.priority is 'urgent'; it must be one of preview, final"),
        ({"viewport": "a\0b"}, r"contains a character that is not text"),
        (
            {"samples": [{"heads": [{**HEAD, "values": {"AU99": 1}}], "camera": CAMERA}]},
            r"samples\[0\].heads\[0\].values is 'AU99', which is no channel",
        ),
        (
            {"samples": [{"heads": [{**HEAD, "values": {"AU26 Jaw Drop": 10**400}}], "camera": CAMERA}]},
            r"AU26 Jaw Drop'\] is 10*…; it must be from",
        ),
        (
            {"samples": [{"heads": [], "camera": {**CAMERA, "width": 100_000}}]},
            r"camera.width is 100000; it must be from 1 to 16384",
        ),
        (
            {"samples": [{"heads": [], "camera": {**CAMERA, "K": [1, 2]}}]},
            r"camera.K has 2 entries; it must have exactly 9",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_place(change, sentence):
    with pytest.raises(MessageError, match=sentence) as caught:
        messages.request_line("frame/render", {**RENDER, **change}, 1)
    assert caught.value.code == messages.INVALID_PARAMS


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        (b"{", messages.PARSE_ERROR, "not valid JSON"),
        (b"\xff\xfe", messages.PARSE_ERROR, "not UTF-8"),
        (b"[" * 100_000, messages.PARSE_ERROR, "not JSON that can be read"),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', messages.PARSE_ERROR, "repeats a key"),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', messages.PARSE_ERROR, "contains NaN"),
        (b'{"jsonrpc":"2.0","id":1e999,"method":"ping"}', messages.INVALID_REQUEST, "id must be a whole number"),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', messages.INVALID_REQUEST, "must be one of 2.0"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","x":1}', messages.INVALID_REQUEST, "unknown field 'x'"),
        (b'{"jsonrpc":"2.0","id":1,"method":"explode"}', messages.METHOD_NOT_FOUND, "no method 'explode'"),
        (b'{"jsonrpc":"2.0","method":"ping"}', messages.METHOD_NOT_FOUND, "no notification 'ping'"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', messages.INVALID_PARAMS, "ping must be an object"),
        (b" " * (messages.REQUEST_LIMIT + 1), messages.INVALID_REQUEST, "longer than"),
    ],
)
def test_what_is_no_request_is_refused(line, code, sentence):
    with pytest.raises(MessageError, match=sentence) as caught:
        messages.parse_request(line)
    assert caught.value.code == code


def test_a_nesting_bomb_inside_a_free_field_is_refused():
    deep = {}
    for _ in range(100):
        deep = {"a": deep}
    with pytest.raises(MessageError, match="nested too deeply"):
        messages.parse_request(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": deep}).encode())


def test_a_request_that_is_too_long_is_not_sent():
    pose = {"values": {}, "matrix": [1 / 3] * 16}
    heads = [{**HEAD, "head": "h" * 256, "previous": pose, "next": pose}] * 64
    samples = [{"heads": heads, "camera": CAMERA}] * 256
    with pytest.raises(MessageError, match="at most 8388608 are sent"):
        messages.request_line("frame/render", {**RENDER, "samples": samples}, 1)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MienError("x"), messages.BAD_INPUT),
        (Cancelled("x"), messages.CANCELLED),
        (Superseded("x"), messages.SUPERSEDED),
        (MessageError("x", messages.INVALID_PARAMS), messages.INVALID_PARAMS),
        (ZeroDivisionError("x"), messages.INTERNAL),
    ],
)
def test_errors_travel_under_their_code(error, code):
    line = messages.error_line(4, messages.error_code(error), str(error))
    assert messages.parse_reply(line) == messages.Response(4, error=(code, "x"))


def test_an_error_sentence_with_a_file_name_that_is_not_text_still_travels():
    line = messages.error_line(None, messages.BAD_INPUT, "no file \udcff\0 here")
    assert messages.parse_reply(line).error[1].startswith("no file ?")


def test_progress_and_cancellation():
    line = messages.request_line("$/progress", {"token": 3, "fraction": 0.5, "message": "Half"})
    assert messages.parse_reply(line).params["fraction"] == 0.5
    assert messages.parse_request(messages.request_line("$/cancelRequest", {"id": 3})).id is None
    with pytest.raises(MessageError, match="fraction"):
        messages.request_line("$/progress", {"token": 3, "fraction": 1.5, "message": ""})


def test_a_preview_names_its_request():
    line = messages.request_line("$/preview", {"token": 3, "curves": {"format": "mien-curves"}})
    assert messages.parse_reply(line).params == {"token": 3, "curves": {"format": "mien-curves"}}
    with pytest.raises(MessageError, match="token"):
        messages.request_line("$/preview", {"curves": {}})


def test_a_result_of_the_wrong_form_is_never_sent_and_never_taken():
    with pytest.raises(MessageError, match="lacks the field 'height'"):
        messages.result_line("frame/render", 1, {"width": 3})
    good = {"curves": {}, "keys": {}, "words": [], "phones": [], "duration": 1.0, "notes": []}
    response = messages.parse_reply(messages.result_line("perform", 1, good))
    messages.check_result("perform", response.result)
    with pytest.raises(MessageError, match="finite"):
        messages.check_result("perform", {**good, "curves": {"fps": math.inf}})


@pytest.mark.parametrize(("theirs", "common"), [("1.0", (1, 0)), ("1.1", (1, 1)), ("1.3", (1, 3)), ("1.7", (1, 3))])
def test_an_unknown_minor_is_tolerated(theirs, common):
    assert messages.check_version(theirs, "engine") == common


@pytest.mark.parametrize(
    ("theirs", "who", "sentence"),
    [
        ("0.9", "engine", "update the engine"),
        ("2.0", "engine", "update the add-on"),
        ("0.9", "add-on", "update the add-on"),
        ("2.0", "add-on", "update the engine"),
        ("one", "engine", "not as MAJOR.MINOR"),
        ("1.0.0", "engine", "not as MAJOR.MINOR"),
        ("²." + "1", "engine", "not as MAJOR.MINOR"),
    ],
)
def test_another_major_says_which_side_to_update(theirs, who, sentence):
    with pytest.raises(MessageError, match=sentence) as caught:
        messages.check_version(theirs, who)
    assert caught.value.code == messages.VERSION_MISMATCH


def test_hello_alone_may_say_more_than_is_known():
    hello = {**GOOD["hello"], "protocol": "7.0", "likes": ["tea"]}
    assert messages.parse_request(messages.request_line("hello", hello, 1)).params["likes"] == ["tea"]
