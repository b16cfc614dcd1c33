"""Several alerts in one message: every one is named, the cause first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.domain import AlertState, Reason
from detector.notify.blocks import slack_payload
from detector.notify.render import Wording, message, plain_text, standing
from tests.notify.builders import make_alert, make_evidence, make_notification, minute, more_story, storm, story
from tests.notify.test_render import check_golden

PARTS = {"claude": {"login": ["login", "log in", "sign in"], "api": ["api"]}}


@pytest.mark.parametrize("name", sorted(more_story()))
def test_the_text_of_messages_about_several_alerts_is_as_reviewed(name: str) -> None:
    """Golden: plain text."""
    check_golden(f"{name}.txt", plain_text(more_story()[name]) + "\n")


@pytest.mark.parametrize("name", sorted(more_story()))
def test_their_titles_fit_a_phone(name: str) -> None:
    """Sixty characters."""
    assert len(message(more_story()[name]).title) <= 60


def test_fifty_services_are_all_named_the_cause_first() -> None:
    """None is cut off, and Slack's limits hold."""
    told = plain_text(storm(50))

    assert all(f"Service {number:02}" in told for number in range(1, 50))
    assert told.index("Aws") < told.index("Service 01")
    payload = slack_payload(storm(50))
    assert all(len(block["text"]["text"]) <= 3000 for block in payload["blocks"] if "text" in block)
    assert "Likely shared cause: Aws" in told


def test_an_end_among_beginnings_is_said() -> None:
    """Two fail, one is over."""
    over = make_alert(key="z", service="zoom", state=AlertState.RESOLVED, ended_at=minute(30), updated_at=minute(30))
    owed = replace(
        make_notification(),
        others=(
            make_notification(alert=make_alert(key="n", service="notion")),
            make_notification(Reason.RESOLVED, over),
        ),
    )

    text = plain_text(owed)

    assert "2 services failing, Claude first" in text
    assert "1 more is over already" in text
    assert "Zoom: over, 12:02 to 12:30 UTC" in text


def test_the_component_is_named_where_the_posts_agree() -> None:
    """Three of four speak of the login."""
    wording = Wording(components=PARTS)

    assert "Component: login (3 of 4 posts)" in plain_text(make_notification(), wording)
    assert "Component: login (3 of 4 posts)" in plain_text(story()["resolved"], wording)
    assert "Component" not in plain_text(make_notification(alert=make_alert(evidence=())), wording)


def test_the_first_message_becomes_what_now_holds() -> None:
    """Where a channel can edit: the state with the latest news, at the end the closing summary."""
    named = {name: standing(story()[name]) for name in ("opened", "raised", "acknowledged", "resolved")}

    assert named["opened"] == message(story()["opened"])
    assert named["raised"].facts[0] == ("Latest", "12:20 worse, now major (login does not work, error 529).")
    assert named["raised"].mark == "🔴"
    assert named["acknowledged"].facts[0][1] == (
        "12:41 the provider confirms. We were 34 min ahead of the official page."
    )
    assert named["resolved"] == message(story()["resolved"])


def test_a_link_in_the_providers_words_is_none_in_ours() -> None:
    """Whoever writes on a status page does not choose what our readers open."""
    shown = story()["acknowledged"].alert
    official = shown.official
    assert official is not None
    assert official.incident is not None
    incident = replace(official.incident, title="Errors, see https://evil.example/login")
    alert = replace(shown, official=replace(official, incident=incident), evidence=(make_evidence("1", "down"),))

    for reason in (Reason.ACKNOWLEDGED, Reason.OPENED, Reason.RESOLVED):
        assert "evil.example" not in plain_text(make_notification(reason, alert))
