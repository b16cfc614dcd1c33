"""The daemon's engine with 5,000 services at 1,000 mentions a second: how much of a core, how much memory.

    python -m tests.bench.growth_live [--services 5000] [--rate 1000] [--seconds 60]

Posts that each name a service are taken in steps of one second of their own time, through the matcher, the shipped
classifier, 5,000 detectors and a database on disk, as fast as it goes. Processor seconds a second of posts are the
share of one core that the daemon needs; nothing is estimated or left out.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from detector.app.build import blueprint, make_engine
from detector.app.load import Load
from detector.config.settings import load_settings
from detector.domain import Post, Service
from detector.protocols import Harvest
from detector.store import Store
from tests.bench import mix
from tests.bench.scale import heading, row

_CALM = 0.97


def posts(services: Sequence[Service], rate: int, second: int, rng: random.Random) -> tuple[Post, ...]:
    """What is said in a second: each post about one service, most of it chatter, by new people."""
    at = mix.START + timedelta(seconds=second)
    return tuple(
        Post(
            source="bench",
            id=f"{second}-{number}",
            created_at=at,
            seen_at=at,
            text=mix.sentence(rng, rng.choice(services), complaint=rng.random() > _CALM),
            author=f"{rng.randrange(1 << 44):011x}a",
        )
        for number in range(rate)
    )


def measure(services: int, rate: int, seconds: int) -> None:
    """Print the table."""
    watched = mix.invented(services)
    settings = load_settings(None, {})
    settings = settings.model_copy(update={"watch": settings.watch.model_copy(update={"services": ("*",)})})
    rng = random.Random(5)
    spent: list[float] = []
    heading("live", "value")
    with tempfile.TemporaryDirectory() as name, Store.open(Path(name) / "a.db", now=mix.START) as store:
        began = time.process_time()
        engine = make_engine(blueprint(settings, watched), store, [])
        engine.restore(mix.START)
        engine.load = Load(None)
        row(f"start with {services:,} services", f"{time.process_time() - began:.1f} processor s")
        judged = 0
        for second in range(seconds):
            heard = posts(watched, rate, second, rng)
            now: datetime = heard[0].seen_at
            began = time.process_time()
            step = engine.take("bench", Harvest(posts=heard, cursor=str(second)), now)
            if second % 15 == 14:
                engine.pass_time(now)
            spent.append(time.process_time() - began)
            judged += len(step.judgements)
        began = time.process_time()
        engine.checkpoint(mix.START + timedelta(seconds=seconds))
        checkpoint = time.process_time() - began
    steady = sorted(spent)
    whole = sum(spent) / len(spent)
    row(f"mentions judged in {seconds} s of posts", f"{judged:,}")
    row("processor seconds a second of posts: mean, median, worst",
        f"{whole:.2f}, {steady[len(steady) // 2]:.2f}, {steady[-1]:.2f}")  # fmt: skip
    row("a checkpoint of all detectors", f"{checkpoint:.2f} processor s, every 10 min")
    row("memory at most", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=5000)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args(arguments)
    measure(chosen.services, chosen.rate, chosen.seconds)


if __name__ == "__main__":
    main()
