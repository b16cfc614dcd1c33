"""Reproduce the static artifact from labels: cross-validate, calibrate, fit, write weights, manifest and card."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.classify.artifact import rounded, write_artifact
from detector.classify.evaluate import Measures, measure
from detector.classify.fit import Recipe, at_prior, calibration, fit
from detector.classify.head import Head, calibrated, inputs
from detector.classify.keyword import names_of
from detector.classify.labels import Labelled, LabelSet
from detector.classify.mentions import mention_of_label
from detector.classify.normalise import normalise
from detector.classify.splits import Fold, clusters, folds, later
from detector.classify.words import TextVectors
from detector.domain import LABELS
from detector.errors import UsageError
from detector.match import NameMatcher

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

FEWEST = 100
"""Calibration on fewer real posts than this would be noise."""

LIBRARIES = ("numpy", "scikit-learn", "scipy", "safetensors")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled posts ready for the head: normalised with the service's name masked, and with it left in."""

    posts: list[Labelled]
    services: list[str]
    masked: list[str]
    bare: list[str]
    labels: I64
    groups: I64

    @classmethod
    def of(cls, posts: Sequence[Labelled], matcher: NameMatcher | None) -> Corpus:
        """Normalise and cluster."""
        mentions = [mention_of_label(post, matcher) for post in posts]
        return cls(
            list(posts),
            [mention.service for mention in mentions],
            [normalise(m.post.text, *names_of(m)) for m in mentions],
            [normalise(post.text) for post in posts],
            np.array([LABELS.index(post.label) for post in posts], dtype=np.int64),
            clusters([post.text for post in posts]),
        )

    def fit(self, rows: Iterable[int], table: TextVectors, recipe: Recipe) -> Head:
        """A head from some of the posts, each seen masked and, half as heavy each, also with its name.

        Both forms, because a name that the matcher does not know stays in the text at run time.
        """
        texts: list[str] = []
        labels: list[int] = []
        weights: list[float] = []
        for row in rows:
            forms = dict.fromkeys((self.masked[row], self.bare[row]))
            texts += forms
            labels += [int(self.labels[row])] * len(forms)
            weights += [1 / len(forms)] * len(forms)
        try:
            return fit(texts, np.array(labels), np.array(weights), table=table, recipe=recipe)
        except ValueError as error:
            raise UsageError(f"cannot train: {error}") from error

    def scores(self, head: Head, rows: I64, table: TextVectors) -> F64:
        """(len(rows), 5) raw scores of the masked texts."""
        return head.scores(inputs([self.masked[row] for row in rows], bits=head.bits, table=table))


@dataclass(frozen=True, slots=True)
class Validation:
    """What held-out posts say: measures by kind of split, and the calibration found on the folds."""

    measures: dict[str, Measures]
    by_source: dict[str, Measures]
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]


def validate(
    corpus: Corpus, table: TextVectors, recipe: Recipe, prior: Mapping[str, float] | None = None
) -> Validation:
    """Held-out measures of real posts: folds by near-duplicate, later posts, unseen services, unseen sources.

    Probabilities stand at `prior`, the shares of the labels; at those of the real posts if it is None.

    Each fold is calibrated on the other folds, so that no figure has seen its own posts.
    """
    scores = np.zeros((len(corpus.posts), 5))
    place = np.full(len(corpus.posts), -1, dtype=np.int64)
    for number, (train, test) in enumerate(folds(corpus.groups.tolist(), seed=recipe.seed)):
        if _two_labels(corpus, train):
            scores[test] = corpus.scores(corpus.fit(train, table, recipe), test, table)
            place[test] = number
    kinds = np.array([post.kind for post in corpus.posts])
    real = _real(corpus)
    tested = (place >= 0) & real
    scale, shift = _calibration(scores[tested], corpus.labels[tested], prior)
    p = np.zeros_like(scores)
    for number in np.unique(place[tested]):
        own, rest = place == number, tested & (place != number)
        p[own] = calibrated(scores[own], *_calibration(scores[rest], corpus.labels[rest], prior))

    def of(rows: NDArray[np.bool_]) -> Measures:
        return measure(corpus.labels[rows & tested], p[rows & tested])

    measures = {"folds": of(tested)}
    by_source = {str(kind): of(kinds == kind) for kind in sorted(set(kinds[real]))}
    measures["folds, without headlines"] = of(kinds != "hackernews-story")
    splits = [later(corpus.posts, corpus.groups)]
    measures["later 30 %"] = _held(corpus, splits, table, recipe, (scale, shift))
    named = np.flatnonzero(np.array([bool(service) for service in corpus.services]) & real)
    measures["named services, folds"] = of(np.array([bool(service) for service in corpus.services]))
    by_service = _without_service(corpus, named, recipe)
    measures["named services, never seen"] = _held(corpus, by_service, table, recipe, (scale, shift))
    apart = [(np.flatnonzero(kinds != kind), np.flatnonzero(kinds == kind)) for kind in sorted(set(kinds[real]))]
    measures["sources never seen"] = _held(corpus, apart, table, recipe, (scale, shift))
    return Validation(measures, by_source, scale, shift)


def _real(corpus: Corpus) -> NDArray[np.bool_]:
    """Which posts were met, not made up: figures and calibration are of these; all, if there are next to none."""
    met = np.array([post.kind != "own" for post in corpus.posts])
    return met if int(met.sum()) >= FEWEST else np.ones_like(met)


def _two_labels(corpus: Corpus, rows: I64) -> bool:
    return len(np.unique(corpus.labels[rows])) > 1


def _calibration(
    scores: F64, labels: I64, prior: Mapping[str, float] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """As `calibration`; without a held-out post the scores stay as they are."""
    if not len(labels):
        return np.ones(5, dtype=np.float32), np.zeros(5, dtype=np.float32)
    return calibration(scores, labels, np.ones(len(labels)) if prior is None else at_prior(labels, prior))


def _without_service(corpus: Corpus, named: I64, recipe: Recipe) -> list[Fold]:
    """Tests on the posts of a fifth of the services; all posts of these services leave the training."""
    found = []
    services = [corpus.services[row] for row in named]
    for _, test in folds(services, seed=recipe.seed):
        held = {services[i] for i in test}
        train = [row for row in range(len(corpus.posts)) if corpus.services[row] not in held]
        found.append((np.array(train, dtype=np.int64), named[test]))
    return found


def _held(corpus: Corpus, splits: Sequence[Fold], table: TextVectors, recipe: Recipe, by: tuple[Any, Any]) -> Measures:
    labels: list[I64] = []
    found: list[F64] = []
    for train, both in splits:
        test = both[_real(corpus)[both]]
        if len(test) and _two_labels(corpus, train):
            scores = corpus.scores(corpus.fit(train, table, recipe), test, table)
            found.append(calibrated(scores, *by))
            labels.append(corpus.labels[test])
    if not found:
        return measure(np.zeros(0, dtype=np.int64), np.zeros((0, 5)))
    return measure(np.concatenate(labels), np.concatenate(found))


def train(
    labelled: LabelSet,
    table: TextVectors,
    out: Path,
    *,
    recipe: Recipe,
    matcher: NameMatcher | None,
    command: str,
    words: dict[str, Any] | None = None,
    encoder: dict[str, Any] | None = None,
    prior: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Validate, fit on everything, write the artifact to `out`; returns its manifest.

    `words` says where the word vectors come from, `encoder` which encoder gives the vectors instead; they go into the
    manifest as they are. `prior`: the shares of the labels at which probabilities stand (None: those of real posts).

    Raises:
        UsageError: fewer than two labels, or nothing to tell apart.
    """
    corpus = Corpus.of(labelled.posts, matcher)
    if len(np.unique(corpus.labels)) < 2:
        raise UsageError("cannot train: all labelled posts have one label; at least two are needed")
    held = validate(corpus, table, recipe, prior)
    head = replace(corpus.fit(range(len(corpus.posts)), table, recipe), scale=held.scale, shift=held.shift)
    counted = labelled.counts()
    met = np.bincount(corpus.labels[_real(corpus)], minlength=len(LABELS))
    about = {
        "command": command,
        **({"kind": "encoder", "encoder": encoder} if encoder else {"words": words or {}}),
        "data": {
            "posts": len(corpus.posts),
            "clusters": len(np.unique(corpus.groups)),
            "labels": counted,
            "files": [{"name": Path(name).name, "sha256": _sum(Path(name))} for name in labelled.files],
            "without_text": labelled.without_text,
            "sources": _shares([post.kind for post in corpus.posts]),
            "text_hash": _text_hash(corpus.posts),
        },
        "prior": dict(prior or {label: float(n) / float(met.sum()) for label, n in zip(LABELS, met, strict=True)}),
        "metrics": {name: found.as_json() for name, found in held.measures.items()},
        "metrics_by_source": {name: found.as_json() for name, found in held.by_source.items()},
        "recipe": {name: getattr(recipe, name) for name in Recipe.__slots__},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "warnings": labelled.warnings + labelled.rare(),
    }
    return write_artifact(out, rounded(head), table, about)


def _shares(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _text_hash(posts: Sequence[Labelled]) -> str:
    """Pins the joined texts without holding any."""
    joined = hashlib.sha256()
    for post in posts:
        joined.update(f"{post.source}\x1f{post.id}\x1f{post.label}\x1f{post.text}\x1e".encode("utf-8", "replace"))
    return joined.hexdigest()
