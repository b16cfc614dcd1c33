"""Ours beside what a user would write: how many posts a second of processor time, and how good the alerts are.

    python -m tests.bench.peers [--posts 300000] [--replay snapchat] [--until 2019-09-01] [--replays FOLDER]

Speed on the natural mix (5 % of posts name one of 100 services), from the file to the alerts, ours to the written
report; nobody's imports are counted. MiniLM runs on a sample and is extrapolated. Quality on a replay of real counts of
../shared, or without it on an archive that is made up, with one budget for ours and for each peer two thresholds: the
usual one, and the best in hindsight that raises no more false alarms than ours. `pip install '.[bench]'` for the peers.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from detector.backfill.evaluate_detection import Burst, Span, against_bursts
from detector.config.catalogue import load_catalogue
from detector.domain import Service, format_time, parse_time
from tests.bench import detect_series, mix, peers_build
from tests.bench.scale import heading, made, one, row

WARM = timedelta(days=28)
_MONTH = timedelta(days=30.44)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds of processor and wall time for so many posts."""

    posts: int
    cpu: float
    wall: float

    @property
    def rate(self) -> float:
        """Posts a second of processor time."""
        return self.posts / max(self.cpu, 1e-9)


def timed(posts: int, work: Callable[[], Any]) -> tuple[Any, Cost]:
    """What some work gives, and what it costs."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return found, Cost(posts=posts, cpu=time.process_time() - cpu, wall=time.perf_counter() - wall)


def speed(folder: Path, posts: int, sample: int) -> None:
    """The table of speeds."""
    archive = made(folder / "natural.jsonl.zst", mix.lines(posts, days=2.0))
    services = mix.services()
    found = one(archive, engine="single", judge="cascade")
    ours = Cost(posts=posts, cpu=found["cpu"], wall=found["seconds"])
    frame, reading = timed(posts, lambda: peers_build.read(archive))
    named, matching = timed(posts, lambda: peers_build.naming(frame, services))
    hits, keywords = timed(posts, lambda: peers_build.by_keyword(named))
    first, last = frame["at"].iloc[0], frame["at"].iloc[-1]
    rows = [peers_build.counts(hits, service.slug, first, last) for service in services]
    scoring = {name: timed(posts, lambda s=score: [s(each) for each in rows])[1]  # type: ignore[misc]
               for name, (score, _) in peers_build.SWEEPS.items()}  # fmt: skip
    before = [reading, matching, keywords]
    heading("natural mix, one process, processor time", "posts/s", "ours is faster, times", "wall s")

    def line(name: str, *parts: Cost) -> None:
        whole = Cost(posts=posts, cpu=sum(each.cpu for each in parts), wall=sum(each.wall for each in parts))
        row(name, f"{whole.rate:,.0f}", f"{ours.rate / whole.rate:.1f}", f"{whole.wall:.1f}")

    row(f"ours, {posts:,} posts, cascade, report written", f"{ours.rate:,.0f}", "1", f"{ours.wall:.1f}")
    line("(a) pandas, names and keywords by regex, rolling z-score", *before, scoring["rolling z-score"])
    texts = frame["text"].tolist()[:sample]
    if sample:
        peers_build.regression()
        _, cost = timed(len(texts), lambda: peers_build.regression().predict(peers_build.embed(texts)))
        every, few = (Cost(posts=posts, cpu=cost.cpu / len(texts) * many, wall=cost.wall / len(texts) * many)
                      for many in (posts, len(named)))  # fmt: skip
        rest = (reading, matching, scoring["rolling z-score"])
        line(f"(b) MiniLM of every post, regression, z-score (extrapolated from {len(texts):,})", every, *rest)
        line(f"(b') MiniLM of the {len(named):,} that a regex finds naming (extrapolated)", few, *rest)
    for name in ("river GaussianScorer", "river HalfSpaceTrees"):
        line(f"(c) pandas and keywords, {name}", *before, scoring[name])
    row(f"(d) transformers zero-shot: {_zero_shot()}", "", "", "")


def _zero_shot() -> str:
    """Whether a model of entailment is here to run it with."""
    try:
        from transformers import pipeline

        pipeline("zero-shot-classification", model="facebook/bart-large-mnli", local_files_only=True)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        return f"not run, no model of entailment is on this machine ({type(error).__name__})"
    return "its model is here; not timed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """An archive about one service and its true outages, from `after` to `until`."""

    name: str
    archive: Path
    service: Service
    bursts: list[Burst]
    after: datetime
    until: datetime

    def score(self, alerts: Sequence[Span]) -> dict[str, Any]:
        """Recall, delay and false alarms."""
        inside = [span for span in alerts if self.after <= span.start < self.until]
        true = [burst for burst in self.bursts if self.after <= burst.onset < self.until]
        return against_bursts(inside, true, (self.until - self.after) / _MONTH)


def replay(name: str, folder: Path, until: str) -> Ground | None:
    """Real counts of a service as posts, if ../shared or the folder has them."""
    with ThreadPoolExecutor(1) as pool:
        if not detect_series.prepared(folder, [name], pool):
            return None
    archive, slug = folder / f"{name}.jsonl.gz", detect_series.SLUGS.get(name, name)
    rows = json.loads(Path(f"{archive}.bursts.json").read_text(encoding="utf-8"))
    return Ground(
        name=f"{name}, real counts until {until}",
        archive=archive,
        service=next(each for each in load_catalogue() if each.slug == slug),
        bursts=[Burst(onset=parse_time(each["onset"]), end=parse_time(each["end"])) for each in rows],
        after=parse_time(detect_series.AFTER),
        until=parse_time(until),
    )


def invented(folder: Path, days: int = 60, outages: int = 16) -> Ground:
    """Talk about one service with nights and days, and outages of ten minutes to two hours, in words of our own."""
    rng = random.Random(11)
    service = next(each for each in load_catalogue() if each.slug == "discord")
    begins = sorted(rng.uniform(WARM.days + 1, days - 1) for _ in range(outages))
    moments: list[tuple[float, bool]] = []
    for hour in range(days * 24):
        busy = 0.4 + 1.2 * (8 <= hour % 24 <= 22)
        for share, complaint in ((4 * busy, False), (0.7 * busy, True)):
            moments += [((hour + rng.random()) / 24, complaint) for _ in range(int(rng.expovariate(1 / share)))]
    bursts = []
    for begin in begins:
        length = rng.uniform(10, 120) / 1440
        moments += [(begin + rng.betavariate(1.2, 2.0) * length, True) for _ in range(rng.randint(15, 90))]
        bursts.append(Burst(onset=mix.START + timedelta(days=begin), end=mix.START + timedelta(days=begin + length)))
    lines = []
    for number, (day, complaint) in enumerate(sorted(moments)):
        at = format_time(mix.START + timedelta(days=day))
        text = mix.sentence(rng, service, complaint=complaint)
        lines.append(json.dumps({"source": "social", "id": str(number), "created_at": at, "text": text,
                                 "author": f"{number:012x}"}) + "\n")  # fmt: skip
    archive = folder / "invented.jsonl.gz"
    import gzip

    archive.write_bytes(gzip.compress("".join(lines).encode()))
    return Ground(
        name=f"invented outages of {service.name}, {days} days", archive=archive, service=service, bursts=bursts,
        after=mix.START + WARM, until=mix.START + timedelta(days=days),
    )  # fmt: skip


def quality(ground: Ground, folder: Path, *, most: int) -> None:
    """The table of alerts."""
    ours = ground.score(_ours(ground, folder / "ours"))
    true = ours["bursts"]
    heading(f"quality: {ground.name}, {true} outages", "found", "delay, min: median, p90", "false alarms a month")

    def line(name: str, found: dict[str, Any]) -> None:
        delay = f"{found['delay_median']}, {found['delay_p90']}"
        row(name, f"{found['detected']} of {true}", delay, f"{found['unmatched_per_month']:.2f}")

    line("ours, a budget of one false alarm a year", ours)
    frame = peers_build.read(ground.archive)
    frame = frame[frame["at"] < ground.until]
    named = peers_build.naming(frame, [ground.service])
    judged = {"keywords": peers_build.by_keyword(named)}
    if len(named) <= most:
        judged["MiniLM"] = peers_build.by_minilm(named)
    else:
        row(f"MiniLM: left out, {len(named):,} posts are more than {most:,} (--embed)", "", "", "")
    for judge, hits in judged.items():
        for name, (score, sweep) in peers_build.SWEEPS.items():
            if judge == "MiniLM" and name != "rolling z-score":
                continue
            counts = peers_build.counts(hits, ground.service.slug, frame["at"].iloc[0], frame["at"].iloc[-1])
            scores = score(counts)
            tried = {at: ground.score(peers_build.spans(counts, scores, at, ground.service.slug)) for at in sweep}
            usual = peers_build.USUAL[name]
            usual = min(tried, key=lambda at, near=usual: abs(at - near))  # type: ignore[misc]
            line(f"{judge}, {name}, at {usual:g}", tried[usual])
            quiet = [at for at in sweep if tried[at]["unmatched"] <= ours["unmatched"]]
            if quiet:
                best = max(quiet, key=lambda at: (tried[at]["detected"], -(tried[at]["delay_median"] or 0)))
                line(f"{judge}, {name}, at {best:g}: as few false alarms as ours, in hindsight", tried[best])
            else:
                row(f"{judge}, {name}: no threshold has as few false alarms as ours", "", "", "")


def _ours(ground: Ground, out: Path) -> list[Span]:
    until = ["--until", format_time(ground.until)]
    command = [sys.executable, "-m", "detector", "backfill", str(ground.archive), "--services", ground.service.slug]
    subprocess.run([*command, *until, "--out", str(out), "--no-cache", "--quiet"], check=True, capture_output=True)
    alerts = [json.loads(each) for each in (out / "alerts.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        Span(start=parse_time(each["fired_at"]), end=parse_time(each["ended_at"]) if each["ended_at"] else None,
             service=each["service"])
        for each in alerts if each["level"] != "watch"
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=300_000)
    parser.add_argument("--sample", type=int, default=1000, help="posts that MiniLM embeds for the speed; 0: none")
    parser.add_argument("--embed", type=int, default=15_000, help="posts that MiniLM embeds for the quality at most")
    parser.add_argument("--replay", default="snapchat")
    parser.add_argument("--until", default="2019-09-01")
    parser.add_argument("--replays", type=Path, help="folder of replays; made from ../shared where it has none")
    parser.add_argument("--only", choices=["speed", "quality"])
    chosen = parser.parse_args(arguments)
    lacking = [name for name in ("pandas", "river", "sentence_transformers") if find_spec(name) is None]
    if lacking:
        sys.stdout.write(f"skipped: {', '.join(lacking)} not installed: pip install '.[bench]'\n")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.only != "quality":
            speed(folder, chosen.posts, chosen.sample)
        if chosen.only != "speed":
            quality(invented(folder), folder, most=chosen.embed)
            ground = replay(chosen.replay, chosen.replays or folder / "replays", chosen.until)
            if ground is None:
                sys.stdout.write(f"\nskipped: the replay of {chosen.replay}; {detect_series.SHARED} is not here\n")
            else:
                quality(ground, folder / "replay", most=chosen.embed)


if __name__ == "__main__":
    main()
