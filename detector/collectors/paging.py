"""Paging a newest-first listing back to what is known, whatever was deleted or came late in between. Pure.

A single remembered id is no anchor: it may be deleted, or an old entry may stand among the new ones. So a `Memory`
keeps the last few hundred ids and a floor (a moment before which everything was read), and a `Walk` reads page after
page until it ends on several entries that are known or older than the floor. Where the listing ends first, what lies
between the newest entry known before and the oldest one read is a gap.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec

from detector.domain import Coverage, CoverageState

ANCHORS = 5
REMEMBERED = 300
FIRST_LOOK = 600.0
T = TypeVar("T")


class Memory(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was read of one listing.

    Attributes:
        floor: Unix seconds; every entry made before is settled.
        newest: Unix seconds of the newest entry read.
        ids: entries made since the floor, with their Unix seconds.
        ok_at: Unix seconds of the last poll that worked.
    """

    floor: float
    newest: float
    ids: dict[str, float] = {}
    ok_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Line(Generic[T]):
    """One entry of a page: its id, when it was made (Unix seconds), and what the collector makes a post of."""

    id: str
    at: float
    entry: T


def first_memory(now: datetime, look_back: float = FIRST_LOOK) -> Memory:
    """The memory of somebody who has read nothing and wants the last `look_back` seconds.

    >>> first_memory(datetime(2026, 3, 2, tzinfo=UTC)).floor
    1772409000.0
    """
    floor = now.timestamp() - look_back
    return Memory(floor=floor, newest=floor)


class Walk(Generic[T]):
    """One poll of one listing, page by page.

    Args:
        memory: of the last poll.
        ceiling: entries after which the listing shows no more, or we ask for no more.
        capped: the listing itself ends at the ceiling, so its end says nothing about completeness.

    >>> memory = Memory(floor=100, newest=120, ids={"a": 110, "b": 120})
    >>> walk = Walk(memory, ceiling=1000, capped=True)
    >>> walk.take([Line("d", 140, "D"), Line("c", 130, "C")], more=True)
    True
    >>> walk.take([Line("b", 120, "B"), Line("a", 110, "A")], more=False)
    False
    >>> [line.entry for line in walk.fresh], walk.complete
    (['D', 'C'], True)
    """

    def __init__(self, memory: Memory, *, ceiling: int, capped: bool) -> None:
        self.complete = False
        self.pages = 0
        self._memory = memory
        self._ceiling = ceiling
        self._capped = capped
        self._lines: dict[str, Line[T]] = {}
        self._tail = 0

    @property
    def fresh(self) -> list[Line[T]]:
        """Entries that were not known, in the listing's order."""
        return [line for line in self._lines.values() if not self._settled(line)]

    def take(self, page: Sequence[Line[T]], *, more: bool) -> bool:
        """Add a page, newest first; True if an older one has to be read.

        Args:
            more: the listing says that it goes on.
        """
        self.pages += 1
        before = len(self._lines)
        for line in page:
            self._tail = self._tail + 1 if self._settled(line) else 0
            self._lines.setdefault(line.id, line)
        if self._tail >= ANCHORS:
            self.complete = True
            return False
        # A page without anything new is the listing's way of saying that our place in it is gone.
        stuck = len(self._lines) == before
        if more and not stuck and len(self._lines) < self._ceiling:
            return True
        # A listing of one page was read whole; of a longer one the cap may have cut off the end.
        alone = self.pages == 1 and not more
        self.complete = self._tail > 0 or alone or (not self._capped and not more)
        return False

    def gap(self, source: str, note: str) -> Coverage | None:
        """The span that was not read, if there is one; both ends may hold entries that were."""
        if self.complete or not self._lines:
            return None
        known = self._memory.newest
        # An old entry that stands where it does not belong must not make the gap look smaller.
        reached = next((line.at for line in reversed(self._lines.values()) if line.at >= known), None)
        if reached is None:
            return None
        return Coverage(
            source=source,
            from_at=datetime.fromtimestamp(known, UTC),
            to_at=datetime.fromtimestamp(reached, UTC),
            state=CoverageState.GAP,
            note=note,
        )

    def remember(self, now: datetime) -> Memory:
        """The memory for the next poll."""
        at_most = now.timestamp()
        made = {line.id: min(line.at, at_most) for line in self._lines.values()}
        known = {**self._memory.ids, **made}
        order = sorted(known.items(), key=lambda pair: (-pair[1], pair[0]))
        floor = self._memory.floor
        if len(order) > REMEMBERED:
            floor = max(floor, order[REMEMBERED - 1][1])
        kept = {name: at for name, at in order if at >= floor}
        newest = max([self._memory.newest, *made.values()])
        return Memory(floor=floor, newest=newest, ids=kept, ok_at=at_most)

    def _settled(self, line: Line[T]) -> bool:
        return line.at < self._memory.floor or line.id in self._memory.ids


async def page_back(
    walk: Walk[T], fetch: Callable[[str | None], Awaitable[tuple[Sequence[Line[T]], str | None]]]
) -> Walk[T]:
    """Feed a walk until it is content; `fetch` takes the place of a page and returns its lines and the next place."""
    place: str | None = None
    while True:
        lines, place = await fetch(place)
        if not walk.take(lines, more=place is not None):
            return walk
