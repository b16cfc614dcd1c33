"""The Statuspage reader against a loopback server, with every quirk we know of such pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from detector.domain import PageState, StatusReading
from detector.errors import Permanent, Temporary, TransportError
from detector.status.statuspage import Statuspage, build
from detector.testing import check_status_reader, check_status_reader_failure
from detector.transport.session import Limits, Session
from tests.loopback import Loopback, Reply, unused_port

NOW = datetime(2026, 3, 2, 12, 50, tzinfo=UTC)
FIXTURES = Path(__file__).parents[1] / "fixtures/statuspage"
SHARED = Path(__file__).parents[3] / "shared/data/fixtures"
SUMMARY, HISTORY = "/api/v2/summary.json", "/api/v2/incidents.json"
T = TypeVar("T")


def run(use: Callable[[Session], Awaitable[T]], *, deadline: float = 10.0) -> T:
    """Run with a real session, closed afterwards."""

    async def go() -> T:
        session = Session(allow_private=True, limits=Limits(deadline=deadline, min_interval=0))
        try:
            return await use(session)
        finally:
            await session.aclose()

    return asyncio.run(go())


def page(summary: object = None, history: object = None) -> dict[str, Reply]:
    """The two documents of a page; the fixtures where none is given."""

    def reply(given: object, name: str) -> Reply:
        if isinstance(given, Reply):
            return given
        return Reply((FIXTURES / name).read_bytes() if given is None else json.dumps(given))

    return {SUMMARY: reply(summary, "summary_incident.json"), HISTORY: reply(history, "incidents.json")}


def read(routes: dict[str, Reply], *, now: datetime = NOW) -> StatusReading:
    with Loopback(routes) as server:
        return run(lambda session: build("kettle", server.url + "/", session).read(now=now))


def test_the_reader_conforms() -> None:
    """The conformance suite."""
    with Loopback(page()) as server:
        run(lambda session: check_status_reader(lambda: build("kettle", server.url, session), now=NOW))


_FAULTS: dict[str, Reply] = {
    "html challenge": Reply("<!DOCTYPE html><title>Just a moment...</title>", headers={"Content-Type": "text/html"}),
    "empty": Reply(""),
    "a list": Reply("[]"),
    "deep": Reply("[" * 100_000),
    "500": Reply("oops", status=500),
    "403": Reply("no", status=403),
    "404": Reply("no", status=404),
    "429": Reply("slow", status=429, headers={"Retry-After": "60"}),
    "hang": Reply(fault="hang"),
    "reset": Reply(fault="reset"),
    "truncated": Reply('{"status"', fault="truncated"),
    "redirect loop": Reply(status=302, headers={"Location": SUMMARY}),
}


@pytest.mark.parametrize("name", list(_FAULTS))
def test_a_page_that_cannot_be_read_raises(name: str) -> None:
    """A failed fetch is never operational."""
    with Loopback(page(summary=_FAULTS[name])) as server:
        run(
            lambda session: check_status_reader_failure(lambda: build("kettle", server.url, session), now=NOW),
            deadline=0.6 if name == "hang" else 10.0,
        )


def test_a_refused_connection_is_temporary() -> None:
    """Nobody listens."""
    with pytest.raises(Temporary):
        run(lambda session: build("kettle", f"http://127.0.0.1:{unused_port()}", session).read(now=NOW))


def test_an_incident_is_told_with_the_times_of_speaking() -> None:
    """`created_at` of the updates counts, never `display_at` or `started_at`; the start they state is kept apart."""
    reading = read(page())

    assert (reading.state, reading.description) == (PageState.OUTAGE, "Partial System Outage")
    incident = next(one for one in reading.incidents if one.id == "inc1")
    assert incident.title == "Water stays cold & still"
    assert incident.first_posted_at == datetime(2026, 3, 2, 12, 40, 0, 500_000, tzinfo=UTC)
    assert incident.stated_start == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert incident.first_seen_at == NOW
    assert incident.resolved_at is None
    assert [update.status for update in incident.updates] == ["investigating", "identified"]
    assert [update.text for update in incident.updates] == ["We are looking.", "A fuse."]
    assert incident.components == ("Heating",)
    assert incident.url == "https://stspg.example/inc1"


def test_resolved_incidents_come_from_the_history() -> None:
    """The summary drops them; the history keeps them."""
    reading = read(page())

    incident = next(one for one in reading.incidents if one.id == "inc0")
    assert incident.resolved_at == datetime(2026, 2, 20, 9, tzinfo=UTC)
    assert not incident.maintenance
    assert incident.url is not None
    assert incident.url.endswith("/incidents/inc0")


def test_maintenances_are_apart() -> None:
    """Planned work is marked, and lying ahead it changes no state."""
    reading = read(page())

    (planned,) = [one for one in reading.incidents if one.maintenance]
    assert planned.id == "mnt1"
    assert planned.first_posted_at <= NOW


def test_our_first_sight_stays_while_updates_get_their_own() -> None:
    """A later reading remembers when we first saw an incident; a new update is new."""
    document = json.loads((FIXTURES / "summary_incident.json").read_text())
    with Loopback(page()) as server:

        async def twice(session: Session) -> tuple[StatusReading, StatusReading]:
            reader = build("kettle", server.url, session)
            first = await reader.read(now=NOW)
            update = {"id": "u3", "status": "monitoring", "body": "Better.", "created_at": "2026-03-02T12:55:00Z"}
            document["incidents"][0]["incident_updates"].insert(0, update)
            server.routes.update(page(summary=document))
            return first, await reader.read(now=NOW + timedelta(minutes=10))

        first, second = run(twice)

    before, after = ({one.id: one for one in reading.incidents}["inc1"] for reading in (first, second))
    assert before.first_seen_at == after.first_seen_at == NOW
    assert [update.first_seen_at for update in after.updates] == [NOW, NOW, NOW + timedelta(minutes=10)]


def test_a_calm_page_without_incidents_is_operational() -> None:
    """incident.io leaves the key out when there are none; a forgotten incident in the history changes nothing."""
    calm = json.loads((FIXTURES / "summary_calm.json").read_text())

    assert read(page(summary=calm)).state is PageState.OPERATIONAL
    assert read(page(summary=calm, history=calm)).incidents == ()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"indicator": "none", "description": "fine"}, PageState.OPERATIONAL),
        ({"indicator": "minor"}, PageState.DEGRADED),
        ({"indicator": "major"}, PageState.OUTAGE),
        ({"indicator": "critical"}, PageState.OUTAGE),
        ({"indicator": "maintenance"}, PageState.MAINTENANCE),
        ({"indicator": "sunny"}, PageState.UNKNOWN),
        ({"indicator": None}, PageState.UNKNOWN),
        ({"indicator": ["none"]}, PageState.UNKNOWN),
        ({}, PageState.UNKNOWN),
        ("none", PageState.UNKNOWN),
        (None, PageState.UNKNOWN),
    ],
)
def test_the_indicator_decides_and_its_absence_is_unknown(status: object, state: PageState) -> None:
    """Anything we do not understand is unknown, never operational."""
    assert read(page(summary={"page": {}, "status": status}, history={"incidents": []})).state is state


@pytest.mark.parametrize(
    ("impact", "state"),
    [("minor", PageState.DEGRADED), ("critical", PageState.OUTAGE), ("none", PageState.OPERATIONAL)],
)
def test_an_open_incident_outweighs_a_calm_banner(impact: str, state: PageState) -> None:
    """Pages forget to set components while they write about an outage."""
    incident = {
        "id": "i",
        "name": "x",
        "status": "investigating",
        "impact": impact,
        "created_at": "2026-03-02T12:00:00Z",
    }

    assert read(page(summary={"status": {"indicator": "none"}, "incidents": [incident]})).state is state


def test_an_unreadable_history_leaves_the_state_known() -> None:
    """The summary was read: state and open incidents stand, and the description says what is missing."""
    reading = read(page(history=Reply("<!doctype html>")))

    assert reading.state is PageState.OUTAGE
    assert "history not read" in reading.description
    assert {one.id for one in reading.incidents} == {"inc1", "mnt1"}


def test_an_incident_without_dates_was_posted_when_we_saw_it() -> None:
    """incident.io's compatible pages give only `updated_at`, which moves; our own first sight does not."""
    incident = {
        "id": "01KX",
        "name": "x",
        "status": "monitoring",
        "impact": "minor",
        "updated_at": "2026-03-02T12:49:00Z",
    }

    (made,) = read(page(summary={"status": {"indicator": "minor"}, "incidents": [incident]}, history={})).incidents

    assert made.first_posted_at == made.first_seen_at == NOW


_ODD: list[Any] = [
    {"incidents": "none"},
    {"incidents": [None, 5, "x", {}, {"id": 5}, {"id": ""}]},
    {"incidents": [{"id": "x", "name": 5, "status": [], "impact": {}, "created_at": "soon", "incident_updates": "x"}]},
    {"incidents": [{"id": "x", "incident_updates": [None, {}, {"created_at": 5}, {"created_at": "9999-99-99"}]}]},
    {"incidents": [{"id": "x", "components": [None, {"name": 5}], "shortlink": "javascript:alert(1)"}]},
    {
        "incidents": [
            {
                "id": "x",
                "name": "y" * 100_000,
                "incident_updates": [{"created_at": "2026-03-02", "body": "z" * 100_000}],
            }
        ]
    },
]


@pytest.mark.parametrize("odd", _ODD)
def test_odd_shapes_are_passed_over(odd: dict[str, Any]) -> None:
    """Wrong types anywhere cost that value, not the reading; lengths are bounded."""
    reading = read(page(summary={"status": {"indicator": "minor"}, **odd}, history=odd))

    assert reading.state is PageState.DEGRADED
    for incident in reading.incidents:
        assert len(incident.title) <= 500
        assert incident.url is not None
        assert incident.url.startswith("http")
        assert all(len(update.text) <= 4000 for update in incident.updates)


def test_any_address_of_the_page_will_do() -> None:
    """People copy the history's address; what we would not fetch is refused at once."""
    with Loopback(page()) as server:
        reader = run(lambda session: _made(server.url + "/history?page=2", session))

        assert reader.url == server.url
    with pytest.raises(Permanent):
        run(lambda session: _made("ftp://status.example.org", session))


async def _made(url: str, session: Session) -> Statuspage:
    return build("kettle", url, session)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data/fixtures")
@pytest.mark.parametrize(
    ("name", "state", "incidents"),
    [
        ("statuspage/claude_summary_two_incidents.json", PageState.DEGRADED, 1),
        ("statuspage/github_summary_active_incident.json", None, 1),
        ("statuspage/cloudflare_summary_trimmed.json", None, 0),
        ("incidentio/openai_compat_summary_incident.json", PageState.DEGRADED, 1),
        ("incidentio/openai_compat_summary_nominal.json", PageState.OPERATIONAL, 0),
    ],
)
def test_real_pages_are_understood(name: str, state: PageState | None, incidents: int) -> None:
    """Documents of real pages: never unknown, and their incidents are found."""
    now = datetime(2026, 11, 22, tzinfo=UTC)

    reading = read(page(summary=Reply((SHARED / name).read_bytes()), history={"incidents": []}), now=now)

    assert reading.state is not PageState.UNKNOWN
    assert state is None or reading.state is state
    assert len([one for one in reading.incidents if not one.maintenance]) >= incidents
    assert all(one.first_posted_at <= now for one in reading.incidents)


def test_errors_are_the_transport_kind_only() -> None:
    """Whatever broken document comes, nothing but a TransportError or a reading leaves the reader."""
    whole = (FIXTURES / "summary_incident.json").read_bytes()
    with Loopback(page()) as server:

        async def cut(session: Session) -> int:
            reader = build("kettle", server.url, session)
            refused = 0
            for end in range(0, len(whole), 97):
                server.routes[SUMMARY] = Reply(whole[:end])
                try:
                    await reader.read(now=NOW)
                except TransportError:
                    refused += 1
            return refused

        assert run(cut) > 10
