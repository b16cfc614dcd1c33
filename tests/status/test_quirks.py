"""What is peculiar to each kind of status page: components, ends, regions, zones, restarts, things that disappear."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from detector.domain import PageState
from detector.status import incidentio
from detector.status.feed_entries import FeedEntry
from detector.status.feed_updates import events
from tests.loopback import Loopback, Reply
from tests.status.pages import FIXTURES, NOW, PAGES, by_id, doc, read, read_twice, run, titled

LATER = NOW + timedelta(minutes=10)


def test_incidentio_tells_the_past_from_its_history() -> None:
    """`created_at` is given later than the first update there; the earliest update counts."""
    past = titled(read("incidentio"), "Whistle is silent")

    assert past.first_posted_at == datetime(2026, 3, 1, 12, 21, tzinfo=UTC)
    assert past.resolved_at == datetime(2026, 3, 1, 13, 10, tzinfo=UTC)


def test_incidentio_without_its_history_closes_what_is_gone() -> None:
    """Open at one look, left out at the next: over when we saw it, with the first sight of before."""
    calm = {incidentio.SUMMARY: doc("incidentio/summary_calm.json")}

    first, second = read_twice("incidentio", calm, LATER)

    assert second.state is PageState.OPERATIONAL
    gone = titled(second, "Boiler")
    assert (gone.resolved_at, gone.first_seen_at) == (LATER, NOW)
    assert titled(first, "Boiler").resolved_at is None


def test_the_widget_keeps_maintenances_apart_and_names_components() -> None:
    """Planned work lies ahead and changes no state."""
    reading = read("widget")

    assert titled(reading, "Descaling").maintenance
    assert titled(reading, "Boiler").components == ("Boiler",)
    assert titled(reading, "Boiler").impact == "major"


def test_the_widget_without_its_list_is_unknown() -> None:
    """A missing key is not an empty list."""
    assert read("widget", {incidentio.WIDGET: Reply('{"components": []}')}).state is PageState.UNKNOWN


def test_the_proxy_document_is_understood_too() -> None:
    """The page's own browser asks `/proxy/HOST`; the summary is wrapped."""
    wrapped = {"summary": json.loads((FIXTURES / "incidentio/widget.json").read_text())}

    def everything(request: object) -> Reply:
        return Reply(json.dumps(wrapped))

    class Routes(dict[str, object]):
        def get(self, key: str, default: object = None) -> object:
            return everything if key.startswith("/proxy/127.0.0.1") else default

    build, _, _ = PAGES["widget"]
    with Loopback() as server:
        server.routes = Routes()  # type: ignore[assignment]
        reading = run(lambda session: build("kettle", server.url, session).read(now=NOW))

    assert reading.state is PageState.OUTAGE


def test_slack_counts_notes_and_keeps_maintenances_apart() -> None:
    """The first note came a minute before the incident's own date; services are its components."""
    reading = read("slack")

    incident = by_id(reading)["2001"]
    assert [update.text for update in incident.updates][-1] == "Some kettles are back."
    assert incident.components == ("Login/SSO", "Messaging")
    assert by_id(reading)["1999"].resolved_at == datetime(2026, 2, 20, 10, tzinfo=UTC)
    assert by_id(reading)["1998"].maintenance


def test_slack_that_says_active_but_not_what_is_unknown() -> None:
    """A key that is missing, and a list that is empty, while something goes on."""
    assert read("slack", {"/api/v2.0.0/current": Reply('{"status":"active"}')}).state is PageState.UNKNOWN
    odd = Reply('{"status":"active","active_incidents":[]}')
    assert read("slack", {"/api/v2.0.0/current": odd}).state is PageState.UNKNOWN


def test_google_ends_with_the_first_all_clear_and_not_with_the_report() -> None:
    """Post-mortems come weeks later; `end` is edited and earlier than what they said."""
    past = by_id(read("gcp"))["bbb222"]

    assert past.resolved_at == datetime(2026, 2, 1, 10, 10, tzinfo=UTC)
    assert past.stated_start == datetime(2026, 2, 1, 8, tzinfo=UTC)
    assert past.components == ("Kettle Run", "Somewhere (eu-west9)")


def test_a_fragment_keeps_what_concerns_the_service() -> None:
    """One page for many products: only what names the product or region is ours."""
    assert set(by_id(read("gcp", path="#Kettle Mail"))) == {"aaa111"}
    assert read("gcp", path="#Kettle%20Run").state is PageState.OPERATIONAL
    assert [one.title for one in read("aws events", path="#us-east-9,global").incidents] == ["Kettles stay cold"]


def test_an_incident_that_nobody_touched_for_a_week_says_nothing_about_now() -> None:
    """AWS keeps regions open for months: listed, but not the page's state."""
    reading = read("aws events", path="#me-far-1")

    assert reading.state is PageState.OPERATIONAL
    assert [one.resolved_at for one in reading.incidents] == [None]


def test_aws_clock_times_pass_midnight_and_change_with_summer() -> None:
    """PST in March before the change, PDT in July; a stamp may have its day."""
    reading = read("aws data")

    assert [update.at for update in titled(reading, "Kettles").updates] == [
        datetime(2026, 3, 2, 7, 20, 41, tzinfo=UTC),
        datetime(2026, 3, 2, 8, 5, tzinfo=UTC),
        datetime(2026, 3, 2, 12, 30, tzinfo=UTC),
    ]
    cups = titled(reading, "Cups")
    assert (cups.first_posted_at, cups.resolved_at) == (
        datetime(2025, 7, 10, 1, 6, 41, tzinfo=UTC),
        datetime(2025, 7, 10, 2, 40, tzinfo=UTC),
    )
    assert cups.title == "Cups leak"


def test_aws_updates_under_new_guids_are_one_incident_with_one_name() -> None:
    """Also when the feed drops the first of them."""
    text = (FIXTURES / "aws/all.rss").read_text()
    start = text.index("<item>", text.index("1772454600"))
    shorter = text[:start] + text[text.index("</channel>") :]

    first, second = read_twice("aws feed", {"/rss/all.rss": Reply(shorter)}, LATER)

    kettles = titled(first, "Kettles")
    assert len(kettles.updates) == 2
    assert titled(second, "Kettles").id == kettles.id
    assert titled(first, "Cups").resolved_at == datetime(2025, 7, 11, 2, 40, tzinfo=UTC)


def test_azure_closes_what_left_the_feed() -> None:
    """The feed holds what is going on and nothing else."""
    first, second = read_twice("azure", {"/en-us/status/feed/": doc("azure/feed_calm.rss")}, LATER)

    assert titled(first, "Kettles").components == ("Kettles", "West Nowhere")
    assert (second.state, titled(second, "Kettles").resolved_at) == (PageState.OPERATIONAL, LATER)


def test_better_stack_believes_the_state_and_not_the_missing_end() -> None:
    """`ends_at` is null on resolved reports; automatic ones have both ends; maintenances are apart."""
    reading = by_id(read("betterstack"))

    assert reading["70"].resolved_at == datetime(2026, 2, 20, 10, 10, tzinfo=UTC)
    assert reading["70"].components == ("Whistle",)
    assert reading["72"].first_posted_at == datetime(2026, 2, 25, 9, tzinfo=UTC)
    assert reading["72"].resolved_at == datetime(2026, 2, 25, 9, 4, tzinfo=UTC)
    assert reading["73"].maintenance
    assert reading["73"].resolved_at is None
    odd = {"data": {"attributes": {"company_name": "Kettle"}}, "included": []}
    assert read("betterstack", {"/index.json": Reply(json.dumps(odd))}).state is PageState.UNKNOWN


def test_instatus_without_its_history_speaks_when_we_saw_it() -> None:
    """`started` is set by hand, so it is only the stated start; the older summary is understood too."""
    alone = {"/summary.json": doc("instatus/summary.json")}

    incident = titled(read("instatus", alone), "Boiler")

    assert incident.first_posted_at == NOW
    assert incident.stated_start == datetime(2026, 3, 2, 11, tzinfo=UTC)
    with_history = by_id(read("instatus"))
    assert with_history["cl0"].resolved_at == datetime(2026, 2, 20, 10, 10, tzinfo=UTC)
    assert with_history["cm1"].maintenance


def test_instatus_with_issues_and_no_list_is_degraded() -> None:
    """The page says so itself."""
    assert read("instatus", {"/summary.json": Reply('{"page":{"status":"HASISSUES"}}')}).state is PageState.DEGRADED


def test_a_history_is_read_over_the_turn_of_the_year() -> None:
    """No year is printed; a post-mortem is not the end; maintenances are apart."""
    reading = by_id(read("feed"))

    assert reading["k1"].first_posted_at == datetime(2026, 1, 1, 5, 5, tzinfo=UTC)
    assert reading["k1"].resolved_at == datetime(2026, 1, 1, 6, 30, tzinfo=UTC)
    assert reading["k0"].maintenance
    assert [update.status for update in reading["k0"].updates] == ["scheduled", "in_progress", "completed"]


def test_updates_of_one_link_are_one_incident() -> None:
    """Each update is an entry of its own, told apart by a fragment."""
    (incident,) = read("feed of updates").incidents

    assert (incident.id, incident.title) == ("98", "Boiler heats slowly")
    assert incident.first_posted_at == datetime(2026, 3, 2, 12, 20, tzinfo=UTC)
    assert incident.resolved_at == datetime(2026, 3, 2, 12, 45, tzinfo=UTC)


def test_a_feed_of_incidentio_begins_when_its_id_was_made() -> None:
    """One entry an incident, with the last word only; the ULID tells when it was put up."""
    (incident,) = read("feed", {"/feed.atom": doc("incidentio/feed.atom")}).incidents

    assert incident.first_posted_at.replace(microsecond=0) == datetime(2026, 3, 2, 12, 20, 5, tzinfo=UTC)
    assert incident.resolved_at == datetime(2026, 3, 2, 12, 40, tzinfo=UTC)
    assert incident.components == ("Boiler",)


def test_a_feed_is_found_where_the_page_names_it() -> None:
    """In its head, relative to where the page was finally found."""
    html = '<html><head><link rel="alternate" type="application/rss+xml" href="feeds/all.rss"></head></html>'
    routes = {
        "/": Reply(status=302, headers={"Location": "/status/"}),
        "/status/": Reply(html, headers={"Content-Type": "text/html"}),
        "/status/feeds/all.rss": doc("statusfeed/history.rss"),
    }

    assert titled(read("feed", routes), "Boiler").id == "k2"


def test_an_empty_or_wordless_feed_is_unknown() -> None:
    """A feed that does not say whether something is over says nothing about now; after a day it is history."""
    empty = "<rss version='2.0'><channel><title>K</title></channel></rss>"
    item = "<item><title>Boiler</title><guid>1</guid><pubDate>Mon, 02 Mar 2026 12:00:00 GMT</pubDate></item></channel>"
    wordless = {"/feed": Reply(empty.replace("</channel>", item))}

    assert read("feed", {"/feed": Reply(empty)}).state is PageState.UNKNOWN
    assert read("feed", wordless).state is PageState.UNKNOWN
    old = read("feed", wordless, now=NOW + timedelta(days=2))
    assert (old.state, old.incidents[0].resolved_at is not None) == (PageState.OPERATIONAL, True)


def test_a_feed_with_entities_is_refused() -> None:
    """A billion laughs, or a file of ours: neither is read."""
    bomb = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><channel><item><title>&a;</title></item></channel></rss>'
    routes = {"/feed.atom": Reply(bomb), "/feed.rss": doc("statusfeed/updates.rss")}

    assert titled(read("feed", routes), "Boiler").id == "98"


def test_entries_without_date_or_words_are_left_out() -> None:
    """And a zone nobody knows is taken from the entry's own date."""
    said = "<p><small>Mar 2, {} XKT</small><br><strong>{}</strong> - words</p>"
    stamped = said.format("20:50", "Resolved") + said.format("20:20", "Investigating")
    entries = [
        FeedEntry(title="no date"),
        FeedEntry(published="2026-03-02T12:00:00Z"),
        FeedEntry(id="z", title="Zone", body=stamped, updated="2026-03-02T12:50:00Z"),
    ]

    (event,) = events(entries, NOW)

    assert event.updates[0][1] == datetime(2026, 3, 2, 12, 20, tzinfo=UTC)
