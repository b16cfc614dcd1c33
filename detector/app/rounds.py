"""What the daemon does four times a minute, in the worker thread: requests, ears, time, canary, house, operator."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.app import inbox
from detector.app.canary import CanaryError
from detector.app.ears import Ears
from detector.app.engine import Engine, Step
from detector.app.health import ENOUGH, GAP_HOLDS, SHARES_REACH, heard_share
from detector.app.house import House
from detector.app.operator import Operator, blind_words
from detector.domain import Coverage, CoverageState, Notification
from detector.errors import StoreError
from detector.store import Store

logger = logging.getLogger(__name__)

SHARES_EVERY = timedelta(hours=1)
_LOG_REACHES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one round brought.

    Attributes:
        steps: the engine's.
        owed: messages about ourselves.
        stored: whether they are in the outbox; if not they must be sent at once.
        alive: the canary came through, or only the database refused it.
        well: nothing at all is wrong.
        words: what is, if something is.
    """

    steps: tuple[Step, ...]
    owed: tuple[Notification, ...]
    stored: bool
    alive: bool
    well: bool
    words: str


class Rounds:
    """Goes round; keeps what it knows between two rounds.

    Args:
        ears: how the sources are doing.
        operator: what the operator is owed.
        house: what is done now and then.

    Attributes:
        blind: the services that cannot be judged for want of ears.
    """

    def __init__(self, *, store: Store, ears: Ears, operator: Operator, house: House) -> None:
        self.blind: frozenset[str] = frozenset()
        self._store = store
        self._ears = ears
        self._operator = operator
        self._house = house
        self._shares: dict[str, dict[str, float]] = {}
        self._shared_at: datetime | None = None
        self._deaf_until: dict[str, datetime] = {}
        self._store_words: str | None = None

    def begin(self, now: datetime) -> None:
        """Take up what the last process left."""
        self._operator.take_up(self._store.read.notifications(limit=_LOG_REACHES))
        self._share(now)

    def go(self, engine: Engine, now: datetime) -> Turn:
        """One round."""
        self._store_words = None
        self._try(lambda: self._requests(engine, now))
        self._try(lambda: self._listen(engine, now))
        step = engine.pass_time(now)
        if step.adrift is not None:
            self._store_words = str(step.adrift)
        broken = engine.sing(now)
        if isinstance(broken, StoreError):
            self._store_words = str(broken)
        if self._house.due(now):
            self._try(lambda: self._house.keep(now))
        self._share(now)
        pipeline = str(broken) if isinstance(broken, CanaryError) else None
        owed, stored = self._owe(engine, pipeline, now)
        wrong = [words for words in (self._store_words, pipeline, self._blind_words(engine, now)) if words]
        return Turn(
            steps=(step,),
            owed=tuple(owed),
            stored=stored,
            alive=pipeline is None,
            well=not wrong,
            words="; ".join(wrong),
        )

    def _try(self, part: object) -> None:
        """A part that the database refuses must not keep the others from their turn."""
        assert callable(part)  # noqa: S101 - for the type checker
        try:
            part()
        except StoreError as error:
            self._store_words = str(error)

    def _requests(self, engine: Engine, now: datetime) -> None:
        done = inbox.collect(self._store, now=now, forget=engine.forget)
        if any(request.kind.startswith("forget") for request in done):
            self._house.copy(now, anew=True)

    # -- ears ------------------------------------------------------------------------------------------------------

    def _listen(self, engine: Engine, now: datetime) -> None:
        for source, since, first in self._ears.silent(now):
            if first:
                logger.warning("%s: nothing came since %s UTC, not even an error", source, f"{since:%H:%M:%S}")
            engine.note(
                Coverage(source=source, from_at=since, to_at=now, state=CoverageState.STALE, note="no answer came")
            )
        health = self._ears.health(now, gap_holds=GAP_HOLDS)
        watched = engine.pipeline.services
        deaf = frozenset(slug for slug in watched if health and heard_share(slug, health, self._shares) < ENOUGH)
        if deaf == frozenset(watched) and deaf != self.blind:
            logger.warning("no source is heard: every service is unknown")
        elif deaf != self.blind:
            for slug in sorted(deaf - self.blind):
                logger.warning("%s: too little is heard; the service is unknown", slug)
        self.blind = deaf
        self._deafen(engine, health_sources=list(health), now=now)

    def _deafen(self, engine: Engine, *, health_sources: list[str], now: datetime) -> None:
        for slug in set(self._deaf_until) - self.blind:
            del self._deaf_until[slug]
        if not self.blind:
            return
        since = {slug: self._deaf_until.get(slug) or self._since(slug, health_sources, now) for slug in self.blind}
        self._deaf_until.update(dict.fromkeys(self.blind, now))
        if self.blind == frozenset(engine.pipeline.services):
            engine.note_blind(min(since.values()), now, "no source is heard")
            return
        for slug, from_at in sorted(since.items()):
            engine.note_blind(from_at, now, "too little is heard", [slug])

    def _since(self, slug: str, sources: list[str], now: datetime) -> datetime:
        own = [name for name in sources if name in self._shares.get(slug, {})]
        return self._ears.deaf_since(own or sources, now)

    def _share(self, now: datetime) -> None:
        if self._shared_at is None or now - self._shared_at >= SHARES_EVERY:
            self._shared_at = now
            try:
                self._shares = self._store.read.shares(since=now - SHARES_REACH)
            except StoreError as error:
                self._store_words = str(error)

    # -- ourselves -------------------------------------------------------------------------------------------------

    def _owe(self, engine: Engine, pipeline: str | None, now: datetime) -> tuple[list[Notification], bool]:
        try:
            silences = [each for each in self._store.read.silences(now=now) if each.starts_at <= now]
        except StoreError:
            silences = []
        owed = []
        for kind, words in (
            ("blind", self._blind_words(engine, now)),
            ("pipeline", pipeline),
            ("surge", engine.pipeline.lifecycle.surge),
            ("database", self._store_words and f"Nothing can be written: {self._store_words}"),
        ):
            owed += self._operator.look(kind, words, now, silences=silences)
        try:
            for message in owed:
                self._store.outbox.add(message)
        except StoreError:
            return owed, False
        return owed, True

    def _blind_words(self, engine: Engine, now: datetime) -> str | None:
        if not self.blind:
            return None
        health = self._ears.health(now, gap_holds=GAP_HOLDS)
        silent = sorted(name for name, each in health.items() if each.state is not CoverageState.OK)
        since = min((self._since(slug, list(health), now) for slug in self.blind), default=now)
        return blind_words(sorted(self.blind), len(engine.pipeline.services), since, silent)
