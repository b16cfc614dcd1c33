"""The event stream: what changed, once, in order, and nothing lost over a broken connection."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector.domain import Reason
from detector.store import open_reader
from detector.web import create_app
from tests.web.asking import page
from tests.web.conftest import Site, serving
from tests.web.town import ago, alert_on, town


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Site]:
    """A town of one's own, to change."""
    made = town(tmp_path / "detector.db")
    yield from serving(create_app(lambda: open_reader(made.path), around=made.around()), made)
    made.store.close()


@contextmanager
def stream(site: Site, *, last: str | None = None, query: str = "") -> Iterator[Iterator[dict[str, Any]]]:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    headers = {} if last is None else {"Last-Event-ID": last}
    connection.request("GET", f"/events{query}", headers=headers)
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")

    def events() -> Iterator[dict[str, Any]]:
        event: dict[str, Any] = {}
        for raw in answer:
            line = raw.decode().rstrip("\r\n")
            if line.startswith(":"):
                continue
            if not line and event:
                yield event
                event = {}
            elif line:
                name, _, value = line.partition(": ")
                event[name] = json.loads(value) if name == "data" else value

    yield events()
    answer.close()
    connection.close()


def number_of(text: str) -> str:
    return text.partition('data-since="')[2].partition('"')[0]


def fire(site: Site, service: str) -> None:
    site.town.store.record(now=ago(0), alerts=[(alert_on(service, fired=ago(1)), Reason.OPENED)])


def test_a_new_alert_is_told_within_two_seconds(fresh: Site) -> None:
    """Only the row that changed, with the sentence above the board."""
    with stream(fresh, query=f"?since={number_of(page(fresh.port, '/').text)}") as events:
        begun = time.monotonic()
        fire(fresh, "zoom")
        event = next(events)

    assert time.monotonic() - begun < 2
    assert event["event"] == "rows"
    assert [(row["slug"], row["state"]) for row in event["data"]["rows"]] == [("zoom", "outage")]
    assert event["data"]["headline"] == "Claude and Zoom are failing"
    assert event["data"]["counts"]["outage"] == 2


def test_a_lost_connection_goes_on_where_it_was(fresh: Site) -> None:
    """What happened in between is told once; what was known is not."""
    with stream(fresh, query=f"?since={number_of(page(fresh.port, '/').text)}") as events:
        fire(fresh, "zoom")
        first = next(events)
    fire(fresh, "slack")
    with stream(fresh, last=first["id"]) as events:
        second = next(events)

    assert [row["slug"] for row in second["data"]["rows"]] == ["slack"]
    assert second["id"] != first["id"]


@pytest.mark.parametrize("last", ["another-run-7", "", "x", "0-" + "9" * 40])
def test_an_unknown_number_is_given_everything(fresh: Site, last: str) -> None:
    """After a restart of the server the browser's number means nothing."""
    with stream(fresh, last=last) as events:
        event = next(events)

    assert len(event["data"]["rows"]) == 12


def test_one_service_can_be_followed(fresh: Site) -> None:
    """Its page hears of it alone."""
    with stream(fresh, query=f"?service=zoom&since={number_of(page(fresh.port, '/').text)}") as events:
        fire(fresh, "slack")
        fire(fresh, "zoom")
        rows: list[dict[str, Any]] = []
        while not rows:
            rows = next(events)["data"]["rows"]

    assert [row["slug"] for row in rows] == ["zoom"]


def test_a_quiet_row_is_not_told_again(fresh: Site) -> None:
    """A write that changes nothing on the board makes no event; the next one that does comes alone."""
    with stream(fresh, query=f"?since={number_of(page(fresh.port, '/').text)}") as events:
        fresh.town.store.record(now=ago(0))
        alert = replace(alert_on("zoom", fired=ago(1)), key="zoom-x")
        fresh.town.store.record(now=ago(0), alerts=[(alert, Reason.OPENED)])
        event = next(events)

    assert [row["slug"] for row in event["data"]["rows"]] == ["zoom"]


def test_streams_are_counted_and_given_back(fresh: Site) -> None:
    """A closed browser leaves nothing behind."""
    live = fresh.app.state.live
    with stream(fresh) as events:
        next(events)
        assert live.streams == 1

    deadline = time.monotonic() + 5
    while live.streams and time.monotonic() < deadline:
        page(fresh.port, "/")
        fire(fresh, "zoom")
    assert live.streams == 0
