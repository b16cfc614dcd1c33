"""Labels: read, joined to their texts, refused with the line's number."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from detector.classify.labels import read_labels
from detector.errors import BadArchiveError
from tests.classify.conftest import write_lines


def test_facts_are_joined_to_the_texts_of_an_archive(tmp_path: Path) -> None:
    """A row without text finds it by source and id; one that finds none is counted."""
    labels = write_lines(
        tmp_path / "labels.jsonl",
        [{"source": "hn", "id": "1", "label": "complaint"}, {"source": "hn", "id": "2", "label": "other"}],
    )
    archive = tmp_path / "posts.jsonl.gz"
    with gzip.open(archive, "wt") as stream:
        stream.write(json.dumps({"source": "hn", "id": "1", "text": "Slack down?", "body": "since noon"}) + "\n")

    found = read_labels([labels], texts=[archive])

    assert [post.text for post in found.posts] == ["Slack down?\n\nsince noon"]
    assert found.without_text == 1
    assert any("1 labels have no text" in warning for warning in found.warnings)


def test_every_wrong_line_is_named(tmp_path: Path) -> None:
    """File and line, all at once."""
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"source":"a","id":"1","text":"x","label":"outage"}\n{broken\n{"source":"a","label":"other"}\n')

    with pytest.raises(BadArchiveError) as caught:
        read_labels([labels])

    said = str(caught.value)
    assert "labels.jsonl:1: unknown label 'outage'; one of complaint" in said
    assert "labels.jsonl:2: not JSON" in said
    assert "labels.jsonl:3: id is missing" in said


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """With the form a line should have."""
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")

    with pytest.raises(BadArchiveError, match="holds no labelled post"):
        read_labels([empty])


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    """With the path."""
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(BadArchiveError, match="cannot be read"):
            read_labels([path])


def test_the_first_of_two_labels_holds(tmp_path: Path) -> None:
    """And a contradiction is told."""
    row: dict[str, object] = {"source": "a", "id": "1", "text": "Slack down?", "label": "complaint"}
    labels = write_lines(tmp_path / "labels.jsonl", [row, {**row, "label": "other"}])

    found = read_labels([labels])

    assert [post.label for post in found.posts] == ["complaint"]
    assert (found.repeated, found.contradictory) == (1, 1)


def test_a_rare_class_is_told(tmp_path: Path) -> None:
    """Two examples are trained on, with a warning."""
    rows: list[dict[str, object]] = [
        {"source": "a", "id": str(i), "text": f"post {i}", "label": "past" if i < 2 else "other"} for i in range(9)
    ]

    found = read_labels([write_lines(tmp_path / "labels.jsonl", rows)])

    assert any("label past has 2 examples" in warning for warning in found.rare())
