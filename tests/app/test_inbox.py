"""Requests to a running daemon: done at once when none runs, left for it when one does."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from detector.app.inbox import Request, ask, collect, folder_of, leave
from detector.domain import EPOCH, Post, format_time
from detector.errors import StoreError
from detector.store import Store

NOW = EPOCH + timedelta(days=1)
SILENCE = Request(
    kind="silence",
    values={
        "id": "s-1",
        "service": "claude",
        "starts_at": format_time(NOW),
        "ends_at": format_time(NOW + timedelta(hours=1)),
        "comment": "we know",
    },
)


def test_without_a_daemon_it_is_done_at_once(tmp_path: Path) -> None:
    """The database is opened, written and closed."""
    path = tmp_path / "d.db"
    Store.open(path, now=NOW).close()

    assert ask(path, SILENCE, now=NOW)
    with Store.open(path, now=NOW) as store:
        assert [each.comment for each in store.read.silences(now=NOW)] == ["we know"]


def test_beside_a_daemon_it_waits_and_is_taken_up_once(tmp_path: Path) -> None:
    """The daemon's next look applies it and removes the file."""
    path = tmp_path / "d.db"
    with Store.open(path, now=NOW) as store:
        assert not ask(path, SILENCE, now=NOW)
        assert store.read.silences(now=NOW) == []

        assert len(collect(store, now=NOW)) == 1
        assert collect(store, now=NOW) == []
        assert [each.id for each in store.read.silences(now=NOW)] == ["s-1"]
        leave(path, Request(kind="expire", values={"id": "s-1"}))
        collect(store, now=NOW + timedelta(minutes=1))
        assert store.read.silences(now=NOW + timedelta(minutes=2)) == []


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"kind": "reboot"}', '{"kind": "silence"}', '{"kind": "expire", "id": "none"}', "\x00"],
)
def test_a_request_that_makes_no_sense_is_moved_aside(
    tmp_path: Path, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the ones after it are served."""
    caplog.set_level(logging.WARNING)
    path = tmp_path / "d.db"
    with Store.open(path, now=NOW) as store:
        leave(path, SILENCE)
        (folder_of(path) / "0000.json").write_text(body, encoding="utf-8")

        assert len(collect(store, now=NOW)) == 1
        assert len(list(folder_of(path).glob("*.refused"))) == 1
        assert "refused" in caplog.text


def test_a_post_is_forgotten_through_the_inbox(tmp_path: Path) -> None:
    """Its words are gone from the database."""
    path = tmp_path / "d.db"
    with Store.open(path, now=NOW) as store:
        store.add_posts(
            "s", [Post(source="s", id="1", created_at=NOW, seen_at=NOW, text="secret words")], None, now=NOW
        )
        leave(path, Request(kind="forget_post", values={"source": "s", "id": "1"}))

        assert len(collect(store, now=NOW)) == 1
        assert [each.text for each in store.read.posts()] == [""]


def test_an_absent_database_is_said(tmp_path: Path) -> None:
    """Nothing is made by mistake."""
    with pytest.raises(StoreError, match="no such database"):
        ask(tmp_path / "absent.db", SILENCE, now=NOW)

    assert list(tmp_path.iterdir()) == []
