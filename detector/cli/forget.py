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
@click.option("--show", is_flag=True, help="Print what is kept, as JSON lines, and remove nothing.")
@options.config
@options.database
def command(
    post: tuple[str, str] | None,
    author: tuple[str, str] | None,
    show: bool,
    config_path: Path | None,
    db_path: Path | None,
) -> None:
    """Remove the words, address and author of posts, quotes in alerts included; counts stay.

    What was forgotten is not taken in again. The nightly copies are removed, and one is made anew; copies that you
    made yourself (`detector backup`), and databases moved aside, are yours to delete.
    """
    from detector.app.clock import system_now
    from detector.app.inbox import Request, ask
    from detector.errors import UsageError

    if (post is None) == (author is None):
        raise UsageError("say what to forget: --post SOURCE ID, or --author SOURCE NAME")
    path = options.store_path(config_path, db_path)
    if show:
        _show(path, post, author)
        return
    if post is not None:
        request = Request(kind="forget_post", values={"source": post[0], "id": post[1]})
    else:
        request = Request(kind="forget_author", values={"author": _hash(path, author)})
    now = system_now()
    done = ask(path, request, now=now)
    if done:
        _purge_copies(config_path, path, now)
    click.echo("forgotten" if done else "the daemon forgets it in seconds", err=True)


def _hash(path: Path, author: tuple[str, str] | None) -> str:
    from detector.app.build import author_key
    from detector.collectors.context import author_hash
    from detector.errors import UsageError

    if author is None:
        raise UsageError("say what to forget: --post SOURCE ID, or --author SOURCE NAME")
    return author_hash(author_key(path), *author)


def _show(path: Path, post: tuple[str, str] | None, author: tuple[str, str] | None) -> None:
    """What is kept of one post or one person, for whoever asks what we know of them."""
    import json

    from detector.domain import format_time
    from detector.store import open_reader

    with open_reader(path) as reader:
        found = [reader.post(*post)] if post is not None else list(reader.posts_of(_hash(path, author)))
    for each in found:
        if each is not None:
            shown = {"source": each.source, "id": each.id, "created_at": format_time(each.created_at)}
            click.echo(json.dumps(shown | {"text": each.text, "url": each.url}, ensure_ascii=False))


def _purge_copies(config_path: Path | None, path: Path, now: datetime) -> None:
    from detector.app.house import renew_copies
    from detector.config.settings import default_path, load_settings

    config = config_path or default_path()
    renew_copies(path, config, keep=load_settings(config, os.environ).store.backups, now=now)
