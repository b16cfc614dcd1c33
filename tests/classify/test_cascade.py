"""Two models, one answer: who reads what, and that it never depends on the company."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from detector.classify.artifact import MANIFEST
from detector.classify.cascade import (
    Blend,
    CascadeClassifier,
    band_share,
    build,
    cascaded,
    choose_band,
    fit_blend,
)
from detector.classify.metrics import average_precision
from detector.errors import ArtifactError
from detector.resources import model_path
from tests.classify.conftest import mention

FOLDER = model_path("cascade")
shipped_only = pytest.mark.skipif(not FOLDER.is_dir(), reason="models/cascade is not in this checkout")

TEXTS = [
    "Slack is down",
    "slack not sending for me, anyone?",
    "I like Slack",
    "Slack was down yesterday",
    "messages on Slack fail since the update on my phone",
    "Slack hit by outage, thousands affected",
    "slack? hello?",
    "",
]


def _two_readers(count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A coarse and a fine reader of the same posts, both calibrated."""
    random = np.random.default_rng(5)
    truth = (random.random(count) < 0.1).astype(int)
    found = []
    for strength in (1.5, 4.0):
        score = strength * (random.normal(size=count) / 1.5 + truth) - 2.5 - strength / 2
        now = 1 / (1 + np.exp(-score))
        found.append(np.stack([0.8 * now, 0.2 * now, *[(1 - now) / 3] * 3], axis=1))
    return found[0], found[1], np.where(truth == 1, 0, 4)


def test_a_blend_with_a_better_reader_ranks_better_and_costs_its_share() -> None:
    """The chosen band keeps to its share, and reading it again helps."""
    first, second, labels = _two_readers()
    weights = np.ones(len(labels))

    blend = choose_band(first, second, labels, weights, share=0.2)
    both = cascaded(first, second, blend)

    assert band_share(first, labels, low=blend.low, high=blend.high) <= 0.2
    alone = average_precision(labels <= 1, first[:, 0] + first[:, 1])
    assert average_precision(labels <= 1, both[:, 0] + both[:, 1]) > alone
    assert both.sum(axis=1) == pytest.approx(1.0)


def test_outside_the_band_the_first_answer_stands() -> None:
    """To the bit."""
    first, second, labels = _two_readers(500)
    blend = fit_blend(first, second, labels, np.ones(500), low=0.3, high=0.7)

    both = cascaded(first, second, blend)

    now = first[:, 0] + first[:, 1]
    kept = (now < 0.3) | (now > 0.7)
    assert kept.any()
    assert (both[kept] == first[kept]).all()
    assert not (both[~kept] == first[~kept]).all()


def test_too_few_posts_in_the_band_leave_an_even_blend() -> None:
    """Nothing can be fitted to them."""
    first, second, labels = _two_readers(30)

    assert fit_blend(first, second, labels, np.ones(30), low=0.69, high=0.7) == Blend(low=0.69, high=0.7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 0.0, "high": 0.5},
        {"low": 0.6, "high": 0.5},
        {"low": 0.1, "high": 1.5},
        {"low": 0.1, "high": 0.5, "first": float("nan")},
        {"low": 0.1, "high": 0.5, "shift": (0.0,)},
    ],
)
def test_an_impossible_blend_is_refused(wrong: dict[str, float]) -> None:
    """A band must lie above the answer to what cannot be read."""
    with pytest.raises(ValueError, match=r"band|blend"):
        Blend(**wrong)  # type: ignore[arg-type]


@shipped_only
@pytest.mark.slow
def test_the_company_changes_nothing() -> None:
    """The same bits alone, together and backwards; what is read twice is counted."""
    cascade = build()
    together = [judged.p for judged in cascade.judge([mention(text) for text in TEXTS * 3])]
    seen = cascade.again

    assert [cascade.judge([mention(text)])[0].p for text in TEXTS] == together[: len(TEXTS)]
    backwards = cascade.judge([mention(text) for text in reversed(TEXTS * 3)])
    assert [judged.p for judged in reversed(backwards)] == together
    assert 0 < seen < len(TEXTS) * 3
    assert cascade.judged == len(TEXTS) * 7
    assert cascade.name.startswith("cascade@")
    assert 0 < cascade.prior < 0.5


@shipped_only
@pytest.mark.slow
def test_a_provider_and_another_script_are_not_read_again() -> None:
    """Their answers are fixed."""
    cascade = build()

    official, foreign = cascade.judge(
        [mention("Slack is down", official=True), mention("Slackが落ちてる、つながらない")]
    )

    assert cascade.again == 0
    assert official.p.complaint == 0
    assert foreign.p.label == "other"


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """The shipped cascade with both its models, to damage."""
    for name in ("static", "minilm", "cascade"):
        shutil.copytree(model_path(name), tmp_path / name)
    return tmp_path / "cascade"


@shipped_only
@pytest.mark.parametrize(
    "blend", [None, {}, {"low": 0.5}, {"low": 0.0, "high": 1.0, "shift": [0] * 5}, {"low": "a", "high": 1, "shift": []}]
)
def test_a_manifest_without_a_usable_blend_is_refused(copies: Path, blend: object) -> None:
    """A typed error."""
    manifest = json.loads((copies / MANIFEST).read_text())
    (copies / MANIFEST).write_text(json.dumps({**manifest, "blend": blend}))

    with pytest.raises(ArtifactError, match="blend"):
        build(copies)


@shipped_only
def test_a_missing_part_is_refused(copies: Path) -> None:
    """The cascade is both or nothing."""
    shutil.rmtree(copies.parent / "minilm")

    with pytest.raises(ArtifactError, match="no model here"):
        build(copies)


@shipped_only
def test_a_part_that_was_trained_since_is_used_and_said(copies: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Both parts speak in probabilities, so the blend still holds; the name tells them apart."""
    manifest = json.loads((copies / MANIFEST).read_text())
    manifest["parts"]["static"] = "static@000000000000"
    (copies / MANIFEST).write_text(json.dumps(manifest))

    with caplog.at_level(logging.WARNING):
        found = build(copies)

    assert isinstance(found, CascadeClassifier)
    assert "part=static" in caplog.text
