"""The board as it changes: looked at again when the database was written to or a minute has passed.

Every difference has a number. A browser that lost its connection names the last number it saw (`Last-Event-ID`) and
is given what changed since; one that knows a number of another run of this program is given everything.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from detector.domain import parse_time
from detector.errors import StoreError
from detector.store.board import Board as Questions
from detector.web import board
from detector.web.desk import Desk
from detector.web.shapes import Board, Row
from detector.web.words import headline

logger = logging.getLogger(__name__)

POLL_S = 0.4
# A look must not follow at once on the one before: a busy daemon writes many times a second.
REST_S = 0.6
MINUTE_S = 60.0
# Nobody has asked for so long: look no more until somebody does.
IDLE_S = 120.0
_MOST_TOLD = 64


@dataclass(slots=True)
class Entry:
    """A row as last shown, and the number of its last difference."""

    row: Row
    html: str
    number: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The board at a number."""

    number: int
    board: Board
    entries: dict[str, Entry]


class Live:
    """Looks at the board for everybody, and tells the open streams.

    Args:
        desk: the readers.
        render: a row as HTML, at a moment.
    """

    def __init__(self, desk: Desk, render: Callable[[Row, datetime], str]) -> None:
        self.run_id = secrets.token_hex(4)
        self.streams = 0
        self._desk = desk
        self._render = render
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        # `data_version` speaks for one connection only, so this one is kept.
        self._ask: Questions | None = None
        self._version: int | None = None
        self._looked_at = 0.0
        self._asked_at = 0.0
        self._news: asyncio.Event | None = None
        self._closed = False
        self._awake = False
        self._told: dict[tuple[int, int, str | None], dict[str, Any]] = {}

    def snapshot(self) -> Snapshot:
        """The board now: the last look if it still holds, else a new one. Call it in a thread.

        Raises:
            StoreError: the database cannot be read.
        """
        self._asked_at = time.monotonic()
        held = self._snapshot
        if held is not None and self._awake:
            return held
        return self._look_if_changed()

    def _look_if_changed(self) -> Snapshot:
        with self._lock:
            if self._ask is None:
                self._ask, self._version = self._desk.open(), None
            try:
                return self._look(self._ask)
            except StoreError:
                self._ask.read.close()
                self._ask = None
                raise

    def _look(self, ask: Questions) -> Snapshot:
        version = ask.version()
        old = self._snapshot
        young = time.monotonic() - self._looked_at < MINUTE_S
        if old is not None and version == self._version and young:
            return old
        now = self._desk.around.now()
        found = board.look(ask, self._desk.around, self._desk.expectations(ask), now)
        self._snapshot = self._number(found, old)
        self._version, self._looked_at = version, time.monotonic()
        return self._snapshot

    def _number(self, found: Board, old: Snapshot | None) -> Snapshot:
        number = 1 if old is None else old.number + 1
        entries: dict[str, Entry] = {}
        at = parse_time(found["at"])
        changed = old is None
        for row in found["services"]:
            before = None if old is None else old.entries.get(row["slug"])
            if before is not None and before.row == row and row["since"] is None:
                entries[row["slug"]] = before
                continue
            html = self._render(row, at)
            if before is not None and before.html == html:
                entries[row["slug"]] = Entry(row, html, before.number)
                continue
            entries[row["slug"]] = Entry(row, html, number)
            changed = True
        return Snapshot(number if changed or old is None else old.number, found, entries)

    async def run(self) -> None:
        """Look whenever the database has changed, as long as somebody watches."""
        self._news = asyncio.Event()
        failed = False
        while not self._closed:
            watched = self.streams > 0 or time.monotonic() - self._asked_at < IDLE_S
            if not watched:
                self._awake = False
                await asyncio.sleep(POLL_S)
                continue
            before = self._snapshot
            try:
                after = await asyncio.to_thread(self._look_if_changed)
            except StoreError as error:
                self._awake = False
                if not failed:
                    logger.warning("the page cannot read the database: %s", error)
                failed = True
            else:
                self._awake, failed = True, False
                if before is None or after.number != before.number:
                    self._tell()
                    await asyncio.sleep(REST_S)
            await asyncio.sleep(POLL_S)

    def _tell(self) -> None:
        if self._news is not None:
            news, self._news = self._news, asyncio.Event()
            news.set()

    def close(self) -> None:
        """End all streams and let go of the database."""
        self._closed = True
        self._tell()

    async def events(self, last: str | None, service: str | None) -> AsyncIterator[dict[str, Any]]:
        """What changed since `last`, and then every change; of one service if it is named."""
        self.streams += 1
        try:
            number = self._known(last)
            while not self._closed:
                news = self._news
                now = self._snapshot
                if now is not None and now.number > number:
                    yield self._event(now, number, service)
                    number = now.number
                    continue
                if news is None:
                    await asyncio.sleep(POLL_S)
                else:
                    await news.wait()
        finally:
            self.streams -= 1

    def _known(self, last: str | None) -> int:
        run, _, number = (last or "").partition("-")
        return int(number) if run == self.run_id and number.isascii() and number.isdigit() and len(number) < 18 else 0

    def _event(self, now: Snapshot, number: int, service: str | None) -> dict[str, Any]:
        """What changed between two numbers, written once for all the streams that know as much."""
        key = (now.number, number, service)
        if key not in self._told:
            if len(self._told) >= _MOST_TOLD or any(known[0] != now.number for known in self._told):
                self._told.clear()
            self._told[key] = self._written(now, number, service)
        return self._told[key]

    def _written(self, now: Snapshot, number: int, service: str | None) -> dict[str, Any]:
        rows = [
            {"slug": slug, "name": entry.row["name"], "state": entry.row["state"], "html": entry.html}
            for slug, entry in now.entries.items()
            if entry.number > number and service in {None, slug}
        ]
        data = {
            "at": now.board["at"],
            "counts": now.board["counts"],
            "headline": headline(now.board),
            "worst": board.worst(now.board["counts"]),
            "rows": rows,
        }
        return {"id": self.name(now), "event": "rows", "data": json.dumps(data, ensure_ascii=False)}

    def name(self, snapshot: Snapshot) -> str:
        """A snapshot's number as an event id."""
        return f"{self.run_id}-{snapshot.number}"
