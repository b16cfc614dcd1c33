"""Archive readers: every shape, every kind of damage, every line accounted for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from detector.collectors.archive import load_posts, read_archive
from detector.collectors.archive_counters import ReadCounters
from detector.domain import Post
from detector.errors import BadArchiveError
from detector.testing import in_order

FIXTURES = Path(__file__).parents[1] / "fixtures/archive"
SHARED = Path(__file__).parents[3] / "shared/data"


def read(*paths: Path, prefilter: Callable[[str], bool] | None = None) -> tuple[list[Post], ReadCounters]:
    """All posts of some files in order, with the counters, which must add up."""
    counters = ReadCounters()
    posts = list(load_posts(paths, counters=counters, author_key=b"key", prefilter=prefilter))
    parts = (counters.read, counters.filtered, counters.skipped.total(), counters.bad_lines, counters.blank)
    assert counters.lines == sum(parts)
    assert counters.accepted == len(posts)
    assert in_order(posts)
    return posts, counters


def write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + b"\n")
    return path


def line(number: int = 1, **fields: object) -> str:
    """One good line with what matters changed."""
    given = {"source": "test", "id": str(number), "created_at": f"2026-03-02T12:00:{number % 60:02}Z", "text": "hello"}
    return json.dumps({**given, **fields})


def test_our_own_lines_are_read() -> None:
    """Title and body, hints, zones, replies, hashes kept, names hashed, the provider's own words marked."""
    posts, counters = read(FIXTURES / "own.jsonl")

    tea, provider, claude = posts
    assert claude.text == "Claude down?\n\nNothing but errors & spinners"
    assert (claude.author, claude.service_hint) == ("046e14696ddc", "claude")
    assert (claude.seen_at - claude.created_at).total_seconds() == 30
    assert (tea.id, tea.created_at) == ("7", datetime(2026, 3, 2, 11, 0, 30, tzinfo=UTC))
    assert tea.author is not None
    assert "lovelace" not in tea.author
    assert provider.official
    assert (provider.reply_to, provider.truth) == ("2", "other")
    assert provider.created_at == provider.seen_at == datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)
    assert counters.clamped == 1
    assert counters.assumptions == [
        "reddit: seen 30 s after writing: 1",
        "times without a zone were read as UTC: 1",
        "writing times after the time of sight were set back to it: 1",
    ]


def test_reddit_dumps_are_read() -> None:
    """Submissions and comments; removed words and deleted authors are none; a page with a name is no url."""
    posts, _ = read(FIXTURES / "reddit_dump.jsonl")

    first, comment, removed = posts
    assert (first.source, first.id, first.text) == (
        "reddit:r/ClaudeAI",
        "t3_1abc",
        "API timeouts everywhere\n\nsince nine",
    )
    assert first.url == "https://www.reddit.com/r/ClaudeAI/comments/1abc/api_timeouts_everywhere/"
    assert (comment.id, comment.reply_to, comment.author, comment.text) == ("t1_kx1", "t3_1abc", None, "same > here")
    assert (removed.text, removed.url) == ("A title that stays", None)


def test_hacker_news_items_are_read() -> None:
    """HTML becomes words; deletions and jobs are left out and counted."""
    posts, counters = read(FIXTURES / "hn_items.jsonl")

    assert [post.text for post in posts] == ["Claude is not answering", "I'm getting 500s.\nBoth of them."]
    assert posts[1].reply_to == "47300001"
    assert posts[0].url == "https://news.ycombinator.com/item?id=47300001"
    assert counters.skipped == {"deletion": 1, "Hacker News job or poll option": 1}


def test_jetstream_archives_are_read() -> None:
    """Both versions; the server's time counts as sight, the client's claim only backwards; identities are hashed."""
    posts, counters = read(FIXTURES / "jetstream.jsonl")

    first, second, third = posts
    assert first.created_at < first.seen_at == datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
    assert second.created_at == second.seen_at
    assert second.reply_to == first.id
    assert third.created_at == third.seen_at
    assert not any("did:plc" in f"{post.id}{post.author}{post.reply_to}" for post in posts)
    assert counters.skipped == {"Bluesky update or deletion": 1, "Bluesky event that is no post": 1}


def test_twitter_csv_exports_are_read() -> None:
    """Line breaks in quotes, Twitter's own time form, the brand's replies; a bad row is one bad line."""
    posts, counters = read(FIXTURES / "twcs.csv")

    complaint, reply = posts
    assert complaint.text == '@kettlecare the app\nwon\'t open & crashes, "again"'
    assert complaint.created_at == datetime(2017, 10, 31, 22, 10, 47, tzinfo=UTC)
    assert (reply.official, reply.reply_to) == (True, "1")
    assert counters.bad == {"no time": 1}
    assert f"{FIXTURES / 'twcs.csv'}:5: no time" in counters.examples["no time"][0]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstandard"])
@pytest.mark.parametrize("name", ["own.jsonl", "twcs.csv"])
def test_compressed_files_read_the_same(tmp_path: Path, pack: Callable[[bytes], bytes], name: str) -> None:
    """By their first bytes, whatever they are called; two members in one file are one file."""
    whole = (FIXTURES / name).read_bytes()
    half = whole.index(b"\n") + 1
    path = tmp_path / "archive.bin"
    path.write_bytes(pack(whole[:half]) + pack(whole[half:]))

    assert read(path)[0] == read(FIXTURES / name)[0]


def test_parquet_reads_the_same_as_lines(tmp_path: Path) -> None:
    """Times may be timestamps; columns we do not know are ignored."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    at = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    table = pa.table(
        {"source": ["test", "test"], "id": ["1", "2"], "created_at": [at, at], "text": ["hi", None], "score": [1, 2]}
    )
    pq.write_table(table, tmp_path / "a.parquet")

    posts, counters = read(tmp_path / "a.parquet")

    assert [(post.id, post.created_at, post.text) for post in posts] == [("1", at, "hi")]
    assert counters.bad == {"no text": 1}


def test_files_are_merged_sorted_and_deduplicated(tmp_path: Path) -> None:
    """Several files in any order come out in one order, each key once, the earliest kept."""
    one = write(tmp_path / "one.jsonl", line(5), line(3), line(9, text="first"))
    two = write(tmp_path / "two.jsonl", line(4), line(9, text="later", created_at="2026-03-02T12:30:00Z"), line(3))

    posts, counters = read(one, two)

    assert [post.id for post in posts] == ["3", "4", "5", "9"]
    assert posts[-1].text == "first"
    assert (counters.read, counters.duplicates) == (6, 2)
    assert read(two, one)[0] == posts


def test_a_prefilter_drops_and_counts(tmp_path: Path) -> None:
    """What the caller does not want is counted and never built."""
    path = write(tmp_path / "a.jsonl", line(1, text="claude down"), line(2), line(3))

    posts, counters = read(path, prefilter=lambda text: "claude" in text)

    assert [post.id for post in posts] == ["1"]
    assert counters.filtered == 2


_BAD: dict[str, list[str | bytes]] = {
    "not JSON": ["{broken", '{"id": 1} x', "hello"],
    "wrong shape": ['["a list"]', line(text={"a": 1}), line(created_at=[1])],
    "not UTF-8": [b'{"source":"a","id":"1","created_at":"2026-03-02","text":"caf\xe9"}'],
    "no text": [line(text=""), line(text="   \n"), json.dumps({"id": "1", "created_at": "2026-03-02"})],
    "no time": [line(created_at="soon"), line(created_at=""), line(created_at=None), line(seen_at="later")],
    "time out of range": [
        line(created_at="1970-01-01T00:00:00Z"),
        line(created_at=0),
        line(created_at="2100-06-01T00:00:00Z"),
        line(created_at=1e300),
        line(created_at="0001-01-01T00:00:00+14:00"),
        line(seen_at="1989-12-31T23:59:59Z"),
    ],
}


@pytest.mark.parametrize(("kind", "bad"), [(kind, bad) for kind, lines in _BAD.items() for bad in lines])
def test_a_bad_line_is_counted_with_its_place_and_stops_nothing(tmp_path: Path, kind: str, bad: str | bytes) -> None:
    """The lines around it are read; the report names kind, file and line."""
    path = write(tmp_path / "a.jsonl", line(1), bad, line(2))

    posts, counters = read(path)

    assert len(posts) == 2
    assert counters.bad == {kind: 1}
    (example,) = next(iter(counters.examples.values()))
    assert example.startswith(f"{path}:2: ")
    assert any(str(path) in said for said in counters.report())


def test_only_the_first_five_places_are_kept(tmp_path: Path) -> None:
    """A million bad lines do not make a million messages."""
    path = write(tmp_path / "a.jsonl", line(1), *["{"] * 100)

    _, counters = read(path)

    assert counters.bad_lines == 100
    assert sum(map(len, counters.examples.values())) == 5


@pytest.mark.parametrize("author", [None, "", "ada"])
def test_a_post_without_an_author_is_a_post(tmp_path: Path, author: str | None) -> None:
    """Nobody is nobody; a name is hashed."""
    (post,), _ = read(write(tmp_path / "a.jsonl", line(1, author=author)))

    assert (post.author is None) == (not author)
    assert post.author != "ada"


def test_f33_a_post_of_ten_megabytes_is_cut(tmp_path: Path) -> None:
    """16 kB are kept, whole characters, and it is said."""
    (post,), counters = read(write(tmp_path / "a.jsonl", line(1, text="é" * 5_000_000)))

    assert post.text == "é" * 8000
    assert counters.assumptions == ["texts longer than 16 kB were cut: 1"]


def test_a_line_without_end_is_dropped_not_held(tmp_path: Path) -> None:
    """40 MB without a line break are one bad line; the next line is read."""
    path = write(tmp_path / "a.jsonl", line(1), b'{"text": "' + b"x" * 40_000_000, line(2))

    posts, counters = read(path)

    assert len(posts) == 2
    assert counters.bad == {"line too long": 1}


def test_a_line_without_an_id_gets_a_stable_one(tmp_path: Path) -> None:
    """The same words at the same time are the same post; it is an assumption and said so."""
    path = write(tmp_path / "a.jsonl", line(1, id=None), line(1, id=None), line(1, id=None, text="other"))

    posts, counters = read(path)

    assert len(posts) == 2
    assert counters.duplicates == 1
    assert any("without an id" in said for said in counters.assumptions)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstandard"])
def test_a_truncated_archive_gives_what_it_has(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Cut in the middle: the lines before the cut are posts, the cut is counted."""
    import random

    chance = random.Random(3)
    lines = [line(number, text=f"{chance.random()} {chance.random()}") for number in range(20_000)]
    whole = pack(("\n".join(lines) + "\n").encode())
    path = tmp_path / "cut"
    path.write_bytes(whole[: len(whole) // 2])

    posts, counters = read(path)

    assert 5_000 < len(posts) < 15_000
    assert counters.bad["truncated file"] == 1


def test_a_damaged_archive_gives_what_it_has(tmp_path: Path) -> None:
    """Bytes overwritten in the middle of a gzip file: reading ends there and says so."""
    import random

    chance = random.Random(3)
    whole = bytearray(gzip.compress("\n".join(line(n, text=f"{chance.random()}") for n in range(20_000)).encode()))
    whole[len(whole) // 2 : len(whole) // 2 + 200] = bytes(chance.randrange(256) for _ in range(200))
    path = tmp_path / "damaged.gz"
    path.write_bytes(whole)

    posts, counters = read(path)

    assert posts
    assert counters.bad_lines >= 1


def test_a_file_that_cannot_be_read_at_all_is_an_error(tmp_path: Path) -> None:
    """A directory, nothing, an empty file, only blanks, no post at all: each says what and what to do."""
    empty, blank, wrong = tmp_path / "empty", write(tmp_path / "blank", "", ""), write(tmp_path / "wrong", "a", "b")
    empty.touch()
    wide = tmp_path / "wide"
    wide.write_bytes(line(1).encode("utf-16"))
    for path, words in [
        (tmp_path, "is a directory; name its files"),
        (tmp_path / "missing", "does not exist"),
        (empty, "is empty"),
        (blank, "none of its"),
        (wrong, "none of its"),
        (wide, "none of its"),
    ]:
        with pytest.raises(BadArchiveError, match=words) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert caught.value.exit_code == 2
    with pytest.raises(BadArchiveError, match="no archive"):
        list(read_archive([], counters=ReadCounters()))


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    """Files that went through Windows read the same."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + f"{line(1)}\r\n{line(2)}\r\n\r\n".encode())

    posts, counters = read(path)

    assert len(posts) == 2
    assert counters.blank == 1


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_shared_archives_are_read_nearly_whole() -> None:
    """The smaller real archives: not one line in three thousand is bad."""
    for path in sorted(one for one in (SHARED / "posts").glob("*.gz") if one.stat().st_size < 4_000_000):
        _, counters = read(path)
        assert counters.bad_lines <= counters.lines / 3000, path
