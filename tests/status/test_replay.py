"""The readers on the official archives of ../shared: served in the shape of their page, the times come out again."""

from __future__ import annotations

import asyncio
import gzip
import html
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from detector.domain import Incident, StatusReading, parse_time
from detector.protocols import StatusReader
from detector.status import aws, feed, gcp, incidentio, slack, statuspage
from detector.transport.session import Limits, Session
from tests.loopback import Loopback, Reply

pytestmark = [pytest.mark.shared, pytest.mark.slow]
INCIDENTS = Path(__file__).parents[3] / "shared/data/incidents"
FIXTURES = INCIDENTS.parent / "fixtures"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
Build = Callable[[str, str, Session], StatusReader]
Record = dict[str, Any]


def records(name: str, most: int) -> list[Record]:
    """Incidents of an archive whose update list tells all times; planned work is left out."""
    with gzip.open(INCIDENTS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    usable = [one for one in found if one["type"] == "incident" and one["updates"] and one["first_posted_at"]]
    step = max(len(usable) // most, 1)
    return usable[::step][:most]


def dated(found: list[Record]) -> list[Record]:
    return [one for one in found if all(update.get("at") for update in one["updates"])]


def read(build: Build, pages: Iterator[dict[str, str]], service: str) -> dict[str, Incident]:
    """Every page read once, by one reader."""

    async def go(server: Loopback) -> dict[str, Incident]:
        session = Session(allow_private=True, limits=Limits(min_interval=0))
        try:
            reader = build(service, server.url, session)
            seen: dict[str, Incident] = {}
            for documents in pages:
                server.routes.clear()
                server.routes.update({path: Reply(body) for path, body in documents.items()})
                reading: StatusReading = await reader.read(now=NOW)
                seen |= {one.id: one for one in reading.incidents}
            return seen
        finally:
            await session.aclose()

    with Loopback() as server:
        return asyncio.run(go(server))


def batches(found: list[Record], size: int) -> Iterator[list[Record]]:
    for start in range(0, len(found), size):
        yield found[start : start + size]


def first_said(one: Record) -> datetime:
    return min(parse_time(update["at"]) for update in one["updates"])


def _statuspage(found: list[Record], said: str = "created_at") -> Iterator[dict[str, str]]:
    for batch in batches(found, 50):
        entries = [
            {
                "id": one["id"],
                "name": one["title"],
                "status": one["updates"][-1]["status"].lower(),
                "impact": one["impact"],
                "started_at": one["started_at"],
                "incident_updates": [
                    {
                        "id": str(number),
                        "status": update["status"].lower(),
                        "body": update["message"],
                        said: update["at"],
                    }
                    for number, update in enumerate(reversed(one["updates"]))
                ],
            }
            for one in batch
        ]
        summary = {"page": {"id": "x"}, "status": {"indicator": "none", "description": ""}}
        yield {
            "/api/v2/summary.json": json.dumps(summary),
            "/api/v2/incidents.json": json.dumps({"incidents": entries}),
        }


@pytest.mark.parametrize(
    "name", ["cloudflare", "github-scraped", "bitbucket", "jira", "digitalocean", "netlify", "github"]
)
def test_statuspage_times_agree(name: str) -> None:
    """The first post is the earliest update's time, for every incident."""
    found = dated(records(name, 300))

    told = read(statuspage.build, _statuspage(found), name)

    assert len(found) > 100
    assert {one["id"]: first_said(one) for one in found} == {key: told[key].first_posted_at for key in told}


def test_incidentio_times_agree() -> None:
    """The imitation tells `display_at` only."""
    found = dated(records("llm-services", 400))

    told = read(incidentio.build, _statuspage(found, said="display_at"), "llm")

    assert {one["id"]: first_said(one) for one in found} == {key: told[key].first_posted_at for key in told}


def _history(found: list[Record]) -> Iterator[dict[str, str]]:
    """Statuspage's Atom: stamps without a year, to the minute; `published` is the last update."""
    for batch in batches(found, 25):
        entries = []
        for one in batch:
            updates = sorted(one["updates"], key=lambda update: str(update["at"]), reverse=True)
            body = "".join(
                f"<p><small>{parse_time(update['at']):%b} <var data-var='date'>{parse_time(update['at']):%d}</var>, "
                f"<var data-var='time'>{parse_time(update['at']):%H:%M}</var> UTC</small><br>"
                f"<strong>{update['status'].capitalize()}</strong> - {html.escape(update['message'])}</p>"
                for update in updates
            )
            entries.append(
                f"<entry><id>tag:x,2005:Incident/{one['id']}</id><published>{updates[0]['at']}</published>"
                f"<updated>{updates[0]['at']}</updated><link rel='alternate' href='https://x.example/incidents/{one['id']}'/>"
                f"<title>{html.escape(one['title'])}</title><content type='html'>{html.escape(body)}</content></entry>"
            )
        yield {"/history.atom": f"<feed xmlns='http://www.w3.org/2005/Atom'><title>X</title>{''.join(entries)}</feed>"}


@pytest.mark.parametrize("name", ["github", "cloudflare"])
def test_history_times_agree_to_the_minute(name: str) -> None:
    """From the feed alone: the year is inferred, the first update counts and not `published`."""
    found = dated(records(name, 300))

    told = read(feed.build, _history(found), name)

    wrong = {
        one["id"]: (first_said(one), told[one["id"]].first_posted_at)
        for one in found
        if abs(told[one["id"]].first_posted_at - first_said(one)) >= timedelta(minutes=1)
    }
    assert wrong == {}


def test_slack_times_agree() -> None:
    """Notes with an offset of their own."""
    found = dated(records("slack", 400))
    entries = [
        {
            "id": int(one["id"]),
            "date_created": parse_time(one["first_posted_at"]).astimezone(timezone(timedelta(hours=-8))).isoformat(),
            "date_updated": one["updates"][-1]["at"],
            "title": one["title"],
            "type": one["impact"],
            "status": "resolved",
            "services": one["components"],
            "notes": [{"date_created": u["at"], "body": u["message"]} for u in reversed(one["updates"])],
        }
        for one in found
    ]
    pages = (
        {slack.CURRENT: json.dumps({"status": "ok", "active_incidents": []}), slack.HISTORY: json.dumps(batch)}
        for batch in batches(entries, 40)
    )

    told = read(slack.build, pages, "slack")

    expected = {one["id"]: min(first_said(one), parse_time(one["first_posted_at"])) for one in found}
    assert expected == {key: one.first_posted_at for key, one in told.items()}


def test_google_times_agree() -> None:
    """`begin` is theirs to edit; the first update's `created` is when they spoke."""
    found = dated(records("gcp", 1100))
    entries = [
        {
            "id": one["id"],
            "begin": one["started_at"],
            "created": one["first_posted_at"],
            "end": one["ended_at"],
            "external_desc": one["title"],
            "severity": one["impact"],
            "updates": [{"created": u["at"], "when": u["at"], "text": u["message"]} for u in reversed(one["updates"])],
        }
        for one in found
    ]
    pages = ({"/incidents.json": json.dumps(batch)} for batch in batches(entries, 100))

    told = read(gcp.build, pages, "gcp")

    assert len(found) > 900
    assert {one["id"]: first_said(one) for one in found} == {key: one.first_posted_at for key, one in told.items()}


def test_aws_clock_times_fall_on_the_right_day() -> None:
    """Clock times without a day, in PST and PDT: the first agrees with the entry's date, the rest follow it."""
    found = [one for one in records("aws", 600) if all(update.get("at_text") for update in one["updates"])]
    entries = [
        {
            "service": one["id"].rpartition("|")[0],
            "service_name": one["components"][-1],
            "summary": one["title"],
            "date": one["id"].rpartition("|")[2],
            "status": "0",
            "description": "".join(
                f'<div><span class="yellowfg"> {u["at_text"]}</span>&nbsp;{html.escape(u["message"])}</div>'
                for u in one["updates"]
            ),
        }
        for one in found
    ]
    pages = ({aws.DATA: json.dumps({"current": batch, "archive": []})} for batch in batches(entries, 100))

    told = read(aws.build, pages, "aws")

    late = {
        one["id"]: told[one["id"].replace("|", "_")].first_posted_at - parse_time(one["first_posted_at"])
        for one in found
    }
    odd = {key: str(value) for key, value in late.items() if abs(value) > timedelta(minutes=2)}
    assert len(found) > 400
    assert len(odd) <= len(found) * 0.02, odd
    assert all(one.updates[-1].at - one.first_posted_at < timedelta(days=10) for one in told.values())


def _served(path: str, fixture: str, build: Build, *, now: datetime) -> StatusReading:
    body = (FIXTURES / fixture).read_bytes()

    async def go(server: Loopback) -> StatusReading:
        session = Session(allow_private=True, limits=Limits(min_interval=0))
        try:
            return await build("x", server.url, session).read(now=now)
        finally:
            await session.aclose()

    with Loopback({path: Reply(body)}) as server:
        return asyncio.run(go(server))


def test_the_documents_of_real_pages_are_read() -> None:
    """One document of each provider, as it was."""
    slack_page = _served(
        slack.CURRENT, "slack/current_2022-02-22.json", slack.build, now=parse_time("2022-02-22T19:00:00Z")
    )
    assert slack_page.state == "outage"
    assert slack_page.incidents[0].first_posted_at == parse_time("2022-02-22T14:25:11Z")

    data = _served(aws.DATA, "aws/data_json_2021-12-07.json", aws.build, now=parse_time("2021-12-08T00:00:00Z"))
    assert data.state == "degraded"
    assert min(one.first_posted_at for one in data.incidents if "management" in one.id) == parse_time(
        "2021-12-07T16:22:56Z"
    )

    google = _served("/incidents.json", "gcp/incidents_two.json", gcp.build, now=parse_time("2026-08-20T18:00:00Z"))
    assert {one.first_posted_at for one in google.incidents} == {
        parse_time("2026-02-27T16:12:30Z"),
        parse_time("2026-08-20T16:44:37Z"),
    }

    openai = _served(
        incidentio.SUMMARY,
        "incidentio/openai_compat_summary_incident.json",
        incidentio.build,
        now=parse_time("2026-08-05T19:10:00Z"),
    )
    assert openai.state == "degraded"
    assert openai.incidents[0].first_posted_at.isoformat(timespec="seconds") == "2026-08-05T16:55:54+00:00"
    calm = _served(incidentio.SUMMARY, "incidentio/openai_compat_summary_nominal.json", incidentio.build, now=NOW)
    assert (calm.state, calm.incidents) == ("operational", ())

    rss = _served(aws.FEED, "aws/status_rss_shape.rss", aws.build, now=parse_time("2026-03-03T17:00:00Z"))
    assert {one.first_posted_at for one in rss.incidents} == {
        parse_time("2026-03-03T16:40:00Z"),
        parse_time("2021-12-15T20:16:32Z"),
    }
    assert rss.state == "outage"

    parse_com = _served("/history.rss", "statuspage/parse_history_2014_trimmed.rss", feed.build, now=NOW)
    assert min(one.first_posted_at for one in parse_com.incidents) == parse_time("2013-12-26T19:57:00Z")
    github = _served("/history.atom", "statuspage/github_history_trimmed.atom", feed.build, now=NOW)
    assert all(one.resolved_at is not None and one.first_posted_at < one.resolved_at for one in github.incidents)
