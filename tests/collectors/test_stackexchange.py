"""The Stack Exchange collector against a loopback server with its wrapper, quota and backoff."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.stackexchange import StackExchange, build
from detector.errors import ConfigError, Permanent, Temporary
from detector.protocols import Harvest
from detector.testing import check_collector, check_collector_failure
from tests.collectors.test_feeds import run
from tests.loopback import Loopback, Reply, Request

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PATH = "/2.3/search"


class FakeSite:
    """Holds (id, Unix seconds); `extra` goes into the wrapper."""

    def __init__(self, *items: tuple[int, int], **extra: Any) -> None:
        self.items = list(items)
        self.extra: dict[str, Any] = {"quota_max": 300, "quota_remaining": 290, **extra}

    def __call__(self, request: Request) -> Reply:
        query = {name: values[0] for name, values in request.query.items()}
        assert (query["sort"], query["order"], query["filter"]) == ("creation", "desc", "withbody")
        number, size = int(query["page"]), int(query["pagesize"])
        wanted = sorted((item for item in self.items if item[1] >= int(query["fromdate"])), key=lambda item: -item[1])
        shown = wanted[(number - 1) * size : number * size]
        wrapper = {"items": [self.question(*item) for item in shown], "has_more": len(wanted) > number * size}
        body = gzip.compress(json.dumps({**wrapper, **self.extra}).encode())
        return Reply(body, headers={"content-encoding": "gzip"})

    def question(self, number: int, at: int) -> dict[str, Any]:
        return {
            "question_id": number,
            "creation_date": at,
            "title": "API gives 529 &amp; stops",
            "body": "<p>Since <b>ten</b> minutes</p>",
            "owner": {"account_id": 5, "user_id": 7, "display_name": "adalovelace"},
            "link": "https://stackoverflow.com/q/1/adalovelace",
        }


def made(context: CollectorContext, server: Loopback, **named: Any) -> StackExchange:
    (collector,) = build({"url": server.url, "tags": ["claude", "slack"], **named}, context)
    assert isinstance(collector, StackExchange)
    return collector


def poll(server: Loopback, cursor: str | None = None, *, now: datetime = NOW) -> Harvest:
    return run(lambda context: made(context, server).poll(cursor, now=now))


def at(seconds: float) -> int:
    return int(NOW.timestamp() + seconds)


def test_the_collector_conforms() -> None:
    """The conformance suite; any of the tags is asked for, HTML is gone."""
    with Loopback({PATH: FakeSite((1, at(-60)), (2, at(-30)))}) as server:
        harvest = run(
            lambda context: check_collector(lambda: made(context, server), now=NOW, names=("adalovelace",), at_least=2)
        )

    assert harvest.posts[0].text == "API gives 529 & stops\n\nSince ten minutes"
    assert harvest.posts[0].url == "https://stackoverflow.com/questions/2"
    assert server.requests[0].query["tagged"] == ["claude;slack"]


@pytest.mark.parametrize(
    "reply",
    [Reply("<html>"), Reply("{}"), Reply("", status=503), Reply("", status=404), Reply("x", status=400)],
    ids=["html", "no items", "503", "404", "400"],
)
def test_a_failing_server_raises_a_typed_error(reply: Reply) -> None:
    """Whatever comes instead of questions."""
    with Loopback({PATH: reply}) as server:
        run(lambda context: check_collector_failure(lambda: made(context, server), now=NOW), deadline=0.5)


def test_a_burst_is_paged_back() -> None:
    """350 questions in an hour, four pages."""
    site = FakeSite((1, at(-60)))
    with Loopback({PATH: site}) as server:
        first = poll(server)
        site.items += [(100 + number, at(number * 10)) for number in range(350)]
        second = poll(server, first.cursor, now=NOW + timedelta(hours=1))

    assert len(second.posts) == 350
    assert second.gaps == ()


def test_beyond_the_reach_there_is_a_gap() -> None:
    """600 questions, of which 500 are read."""
    site = FakeSite((1, at(-60)))
    with Loopback({PATH: site}) as server:
        first = poll(server)
        site.items += [(100 + number, at(number)) for number in range(600)]
        second = poll(server, first.cursor, now=NOW + timedelta(hours=1))

    (gap,) = second.gaps
    assert len(second.posts) == 500
    assert (gap.from_at.timestamp(), gap.to_at.timestamp()) == (at(-60), at(100))


def test_a_backoff_is_obeyed_by_all_sites() -> None:
    """The next poll comes later, and another site does not ask before."""

    async def go(context: CollectorContext) -> None:
        one, other = build({"url": server.url, "tags": ["a"], "sites": ["stackoverflow", "serverfault"]}, context)
        harvest = await one.poll(None, now=NOW)
        assert harvest.poll_after == pytest.approx(3000.0)
        with pytest.raises(Temporary) as caught:
            await other.poll(None, now=NOW + timedelta(seconds=10))
        assert caught.value.retry_after == pytest.approx(2990.0)

    with Loopback({PATH: FakeSite((1, at(-60)), backoff=3000)}) as server:
        run(go)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("error_id", "message", "kind", "words"),
    [
        (502, "too many requests from this IP, more requests available in 82216 seconds", Temporary, "quota"),
        (400, "site is required", Permanent, "site is required"),
    ],
)
def test_a_refusal_says_what_stack_exchange_says(
    error_id: int, message: str, kind: type[Exception], words: str
) -> None:
    """Throttling is waited out, a wrong setting is not."""
    body = json.dumps({"error_id": error_id, "error_name": "a_name", "error_message": message})
    with Loopback({PATH: Reply(body, status=400)}) as server, pytest.raises(kind, match=words) as caught:
        poll(server)

    if isinstance(caught.value, Temporary):
        assert caught.value.retry_after == 82216


def test_the_quota_paces_the_polls() -> None:
    """300 requests a day for two sites: one in more than ten minutes each."""

    async def go(context: CollectorContext) -> None:
        one, _ = build({"tags": ["a"], "sites": ["stackoverflow", "serverfault"], "interval": 60}, context)
        assert one.interval == pytest.approx(640.0)

    run(go)


def test_wrong_settings_are_all_told() -> None:
    """Three mistakes, three lines."""

    async def wrong(context: CollectorContext) -> None:
        build({"sites": "stackoverflow", "tags": ["a b"], "interval": 1}, context)

    with pytest.raises(ConfigError) as caught:
        run(wrong)

    assert len(caught.value.problems) == 3
