"""`detector forget`: remove what somebody wrote."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import click

from detector.cli import options


@click.command()
@click.option("--post", nargs=2, metavar="SOURCE ID", help="One post.")
@click.option("--author", nargs=2, metavar="SOURCE NAME", help="Everything by one author of a source.")
@options.config
@options.database
def command(
    post: tuple[str, str] | None, author: tuple[str, str] | None, config_path: Path | None, db_path: Path | None
) -> None:
    """Remove the words, address and author of posts, quotes in alerts included; counts stay.

    What was forgotten is not taken in again. The nightly copies are removed, and one is made anew; copies that you
    made yourself (`detector backup`), and databases moved aside, are yours to delete.
    """
    from detector.app.build import author_key
    from detector.app.clock import system_now
    from detector.app.inbox import Request, ask
    from detector.collectors.context import author_hash
    from detector.errors import UsageError

    if (post is None) == (author is None):
        raise UsageError("say what to forget: --post SOURCE ID, or --author SOURCE NAME")
    path = options.store_path(config_path, db_path)
    if post is not None:
        request = Request(kind="forget_post", values={"source": post[0], "id": post[1]})
    else:
        assert author is not None  # noqa: S101 - one of the two is given
        source, name = author
        request = Request(kind="forget_author", values={"author": author_hash(author_key(path), source, name)})
    now = system_now()
    done = ask(path, request, now=now)
    if done:
        _purge_copies(config_path, path, now)
    click.echo("forgotten" if done else "the daemon forgets it in seconds", err=True)


def _purge_copies(config_path: Path | None, path: Path, now: datetime) -> None:
    from detector.app.house import renew_copies
    from detector.config.settings import default_path, load_settings

    config = config_path or default_path()
    renew_copies(path, config, keep=load_settings(config, os.environ).store.backups, now=now)
