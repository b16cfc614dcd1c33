"""F31, F32: more than can be judged in time. The sample is fair, its estimate careful, and the rest comes later."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detector.app.engine import Engine
from detector.app.intake import Intake, weight
from detector.app.load import LEAST, LEAST_OF_A_GROUP, Load, estimates, sample
from detector.classify.keyword import build as keyword
from detector.domain import Judgement, Mention, Post, Probabilities
from detector.match.matcher import NameMatcher
from detector.pipeline import Pipeline
from detector.protocols import Harvest
from detector.store import Store
from tests.chaos.parts import Threshold, services

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


class Slow:
    """A classifier that takes a hundredth of a second for each mention, by a clock of its own."""

    name = "slow@1"
    prior = 0.5

    def __init__(self) -> None:
        self.seconds = 0.0
        self.judged = 0
        self._inner = keyword()

    def judge(self, mentions: Sequence[Mention]) -> list[Judgement]:
        self.seconds += 0.01 * len(mentions)
        self.judged += len(mentions)
        return self._inner.judge(mentions)

    def clock(self) -> float:
        return self.seconds


def said(count: int, *, share: float, minute: int = 0, seed: int = 1) -> tuple[Post, ...]:
    """Posts about one service of which a share complains."""
    luck = random.Random(seed)
    at = START + timedelta(minutes=minute)
    return tuple(
        Post(
            source="flood", id=f"{minute}-{n}", created_at=at, seen_at=at, author=f"a{minute}-{n}",
            text="Zorbex0 is down for me" if luck.random() < share else "I like Zorbex0 very much",
        )
        for n in range(count)
    )  # fmt: skip


def engine_on(store: Store, classifier: Slow, *, seconds: float | None) -> Engine:
    watched = services(2)
    matcher = NameMatcher(watched)
    return Engine(
        store=store,
        make_pipeline=lambda: Pipeline(
            services=watched, matcher=matcher, classifier=classifier,
            make_detector=lambda service: Threshold(service.slug),
        ),
        receivers=[],
        load=Load(seconds, monotonic=classifier.clock),
        lexical=keyword(),
    )  # fmt: skip


def totals(store: Store) -> list[tuple[str, str, datetime, int, float, int]]:
    store.rollup()
    hours = store.read.hours("zorbex0", since=START, until=START + timedelta(days=1))
    return [(one.service, one.source, one.hour, one.mentions, round(one.complaints, 6), one.people) for one in hours]


def test_f31_totals_end_equal_to_a_run_without_load(tmp_path: Path) -> None:
    """Ten minutes of a hundred times more than can be judged, then calm: every post judged once, the same totals."""
    ends = []
    for name, seconds in (("calm", None), ("loaded", 2.0)):
        classifier = Slow()
        with Store.open(tmp_path / f"{name}.db", now=START) as store:
            engine = engine_on(store, classifier, seconds=seconds)
            engine.restore(START)
            for minute in range(10):
                posts = said(1000 if minute else 40, share=0.4, minute=minute)
                now = START + timedelta(minutes=minute)
                step = engine.take("flood", Harvest(posts=posts, cursor=str(minute)), now)
                if seconds and minute:
                    assert len(step.judgements) <= LEAST + 2 * LEAST_OF_A_GROUP
                    assert len(step.posts) + len(step.estimated) == len(posts)
            if seconds:
                assert len(store.estimated_posts(10**6)) > 5000
                # A restart in the middle counts nothing twice either.
                engine = engine_on(store, classifier, seconds=seconds)
                engine.restore(START + timedelta(minutes=10))
            for minute in range(11, 80):
                engine.pass_time(START + timedelta(minutes=minute))
            assert store.estimated_posts(1) == []
            assert store.pending_posts() == []
            assert classifier.judged == 9040
            ends.append(totals(store))

    assert ends[0] == ends[1]


def test_f31_an_outage_under_load_is_seen_at_once(tmp_path: Path) -> None:
    """The sample and its estimate carry the alert; nobody waits for the rest."""
    with Store.open(tmp_path / "d.db", now=START) as store:
        engine = engine_on(store, Slow(), seconds=2.0)
        engine.restore(START)
        engine.take("flood", Harvest(posts=said(40, share=0.0)), START)
        step = engine.take("flood", Harvest(posts=said(3000, share=0.3, minute=1)), START + timedelta(minutes=1))

        assert step.estimated
        assert [change.reason.value for change in step.changes][:1] == ["opened"]


def test_f31_a_backlog_is_gone_through_once_not_once_for_each_post_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 3,000 posts nearly all are left out: telling them from the others costs a few looks at each, not millions."""
    looks = [0]
    honest = Post.__hash__

    def counted(self: Post) -> int:
        looks[0] += 1
        return honest(self)

    monkeypatch.setattr(Post, "__hash__", counted)
    with Store.open(tmp_path / "d.db", now=START) as store:
        engine = engine_on(store, Slow(), seconds=2.0)
        engine.restore(START)
        engine.take("flood", Harvest(posts=said(40, share=0.0)), START)
        step = engine.take("flood", Harvest(posts=said(3000, share=0.3, minute=1)), START + timedelta(minutes=1))

    assert len(step.estimated) > 2000
    assert len(step.posts) + len(step.estimated) == 3000
    assert looks[0] < 10 * 3000


def test_the_sample_is_seeded_and_leaves_out_neither_the_oldest_nor_the_newest() -> None:
    """The same posts in any order give the same sample; each tenth of the minute gives its share of it."""
    watched = services(1)
    matcher, lexical = NameMatcher(watched), keyword()
    mentions = [mention for post in said(5000, share=0.2) for mention in matcher.match(post)]
    taken = sample(mentions, lexical.judge(mentions), 1000, seed="s")
    shuffled = random.Random(2).sample(mentions, len(mentions))
    again = sample(shuffled, lexical.judge(shuffled), 1000, seed="s")
    tenths = Counter(int(mention.post.id.split("-")[1]) // 500 for mention in taken.chosen)

    assert {each.post.key for each in taken.chosen} == {each.post.key for each in again.chosen}
    assert len(taken.chosen) + len(taken.left) == len(mentions)
    assert 950 <= len(taken.chosen) <= 1050
    assert min(tenths.values()) > 60


def test_a_rare_complaint_is_always_in_the_sample() -> None:
    """Ten complaints among five thousand posts: their group is small, so it is judged in larger part."""
    watched = services(1)
    matcher, lexical = NameMatcher(watched), keyword()
    mentions = [mention for post in said(5000, share=0.002) for mention in matcher.match(post)]
    judged = lexical.judge(mentions)
    complaints = {each.mention.post.key for each in judged if each.p.now >= 0.5}
    taken = sample(mentions, judged, 250, seed="s")

    found = {mention.post.key for mention in taken.chosen} & complaints
    assert complaints
    assert len(found) >= min(len(complaints), LEAST_OF_A_GROUP)


def test_the_estimate_lies_below_the_truth_nine_times_in_ten() -> None:
    """The lower end of a 90 % interval: over many seeds the estimated number of complaints rarely exceeds the true."""
    watched = services(1)
    matcher, lexical = NameMatcher(watched), keyword()
    above = 0
    for seed in range(60):
        mentions = [mention for post in said(1500, share=0.5, seed=seed) for mention in matcher.match(post)]
        luck = random.Random(1000 + seed)
        truth = {
            mention.post.key: Probabilities(1.0, 0, 0, 0, 0) if luck.random() < 0.3 else Probabilities(0, 0, 0, 0, 1.0)
            for mention in mentions
        }
        taken = sample(mentions, lexical.judge(mentions), 300, seed=str(seed))
        judged = [Judgement(mention=each, p=truth[each.post.key], classifier="t") for each in taken.chosen]
        guessed = sum(each.p.now for each in estimates(taken, judged))
        actual = sum(truth[mention.post.key].now for mention, _ in taken.left)
        above += guessed > actual
        assert guessed > 0.5 * actual

    assert above <= 12


def test_f32_f34_a_flood_waits_for_its_own_turn_and_memory_is_bounded() -> None:
    """Three sources, room for one large harvest: all get their turn, and no more bytes are held than allowed."""
    large = Harvest(posts=said(100, share=0.1))
    small = Harvest(posts=said(1, share=0.1))
    intake = Intake(most_bytes=weight(large) + weight(small))
    order: list[str] = []
    most = 0

    async def enter(name: str, harvest: Harvest) -> None:
        nonlocal most
        for _ in range(3):
            async with intake.turn(harvest):
                most = max(most, intake.held)
                order.append(name)
                await asyncio.sleep(0)

    async def all_of_them() -> None:
        await asyncio.gather(enter("flood", large), enter("flood2", large), enter("quiet", small))

    asyncio.run(all_of_them())

    assert Counter(order) == {"flood": 3, "flood2": 3, "quiet": 3}
    assert "quiet" in order[:3]
    assert most <= weight(large) + weight(small)
    assert intake.held == intake.waiting == 0
