"""The record that the long tier is gathered in says what happened, the wrong parts too."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.record import Record, commit


def test_what_is_done_is_taken_from_the_record(tmp_path: Path) -> None:
    """Its figures come back as they were, with the commit."""
    record = Record(tmp_path / "build" / "kills.jsonl", "250 kills")
    assert record.finished() == {}

    record.add(7, {"posts": 1200, "wrong": []}, right=True)

    assert record.finished() == {7: {"posts": 1200, "wrong": []}}
    assert record.words().startswith(f"parts of {commit()} (1), 20")
    assert Record(tmp_path / "build" / "kills.jsonl", "12 kills").finished() == {}


def test_what_was_wrong_is_done_again_and_stays_in_the_record(tmp_path: Path) -> None:
    """A later sitting that went well does not wipe out the one that did not."""
    record = Record(tmp_path / "kills.jsonl", "250 kills")
    record.add(7, {"lost": 1}, right=False)
    assert record.finished() == {}

    record.add(7, {"lost": 0}, right=True)

    assert record.finished() == {7: {"lost": 0}}
    assert [each.right for each in record.entries()] == [False, True]
    assert record.words().endswith("; 1 wrong")
