"""F10: the power goes: whatever part of the log reached the disk, each step acknowledged before is there, and whole."""

from __future__ import annotations

import random
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from detector.store import Store
from tests.chaos.parts import complaint, size
from tests.chaos.test_kills import Table

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
BATCHES, EACH = 40, 7


def test_f10_a_log_cut_at_any_byte_holds_every_step_before_the_cut(tmp_path: Path, table: Table) -> None:
    """Each poll is on the disk when its call returns: with the log cut there, all of it is found, and nothing half."""
    path = tmp_path / "detector.db"
    log = tmp_path / "detector.db-wal"
    ends = [0]
    with Store.open(path, now=START) as store:
        store._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store._conn.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(BATCHES):
            at = START + timedelta(minutes=number)
            posts = [complaint(number % 3, number * EACH + n, at) for n in range(EACH)]
            store.add_posts("oracle", posts, str(number), now=at)
            ends.append(log.stat().st_size)
        base, whole = path.read_bytes(), log.read_bytes()
    luck = random.Random(10)
    cuts = sorted(
        {0, len(whole), *ends[:: size(8, 1, 1)], *(luck.randrange(len(whole)) for _ in range(size(5, 300, 2000)))}
    )
    for cut in cuts:
        folder = tmp_path / "after"
        folder.mkdir()
        (folder / "detector.db").write_bytes(base)
        (folder / "detector.db-wal").write_bytes(whole[:cut])
        steps = sum(end <= cut for end in ends) - 1
        with Store.open(folder / "detector.db", now=START) as store:
            found = store.read.posts(limit=10**6)
            cursor = store.read.cursor("oracle")
        assert len(found) == steps * EACH, cut
        assert cursor == (str(steps - 1) if steps else None), cut
        conn = sqlite3.connect(folder / "detector.db")
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        conn.close()
        shutil.rmtree(folder)
    table.append(
        ("F10 power cut", f"{len(cuts)} cuts", f"of a log of {len(whole) // 1024} kB: every step before is there")
    )
