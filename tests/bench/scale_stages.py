"""Each stage of a backfill on one core, and beside it the least that its work could cost with the same libraries.

| stage | ours | its limit |
|---|---|---|
| read | `ArchiveReader` with a net | decompressing, and the sieve over the bytes |
| match | `NameMatcher.match` | one automaton over the lowered text |
| static | `StaticClassifier.judge` | hashing the n-grams |
| transformer | `TransformerClassifier`, of the posts that reach it | the network alone on token ids that are ready |
| detect | `ScanDetector.observe` | a loop that counts the mentions by service |
| store | judged rows as Arrow | the same rows into SQLite, in one transaction |

All figures are microseconds of processor time a post (a mention from match on, a post that is read again for the
transformer), the best of some runs. Like a backfill they are taken by as many processes at once as there are workers,
which share caches and memory; one alone would look faster than anything that runs beside another ever is.
"""

from __future__ import annotations

import multiprocessing
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from time import process_time

import numpy as np

from detector.backfill.rows import Row, write_rows
from detector.classify import cascade, static, transformer
from detector.classify.features import extract, spell
from detector.classify.keyword import names_of
from detector.classify.normalise import normalise
from detector.collectors import archive_chunks, archive_files
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_reader import ArchiveReader, Net
from detector.collectors.archive_sieve import Sieve, line_starts
from detector.config.catalogue import load_catalogue
from detector.domain import Budget, Judgement, Mention, Post
from detector.match.matcher import NameMatcher
from detector.registry import load
from detector.resources import model_path
from tests.bench.mix import services

FEW = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Microseconds a post (or a mention) of one stage, and of its limit."""

    name: str
    ours: float
    limit: float
    what: str

    @property
    def share(self) -> float:
        """How near to the limit: 1 is at it."""
        return self.limit / self.ours if self.ours else 0.0


def timed(work: Callable[[], object], count: int, runs: int = 2) -> float:
    """Microseconds a piece, the best of some runs."""
    best = float("inf")
    for _ in range(runs):
        began = process_time()
        work()
        best = min(best, process_time() - began)
    return best / max(count, 1) * 1e6


def copy_speed(size: int = 1 << 28) -> float:
    """GB/s at which memory is copied."""
    source = np.zeros(size // 8)
    return size / timed(source.copy, 1, 3) / 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The stages over one archive.

    Attributes:
        spared: share of lines that are never decoded.
        bare: microseconds a post to read and match it without the sieve.
    """

    stages: list[Stage]
    spared: float
    bare: float

    def limits(self, mentions: float, again: float) -> dict[str, float]:
        """The limit of each stage in microseconds a post of an archive with these shares; see `shares`."""
        each = {"a post": 1.0, "a mention": mentions, "a post read again": mentions * again}
        return {stage.name: stage.limit * each[stage.name.partition(", ")[2]] for stage in self.stages}


def net_of(matcher: NameMatcher) -> Net:
    """The net for the hundred services of the mix."""
    watched = frozenset(service.slug for service in services())
    return Net(
        sieve=Sieve(matcher.patterns(watched)),
        home=lambda source: matcher.home(source) in watched,
        hint=lambda hint: matcher.resolve(hint) in watched,
        text=matcher.may_match,
    )


def shares(archive: Path) -> tuple[float, float]:
    """Of a whole archive the share of posts that are mentions, and of mentions that the transformer reads.

    Complaints stand where somebody fails, so the beginning of an archive does not tell.
    """
    matcher = NameMatcher(load_catalogue())
    watched = frozenset(service.slug for service in services())
    light, both = static.build(), cascade.build()
    reader = ArchiveReader(archive, counters=ReadCounters(), net=net_of(matcher))
    mentions = again = 0
    for chunk in reader.chunks():
        found = [each for _, post in reader.read(chunk) for each in matcher.match(post) if each.service in watched]
        mentions += len(found)
        again += sum(both._blend.unsure(judgement.p.now) for judgement in light.judge(found))
    return mentions / max(reader.tally.posts, 1), again / max(mentions, 1)


def side_by_side(archive: Path, posts: int, processes: int) -> Found:
    """All stages over an archive of so many posts: the means of some processes that do the same at the same time."""
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(stages, [archive] * processes, [posts] * processes))
    return Found(
        stages=[
            Stage(name=same[0].name, ours=fmean(each.ours for each in same), limit=fmean(each.limit for each in same),
                  what=same[0].what)
            for same in zip(*(each.stages for each in found), strict=True)
        ],
        spared=found[0].spared,
        bare=fmean(each.bare for each in found),
    )  # fmt: skip


def stages(archive: Path, posts: int) -> Found:
    """All stages over an archive of so many posts."""
    matcher = NameMatcher(load_catalogue())
    watched = frozenset(service.slug for service in services())
    net = net_of(matcher)

    def read() -> list[Post]:
        reader = ArchiveReader(archive, counters=ReadCounters(), net=net)
        return [post for chunk in reader.chunks() for _, post in reader.read(chunk)]

    def sift() -> None:
        for chunk in archive_chunks.chunks(archive, lambda kind, why, line: None):
            net.sieve.candidates(chunk.data, line_starts(chunk.data))

    def bare() -> None:
        reader = ArchiveReader(archive, counters=ReadCounters())
        for chunk in reader.chunks():
            for _, post in reader.read(chunk):
                matcher.match(post)

    found = [Stage(name="read, a post", ours=timed(read, posts), limit=timed(sift, posts), what="zstd and the sieve")]
    named = read()
    spared = 1.0 - len(named) / posts
    without = timed(bare, posts, 1)
    mentions = [mention for post in named for mention in matcher.match(post) if mention.service in watched]
    found.append(_match(matcher, [mention.post for mention in mentions]))
    found += _classify(mentions)
    judged = static.build().judge(mentions)
    found.append(_detect(judged))
    found.append(_store(judged))
    return Found(stages=found, spared=spared, bare=without)


def _match(matcher: NameMatcher, posts: list[Post]) -> Stage:
    from ahocorasick_rs import AhoCorasick

    automaton = AhoCorasick(matcher.patterns({service.slug for service in load_catalogue()}))
    texts = [post.text for post in posts]
    return Stage(
        name="match, a mention",
        ours=timed(lambda: [matcher.match(post) for post in posts], len(posts)),
        limit=timed(
            lambda: [automaton.find_matches_as_indexes(text.lower(), overlapping=True) for text in texts], len(posts)
        ),
        what="one automaton",
    )


def _classify(mentions: list[Mention]) -> list[Stage]:
    light, both = static.build(), cascade.build()
    texts = [normalise(mention.post.text, *names_of(mention)) for mention in mentions]
    unsure = [both._blend.unsure(judgement.p.now) for judgement in light.judge(mentions)]
    again = [text for text, doubtful in zip(texts, unsure, strict=True) if doubtful]
    few = again[:FEW]
    scorer = transformer.Scorer(transformer.read_transformer(model_path(transformer.KIND)), threads=1)
    scorer.scores(few[:10])
    ids = [encoded.ids for encoded in scorer._tokenizer.encode_batch_fast(few)]
    tokens = timed(lambda: scorer._tokenizer.encode_batch_fast(few), len(few))
    return [
        Stage(
            name="static, a mention",
            ours=timed(lambda: light.judge(mentions), len(mentions)),
            limit=timed(lambda: extract([spell(text) for text in texts], bits=18), len(mentions)),
            what="hashing n-grams",
        ),
        Stage(
            name="transformer, a post read again",
            ours=timed(lambda: scorer.scores(few), len(few)),
            limit=timed(lambda: [scorer._one(row) for row in ids], len(few)),
            what=f"the network alone (tokenising {tokens:.1f} µs)",
        ),
    ]


def _detect(judged: list[Judgement]) -> Stage:
    make, catalogue = load("detectors", "scan"), {service.slug: service for service in load_catalogue()}

    def observe() -> None:
        detectors = {slug: make(service, Budget.parse("1/year"), 0.2) for slug, service in catalogue.items()}
        for judgement in judged:
            detectors[judgement.mention.service].observe(judgement)

    def count() -> None:
        counts: Counter[str] = Counter()
        for judgement in judged:
            counts[judgement.mention.service] += judgement.p.complaint > 0.5

    return Stage(
        name="detect, a mention",
        ours=timed(observe, len(judged)),
        limit=timed(count, len(judged)),
        what="a counting loop",
    )


def _store(judged: list[Judgement]) -> Stage:
    rows = [Row(number, False, judgement) for number, judgement in enumerate(judged)]
    values = [
        (m.post.source, m.post.id, m.post.seen_at.isoformat(), m.service, m.post.text, *row.judgement.p.as_tuple())
        for row in rows
        for m in [row.judgement.mention]
    ]
    with tempfile.TemporaryDirectory() as name:

        def sqlite() -> None:
            base = sqlite3.connect(":memory:")
            base.execute("create table rows (source, id, seen_at, service, text, a, b, c, d, e)")
            base.executemany("insert into rows values (?,?,?,?,?,?,?,?,?,?)", values)
            base.commit()
            base.close()

        ours = timed(lambda: write_rows(Path(name) / "rows.arrow", rows, 64), len(rows))
        return Stage(name="store, a mention", ours=ours, limit=timed(sqlite, len(rows)), what="SQLite bulk insert")


def head(path: Path, into: Path, count: int) -> Path:
    """The first lines of an archive as one of its own."""
    import zstandard

    with into.open("wb") as sink, zstandard.ZstdCompressor(level=3).stream_writer(sink) as packed:
        for line in islice(archive_files.lines(path, lambda kind, why: None), count):
            packed.write(line + b"\n")
    return into
