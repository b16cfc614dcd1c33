"""What the pages work with: a few open readers, the expectations as last saved, and the names of the services."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, LifoQueue
from threading import Lock

from detector.errors import StoreError
from detector.store.board import Board
from detector.web.expected import Expectations
from detector.web.ports import Memory, OpenReader, Surroundings

_KEPT = 8
# A baseline moves by the hour; a saved state of a thousand services takes a while to read.
_EXPECTATIONS_KEPT_S = 60.0


class Desk:
    """Shared by all requests; safe to use from several threads.

    Args:
        open_reader: opens the database read-only.
        around: what the pages need beside it.
    """

    def __init__(self, open_reader: OpenReader, around: Surroundings) -> None:
        self.around = around
        self.names = {service.slug: service.name for service in around.services}
        self._open = open_reader
        self._readers: LifoQueue[Board] = LifoQueue()
        self._lock = Lock()
        self._expect = Expectations(Memory())
        self._expect_of: int | None = -1
        self._expect_at = 0.0

    @contextmanager
    def asking(self) -> Iterator[Board]:
        """A reader for one request; one that met an error is not used again.

        Raises:
            StoreError: the database is not there yet, or cannot be used.
        """
        try:
            board = self._readers.get_nowait()
        except Empty:
            board = self.open()
        try:
            yield board
        except StoreError:
            board.read.close()
            raise
        except BaseException:
            self._give_back(board)
            raise
        self._give_back(board)

    def open(self) -> Board:
        """A reader of one's own."""
        return Board(self._open())

    def _give_back(self, board: Board) -> None:
        if self._readers.qsize() < _KEPT:
            self._readers.put(board)
        else:
            board.read.close()

    def expectations(self, ask: Board) -> Expectations:
        """What is usual, by the saved state; read again at most once a minute."""
        with self._lock:
            if self._expect_of != -1 and time.monotonic() - self._expect_at < _EXPECTATIONS_KEPT_S:
                return self._expect
            newest = ask.checkpoint_id()
            if newest != self._expect_of:
                saved = ask.read.latest_checkpoint()
                self._expect = Expectations(self.around.remember(None if saved is None else saved.state))
                self._expect_of = newest
            self._expect_at = time.monotonic()
            return self._expect

    def close(self) -> None:
        """Let go of the database."""
        while True:
            try:
                self._readers.get_nowait().read.close()
            except Empty:
                return
