"""How fast the classifiers are, each against its own limit, and what the second reading costs.

`python -m tests.bench.classify`: posts that all name a service, 5 % of them complaints or reports. With ../shared the
texts are the natural sample's (`data/labels/natural.jsonl`, never trained on); without it the posts in our own words,
on which the band is narrower than in life. Ratios within one run; seconds of CPU, so that other load matters little.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np

from detector.classify import cascade, static, transformer
from detector.classify.features import extract, spell
from detector.classify.keyword import names_of
from detector.classify.labels import Labelled, read_labels
from detector.classify.mentions import mention_of_label
from detector.classify.normalise import normalise
from detector.config.catalogue import load_catalogue
from detector.domain import Mention
from detector.match import NameMatcher
from detector.resources import data_path

POSTS = Path(__file__).parents[3] / "shared" / "data" / "posts"
HELD_BACK = ("spotify", "hn-2020", "chat-2020")

_LOAD = """
import time
from detector.classify import {module}
from detector.domain import EPOCH, Mention, Post
began = time.perf_counter()
model = {module}.build()
took = time.perf_counter() - began
post = Post(source="a", id="1", created_at=EPOCH, seen_at=EPOCH, text="is slack down for anyone else? nothing loads")
model.judge([Mention(post=post, service="slack", matched="slack")] * 32)
status = open("/proc/self/status").read()
print(took, int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def mix(count: int, *, seed: int = 7) -> tuple[list[Mention], str]:
    """`count` mentions, one in twenty of them *now*, and where their words come from."""
    names = ("own.jsonl", "own_a.jsonl", "own_b.jsonl", "own_c.jsonl", "own_d.jsonl")
    if POSTS.is_dir():
        texts = [path for path in sorted(POSTS.glob("*.gz")) if not path.name.startswith(HELD_BACK)]
        posts, said = read_labels([data_path("labels", "natural.jsonl")], texts=texts).posts, "natural sample, unseen"
    else:
        posts, said = read_labels([data_path("labels", name) for name in names]).posts, "our own words, trained on"
    matcher = NameMatcher(load_catalogue())
    random = np.random.default_rng(seed)

    def drawn(some: Sequence[Labelled], many: int) -> list[Labelled]:
        return [some[int(place)] for place in random.integers(0, len(some), many)]

    now = drawn([post for post in posts if post.now], count // 20)
    chosen = [*now, *drawn([post for post in posts if not post.now], count - len(now))]
    mentions = {id(post): mention_of_label(post, matcher) for post in chosen}
    return [mentions[id(chosen[int(place)])] for place in random.permutation(count)], said


def pace(work: Callable[[], object], count: int, *, clock: Callable[[], float] = time.process_time) -> float:
    """Posts a second of `clock`, the better of two goes."""
    best = float("inf")
    for _ in range(2):
        began = clock()
        work()
        best = min(best, clock() - began)
    return count / best


def hashing(texts: Sequence[str]) -> None:
    """The features of normalised texts alone, as many at once as the classifier takes."""
    for at in range(0, len(texts), static.BATCH):
        extract([spell(text) for text in texts[at : at + static.BATCH]], bits=18)


def usual(texts: Sequence[str]) -> None:
    """The same n-grams of normalised texts as scikit-learn hashes them: what such a model would wait for elsewhere."""
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(ngram_range=(1, 2), n_features=1 << 17, alternate_sign=False)
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=1 << 17, alternate_sign=False)
    words.transform(texts)
    letters.transform(texts)


def on_all_cores(mentions: Sequence[Mention]) -> float:
    """Posts a second of the wall clock, a process for each core, as a backfill runs; the better of two goes.

    The models are loaded before, and the parts are handed over before the clock starts.
    """
    cores = os.cpu_count() or 1
    parts = [mentions[number::cores] for number in range(cores)]
    with ProcessPoolExecutor(cores, initializer=_hold, initargs=(parts,), mp_context=get_context("spawn")) as pool:

        def everywhere() -> object:
            return list(pool.map(_judge_part, range(cores)))

        everywhere()
        return pace(everywhere, len(mentions), clock=time.perf_counter)


_PARTS: list[Sequence[Mention]] = []


def _hold(parts: list[Sequence[Mention]]) -> None:
    _PARTS[:] = parts
    _model().judge(parts[0][:64])


@cache
def _model() -> cascade.CascadeClassifier:
    return cascade.build()


def _judge_part(number: int) -> int:
    return len(_model().judge(_PARTS[number]))


def loading(module: str) -> tuple[float, float]:
    """Seconds to build a classifier in a fresh process, and its peak RSS in MB after judging once."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD.format(module=module)], capture_output=True, text=True, check=True
    )
    took, memory = map(float, done.stdout.split())
    return took, memory


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000)
    count: int = parser.parse_args().posts
    mentions, said = mix(count)
    first, second, both = static.build(), transformer.build(), cascade.build()
    few = mentions[: max(200, count // 40)]
    for model in (first, second, both):
        model.judge(mentions[:64])
    texts = [normalise(m.post.text, *names_of(m)) for m in mentions]
    limit = pace(lambda: hashing(texts), count)
    with_folding = pace(lambda: hashing([normalise(m.post.text, *names_of(m)) for m in mentions]), count)
    alone = pace(lambda: first.judge(mentions), count)
    reader = pace(lambda: second.judge(few), len(few))
    before = both.again, both.judged
    together = pace(lambda: both.judge(mentions), count)
    wall = on_all_cores(mentions)
    elsewhere = pace(lambda: usual(texts[:4000]), min(count, 4000))
    band = (both.again - before[0]) / (both.judged - before[1])
    click.echo(f"mix: {count} mentions, 5 % now ({said}); {os.cpu_count()} cores\n")
    click.echo(f"static, posts per CPU-second                       {alone:10,.0f}")
    click.echo(
        f"  its limit: normalising, tokenising, hashing      {with_folding:10,.0f}   ({alone / with_folding:.0%} of it)"
    )
    click.echo(f"  tokenising and hashing alone                     {limit:10,.0f}   ({alone / limit:.0%} of it)")
    click.echo(
        f"  the same n-grams hashed by scikit-learn, alone   {elsewhere:10,.0f}   ({alone / elsewhere:.0%} of it)"
    )
    click.echo(f"transformer, posts per CPU-second                  {reader:10,.0f}")
    click.echo(f"cascade, posts per CPU-second                      {together:10,.0f}")
    click.echo(f"cascade, posts per second, a process for each core {wall:10,.0f}")
    click.echo(f"  read twice (the band)                            {band:10.1%}")
    for module in ("static", "cascade"):
        took, memory = loading(module)
        click.echo(f"{module}: built in {took:.2f} s; {memory:.0f} MB after the first judgements")


if __name__ == "__main__":
    main()
