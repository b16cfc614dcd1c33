"""The backfill at scale: end to end, stage by stage beside its limit, and how it grows. Archives are made on the spot.

    python -m tests.bench.scale [--posts 1000000] [--long] [--plot FILE]

`--long` grows to ten million posts. Every backfill runs in processes of its own (`scale_one`); figures are of this
machine at this moment, ratios travel better.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from tests.bench import mix, scale_stages

CORES = 2
_ONE = [sys.executable, "-m", "tests.bench.scale_one"]


def row(*cells: str) -> None:
    """Print one line of a table at once, so that a long run can be watched."""
    sys.stdout.write("| " + " | ".join(cells) + " |\n")
    sys.stdout.flush()


def heading(*cells: str) -> None:
    """Begin a table."""
    sys.stdout.write("\n")
    row(*cells)
    row(*["---"] * len(cells))


def made(path: Path, lines: Iterable[str]) -> Path:
    """Lines as a zstandard archive."""
    with path.open("wb") as sink, zstandard.ZstdCompressor(level=3).stream_writer(sink) as packed:
        for line in lines:
            packed.write(line.encode())
    return path


def one(archive: Path, **options: object) -> dict[str, Any]:
    """A backfill in processes of its own."""
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run([*_ONE, str(archive), *arguments], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rate(found: dict[str, Any]) -> float:
    """Posts a second, from start to written results."""
    return float(found["posts"]) / float(found["seconds"])


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The exponent of growth: 1 is linear; a least-squares line through the logarithms.

    >>> round(slope([(10, 5), (100, 50), (1000, 500)]), 3)
    1.0
    """
    logs = [(math.log(x), math.log(max(y, 1e-9))) for x, y in points]
    mean_x, mean_y = sum(x for x, _ in logs) / len(logs), sum(y for _, y in logs) / len(logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """An archive, what it holds, and what its backfill took."""

    what: str
    archive: Path
    figures: dict[str, Any]

    @property
    def cost(self) -> float:
        """Microseconds of processor time a post, starts and report included."""
        return float(self.figures["cpu"]) / float(self.figures["posts"]) * 1e6


def whole(folder: Path, posts: int) -> list[Ran]:
    """End to end: the natural mix, the same again from the cache, and an archive of mentions alone."""
    natural = made(folder / "natural.jsonl.zst", mix.lines(posts))
    first = one(natural, cache=folder / "cache")
    again = one(natural, cache=folder / "cache", budget="1/month")
    few = max(posts // 4, 1000)  # enough for several processes, and so many that their starts count little
    named = made(folder / "named.jsonl.zst", mix.lines(few, naming=1.0, seed=1))
    alone = one(named)
    columns = ("posts/s", "posts a processor s", "seconds", "processor s", "memory MB")
    heading("end to end, 2 workers, start and report included", *columns)
    for name, found in (
        (f"natural mix, {posts:,} posts, 5 % name one of 100 services, cascade", first),
        ("the same from cached judgements, another budget, one process", again),
        (f"every post a mention, {few:,} posts, cascade", alone),
    ):
        row(name, f"{rate(found):,.0f}", f"{found['posts'] / found['cpu']:,.0f}", f"{found['seconds']:.1f}",
            f"{found['cpu']:.1f}", f"{found['memory_mb']}")  # fmt: skip
    faster = (first[key] / again[key] for key in ("seconds", "cpu"))
    row("second backfill, times faster: seconds, processor seconds", *(f"{each:.1f}" for each in faster), "", "", "")
    for name, found in (("natural mix", first), ("every post a mention", alone)):
        row(f"{name}: processor seconds by stage", json.dumps(found["stages"]), "", "", "", "")
    return [Ran(what="natural mix", archive=natural, figures=first),
            Ran(what="every post a mention", archive=named, figures=alone)]  # fmt: skip


def stages(ran: Sequence[Ran], folder: Path) -> None:
    """Every stage beside its limit, and the whole beside the slowest stage's.

    Stages follow each other, so a program with every stage at its limit and nothing else would take the sum of them:
    the last column is the share that it would reach.
    """
    shown = []
    for each in ran:
        count = min(100_000, int(each.figures["posts"]))
        archive = scale_stages.head(each.archive, folder / "head.jsonl.zst", count)
        found = scale_stages.side_by_side(archive, count, CORES)
        heading(
            f"{each.what}: stage, {CORES} processes at once",
            "ours, µs",
            "limit, µs",
            "share of the limit",
            "the limit is",
        )
        for stage in found.stages:
            row(stage.name, f"{stage.ours:.2f}", f"{stage.limit:.2f}", f"{stage.share:.0%}", stage.what)
        read = found.stages[0].ours
        row("read and match without the sieve, a post", f"{found.bare:.2f}", "", "",
            f"the sieve spares {found.spared:.0%} of the lines and {1 - read / found.bare:.0%} of this")  # fmt: skip
        mentions, again = scale_stages.shares(each.archive)
        limits = found.limits(mentions, again)
        slowest = max(limits, key=lambda name: limits[name])
        shown.append((each, slowest, limits[slowest], mentions * again, sum(limits.values())))
    columns = (
        "ours, µs of processor time a post",
        "limit, µs",
        "share",
        "the slowest stage",
        "all limits, µs",
        "at most",
    )
    heading("end to end over the slowest stage's own limit", *columns)
    for each, slowest, limit, again, least in shown:
        which = f"{slowest} ({again:.1%} of the posts)" if "transformer" in slowest else slowest
        row(each.what, f"{each.cost:.1f}", f"{limit:.1f}", f"{limit / each.cost:.0%}", which,
            f"{least:.1f}", f"{limit / least:.0%}")  # fmt: skip
    row("memory copy, GB/s", f"{scale_stages.copy_speed():.1f}", "", "", "", "", "")


def growth(folder: Path, *, long: bool) -> dict[str, list[tuple[float, dict[str, Any]]]]:
    """Time and memory by posts and by services."""
    found: dict[str, list[tuple[float, dict[str, Any]]]] = {"posts": [], "services": []}
    for power in range(4, 8 if long else 7):
        archive = made(folder / "posts.jsonl.zst", mix.lines(10**power, seed=power))
        found["posts"].append((10**power, one(archive)))
    for count in (1, 10, 100, 1000, 5000):
        watched = mix.services(count) if count <= 100 else mix.invented(count)
        archive = made(folder / "services.jsonl.zst", mix.lines(100_000, seed=count, watched=watched))
        found["services"].append((count, one(archive, services=count, judge="static")))
    for what, points in found.items():
        heading(f"growth with {what}", "seconds", "processor s", "memory MB")
        for size, each in points:
            row(f"{size:,.0f}", f"{each['seconds']:.2f}", f"{each['cpu']:.2f}", f"{each['memory_mb']}")
        larger = points[1:] if what == "posts" else points
        row(
            "slope of seconds, processor time, memory",
            *(f"{slope([(size, each[key]) for size, each in larger]):.2f}" for key in ("seconds", "cpu", "memory_mb")),
        )
    return found


def plot(found: dict[str, list[tuple[float, dict[str, Any]]]], path: Path) -> None:
    """Time and memory against size, both logarithmic, with lines of slope 1 for the eye."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, (what, points) in zip(axes, found.items(), strict=True):
        sizes = [size for size, _ in points]
        axis.loglog(sizes, [each["cpu"] for _, each in points], "o-", label="processor seconds")
        axis.loglog(sizes, [each["memory_mb"] for _, each in points], "s--", label="memory, MB")
        last = points[-1][1]["cpu"]
        axis.loglog(sizes, [last * size / sizes[-1] for size in sizes], ":", color="gray", label="slope 1")
        axis.set_xlabel(what)
        axis.legend(fontsize=8)
        axis.grid(visible=True, alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    sys.stdout.write(f"\nwrote {path}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--plot", type=Path, default=Path("build/bench/growth.png"))
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stages(whole(folder, chosen.posts), folder)
        plot(growth(folder, long=chosen.long), chosen.plot)


if __name__ == "__main__":
    main()
