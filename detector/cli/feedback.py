"""`detector feedback`: a person's word on an alert."""

from __future__ import annotations

from pathlib import Path

import click

from detector.cli import options


@click.command()
@click.argument("alert", metavar="ALERT")
@click.argument("verdict", type=click.Choice(["true", "false"]))
@click.option("--comment", default="", help="In a few words.")
@options.config
@options.database
def command(alert: str, verdict: str, comment: str, config_path: Path | None, db_path: Path | None) -> None:
    """Say whether ALERT (a key from `detector alerts`) was a real outage."""
    from detector.app.clock import system_now
    from detector.app.inbox import Request, ask
    from detector.domain import format_time
    from detector.errors import UsageError
    from detector.store import open_reader

    path = options.store_path(config_path, db_path)
    with open_reader(path) as reader:
        if reader.alert(alert) is None:
            raise UsageError(f"no alert {alert!r}; `detector alerts` lists them")
    now = system_now()
    values = {"alert_key": alert, "real": verdict == "true", "at": format_time(now), "comment": comment}
    done = ask(path, Request(kind="feedback", values=values), now=now)
    click.echo("noted" if done else "the daemon notes it in seconds", err=True)
