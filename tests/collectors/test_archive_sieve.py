"""The sieve is never narrower than the matcher, and chunks are the same whoever cuts them."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.collectors.archive_chunks import chunks, cut
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_reader import ArchiveReader, Net, Window
from detector.collectors.archive_sieve import Sieve, line_starts
from detector.config.catalogue import load_catalogue
from detector.domain import EPOCH, Post, parse_time
from detector.match.matcher import NameMatcher
from detector.transport.plaintext import plain

FIXTURES = Path(__file__).parents[1] / "fixtures/archive"


@cache
def matcher() -> NameMatcher:
    """The whole catalogue's."""
    return NameMatcher(load_catalogue())


@cache
def every() -> frozenset[str]:
    """All slugs."""
    return frozenset(service.slug for service in load_catalogue())


@cache
def net(slugs: frozenset[str]) -> Net:
    """What a backfill of these services reads with."""
    return Net(
        sieve=Sieve(matcher().patterns(slugs)),
        home=lambda source: matcher().home(source) in slugs,
        hint=lambda hint: matcher().resolve(hint) in slugs,
        text=matcher().may_match,
    )


@cache
def spellings() -> list[str]:
    """Names as people write them."""
    found = [
        name
        for service in load_catalogue()
        for name in (
            *service.aliases,
            *(each.alias for each in service.ambiguous),
            *(f"@{handle}" for handle in service.handles),
            *(f"#{tag}" for tag in service.hashtags),
            *(f"https://{alias}/x" for alias in service.aliases if "." in alias),
            *(f"r/{place.partition(':')[2]}" for place in service.communities),
        )
    ]
    return sorted({*found, *(pattern.strip() for pattern in matcher().patterns(every()))})


AROUND = st.sampled_from(
    ["", " ", "  ", "\n", "\t", "\r\n", " \n ", '"', "\\", "\\n", "/", "&amp;", "&", "<b>", "</b>", "\u2019s", "'s",
     "s", "\u200b", "\u00e9", "\U0001f600", "#", "@", "-", ".", "\u2014", "\x7f", "is down", "issues with ", "the ",
     " outage", "\\u0041", "0", "\u3042", "\x0b", ": ", '": "', "source", "\u00a0", "\u3000", "\u0308", "\u00b4",
     "\uff02", "\uff03", "\u0436", "\u00ad", "\x85", "\u2028", "&#x27;", "&quot;", "<p>", "\u00df"]
)  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Names between all that can stand around them, in any case, with a character swapped for a look-alike."""
    pieces = []
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(spellings()))
        form = draw(st.integers(0, 5))
        name = {1: name.upper(), 2: name.title(), 3: name.replace("a", "\u0430", 1), 4: name.replace(" ", "  ")}.get(
            form, name
        )
        pieces += [draw(AROUND), draw(AROUND), name, draw(AROUND), draw(AROUND)]
    return "".join(pieces)


def as_line(text: str, *, ascii_only: bool, **more: object) -> bytes:
    """An archive line."""
    given_ = {"source": "hackernews", "id": "1", "created_at": "2026-03-02T12:00:00Z", "text": text, **more}
    return json.dumps(given_, ensure_ascii=ascii_only).encode("utf-8", "replace")


def found_in(posts: list[Post], slugs: frozenset[str]) -> list[str]:
    """The watched services that posts name."""
    return [mention.service for post in posts for mention in matcher().match(post) if mention.service in slugs]


@settings(max_examples=120, deadline=None)
@given(texts(), st.booleans(), st.sampled_from(sorted(load_catalogue(), key=lambda service: service.slug)))
@example("at&t is down", True, load_catalogue()[0])
@example("C:\\notion is broken", True, load_catalogue()[0])
def test_what_the_matcher_finds_the_net_lets_pass(
    tmp_path_factory: pytest.TempPathFactory, text: str, ascii_only: bool, service: object
) -> None:
    """A line is held back only if its post names no watched service, whatever its text looks like."""
    raw = as_line(text, ascii_only=ascii_only)
    path = tmp_path_factory.getbasetemp() / "one.jsonl"
    path.write_bytes(raw + b"\n")
    for slugs in (every(), frozenset({service.slug})):  # type: ignore[attr-defined]
        whole = ArchiveReader(path, counters=ReadCounters())
        sieved = ArchiveReader(path, counters=ReadCounters(), net=net(slugs))

        named = found_in([post for chunk in whole.chunks() for _, post in whole.read(chunk)], slugs)
        passed = found_in([post for chunk in sieved.chunks() for _, post in sieved.read(chunk)], slugs)

        assert passed == named


@settings(max_examples=100, deadline=None)
@given(texts())
def test_texts_of_tables_pass_too(text: str) -> None:
    """CSV and Parquet hold texts as they are; a backslash in them is no escape."""
    line = b" " + text.replace("\n", " ").replace("\r", " ").encode("utf-8", "replace")

    held = not net(every()).sieve.candidates(line, line_starts(line), escaped=False)[0]

    if held:
        words = plain(text.replace("\n", " ").replace("\r", " "))
        post = Post(source="s", id="1", created_at=EPOCH, seen_at=EPOCH, text=words)
        assert matcher().match(post) == []


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"text": "hello", "service": "SpotifyCares"}, True),
        ({"text": "hello", "source": "reddit:r/ClaudeAI"}, True),
        ({"text": "see", "url": "https://www.githubstatus.com/incidents/1"}, True),
        ({"text": "hello", "source": "hackernews"}, False),
        ({"text": "the river"}, False),
    ],
)
def test_what_a_line_says_beside_its_text_counts(tmp_path: Path, fields: dict[str, str], passes: bool) -> None:
    """A hint, a community or the address of a status page names a service; a source does not by its own name."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(as_line(fields.pop("text"), ascii_only=True, **fields) + b"\n")
    reader = ArchiveReader(path, counters=ReadCounters(), net=net(every()))

    found = [post for chunk in reader.chunks() for _, post in reader.read(chunk)]

    assert bool(found) is passes
    assert reader.tally.posts == 1


def test_lines_that_are_spared_are_dated_and_counted(tmp_path: Path) -> None:
    """Every line stands in one count, and day, source and span are known of those that were never decoded."""
    path = tmp_path / "a.jsonl"
    rows = [as_line("rain", ascii_only=True, created_at=f"2026-03-0{day}T12:00:00Z", id=str(day)) for day in (2, 3, 1)]
    path.write_bytes(b"\n".join([*rows, b"{broken", b"", as_line("is slack down?", ascii_only=True, id="9")]) + b"\n")
    counters = ReadCounters()
    reader = ArchiveReader(path, counters=counters, net=net(frozenset({"slack"})))

    posts = [post for chunk in reader.chunks() for _, post in reader.read(chunk)]

    assert [post.id for post in posts] == ["9"]
    assert (counters.read, counters.filtered, counters.blank, dict(counters.bad)) == (1, 3, 1, {"not JSON": 1})
    assert counters.lines == 6
    assert reader.tally.posts == 4
    assert reader.tally.by_source == Counter({"hackernews": 4})
    assert sorted(reader.tally.by_day.values()) == [1, 1, 2]
    assert reader.tally.first is not None
    assert reader.tally.last is not None
    assert (reader.tally.first.day, reader.tally.last.day) == (1, 3)
    assert reader.tally.backwards == 1


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200).map(lambda raw: raw.replace(b"a", b"\n")),
    st.integers(1, 40),
    st.integers(1, 30),
    st.booleans(),
)
def test_chunks_do_not_depend_on_the_pieces_they_come_in(raw: bytes, size: int, piece: int, quoted: bool) -> None:
    """Cut from one piece or from many, chunks are the same and hold every byte in order, in whole lines."""
    whole = cut([raw], size=size, quoted=quoted)
    pieces = cut([raw[at : at + piece] for at in range(0, len(raw), piece)], size=size, quoted=quoted)

    assert whole == pieces
    assert b"".join(chunk.data for chunk in whole) == raw
    assert all(chunk.data.endswith(b"\n") for chunk in whole[:-1])
    lines = 1
    for number, chunk in enumerate(whole):
        assert (chunk.number, chunk.first_line) == (number, lines)
        lines += chunk.data.count(b"\n")
        if quoted and number < len(whole) - 1:
            assert chunk.data.count(b'"') % 2 == 0


def test_a_quoted_field_is_never_cut(tmp_path: Path) -> None:
    """Line ends inside quotes end no chunk."""
    path = tmp_path / "t.csv"
    path.write_text("tweet_id,created_at,text\n" + '1,2026-03-02,"a\nb\nc"\n' * 5)

    found = list(chunks(path, lambda kind, why, line: None, quoted=True, size=30))

    assert len(found) > 2
    assert all(chunk.data.count(b'"') % 2 == 0 for chunk in found)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*")), ids=lambda path: path.name)
def test_every_shape_is_dated_as_its_posts_are(path: Path) -> None:
    """Dumps of Reddit, Hacker News, Jetstream and Twitter: the same finds, days and sources with a net as without."""
    plain_counters, counters = ReadCounters(), ReadCounters()
    whole = ArchiveReader(path, counters=plain_counters, author_key=b"key")
    sieved = ArchiveReader(path, counters=counters, author_key=b"key", net=net(frozenset({"zoom"})))

    posts = [post for chunk in whole.chunks() for _, post in whole.read(chunk)]
    passed = [post for chunk in sieved.chunks() for _, post in sieved.read(chunk)]

    named = frozenset({"zoom"})
    assert found_in(passed, named) == found_in(posts, named)
    assert counters.read + counters.filtered == plain_counters.read
    assert (counters.lines, counters.skipped, counters.bad) == (
        plain_counters.lines, plain_counters.skipped, plain_counters.bad,
    )  # fmt: skip
    assert (sieved.tally.first, sieved.tally.last) == (whole.tally.first, whole.tally.last)
    assert sieved.tally.by_day == whole.tally.by_day
    assert sieved.tally.by_source == whole.tally.by_source


MOMENTS = st.sampled_from(
    ["2026-03-02T12:00:00Z", "2026-03-02T12:00:01.5+00:00", "2026-03-02T12:00:00.1234567Z", "2026-03-02T12:00:00",
     "2026-03-02 11:00:00z", "2026-03-02T14:00:00+02:00", "2026-03-02", "yesterday", 1772452800, 1772452800.5,
     1772452800000, "1850-01-01T00:00:00Z", -5, None]
)  # fmt: skip
MORE: st.SearchStrategy[dict[str, object]] = st.sampled_from(
    [{}, {"source": "reddit:r/ClaudeAI"}, {"source": "twitter"}, {"source": ""}, {"url": "https://a.example/status"},
     {"seen_at": "2026-03-02T12:05:00Z"}, {"seen_at": 1772453000}, {"id": [1]}, {"author": 3.5}, {"text": ""},
     {"service": "slack"}, {"payload": {"operation": "create"}}, {"permalink": "/r/x/1"}, {"type": 5}]
)  # fmt: skip
ODD_LINES = st.sampled_from(
    [b"", b"{}{}", b"{broken", b'{"a":', b"}", b"[]", b"{}", b'{"text": "\xff"}', b" {} ", b"{}\r"]
)

USUAL: list[dict[str, object]] = [{"created_at": "2026-03-02T12:00:00Z"}, {"created_utc": 1772452800}]


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Some hundred lines of which most are alike, with a few odd ones among them."""
    lines = []
    usual: dict[str, object] = draw(st.sampled_from(USUAL))
    for number in range(draw(st.integers(1, 600))):
        text = "is slack down?" if number % 9 == 4 else "rain"
        lines.append(json.dumps({"id": str(number), "source": "hackernews", "text": text, **usual}).encode())
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        moment = draw(MOMENTS)
        row: dict[str, object] = {"id": "x", "source": "s", "created_at": moment, "text": "slack is down", **draw(MORE)}
        lines[at] = draw(ODD_LINES) if draw(st.booleans()) else json.dumps(row).encode()
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n"]))


@settings(max_examples=60, deadline=None)
@given(archives())
def test_lines_dated_together_are_counted_as_lines_dated_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    """Posts, counts, complaints about lines, days and sources do not depend on how many lines are looked at at once."""
    path = tmp_path_factory.getbasetemp() / "stretches.jsonl"
    path.write_bytes(raw)
    endless = Window(until=parse_time("2099-01-01T00:00:00Z"))  # a window is looked at line by line
    readers = [
        ArchiveReader(path, counters=ReadCounters(), net=net(frozenset({"slack"})), window=window)
        for window in (Window(), endless)
    ]

    posts = [[post for chunk in reader.chunks() for post in reader.read(chunk)] for reader in readers]

    assert posts[0] == posts[1]
    assert readers[0].counters == readers[1].counters
    assert readers[0].tally == readers[1].tally
