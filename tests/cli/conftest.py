"""One recorded morning for the commands that look at a database: made once, copied for each test."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from detector.classify.fit import Recipe
from detector.classify.labels import read_labels
from detector.classify.train import train
from detector.domain import MINUTE
from detector.protocols import Harvest
from detector.store import Store
from tests.app.morning import engine_on, scenario, warm_database
from tests.classify.conftest import own_labels, small_table


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which Claude has been failing for eight minutes; every source brought its own posts."""
    path = warm_database(tmp_path_factory.mktemp("recorded") / "morning.db")
    start = scenario().starts_at
    with Store.open(path, now=start) as store:
        engine = engine_on(store)
        engine.restore(start)
        for n in range(38):
            now = start + (n + 1) * MINUTE
            new = [post for post in scenario().posts if now - MINUTE < post.seen_at <= now]
            for source in sorted({post.source for post in new}):
                engine.take(source, Harvest(posts=tuple(post for post in new if post.source == source)), now)
        engine.checkpoint(start + 38 * MINUTE)
    return path


@pytest.fixture
def database(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it in an empty working folder, where the settings look for it."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(recorded, tmp_path / "detector.db"))


@pytest.fixture(scope="session")
def few_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six of our own posts for each label: enough to train on in a second or two."""
    taken: Counter[str] = Counter()
    path = tmp_path_factory.mktemp("labels") / "few.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for line in own_labels().read_text(encoding="utf-8").splitlines():
            label = json.loads(line)["label"]
            taken[label] += 1
            if taken[label] <= 6:
                file.write(line + "\n")
    return path


@pytest.fixture(scope="session")
def trained(few_labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small artifact whose word vectors a training can take."""
    out = tmp_path_factory.mktemp("model")
    labelled = read_labels([few_labels])
    table = small_table([post.text for post in labelled.posts])
    train(labelled, table, out, recipe=Recipe(bits=14), matcher=None, command="a test")
    return out
