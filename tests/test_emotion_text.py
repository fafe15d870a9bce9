"""Properties of directions in words: whatever is said of one side, order, time, denial or strength holds for all."""

import itertools

import numpy as np
import pytest

from engine.contract import channels as contract
from engine.contract.channels import NAMES
from engine.emotion.clauses import clauses
from engine.emotion.command import from_text
from engine.emotion.notation import normal
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


@pytest.mark.parametrize("form", ["{a}, then {b}", "first {a}, then {b}", "{a} at 1 s, {b} at 2 s", "{a} -> {b}",
"{a}. Then {b}."])
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
    [('smile on "dear"', 1.5), ("smile after 'my'", 1.4), ("smile when she says dear", 1.5),
    ("at the word 'dear', smile", 1.5)],
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
        ("leave the eyebrows exactly where they are and look surprised", "AU02 Outer Brow Raiser.L",
        "AU05 Upper Lid Raiser.L"),
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


@pytest.mark.parametrize("text", ["can't stop smiling", "nothing can wipe the smile off her face",
"cannot hide a smile"])
def test_a_denied_end_is_no_denial(text):
    assert top(text, APART["smile"]) > 0.15


# ── strength ─────────────────────────────────────────────────────────────────────────────────────────────────────────

LESS = ["a hint of {n}", "slightly {a}", "a bit {a}", "barely {a}", "a tad {a}", "mildly {a}", "20% {a}",
"not very {a}", "a mite {a}"]
MORE = ["very {a}", "extremely {a}", "so {a}", "utterly {a}", "incredibly {a}", "150% {a}", "twice as {a}",
"{a} beyond words"]


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
    assert top(f"{what}, 20%", channel) < top(f"{what}, half strength", channel) < top(f"{what}, full strength",
    channel)


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


@pytest.mark.parametrize("word", ["board", "closet", "morning", "string", "star", "site", "starting", "contact",
"paint", "tired"])
def test_common_words_are_no_misspelt_feelings(word):
    assert not any("meant" in tag for tag in tags(normal(word)))


def test_clauses_are_cut_where_movements_alternate():
    found = clauses(tags(normal("left brow up right brow down mouth open")), [])
    assert [clause.source for clause in found] == ["left brow up", "right brow down", "mouth open"]
