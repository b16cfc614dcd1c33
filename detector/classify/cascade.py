"""The static classifier on every mention, the transformer on those it is unsure of, the two blended.

Reading everything twice would cost twenty times as much and change little: most mentions are plainly nobody's
complaint. Unsure means that the static probability of *now* lies in a band; there the answer is the softmax of a
weighted sum of both models' log-probabilities, with weights found on held-out posts. Which posts are read again
depends on the post alone, and so does the answer.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.classify import static, transformer
from detector.classify.artifact import AGAIN, FORMAT, MANIFEST, read_manifest
from detector.classify.keyword import names_of, spoken_for
from detector.classify.metrics import average_precision
from detector.classify.normalise import normalise
from detector.classify.static import StaticClassifier
from detector.classify.transformer import TransformerClassifier
from detector.domain import Judgement, Mention, Probabilities
from detector.errors import ArtifactError
from detector.resources import model_path

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

KIND = "cascade"
LEAST = 1e-6
"""Probabilities are kept above this before their logarithm is taken."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """When to read again, and how far to trust whom.

    Attributes:
        low, high: the band of the static probability of *now*, both ends inside it.
        first, second: weights of the static and the transformer's log-probabilities.
        shift: added to the sum of each label.
    """

    low: float
    high: float
    first: float = 0.5
    second: float = 0.5
    shift: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        numbers = (self.low, self.high, self.first, self.second, *self.shift)
        if len(self.shift) != 5 or not all(map(math.isfinite, numbers)):
            raise ValueError("a blend has two ends, two weights and five shifts, all finite")
        # Below lie the answers to posts that cannot be read, which the transformer must not see.
        if not static.UNREADABLE.now < self.low <= self.high <= 1:
            raise ValueError(f"a band from {self.low} to {self.high}")

    def unsure(self, now: float) -> bool:
        """Whether a mention with this static probability of *now* is read again.

        >>> Blend(low=0.1, high=0.9).unsure(0.5), Blend(low=0.1, high=0.9).unsure(0.05)
        (True, False)
        """
        return self.low <= now <= self.high

    def of(self, first: F64, second: F64) -> F64:
        """(n, 5) blended probabilities of (n, 5) static and (n, 5) transformer probabilities."""
        found = self.first * np.log(first.clip(LEAST)) + self.second * np.log(second.clip(LEAST)) + np.array(self.shift)
        found -= found.max(axis=1, keepdims=True)
        raised = np.exp(found)
        result: F64 = raised / raised.sum(axis=1, keepdims=True)
        return result


class CascadeClassifier:
    """Judges mentions by both models; the transformer is loaded when the first unsure one comes."""

    def __init__(self, first: StaticClassifier, second: TransformerClassifier, blend: Blend) -> None:
        self._first, self._second, self._blend = first, second, blend
        parts = f"{first.name}\n{second.name}\n{json.dumps(asdict(blend), sort_keys=True)}"
        self._name = f"{KIND}@{hashlib.sha256(parts.encode()).hexdigest()[:12]}"
        self.again = 0
        self.judged = 0

    @property
    def name(self) -> str:
        """`cascade@` and the start of a hash of both models and the blend."""
        return self._name

    @property
    def prior(self) -> float:
        """Share of *now* at which the probabilities of both models stand."""
        return self._first.prior

    def judge(self, mentions: Sequence[Mention]) -> list[Judgement]:
        """One judgement a mention, in order; `judged` and `again` count what was read, and what was read twice."""
        found = [replace(judgement, classifier=self._name) for judgement in self._first.judge(mentions)]
        doubtful = [
            place
            for place, judgement in enumerate(found)
            if not judgement.mention.post.official and self._blend.unsure(judgement.p.now)
        ]
        self.judged += len(found)
        self.again += len(doubtful)
        if doubtful:
            read = [found[place].mention for place in doubtful]
            second = self._second.probabilities([normalise(m.post.text, *names_of(m)) for m in read])
            first = np.array([found[place].p.as_tuple() for place in doubtful])
            for place, row in zip(doubtful, self._blend.of(first, second).tolist(), strict=True):
                mention = found[place].mention
                found[place] = replace(found[place], p=spoken_for(mention, Probabilities(*row)))
        return found


def fit_blend(first: F64, second: F64, labels: I64, weights: F64, *, low: float, high: float) -> Blend:
    """Weights and shifts that give held-out posts inside the band the least log loss (a little ridge to one half).

    Args:
        weights: how much each post counts, so that the set stands at the prior of the labels.
    """
    from scipy.optimize import minimize

    now = first[:, 0] + first[:, 1]
    band = (now >= low) & (now <= high)
    if band.sum() < 20:
        return Blend(low=low, high=high)
    truth, share = labels[band], weights[band] / weights[band].sum()

    def loss(found: F64) -> float:
        blend = Blend(low=low, high=high, first=found[0], second=found[1], shift=tuple(found[2:]))
        picked = blend.of(first[band], second[band])[np.arange(len(truth)), truth]
        ridge = 1e-2 * ((found[:2] - 0.5) ** 2).sum() + 3e-3 * (found[2:] ** 2).sum()
        return float(-(share * np.log(picked.clip(1e-12))).sum() + ridge)

    best = minimize(loss, np.array([0.5, 0.5, 0, 0, 0, 0, 0]), bounds=[(0, 2)] * 2 + [(-2, 2)] * 5, method="L-BFGS-B").x
    rounded = [round(float(value), 4) for value in best]
    return Blend(low=low, high=high, first=rounded[0], second=rounded[1], shift=tuple(rounded[2:]))


def mix_weights(labels: I64, *, now: float) -> F64:
    """Weights under which complaints and reports are a share `now` of the posts.

    >>> mix_weights(np.array([0, 4, 4, 4]), now=0.5).tolist()
    [0.5, 0.16666666666666666, 0.16666666666666666, 0.16666666666666666]
    """
    truth = labels <= 1
    found: F64 = np.where(truth, now / max(int(truth.sum()), 1), (1 - now) / max(int((~truth).sum()), 1))
    return found


def band_share(first: F64, labels: I64, *, low: float, high: float, now: float = 0.05) -> float:
    """Share of mentions read again in a mix with a share `now` of complaints and reports."""
    p = first[:, 0] + first[:, 1]
    return float(mix_weights(labels, now=now)[(p >= low) & (p <= high)].sum())


TIE = 0.004
"""Bands whose held-out average precision differs by less rank alike: a tenth of its own uncertainty."""


def choose_band(first: F64, second: F64, labels: I64, weights: F64, *, share: float) -> Blend:
    """The widest band that re-reads at most `share` of a 5 % mix and ranks held-out posts as well as any such band.

    The widest, because held-out posts were mostly picked where the first reader suspected something: what it overlooks
    is rarer among them than in a stream.
    """
    found: list[tuple[float, Blend]] = []
    for low in (0.01, 0.015, 0.02, 0.025, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3):
        for high in (0.6, 0.8, 0.9, 0.95, 0.98, 1.0):
            if band_share(first, labels, low=low, high=high) > share:
                continue
            blend = fit_blend(first, second, labels, weights, low=low, high=high)
            p = cascaded(first, second, blend)
            found.append((average_precision(labels <= 1, p[:, 0] + p[:, 1]), blend))
    if not found:
        return fit_blend(first, second, labels, weights, low=0.3, high=0.6)
    best = max(rank for rank, _ in found)
    as_good = [blend for rank, blend in found if rank >= best - TIE]
    return min(as_good, key=lambda blend: (blend.low, -blend.high))


def cascaded(first: F64, second: F64, blend: Blend) -> F64:
    """What the cascade answers, from both models' probabilities of the same posts."""
    now = first[:, 0] + first[:, 1]
    band: Bools = (now >= blend.low) & (now <= blend.high)
    return np.where(band[:, None], blend.of(first, second), first)


def write_cascade(folder: Path, blend: Blend, about: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest (a cascade has no weights of its own); returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"format": FORMAT, "kind": KIND, "files": {}, "blend": asdict(blend), **about}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def build(path: Path | None = None) -> CascadeClassifier:
    """The cascade of a folder beside those of its two models; None means the shipped one.

    A model retrained since the blend was fitted is used all the same, for both speak in probabilities, with a warning.

    Raises:
        ArtifactError: the manifest or one of the two models is missing, damaged, or of another version.
    """
    folder = path or model_path(KIND)
    manifest = read_manifest(folder)
    if manifest.get("kind") != KIND:
        raise ArtifactError(f"{folder}: is a {manifest.get('kind')!r} model, not a {KIND}; name another folder")
    try:
        stated = dict(manifest["blend"])
        blend = Blend(**{**stated, "shift": tuple(map(float, stated["shift"]))})
        fitted = {str(part): str(name) for part, name in manifest["parts"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{folder / MANIFEST}: no blend can be read ({error!r}); {AGAIN}") from error
    first, second = static.build(folder.parent / "static"), transformer.build(folder.parent / transformer.KIND)
    for part, found in (("static", first.name), (transformer.KIND, second.name)):
        if fitted.get(part) != found:
            _log.warning("classifier=cascade part=%s found=%s fitted=%s", part, found, fitted.get(part))
    return CascadeClassifier(first, second, blend)
