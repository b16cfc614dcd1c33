"""What paid sources have cost this month, written down before the money is spent: a kill forgets nothing.

One small JSON file beside the database, replaced whole. It errs on the dear side: a request that was charged and never
made, or made and never answered, stays charged.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from detector.errors import Permanent


class _Book(msgspec.Struct):
    """Millionths of a unit of money by source, in one month."""

    month: str = ""
    spent: dict[str, int] = {}


class Ledger:
    """The sums of one database's sources.

    Args:
        path: the file; None keeps the sums in memory only, for a look that is not a watch.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._book: _Book | None = None

    def spent(self, source: str, month: str) -> int:
        """What a source has cost in a month, in millionths.

        Raises:
            Permanent: the file cannot be read; without it nobody knows, so nothing may be spent.
        """
        book = self._read()
        return book.spent.get(source, 0) if book.month == month else 0

    def write(self, source: str, month: str, spent: int) -> None:
        """Note a source's sum of a month, on the disk when this returns.

        Raises:
            Permanent: it cannot be written, so nothing may be spent.
        """
        book = self._read()
        sums = {**(book.spent if book.month == month else {}), source: spent}
        self._book = _Book(month=month, spent=sums)
        if self._path is None:
            return
        part = self._path.with_name(self._path.name + ".part")
        try:
            with part.open("wb") as file:
                file.write(msgspec.json.encode(self._book))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise Permanent(
                f"{self._path}: what was spent cannot be written down ({error.strerror}), so nothing is spent; "
                "make the folder writable"
            ) from error

    def _read(self) -> _Book:
        if self._book is None:
            try:
                body = self._path.read_bytes() if self._path is not None else b"{}"
                self._book = msgspec.json.decode(body, type=_Book)
            except FileNotFoundError:
                self._book = _Book()
            except (OSError, msgspec.DecodeError, ValueError) as error:
                raise Permanent(
                    f"{self._path}: what was spent cannot be read, so nothing is spent; remove the file if the month's "
                    "cost is known to be within the cap"
                ) from error
        return self._book
