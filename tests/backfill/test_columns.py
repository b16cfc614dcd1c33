"""Rows come out of many files in one order, whatever the order they were written in and however few fit at a time."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from detector.backfill.columns import Shelf, blocks
from detector.backfill.job import bucket_of
from detector.backfill.rows import Row, numbers, place_of, read_columns, write_rows
from detector.domain import Judgement, Mention, Post, Probabilities
from tests.backfill.made import START

SLUGS = ("claude", "github", "slack", "zoom")
BUCKETS = 2


def rows(rng: random.Random, count: int) -> list[Row]:
    """Rows at few moments, so that many share one."""
    made = []
    for number in range(count):
        at = START + timedelta(seconds=rng.randrange(40), microseconds=rng.choice([0, 1]))
        post = Post(
            source=rng.choice(["a", "b:c", "é"]),
            id=f"{rng.randrange(30)}",
            created_at=at - timedelta(minutes=rng.randrange(3)),
            seen_at=at,
            text=f"text {number} ü",
            author=rng.choice([None, f"u{number}"]),
            url=rng.choice([None, "https://example.org/"]),
            official=rng.random() < 0.3,
            account_created_at=rng.choice([None, START]),
        )
        mention = Mention(post=post, service=rng.choice(SLUGS), matched="m", component=rng.choice([None, "api"]))
        p = Probabilities(*(rng.random() for _ in range(5)))
        made.append(Row(number, rng.random() < 0.5, Judgement(mention=mention, p=p, classifier="made@0")))
    return made


@pytest.mark.parametrize("most", [1, 7, 60, 100_000])
def test_blocks_are_in_order_and_hold_every_row(tmp_path: Path, most: int) -> None:
    """Sorted as one list would be, of equals the one read first, and each row is what was written."""
    rng = random.Random(most)
    segments, expected = [], []
    for file in range(3):
        for number in range(3):
            path, some = tmp_path / f"{file}-{number}.arrow", rows(rng, rng.choice([0, 1, 80]))
            write_rows(path, some, BUCKETS)
            segments.append((path, file))
            expected += [(*row.order, place_of(file, row.place), row) for row in some]
    shelf = Shelf()
    for bucket in range(BUCKETS):
        own = sorted((each for each in expected if bucket_of(each[3], BUCKETS) == bucket), key=lambda each: each[:5])
        found = []
        for block in blocks(shelf, segments, bucket, "made@0", most):
            order = block.order(np.ones(len(block), dtype=bool))
            found += [(int(block.place[at]), bool(block.heeded[at]), block.judgement(int(at))) for at in order]

        assert found == [(place, row.heeded, row.judgement) for *_, place, row in own]


def test_columns_of_some_services_are_read_alone(tmp_path: Path) -> None:
    """Numbers come as they were written, packed (many rows) or not, and only of the services asked for."""
    for count in (50, 12_000):
        some = rows(random.Random(3), count)
        path = tmp_path / f"{count}.arrow"
        write_rows(path, some, 1)
        some.sort(key=lambda row: row.order)

        (everything,) = read_columns(path, ["place"])
        (few,) = read_columns(path, ["place"], {"slack"})

        assert everything.tolist() == [row.place for row in some]
        assert few.tolist() == [row.place for row in some if row.judgement.mention.service == "slack"]


def test_a_cut_of_a_column_becomes_numbers() -> None:
    """Whole numbers, fractions and flags from the middle of a column, and of an empty one."""
    import pyarrow as pa

    flags = pa.array([True, False, True, True, False] * 5)

    assert numbers(flags.slice(3, 9)).tolist() == flags.slice(3, 9).to_pylist()
    assert numbers(pa.array([1.5, 2.5, 3.5]).slice(1, 2)).tolist() == [2.5, 3.5]
    assert numbers(pa.array([1, 2, 3]).slice(2, 0)).tolist() == []
