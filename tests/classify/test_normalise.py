"""What the classifier sees of a post."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.classify import normalise as module
from detector.classify.features import extract, spell
from detector.classify.normalise import LIMIT_BYTES, SERVICE, clean, normalise


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        pytest.param("Slack IS Down", "xsvcx is down", id="case and name"),
        pytest.param("S\u200black is d\u200down", "xsvcx is down", id="zero width"),
        pytest.param("\u202eSlack is down\u202c", "xsvcx is down", id="bidi"),
        pytest.param("Ｓｌａｃｋ is ｄｏｗｎ", "xsvcx is down", id="full width"),
        pytest.param("<p>Slack is<br>down</p>", "xsvcx is down", id="html"),
        pytest.param("Slack isn&#x27;t up", "xsvcx isn't up", id="entities"),
        pytest.param("Slack isn’t up", "xsvcx isn't up", id="curly quote"),
        pytest.param("Slack down https://x.example/a?b", "xsvcx down xurlx", id="link"),
        pytest.param("@bob Slack down", "xuserx xsvcx down", id="account"),
        pytest.param("#slackdown", "xsvcx down", id="hashtag"),
        pytest.param("error 503 on 12 of 2048", "error 503 on 00 of xyearx", id="numbers"),
        pytest.param("Slack stock down 6%", "xsvcx stock down 0 xpercentx", id="percent"),
        pytest.param("slacking is fine", "slacking is fine", id="only whole names"),
    ],
)
def test_a_text_is_brought_into_one_form(written: str, seen: str) -> None:
    """The same words, however they are dressed."""
    assert normalise(written, "Slack") == seen


_DAYS = re.compile(
    module._DAY_OF_MONTH.pattern
    + r"|(?<!\d)20\d\d-[01]\d-[0-3]\d(?!\d)|(?<!\d)[0-3]?\d[/.][01]?\d[/.](?:20)?\d\d(?!\d)"
)
_CLOCKS = re.compile(r"(?<!\d)\d{1,2}[:.]\d\d(?: ?[ap]m)?(?!\d)|(?<!\d)\d{1,2} ?[ap]m\b")
_PIECES = (
    "may",
    "sept",
    "dec. ",
    "2020",
    "-01",
    "-31",
    "1",
    "12",
    "3/4",
    "/",
    ".",
    ":",
    ":30",
    " ",
    "am",
    " pm",
    "th",
    "٣",
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_dates_and_hours_are_found_as_plainly_written(text: str) -> None:
    """The patterns that are quick to look for find what the plain ones find."""
    once = module._DAY_OF_MONTH.sub("D", text) if module._MAYBE_DAY.search(text) else text

    assert module._DATE.sub("D", once) == _DAYS.sub("D", text)
    assert module._CLOCK.sub("C", text) == _CLOCKS.sub("C", text)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(("slack", "slack hq", "hq", "down", "isdown", "x", " ", "-", "_", "ü")), max_size=9))
def test_a_name_is_masked_the_same_without_a_mark_in_the_text(pieces: list[str]) -> None:
    """The two patterns agree where both can be used."""
    text = "".join(pieces)
    forms = ("slack hq", "slack", "hq")

    assert module._naming(forms, False).sub("N", text) == module._naming(forms, True).sub("N", text)


def test_a_slug_masks_its_spoken_form() -> None:
    """`google-cloud` is written "Google Cloud"."""
    assert normalise("Google Cloud is down", "GCP", "google-cloud") == f"{SERVICE} is down"


def test_a_megabyte_costs_what_four_kilobytes_cost() -> None:
    """Long text is cut, also where normalisation makes it longer."""
    assert len(clean("x" * 1_000_000)) <= LIMIT_BYTES
    assert len(clean("ﷺ" * 500_000).encode()) <= LIMIT_BYTES


def test_features_do_not_depend_on_the_neighbours() -> None:
    """A text has the same features alone and among others."""
    texts = [spell(text) for text in ("is it down?", "", "a", "ünïcode ✨ words", "it is down again " * 50, "?!")]
    together = extract(texts, bits=16)

    for row, text in enumerate(texts):
        alone = extract([text], bits=16)

        assert alone.columns.tolist() == together.columns[together.rows == row].tolist()
        assert alone.word_keys.tolist() == together.word_keys[together.word_rows == row].tolist()


def test_wide_and_narrow_sorting_agree() -> None:
    """A call of so many texts that 32 bits do not hold text and feature gives each the same features."""
    one = extract([spell("is it down?")], bits=24)
    many = extract([spell("is it down?")] * 300, bits=24)

    assert many.columns.tolist() == one.columns.tolist() * 300
    assert many.rows.tolist() == [row for row in range(300) for _ in one.columns]


@pytest.mark.parametrize("texts", [[], [b""], [b"", b""]])
def test_no_text_gives_no_features(texts: list[bytes]) -> None:
    """An empty call is answered, and so is an empty text."""
    found = extract(texts, bits=16)

    assert len(found.columns) == len(found.word_keys) == 0
