"""What a monitoring system reads: queue, judgements, outbox, canary, lag and score, beside the board's figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from detector.app.load import Load
from detector.app.page import page_surroundings
from detector.classify.keyword import build as keyword
from detector.domain import Mention, Reason
from detector.store import Store, open_reader
from detector.web import create_app
from tests.app.morning import plan
from tests.store.builders import make_alert, make_judgement, make_notification, make_post, minute

NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
WORKINGS = {
    "queue_bytes": 4711.0,
    "queue_waiting": 2.0,
    "judgements_per_second": 12.5,
    "clock_jumps": 1.0,
    "loop_errors": 0.0,
}


def read(path: Path, workings: Mapping[str, float]) -> dict[tuple[str, str], float]:
    around = page_surroundings(plan(), lambda: NOW, lambda: workings)
    with TestClient(create_app(lambda: open_reader(path), around=around, hosts=["testserver"])) as client:
        text = client.get("/metrics").text
    return {
        (sample.name.removeprefix("detector_"), "/".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_hold_what_a_watcher_of_the_watcher_asks(tmp_path: Path) -> None:
    """From the database, and from the daemon beside."""
    posts = [replace(make_post(n), created_at=minute(n) - timedelta(seconds=30 * n)) for n in (1, 2)]
    with Store.open(tmp_path / "d.db", now=NOW) as store:
        store.add_posts("hackernews", posts, None, now=NOW)
        alert = make_alert(posts=posts)
        store.record(
            now=minute(5),
            judged=posts,
            judgements=[make_judgement(post) for post in posts],
            alerts=[(alert, Reason.OPENED)],
            notifications=[make_notification(alert=alert)],
        )

    found = read(tmp_path / "d.db", WORKINGS)

    assert {name: found[name, ""] for name in WORKINGS} == WORKINGS
    assert found["judgements_total", ""] == 2
    assert found["outbox_age_seconds", ""] == (NOW - minute(5)).total_seconds()
    assert found["source_lag_seconds", "hackernews"] == 45.0
    assert found["score", "claude"] == 9.1
    assert found["score", "github"] == 0.0


def test_a_page_without_a_daemon_keeps_silent_of_its_workings(tmp_path: Path) -> None:
    """An absent figure is better than a zero that nobody measured."""
    Store.open(tmp_path / "d.db", now=NOW).close()

    found = read(tmp_path / "d.db", {})

    assert not {name for name, _ in found} & set(WORKINGS)
    assert found["outbox_age_seconds", ""] == 0.0


def test_the_rate_is_that_of_the_last_minute() -> None:
    """Judgements before it do not count."""
    seconds = [0.0]
    load = Load(None, monotonic=lambda: seconds[0])
    mentions = [Mention(post=make_post(n), service="claude", matched="claude") for n in range(30)]

    load.judge(keyword(), mentions)
    assert load.rate == 0.5
    seconds[0] = 59.0
    load.judge(keyword(), mentions)
    assert load.rate == 1.0
    seconds[0] = 61.0
    assert load.rate == 0.5
