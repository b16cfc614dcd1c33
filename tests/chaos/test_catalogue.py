"""Every row of the failure catalogue (F1-F42) is named by the tests that play it; and F9, which needs no daemon."""

from __future__ import annotations

import logging
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detector.app import house
from detector.store import Store
from tests.chaos.parts import complaint

TESTS = Path(__file__).parents[1]
START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
ROWS = 42


def test_every_fault_of_the_catalogue_is_named_in_a_test() -> None:
    """`test_f9_...`, `test_f1_f2_f3_...`: who reads of a fault finds its tests, and a row without one is seen."""
    names = re.findall(
        r"^ *(?:async )?def test_((?:[a-z]\d+_)+)", "\n".join(map(_text, TESTS.rglob("test_*.py"))), re.MULTILINE
    )
    named = {part for name in names for part in name.split("_") if part}

    assert {f"f{row}" for row in range(1, ROWS + 1)} <= named


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_f9_a_reader_that_never_lets_go_makes_the_log_grow_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While a tool reads, the log cannot be emptied: a warning names it; once it lets go, the log stays as it is."""
    path = tmp_path / "detector.db"
    log = path.with_name("detector.db-wal")
    monkeypatch.setattr(house, "LARGE_LOG", 5_000_000)
    with Store.open(path, now=START) as store:
        keeper = house.House(store=store, keep_text=timedelta(days=30), config=None, backups=0)

        def write(first: int) -> int:
            """Eight polls of a thousand posts; the largest the log was."""
            sizes = []
            for number in range(first, first + 8_000, 1000):
                posts = [complaint(0, number + n, START) for n in range(1000)]
                store.add_posts("oracle", posts, str(number), now=START)
                sizes.append(log.stat().st_size)
            return max(sizes)

        calm = write(0)
        reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM posts").fetchone()
        held = write(8_000)
        with caplog.at_level(logging.WARNING):
            keeper.keep(START)
        assert f"{log} has grown" in caplog.text
        reader.close()
        freed = write(16_000)

    assert calm < 5_000_000 < held, (calm, held)
    assert freed <= held + calm
