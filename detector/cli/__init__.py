"""The `detector` command: a table of commands, each imported only when it is called.

A command lives in `detector/cli/NAME.py` and is the click command there called `command`. Its one-line help stands
in the table, so that `detector --help` imports none of them.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import NoReturn

import click

from detector.errors import DetectorError

COMMANDS = {
    "watch": "Run the daemon: listen, judge, alert.",
    "serve": "Show the page over a database, read-only.",
    "top": "Show the board in this terminal.",
    "demo": "Replay a recorded morning through the live daemon.",
    "init": "Write a commented detector.toml.",
    "services": "List the services that can be watched; check or add one.",
    "sources": "Show what each source brought and how it is doing; test one.",
    "alerts": "List the alerts, newest first.",
    "explain": "Show why an alert was raised and who was told.",
    "report": "Write up one outage: timeline, figures, quotes, lead.",
    "status": "Say how services are doing, as an exit code.",
    "doctor": "Check settings, keys, model, database and channels.",
    "notify": "Try the receivers, or show what one would be sent.",
    "silence": "Tell nobody about a service for a while.",
    "feedback": "Say whether an alert was true.",
    "label": "Label the posts the classifier is least sure of.",
    "forget": "Remove a post or an author from the database.",
    "backup": "Copy database, key and settings into one file.",
    "restore": "Put a backup in place.",
    "classify": "Judge posts: JSONL in, JSONL out.",
    "train": "Train a classifier from labelled posts.",
    "evaluate": "Measure a classifier on labelled posts.",
    "backfill": "Replay an archive: was it early?",
    "tune": "Try budgets on an archive: delay against false alarms.",
    "evaluate-detection": "Score a replay's alerts against the true outages.",
    "simulate": "Write an archive of posts that nobody wrote, with known outages.",
}


class _Failure(click.ClickException):
    """A deliberate error as click shows it: a message on stderr and the error's own exit code."""

    def __init__(self, error: DetectorError) -> None:
        super().__init__(str(error) or type(error).__name__)
        self._code = error.exit_code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What the process ends with."""
        return self._code


class CommandTable(click.Group):
    """A click group that imports a command's module when the command is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command called `cmd_name`, imported now; None if the table has no such name."""
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"detector.cli.{cmd_name.replace('-', '_')}").command
        if not isinstance(found, click.Command):
            raise TypeError(f"detector.cli.{cmd_name}.command is no click command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown name gets the nearest known one (click looks among loaded commands only)."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            if near:
                raise click.UsageError(f"no command {args[0]!r}; did you mean {near[0]!r}?", ctx) from error
            raise

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a deliberate error becomes a message and its exit code."""
        try:
            return super().invoke(ctx)
        except DetectorError as error:
            if ctx.params.get("debug") or os.environ.get("DETECTOR_DEBUG"):
                traceback.print_exc(file=sys.stderr)
            raise _Failure(error) from error


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from detector import __version__

        click.echo(f"detector {__version__}")
        ctx.exit()


@click.group(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Show the version.")
def cli(debug: bool) -> None:
    """Tell that a service is failing from what people say, before its status page does.

    Try `detector demo`, then `detector watch`.
    """


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    cli(prog_name="detector")
    raise SystemExit(0)
