"""Which messages owed to one receiver are told as one, and how many it bears. Pure.

Nothing waits to be grouped: the first message goes out at once, and what comes faster than a receiver bears, or
gathers while it cannot be reached, is told together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from detector.domain import AlertState, Notification, Reason

STORM = 4
LATE = timedelta(minutes=10)
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows of the outbox that one message settles.

    Attributes:
        rows: all of them, in the order they were owed.
        shown: the message: the first row, or the latest of each alert, the cause first, then the worst.
    """

    rows: tuple[Notification, ...]
    shown: Notification


def plan(due: Sequence[Notification], now: datetime, *, recovering: bool = False, apart: bool = False) -> list[Batch]:
    """Group what is due, in the order given.

    Digests are one message; services named with their cause are one, with the cause where that is due too; a cause
    and what it explains are one; so is everything when four alerts are due at once, when something is late, or when
    the receiver is just coming back.

    Args:
        recovering: the receiver could not be reached lately.
        apart: the receiver refused a message about several alerts: each row by itself.
    """
    if apart:
        return [Batch(rows=(one,), shown=one) for one in due]
    digest = [one for one in due if one.reason is Reason.DIGEST]
    rest = [one for one in due if one.reason is not Reason.DIGEST]
    late = any(now - _wanted_at(one) >= LATE for one in rest)
    keys = {one.alert.key for one in rest if one.reason is not Reason.INHIBITED}
    if len(rest) > 1 and (recovering or late or len(keys) >= STORM):
        groups = [rest[start : start + MOST] for start in range(0, len(rest), MOST)]
    else:
        groups = _families(rest)
    if digest:
        groups.append(digest)
    return [Batch(rows=tuple(group), shown=_shown(group)) for group in groups]


def _families(rows: Sequence[Notification]) -> list[list[Notification]]:
    """A cause with what it explains; everything else by itself, in order."""
    roots = {one.alert.service for one in rows}
    families: dict[str, list[Notification]] = {}
    groups: list[list[Notification]] = []
    counts: dict[str, set[str]] = {}
    for one in rows:
        counts.setdefault(one.alert.cause or one.alert.service, set()).add(one.alert.key)
    for one in rows:
        root = one.alert.cause or one.alert.service
        together = len(counts[root]) > 1 and (one.alert.cause is not None or root in roots)
        if not together and one.reason is not Reason.INHIBITED:
            groups.append([one])
        elif root in families:
            families[root].append(one)
        else:
            families[root] = [one]
            groups.append(families[root])
    return groups


def _shown(rows: Sequence[Notification]) -> Notification:
    if len(rows) == 1:
        return rows[0]
    latest: dict[str, Notification] = {}
    for one in rows:
        before = latest.get(one.alert.key)
        latest[one.alert.key] = one if before is None else _both(before, one)
    causes = {one.alert.cause for one in latest.values()}
    ordered = sorted(
        latest.values(),
        key=lambda one: (
            one.reason is Reason.INHIBITED,
            one.alert.service not in causes,
            one.alert.state is AlertState.RESOLVED,
            -one.alert.level.rank,
            one.alert.onset_at,
            one.alert.key,
        ),
    )
    return replace(ordered[0], others=tuple(ordered[1:]))


def _both(before: Notification, after: Notification) -> Notification:
    """The later of two messages on an alert, which may repeat what the earlier told."""
    if before.reason is not Reason.INHIBITED and after.reason is Reason.INHIBITED:
        return before
    tried = before if before.attempts > after.attempts else after
    return replace(after, attempts=tried.attempts, failed=tried.failed, created_at=before.created_at)


def _wanted_at(one: Notification) -> datetime:
    """When a message should have arrived: one held back on purpose is not late."""
    if one.attempts or one.next_try_at is None:
        return one.created_at
    return max(one.created_at, one.next_try_at)


@dataclass(slots=True)
class Pace:
    """How many messages a receiver bears: so many at once, then one more every so often.

    >>> from detector.domain import EPOCH
    >>> pace = Pace(burst=2, every=timedelta(seconds=30))
    >>> [pace.take(EPOCH + timedelta(seconds=after)) for after in (0, 0, 1, 30, 31, 600, 600, 600)]
    [True, True, False, True, False, True, True, False]
    """

    burst: int = 3
    every: timedelta = timedelta(seconds=60)
    _left: float = field(default=-1.0, init=False)
    _at: datetime | None = field(default=None, init=False)

    def take(self, now: datetime) -> bool:
        """Whether one more may go out now; it is counted if so."""
        if self._at is None:
            self._left = float(self.burst)
        else:
            self._left = min(self._left + max(now - self._at, timedelta()) / self.every, float(self.burst))
        self._at = now
        if self._left < 1.0 - 1e-9:
            return False
        self._left -= 1.0
        return True

    def give_back(self) -> None:
        """What was counted did not arrive."""
        self._left = min(self._left + 1.0, float(self.burst))
