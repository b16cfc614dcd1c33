"""Archives of posts: JSONL (plain, gzip, zstandard), Parquet and Twitter CSV exports, read one line at a time.

A bad line is counted with its place and never stops the run; a file that cannot be read at all, or holds nothing
of a known shape, is a `BadArchiveError`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from detector.collectors import archive_files
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_formats import Line, PostMaker, Skipped, Unusable
from detector.domain import Post
from detector.errors import BadArchiveError

Paths = Iterable[str | os.PathLike[str]]
Prefilter = Callable[[str], bool]
_BOM = b"\xef\xbb\xbf"
_DECODER = msgspec.json.Decoder(Line)

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


def read_archive(
    paths: Paths,
    *,
    counters: ReadCounters,
    author_key: bytes = b"",
    prefilter: Prefilter | None = None,
    progress: archive_files.Progress | None = None,
) -> Iterator[Post]:
    """The posts of several files, one file after the other, in the order of their lines.

    Args:
        counters: filled on the way.
        author_key: hashes authors that are given in clear.
        prefilter: a quick look at the text; False drops the line (`counters.filtered`).
        progress: told how many bytes of a file were just read.

    Raises:
        BadArchiveError: a file is missing, a directory, empty, or has no line of a known shape.
    """
    files = [archive_files.opened(path) for path in paths]
    if not files:
        raise BadArchiveError("no archive was named; give at least one file")
    for file in files:
        counters.files += 1
        maker = PostMaker(counters, default_source=_stem(file), author_key=author_key, prefilter=prefilter)
        before = (counters.lines, counters.read + counters.filtered + counters.skipped.total())
        if archive_files.is_parquet(file):
            yield from _parquet(file, maker, counters)
        else:
            yield from _text(file, maker, counters, progress)
        if counters.read + counters.filtered + counters.skipped.total() == before[1]:
            raise BadArchiveError(_nothing(file, counters, counters.lines - before[0]))


def load_posts(
    paths: Paths,
    *,
    counters: ReadCounters,
    author_key: bytes = b"",
    prefilter: Prefilter | None = None,
    progress: archive_files.Progress | None = None,
) -> Iterator[Post]:
    """The posts of all files in the pipeline's order `(seen_at, source, id)`, each key once.

    Everything is read before the first post comes out: it is held and, where needed, sorted in memory.
    Arguments and errors as in `read_archive`; of two posts with one key the one seen first stays.
    """
    posts: list[Post] = []
    ordered = True
    last = None
    for post in read_archive(paths, counters=counters, author_key=author_key, prefilter=prefilter, progress=progress):
        order = (post.seen_at, post.source, post.id)
        if last is not None and order < last:
            ordered = False
        last = order
        posts.append(post)
    if not ordered:
        posts.sort(key=lambda post: (post.seen_at, post.source, post.id))
    seen: set[tuple[str, str]] = set()
    unique: list[Post] = []
    for post in posts:
        key = (post.source, post.id)
        if key in seen:
            counters.duplicates += 1
        else:
            seen.add(key)
            unique.append(post)
    return iter(unique)


def _text(
    file: Path, maker: PostMaker, counters: ReadCounters, progress: archive_files.Progress | None
) -> Iterator[Post]:
    number = 0

    def trouble(kind: str, why: str) -> None:
        counters.lines += 1
        counters.reject(kind, str(file), number + 1, why)

    found = archive_files.lines(file, trouble, progress)
    name = str(file)
    for raw in found:
        number += 1
        if number == 1:
            columns = _header(raw.removeprefix(_BOM))
            if columns is not None:
                yield from _csv(name, columns, found, maker, counters)
                return
        counters.lines += 1
        if not raw or raw.isspace():
            counters.blank += 1
            continue
        try:
            post = maker.make(_DECODER.decode(raw.removeprefix(_BOM) if number == 1 else raw))
        except Unusable as error:
            counters.reject(error.kind, name, number, str(error))
        except Skipped as error:
            counters.skipped[error.kind] += 1
        except msgspec.ValidationError as error:
            counters.reject("wrong shape", name, number, str(error))
        except (msgspec.DecodeError, RecursionError) as error:
            counters.reject("not JSON", name, number, str(error))
        except UnicodeDecodeError as error:
            counters.reject("not UTF-8", name, number, str(error))
        else:
            if post is None:
                counters.filtered += 1
            else:
                counters.read += 1
                yield post


def _header(first: bytes) -> dict[str, str] | None:
    """Which CSV column is which of our fields; None where the first line is no header we know."""
    if first.lstrip().startswith((b"{", b"[")):
        return None
    try:
        names = next(csv.reader([first.decode("utf-8").rstrip("\r")]))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return None
    plain = {name.strip().lower(): name for name in names}
    found = {
        field: next(plain[name] for name in known if name in plain)
        for field, known in _COLUMNS.items()
        if any(name in plain for name in known)
    }
    if not {"id", "created_at", "text"} <= set(found):
        return None
    return {**found, "": ",".join(names)}


def _csv(
    name: str, columns: dict[str, str], rows: Iterator[bytes], maker: PostMaker, counters: ReadCounters
) -> Iterator[Post]:
    """Rows after the header; quoted fields may hold line breaks."""
    header = next(csv.reader([columns.pop("")]))
    text_lines = (row.decode("utf-8", "replace") + "\n" for row in rows)
    reader = csv.DictReader(text_lines, fieldnames=header)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            counters.lines += 1
            counters.reject("wrong shape", name, reader.line_num + 1, str(error))
            continue
        counters.lines += 1
        fields = {field: row.get(column) or None for field, column in columns.items()}
        fields.setdefault("source", "twitter")
        yield from _one(fields, maker, counters, name, reader.line_num + 1)


def _parquet(file: Path, maker: PostMaker, counters: ReadCounters) -> Iterator[Post]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = {field.encode_name for field in msgspec.structs.fields(Line)}
    number = 0
    try:
        table = pq.ParquetFile(file)
        columns = [name for name in table.schema_arrow.names if name in known]
        if not columns:
            raise BadArchiveError(f"{file} has none of the columns id, source, created_at, text: name them so")
        for batch in table.iter_batches(batch_size=4096, columns=columns):
            for row in batch.to_pylist():
                number += 1
                counters.lines += 1
                yield from _one(row, maker, counters, str(file), number)
    except (pa.ArrowException, OSError) as error:
        counters.lines += 1
        counters.reject("damaged file", str(file), number + 1, str(error)[:200])


def _one(fields: Mapping[str, Any], maker: PostMaker, counters: ReadCounters, name: str, number: int) -> Iterator[Post]:
    """A row of a table as a post, counted like a line."""
    values = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in fields.items()}
    try:
        post = maker.make(msgspec.convert(values, Line))
    except Unusable as error:
        counters.reject(error.kind, name, number, str(error))
    except Skipped as error:
        counters.skipped[error.kind] += 1
    except msgspec.ValidationError as error:
        counters.reject("wrong shape", name, number, str(error))
    else:
        if post is None:
            counters.filtered += 1
        else:
            counters.read += 1
            yield post


def _stem(file: Path) -> str:
    """The file's name without its endings: the source of lines that name none.

    >>> _stem(Path("/data/my-posts.jsonl.gz"))
    'my-posts'
    """
    return file.name.partition(".")[0] or "archive"


def _nothing(file: Path, counters: ReadCounters, lines: int) -> str:
    first = next((kept[0] for kept in counters.examples.values() if kept and kept[0].startswith(f"{file}:")), "")
    why = f" (first: {first})" if first else ""
    return (
        f"{file}: none of its {lines:,} lines is a post{why}; one JSON object a line is expected, with "
        '"source", "id", "created_at" and "text", or a Reddit, Hacker News, Jetstream or Twitter CSV export'
    )
