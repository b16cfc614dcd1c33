"""What a person reads: golden files for each kind of message, and the words that carry the argument."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from detector.domain import Notification, Official, PageState, Reason
from detector.notify.blocks import slack_payload
from detector.notify.render import Wording, message, plain_text
from detector.notify.words import return_period_words
from tests.notify.builders import make_alert, make_evidence, make_incident, make_notification, minute, story

GOLDEN = Path(__file__).parent.parent / "golden" / "notify"


def check_golden(name: str, shown: str) -> None:
    """Compare with the file; `UPDATE_GOLDEN=1 pytest tests/notify` writes it anew, for review in the diff."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == shown


@pytest.mark.parametrize("name", sorted(story()))
def test_the_text_of_each_kind_of_message_is_as_reviewed(name: str) -> None:
    """Golden: plain text."""
    check_golden(f"{name}.txt", plain_text(story()[name]) + "\n")


@pytest.mark.parametrize("name", sorted(story()))
def test_the_slack_blocks_of_each_kind_of_message_are_as_reviewed(name: str) -> None:
    """Golden: Block Kit."""
    payload = slack_payload(story()[name], Wording(page="https://detector.example.org"))

    check_golden(f"{name}.slack.json", json.dumps(payload, ensure_ascii=False, indent=2) + "\n")


@pytest.mark.parametrize("name", sorted(story()))
def test_the_title_and_argument_fit_a_locked_phone(name: str) -> None:
    """A title under 60 characters, an argument under 150."""
    told = message(story()[name])

    assert len(told.title) <= 60
    assert len(told.lead) <= 150


def test_the_lead_over_the_official_page_is_said_when_the_provider_confirms() -> None:
    """We spoke at 12:05, they at 12:39."""
    assert "We were 34 min ahead" in plain_text(story()["acknowledged"])
    assert "15 min ahead of us" in plain_text(story()["acknowledged-first"])


def test_a_provider_who_speaks_with_us_is_neither_ahead_nor_behind() -> None:
    """Within a minute it is a draw."""
    shown = Official(state=PageState.OUTAGE, checked_at=minute(5), incident=make_incident(posted=5.5))

    told = message(make_notification(Reason.ACKNOWLEDGED, make_alert(official=shown)))

    assert "same minute" in told.lead


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_message(reason: Reason) -> None:
    """Also those that are never sent: nothing may fail at the last step."""
    told = message(make_notification(reason))

    assert told.title
    assert told.lead


def test_an_unreadable_page_is_unknown_and_never_operational() -> None:
    """Silence of the page is not its word."""
    text = plain_text(story()["opened-unreachable"])

    assert "Official page: unknown: page unreachable" in text
    assert "operational" not in text


def test_a_try_whose_end_nobody_saw_is_marked_as_a_repeat() -> None:
    """A crash between the send and the mark leaves one attempt and no error."""
    assert "Repeat" in plain_text(make_notification(attempts=1))
    assert "Repeat" not in plain_text(make_notification(attempts=1, failed="receiver ops: cannot reach Slack"))
    assert "Repeat" not in plain_text(make_notification())


def test_times_are_shown_in_the_zone_of_the_reader() -> None:
    """12:02 UTC is 7:02 in New York in early March."""
    wording = Wording(zone=ZoneInfo("America/New_York"), zone_name="New York")

    assert "about 07:02 New York" in plain_text(make_notification(), wording)


def test_a_time_of_another_day_carries_its_date() -> None:
    """A repeat two days later must not read as this morning."""
    late = make_notification(Reason.REPEATED, make_alert(updated_at=minute(3 * 24 * 60)))

    assert "about 2 Mar 12:02" in plain_text(late)


def test_no_more_than_two_voices_are_quoted_and_none_twice() -> None:
    """The same words by two people are one quote."""
    evidence = tuple(make_evidence(str(number), f"claude is down {number // 2}") for number in range(10))

    told = message(make_notification(alert=make_alert(evidence=evidence)))

    assert [quote.text for quote in told.quotes] == ["claude is down 0", "claude is down 1"]


def test_a_forgotten_quote_is_left_out() -> None:
    """Its text is empty by then."""
    told = message(make_notification(alert=make_alert(evidence=(make_evidence("1", ""), make_evidence("2", "down")))))

    assert [quote.text for quote in told.quotes] == ["down"]


@pytest.mark.parametrize(
    "months", [0.0, 1e-9, 0.0013, 0.02, 0.5, 0.98, 1.6, 11.9, 23.6, 24.1, 900.0, 1e6, float("inf")]
)
def test_a_rarer_cluster_never_reads_as_commoner(months: float) -> None:
    """Every size has words, and they end as a phrase."""
    words = return_period_words(months)

    assert words.startswith("by chance")
    assert "once in 1 " not in words
    assert "0 " not in words.replace("1,000", "").replace("10 ", "").replace("900", "")


def test_figures_that_are_not_finite_still_read() -> None:
    """An expectation of nothing makes an infinite ratio and return period."""
    estimate = replace(make_alert().estimate, return_period_months=float("inf"), expected=0.0, ratio=float("inf"))

    text = plain_text(make_notification(alert=make_alert(estimate=estimate)))

    assert "inf" not in text
    assert "less than once in 1,000 years" in text


def test_rendering_reads_no_clock() -> None:
    """The same value gives the same bytes however often."""
    owed: Notification = make_notification(created_at=minute(5) + timedelta(days=1))

    assert plain_text(owed) == plain_text(owed)
    assert slack_payload(owed) == slack_payload(owed)
