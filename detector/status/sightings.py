"""What a reader remembers between looks at a page: when we first saw each thing, and what was open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from detector.domain import Incident, IncidentUpdate

_MAX_MARKS = 20_000


class Sightings:
    """The memory of one reader. `first` while a page is read, `settle` once it was read whole.

    >>> from datetime import datetime, UTC
    >>> ten, eleven = datetime(2026, 3, 2, 10, tzinfo=UTC), datetime(2026, 3, 2, 11, tzinfo=UTC)
    >>> seen = Sightings()
    >>> seen.first("inc1", ten) == ten
    True
    >>> seen.settle()
    >>> seen.first("inc1", eleven) == ten
    True
    """

    def __init__(self) -> None:
        self._known: dict[str, datetime] = {}
        self._fresh: dict[str, datetime] = {}
        self._open: dict[str, Incident] = {}

    def first(self, mark: str, at: datetime) -> datetime:
        """When this was first seen; `at` if it is new."""
        found = self._fresh.get(mark) or self._known.get(mark, at)
        self._fresh[mark] = found
        return found

    def updates(
        self, incident: str, found: Iterable[tuple[str, datetime, str, str]], now: datetime
    ) -> tuple[IncidentUpdate, ...]:
        """Updates in order of time, each with our first sight of it; given as (mark, at, status, text)."""
        made = [
            IncidentUpdate(at=at, status=status, text=text, first_seen_at=self.first(f"{incident}/{mark}", now))
            for mark, at, status, text in found
        ]
        return tuple(sorted(made, key=lambda update: update.at))

    def settle(self) -> None:
        """The page was read: take over what was seen."""
        self._known = {**self._known, **self._fresh} if len(self._known) < _MAX_MARKS else self._fresh
        self._fresh = {}

    def departed(self, shown: Sequence[Incident], now: datetime) -> list[Incident]:
        """Incidents that were open at the last look and are gone from a page that drops what is over.

        They are closed at `now`, the moment we saw it; their closing word was never shown to us.
        """
        listed = {incident.id for incident in shown}
        gone = [replace(one, resolved_at=now) for name, one in self._open.items() if name not in listed]
        self._open = {one.id: one for one in shown if one.resolved_at is None}
        return gone
