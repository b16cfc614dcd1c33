"""The archive's own labels in place of a classifier, to judge the detector alone (`--judge truth`)."""

from __future__ import annotations

from collections.abc import Sequence

from detector.domain import LABELS, Judgement, Mention, Probabilities
from detector.protocols import Classifier

_SURE, _REST = 0.98, 0.005


class TruthClassifier:
    """Believes `Post.truth`: one of the five labels; anything else, or nothing, is `other`."""

    name = "truth@archive"
    prior = 0.2

    def judge(self, mentions: Sequence[Mention]) -> list[Judgement]:
        """One judgement a mention, nearly certain of the archive's label."""
        return [
            Judgement(mention=mention, p=_sure_of(mention.post.truth), classifier=self.name) for mention in mentions
        ]


def load_judge(name: str | None, notes: list[str] | None = None) -> Classifier:
    """The classifier of a name or a folder, the default one, or `truth`.

    Raises:
        ArtifactError: it cannot be used.
        UsageError: there is no such classifier.
    """
    from detector.classify.load import load_classifier

    return TruthClassifier() if name == "truth" else load_classifier(name, notes=notes)


def _sure_of(label: str | None) -> Probabilities:
    place = LABELS.index(label) if label in LABELS else LABELS.index("other")
    values = [_REST] * len(LABELS)
    values[place] = _SURE
    return Probabilities(*values)
