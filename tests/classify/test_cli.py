"""`detector classify`, `train` and `evaluate` as a script meets them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from detector.classify.artifact import MANIFEST
from detector.cli import cli
from tests.classify.conftest import own_labels, write_lines


def _lines(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_every_valid_line_is_answered_in_order(trained: Path, tmp_path: Path) -> None:
    """Also posts that name no service; bad lines are named on stderr and left out."""
    posts = tmp_path / "posts.jsonl"
    posts.write_bytes(
        b'{"id":"1","source":"hn","text":"GitHub is down"}\n'
        b"{broken\n"
        b'{"id":2,"source":"hn","text":"a lovely day"}\n'
        b"\n"
        b'["a list"]\n'
        b'{"id":"x","source":"hn"}\n'
        b'{"source":"hn","text":"no id"}\n'
        b'\xff\xfe{"id":"3"}\n'
        b'{"id":"4","source":"reddit","text":"","body":"<p>Slack won&#x27;t load</p>","service":null}\n'
    )

    run = CliRunner().invoke(cli, ["classify", str(posts), "--model", str(trained)])

    found = _lines(run.stdout)
    assert run.exit_code == 0
    assert [line["id"] for line in found] == ["1", 2, "4"]
    for line in found:
        p = line["p"]
        assert isinstance(p, dict)
        assert list(p) == ["complaint", "report", "past", "solo", "other"]
        assert sum(p.values()) == pytest.approx(1, abs=1e-4)
        assert line["outage_now"] == pytest.approx(p["complaint"] + p["report"], abs=2e-6)
        assert line["label"] == max(p, key=lambda label: p[label])
    for number in (2, 5, 6, 7, 8):
        assert f"{posts}:{number}: " in run.stderr
    assert "3 posts judged by static@" in run.stderr
    assert "5 bad lines left out" in run.stderr


def test_posts_in_another_script_are_counted(trained: Path) -> None:
    """They are answered `other`, and the last line says how many there were."""
    texts = ("スラックが落ちてる", "slack is down")
    lines = "".join(json.dumps({"source": "a", "id": text, "text": text}) + "\n" for text in texts)

    found = CliRunner().invoke(cli, ["classify", "--model", str(trained)], input=lines)

    assert found.exit_code == 0
    assert _lines(found.stdout)[0]["label"] == "other"
    assert "1 of them in a script it does not read" in found.stderr


def test_a_provider_is_not_a_complaining_customer(trained: Path) -> None:
    """`inbound: false` marks its own posts."""
    line = json.dumps({"id": 1, "source": "twcs", "text": "Spotify is down", "inbound": False})

    run = CliRunner().invoke(cli, ["classify", "-", "--model", str(trained)], input=line)

    p = _lines(run.stdout)[0]["p"]
    assert isinstance(p, dict)
    assert p["complaint"] == 0


def test_empty_input_gives_empty_output(trained: Path) -> None:
    """And is no error."""
    run = CliRunner().invoke(cli, ["classify", "--model", str(trained)], input="")

    assert (run.exit_code, run.stdout) == (0, "")


@pytest.mark.parametrize("text", ["Slack down " * 100_000, "\u200b" * 1000, "Ｓｌａｃｋ落ちてる", "\ud83d", "\x00"])
def test_odd_texts_are_answered(text: str, trained: Path) -> None:
    """A megabyte, zero width, other scripts, half a surrogate, a NUL."""
    run = CliRunner().invoke(cli, ["classify", "--model", str(trained)], input=json.dumps({"id": "1", "text": text}))

    assert run.exit_code == 0
    assert len(_lines(run.stdout)) == 1


def test_a_packed_file_gives_what_the_plain_one_gives(trained: Path, tmp_path: Path) -> None:
    """.gz; one that breaks off is judged as far as it goes."""
    plain = write_lines(tmp_path / "p.jsonl", [{"id": i, "text": f"Slack is down {i}"} for i in range(2000)])
    packed = tmp_path / "p.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(packed.read_bytes()[:-3000])
    model = ["--model", str(trained)]

    whole = CliRunner().invoke(cli, ["classify", str(packed), *model])
    part = CliRunner().invoke(cli, ["classify", str(cut), *model])

    assert whole.stdout == CliRunner().invoke(cli, ["classify", str(plain), *model]).stdout
    assert len(_lines(whole.stdout)) == 2000
    assert whole.stdout.startswith(part.stdout)
    assert "breaks off" in part.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["nowhere.jsonl"], "cannot be read", id="missing file"),
        pytest.param(["."], "cannot be read", id="directory"),
        pytest.param(["--model", "gpt-99"], "name one of", id="unknown model"),
    ],
)
def test_a_wrong_call_ends_with_2(args: list[str], said: str) -> None:
    """And says what to do."""
    run = CliRunner().invoke(cli, ["classify", *args], input="")

    assert run.exit_code == 2
    assert said in run.stderr


def test_a_file_of_other_things_ends_with_2() -> None:
    """No line is a post."""
    run = CliRunner().invoke(cli, ["classify", "--model", "keyword"], input="a,b,c\n1,2,3\n")

    assert run.exit_code == 2
    assert "no line is a post" in run.stderr


def test_a_folder_without_a_model_ends_with_1(tmp_path: Path) -> None:
    """An artifact that was asked for and cannot be used."""
    run = CliRunner().invoke(cli, ["classify", "--model", str(tmp_path)], input="")

    assert run.exit_code == 1
    assert "no model here" in run.stderr


def test_train_and_evaluate_work_together(trained: Path, tmp_path: Path) -> None:
    """Train on our own posts with the word vectors of another artifact, then measure."""
    out = tmp_path / "model"
    made = CliRunner().invoke(cli, ["train", "--labels", str(own_labels()), "--words", str(trained), "--out", str(out)])
    assert made.exit_code == 0, made.output
    assert (out / "README.md").read_text() in made.stdout

    run = CliRunner().invoke(cli, ["evaluate", "--labels", str(own_labels()), "--model", str(out), "--json"])

    found = json.loads(run.stdout)
    assert found["overall"]["ap"] > 0.9  # on its own training posts, so this only shows that the parts fit
    assert json.loads((out / MANIFEST).read_text())["data"]["posts"] == found["overall"]["posts"]
    shown = CliRunner().invoke(cli, ["evaluate", "--labels", str(own_labels()), "--model", "keyword"])
    assert "confusion" in shown.stdout


def test_wrong_labels_end_with_2(tmp_path: Path) -> None:
    """With file and line."""
    labels = write_lines(tmp_path / "l.jsonl", [{"source": "a", "id": "1", "text": "x", "label": "outage"}])

    for command in (["train", "--out", str(tmp_path)], ["evaluate", "--model", "keyword"]):
        run = CliRunner().invoke(cli, [command[0], "--labels", str(labels), *command[1:]])

        assert run.exit_code == 2
        assert "l.jsonl:1: unknown label 'outage'" in run.stderr


@pytest.mark.slow
def test_serving_loads_neither_torch_nor_sklearn() -> None:
    """In a fresh process, the shipped model, one post."""
    code = (
        "import sys, json\n"
        "from click.testing import CliRunner\n"
        "from detector.cli import cli\n"
        "run = CliRunner().invoke(cli, ['classify'], input=json.dumps({'id': 1, 'text': 'Is Slack down?'}))\n"
        "assert run.exit_code == 0, run.output\n"
        "assert json.loads(run.stdout)['outage_now'] > 0.9, run.stdout\n"
        "assert 'cascade@' in run.stderr, run.stderr\n"
        "heavy = {'torch', 'sklearn', 'sentence_transformers', 'transformers', 'pickle5'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert run.stdout.strip() == "[]"
