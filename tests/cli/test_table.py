"""The command table: quick, lazy, and with one way to end."""

from __future__ import annotations

import subprocess
import sys
import time

import click
import pytest
from click.testing import CliRunner

from detector.cli import COMMANDS, CommandTable, cli
from detector.errors import DetectorError, StoreInUseError, UsageError

HEAVY = ("torch", "sklearn", "praw", "numpy", "pydantic", "httpx2", "sqlite_utils", "feedparser", "slack_sdk", "scipy")


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_loads_nothing_heavy(command: str | None) -> None:
    """Of the program and of every command; told by the modules loaded at the end."""
    words = [command, "--help"] if command else ["--help"]
    code = (
        "import sys\nfrom detector.cli import cli\n"
        f"try:\n    cli({words!r}, prog_name='detector')\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("LOADED []\n")
    assert done.stdout.startswith("Usage: detector")


def test_help_is_there_in_a_third_of_a_second() -> None:
    """The best of five, since the machine may be busy."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "detector", "--help"], capture_output=True, check=True, timeout=60)
        took.append(time.perf_counter() - began)

    assert min(took) < 0.3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_module_and_help(name: str) -> None:
    """A name in the table without a command behind it fails here."""
    assert isinstance(cli, CommandTable)
    command = cli.get_command(click.Context(cli), name)

    assert isinstance(command, click.Command)
    assert command.help


def failing(error: Exception) -> CommandTable:
    """A table whose group fails before it reaches any command."""

    @click.group(cls=CommandTable)
    @click.option("--debug", is_flag=True)
    def table(debug: bool) -> None:
        raise error

    assert isinstance(table, CommandTable)
    return table


@pytest.mark.parametrize(
    ("error", "code"), [(DetectorError("no"), 1), (UsageError("no"), 2), (StoreInUseError("no"), 3)]
)
def test_a_deliberate_error_is_a_message_and_its_code(error: DetectorError, code: int) -> None:
    """On stderr, without a traceback."""
    done = CliRunner().invoke(failing(error), ["init"])

    assert done.exit_code == code
    assert done.stdout == ""
    assert done.stderr == "Error: no\n"


def test_debug_shows_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the option, or by DETECTOR_DEBUG."""
    by_option = CliRunner().invoke(failing(DetectorError("no")), ["--debug", "init"])
    monkeypatch.setenv("DETECTOR_DEBUG", "1")
    by_environment = CliRunner().invoke(failing(DetectorError("no")), ["init"])

    assert "Traceback" in by_option.stderr
    assert "Traceback" in by_environment.stderr


def test_an_unknown_command_gets_the_nearest() -> None:
    """With exit code 2."""
    done = CliRunner().invoke(cli, ["wacth"])

    assert done.exit_code == 2
    assert "watch" in done.stderr


def test_the_version_is_data() -> None:
    """On stdout."""
    done = CliRunner().invoke(cli, ["--version"])

    assert done.exit_code == 0
    assert done.stdout.startswith("detector ")
