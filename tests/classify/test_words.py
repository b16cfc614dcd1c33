"""The table of word vectors."""

from __future__ import annotations

import numpy as np

from detector.classify.features import extract, spell
from detector.classify.words import WordTable
from tests.classify.conftest import small_table

TEXTS = ["is it down again", "", "unheard-of", "down down down it is", "again " * 400]


def test_a_text_is_the_sum_of_its_known_words() -> None:
    """Word by word, scaled to length 1; nothing where no word is known."""
    table = small_table(["is it down again"], dim=6)
    grams = extract([spell(text) for text in TEXTS], bits=12)
    vectors = table.embed(TEXTS, grams)

    for row, vector in enumerate(vectors):
        total = np.zeros(6, dtype=np.float32)
        for key in grams.word_keys[grams.word_rows == row]:
            for place in np.flatnonzero(table.keys == key):
                total += table.vectors[place] * table.scales[place]
        assert vector.tolist() == (total / max(np.sqrt((total * total).sum()), np.float32(1e-6))).tolist()


def test_keys_are_found_wherever_they_crowd() -> None:
    """Keys that share their first bits, at both ends of the table, and keys that are not there."""
    most = (1 << 64) - 1
    keys = np.array([0, 1, 2, 5, 1 << 40, 1 << 63, most - 2, most], dtype=np.uint64)
    table = WordTable.of(keys, np.ones((len(keys), 2), dtype=np.float32), np.ones(len(keys), dtype=np.float32))
    others = np.array([3, 4, 6, 1 << 41, (1 << 63) + 1, most - 1], dtype=np.uint64)

    place, known = table.places(np.concatenate([keys, others]))

    assert place[known].tolist() == list(range(len(keys)))
    assert known.tolist() == [True] * len(keys) + [False] * len(others)
