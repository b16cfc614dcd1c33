"""`detector serve`: the page alone, over a database that a daemon writes or has written."""

from __future__ import annotations

from pathlib import Path

import click

from detector.cli import options

TOKEN = "DETECTOR_WEB_TOKEN"  # noqa: S105 - the variable's name
# 256 bits in base64.
_SHORTEST = 43


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port; default: that of the settings (8765), 0: any.")
@click.option("--host", help="Address to listen on; default: that of the settings (127.0.0.1).")
@click.option("--name", "names", multiple=True, metavar="HOST[:PORT]", help="A further name the page is reached by.")
@options.config
@options.database
def command(
    port: int | None, host: str | None, names: tuple[str, ...], config_path: Path | None, db_path: Path | None
) -> None:
    """Show the page: what is failing, since when, how sure we are and why. Read-only.

    It listens on this machine only. Any other --host needs a token in the variable DETECTOR_WEB_TOKEN, and a --name
    for each name by which browsers reach it.
    """
    import asyncio
    import os

    from detector.app.build import load_blueprint
    from detector.app.clock import SystemClock
    from detector.app.logs import configure
    from detector.app.page import page_surroundings
    from detector.store import open_reader
    from detector.web import create_app, make_server

    plan = load_blueprint(config_path)
    configure(plan.settings.logging.level, plan.settings.logging.format, path=plan.settings.logging.file)
    host = host or plan.settings.web.host
    token = access(host, os.environ.get(TOKEN, ""))
    path = db_path or plan.settings.store.path
    open_reader(path).close()  # a wrong path is said now, not in the browser
    chosen = plan.settings.web.port if port is None else port
    app = create_app(
        lambda: open_reader(path), around=page_surroundings(plan, SystemClock().now), token=token, hosts=names
    )
    server = make_server(app, host=host, port=chosen, signals=True)
    if token is not None:
        click.echo(
            f"warning: {host} can be reached by other machines; everybody needs the token, and nothing is encrypted "
            "unless a proxy with TLS stands before it",
            err=True,
        )
    click.echo(f"{server.address} (read-only: feedback and silences go through the daemon or the command line)")
    asyncio.run(server.serve())


def access(host: str, given: str) -> str | None:
    """The token that is needed at an address; None where only this machine can connect.

    Raises:
        UsageError: other machines can connect and there is no token, or a short one.
    """
    from detector.errors import UsageError
    from detector.web.server import is_loopback

    token = given.strip()
    if token and len(token) < _SHORTEST:
        raise UsageError(f"{TOKEN} holds {len(token)} letters; a token has at least {_SHORTEST}: {_make()}")
    if is_loopback(host):
        return token or None
    if not token:
        raise UsageError(f"{host} can be reached by other machines: set {TOKEN} to a token, {_make()}")
    return token


def _make() -> str:
    return "made by python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
