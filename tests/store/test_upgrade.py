"""Every schema there ever was is brought up to today's, with all it holds, or not at all."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from detector.errors import StoreError
from detector.store import Store
from detector.store.schema import APPLICATION_ID, migrations
from tests.store.builders import NOON, make_post

STEPS = [step.name for step in migrations()._migrations]


def old_database(path: Path, steps: int) -> None:
    """A database as a release with so many steps left it, with a post, a judgement and an alert."""
    conn = sqlite3.connect(path, isolation_level=None)
    chosen = migrations()
    del chosen._migrations[steps:]
    chosen.apply(Database(conn))
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    at = "2026-03-02T12:01:00.000000Z"
    conn.execute(
        "INSERT INTO posts (source, id, created_at, seen_at, text, official, stored_at) VALUES ('s', '1', ?, ?, "
        "'claude is down', 0, ?)",
        (at, at, at),
    )
    conn.execute("INSERT INTO mentions (source, post_id, service, matched) VALUES ('s', '1', 'claude', 'claude')")
    conn.execute(
        "INSERT INTO judgements (source, post_id, service, seen_at, complaint, report, past, solo, other, classifier, "
        "judged_at) VALUES ('s', '1', 'claude', ?, 0.9, 0, 0, 0, 0.1, 'k@1', ?)",
        (at, at),
    )
    conn.execute("INSERT INTO meta (key, value) VALUES ('created_at', ?)", (at,))
    conn.close()


def shape(path: Path) -> dict[str, Any]:
    """Tables with their columns, indexes and views: what a program relies on."""
    conn = sqlite3.connect(path)
    try:
        names = conn.execute("SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        columns = {
            name: sorted(row[1:4] for row in conn.execute(f"PRAGMA table_info({name})"))
            for kind, name, _ in names
            if kind == "table"
        }
        return {"names": sorted(names), "columns": columns}
    finally:
        conn.close()


@pytest.mark.parametrize("steps", range(1, len(STEPS) + 1), ids=STEPS)
def test_every_earlier_schema_is_upgraded_with_all_it_holds(tmp_path: Path, steps: int) -> None:
    """The same tables as in a new database, and what was there is there, pending work included."""
    old_database(tmp_path / "old.db", steps)
    Store.open(tmp_path / "new.db", now=NOON).close()

    with Store.open(tmp_path / "old.db", now=NOON) as store:
        posts = store.pending_posts()
        judgements = list(store.judgements_after(0))
        store.add_posts("s", [make_post(7)], "cursor", now=NOON)
        assert store._conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    assert [post.text for post in posts] == ["claude is down"]
    assert [judgement.p.complaint for _, judgement in judgements] == [0.9]
    assert shape(tmp_path / "old.db") == shape(tmp_path / "new.db")


@pytest.mark.parametrize("steps", range(1, len(STEPS)), ids=STEPS[:-1])
def test_f3_an_upgrade_that_breaks_in_the_middle_has_not_happened(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is as the old release left it, and the next start upgrades it."""
    path = tmp_path / "old.db"
    old_database(path, steps)
    before = shape(path)
    honest = migrations

    def broken() -> Any:
        made = honest()
        last = made._migrations[-1]
        work = last.fn

        def fails(db: Database) -> None:
            work(db)
            raise sqlite3.OperationalError("disk I/O error")

        last.fn = fails
        return made

    monkeypatch.setattr("detector.store.writer.migrations", broken)
    with pytest.raises(StoreError):
        Store.open(path, now=NOON)
    monkeypatch.undo()

    assert shape(path) == before
    with Store.open(path, now=NOON) as store:
        assert len(store.pending_posts()) == 1


def test_a_database_of_today_is_opened_without_the_tools_of_an_upgrade(tmp_path: Path) -> None:
    """They cost a start 0.3 s, more than half of it for a data-frame library nobody asked for."""
    code = (
        "import sys\nfrom detector.store import Store\nfrom tests.store.builders import NOON\n"
        f"Store.open({str(tmp_path / 'today.db')!r}, now=NOON).close()\n"
        "print('sqlite_utils' in sys.modules)\n"
    )

    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    )

    assert (first, second) == ("True", "False")
