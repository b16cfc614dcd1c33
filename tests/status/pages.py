"""What the tests of status readers share: the fixtures as pages on loopback, a session, a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from detector.domain import Incident, StatusReading
from detector.protocols import StatusReader
from detector.status import aws, azure, betterstack, feed, gcp, incidentio, instatus, slack
from detector.transport.session import Limits, Session
from tests.loopback import Answer, Loopback, Reply

NOW = datetime(2026, 3, 2, 12, 50, tzinfo=UTC)
FIXTURES = Path(__file__).parents[1] / "fixtures"
Build = Callable[[str, str, Session], StatusReader]
T = TypeVar("T")


def doc(name: str) -> Reply:
    """A fixture as an answer."""
    return Reply((FIXTURES / name).read_bytes())


# By kind: the reader, the path of the page's address, and what the page answers while something is wrong.
PAGES: dict[str, tuple[Build, str, dict[str, Reply]]] = {
    "incidentio": (
        incidentio.build,
        "",
        {
            incidentio.SUMMARY: doc("incidentio/summary_incident.json"),
            incidentio.HISTORY: doc("incidentio/incidents.json"),
        },
    ),
    "widget": (incidentio.build, "", {incidentio.WIDGET: doc("incidentio/widget.json")}),
    "slack": (
        slack.build,
        "",
        {slack.CURRENT: doc("slackstatus/current.json"), slack.HISTORY: doc("slackstatus/history.json")},
    ),
    "gcp": (gcp.build, "/appsstatus/dashboard/", {"/appsstatus/dashboard/incidents.json": doc("gcp/incidents.json")}),
    "aws events": (aws.build, "/health/status", {aws.EVENTS: doc("aws/currentevents.json")}),
    "aws data": (aws.build, "", {aws.DATA: doc("aws/data.json")}),
    "aws feed": (aws.build, "", {aws.FEED: doc("aws/all.rss")}),
    "azure": (azure.build, "/en-us/status", {"/en-us/status/feed/": doc("azure/feed_active.rss")}),
    "betterstack": (betterstack.build, "", {betterstack.INDEX: doc("betterstack/index.json")}),
    "instatus": (
        instatus.build,
        "",
        {instatus.SUMMARIES[0]: doc("instatus/summary.json"), instatus.HISTORY: doc("instatus/history.atom")},
    ),
    "feed": (feed.build, "", {"/history.rss": doc("statusfeed/history.rss")}),
    "feed of updates": (feed.build, "/feed.rss", {"/feed.rss": doc("statusfeed/updates.rss")}),
}


def run(use: Callable[[Session], Awaitable[T]], *, deadline: float = 10.0) -> T:
    """Run with a real session, closed afterwards."""

    async def go() -> T:
        session = Session(allow_private=True, limits=Limits(deadline=deadline, min_interval=0))
        try:
            return await use(session)
        finally:
            await session.aclose()

    return asyncio.run(go())


def read(
    kind: str, routes: Mapping[str, Answer] | None = None, *, now: datetime = NOW, path: str = ""
) -> StatusReading:
    """A page of a kind, read once; its documents may be replaced, its address lengthened."""
    build, page, documents = PAGES[kind]
    with Loopback(documents if routes is None else routes) as server:
        return run(lambda session: build("kettle", server.url + page + path, session).read(now=now))


def read_twice(kind: str, then: Mapping[str, Answer], later: datetime) -> tuple[StatusReading, StatusReading]:
    """One reader, two looks; between them the page changes."""
    build, page, documents = PAGES[kind]
    with Loopback(documents) as server:

        async def go(session: Session) -> tuple[StatusReading, StatusReading]:
            reader = build("kettle", server.url + page, session)
            first = await reader.read(now=NOW)
            server.routes.clear()
            server.routes.update(then)
            return first, await reader.read(now=later)

        return run(go)


def by_id(reading: StatusReading) -> dict[str, Incident]:
    """A reading's incidents by id."""
    return {one.id: one for one in reading.incidents}


def titled(reading: StatusReading, words: str) -> Incident:
    """The one incident of that title."""
    (found,) = [one for one in reading.incidents if words in one.title]
    return found
