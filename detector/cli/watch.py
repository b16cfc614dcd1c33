"""`detector watch`: the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from detector.cli import options


@click.command()
@options.config
@options.database
@click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after so long.")
@click.option("--standby", is_flag=True, help="Wait while another daemon holds the database, then take over.")
@click.option("--recover", is_flag=True, help="Move a damaged database aside and begin a new one.")
def command(
    config_path: Path | None, db_path: Path | None, seconds: float | None, standby: bool, recover: bool
) -> None:
    """Listen to what people say, judge it, and alert. Ends on SIGTERM or Ctrl-C; SIGHUP reads the settings again.

    Works with no key and no settings file. Alerts go to stdout, or wherever the settings say; the rest is on stderr.
    A damaged database is refused: restore a backup (`detector restore`), or begin anew with --recover.
    """
    import asyncio

    from detector.app import watch
    from detector.app.build import load_blueprint
    from detector.app.clock import SystemClock
    from detector.app.logs import configure
    from detector.config.settings import default_path

    config_path = config_path or default_path()
    plan = load_blueprint(config_path)
    configure(plan.settings.logging.level, plan.settings.logging.format, path=plan.settings.logging.file)
    path = db_path or plan.settings.store.path
    if recover:
        watch.recover(path, SystemClock())
    asyncio.run(watch.Watch(plan=plan, config=config_path, path=path, standby=standby).run(seconds))
