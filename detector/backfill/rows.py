"""Judged mentions on disk: Arrow files with one record batch a bucket, sorted by `Post.order` and service.

They are what one worker leaves for another, and the cache of judgements at the same time: a row holds the post's key,
a hash of its text, and the file as a whole belongs to one classifier (its folder's manifest names it).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.backfill.job import bucket_of
from detector.domain import EPOCH, Judgement, Mention, Post, Probabilities

if TYPE_CHECKING:
    import pyarrow as pa

_MICROSECOND = timedelta(microseconds=1)
_SLICE = 2048
Order = tuple[datetime, str, str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A judged mention.

    Attributes:
        place: of its post: the line, or file and line, in the order in which archives are read.
        heeded: some mention of its post is judged a present failure, so alerts may show the post.
    """

    place: int
    heeded: bool
    judgement: Judgement

    @property
    def order(self) -> Order:
        """The one order in which judgements are weighed."""
        post = self.judgement.mention.post
        return (post.seen_at, post.source, post.id, self.judgement.mention.service)


def place_of(file: int, line: int) -> int:
    """File and line as one number that sorts like them.

    >>> place_of(1, 5) > place_of(0, 10**9)
    True
    """
    return (file << 44) | line


def key_hash(source: str, ident: str) -> int:
    """64 bits of a post's key."""
    return _hash(f"{source}\x00{ident}")


def mention_hash(mention: Mention) -> int:
    """64 bits of all that a judgement depends on: the post's key and text, and how it names the service."""
    post = mention.post
    truth = post.truth or ""
    return _hash(
        f"{post.source}\x00{post.id}\x00{mention.service}\x00{mention.matched}\x00{truth}\x00{post.official}\x00"
        f"{post.text}"
    )


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little", signed=True)


def micros(at: datetime) -> int:
    """Microseconds since `EPOCH`."""
    return (at - EPOCH) // _MICROSECOND


def moment(count: int) -> datetime:
    """The inverse of `micros`.

    >>> moment(micros(EPOCH)) == EPOCH
    True
    """
    return EPOCH + timedelta(microseconds=count)


def write_rows(path: Path, rows: Sequence[Row], buckets: int) -> None:
    """Write rows as one file, which appears in one step.

    Raises:
        OSError: no space, no right to write.
    """
    import pyarrow as pa

    by_bucket: list[list[Row]] = [[] for _ in range(buckets)]
    for row in rows:
        by_bucket[bucket_of(row.judgement.mention.service, buckets)].append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as sink, pa.ipc.new_file(sink, schema(), options=_options()) as writer:
            for held in by_bucket:
                held.sort(key=lambda row: row.order)
                writer.write_batch(_batch(held))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


class Batch:
    """The rows of one bucket of a file about some services, in their order; read when they are iterated over.

    Args:
        file: place of the archive among the job's files, for the places of the rows.
        classifier: whose judgements they are.
    """

    def __init__(self, path: Path, file: int, bucket: int, services: frozenset[str], classifier: str) -> None:
        self._path, self._file, self._bucket = path, file, bucket
        self._services, self._classifier = services, classifier
        self._held: pa.RecordBatch | None = None

    def span(self) -> tuple[int, int] | None:
        """When its first and its last post was seen, in microseconds; None if it is empty."""
        import pyarrow as pa

        with pa.memory_map(str(self._path)) as source:
            batch = pa.ipc.open_file(source).get_batch(self._bucket)
            times = batch.column(schema().get_field_index("seen_at"))
            found = (times[0].as_py(), times[-1].as_py()) if len(times) else None
            self._held = batch if batch.num_rows <= _SLICE else None  # little: not opened twice
        return found

    def __iter__(self) -> Iterator[Row]:
        import pyarrow as pa

        if self._held is not None:
            yield from _rows(self._held, self._file, self._services, self._classifier)
            return
        with pa.memory_map(str(self._path)) as source:
            batch = pa.ipc.open_file(source).get_batch(self._bucket)
            for start in range(0, batch.num_rows, _SLICE):
                yield from _rows(batch.slice(start, _SLICE), self._file, self._services, self._classifier)


def read_columns(path: Path, columns: Sequence[str], services: Sequence[str] | None = None) -> list[Any]:
    """Some columns of all buckets of a file as numpy arrays, of the rows about some services."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with pa.memory_map(str(path)) as source:
        options = pa.ipc.IpcReadOptions(
            included_fields=[schema().get_field_index(name) for name in [*columns, "service"]]
        )
        table = pa.ipc.open_file(source, options=options).read_all()
        if services is not None:
            table = table.filter(pc.is_in(table["service"], value_set=pa.array(services)))
        # One array each: a chunked one would import pandas to become numpy.
        return [table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in columns]


@cache
def schema() -> pa.Schema:
    """The columns of a row."""
    import pyarrow as pa

    words = ["source", "id", "author", "url", "reply_to", "hint", "truth", "text", "service", "matched", "component"]
    whole = ["place", "key", "mention", "seen_at", "created_at", "account"]
    return pa.schema(
        [(name, pa.int64()) for name in whole]
        + [(name, pa.string()) for name in words]
        + [("official", pa.bool_()), ("heeded", pa.bool_())]
        + [(f"p{label}", pa.float64()) for label in range(5)]
    )


def _options() -> pa.ipc.IpcWriteOptions:
    import pyarrow as pa

    return pa.ipc.IpcWriteOptions(compression="lz4")


def _batch(rows: Sequence[Row]) -> pa.RecordBatch:
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in schema().names}
    for row in rows:
        mention, p = row.judgement.mention, row.judgement.p
        post = mention.post
        values = (
            row.place, key_hash(post.source, post.id), mention_hash(mention), micros(post.seen_at),
            micros(post.created_at), micros(post.account_created_at) if post.account_created_at else None,
            post.source, post.id, post.author, post.url, post.reply_to, post.service_hint, post.truth, post.text,
            mention.service, mention.matched, mention.component, post.official, row.heeded, *p.as_tuple(),
        )  # fmt: skip
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    return pa.record_batch(columns, schema=schema())


def _rows(batch: pa.RecordBatch, file: int, services: frozenset[str], classifier: str) -> Iterator[Row]:
    columns = [column.to_pylist() for column in batch.columns]
    for (
        place, _, _, seen, created, account, source, ident, author, url, reply, hint, truth, text, service, matched,
        component, official, heeded, *p,
    ) in zip(*columns, strict=True):  # fmt: skip
        if service not in services:
            continue
        post = Post(
            source=source,
            id=ident,
            created_at=moment(created),
            seen_at=moment(seen),
            text=text,
            author=author,
            url=url,
            reply_to=reply,
            service_hint=hint,
            official=official,
            account_created_at=moment(account) if account is not None else None,
            truth=truth,
        )
        mention = Mention(post=post, service=service, matched=matched, component=component)
        yield Row(place_of(file, place), heeded, Judgement(mention=mention, p=Probabilities(*p), classifier=classifier))


def merged(batches: Sequence[Batch]) -> Iterator[Row]:
    """Sorted batches as one; of rows that are equal in order, the one that was read first.

    Batches that do not overlap in time, as those of a sorted archive, are read one after another.
    """
    from heapq import merge

    spans = [(span, number) for number, batch in enumerate(batches) if (span := batch.span()) is not None]
    group: list[Batch] = []
    until: int | None = None
    for (first, last), number in sorted(spans):
        if until is not None and first > until:
            yield from group[0] if len(group) == 1 else merge(*group, key=_place_in_order)
            group = []
        group.append(batches[number])
        until = last if until is None else max(until, last)
    if group:
        yield from group[0] if len(group) == 1 else merge(*group, key=_place_in_order)


def _place_in_order(row: Row) -> tuple[Order, int]:
    return row.order, row.place
