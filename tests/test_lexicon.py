"""Pronunciations that an artist gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.errors import MienError
from engine.speech import lexicon


def test_a_line_may_say_how_a_word_is_said():
    line, given_ = lexicon.inline("Hello [Mien](/miːn/), says [Ada](/ˈeɪdə/).")
    assert line == "Hello Mien, says Ada." and given_ == {"mien": "miːn", "ada": "ˈeɪdə"}
    assert lexicon.find("Mien", given_) == "mˈiːn"
    assert lexicon.find("Mien's", given_) == "mˈiːnz"
    assert lexicon.find("Ada", given_) == "ˈAdə"
    assert lexicon.find("other", given_) is None


@pytest.mark.parametrize("line, said", [
    ("[Mien](/m§n/)", "'§'"),
    ("[a b](/æb/)", "one word at a time"),
    ("[Mien](//)", "is empty"),
    ("[](/miːn/)", "one word at a time"),
])  # fmt: skip
def test_what_the_voice_cannot_say_is_said(line, said):
    with pytest.raises(MienError, match=said):
        lexicon.inline(line)


@given(st.text(max_size=60))
def test_any_line_without_marks_stays_as_it_is(line):
    if "](/" not in line:
        assert lexicon.inline(line) == (line, {})


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_any_dictionary_is_read_or_refused_in_one_sentence(entries):
    try:
        assert all(word == word.lower() for word in lexicon.check(entries))
    except MienError as error:
        assert "\n" not in str(error)[:20]


def test_a_dictionary_has_an_end():
    with pytest.raises(MienError, match="at most 1000"):
        lexicon.check({f"word{number}": "æ" for number in range(1001)})
