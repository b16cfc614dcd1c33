"""The head and what it is shown, against their plain definitions."""

from __future__ import annotations

import math

import numpy as np

from detector.classify.head import COUNTS, Head, counts, inputs, tfidf
from detector.classify.keyword import RULES, hits
from detector.classify.normalise import SERVICE
from tests.classify.conftest import small_table

BITS = 12
TEXTS = [
    f"is {SERVICE} down? {SERVICE} is not loading for me!",
    "",
    "a",
    f"{SERVICE} was down on xdayx, {SERVICE} {SERVICE} {SERVICE} {SERVICE} again",
    "ünïcode ✨ words nobody knows",
    "the outage " * 300,
]


def head(random: np.random.Generator, dim: int) -> Head:
    """Random weights; a third of the columns were never seen."""
    idf = random.uniform(1, 9, 1 << BITS).astype(np.float32)
    idf[random.random(1 << BITS) < 1 / 3] = 0
    shapes = ((1 << BITS, 5), (dim, 5), (len(COUNTS), 5), (5,), (5,), (5,))
    return Head(BITS, idf, *(random.normal(size=shape).astype(np.float32) for shape in shapes))


def test_scores_are_the_weighted_sum_of_the_features() -> None:
    """TF-IDF times weights, and so on, one text after another."""
    table = small_table(TEXTS)
    model = head(np.random.default_rng(4), table.dim)
    seen = inputs(TEXTS, bits=BITS, table=table)
    values = tfidf(seen.grams, bits=BITS, idf=model.idf)

    expected = np.zeros((len(TEXTS), 5))
    for row, column, value in zip(seen.grams.rows, seen.grams.columns, values, strict=True):
        expected[row] += value * model.hashed[column].astype(np.float64)
    expected += (seen.vectors[:, :, None].astype(np.float64) * model.vector).sum(axis=1)
    expected += seen.counts @ model.plain.astype(np.float64) + model.bias

    assert np.abs(model.scores(seen) - expected).max() < 1e-12


def test_each_half_of_a_text_has_length_one() -> None:
    """Words and characters weigh the same, however many there are; a half of which nothing is known has none."""
    seen = inputs(TEXTS, bits=BITS, table=small_table(TEXTS))
    known = tfidf(seen.grams, bits=BITS, idf=np.ones(1 << BITS, dtype=np.float32))
    halves = seen.grams.rows * 2 + (seen.grams.columns >> (BITS - 1))

    assert np.allclose(np.bincount(halves, weights=known**2, minlength=2 * len(TEXTS)), 1)
    assert not tfidf(seen.grams, bits=BITS, idf=np.zeros(1 << BITS, dtype=np.float32)).any()


def test_scores_are_the_same_bits_among_others() -> None:
    """Also behind a text without features, and where the call is empty."""
    table = small_table(TEXTS)
    model = head(np.random.default_rng(5), table.dim)
    together = model.scores(inputs(TEXTS, bits=BITS, table=table))

    for text, row in zip(TEXTS, together, strict=True):
        assert model.scores(inputs([text], bits=BITS, table=table))[0].tolist() == row.tolist()
    assert model.scores(inputs([], bits=BITS, table=table)).shape == (0, 5)


def test_counts_are_those_of_each_text() -> None:
    """Words, marks and names, and then the rules."""
    for text, row in zip(TEXTS, counts(TEXTS).tolist(), strict=True):
        named = text.count(SERVICE)
        plain = [math.log(2 + text.count(" ")) / 5, "?" in text, named > 0, "!" in text, min(max(named - 1, 0), 3) / 3]

        assert np.allclose(row[: len(plain)], plain)
        assert row[len(plain) :] == hits(text)
        assert len(row) == len(plain) + len(RULES)
