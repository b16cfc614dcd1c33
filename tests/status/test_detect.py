"""Telling kinds of status pages apart by what lies behind an address, on loopback."""

from __future__ import annotations

import pytest

from detector import registry
from detector.errors import Permanent, Temporary
from detector.status.detect import Detected, detect
from tests.loopback import Answer, Loopback, Reply, unused_port
from tests.status.pages import PAGES, doc, run

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
