"""The floor: what plain rules make of plain posts."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.classify.keyword import RULES, build, hits, judge_text, settled, spoken_for
from detector.classify.labels import read_labels
from detector.classify.normalise import SERVICE, normalise
from detector.domain import LABELS, Probabilities
from detector.resources import data_path
from tests.classify.conftest import mention


@pytest.mark.parametrize(
    ("text", "label"),
    [
        pytest.param("Slack is down", "complaint", id="bare assertion"),
        pytest.param("Slack down?", "complaint", id="bare question"),
        pytest.param("Ask HN: Is Slack down?", "complaint", id="asked on HN"),
        pytest.param("Tell HN: Slack is down", "complaint", id="told on HN"),
        pytest.param("slack won't load, anyone else?", "complaint", id="symptom shared"),
        pytest.param("slack keeps giving me a bad gateway again", "complaint", id="server error"),
        pytest.param("Slack outage?", "complaint", id="outage asked"),
        pytest.param("Slack outage", "report", id="outage headline"),
        pytest.param("Widespread Slack outage hits millions", "report", id="news"),
        pytest.param("Slack was down", "past", id="past tense"),
        pytest.param("Slack outage post-mortem", "past", id="post-mortem"),
        pytest.param("The Slack outage of May 12, 2021", "past", id="dated"),
        pytest.param("Slack is not working on my iPad since the update", "solo", id="own device"),
        pytest.param("please refund my Slack subscription", "solo", id="billing"),
        pytest.param("Slack is a fine tool", "other", id="praise"),
        pytest.param("No outage here, Slack works for me", "other", id="denied"),
        pytest.param("power outage in the Slack office", "other", id="electricity"),
    ],
)
def test_a_plain_post_gets_its_label(text: str, label: str) -> None:
    """One case a rule."""
    (judged,) = build().judge([mention(text)])

    assert judged.p.label == label


def test_every_answer_is_a_distribution() -> None:
    """The five sum to one, whatever the text."""
    for text in ("", "?", "x" * 5000, "Slack is down", "🙃🙃", "наушники"):
        values = judge_text(text).as_tuple()

        assert sum(values) == pytest.approx(1.0)
        assert all(0 <= value <= 1 for value in values)
        assert len(values) == len(LABELS)


def test_rules_take_linear_time() -> None:
    """Text made to trip a backtracking pattern costs milliseconds."""
    nasty = ["is a " * 900, "not it " * 600, "xsvcx " * 680, "a" * 4096, "outage " * 580, ".-'&" * 1000, "was x " * 680]

    for text in nasty:
        for name, pattern in RULES:
            started = time.perf_counter()
            pattern.search(text[:4096])

            assert time.perf_counter() - started < 0.2, (name, text[:20])
        started = time.perf_counter()
        hits(text[:4096])
        assert time.perf_counter() - started < 0.5, text[:20]


def test_a_provider_never_complains() -> None:
    """A post by the provider itself keeps its report and loses its complaint."""
    (judged,) = build().judge([mention("Slack is down", official=True)])

    assert judged.p.complaint == 0
    assert sum(judged.p.as_tuple()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        pytest.param("Slack is not down", "other", id="denied"),
        pytest.param("having no problems with Slack at all", "other", id="no problems"),
        pytest.param("I don't think Slack is down", "other", id="doubted"),
        pytest.param("Slack will be down tonight", "past", id="announced"),
        pytest.param("Slack is not down but nothing loads", None, id="and yet"),
        pytest.param("Slack isn't just down, it is gone", None, id="not just"),
        pytest.param("is Slack not down?", None, id="asked"),
        pytest.param("Slack is not down. " + "The rest of this post is about something else. " * 4, None, id="long"),
    ],
)
def test_a_short_denial_or_announcement_is_settled(text: str, label: str | None) -> None:
    """What a bare denial says is taken at its word, and nothing else is."""
    unsure = Probabilities(0.6, 0.1, 0.1, 0.1, 0.1)
    told = spoken_for(mention(text), unsure)

    assert settled(text) == label
    if label is None:
        assert told == unsure
    else:
        assert told.label == label
        assert sum(told.as_tuple()) == pytest.approx(1)
        assert told.complaint == pytest.approx(0.03)
        assert told.report == unsure.report


def test_the_name_tells_the_rules() -> None:
    """`keyword@` and a hash."""
    assert build().name.startswith("keyword@")
    assert 0 < build().prior < 1


_WORDS = sorted({word for _, pattern in RULES for word in re.findall(r"[a-z']{2,}|\d+", pattern.pattern)})


@settings(max_examples=400, deadline=None)
@given(
    words=st.lists(st.sampled_from([*_WORDS, SERVICE, "xdayx", "xyearx", "xagedx", "503", "529", "?", "i", "it", "ü"])),
    between=st.sampled_from((" ", " ", " ", "", "-", ". ")),
)
def test_rules_that_are_skipped_would_have_found_nothing(words: list[str], between: str) -> None:
    """A rule is tried only where one of its words stands: that must never hide a hit."""
    text = between.join(words)
    assert hits(text) == [pattern.search(text) is not None for _, pattern in RULES]


@pytest.mark.parametrize("name", ["own.jsonl", "own_a.jsonl", "own_b.jsonl", "own_c.jsonl", "own_d.jsonl"])
def test_no_hit_is_hidden_on_whole_posts(name: str) -> None:
    """The same over the posts in our own words."""
    for post in read_labels([data_path("labels", name)]).posts:
        text = normalise(post.text)
        assert hits(text) == [pattern.search(text) is not None for _, pattern in RULES], text
