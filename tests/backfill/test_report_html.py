"""The printable report: complete, inert, self-contained, and the same bytes whatever the batch."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from detector.backfill.leads import against_chance, place, reach
from detector.backfill.lines import write_out
from detector.backfill.pairing import outages
from detector.backfill.pictures import MOST, choose
from detector.backfill.report_html import render, write_report
from detector.backfill.run import Backfilled, backfill
from detector.backfill.timeline import AFTER, BEFORE, STEP, Timeline
from detector.backfill.truth import TruthClassifier
from detector.detect.scan import build
from detector.domain import Budget, Incident, Post
from detector.errors import UsageError
from tests.builders import SLACK, NameInText, at, make_alert, make_incident, make_judgement, make_post

EVIL = 'slack is down <script>alert(1)</script> & "more" @somebody'
NAMES = {"slack": "Slack <b>"}
WEEK = 7 * 1440


def archive(weeks: int = 3) -> list[Post]:
    """Quiet talk, and twelve people within minutes each Thursday noon."""
    posts = [make_post(minute, text="slack has emoji", truth="other") for minute in range(0, weeks * WEEK, 90)]
    for week in range(weeks):
        noon = week * WEEK + 3 * 1440 + 720
        posts += [make_post(noon + n, number=n, text=f"{EVIL} {week} {n}", truth="complaint") for n in range(12)]
    return sorted(posts, key=lambda post: post.order)


def incidents(weeks: int = 3) -> list[Incident]:
    """The page speaks twenty minutes late on the first two Thursdays, and of something nobody noticed."""
    thursdays = [week * WEEK + 3 * 1440 + 740 for week in range(weeks - 1)]
    found = [make_incident(minute, minute + 60, title=f"Trouble <i>{minute}</i>") for minute in thursdays]
    return [*found, make_incident(5 * 1440, 5 * 1440 + 30, title="A <script>quiet</script> miss", id="quiet")]


def replayed(batch: int = 4000, record: list[Incident] | None = None) -> Backfilled:
    return backfill(
        archive(),
        services=[SLACK],
        matcher=NameInText(["slack"]),
        classifier=TruthClassifier(),
        make_detector=build,
        budget=Budget.parse("1/year"),
        incidents=incidents() if record is None else record,
        batch=batch,
        bad_lines=lambda: {"no <text>": 2},
        assumptions=lambda: ["times without zone are UTC <"],
    )


def page(done: Backfilled) -> str:
    return render(done, title="an <archive>", budget="1/year", names=NAMES)[0]


class Tags(HTMLParser):
    """Which elements a page has, and what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "srcset", "data", "style"}]
        self.loads += [value or "" for name, value in attrs if name == "href" and tag != "a"]


def test_what_strangers_wrote_is_text() -> None:
    """No element, no handler, no address to load comes from a post, a title, a name or the archive."""
    text = page(replayed())
    tags = Tags()
    tags.feed(text)

    assert "&lt;script&gt;" in text
    assert {"script", "i", "archive"}.isdisjoint(tags.names)
    assert tags.loads == []
    assert "@somebody" not in text
    assert text.count("<b>") == text.count("</b>")
    assert "Slack &lt;b&gt;" in text


def test_everything_is_said() -> None:
    """What was found with its lead, what is to be judged with its quotes, what was missed, what was assumed."""
    done = replayed()
    text = page(done)

    assert [pairing.verdict.value for pairing in done.pairings].count("early") == 2
    assert "We alerted on 2 of 3 outages in the official record." in text
    assert "min before</span>" in text
    assert "To be judged: 1 unmatched alert<" in text
    assert "<span></span>true<span></span>false" in text
    assert "Missed: 1<" in text
    assert "2 lines dropped: no &lt;text&gt;" in text
    assert "times without zone are UTC &lt;" in text


def test_any_batch_gives_the_same_files(tmp_path: Path) -> None:
    """The report, every picture, and the lines beside them."""
    for batch in (1, 37, 4000):
        folder = tmp_path / str(batch)
        done = replayed(batch)
        write_out(folder, done.alerts, done.pairings, done.scoreboard)
        write_report(folder, done, title="t", budget="b", names=NAMES)
    names = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.*") if path.is_file())

    assert {"report.html", "alerts.jsonl", "pairings.jsonl"} <= {path.name for path in names}
    assert sum(path.suffix == ".svg" for path in names) == 4
    for name in names:
        if name.name != "summary.json":  # it tells how long the stages took
            assert len({(tmp_path / str(batch) / name).read_bytes() for batch in (1, 37, 4000)}) == 1, name


def test_every_picture_is_sound_xml_with_its_own_colours() -> None:
    """A file for slides stands alone."""
    done = replayed()
    _, files = render(done, title="t", budget="b", names=NAMES)

    for name, svg in files.items():
        root = ET.fromstring(svg)  # noqa: S314 - our own drawing
        assert root.tag == "{http://www.w3.org/2000/svg}svg", name
        assert "--accent" in svg


def test_a_picture_shows_the_people_and_each_moment() -> None:
    """Twelve people in three steps of five minutes, and the four moments in words."""
    done = replayed()
    found = [each for each in choose(done, NAMES) if each.group == "found"]
    label = re.search(r'aria-label="([^"]*)"', found[0].svg)

    assert label is not None
    assert "12 people complained" in label[1]
    for word in ("onset", "our alert", "official", "resolved"):
        assert word in label[1]


def test_at_most_forty_pictures_and_the_rest_in_the_lists() -> None:
    """However many alerts there are."""
    done = replayed()
    alerts = [make_alert(1000.0 * n, key=f"slack-{n}") for n in range(200)]
    pairings = [replace(done.pairings[-1], alert_key=alert.key) for alert in alerts]
    many = replace(done, alerts=alerts, pairings=pairings)

    assert len(choose(many, NAMES)) == MOST
    assert "140 more</summary>" in page(many)
    assert len(page(many)) < 5_000_000


def test_a_replay_without_a_record_says_so() -> None:
    """Nothing is claimed that nothing supports."""
    text = page(replayed(record=[]))

    assert "No official record covers this archive" in text
    assert "How early" not in text


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="choose another --out"):
        write_report(tmp_path / "file", replayed(), title="t", budget="b", names=NAMES)


def test_chance_counts_the_minutes_in_which_an_alert_would_have_met_the_outage() -> None:
    """From an hour before its first post to its end, each minute in the bar of the lead it would have given."""
    (outage,) = outages([make_incident(1000, 1090)])
    shares = reach(outage, at(0), at(5000))

    assert sum(shares) == pytest.approx(150)
    assert sum(shares[place(0.1) :]) == pytest.approx(60)
    assert shares[0] == 0.0


def test_the_leads_are_all_in_the_chart() -> None:
    """One found outage more is one more in a bar."""
    chart = against_chance(replayed())

    assert chart is not None
    assert chart.found == sum(count for _, count, _ in chart.rows) == 2
    assert chart.expected is not None
    assert 0 < chart.expected < 0.2


def test_the_timeline_counts_a_person_once_a_step_and_forgets_what_no_picture_needs() -> None:
    """Far from alerts and outages nothing is kept; near them, and of the last hours, everything."""
    timeline = Timeline([("slack", at(0), at(60))])
    judged = [make_judgement(minute, number=n, author=f"a{n % 2}") for minute in (1, 2, 3000, 9000) for n in range(4)]
    for judgement in judged:
        timeline.add([judgement])
        timeline.tidy(judgement.mention.post.seen_at)
    timeline.pin(make_alert(9000))

    assert sum(timeline.between("slack", at(0), at(60))) == 2
    assert sum(timeline.between("slack", at(2900), at(3100))) == 0
    assert sum(timeline.between("slack", at(9000) - BEFORE, at(9000) + AFTER)) == 2
    assert timeline.people["slack"] == 6
    assert timedelta(minutes=5) == STEP
