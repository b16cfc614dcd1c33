"""Judged mentions on disk: Arrow files with one record batch a bucket, sorted by `Post.order` and service.

They are what one worker leaves for another, and the cache of judgements at the same time: a row holds the post's key,
a hash of its text, and the file as a whole belongs to one classifier (its folder's manifest names it).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from detector.backfill.job import bucket_of
from detector.domain import EPOCH, Judgement, Mention

if TYPE_CHECKING:
    import pyarrow as pa

_MICROSECOND = timedelta(microseconds=1)
SPANS = b"spans"
"""Under this name a file tells, for each bucket, how many rows there are and when the first and last were seen."""

_MANY = 10_000
_KINDS = {"int64": np.int64, "int32": np.int32, "double": np.float64}
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
        for held in by_bucket:
            held.sort(key=lambda row: row.order)
        spans = msgspec.json.encode([_span(held) for held in by_bucket])
        described = schema().with_metadata({SPANS: spans})
        with draft.open("wb") as sink, pa.ipc.new_file(sink, described, options=_options(len(rows))) as writer:
            for held in by_bucket:
                writer.write_batch(_batch(held, described))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def opened(path: Path, columns: Sequence[str] | None = None) -> Any:
    """A file of rows; only the named columns are ever unpacked.

    One thread: a bucket's batch is small, and handing its columns around costs fifteen times what unpacking does.
    """
    import pyarrow as pa

    fields = [schema().get_field_index(name) for name in columns] if columns is not None else None
    options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
    return pa.ipc.open_file(pa.memory_map(str(path)), options=options)


def numbers(array: pa.Array) -> Any:
    """A column without gaps as a numpy array; `Array.to_numpy` would import pandas wherever it is installed."""
    kind = str(array.type)
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.zeros(len(array), dtype=_KINDS.get(kind, np.bool_))
    if kind == "bool":
        bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
        return bits[array.offset : array.offset + len(array)].astype(bool)
    whole = np.frombuffer(data, dtype=_KINDS[kind])
    return whole[array.offset : array.offset + len(array)]


def read_columns(path: Path, columns: Sequence[str], services: Collection[str] | None = None) -> list[Any]:
    """Some columns of numbers of all buckets of a file as numpy arrays, of the rows about some services."""
    wanted = [*columns, "service"] if services is not None else columns
    table = opened(path, wanted).read_all()
    found = [numbers(table[name].combine_chunks()) for name in columns]
    if services is None:
        return found
    watched = np.array([slug in services for slug in table["service"].to_pylist()], dtype=bool)
    return found if watched.all() else [values[watched] for values in found]


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


def _span(rows: Sequence[Row]) -> tuple[int, int, int]:
    """How many rows, and when the first and the last post was seen."""
    if not rows:
        return (0, 0, 0)
    first, last = (row.judgement.mention.post.seen_at for row in (rows[0], rows[-1]))
    return (len(rows), micros(first), micros(last))


def _options(rows: int) -> pa.ipc.IpcWriteOptions:
    """Packed if there are many: of small batches every column costs more to unpack than it saves."""
    import pyarrow as pa

    return pa.ipc.IpcWriteOptions(compression="lz4" if rows >= _MANY else None)


def _batch(rows: Sequence[Row], described: pa.Schema) -> pa.RecordBatch:
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
    return pa.record_batch(columns, schema=described)
