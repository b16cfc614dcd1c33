"""The checks of `detector doctor`, each a finding in words."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from detector.app.build import Blueprint, connect, make_classifier
from detector.domain import Alert, AlertState, Estimate, Level, Notification, Reason
from detector.errors import DetectorError
from detector.store import Store, open_reader

# https://sqlite.org/wal.html: the WAL-reset bug, mended in 3.51.3.
_SOUND_SQLITE = (3, 51, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; `note` is no fault."""

    verdict: Literal["ok", "note", "wrong"]
    what: str
    words: str


def model(plan: Blueprint) -> Finding:
    """Whether the classifier that would judge can be used."""
    notes: list[str] = []
    try:
        name = make_classifier(plan.settings, notes).name
    except DetectorError as error:
        return Finding(verdict="wrong", what="model", words=str(error))
    if notes:
        return Finding(verdict="wrong", what="model", words="; ".join(notes))
    return Finding(verdict="ok", what="model", words=name)


def sqlite() -> Finding:
    """Whether this SQLite has the WAL-reset bug; one writer, as here, does not meet it."""
    if sqlite3.sqlite_version_info < _SOUND_SQLITE:
        words = (
            f"{sqlite3.sqlite_version} can damage a database that two processes write at once; let none but us write"
        )
        return Finding(verdict="note", what="sqlite", words=words)
    return Finding(verdict="ok", what="sqlite", words=sqlite3.sqlite_version)


def database(path: Path, *, now: datetime) -> Finding:
    """Whether the database can be opened for writing, or is in use by a daemon that can."""
    existed = path.exists()
    try:
        Store.open(path, now=now).close()
    except DetectorError as error:
        if error.exit_code == 3:
            return Finding(verdict="ok", what="database", words=f"{path}, in use by a running daemon")
        return Finding(verdict="wrong", what="database", words=str(error))
    if not existed:
        return Finding(verdict="ok", what="database", words=f"{path}, made now")
    with open_reader(path) as reader:
        dead = len(reader.dead_letters())
    if dead:
        return Finding(verdict="note", what="database", words=f"{path}; {dead} messages were given up")
    return Finding(verdict="ok", what="database", words=str(path))


async def connections(plan: Blueprint, path: Path, *, now: datetime, send: bool, offline: bool) -> list[Finding]:
    """Whether sources and pages answer, and with `send` whether receivers take a message."""
    notes: list[str] = []
    try:
        found = connect(plan, path, notes)
    except DetectorError as error:
        return [Finding(verdict="wrong", what="plug-ins", words=str(error))]
    findings = [Finding(verdict="note", what="plug-ins", words=note) for note in notes]
    asked: list[Awaitable[Finding]] = []
    if not offline:
        asked += [_ask(f"source {each.source}", partial(each.poll, None, now=now)) for each in found.collectors]
        asked += [_ask(f"page of {each.service}", partial(each.read, now=now)) for each in found.readers]
    if send:
        asked += [
            _ask(f"receiver {each.receiver}", partial(each.send, _sample(each.receiver, now)))
            for each in found.notifiers
        ]
    else:
        findings += [
            Finding(verdict="ok", what=f"receiver {each.receiver}", words="configured; --send tries it")
            for each in found.notifiers
        ]
    try:
        return [*findings, *await asyncio.gather(*asked)]
    finally:
        await asyncio.gather(
            *(each.aclose() for each in found.collectors), *(each.aclose() for each in found.notifiers)
        )
        if found.close is not None:
            await found.close()


async def _ask(what: str, question: Callable[[], Awaitable[object]]) -> Finding:
    try:
        await question()
    except DetectorError as error:
        return Finding(verdict="wrong", what=what, words=str(error))
    return Finding(verdict="ok", what=what, words="answers")


def _sample(receiver: str, now: datetime) -> Notification:
    """A message that says of itself that it is a test."""
    estimate = Estimate(
        service="test", at=now, onset=now, people=0.0, expected=0.0, return_period_months=1.0, ratio=1.0, score=0.0,
        window_minutes=1.0,
    )  # fmt: skip
    alert = Alert(
        key="test-message", service="test message of detector doctor", level=Level.ALERT, state=AlertState.RESOLVED,
        onset_at=now, watch_at=now, fired_at=now, updated_at=now, ended_at=now, estimate=estimate,
    )  # fmt: skip
    return Notification(id=f"test/{receiver}/1", alert=alert, receiver=receiver, reason=Reason.RESOLVED, created_at=now)
