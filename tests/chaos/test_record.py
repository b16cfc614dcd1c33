"""The record that the long tier's kills are gathered in says what happened, the wrong lives too."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.lives import Life
from tests.chaos.record import Record, commit

RIGHT = Life(kills=250, posts=1200, alerts=130, repeated=3, took=2.5)


def test_a_finished_life_is_taken_from_the_record(tmp_path: Path) -> None:
    """Its figures come back as they were, with the commit."""
    record = Record(tmp_path / "build" / "kills.jsonl", 250)
    assert record.finished() == {}

    record.add(7, RIGHT)

    assert record.finished()[7].life == RIGHT
    assert record.finished()[7].commit == commit()
    assert record.words().startswith(f"lives of {commit()} (1), 20")


def test_a_life_that_was_wrong_is_lived_again_and_stays_in_the_record(tmp_path: Path) -> None:
    """Lost, invented, told twice too often, broken off or of another length: none of these is done."""
    record = Record(tmp_path / "kills.jsonl", 250)
    for seed, life in enumerate(
        (
            Life(kills=250, lost_posts=1),
            Life(kills=250, lost_alerts=1),
            Life(kills=250, phantom=1),
            Life(kills=250, repeated=251),
            Life(kills=250, wrong=["seed 4, not so: each post once"]),
            Life(wrong=["seed 5: never came forward"]),
            Life(kills=12),
        )
    ):
        record.add(seed, life)
    assert record.finished() == {}

    record.add(0, RIGHT)

    assert set(record.finished()) == {0}
    assert len(record.entries()) == 8
    assert record.words().endswith("; 6 wrong")
