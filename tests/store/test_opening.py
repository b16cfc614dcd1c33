"""Opening: one writer, and never a database that is not ours, not whole or not of this release."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from detector.errors import StoreError, StoreInUseError
from detector.store import Store, open_reader
from detector.store.schema import APPLICATION_ID, MIGRATION_SET
from tests.store.builders import NOON, make_judgement, make_post

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "detector.db"


def fill(path: Path, posts: int = 50) -> None:
    with Store.open(path, now=NOON) as store:
        made = store.add_posts("hackernews", [make_post(number) for number in range(posts)], "c", now=NOON)
        store.record(now=NOON, judged=made, judgements=[make_judgement(post) for post in made])


def test_a_second_writer_is_refused_with_the_holder_named(path: Path) -> None:
    """Exit code 3, and the process to stop."""
    with Store.open(path, now=NOON), pytest.raises(StoreInUseError, match=str(os.getpid())) as caught:
        Store.open(path, now=NOON)

    assert caught.value.exit_code == 3
    Store.open(path, now=NOON).close()


def test_a_writer_in_another_process_is_refused_too(path: Path) -> None:
    """The lock is the system's, not ours."""
    code = (
        f"from detector.store import Store\nfrom tests.store.builders import NOON\nStore.open({str(path)!r}, now=NOON)"
    )

    with Store.open(path, now=NOON):
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)

    assert "StoreInUseError" in ended.stderr


def test_a_reader_sees_what_the_writer_has_written_and_cannot_write(path: Path) -> None:
    """Beside the running writer."""
    with Store.open(path, now=NOON) as store, open_reader(path) as reader:
        store.add_posts("hackernews", [make_post()], None, now=NOON)

        assert [post.id for post in reader.posts()] == ["1"]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._conn.execute("DELETE FROM posts")


def test_the_settings_that_keep_data_safe_are_on(path: Path) -> None:
    """As the file and the connection say."""
    with Store.open(path, now=NOON) as store:
        found = {
            name: store._conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "secure_delete",
                "trusted_schema",
                "busy_timeout",
                "application_id",
            )
        }

    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "trusted_schema": 0,
        "busy_timeout": 5000,
        "application_id": APPLICATION_ID,
    }
    assert path.stat().st_mode & 0o077 == 0


def test_every_table_is_strict_and_says_what_it_is_for(path: Path) -> None:
    """`.schema` in any tool is the documentation; the views answer."""
    fill(path)

    with sqlite3.connect(path) as conn:
        tables = conn.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'"
        ).fetchall()
        views = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
        counts = {view: len(conn.execute("SELECT * FROM " + view).fetchall()) for view in views}  # noqa: S608 - ours
    conn.close()

    assert all("STRICT" in sql for _, sql in tables)
    assert {"posts", "mentions", "judgements", "alerts", "notifications", "incidents", "coverage", "checkpoints"} <= {
        name for name, _ in tables
    }
    assert sum("--" in sql for _, sql in tables) >= 14
    assert counts["v_complaints_readable"] == 50
    assert counts["v_sources_readable"] == 1


def test_opening_again_changes_nothing(path: Path) -> None:
    """The schema is there once."""
    fill(path)
    with sqlite3.connect(path) as conn:
        before = conn.execute("SELECT * FROM sqlite_master").fetchall()
    conn.close()

    Store.open(path, now=NOON).close()

    with sqlite3.connect(path) as conn:
        assert conn.execute("SELECT * FROM sqlite_master").fetchall() == before
    conn.close()


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """Not a byte of it changes hands."""
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE posts (x)")
    conn.close()

    for opens in (lambda: Store.open(path, now=NOON), lambda: open_reader(path)):
        with pytest.raises(StoreError, match="another program"):
            opens()

    with sqlite3.connect(path) as conn:
        assert [row[0] for row in conn.execute("SELECT name FROM sqlite_master")] == ["posts"]
    conn.close()


def test_a_newer_schema_is_refused(path: Path) -> None:
    """An older program must not write what it does not know."""
    fill(path)
    with sqlite3.connect(path) as conn:
        conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, 'from_the_future', '')",
            (MIGRATION_SET,),
        )
    conn.close()

    with pytest.raises(StoreError, match=r"newer detector .*from_the_future.*upgrade"):
        Store.open(path, now=NOON)


@pytest.mark.parametrize(
    "content",
    [b"this is no database", b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 8192],
    ids=["text", "header", "zeros"],
)
def test_a_file_that_is_no_database_is_refused_and_kept(path: Path, content: bytes) -> None:
    """It says to move it aside, and does not do so itself."""
    path.write_bytes(content)

    with pytest.raises(StoreError, match=r"detector\.db.*(move it aside|another program)"):
        Store.open(path, now=NOON)

    assert path.read_bytes() == content


def test_a_damaged_database_is_refused_or_whole_and_never_a_traceback(path: Path) -> None:
    """40 files with a zeroed page or a cut end: a StoreError, or an opening after which SQLite finds nothing wrong."""
    fill(path, 400)
    good = path.read_bytes()
    luck = random.Random(7)
    refused = 0
    for _ in range(40):
        cut = luck.randrange(1, len(good))
        page = luck.randrange(len(good) // 4096) * 4096
        bad = good[:cut] if luck.random() < 0.5 else good[:page] + bytes(4096) + good[page + 4096 :]
        path.write_bytes(bad)
        for leftover in ("-wal", "-shm"):
            path.with_name(path.name + leftover).unlink(missing_ok=True)
        try:
            with Store.open(path, now=NOON) as store:
                assert store._conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        except StoreError:
            refused += 1

    assert refused >= 30


def test_a_folder_that_is_missing_or_no_folder_is_said_so(tmp_path: Path) -> None:
    """What, where, what to do."""
    (tmp_path / "file").touch()

    for path in (tmp_path / "missing" / "detector.db", tmp_path / "file" / "detector.db", tmp_path):
        with pytest.raises(StoreError, match=r"cannot be written .*check"):
            Store.open(path, now=NOON)


def test_a_read_only_folder_is_refused_for_writing_and_fine_for_reading(tmp_path: Path) -> None:
    """As an ordinary user; root may write anywhere, so a child gives its rights up."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "detector.db"
    fill(path)
    path.chmod(0o444)
    path.with_name("detector.db.lock").unlink()
    folder.chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents[:3]) if os.getuid() == 0 else ():
        parent.chmod(parent.stat().st_mode | 0o055)
    code = (
        "import os\nfrom detector.store import Store, open_reader\nfrom tests.store.builders import NOON\n"
        "import sqlite_utils\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        f"with open_reader({str(path)!r}) as reader: print(len(reader.posts()))\n"
        f"Store.open({str(path)!r}, now=NOON)"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    folder.chmod(0o755)

    assert ended.stdout.strip() == "50", ended.stderr
    assert "StoreError" in ended.stderr
    assert "cannot be written (Permission denied)" in ended.stderr


def test_a_reader_of_nothing_is_told_so(tmp_path: Path) -> None:
    """No file is made by looking."""
    with pytest.raises(StoreError, match="no database there"):
        open_reader(tmp_path / "detector.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="empty"):
        open_reader(tmp_path / "empty.db")

    assert not (tmp_path / "detector.db").exists()
