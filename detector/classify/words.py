"""Where a text's vector comes from; here the table of static word vectors: 128 small integers a word, by its hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.classify.features import Grams

F32 = NDArray[np.float32]


class TextVectors(Protocol):
    """Anything that gives a normalised text a vector."""

    @property
    def dim(self) -> int:
        """Numbers a text."""

    def embed(self, texts: Sequence[str], grams: Grams) -> F32:
        """(len(texts), dim) vectors of length 1 (or 0) of the normalised texts, whose words are also in `grams`."""


@dataclass(frozen=True, slots=True)
class WordTable:
    """Vectors of known words.

    Attributes:
        keys: (V,) uint64, ascending.
        vectors: (V, D) int8; times `scales` they are the vectors already weighted by the word's rarity.
        scales: (V,) float32.
        weights: (V,) float32, the rarity weights a sum is divided by.
    """

    keys: NDArray[np.uint64]
    vectors: NDArray[np.int8]
    scales: F32
    weights: F32

    @classmethod
    def of(cls, keys: NDArray[np.uint64], vectors: F32, weights: F32) -> WordTable:
        """Round to eight bits, each word with its own scale."""
        weighted = vectors * weights[:, None]
        scales = (np.abs(weighted).max(axis=1) / 127).clip(min=1e-12).astype(np.float32)
        small = np.rint(weighted / scales[:, None]).astype(np.int8)
        return cls(keys, small, scales, weights.astype(np.float32))

    @property
    def dim(self) -> int:
        """Numbers a word."""
        return int(self.vectors.shape[1])

    def embed(self, texts: Sequence[str], grams: Grams) -> F32:
        """(n, D): the weighted mean of each text's known words, scaled to length 1; 0 where none is known."""
        place = np.searchsorted(self.keys, grams.word_keys).clip(max=len(self.keys) - 1)
        known = self.keys[place] == grams.word_keys
        place, rows = place[known], grams.word_rows[known]
        total = np.zeros((len(texts), self.dim), dtype=np.float32)
        if len(rows):
            first = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
            words = np.diff(first, append=len(rows))
            # Texts of as many words together: each is summed word by word, the same whatever else stands in the call.
            for many in np.unique(words):
                at = first[words == many]
                chosen = place[at[:, None] + np.arange(many)]
                total[rows[at]] = np.einsum("twd,tw->td", self.vectors[chosen], self.scales[chosen])
        length = np.sqrt((total * total).sum(axis=1, keepdims=True))
        result: F32 = total / np.maximum(length, 1e-6)
        return result
