"""Times are stored in UTC and shown in the zone of whoever looks, on both sides of a change of the clocks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from detector.app.build import blueprint
from detector.app.page import page_surroundings, services_health
from detector.cli import cli
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.domain import AlertState, Coverage, CoverageState, Reason, ServiceState
from detector.store import Store, open_reader
from detector.web import create_app
from tests.store.builders import make_alert, make_post

# In Berlin the clocks go back at 01:00 UTC: both of these are half past two there.
BEFORE = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
AFTER = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two outages of one night, and settings of somebody in Berlin."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "detector.toml").write_text(
        '[watch]\nservices = ["claude", "github"]\n[display]\ntimezone = "Europe/Berlin"\n', encoding="utf-8"
    )
    with Store.open(tmp_path / "detector.db", now=BEFORE) as store:
        for service, at, ended in (("claude", BEFORE, AFTER), ("github", AFTER, None)):
            alert = make_alert(f"{service}-1", posts=[make_post()])
            alert = replace(
                alert, onset_at=at, watch_at=at, fired_at=at, updated_at=at, ended_at=ended,
                state=AlertState.RESOLVED if ended else AlertState.FIRING,
            )  # fmt: skip
            store.record(now=at, alerts=[(alert, Reason.OPENED)])
    return tmp_path


def run(*words: str) -> str:
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code in {0, 1, 2}, done.output
    return done.stdout


def test_f12_the_command_line_shows_the_zone_and_its_name(folder: Path) -> None:
    """Half past two happens twice in that night, and the name of the zone tells which."""
    claude, github = sorted(run("alerts").splitlines())

    assert "2026-10-25 02:30 - 10-25 02:30 CET" in claude
    assert "2026-10-25 02:30 - still firing (CET)" in github
    assert "02:30 CEST" in run("explain", "claude-1")
    assert "02:30 CET" in run("explain", "github-1")
    assert "alert since 2026-10-25 02:30 CET" in run("status", "github")


def test_programs_are_told_utc(folder: Path) -> None:
    """JSON is the contract, whatever people see."""
    lines = [json.loads(line) for line in run("alerts", "--json").splitlines()]

    assert {line["fired_at"] for line in lines} == {"2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"}


def settings(zone: str) -> Settings:
    return Settings.model_validate({"watch": {"services": ["claude", "github"]}, "display": {"timezone": zone}})


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "01:30"),
        ("Europe/Berlin", "02:30"),
        ("America/New_York", "21:30"),
        ("Asia/Kolkata", "07:00"),
        ("Pacific/Chatham", "15:15"),
    ],
)
def test_f12_the_page_shows_the_zone(folder: Path, zone: str, shown: str) -> None:
    """The text is in the zone, the attribute for machines in UTC, and the zone is named; also for the scripts."""
    plan = blueprint(settings(zone), load_catalogue())
    app = create_app(
        lambda: open_reader(folder / "detector.db"), around=page_surroundings(plan, lambda: AFTER), hosts=["testserver"]
    )
    with TestClient(app) as client:
        board = client.get("/", headers={"Accept": "text/html"}).text
        told = client.get("/api/board").json()

    assert f'datetime="2026-10-25T01:30:00.000Z">{shown}</time>' in board
    assert f'data-zone="{zone}"' in board
    assert f"All times are {zone}." in board
    assert {row["since"] for row in told["services"]} == {"2026-10-25T01:30:00.000Z", None}


def test_without_a_daemon_nothing_is_known_on_the_page_either(tmp_path: Path) -> None:
    """What was heard minutes ago says nothing of now; the one rule of `detector status` holds for the page."""
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    plan = blueprint(settings("Asia/Kolkata"), load_catalogue())
    with Store.open(tmp_path / "d.db", now=now) as store:
        alive = now - timedelta(minutes=3)
        store.touch(now=alive)
        store.add_coverage(
            [Coverage(source="s", from_at=alive - timedelta(minutes=9), to_at=alive, state=CoverageState.OK)]
        )
        heard = services_health(plan, store.read, frozenset(), now)
        with store._transaction() as conn:
            conn.execute(
                "INSERT INTO meta (key, value) VALUES ('alive_at', ?)", (f"{alive:%Y-%m-%dT%H:%M:%S.000000Z}",)
            )
        gone = services_health(plan, store.read, frozenset(), now)

    assert {each.state for each in heard.values()} == {ServiceState.OK}
    assert {each.state for each in gone.values()} == {ServiceState.UNKNOWN}
    assert {each.why for each in gone.values()} == {"no daemon has been alive since 2026-03-02 17:27 IST"}


def test_f12_a_replay_clock_knows_no_zone() -> None:
    """Sleeping over a change of the clocks takes as long as on any day."""
    from detector.app.clock import ReplayClock

    async def sleep() -> timedelta:
        clock = ReplayClock(BEFORE)
        with clock.taking_part():
            await clock.sleep(3600)
        return clock.now() - BEFORE

    assert asyncio.run(sleep()) == timedelta(hours=1)
