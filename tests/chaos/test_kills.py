"""F1-F4, G1, G2: killed at any instant, nothing accepted is lost, no alert is lost, and nobody is told of nothing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from detector.store import Store
from tests.chaos.conftest import Nursery
from tests.chaos.jobs import START as SCRIPT_START
from tests.chaos.jobs import STEPS, script
from tests.chaos.lives import PATIENCE_S, Life, live_through, log, stored, told, until, whole
from tests.chaos.oracle import Oracle
from tests.chaos.parts import in_memory, progress, size
from tests.chaos.record import record

Table = list[tuple[str, str, str]]


@pytest.mark.timeout(14_400)
def test_f1_f2_f3_kill_9_under_load_loses_nothing(
    nursery: Nursery, tmp_path_factory: pytest.TempPathFactory, table: Table
) -> None:
    """A daemon of real parts over HTTP, killed at a random moment again and again; then the oracle counts."""
    lives, cycles = size(1, 1, 40), size(12, 200, 250)
    total = Life()
    done = record("kills", f"{cycles} kills") if lives > 1 else None
    known = done.finished() if done else {}
    # Made here and not in the threads: two of them would make pytest's own folder at once.
    lives_in = tmp_path_factory.mktemp("lives")

    def one(number: int) -> Life:
        seed = 7 + number
        if seed in known:
            return Life(**known[seed])
        folder = lives_in / str(seed)
        folder.mkdir()
        own = nursery if lives == 1 else Nursery()
        try:
            life = live_through(own, folder, cycles, seed=seed)
        except AssertionError as error:
            if done is None:
                raise
            life = Life(wrong=[f"seed {seed}: {error}"])
        finally:
            if own is not nursery:
                own.close()
        if done:
            done.add(seed, asdict(life), right=life.right)
        return life

    # Three at a time: most of a life is waiting for the next kill.
    with ThreadPoolExecutor(max_workers=3) as pool:
        for life in pool.map(one, range(lives)):
            total += life
            progress(f"kill -9: {total.kills} of {lives * cycles} kills; {total.words()}; wrong: {total.wrong}")
    said = f"{total.words()}; {done.words()}" if done else total.words()
    table.append(("F1 F2 F3 kill -9 under load", str(total.kills), said))

    assert not total.wrong
    assert not total.lost_posts
    assert not total.lost_alerts
    assert not total.phantom
    assert total.repeated <= total.kills
    assert total.alerts >= total.kills // 4


@pytest.mark.timeout(14_400)
def test_f1_f2_every_crash_point_of_a_run(nursery: Nursery, tmp_path: Path, table: Table) -> None:
    """The process ends at the n-th boundary of the database's transactions, for every n; then it runs to its end."""
    seeds = size(1, 1, 20)
    stride = size(11, 1, 1)
    points = repeats = 0
    # A process that ends takes nothing with it that was written: what a disk does with it is the power cut's test.
    with in_memory(tmp_path) as within:
        for seed in range(seeds):
            calm = within / f"{seed}-calm"
            calm.mkdir()
            assert nursery.run("scripted", calm, seed=seed, crash=0, run=0) == 0, log(calm)
            last = int((calm / "boundaries.txt").read_text(encoding="utf-8"))
            expected = messages(calm)
            assert last > 60
            for crash in range(1 + seed % stride, last + 1, stride):
                folder = within / f"{seed}-{crash}"
                folder.mkdir()
                assert nursery.run("scripted", folder, seed=seed, crash=crash, run=0) == 137, f"{crash}: {log(folder)}"
                assert nursery.run("scripted", folder, seed=seed, crash=0, run=1) == 0, f"{crash}: {log(folder)}"
                points += 1
                repeats += judge_crash(folder, seed, expected, f"seed {seed}, crash point {crash}")
                shutil.rmtree(folder)
            progress(f"crash points: seed {seed}, {points} points, {repeats} messages repeated")
    table.append(
        ("F1 F2 crash points", str(points), f"{seeds} seeds; nothing lost or invented; {repeats} messages repeated")
    )


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
            assert until(lambda seen=looks: oracle.looks > seen, PATIENCE_S), log(tmp_path)
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
        assert until(lambda: oracle.looks > looks, PATIENCE_S), log(tmp_path)
        done = until(lambda: set(stored(tmp_path / "detector.db")) >= numbers and told(oracle), PATIENCE_S)
        os.kill(pid, signal.SIGTERM)
        assert nursery.wait(pid) == 0
    table.append(("F4 SIGTERM storms", str(rounds), f"all ended, the slowest after {longest:.1f} s; nothing lost"))

    assert done
    assert longest < 10
    assert whole(tmp_path / "detector.db")
    assert max(oracle.told.values()) <= 1 + rounds // 4 + 1
