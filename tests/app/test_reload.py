"""New settings, the same network: a reload does not load the classifier again, unless it is another one."""

from __future__ import annotations

from pathlib import Path

from detector.app.build import blueprint
from detector.app.watch import Watch
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.resources import model_path


def watch_with(classifier: str) -> Watch:
    settings = Settings.model_validate({"watch": {"services": ["claude"], "classifier": classifier}})
    return Watch(plan=blueprint(settings, load_catalogue()), config=None, path=Path("unused.db"))


def test_a_reload_keeps_the_classifier_that_is_loaded() -> None:
    """Each copy of a network would stay in memory: reloads made the daemon grow by megabytes."""
    watch = watch_with("static")

    first = watch._judge_of(watch.plan, [])

    assert watch._judge_of(watch_with("static").plan, []) is first
    other = watch._judge_of(watch_with("keyword").plan, [])
    assert other is not first
    assert other.name.startswith("keyword")


def test_a_folder_is_read_again() -> None:
    """It may have been trained anew."""
    watch = watch_with(str(model_path("static")))

    assert watch._judge_of(watch.plan, []) is not watch._judge_of(watch.plan, [])
