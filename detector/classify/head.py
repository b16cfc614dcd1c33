"""The head: five scores from hashed TF-IDF features, a static text vector and a few counts, then calibration.

Everything is summed text by text in a fixed order (no BLAS), so a post's probabilities are the same bits whether it
is judged alone or among ten thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.classify.features import Grams, extract, spell
from detector.classify.keyword import RULES, hits
from detector.classify.normalise import SERVICE
from detector.classify.words import TextVectors

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

COUNTS = ("words", "asks", "named", "exclaims", "repeats", *(name for name, _ in RULES))
"""The plain counts beside the hashed features, in order: five of the text, then the keyword rules."""


def counts(text: str) -> list[float]:
    """log(1+words)/5, whether it asks, names a service, exclaims, how often it names it; then each rule's hit.

    >>> counts("is xsvcx down?")[1:5]
    [1.0, 1.0, 0.0, 0.0]
    """
    named = text.count(SERVICE)
    return [
        float(np.log1p(text.count(" ") + 1)) / 5,
        float("?" in text),
        float(named > 0),
        float("!" in text),
        min(max(named - 1, 0), 3) / 3,
        *map(float, hits(text)),
    ]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the head sees of n texts: ragged hashed features with their values, text vectors and counts."""

    grams: Grams
    values: F64
    vectors: F32
    counts: F64


def inputs(texts: Sequence[str], *, bits: int, idf: F32, table: TextVectors) -> Inputs:
    """Features of normalised texts; hashed values are TF-IDF with each half (words, characters) of length 1."""
    count = len(texts)
    grams = extract([spell(text) for text in texts], bits=bits)
    values = idf[grams.columns].astype(np.float64)
    halves = grams.rows * 2 + (grams.columns >> (bits - 1))
    length = np.sqrt(np.bincount(halves, weights=values * values, minlength=2 * count))
    values /= np.maximum(length[halves], 1e-9)
    plain = np.array([counts(text) for text in texts], dtype=np.float64).reshape(count, len(COUNTS))
    return Inputs(grams, values, table.embed(texts, grams), plain)


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
    """

    bits: int
    idf: F32
    hashed: F32
    vector: F32
    plain: F32
    bias: F32
    scale: F32
    shift: F32

    def scores(self, seen: Inputs) -> F64:
        """(n, 5) raw scores, before calibration."""
        count = len(seen.vectors)
        result = np.empty((count, 5), dtype=np.float64)
        rows = seen.grams.rows
        picked = self.hashed[seen.grams.columns]
        for label in range(5):
            result[:, label] = np.bincount(rows, weights=picked[:, label] * seen.values, minlength=count)
            result[:, label] += (seen.vectors * self.vector[:, label]).sum(axis=1, dtype=np.float64)
            result[:, label] += (seen.counts * self.plain[:, label]).sum(axis=1)
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
