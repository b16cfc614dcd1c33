"""A catalogue of one's own: where it lies, what it adds, and what is said of mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.app.build import load_blueprint
from detector.config.catalogue import load_catalogue
from detector.config.own import OWN_NAME, known_services, own_path
from detector.errors import ConfigError

KETTLE = (
    '[[service]]\nslug = "kettle"\nname = "Kettle"\naliases = ["kettle cloud"]\n'
    'status_pages = [{ url = "http://10.0.0.9/", kind = "statuspage", allow_private = true }]\n'
)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(text: str = "") -> Path:
    Path("detector.toml").write_text(text, encoding="utf-8")
    return Path("detector.toml")


def test_without_a_file_of_ones_own_the_shipped_catalogue_stands() -> None:
    """And nothing is watched but what the settings name."""
    assert known_services().services == load_catalogue()
    assert known_services().own == frozenset()
    assert len(load_blueprint(None, {}).services) == 12


def test_a_file_beside_the_settings_is_read_and_its_services_are_watched() -> None:
    """Without a line about it; also without settings at all."""
    Path(OWN_NAME).write_text(KETTLE, encoding="utf-8")

    assert "kettle" in {service.slug for service in load_blueprint(None, {}).services}
    path = settings('[watch]\nservices = ["claude"]\n')
    assert [service.slug for service in load_blueprint(path, {}).services] == ["claude", "kettle"]


def test_the_settings_may_name_the_file_and_their_lists_may_name_its_services() -> None:
    """Relative to the settings; a receiver's route may speak of the new service."""
    Path("sub").mkdir()
    Path("sub/mine.toml").write_text(KETTLE, encoding="utf-8")
    path = settings('[watch]\ncatalogue = "sub/mine.toml"\n[receivers.console]\nservices = ["kettle"]\n')

    plan = load_blueprint(path, {})

    assert own_path(path) == Path("sub/mine.toml")
    assert "kettle" in {service.slug for service in plan.services}
    assert plan.settings.watch.catalogue == Path("sub/mine.toml")


def test_a_service_that_replaces_a_shipped_one_is_not_watched_for_that() -> None:
    """Its words are taken; whether it is watched the settings say."""
    Path(OWN_NAME).write_text('[[service]]\nslug = "box"\nname = "Box"\naliases = ["box dot com"]\n', encoding="utf-8")

    plan = load_blueprint(settings('[watch]\nservices = ["claude"]\n'), {})

    assert [service.slug for service in plan.services] == ["claude"]
    (box,) = (service for service in known_services().services if service.slug == "box")
    assert box.aliases == ("box dot com",)


def test_mistakes_in_both_files_are_told_together() -> None:
    """Each with file and line."""
    Path(OWN_NAME).write_text('[[service]]\nslug = "kettle"\naliases = ["github"]\n', encoding="utf-8")
    path = settings("[watch]\nbudgit = 1\n")

    with pytest.raises(ConfigError) as caught:
        load_blueprint(path, {})

    said = "\n".join(caught.value.problems)
    assert f"{OWN_NAME}:1: kettle: name is missing" in said
    assert f"{OWN_NAME}:3: kettle: alias 'github' belongs to github already" in said
    assert "detector.toml:2: watch.budgit: unknown setting; did you mean budget?" in said


def test_a_file_that_is_named_and_missing_is_a_mistake_of_the_settings() -> None:
    """With the line, and what makes one."""
    with pytest.raises(
        ConfigError, match=r"detector\.toml:2: watch\.catalogue: no such file.*services add URL --write"
    ):
        load_blueprint(settings('[watch]\ncatalogue = "absent.toml"\n'), {})


def test_allow_private_is_true_or_false() -> None:
    """And belongs to one page."""
    Path(OWN_NAME).write_text(KETTLE.replace("allow_private = true", 'allow_private = "yes"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="allow_private must be true or false"):
        known_services()
    Path(OWN_NAME).write_text(KETTLE, encoding="utf-8")

    pages = {service.slug: service.status_pages for service in known_services().services}

    assert pages["kettle"][0].allow_private
    assert not pages["github"][0].allow_private
