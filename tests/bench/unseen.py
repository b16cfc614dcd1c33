"""What a service never seen in training costs: F1 of the same posts, judged by models that knew their service or not.

`python -m tests.bench.unseen` (needs ../shared; about an hour of one core): all labelled posts that name a service are
judged twice. *Never seen*: the services are dealt into three parts, and each part is judged by models trained without
any post of its services. *Seen*: the posts are dealt into three parts by near-duplicates, and the models are trained on
the other two, cut down to as many posts as never seen had, so that nothing but the acquaintance differs. Both stages
are trained each time, calibrated and blended on the parts they were not measured on. Scores are kept in
`build/unseen.npz`, to go on after a stop.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from detector.classify.artifact import read_words
from detector.classify.cascade import cascaded, fit_blend
from detector.classify.distil import shipped_teacher
from detector.classify.finetune import Shown, Tuning, finetune
from detector.classify.fit import Recipe, at_prior, calibration
from detector.classify.head import calibrated
from detector.classify.labels import LabelSet, read_labels
from detector.classify.metrics import average_precision, f1
from detector.classify.splits import Fold, folds
from detector.classify.train import Corpus
from detector.cli.classify import shipped_matcher
from detector.resources import data_path, model_path

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

SHARED = Path(__file__).parents[3] / "shared" / "data"
HELD_BACK = ("spotify", "hn-2020", "chat-2020")
OWN = ("own", "own_a", "own_b", "own_c", "own_d")
PARTS = 3
KEPT = Path("build/unseen.npz")


def labelled() -> LabelSet:
    """All posts that the shipped models were trained on."""
    texts = [path for path in sorted((SHARED / "posts").glob("*.gz")) if not path.name.startswith(HELD_BACK)]
    ours = [data_path("labels", f"{name}.jsonl") for name in OWN]
    return read_labels([SHARED / "labels" / "train.jsonl", data_path("labels", "archive.jsonl"), *ours], texts=texts)


def never_seen(corpus: Corpus, tested: I64) -> list[Fold]:
    """Each part's services are in no post of its training, nor is a near-duplicate of its posts."""
    found = []
    services = [corpus.services[row] for row in tested]
    for _, at in folds(services, count=PARTS):
        held, near = {services[place] for place in at}, set(corpus.groups[tested[at]].tolist())
        rest = [r for r, s in enumerate(corpus.services) if s not in held and int(corpus.groups[r]) not in near]
        found.append((np.array(rest, dtype=np.int64), tested[at]))
    return found


def seen(corpus: Corpus, tested: I64, size: int) -> list[Fold]:
    """Each part's near-duplicates are left out of its training, which is cut to `size` posts drawn at random."""
    random = np.random.default_rng(1)
    found = []
    for _, at in folds(corpus.groups[tested].tolist(), count=PARTS):
        near = set(corpus.groups[tested[at]].tolist())
        rest = np.array([row for row, group in enumerate(corpus.groups.tolist()) if group not in near], dtype=np.int64)
        found.append((np.sort(random.permutation(rest)[:size]), tested[at]))
    return found


def scored(corpus: Corpus, parts: list[Fold], name: str, kept: dict[str, F64]) -> tuple[F64, F64, I64]:
    """Scores of both models for every post of the corpus that is in a part, and the number of its part."""
    first, second = np.zeros((len(corpus.posts), 5)), np.zeros((len(corpus.posts), 5))
    number = np.full(len(corpus.posts), -1, dtype=np.int64)
    table = read_words(model_path("static"))
    for place, (train, test) in enumerate(parts):
        key = f"{name} {place} {len(train)} {len(test)}"
        if key not in kept:
            click.echo(f"{name}, part {place + 1} of {len(parts)}: {len(train)} posts to train on", err=True)
            one = corpus.scores(corpus.fit(train, table, Recipe()), test, table)
            tuning = Tuning()
            masked, bare = [corpus.masked[row] for row in train], [corpus.bare[row] for row in train]
            shown = Shown.of(masked, bare, corpus.labels[train], tuning)
            two = finetune(shown, tuning, teacher=Path(shipped_teacher())).scores([corpus.masked[r] for r in test])
            kept[key] = np.stack([one, two.astype(np.float64)])
            KEPT.parent.mkdir(exist_ok=True)
            np.savez(KEPT, allow_pickle=False, **kept)
        first[test], second[test] = kept[key]
        number[test] = place
    return first, second, number


def judged(corpus: Corpus, scores: tuple[F64, F64, I64], prior: dict[str, float]) -> dict[str, F64]:
    """Probabilities by model: each part calibrated and blended on the other parts."""
    *both, number = scores
    found = {name: np.zeros((len(number), 5)) for name in ("static", "transformer", "blend")}
    for place in range(PARTS):
        own, rest = np.flatnonzero(number == place), np.flatnonzero((number >= 0) & (number != place))
        labels = corpus.labels[rest]
        weights = at_prior(labels, prior)
        by = [calibration(each[rest], labels, weights) for each in both]
        one, two = (calibrated(each[rest], *how) for each, how in zip(both, by, strict=True))
        blend = fit_blend(one, two, labels, weights, low=0.008, high=1.0)
        one, two = (calibrated(each[own], *how) for each, how in zip(both, by, strict=True))
        found["static"][own], found["transformer"][own], found["blend"][own] = one, two, cascaded(one, two, blend)
    return found


def main() -> None:
    """Print the table."""
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there: the texts of the labelled posts are needed")
    posts = labelled()
    corpus = Corpus.of(posts.posts, shipped_matcher())
    real = np.array([post.kind != "own" for post in corpus.posts])
    tested = np.flatnonzero(real & np.array([bool(service) for service in corpus.services]))
    labels = read_labels([SHARED / "labels" / "train.jsonl"]).counts()
    prior = {label: max(count, 0.5) / sum(labels.values()) for label, count in labels.items()}
    kept = dict(np.load(KEPT)) if KEPT.is_file() else {}
    apart = never_seen(corpus, tested)
    size = round(float(np.mean([len(train) for train, _ in apart])))
    strange = judged(corpus, scored(corpus, apart, "never seen", kept), prior)
    known = judged(corpus, scored(corpus, seen(corpus, tested, size), "seen", kept), prior)
    click.echo(f"each trained on {size} posts\n")
    show("posts that name a service", corpus, tested, known, strange)
    alone = one_service(corpus, tested)
    kinds = np.array([corpus.posts[row].kind in alone for row in tested])
    click.echo(f"\nHiding the service hides the whole source: {', '.join(sorted(alone))}.")
    show("posts without these sources", corpus, tested[~kinds], known, strange)


def one_service(corpus: Corpus, tested: I64) -> set[str]:
    """The sources whose posts name, nine times in ten, the same service: reviews of one app, issues of one repository.

    Of these nothing is left in the training of *never seen*, so they measure a source never seen.
    """
    named: dict[str, Counter[str]] = defaultdict(Counter)
    for row in tested:
        named[corpus.posts[row].kind][corpus.services[row]] += 1
    return {kind for kind, found in named.items() if max(found.values()) > 0.9 * found.total()}


def show(what: str, corpus: Corpus, rows: I64, known: dict[str, F64], strange: dict[str, F64]) -> None:
    """One table of the three models."""
    now = corpus.labels[rows] <= 1
    click.echo(f"{len(rows)} {what}, {int(now.sum())} of them now")
    click.echo("                 AP seen, never   F1 seen, never    F1 lost (5-95 % of 1,000 resamples)")
    random = np.random.default_rng(1)
    draws = [random.integers(0, len(rows), len(rows)) for _ in range(1000)]
    for name in known:
        a, b = (found[name][rows][:, :2].sum(axis=1) for found in (known, strange))
        lost = [f1(now[draw], a[draw]) - f1(now[draw], b[draw]) for draw in draws]
        low, high = np.percentile(lost, [5, 95])
        click.echo(
            f"{name:15}  {average_precision(now, a):7.3f} {average_precision(now, b):6.3f}   {f1(now, a):7.3f} "
            f"{f1(now, b):6.3f}    {f1(now, a) - f1(now, b):+.3f} ({low:+.3f} to {high:+.3f})"
        )


if __name__ == "__main__":
    main()
