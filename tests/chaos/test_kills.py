"""F1-F4, G1, G2: killed at any instant, nothing accepted is lost, no alert is lost, and nobody is told of nothing."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from detector.domain import Reason
from detector.store import AlertChange, Store, open_reader
from tests.chaos.conftest import Nursery
from tests.chaos.jobs import START as SCRIPT_START
from tests.chaos.jobs import STEPS, script
from tests.chaos.oracle import Oracle
from tests.chaos.parts import size

Table = list[tuple[str, str, str]]


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
    with open_reader(path) as reader:
        return Counter(str(int(post.text.rpartition("number ")[2])) for post in reader.posts(limit=10**7))


@pytest.mark.timeout(7200)
def test_f1_f2_f3_kill_9_under_load_loses_nothing(nursery: Nursery, tmp_path: Path, table: Table) -> None:
    """A daemon of real parts over HTTP, killed at a random moment again and again; then the oracle counts."""
    cycles = size(12, 200, 10_000)
    luck = random.Random(7)
    order = {"services": cycles}
    path = tmp_path / "detector.db"
    with Oracle(limit=cycles) as oracle:
        for _ in range(cycles):
            looks = oracle.looks
            pid = nursery.fork("live", tmp_path, url=oracle.url, **order)
            if luck.random() < 0.7:
                # Under load; else somewhere in the start.
                assert until(lambda seen=looks: oracle.looks > seen, 30), log(tmp_path)
            threading.Event().wait(luck.uniform(0.0, 0.5))
            assert nursery.kill(pid) == -signal.SIGKILL, (tmp_path / "daemon.log").read_text(encoding="utf-8")[-2000:]
        oracle.quiet = True
        looks = oracle.looks
        begun = time.monotonic()
        pid = nursery.fork("live", tmp_path, url=oracle.url, **order)
        assert until(lambda: oracle.looks > looks, 30), log(tmp_path)
        numbers = {post_id.rpartition(":")[2] for post_id in oracle.issued}
        done = until(lambda: path.exists() and set(stored(path)) >= numbers and _told(oracle), 90)
        took = time.monotonic() - begun
        os.kill(pid, signal.SIGTERM)
        code = nursery.wait(pid)
        said = (tmp_path / "daemon.log").read_text(encoding="utf-8")
        counts = stored(path)
        lost = numbers - set(counts)
        lost_alerts = [n for n in oracle.failing if not oracle.told[n]]
        phantom = [n for n in oracle.told if n not in oracle.failing]
        twice = sum(count - 1 for count in oracle.told.values())
    table.append(
        (
            "F1 F2 F3 kill -9 under load",
            str(cycles),
            (
                f"{len(numbers)} posts, {len(oracle.failing)} alerts; lost posts {len(lost)}, lost alerts "
                f"{len(lost_alerts)}, phantom {len(phantom)}, repeated {twice}; drained in {took:.1f} s"
            ),
        )
    )

    assert done, said[-2000:]
    assert code == 0
    assert whole(path)
    assert not lost
    assert max(counts.values()) == 1
    assert not lost_alerts
    assert not phantom
    assert twice <= cycles
    assert len(oracle.failing) >= cycles // 4
    assert "Traceback" not in said
    with Store.open(path, now=SCRIPT_START) as store:
        assert not store.pending_posts()
        assert all(each.sent_at is not None for each in store.read.notifications(limit=10**6))
        opened = [change.alert_key for change in _changes(store) if change.reason is Reason.OPENED]
        assert len(opened) == len(set(opened)) == len(oracle.failing)


def _told(oracle: Oracle) -> bool:
    return all(oracle.told[n] for n in oracle.failing)


def _changes(store: Store) -> list[AlertChange]:
    return [change for alert in store.read.alerts(limit=10**6) for change in store.read.alert_changes(alert.key)]


def test_f1_f2_every_crash_point_of_a_run(
    nursery: Nursery, tmp_path_factory: pytest.TempPathFactory, table: Table
) -> None:
    """The process ends at the n-th boundary of the database's transactions, for every n; then it runs to its end."""
    seeds = size(1, 1, 20)
    stride = size(11, 1, 1)
    points = repeats = 0
    for seed in range(seeds):
        calm = tmp_path_factory.mktemp("calm")
        assert nursery.run("scripted", calm, seed=seed, crash=0, run=0) == 0, log(calm)
        last = int((calm / "boundaries.txt").read_text(encoding="utf-8"))
        expected = messages(calm)
        assert last > 60
        for crash in range(1 + seed % stride, last + 1, stride):
            folder = tmp_path_factory.mktemp("crash")
            assert nursery.run("scripted", folder, seed=seed, crash=crash, run=0) == 137, f"{crash}: {log(folder)}"
            assert nursery.run("scripted", folder, seed=seed, crash=0, run=1) == 0, f"{crash}: {log(folder)}"
            points += 1
            repeats += judge_crash(folder, seed, expected, f"seed {seed}, crash point {crash}")
    table.append(
        ("F1 F2 crash points", str(points), f"{seeds} seeds; nothing lost or invented; {repeats} messages repeated")
    )


def log(folder: Path) -> str:
    return (folder / "daemon.log").read_text(encoding="utf-8")[-3000:]


def messages(folder: Path) -> Counter[tuple[str, str]]:
    """What the receiver was told, by service and reason."""
    diary = folder / "diary.txt"
    lines = diary.read_text(encoding="utf-8").split() if diary.exists() else []
    return Counter((line.split("-")[0], line.rpartition("/")[2].split("-")[0]) for line in set(lines))


def judge_crash(folder: Path, seed: int, expected: Counter[tuple[str, str]], where: str) -> int:
    """Every promise after one crash; returns how many messages came twice."""
    said = {post.id for step in range(STEPS) for post in script(seed, step, SCRIPT_START)}
    with Store.open(folder / "detector.db", now=SCRIPT_START) as store:
        posts = [post.id for post in store.read.posts(limit=1000)]
        (source,) = store.read.sources()
        owed = [each for each in store.read.notifications() if each.sent_at is None]
        pending = store.pending_posts()
    assert sorted(posts) == sorted(said), where
    assert source.accepted == len(said), where
    assert not pending, where
    assert not owed, where
    assert messages(folder) == expected, where
    lines = (folder / "diary.txt").read_text(encoding="utf-8").split()
    twice = len(lines) - len(set(lines))
    assert twice <= 1, where
    return twice


def test_f4_sigterm_storms_end_in_time_and_lose_nothing(nursery: Nursery, tmp_path: Path, table: Table) -> None:
    """Asked to end at random moments, some twice: exit 0 within ten seconds, or at once by the second signal."""
    rounds = size(4, 40, 300)
    luck = random.Random(11)
    longest = 0.0
    with Oracle(limit=10) as oracle:
        for number in range(rounds):
            looks = oracle.looks
            pid = nursery.fork("live", tmp_path, url=oracle.url, services=10)
            # It hears signals from before its first poll on.
            assert until(lambda seen=looks: oracle.looks > seen, 30), log(tmp_path)
            threading.Event().wait(luck.uniform(0.0, 0.6))
            begun = time.monotonic()
            os.kill(pid, signal.SIGTERM)
            twice = number % 4 == 3
            if twice:
                threading.Event().wait(0.02)
                os.kill(pid, signal.SIGTERM)
            code = nursery.wait(pid)
            longest = max(longest, time.monotonic() - begun)
            assert code == 0 or (twice and code == -signal.SIGTERM), log(tmp_path)
        oracle.quiet = True
        numbers = {post_id.rpartition(":")[2] for post_id in oracle.issued}
        looks = oracle.looks
        pid = nursery.fork("live", tmp_path, url=oracle.url, services=10)
        assert until(lambda: oracle.looks > looks, 30), log(tmp_path)
        done = until(lambda: set(stored(tmp_path / "detector.db")) >= numbers and _told(oracle), 60)
        os.kill(pid, signal.SIGTERM)
        assert nursery.wait(pid) == 0
    table.append(("F4 SIGTERM storms", str(rounds), f"all ended, the slowest after {longest:.1f} s; nothing lost"))

    assert done
    assert longest < 10
    assert whole(tmp_path / "detector.db")
    assert max(oracle.told.values()) <= 1 + rounds // 4 + 1
