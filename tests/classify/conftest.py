"""A small model trained once on our own words, for all tests of the classifier."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detector.classify.features import extract, spell
from detector.classify.fit import Recipe
from detector.classify.labels import read_labels
from detector.classify.normalise import normalise
from detector.classify.train import train
from detector.classify.words import WordTable
from detector.domain import EPOCH, Ambiguous, Mention, Post, Service
from detector.match import NameMatcher
from detector.resources import data_path


def mention(text: str, service: str = "slack", matched: str = "Slack", *, official: bool = False) -> Mention:
    """A mention with only what judging reads."""
    post = Post(source="test", id="1", created_at=EPOCH, seen_at=EPOCH, text=text, official=official)
    return Mention(post=post, service=service, matched=matched)


def own_labels() -> Path:
    """The shipped posts in our own words."""
    return data_path("labels", "own.jsonl")


def small_table(texts: list[str], dim: int = 8) -> WordTable:
    """Random vectors for the words of the texts: enough to test the plumbing."""
    grams = extract([spell(normalise(text)) for text in texts], bits=12)
    keys = np.unique(grams.word_keys)
    random = np.random.default_rng(3)
    vectors = random.normal(size=(len(keys), dim)).astype(np.float32)
    return WordTable.of(keys, vectors, np.ones(len(keys), dtype=np.float32))


@pytest.fixture(scope="session")
def matcher() -> NameMatcher:
    """Three services, one of them ambiguous."""
    return NameMatcher(
        [
            Service(slug="github", name="GitHub", aliases=("github",)),
            Service(slug="slack", name="Slack", ambiguous=(Ambiguous(alias="slack"),)),
            Service(slug="spotify", name="Spotify", aliases=("spotify",), handles=("SpotifyCares",)),
        ]
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, matcher: NameMatcher) -> Path:
    """An artifact trained end to end on our own posts, in seconds."""
    out = tmp_path_factory.mktemp("model")
    labelled = read_labels([own_labels()])
    table = small_table([post.text for post in labelled.posts])
    train(labelled, table, out, recipe=Recipe(bits=14), matcher=matcher, command="a test")
    return out


def write_lines(path: Path, rows: list[dict[str, object]]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
