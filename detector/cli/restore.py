"""`detector restore`: back from a backup, in one command."""

from __future__ import annotations

from pathlib import Path

import click

from detector.cli import options


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="Move a database that is there aside (it is not deleted).")
@click.option("--settings", is_flag=True, help="Restore the settings file too; one that differs is moved aside.")
@options.config
@options.database
def command(source: Path, replace: bool, settings: bool, config_path: Path | None, db_path: Path | None) -> None:
    """Put the database (and with --settings the settings) of a backup in place. Stop the daemon first.

    The backup is checked before anything is touched.
    """
    from detector.app.backup import restore_backup
    from detector.app.clock import system_now
    from detector.config.settings import DEFAULT_NAME, default_path

    # Settings that are missing or broken may be the very reason to restore.
    path = db_path or _database(config_path, named=settings)
    config = (config_path or default_path() or Path(DEFAULT_NAME)) if settings else None
    for written in restore_backup(source, path, config, now=system_now(), replace=replace):
        click.echo(written)


def _database(config_path: Path | None, *, named: bool) -> Path:
    from detector.errors import ConfigError, UsageError

    try:
        return options.store_path(config_path, None)
    except ConfigError as error:
        if not named:
            raise
        raise UsageError(f"{error}\nthe settings cannot say where the database belongs; name it with --db") from error
