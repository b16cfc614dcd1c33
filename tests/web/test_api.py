"""The JSON holds to its own description, and its figures to the database."""

from __future__ import annotations

import random
import re
import string
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ConfigDict, TypeAdapter

from detector.web import openapi
from tests.web.asking import ask
from tests.web.conftest import Site
from tests.web.town import ago

ALERT = "claude-20260302T1334"
FILLED = {"slug": "claude", "key": ALERT}


@pytest.mark.parametrize(("path", "shape"), [(read[0], read[2]) for read in openapi.READS])
def test_an_answer_is_what_the_document_says(site: Site, path: str, shape: Any) -> None:
    """Every field, no other, of the type described."""
    answer = ask(site.port, path.format(**FILLED))

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    TypeAdapter(shape, config=None).validate_json(answer.body, strict=True)


def test_the_document_describes_every_address(site: Site) -> None:
    """OpenAPI 3.1, each reference resolved, each route of the API in it."""
    document = ask(site.port, "/api/openapi.json").json()

    references = set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document)))
    assert document["openapi"] == "3.1.0"
    assert references <= set(document["components"]["schemas"])
    routes = {route.path for route in site.app.routes if route.path.startswith("/api/")} - {"/api/openapi.json"}
    assert routes <= set(document["paths"])
    assert ConfigDict(extra="forbid")["extra"] == "forbid"
    assert document["components"]["schemas"]["Row"]["additionalProperties"] is False


def test_the_board_counts_people_not_posts(site: Site) -> None:
    """Against what the hour usually brings; the lead still grows while the page is silent."""
    rows = {row["slug"]: row for row in ask(site.port, "/api/board").json()["services"]}

    claude = rows["claude"]
    assert claude["people"] == 44
    assert sum(claude["bins"]) == 44
    assert claude["expected"] < claude["upper"] < claude["people"]
    assert (claude["lead_minutes"], claude["lead_open"]) == (31.0, True)
    assert rows["notion"]["expected"] is None
    assert rows["twitch"]["official"] is None
    assert rows["cloudflare"]["official"]["title"] == "Elevated latency in one region"


@pytest.mark.parametrize(("name", "count"), [("1h", 30), ("24h", 96), ("7d", 168), ("90d", 360)])
def test_a_range_has_its_steps(site: Site, name: str, count: int) -> None:
    """And the same people, however coarse."""
    found = ask(site.port, f"/api/services/claude/series?range={name}").json()

    assert len(found["points"]) == count
    assert max(point["people"] or 0 for point in found["points"]) >= 3
    assert any(mark["kind"] == "alert" and mark["alert"] == ALERT for mark in found["marks"])


def test_what_could_not_be_heard_is_null_not_zero(site: Site) -> None:
    """A gap is drawn as a gap."""
    points = ask(site.port, "/api/services/zoom/series?range=24h").json()["points"]

    gaps = [point["at"] for point in points if point["people"] is None]
    assert gaps
    assert all(ago(600).isoformat() < at.replace("Z", "+00:00") < ago(540).isoformat() for at in gaps)
    assert points[-1]["people"] is not None


def test_hours_come_from_totals_and_what_they_lack_from_posts(site: Site) -> None:
    """The same figures before and after a roll-up."""
    before = ask(site.port, "/api/services/github/series?range=7d").json()["points"]
    site.town.store.rollup()
    after = ask(site.port, "/api/services/github/series?range=7d").json()["points"]

    assert before == after


def test_the_ledger_can_be_worked_out_again(site: Site) -> None:
    """24 minutes late once, never once; the open outage is not judged yet."""
    ledger = ask(site.port, "/api/services/claude").json()["ledger"]

    assert (ledger["outages"], ledger["never_acknowledged"], ledger["median_late_minutes"]) == (2, 1, 24.0)
    assert ledger["grade"] is None


def test_our_record_counts_each_kind(site: Site) -> None:
    """Confirmed, false, unjudged, missed; the worst case takes the unjudged for false."""
    proof = ask(site.port, "/api/proof").json()

    assert proof["alerts"] == {"watch": 1, "alert": 4, "major": 1}
    assert (proof["confirmed"], proof["judged_false"], proof["outages"], proof["detected"]) == (2, 1, 3, 2)
    assert proof["leads_minutes"] == [24.0, 34.0]
    assert proof["worst_false_per_month"] >= proof["false_per_month"]
    assert 0 < proof["chance_hit_rate"] < 0.01


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/services/none", 404),
        ("/api/services/none/series", 404),
        ("/api/services/claude/series?range=1y", 400),
        ("/api/alerts?state=perhaps", 400),
        ("/api/alerts/none", 404),
        ("/events?service=none", 404),
        ("/api/none", 404),
    ],
)
def test_a_wrong_question_is_answered_in_json(site: Site, path: str, status: int) -> None:
    """With what is wrong."""
    answer = ask(site.port, path)

    assert answer.status == status
    assert answer.json()["error"]


def test_alerts_can_be_narrowed(site: Site) -> None:
    """By state and by service."""
    firing = ask(site.port, "/api/alerts?state=firing").json()["alerts"]
    mine = ask(site.port, "/api/alerts?service=github").json()["alerts"]

    assert {alert["service"] for alert in firing} == {"claude", "spotify"}
    assert [(alert["service"], alert["lead_minutes"]) for alert in mine] == [("github", 34.0)]


def test_metrics_are_in_prometheus_format(site: Site) -> None:
    """And agree with the board."""
    answer = ask(site.port, "/metrics")

    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    people = {sample.labels["service"]: sample.value for sample in families["detector_people"].samples}
    states = [s.labels for s in families["detector_service_state"].samples if s.value == 1]
    assert people["claude"] == 44
    assert {"service": "claude", "state": "outage"} in states
    assert families["detector_posts"].type == "counter"


def test_programs_that_fail_over_read_the_states(site: Site) -> None:
    """And need not read them again while nothing has changed."""
    answer = ask(site.port, "/status.json")
    again = ask(site.port, "/status.json", If_None_Match=answer.headers["etag"])

    services = answer.json()["services"]
    assert (services["claude"]["state"], services["claude"]["alert"]) == ("outage", ALERT)
    assert (services["notion"]["state"], services["github"]["state"]) == ("learning", "ok")
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/feed.atom", "/feed.rss", "/feed.json"])
def test_alerts_can_be_followed_in_a_reader(site: Site, path: str) -> None:
    """One entry an alert, none for a watch, linked to our pages."""
    answer = ask(site.port, path)

    assert answer.status == 200
    assert f"http://127.0.0.1:{site.port}/a/{ALERT}" in answer.text
    assert "GitHub: over after 1 h 34 min" in answer.text
    assert "Spotify" not in answer.text
    assert "Claude" not in ask(site.port, f"{path}?service=github").text
    if path != "/feed.json":
        assert ET.fromstring(answer.text).tag  # noqa: S314 - our own


def test_no_question_breaks_it(site: Site) -> None:
    """Odd addresses, values and bodies: never a 500."""
    rng = random.Random(5)
    letters = string.printable + "äß\u202e\u0000'\"%;"

    def odd() -> str:
        from urllib.parse import quote

        return quote("".join(rng.choice(letters) for _ in range(rng.randrange(1, 30))), safe="")

    paths = [read[0] for read in openapi.READS] + ["/", "/s/{slug}", "/a/{key}", "/events?service={slug}"]
    statuses = set()
    for _ in range(150):
        path = rng.choice(paths).format(slug=odd(), key=odd())
        statuses.add(ask(site.port, f"{path}{'&' if '?' in path else '?'}range={odd()}&q={odd()}&state={odd()}").status)

    assert statuses <= {200, 400, 404, 414}
