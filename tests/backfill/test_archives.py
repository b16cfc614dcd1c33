"""Archives as they are found: judged once, out of order, overlapping, damaged, too big for the cache; all told."""

from __future__ import annotations

import gzip
import json
import random
import resource
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner

from detector.backfill.archives import Plan, backfill_archives, plan
from detector.backfill.job import Job
from detector.backfill.local import Single
from detector.backfill.partitioned import Heard
from detector.backfill.run import Backfilled
from detector.cli import cli
from detector.collectors.archive import load_posts
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_reader import Window
from detector.config.catalogue import load_catalogue
from detector.domain import Budget
from detector.errors import BadArchiveError
from detector.match.matcher import NameMatcher
from tests.backfill import made


def run(job: Job, paths: Sequence[Path], cache: Path | None = None, **more: object) -> tuple[Backfilled, Heard, Plan]:
    """A backfill in this process."""
    planned = plan(job, paths, workers=1, cache=cache, **more)  # type: ignore[arg-type]
    done, heard = backfill_archives(planned, Single(), incidents=made.incidents())
    return done, heard, planned


def naming(paths: Sequence[Path]) -> int:
    """How many posts name a watched service."""
    matcher = NameMatcher(load_catalogue())
    posts = load_posts(paths, counters=ReadCounters())
    return sum(any(mention.service in made.WATCHED for mention in matcher.match(post)) for post in posts)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The made archive."""
    return made.write(tmp_path / "social.jsonl", made.lines())


# -- judged once -------------------------------------------------------------------------------------------------------


def test_another_budget_reads_and_judges_nothing(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second backfill takes the judged rows as they are, and gives what a first one would."""
    cache = tmp_path / "cache"
    first, _, _ = run(made.job(tmp_path), [archive], cache)
    looser = made.job(tmp_path, budget=Budget.parse("30/month"))
    fresh, _, _ = run(looser, [archive])
    monkeypatch.setattr("detector.collectors.archive_reader.ArchiveReader.read", None)

    second, heard, planned = run(looser, [archive], cache)
    again, _, _ = run(made.job(tmp_path), [archive], cache)

    assert planned.judged
    assert heard.kept == first.scoreboard["mentions"]
    assert made.written(second) == made.written(fresh)
    assert made.written(again) == made.written(first)


def test_fewer_services_are_taken_from_the_rows_of_more(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subset needs no reading; what is not watched is as if it had never been named."""
    cache = tmp_path / "cache"
    run(made.job(tmp_path), [archive], cache)
    few = made.job(tmp_path, services=("discord",))
    fresh, _, _ = run(few, [archive])
    monkeypatch.setattr("detector.collectors.archive_reader.ArchiveReader.read", None)

    done, _, planned = run(few, [archive], cache)

    assert planned.judged
    assert made.written(done) == made.written(fresh)


def test_more_services_and_a_longer_archive_judge_only_what_is_new(tmp_path: Path) -> None:
    """Where rows as a whole do not fit, each judgement is looked up by key, text and classifier."""
    cache, rows = tmp_path / "cache", made.lines()
    short = made.write(tmp_path / "short.jsonl", rows[:-200])
    longer = made.write(tmp_path / "longer.jsonl", rows)
    _, before, _ = run(made.job(tmp_path, "keyword", services=("slack", "discord")), [short], cache)
    wide = made.job(tmp_path, "keyword")

    done, heard, _ = run(wide, [longer], cache)

    named = sum(segment.rows for segment, _ in before.segments)
    assert heard.known == named > 0
    assert made.written(done) == made.written(run(wide, [longer])[0])


def test_a_changed_text_is_judged_anew(tmp_path: Path) -> None:
    """The same key with another text is another judgement."""
    cache = tmp_path / "cache"
    one = made.write(tmp_path / "one.jsonl", [made.line(1, 0, "slack is down")])
    two = made.write(tmp_path / "two.jsonl", [made.line(1, 0, "slack is down on my old phone")])
    run(made.job(tmp_path, "keyword"), [one], cache)

    _, heard, _ = run(made.job(tmp_path, "keyword"), [two], cache)

    assert heard.known == 0


def test_an_archive_that_changed_is_read_again(tmp_path: Path, archive: Path) -> None:
    """Rows belong to the bytes they were read from."""
    cache = tmp_path / "cache"
    run(made.job(tmp_path), [archive], cache)
    made.write(archive, made.lines()[:-10])

    _, heard, planned = run(made.job(tmp_path), [archive], cache)

    assert not planned.judged
    assert heard.kept == 0


@pytest.mark.parametrize("where", [".arrow", ".json"])
def test_damaged_rows_are_judged_anew_and_told(tmp_path: Path, archive: Path, where: str) -> None:
    """A byte flipped in a file of the cache costs what that file held, and changes nothing."""
    cache, job = tmp_path / "cache", made.job(tmp_path, segment_bytes=1)
    first, _, _ = run(job, [archive], cache)
    files = sorted(cache.glob(f"**/*of*{where}"))
    data = bytearray(files[0].read_bytes())
    data[len(data) // 2] ^= 255
    files[0].write_bytes(data)

    second, _, planned = run(job, [archive], cache)
    third, _, mended = run(job, [archive], cache)

    assert not planned.judged
    assert "1 files of judged rows are damaged" in " ".join(planned.notes)
    assert made.written(second) == made.written(third) == made.written(first)
    assert mended.judged
    assert not mended.notes


def test_a_cache_without_room_is_a_warning(tmp_path: Path, archive: Path) -> None:
    """The run goes on without the cache and writes the same; the warning says why."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, no folder")
    expected = made.written(run(made.job(tmp_path), [archive])[0])

    done, _, planned = run(made.job(tmp_path), [archive], blocked)

    assert made.written(done) == expected
    assert "going on without it" in " ".join(planned.notes)


def test_a_disk_that_fills_up_is_a_warning(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that the cache takes no more go to the work folder."""
    from detector.backfill import desk, rows

    cache, said = tmp_path / "cache", list[str]()
    write = rows.write_rows

    def full(path: Path, *rest: object) -> None:
        if cache in path.parents:
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
            try:
                write(path, *rest)  # type: ignore[arg-type]
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        else:
            write(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(desk, "write_rows", full)
    planned = plan(made.job(tmp_path), [archive], workers=1, cache=cache)
    done, _ = backfill_archives(planned, Single(), incidents=made.incidents(), say=said.append)

    assert made.written(done) == made.written(run(made.job(tmp_path), [archive])[0])
    assert "takes no more" in said[0]
    assert not list(cache.glob("**/*.arrow"))


# -- as archives are ---------------------------------------------------------------------------------------------------


def test_a_clock_that_runs_backwards_is_sorted_and_told(tmp_path: Path, archive: Path) -> None:
    """Posts in any order give the same alerts, and the report says how many stood wrong."""
    rows = list(made.lines())
    random.Random(1).shuffle(rows)

    done, _, _ = run(made.job(tmp_path), [made.write(tmp_path / "mixed" / "social.jsonl", rows)])

    assert made.written(done) == made.written(run(made.job(tmp_path), [archive])[0])
    assert any("were sorted" in text for text in done.scoreboard["assumptions"])


def test_overlapping_archives_and_equal_files_count_once(tmp_path: Path, archive: Path) -> None:
    """A post in two files is one post; a file given twice under two names is read once, and both are told."""
    rows = made.lines()
    part = made.write(tmp_path / "part.jsonl", rows[200:900])
    twin = made.write(tmp_path / "twin.jsonl", rows[200:900])

    done, heard, planned = run(made.job(tmp_path), [archive, part, twin])

    alone, _, _ = run(made.job(tmp_path), [archive])
    assert "holds the same bytes" in planned.notes[0]
    assert heard.counters.duplicates == naming([part]) > 0
    assert any(text.endswith(f"count once: {naming([part])}") for text in done.scoreboard["assumptions"])
    assert [alert.key for alert in done.alerts] == [alert.key for alert in alone.alerts]
    assert done.scoreboard["mentions"] == alone.scoreboard["mentions"]


def test_of_a_post_that_came_twice_the_one_seen_first_counts(tmp_path: Path) -> None:
    """An edit that an archive learned later replaces nothing, in whatever file it stands."""
    edited = made.write(tmp_path / "a.jsonl", [made.line(1, 5, "discord is down"), made.line(2, 9, "is github down")])
    first = made.write(tmp_path / "b.jsonl", [made.line(1, 4, "slack is down")])

    done, heard, _ = run(made.job(tmp_path), [edited, first])

    assert done.replayed.mentioned == {"slack": 1, "github": 1}
    assert heard.counters.duplicates == 1


def test_since_until_and_sample(tmp_path: Path, archive: Path) -> None:
    """A window keeps what was seen in it, a sample the same posts each time; the rest is counted."""
    begin, end = made.START + timedelta(days=2), made.START + timedelta(days=3)
    windowed, heard, _ = run(made.job(tmp_path, window=Window(since=begin, until=end)), [archive])
    sampled = made.job(tmp_path, window=Window(sample=0.25))
    one, other = run(sampled, [archive])[0], run(sampled, [archive])[0]

    total = len(made.lines())
    assert windowed.replayed.first_at is not None
    assert windowed.replayed.last_at is not None
    assert begin <= windowed.replayed.first_at <= windowed.replayed.last_at < end
    assert windowed.scoreboard["posts"] + heard.counters.skipped["outside --since and --until"] == total
    assert made.written(one) == made.written(other)
    assert 0.2 < one.scoreboard["posts"] / total < 0.3


def test_every_form_reads_the_same(tmp_path: Path, archive: Path) -> None:
    """Plain, gzip, zstandard with a long window, Parquet, CSV: the same posts, the same alerts."""
    rows = [json.loads(row) for row in made.lines()]
    raw = archive.read_bytes()
    forms = [
        tmp_path / "social.jsonl.gz",
        tmp_path / "social.jsonl.zst",
        tmp_path / "social.parquet",
        tmp_path / "social.csv",
    ]
    forms[0].write_bytes(gzip.compress(raw))
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=31, enable_ldm=True)
    forms[1].write_bytes(zstandard.ZstdCompressor(compression_params=parameters).compress(raw))
    pq.write_table(pa.Table.from_pylist(rows), forms[2], row_group_size=500)
    lines = ["id,created_at,source_name,author,text,truth"]
    lines += [
        ",".join([*(r[k] for k in ("id", "created_at", "source", "author")), f'"{r["text"]}"', r["truth"]])
        for r in rows
    ]
    forms[3].write_text("\n".join(lines) + "\n")
    expected = made.written(run(made.job(tmp_path), [archive])[0])

    for form in forms:
        assert made.written(run(made.job(tmp_path), [form])[0]) == expected, form


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_truncated_archive_is_told_by_name(tmp_path: Path, archive: Path, pack: object) -> None:
    """What comes before the cut is replayed; the cut is a bad line with the file's name."""
    path = tmp_path / "cut.jsonl.x"
    raw = pack(archive.read_bytes())  # type: ignore[operator]
    path.write_bytes(raw[: len(raw) * 2 // 3])

    done, heard, _ = run(made.job(tmp_path), [path])

    assert done.scoreboard["posts"] > 100
    assert done.scoreboard["bad_lines"]["truncated file"] == 1
    assert heard.counters.report()[-2] == "1 bad line: truncated file"
    line = int(heard.counters.report()[-1].split(str(path) + ":")[1].split(":")[0])
    assert line in {done.scoreboard["posts"] + each for each in (0, 1)}, "the line that was cut is named"


def test_bad_lines_and_encodings_are_counted_by_kind(tmp_path: Path) -> None:
    """Every line is in one count, whatever is wrong with it and whatever stands around it."""
    rows: list[bytes] = [row.encode() for row in made.lines()]
    bad = [
        b"not json",
        b'{"id": "1", "text": "no time for slack"}',
        b"\xff\xfe\x00slack",
        '{"text": "sl\u00e4ck"}'.encode("latin-1"),
        b"[]",
        b"",
    ]
    mixed = [line for number, row in enumerate(rows) for line in (row, bad[number % len(bad)])]
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(b"\r\n".join(mixed) + b"\r\n")

    done, heard, _ = run(made.job(tmp_path), [path])

    counters = heard.counters
    assert counters.lines == len(mixed)
    assert counters.lines == counters.read + counters.filtered + counters.bad_lines + counters.blank
    assert counters.read + counters.filtered == done.scoreboard["posts"] == len(rows)
    assert set(done.scoreboard["bad_lines"]) == {"not JSON", "no time", "wrong shape", "not UTF-8"}
    assert all(len(examples) == 5 for examples in counters.examples.values())


def test_a_file_of_nothing_but_bad_lines_is_an_error_with_an_example(tmp_path: Path) -> None:
    """A hundred thousand of them are counted on the way, and the message shows the first."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"what is this\n" * 100_000)

    with pytest.raises(BadArchiveError, match=r"none of its 100,000 lines is a post.*bad.jsonl:1: not JSON"):
        run(made.job(tmp_path), [path])


def test_a_parquet_file_without_our_columns_is_an_error(tmp_path: Path) -> None:
    """It names the columns that are needed."""
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1, 2]}), path)

    with pytest.raises(BadArchiveError, match="none of the columns"):
        run(made.job(tmp_path), [path])


# -- as a user meets it ------------------------------------------------------------------------------------------------


def test_the_command_resumes_windows_and_reports(tmp_path: Path, archive: Path) -> None:
    """The options exist, wrong ones are explained, and progress goes to stderr line by line where asked for."""
    base = ["backfill", str(archive), "--judge", "truth", "--services", ",".join(made.WATCHED), "--out"]
    runner = CliRunner()

    first = runner.invoke(cli, [*base, str(tmp_path / "a"), "--resume", "--quiet"])
    second = runner.invoke(cli, [*base, str(tmp_path / "b"), "--engine", "single", "--budget", "12/year", "--quiet"])
    wrong = runner.invoke(cli, [*base, str(tmp_path / "c"), "--since", "soon"])

    assert first.exit_code == second.exit_code == 0, first.output
    assert "nothing was left to resume" in first.stderr
    assert "mentions had been judged before" in second.stderr
    assert (tmp_path / ".judged").is_dir()
    assert not (tmp_path / "a" / ".work").exists()
    assert wrong.exit_code == 2
    assert "2024-05-01" in wrong.stderr


def test_no_mention_at_all_is_a_result(tmp_path: Path) -> None:
    """An archive that names no watched service has no alerts and every post counted."""
    path = made.write(tmp_path / "calm.jsonl", [made.line(n, n, "the rain") for n in range(50)])

    done, _, _ = run(made.job(tmp_path), [path])

    assert done.alerts == []
    assert (done.scoreboard["posts"], done.scoreboard["mentions"]) == (50, 0)
