"""`detector silence`: tell nobody for a while."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import click

from detector.cli import options

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.group()
def command() -> None:
    """Tell nobody about a service for a while; alerts are still raised and kept."""


@command.command("add")
@click.argument("service", metavar="SERVICE")
@click.option("--for", "span", required=True, metavar="SPAN", help="How long: 30m, 2h, 1d, 1w.")
@click.option("--comment", default="", help="Why.")
@options.config
@options.database
def add(service: str, span: str, comment: str, config_path: Path | None, db_path: Path | None) -> None:
    """Begin a silence for SERVICE ("*" is all) now; prints its id."""
    import secrets

    from detector.app.clock import system_now
    from detector.app.inbox import Request, ask
    from detector.config.own import known_services
    from detector.domain import format_time
    from detector.errors import UsageError
    from detector.notify.words import moment_words

    if service != "*" and service not in {each.slug for each in known_services(config_path).services}:
        raise UsageError(f"no service {service!r}; `detector services` lists them")
    now = system_now()
    ends_at = now + read_span(span)
    name = f"s-{secrets.token_hex(3)}"
    values = {
        "id": name,
        "service": service,
        "starts_at": format_time(now),
        "ends_at": format_time(ends_at),
        "comment": comment,
    }
    zone = options.zone(config_path, db_path)
    done = ask(options.store_path(config_path, db_path), Request(kind="silence", values=values), now=now)
    click.echo(name)
    click.echo(
        f"silent until {moment_words(ends_at, zone)}{'' if done else '; the daemon takes it up in seconds'}", err=True
    )


@command.command("list")
@options.config
@options.database
def show(config_path: Path | None, db_path: Path | None) -> None:
    """Show the silences that hold or are still to come."""
    from detector.app.clock import system_now
    from detector.notify.words import moment_words

    zone = options.zone(config_path, db_path)
    with options.reader(config_path, db_path) as reader:
        for each in reader.silences(now=system_now()):
            click.echo(
                f"{each.id:<10} {each.service:<20} until {moment_words(each.ends_at, zone)}  {each.comment}".rstrip()
            )


@command.command("end")
@click.argument("silence", metavar="ID")
@options.config
@options.database
def end(silence: str, config_path: Path | None, db_path: Path | None) -> None:
    """End the silence ID now."""
    from detector.app.clock import system_now
    from detector.app.inbox import Request, ask

    done = ask(
        options.store_path(config_path, db_path), Request(kind="expire", values={"id": silence}), now=system_now()
    )
    click.echo("ended" if done else "the daemon ends it in seconds", err=True)


def read_span(text: str) -> timedelta:
    """Read "30m", "2h", "1d", "1w".

    Raises:
        UsageError: it has another form, or is longer than a year.

    >>> read_span("90m").total_seconds()
    5400.0
    """
    from detector.errors import UsageError

    found = re.fullmatch(r"\s*(\d{1,6})\s*([mhdw])\s*", text)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < span <= timedelta(days=366):
        raise UsageError(f"span {text!r}: write a number and m, h, d or w, up to a year, as in 2h")
    return span
