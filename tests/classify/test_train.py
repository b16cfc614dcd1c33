"""From labels to an artifact, end to end on our own words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from detector.classify.artifact import HEAD, MANIFEST
from detector.classify.card import card
from detector.classify.evaluate import evaluate, table
from detector.classify.fit import Recipe
from detector.classify.keyword import build as keyword
from detector.classify.labels import Labelled, LabelSet, read_labels
from detector.classify.splits import clusters, folds, later
from detector.classify.static import build
from detector.classify.train import train
from detector.cli import cli
from detector.errors import UsageError
from detector.match import NameMatcher
from tests.classify.conftest import mention, own_labels, small_table


def test_the_trained_head_tells_now_from_then(trained: Path) -> None:
    """Even a model of two hundred posts does."""
    now, then = build(trained).judge([mention("is Slack down?"), mention("Slack outage post-mortem")])

    assert now.p.now > 0.6
    assert then.p.label == "past"


def test_the_manifest_says_what_it_was_made_of(trained: Path) -> None:
    """Counts, prior, held-out figures, versions; and a card is written from it alone."""
    manifest = json.loads((trained / MANIFEST).read_text())

    assert sum(manifest["prior"].values()) == pytest.approx(1.0)
    assert manifest["data"]["posts"] == len(read_labels([own_labels()]).posts)
    assert {"folds", "later 30 %", "named services, never seen"} <= set(manifest["metrics"])
    assert "Held-out figures" in card(manifest)
    assert build(trained).prior == pytest.approx(manifest["prior"]["complaint"] + manifest["prior"]["report"])


def test_the_same_labels_give_the_same_bytes(trained: Path, matcher: NameMatcher, tmp_path: Path) -> None:
    """One seed, one artifact."""
    labelled = read_labels([own_labels()])
    words = small_table([post.text for post in labelled.posts])

    train(labelled, words, tmp_path, recipe=Recipe(bits=14), matcher=matcher, command="a test")

    assert (tmp_path / HEAD).read_bytes() == (trained / HEAD).read_bytes()
    assert (tmp_path / MANIFEST).read_bytes() == (trained / MANIFEST).read_bytes()


def test_probabilities_stand_where_they_are_told_to(trained: Path, tmp_path: Path) -> None:
    """`--prior-of` names labels: with twice their share of complaints every complaint is likelier, and it is said."""
    rows = own_labels().read_text(encoding="utf-8").splitlines(keepends=True)
    said = tmp_path / "said.jsonl"
    said.write_text("".join(row for row in rows if json.loads(row)["label"] in {"complaint", "solo"}), encoding="utf-8")
    args = ["train", "--labels", str(own_labels()), "--words", str(trained), "--prior-of", str(said)]

    assert CliRunner().invoke(cli, [*args, "--out", str(tmp_path / "out")]).exit_code == 0
    refused = CliRunner().invoke(cli, [*args, "--kind", "minilm", "--out", str(tmp_path / "more")])

    posts = [mention(text) for text in ("is Slack down?", "Slack will not load", "Slack and the art of memes")]
    there = zip(build(tmp_path / "out").judge(posts), build(trained).judge(posts), strict=True)
    assert build(tmp_path / "out").prior > build(trained).prior
    assert all(new.p.now > old.p.now for new, old in there)
    assert refused.exit_code == 2
    assert "static" in refused.output


def test_one_label_alone_cannot_be_trained(tmp_path: Path) -> None:
    """There is nothing to tell apart."""
    posts = [Labelled(source="a", id=str(i), text=f"post number {i}", label="other") for i in range(9)]

    with pytest.raises(UsageError, match="one label"):
        train(LabelSet(posts), small_table(["post"]), tmp_path, recipe=Recipe(bits=12), matcher=None, command="a test")


def test_a_class_with_two_examples_is_trained(tmp_path: Path) -> None:
    """It gets little probability, but the artifact works."""
    texts = [("complaint", "is it down right now"), ("other", "a lovely day with friends")]
    posts = [
        Labelled(source="a", id=f"{label}{i}", text=f"{text} {'abcdefghijkl'[i]}{i}", label=label)
        for label, text in texts
        for i in range(12)
    ]
    posts += [Labelled(source="a", id=f"p{i}", text=f"it was down yesterday {i}", label="past") for i in range(2)]

    train(LabelSet(posts), small_table(["down"]), tmp_path, recipe=Recipe(bits=12), matcher=None, command="a test")

    (judged,) = build(tmp_path).judge([mention("is it down right now")])
    assert judged.p.label == "complaint"
    assert judged.p.solo < 0.2


def test_near_duplicates_never_stand_on_both_sides() -> None:
    """Folds keep a cluster together."""
    texts = [f"{name} is down for me since this morning" for name in ("slack", "Slack!", "slack", "zoom")]
    texts += ["my cat is ill", "rain again in town"]
    groups = clusters(texts)

    assert groups[0] == groups[1] == groups[2]
    for held, test in folds(groups.tolist()):
        assert not set(groups[held].tolist()) & set(groups[test].tolist())


def test_what_is_measured_on_is_not_trained_on(trained: Path, tmp_path: Path) -> None:
    """`--measured` keeps its posts, and what is all but the same, out of the static model's training too."""
    rows = own_labels().read_text(encoding="utf-8").splitlines(keepends=True)
    measured = tmp_path / "measured.jsonl"
    twin = json.loads(rows[3])
    twin |= {"id": "another", "text": twin["text"] + "!"}
    measured.write_text("".join(rows[:3]) + json.dumps(twin) + "\n", encoding="utf-8")
    args = ["train", "--labels", str(own_labels()), "--measured", str(measured), "--words", str(trained)]

    found = CliRunner().invoke(cli, [*args, "--out", str(tmp_path / "out")])

    assert found.exit_code == 0, found.output
    counted = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["data"]["labels"]
    assert sum(counted.values()) <= len(rows) - 4


def test_the_later_split_tests_on_later_posts() -> None:
    """Within each source."""
    posts = [
        Labelled(source=f"{'ab'[i % 2]}:x", id=str(i), text=f"w{i}", label="other", created_at=f"2020-01-{i + 10}")
        for i in range(20)
    ]
    held, test = later(posts, clusters([post.text for post in posts]))

    assert len(test) == 6
    for source in "ab":
        last = max(posts[i].created_at for i in held if posts[i].source[0] == source)
        assert all(posts[i].created_at > last for i in test if posts[i].source[0] == source)


def test_an_evaluation_counts_every_post_once(matcher: NameMatcher) -> None:
    """The confusion adds up and the breakdown is printed."""
    posts = read_labels([own_labels()]).posts

    found = evaluate(posts, keyword(), matcher=matcher)

    assert sum(map(sum, found.confusion)) == len(posts)
    assert found.overall.ap > 0.5
    assert "all" in table({"all": found.overall})
    assert json.loads(json.dumps(found.as_json()))["overall"]["posts"] == len(posts)
