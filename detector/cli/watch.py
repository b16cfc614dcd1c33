"""`detector watch`: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from detector.app.build import Blueprint


@click.command()
@options.config
@options.database
@click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after so long.")
def command(config_path: Path | None, db_path: Path | None, seconds: float | None) -> None:
    """Listen to what people say, judge it, and alert. Ends on SIGTERM or Ctrl-C.

    Works with no key and no settings file. Alerts go to stdout, or wherever the settings say; the rest is on stderr.
    """
    import asyncio

    from detector.app.build import load_blueprint
    from detector.app.logs import configure

    plan = load_blueprint(config_path)
    configure(plan.settings.logging.level, plan.settings.logging.format)
    asyncio.run(_watch(plan, db_path or plan.settings.store.path, seconds))


async def _watch(plan: Blueprint, path: Path, seconds: float | None) -> None:
    import asyncio
    import logging
    from datetime import timedelta

    from detector.app.build import connect, make_engine
    from detector.app.clock import SystemClock
    from detector.app.daemon import Daemon
    from detector.store import Store

    log = logging.getLogger(__name__)
    clock = SystemClock()
    notes: list[str] = []
    store = Store.open(path, now=clock.now())
    try:
        connections = connect(plan, path, notes)
    except BaseException:
        store.close()
        raise
    for note in notes:
        log.warning(note)
    daemon = Daemon(
        clock=clock,
        store=store,
        make_engine=lambda: make_engine(plan, store, notes),
        connections=connections,
        keep_text=timedelta(days=plan.settings.store.keep_text_days),
    )
    sources = ", ".join(each.source for each in connections.collectors) or "none"
    log.info(
        "watching %d services; sources: %s; status pages: %d; told: %s; database: %s",
        len(plan.services),
        sources,
        len(connections.readers),
        ", ".join(each.receiver for each in connections.notifiers) or "nobody",
        path,
    )
    daemon.stop_on_signals()
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, daemon.stop)
    await daemon.run()
