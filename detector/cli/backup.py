"""`detector backup`: everything a new machine needs, in one file."""

from __future__ import annotations

from pathlib import Path

import click

from detector.cli import options


@click.command()
@click.argument("target", type=click.Path(path_type=Path), default=Path())
@options.config
@options.database
def command(target: Path, config_path: Path | None, db_path: Path | None) -> None:
    """Copy database, author key and settings into one file: TARGET, or a file named by the time in that folder.

    Works beside a running daemon. The copy is checked before it is called done. It holds the key of the author
    hashes: keep it as safe as the database. What is forgotten later stays in copies made before.
    """
    from detector.app.backup import make_backup
    from detector.app.clock import system_now
    from detector.config.settings import default_path

    path = options.store_path(config_path, db_path)
    click.echo(make_backup(path, config_path or default_path(), target, now=system_now()))
