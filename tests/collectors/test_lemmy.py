"""The Lemmy collector against loopback servers that page as Lemmy does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.lemmy import Lemmy, build
from detector.domain import CoverageState
from detector.errors import ConfigError
from detector.protocols import Harvest
from detector.testing import check_collector, check_collector_failure
from tests.collectors.test_feeds import run
from tests.loopback import Loopback, Reply, Request

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class FakeLemmy:
    """Holds (number, seconds after NOW) and serves the newest first, 50 a page."""

    def __init__(self, *items: tuple[int, float], origin: str = "https://lemmy.example", marks: bool = False) -> None:
        self.items = list(items)
        self.origin = origin
        self.marks = marks

    def serve(self) -> Loopback:
        return Loopback({"/api/v3/post/list": self.answer, "/api/v3/comment/list": Reply('{"comments": []}')})

    def answer(self, request: Request) -> Reply:
        limit = int(request.query["limit"][0])
        page = int(request.query.get("page", request.query.get("page_cursor", ["P1"]))[0].lstrip("P"))
        ordered = sorted(self.items, key=lambda item: (-item[1], -item[0]))
        shown = ordered[(page - 1) * limit : page * limit]
        answer: dict[str, Any] = {"posts": [self.view(*item) for item in shown]}
        if self.marks and len(ordered) > page * limit:
            answer["next_page"] = f"P{page + 1}"
        return Reply(json.dumps(answer))

    def view(self, number: int, at: float) -> dict[str, Any]:
        when = (NOW + timedelta(seconds=at)).isoformat().replace("+00:00", "Z")
        person = {
            "actor_id": f"{self.origin}/u/adalovelace",
            "name": "adalovelace",
            "published": "2020-01-02T03:04:05Z",
        }
        words = {"ap_id": f"{self.origin}/post/{number}", "published": when, "name": f"number {number} fails"}
        return {"post": words, "creator": person, "community": {"name": "tech"}}


def collector(context: CollectorContext, *servers: Loopback) -> Lemmy:
    return Lemmy(context=context, servers={f"s{number}": each.url for number, each in enumerate(servers)})


def poll(*servers: Loopback, cursor: str | None = None, now: datetime = NOW) -> Harvest:
    return run(lambda context: collector(context, *servers).poll(cursor, now=now))


def test_the_collector_conforms() -> None:
    """The conformance suite; the age of the account comes along."""
    with FakeLemmy((1, -60), (2, -30)).serve() as server:
        harvest = run(
            lambda context: check_collector(
                lambda: collector(context, server), now=NOW, names=("adalovelace",), at_least=2
            )
        )

    assert {post.account_created_at for post in harvest.posts} == {datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)}
    assert {post.url for post in harvest.posts} == {"https://lemmy.example/post/1", "https://lemmy.example/post/2"}


@pytest.mark.parametrize(
    "reply",
    [Reply("<html>"), Reply("{}"), Reply("[]"), Reply("", status=500), Reply("", status=404), Reply(fault="reset")],
    ids=["html", "no list", "a list", "500", "404", "reset"],
)
def test_a_failing_server_raises_a_typed_error(reply: Reply) -> None:
    """Whatever comes instead of a list."""
    with Loopback({"/api/v3/post/list": reply, "/api/v3/comment/list": reply}) as server:
        run(lambda context: check_collector_failure(lambda: collector(context, server), now=NOW), deadline=0.5)


@pytest.mark.parametrize("marks", [False, True], ids=["page numbers", "page marks"])
def test_a_burst_is_paged_back(marks: bool) -> None:
    """700 posts in a minute come completely, each once."""
    lemmy = FakeLemmy((1, -60), marks=marks)
    with lemmy.serve() as server:
        first = poll(server)
        lemmy.items += [(1000 + number, number / 12) for number in range(700)]
        second = poll(server, cursor=first.cursor, now=NOW + timedelta(minutes=1))

    assert len(second.posts) == 700
    assert second.gaps == ()


def test_what_is_federated_comes_once() -> None:
    """Two servers show the same post."""
    with FakeLemmy((1, -60)).serve() as one, FakeLemmy((1, -60), (2, -50)).serve() as other:
        harvest = poll(one, other)

    assert len(harvest.posts) == 2


def test_a_server_that_fails_beside_another_is_noted() -> None:
    """Its span is failing; the other's posts come."""
    with FakeLemmy((1, -60)).serve() as good, Loopback() as bad:
        harvest = poll(good, bad)

    assert len(harvest.posts) == 1
    assert {gap.state for gap in harvest.gaps} == {CoverageState.FAILING}


def test_deleted_removed_and_robots_are_counted() -> None:
    """And a deleted person is nobody."""
    lemmy = FakeLemmy()
    views = [lemmy.view(number, -60) for number in range(4)]
    views[0]["post"]["deleted"] = True
    views[1]["post"]["removed"] = True
    views[2]["creator"]["bot_account"] = True
    views[3]["creator"]["deleted"] = True
    answer = Reply(json.dumps({"posts": [*views, {"odd": 1}]}))
    with Loopback({"/api/v3/post/list": answer, "/api/v3/comment/list": Reply('{"comments": []}')}) as server:
        harvest = poll(server)

    assert dict(harvest.rejected) == {"deleted": 2, "automatic": 1, "wrong shape": 1}
    assert [(post.author, post.account_created_at) for post in harvest.posts] == [(None, None)]


def test_wrong_settings_are_all_told() -> None:
    """Three mistakes, three lines."""

    async def wrong(context: CollectorContext) -> None:
        build({"servers": ["https://x"], "scope": "Some", "interval": True}, context)

    with pytest.raises(ConfigError) as caught:
        run(wrong)

    assert len(caught.value.problems) == 3
