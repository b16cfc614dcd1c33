"""Folding: one spelling for many, and the way back to the text as written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.match import fold, squeeze


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("GitHub", "github"),
        ("Сlаude", "claude"),
        ("A\u200bW\u200dS", "aws"),
        ("\u202eSlack\u202c", "slack"),
        ("Ｓｌａｃｋ", "slack"),
        ("Pokémon", "pokemon"),
        ("Claude’s", "claude's"),
        ("AT＆T", "at&t"),
        ("İstanbul", "istanbul"),
        ("T–Mobile", "t-mobile"),
        ("ΑΖURΕ", "azure"),
    ],
)
def test_lookalikes_fold_to_one_spelling(text: str, plain: str) -> None:
    """Case, width, accents, controls and lookalike letters do not matter."""
    assert fold(text).plain == plain


@given(st.text())
def test_every_part_of_the_folded_text_is_found_in_the_text_as_written(text: str) -> None:
    """What `written` returns folds to the part asked for, or to more where one character folds to several."""
    folded = fold(text)
    for start in range(len(folded.plain)):
        written = folded.written(start, start + 1)

        assert written in text
        assert folded.plain[start] in fold(written).plain


@given(st.text(), st.text())
def test_folding_goes_character_by_character(left: str, right: str) -> None:
    """A text and its continuation fold to the concatenation, so offsets survive."""
    assert fold(left + right).plain == fold(left).plain + fold(right).plain


@given(st.text())
def test_the_scanned_text_is_as_long_as_the_folded_one(text: str) -> None:
    """One space before, one behind."""
    folded = fold(text)

    assert len(folded.scan) == len(folded.plain) + 2


def test_a_key_keeps_letters_and_digits_only() -> None:
    """So that @Cash_App and Cash App are one hint."""
    assert squeeze("@Cash_App") == squeeze("Cash App") == "cashapp"
