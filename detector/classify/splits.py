"""Honest splits: near-duplicates stay together, and the test is later, elsewhere or about another service."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from detector.classify.features import extract, spell
from detector.classify.labels import Labelled
from detector.classify.normalise import normalise

I64 = NDArray[np.int64]
Fold = tuple[I64, I64]


def clusters(texts: Sequence[str], *, similar: float = 0.6) -> I64:
    """A number for each text; texts whose words overlap by `similar` (Jaccard) share one.

    >>> clusters(["slack is down again today", "Slack is down again today!", "my cat is ill"]).tolist()
    [0, 0, 2]
    """
    grams = extract([spell(normalise(text)) for text in texts], bits=18)
    sets: list[set[int]] = [set() for _ in texts]
    for row, key in zip(grams.word_rows.tolist(), grams.word_keys.tolist(), strict=True):
        sets[row].add(key)
    salts = np.random.default_rng(7).integers(1, 1 << 62, size=24, dtype=np.uint64)
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for i, words in enumerate(sets):
        keys = np.fromiter(words, dtype=np.uint64, count=len(words))
        if not len(keys):
            continue
        mixed = (keys[:, None] ^ salts[None, :]) * np.uint64(0x9E3779B97F4A7C15)
        least = (mixed ^ (mixed >> np.uint64(29))).min(axis=0)
        for band in range(8):
            buckets[band, least[3 * band : 3 * band + 3].tobytes()].append(i)
    for members in buckets.values():
        # Only to the first of a bucket: chains are closed by the union, and a huge bucket stays linear.
        first = members[0]
        for i in members[1:]:
            if root(i) != root(first) and len(sets[i] & sets[first]) >= similar * len(sets[i] | sets[first]):
                low, high = sorted((root(i), root(first)))
                parent[high] = low
    return np.array([root(i) for i in range(len(texts))], dtype=np.int64)


def folds(groups: Sequence[object], *, count: int = 5, seed: int = 1) -> Iterator[Fold]:
    """Train and test positions; a group is never on both sides. The place of a group depends on its name alone."""
    place = np.array([zlib.crc32(f"{seed}/{group}".encode()) % count for group in groups])
    for fold in range(count):
        train, test = np.flatnonzero(place != fold), np.flatnonzero(place == fold)
        if len(train) and len(test):
            yield train, test


def unlike(posts: Sequence[Labelled], measured: Sequence[Labelled]) -> list[Labelled]:
    """The posts that are none of the measured ones and no near-duplicate of one: what may be trained on.

    >>> met = [Labelled(source="a", id=str(n), text=text, label="other") for n, text in enumerate(("x is down", "hm"))]
    >>> [post.id for post in unlike(met, [Labelled(source="b", id="9", text="X is down!", label="complaint")])]
    ['1']
    """
    if not measured:
        return list(posts)
    found = clusters([post.text for post in (*posts, *measured)])
    near = set(found[len(posts) :].tolist())
    keys = {(post.source, post.id) for post in measured}
    pairs = zip(posts, found.tolist(), strict=False)
    return [post for post, group in pairs if group not in near and (post.source, post.id) not in keys]


def later(posts: Sequence[Labelled], groups: I64, *, share: float = 0.3) -> Fold:
    """Within each source the last `share` by time is the test; near-duplicates of it leave the training."""
    by_source: dict[str, list[int]] = defaultdict(list)
    for i, post in enumerate(posts):
        by_source[post.kind].append(i)
    test: list[int] = []
    for members in by_source.values():
        ordered = sorted(members, key=lambda i: (posts[i].created_at, posts[i].id))
        test += ordered[len(ordered) - round(share * len(ordered)) :]
    tested = np.array(sorted(test), dtype=np.int64)
    shared = set(groups[tested].tolist())
    held = set(test)
    train = [i for i in range(len(posts)) if i not in held and int(groups[i]) not in shared]
    return np.array(train, dtype=np.int64), tested
