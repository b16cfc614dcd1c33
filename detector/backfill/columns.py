"""The judged rows of a bucket as columns, from all segments together, in the order in which they are weighed.

Rows lie in many files, each sorted by `Post.order` and service. They come out in blocks: sorted inside, and each wholly
before the next. Files of a sorted archive hardly overlap and are joined; where they do overlap by more rows than a
block may hold, it is cut at a moment, so memory is bounded whatever the order of the archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.backfill.rows import SPANS, moment, numbers, opened, place_of, schema
from detector.domain import Judgement, Mention, Post, Probabilities

if TYPE_CHECKING:
    import pyarrow as pa

I64 = NDArray[np.int64]
_OPEN = 500  # files held open at most


class Shelf:
    """Segments that are held open, since every bucket lies in each of them."""

    def __init__(self) -> None:
        self._open: dict[Path, tuple[Any, list[tuple[int, int, int]]]] = {}

    def spans(self, path: Path) -> list[tuple[int, int, int]]:
        """For each bucket of a file: how many rows, and when its first and last post was seen (microseconds)."""
        return self._opened(path)[1]

    def batch(self, path: Path, bucket: int) -> pa.RecordBatch:
        """The rows of one bucket of a file."""
        return self._opened(path)[0].get_batch(bucket)

    def _opened(self, path: Path) -> tuple[Any, list[tuple[int, int, int]]]:
        found = self._open.get(path)
        if found is None:
            if len(self._open) >= _OPEN:
                self._open.clear()
            reader = opened(path)
            spans = msgspec.json.decode(reader.schema.metadata[SPANS], type=list[tuple[int, int, int]])
            found = self._open[path] = (reader, spans)
        return found


@dataclass(frozen=True, slots=True)
class _Run:
    """Sorted rows of a bucket in one file."""

    path: Path
    file: int
    rows: int
    first: int
    last: int


class Block:
    """Rows in order; single ones become judgements when they are asked for.

    No function of `pyarrow.compute` is used: importing it takes as long as weighing thousands of rows.

    Attributes:
        place: (n,) of the posts, see `rows.place_of`.
        seen, created: (n,) microseconds since `EPOCH`.
        p: (n, 5) probabilities.
        heeded, official: (n,) flags.
        source: (n,) of the posts.
        service: (n,) places in `slugs`.
    """

    def __init__(self, batches: Sequence[pa.RecordBatch], places: Sequence[I64], classifier: str) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(batches).combine_chunks()
        batch = table.to_batches()[0] if table.num_rows else batches[0]
        self._columns = dict(zip(schema().names, batch.columns, strict=True))
        self._classifier = classifier
        self.place = np.concatenate(places)
        self.seen, self.created = numbers(self._columns["seen_at"]), numbers(self._columns["created_at"])
        self.p = np.stack([numbers(self._columns[f"p{label}"]) for label in range(5)], axis=1)
        self.heeded, self.official = numbers(self._columns["heeded"]), numbers(self._columns["official"])
        self.source: list[str] = self._columns["source"].to_pylist()
        named = self._columns["service"].to_pylist()
        self.slugs: list[str] = sorted(set(named))
        code = {slug: at for at, slug in enumerate(self.slugs)}
        self.service = np.fromiter(map(code.__getitem__, named), dtype=np.int64, count=len(named))
        # What no row of the block has needs no look.
        self._given = {name: each for name, each in self._columns.items() if each.null_count < len(each)}

    def __len__(self) -> int:
        return len(self.place)

    def order(self, wanted: NDArray[np.bool_]) -> I64:
        """The places of the wanted rows in the order in which they are weighed; of equals the one read first leads."""
        rows = np.flatnonzero(wanted)
        rows = rows[np.argsort(self.seen[rows], kind="stable")]
        seen = self.seen[rows]
        tied = np.concatenate((seen[1:] == seen[:-1], [False]))
        if not tied.any():
            return rows
        ends = np.flatnonzero(~tied)
        starts = np.concatenate(([0], ends[:-1] + 1))
        for start, end in zip(starts[ends > starts].tolist(), ends[ends > starts].tolist(), strict=True):
            rows[start : end + 1] = sorted(rows[start : end + 1].tolist(), key=self._tie)
        return rows

    def judgement(self, row: int) -> Judgement:
        """One row as a judgement."""
        slug = self.slugs[self.service[row]]
        account = self._value("account", row)
        post = Post(
            source=self.source[row],
            id=self._value("id", row),
            created_at=moment(int(self.created[row])),
            seen_at=moment(int(self.seen[row])),
            text=self._value("text", row),
            author=self._value("author", row),
            url=self._value("url", row),
            reply_to=self._value("reply_to", row),
            service_hint=self._value("hint", row),
            official=bool(self.official[row]),
            account_created_at=moment(account) if account is not None else None,
            truth=self._value("truth", row),
        )
        mention = Mention(
            post=post, service=slug, matched=self._value("matched", row), component=self._value("component", row)
        )
        return Judgement(mention=mention, p=Probabilities(*self.p[row].tolist()), classifier=self._classifier)

    def _value(self, name: str, row: int) -> Any:
        column = self._given.get(name)
        return column[row].as_py() if column is not None else None

    def _tie(self, row: int) -> tuple[str, str, str, int]:
        return (self.source[row], self._value("id", row), self.slugs[self.service[row]], int(self.place[row]))


def blocks(
    shelf: Shelf, segments: Sequence[tuple[Path, int]], bucket: int, classifier: str, most: int
) -> Iterator[Block]:
    """The rows of a bucket in blocks of about `most` rows.

    Args:
        segments: files of rows, each with the place of its archive among the job's files.
        classifier: whose judgements they are.
    """
    held: list[_Run] = []
    for group in _groups(shelf, segments, bucket):
        if held and sum(run.rows for run in held) + sum(run.rows for run in group) > most:
            yield from _cut(shelf, held, bucket, classifier, most)
            held = []
        held += group
    if held:
        yield from _cut(shelf, held, bucket, classifier, most)


def _groups(shelf: Shelf, segments: Sequence[tuple[Path, int]], bucket: int) -> Iterator[list[_Run]]:
    """Runs that overlap in time together, each group before the next."""
    runs = []
    for path, file in segments:
        rows, first, last = shelf.spans(path)[bucket]
        if rows:
            runs.append(_Run(path, file, rows, first, last))
    group: list[_Run] = []
    until = 0
    for run in sorted(runs, key=lambda run: (run.first, run.last)):
        if group and run.first > until:
            yield group
            group = []
        group.append(run)
        until = max(until, run.last) if len(group) > 1 else run.last
    if group:
        yield group


def _cut(shelf: Shelf, runs: Sequence[_Run], bucket: int, classifier: str, most: int) -> Iterator[Block]:
    """Some runs as one block, or as several if they hold too much."""
    batches = [shelf.batch(run.path, bucket) for run in runs]
    places = [_places(batch, run) for batch, run in zip(batches, runs, strict=True)]
    total = sum(run.rows for run in runs)
    if total <= most:
        yield Block(batches, places, classifier)
        return
    at = schema().get_field_index("seen_at")
    times = [numbers(batch.column(at)) for batch in batches]
    del batches
    quantiles = np.arange(most, total, most)
    cuts = np.unique(np.partition(np.concatenate(times), quantiles)[quantiles])
    edges = [np.concatenate(([0], np.searchsorted(seen, cuts), [len(seen)])) for seen in times]
    for piece in range(len(cuts) + 1):
        taken, whose = [], []
        for number, run in enumerate(runs):
            start, end = int(edges[number][piece]), int(edges[number][piece + 1])
            if end > start:
                taken.append(shelf.batch(run.path, bucket).slice(start, end - start))
                whose.append(places[number][start:end])
        if taken:
            yield Block(taken, whose, classifier)


def _places(batch: pa.RecordBatch, run: _Run) -> I64:
    found: I64 = numbers(batch.column(schema().get_field_index("place"))) + place_of(run.file, 0)
    return found
