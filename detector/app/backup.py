"""One file with everything that a new machine needs: the database, the key of the author hashes, settings, catalogue.

A plain tar, made beside a running daemon from one snapshot, checked before it is called done. Reading one takes
members by their fixed names only, and checks their sums and the database before anything is replaced.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from detector.config.own import OWN_NAME, own_path
from detector.domain import format_time, parse_time
from detector.errors import StoreError, UsageError
from detector.store import check_copy, copy_database, move_aside

DATABASE, KEY, SETTINGS, MANIFEST = "detector.db", "detector.db.key", "detector.toml", "manifest.json"
# Services of one's own, and what paid sources have cost this month.
SERVICES, SPENT = OWN_NAME, "detector.db.spent"
FORMAT = 1
_LARGEST_SMALL = 4_000_000


def make_backup(database: Path, config: Path | None, target: Path, *, now: datetime) -> Path:
    """Write a backup; whole or not at all, readable by its owner only.

    Args:
        target: the file, or a folder in which it is named by the time.

    Raises:
        StoreError: the database cannot be read, or the file not written.
        UsageError: there is such a file already.
    """
    if target.is_dir():
        target = target / f"detector-{now:%Y%m%dT%H%M%S}.tar"
    if target.exists():
        raise UsageError(f"{target}: is there already; name another file, or a folder")
    part = target.with_name(target.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".detector-backup-") as folder:
            copy = Path(folder) / DATABASE
            copy_database(database, copy)
            check_copy(copy)
            others = {
                KEY: _key_of(database),
                SPENT: _spent_of(database),
                SETTINGS: config,
                SERVICES: own_path(config),
            }
            there = {name: path for name, path in others.items() if path is not None and path.is_file()}
            members = {DATABASE: copy, **there}
            manifest = {
                "format": FORMAT,
                "made_at": format_time(now),
                "sha256": {name: _sum(path) for name, path in members.items()},
            }
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as body:
                with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as bundle:
                    _add(bundle, MANIFEST, json.dumps(manifest, indent=1).encode())
                    for name, path in members.items():
                        _add(bundle, name, path)
                body.flush()
                os.fsync(body.fileno())
        part.rename(target)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror}); check the folder and its space") from error
    finally:
        part.unlink(missing_ok=True)
    return target


def restore_backup(source: Path, database: Path, config: Path | None, *, now: datetime, replace: bool) -> list[Path]:
    """Put a backup in place; returns the files written. What stood there is moved aside, never deleted.

    Args:
        config: where the settings go; None leaves them in the backup.
        replace: whether a database that stands there may be moved aside.

    Raises:
        StoreInUseError: a daemon runs on the database.
        StoreError: the backup is damaged, or a file cannot be written.
        UsageError: a database is there and `replace` is false.
    """
    if database.exists() and not replace:
        raise UsageError(f"{database}: is there already; --replace moves it aside")
    with _opened(source, database.parent) as members:
        check_copy(members[DATABASE])
        if database.exists():
            move_aside(database, now=now, why="replaced")
        written = []
        # The database last: killed before, the folder holds none, and the command can be given again.
        for name in (KEY, SPENT, SETTINGS, SERVICES, DATABASE):
            # Asked now, for the settings may have just come that say where the services lie.
            target = _place(name, database, config)
            if name in members and target is not None:
                _put(members[name], target, now=now)
                written.append(target)
    return written


def nightly_folder(database: Path) -> Path:
    """Where the nightly backups of a database lie."""
    return database.with_name(database.name + ".backups")


def nightly(database: Path, config: Path | None, *, now: datetime, keep: int, every: timedelta) -> Path | None:
    """Make a backup if the newest is old enough, and drop the oldest beyond `keep`; returns the new one.

    Raises:
        StoreError: it could not be made; the older ones stay.
    """
    folder = nightly_folder(database)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _sweep(folder)
        there = sorted(folder.glob("detector-*.tar"))
        if there and now - _time_of(there[-1]) < every:
            return None
        made = make_backup(database, config, folder / f"detector-{now:%Y%m%dT%H%M%S}.tar", now=now)
        for old in sorted(folder.glob("detector-*.tar"))[:-keep]:
            old.unlink()
    except OSError as error:
        raise StoreError(f"{folder}: cannot be used ({error.strerror}); check its rights and space") from error
    return made


def _sweep(folder: Path) -> None:
    """Remove what a process that was killed left half made."""
    for left in folder.glob(".detector-backup-*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in folder.glob("*.part"):
        left.unlink(missing_ok=True)


def _time_of(path: Path) -> datetime:
    try:
        return parse_time(f"{path.stem.removeprefix('detector-')}Z")
    except ValueError:
        return parse_time("1970-01-01T00:00:00Z")


def _place(name: str, database: Path, config: Path | None) -> Path | None:
    """Where a member goes; None leaves it in the backup."""
    if name in {SETTINGS, SERVICES}:
        return config if name == SETTINGS or config is None else own_path(config)
    return {DATABASE: database, KEY: _key_of(database), SPENT: _spent_of(database)}[name]


def _key_of(database: Path) -> Path:
    return database.with_name(database.name + ".key")


def _spent_of(database: Path) -> Path:
    return database.with_name(database.name + ".spent")


@contextmanager
def _opened(source: Path, folder: Path) -> Iterator[dict[str, Path]]:
    """The members of a backup as checked files, for as long as the block lasts."""
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".detector-restore-") as made:
            members = {}
            with tarfile.open(source, mode="r:") as bundle:
                manifest = json.loads(_small(bundle, MANIFEST))
                if manifest["format"] != FORMAT:
                    raise StoreError(f"{source}: a backup of format {manifest['format']}; upgrade the program")
                for name, expected in manifest["sha256"].items():
                    if name not in {DATABASE, KEY, SETTINGS, SERVICES, SPENT}:
                        raise StoreError(f"{source}: holds a stranger, {name!r}; take another backup")
                    body = bundle.extractfile(name)
                    if body is None:
                        raise StoreError(f"{source}: {name} is no file in it; take another backup")
                    path = members[name] = Path(made) / name
                    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
                        shutil.copyfileobj(body, out)
                    if _sum(path) != expected:
                        raise StoreError(f"{source}: {name} is damaged in it; take another backup")
            if DATABASE not in members:
                raise StoreError(f"{source}: holds no database; take another backup")
            yield members
    except OSError as error:
        raise StoreError(f"{source}: cannot be read or unpacked ({error.strerror}); check file and space") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise StoreError(f"{source}: no backup of ours, or damaged ({error}); take another") from error


def _small(bundle: tarfile.TarFile, name: str) -> bytes:
    body = bundle.extractfile(name)
    if body is None:
        raise KeyError(name)
    return body.read(_LARGEST_SMALL)


def _put(source: Path, target: Path, *, now: datetime) -> None:
    if target.exists() and _sum(target) != _sum(source):
        target.rename(target.with_name(f"{target.name}.replaced-{now:%Y%m%dT%H%M%S}"))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        with source.open("rb") as body:
            shutil.copyfileobj(body, out)
        out.flush()
        os.fsync(out.fileno())
    part.rename(target)


def _add(bundle: tarfile.TarFile, name: str, body: bytes | Path) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o600
    if isinstance(body, bytes):
        entry.size = len(body)
        bundle.addfile(entry, io.BytesIO(body))
        return
    with body.open("rb") as opened:
        entry.size = os.fstat(opened.fileno()).st_size
        bundle.addfile(entry, opened)


def _sum(path: Path) -> str:
    with path.open("rb") as body:
        return hashlib.file_digest(body, "sha256").hexdigest()
