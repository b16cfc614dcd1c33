"""Taking a run of mentions from columns leaves the same detector, and the same signals, as one at a time."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from detector.detect.scan import ScanDetector, build
from detector.detect.talk import Skims, Talk
from detector.domain import (
    Budget,
    Coverage,
    CoverageState,
    Judgement,
    Mention,
    Post,
    Probabilities,
    Service,
    to_minutes,
)
from detector.protocols import Signal
from tests.builders import START

SLACK = Service(slug="slack", name="Slack", timezone="Europe/Berlin")


def talk_of(judgements: list[Judgement]) -> Talk:
    posts = [judgement.mention.post for judgement in judgements]
    return Talk(
        known=[to_minutes(post.seen_at) for post in posts],
        written=[to_minutes(post.created_at) for post in posts],
        complaint=[judgement.p.complaint for judgement in judgements],
        now=[judgement.p.now for judgement in judgements],
        report=[judgement.p.report for judgement in judgements],
        source=[post.source for post in posts],
        official=[post.official for post in posts],
    )


def mixed(seed: int, count: int = 2500) -> list[Judgement]:
    """Chatter, complaints, three outages, silences, late and official posts, young accounts."""
    rng = random.Random(seed)
    gap = (300.0, 1000.0, 3000.0)[seed % 3]
    at, failing, outages = START, 0, set(rng.sample(range(count // 2, count), 3))
    made = []
    for number in range(count):
        failing = 120 if number in outages else max(0, failing - 1)
        at += timedelta(seconds=rng.expovariate(1.0 / (gap / 40 if failing else gap)))
        at += timedelta(hours=rng.choice([1, 7, 50]) if rng.random() < 0.0005 else 0)
        complains = rng.random() < (0.7 if failing else 0.03)
        p = rng.betavariate(9, 1.0) if complains else rng.betavariate(0.5, 30)
        shares = [rng.random() ** 4 for _ in range(4)] if rng.random() < 0.2 else [0.01, 0.02, 0.01, 0.96]
        rest = [(1.0 - p) * share / sum(shares) for share in shares]
        post = Post(
            source=rng.choice(["reddit:r/a", "bluesky", "hackernews"]),
            id=str(number),
            created_at=at - timedelta(minutes=rng.choice([0, 0, 0, 0, 2, 30, 70])),
            seen_at=at,
            text=" ".join(f"word{rng.randrange(200)}" for _ in range(rng.randint(3, 20))),
            author=rng.choice([None, f"u{rng.randrange(2000)}"]),
            official=rng.random() < 0.01,
            account_created_at=rng.choice([None, at - timedelta(days=2)]),
        )
        mention = Mention(post=post, service="slack", matched="slack")
        made.append(Judgement(mention=mention, p=Probabilities(p, *rest), classifier="made@0"))
    return made


@pytest.mark.parametrize("seed", range(6))
def test_skimming_leaves_the_same_state_and_signals_as_observing(seed: int) -> None:
    """To the last bit, also with a deaf span, at any density."""
    judgements = mixed(seed)
    third = judgements[len(judgements) // 3].mention.post.seen_at
    deaf = Coverage(source="x", from_at=third, to_at=third + timedelta(hours=3), state=CoverageState.FAILING)
    detectors: list[ScanDetector] = []
    said: list[list[Signal]] = []
    for skims in (False, True):
        detector = build(SLACK, Budget.parse("3/month"), 0.2)
        if seed % 2:
            detector.hear(deaf)
        places = detector.skim(talk_of(judgements)) if skims else range(len(judgements))
        said.append([signal for place in places for signal in detector.observe(judgements[place])])
        detectors.append(detector)

    assert said[0]
    assert said[0] == said[1]
    assert detectors[0].dump() == detectors[1].dump()


def test_most_mentions_are_taken_without_being_observed() -> None:
    """Otherwise it would not be worth having."""
    judgements = mixed(1)
    detector = build(SLACK, Budget.parse("1/year"), 0.2)
    observed = 0
    for place in detector.skim(talk_of(judgements)):
        detector.observe(judgements[place])
        observed += 1

    assert isinstance(detector, Skims)
    assert 0 < observed < len(judgements) / 2
