"""What strangers write is text in every channel: no markup, no mention, no link, no header, no control character."""

from __future__ import annotations

import email
import email.policy
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.domain import Notification, Official, PageState, Reason
from detector.notify.blocks import slack_payload
from detector.notify.discord import discord_payload
from detector.notify.document import document
from detector.notify.mail import mail_of
from detector.notify.opsgenie import opsgenie_requests
from detector.notify.pagerduty import pagerduty_events
from detector.notify.render import Wording, message, plain_text, standing
from detector.notify.teams import teams_payload
from tests.notify.builders import make_alert, make_evidence, make_incident, make_notification
from tests.notify.hostile import examples, texts, urls

REASONS = st.sampled_from([Reason.OPENED, Reason.ACKNOWLEDGED, Reason.RESOLVED, Reason.UNDELIVERED, Reason.DIGEST])
WORDING = Wording(components={"claude": {"login": ["log in"]}}, page="https://detector.example.org")


@st.composite
def messages(draw: st.DrawFn) -> tuple[Notification, Wording]:
    """A message in which every text from outside is hostile, alone or with another."""
    text, title = draw(texts), draw(texts)
    incident = replace(make_incident(status=title[:50]), title=title, url=draw(urls))
    official = Official(state=PageState.OUTAGE, checked_at=None, description=title, incident=incident)
    alert = make_alert(
        evidence=(make_evidence("", text, url=draw(urls)), make_evidence("2", f"claude is down {text}")),
        official=official,
        estimate=replace(make_alert().estimate, sources=((draw(texts)[:50], 3.0),)),
    )
    owed = make_notification(draw(REASONS), alert)
    if draw(st.booleans()):
        owed = replace(owed, others=(make_notification(draw(REASONS), replace(alert, key="k", service="zoom")),))
    return owed, replace(WORDING, names={"claude": draw(texts), "zoom": draw(texts)})


def leaves(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)


def check_visible(text: str) -> None:
    """No control, reordering or broken character but the end of a line and the joiner of emoji."""
    text.encode()
    odd = [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"} and c not in "\n\u200d"]
    assert odd == []


@settings(max_examples=examples(120), deadline=None)
@given(messages())
def test_hostile_text_is_inert_in_discord(owed: tuple[Notification, Wording]) -> None:
    """Each character of markdown is escaped, mentions are off, links are ours, the limits hold."""
    for told in (message(*owed), standing(*owed)):
        payload = discord_payload(told)
        (embed,) = payload["embeds"]

        assert payload["allowed_mentions"] == {"parse": []}
        assert "content" not in payload
        assert len(embed["title"]) <= 256
        assert len(embed["description"]) <= 4096
        assert all(len(field["name"]) <= 256 and len(field["value"]) <= 1024 for field in embed["fields"])
        assert sum(len(text) for text in leaves(embed)) <= 12_000
        for text in leaves([embed["title"], embed["description"], embed["fields"]]):
            check_visible(text)
            bare = re.sub(r" \[link\]\(<https?://[^\s<>()]+(?:\([^\s<>]*)?>\)", "", text)
            bare = re.sub(r"\\[\\*_~`|>#\[\]()<@:\-]", "", bare)
            assert not re.search(r"[*_~`|<>\[\]@#]|://", bare), bare


@settings(max_examples=examples(120), deadline=None)
@given(messages())
def test_hostile_text_is_inert_in_teams(owed: tuple[Notification, Wording]) -> None:
    """Every text is a run, which knows no markdown; links go where ours or a plain address goes; it is not too big."""
    payload = teams_payload(message(*owed))
    card = payload["attachments"][0]["content"]

    assert len(json.dumps(payload, ensure_ascii=False).encode()) < 28_000
    assert {line["type"] for line in card["body"]} == {"RichTextBlock"}
    for line in card["body"]:
        for run in line["inlines"]:
            assert run["type"] == "TextRun"
            check_visible(run["text"])
            link = run.get("selectAction", {}).get("url", "https://")
            assert re.match(r"https?://", link)
    assert "entities" not in json.dumps(payload.get("msteams", {}))


@settings(max_examples=examples(120), deadline=None)
@given(messages())
def test_hostile_text_is_inert_in_a_mail(owed: tuple[Notification, Wording]) -> None:
    """The headers are ours and one line each; the body is one text that says what the message says."""
    raw = mail_of(*owed, sender="a@example.org", to=("b@example.org",)).as_bytes()

    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert set(mail.keys()) <= {
        *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Importance"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    assert mail["To"] == "b@example.org"
    assert len(mail["Subject"]) <= 200
    assert not mail.is_multipart()
    check_visible(mail["Subject"])
    for line in mail.get_content().splitlines():
        check_visible(line)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@settings(max_examples=examples(120), deadline=None)
@given(messages())
def test_hostile_text_is_inert_for_machines(owed: tuple[Notification, Wording]) -> None:
    """JSON that says what it should: the same keys whatever the text, figures finite, links plain, limits kept."""
    honest = document(make_notification(), WORDING)
    found = json.loads(json.dumps(document(*owed), allow_nan=False))

    assert found.keys() == honest.keys()
    assert found["alert"].keys() == honest["alert"].keys()
    for text in leaves(found):
        check_visible(text)
    for quote in found["alert"]["quotes"]:
        assert len(quote["text"]) <= 140
        assert quote["link"] is None or re.match(r"https?://[A-Za-z0-9.\-]+", quote["link"])
    for event in pagerduty_events(*owed):
        assert event["event_action"] in {"trigger", "resolve"}
        assert len(event["dedup_key"]) <= 255
        assert len(event.get("payload", {}).get("summary", "")) <= 1024
        assert len(json.dumps(event)) < 500_000
    for path, body in opsgenie_requests(*owed):
        assert re.fullmatch(r"/v2/alerts(?:/[A-Za-z0-9.%_~\-]+/(?:close|notes)\?identifierType=alias)?", path)
        assert len(body.get("message", "")) <= 130
        assert len(body.get("description", "")) <= 15_000
        for text in leaves(body):
            check_visible(text)


@settings(max_examples=examples(120), deadline=None)
@given(messages())
def test_hostile_text_is_inert_in_slack_also_in_edits_and_groups(owed: tuple[Notification, Wording]) -> None:
    """No bracket but our links', no bare ampersand, nobody called, limits kept."""
    payload = slack_payload(*owed)

    assert len(payload["blocks"]) <= 50
    for text in leaves(payload):
        assert len(text) <= 3000
        bare = re.sub(r"<https?://[^<>|\s\"]+\|[^<>|]*>", "", text)
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)|@(?:channel|here|everyone)", bare)
        check_visible(text)


@settings(max_examples=examples(120), deadline=None)
@given(messages())
def test_hostile_text_is_inert_as_plain_text(owed: tuple[Notification, Wording]) -> None:
    """Every line begins with words of ours: nothing a stranger wrote starts one."""
    lines = plain_text(*owed).split("\n")

    for line in lines:
        check_visible(line)
    assert lines[-1].startswith("Why: detector ")


@pytest.mark.parametrize("text", ["x" * 10_000, "<!channel> " * 1000, "\u202e" * 5000, "a\u0301" * 4000, "\r\n" * 3000])
def test_ten_thousand_characters_are_a_short_quote(text: str) -> None:
    """In every channel."""
    owed = make_notification(alert=make_alert(evidence=(make_evidence("1", text), make_evidence("2", "down"))))

    assert len(plain_text(owed)) < 2000
    assert len(json.dumps(slack_payload(owed))) < 6000
    assert len(json.dumps(discord_payload(message(owed)))) < 6000
    assert len(json.dumps(teams_payload(message(owed)))) < 8000
