"""F5-F8, F11, F28: full disk, locked, damaged and doubled databases, clocks that jump, a process that is stuck."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detector.app.clock import SystemClock
from detector.app.watch import recover
from detector.errors import DetectorError, StoreError
from detector.protocols import Harvest
from detector.store import Store
from tests.chaos.conftest import ROOT, Nursery
from tests.chaos.lives import PATIENCE_S, log, stored, until, whole
from tests.chaos.oracle import Oracle
from tests.chaos.parts import complaint, engine_on, services, size
from tests.chaos.test_kills import Table

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


def test_f6_a_full_disk_is_survived_and_an_outage_is_told_from_memory(
    nursery: Nursery, tmp_path: Path, table: Table
) -> None:
    """No file may grow: the outage reaches the channel all the same; with room again nothing is missing."""
    path = tmp_path / "detector.db"
    with Oracle(limit=3) as oracle:
        oracle.quiet = True
        first = nursery.fork("live", tmp_path, url=oracle.url, services=3)
        assert until(lambda: oracle.looks > 2 and path.exists(), PATIENCE_S), log(tmp_path)
        os.kill(first, signal.SIGTERM)
        assert nursery.wait(first) == 0
        full = nursery.fork("live", tmp_path, url=oracle.url, services=3, largest_file=path.stat().st_size + 20_000)
        looks = oracle.looks
        assert until(lambda: oracle.looks > looks, PATIENCE_S), log(tmp_path)
        oracle.quiet = False
        assert until(lambda: len(oracle.failing) == 3 and all(oracle.told[n] for n in range(3)), PATIENCE_S), log(
            tmp_path
        )
        assert until(lambda: "the database refuses" in log(tmp_path) or "the disk" in log(tmp_path), PATIENCE_S)
        oracle.quiet = True
        refused = nursery.kill(full)
        numbers = {post_id.rpartition(":")[2] for post_id in oracle.issued}
        last = nursery.fork("live", tmp_path, url=oracle.url, services=3)
        done = until(lambda: set(stored(path)) >= numbers, PATIENCE_S)
        os.kill(last, signal.SIGTERM)
        assert nursery.wait(last) == 0
        said = (tmp_path / "daemon.log").read_text(encoding="utf-8")
        told = sum(oracle.told.values())
    table.append(("F6 disk full", "1", f"3 outages told while full, {told} messages; {len(numbers)} posts, 0 lost"))

    assert refused == -signal.SIGKILL  # it was still alive
    assert done, said[-2000:]
    assert whole(path)
    assert max(stored(path).values()) == 1


def test_f8_a_tool_that_locks_the_database_makes_it_late_and_loses_nothing(
    nursery: Nursery, tmp_path: Path, table: Table
) -> None:
    """Another program holds the write lock longer than anybody waits for it; afterwards all is there."""
    path = tmp_path / "detector.db"
    seconds = size(8, 60, 60)
    with Oracle(limit=2) as oracle:
        pid = nursery.fork("live", tmp_path, url=oracle.url, services=2)
        assert until(lambda: oracle.looks > 2 and path.exists() and len(stored(path)) > 0, PATIENCE_S), log(tmp_path)
        holder = sqlite3.connect(path, isolation_level=None, timeout=30)
        holder.execute("BEGIN IMMEDIATE")
        threading.Event().wait(seconds)
        holder.execute("ROLLBACK")
        holder.close()
        oracle.quiet = True
        numbers = {post_id.rpartition(":")[2] for post_id in oracle.issued}
        done = until(lambda: set(stored(path)) >= numbers and all(oracle.told[n] for n in oracle.failing), PATIENCE_S)
        os.kill(pid, signal.SIGTERM)
        code = nursery.wait(pid)
    table.append(
        ("F8 database locked", "1", f"{seconds} s; {len(numbers)} posts, {len(oracle.failing)} alerts, 0 lost")
    )

    assert done, log(tmp_path)
    assert code == 0
    assert whole(path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with posts and alerts in it, closed."""
    path = tmp_path_factory.mktemp("sound") / "detector.db"
    with Store.open(path, now=START) as store:
        engine = engine_on(store, services(5))
        engine.restore(START)
        for step in range(40):
            at = START + timedelta(minutes=step)
            posts = tuple(complaint(step % 5, step * 20 + n, at) for n in range(20))
            engine.take("oracle", Harvest(posts=posts, cursor=str(step)), at)
        engine.checkpoint(START + timedelta(minutes=40))
    return path


@pytest.mark.parametrize("kind", ["flip", "cut"])
def test_f7_a_damaged_database_is_refused_or_whole_and_recovery_begins_anew(
    sound: Path, tmp_path: Path, table: Table, kind: str
) -> None:
    """Never a traceback, never silently reused: opened whole, or refused with words, or moved aside and begun anew."""
    runs = size(40, 500, 2000) if kind == "flip" else size(10, 50, 200)
    luck = random.Random(3)
    original = sound.read_bytes()
    opened = refused = moved = 0
    for number in range(runs):
        body = bytearray(original)
        if kind == "flip":
            for _ in range(luck.choice((1, 8, 64))):
                # The first kilobyte decides what the file is; it is worth more than its share.
                place = luck.randrange(1024) if luck.random() < 0.3 else luck.randrange(len(body))
                body[place] ^= 1 << luck.randrange(8)
        else:
            del body[luck.randrange(1, len(body)) :]
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "detector.db"
        path.write_bytes(bytes(body))
        try:
            use(path)
            opened += 1
        except DetectorError as error:
            refused += 1
            said = str(error)
        else:
            said = "detector.db"
        try:
            # What only looks like another program's, or a newer one's, is left alone.
            aside = recover(path, SystemClock()) if said != "detector.db" else None
        except StoreError:
            aside = None
        if aside is not None:
            moved += 1
            use(path)
        assert "detector.db" in said
        assert aside is None or aside.read_bytes()[:16] == bytes(body)[:16]
        shutil.rmtree(folder)
    table.append((f"F7 damaged ({kind})", str(runs), f"{opened} whole, {refused} refused, {moved} of them begun anew"))

    assert refused > 0
    assert moved > 0


def use(path: Path) -> None:
    """Open, restore and work; only deliberate errors may come out."""
    with Store.open(path, now=START) as store:
        engine = engine_on(store, services(5))
        engine.restore(START + timedelta(hours=2))
        step = engine.take("oracle", Harvest(posts=(complaint(0, 9999, START),), cursor="x"), START)
        if step.adrift is not None:
            raise step.adrift


def test_f5_a_second_daemon_is_refused(nursery: Nursery, tmp_path: Path, table: Table) -> None:
    """It ends with a word; the first goes on."""
    with Oracle(limit=1) as oracle:
        first = nursery.fork("live", tmp_path, url=oracle.url, services=1)
        assert until(lambda: oracle.looks > 0, PATIENCE_S), log(tmp_path)
        assert nursery.run("live", tmp_path, url=oracle.url, services=1) == 1
        assert f"process {first}" in log(tmp_path)
        looks = oracle.looks
        assert until(lambda: oracle.looks > looks, PATIENCE_S)
        os.kill(first, signal.SIGTERM)
        assert nursery.wait(first) == 0
    table.append(("F5 two daemons", "1", "the second refused, the first went on"))


@dataclass
class Hands:
    """What the system's two clocks show."""

    wall: datetime = START
    monotonic: float = 0.0

    def read(self) -> datetime:
        """The wall's."""
        return self.wall

    def seconds(self) -> float:
        """The other's."""
        return self.monotonic


def test_f11_a_jumping_clock_makes_no_storm_and_loses_no_alert(tmp_path: Path, table: Table) -> None:
    """Hours and days forth and back, to 1970 and on: one alert an outage, time never runs back, nothing is lost."""
    schedules = size(25, 500, 5000)
    luck = random.Random(5)
    jumps = 0
    for number in range(schedules):
        shown = Hands()
        clock = SystemClock(wall=shown.read, monotonic=shown.seconds)
        path = tmp_path / f"{number}.db"
        with Store.open(path, now=clock.now()) as store:
            engine = engine_on(store, services(2))
            engine.restore(clock.now())
            before = clock.now()
            for step in range(12):
                jump = luck.choice((0, 0, 0, 3600, -3600, 86400, -86400, -(10**9), 40, -40))
                shown.monotonic += 15
                shown.wall = max(shown.wall + timedelta(seconds=15 + jump), datetime(1970, 1, 1, tzinfo=UTC))
                now = clock.now()
                assert now >= before
                before = now
                posts = (complaint(0, step, now),) if step < 6 else ()
                engine.take("oracle", Harvest(posts=posts, cursor=str(step)), now)
                engine.pass_time(now)
            jumps += clock.jumps
            opened = [
                change
                for alert in store.read.alerts()
                for change in store.read.alert_changes(alert.key)
                if change.reason.value in {"opened", "reopened"}
            ]
            owed = store.outbox.due(clock.now() + timedelta(days=1))
            assert len(store.read.posts(limit=100)) == 6
            # A jump of hours may end an outage; what follows is the same one again or none, never a storm.
            assert 1 <= len(opened) <= 2, number
            assert len(owed) <= 2 * len(opened)
        path.unlink()
    table.append(("F11 clock jumps", str(schedules), f"{jumps} jumps seen; no storm, no alert lost"))


def said_until_silence(manager: socket.socket) -> str:
    """Everything until nothing comes for as long as the socket waits."""
    said = ""
    while True:
        try:
            said += manager.recv(4096).decode() + "\n"
        except TimeoutError:
            return said


@pytest.mark.slow
def test_f28_systemd_hears_of_life_only_while_there_is_life(tmp_path: Path, table: Table) -> None:
    """`detector watch` under a watchdog: READY, then signs of life; stopped by SIGSTOP, none; at the end STOPPING."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(PATIENCE_S)
        (tmp_path / "detector.toml").write_text(
            '[watch]\nservices = ["claude"]\nclassifier = "keyword"\n[sources.feeds]\ngoogle_news = false\n'
            "mastodon = []\n[status]\nenabled = false\n",
            encoding="utf-8",
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "detector", "watch"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "NOTIFY_SOCKET": str(address),
                "WATCHDOG_USEC": "60000000",
                "PYTHONPATH": str(ROOT),
            },
        )
        try:
            heard = [manager.recv(4096).decode()]
            while "WATCHDOG=1" not in heard[-1]:
                heard.append(manager.recv(4096).decode())
            process.send_signal(signal.SIGSTOP)
            manager.settimeout(size(16, 20, 70))
            assert "WATCHDOG=1" not in said_until_silence(manager)
            process.send_signal(signal.SIGCONT)
            manager.settimeout(PATIENCE_S)
            while "WATCHDOG=1" not in manager.recv(4096).decode():
                pass
            process.terminate()
            while "STOPPING=1" not in (last := manager.recv(4096).decode()):
                heard.append(last)
        finally:
            process.kill()
            process.communicate()
    table.append(("F28 watchdog", "1", "READY, WATCHDOG, silent while stopped, STOPPING"))

    assert "READY=1" in heard[0]
