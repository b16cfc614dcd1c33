"""How good is a classifier: measures of `now` (complaint or report) and the confusion of the five labels."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.classify import metrics
from detector.classify.labels import Labelled
from detector.classify.mentions import mention_of_label
from detector.classify.static import readable
from detector.domain import LABELS
from detector.match import NameMatcher
from detector.protocols import Classifier

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

FEW = 20
"""Sources and services with fewer posts are left out of the breakdown: their figures would be noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Figures of one set of posts; NaN where a figure has no meaning (no positive).

    Attributes:
        now: how many are complaint or report.
        ap: average precision of `now`.
        f1: at probability .5.
        precision_at_90: best precision that keeps 90 % of `now`.
        false_at_60: false alarms per 1,000 other posts at a recall of 60 %.
        ece: expected calibration error of `now`, ten bins.
        right: share of posts on the right side of .5.
        accuracy: share of posts whose likeliest label of five is right.
        log_loss: of the five labels, nats.
    """

    posts: int
    now: int
    ap: float
    f1: float
    precision_at_90: float
    false_at_60: float
    ece: float
    right: float
    accuracy: float
    log_loss: float

    def as_json(self) -> dict[str, float | int | None]:
        """Rounded, with null for NaN."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else round(value, 4)
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A classifier's figures on labelled posts.

    Attributes:
        confusion: `[true][said]`.
        truth, score: (n,) whether each post is *now*, and the probability it was given.
        unsupported: posts in a script that no classifier of ours reads.
    """

    classifier: str
    overall: Measures
    by_source: dict[str, Measures]
    by_service: dict[str, Measures]
    confusion: list[list[int]]
    reliability: list[tuple[float, float, int]]
    truth: NDArray[np.bool_]
    score: F64
    unsupported: int
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "classifier": self.classifier,
            "overall": self.overall.as_json(),
            "by_source": {name: found.as_json() for name, found in self.by_source.items()},
            "by_service": {name: found.as_json() for name, found in self.by_service.items()},
            "labels": list(LABELS),
            "confusion": self.confusion,
            "reliability": [[round(claimed, 4), round(true, 4), n] for claimed, true, n in self.reliability],
            "unsupported": self.unsupported,
            "notes": self.notes,
        }


def measure(labels: I64, p: F64) -> Measures:
    """Figures of (n, 5) probabilities against label positions.

    >>> measure(np.array([0, 4]), np.array([[0.9, 0, 0, 0, 0.1], [0.1, 0, 0, 0, 0.9]])).ap
    1.0
    """
    truth, score = labels <= 1, p[:, 0] + p[:, 1]
    some = len(labels) > 0
    return Measures(
        posts=len(labels),
        now=int(truth.sum()),
        ap=metrics.average_precision(truth, score),
        f1=metrics.f1(truth, score),
        precision_at_90=metrics.precision_at_recall(truth, score, 0.9),
        false_at_60=metrics.false_per_thousand(truth, score, 0.6),
        ece=metrics.calibration_error(truth, score),
        right=float(((score >= 0.5) == truth).mean()) if some else float("nan"),
        accuracy=float((p.argmax(axis=1) == labels).mean()) if some else float("nan"),
        log_loss=float(-np.log(p[np.arange(len(labels)), labels].clip(1e-9)).mean()) if some else float("nan"),
    )


def evaluate(posts: Sequence[Labelled], classifier: Classifier, *, matcher: NameMatcher | None) -> Evaluation:
    """Judge every post once, in batches, and compare."""
    mentions = [mention_of_label(post, matcher) for post in posts]
    judged = classifier.judge(mentions)
    p = np.array([judgement.p.as_tuple() for judgement in judged], dtype=np.float64).reshape(len(posts), 5)
    labels = np.array([LABELS.index(post.label) for post in posts], dtype=np.int64)
    said = p.argmax(axis=1)
    confusion = np.zeros((5, 5), dtype=int)
    np.add.at(confusion, (labels, said), 1)
    return Evaluation(
        classifier=classifier.name,
        overall=measure(labels, p),
        by_source=_by([post.kind for post in posts], labels, p),
        by_service=_by([mention.service or "(none named)" for mention in mentions], labels, p),
        confusion=confusion.tolist(),
        reliability=metrics.reliability(labels <= 1, p[:, 0] + p[:, 1]),
        truth=labels <= 1,
        score=p[:, 0] + p[:, 1],
        unsupported=sum(not readable(post.text) for post in posts),
    )


def _by(names: Sequence[str], labels: I64, p: F64) -> dict[str, Measures]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    kept = sorted((name for name in places if len(places[name]) >= FEW), key=lambda name: (-len(places[name]), name))
    return {name: measure(labels[places[name]], p[places[name]]) for name in kept}


def table(rows: dict[str, Measures]) -> str:
    """The figures as aligned text, one line a row."""
    width = max([len(name) for name in rows] + [4])
    head = f"{'':{width}}  posts   now    AP    F1  P@90R  false/1000@60R   ECE  5-label acc"
    lines = [head]
    for name, m in rows.items():
        lines.append(
            f"{name:{width}} {m.posts:6} {m.now:5} {_f(m.ap)} {_f(m.f1)}  {_f(m.precision_at_90)}"
            f"{_one(m.false_at_60):>16} {_f(m.ece)}        {_f(m.accuracy)}"
        )
    return "\n".join(lines)


def _f(value: float) -> str:
    return "    -" if math.isnan(value) else f"{value:5.3f}"


def _one(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
