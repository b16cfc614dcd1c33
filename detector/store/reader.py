"""Looking: every question the command line, the page and a restart ask, answered in domain values."""

# ruff: noqa: S608 - only our own column names are put into a statement; every value is bound
from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from detector.alerting.answer import Answer
from detector.domain import (
    Alert,
    AlertState,
    Coverage,
    Decision,
    Judgement,
    Level,
    Mention,
    Notification,
    Post,
    Probabilities,
    Silence,
)
from detector.store.asking import STALE_AFTER, Asking, sound
from detector.store.codec import (
    ALERT_COLUMNS,
    POST_COLUMNS,
    alert_of,
    maybe_time,
    post_of,
    to_text,
    to_time,
)
from detector.store.connection import sound_values
from detector.store.rows import (
    ANSWER_COLUMNS,
    CHANGE_COLUMNS,
    COVERAGE_COLUMNS,
    DECISION_COLUMNS,
    HOUR_COLUMNS,
    NOTIFICATION_COLUMNS,
    SILENCE_COLUMNS,
    answer_of,
    change_of,
    coverage_of,
    decision_of,
    hour_of,
    notification_of,
    silence_of,
)
from detector.store.values import AlertChange, Checkpoint, Feedback, HourTotal, SourceCounts

logger = logging.getLogger(__name__)

__all__ = ["STALE_AFTER", "Reader"]

_PAGE = 2000
_POST = ", ".join(f"p.{name}" for name in POST_COLUMNS.split(", "))


class Reader(Asking):
    """Questions to a database; never writes. Times given are aware, times returned are UTC.

    Example:
        >>> import tempfile
        >>> from detector.domain import EPOCH
        >>> from detector.store import Store, open_reader
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Store.open(f"{folder}/detector.db", now=EPOCH).close()
        ...     with open_reader(f"{folder}/detector.db") as reader:
        ...         reader.alerts()
        []
    """

    # posts and judgements

    @sound
    def posts(self, *, since: datetime | None = None, limit: int = 100) -> list[Post]:
        """Posts seen at or after a time, in `Post.order`."""
        rows = self._all(
            f"SELECT {POST_COLUMNS} FROM posts WHERE seen_at >= ? ORDER BY seen_at, source, id LIMIT ?",
            "" if since is None else to_text(since),
            limit,
        )
        return [post_of(row) for row in rows]

    @sound
    def posts_of(self, author: str) -> list[Post]:
        """Everything that is kept of the holder of a keyed hash, in `Post.order`."""
        rows = self._all(f"SELECT {POST_COLUMNS} FROM posts WHERE author = ? ORDER BY seen_at, source, id", author)
        return [post_of(row) for row in rows]

    @sound
    def post(self, source: str, post_id: str) -> Post | None:
        """One post as it is kept; None if it is not here."""
        rows = self._all(f"SELECT {POST_COLUMNS} FROM posts WHERE source = ? AND id = ?", source, post_id)
        return post_of(rows[0]) if rows else None

    @sound
    def posts_back(self, source: str, *, since: datetime, before: Post | None = None, limit: int = 500) -> list[Post]:
        """Posts of a source and its places that still have their words, newest first; from `before` on backwards."""
        place = (to_text(before.seen_at), before.source, before.id) if before is not None else ("~", "", "")
        rows = self._all(
            f"SELECT {POST_COLUMNS} FROM posts WHERE (source = ?1 OR (source > ?1 || ':' AND source < ?1 || ';')) "
            "AND seen_at >= ?2 AND (seen_at, source, id) < (?3, ?4, ?5) AND forgotten_at IS NULL "
            "ORDER BY seen_at DESC, source DESC, id DESC LIMIT ?6",
            source,
            to_text(since),
            *place,
            limit,
        )
        return [post_of(row) for row in rows]

    @sound
    def tallies(self, what: str) -> dict[str, str]:
        """What `Store.tally` keeps under this name, by source."""
        rows = self._all("SELECT key, value FROM meta WHERE key > ?1 || ':' AND key < ?1 || ';'", what)
        return {key.partition(":")[2]: value for key, value in rows}

    @sound
    def pending_posts(self) -> list[Post]:
        """Posts stored but not yet judged, in `Post.order`: what a restart takes up first."""
        rows = self._all(f"SELECT {POST_COLUMNS} FROM posts WHERE judged_at IS NULL AND weighed_at IS NULL")
        # Sorted here, not by SQLite: its order of text is by bytes, Python's by code point, and one order must rule.
        return sorted((post_of(row) for row in rows), key=lambda post: post.order)

    @sound
    def estimated_posts(self, limit: int) -> list[Post]:
        """Posts counted by an estimate and still to be judged, oldest first."""
        rows = self._all(
            f"SELECT {POST_COLUMNS} FROM posts WHERE judged_at IS NULL AND weighed_at IS NOT NULL "
            "ORDER BY seen_at, source, id LIMIT ?",
            limit,
        )
        return [post_of(row) for row in rows]

    def stored(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Which of these posts, by source and id, are here."""
        return [key for key in keys if self._all("SELECT 1 FROM posts WHERE source = ? AND id = ?", *key)]

    def judgements_after(self, sequence: int) -> Iterator[tuple[int, Judgement]]:
        """Every judgement recorded after `sequence`, with its number, in the order recorded."""
        while True:
            # Page by page: the whole history need not fit in memory, and the writer is not kept waiting.
            rows = self._all(
                f"SELECT {_POST}, j.sequence, j.service, m.matched, m.component, j.complaint, j.report, j.past, "
                "j.solo, j.other, j.classifier FROM judgements j "
                "JOIN posts p ON p.source = j.source AND p.id = j.post_id "
                "JOIN mentions m ON m.source = j.source AND m.post_id = j.post_id AND m.service = j.service "
                "WHERE j.sequence > ? ORDER BY j.sequence LIMIT ?",
                sequence,
                _PAGE,
            )
            for row in rows:
                with sound_values(self._path):
                    mention = Mention(post=post_of(row), service=row[13], matched=row[14], component=row[15])
                    judgement = Judgement(mention=mention, p=Probabilities(*row[16:21]), classifier=row[21])
                yield row[12], judgement
            if len(rows) < _PAGE:
                return
            sequence = rows[-1][12]

    @sound
    def latest_checkpoint(self) -> Checkpoint | None:
        """The newest saved state that can be read, None before the first."""
        for state, sequence, at in self._all("SELECT state, sequence, at FROM checkpoints ORDER BY id DESC"):
            try:
                return Checkpoint(state=json.loads(state), sequence=sequence, at=to_time(at))
            except ValueError as error:
                # The one before serves as well: what came after it is rebuilt from the judgements.
                logger.warning("%s: a saved state cannot be read (%s); trying an older one", self._path, error)
        return None

    @sound
    def recorded_until(self) -> datetime | None:
        """How far the pipeline's time had come at the last `record`."""
        rows = self._all("SELECT value FROM meta WHERE key = 'recorded_until'")
        return to_time(rows[0][0]) if rows else None

    @sound
    def alive_at(self) -> datetime | None:
        """When the daemon last brought a post of its own through every stage; None if it never did."""
        rows = self._all("SELECT value FROM meta WHERE key = 'alive_at'")
        return to_time(rows[0][0]) if rows else None

    # alerts

    @sound
    def alerts(
        self,
        *,
        service: str | None = None,
        state: AlertState | None = None,
        levels: Sequence[Level] = tuple(Level),
        since: datetime | None = None,
        limit: int = 1000,
    ) -> list[Alert]:
        """Alerts, newest first; `since` asks for those not over before that time."""
        rows = self._all(
            f"SELECT {ALERT_COLUMNS} FROM alerts WHERE service = coalesce(?, service) AND state = coalesce(?, state) "
            f"AND level IN ({','.join('?' * len(levels))}) AND (ended_at IS NULL OR ended_at >= ?) "
            "ORDER BY watch_at DESC, key LIMIT ?",
            service,
            None if state is None else state.value,
            *(level.value for level in levels),
            "" if since is None else to_text(since),
            limit,
        )
        return [alert_of(row) for row in rows]

    @sound
    def alert(self, key: str) -> Alert | None:
        """One alert with its estimate and quotes; None if there is none of that key."""
        rows = self._all(f"SELECT {ALERT_COLUMNS} FROM alerts WHERE key = ?", key)
        return alert_of(rows[0]) if rows else None

    @sound
    def alert_changes(self, key: str) -> list[AlertChange]:
        """The life of an alert, step by step."""
        rows = self._all(
            f"SELECT {CHANGE_COLUMNS} FROM alert_changes WHERE alert_key = ? ORDER BY sequence",
            key,
        )
        return [change_of(row) for row in rows]

    @sound
    def decisions(self, key: str) -> list[Decision]:
        """Why each receiver was, or was not, told of an alert, in order."""
        rows = self._all(
            f"SELECT {DECISION_COLUMNS} FROM decisions WHERE alert_key = ? ORDER BY sequence",
            key,
        )
        return [decision_of(row) for row in rows]

    @sound
    def notifications(self, key: str | None = None, *, limit: int = 1000) -> list[Notification]:
        """Messages owed, sent and given up, newest first; of one alert if a key is given."""
        rows = self._all(
            f"SELECT {NOTIFICATION_COLUMNS} FROM notifications WHERE alert_key = coalesce(?, alert_key) "
            "ORDER BY sequence DESC LIMIT ?",
            key,
            limit,
        )
        return [notification_of(row) for row in rows]

    @sound
    def dead_letters(self, *, limit: int = 1000) -> list[Notification]:
        """Messages given up, newest first; `failed` says why."""
        rows = self._all(
            f"SELECT {NOTIFICATION_COLUMNS} FROM notifications WHERE dead_at IS NOT NULL "
            "ORDER BY sequence DESC LIMIT ?",
            limit,
        )
        return [notification_of(row) for row in rows]

    @sound
    def unsent(self, *, limit: int = 1000) -> list[Notification]:
        """Messages that wait to be sent, oldest first."""
        rows = self._all(
            f"SELECT {NOTIFICATION_COLUMNS} FROM notifications WHERE sent_at IS NULL AND dead_at IS NULL "
            "ORDER BY sequence LIMIT ?",
            limit,
        )
        return [notification_of(row) for row in rows]

    @sound
    def silences(self, *, now: datetime | None = None) -> list[Silence]:
        """Silences by their start; with `now`, only those that hold or are still to come."""
        rows = self._all(
            f"SELECT {SILENCE_COLUMNS} FROM silences WHERE ends_at > ? ORDER BY starts_at, id",
            "" if now is None else to_text(now),
        )
        return [silence_of(row) for row in rows]

    @sound
    def feedback(self, key: str | None = None) -> list[Feedback]:
        """What people said of alerts, oldest first."""
        rows = self._all(
            "SELECT alert_key, real, at, comment FROM feedback WHERE alert_key = coalesce(?, alert_key) "
            "ORDER BY sequence",
            key,
        )
        return [Feedback(alert_key=row[0], real=bool(row[1]), at=to_time(row[2]), comment=row[3]) for row in rows]

    @sound
    def answers(self, key: str | None = None) -> list[Answer]:
        """What people answered by a message's buttons, oldest first; of one alert if a key is given."""
        if not self._all("SELECT 1 FROM sqlite_master WHERE name = 'answers'"):
            return []  # written by an earlier release, and no daemon of this one has opened it yet
        rows = self._all(
            f"SELECT {ANSWER_COLUMNS} FROM answers WHERE alert_key = coalesce(?, alert_key) ORDER BY sequence", key
        )
        return [answer_of(row) for row in rows]

    # sources and totals

    @sound
    def coverage(self, source: str | None = None, *, since: datetime | None = None) -> list[Coverage]:
        """Spans that reach past `since`, in the order they were noted."""
        rows = self._all(
            f"SELECT {COVERAGE_COLUMNS} FROM coverage "
            "WHERE source = coalesce(?, source) AND to_at >= ? ORDER BY sequence",
            source,
            "" if since is None else to_text(since),
        )
        return [coverage_of(row) for row in rows]

    def cursor(self, source: str) -> str | None:
        """Where a collector goes on; None before its first answer."""
        rows = self._all("SELECT cursor FROM cursors WHERE source = ?", source)
        return rows[0][0] if rows else None

    @sound
    def sources(self) -> list[SourceCounts]:
        """What became of everything each source brought, by name."""
        outcomes: dict[str, dict[tuple[str, str], int]] = {}
        for source, outcome, reason, total in self._all(
            "SELECT source, outcome, reason, total FROM counters ORDER BY source, outcome, reason"
        ):
            outcomes.setdefault(source, {})[outcome, reason] = total
        polls = {row[0]: row[1:] for row in self._all("SELECT source, cursor, polled_at FROM cursors")}
        return [
            SourceCounts(
                source=source,
                accepted=outcomes.get(source, {}).get(("accepted", ""), 0),
                duplicate=outcomes.get(source, {}).get(("duplicate", ""), 0),
                rejected=tuple(
                    (reason, total)
                    for (outcome, reason), total in outcomes.get(source, {}).items()
                    if outcome == "rejected"
                ),
                cursor=polls.get(source, (None, None))[0],
                polled_at=maybe_time(polls.get(source, (None, None))[1]),
            )
            for source in sorted(outcomes.keys() | polls.keys())
        ]

    @sound
    def shares(self, *, since: datetime) -> dict[str, dict[str, float]]:
        """By service, the share each source has had of the posts that named it, as of the last `rollup`."""
        found: dict[str, dict[str, float]] = {}
        for service, source, mentions in self._all(
            "SELECT service, source, sum(mentions) FROM hourly WHERE hour >= ? GROUP BY service, source", to_text(since)
        ):
            found.setdefault(service, {})[source] = float(mentions)
        for by_source in found.values():
            total = sum(by_source.values())
            by_source.update({source: count / total for source, count in by_source.items()})
        return found

    @sound
    def hours(self, service: str, *, since: datetime, until: datetime) -> list[HourTotal]:
        """Totals of the hours that begin in [since, until), by hour and source, as of the last `rollup`."""
        rows = self._all(
            f"SELECT {HOUR_COLUMNS} FROM hourly WHERE service = ? AND hour >= ? AND hour < ? ORDER BY hour, source",
            service,
            to_text(since),
            to_text(until),
        )
        return [hour_of(row) for row in rows]
