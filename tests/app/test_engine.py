"""The engine: every step is recorded whole, and a restart anywhere leads to the same alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.app.engine import Engine, Step
from detector.domain import MINUTE, Alert, Level, PageState, Post, Reason, Silence, StatusReading
from detector.errors import StoreError
from detector.protocols import Harvest
from detector.store import Store
from tests.app.morning import copy_of, engine_on, scenario, warm_database
from tests.chaos import parts


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warm_database(tmp_path_factory.mktemp("warm") / "warm.db")


def morning(minutes: int) -> list[list[Post]]:
    """The posts of the first so many minutes, one list a minute."""
    start = scenario().starts_at
    return [
        [post for post in scenario().posts if start + n * MINUTE < post.seen_at <= start + (n + 1) * MINUTE]
        for n in range(minutes)
    ]


def feed(engine: Engine, n: int, posts: list[Post]) -> list[Step]:
    now = scenario().starts_at + (n + 1) * MINUTE
    by_source: dict[str, list[Post]] = {}
    for post in posts:
        by_source.setdefault(post.source, []).append(post)
    steps = [
        engine.take(source, Harvest(posts=tuple(some), cursor=str(n)), now)
        for source, some in sorted(by_source.items())
    ]
    return [*steps, engine.pass_time(now)]


def outcome(store: Store) -> tuple[list[Alert], list[tuple[str, str]], list[str]]:
    alerts = store.read.alerts()
    changes = [
        (change.alert_key, change.reason.value) for each in alerts for change in store.read.alert_changes(each.key)
    ]
    return alerts, changes, sorted(each.id for each in store.read.notifications())


@pytest.fixture(scope="module")
def undisturbed(
    warm: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Alert], list[tuple[str, str]], list[str]]:
    with Store.open(copy_of(warm, tmp_path_factory.mktemp("plain")), now=scenario().starts_at) as store:
        engine = engine_on(store)
        engine.restore(scenario().starts_at)
        for n, posts in enumerate(morning(50)):
            feed(engine, n, posts)
        return outcome(store)


def test_the_morning_raises_one_alert_and_one_message(undisturbed: tuple[list[Alert], Any, list[str]]) -> None:
    """One alert on Claude within minutes of the first complaints, told to the console."""
    (alert,), _, messages = undisturbed

    assert alert.service == "claude"
    assert alert.level.rank >= Level.ALERT.rank
    assert alert.fired_at is not None
    assert alert.fired_at - scenario().starts_at < timedelta(minutes=34)
    assert len(messages) == 1 + (alert.level is Level.MAJOR)


@pytest.mark.parametrize("every", [2, 7])
def test_a_restart_anywhere_leads_to_the_same_alerts(
    warm: Path, tmp_path: Path, every: int, undisturbed: tuple[list[Alert], Any, list[str]]
) -> None:
    """The engine is thrown away every few minutes, without a word of farewell, and rebuilt from the database."""
    with Store.open(copy_of(warm, tmp_path), now=scenario().starts_at) as store:
        engine = engine_on(store)
        engine.restore(scenario().starts_at)
        for n, posts in enumerate(morning(50)):
            if n % every == 0:
                engine = engine_on(store)
                engine.restore(scenario().starts_at + n * MINUTE)
            feed(engine, n, posts)

        assert outcome(store) == undisturbed


def test_posts_stored_but_not_judged_are_taken_up_after_a_restart(
    warm: Path, tmp_path: Path, undisturbed: tuple[list[Alert], Any, list[str]]
) -> None:
    """Killed between storing and judging: the next start judges them, once."""
    with Store.open(copy_of(warm, tmp_path), now=scenario().starts_at) as store:
        engine = engine_on(store)
        engine.restore(scenario().starts_at)
        minutes = morning(50)
        for n, posts in enumerate(minutes[:30]):
            feed(engine, n, posts)
        at = scenario().starts_at + 31 * MINUTE
        for source in {post.source for post in minutes[30]}:
            store.add_posts(source, [post for post in minutes[30] if post.source == source], "x", now=at)
        engine = engine_on(store)
        engine.restore(at)
        for n, posts in enumerate(minutes[31:], 31):
            feed(engine, n, posts)

        assert not store.pending_posts()
        assert [alert.key for alert in outcome(store)[0]] == [alert.key for alert in undisturbed[0]]


class _Failing(Store):
    """A store whose disk is full for one step."""

    full = False

    def record(self, **step: Any) -> int:
        if self.full:
            raise StoreError("the disk is full; free some space")
        return super().record(**step)


def test_a_step_that_cannot_be_recorded_is_made_again(
    warm: Path, tmp_path: Path, undisturbed: tuple[list[Alert], Any, list[str]]
) -> None:
    """Memory went on, the database did not: the state is rebuilt, and nothing is lost or doubled."""
    with _Failing.open(copy_of(warm, tmp_path), now=scenario().starts_at) as store:
        assert isinstance(store, _Failing)
        engine = engine_on(store)
        engine.restore(scenario().starts_at)
        for n, posts in enumerate(morning(50)):
            if n == 30:
                store.full = True
                steps = feed(engine, n, posts)
                assert steps
                assert all(step.adrift is not None and "disk is full" in str(step.adrift) for step in steps)
                store.full = False
            feed(engine, n, posts)

        assert outcome(store)[0] == undisturbed[0]
        assert not store.pending_posts()


def test_a_silenced_service_is_recorded_but_nobody_is_told(warm: Path, tmp_path: Path) -> None:
    """The alert and the decision are there, the message is not."""
    with Store.open(copy_of(warm, tmp_path), now=scenario().starts_at) as store:
        at = scenario().starts_at
        store.add_silence(Silence(id="s-1", service="claude", starts_at=at, ends_at=at + timedelta(hours=3)))
        engine = engine_on(store)
        engine.restore(at)
        for n, posts in enumerate(morning(40)):
            feed(engine, n, posts)

        (alert,) = store.read.alerts()
        assert alert.fired_at is not None
        assert store.read.notifications() == []
        assert {each.reason.value for each in store.read.decisions(alert.key)} >= {"silenced"}


def test_an_unreadable_page_is_kept_as_unknown(tmp_path: Path) -> None:
    """A reading without an incident changes no alert and is on record."""
    with Store.open(tmp_path / "d.db", now=scenario().starts_at) as store:
        engine = engine_on(store)
        engine.restore(scenario().starts_at)
        step = engine.take_reading(
            StatusReading(
                service="claude", at=scenario().starts_at, state=PageState.UNKNOWN, description="cannot be read"
            )
        )

        assert step.changes == ()
        official = store.read.official("claude", scenario().starts_at)
        assert official is not None
        assert official.state is PageState.UNKNOWN


def test_a_checkpoint_of_another_version_is_not_trusted(warm: Path, tmp_path: Path) -> None:
    """The state is then rebuilt from the judgements, with a word in the log."""
    with Store.open(copy_of(warm, tmp_path), now=scenario().starts_at) as store:
        checkpoint = store.latest_checkpoint()
        assert checkpoint is not None
        store.save_checkpoint({**checkpoint.state, "format": 99}, checkpoint.sequence, now=checkpoint.at)
        engine = engine_on(store)
        engine.restore(scenario().starts_at)

        assert not engine.pipeline.detector("claude").learning


def test_a_service_that_is_watched_no_more_ends_its_outage(tmp_path: Path) -> None:
    """Taken out of the settings while it fails: the daemon starts, the outage is over and told, the others go on."""
    path, at = tmp_path / "d.db", datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
    with Store.open(path, now=at) as store:
        engine = parts.engine_on(store, parts.services(2))
        engine.restore(at)
        for n in range(2):
            posts = tuple(parts.complaint(n, 10 * n + each, at) for each in range(3))
            engine.take("oracle", Harvest(posts=posts, cursor=str(n)), at)
        # Judged after the checkpoint: these are weighed again by the restart.
        engine.take("oracle", Harvest(posts=(parts.complaint(0, 99, at),), cursor="2"), at)
    later = at + timedelta(minutes=3)
    for _ in range(2):
        with Store.open(path, now=later) as store:
            engine = parts.engine_on(store, parts.services(2)[1:])
            engine.restore(later)
            engine.pass_time(later + timedelta(minutes=1))
            states = {alert.service: alert.state.value for alert in store.read.alerts()}
            ends = [each.alert.service for each in store.read.notifications() if each.reason is Reason.RESOLVED]

        assert states == {"zorbex0": "resolved", "zorbex1": "firing"}
        assert ends == ["zorbex0"]
