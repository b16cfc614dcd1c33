"""An artifact is trusted only byte for byte."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from detector.classify import load as loading
from detector.classify.artifact import HEAD, MANIFEST, WORDS, read_artifact
from detector.classify.load import load_classifier
from detector.classify.static import build
from detector.errors import ArtifactError, UsageError
from tests.classify.conftest import mention


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A trained artifact to damage."""
    return Path(shutil.copytree(trained, tmp_path / "static"))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(lambda d: _flip(d / HEAD), "sha256", id="flipped byte"),
        pytest.param(lambda d: _flip(d / WORDS), "sha256", id="flipped byte in the words"),
        pytest.param(lambda d: (d / HEAD).write_bytes((d / HEAD).read_bytes()[:-9]), "cut", id="truncated"),
        pytest.param(lambda d: (d / WORDS).unlink(), "cannot be read", id="missing weights"),
        pytest.param(lambda d: (d / MANIFEST).unlink(), "no model here", id="missing manifest"),
        pytest.param(lambda d: (d / MANIFEST).write_text("{"), "cannot be read", id="broken manifest"),
        pytest.param(lambda d: (d / MANIFEST).write_text("[]"), "no manifest", id="manifest of another shape"),
        pytest.param(lambda d: _edit(d / MANIFEST, format=99), "format version 99", id="other version"),
        pytest.param(lambda d: _edit(d / MANIFEST, kind="minilm"), "not a static one", id="other kind"),
        pytest.param(lambda d: _edit(d / MANIFEST, features={}), "made for other", id="other features"),
        pytest.param(lambda d: _edit(d / MANIFEST, prior={}), "states no prior", id="no prior"),
    ],
)
def test_f30_a_damaged_artifact_is_refused_and_the_floor_takes_over(
    damage: object, said: str, copy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A typed error that says what is wrong; without a choice of model the keyword classifier warns and works."""
    assert callable(damage)
    damage(copy)

    with pytest.raises(ArtifactError, match=said):
        read_artifact(copy)

    monkeypatch.setattr(loading, "model_path", lambda *_: copy)
    notes: list[str] = []
    with caplog.at_level(logging.WARNING):
        classifier = load_classifier(notes=notes)
    assert classifier.name.startswith("keyword@")
    assert said in notes[0]
    assert "classifier=keyword" in caplog.text


def test_an_artifact_that_was_asked_for_is_never_replaced_silently(copy: Path) -> None:
    """A named folder that is damaged is an error."""
    _flip(copy / HEAD)

    with pytest.raises(ArtifactError):
        load_classifier(str(copy))


def test_an_unknown_name_is_a_usage_error() -> None:
    """It lists what there is."""
    with pytest.raises(UsageError, match="cascade, keyword, minilm, static"):
        load_classifier("gpt-99")


def test_a_judgement_does_not_depend_on_the_other_mentions(trained: Path) -> None:
    """The same bits alone, in a pair, in a crowd, in any order."""
    classifier = build(trained)
    texts = ["Slack is down", "", "ünï ✨", "Slack was down on May 3, 2019", "x" * 9000, "slack? " * 300, "🙃"] * 40
    together = [judged.p for judged in classifier.judge([mention(text) for text in texts])]

    assert [classifier.judge([mention(text)])[0].p for text in texts[:7]] == together[:7]
    backwards = classifier.judge([mention(text) for text in reversed(texts)])
    assert [judged.p for judged in reversed(backwards)] == together


@pytest.mark.parametrize("text", ["", " ", "\u200b" * 5000, "\x00\ud800", "a" * 1_000_000, "🙃" * 4000, "ﷺ" * 4000])
def test_any_text_gets_a_distribution(text: str, trained: Path) -> None:
    """Nothing a person can send makes it fail."""
    (judged,) = build(trained).judge([mention(text)])

    assert sum(judged.p.as_tuple()) == pytest.approx(1.0)


def test_another_script_is_nobodys_complaint(trained: Path) -> None:
    """What cannot be read is `other`."""
    (judged,) = build(trained).judge([mention("Slackが落ちてる、つながらない")])

    assert judged.p.label == "other"
    assert judged.p.now < 0.02


def test_a_service_never_met_is_judged_like_the_known(trained: Path) -> None:
    """The name is masked."""
    known, unknown = build(trained).judge(
        [mention("Slack is down again"), mention("Zorblix is down again", "zorblix", "Zorblix")]
    )

    assert known.p == unknown.p
