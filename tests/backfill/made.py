"""Small archives with outages in them, and jobs over them, for the tests of the backfill at scale."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

from detector.backfill.job import Job
from detector.backfill.lines import alert_line, pairing_line
from detector.backfill.run import Backfilled, backfill
from detector.backfill.truth import load_judge
from detector.collectors.archive import load_posts
from detector.collectors.archive_counters import ReadCounters
from detector.config.catalogue import load_catalogue
from detector.domain import Budget, Incident, format_time, parse_time
from detector.match.matcher import NameMatcher
from detector.registry import load

START = parse_time("2026-03-02T00:00:00Z")
WATCHED = ("claude", "cloudflare", "discord", "github", "slack", "zoom")
NAMES = {"claude": "Claude", "cloudflare": "Cloudflare", "discord": "Discord", "github": "GitHub", "slack": "Slack"}
_THINGS = (
    "rain", "soup", "river", "garden", "window", "violin", "harbour", "lemon", "pillow", "ladder", "forest", "melody",
    "butter", "umbrella", "train",
)  # fmt: skip
BUDGET = Budget.parse("12/year")


def line(number: int, minute: float, text: str, truth: str = "other", **more: object) -> str:
    """An archive line so many minutes after the start."""
    at = format_time(START + timedelta(minutes=minute))
    given = {"source": "social", "id": str(number), "created_at": at, "author": f"{number:011x}a", "text": text}
    return json.dumps({**given, "truth": truth, **more})


@cache
def lines(seed: int = 1, days: int = 6) -> tuple[str, ...]:
    """Talk about nothing, talk about services, and three outages: Slack, then Cloudflare with GitHub, and Discord."""
    rng = random.Random(seed)

    def quiet(name: str) -> str:
        return f"writing about {name} and {rng.choice(_THINGS)}, part {rng.random()}"

    def loud(name: str) -> str:
        words = " ".join(rng.sample(_THINGS, 4))
        return rng.choice(
            [f"{name} is down? {words}", f"is {name} down for you, {words}", f"can't log into {name} {words}"]
        )

    def any_time() -> float:
        return rng.uniform(0, days * 1440)

    rows = [(any_time(), f"the {rng.choice(_THINGS)} {rng.random()}", "other") for _ in range(days * 150)]
    for name in NAMES.values():
        rows += [(any_time(), quiet(name), "other") for _ in range(days * 25)]
        rows += [(any_time(), loud(name), "complaint") for _ in range(days)]
    for day, names in ((4.9, ["Slack"]), (5.2, ["Cloudflare", "GitHub"]), (5.6, ["Discord"])):
        for _ in range(40):
            other = f" like {rng.choice(names)}" if len(names) > 1 else ""
            rows.append((day * 1440 + rng.expovariate(1 / 12), loud(rng.choice(names)) + other, "complaint"))
    rows.sort()
    return tuple(line(number, minute, text, truth) for number, (minute, text, truth) in enumerate(rows))


def write(path: Path, rows: Iterable[str]) -> Path:
    """Lines as a file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def incidents() -> list[Incident]:
    """The official record: Slack's outage, admitted late, and one that nobody noticed."""
    return [
        Incident(
            service=slug, id=str(number), title="Trouble", impact="major", first_posted_at=posted, resolved_at=over
        )
        for number, (slug, day) in enumerate([("slack", 4.95), ("zoom", 3.0), ("github", 3.5)])
        for posted, over in [(START + timedelta(days=day), START + timedelta(days=day, hours=1))]
    ]


def job(folder: Path, judge: str = "truth", services: Sequence[str] = WATCHED, **more: object) -> Job:
    """A job as the command line makes it."""
    classifier = load_judge(judge)
    given: dict[str, object] = {
        "folder": folder / ".work",
        "catalogue": load_catalogue(),
        "services": tuple(services),
        "judge": judge,
        "judged_by": classifier.name,
        "prior": classifier.prior,
        "budget": BUDGET,
    }
    return Job(**{**given, **more})  # type: ignore[arg-type]


def by_one_pipeline(paths: Sequence[Path], judge: str = "truth", services: Sequence[str] = WATCHED) -> Backfilled:
    """The same archives through the daemon's own loop: one pipeline, post by post."""
    catalogue = load_catalogue()
    return backfill(
        load_posts(paths, counters=ReadCounters()),
        services=[service for service in catalogue if service.slug in services],
        matcher=NameMatcher(catalogue),
        classifier=load_judge(judge),
        make_detector=load("detectors", "scan"),
        budget=BUDGET,
        incidents=incidents(),
    )


def written(done: Backfilled) -> str:
    """What a backfill writes, apart from how long it took and how much it read."""
    board = {name: value for name, value in done.scoreboard.items() if name not in {"seconds", "assumptions"}}
    pairs = {pairing.alert_key: pairing for pairing in done.pairings if pairing.alert_key}
    alerts = [alert_line(alert, pairs.get(alert.key)) for alert in done.alerts]
    timeline = done.replayed.timeline
    around = [
        timeline.between(alert.service, alert.onset_at - timedelta(hours=1), alert.onset_at + timedelta(hours=3))
        for alert in done.alerts
    ]
    days = sorted((day.isoformat(), count) for day, count in timeline.posts_by_day.items())
    heard = [sorted(timeline.people.items()), days, sorted(timeline.sources.items())]
    return json.dumps([board, alerts, [pairing_line(pairing) for pairing in done.pairings], around, heard])
