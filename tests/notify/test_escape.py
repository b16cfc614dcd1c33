"""Nothing a stranger writes becomes markup, a mention, a control sequence or a link."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.domain import Official, PageState
from detector.notify.blocks import slack_payload
from detector.notify.escape import plain, quotation, safe_link
from detector.notify.render import Wording, plain_text
from tests.notify.builders import make_alert, make_evidence, make_incident, make_notification
from tests.notify.hostile import examples, texts, urls

# What Slack may read as markup: only the links that we build ourselves.
OUR_LINK = re.compile(r"<https?://[^<>|\s\"]+\|[^<>|]*>")


def text_objects(payload: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for block in payload["blocks"]:
        found += [block["text"]] if "text" in block else block["elements"]
    return found


@settings(max_examples=examples(300), deadline=None)
@given(text=texts, url=urls, title=texts)
def test_hostile_text_is_inert_in_slack(text: str, url: str | None, title: str) -> None:
    """No raw bracket but our own links, every ampersand an entity, all within Slack's limits."""
    evidence = (make_evidence("", text, url=url),)
    incident = make_incident(status=title[:50])
    official = Official(state=PageState.OUTAGE, checked_at=None, description=title, incident=incident)
    owed = make_notification(alert=make_alert(evidence=evidence, official=official, cause=title[:30]))

    payload = slack_payload(owed, Wording(names={"claude": title}))

    json.dumps(payload).encode()
    for shown in [*text_objects(payload), {"type": "mrkdwn", "text": payload["text"]}]:
        words = shown["text"]
        words.encode()
        assert 1 <= len(words) <= 3000
        if shown["type"] == "mrkdwn":
            words = OUR_LINK.sub("", words)
            assert not re.search(r"[*_~]", words)
        assert "<" not in words
        assert ">" not in words
        assert not re.sub(r"&(?:amp|lt|gt);", "", words).count("&")
        assert not any(
            unicodedata.category(letter) in {"Cc", "Cf", "Cs"} and letter not in "\n\u200d" for letter in words
        )
        assert not re.search(r"@(?:channel|here|everyone)", words)
    assert len(payload["blocks"][0]["text"]["text"]) <= 150


@settings(max_examples=examples(200), deadline=None)
@given(text=texts, url=urls)
def test_hostile_text_is_inert_in_a_terminal(text: str, url: str | None) -> None:
    """No control or reordering character, no new line, no name: as many lines as with an honest text."""
    owed = make_notification(alert=make_alert(evidence=(make_evidence("", text, url=url), make_evidence("2", "down"))))

    lines = plain_text(owed).split("\n")

    assert all(
        letter == "\u200d" or unicodedata.category(letter) not in {"Cc", "Cf", "Cs"}
        for line in lines
        for letter in line
    )
    assert len(lines) in {8, 9}


@settings(max_examples=examples(200), deadline=None)
@given(text=st.text(max_size=300), limit=st.integers(5, 100))
def test_a_quotation_is_one_line_within_its_limit(text: str, limit: int) -> None:
    """Cut after masking, so that masking cannot make it longer again."""
    shown = quotation(text, limit=limit)

    assert len(shown) <= limit
    assert "\n" not in shown
    assert plain(shown, limit=limit) == shown


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.org/",
        "//example.org",
        "https://",
        "https:///x",
        "https://a b/",
        "https://user:pw@example.org/",
        "https://example.org\\@evil.example/",
        "https://exa\nmple.org",
        "https://example.org:99999/",
        "https://[::1",
        "x" * 9,
        "https://ex\u0430mple.org/",
        "https://example.org/" + "a" * 600,
        "",
    ],
)
def test_an_odd_address_is_not_offered_as_a_link(url: str) -> None:
    """Only plain http(s) with an ordinary host."""
    assert safe_link(url) is None


def test_people_are_not_named() -> None:
    """Account names of several networks, mail addresses, and addresses that hold names."""
    text = "@sam.smith.bsky.social and @sam@mastodon.example and /u/sam_1 and U/Sam: write sam.x@example.org https://x.example/@sam"

    shown = quotation(text, limit=200)

    assert "sam" not in shown.lower()
