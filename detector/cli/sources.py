"""`detector sources`: what each source brought, and whether it is heard; `sources test` asks one now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from detector.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta, tzinfo

    from detector.app.build import Blueprint
    from detector.app.daemon import Connections
    from detector.domain import Coverage
    from detector.match.matcher import NameMatcher
    from detector.protocols import Collector, Harvest
    from detector.store import Reader

_GAP_DAYS = 7
_LAG_HOURS = 6
_LAG_POSTS = 20_000


@click.group(invoke_without_command=True)
@options.config
@options.database
@options.as_json
@click.pass_context
def command(ctx: click.Context, config_path: Path | None, db_path: Path | None, as_json: bool) -> None:
    """Show each source's state, last answer, lag, posts, gaps of a week and next poll, what is left of its rate budget
    where the place tells it, and what was rejected.

    Lag: the median time from writing to our reading, over the last hours in which anything was recorded. The next poll
    is not known of a source that fails or that the settings do not name. "circuit open" means that its host failed five
    times in a row and is left alone for a while.
    """
    if ctx.invoked_subcommand is not None:
        return
    from detector.app.clock import system_now

    now = system_now()
    with options.reader(config_path, db_path) as reader:
        rows = _rows(reader, _intervals(config_path), now)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    zone = options.zone(config_path, db_path)
    heard = f"heard ({now.astimezone(zone):%Z})"
    head = f"{'source':<28} {'state':<8} {heard:<17} {'lag':>7} {'posts':>8} {'again':>7} {'rejected':>8}"
    click.echo(f"{head}  {'gaps, a week':<13} next poll")
    for row in rows:
        click.echo(_line(row, zone).rstrip())
        if row["note"]:
            click.echo(f"    {row['note']}")
        if row["budget"]:
            click.echo(f"    left: {row['budget']}")
        if row["people_masked"]:
            click.echo(f"    masked {row['people_masked']}: people named in posts")
        for reason, total in sorted(row["rejected"].items()):
            click.echo(f"    rejected {total}: {reason}")


def _rows(reader: Reader, intervals: Mapping[str, float], now: datetime) -> list[dict[str, Any]]:
    from datetime import timedelta

    from detector.app.health import source_health
    from detector.domain import CoverageState, format_time
    from detector.transport.hosts import RESTS

    counts = {each.source: each for each in reader.sources()}
    masked, budgets = reader.tallies("masked"), reader.tallies("budget")
    spans = reader.coverage(since=now - timedelta(days=_GAP_DAYS))
    health, lags = source_health(spans, now), _lags(reader, now)
    rows = []
    for name in sorted(counts.keys() | health.keys()):
        count, state = counts.get(name), health.get(name)
        heard_at = state.heard_at if state else (count.polled_at if count else None)
        gaps = [span for span in spans if span.source == name and span.state is CoverageState.GAP]
        polled_at = count.polled_at if count else None
        next_at = None
        # A source that fails waits longer after each failure, and only the daemon knows how long.
        if state is not None and state.state is CoverageState.OK and polled_at is not None and name in intervals:
            next_at = polled_at + timedelta(seconds=intervals[name])
        rows.append(
            {
                "source": name,
                "state": state.state.value if state else "stale",
                "heard_at": format_time(heard_at) if heard_at else None,
                "note": state.note if state else "",
                "circuit": "open" if state is not None and state.note.startswith(RESTS) else "closed",
                "accepted": count.accepted if count else 0,
                "duplicate": count.duplicate if count else 0,
                "rejected": dict(count.rejected) if count else {},
                "lag_seconds": lags.get(name),
                "gaps": len(gaps),
                "gap_minutes": round(_length(gaps).total_seconds() / 60, 1),
                "missed_at_least": sum(span.lower_bound or 0 for span in gaps),
                "next_poll_at": format_time(next_at) if next_at else None,
                "budget": budgets.get(name),
                "people_masked": int(masked.get(name, 0)),
            }
        )
    return rows


def _lags(reader: Reader, now: datetime) -> dict[str, float]:
    """Median seconds from writing to reading by source, over the newest hours that were recorded."""
    from datetime import timedelta
    from statistics import median

    until = min(reader.recorded_until() or now, now)
    waits: dict[str, list[float]] = {}
    for post in reader.posts(since=until - timedelta(hours=_LAG_HOURS), limit=_LAG_POSTS):
        # One that reads many places fills SOURCE:PLACE and is counted as a whole.
        for name in {post.source, post.source.partition(":")[0]}:
            waits.setdefault(name, []).append((post.seen_at - post.created_at).total_seconds())
    return {source: round(median(each), 1) for source, each in waits.items()}


def _length(gaps: Sequence[Coverage]) -> timedelta:
    from datetime import timedelta

    return sum((span.to_at - span.from_at for span in gaps), timedelta())


def _intervals(config_path: Path | None) -> dict[str, float]:
    """Seconds between polls by source, as the settings have them; what cannot be built has none."""
    import asyncio

    from detector.app.build import load_blueprint
    from detector.errors import DetectorError

    try:
        plan = load_blueprint(config_path)
    except DetectorError:
        return {}  # with --db there is something to show without settings

    async def ask() -> dict[str, float]:
        found: dict[str, float] = {}
        for name in plan.settings.sources:
            try:
                made = _alone(plan, name, [])
            except DetectorError:
                continue
            found |= {each.source: each.interval for each in made.collectors}
            await _close(made)
        return found

    return asyncio.run(ask())


def _line(row: dict[str, Any], zone: tzinfo) -> str:
    from detector.domain import parse_time

    heard = f"{parse_time(row['heard_at']).astimezone(zone):%Y-%m-%d %H:%M}" if row["heard_at"] else "never"
    lag = "-" if row["lag_seconds"] is None else _span(row["lag_seconds"])
    gaps = f"{row['gaps']}, {_span(60 * row['gap_minutes'])}" if row["gaps"] else "none"
    after = f"{parse_time(row['next_poll_at']).astimezone(zone):%H:%M:%S}" if row["next_poll_at"] else "-"
    rejected = sum(row["rejected"].values())
    return (
        f"{row['source']:<28} {row['state']:<8} {heard:<17} {lag:>7} {row['accepted']:>8} {row['duplicate']:>7} "
        f"{rejected:>8}  {gaps:<13} {after}"
    )


def _span(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> _span(42), _span(300), _span(9000)
    ('42 s', '5 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@command.command("test")
@click.argument("name")
@click.option("--show", type=click.IntRange(0, 100), default=5, show_default=True, help="How many of the newest posts.")
@options.config
@click.pass_context
def ask_once(ctx: click.Context, name: str, show: int, config_path: Path | None) -> None:
    """Ask the source NAME once and show what it reads: how much, the newest posts, errors. Nothing is stored.

    NAME is a source of the settings (hackernews), one of the places it reads (hackernews:comments, feed:NAME), or a
    kind that the settings do not have yet, with its defaults. Ends with 1 if a place did not answer.
    """
    import asyncio

    from detector.app.build import load_blueprint
    from detector.app.clock import system_now

    outer = ctx.parent.params.get("config_path") if ctx.parent is not None else None
    asyncio.run(_asked(load_blueprint(config_path or outer), name, show, system_now()))


async def _asked(plan: Blueprint, name: str, show: int, now: datetime) -> None:
    import asyncio

    from detector.errors import DetectorError
    from detector.match.matcher import NameMatcher

    found, chosen = await _find(plan, name)
    try:
        answers = await asyncio.gather(*(_poll(each, now) for each in chosen))
    finally:
        await _close(found)
    matcher = NameMatcher(plan.services)
    failed = 0
    for collector, (harvest, words) in zip(chosen, answers, strict=True):
        if harvest is None:
            failed += 1
            click.echo(f"{collector.source}: failed: {words}")
            continue
        for line in _read(collector, harvest, words, matcher, show):
            click.echo(line)
    if failed:
        raise DetectorError(f"{failed} of {len(chosen)} did not answer")


async def _find(plan: Blueprint, name: str) -> tuple[Connections, list[Collector]]:
    """The collectors that are meant, and what must be closed after them.

    Raises:
        NotConfigured, ConfigError: the source lacks its key, or its settings are wrong.
        UsageError: there is none of that name.
    """
    from detector import registry
    from detector.errors import DetectorError, NotConfigured, UsageError

    known = plan.settings.sources
    if name in known or name in registry.names("collectors"):
        notes: list[str] = []
        made = _alone(plan, name, notes)
        if made.collectors:
            return made, list(made.collectors)
        await _close(made)
        raise NotConfigured("; ".join(notes) or f"sources.{name} reads nothing; see its settings")
    places = []
    for each in known:
        try:
            made = _alone(plan, each, [])
        except DetectorError:
            continue
        chosen = [one for one in made.collectors if one.source == name]
        if chosen:
            return made, chosen
        places += [one.source for one in made.collectors]
        await _close(made)
    named = ", ".join(dict.fromkeys([*known, *places, *registry.names("collectors")]))
    raise UsageError(f"no source {name!r}; there are {named}")


def _alone(plan: Blueprint, name: str, notes: list[str]) -> Connections:
    """One source by itself, so that another one's mistake does not matter; one that is switched off is switched on."""
    import tempfile
    from dataclasses import replace

    from detector.app.build import connect, ledger_path
    from detector.config.settings import Source, StatusPages

    source = plan.settings.sources.get(name, Source(type=name)).model_copy(update={"enabled": True})
    alone = {"sources": {name: source}, "receivers": {}, "status": StatusPages(enabled=False)}
    with tempfile.TemporaryDirectory(prefix="detector-try-") as folder:
        # The folder takes a key for the author hashes, so that looking leaves nothing beside the database.
        return connect(
            replace(plan, settings=plan.settings.model_copy(update=alone)),
            Path(folder) / "none.db",
            notes,
            # What a look costs counts against the month's cap like everything else.
            ledger=ledger_path(plan.settings.store.path),
        )


async def _close(made: Connections) -> None:
    for each in made.collectors:
        await each.aclose()
    if made.close is not None:
        await made.close()


async def _poll(collector: Collector, now: datetime) -> tuple[Harvest | None, str]:
    """The harvest and how long it took, or None and the error."""
    import time

    from detector.errors import TransportError

    began = time.monotonic()
    try:
        harvest = await collector.poll(None, now=now)
    except TransportError as error:
        return None, str(error)
    return harvest, f"{time.monotonic() - began:.1f} s"


def _read(collector: Collector, harvest: Harvest, took: str, matcher: NameMatcher, show: int) -> list[str]:
    from detector.notify.escape import plain

    newest = sorted(harvest.posts, key=lambda post: (post.created_at, post.id), reverse=True)
    named = {post.key: [mention.service for mention in matcher.match(post)] for post in newest}
    words = [f"{len(newest)} posts in {took}, {sum(map(bool, named.values()))} name a watched service"]
    words += [f"rejected {total}: {reason}" for reason, total in harvest.rejected]
    words += [f"deleted {len(harvest.deleted)}"] if harvest.deleted else []
    words.append(f"next poll after {_span(harvest.poll_after or collector.interval)}")
    lines = [f"{collector.source}: {'; '.join(words)}"]
    lines += [f"  gap {gap.from_at:%m-%d %H:%M} to {gap.to_at:%H:%M}: {gap.note}" for gap in harvest.gaps]
    for post in newest[:show]:
        services = f"  [{', '.join(named[post.key])}]" if named[post.key] else ""
        lines.append(f"  {post.created_at:%m-%d %H:%M}  {plain(post.text, limit=90)}{services}")
    return lines
