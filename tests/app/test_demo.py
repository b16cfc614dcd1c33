"""The recorded morning: what its files hold, and that the demo shows it the same way every time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from detector.app.demo import run_demo
from detector.app.loopback import LocalServer, slack_text
from detector.app.scenario import RecordedSource, load_scenario, names, quiet_weeks
from detector.domain import MINUTE, parse_time
from detector.errors import UsageError
from detector.store import open_reader


def test_the_morning_is_as_described() -> None:
    """A Monday from 8 AM Eastern, 350 to 500 posts, at least 60 authors in the flood, the page forty minutes late."""
    scenario = load_scenario("claude-monday")
    flood = [each for each in scenario.posts if 27 <= (each.created_at - scenario.starts_at) / MINUTE < 67]
    posted = parse_time(scenario.documents[1]["incidents"]["incidents"][0]["created_at"])

    assert scenario.starts_at.isoformat() == "2026-10-05T12:00:00+00:00"
    assert scenario.starts_at.weekday() == 0
    assert 350 <= len(scenario.posts) <= 500
    assert len({each.author for each in flood if "laude" in each.text}) >= 60
    assert len({each.text for each in scenario.posts}) == len(scenario.posts)
    assert {"hackernews", "mastodon", "bluesky", "reddit:r/ClaudeAI", "news"} == {
        each.source for each in scenario.posts
    }
    assert 38 <= (posted - flood[0].created_at) / MINUTE <= 42


def test_the_quiet_weeks_are_quiet_and_always_the_same() -> None:
    """Two weeks and a day, some eleven posts an hour, few complaints, nothing after the morning begins."""
    scenario = load_scenario("claude-monday")

    posts = list(quiet_weeks(scenario.rule, until=scenario.starts_at))

    assert posts == list(quiet_weeks(scenario.rule, until=scenario.starts_at))
    assert 3000 <= len(posts) <= 4500
    assert posts[-1].seen_at < scenario.starts_at
    assert len({each.id for each in posts}) == len(posts)
    complaints = Counter(each.text in scenario.rule["complaints"] for each in posts)
    assert 0.01 < complaints[True] / len(posts) < 0.06


def test_an_unknown_scenario_names_the_known() -> None:
    """With exit code 2."""
    with pytest.raises(UsageError, match="claude-monday"):
        load_scenario("tuesday")
    assert "claude-monday" in names()


def test_a_recorded_source_tells_each_post_once_and_when_to_come_back() -> None:
    """Never a post before its time."""
    scenario = load_scenario("claude-monday")
    source = RecordedSource("bluesky", scenario.posts)

    async def listen() -> int:
        cursor, now, heard = None, scenario.starts_at, 0
        while now < scenario.last_at + MINUTE:
            harvest = await source.poll(cursor, now=now)
            assert all(each.created_at <= now for each in harvest.posts)
            heard += len(harvest.posts)
            assert harvest.poll_after is not None
            cursor, now = harvest.cursor, now + harvest.poll_after * MINUTE / 60
        return heard

    assert asyncio.run(listen()) == sum(each.source == "bluesky" for each in scenario.posts)


@pytest.mark.slow
def test_the_demo_shows_the_whole_story_and_the_same_each_time(tmp_path: Path) -> None:
    """Alert half an hour and more before the page, one message for each step, resolution; two runs, one text."""
    runs: list[list[str]] = []
    for n in range(2):
        folder = tmp_path / str(n)
        folder.mkdir()
        lines: list[str] = []
        alert = asyncio.run(run_demo(load_scenario("claude-monday"), folder, lines.append, speed=None))
        runs.append(lines)
        assert alert is not None
        assert alert.fired_at is not None
        assert alert.ended_at is not None
        assert alert.official is not None

    shown = "\n".join(runs[0])
    assert runs[0] == runs[1]
    assert shown.count("┌─ Slack") >= 3
    assert "OFFICIAL PAGE  outage, investigating" in shown
    assert "Ann presses “It is real” in Slack" in shown
    assert "Answered: Ann: it is real (12:32)" in shown
    with open_reader(tmp_path / "0" / "demo.db") as reader:
        assert [(word.real, word.comment) for word in reader.feedback()] == [(True, "Ann, by slack")]
    assert int(shown.split("Lead")[1].split()[0]) >= 30
    (kept,) = json.loads((tmp_path / "0" / "slack.json").read_text())
    assert kept["message"]["text"].startswith("✅ Claude: over after")
    assert [answer["message"]["text"][:22] for answer in kept["thread"]][-1] == "✅ Claude: over after 1"
    assert any("the provider confirms" in answer["message"]["text"] for answer in kept["thread"])


@pytest.mark.slow
def test_the_page_shows_the_morning_and_the_report_is_left_behind(tmp_path: Path) -> None:
    """As a person runs it: the address is printed, the board answers with the outage, the report's path ends it."""
    out = tmp_path / "kept"
    command = [str(Path(sys.executable).with_name("detector")), "demo", "--page", "--fast", "--out", str(out)]
    env = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    boards: list[dict[str, object]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as running:
        assert running.stdout is not None
        lines = []
        for line in running.stdout:
            lines.append(line)
            if "The live page" in line:
                address = line.split()[-1]
            if "┌─ Slack, in the thread" in line:
                with urllib.request.urlopen(f"{address}api/board", timeout=20) as reply:  # noqa: S310
                    boards.append(json.load(reply))
    assert running.returncode == 0
    states = {each["slug"]: each["state"] for board in boards for each in board["services"]}  # type: ignore[attr-defined]
    assert "outage" in {each["state"] for board in boards for each in board["services"]}, states  # type: ignore[attr-defined]
    assert lines[-1].split() == ["Report", str(out / "report.html")]
    assert "Claude" in (out / "report.html").read_text(encoding="utf-8")


def test_a_slack_message_is_shown_as_the_channel_shows_it() -> None:
    """Headers, sections, contexts and dividers; escapes undone; the bare text where there are no blocks."""
    message = {
        "text": "short",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "down"}},
            {"type": "divider"},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "&lt;b&gt;\nc"}]},
        ],
    }

    assert slack_text(message) == ["down", "-" * 24, "<b>", "c"]
    assert slack_text({"text": "short"}) == ["short"]


def test_the_local_server_listens_on_loopback_only() -> None:
    """And is gone after its block."""
    with LocalServer(lambda _path, _body: (200, "text/plain", b"")) as server:
        assert server.url.startswith("http://127.0.0.1:")
