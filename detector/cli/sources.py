"""`detector sources`: what each source brought, and whether it is heard."""

from __future__ import annotations

import json
from pathlib import Path

import click

from detector.cli import options


@click.command()
@options.config
@options.database
@options.as_json
def command(config_path: Path | None, db_path: Path | None, as_json: bool) -> None:
    """Show each source's state, its last answer, and what became of everything it brought."""
    from datetime import timedelta

    from detector.app.clock import system_now
    from detector.app.health import source_health
    from detector.domain import format_time

    now = system_now()
    with options.reader(config_path, db_path) as reader:
        counts = {each.source: each for each in reader.sources()}
        health = source_health(reader.coverage(since=now - timedelta(days=7)), now)
    if not as_json:
        click.echo(f"{'source':<28} {'state':<8} {'heard (UTC)':<17} {'accepted':>9} {'duplicate':>9} {'rejected':>9}")
    for name in sorted(counts.keys() | health.keys()):
        count, state = counts.get(name), health.get(name)
        accepted, duplicate = (count.accepted, count.duplicate) if count else (0, 0)
        rejected = dict(count.rejected) if count else {}
        heard_at = state.heard_at if state else (count.polled_at if count else None)
        if as_json:
            line = {
                "source": name,
                "state": state.state.value if state else "stale",
                "heard_at": format_time(heard_at) if heard_at else None,
                "note": state.note if state else "",
                "accepted": accepted,
                "duplicate": duplicate,
                "rejected": rejected,
            }
            click.echo(json.dumps(line, ensure_ascii=False))
            continue
        heard = f"{heard_at:%Y-%m-%d %H:%M}" if heard_at else "never"
        click.echo(
            f"{name:<28} {state.state.value if state else 'stale':<8} {heard:<17} {accepted:>9} {duplicate:>9} "
            f"{sum(rejected.values()):>9}"
        )
        if state and state.note:
            click.echo(f"    {state.note}")
        for reason, total in sorted(rejected.items()):
            click.echo(f"    rejected {total}: {reason}")
