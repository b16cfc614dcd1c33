"""`detector report`: one outage from the database, as Markdown and as a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from detector.cli import cli
from detector.domain import MINUTE, IncidentUpdate, PageState, StatusReading
from detector.protocols import Harvest
from detector.store import Store
from tests.app.morning import engine_on, scenario, warm_database
from tests.builders import make_incident

EVIL = "claude is down <script>alert(1)</script> | `x` [a](javascript:alert(1))"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the whole morning; from minute 28 every post that names Claude ends in markup."""
    path = warm_database(tmp_path_factory.mktemp("report") / "morning.db")
    start = scenario().starts_at
    posted = start + 67 * MINUTE
    incident = replace(
        make_incident(0, service="claude", id="demo", title="Errors <b>everywhere</b>"),
        first_posted_at=posted,
        resolved_at=posted + 60 * MINUTE,
        updates=(IncidentUpdate(at=posted + 9 * MINUTE, status="identified", text="a cause | found"),),
    )
    with Store.open(path, now=start) as store:
        engine = engine_on(store)
        engine.restore(start)
        for n in range(180):
            now = start + (n + 1) * MINUTE
            new = [post for post in scenario().posts if now - MINUTE < post.seen_at <= now]
            if n >= 28:
                new = [replace(post, text=f"{post.text} {EVIL}") if "laude" in post.text else post for post in new]
            engine.take("all", Harvest(posts=tuple(new)), now)
        store.add_reading(
            StatusReading(service="claude", at=posted + 70 * MINUTE, state=PageState.OUTAGE, incidents=(incident,))
        )
    return path


@pytest.fixture(scope="module")
def key(db: Path) -> str:
    return str(run("alerts", "--db", db).stdout.split()[0])


def test_the_report_tells_the_whole_story(db: Path, key: str) -> None:
    """Summary, figures, timeline with the official updates, quotes, who was told, and the lead."""
    told = run("report", key, "--db", db)

    assert told.exit_code == 0, told.stderr
    for part in ("## Summary", "## Figures", "## Timeline", "## What people said", "## Who was told"):
        assert part in told.stdout
    assert "min before the official page |" in told.stdout
    assert "| official | official: identified a cause \\| found |" in told.stdout
    assert "| people | the earliest of the quoted posts" in told.stdout
    assert "console" in told.stdout


def test_nothing_that_people_wrote_is_markup(db: Path, key: str, tmp_path: Path) -> None:
    """Neither in the Markdown nor on the page."""
    page = tmp_path / "report.html"
    told = run("report", key, "--db", db, "--html", page)
    html = page.read_text(encoding="utf-8")

    assert told.exit_code == 0, told.stderr
    for text in (told.stdout, html):
        assert "<script" not in text
        assert "&lt;script&gt;" in text
        assert "<b>every" not in text
    assert "](javascript" not in told.stdout
    assert html.startswith("<!doctype html>")
    assert 'class="mark page"' in html
    assert "src=" not in html


def test_an_unknown_alert_names_the_known(db: Path, key: str) -> None:
    """With exit code 2."""
    told = run("report", "nothing", "--db", db)

    assert told.exit_code == 2
    assert key in told.stderr


def test_a_page_that_cannot_be_written_is_named(db: Path, key: str, tmp_path: Path) -> None:
    """With what to do; the Markdown is out already."""
    told = run("report", key, "--db", db, "--html", tmp_path / "no" / "such.html")

    assert told.exit_code == 2
    assert "choose another --html" in told.stderr
