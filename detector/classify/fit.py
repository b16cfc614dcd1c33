"""Fit the head: TF-IDF, multinomial logistic regression, calibration on held-out folds. scikit-learn, training only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.classify.features import extract, spell
from detector.classify.head import COUNTS, Head, Inputs, inputs, tfidf
from detector.classify.words import TextVectors
from detector.domain import LABELS

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What can be chosen about the head.

    Attributes:
        bits: log2 of the hashed columns.
        strength: inverse of the penalty (`C` of scikit-learn).
        vector: factor on the text vector against the hashed features.
        least: a hashed feature of fewer texts is ignored.
    """

    bits: int = 18
    strength: float = 3.0
    vector: float = 1.0
    least: int = 2
    seed: int = 1


def inverse_frequency(texts: Sequence[str], recipe: Recipe) -> F32:
    """(2^bits,) smooth IDF as scikit-learn's; 0 for features in fewer than `least` texts."""
    grams = extract([spell(text) for text in texts], bits=recipe.bits)
    found = np.bincount(grams.columns, minlength=1 << recipe.bits)
    idf = np.log((1 + len(texts)) / (1 + found)) + 1
    idf[found < recipe.least] = 0
    result: F32 = idf.astype(np.float32)
    return result


def fit(texts: Sequence[str], labels: I64, weights: F64, *, table: TextVectors, recipe: Recipe) -> Head:
    """A head for normalised texts; `labels` are positions in `LABELS`. Not yet calibrated.

    A label without an example keeps a constant score that stands for half an example.

    Raises:
        ValueError: all texts have one label.
    """
    from sklearn.linear_model import LogisticRegression

    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError("all labelled posts have one label; at least two are needed")
    idf = inverse_frequency(texts, recipe)
    seen = inputs(texts, bits=recipe.bits, table=table)
    used = np.flatnonzero(idf)
    matrix = _matrix(seen, tfidf(seen.grams, bits=recipe.bits, idf=idf), used, recipe)
    model = LogisticRegression(C=recipe.strength, max_iter=300, tol=1e-4, random_state=recipe.seed)
    model.fit(matrix, labels, sample_weight=weights)
    coefficients, intercept = model.coef_, model.intercept_
    if len(present) == 2:  # scikit-learn gives one row for two classes
        coefficients = np.vstack([-coefficients[0] / 2, coefficients[0] / 2])
        intercept = np.array([-intercept[0] / 2, intercept[0] / 2])
    columns, dim = len(used), table.dim
    hashed = np.zeros((1 << recipe.bits, 5), dtype=np.float32)
    vector, plain = np.zeros((dim, 5), dtype=np.float32), np.zeros((len(COUNTS), 5), dtype=np.float32)
    bias = np.full(5, float(intercept.mean()) + np.log(0.5 / len(texts)), dtype=np.float32)
    for row, label in enumerate(present):
        hashed[used, label] = coefficients[row, :columns]
        vector[:, label] = coefficients[row, columns : columns + dim] * recipe.vector
        plain[:, label] = coefficients[row, columns + dim :]
        bias[label] = intercept[row]
    one, zero = np.ones(5, dtype=np.float32), np.zeros(5, dtype=np.float32)
    return Head(recipe.bits, idf, hashed, vector, plain, bias, one, zero)


def _matrix(seen: Inputs, values: F64, used: I64, recipe: Recipe) -> object:
    from scipy.sparse import csr_matrix, hstack

    place = np.full(1 << recipe.bits, -1, dtype=np.int64)
    place[used] = np.arange(len(used))
    columns = place[seen.grams.columns]
    kept = columns >= 0
    shape = (len(seen.vectors), len(used))
    hashed = csr_matrix((values[kept], (seen.grams.rows[kept], columns[kept])), shape=shape)
    dense = np.hstack([seen.vectors * recipe.vector, seen.counts])
    return hstack([hashed, csr_matrix(dense)], format="csr")


def at_prior(labels: I64, prior: Mapping[str, float]) -> F64:
    """Weights of mean 1 under which the labels have the shares of `prior`.

    >>> at_prior(np.array([0, 4, 4, 4]), {"complaint": 0.5, "report": 0, "past": 0, "solo": 0, "other": 0.5}).round(2)
    array([2.  , 0.67, 0.67, 0.67])
    """
    share = np.bincount(labels, minlength=len(LABELS)).clip(min=1) / len(labels)
    wanted = np.array([prior[label] for label in LABELS])
    found = (wanted / share)[labels]
    result: F64 = found / found.mean()
    return result


def calibration(scores: F64, labels: I64, weights: F64) -> tuple[F32, F32]:
    """Scale and shift of each label's score that fit held-out scores best (log loss, little ridge towards 1 and 0)."""
    from scipy.optimize import minimize

    total = weights.sum()

    def loss(parameters: F64) -> tuple[float, F64]:
        scale, shift = parameters[:5], parameters[5:]
        scaled = scores * scale + shift
        scaled -= scaled.max(axis=1, keepdims=True)
        raised = np.exp(scaled)
        p = raised / raised.sum(axis=1, keepdims=True)
        picked = p[np.arange(len(labels)), labels]
        value = -(weights * np.log(picked + 1e-12)).sum() / total
        error = p
        error[np.arange(len(labels)), labels] -= 1
        error *= weights[:, None] / total
        ridge = 1e-3
        gradient = np.concatenate(((error * scores).sum(axis=0), error.sum(axis=0)))
        gradient += 2 * ridge * np.concatenate((scale - 1, shift))
        return float(value + ridge * (((scale - 1) ** 2).sum() + (shift**2).sum())), gradient

    start = np.concatenate((np.ones(5), np.zeros(5)))
    bounds = [(0.2, 5.0)] * 5 + [(-5.0, 5.0)] * 5
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[:5].astype(np.float32), found[5:].astype(np.float32)
