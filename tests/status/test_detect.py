"""Telling kinds of status pages apart by what lies behind an address, on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from detector import registry
from detector.cli.services import proposal
from detector.domain import PageState, StatusReading
from detector.errors import Permanent, Temporary
from detector.status import slack
from detector.status.detect import Detected, detect
from detector.transport.session import Limits, Session
from tests.loopback import Answer, Loopback, Reply, unused_port
from tests.status.pages import NOW, PAGES, doc, run
from tests.transport.test_robots import Wire

_HTML = Reply(
    "<!doctype html><html><head><title>Kettle Status</title></head><body>All good</body></html>",
    headers={"Content-Type": "text/html"},
)
_STATUSPAGE = {"/api/v2/summary.json": doc("statuspage/summary_incident.json")}


def found(routes: dict[str, Answer], path: str = "") -> tuple[Detected, str, int]:
    with Loopback(routes) as server:
        return run(lambda session: detect(server.url + path, session)), server.url, len(server.requests)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("incidentio", "incidentio"),
        ("widget", "incidentio"),
        ("slack", "slack"),
        ("gcp", "gcp"),
        ("aws events", "aws"),
        ("aws data", "aws"),
        ("betterstack", "betterstack"),
        ("instatus", "instatus"),
        ("feed", "feed"),
        ("feed of updates", "feed"),
    ],
)
def test_each_kind_is_recognised_and_its_reader_reads_what_was_found(kind: str, expected: str) -> None:
    """With the page itself served beside its documents; what is found goes straight into a reader."""
    _, page, documents = PAGES[kind]
    with Loopback({"/": _HTML, **documents}) as server:
        answer = run(lambda session: detect(server.url + page, session))

        assert answer.kind == expected
        build = registry.load("status", answer.kind)
        assert run(lambda session: build("kettle", answer.url, session).read(now=_now())).incidents


def _now() -> object:
    from tests.status.pages import NOW

    return NOW


def test_a_statuspage_tells_its_name_and_components() -> None:
    """Groups are no components; the kind is Atlassian's own unless the ids are ULIDs."""
    answer, url, requests = found({"/": _HTML, **_STATUSPAGE})

    assert (answer.kind, answer.url) == ("statuspage", url)
    assert answer.name
    assert "Heating" in answer.components
    assert requests <= 3


@pytest.mark.parametrize(
    ("kind", "name", "components"),
    [
        ("incidentio", "Kettle", ("Boiler",)),
        ("betterstack", "Kettle", ("Boiler", "Whistle")),
        ("instatus", "Kettle", ()),
        ("feed", "Kettle", ()),
    ],
)
def test_name_and_components_are_found(kind: str, name: str, components: tuple[str, ...]) -> None:
    """As far as the page tells them."""
    answer, _, _ = found({"/": _HTML, **PAGES[kind][2]})

    assert (answer.name, answer.components) == (name, components)


def test_a_page_that_answers_html_to_everything_is_named_as_not_understood() -> None:
    """Many pages do, with status 200: that is no JSON and no feed."""

    class Everything(dict[str, Answer]):
        def get(self, key: str, default: object = None) -> Answer:
            return _HTML

    with Loopback() as server:
        server.routes = Everything()
        with pytest.raises(Permanent, match="no kind of status page"):
            run(lambda session: detect(server.url, session))


def test_a_page_that_cannot_be_reached_is_temporary() -> None:
    """Nothing is concluded from silence."""
    with pytest.raises(Temporary):
        run(lambda session: detect(f"http://127.0.0.1:{unused_port()}/", session))


def test_the_hints_of_a_page_are_followed_first() -> None:
    """Few requests where the page says what it is."""
    html = Reply(str(_HTML.body).replace("All good", "powered by Instatus"), headers=_HTML.headers)
    answer, _, requests = found({"/": html, **PAGES["instatus"][2]})

    assert answer.kind == "instatus"
    assert requests <= 3


SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "fixtures"
HTML = Reply("<!doctype html><title>AWS Health Dashboard</title>", headers={"Content-Type": "text/html"})
# Real pages (their https is plain here, for the wire ends on loopback), what they answer, and what must be found.
REAL: dict[str, tuple[str, dict[str, Answer], str, str]] = {
    "aws": (
        "http://health.aws.amazon.com/health/status",
        {"/health/status": HTML, "/public/currentevents": doc("aws/currentevents.json")},
        "aws",
        "Amazon Web Services",
    ),
    "aws, one region": (
        "http://health.aws.amazon.com/health/status#us-east-1",
        {"/health/status": HTML, "/public/currentevents": doc("aws/currentevents.json")},
        "aws",
        "Amazon Web Services",
    ),
    "google cloud": (
        "http://status.cloud.google.com",
        {"/": HTML, "/incidents.json": doc("gcp/incidents.json")},
        "gcp",
        "Google Cloud",
    ),
    "google workspace": (
        "http://www.google.com/appsstatus/dashboard/",
        {"/appsstatus/dashboard/": HTML, "/appsstatus/dashboard/incidents.json": doc("gcp/incidents.json")},
        "gcp",
        "Google Workspace",
    ),
    "azure": (
        "http://azure.status.microsoft/en-us/status",
        {"/en-us/status": HTML, "/en-us/status/feed/": doc("azure/feed_active.rss")},
        "azure",
        "Microsoft Azure",
    ),
    "slack": (
        "http://slack-status.com",
        {"/": HTML, slack.CURRENT: doc("slackstatus/current.json"), slack.HISTORY: doc("slackstatus/history.json")},
        "slack",
        "Slack",
    ),
}


def over_the_wire(url: str, routes: dict[str, Answer]) -> tuple[Detected, StatusReading]:
    """Ask a public address, find out its kind, and read what was found with the reader of that kind."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    async def go(server: Loopback) -> tuple[Detected, StatusReading]:
        session = Session(limits=Limits(min_interval=0), resolver=resolve, backend=Wire(server.port))
        try:
            answer = await detect(url, session)
            reader = registry.load("status", answer.kind)("it", answer.url, session)
            return answer, await reader.read(now=NOW)
        finally:
            await session.aclose()

    with Loopback(routes) as server:
        return asyncio.run(go(server))


@pytest.mark.parametrize("name", list(REAL))
def test_the_great_pages_are_known_by_their_address(name: str) -> None:
    """The address a person has is enough, a fragment kept; the reader then reads their documents."""
    url, routes, kind, called = REAL[name]

    answer, reading = over_the_wire(url, routes)

    assert (answer.kind, answer.name, answer.url) == (kind, called, url)
    assert reading.incidents or reading.state is not PageState.UNKNOWN
    proposed, _ = proposal(answer, [])
    assert f'kind = "{kind}"' in proposed


@pytest.mark.parametrize(
    ("url", "document", "path", "kind"),
    [
        ("http://status.aws.amazon.com/", "aws/data_json_2021-12-07.json", "/data.json", "aws"),
        ("http://status.cloud.google.com", "gcp/incidents_two.json", "/incidents.json", "gcp"),
        ("http://slack-status.com", "slack/current_2022-02-22.json", "/api/v2.0.0/current", "slack"),
        (
            "http://status.claude.com",
            "statuspage/claude_summary_two_incidents.json",
            "/api/v2/summary.json",
            "statuspage",
        ),
        (
            "http://www.githubstatus.com",
            "statuspage/github_summary_active_incident.json",
            "/api/v2/summary.json",
            "statuspage",
        ),
        (
            "http://status.openai.com",
            "incidentio/openai_compat_summary_incident.json",
            "/api/v2/summary.json",
            "incidentio",
        ),
    ],
)
def test_documents_that_were_really_sent_are_recognised_and_read(url: str, document: str, path: str, kind: str) -> None:
    """The recorded ones, under the address they came from."""
    if not (SHARED / document).is_file():
        pytest.skip("the recorded documents lie in ../shared")

    answer, reading = over_the_wire(url, {"/": HTML, path: Reply((SHARED / document).read_bytes())})

    assert answer.kind == kind
    assert reading.incidents or reading.state is not PageState.UNKNOWN
