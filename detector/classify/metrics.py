"""Measures of a probability against the truth; small enough to read, tested against scikit-learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


def average_precision(truth: Bools, score: F64) -> float:
    """Area under the precision-recall steps; equal scores are one step. NaN without a positive.

    >>> round(average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7])), 4)
    0.8333
    """
    positives = int(truth.sum())
    if positives == 0:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.flatnonzero(np.concatenate((np.diff(score[order]) != 0, [True])))
    recall = hits[last] / positives
    precision = hits[last] / (last + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def f1(truth: Bools, score: F64, *, at: float = 0.5) -> float:
    """Harmonic mean of precision and recall of `score >= at`.

    >>> f1(np.array([True, True]), np.array([0.9, 0.1]))
    0.6666666666666666
    """
    said = score >= at
    hits = int((said & truth).sum())
    total = int(said.sum()) + int(truth.sum())
    return 2 * hits / total if total else 0.0


def precision_at_recall(truth: Bools, score: F64, recall: float) -> float:
    """Best precision of a threshold that finds at least this share of the positives.

    >>> precision_at_recall(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]), 0.9)
    0.6666666666666666
    """
    positives = int(truth.sum())
    if positives == 0:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.flatnonzero(np.concatenate((np.diff(score[order]) != 0, [True])))
    enough = last[hits[last] >= recall * positives - 1e-9]
    return float(np.max(hits[enough] / (enough + 1)))


def false_per_thousand(truth: Bools, score: F64, recall: float) -> float:
    """False alarms per 1,000 posts that are none, at the highest threshold that finds this share of the positives.

    >>> false_per_thousand(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]), 0.5)
    0.0
    """
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    needed = max(int(np.ceil(recall * positives - 1e-9)), 1)
    threshold = np.sort(score[truth])[::-1][needed - 1]
    return 1000 * float(((score >= threshold) & ~truth).sum()) / negatives


def calibration_error(truth: Bools, score: F64, *, bins: int = 10) -> float:
    """Expected calibration error: |mean probability - share that is true|, over equally wide bins, weighted by size.

    >>> calibration_error(np.array([True, False]), np.array([0.5, 0.5]))
    0.0
    """
    if len(score) == 0:
        return float("nan")
    place = np.minimum((score * bins).astype(int), bins - 1)
    size = np.bincount(place, minlength=bins)
    claimed = np.bincount(place, weights=score, minlength=bins)
    found = np.bincount(place, weights=truth.astype(float), minlength=bins)
    return float(np.abs(claimed - found)[size > 0].sum() / len(score))


def reliability(truth: Bools, score: F64, *, bins: int = 10) -> list[tuple[float, float, int]]:
    """For each filled bin: mean probability, share that is true, posts."""
    place = np.minimum((score * bins).astype(int), bins - 1)
    return [
        (float(score[place == b].mean()), float(truth[place == b].mean()), int((place == b).sum()))
        for b in range(bins)
        if (place == b).any()
    ]
