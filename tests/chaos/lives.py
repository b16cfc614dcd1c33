"""One database's life under `kill -9`: started and killed again and again, then left to finish; what became of it all.

The long tier's 10,000 kills are many lives, since a watch list of as many services as there are kills would make each
start slow for no fault of the daemon's.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from detector.domain import Reason
from detector.store import AlertChange, Store, open_reader
from tests.chaos.conftest import Nursery
from tests.chaos.jobs import START as SCRIPT_START
from tests.chaos.oracle import Oracle
from tests.chaos.parts import progress

# Entries of the feed: each start reads them all again. Sixty polls in a row would have to be cut short to miss one.
LOOK_BACK, EACH_LOOK = 300, 3
# For what takes a second; on a machine that does something else first, minutes.
PATIENCE_S = 300.0


@dataclass
class Life:
    """What was done and what came of it; sums of lives are lives.

    Attributes:
        kills: how often it was killed.
        posts: issued by the oracle.
        alerts: services of which enough people complained.
        lost_posts: issued and not stored once.
        lost_alerts: owed and never told.
        phantom: told of and not owed.
        repeated: messages that name an outage told of before; in a life of more than ten minutes, that it is over too.
        took: seconds to the end of all that was owed, after the last start; the longest of them in a sum.
        wrong: what else does not hold, in words.
    """

    kills: int = 0
    posts: int = 0
    alerts: int = 0
    lost_posts: int = 0
    lost_alerts: int = 0
    phantom: int = 0
    repeated: int = 0
    took: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __add__(self, other: Life) -> Life:
        return Life(
            kills=self.kills + other.kills,
            posts=self.posts + other.posts,
            alerts=self.alerts + other.alerts,
            lost_posts=self.lost_posts + other.lost_posts,
            lost_alerts=self.lost_alerts + other.lost_alerts,
            phantom=self.phantom + other.phantom,
            repeated=self.repeated + other.repeated,
            took=max(self.took, other.took),
            wrong=[*self.wrong, *other.wrong],
        )

    @property
    def right(self) -> bool:
        """Whether every promise was kept: nothing lost or invented, at most one message again for each kill."""
        return not (self.wrong or self.lost_posts or self.lost_alerts or self.phantom or self.repeated > self.kills)

    def words(self) -> str:
        """The result in a line."""
        return (
            f"{self.posts} posts, {self.alerts} alerts; lost posts {self.lost_posts}, lost alerts {self.lost_alerts}, "
            f"phantom {self.phantom}, repeated {self.repeated}; drained in {self.took:.1f} s"
        )


def live_through(nursery: Nursery, folder: Path, cycles: int, seed: int) -> Life:
    """Start a daemon of real parts over HTTP and kill it at a random moment, so often; then the oracle counts."""
    luck = random.Random(seed)
    order = {"services": cycles}
    path = folder / "detector.db"
    with Oracle(limit=cycles) as oracle:
        oracle.look_back, oracle.each_look = LOOK_BACK, EACH_LOOK
        for number in range(cycles):
            if number % 100 == 99:
                progress(f"seed {seed}: kill {number + 1} of {cycles}, {len(oracle.issued)} posts issued")
            looks = oracle.looks
            pid = nursery.fork("live", folder, url=oracle.url, **order)
            # Somewhere in the start; or in the first poll; or after it, so that a slow machine comes forward too.
            goal = looks + luck.choices((0, 1, 2), (30, 35, 35))[0]
            assert until(lambda goal=goal: oracle.looks >= goal, PATIENCE_S), log(folder)
            threading.Event().wait(luck.uniform(0.0, 0.5))
            assert nursery.kill(pid) == -signal.SIGKILL, log(folder)
        oracle.quiet = True
        looks = oracle.looks
        begun = time.monotonic()
        pid = nursery.fork("live", folder, url=oracle.url, **order)
        assert until(lambda: oracle.looks > looks, PATIENCE_S), log(folder)
        numbers = {post_id.rpartition(":")[2] for post_id in oracle.issued}
        done = until(lambda: path.exists() and set(stored(path)) >= numbers and told(oracle), PATIENCE_S)
        took = time.monotonic() - begun
        os.kill(pid, signal.SIGTERM)
        code = nursery.wait(pid)
        counts = stored(path)
        life = Life(
            kills=cycles,
            posts=len(numbers),
            alerts=len(oracle.failing),
            lost_posts=len(numbers - set(counts)),
            lost_alerts=sum(not oracle.told[n] for n in oracle.failing),
            phantom=sum(n not in oracle.failing for n in oracle.told),
            repeated=sum(count - 1 for count in oracle.told.values()),
            took=took,
        )
    said = (folder / "daemon.log").read_text(encoding="utf-8")
    with Store.open(path, now=SCRIPT_START) as store:
        opened = [change.alert_key for change in _changes(store) if change.reason is Reason.OPENED]
        promises = {
            "all done in time": done,
            "exit code 0": code == 0,
            "the file is whole": whole(path),
            "each post once": max(counts.values()) == 1,
            "no traceback": "Traceback" not in said,
            "nothing left to judge": not store.pending_posts(),
            "nothing left to send": all(each.sent_at is not None for each in store.read.notifications(limit=10**6)),
            "each outage opened once": len(opened) == len(set(opened)) == life.alerts,
        }
    life.wrong = [f"seed {seed}, not so: {promise}\n{said[-1500:]}" for promise, kept in promises.items() if not kept]
    return life


def whole(path: Path) -> bool:
    """SQLite's own full check."""
    conn = sqlite3.connect(path)
    try:
        return bool(conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
    finally:
        conn.close()


def until(true: object, seconds: float) -> bool:
    """Wait for something to become true."""
    assert callable(true)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        threading.Event().wait(0.05)
    return bool(true())


def stored(path: Path) -> Counter[str]:
    """The oracle's posts in a database, by number."""
    with open_reader(path) as reader:
        return Counter(str(int(post.text.rpartition("number ")[2])) for post in reader.posts(limit=10**7))


def log(folder: Path) -> str:
    """The end of what the daemon said."""
    return (folder / "daemon.log").read_text(encoding="utf-8")[-3000:]


def told(oracle: Oracle) -> bool:
    """Whether the channel heard of every failing service."""
    return all(oracle.told[n] for n in oracle.failing)


def _changes(store: Store) -> list[AlertChange]:
    return [change for alert in store.read.alerts(limit=10**6) for change in store.read.alert_changes(alert.key)]
