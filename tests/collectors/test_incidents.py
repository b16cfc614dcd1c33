"""Incident archives: maintenances apart, retroactive ones told, hindsight kept in its own field."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.collectors.archive_counters import ReadCounters
from detector.collectors.incidents import read_incidents, retroactive
from detector.errors import BadArchiveError

FIXTURE = Path(__file__).parents[1] / "fixtures/archive/incidents.jsonl"
SHARED = Path(__file__).parents[3] / "shared/data/incidents"


def test_incident_lines_are_read() -> None:
    """Order, times, updates, duplicates, what is left out and what is bad."""
    counters = ReadCounters()

    nameless, past, cold = read_incidents([FIXTURE], counters=counters)

    assert cold.title == "Water stays cold & still"
    assert cold.first_posted_at == datetime(2026, 3, 2, 12, 40, tzinfo=UTC)
    assert cold.stated_start == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert cold.resolved_at == datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    assert [update.text for update in cold.updates] == ["We are looking.", "It boils."]
    assert (nameless.id, nameless.stated_start) == ("kettle-20260201T1000", datetime(2026, 2, 1, 9, tzinfo=UTC))
    assert retroactive(past)
    assert not retroactive(cold)
    assert (counters.retroactive, counters.duplicates) == (1, 1)
    assert counters.skipped == {"maintenance": 1}
    assert counters.bad == {"no time": 1}
    assert counters.lines == counters.read + counters.skipped.total() + counters.bad_lines + counters.blank


def test_a_file_without_incidents_is_an_error(tmp_path: Path) -> None:
    """The message shows the first line's trouble and the expected form."""
    path = tmp_path / "posts.jsonl"
    path.write_text('{"source": "x", "id": "1", "text": "no incident"}\n')

    with pytest.raises(BadArchiveError, match="first_posted_at"):
        read_incidents([path], counters=ReadCounters())
    with pytest.raises(BadArchiveError, match="directory"):
        read_incidents([tmp_path], counters=ReadCounters())


@pytest.mark.parametrize(
    "bad", ["{", "[]", '{"service": 5}', '{"service": "x", "first_posted_at": "1970-01-01"}', "\xff"]
)
def test_a_bad_line_is_counted(tmp_path: Path, bad: str) -> None:
    """It stops nothing."""
    path = tmp_path / "a.jsonl"
    path.write_text(FIXTURE.read_text() + bad + "\n", encoding="latin-1")
    counters = ReadCounters()

    assert len(read_incidents([path], counters=counters)) == 3
    assert counters.bad_lines == 2


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_shared_records_are_read_whole() -> None:
    """Only the remembered outages without a time are refused."""
    counters = ReadCounters()

    incidents = read_incidents(sorted(SHARED.iterdir()), counters=counters)

    assert len(incidents) > 8_000
    assert counters.bad == {"no time": 8}
    assert counters.skipped["maintenance"] > 7_000
