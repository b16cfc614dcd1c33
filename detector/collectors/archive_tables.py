"""Archives that are tables: CSV exports with a header, and Parquet. Their rows are read like lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from detector.collectors.archive_chunks import Chunk, Fault
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_files import Progress, blocks
from detector.collectors.archive_formats import Line
from detector.collectors.archive_light import Sight
from detector.errors import BadArchiveError

ROWS = 4096
_BOM = b"\xef\xbb\xbf"
_FIRST = 1 << 20
_TEXTS = ("text", "title", "body", "selftext")
_SEEN = tuple(field.encode_name for field in msgspec.structs.fields(Sight) if field.name not in {"commit", "payload"})

# Column names of CSV exports, the first that is there counts; twcs is "Customer Support on Twitter".
_COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("tweet_id", "status_id", "id", "id_str"),
    "created_at": ("created_at", "timestamp", "date", "created"),
    "text": ("text", "full_text", "content", "tweet"),
    "author": ("author_id", "user_id", "username", "user", "author"),
    "in_reply_to": ("in_response_to_tweet_id", "in_reply_to_status_id", "in_reply_to"),
    "inbound": ("inbound",),
    "source": ("source_name",),
    "service": ("service",),
    "truth": ("truth", "label"),
    "seen_at": ("seen_at",),
    "url": ("url", "permalink"),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """A CSV file's header: where each of our fields stands."""

    places: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a chunk, not yet posts.

    Attributes:
        places: line or row number of each.
        sights: what is looked at in every row; None where it does not fit.
        texts: each row's words in one line of bytes, behind a space.
        decode: a row, by its index, as a line.
    """

    places: Sequence[int]
    sights: Sequence[Sight | None]
    texts: Sequence[bytes]
    decode: Callable[[int], Line]


def header(path: Path) -> Columns | None:
    """The columns of a CSV file; None where the first line is no header we know."""
    held = b""
    for block in blocks(path, _ignore):
        held += block
        if b"\n" in held or len(held) > _FIRST:
            break
    first = held.partition(b"\n")[0].removeprefix(_BOM)
    if first.lstrip().startswith((b"{", b"[")):
        return None
    try:
        names = next(csv.reader([first.decode("utf-8").rstrip("\r")]))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return None
    plain = {name.strip().lower(): place for place, name in reversed(list(enumerate(names)))}
    found = {
        field: next(plain[name] for name in known if name in plain)
        for field, known in _COLUMNS.items()
        if any(name in plain for name in known)
    }
    return Columns(found) if {"id", "created_at", "text"} <= set(found) else None


def _ignore(_kind: str, _why: str) -> None:
    """Whoever reads the file to its end tells of its faults."""


def batches(path: Path, fault: Fault, progress: Progress | None = None) -> Iterator[Chunk]:
    """The rows of a Parquet file as chunks.

    Raises:
        BadArchiveError: it has none of our columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = {field.encode_name for field in msgspec.structs.fields(Line)}
    done = 0
    try:
        table = pq.ParquetFile(path)
        columns = [name for name in table.schema_arrow.names if name in known]
        if not columns:
            raise BadArchiveError(f"{path} has none of the columns id, source, created_at, text: name them so")
        size, rows = path.stat().st_size, max(table.metadata.num_rows, 1)
        for number, batch in enumerate(table.iter_batches(batch_size=ROWS, columns=columns)):
            yield Chunk(number, done + 1, batch)
            done += batch.num_rows
            if progress is not None:
                progress(size * batch.num_rows // rows)
    except (pa.ArrowException, OSError) as error:
        fault("damaged file", str(error)[:200], done + 1)


def rows(chunk: Chunk, columns: Columns | None, name: str, counters: ReadCounters) -> Table:
    """The rows of a chunk of a table."""
    if columns is None:
        return _batch(chunk, counters)
    return _csv(chunk, columns, name, counters)


def _csv(chunk: Chunk, columns: Columns, name: str, counters: ReadCounters) -> Table:
    data = chunk.data.removesuffix(b"\n")
    if chunk.number == 0:
        data = data.removeprefix(_BOM)
    lines = (line.decode("utf-8", "replace") + "\n" for line in data.split(b"\n"))
    reader = csv.reader(lines)
    places: list[int] = []
    found: list[dict[str, Any]] = []
    first = chunk.number == 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            counters.lines += 1
            counters.reject("wrong shape", name, chunk.first_line + reader.line_num - 1, str(error))
            continue
        if first or not row:
            first = False
            continue
        counters.lines += 1
        fields: dict[str, Any] = {
            field: row[place] or None for field, place in columns.places.items() if place < len(row)
        }
        fields.setdefault("source", "twitter")
        places.append(chunk.first_line + reader.line_num - 1)
        found.append(fields)
    return _table(places, found)


def _batch(chunk: Chunk, counters: ReadCounters) -> Table:
    counters.lines += chunk.data.num_rows
    columns = {
        name: [value.isoformat() if isinstance(value, datetime) else value for value in values]
        for name, values in chunk.data.to_pydict().items()
    }
    found = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _table(range(chunk.first_line, chunk.first_line + len(found)), found)


def _table(places: Sequence[int], found: Sequence[dict[str, Any]]) -> Table:
    def decode(at: int) -> Line:
        return msgspec.convert(found[at], Line)

    texts = [
        b" "
        + " ".join(text for name in _TEXTS if isinstance(text := row.get(name), str))
        .replace("\n", " ")
        .encode("utf-8", "replace")
        for row in found
    ]
    return Table(places, [_sight(row) for row in found], texts, decode)


def _sight(row: Mapping[str, Any]) -> Sight | None:
    try:
        return msgspec.convert({name: row[name] for name in _SEEN if name in row}, Sight)
    except msgspec.ValidationError:
        return None
