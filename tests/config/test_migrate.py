"""Settings files of earlier releases: understood, with a word on what to write now."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.config.migrate import VERSION, Change, migrate
from detector.config.settings import load_settings, template
from detector.errors import ConfigError

RENAMED = (
    Change(since=2, old=("store", "keep_days"), new=("store", "keep_text_days")),
    Change(since=3, old=("receivers", "*", "min_level"), new=("receivers", "*", "level")),
)


def load(folder: Path, text: str) -> object:
    path = folder / "detector.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, {})


def test_an_old_name_is_read_as_the_new_one_and_said() -> None:
    """Wherever it stands, also in tables whose names people choose."""
    values = {"store": {"keep_days": 7}, "receivers": {"ops": {"min_level": "watch"}, "team": {"level": "major"}}}

    said, mistakes = migrate(values, RENAMED, version=3)

    assert values == {
        "store": {"keep_text_days": 7},
        "receivers": {"ops": {"level": "watch"}, "team": {"level": "major"}},
    }
    assert mistakes == []
    assert [place for place, _ in said] == [("store", "keep_days"), ("receivers", "ops", "min_level")]
    assert "receivers.ops.level" in said[1][1]


def test_a_file_is_mended_from_its_own_version_on() -> None:
    """What was renamed before the file was written is an unknown setting in it, as any other."""
    values = {"version": 2, "store": {"keep_days": 7}, "receivers": {"ops": {"min_level": "watch"}}}

    migrate(values, RENAMED, version=3)

    assert values == {"store": {"keep_days": 7}, "receivers": {"ops": {"level": "watch"}}}


def test_both_names_at_once_are_a_mistake() -> None:
    """Nobody can know which of them is meant."""
    values = {"store": {"keep_days": 7, "keep_text_days": 9}}

    said, mistakes = migrate(values, RENAMED, version=3)

    assert said == []
    assert mistakes[0][0] == ("store", "keep_days")
    assert "store.keep_text_days" in mistakes[0][1]


@pytest.mark.parametrize(
    ("written", "word"),
    [("99", "upgrade the program"), ('"2"', f"version = {VERSION}"), ("0", "version"), ("true", "version")],
)
def test_a_version_that_is_none_is_refused(tmp_path: Path, written: str, word: str) -> None:
    """A newer file is not guessed at."""
    with pytest.raises(ConfigError, match=word):
        load(tmp_path, f"version = {written}\n")


def test_the_first_release_default_is_kept_and_said_with_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A choice is never changed behind somebody's back; with a version on top nothing is said."""
    load(tmp_path, '[watch]\nbudget = "1/year"\nclassifier = "static"\n')

    assert "detector.toml:3: watch.classifier: was the default" in caplog.text
    caplog.clear()
    load(tmp_path, f'version = {VERSION}\n[watch]\nclassifier = "static"\n')
    assert caplog.text == ""


def test_a_word_is_said_once_a_file_and_again_when_it_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A command reads its settings for the database, for the zone and for itself."""
    for text in ('[watch]\nclassifier = "static"\n', '[watch]\nclassifier = "static"\n[web]\nenabled = false\n'):
        caplog.clear()
        for _ in range(3):
            load(tmp_path, text)
        assert caplog.text.count("was the default") == 1


def test_the_template_is_of_this_version() -> None:
    """So a file made by `detector init` is mended by later releases from there on."""
    assert f"\nversion = {VERSION}\n" in template()


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_a_zone_that_is_none_is_refused_with_its_line(tmp_path: Path, zone: str) -> None:
    """And says what one looks like."""
    with pytest.raises(ConfigError, match=r"detector.toml:2: display.timezone: .*Europe/Berlin"):
        load(tmp_path, f'[display]\ntimezone = "{zone}"\n')
