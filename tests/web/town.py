"""A database as a daemon leaves it on a bad afternoon, filled through the real store; every word is ours."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path

from detector.app.build import Blueprint, blueprint
from detector.app.page import page_surroundings
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.detect.scan import ScanDetector
from detector.domain import (
    Alert,
    AlertState,
    Budget,
    Coverage,
    CoverageState,
    Decision,
    Estimate,
    Evidence,
    Incident,
    IncidentUpdate,
    Judgement,
    Level,
    Mention,
    Notification,
    Official,
    PageState,
    Post,
    Probabilities,
    Reason,
    Service,
    StatusReading,
    to_minutes,
)
from detector.store import Feedback, Store
from detector.web import Surroundings

NOW = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)  # a Monday
COMPLAINTS = (
    "claude api gives me 529 overloaded on every call since a few minutes",
    "anyone else cannot log in to claude? the page just spins",
    "Claude is down for our whole team, nothing loads",
    "getting 500 errors from claude code, retried ten times",
    "is claude broken right now? answers stop in the middle",
    "claude.ai shows a blank page in three browsers",
    "our build waits for claude and times out, api error 529 again",
    "<script>document.title='owned'</script> claude will not open",
)
CHATTER = (
    "wrote a parser with {0} today, quite happy",
    "{0} has a new feature, have not tried it",
    "comparing {0} bills",
)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@dataclass(frozen=True, slots=True)
class Town:
    """The database and what the pages need beside it."""

    path: Path
    store: Store
    plan: Blueprint

    def around(self, now: datetime = NOW) -> Surroundings:
        return page_surroundings(self.plan, lambda: now)


def town(path: Path, *, services: Sequence[Service] | None = None) -> Town:
    """Claude fails and its page is silent, Spotify has first complaints, GitHub had an outage, Notion is new."""
    plan = blueprint(Settings(), services or load_catalogue())
    store = Store.open(path, now=NOW - timedelta(days=40))
    _history(store, plan)
    _pages(store, plan)
    _coverage(store)
    _claude(store)
    _spotify(store)
    _github(store)
    _cloudflare(store)
    store.rollup()
    store.save_checkpoint(saved_state([each for each in plan.services if each.slug != "notion"]), 0, now=ago(5))
    store.record(now=ago(0.2))
    return Town(path, store, plan)


def saved_state(services: Iterable[Service], weeks: int = 3) -> dict[str, object]:
    """What a pipeline would have saved that has followed these services for weeks."""
    detectors = {}
    end = int(to_minutes(NOW) // 60)
    for service in services:
        scan = ScanDetector(service, Budget(1 / 12), 0.5)
        usual = 0.2 + (sum(map(ord, service.slug)) % 7) / 4
        for hour in range(end - weeks * 168, end):
            scan.usual.people.learn(hour, usual * (1 + 0.7 * sin((hour % 24 - 8) / 12 * pi)), 1.0)
        scan.clock = float(end * 60)
        scan.usual.next_hour = end - 1
        detectors[service.slug] = scan.dump()
    return {"format": 1, "minute": None, "lifecycle": {}, "detectors": detectors}


def voice(
    service: str, at: datetime, number: int, *, text: str, now: float = 0.9, source: str = "hackernews"
) -> Judgement:
    post = Post(
        source=source,
        id=f"{service}-{number}",
        created_at=at,
        seen_at=at,
        text=text,
        author=f"person-{service}-{number}",
        url=f"https://news.example.org/item?id={number}",
    )
    rest = (1 - now) / 3
    parts = ("the API", "login", None)
    return Judgement(
        mention=Mention(post=post, service=service, matched=service, component=parts[number % 3]),
        p=Probabilities(now, rest * 0.3, rest * 0.5, rest, 1 - now - rest * 1.8),
        classifier="static@0123456789ab",
    )


def hear(store: Store, judgements: Iterable[Judgement]) -> None:
    """Store posts and what was made of them."""
    ordered = sorted(judgements, key=lambda each: each.mention.post.order)
    by_source: dict[str, list[Post]] = {}
    for each in ordered:
        by_source.setdefault(each.mention.post.source, []).append(each.mention.post)
    for source, posts in by_source.items():
        store.add_posts(source, posts, "c", (), (("no text", 2),), now=posts[-1].seen_at)
    store.record(now=ordered[-1].mention.post.seen_at, judged=[e.mention.post for e in ordered], judgements=ordered)


def alert_on(
    service: str,
    *,
    fired: datetime,
    level: Level = Level.ALERT,
    ended: datetime | None = None,
    people: float = 11.4,
    evidence: tuple[Evidence, ...] = (),
    official: Official | None = None,
) -> Alert:
    onset = fired - timedelta(minutes=6)
    return Alert(
        key=f"{service}-{fired:%Y%m%dT%H%M}",
        service=service,
        level=level,
        state=AlertState.RESOLVED if ended else AlertState.FIRING,
        onset_at=onset,
        watch_at=fired - timedelta(minutes=2),
        fired_at=None if level is Level.WATCH else fired,
        updated_at=fired,
        ended_at=ended,
        estimate=Estimate(
            service=service,
            at=fired,
            onset=onset,
            people=people,
            expected=0.21,
            return_period_months=41.0,
            ratio=people / 0.21,
            score=9.3,
            window_minutes=6.0,
            sources=(("hackernews", people * 0.7), ("feeds:mastodon.social", people * 0.3)),
            voters=round(people) + 1,
        ),
        evidence=evidence,
        official=official,
    )


def quotes(service: str, texts: Sequence[str], at: datetime) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            source="hackernews",
            id=f"{service}-q{n}",
            url=f"https://news.example.org/item?id=9{n}",
            text=text,
            p=0.97 - n * 0.04,
            at=at + timedelta(seconds=40 * n),
        )
        for n, text in enumerate(texts)
    )


def tell(store: Store, alert: Alert, reason: Reason, at: datetime, *, told: bool = True) -> None:
    """Record a change with the decisions and, if somebody is told, a message that arrived."""
    decisions = [
        Decision(alert_key=alert.key, receiver="ops", reason=reason, told=told, at=at)
        if told
        else Decision(
            alert_key=alert.key,
            receiver="ops",
            reason=Reason.BELOW_LEVEL,
            told=False,
            at=at,
            note="watch is below alert",
        ),
        Decision(
            alert_key=alert.key,
            receiver="night",
            reason=Reason.NO_ROUTE,
            told=False,
            at=at,
            note="night does not follow it",
        ),
    ]
    owed = [
        Notification(
            id=f"{alert.key}/ops/{reason.value}-{at:%H%M%S}", alert=alert, receiver="ops", reason=reason, created_at=at
        )
    ]
    store.record(now=at, alerts=[(alert, reason)], decisions=decisions, notifications=owed if told else [])
    if told:
        store.outbox.mark_started(owed[0].id)
        store.outbox.mark_sent(owed[0].id, None, now=at + timedelta(seconds=2))


def _history(store: Store, plan: Blueprint) -> None:
    """A week of talk about everything, with a complaint now and then."""
    rng = random.Random(7)
    said: list[Judgement] = []
    for service in plan.services:
        for number in range(40):
            at = ago(rng.uniform(70, 7 * 1440))
            complains = rng.random() < 0.3
            text = rng.choice(CHATTER).format(service.name)
            source = "hackernews" if number % 3 else "feeds:mastodon.social"
            said.append(voice(service.slug, at, number, text=text, now=0.7 if complains else 0.03, source=source))
    hear(store, said)


def _pages(store: Store, plan: Blueprint) -> None:
    for service in plan.services:
        if service.slug not in {"twitch", "reddit"}:
            state = PageState.DEGRADED if service.slug == "cloudflare" else PageState.OPERATIONAL
            store.add_reading(StatusReading(service=service.slug, at=ago(1), state=state, description="as shown"))


def _coverage(store: Store) -> None:
    ok, failing = CoverageState.OK, CoverageState.FAILING
    store.add_coverage(
        [
            Coverage(source="hackernews", from_at=NOW - timedelta(days=40), to_at=ago(600), state=ok),
            Coverage(source="hackernews", from_at=ago(540), to_at=ago(0.5), state=ok),
            Coverage(source="feeds:mastodon.social", from_at=NOW - timedelta(days=7), to_at=ago(620), state=ok),
            Coverage(source="feeds:mastodon.social", from_at=ago(500), to_at=ago(45), state=ok),
            Coverage(
                source="feeds:mastodon.social",
                from_at=ago(45),
                to_at=ago(1),
                state=failing,
                note="mastodon.social: 503, try later",
            ),
            Coverage(source="feeds:news.google.com", from_at=NOW - timedelta(days=7), to_at=ago(595), state=ok),
            Coverage(source="feeds:news.google.com", from_at=ago(545), to_at=ago(1), state=ok),
        ]
    )


def _claude(store: Store) -> None:
    rng = random.Random(11)
    fired = ago(31)
    ramp = [
        voice(
            "claude",
            ago(37 - n * 37 / 46 + rng.uniform(-0.5, 0.5)),
            100 + n,
            text=COMPLAINTS[n % len(COMPLAINTS)],
            now=rng.uniform(0.75, 0.98),
        )
        for n in range(44)
    ]
    hear(store, ramp)
    evidence = quotes("claude", COMPLAINTS, ago(37))
    page = Official(state=PageState.OPERATIONAL, checked_at=ago(31.5), description="All Systems Operational")
    watch = alert_on("claude", fired=fired, level=Level.WATCH, people=4.1, evidence=evidence[:3], official=page)
    watch = replace(watch, updated_at=ago(33))
    tell(store, watch, Reason.OPENED, ago(33), told=False)
    alert = alert_on("claude", fired=fired, evidence=evidence, official=page)
    tell(store, alert, Reason.RAISED, fired)
    major = replace(
        alert, level=Level.MAJOR, updated_at=ago(18), estimate=replace(alert.estimate, people=29.3, voters=31)
    )
    tell(store, major, Reason.RAISED, ago(18))
    before = alert_on(
        "claude", fired=NOW - timedelta(days=9), ended=NOW - timedelta(days=9, minutes=-72), evidence=evidence
    )
    tell(store, before, Reason.OPENED, NOW - timedelta(days=9))
    store.add_incidents(
        [incident("claude", NOW - timedelta(days=9, minutes=-24), "Elevated errors on the API", 50)], now=NOW
    )
    third = alert_on("claude", fired=NOW - timedelta(days=20), ended=NOW - timedelta(days=20, minutes=-35), people=6.2)
    tell(store, third, Reason.OPENED, NOW - timedelta(days=20))
    store.add_feedback(Feedback(alert_key=third.key, real=True, at=NOW - timedelta(days=19), comment="we had it too"))


def _spotify(store: Store) -> None:
    texts = ("spotify playback stops after two songs", "spotify not loading on my phone", "spotify is slow today")
    hear(store, [voice("spotify", ago(9 - 3 * n), 200 + n, text=text, now=0.71) for n, text in enumerate(texts)])
    watch = alert_on("spotify", fired=ago(4), level=Level.WATCH, people=2.6, evidence=quotes("spotify", texts, ago(9)))
    tell(store, watch, Reason.OPENED, ago(6), told=False)


def _github(store: Store) -> None:
    texts = ("github actions are stuck in the queue", "git push to github times out", "github is down?")
    fired = NOW - timedelta(days=1, hours=3)
    alert = alert_on("github", fired=fired, people=8.8, evidence=quotes("github", texts, fired - timedelta(minutes=5)))
    tell(store, alert, Reason.OPENED, fired)
    store.add_incidents(
        [incident("github", fired + timedelta(minutes=34), "Delays in Actions", 60)], now=fired + timedelta(minutes=35)
    )
    over = replace(
        alert,
        state=AlertState.RESOLVED,
        ended_at=fired + timedelta(minutes=88),
        updated_at=fired + timedelta(minutes=88),
    )
    tell(store, over, Reason.RESOLVED, fired + timedelta(minutes=88))


def _cloudflare(store: Store) -> None:
    """One that the provider posted and nobody complained of where we listen."""
    entry = incident("cloudflare", ago(300), "Elevated latency in one region", 400)
    entry = replace(entry, resolved_at=None)
    store.add_reading(
        StatusReading(
            service="cloudflare", at=ago(0.5), state=PageState.DEGRADED, description="minor", incidents=(entry,)
        )
    )
    false = alert_on("discord", fired=NOW - timedelta(days=5), ended=NOW - timedelta(days=5, minutes=-20), people=5.1)
    tell(store, false, Reason.OPENED, NOW - timedelta(days=5))
    store.add_feedback(
        Feedback(alert_key=false.key, real=False, at=NOW - timedelta(days=5), comment="a joke that spread")
    )


def incident(service: str, posted: datetime, title: str, lasted: float) -> Incident:
    return Incident(
        service=service,
        id=f"i-{posted:%d%H%M}",
        title=title,
        impact="major",
        first_posted_at=posted,
        resolved_at=posted + timedelta(minutes=lasted),
        updates=(
            IncidentUpdate(at=posted, status="investigating", text="We look into it."),
            IncidentUpdate(at=posted + timedelta(minutes=20), status="identified", text="A change is rolled back."),
        ),
        url="https://status.example.org/incidents/1",
    )


def many(path: Path, count: int) -> Town:
    """As many services as asked, one in fifty failing."""
    services = [
        Service(slug=f"service-{n}", name=f"Service number {n}", category="tools", aliases=(f"service {n}",))
        for n in range(count)
    ]
    settings = Settings.model_validate({"watch": {"services": ["*"]}})
    plan = blueprint(settings, services)
    store = Store.open(path, now=NOW - timedelta(days=10))
    said: list[Judgement] = []
    rng = random.Random(3)
    for each in services:
        said += [
            voice(each.slug, ago(rng.uniform(0, 300)), n, text=f"{each.name} is slow") for n in range(rng.randrange(5))
        ]
    hear(store, said)
    _pages(store, plan)
    _coverage(store)
    for each in services[::50]:
        store.record(now=ago(3), alerts=[(alert_on(each.slug, fired=ago(3)), Reason.OPENED)])
    store.rollup()
    store.save_checkpoint(saved_state(services, weeks=1), 0, now=ago(5))
    store.record(now=ago(0.2))
    return Town(path, store, plan)
