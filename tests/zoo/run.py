"""Opens the zoo for a while, then asks whether every post that was shown is accounted for.

`python -m tests.zoo.run --minutes 30` prints a table: what each source was shown, what is stored, what was unusable,
what lies in a noted gap, what is lost (0), faults, and the daemon's CPU and memory. Exit code 1 if the sum is wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil

from detector.app.clock import system_now
from tests.loopback import Loopback, unused_port
from tests.status.pages import PAGES
from tests.zoo.animals import (
    SERVED,
    Feed,
    GitHub,
    HackerNews,
    Lemmy,
    Mastodon,
    Place,
    Reddit,
    StackExchange,
    X,
    served,
)
from tests.zoo.callers import SECRET, Bluesky, Webhook

ROOT = Path(__file__).resolve().parents[2]
_NUMBER = re.compile(r"(\d+)$")
_NAMES = {
    HackerNews: "hackernews", Feed: "feed:zoo", Mastodon: "mastodon", Lemmy: "lemmy",
    StackExchange: "stackexchange:stackoverflow", GitHub: "github:acme/tool", X: "x", Reddit: "reddit",
}  # fmt: skip
# One status page of each kind, for services that the catalogue knows.
_WATCHED = ("claude", "openai", "github", "aws", "google-cloud", "azure", "slack", "cloudflare", "notion", "discord")
# Beyond Reddit's reach, all at once.
FLOOD = 1300


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """One source's account.

    Attributes:
        shown, unusable: posts that should, and must not, be stored.
        stored: of those that should be, each counted once.
        twice: rows beyond one of a post.
        wrong: unusable ones that are stored all the same.
        gap: not stored, but written in a span that is noted as a gap.
        lost: not stored and not noted.
        accepted, duplicate, rejected: the daemon's own counters; rows: what the database holds of the source.
    """

    source: str
    shown: int
    unusable: int
    stored: int
    twice: int
    wrong: int
    gap: int
    lost: int
    accepted: int
    duplicate: int
    rejected: int
    rows: int
    faults: int
    answers: int

    @property
    def right(self) -> bool:
        """Whether everything is accounted for, by our count and by the daemon's."""
        return (
            self.lost == self.twice == self.wrong == 0
            and self.shown == self.stored + self.gap
            and self.accepted == self.rows == self.stored
        )


@dataclass(slots=True, kw_only=True)
class Visit:
    """What came of one opening.

    Attributes:
        memory: (seconds since the start, MB of the daemon and its helpers).
        cpu: share of one core.
        pages: looks at status pages by state.
        gaps: spans noted.
    """

    sums: list[Sum] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    cpu: float = 0.0
    pages: Counter[str] = field(default_factory=Counter)
    gaps: int = 0
    ended: int | None = None
    said: str = ""

    @property
    def slope(self) -> float:
        """MB an hour, by the later half of the run."""
        return slope(self.memory[len(self.memory) // 2 :])

    @property
    def right(self) -> bool:
        """Whether everything is accounted for and the daemon ended well."""
        return bool(self.sums) and all(each.right for each in self.sums) and self.ended == 0

    def table(self) -> str:
        """For a person."""
        lines = ["| source | shown | stored | in gaps | lost | unusable | twice sent | rejected | faults/answers |"]
        lines.append("|---|---|---|---|---|---|---|---|---|")
        lines += [
            f"| {each.source} | {each.shown} | {each.stored} | {each.gap} | {each.lost} | {each.unusable} | "
            f"{each.duplicate} | {each.rejected} | {each.faults}/{each.answers} |"
            for each in self.sums
        ]
        whole = [sum(getattr(each, name) for each in self.sums) for name in ("shown", "stored", "gap", "lost")]
        lines.append(f"| together | {' | '.join(map(str, whole))} | | | | |")
        pages = ", ".join(f"{state} {count}" for state, count in sorted(self.pages.items()))
        last = self.memory[-1][1] if self.memory else 0.0
        lines.append(
            f"\nstatus pages: {pages}; gap rows: {self.gaps}; daemon: {100 * self.cpu:.1f} % of a core, {last:.0f} MB, "
            f"{self.slope:+.1f} MB/h over the later half; exit code {self.ended}"
        )
        return "\n".join(lines)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares, an hour's worth.

    >>> round(slope([(0.0, 10.0), (1800.0, 11.0), (3600.0, 12.0)]), 3)
    2.0
    """
    if len(points) < 2:
        return 0.0
    mean_x, mean_y = (sum(each[i] for each in points) / len(points) for i in (0, 1))
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    under = sum((x - mean_x) ** 2 for x, _ in points)
    return 3600 * over / under if under else 0.0


@contextmanager
def zoo(
    folder: Path, chance: random.Random, share: float, kinds: Sequence[Callable[..., Place]]
) -> Iterator[tuple[list[Place], Path]]:
    """The places, open, and the settings of a daemon that reads them, with a status page of each kind."""
    with ExitStack() as stack:
        places: list[Place] = []
        tables = []
        for kind in kinds:
            place = kind(source=_NAMES[kind], share=share, chance=random.Random(chance.random()))  # type: ignore[index]
            tables.append(place.settings(stack.enter_context(served(place)).url))
            places.append(place)
        bluesky = Bluesky(source="bluesky", share=share, chance=random.Random(chance.random()))
        bluesky.start()
        stack.callback(bluesky.stop)
        webhook = Webhook(source="webhook", share=share, chance=random.Random(chance.random()))
        webhook.port = unused_port()
        places += [bluesky, webhook]
        tables += [bluesky.settings(""), webhook.settings("")]
        urls = []
        for slug, (kind_of_page, (_, path, documents)) in zip(_WATCHED, PAGES.items(), strict=False):
            page = Place(source=slug, share=share, chance=random.Random(chance.random()))
            server = stack.enter_context(Loopback({where: page.spoilt(what) for where, what in documents.items()}))
            reader = _reader_of(kind_of_page)
            urls.append(
                f'[[service]]\nslug = "zoo-{slug}"\nname = "Zoo {slug}"\naliases = ["zoo {slug} page"]\n'
                f'status_pages = [{{ url = "{server.url}{path}", kind = "{reader}", allow_private = true }}]\n'
            )
        (folder / "detector.services.toml").write_text("\n".join(urls), encoding="utf-8")
        config = folder / "detector.toml"
        config.write_text(
            '[watch]\nservices = ["claude"]\nclassifier = "static"\n[status]\ninterval = 10\n'
            '[status.pages]\nclaude = "http://127.0.0.1:1/"\n' + "\n".join(tables),
            encoding="utf-8",
        )
        yield places, config


def _reader_of(kind: str) -> str:
    """The reader's name of a row of `PAGES`."""
    word = kind.partition(" ")[0]
    return "incidentio" if word == "widget" else word


def visit(
    minutes: float, *, seed: int = 7, share: float = 0.1, kinds: Sequence[Callable[..., Place]] = SERVED
) -> Visit:
    """Open the zoo for so many minutes, then let the daemon catch up, and account for everything.

    Args:
        share: of the answers that are spoiled.
        kinds: the places besides Bluesky and the webhook.
    """
    chance = random.Random(seed)
    found = Visit()
    with tempfile.TemporaryDirectory(prefix="detector-zoo-") as name, ExitStack() as stack:
        folder = Path(name)
        places, config = stack.enter_context(zoo(folder, chance, share, kinds))
        log = folder / "log"
        with log.open("w", encoding="utf-8") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.zoo.watch", str(config)],
                cwd=ROOT,
                stdout=sink,
                stderr=sink,
                env={**os.environ, "ZOO_KEY": SECRET},
            )
        try:
            _until(lambda: "ready" in log.read_text(encoding="utf-8"), 60, process)
            _open(process, places, chance, minutes * 60, found)
            for place in places:
                place.share = 0.0
            _until(lambda: not _missing(folder / "detector.db", places), 180, process)
        finally:
            process.send_signal(signal.SIGTERM)
            found.ended = process.wait(30)
            found.said = log.read_text(encoding="utf-8")
        _account(folder / "detector.db", places, found)
    return found


def _open(
    process: subprocess.Popen[bytes], places: Sequence[Place], chance: random.Random, seconds: float, found: Visit
) -> None:
    """Show posts, break things off, and look at the daemon's memory, until the time is over."""
    watched = psutil.Process(process.pid)
    begun = time.monotonic()
    spent = _cpu(watched)
    number, flooded = 1000, False
    while (passed := time.monotonic() - begun) < seconds and process.poll() is None:
        for place in places:
            # Now and then a burst; never so much that the place itself forgets some.
            count = 40 if chance.random() < 0.01 else int(chance.random() < 0.4)
            for _ in range(count):
                number += 1
                place.show(number, system_now().timestamp() - 0.5, usable=chance.random() > 0.1)
            if isinstance(place, Bluesky) and chance.random() < place.share / 5:
                place.break_off()
        if not flooded and passed > seconds / 3:
            flooded = True
            reddit = next(place for place in places if isinstance(place, Reddit))
            at = system_now().timestamp() - 0.5
            for _ in range(FLOOD):
                number += 1
                reddit.show(number, at)
        found.memory.append((passed, _memory(watched)))
        threading.Event().wait(0.5)
    found.cpu = (_cpu(watched) - spent) / max(time.monotonic() - begun, 0.001)


def _cpu(process: psutil.Process) -> float:
    every = [process, *process.children(recursive=True)]
    return float(sum(sum(each.cpu_times()[:2]) for each in every))


def _memory(process: psutil.Process) -> float:
    every = [process, *process.children(recursive=True)]
    return float(sum(each.memory_info().rss for each in every)) / 1e6


def _until(done: object, seconds: float, process: subprocess.Popen[bytes]) -> None:
    assert callable(done)
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None and not done():
        threading.Event().wait(0.5)


def _rows(path: Path, source: str) -> Counter[int]:
    """How often each number is stored for a source and its places."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        texts = conn.execute(
            "SELECT text FROM posts WHERE source = ?1 OR (source > ?1 || ':' AND source < ?1 || ';')", (source,)
        ).fetchall()
    return Counter(int(found[1]) for (text,) in texts if (found := _NUMBER.search(text)))


def _gaps(path: Path, source: str) -> list[tuple[str, str]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        return conn.execute(
            "SELECT from_at, to_at FROM coverage WHERE source = ? AND state = 'gap'", (source,)
        ).fetchall()


def _missing(path: Path, places: Sequence[Place]) -> int:
    """Posts that should be stored, are not, and lie in no gap."""
    return sum(len(_outside(path, place, set(place.shown) - set(_rows(path, place.source)))) for place in places)


def _outside(path: Path, place: Place, numbers: set[int]) -> set[int]:
    """Those of the numbers that no gap of the source explains; a place counts whole seconds."""
    if not numbers:
        return set()
    spans = [(_seconds(low) - 1, _seconds(high) + 1) for low, high in _gaps(path, place.source)]
    return {n for n in numbers if not any(low <= place.shown[n] <= high for low, high in spans)}


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def _account(path: Path, places: Sequence[Place], found: Visit) -> None:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        counted = {
            (s, o): t for s, o, t in conn.execute("SELECT source, outcome, sum(total) FROM counters GROUP BY 1, 2")
        }
        found.pages = Counter(dict(conn.execute("SELECT state, count(*) FROM status_readings GROUP BY 1")))
        (found.gaps,) = conn.execute("SELECT count(*) FROM coverage WHERE state = 'gap'").fetchone()
    for place in places:
        rows = _rows(path, place.source)
        missing = set(place.shown) - set(rows)
        lost = _outside(path, place, missing)
        found.sums.append(
            Sum(
                source=place.source,
                shown=len(place.shown),
                unusable=len(place.unusable),
                stored=len(set(place.shown) & set(rows)),
                twice=sum(count - 1 for count in rows.values()),
                wrong=len(set(place.unusable) & set(rows)),
                gap=len(missing) - len(lost),
                lost=len(lost),
                accepted=counted.get((place.source, "accepted"), 0),
                duplicate=counted.get((place.source, "duplicate"), 0),
                rejected=counted.get((place.source, "rejected"), 0),
                rows=sum(rows.values()),
                faults=sum(place.faults.values()),
                answers=place.answers,
            )
        )


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    found = visit(asked.minutes, seed=asked.seed)
    click.echo(found.table())
    if not found.right:
        click.echo("\n".join(found.said.splitlines()[-30:]), err=True)
    return 0 if found.right else 1


if __name__ == "__main__":
    sys.exit(main())
