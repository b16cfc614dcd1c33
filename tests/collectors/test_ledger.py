"""What was spent is known after a kill, and where it cannot be known nothing is spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.collectors.ledger import Ledger
from detector.errors import Permanent


def test_a_sum_is_on_the_disk_when_it_is_written(tmp_path: Path) -> None:
    """Another process reads it; sources and months do not mix."""
    path = tmp_path / "detector.db.spent"
    ledger = Ledger(path)
    ledger.write("x", "2026-03", 500_000)
    ledger.write("y", "2026-03", 7)

    again = Ledger(path)

    assert (again.spent("x", "2026-03"), again.spent("y", "2026-03")) == (500_000, 7)
    assert again.spent("x", "2026-04") == 0
    again.write("x", "2026-04", 1)
    assert Ledger(path).spent("y", "2026-03") == 0
    assert [each.name for each in tmp_path.iterdir()] == ["detector.db.spent"]


def test_without_a_file_the_sums_are_in_memory() -> None:
    """For a look that is not a watch."""
    ledger = Ledger(None)
    ledger.write("x", "2026-03", 3)

    assert ledger.spent("x", "2026-03") == 3


@pytest.mark.parametrize("body", [b"", b"{", b'{"month": 3}', b"\xff"])
def test_a_damaged_file_stops_the_spending(tmp_path: Path, body: bytes) -> None:
    """Nobody knows what the month has cost; the message says what to do."""
    path = tmp_path / "detector.db.spent"
    path.write_bytes(body)

    with pytest.raises(Permanent, match=r"detector\.db\.spent: what was spent cannot be read.*remove the file"):
        Ledger(path).spent("x", "2026-03")


def test_a_folder_that_cannot_be_written_stops_the_spending(tmp_path: Path) -> None:
    """Before the request, not after."""
    path = tmp_path / "absent" / "detector.db.spent"

    with pytest.raises(Permanent, match="cannot be written down"):
        Ledger(path).write("x", "2026-03", 3)
