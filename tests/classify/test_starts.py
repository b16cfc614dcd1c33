"""The words with which whatever a pattern finds must start."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.classify.keyword import RULES
from detector.classify.starts import starts


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        pytest.param(r"\b(?:a|bc)d\b", ("ad", "bcd"), id="alternatives"),
        pytest.param(r"is ?n'?t", ("is n't", "is nt", "isn't", "isnt"), id="optional letters"),
        pytest.param(r"0{1,2} up", ("0 up", "00 up"), id="counted"),
        pytest.param(r"a{0,2}b", ("aab", "ab", "b"), id="counted from none"),
        pytest.param(r"(?:\w )?down", ("",), id="anything first"),
        pytest.param(r"not (?:\w{1,9} )?up", ("not ",), id="anything later"),
        pytest.param(r"50[0-2]|5[^x]", ("5",), id="the shorter is enough"),
        pytest.param(r"why\?", ("why?",), id="escaped"),
        pytest.param(r"(?!no)[ab-]?x", ("",), id="a range that is none"),
    ],
)
def test_starts_are_read_off_the_pattern(pattern: str, words: tuple[str, ...]) -> None:
    """One case a form of pattern."""
    assert starts(pattern) == words


def test_too_many_starts_are_cut_shorter() -> None:
    """A thousand words of three letters are kept as the hundred pairs they begin with."""
    assert starts("[abcdefghij]{2}[abcdefghij]") == starts("[abcdefghij]{2}")
    assert len(starts("[abcdefghij]{2}")) == 100


@pytest.mark.parametrize(
    "pattern", ["a*", "a+", "(a)", "(?=a)", "(?i:a)", r"\d", "a{2,}", "a{x}", "[ab", "(?:a", "a)", "?"]
)
def test_what_it_cannot_read_is_refused(pattern: str) -> None:
    """A new rule in a form that this does not know fails at once, not silently."""
    with pytest.raises(ValueError, match="cannot read"):
        starts(pattern)


_SHAPES = (
    r"\b(?:is|are) (?:\w{1,3} ){0,2}(?:up|on)\b|on ?\?",
    r"u{1,2}p?|(?!on)o[ns]?",
    r"(?:(?:is )?no|n'?t )[^?]{0,3}\?",
    r"^(?!.{0,4}no)\W{0,2}up$",
)


@settings(max_examples=300, deadline=None)
@given(shape=st.sampled_from(_SHAPES), text=st.text(alphabet="isaretnoup ?'", max_size=30))
def test_every_match_starts_with_one(shape: str, text: str) -> None:
    """Whatever the text, no match begins otherwise."""
    words = starts(shape)

    for found in re.finditer(shape, text):
        assert any(text.startswith(word, found.start()) for word in words)


def test_every_rule_can_be_read() -> None:
    """And each start of it is in lower case, as the texts are."""
    for _, pattern in RULES:
        assert all(word == word.lower() for word in starts(pattern.pattern))
