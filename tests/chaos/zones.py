"""The recorded morning moved onto a change of the clocks, under a zone of the system's: what comes of it, as bytes."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from detector.app.engine import in_batches
from detector.app.logs import configure
from detector.app.scenario import quiet_weeks
from detector.backfill.lines import alert_line
from detector.domain import MINUTE, format_time, parse_time
from detector.protocols import Harvest
from detector.store import Store

# Both changes of a year where there are any, and the same moments where there are none.
EDGES = {
    "America/New_York": (datetime(2026, 3, 8, 7, 0, tzinfo=UTC), datetime(2026, 11, 1, 6, 0, tzinfo=UTC)),
    "Asia/Kolkata": (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
    "Pacific/Chatham": (datetime(2026, 4, 4, 14, 0, tzinfo=UTC), datetime(2026, 9, 26, 14, 0, tzinfo=UTC)),
}


async def zoned(order: dict[str, Any]) -> None:
    """Quiet weeks, then the morning with its first complaint at `edge`; writes the digests of what came of it."""
    os.environ["TZ"] = order["zone"]
    time.tzset()
    folder = Path(order["folder"])
    told = io.StringIO()
    configure("info", "json", told)
    digests = morning(folder / "zoned.db", datetime.fromisoformat(order["edge"]))
    logging.getLogger("detector").info("local hour %s", time.strftime("%H", time.localtime(0)))
    digests["local"] = time.strftime("%H:%M", time.localtime(0))
    (folder / "zoned.json").write_text(json.dumps(digests), encoding="utf-8")


def morning(path: Path, edge: datetime) -> dict[str, str]:
    """Digests of the database and of the alerts as JSON lines."""
    from tests.app.morning import engine_on, scenario

    told = scenario()
    shift = edge - (told.starts_at + 27 * MINUTE)
    rule = told.rule | {
        # Ten days are enough to learn from, and so much quicker.
        "starts_at": format_time(edge - timedelta(days=10)),
        "ends_at": format_time(parse_time(told.rule["ends_at"]) + shift),
    }
    start = told.starts_at + shift
    with Store.open(path, now=start) as store:
        engine = engine_on(store)
        for batch in in_batches(quiet_weeks(rule, until=start), 720 * MINUTE):
            engine.take("before", Harvest(posts=tuple(batch)), batch[-1].seen_at)
        engine.checkpoint(start)
        posts = [replace(each, created_at=each.created_at + shift, seen_at=each.seen_at + shift) for each in told.posts]
        for minute in range(90):
            now = start + minute * MINUTE
            due = tuple(each for each in posts if now - MINUTE < each.seen_at <= now)
            engine.take("now", Harvest(posts=due, cursor=str(minute)), now)
        store.rollup()
        alerts = store.read.alerts()
        lines = [json.dumps(alert_line(each), sort_keys=True) for each in alerts]
        dump = "\n".join(line for line in store._conn.iterdump() if "_sqlite_migrations" not in line)
    return {
        "alerts": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "database": hashlib.sha256(dump.encode()).hexdigest(),
        "count": str(len(alerts)),
    }
