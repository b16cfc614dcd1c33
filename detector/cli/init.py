"""`detector init`: write a commented settings file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default="detector.toml")
def command(path: Path) -> None:
    """Write a commented settings file (detector.toml), every line of it a default. Never overwrites."""
    from detector.config.settings import template
    from detector.errors import UsageError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError as error:
        raise UsageError(f"{path}: there is one already; remove it first, or name another file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); name another place") from error
    click.echo(f"{path}: written; edit it, then run detector watch --config {path}", err=True)
