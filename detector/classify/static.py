"""The static classifier: hashed n-grams, static word vectors and keyword rules under one calibrated head. No torch."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from detector.classify.artifact import Artifact, read_artifact
from detector.classify.head import inputs
from detector.classify.keyword import names_of, spoken_for
from detector.classify.normalise import clean, normalise
from detector.domain import Judgement, Mention, Probabilities
from detector.resources import model_path

BATCH = 256
"""Posts judged together: enough for numpy, little enough that what is made on the way stays in a core's cache."""

UNREADABLE = Probabilities(0.005, 0.002, 0.003, 0.01, 0.98)
"""The answer to a post with hardly a Latin letter: we cannot read it, so it is nobody's complaint."""


class StaticClassifier:
    """Judges mentions with a loaded artifact; a judgement never depends on the other mentions of the call."""

    def __init__(self, artifact: Artifact) -> None:
        self._head, self._table, self._name = artifact.head, artifact.table, artifact.name
        self._prior = artifact.prior
        self.manifest = artifact.manifest

    @property
    def name(self) -> str:
        """`static@` and the start of the artifact's hash."""
        return self._name

    @property
    def prior(self) -> float:
        """Share of *now* among the labels, as the manifest states it."""
        return self._prior

    def judge(self, mentions: Sequence[Mention]) -> list[Judgement]:
        """One judgement a mention, in order."""
        judged: list[Judgement] = []
        for at in range(0, len(mentions), BATCH):
            batch = mentions[at : at + BATCH]
            texts = [normalise(m.post.text, *names_of(m)) for m in batch]
            seen = inputs(texts, bits=self._head.bits, table=self._table)
            rows = self._head.probabilities(seen).tolist()
            for mention, text, row in zip(batch, texts, rows, strict=True):
                p = Probabilities(*row) if text.isascii() or readable(mention.post.text) else UNREADABLE
                judged.append(Judgement(mention=mention, p=spoken_for(mention, p), classifier=self._name))
        return judged


def readable(text: str) -> bool:
    """Whether at least half of the letters are Latin; a post without letters is readable (and says little).

    >>> readable("Slack ne marche pas"), readable("クロードが落ちてる Claude")
    (True, False)
    """
    if text.isascii():
        return True  # all its letters are Latin
    text = clean(text)[:1000]
    foreign = [letter for letter in _OUTSIDE_ASCII.findall(text) if letter.isalpha() and not _is_latin(letter)]
    return not foreign or 2 * len(foreign) <= sum(map(str.isalpha, text))


_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7f]")


@lru_cache(maxsize=4096)
def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN")


def build(path: Path | None = None) -> StaticClassifier:
    """The classifier of an artifact folder; None means the shipped one.

    Raises:
        ArtifactError: the artifact is missing, damaged, or of another version.
    """
    return StaticClassifier(read_artifact(path or model_path("static")))
