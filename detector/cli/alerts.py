"""`detector alerts`: what was raised."""

from __future__ import annotations

import json
from pathlib import Path

import click

from detector.cli import options


@click.command()
@options.config
@options.database
@click.option("--service", metavar="SLUG", help="Only of this service.")
@click.option(
    "--level", type=click.Choice(["watch", "alert", "major"]), default="alert", show_default=True, help="Least level."
)
@click.option("--open", "only_open", is_flag=True, help="Only those that still fire.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@options.as_json
def command(
    config_path: Path | None,
    db_path: Path | None,
    service: str | None,
    level: str,
    only_open: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List alerts, newest first. `--json` prints the lines of alerts.jsonl."""
    from detector.backfill.lines import alert_line
    from detector.domain import AlertState, Level

    with options.reader(config_path, db_path) as reader:
        found = reader.alerts(
            service=service,
            state=AlertState.FIRING if only_open else None,
            levels=[each for each in Level if each.rank >= Level(level).rank],
            limit=limit,
        )
    zone = options.zone(config_path, db_path)
    if not found:
        click.echo("no alerts", err=True)
    for alert in found:
        if as_json:
            click.echo(json.dumps(alert_line(alert), ensure_ascii=False))
            continue
        began = (alert.fired_at or alert.watch_at).astimezone(zone)
        ended = f"{alert.ended_at.astimezone(zone):%m-%d %H:%M %Z}" if alert.ended_at else f"still firing ({began:%Z})"
        click.echo(
            f"{alert.key:<36} {alert.level.value:<6} {began:%Y-%m-%d %H:%M} - {ended:<18} "
            f"{alert.estimate.people:5.1f} people in {alert.estimate.window_minutes:.0f} min, "
            f"{alert.estimate.expected:.2f} expected"
        )
