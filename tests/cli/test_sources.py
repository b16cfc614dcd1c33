"""`detector sources`: how each is doing, and one asked over loopback."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner, Result

from detector.app.clock import system_now
from detector.cli import cli
from detector.domain import MINUTE, Coverage, CoverageState, Post, format_time, parse_time
from detector.protocols import Harvest
from detector.store import Store
from detector.transport.hosts import RESTS
from tests.app.morning import engine_on
from tests.loopback import Loopback, Reply

ATOM = {"Content-Type": "application/atom+xml"}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def feed(*titles: str) -> Reply:
    now = format_time(system_now())
    entries = "".join(
        f"<entry><id>tag:example.org,2026:{n}</id><title>{title}</title><updated>{now}</updated></entry>"
        for n, title in enumerate(titles)
    )
    return Reply(
        f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entries}</feed>',
        headers=ATOM,
    )


def settings(folder: Path, server: Loopback, *names: str) -> Path:
    urls = ", ".join(f'{name} = {{ url = "{server.url}/{name}", allow_private = true }}' for name in names)
    path = folder / "detector.toml"
    path.write_text(
        f"[sources.feeds]\ngoogle_news = false\nmastodon = []\nurls = {{ {urls} }}\n[sources.reddit]\n",
        encoding="utf-8",
    )
    return path


def test_a_source_is_asked_once_and_what_it_brought_is_shown(tmp_path: Path) -> None:
    """How many, how many name a watched service, the newest; nothing is left behind."""
    with Loopback({"/here": feed("Claude is down for me", "a nice day")}) as server:
        done = run("sources", "test", "feed:here", "--config", settings(tmp_path, server, "here"))
        asked = server.paths()

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("feed:here: 2 posts in ")
    assert "1 name a watched service" in done.stdout
    assert "Claude is down for me  [claude]" in done.stdout
    assert asked == ["/here"]
    assert [each.name for each in tmp_path.iterdir()] == ["detector.toml"]


def test_all_places_of_a_source_are_asked_and_a_failing_one_is_named(tmp_path: Path) -> None:
    """By the settings' name; exit code 1."""
    with Loopback({"/here": feed("Slack is down")}) as server:
        done = run("sources", "test", "feeds", "--show", "0", "--config", settings(tmp_path, server, "here", "gone"))

    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 2
    assert "feed:gone: failed: " in done.stdout
    assert "404" in done.stdout
    assert "1 of 2 did not answer" in done.stderr


def test_a_source_without_its_key_or_of_no_name_is_explained(tmp_path: Path) -> None:
    """The key that is missing; the names there are."""
    with Loopback() as server:
        path = settings(tmp_path, server, "here")
        keyless = run("sources", "test", "reddit", "--config", path)
        unknown = run("sources", "test", "nobody", "--config", path)

    assert keyless.exit_code == 1
    assert "sources.reddit is off" in keyless.stderr
    assert unknown.exit_code == 2
    assert "feed:here" in unknown.stderr
    assert "hackernews" in unknown.stderr


def test_state_lag_gaps_and_the_next_poll_are_shown(database: Path) -> None:
    """Of a source that answered a minute ago, and read what had been written 90 seconds before."""
    now = system_now()
    with Store.open(database, now=now) as store:
        engine = engine_on(store)
        engine.restore(now)
        post = Post(
            source="hackernews", id="late", created_at=now - timedelta(seconds=90), seen_at=now, text="Claude is down"
        )
        engine.take("hackernews", Harvest(posts=(post,), cursor="1", rejected=(("old", 2),)), now)
        store.add_coverage(
            [
                Coverage(
                    source="hackernews", from_at=now - 20 * MINUTE, to_at=now - 10 * MINUTE,
                    state=CoverageState.GAP, lower_bound=7, note="too many",
                ),
                Coverage(source="hackernews", from_at=now - MINUTE, to_at=now, state=CoverageState.OK),
                Coverage(
                    source="feed:dead", from_at=now - MINUTE, to_at=now, state=CoverageState.FAILING,
                    note=f"{RESTS}dead.example failed 5 times in a row, tried again in 9 s",
                ),
            ]
        )  # fmt: skip
        store.tally("hackernews", masked=3, budget="74 of 100 requests a minute")
        store.tally("hackernews", masked=4)

    rows = {row["source"]: row for row in map(json.loads, run("sources", "--json").stdout.splitlines())}
    shown = run("sources")

    found = rows["hackernews"]
    assert found["state"] == "ok"
    assert found["lag_seconds"] == 90
    assert (found["gaps"], found["gap_minutes"], found["missed_at_least"]) == (1, 10, 7)
    assert timedelta() < parse_time(found["next_poll_at"]) - now <= timedelta(minutes=10)
    assert rows["bluesky"]["next_poll_at"] is None
    assert rows["bluesky"]["state"] == "stale"
    assert "90 s" in shown.stdout
    assert "1, 10 min" in shown.stdout
    assert "rejected 2: old" in shown.stdout
    assert (found["people_masked"], found["budget"]) == (7, "74 of 100 requests a minute")
    assert "left: 74 of 100 requests a minute" in shown.stdout
    assert "masked 7: people named in posts" in shown.stdout
    assert (found["circuit"], rows["feed:dead"]["circuit"]) == ("closed", "open")
    assert "circuit open: dead.example failed 5 times in a row" in shown.stdout
