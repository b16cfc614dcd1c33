"""`detector watch` with loopback allowed: the same settings, parts and daemon, in a process of its own.

`python -m tests.zoo.watch SETTINGS`; SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from detector.app.build import connect, load_blueprint, make_engine
from detector.app.clock import SystemClock
from detector.app.daemon import Daemon
from detector.app.logs import configure
from detector.store import Store
from detector.transport.session import Session


async def watch(config: Path) -> int:
    """Run until SIGTERM; returns how often a loop broke."""
    plan = load_blueprint(config, os.environ)
    configure("info", "human")
    clock, notes = SystemClock(), list[str]()
    path = plan.settings.store.path
    store = Store.open(path, now=clock.now())
    connections = connect(plan, path, notes, session=Session(allow_private=True))
    for note in notes:
        sys.stderr.write(f"{note}\n")
    daemon = Daemon(
        clock=clock, store=store, make_engine=lambda: make_engine(plan, store, notes), connections=connections
    )
    daemon.stop_on_signals()
    await daemon.run()
    return daemon.errors


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(watch(Path(sys.argv[1]))) else 0)
