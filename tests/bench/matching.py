"""How many posts a second the matcher reads on one core, with 5,000 names; `python -m tests.bench.matching`.

Two mixes: one post in ten names a service, as in a firehose, and every post does (the hard sentences of the suites,
traps and twisted writing, so that every rule runs). CPU time, best of five.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from detector.config.catalogue import load_catalogue
from detector.domain import Post, Service
from detector.match import NameMatcher

NAMES = 5_000
_FIXTURES = Path(__file__).parents[1] / "fixtures" / "matching"
_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_WORDS = """
    the a my this some every friend house river train evening garden coffee market window letter question answer
    walked thought bought wrote forgot loved painted yesterday slowly again never nearly quite maybe with without
    about under before after because while and but or so then people music weather dinner football election winter
"""


def catalogue() -> list[Service]:
    """The shipped services, and made-up ones until there are 5,000 names."""
    services = list(load_catalogue())
    count = sum(len(each.aliases) + len(each.ambiguous) for each in services)
    return [*services, *(Service(slug=f"made-{n}", name=f"M{n}", aliases=(f"qz{n}x",)) for n in range(NAMES - count))]


def hard() -> list[str]:
    """The sentences of the suites: nearly each holds a name, or a word that is one elsewhere."""
    lines = [
        line
        for name in ("sentences.jsonl", "unseen.jsonl", "fresh.jsonl")
        for line in (_FIXTURES / name).read_text(encoding="utf-8").splitlines()
    ]
    return [json.loads(line)["text"] for line in lines]


def plain(count: int) -> list[str]:
    """Chatter of ten to forty words, about nothing we know."""
    chance = random.Random(7)
    return [" ".join(chance.choices(_WORDS.split(), k=chance.randint(10, 40))) for _ in range(count)]


def rate(matcher: NameMatcher, texts: Sequence[str], *, seconds: float = 1.0) -> float:
    """Posts a second of CPU time, the best of five."""
    posts = [Post(source="bench", id=str(n), created_at=_AT, seen_at=_AT, text=text) for n, text in enumerate(texts)]
    best = 0.0
    for _ in range(5):
        done, begun = 0, time.process_time()
        while time.process_time() - begun < seconds / 5:
            for post in posts:
                matcher.match(post)
            done += len(posts)
        best = max(best, done / (time.process_time() - begun))
    return best


def main() -> None:
    """The command."""
    begun = time.process_time()
    matcher = NameMatcher(catalogue())
    built = time.process_time() - begun
    difficult = hard()
    mixed = [*difficult, *plain(9 * len(difficult))]
    sys.stdout.write(
        "| what | value |\n|---|---|\n"
        f"| names, patterns with their slips; built in | {NAMES:,}; {matcher.spellings:,}; "
        f"{built:.2f} s |\n"
        f"| posts a second, one in ten names a service | {rate(matcher, mixed):,.0f} |\n"
        f"| posts a second, every post does | {rate(matcher, difficult):,.0f} |\n"
    )


if __name__ == "__main__":
    main()
