"""The X collector against a loopback server that counts what it sells: the cap is never passed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.ledger import Ledger
from detector.collectors.x import X, build
from detector.domain import CoverageState
from detector.errors import ConfigError, NotConfigured, Permanent, Temporary, TransportError
from detector.protocols import Harvest
from detector.testing import check_collector, check_collector_failure
from tests.collectors.test_feeds import run
from tests.loopback import Loopback, Reply, Request

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PATH = "/2/tweets/search/recent"
PRICE = 0.005


class FakeX:
    """Holds (id, seconds after NOW); `sold` counts every post it hands out."""

    def __init__(self, *items: tuple[int, float]) -> None:
        self.items = list(items)
        self.sold = 0

    def __call__(self, request: Request) -> Reply:
        query = {name: values[0] for name, values in request.query.items()}
        assert request.headers["authorization"] == "Bearer CANARY-x-token"
        limit = int(query["max_results"])
        assert 10 <= limit <= 100
        since = int(query.get("since_id", "0"))
        start = query.get("start_time")
        low = (datetime.fromisoformat(start) - NOW).total_seconds() if start else -1e9
        wanted = sorted((item for item in self.items if item[0] > since and item[1] >= low), reverse=True)
        offset = int(query.get("next_token", "0"))
        shown = wanted[offset : offset + limit]
        self.sold += len(shown)
        meta: dict[str, Any] = {"result_count": len(shown)}
        if len(wanted) > offset + limit:
            meta["next_token"] = str(offset + limit)
        answer: dict[str, Any] = {"meta": meta}
        if shown:
            answer["data"] = [
                {
                    "id": str(number),
                    "text": f"down for me &amp; others {number}",
                    "created_at": (NOW + timedelta(seconds=at)).isoformat().replace("+00:00", "Z"),
                    "author_id": "4711",
                    "conversation_id": str(number),
                }
                for number, at in shown
            ]
        return Reply(json.dumps(answer))


def made(context: CollectorContext, server: Loopback, **named: Any) -> X:
    settings = {"token": "CANARY-x-token", "monthly_cap": 100, "url": server.url, "queries": ["down"], **named}
    (collector,) = build(settings, context)
    assert isinstance(collector, X)
    return collector


def poll(server: Loopback, cursor: str | None = None, *, now: datetime = NOW, **named: Any) -> Harvest:
    return run(lambda context: made(context, server, **named).poll(cursor, now=now))


def spent(harvest: Harvest) -> float:
    return float(json.loads(harvest.cursor or "")["spent"]) / 1e6


def test_the_collector_conforms() -> None:
    """The conformance suite; the number of the author is nowhere in clear."""
    with Loopback({PATH: FakeX((1, -60), (2, -30))}) as server:
        harvest = run(
            lambda context: check_collector(lambda: made(context, server), now=NOW, names=("4711",), at_least=2)
        )

    assert harvest.posts[0].url == "https://x.com/i/status/2"
    assert harvest.posts[0].text == "down for me & others 2"
    assert spent(harvest) == pytest.approx(2 * PRICE)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 503])
def test_a_refusal_is_typed_costs_nothing_and_shows_no_token(status: int) -> None:
    """An answer without posts is not paid."""

    async def go(context: CollectorContext) -> None:
        error = await check_collector_failure(lambda: made(context, server), now=NOW)
        assert "CANARY" not in f"{error!r}"
        collector = made(context, server)
        with pytest.raises(TransportError):
            await collector.poll(None, now=NOW)
        assert collector.spent == 0

    reset = {"x-rate-limit-reset": str(int(NOW.timestamp()) + 77), "date": "Mon, 02 Mar 2026 12:00:00 GMT"}
    with Loopback({PATH: Reply("{}", status=status, headers={} if status != 429 else reset)}) as server:
        run(go)


def test_the_rate_limit_is_waited_out() -> None:
    """By the server's own clock."""
    headers = {"x-rate-limit-reset": "0"}
    with Loopback({PATH: Reply("{}", status=429, headers=headers)}) as server, pytest.raises(Temporary) as caught:
        poll(server)

    assert caught.value.retry_after == 1.0


def test_a_lost_answer_counts_as_paid() -> None:
    """It may have been billed."""

    async def go(context: CollectorContext) -> None:
        collector = made(context, server)
        with pytest.raises(TransportError):
            await collector.poll(None, now=NOW)
        assert collector.spent == pytest.approx(100 * PRICE)

    with Loopback({PATH: Reply(fault="reset")}) as server:
        run(go)


def test_a_burst_is_paged_back() -> None:
    """450 posts, each once."""
    x = FakeX((1, -60))
    with Loopback({PATH: x}) as server:
        first = poll(server)
        x.items += [(100 + number, number / 10) for number in range(450)]
        second = poll(server, first.cursor, now=NOW + timedelta(minutes=1))
        third = poll(server, second.cursor, now=NOW + timedelta(minutes=2))

    assert len(second.posts) == 450
    assert third.posts == ()
    assert spent(third) == pytest.approx(x.sold * PRICE)


@pytest.mark.parametrize("cap", [0.05, 0.3, 1.0, 1.234])
def test_the_cap_is_never_passed(cap: float) -> None:
    """However many posts there are: what was sold costs at most the cap, and the source says why it stopped."""
    x = FakeX()

    async def go(context: CollectorContext) -> None:
        collector, cursor, stopped = made(context, server, monthly_cap=cap), None, ""
        for minute in range(12):
            x.items += [(len(x.items) + 1, 60.0 * minute - number / 10) for number in range(60, 0, -1)]
            try:
                harvest = await collector.poll(cursor, now=NOW + timedelta(minutes=minute))
            except Permanent as error:
                stopped = str(error)
            else:
                cursor = harvest.cursor
        assert x.sold * PRICE <= cap
        assert x.sold * PRICE > cap - 10 * PRICE
        assert "spending cap" in stopped
        assert "monthly_cap" in stopped
        before = x.sold
        with pytest.raises(Permanent):
            await made(context, server, monthly_cap=cap).poll(cursor, now=NOW + timedelta(hours=1))
        assert x.sold == before

    with Loopback({PATH: x}) as server:
        run(go)


def test_money_that_ends_amid_a_burst_leaves_a_gap() -> None:
    """The newest are bought; what was too dear is written down."""
    x = FakeX((1, -60))
    with Loopback({PATH: x}) as server:
        first = poll(server)
        x.items += [(100 + number, number / 10) for number in range(450)]
        second = poll(server, first.cursor, now=NOW + timedelta(minutes=1), monthly_cap=1.0)

    (gap,) = second.gaps
    assert gap.state is CoverageState.GAP
    assert "spending cap" in gap.note
    assert 190 <= len(second.posts) < 200
    assert gap.to_at == min(post.created_at for post in second.posts)


def test_a_new_month_has_new_money() -> None:
    """The sum belongs to a calendar month."""
    x = FakeX((1, -60), (2, 30 * 86_400.0))
    with Loopback({PATH: x}) as server:
        first = poll(server, monthly_cap=0.05)
        with pytest.raises(Permanent):
            poll(server, first.cursor, monthly_cap=0.05)
        third = poll(server, first.cursor, now=NOW + timedelta(days=30, seconds=5), monthly_cap=0.05)

    assert [post.id for post in third.posts] == ["2"]
    assert spent(third) == pytest.approx(PRICE)


@pytest.mark.parametrize("settings", [{}, {"token": "t"}, {"monthly_cap": 5}])
def test_it_is_off_without_token_or_cap(settings: dict[str, Any]) -> None:
    """Nobody pays by accident."""

    async def go(context: CollectorContext) -> None:
        build(settings, context)

    with pytest.raises(NotConfigured, match="monthly_cap"):
        run(go)


def test_wrong_settings_are_all_told() -> None:
    """Three mistakes, three lines."""

    async def wrong(context: CollectorContext) -> None:
        build({"token": "t", "monthly_cap": -1, "price_per_post": 0, "queries": "down"}, context)

    with pytest.raises(ConfigError) as caught:
        run(wrong)

    assert len(caught.value.problems) == 3


def test_a_kill_forgets_nothing_of_what_was_spent(tmp_path: Path) -> None:
    """The poll was never stored, the database is gone: the next process knows the sum by the ledger."""
    x = FakeX(*((number, -number / 10) for number in range(1, 200)))
    path = tmp_path / "detector.db.spent"

    async def go(context: CollectorContext) -> None:
        await made(replace(context, ledger=Ledger(path)), server, monthly_cap=0.6).poll(None, now=NOW)
        with pytest.raises(Permanent, match="spending cap"):
            await made(replace(context, ledger=Ledger(path)), server, monthly_cap=0.6).poll(None, now=NOW)

    with Loopback({PATH: x}) as server:
        run(go)

    assert x.sold * PRICE <= 0.6


def test_a_kill_in_the_middle_of_a_request_leaves_it_charged(tmp_path: Path) -> None:
    """What is on the disk before the answer comes is the dearest that it can be."""
    path = tmp_path / "detector.db.spent"
    seen: list[int] = []

    def answer(request: Request) -> Reply:
        seen.append(Ledger(path).spent("x", "2026-03"))
        return Reply('{"meta": {"result_count": 0}}')

    async def go(context: CollectorContext) -> None:
        await made(replace(context, ledger=Ledger(path)), server).poll(None, now=NOW)

    with Loopback({PATH: answer}) as server:
        run(go)

    assert seen == [round(100 * PRICE * 1_000_000)]
    assert Ledger(path).spent("x", "2026-03") == 0


def test_a_sum_that_cannot_be_written_down_is_not_spent(tmp_path: Path) -> None:
    """No request is made."""

    async def go(context: CollectorContext) -> None:
        with pytest.raises(Permanent, match="cannot be written down"):
            await made(replace(context, ledger=Ledger(tmp_path / "absent" / "spent")), server).poll(None, now=NOW)

    with Loopback({PATH: FakeX((1, -60))}) as server:
        run(go)
        assert server.requests == []
