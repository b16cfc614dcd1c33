"""Requests to a running daemon, one file each beside the database: there is only one writer, and it is the daemon."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from detector.domain import Silence, format_time, parse_time
from detector.errors import StoreError, StoreInUseError
from detector.store import Feedback, Store

logger = logging.getLogger(__name__)


Forget = Callable[[Sequence[tuple[str, str]], str | None], None]


def _remembers_nothing(keys: Sequence[tuple[str, str]], author: str | None) -> None:
    """For a process that holds nothing but the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks of the database.

    Attributes:
        kind: `silence`, `expire`, `feedback`, `forget_post` or `forget_author`.
        values: its fields, as JSON-compatible values.
    """

    kind: str
    values: dict[str, Any]


def ask(path: Path, request: Request, *, now: datetime) -> bool:
    """Do it at once if no daemon runs (True), else leave it for the daemon, which looks every few seconds (False).

    Raises:
        StoreError: the database cannot be used, or refuses.
    """
    if not path.is_file():
        raise StoreError(f"{path}: no such database; run `detector watch` first, or name another with --db")
    try:
        with Store.open(path, now=now) as store:
            apply(store, request, now=now)
            return True
    except StoreInUseError:
        leave(path, request)
        return False


def leave(path: Path, request: Request) -> None:
    """Put a request where the daemon looks for it, whole or not at all."""
    folder = folder_of(path)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        name = folder / f"{secrets.token_hex(8)}.json"
        part = name.with_suffix(".part")
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as body:
            json.dump({"kind": request.kind, **request.values}, body)
        part.rename(name)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}); run this as the daemon's user") from error


def collect(store: Store, *, now: datetime, forget: Forget = _remembers_nothing) -> list[Request]:
    """Apply and remove every request that waits; one that cannot be applied is logged and moved aside.

    Args:
        forget: lets a memory follow: the keys of the posts that are gone, and their author if one was named.
    """
    folder = folder_of(store.path)
    if not folder.is_dir():
        return []
    done: list[Request] = []
    for name in sorted(folder.glob("*.json")):
        try:
            values = json.loads(name.read_text(encoding="utf-8"))
            request = Request(kind=values.pop("kind"), values=values)
            apply(store, request, now=now, forget=forget)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StoreError) as error:
            logger.warning("request %s was refused: %s", name.name, error)
            name.rename(name.with_suffix(".refused"))
        else:
            name.unlink()
            done.append(request)
    return done


def apply(store: Store, request: Request, *, now: datetime, forget: Forget = _remembers_nothing) -> None:
    """Carry a request out.

    Raises:
        ValueError: there is no such kind, or a field is wrong.
        StoreError: the store refuses.
    """
    values = request.values
    if request.kind == "silence":
        store.add_silence(
            Silence(
                id=str(values["id"]),
                service=str(values["service"]),
                starts_at=parse_time(values["starts_at"]),
                ends_at=parse_time(values["ends_at"]),
                comment=str(values.get("comment", "")),
            )
        )
    elif request.kind == "expire":
        if not store.expire_silence(str(values["id"]), now=now):
            raise StoreError(f"no silence {values['id']!r} holds; `detector silence list` shows them")
    elif request.kind == "feedback":
        store.add_feedback(
            Feedback(
                alert_key=str(values["alert_key"]),
                real=bool(values["real"]),
                at=parse_time(values.get("at", format_time(now))),
                comment=str(values.get("comment", "")),
            )
        )
    elif request.kind == "forget_post":
        forget(store.forget_post(str(values["source"]), str(values["id"]), now=now).keys, None)
    elif request.kind == "forget_author":
        forget(store.forget_author(str(values["author"]), now=now).keys, str(values["author"]))
    else:
        raise ValueError(f"no request of kind {request.kind!r}")


def folder_of(path: Path) -> Path:
    """Where requests to the daemon of a database wait."""
    return path.with_name(path.name + ".requests")
