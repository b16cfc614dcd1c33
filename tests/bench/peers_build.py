"""What a user would write instead of us: names by a regex, a judge of posts, and a score of the counts.

Judges: keywords; MiniLM with logistic regression. Scores: a rolling z-score; river's Gaussian scorer and half-space
trees. All of it as their tutorials have it, with 5-minute bins and a day to look back on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from detector.backfill.evaluate_detection import Span
from detector.domain import Service

BIN = timedelta(minutes=5)
_BACK = 288  # bins of a day
_CALM = timedelta(hours=1)
_LEAST = 3
LABELS = Path(__file__).resolve().parents[2] / "data" / "labels"
KEYWORDS = re.compile(
    r"\b(?:is|are|was|still|seems?|anyone|'s)\b.{0,30}\bdown\b|down\?|\boutage|not (?:working|loading|responding)"
    r"|(?:can'?t|cannot|unable to|won'?t) (?:log|connect|load|open|access|sign|send|play)|\berrors?\b|\bbroken\b"
    r"|timing out|timed? ?out|\b50[0-4]\b|keeps? (?:crash|fail|disconnect)|stopped working|offline",
    re.IGNORECASE,
)


def read(path: Path) -> Any:
    """An archive as a frame: `at`, `text`."""
    pandas = import_module("pandas")
    frame = pandas.read_json(path, lines=True, dtype={"id": str, "author": str}, convert_dates=False)
    stamps = pandas.to_datetime(frame["created_at"], utc=True)
    return pandas.DataFrame({"at": stamps, "text": frame["text"].astype(str)})


def naming(frame: Any, services: Sequence[Service]) -> Any:
    """The posts that name a service, with its `slug`; the first name counts."""
    slugs = {name.casefold(): each.slug for each in services for name in (each.name, *each.aliases)}
    pattern = r"\b(" + "|".join(map(re.escape, sorted(slugs, key=len, reverse=True))) + r")\b"
    found = frame["text"].str.extract(re.compile(pattern, re.IGNORECASE), expand=False)
    named = frame[found.notna()].copy()
    named["slug"] = found.dropna().str.casefold().map(slugs)
    return named


def by_keyword(named: Any) -> Any:
    """The posts that a regex takes for complaints."""
    return named[named["text"].str.contains(KEYWORDS)]


@cache
def encoder() -> Any:
    """all-MiniLM-L6-v2 from its package."""
    from detector.classify.distil import shipped_teacher

    return import_module("sentence_transformers").SentenceTransformer(shipped_teacher(), device="cpu")


def embed(texts: Sequence[str]) -> Any:
    """Sentence vectors, in batches of 64."""
    return encoder().encode(list(texts), batch_size=64, show_progress_bar=False)


@cache
def regression(most: int = 1500) -> Any:
    """Logistic regression over sentence vectors, from the labels of this repository."""
    rows = [json.loads(line) for path in sorted(LABELS.glob("own*.jsonl")) for line in path.open(encoding="utf-8")]
    rows = rows[:: max(len(rows) // most, 1)]
    model = import_module("sklearn.linear_model").LogisticRegression(max_iter=1000, class_weight="balanced")
    return model.fit(embed([row["text"] for row in rows]), [row["label"] in {"complaint", "report"} for row in rows])


def by_minilm(named: Any) -> Any:
    """The posts that the regression takes for complaints."""
    if not len(named):
        return named
    return named[regression().predict(embed(named["text"].tolist()))]


def counts(complaints: Any, slug: str, first: datetime, last: datetime) -> Any:
    """A service's complaints by bin, from the archive's beginning to its end."""
    pandas = import_module("pandas")
    own = complaints[complaints["slug"] == slug]
    bins = pandas.date_range(pandas.Timestamp(first).floor("5min"), pandas.Timestamp(last).floor("5min"), freq="5min")
    return own["at"].dt.floor("5min").value_counts().reindex(bins, fill_value=0).sort_index()


def z_scores(row: Any) -> Any:
    """How many standard deviations a bin lies above the day before it."""
    before = row.shift(1).rolling(_BACK, min_periods=_BACK // 4)
    return (row - before.mean()) / before.std().clip(lower=0.5)


def gaussian(row: Any) -> Any:
    """river: how far in the tail of a normal of the last day; -ln of it."""
    import math

    scorer = import_module("river.anomaly").GaussianScorer(window_size=_BACK, grace_period=_BACK // 4)
    found = []
    for value in row.tolist():
        try:
            found.append(-math.log(max(1.0 - scorer.score_one(None, value), 1e-16)))
        except TypeError:  # its rolling variance falls below zero by rounding, and the root is complex
            found.append(0.0)
        scorer.learn_one(None, value)
    return _like(row, found)


def half_space_trees(row: Any) -> Any:
    """river: half-space trees over the count and its change, of a window of a day; the score is from 0 to 1."""
    trees = import_module("river.anomaly").HalfSpaceTrees(
        n_trees=10, height=8, window_size=_BACK, seed=1, limits={"count": (0, 50), "change": (-50, 50)}
    )
    found, last = [], 0
    for value in row.tolist():
        features = {"count": min(value, 50), "change": max(-50, min(50, value - last))}
        found.append(trees.score_one(features))
        trees.learn_one(features)
        last = value
    return _like(row, found)


def _like(row: Any, values: list[float]) -> Any:
    return import_module("pandas").Series(values, index=row.index)


def spans(row: Any, scores: Any, threshold: float, slug: str) -> list[Span]:
    """Alerts: begun when a bin above the threshold is over, ended after an hour without one."""
    hot = row.index[(scores > threshold) & (row >= _LEAST)]
    found: list[Span] = []
    for moment in hot:
        at = moment.to_pydatetime() + BIN
        if found and found[-1].end is not None and at <= found[-1].end:
            found[-1] = Span(start=found[-1].start, end=at + _CALM, service=slug)
        else:
            found.append(Span(start=at, end=at + _CALM, service=slug))
    return found


Scores = Callable[[Any], Any]
SWEEPS: dict[str, tuple[Scores, tuple[float, ...]]] = {
    "rolling z-score": (z_scores, (3, 4, 5, 6, 8, 10, 13, 17, 22, 30)),
    "river GaussianScorer": (gaussian, (3, 5, 7, 10, 14, 20, 28, 36)),
    "river HalfSpaceTrees": (half_space_trees, (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)),
}
USUAL = {"rolling z-score": 3.0, "river GaussianScorer": 5.0, "river HalfSpaceTrees": 0.9}
