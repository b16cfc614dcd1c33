"""`detector explain`: the argument in words, a picture of it, then the details; also when the posts are gone."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner, Result

from detector.app.clock import system_now
from detector.cli import cli
from detector.domain import MINUTE, Incident, PageState, StatusReading
from detector.store import Store
from tests.app.morning import scenario


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def key_of(database: Path) -> str:
    return run("alerts", "--db", database).stdout.split()[0]


def told(database: Path) -> str:
    done = run("explain", key_of(database))
    assert done.exit_code == 0, done.output
    return done.stdout


def bars(text: str) -> dict[str, int]:
    """The picture's rows: people by the time of the step."""
    return {at: int(people) for at, people in re.findall(r"^  (\d\d:\d\d) +(\d+)  ", text, re.MULTILINE)}


def test_the_argument_comes_first_and_can_be_read_aloud(database: Path) -> None:
    """People against what is usual, how rare, where, since when; before any detail."""
    text = told(database)
    first = " ".join(text.partition("The argument")[0].split())

    for part in (
        r"Claude: [\d.]+ people in [\d.]+ minutes, where fewer than 0\.1 are usual at this hour",
        r"; by chance less than once in",
        r"They wrote on bluesky [\d.]+, .*hackernews [\d.]+.* \(\d\d different people",
        r"The trouble began about 12:1\d UTC, and we alerted at 12:3\d, 1\d min later\.",
        "No official page is read for it. It is still going on.",
    ):
        assert re.search(part, first), (part, first)
    assert text.index("People who complain") < text.index("The argument") < text.index("Who was told")


def test_the_picture_shows_the_people_the_store_counted(database: Path) -> None:
    """Nobody before, most when we alerted, and as many # as people."""
    text = told(database)

    people = bars(text)
    assert people["12:00"] == 0
    assert people["12:30"] == max(people.values()) >= 10
    row = next(line for line in text.splitlines() if line.startswith("  12:30"))
    assert row.count("#") == people["12:30"]
    assert row.endswith("< we alert")
    assert "  12:15    1  |#  < it begins" in text


def test_the_official_page_speaks_in_words_and_picture(database: Path) -> None:
    """It posted eight minutes after us: the lead is in the paragraph, the mark in its step."""
    with Store.open(database, now=system_now()) as store:
        (alert,) = store.read.alerts()
        assert alert.fired_at is not None
        posted = alert.fired_at + 8 * MINUTE
        incident = Incident(service="claude", id="i", title="Errors", impact="major", first_posted_at=posted)
        store.add_reading(StatusReading(service="claude", at=posted, state=PageState.OUTAGE, incidents=(incident,)))

    text = " ".join(told(database).split())

    assert "The official page first spoke 8 min after us." in text
    assert "< the official page speaks" in text


def test_without_texts_the_numbers_are_still_there(database: Path) -> None:
    """The quotes are gone, the picture counts posts and says so."""
    before = bars(told(database))
    with Store.open(database, now=system_now()) as store:
        store.forget_older_than(scenario().ends_at, now=system_now())

    text = told(database)

    assert "(no longer kept)" in text
    assert "a post counts as a person" in text
    assert bars(text)["12:30"] >= before["12:30"]
    assert "is claude down or did I" not in text


def test_where_nothing_is_kept_that_is_said(database: Path) -> None:
    """An alert whose posts are not in the database: hours where there are totals, else a plain word."""
    import sqlite3

    with sqlite3.connect(database) as conn:
        conn.execute("DELETE FROM judgements")
        conn.execute("INSERT INTO hourly VALUES ('claude', 'bluesky', '2026-10-05T12:00:00.000000Z', 40, 20.5, 21)")
    conn.close()
    by_hours = told(database)
    with sqlite3.connect(database) as conn:
        conn.execute("DELETE FROM hourly")
    conn.close()
    nothing = told(database)

    assert "  12:00   21  #####################" in by_hours
    assert "People who complained in each hour" in by_hours
    assert "No count of people is kept" in nothing
    assert "Who was told" in nothing


def test_the_end_is_told(database: Path) -> None:
    """An alert that closed says when and after how long."""
    from dataclasses import replace

    from detector.cli.explain import paragraph

    with Store.open(database, now=system_now()) as store:
        (alert,) = store.read.alerts()
    over = replace(alert, ended_at=alert.onset_at + timedelta(hours=2))

    assert paragraph(over, None, "Claude").endswith(f"It was over at {over.ended_at:%H:%M}, after 2 h.")
