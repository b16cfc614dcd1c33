"""Where a text's vector comes from; here the table of static word vectors: 128 small integers a word, by its hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.classify.features import Grams

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

_DRAWER_BITS = 17
_FIRST = np.uint64(64 - _DRAWER_BITS)


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
        drawers: (2^17 + 1,) int32, where the keys with each value of the first 17 bits begin.
        deepest: most keys of one such value.
        scaled: (V, D) float32, the weighted vectors.
    """

    keys: NDArray[np.uint64]
    vectors: NDArray[np.int8]
    scales: F32
    weights: F32
    drawers: NDArray[np.int32] = field(init=False, repr=False)
    deepest: int = field(init=False, repr=False)
    scaled: F32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        drawers = np.searchsorted(self.keys >> _FIRST, np.arange((1 << _DRAWER_BITS) + 1, dtype=np.uint64))
        object.__setattr__(self, "drawers", drawers.astype(np.int32))
        object.__setattr__(self, "deepest", int(np.diff(drawers).max()))
        object.__setattr__(self, "scaled", self.vectors * self.scales[:, None])

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

    def places(self, keys: NDArray[np.uint64]) -> tuple[I64, NDArray[np.bool_]]:
        """Where in the table each key is, and whether it is there at all."""
        # A drawer holds few keys, so looking through it beats a search by halves.
        place = self.drawers.take((keys >> _FIRST).astype(np.int64)).astype(np.int64)
        known: NDArray[np.bool_] = self.keys.take(place, mode="clip") == keys
        for _ in range(self.deepest - 1):
            place += ~known
            known = self.keys.take(place, mode="clip") == keys
        return place, known

    def embed(self, texts: Sequence[str], grams: Grams) -> F32:
        """(n, D): the weighted mean of each text's known words, scaled to length 1; 0 where none is known."""
        from scipy.sparse import csr_array

        place, known = self.places(grams.word_keys)
        place, rows = place[known], grams.word_rows[known]
        ends = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows, minlength=len(texts)), out=ends[1:])
        # Each text is summed by itself, word by word: the same whatever else stands in the call.
        words = csr_array((np.ones(len(place), dtype=np.float32), place, ends), shape=(len(texts), len(self.keys)))
        total = words @ self.scaled
        length = np.sqrt((total * total).sum(axis=1, keepdims=True))
        result: F32 = total / np.maximum(length, 1e-6)
        return result
