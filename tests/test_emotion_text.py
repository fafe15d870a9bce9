"""Properties of directions in words: whatever is said of one side, order, time, denial or strength holds for all."""

import itertools

import numpy as np
import pytest

from engine.contract import channels as contract
from engine.contract.channels import NAMES
from engine.emotion.clauses import clauses
from engine.emotion.command import from_text
from engine.emotion.notation import normal
from engine.emotion.tables import data
from engine.emotion.text import Spoken
from engine.emotion.words import tags

#: Expressions and movements that share no code with each other, with a channel that is theirs alone.
APART = {
    "smile": "AU12 Lip Corner Puller.L",
    "cheeks puffed": "AU34 Puff.L",
    "nose wrinkled": "AU09 Nose Wrinkler.L",
    "eyebrows raised": "AU02 Outer Brow Raiser.L",
    "eyes closed": "AU43 Eyes Closed.L",
}
FEELINGS = {
    "happy": "AU12 Lip Corner Puller.L", "sad": "AU15 Lip Corner Depressor.L", "disgusted": "AU09 Nose Wrinkler.L",
    "afraid": "AU20 Lip Stretcher.L", "angry": "AU23 Lip Tightener.L",
}  # fmt: skip


def play(text, **options):
    """({channel: values}, times) of a direction."""
    curves = from_text(text, options.pop("words", None), meaning=False, **options).curves
    return dict(zip(NAMES, curves.dense().T, strict=True)), np.arange(len(curves.values)) / curves.fps


def begins(text, channel, **options):
    """Seconds at which a channel first crosses half of its peak; None where it does not move."""
    face, times = play(text, **options)
    values = np.abs(face[channel])
    return float(times[np.flatnonzero(values >= values.max() / 2)[0]]) if values.max() > 0.05 else None


def ends(text, channel, **options):
    face, times = play(text, **options)
    values = np.abs(face[channel])
    return float(times[np.flatnonzero(values >= values.max() / 2)[-1]]) if values.max() > 0.05 else None


def top(text, channel, **options):
    return float(np.abs(play(text, **options)[0][channel]).max())


def same(one, other, **options):
    """Whether two directions make the same curves."""
    (a, _), (b, _) = play(one, **options), play(other, **options)
    return all(len(a[name]) == len(b[name]) and np.allclose(a[name], b[name]) for name in NAMES)


# ── sides ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SIDED = [
    "raise the left eyebrow", "a smirk on the left", "left brow up, right brow down",
    "wink with the left eye, then the right",
    "left brow up right brow down", "smile on the left, frown on the right",
    "the left eye closes while the right stays open",
    "AU12L 0.5, AU15R 0.3", "L14D", "lift the left corner of the mouth; the other corner drops", "sneer left",
    "both brows up, the left one higher", "raise the left brow, then the other",
    "only the left half of the mouth smiles",
    "left eyelid droops, right eyebrow arched", "squint harder with the left eye than with the right",
    "on the left: brow up, eye narrowed", "smile with the left corner; the right corner does nothing",
    "the inner end of the left brow lifts", "mouthSmileLeft 0.6, browDownRight 0.4", "a smirk, 80% left, 20% right",
    "raise the left brow at 1 s and the right one at 2 s", "the left brow rises and the right one follows at 2 s",
    "not the left brow: the right one is pulled down", "left cheek dimples, nose wrinkle on the same side",
]  # fmt: skip


def swapped(text):
    """The text with left and right exchanged."""
    pairs = (("left", "right"), ("Left", "Right"), ("L14", "R14"), ("12L", "12R"), ("15R", "15L"))
    for one, other in pairs:
        text = text.replace(one, "\0").replace(other, one).replace("\0", other)
    return text


@pytest.mark.parametrize("text", SIDED)
def test_exchanging_left_and_right_mirrors_the_curves(text):
    (one, _), (other, _) = play(text, duration=4.0), play(swapped(text), duration=4.0)
    moved = 0.0
    for name in NAMES:
        mirrored = contract.channel(name).mirrored
        assert np.allclose(np.abs(one[name]), np.abs(other[mirrored]), atol=1e-9), name
        moved = max(moved, np.abs(one[name] - one[mirrored]).max())
    assert moved > 0.1, "nothing in it has a side"


@pytest.mark.parametrize(
    "text",
    [
        "raise the right brow; the left one stays where it is", "right eyebrow up, the other does nothing",
        "raise the right brow, leave the left alone", "Just the right brow goes up, not the left one.",
        "The brow over her right eye is raised.", "raise one brow, the right one", "R brow up",
        "the right brow climbs while the left one doesn't budge", "the left is calm, the right brow goes up",
        "brow up: right", "raise the right eyebrow, since the left one is behind an eyepatch",
    ],
)  # fmt: skip
def test_the_right_brow_alone(text):
    assert top(text, "AU02 Outer Brow Raiser.R") > 0.5
    assert top(text, "AU02 Outer Brow Raiser.L") < 0.05


def test_a_side_that_follows():
    text = "the left brow goes up at 1 s, the right one follows at 3 s"
    assert begins(text, "AU02 Outer Brow Raiser.L", duration=5.0) == pytest.approx(1.0, abs=0.4)
    assert begins(text, "AU02 Outer Brow Raiser.R", duration=5.0) == pytest.approx(3.0, abs=0.4)


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────

FORWARD = [
    "{a}, then {b}", "first {a}, then {b}", "{a}, after that {b}", "{a} before {b}", "{b} after {a}",
    "{a} followed by {b}",
    "{a}. Then {b}.", "{b}, but first {a}", "after {a}, {b}", "before {b}, {a}", "once {a} is over, {b}", "{a} -> {b}",
    "{a} > {b}", "start with {a}, end with {b}", "at first {a}, later {b}", "{a} first, {b} second", "1) {a} 2) {b}",
    "{a} at 1 s, {b} at 2 s", "0-1 s: {a}, 1-3 s: {b}", "{a} for 1 s, then {b}", "{b}, preceded by {a}",
    "{a}, finally {b}",
    "t=0 {a}; t=2 {b}", "[0-2] {a} [2-4] {b}", "no sooner {a} than {b}", "as soon as {a} is gone, {b}",
    "{a} until 2 s, from then on {b}", "{b} only after {a}", "step 1: {a}. step 2: {b}.", "{a}; two seconds later {b}",
]  # fmt: skip


@pytest.mark.parametrize("form", FORWARD)
def test_what_comes_first_comes_first(form):
    for (one, mine), (other, its) in itertools.permutations(FEELINGS.items(), 2):
        text = form.format(a=one, b=other)
        first, second = begins(text, mine), begins(text, its)
        assert first is not None and second is not None and first < second - 0.2, (text, first, second)


@pytest.mark.parametrize(
    "form", ["{a}, then {b}", "first {a}, then {b}", "{a} at 1 s, {b} at 2 s", "{a} -> {b}", "{a}. Then {b}."]
)
def test_movements_keep_their_order_too(form):
    for (one, mine), (other, its) in itertools.permutations(APART.items(), 2):
        text = form.format(a=one, b=other)
        first, second = begins(text, mine), begins(text, its)
        assert first is not None and second is not None and first < second - 0.2, (text, first, second)


# ── times ────────────────────────────────────────────────────────────────────────────────────────────────────────────

AT_TWO = [
    "at 2 s, {}", "{} at 2 s", "{} at two seconds", "at 0:02 {}", "at 00:00:02, {}", "2 seconds in, {}", "t=2 {}",
    "{} @ 2s",
    "[2s] {}", "at frame 48 {}", "at the two-second mark, {}", "{} from second 2 on", "after 2 s: {}",
    "not until 2 s {}",
    "neutral until 2 s, then {}", "wait 2 seconds, then {}", "2000 ms in: {}", "nothing for 2 s, then {}",
    "from 2 s on {}",
    "at 50 frames {} (25 fps)", "stay blank for two whole seconds, then {}", "when the clock hits 2 seconds, {}",
    "{} at 2",
]  # fmt: skip


@pytest.mark.parametrize("form", AT_TWO)
def test_two_seconds_in_every_notation(form):
    for what, channel in [*APART.items(), *FEELINGS.items()]:
        found = begins(form.format(what), channel, duration=5.0)
        assert found == pytest.approx(2.0, abs=0.45), (form.format(what), found)


FROM_ONE_TO_THREE = [
    "{} from 1 s to 3 s", "{} between 1 and 3 seconds", "1-3 s: {}", "[1-3] {}", "{} at 1 s for two seconds",
    "{} 0:01 -> 0:03",
    "from second 1 until second 3, {}", "{} starting at 1 s and ending at 3 s", "from 1s till 3s: {}",
    "{} at 1 s, gone by 3 s",
    "{} from frame 24 to frame 72", "at 1 s {}, released at 3 s", "{} between the first and the third second",
    "{} (1.0 - 3.0)", "{} from 1 to 3", "starting at 1 s and lasting 2 s: {}", "{} at 1 s, back to neutral at 3 s",
]  # fmt: skip


@pytest.mark.parametrize("form", FROM_ONE_TO_THREE)
def test_from_one_to_three_seconds_in_every_notation(form):
    for what, channel in [*APART.items(), *FEELINGS.items()]:
        text = form.format(what)
        found = begins(text, channel, duration=6.0), ends(text, channel, duration=6.0)
        assert found == (pytest.approx(1.0, abs=0.45), pytest.approx(3.0, abs=0.45)), (text, found)


def test_half_seconds_are_read_whole():
    assert begins("[0.5s] smile", APART["smile"], duration=4.0) == pytest.approx(0.5, abs=0.3)
    assert begins("0.5 s: smile", APART["smile"], duration=4.0) == pytest.approx(0.5, abs=0.3)


def test_a_frame_rate_in_the_text_counts():
    assert begins("at frame 75 @ 25fps, smile", APART["smile"], duration=5.0) == pytest.approx(3.0, abs=0.3)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ('smile on "dear"', 1.5),
        ("smile after 'my'", 1.4),
        ("smile when she says dear", 1.5),
        ("at the word 'dear', smile", 1.5),
    ],
)
def test_words_of_the_line_in_every_notation(text, start):
    words = [Spoken("oh", 0.2, 0.5), Spoken("my", 1.0, 1.4), Spoken("dear", 1.5, 2.0), Spoken("friend", 2.1, 2.6)]
    assert begins(text, APART["smile"], words=words, duration=4.0) == pytest.approx(start, abs=0.35)


# ── denial ───────────────────────────────────────────────────────────────────────────────────────────────────────────

DENIED = [
    "not {}", "never {}", "calm, without being {}", "neither {} nor bored", "he isn't {}", "not {} but tired",
    "don't be {}",
    "not a hint of {}", "not at all {}", "tired, not {}", "no longer {}", "anything but {}", "he is not {} or shy",
    "she is neither {} nor shy", "dont be {}", "not shy or {}",
]  # fmt: skip


@pytest.mark.parametrize("form", DENIED)
def test_what_is_denied_is_not_shown(form):
    for what, channel in FEELINGS.items():
        assert top(form.format(what), channel) < 0.08, form.format(what)


@pytest.mark.parametrize(
    ("text", "still", "moving"),
    [
        ("surprised, but the brows don't move", "AU02 Outer Brow Raiser.L", "AU05 Upper Lid Raiser.L"),
        ("surprised; keep the brows still", "AU02 Outer Brow Raiser.L", "AU05 Upper Lid Raiser.L"),
        ("no eyebrow movement, just surprise", "AU02 Outer Brow Raiser.L", "AU05 Upper Lid Raiser.L"),
        (
            "leave the eyebrows exactly where they are and look surprised",
            "AU02 Outer Brow Raiser.L",
            "AU05 Upper Lid Raiser.L",
        ),
        ("everything but the brows looks surprised", "AU02 Outer Brow Raiser.L", "AU05 Upper Lid Raiser.L"),
        ("surprised with neutral brows", "AU02 Outer Brow Raiser.L", "AU05 Upper Lid Raiser.L"),
        ("laugh with the mouth closed", "AU26 Jaw Drop", "AU12 Lip Corner Puller.L"),
        ("surprised, lips sealed", "AU25 Lips Part", "AU02 Outer Brow Raiser.L"),
        ("a smile that doesn't lift the cheeks", "AU06 Cheek Raiser.L", "AU12 Lip Corner Puller.L"),
        ("grin without opening the mouth", "AU25 Lips Part", "AU12 Lip Corner Puller.L"),
        ("do not frown or smile, raise the brows", "AU12 Lip Corner Puller.L", "AU02 Outer Brow Raiser.L"),
    ],
)
def test_a_part_is_kept_out(text, still, moving):
    assert top(text, still) < 0.08 and top(text, moving) > 0.3


@pytest.mark.parametrize(
    "text", ["can't stop smiling", "nothing can wipe the smile off her face", "cannot hide a smile"]
)
def test_a_denied_end_is_no_denial(text):
    assert top(text, APART["smile"]) > 0.15


# ── strength ─────────────────────────────────────────────────────────────────────────────────────────────────────────

LESS = [
    "a hint of {n}",
    "slightly {a}",
    "a bit {a}",
    "barely {a}",
    "a tad {a}",
    "mildly {a}",
    "20% {a}",
    "not very {a}",
    "a mite {a}",
]
MORE = [
    "very {a}",
    "extremely {a}",
    "so {a}",
    "utterly {a}",
    "incredibly {a}",
    "150% {a}",
    "twice as {a}",
    "{a} beyond words",
]


@pytest.mark.parametrize("noun, word, channel", [
    ("joy", "happy", FEELINGS["happy"]), ("anger", "angry", "AU04 Brow Lowerer.L"), ("fear", "afraid",
    FEELINGS["afraid"]),
    ("sadness", "sad", FEELINGS["sad"]), ("disgust", "disgusted", FEELINGS["disgusted"]),
])  # fmt: skip
def test_degrees_make_less_and_more(noun, word, channel):
    plain = top(word, channel)
    for form in LESS:
        assert 0.0 < top(form.format(n=noun, a=word), channel) < plain - 0.02, form
    for form in MORE:
        assert top(form.format(n=noun, a=word), channel) > plain + 0.02, form


@pytest.mark.parametrize("what, channel", [
    ("smile", APART["smile"]), ("nose wrinkle", APART["nose wrinkled"]), ("brows up", APART["eyebrows raised"]),
    ("squint", "AU07 Lid Tightener.L"), ("lips pressed", "AU24 Lip Pressor.L"),
])  # fmt: skip
def test_degrees_behind_a_movement(what, channel):
    plain = top(what, channel)
    for degree in ("slightly", "a little", "a touch", "subtle"):
        assert 0.0 < top(f"{what}, {degree}", channel) < plain - 0.02
        assert 0.0 < top(f"{what} {degree}", channel) < plain - 0.02
    assert (
        top(f"{what}, 20%", channel) < top(f"{what}, half strength", channel) < top(f"{what}, full strength", channel)
    )


# ── strength, word by word ───────────────────────────────────────────────────────────────────────────────────────────

#: From less to more; any word of a row is less than any word of the next.
DEGREES = [
    ["barely {}", "scarcely {}"], ["a hint {}"], ["faintly {}", "ever so slightly {}"],
    ["slightly {}", "a bit {}", "mildly {}"],
    ["kind of {}", "somewhat {}", "moderately {}"], ["fairly {}", "quite {}", "rather {}"], ["{}"],
    ["really {}", "very {}", "so {}"], ["extremely {}", "incredibly {}"],
    ["utterly {}", "totally {}", "as {} as possible", "{} beyond words"],
]  # fmt: skip
HOW_FAR = [
    ["barely {}"], ["slightly {}", "{} a little", "{} a bit"], ["{} somewhat", "{} halfway"], ["{}"],
    ["{} hard", "{} a lot"],
    ["{} as far as possible", "{} to the max"],
]  # fmt: skip
#: Words of one feeling from weak to strong, and the codes by which it shows.
FAMILIES = [
    (["irked", "annoyed", "cross", "exasperated", "angry", "irate", "seething", "furious", "livid"], "4 7 23"),
    (["uneasy", "apprehensive", "afraid", "alarmed", "horrified", "terrified", "petrified"], "1 5 20"),
    (["wistful", "glum", "gloomy", "sad", "sorrowful", "miserable"], "1 15"),
    (["sad", "grieving", "heartbroken", "devastated"], "1 4 15"),
    (["sniffling", "whimpering", "crying", "sobbing", "bawling"], "1 15"),
    (["pleased", "cheerful", "happy", "joyful", "delighted", "overjoyed", "ecstatic"], "6 12"),
    (["wry", "amused", "giggling", "laughing", "guffawing", "in hysterics"], "6 12"),
    (["taken aback", "surprised", "startled", "amazed", "astonished", "flabbergasted"], "1 2 5"),
    (["distaste", "queasy", "disgusted", "nauseated", "revolted", "sickened to the core"], "9 10"),
    (["drowsy", "tired", "worn out", "exhausted"], "43"),
    (["sore", "wincing", "hurting", "in pain", "in agony"], "4 7"),
    (["half a smile", "smile", "grin", "wide grin", "grin from ear to ear"], "12"), (["frown", "scowl", "glower"], "4"),
    (["mouth open a crack", "mouth half open", "mouth open", "mouth wide open"], "25 26 27"),
    (["eyes wide", "eyes wide as saucers"], "5"), (["quirk the brows", "raise the brows", "hoist the brows"], "1 2"),
]  # fmt: skip


def shown(text, codes=None):
    face, _ = play(text)
    wanted = None if codes is None else {f"AU{int(code):02d}" for code in codes.split()}
    return sum(np.abs(values).max() for name, values in face.items() if wanted is None or name[:4] in wanted)


@pytest.mark.parametrize("word", ["happy", "sad", "angry", "afraid", "surprised", "disgusted", "furious", "tired"])
def test_every_degree_has_its_place(word):
    strengths = [[(shown(form.format(word)), form) for form in row] for row in DEGREES]
    for less, more in itertools.pairwise(strengths):
        assert min(more)[0] > max(less)[0] + 0.01, (word, max(less), min(more))


@pytest.mark.parametrize("move", ["raise the eyebrows", "squint", "open the mouth", "wrinkle the nose", "look up",
                                  "AU4", "puff the cheeks", "lower the brows", "press the lips together"])  # fmt: skip
def test_every_movement_goes_as_far_as_is_said(move):
    strengths = [[(shown(form.format(move)), form) for form in row] for row in HOW_FAR]
    for less, more in itertools.pairwise(strengths):
        assert min(more)[0] > max(less)[0] + 0.01, (move, max(less), min(more))


@pytest.mark.parametrize("words, codes", FAMILIES)
def test_words_of_a_feeling_stand_in_order(words, codes):
    strengths = [(shown(word, codes), word) for word in words]
    for less, more in itertools.pairwise(strengths):
        assert more[0] > less[0] + 0.01, (less, more)


# ── what follows from what ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text, first, second", [
    ("she smiles, notices something and frowns", APART["smile"], "AU04 Brow Lowerer.L"),
    ("he is happy, realises he lost and is devastated", APART["smile"], "AU15 Lip Corner Depressor.L"),
    ("smiles, stops smiling, frowns", APART["smile"], "AU04 Brow Lowerer.L"),
    ("he blinks, grins", "AU45 Blink.L", APART["smile"]),
    ("a smile until 2 s, the nose wrinkled until 4 s", APART["smile"], APART["nose wrinkled"]),
    ("smile, and after the smile wrinkle the nose", APART["smile"], APART["nose wrinkled"]),
    ("after 1 s smile; after 2 more seconds frown", APART["smile"], "AU04 Brow Lowerer.L"),
])  # fmt: skip
def test_what_follows_comes_later(text, first, second):
    assert begins(text, first) < begins(text, second) - 0.2


@pytest.mark.parametrize("text", [
    "halfway through, the smile turns into a frown", "at 2 s the smile turns into a frown",
])  # fmt: skip
def test_what_turns_into_something_was_there_before(text):
    assert begins(text, APART["smile"], duration=4.0) < 1.0
    assert ends(text, APART["smile"], duration=4.0) == pytest.approx(2.0, abs=0.45)
    assert begins(text, "AU04 Brow Lowerer.L", duration=4.0) == pytest.approx(2.0, abs=0.45)


@pytest.mark.parametrize("text", [
    "a smirk on the left, swap sides at 2 s", "left smirk; at 2 s the right side instead",
    "smirk left, switching to the right at 2 s",
])  # fmt: skip
def test_sides_are_swapped(text):
    left, right = "AU12 Lip Corner Puller.L", "AU12 Lip Corner Puller.R"
    assert ends(text, left, duration=5.0) == pytest.approx(2.0, abs=0.45)
    assert begins(text, right, duration=5.0) == pytest.approx(2.0, abs=0.45)


def test_a_lopsided_feeling_is_on_the_side_of_what_moves():
    text = "sceptical: right brow high"
    assert top(text, "AU02 Outer Brow Raiser.L") < 0.5 * top(text, "AU02 Outer Brow Raiser.R")


def test_the_verb_lower_is_no_part_of_a_name():
    assert top("lower the left lip corner", "AU15 Lip Corner Depressor.L") > 0.5
    assert top("the lower lid tightens", "AU07 Lid Tightener.L") > 0.5


# ── spelling and marks ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wrong, right", [
    ("rasie the rigth eyebrow", "raise the right eyebrow"), ("frwon slightly", "frown slightly"),
    ("suprised and hapy", "surprised and happy"), ("lft eybrow up", "left eyebrow up"), ("dont smile", "don't smile"),
    ("extremly angry", "extremely angry"), ("SMILE", "smile"), ("smile!", "smile"), ("(smile)", "smile"), ("*smile*",
    "smile"),
])  # fmt: skip
def test_slips_of_the_pen(wrong, right):
    assert same(wrong, right)


@pytest.mark.parametrize(
    "word", ["board", "closet", "morning", "string", "star", "site", "starting", "contact", "paint", "tired"]
)
def test_common_words_are_no_misspelt_feelings(word):
    assert not any("meant" in tag for tag in tags(normal(word)))


def test_clauses_are_cut_where_movements_alternate():
    found = clauses(tags(normal("left brow up right brow down mouth open")), [])
    assert [clause.source for clause in found] == ["left brow up", "right brow down", "mouth open"]


# ── a little grammar: sides × movements × turns of phrase × notations ────────────────────────────────────────────────

#: (part, what it does, how it is then, as an order, channel)
MOVED = [
    ("brow", "goes up", "up", "raise the {s} brow", "AU02 Outer Brow Raiser"),
    ("eye", "closes", "shut", "close the {s} eye", "AU43 Eyes Closed"),
    ("cheek", "lifts", "up", "raise the {s} cheek", "AU06 Cheek Raiser"),
    ("brow", "comes down", "down", "lower the {s} brow", "AU04 Brow Lowerer"),
    ("nostril", "wrinkles", "wrinkled", "wrinkle the {s} nostril", "AU09 Nose Wrinkler"),
    ("mouth corner", "droops", "down", "pull the {s} mouth corner down", "AU15 Lip Corner Depressor"),
]  # fmt: skip
IN_TURN = [
    "The {a} {p} {v}, then the {b}.", "First the {a} {p} {v}, then the {b} one.",
    "First the {a}, then the {b} {p} {v}.",
    "At 1 s the {a} {p} {v} and at 2 s the {b} one does the same.", "both {p}s {w}: {a} first, {b} second",
    "{p}s {w}, the {a} at 1 s, the {b} at 2 s", "{p} {w} - {a} at 1 s, {b} follows at 2 s",
    "the {b} {p} {v} after the {a} one", "before the {b} {p} {v}, the {a} one does",
    "the {a} {p} {v} before the {b} one does", "once the {a} {p} is {w}, the {b} one follows",
    "[1 s] {a} {p} {w} [2 s] {b} {p} {w}", "{p} {w} {a} at frame 24, {b} at frame 48 (24 fps)",
    "The {a} {p} leads and {v}, the {b} joins at 2.0.", "{do_a}; when that is done, {do_b}",
    "start with the {a} {p} {w}, add the {b} one at 2 s", "{a} {p} {w}, half a second after that the {b}",
    "the {b} {p} {v} half a second after the {a} one", "{p}s {w} one after the other, the {a} one first",
    "TC 01:00:01:00 {a} {p} {w}. TC 01:00:02:12 {b} {p} {w}. 25 fps",
]  # fmt: skip
KEPT = [
    "Both {p}s {w} at 1 s, at 2 s the {b} one relaxes.", "both {p}s {w}; at 2 s only the {a} one stays.",
    "{p}s {w} from the start, {b} released at 2 s", "Both {p}s {w} until 2 s, then the {b} one lets go",
    "both {p}s {w}, the {b} one returns to neutral at 2 s while the {a} one holds",
]  # fmt: skip
ALONE = [
    "{do_a}, leave the {b} one alone", "the {a} {p} {v} while the {b} does not move", "a {p} {v}, the {a} one",
    "the {a} {p}, not the {b}, {v}", "the {p} {v} on the {a} but not on the {b}", "{p} {w} ({a})",
    "on the {a} the {p} {v}, on the {b} nothing happens", "on the {a}: {p} {w}. on the {b}: nothing.",
    "her {a} {p} - and just that one - {v}", "all that moves is the {a} {p}: it {v}", "camera {b} {p} {w}",
    "except for the {a} {p}, which {v}, the face is blank", "the {a} {p} {v}. The {b}? Leave it.",
    "keep the {b} {p} out of it and {do_a}",
]  # fmt: skip


def sided(template, left_first):
    """(direction, channel of the side called a, of the side called b); every template gets one of the movements."""
    part, verb, where, order, channel = MOVED[sum(map(ord, template)) % len(MOVED)]
    a, b = ("left", "right") if left_first else ("right", "left")
    words = {"p": part, "v": verb, "w": where, "a": a, "b": b, "do_a": order.format(s=a), "do_b": order.format(s=b)}
    return template.format(**words), f"{channel}.{a[0].upper()}", f"{channel}.{b[0].upper()}"


@pytest.mark.parametrize("left_first", [True, False])
@pytest.mark.parametrize("template", IN_TURN)
def test_one_side_and_then_the_other(template, left_first):
    text, one, other = sided(template, left_first)
    assert begins(text, one) < begins(text, other), text


@pytest.mark.parametrize("left_first", [True, False])
@pytest.mark.parametrize("template", KEPT)
def test_one_side_lets_go_and_the_other_stays(template, left_first):
    text, kept, let_go = sided(template, left_first)
    assert ends(text, let_go, duration=4.0) == pytest.approx(2.0, abs=0.45), text
    assert ends(text, kept, duration=4.0) == pytest.approx(4.0, abs=0.1), text


@pytest.mark.parametrize("left_first", [True, False])
@pytest.mark.parametrize("template", ALONE)
def test_one_side_alone(template, left_first):
    text, moved, still = sided(template, left_first)
    assert top(text, moved) > 0.3, text
    assert top(text, still) < 0.5 * top(text, moved), text


#: (as an order, in the third person, as a name, channel)
DONE = [
    ("smile", "smiles", "a smile", "AU12 Lip Corner Puller.L"), ("frown", "frowns", "a frown", "AU04 Brow Lowerer.L"),
    ("pucker the lips", "puckers the lips", "puckered lips", "AU18 Lip Pucker"),
    ("raise the brows", "raises the brows", "raised brows", "AU02 Outer Brow Raiser.L"),
    ("close the eyes", "closes the eyes", "closed eyes", "AU43 Eyes Closed.L"),
    ("wrinkle the nose", "wrinkles the nose", "a wrinkled nose", "AU09 Nose Wrinkler.L"),
    ("puff the cheeks", "puffs the cheeks", "puffed cheeks", "AU34 Puff.L"),
]  # fmt: skip
IN_ORDER = [
    "she {s1} and afterwards {s2}", "he {s1} before he {s2}", "before she {s2} she {s1}", "after she {s1} she {s2}",
    "he {s1}, whereupon he {s2}", "she {s1}, pauses, and {s2}", "when he has finished with {n1}, {n2}",
    "not {n2} yet - first {n1}", "start pose: {n1}. end pose: {n2}.", "{n1} to begin with, later {n2}",
    "not until she {s1} does she {i2}", "{n2} comes after {n1}", "{n1}, and only then {n2}",
    "{n2} takes over from {n1}",
]  # fmt: skip
AT_1_AND_3 = [
    "{n1} at 1 s, {n2} at 3 s", "{i1} at 0:01 and {i2} at 0:03", "[1] {n1} [3] {n2}", "{n1} (at 1 s), {n2} (at 3 s)",
    "frame 25: {n1}. Frame 75: {n2}. 25 fps", "{n1} f24, {n2} f72 @24fps", "1.0 {n1}, 3.0 {n2}",
    "{n2} at 3 s, {n1} at 1 s", "00:00:01:00 {n1}, 00:00:03:00 {n2}, 24 fps", "at 1000 ms {n1}, at 3000 ms {n2}",
    "a full second of nothing, then {n1}; at three seconds {n2}", "{n1} and {n2} at 1 s and 3 s respectively",
    "neutral / {n1} / {n2}, cuts at 1 s and 3 s", "he {s1} on second 1 and {s2} on second 3",
]  # fmt: skip
FROM_1_TO_3 = [
    "{n1} between 1 and 3 seconds", "[1-3] {n1}", "he {s1} at 1 s and stops at 3 s", "{n1}, in at 1.0, out at 3.0",
    "{n1} goes on at 1 s and off at 3 s", "{n1} at 1 s; back to neutral at 3 s", "f24-f72 {n1} @24fps",
    "at 1 s he {s1}, two seconds later it is over", "{n1} for two seconds, starting at 1 s",
]  # fmt: skip


def done(template):
    place = sum(map(ord, template)) % len(DONE)
    one, two = DONE[place], DONE[(place + 1) % len(DONE)]
    names = []
    for number, said in (("1", one), ("2", two)):
        names += [(kind + number, words) for kind, words in zip("isn", said[:3], strict=True)]
    return template.format(**dict(names)), one[3], two[3]


@pytest.mark.parametrize("template", IN_ORDER)
def test_two_things_in_order(template):
    text, one, two = done(template)
    assert begins(text, one) < begins(text, two), text


@pytest.mark.parametrize("template", AT_1_AND_3)
def test_two_times_in_every_notation(template):
    text, one, two = done(template)
    assert begins(text, one) == pytest.approx(1.0, abs=0.45), text
    assert begins(text, two) == pytest.approx(3.0, abs=0.45), text


@pytest.mark.parametrize("template", FROM_1_TO_3)
def test_a_beginning_and_an_end_in_every_notation(template):
    text, one, _ = done(template)
    assert begins(text, one, duration=5.0) == pytest.approx(1.0, abs=0.45), text
    assert ends(text, one, duration=5.0) == pytest.approx(3.0, abs=0.45), text


@pytest.mark.parametrize(
    ("muscle", "channel"),
    [
        ("zyg major left 60 %", "AU12 Lip Corner Puller.L"), ("DAO, left only", "AU15 Lip Corner Depressor.L"),
        ("corrugator L", "AU04 Brow Lowerer.L"), ("frontalis medialis", "AU01 Inner Brow Raiser.L"),
        ("depressor labii inf., left, 70", "AU16 Lower Lip Depressor.L"), ("mentalis", "AU17 Chin Raiser"),
    ],
)  # fmt: skip
def test_muscles_by_their_names(muscle, channel):
    assert top(muscle, channel) > 0.3


def test_directions_in_brackets_within_the_line_that_is_spoken():
    words = [Spoken("you", 0.0, 0.2), Spoken("came", 0.2, 0.5), Spoken("back", 0.5, 0.9), Spoken("really", 2.1, 2.6)]
    text = "You came back. [joy] Really? [frowns, left brow only]"
    assert begins(text, "AU12 Lip Corner Puller.L", words=words) == pytest.approx(1.5, abs=0.4)
    assert begins(text, "AU04 Brow Lowerer.L", words=words) == pytest.approx(2.8, abs=0.4)


@pytest.mark.parametrize(
    ("text", "one", "two"),
    [
        ("the nose wrinkles, but not before the left brow has gone up", "AU02 Outer Brow Raiser.L",
         "AU09 Nose Wrinkler.L"),
        ("lips part, having been puckered just before", "AU18 Lip Pucker", "AU25 Lips Part"),
        ("No longer afraid, she smiles.", "AU20 Lip Stretcher.L", "AU12 Lip Corner Puller.L"),
        ("Not sad any more, she grins.", "AU15 Lip Corner Depressor.L", "AU12 Lip Corner Puller.L"),
        ("Beginning: happy. Middle: disgusted. End: sad.", "AU12 Lip Corner Puller.L", "AU09 Nose Wrinkler.L"),
        ("she frowns, until she is given a present: joy", "AU04 Brow Lowerer.L", "AU12 Lip Corner Puller.L"),
    ],
)  # fmt: skip
def test_what_was_there_before_comes_first(text, one, two):
    assert begins(text, one) < begins(text, two)


@pytest.mark.parametrize(
    ("text", "channel", "begin", "end"),
    [
        ("one third sad, two thirds happy", "AU12 Lip Corner Puller.L", 2.0, None),
        ("she grins in the first half of the clip and then stops", "AU12 Lip Corner Puller.L", 0.1, 3.0),
        ("in the first two thirds he is angry, then he smiles", "AU12 Lip Corner Puller.L", 4.0, None),
        ("with 2 s to go he shuts his eyes", "AU43 Eyes Closed.L", 4.0, None),
        ("a grin spreads slowly over the whole clip", "AU12 Lip Corner Puller.L", 3.0, None),
        ("gradually, between 2 s and 4 s, a smile appears", "AU12 Lip Corner Puller.L", 3.0, None),
    ],
)
def test_shares_of_the_shot(text, channel, begin, end):
    assert begins(text, channel, duration=6.0) == pytest.approx(begin, abs=0.45)
    if end is not None:
        assert ends(text, channel, duration=6.0) == pytest.approx(end, abs=0.45)


@pytest.mark.parametrize(
    ("text", "channel", "begin"),
    [
        ("smiles with “it's”, frowns with “don't”", "AU04 Brow Lowerer.L", 2.0),
        ("her eyes close on ‘don’t’ only", "AU43 Eyes Closed.L", 2.0),
        ('half a second before "care" he shuts his eyes', "AU43 Eyes Closed.L", 2.0),
        ("between 'fine' and 'don’t' she smiles", "AU12 Lip Corner Puller.L", 1.4),
        ("half a second after the word \"fine\" is over he frowns", "AU04 Brow Lowerer.L", 1.9),
        ("afraid up to and including \"fine\", then happy", "AU12 Lip Corner Puller.L", 1.4),
        ("blank until \"don't\", and from that point on she is happy", "AU12 Lip Corner Puller.L", 2.0),
    ],
)  # fmt: skip
def test_words_of_the_line_as_they_are_quoted(text, channel, begin):
    words = [Spoken("it’s", 0.5, 0.9), Spoken("fine", 1.0, 1.4), Spoken("don't", 2.0, 2.4), Spoken("care", 2.5, 3.0)]
    assert begins(text, channel, words=words) == pytest.approx(begin, abs=0.45)


def test_what_was_gone_comes_back_at_its_time():
    face, times = play("frown at 1 s, gone by 2 s, and back at 4 s", duration=6.0)
    down = face["AU04 Brow Lowerer.L"]
    assert [bool(down[np.searchsorted(times, at)] > 0.2) for at in (0.5, 1.6, 3.2, 5.0)] == [False, True, False, True]


@pytest.mark.parametrize(
    "text", ['cheeks puffed on "no", gone at "go"', 'from "no" to "stop" he has his cheeks puffed']
)
def test_from_one_word_of_the_line_to_another(text):
    words = [Spoken("no", 0.5, 0.8), Spoken("now", 1.2, 1.8), Spoken("stop", 2.3, 2.8), Spoken("go", 2.8, 3.3)]
    assert begins(text, "AU34 Puff.L", words=words, duration=5.0) == pytest.approx(0.5, abs=0.45)
    assert ends(text, "AU34 Puff.L", words=words, duration=5.0) == pytest.approx(2.8, abs=0.45)


@pytest.mark.parametrize("verb", sorted(data("actions")["verbs"]))
def test_what_one_part_does_may_not_be_done_by_the_next(verb):
    parts, said = data("actions")["parts"].values(), data("actions")["verbs"][verb].split(", ")[0]
    names = {part["words"].split(", ")[0]: part["verbs"] for part in parts}
    one = next((name for name, verbs in names.items() if verb in verbs), "eyes")
    for other in names:  # "heavy lids, and the gaze": no gaze is heavy
        assert clauses(tags(normal(f"the {one} {said}, and the {other}")), [])


@pytest.mark.parametrize("text", ["while she says 'never'", "when he says 'I really want it'", 'she says "no"'])
def test_saying_a_word_is_a_moment_and_no_feeling(text):
    notes = from_text(text, None).notes
    assert any("could not be placed" in note for note in notes)
    assert not any("by its meaning" in note for note in notes)
    assert all(np.abs(values).max() < 0.05 for values in play(text)[0].values())
    assert top(f"smile {text}", "AU12 Lip Corner Puller.L") > 0.4
