"""A real `detector watch` for hours, with posts and a channel on this machine, and a fault every 30 s.

`SOAK_HOURS=8 make soak` runs it as long as somebody wants to wait; `make chaos` for three minutes.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from tests.chaos.conftest import ROOT
from tests.chaos.lives import PATIENCE_S
from tests.chaos.oracle import Oracle
from tests.loopback import Reply

FAULT_EVERY_S = 30.0
A_SECOND = 20
BROKEN_S = 8.0
# How long the feed shows an entry: a source is asked every five seconds, and kept from it for ten by some faults, and
# for longer on a machine that is busy with something else.
LOOK_BACK_S = 90
SETTINGS = """
[watch]
services = ["claude", "github"]
catalogue = "services.toml"
[sources.feeds]
google_news = false
mastodon = []
urls = { oracle = { url = "URL/feed", interval = 5, allow_private = true } }
[receivers.hook]
type = "slack"
webhook_env = "SOAK_HOOK"
allow_loopback_http = true
timeout = 5
[status]
enabled = false
[store]
path = "detector.db"
backups = 1
[logging]
file = "detector.log"
"""
SERVICE = '[[service]]\nslug = "zorbex0"\nname = "Zorbex0"\naliases = ["Zorbex0"]\n'


@dataclass
class Look:
    """The process at a moment.

    Attributes:
        at: seconds since the beginning.
        rss: bytes held.
        files: open file descriptors, those of the parser's and the channel's connections among them.
    """

    at: float
    rss: int
    files: int


@dataclass
class Soak:
    """What came of it.

    Attributes:
        faults: by name, how often.
        posts: issued and stored.
    """

    looks: list[Look] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    issued: int = 0
    stored: int = 0
    code: int | None = None
    alive: bool = True
    log: str = ""

    def settled(self, warm: float) -> list[Look]:
        """The looks after the warm-up."""
        return [look for look in self.looks if look.at >= warm]

    def slope(self, warm: float) -> float:
        """MB of growth in an hour, by least squares over the looks after the warm-up."""
        looks = self.settled(warm)
        middle = sum(look.at for look in looks) / len(looks)
        level = sum(look.rss for look in looks) / len(looks)
        across = sum((look.at - middle) ** 2 for look in looks)
        return sum((look.at - middle) * (look.rss - level) for look in looks) / max(across, 1e-9) * 3600 / 1e6

    def files(self, warm: float) -> tuple[int, int]:
        """The least numbers of open files in the first and in the second half after the warm-up.

        The least: a connection that is open at the moment of a look is no leak.
        """
        halves = self._halves(warm)
        return min(look.files for look in halves[0]), min(look.files for look in halves[1])

    def usual_files(self, warm: float) -> tuple[float, float]:
        """The medians of the same."""
        halves = self._halves(warm)
        return median(look.files for look in halves[0]), median(look.files for look in halves[1])

    def _halves(self, warm: float) -> tuple[list[Look], list[Look]]:
        looks = self.settled(warm)
        return looks[: len(looks) // 2], looks[len(looks) // 2 :]


def faults(oracle: Oracle, path: Path, process: subprocess.Popen[bytes]) -> list[tuple[str, Callable[[], None]]]:
    """What may happen, each by itself."""

    def locked() -> None:
        with suppress(sqlite3.OperationalError):
            conn = sqlite3.connect(path, isolation_level=None, timeout=1)
            conn.execute("BEGIN IMMEDIATE")
            threading.Event().wait(7)
            conn.execute("ROLLBACK")
            conn.close()

    def stopped() -> None:
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(3)
        process.send_signal(signal.SIGCONT)

    def long_reader() -> None:
        with suppress(sqlite3.OperationalError):
            conn = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
            conn.execute("BEGIN")
            conn.execute("SELECT count(*) FROM posts").fetchone()
            threading.Event().wait(10)
            conn.close()

    def refusing(reply: Reply) -> Callable[[], None]:
        return lambda: oracle.refuse.extend([reply] * 2)

    def feed(reply: Reply) -> Callable[[], None]:
        def strike() -> None:
            oracle.broken = (reply, time.monotonic() + BROKEN_S)

        return strike

    def parser_killed() -> None:
        with suppress(psutil.Error):
            for child in psutil.Process(process.pid).children():
                child.kill()

    def reload() -> None:
        process.send_signal(signal.SIGHUP)

    return [
        ("database locked", locked),
        ("stopped", stopped),
        ("long reader", long_reader),
        ("channel 429", refusing(Reply("slow down", status=429, headers={"Retry-After": "1"}))),
        ("channel 500", refusing(Reply("", status=500))),
        ("feed 503", feed(Reply("", status=503))),
        ("feed reset", feed(Reply(fault="reset"))),
        ("feed truncated", feed(Reply("<feed><entry>", fault="truncated"))),
        ("feed is no feed", feed(Reply("<html>sign in</html>", headers={"Content-Type": "text/html"}))),
        ("parser killed", parser_killed),
        ("reload", reload),
    ]


@contextmanager
def daemon(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """`detector watch` in a folder, as a person starts it."""
    (folder / "detector.toml").write_text(SETTINGS.replace("URL", url), encoding="utf-8")
    (folder / "services.toml").write_text(SERVICE, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "detector", "watch"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "SOAK_HOOK": f"{url}/hook", "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def soak(folder: Path, seconds: float, *, every: float = FAULT_EVERY_S) -> Soak:
    """Run for so long and look once a second."""
    found = Soak()
    luck = random.Random(13)
    with Oracle(limit=1) as oracle, daemon(folder, oracle.url) as process:
        # By the second, not by the look: one that is tried again and again must not find ever more.
        oracle.each_look, oracle.a_second = 0, A_SECOND
        oracle.look_back = LOOK_BACK_S * A_SECOND
        watcher = psutil.Process(process.pid)
        order: list[tuple[str, Callable[[], None]]] = []
        begun, next_fault = time.monotonic(), time.monotonic() + every
        while (at := time.monotonic() - begun) < seconds and process.poll() is None:
            with suppress(psutil.Error):
                found.looks.append(Look(at=at, rss=watcher.memory_info().rss, files=watcher.num_fds()))
            if time.monotonic() >= next_fault:
                next_fault += every
                order = order or luck.sample(made := faults(oracle, folder / "detector.db", process), len(made))
                name, strike = order.pop()
                found.faults[name] = found.faults.get(name, 0) + 1
                threading.Thread(target=strike, daemon=True).start()
            threading.Event().wait(1.0)
        found.alive = process.poll() is None
        oracle.quiet = True
        found.issued = len(oracle.issued)
        wait_for(lambda: stored_in(folder / "detector.db") >= found.issued, PATIENCE_S)
        found.stored = stored_in(folder / "detector.db")
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            found.code = process.wait(60)
    log = folder / "detector.log"
    found.log = log.read_text(encoding="utf-8") if log.exists() else ""
    return found


def stored_in(path: Path) -> int:
    """How many posts of the oracle's are in a database."""
    try:
        conn = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            return int(conn.execute("SELECT count(*) FROM posts").fetchone()[0])
        finally:
            conn.close()
    except sqlite3.Error:
        return 0


def wait_for(true: Callable[[], bool], seconds: float) -> bool:
    """Look until it is so, or so long."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.2)
    return True


def words(found: Soak, warm: float) -> str:
    """The result in a line."""
    first, last = found.files(warm)
    looks = found.settled(warm)
    return (
        f"{sum(found.faults.values())} faults of {len(found.faults)} kinds; {found.stored} of {found.issued} posts; "
        f"RSS {looks[0].rss / 1e6:.0f} to {looks[-1].rss / 1e6:.0f} MB, {found.slope(warm):+.1f} MB/h; files {first} "
        f"and {last}"
    )
