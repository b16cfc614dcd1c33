"""Every kind of status page on a loopback server: conformance, what breaks it, and the times that count."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detector import registry
from detector.domain import PageState
from detector.errors import Temporary
from detector.status.documents import Documents
from detector.testing import check_status_reader, check_status_reader_failure
from detector.transport.session import Session
from tests.loopback import Answer, Loopback, Reply, Request, unused_port
from tests.status.pages import NOW, PAGES, doc, read, run, titled

# What each page says of its open incident: state, title, first word of the provider, whether it is still open.
_SAID: dict[str, tuple[PageState, str, datetime]] = {
    "incidentio": (PageState.DEGRADED, "Boiler heats slowly", datetime(2026, 3, 2, 12, 20, 5, tzinfo=UTC)),
    "widget": (PageState.OUTAGE, "Boiler heats slowly", datetime(2026, 3, 2, 12, 20, 5, tzinfo=UTC)),
    "slack": (PageState.OUTAGE, "Kettles do not connect", datetime(2026, 3, 2, 12, 20, tzinfo=UTC)),
    "gcp": (PageState.DEGRADED, "Kettle Storage answers slowly", datetime(2026, 3, 2, 12, 5, tzinfo=UTC)),
    "aws events": (PageState.OUTAGE, "Kettles stay cold", datetime(2026, 3, 2, 12, 20, 41, tzinfo=UTC)),
    "aws data": (PageState.DEGRADED, "Kettles stay cold", datetime(2026, 3, 2, 7, 20, 41, tzinfo=UTC)),
    "aws feed": (PageState.OUTAGE, "Kettles stay cold", datetime(2026, 3, 2, 12, 5, tzinfo=UTC)),
    "azure": (PageState.DEGRADED, "Kettles - West Nowhere", datetime(2026, 3, 2, 12, 25, tzinfo=UTC)),
    "betterstack": (PageState.DEGRADED, "Boiler heats slowly", datetime(2026, 3, 2, 12, 20, tzinfo=UTC)),
    "instatus": (PageState.OUTAGE, "Boiler heats slowly", datetime(2026, 3, 2, 12, 20, tzinfo=UTC)),
    "feed": (PageState.DEGRADED, "Boiler heats slowly", datetime(2026, 3, 2, 12, 20, tzinfo=UTC)),
}


def test_every_kind_is_registered() -> None:
    """Each through its entry point, none forgotten."""
    kinds = {"aws", "azure", "betterstack", "feed", "gcp", "incidentio", "instatus", "slack", "statuspage"}

    assert kinds <= set(registry.names("status"))
    assert all(callable(registry.load("status", kind)) for kind in kinds)


@pytest.mark.parametrize("kind", list(PAGES))
def test_the_reader_conforms(kind: str) -> None:
    """The conformance suite, on a page that tells of trouble."""
    build, page, documents = PAGES[kind]
    with Loopback(documents) as server:
        run(lambda session: check_status_reader(lambda: build("kettle", server.url + page, session), now=NOW))


@pytest.mark.parametrize("kind", list(_SAID))
def test_the_open_incident_is_told_with_the_time_of_speaking(kind: str) -> None:
    """Never what the page states as the start, nor its last update."""
    reading = read(kind)

    state, words, posted = _SAID[kind]
    incident = titled(reading, words)
    assert (reading.state, incident.first_posted_at) == (state, posted)
    assert incident.resolved_at is None
    assert incident.first_seen_at == NOW
    assert not incident.maintenance
    assert incident.stated_start is None or incident.stated_start < posted


_FAULTS: dict[str, Reply] = {
    "html challenge": Reply("<!DOCTYPE html><title>Just a moment...</title>", headers={"Content-Type": "text/html"}),
    "empty": Reply(""),
    "null": Reply("null"),
    "empty object": Reply("{}"),
    "a list of nothing known": Reply('[1, "x", null]'),
    "deep": Reply("[" * 100_000),
    "500": Reply("oops", status=500),
    "403": Reply("no", status=403),
    "404": Reply("no", status=404),
    "429": Reply("slow", status=429, headers={"Retry-After": "60"}),
    "reset": Reply(fault="reset"),
    "truncated": Reply('{"status"', fault="truncated"),
    "redirect loop": Reply(status=302, headers={"Location": "/"}),
}


@pytest.mark.parametrize("kind", list(PAGES))
@pytest.mark.parametrize("fault", list(_FAULTS))
def test_a_page_that_answers_everything_wrongly_is_never_operational(kind: str, fault: str) -> None:
    """Whatever is asked, the same wrong answer: an error, or `unknown` where only a key is missing."""
    build, page, _ = PAGES[kind]
    with _Everywhere(_FAULTS[fault]) as server:

        async def use(session: Session) -> None:
            reader = build("kettle", server.url + page, session)
            if fault == "empty object" and kind in {"instatus", "slack"}:
                assert (await reader.read(now=NOW)).state is PageState.UNKNOWN
                return
            await check_status_reader_failure(lambda: reader, now=NOW)

        run(use)


class _Everywhere(Loopback):
    """A server that gives one answer to every path."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.routes = _All(reply)


class _All(dict[str, Answer]):
    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self._reply = reply

    def get(self, key: str, default: object = None) -> Reply:
        return self._reply


@pytest.mark.parametrize("kind", list(PAGES))
def test_a_refused_connection_is_temporary(kind: str) -> None:
    """Nobody listens."""
    build, page, _ = PAGES[kind]

    with pytest.raises(Temporary):
        run(lambda session: build("kettle", f"http://127.0.0.1:{unused_port()}{page}", session).read(now=NOW))


@pytest.mark.parametrize("kind", ["gcp", "betterstack", "feed"])
def test_an_unchanged_page_is_not_sent_again(kind: str) -> None:
    """Asked with the validators it gave; the kept copy is read once more."""
    build, page, documents = PAGES[kind]
    asked: list[str | None] = []

    def conditional(reply: Reply) -> Answer:
        def answer(request: Request) -> Reply:
            asked.append(request.headers.get("if-none-match"))
            if asked[-1] == '"v1"':
                return Reply(status=304)
            return Reply(reply.body, headers={"ETag": '"v1"'})

        return answer

    with Loopback({path: conditional(reply) for path, reply in documents.items()}) as server:

        async def use(session: Session) -> None:
            reader = build("kettle", server.url + page, session)
            first, second = await reader.read(now=NOW), await reader.read(now=NOW)
            assert first == second
            assert first.incidents

        run(use)
    assert asked == [None, '"v1"']


def test_a_304_to_an_unasked_question_is_an_error() -> None:
    """There is no copy that could be read instead."""
    with Loopback({"/x": Reply(status=304)}) as server, pytest.raises(Exception, match="not modified"):
        run(lambda session: Documents(session).json(server.url + "/x"))


def test_calm_pages_are_operational() -> None:
    """Each in its own way of saying so: a key left out, an empty list, an empty feed."""
    calm = {
        "incidentio": {"/api/v2/summary.json": doc("incidentio/summary_calm.json")},
        "widget": {
            "/api/v1/summary": Reply(
                '{"ongoing_incidents":[],"in_progress_maintenances":[],"scheduled_maintenances":[]}'
            )
        },
        "slack": {"/api/v2.0.0/current": doc("slackstatus/current_ok.json")},
        "gcp": {"/appsstatus/dashboard/incidents.json": Reply("[]")},
        "aws events": {"/public/currentevents": Reply("\ufeff[]".encode("utf-16-le"))},
        "azure": {"/en-us/status/feed/": doc("azure/feed_calm.rss")},
        "instatus": {"/summary.json": doc("instatus/summary_calm.json")},
    }

    assert {kind: read(kind, routes).state for kind, routes in calm.items()} == dict.fromkeys(
        calm, PageState.OPERATIONAL
    )
