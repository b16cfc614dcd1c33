"""The recorded morning, cut small for tests: one warmed-up database, made once, copied for each test."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from detector.app.build import Blueprint, blueprint, make_pipeline
from detector.app.engine import Engine, in_batches
from detector.app.scenario import Scenario, load_scenario, quiet_weeks
from detector.classify.keyword import build as keyword
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.domain import MINUTE
from detector.protocols import Harvest
from detector.store import Store


@cache
def scenario() -> Scenario:
    return load_scenario("claude-monday")


@cache
def plan() -> Blueprint:
    settings = Settings.model_validate(
        {
            "watch": {"services": ["claude", "github"], "classifier": "keyword"},
            "sources": {},
            "status": {"enabled": False},
        }
    )
    return blueprint(settings, load_catalogue())


def engine_on(store: Store) -> Engine:
    classifier = keyword()
    return Engine(
        store=store, make_pipeline=lambda: make_pipeline(plan(), classifier, store.read), receivers=plan().receivers
    )


def warm_database(path: Path) -> Path:
    """A database that has heard the quiet weeks."""
    with Store.open(path, now=scenario().starts_at) as store:
        engine = engine_on(store)
        for batch in in_batches(quiet_weeks(scenario().rule, until=scenario().starts_at), 720 * MINUTE):
            engine.take("before", Harvest(posts=tuple(batch)), batch[-1].seen_at)
        engine.checkpoint(scenario().starts_at)
    return path


def copy_of(database: Path, folder: Path) -> Path:
    target = folder / "copy.db"
    shutil.copy(database, target)
    return target
