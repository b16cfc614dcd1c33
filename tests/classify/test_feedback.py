"""What a word on an alert teaches about its quotes."""

from __future__ import annotations

import pytest

from detector.classify.feedback import add_feedback, feedback_rows
from detector.classify.labels import Labelled, LabelSet
from detector.domain import EPOCH, Alert, AlertState, Estimate, Evidence, Level


def quote(name: str, label: str = "complaint", text: str = "Slack is down for me") -> Evidence:
    return Evidence(source="hn", id=name, url=None, text=text, p=0.8, at=EPOCH, label=label)


def alert(key: str, *quotes: Evidence) -> Alert:
    estimate = Estimate(
        service="slack", at=EPOCH, onset=EPOCH, people=5, expected=1, return_period_months=9, ratio=5, score=5,
        window_minutes=5,
    )  # fmt: skip
    return Alert(
        key=key, service="slack", level=Level.ALERT, state=AlertState.FIRING, onset_at=EPOCH, watch_at=EPOCH,
        fired_at=EPOCH, updated_at=EPOCH, ended_at=None, estimate=estimate, evidence=quotes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("label", "real", "taught"),
    [
        ("complaint", True, "complaint"),
        ("report", True, "report"),
        ("complaint", False, "solo"),
        ("report", False, "other"),
        ("past", True, None),
        ("solo", False, None),
        ("other", True, None),
    ],
)
def test_each_label_under_each_word(label: str, real: bool, taught: str | None) -> None:
    """A word says nothing of a quote that was no argument."""
    rows = feedback_rows([alert("a", quote("1", label))], {"a": real})

    assert [row.label for row in rows.posts] == ([taught] if taught else [])
    assert rows.left_out == (() if taught else (("was no argument for the alert", 1),))


def test_rows_are_trained_on_and_never_measured() -> None:
    """They count as our own posts, which every measure leaves out, and say where they come from."""
    (row,) = feedback_rows([alert("a", quote("1"))], {"a": True}).posts

    assert row.kind == "own"
    assert (row.source, row.service, row.where) == ("hn", "slack", "a")


def test_alerts_without_a_word_and_quotes_without_a_text_give_nothing() -> None:
    """The latter are counted."""
    rows = feedback_rows([alert("a", quote("1")), alert("b", quote("2", text=" "))], {"b": True})

    assert rows.posts == ()
    assert rows.left_out == (("text no longer kept", 1),)


def test_a_quote_in_a_true_and_a_false_alert_teaches_nothing() -> None:
    """In one order or the other; twice in true ones it is taken once."""
    both = [alert("a", quote("1"), quote("2")), alert("b", quote("1"))]

    for words in ({"a": True, "b": False}, {"a": False, "b": True}):
        rows = feedback_rows(both, words)
        assert [row.id for row in rows.posts] == ["own-feedback-2"]
        assert rows.left_out == (("in a true and in a false alert", 1),)
    assert len(feedback_rows(both, {"a": True, "b": True}).posts) == 2


def test_a_label_given_to_the_post_itself_wins() -> None:
    """The quote is not added a second time."""
    labelled = LabelSet(posts=[Labelled(source="hn", id="1", text="t", label="past")])

    added = add_feedback(labelled, feedback_rows([alert("a", quote("1"), quote("2"))], {"a": True}))

    assert added == 1
    assert [(post.id, post.label) for post in labelled.posts] == [("1", "past"), ("own-feedback-2", "complaint")]
