"""What must not fool the detector: virals and campaigns in the stream, and campaigns made to look like outages."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from detector.detect.simulate import DAY, Plan, simulate
from detector.domain import Judgement, Level, Mention, Post, Probabilities, Service, from_minutes
from detector.protocols import Detector
from tests.bench.detect_limit import oracle
from tests.bench.detect_ours import START, Found, Rate, delays, judgements, make, matched, null_rate

KINDS = ("sockpuppets", "copy-paste", "one loud author", "resurfaced posts", "satire")
YEARLY = 1 / 12
_CLAIM = Probabilities(0.93, 0.02, 0.02, 0.01, 0.02)
_SATIRE = Probabilities(0.12, 0.05, 0.05, 0.03, 0.75)
_OPENERS = ("", "omg", "wow,", "hey", "so", "right:", "listen,", "folks,")
_SHORT = ("is down", "isn't working", "won't load", "keeps failing", "is broken for me", "times out", "logs me out")
_LONG = (
    "everyone please repost: {s} has lost our accounts and no one at the company cares at all",
    "we the customers of {s} demand answers about the outages that they hide from all of us",
    "{s} is failing its users again and the board of that company looks the other way today",
)


@dataclass(frozen=True, slots=True)
class Virals:
    """The suite of virals and campaigns: at the nominal 1/service-month, and matched."""

    nominal: Rate
    budget: float
    found: list[Found]
    blocked: int
    limit: dict[float, list[float]]


def virals(services: int, days: int, pool: Executor, *, seed: int = 500) -> Virals:
    """0.5 mentions a minute, 5 % of them complaints, a viral a week and a campaign every two weeks."""
    calm = Plan(
        days=days, complaints=0.025, chatter=0.475, repeats=0.15, virals=1.0, campaigns=0.5, ratios=(30.0, 100.0)
    )
    plans = [replace(calm, seed=seed + i) for i in range(services)]
    budget, tried = matched(plans, 28.0 * DAY, pool, noisy=True)
    true = [replace(plan, seed=plan.seed + 300, every_hours=60.0) for plan in plans]
    found, blocked = delays(true, budget, pool, noisy=True)
    nominal = next((rate for nominal, rate in tried if nominal == 1.0), None)
    limit = {ratio: oracle(plans, true, ratio, 28.0 * DAY, pool) for ratio in calm.ratios}
    return Virals(nominal or null_rate(plans, 1.0, 28.0 * DAY, pool, noisy=True), budget, found, blocked, limit)


def campaigns(count: int, pool: Executor, *, seed: int = 900) -> dict[str, tuple[int, int, int]]:
    """For each kind: campaigns, those with a false alert, those with a watch, at a budget of 1/year."""
    worlds = [seed + i for i in range((count + len(KINDS) - 1) // len(KINDS))]
    found = dict.fromkeys(KINDS, (0, 0, 0))
    for rows in pool.map(_world, worlds):
        for kind, level in rows:
            tried, alerts, watches = found[kind]
            found[kind] = (tried + 1, alerts + (level == "alert"), watches + (level == "watch"))
    return found


def _world(seed: int) -> list[tuple[str, str]]:
    """Ten days of a service, then each kind of campaign upon the same state: (kind, highest level)."""
    rnd = Random(seed)
    usual = rnd.choice((0.01, 0.03, 0.1, 0.4))
    stream = simulate(Plan(seed=seed, days=10, complaints=usual, chatter=9 * usual, repeats=0.15))
    service = Service(slug="simulated", name="Simulated")
    state: dict[str, object] = {}
    warm = make(service, YEARLY)
    begin = 9 * DAY + rnd.uniform(0, DAY / 2)
    rest: list[Judgement] = []
    for judgement in judgements(stream):
        if judgement.mention.post.seen_at < from_minutes(START + begin):
            warm.observe(judgement)
        else:
            rest.append(judgement)
    state = warm.dump()
    calm = _highest(_loaded(service, state), rest, begin)
    rows = []
    for kind in KINDS:
        posts = _campaign(kind, begin, rnd)
        mixed = sorted([*rest, *posts], key=lambda one: one.mention.post.order)
        level = _highest(_loaded(service, state), mixed, begin)
        rows.append((kind, "" if level == calm else level))
    return rows


def _loaded(service: Service, state: dict[str, object]) -> Detector:
    detector = make(service, YEARLY)
    detector.load(state)
    return detector


def _highest(detector: Detector, posts: Sequence[Judgement], begin: float) -> str:
    until = from_minutes(START + begin + 180.0)
    signals = [
        signal
        for judgement in posts
        if judgement.mention.post.seen_at < until
        for signal in detector.observe(judgement)
    ]
    levels = {signal.level for signal in signals}
    return "alert" if levels & {Level.ALERT, Level.MAJOR} else "watch" if Level.WATCH in levels else ""


def _campaign(kind: str, begin: float, rnd: Random) -> list[Judgement]:
    """The posts of one campaign, from ten minutes after `begin`."""
    size, lasts = rnd.randint(12, 60), rnd.choice((5.0, 15.0, 40.0))
    long = rnd.choice(_LONG).format(s="simulated")
    found = []
    for number in range(size):
        seen = from_minutes(START + begin + 10.0 + rnd.uniform(0.0, lasts))
        written, author, p = seen, f"{kind}{number}", _CLAIM
        born: datetime | None = seen - timedelta(days=rnd.uniform(400, 3000))
        text = f"{rnd.choice(_OPENERS)} simulated {rnd.choice(_SHORT)} {rnd.choice(('', 'here', 'again', 'now'))}"
        if kind == "sockpuppets":
            born = seen - timedelta(hours=rnd.uniform(0.5, 40.0))
        elif kind == "copy-paste":
            tail = rnd.choice(("", "!!", " https://example.org/x", " @friend", f" {number}"))
            text = f"{rnd.choice(_OPENERS)} {long}{tail}"
        elif kind == "one loud author":
            author = f"loud{number % 2}"
        elif kind == "resurfaced posts":
            written = seen - timedelta(days=rnd.uniform(0.2, 900.0))
        else:
            p = _SATIRE
            text = f"{rnd.choice(_OPENERS)} simulated so down it asked me to hold its drink, {number} of you will laugh"
        post = Post(
            source="simulated",
            id=f"{kind}-{number}",
            created_at=written,
            seen_at=seen,
            text=text,
            author=author,
            account_created_at=born,
        )
        found.append(
            Judgement(mention=Mention(post=post, service="simulated", matched="simulated"), p=p, classifier="bench")
        )
    return found
