"""`detector top`: the board in a terminal, for those who live there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from datetime import tzinfo

    from rich.console import RenderableType

    from detector.app.build import Blueprint
    from detector.store import Reader
    from detector.web.shapes import Board, Row

_STYLES = {"outage": "bold red", "watch": "yellow", "unknown": "magenta", "learning": "blue", "ok": "green"}
_LEVELS = " ▁▂▃▄▅▆▇█"


@click.command()
@click.option("--once", is_flag=True, help="Print the board once and end.")
@click.option("--every", type=click.FloatRange(min=0.5), default=2.0, show_default=True, help="Seconds between looks.")
@options.config
@options.database
def command(once: bool, every: float, config_path: Path | None, db_path: Path | None) -> None:
    """Show the board in this terminal: every watched service, outages first. Ctrl-C ends."""
    import time

    from rich.console import Console
    from rich.live import Live

    from detector.app.build import load_blueprint
    from detector.store import open_reader

    plan = load_blueprint(config_path)
    console = Console(highlight=False)
    with open_reader(db_path or plan.settings.store.path) as reader:
        if once or not console.is_terminal:
            console.print(picture(_look(plan, reader), plan.settings.display.zone))
            return
        with Live(
            picture(_look(plan, reader), plan.settings.display.zone), console=console, screen=True, auto_refresh=False
        ) as live:
            try:
                while True:
                    time.sleep(every)
                    live.update(picture(_look(plan, reader), plan.settings.display.zone), refresh=True)
            except KeyboardInterrupt:
                return


def _look(plan: Blueprint, reader: Reader) -> Board:
    from detector.app.clock import system_now
    from detector.app.page import page_surroundings
    from detector.store.board import Board as Questions
    from detector.web import board
    from detector.web.expected import Expectations

    ask, around = Questions(reader), page_surroundings(plan, system_now)
    saved = reader.latest_checkpoint()
    expect = Expectations(around.remember(None if saved is None else saved.state))
    return board.look(ask, around, expect, system_now())


def picture(board: Board, zone: tzinfo) -> RenderableType:
    """The board as a table, its times in a zone."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from detector.domain import parse_time
    from detector.notify.words import number_words
    from detector.web.words import PAGE_WORDS, STATE_WORDS, ahead, headline, lasting

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "Service", "Last hour", "People", "Usual", "Since", "Lead", "Official page"):
        table.add_column(name, justify="right" if name in {"People", "Usual"} else "left", no_wrap=True)
    now = parse_time(board["at"])
    for row in board["services"]:
        style = _STYLES[row["state"]]
        official = row["official"]
        table.add_row(
            Text(STATE_WORDS[row["state"]], style),
            Text(row["name"], "bold" if row["alert"] else ""),
            Text(spark(row), style if row["alert"] else "dim"),
            Text(str(row["people"])),
            Text("?" if row["expected"] is None else number_words(row["expected"]), "dim"),
            Text(
                ""
                if row["since"] is None
                else f"{parse_time(row['since']).astimezone(zone):%H:%M}, {lasting(row['since'], now)}"
            ),
            Text("" if row["lead_minutes"] is None else ahead(row["lead_minutes"])),
            Text("none read" if official is None else PAGE_WORDS[official["state"]], "dim"),
        )
    title = Text(headline(board), "bold red" if board["counts"].get("outage") else "bold")
    title.append(f"   {now.astimezone(zone):%H:%M %Z}", "dim not bold")
    return Group(title, Text(), table)


def spark(row: Row) -> str:
    """The last hour in twenty letters.

    >>> from typing import cast
    >>> spark(cast("Row", {"bins": [0, 1, 4], "upper": None}))
    ' ▂█'
    """
    usual = 0.0 if row["upper"] is None else 2 * row["upper"] / max(len(row["bins"]), 1)
    top = max([4.0, usual, *map(float, row["bins"])])
    return "".join(_LEVELS[round(count / top * (len(_LEVELS) - 1))] for count in row["bins"])
