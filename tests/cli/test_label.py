"""`detector label` with keys pressed, and what `train --with-feedback` makes of it."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from detector.app.clock import system_now
from detector.classify.artifact import MANIFEST
from detector.classify.labels import read_labels
from detector.cli import cli
from detector.cli.label import uncertain
from detector.domain import EPOCH, MINUTE, Judgement, Mention, Post, Probabilities
from detector.store import Feedback, Store


def run(*words: str | Path, keys: str = "") -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=keys)


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def judged(name: str, now: float, *, minute: int = 0, text: str | None = None, service: str = "claude") -> Judgement:
    at = EPOCH + minute * MINUTE
    post = Post(source="s", id=name, created_at=at, seen_at=at, text=name if text is None else text)
    p = Probabilities(now, 0.0, 0.0, 0.0, 1 - now)
    return Judgement(mention=Mention(post=post, service=service, matched="x"), p=p, classifier="c")


def test_the_least_sure_come_first_and_the_newest_of_them() -> None:
    """In bands of a tenth; no text twice, nothing without a text, nothing that was done."""
    given = [
        judged("sure", 0.95, minute=9),
        judged("old doubt", 0.5, minute=1),
        judged("new doubt", 0.55, minute=2),
        judged("some doubt", 0.3, minute=8),
        judged("again", 0.52, minute=0, text="New  doubt"),
        judged("gone", 0.5, minute=9, text=""),
        judged("done", 0.5, minute=9),
    ]

    found = uncertain(given, limit=3, done=[("s", "done")])

    assert [each.mention.post.id for each in found] == ["new doubt", "old doubt", "some doubt"]
    assert uncertain(given, limit=3, service="github") == []


def test_a_key_a_post_is_kept_at_once(database: Path) -> None:
    """c, skip, an unknown key and then o, quit: two labels in a file that training reads, for the owner's eyes."""
    done = run("label", keys="c xoq")

    out = database.with_name("labels.jsonl")
    assert done.exit_code == 0, done.output
    assert "no such key" in done.stderr
    assert "2 labels added" in done.stderr
    assert [line["label"] for line in lines(out)] == ["complaint", "other"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [post.label for post in read_labels([out]).posts] == ["complaint", "other"]


def test_what_is_labelled_is_not_asked_again(database: Path) -> None:
    """The second session goes on behind the first, also where an editor left the last line open."""
    out = database.with_name("labels.jsonl")
    run("label", "--limit", "2", keys="sp")
    out.write_text(out.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    run("label", "--limit", "2", keys="rr")

    found = lines(out)
    assert [line["label"] for line in found] == ["solo", "past", "report", "report"]
    assert len({line["text"].casefold() for line in found}) == 4


@pytest.mark.timeout(60)
def test_a_terminal_is_enough(database: Path) -> None:
    """A real process on a real terminal: keys without Enter, Ctrl-C ends it well."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "detector", "label", "--db", str(database)],
        stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, cwd=database.parent, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    os.close(theirs)
    assert process.stderr is not None
    said = ""
    for key in (b"c", b"\x03"):
        before = said.count("[q]uit")
        while said.count("[q]uit") == before:
            letter = process.stderr.read(1)
            assert letter, said
            said += letter
        # What is typed before the terminal is raw is thrown away by it.
        while termios.tcgetattr(ours)[3] & termios.ICANON:
            threading.Event().wait(0.01)
        os.write(ours, key)
    rest = process.stderr.read()
    process.stderr.close()
    os.close(ours)

    assert process.wait(30) == 0, said + rest
    assert "1 labels added" in rest
    assert lines(database.with_name("labels.jsonl"))[0]["label"] == "complaint"


def test_training_takes_labels_and_feedback(database: Path, few_labels: Path, trained: Path, tmp_path: Path) -> None:
    """A false alarm's quotes become solo and other; they are trained on, counted as own, and the labels come along."""
    run("label", "--limit", "3", keys="ooo")
    with Store.open(database, now=system_now()) as store:
        (alert,) = store.read.alerts()
        store.add_feedback(Feedback(alert_key=alert.key, real=False, at=system_now()))
    base = ["train", "--labels", str(few_labels), "--words", str(trained)]

    done = run(*base, "--with-feedback", database, "--out", tmp_path / "taught")

    assert done.exit_code == 0, done.output
    quotes = [each for each in alert.evidence if each.label in {"complaint", "report"}]
    assert f"feedback on 1 alerts: {len(quotes)} posts added" in done.stderr
    data = json.loads((tmp_path / "taught" / MANIFEST).read_text(encoding="utf-8"))["data"]
    assert data["posts"] == 5 * 6 + 3 + len(quotes)
    assert data["sources"]["own"] == 5 * 6 + len(quotes)
    complaints = sum(each.label == "complaint" for each in quotes)
    assert data["labels"]["solo"] == 6 + complaints
    assert data["labels"]["complaint"] == 6
    assert "labels.jsonl" in {each["name"] for each in data["files"]}


def test_what_was_forgotten_is_not_trained_on(database: Path, few_labels: Path, trained: Path, tmp_path: Path) -> None:
    """Although the file of labels still holds it."""
    run("label", "--limit", "2", keys="oo")
    first = lines(database.with_name("labels.jsonl"))[0]
    with Store.open(database, now=system_now()) as store:
        store.forget_post(first["source"], first["id"], now=system_now())

    done = run(
        "train", "--labels", few_labels, "--words", trained, "--with-feedback", database, "--out", tmp_path / "m"
    )

    assert done.exit_code == 0, done.output
    assert "warning: 1 labelled posts were forgotten" in done.stderr


def test_nothing_to_label_is_said(tmp_path: Path) -> None:
    """An empty database: exit code 1; none at all: the error of every command."""
    path = tmp_path / "d.db"
    Store.open(path, now=EPOCH).close()

    assert run("label", "--db", path).exit_code == 1
    assert run("label", "--db", tmp_path / "none.db").exit_code == 1
