"""Our feeds as readers read them, and the state that programs poll."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.domain import Alert, AlertState, ServiceState
from detector.notify.feed import Standing, atom, confidence, etag, json_feed, rss, status_json, unchanged
from detector.notify.render import Wording
from tests.notify.builders import make_alert, make_evidence, minute
from tests.notify.hostile import examples, texts
from tests.notify.test_render import check_golden

PAGE = Wording(page="https://detector.example.org")


def alerts() -> list[Alert]:
    over = make_alert(
        key="zoom-1", service="zoom", state=AlertState.RESOLVED, ended_at=minute(62), updated_at=minute(62)
    )
    return [make_alert(), replace(over, watch_at=minute(30))]


@pytest.mark.parametrize(("name", "render"), [("rss.xml", rss), ("atom.xml", atom), ("feed.json", json_feed)])
def test_the_feeds_are_as_reviewed(name: str, render: object) -> None:
    """Golden."""
    check_golden(f"feed.{name}", render(alerts(), PAGE).decode())  # type: ignore[operator]


@pytest.mark.parametrize("render", [rss, atom])
def test_a_feed_reader_finds_every_alert_newest_first(render: object) -> None:
    """By the parser that our own collectors use."""
    found = feedparser.parse(io.BytesIO(render(alerts(), PAGE)))  # type: ignore[operator]

    assert not found.bozo
    assert [entry.title for entry in found.entries] == [
        "✅ Zoom: over after 1 h",
        "🟠 Claude: people say login does not work, error 529",
    ]
    assert [entry.link for entry in found.entries] == [
        "https://detector.example.org/a/zoom-1",
        "https://detector.example.org/a/claude-20260302T1204",
    ]
    assert len({entry.id for entry in found.entries}) == 2


@pytest.mark.parametrize("render", [rss, atom])
def test_a_feed_of_one_service_holds_no_other(render: object) -> None:
    """And one of nothing is still a feed."""
    found = feedparser.parse(io.BytesIO(render(alerts(), PAGE, service="zoom")))  # type: ignore[operator]
    nothing = feedparser.parse(io.BytesIO(render([], service="slack")))  # type: ignore[operator]

    assert [entry.title[:6] for entry in found.entries] == ["✅ Zoom"]
    assert (nothing.bozo, nothing.entries) == (False, [])


def test_the_json_feed_follows_its_version() -> None:
    """1.1, with ids and dates."""
    feed = json.loads(json_feed(alerts(), PAGE, feed_url="https://detector.example.org/feed.json"))

    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == "https://detector.example.org/feed.json"
    assert [item["id"] for item in feed["items"]] == ["zoom-1", "claude-20260302T1204"]


def test_a_gateway_reads_the_state_of_each_service() -> None:
    """Every state by its name; what is not heard is unknown."""
    standings = [
        Standing(service="claude", state=ServiceState.OUTAGE, alert=make_alert()),
        Standing(service="zoom", state=ServiceState.OK),
        Standing(service="aws", state=ServiceState.UNKNOWN),
        Standing(service="slack", state=ServiceState.LEARNING),
    ]

    found = json.loads(status_json(standings))

    assert {slug: each["state"] for slug, each in found["services"].items()} == {
        "aws": "unknown",
        "claude": "outage",
        "slack": "learning",
        "zoom": "ok",
    }
    assert found["services"]["claude"] == {
        "state": "outage",
        "name": "Claude",
        "since": "2026-03-02T12:02:00.000Z",
        "confidence": 0.9977,
        "evidence": 7,
        "alert": "claude-20260302T1204",
        "cause": None,
        "symptom": "login does not work, error 529",
    }
    assert found["services"]["zoom"]["since"] is None


def test_the_tag_changes_with_a_state_and_with_nothing_else() -> None:
    """The order in which services are listed is no state."""
    calm = [Standing(service=slug, state=ServiceState.OK) for slug in ("zoom", "aws")]
    tag = etag(status_json(calm))

    assert etag(status_json(reversed(calm))) == tag
    assert etag(status_json([calm[0], replace(calm[1], state=ServiceState.UNKNOWN)])) != tag
    assert unchanged(f"W/{tag}", tag)


@pytest.mark.parametrize("months", [0.0, -1.0, float("nan"), 1e-9, 0.1, 14.0, float("inf")])
def test_confidence_is_a_probability(months: float) -> None:
    """Whatever the figures."""
    alert = make_alert(estimate=replace(make_alert().estimate, return_period_months=months))

    assert 0 <= confidence(alert) <= 1


@settings(max_examples=examples(100), deadline=None)
@given(text=texts, name=st.one_of(texts, st.characters()))
def test_hostile_text_is_inert_in_every_feed(text: str, name: str) -> None:
    """Well-formed, with as many entries as alerts and no element but ours."""
    alert = make_alert(evidence=(make_evidence("1", text, url=text),))
    wording = Wording(names={"claude": name}, page="https://detector.example.org")

    for render in (rss, atom):
        root = ET.fromstring(render([alert], wording))  # noqa: S314 - our own bytes
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {
            *("rss", "channel", "title", "link", "description", "lastBuildDate", "item", "pubDate", "guid"),
            *("category", "feed", "id", "updated", "author", "name", "entry", "published", "content"),
        }
    assert len(json.loads(json_feed([alert], wording))["items"]) == 1
