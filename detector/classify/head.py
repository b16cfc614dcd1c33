"""The head: five scores from hashed TF-IDF features, a static text vector and a few counts, then calibration.

Everything is summed text by text in a fixed order (no BLAS), so a post's probabilities are the same bits whether it
is judged alone or among ten thousand. TF-IDF is never written out for judging: the sum of a text's weights times IDF,
divided by the length of its IDFs, is the same score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.classify.features import Grams, extract, spell
from detector.classify.keyword import RULES, found_at
from detector.classify.normalise import SERVICE
from detector.classify.words import TextVectors

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

COUNTS = ("words", "asks", "named", "exclaims", "repeats", *(name for name, _ in RULES))
"""The plain counts beside the hashed features, in order: five of the text, then the keyword rules."""


def counts(texts: Sequence[str]) -> F64:
    """(n, len(COUNTS)): log(1+words)/5, whether it asks, is named, exclaims, how often it is named; each rule's hit.

    >>> counts(["is xsvcx down?"])[0, 1:5].tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    result = np.zeros((len(texts), len(COUNTS)))
    said = [(text.count(" ") + 1, "?" in text, text.count(SERVICE), "!" in text) for text in texts]
    plain = np.array(said, dtype=np.float64).reshape(-1, 4)
    result[:, 0] = np.log1p(plain[:, 0]) / 5
    result[:, 1] = plain[:, 1]
    result[:, 2] = plain[:, 2] > 0
    result[:, 3] = plain[:, 3]
    result[:, 4] = (plain[:, 2] - 1).clip(0, 3) / 3
    hit = [(row, place) for row, text in enumerate(texts) for place in found_at(text)]
    if hit:
        rows, places = zip(*hit, strict=True)
        result[rows, np.array(places) + (len(COUNTS) - len(RULES))] = 1
    return result


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the head sees of n texts: ragged hashed features, text vectors and counts."""

    grams: Grams
    vectors: F32
    counts: F64


def inputs(texts: Sequence[str], *, bits: int, table: TextVectors) -> Inputs:
    """Features of normalised texts."""
    grams = extract([spell(text) for text in texts], bits=bits)
    return Inputs(grams, table.embed(texts, grams), counts(texts))


def tfidf(grams: Grams, *, bits: int, idf: F32) -> F64:
    """TF-IDF of each feature; each half of a text (words, characters) has length 1."""
    values = idf[grams.columns].astype(np.float64)
    halves = _halves(grams, bits)
    length = np.sqrt(np.bincount(halves, weights=values * values))
    values /= np.maximum(length[halves], _LEAST)
    return values


_LEAST = 1e-9
"""What a length is divided by at least: a text of which no feature is known."""


def _halves(grams: Grams, bits: int) -> NDArray[np.int64]:
    """2 * row, and 1 more for characters; ascending."""
    halves: NDArray[np.int64] = grams.rows * 2
    halves += grams.columns >> (bits - 1)
    return halves


@dataclass(frozen=True, slots=True)
class Head:
    """Weights of the five labels.

    Attributes:
        bits: the hashed features have 2^bits columns.
        idf: (2^bits,) float32; 0 for a column never seen in training.
        hashed: (2^bits, 5) float32.
        vector: (D, 5) float32.
        plain: (len(COUNTS), 5) float32.
        bias: (5,) float32.
        scale, shift: (5,) float32, the calibration of each score.
        weighed: (2^bits, 6) float64, `hashed` times `idf` and `idf` squared: a feature is fetched from one place.
    """

    bits: int
    idf: F32
    hashed: F32
    vector: F32
    plain: F32
    bias: F32
    scale: F32
    shift: F32
    weighed: F64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weighed = np.empty((len(self.idf), 6))
        weighed[:, :5], weighed[:, 5] = self.hashed, self.idf
        weighed *= self.idf[:, None]
        object.__setattr__(self, "weighed", weighed)

    def scores(self, seen: Inputs) -> F64:
        """(n, 5) raw scores, before calibration."""
        # Here, since a process that judges nothing need not load it.
        from scipy.sparse import csr_array

        # Of each text the words and the characters are summed by themselves. The sums of a row, and einsum's without
        # BLAS, are made in one order whatever else is in the call.
        count, columns = len(seen.vectors), seen.grams.columns
        ends = np.zeros(2 * count + 1, dtype=np.int64)
        np.cumsum(np.bincount(_halves(seen.grams, self.bits), minlength=2 * count), out=ends[1:])
        halves = csr_array((np.ones(len(columns)), columns, ends), shape=(2 * count, len(self.weighed)))
        sums = halves @ self.weighed
        parts = sums[:, :5] / np.maximum(np.sqrt(sums[:, 5:]), _LEAST)
        result: F64 = parts[0::2] + parts[1::2]
        result += np.einsum("nd,ld->nl", seen.vectors.astype(np.float64), self.vector.T.astype(np.float64, order="C"))
        result += np.einsum("nd,ld->nl", seen.counts, self.plain.T.astype(np.float64, order="C"))
        return result + self.bias

    def probabilities(self, seen: Inputs) -> F64:
        """(n, 5) calibrated probabilities in the order of `LABELS`."""
        return calibrated(self.scores(seen), self.scale, self.shift)


def calibrated(scores: F64, scale: F32, shift: F32) -> F64:
    """Softmax of scale * score + shift: Guo et al. (2017), vector scaling."""
    scaled = scores * scale + shift
    scaled -= scaled.max(axis=1, keepdims=True)
    raised = np.exp(scaled)
    result: F64 = raised / raised.sum(axis=1, keepdims=True)
    return result
