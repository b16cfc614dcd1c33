"""`detector doctor`: is everything in place?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from detector.app.build import Blueprint
    from detector.app.doctor import Finding


@click.command()
@options.config
@options.database
@click.option("--send", is_flag=True, help="Send a test message to every receiver.")
@click.option("--offline", is_flag=True, help="Ask no source and no page.")
def command(config_path: Path | None, db_path: Path | None, send: bool, offline: bool) -> None:
    """Check settings, model, database, keys, sources, pages and receivers; ends with 1 if anything is wrong."""
    import asyncio
    import logging

    from detector.app.build import load_blueprint
    from detector.errors import DetectorError

    plan = load_blueprint(config_path)
    click.echo(f"ok    settings: {len(plan.services)} services watched, budget {plan.settings.watch.budget}")
    path = db_path or plan.settings.store.path
    # The findings say it all; what is logged on the way would say it twice.
    ours = logging.getLogger("detector")
    level = ours.level
    ours.setLevel(logging.CRITICAL)
    try:
        findings = [*_still(plan, path), *asyncio.run(_asked(plan, path, send=send, offline=offline))]
    finally:
        ours.setLevel(level)
    wrong = 0
    for finding in findings:
        wrong += finding.verdict == "wrong"
        click.echo(f"{finding.verdict:<5} {finding.what}: {finding.words}")
    if wrong:
        raise DetectorError(f"{wrong} wrong; each line above says what to do")


def _still(plan: Blueprint, path: Path) -> Iterator[Finding]:
    from detector.app import doctor
    from detector.app.clock import system_now

    yield doctor.model(plan)
    yield doctor.sqlite()
    yield doctor.database(path, now=system_now())


async def _asked(plan: Blueprint, path: Path, *, send: bool, offline: bool) -> list[Finding]:
    from detector.app import doctor
    from detector.app.clock import system_now

    return await doctor.connections(plan, path, now=system_now(), send=send, offline=offline)
