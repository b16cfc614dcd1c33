"""Archives of posts: JSONL (plain, gzip, zstandard), Parquet and Twitter CSV exports, read one line at a time.

A bad line is counted with its place and never stops the run; a file that cannot be read at all, or holds nothing
of a known shape, is a `BadArchiveError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from detector.collectors import archive_files
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_reader import ArchiveReader
from detector.domain import Post
from detector.errors import BadArchiveError

Paths = Iterable[str | os.PathLike[str]]
Prefilter = Callable[[str], bool]


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
        before, lines = _known(counters), counters.lines
        reader = ArchiveReader(file, counters=counters, author_key=author_key, prefilter=prefilter)
        for chunk in reader.chunks(progress):
            for _, post in reader.read(chunk):
                yield post
        if _known(counters) == before:
            raise BadArchiveError(nothing_in(file, counters, counters.lines - lines))


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


def _known(counters: ReadCounters) -> int:
    return counters.read + counters.filtered + counters.skipped.total()


def nothing_in(file: Path, counters: ReadCounters, lines: int) -> str:
    """What to tell of a file without a single post."""
    first = next((kept[0] for kept in counters.examples.values() if kept and kept[0].startswith(f"{file}:")), "")
    why = f" (first: {first})" if first else ""
    return (
        f"{file}: none of its {lines:,} lines is a post{why}; one JSON object a line is expected, with "
        '"source", "id", "created_at" and "text", or a Reddit, Hacker News, Jetstream or Twitter CSV export'
    )
