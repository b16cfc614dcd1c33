"""`detector watch` from settings to the end: the daemon, its reload on SIGHUP, and what it is moved aside for."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from detector.app.answering import answers_beside
from detector.app.build import Blueprint, connect, load_blueprint, make_classifier, make_engine
from detector.app.clock import Clock, SystemClock
from detector.app.daemon import Connections, Daemon
from detector.app.embed import page_beside
from detector.app.house import House
from detector.app.operator import Operator
from detector.app.partition_standby import opened
from detector.app.supervise import ServiceManager, Supervisor, heartbeat_address
from detector.errors import DetectorError
from detector.protocols import Classifier
from detector.store import Store, damaged, move_aside

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Watch:
    """A running `detector watch`: one process, one database, and one daemon after another when settings change.

    Attributes:
        config: the settings file, read again on SIGHUP; None is the default one.
        path: the database.
        clock: the system's.
        standby: wait for the database while another daemon holds it, and take over when that ends.
    """

    plan: Blueprint
    config: Path | None
    path: Path
    clock: Clock = field(default_factory=SystemClock)
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    standby: bool = False
    _daemon: Daemon | None = None
    _next: tuple[Blueprint, Connections] | None = None
    _ended: bool = False
    _judge: tuple[str | None, Classifier] | None = None

    async def run(self, seconds: float | None = None) -> None:
        """Watch until SIGTERM, SIGINT or so many seconds.

        Raises:
            DetectorError: it cannot begin.
        """
        from detector.transport.session import Session

        heartbeat = heartbeat_address(self.env)
        notes: list[str] = []
        store = await (opened(self.path, self.clock) if self.standby else self._open())
        try:
            connections = connect(self.plan, self.path, notes)
        except BaseException:
            store.close()
            raise
        session = Session(allow_private=True, breaker=False)
        supervisor = Supervisor(ServiceManager(self.env), heartbeat=heartbeat, ping=session.get)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload, supervisor)
        timer = loop.call_later(seconds, self._end) if seconds is not None else None
        try:
            while True:
                await self._live(store, connections, notes, supervisor)
                if self._next is None or self._ended:
                    return
                (self.plan, connections), self._next = self._next, None
                notes = []
                # The daemon before is a web of cycles, a megabyte of them: left to itself, Python keeps ten of those.
                gc.collect()
        finally:
            if timer is not None:
                timer.cancel()
            loop.remove_signal_handler(signal.SIGHUP)
            if self._next is not None:
                await _release(self._next[1])
            await session.aclose()
            store.close()

    async def _open(self) -> Store:
        return Store.open(self.path, now=self.clock.now())

    async def _live(self, store: Store, connections: Connections, notes: list[str], supervisor: Supervisor) -> None:
        plan, settings = self.plan, self.plan.settings
        for note in notes:
            logger.warning(note)
        self._daemon = Daemon(
            clock=self.clock,
            store=store,
            make_engine=lambda: make_engine(plan, store, notes, classifier=self._judge_of(plan, notes)),
            connections=connections,
            house=House(
                store=store,
                keep_text=timedelta(days=settings.store.keep_text_days),
                config=self.config,
                backups=settings.store.backups,
                aside=True,
            ),
            operator=Operator(plan.receivers),
            supervisor=supervisor,
            keep_store=True,
        )
        logger.info(
            "watching %d services; sources: %s; status pages: %d; told: %s; database: %s",
            len(plan.services),
            ", ".join(each.source for each in connections.collectors) or "none",
            len(connections.readers),
            ", ".join(each.receiver for each in connections.notifiers) or "nobody",
            self.path,
        )
        async with (
            answers_beside(plan, store, connections.notifiers, self.clock.now) as answering,
            page_beside(plan, store, self.clock, self.env, answering=answering, workings=self._daemon.workings),
        ):
            await self._daemon.run()

    def _judge_of(self, plan: Blueprint, notes: list[str]) -> Classifier:
        """The classifier, loaded once: each further copy of its network would stay in memory.

        One in a folder is read again, since it may have been trained anew; so is one that stands in for another.
        """
        name = plan.settings.watch.classifier
        if self._judge is None or self._judge[0] != name or (name is not None and Path(name).is_dir()):
            before = len(notes)
            made = make_classifier(plan.settings, notes)
            self._judge = (name, made) if len(notes) == before else None
            return made
        return self._judge[1]

    # -- signals ---------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        self._ended = True
        if self._daemon is not None:
            self._daemon.stop()

    def _on_signal(self, number: signal.Signals) -> None:
        if self._ended:
            for each in (signal.SIGTERM, signal.SIGINT):
                signal.signal(each, signal.SIG_DFL)
            signal.raise_signal(number)
        logger.info("stopping on %s; once more ends at once", number.name)
        self._end()

    def _reload(self, supervisor: Supervisor) -> None:
        """Take up new settings where they can be used; else say why not, and go on as before."""
        if self._ended or self._next is not None:
            return
        supervisor.reloading()
        notes: list[str] = []
        try:
            plan = load_blueprint(self.config, self.env)
            if plan.settings.store.path != self.plan.settings.store.path:
                logger.warning("reload: another database is taken up by a restart only; going on with %s", self.path)
            connections = connect(plan, self.path, notes)
        except DetectorError as error:
            # The error holds one line for each mistake; each is one event of the log.
            for line in str(error).splitlines():
                logger.error("reload refused, the settings before stay: %s", line)  # noqa: TRY400 - no bug
            supervisor.ready()
            return
        for note in notes:
            logger.warning(note)
        logger.info("reload: new settings are taken up")
        self._next = (plan, connections)
        if self._daemon is not None:
            self._daemon.stop()


async def _release(connections: Connections) -> None:
    for collector in connections.collectors:
        await collector.aclose()
    for notifier in connections.notifiers:
        await notifier.aclose()
    if connections.close is not None:
        await connections.close()


def recover(path: Path, clock: Clock) -> Path | None:
    """Move a damaged database aside so that a new one is begun; None if there is nothing to move.

    Raises:
        StoreError: it is whole but not ours, in use, or cannot be moved.
    """
    why = damaged(path)
    if why is None:
        return None
    aside = move_aside(path, now=clock.now(), why="corrupt")
    logger.error("%s is damaged (%s): moved to %s; a new one is begun without memory", path, why, aside)
    return aside
