"""One archive file, chunk by chunk: the posts that could name a watched service, and a tally of all the others.

Without a net every line becomes a post. With one, a line whose bytes name nothing is only dated (`archive_light`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from detector.collectors import archive_files, archive_tables
from detector.collectors.archive_chunks import Chunk, chunks
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_formats import Line, PostMaker, Skipped, Unusable
from detector.collectors.archive_glance import LINES, Stretch, objects, stretch
from detector.collectors.archive_light import Seen, Sight, Tally, seen_at
from detector.collectors.archive_sieve import Sieve, line_starts
from detector.domain import Post

BOM = b"\xef\xbb\xbf"
OUTSIDE, NOT_SAMPLED = "outside --since and --until", "not in the sample"
_LINES = msgspec.json.Decoder(Line)
_SIGHTS = msgspec.json.Decoder(Sight)
_PARTS = 1 << 20
_VERDICTS = (Unusable, Skipped, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which posts of an archive are wanted.

    Attributes:
        since, until: of `seen_at`, the first included, the second not.
        sample: the share of posts that is taken, chosen by a hash of source and id, the same in every run.
    """

    since: datetime | None = None
    until: datetime | None = None
    sample: float = 1.0

    @property
    def all(self) -> bool:
        """Whether everything is wanted."""
        return self.since is None and self.until is None and self.sample >= 1.0

    def refuses(self, source: str, ident: str | int | None, at: datetime) -> str | None:
        """Why a post is left out, if it is.

        >>> from detector.domain import parse_time
        >>> Window(since=parse_time("2026-01-01")).refuses("s", "1", parse_time("2025-12-31"))
        'outside --since and --until'
        """
        if (self.since is not None and at < self.since) or (self.until is not None and at >= self.until):
            return OUTSIDE
        if self.sample < 1.0 and zlib.crc32(f"{source}\x00{ident}".encode()) % _PARTS >= self.sample * _PARTS:
            return NOT_SAMPLED
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """What tells lines that could name a watched service from the others.

    Attributes:
        sieve: looks at the bytes.
        home: whether a source is about a watched service.
        hint: whether a hint means one.
        text: whether a post's text could name one; asked of the lines that the sieve let pass.
    """

    sieve: Sieve
    home: Callable[[str], bool]
    hint: Callable[[str], bool]
    text: Callable[[str], bool]

    def speaks(self, sight: Seen, source: str) -> bool:
        """Whether a line names a service beside its text."""
        return (
            (sight.service is not None and self.hint(sight.service))
            or (sight.url is not None and "status" in sight.url)
            or (sight.permalink is not None and "status" in sight.permalink)
            or (":" in source and self.home(source))
        )


@dataclass(slots=True)
class Heard:
    """Of a chunk: its posts with the numbers of their lines, and of all lines that are posts when and where."""

    posts: list[tuple[int, Post]] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


class ArchiveReader:
    """Reads one file; `counters` and `tally` are filled on the way."""

    def __init__(
        self,
        path: Path,
        *,
        counters: ReadCounters,
        author_key: bytes = b"",
        net: Net | None = None,
        window: Window | None = None,
        prefilter: Callable[[str], bool] | None = None,
    ) -> None:
        """Look at the file's first bytes.

        Raises:
            BadArchiveError: missing, a directory, unreadable or empty.
        """
        self.path = archive_files.opened(path)
        self.counters, self.tally = counters, Tally()
        self._name = str(self.path)
        self._default = stem(self.path)
        self._net, self._window = net, window or Window()
        self._whole = self._window.all
        self._said = False
        self._maker = PostMaker(
            counters,
            default_source=self._default,
            author_key=author_key,
            prefilter=prefilter if net is None else self._wanted,
        )
        self.parquet = archive_files.is_parquet(self.path)
        self._columns = None if self.parquet else archive_tables.header(self.path)

    def chunks(self, progress: archive_files.Progress | None = None, *, lead: bool = True) -> Iterator[Chunk]:
        """All chunks of the file in order.

        Args:
            lead: count the file's faults; of several that read one file, one does.
        """

        def fault(kind: str, why: str, line: int) -> None:
            if lead:
                self.counters.lines += 1
                self.counters.reject(kind, self._name, line, why)

        if self.parquet:
            return archive_tables.batches(self.path, fault, progress)
        return chunks(self.path, fault, progress, quoted=self._columns is not None)

    def read(self, chunk: Chunk) -> list[tuple[int, Post]]:
        """The posts of a chunk with the numbers of their lines."""
        if isinstance(chunk.data, bytes) and self._columns is None:
            return self._json(chunk)
        table = archive_tables.rows(chunk, self._columns, self._name, self.counters)
        heard = Heard()
        self._take(heard, table.places, table.sights, table.decode, self._sifted_rows(table))
        self.tally.add(heard.times, heard.sources)
        return heard.posts

    def _json(self, chunk: Chunk) -> list[tuple[int, Post]]:
        data = chunk.data.removeprefix(BOM) if chunk.number == 0 else chunk.data
        heard = Heard()
        if self._net is None:
            lines = _lines(data)
            self.counters.lines += len(lines)
            places = range(chunk.first_line, chunk.first_line + len(lines))
            self._take(heard, places, None, lambda at: _LINES.decode(lines[at]), None, lines)
        elif data:
            self._sifted(heard, self._net, data, chunk.first_line)
        self.tally.add(heard.times, heard.sources)
        return heard.posts

    def _sifted(self, heard: Heard, net: Net, data: bytes, place: int) -> None:
        """Lines that are sifted all at once and dated a stretch at a time."""
        starts = line_starts(data)
        self.counters.lines += len(starts)
        sifted = net.sieve.candidates(data, starts)
        alike = objects(data, starts) if self._whole else np.zeros(len(starts), dtype=bool)
        edges = [*starts.tolist(), len(data) + (not data.endswith(b"\n"))]
        for first in range(0, len(starts), LINES):
            last = min(first + LINES, len(starts))
            piece = data[edges[first] : edges[last]]
            found = stretch(piece, last - first, self._default) if alike[first:last].all() else None
            if found is None:
                self._one_by_one(heard, _lines(piece), place + first, sifted[first:last].tolist())
            else:
                said = {first + at for at in found.said() if net.speaks(found.glances[at], found.sources[at])}
                wanted = said.union((np.flatnonzero(sifted[first:last]) + first).tolist())
                self._together(
                    heard, found, first, sorted(wanted), said, lambda at: data[edges[at] : edges[at + 1] - 1], place
                )

    def _together(
        self,
        heard: Heard,
        found: Stretch,
        first: int,
        wanted: Sequence[int],
        said: Container[int],
        line: Callable[[int], bytes],
        place: int,
    ) -> None:
        """Lines that are dated already: those that could name a service are read, the others only counted.

        Args:
            first: number of the stretch's first line, as `wanted` and `said` count them.
            wanted: lines to be read.
            said: those that name a service beside their text.
            place: number in the file of line 0.
        """
        self.counters.filtered += len(found.glances) - len(wanted)
        lost: list[int] = []
        apart: list[int] = []  # whose delay is not assumed here
        for at in wanted:
            self._said = at in said
            try:
                post = self._maker.make(_LINES.decode(line(at)))
            except _VERDICTS as error:
                self._reject(error, place + at, line(at))
                lost.append(at - first)
                continue
            if post is None:
                self.counters.filtered += 1
            else:
                self.counters.read += 1
                heard.posts.append((place + at, post))
                apart.append(at - first)
        found.assume([*apart, *lost], self.counters.assumed)
        for at in reversed(lost):
            del found.times[at], found.sources[at]
        heard.times += found.times
        heard.sources += found.sources

    def _one_by_one(self, heard: Heard, lines: list[bytes], place: int, sifted: Sequence[bool]) -> None:
        """Lines of which some are odd."""
        sights: list[Sight | None]
        try:
            sights = [_SIGHTS.decode(line) for line in lines]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            sights = [_sight(line) for line in lines]
        places = range(place, place + len(lines))
        self._take(heard, places, sights, lambda at: _LINES.decode(lines[at]), sifted, lines)

    def _sifted_rows(self, table: archive_tables.Table) -> list[bool] | None:
        if self._net is None:
            return None
        data = b"\n".join(table.texts)
        found: list[bool] = self._net.sieve.candidates(data, line_starts(data + b"\n"), escaped=False).tolist()
        return found

    def _take(
        self,
        heard: Heard,
        places: Sequence[int],
        sights: Sequence[Sight | None] | None,
        decode: Callable[[int], Line],
        sifted: Sequence[bool] | None,
        lines: Sequence[bytes] | None = None,
    ) -> None:
        """Posts of the lines that could name a service; the others are dated and counted."""
        for at, place in enumerate(places):
            sight = sights[at] if sights is not None else None
            post: Post | None = None
            source, when = "", None
            if sight is not None and self._net is not None and sifted is not None:
                source = sight.source or sight.origin(self._default)
                self._said = (
                    sight.service is not None or sight.url is not None or sight.permalink is not None or ":" in source
                ) and self._net.speaks(sight, source)
                if not self._said and not sifted[at]:
                    when = seen_at(sight, source, self.counters.assumed)
            if when is None:
                try:
                    post = self._maker.make(decode(at))
                    if post is None and sight is not None:
                        when = seen_at(sight, source, self.counters.assumed)
                        if when is None:
                            self._said = True  # it names nothing and cannot be dated: is it a post at all?
                            post = self._maker.make(decode(at))
                except _VERDICTS as error:
                    self._reject(error, place, lines[at] if lines is not None else b"x")
                    continue
                if post is not None:
                    source, when = post.source, post.seen_at
            if when is not None and not self._whole:
                ident = sight.id if sight is not None else post.id if post is not None else None
                refused = self._window.refuses(source, ident, when)
                if refused is not None:
                    self.counters.skipped[refused] += 1
                    continue
            if when is not None:
                heard.times.append(when)
                heard.sources.append(source)
            if post is None:
                self.counters.filtered += 1
            else:
                self.counters.read += 1
                heard.posts.append((place, post))

    def _wanted(self, text: str) -> bool:
        return self._said or self._net is None or self._net.text(text)

    def _reject(self, error: Exception, place: int, line: bytes) -> None:
        """Count a line that is no post, under what is wrong with it."""
        if not line or line.isspace():
            self.counters.blank += 1
        elif isinstance(error, Skipped):
            self.counters.skipped[error.kind] += 1
        elif isinstance(error, Unusable):
            self.counters.reject(error.kind, self._name, place, str(error))
        elif isinstance(error, msgspec.ValidationError):
            self.counters.reject("wrong shape", self._name, place, str(error))
        elif isinstance(error, UnicodeDecodeError):
            self.counters.reject("not UTF-8", self._name, place, str(error))
        else:
            self.counters.reject("not JSON", self._name, place, str(error))


def stem(file: Path) -> str:
    """The file's name without its endings: the source of lines that name none.

    >>> stem(Path("/data/my-posts.jsonl.gz"))
    'my-posts'
    """
    return file.name.partition(".")[0] or "archive"


def _lines(data: bytes) -> list[bytes]:
    found = data.split(b"\n")
    if not found[-1]:
        found.pop()
    return found


def _sight(line: bytes) -> Sight | None:
    try:
        return _SIGHTS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
