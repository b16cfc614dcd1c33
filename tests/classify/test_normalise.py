"""What the classifier sees of a post."""

from __future__ import annotations

import pytest

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


def test_no_text_gives_no_features() -> None:
    """An empty call is answered."""
    assert len(extract([], bits=16).columns) == 0
