"""The same posts in one batch or in many, stopped anywhere or not, give the same changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.backfill.replay import replay
from detector.backfill.truth import TruthClassifier
from detector.detect.scan import ScanDetector, build
from detector.domain import Budget, Change, Coverage, CoverageState, Post, Service, to_minutes
from detector.pipeline import Pipeline
from tests.builders import NameInText, at, make_post, stream

DAY = 1440.0
SERVICES = [
    Service(slug="aws", name="AWS"),
    Service(slug="slack", name="Slack", hosted_on=("aws",)),
    Service(slug="zoom", name="Zoom", hosted_on=("aws",)),
]
END = at(6 * DAY)


def pipeline() -> Pipeline:
    return Pipeline(
        services=SERVICES,
        matcher=NameInText([service.slug for service in SERVICES]),
        classifier=TruthClassifier(),
        make_detector=lambda service: build(service, Budget.parse("1/year"), 0.2),
    )


def archive() -> list[Post]:
    """Six days: Slack fails on day four, Zoom with it, then AWS is named; chatter all along."""
    begin = 4 * DAY + 500
    rates = {"slack": (0.01, 1.0, 0.0), "zoom": (0.01, 0.5, 4.0), "aws": (0.005, 0.7, 9.0)}
    posts: list[Post] = []
    for slug, (usual, failing, after) in rates.items():
        start = begin + after

        def rate(minute: float, usual: float = usual, failing: float = failing, start: float = start) -> float:
            return usual + (failing if start < minute < start + 50 else 0.0)

        posts += [
            make_post(
                (judgement.mention.post.created_at - at(0)).total_seconds() / 60,
                number=number,
                source=f"place-{number % 3}",
                text=f"{slug} is down",
                truth="complaint" if number % 5 else "other",
            )
            for number, judgement in enumerate(stream(rate, 6 * DAY, seed=31, service=slug))
        ]
    return sorted(posts, key=lambda post: post.order)


POSTS = archive()


def run(batches: Iterable[Sequence[Post]], restart_at: int | None = None) -> list[Change]:
    running = pipeline()
    changes: list[Change] = []
    for number, batch in enumerate(batches):
        if number == restart_at:
            state = json.loads(json.dumps(running.dump()))
            running = pipeline()
            running.load(state)
        if batch:
            changes += running.feed(batch, batch[-1].seen_at)
    return [*changes, *running.feed([], END)]


EXPECTED = run([POSTS])


def test_the_archive_holds_what_the_properties_need() -> None:
    """Alerts of all three services, a cause among them, all closed: else the properties would hold of nothing."""
    last = {change.alert.key: change.alert for change in EXPECTED}

    assert {alert.service for alert in last.values()} == {"aws", "slack", "zoom"}
    assert any(alert.cause == "aws" for alert in last.values())
    assert all(alert.ended_at is not None for alert in last.values())


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, len(POSTS)), max_size=40))
def test_batching_changes_nothing(cuts: list[int]) -> None:
    """How often we poll is no evidence."""
    edges = [0, *sorted(cuts), len(POSTS)]

    assert run(POSTS[a:b] for a, b in pairwise(edges)) == EXPECTED


@settings(max_examples=15, deadline=None)
@given(size=st.integers(1, 60), restart=st.integers(0, 40))
def test_a_restart_anywhere_changes_nothing(size: int, restart: int) -> None:
    """State through JSON continues identically."""
    batches = [POSTS[i : i + size] for i in range(0, len(POSTS), size)]

    assert run(batches, restart_at=restart % len(batches)) == EXPECTED


def test_changes_come_in_order_of_time() -> None:
    """Across services too, so that a cause is known when its child is told."""
    times: list[datetime] = [change.at for change in EXPECTED]

    assert times == sorted(times)


def test_i8_the_replay_is_the_same_pipeline() -> None:
    """The last state of each alert equals the live path's."""
    replayed = replay(POSTS, pipeline(), batch=7)
    until = replayed.last_at
    assert until is not None
    live = {change.alert.key: change.alert for change in EXPECTED if change.at <= until}

    assert replayed.alerts.keys() == live.keys()
    assert replayed.posts == len(POSTS)


def test_f14_posts_in_any_order_within_a_batch_are_taken_in_theirs() -> None:
    """`Post.order` decides, not the collector's listing."""
    assert pipeline().feed(reversed(POSTS), POSTS[-1].seen_at) == pipeline().feed(POSTS, POSTS[-1].seen_at)


def test_unwatched_services_are_dropped() -> None:
    """A mention of something else costs nothing later."""
    narrow = Pipeline(
        services=SERVICES[:1],
        matcher=NameInText(["aws", "slack"]),
        classifier=TruthClassifier(),
        make_detector=lambda service: build(service, Budget.parse("1/year"), 0.2),
    )

    assert {mention.service for mention in narrow.match(POSTS)} == {"aws"}


def test_a_silent_source_reaches_every_detector_that_knows_where_people_speak() -> None:
    """It drops out of the expectation, also of the state that a restart takes up."""
    running = pipeline()
    running.feed(POSTS, END)

    running.muffle(Coverage(source="place-1", from_at=END, to_at=at(6 * DAY + 60), state=CoverageState.FAILING))

    again = pipeline()
    again.load(json.loads(json.dumps(running.dump())))
    for slug in ("aws", "slack", "zoom"):
        detectors = [side.detector(slug) for side in (running, again)]
        assert all(isinstance(one, ScanDetector) for one in detectors)
        heard = [one.usual.places.heard(to_minutes(END) + 30) for one in detectors if isinstance(one, ScanDetector)]
        assert heard[0] == heard[1]
        assert 0.5 < heard[0] < 0.8
