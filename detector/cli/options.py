"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import tzinfo

    from detector.store import Reader

config = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Settings file; default: detector.toml in this folder, or the built-in settings.",
)
database = click.option(
    "--db", "db_path", type=click.Path(path_type=Path), help="Database; default: the one of the settings."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


def store_path(config_path: Path | None, db_path: Path | None) -> Path:
    """The database meant: named, or that of the settings.

    Raises:
        ConfigError: the settings are wrong.
    """
    if db_path is not None:
        return db_path
    from detector.config.settings import default_path, load_settings

    return load_settings(config_path or default_path(), os.environ).store.path


def reader(config_path: Path | None, db_path: Path | None) -> Reader:
    """A look at the database, beside a running daemon or without one.

    Raises:
        StoreError: there is none, or it cannot be used.
    """
    from detector.store import open_reader

    return open_reader(store_path(config_path, db_path))


def zone(config_path: Path | None, db_path: Path | None) -> tzinfo:
    """In which zone times are shown, by the settings; UTC where a database is named and the settings are wrong.

    Raises:
        ConfigError: the settings are wrong.
    """
    from datetime import UTC

    from detector.config.settings import default_path, load_settings
    from detector.errors import ConfigError

    try:
        return load_settings(config_path or default_path(), os.environ).display.zone
    except ConfigError:
        if db_path is None:
            raise
        return UTC
