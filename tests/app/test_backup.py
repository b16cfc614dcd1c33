"""Copies that come back: made beside a writer, checked, restored in one command, and forgetting with the rest."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from detector.app.backup import make_backup, nightly_folder, restore_backup
from detector.app.build import author_key
from detector.app.clock import SystemClock
from detector.app.ears import Ears
from detector.app.house import House
from detector.app.inbox import Request, leave
from detector.app.operator import Operator
from detector.app.rounds import Rounds
from detector.app.watch import recover
from detector.cli import cli
from detector.errors import StoreError, StoreInUseError, UsageError
from detector.protocols import Harvest
from detector.store import Store, open_reader
from tests.chaos.parts import complaint, engine_on, services

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
WORD = "quokkaberry"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A daemon's store, in use, with posts, an alert and its key."""
    path = tmp_path / "live" / "detector.db"
    path.parent.mkdir()
    author_key(path)
    (path.parent / "detector.toml").write_text("[watch]\n", encoding="utf-8")
    with Store.open(path, now=NOW) as opened:
        engine = engine_on(opened, services(1))
        engine.restore(NOW)
        engine.take("s", Harvest(posts=tuple(complaint(0, n, NOW) for n in range(5)), cursor="c"), NOW)
        yield opened


def everything(path: Path) -> str:
    """What a database holds, as SQL."""
    with open_reader(path) as reader:
        return "\n".join(reader._conn.iterdump())


def test_services_of_ones_own_and_what_was_spent_come_along(store: Store, tmp_path: Path) -> None:
    """The catalogue to where the settings of the backup say, the month's cost beside the database."""
    live = store.path.parent
    (live / "detector.toml").write_text('[watch]\ncatalogue = "own/mine.toml"\n', encoding="utf-8")
    (live / "own").mkdir()
    (live / "own" / "mine.toml").write_text('[[service]]\nslug = "kettle"\nname = "Kettle"\n', encoding="utf-8")
    (live / "detector.db.spent").write_text('{"month":"2026-10","spent":{"x":5}}', encoding="utf-8")
    made = make_backup(store.path, live / "detector.toml", tmp_path, now=NOW)
    new = tmp_path / "new"
    new.mkdir()

    written = restore_backup(made, new / "detector.db", new / "detector.toml", now=NOW, replace=False)

    assert {str(each.relative_to(new)) for each in written} == {
        "detector.db",
        "detector.db.key",
        "detector.db.spent",
        "detector.toml",
        "own/mine.toml",
    }
    assert "kettle" in (new / "own" / "mine.toml").read_text(encoding="utf-8")


def test_a_backup_beside_a_daemon_comes_back_the_same(store: Store, tmp_path: Path) -> None:
    """Database, key and settings, byte for byte or row for row, readable by the owner only."""
    config = store.path.parent / "detector.toml"
    made = make_backup(store.path, config, tmp_path, now=NOW)
    there = tmp_path / "new" / "detector.db"
    there.parent.mkdir()

    written = restore_backup(made, there, there.parent / "detector.toml", now=NOW, replace=False)

    assert made.name == "detector-20261005T120000.tar"
    assert made.stat().st_mode & 0o077 == 0
    assert len(written) == 3
    assert everything(there) == everything(store.path)
    assert author_key(there) == author_key(store.path)
    assert (there.parent / "detector.toml").read_text(encoding="utf-8") == "[watch]\n"
    with Store.open(there, now=NOW) as again:
        engine = engine_on(again, services(1))
        engine.restore(NOW)
        assert set(engine.pipeline.lifecycle.open) == {"zorbex0"}
        assert again.read.cursor("s") == "c"


def test_what_stands_there_is_moved_aside_and_a_running_daemon_is_left_alone(store: Store, tmp_path: Path) -> None:
    """Without --replace nothing; with it a rename; under a daemon a refusal."""
    made = make_backup(store.path, None, tmp_path / "b.tar", now=NOW)

    with pytest.raises(UsageError, match="--replace"):
        restore_backup(made, store.path, None, now=NOW, replace=False)
    with pytest.raises(StoreInUseError):
        restore_backup(made, store.path, None, now=NOW, replace=True)
    store.close()
    restore_backup(made, store.path, None, now=NOW, replace=True)

    assert [each.name for each in store.path.parent.glob("*.replaced-*")] == ["detector.db.replaced-20261005T120000"]
    assert everything(store.path)


@pytest.mark.parametrize("kind", ["cut", "flipped", "stranger", "path", "no tar", "empty"])
def test_a_damaged_or_strange_backup_touches_nothing(store: Store, tmp_path: Path, kind: str) -> None:
    """Sums, names and the database itself are checked before anything is replaced."""
    made = make_backup(store.path, None, tmp_path / "b.tar", now=NOW)
    body = bytearray(made.read_bytes())
    if kind == "cut":
        made.write_bytes(bytes(body[: len(body) // 2]))
    elif kind == "flipped":
        body[len(body) // 2] ^= 0xFF
        made.write_bytes(bytes(body))
    elif kind == "no tar":
        made.write_text("somebody's notes", encoding="utf-8")
    elif kind == "empty":
        made.write_bytes(b"")
    else:
        name = "../escaped" if kind == "path" else "detector.py"
        member = tmp_path / "m"
        member.write_text("x", encoding="utf-8")
        manifest = tmp_path / "manifest.json"
        manifest.write_text(json.dumps({"format": 1, "sha256": {name: "0"}}), encoding="utf-8")
        with tarfile.open(made, "w") as bundle:
            bundle.add(manifest, "manifest.json")
            bundle.add(member, name)
    there = tmp_path / "new" / "detector.db"
    there.parent.mkdir()

    with pytest.raises(StoreError, match=r"b\.tar|detector\.db"):
        restore_backup(made, there, None, now=NOW, replace=False)

    assert list(there.parent.iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def test_every_night_a_copy_and_only_the_last_ones_are_kept(store: Store) -> None:
    """Hourly looks, a copy a day, three kept; what a killed process left is swept."""
    house = House(store=store, backups=3)
    folder = nightly_folder(store.path)
    folder.mkdir()
    (folder / "detector-x.tar.part").write_text("half", encoding="utf-8")
    for hour in range(24 * 6):
        now = NOW + timedelta(hours=hour)
        assert house.due(now)
        house.keep(now)

    names = sorted(each.name for each in folder.iterdir())
    assert names == [f"detector-202610{day:02}T120000.tar" for day in (8, 9, 10)]


def test_what_is_forgotten_is_gone_from_memory_copies_and_every_file(tmp_path: Path) -> None:
    """The words, the address and the author of a quoted post: afterwards no byte of the folder holds them."""
    path = tmp_path / "detector.db"
    with Store.open(path, now=NOW) as store:
        engine = engine_on(store, services(1))
        engine.restore(NOW)
        posts = tuple(
            replace(complaint(0, n, NOW), text=f"Zorbex0 is down {WORD}-{n}", author=f"{WORD}-author-{n}")
            for n in range(4)
        )
        engine.take("s", Harvest(posts=posts, cursor="c"), NOW)
        house = House(store=store, backups=2)
        house.keep(NOW)
        rounds = Rounds(store=store, ears=Ears({}, rng=Random(1)), operator=Operator(()), house=house)
        rounds.begin(NOW)
        assert f"{WORD}-3".encode() in raw(tmp_path)

        leave(path, Request(kind="forget_post", values={"source": "oracle", "id": "0-3"}))
        leave(path, Request(kind="forget_author", values={"author": f"{WORD}-author-2"}))
        for minute in range(1, 3):
            now = NOW + timedelta(minutes=minute)
            rounds.go(engine, now)
            # The alert grows, and with it everything that memory still holds is written down once more.
            engine.take("s", Harvest(posts=(complaint(0, 10 + minute, now),), cursor="d"), now)
        # Taken back by its author, at the source.
        gone = Harvest(cursor="e", deleted=(("oracle", "0-1"), ("oracle", "never-seen")))
        engine.take("s", gone, NOW + timedelta(minutes=4))
        engine.checkpoint(NOW + timedelta(minutes=5))
        rounds.go(engine, NOW + timedelta(minutes=5))
        house.copy(NOW + timedelta(minutes=6), anew=True)

        found = raw(tmp_path)
        for n in (1, 2, 3):
            assert f"{WORD}-{n}".encode() not in found, n
        assert f"{WORD}-author-2".encode() not in found
        assert f"{WORD}-0".encode() in found
        assert len(list(nightly_folder(path).iterdir())) == 1


def raw(folder: Path) -> bytes:
    """Every byte below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_f7_recovery_moves_only_what_is_damaged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A sound one stays, a damaged one goes aside with its log, and nothing there is nothing to do."""
    path = store.path
    store.close()
    assert recover(path, SystemClock()) is None
    body = bytearray(path.read_bytes())
    body[:16] = b"no longer SQLite"
    path.write_bytes(bytes(body))
    Path(f"{path}-wal").write_bytes(b"what was under way")

    aside = recover(path, SystemClock())

    assert aside is not None
    assert ".corrupt-" in aside.name
    assert aside.read_bytes() == bytes(body)
    assert Path(f"{aside}-wal").read_bytes() == b"what was under way"
    assert not path.exists()
    assert "damaged" in caplog.text
    assert recover(path, SystemClock()) is None


def test_backup_and_restore_are_one_command_each(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the folder of the settings, without a further word; and with --db elsewhere."""
    monkeypatch.chdir(store.path.parent)
    runner = CliRunner()

    made = runner.invoke(cli, ["backup"])
    assert made.exit_code == 0, made.output
    (copy,) = store.path.parent.glob("detector-*.tar")
    back = runner.invoke(cli, ["restore", str(copy), "--db", str(tmp_path / "back.db")])

    assert back.exit_code == 0, back.output
    assert str(tmp_path / "back.db") in back.output
    assert everything(tmp_path / "back.db") == everything(store.path)
    busy = runner.invoke(cli, ["restore", str(copy), "--replace"])
    assert busy.exit_code == 3
