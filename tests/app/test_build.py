"""From settings to parts: what lacks its key is left out and named, what is wrong is all named."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from pathlib import Path

import pytest

from detector.app.build import author_key, blueprint, connect, learning, load_blueprint, make_classifier
from detector.app.doctor import database, model
from detector.app.logs import configure
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.domain import EPOCH
from detector.errors import ArtifactError, ConfigError, StoreError


def test_the_default_has_three_sources_a_console_and_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file and without a key: a dozen services, and nothing is left out."""
    monkeypatch.chdir(tmp_path)
    notes: list[str] = []

    async def build() -> None:
        plan = load_blueprint(None, {})
        parts = connect(plan, tmp_path / "d.db", notes)
        assert len(plan.services) == 12
        assert [each.source for each in parts.collectors] == ["hackernews", "google-news", "mastodon:mastodon.social"]
        assert [each.receiver for each in parts.notifiers] == ["console"]
        assert "claude" in {each.service for each in parts.readers}
        assert len(parts.readers) >= 7
        assert parts.close is not None
        await parts.close()

    asyncio.run(build())
    assert notes == []


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({"hackernews": {}, "hn": {"type": "hackernews"}}, "sources.hn: reads 'hackernews', which sources.hackernews"),
        (
            {"a": {"type": "feeds", "google_news": False}, "b": {"type": "feeds", "google_news": False}},
            "sources.b: reads 'mastodon:mastodon.social', which sources.a reads already",
        ),
    ],
)
def test_two_sources_of_one_name_are_refused(tmp_path: Path, sources: dict[str, object], said: str) -> None:
    """They would share a cursor, and each would lose what the other has read."""
    plan = blueprint(Settings.model_validate({"sources": sources}), load_catalogue())

    with pytest.raises(ConfigError) as caught:
        connect(plan, tmp_path / "d.db", [])

    assert said in "\n".join(caught.value.problems)
    assert "join the two, or give this one a `source` of its own" in caught.value.problems[0]


def test_a_receiver_without_its_key_is_left_out_and_named(tmp_path: Path) -> None:
    """The rest goes on."""
    settings = Settings.model_validate({"receivers": {"ops": {"type": "slack"}, "console": {}}})
    notes: list[str] = []

    async def build() -> list[str]:
        parts = connect(blueprint(settings, load_catalogue()), tmp_path / "d.db", notes)
        return [each.receiver for each in parts.notifiers]

    assert asyncio.run(build()) == ["console"]
    assert len(notes) == 1
    assert notes[0].startswith("receivers.ops is off:")


def test_every_plugin_that_refuses_its_settings_is_named(tmp_path: Path) -> None:
    """Two mistakes, two problems."""
    settings = Settings.model_validate(
        {
            "sources": {"feeds": {"interval": 1}},
            "receivers": {"console": {"timezone": "Mars/Olympus"}},
        }
    )

    with pytest.raises(ConfigError) as caught:
        connect(blueprint(settings, load_catalogue()), tmp_path / "d.db", [])

    assert len(caught.value.problems) == 2


def test_a_fallback_or_a_tag_that_nobody_has_is_named() -> None:
    """Both at once; those that exist are taken."""
    receivers = {
        "a": {"type": "console", "fallback": "nobody"},
        "b": {"type": "console", "fallback": "a", "tags": ["prod"]},
        "c": {"type": "console", "tags": ["checkout"]},
    }
    settings = Settings.model_validate({"watch": {"tags": {"prod": ["github"]}}, "receivers": receivers})
    with pytest.raises(ConfigError) as caught:
        blueprint(settings, load_catalogue())

    assert len(caught.value.problems) == 2
    assert "nobody" in caught.value.problems[0]
    assert "'checkout'" in caught.value.problems[1]
    assert settings.watch.tags_of("github") == ("prod",)
    assert settings.watch.tags_of("zoom") == ()


def test_the_star_watches_the_whole_catalogue() -> None:
    """And a fleet's budget is shared."""
    settings = Settings.model_validate({"watch": {"services": ["*"], "fleet_budget": "15/month"}})
    plan = blueprint(settings, load_catalogue())

    assert len(plan.services) == len(load_catalogue())
    assert settings.watch.budget_of_a_service(len(plan.services)).per_month == pytest.approx(15 / len(plan.services))


def test_the_key_of_authors_is_made_once_and_is_private(tmp_path: Path) -> None:
    """Beside the database, mode 0600, the same ever after; a damaged one is not replaced silently."""
    first = author_key(tmp_path / "d.db")
    path = tmp_path / "d.db.key"

    assert author_key(tmp_path / "d.db") == first
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")
    with pytest.raises(StoreError, match="restore it"):
        author_key(tmp_path / "d.db")


def test_a_missing_artifact_leaves_the_floor_with_a_visible_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a choice the keyword classifier judges; a choice that cannot be kept is an error."""
    monkeypatch.setattr("detector.classify.load.model_path", tmp_path.joinpath)
    notes: list[str] = []

    classifier = make_classifier(Settings(), notes)

    assert classifier.name.startswith("keyword")
    assert "much weaker" in notes[0]
    assert caplog.records
    empty = Settings.model_validate({"watch": {"classifier": str(tmp_path)}})
    with pytest.raises(ArtifactError):
        make_classifier(empty, [])


def test_without_a_saved_state_every_service_is_learning() -> None:
    """Nobody pretends to know what is usual."""
    plan = blueprint(Settings(), load_catalogue())

    assert learning(plan, None) == {each.slug for each in plan.services}


def test_the_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    """A model that cannot be used and a database in a folder that is not there."""
    broken = blueprint(Settings.model_validate({"watch": {"classifier": str(tmp_path)}}), load_catalogue())

    assert model(broken).verdict == "wrong"
    assert database(tmp_path / "absent" / "d.db", now=EPOCH).verdict == "wrong"
    assert database(tmp_path / "d.db", now=EPOCH).words.endswith("made now")


def test_no_post_can_forge_or_hide_a_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Line ends, ANSI codes and direction marks of whoever wrote the text come out as what they are."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    evil = "down\n12:00:00 error forged\x1b[2J\u202e\x9b1m\u2028"
    try:
        for form in ("human", "json"):
            configure("info", form)
            logging.getLogger("detector.test").warning("post: %s", evil)
    finally:
        root.handlers[:], level = before
        root.setLevel(level)

    human, json_line = capsys.readouterr().err.splitlines()
    assert "down\\n12:00:00 error forged\\x1b[2J\\u202e" in human
    assert json.loads(json_line)["event"] == f"post: {evil}"
    assert human.isascii()
    assert json_line.isascii()


def test_logs_are_one_event_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """For a person and as JSON; other libraries only from warnings on."""
    root, ours = logging.getLogger(), logging.getLogger("detector")
    before = (root.handlers[:], root.level, ours.level)
    try:
        configure("info", "human")
        logging.getLogger("detector.test").info("hello %s", "there")
        logging.getLogger("httpcore2").info("noise")
        configure("info", "json")
        logging.getLogger("detector.test").warning('a "quote"\nand a line')
    finally:
        root.handlers[:], level, our_level = before
        root.setLevel(level)
        ours.setLevel(our_level)

    human, json_line = capsys.readouterr().err.splitlines()
    assert human.endswith(" info hello there")
    assert '"event": "a \\"quote\\"\\nand a line"' in json_line
