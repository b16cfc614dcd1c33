"""Our measures against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from detector.classify import metrics


@pytest.mark.parametrize("seed", range(5))
def test_measures_agree_with_scikit_learn(seed: int) -> None:
    """Also with many equal scores."""
    random = np.random.default_rng(seed)
    truth = random.random(300) < 0.2
    score = np.round(np.clip(truth * 0.3 + random.random(300) * 0.7, 0, 1), 1 if seed % 2 else 6)

    assert metrics.average_precision(truth, score) == pytest.approx(average_precision_score(truth, score))
    assert metrics.f1(truth, score) == pytest.approx(f1_score(truth, score >= 0.5))
    precision, recall, _ = precision_recall_curve(truth, score)
    assert metrics.precision_at_recall(truth, score, 0.9) == pytest.approx(precision[recall >= 0.9].max())


def test_calibration_error_is_the_weighted_gap() -> None:
    """Ten posts claimed at .8 of which six are true: .2."""
    truth = np.array([True] * 6 + [False] * 4)

    assert metrics.calibration_error(truth, np.full(10, 0.8)) == pytest.approx(0.2)


def test_false_alarms_are_counted_per_thousand_others() -> None:
    """At 60 % recall: three of five found, one of ten others above the third."""
    truth = np.array([True] * 5 + [False] * 10)
    score = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.75, *[0.05] * 9])

    assert metrics.false_per_thousand(truth, score, 0.6) == pytest.approx(100.0)


def test_without_a_positive_there_is_no_figure() -> None:
    """NaN, not a division by zero."""
    none, score = np.zeros(3, dtype=bool), np.array([0.1, 0.2, 0.3])

    assert np.isnan(metrics.average_precision(none, score))
    assert np.isnan(metrics.precision_at_recall(none, score, 0.9))
    assert np.isnan(metrics.false_per_thousand(none, score, 0.6))
