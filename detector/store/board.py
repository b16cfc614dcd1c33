"""What the page asks beyond `Reader`: counts over many services at once, always by an index. Read-only."""

# ruff: noqa: S608 - only our own column names are put into a statement; every value is bound
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from detector.domain import Judgement, Mention, PageState, Probabilities
from detector.store.codec import POST_COLUMNS, maybe_time, post_of, to_text, to_time
from detector.store.reader import STALE_AFTER, Reader

_POST = ", ".join(f"p.{name}" for name in POST_COLUMNS.split(", "))
_LATEST = 2000
# Who spoke: one person on one source; a post whose author is not known counts as a person.
_WHO = "j.source || '/' || coalesce(p.author, p.id)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One step of a chart: how many posts named the service, how many distinct people complained."""

    at: datetime
    mentions: int
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialNow:
    """What a provider's page shows at the moment; `title` and `posted_at` are those of the newest incident shown."""

    service: str
    state: PageState
    checked_at: datetime
    description: str
    title: str | None = None
    posted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a monitoring system asks beyond the board.

    Attributes:
        judged: judgements ever recorded.
        owed_since: since when the oldest message that is not sent has been owed; None if none is.
        alive_at: when the daemon last brought a post of its own through every stage.
        lags: by source the mean seconds from writing to reading, over the latest posts of all.
        scores: by service how surprising its open alert is.
    """

    judged: int
    owed_since: datetime | None
    alive_at: datetime | None
    lags: dict[str, float]
    scores: dict[str, float]


class Board:
    """Questions of the page, on the connection of a `Reader`.

    Example:
        >>> import tempfile
        >>> from detector.domain import EPOCH
        >>> from detector.store import Store
        >>> with tempfile.TemporaryDirectory() as folder, Store.open(f"{folder}/d.db", now=EPOCH) as store:
        ...     Board(store.read).created_at() == EPOCH
        True
    """

    def __init__(self, reader: Reader) -> None:
        self.read = reader
        self._all = reader._all

    def version(self) -> int:
        """A figure that changes when another connection has written."""
        return int(self._all("PRAGMA data_version")[0][0])

    def created_at(self) -> datetime | None:
        """When this database was begun."""
        rows = self._all("SELECT value FROM meta WHERE key = 'created_at'")
        return to_time(rows[0][0]) if rows else None

    def checkpoint_id(self) -> int | None:
        """Which saved state is the newest, without reading it."""
        return self._all("SELECT max(id) FROM checkpoints")[0][0]  # type: ignore[no-any-return]

    def voices(self, services: Sequence[str], *, since: datetime) -> list[tuple[str, datetime, str]]:
        """Service, time and person of every post since then that more likely than not speaks of a present failure."""
        rows = self._all(
            f"SELECT j.service, j.seen_at, {_WHO} FROM json_each(?) s "
            "CROSS JOIN judgements j ON j.service = s.value AND j.seen_at >= ? AND j.complaint + j.report >= 0.5 "
            "JOIN posts p ON p.source = j.source AND p.id = j.post_id",
            json.dumps(list(services)),
            to_text(since),
        )
        return [(row[0], to_time(row[1]), row[2]) for row in rows]

    def bins(self, service: str, *, since: datetime, until: datetime, step: timedelta) -> list[Bin]:
        """Counts from the posts themselves, for steps that begin at multiples of `step`; empty steps are left out."""
        size = int(step.total_seconds())
        rows = self._all(
            f"SELECT CAST(strftime('%s', j.seen_at) AS INTEGER) / {size} AS bin, count(DISTINCT {_WHO} || p.id), "
            f"count(DISTINCT CASE WHEN j.complaint + j.report >= 0.5 THEN {_WHO} END) "
            "FROM judgements j JOIN posts p ON p.source = j.source AND p.id = j.post_id "
            "WHERE j.service = ? AND j.seen_at >= ? AND j.seen_at < ? GROUP BY bin ORDER BY bin",
            service,
            to_text(since),
            to_text(until),
        )
        return [
            Bin(at=datetime.fromtimestamp(row[0] * size, UTC), mentions=int(row[1]), people=int(row[2])) for row in rows
        ]

    def hourly(self, service: str, *, since: datetime, until: datetime) -> list[Bin]:
        """The hours that begin in [since, until): totals where they are up to date, else the posts themselves."""
        fresh = self._rolled_until(service)
        cut = until if fresh is None else min(max(fresh, since), until)
        rows = self._all(
            "SELECT hour, sum(mentions), sum(people) FROM hourly WHERE service = ? AND hour >= ? AND hour < ? "
            "GROUP BY hour ORDER BY hour",
            service,
            to_text(since),
            to_text(cut),
        )
        found = [Bin(at=to_time(row[0]), mentions=row[1], people=row[2]) for row in rows]
        return found + self.bins(service, since=cut, until=until, step=timedelta(hours=1)) if cut < until else found

    def _rolled_until(self, service: str) -> datetime | None:
        """The first hour whose totals are behind the judgements; None if all are up to date."""
        rows = self._all(
            # NOT INDEXED leaves the row number as the way in: only what came after the last roll-up is looked at.
            "SELECT min(seen_at) FROM judgements NOT INDEXED WHERE sequence > "
            "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'rolled_sequence'), 0) AND service = ?",
            service,
        )
        if rows[0][0] is None:
            return None
        return to_time(rows[0][0]).replace(minute=0, second=0, microsecond=0)

    def evidence(self, service: str, *, since: datetime, limit: int = 20) -> list[Judgement]:
        """The latest posts that more likely than not speak of a present failure, newest first."""
        rows = self._all(
            f"SELECT {_POST}, j.service, m.matched, m.component, j.complaint, j.report, j.past, j.solo, j.other, "
            "j.classifier FROM judgements j JOIN posts p ON p.source = j.source AND p.id = j.post_id "
            "JOIN mentions m ON m.source = j.source AND m.post_id = j.post_id AND m.service = j.service "
            "WHERE j.service = ? AND j.seen_at >= ? AND j.complaint + j.report >= 0.5 "
            "ORDER BY j.seen_at DESC, j.sequence DESC LIMIT ?",
            service,
            to_text(since),
            limit,
        )
        return [
            Judgement(
                mention=Mention(post=post_of(row), service=row[12], matched=row[13], component=row[14]),
                p=Probabilities(*row[15:20]),
                classifier=row[20],
            )
            for row in rows
        ]

    def components(self, service: str, *, since: datetime) -> list[tuple[str, int]]:
        """The parts that people complained of, with how many people, most first."""
        rows = self._all(
            f"SELECT m.component, count(DISTINCT {_WHO}) AS people FROM judgements j "
            "JOIN posts p ON p.source = j.source AND p.id = j.post_id "
            "JOIN mentions m ON m.source = j.source AND m.post_id = j.post_id AND m.service = j.service "
            "WHERE j.service = ? AND j.seen_at >= ? AND j.complaint + j.report >= 0.5 AND m.component IS NOT NULL "
            "GROUP BY m.component ORDER BY people DESC, m.component LIMIT 12",
            service,
            to_text(since),
        )
        return [(row[0], row[1]) for row in rows]

    def sources_of(self, service: str, *, since: datetime) -> list[tuple[str, int, int]]:
        """The sources that named a service since then, with posts and people by hour, most posts first."""
        rows = self._all(
            "SELECT source, sum(mentions), sum(people) FROM hourly WHERE service = ? AND hour >= ? "
            "GROUP BY source ORDER BY 2 DESC, source",
            service,
            to_text(since),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def official_now(self, services: Sequence[str], *, now: datetime) -> dict[str, OfficialNow]:
        """What each watched page shows; one not read for half an hour is unknown. A service without one is absent."""
        rows = self._all(
            "SELECT r.service, r.last_at, r.state, r.description, i.title, i.first_posted_at FROM json_each(?) s "
            "CROSS JOIN status_readings r ON r.sequence = (SELECT sequence FROM status_readings "
            "  WHERE service = s.value ORDER BY from_at DESC, sequence DESC LIMIT 1) "
            "LEFT JOIN incidents i ON i.service = r.service AND i.id = (SELECT n.id FROM json_each(r.incidents) o "
            "  JOIN incidents n ON n.service = r.service AND n.id = json_extract(o.value, '$.id') "
            "  ORDER BY n.first_posted_at DESC, n.id LIMIT 1)",
            json.dumps(list(services)),
        )
        found = {}
        for service, last_at, state, description, title, posted_at in rows:
            checked_at = min(to_time(last_at), now)
            stale = now - checked_at > STALE_AFTER
            found[service] = OfficialNow(
                service=service,
                state=PageState.UNKNOWN if stale else PageState(state),
                checked_at=checked_at,
                description="not read since" if stale else description,
                title=None if stale else title,
                posted_at=None if stale else maybe_time(posted_at),
            )
        return found

    def figures(self) -> Figures:
        """For the metrics; quick whatever the size of the database."""
        lags: dict[str, list[float]] = {}
        for source, created_at, seen_at in self._all(
            "SELECT source, created_at, seen_at FROM posts WHERE forgotten_at IS NULL ORDER BY seen_at DESC LIMIT ?",
            _LATEST,
        ):
            lags.setdefault(source, []).append((to_time(seen_at) - to_time(created_at)).total_seconds())
        since = self._all("SELECT min(created_at) FROM notifications WHERE sent_at IS NULL AND dead_at IS NULL")[0][0]
        scores = self._all(
            "SELECT service, max(json_extract(estimate, '$.score')) FROM alerts WHERE state = 'firing' GROUP BY service"
        )
        return Figures(
            judged=int(self._all("SELECT coalesce(max(sequence), 0) FROM judgements")[0][0]),
            owed_since=maybe_time(since),
            alive_at=self.read.alive_at(),
            lags={source: sum(each) / len(each) for source, each in lags.items()},
            scores={service: float(score) for service, score in scores if isinstance(score, int | float)},
        )

    def owed(self) -> tuple[int, int]:
        """How many messages wait to be sent, and how many were given up."""
        row = self._all(
            "SELECT count(*) FILTER (WHERE sent_at IS NULL AND dead_at IS NULL), "
            "count(*) FILTER (WHERE dead_at IS NOT NULL) FROM notifications"
        )[0]
        return int(row[0]), int(row[1])
