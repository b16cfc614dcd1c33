"""Daemons that share the services: nobody judges what is another's, together they tell the same, one may take over."""

from __future__ import annotations

import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.app.build import Blueprint, blueprint, make_pipeline
from detector.classify.keyword import build as keyword
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings, load_settings
from detector.domain import Post
from detector.errors import ConfigError
from detector.store import open_reader
from tests.backfill import made
from tests.cli.test_watch import accepted, feed, line_with, watch
from tests.loopback import Loopback, Reply

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def plan(share: str | None, **more: object) -> Blueprint:
    env = {"DETECTOR_PARTITION": share} if share else {}
    settings = load_settings(None, env)
    watch = settings.watch.model_copy(update=more)
    return blueprint(settings.model_copy(update={"watch": watch}), load_catalogue())


def test_partitions_divide_the_services_and_not_the_budget() -> None:
    """Each service is one's, and a budget for the fleet is shared by all services, not by those of a partition."""
    whole = plan(None, fleet_budget="12/year")
    shares = [plan(f"{number}/3", fleet_budget="12/year") for number in (1, 2, 3)]

    assert sorted(s.slug for each in shares for s in each.services) == sorted(s.slug for s in whole.services)
    assert {each.budget for each in shares} == {whole.budget}


def test_a_post_for_others_is_not_judged() -> None:
    """A post that names two services is a mention of the own one only."""
    post = Post(source="s", id="1", created_at=NOW, seen_at=NOW, text="are Slack and GitHub and Discord all down?")
    heard = [
        [mention.service for mention in make_pipeline(plan(f"{number}/2"), keyword(), None).match([post])]
        for number in (1, 2)
    ]

    assert all(heard)
    assert sorted(heard[0] + heard[1]) == ["discord", "github", "slack"]


def test_partitions_together_tell_what_one_daemon_tells(tmp_path: Path) -> None:
    """The same archive through two partitions: the alerts of one pipeline, by service, level and moment.

    Of services none of which hosts another: a cause is seen by the daemon that owns both.
    """
    path = made.write(tmp_path / "social.jsonl", made.lines())
    apart = ("claude", "discord", "github", "slack", "zoom")
    owned = [[s.slug for s in plan(f"{n}/2", services=apart).services] for n in (1, 2)]

    def told(services: list[str]) -> list[tuple[str, object, object]]:
        done = made.by_one_pipeline([path], services=services)
        return [(alert.service, alert.fired_at, alert.level) for alert in done.alerts]

    whole = told(list(apart))
    assert all(owned)
    assert len(whole) > 1
    assert sorted(told(owned[0]) + told(owned[1])) == sorted(whole)


def test_more_partitions_than_services_are_refused() -> None:
    """A daemon that would watch nothing says so instead of being calm."""
    with pytest.raises(ConfigError, match="owns none of 1 services"):
        [plan(f"{number}/3", services=("slack",)) for number in (1, 2, 3)]


SETTINGS = """
[watch]
services = ["claude", "slack"]
classifier = "keyword"
partition = "1/1"
[sources.feeds]
google_news = false
mastodon = []
interval = 5
[sources.feeds.urls]
first = { url = "URL/first", allow_private = true }
[status]
enabled = false
"""


@pytest.mark.slow
def test_a_second_daemon_stands_by_and_goes_on_where_a_killed_one_stopped(tmp_path: Path) -> None:
    """`--standby` beside a running daemon, `kill -9`: the lock is free, the database is taken over with its posts."""
    with Loopback({"/first": Reply(feed(3), headers={"Content-Type": "application/atom+xml"})}) as server:
        (tmp_path / "detector.toml").write_text(SETTINGS.replace("URL", server.url), encoding="utf-8")
        database = tmp_path / "detector-1of1.db"
        owner, seen = watch(tmp_path), list[str]()
        second: subprocess.Popen[str] | None = None
        try:
            line_with(owner, "ready", seen)
            assert accepted(database, 3) == 3
            second = watch(tmp_path, "--standby")
            assert f"process {owner.pid}" in line_with(second, "standing by", seen)
            owner.kill()
            owner.communicate(timeout=20)
            line_with(second, "taking over", seen)
            line_with(second, "ready", seen)
        finally:
            for process in filter(None, (owner, second)):
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)

    assert second.returncode == 0
    with open_reader(database) as reader:
        assert len(reader.posts_back("feed:first", since=datetime(2020, 1, 1, tzinfo=UTC), before=None, limit=9)) == 3


def test_the_default_is_the_whole() -> None:
    """Nothing set, nothing divided."""
    assert plan(None).services == blueprint(Settings(), load_catalogue()).services
