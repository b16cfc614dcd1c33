"""`detector demo`: a recorded morning through the live daemon, with no network and no key."""

from __future__ import annotations

import click

DEFAULT_SPEED = 130.0


@click.command()
@click.option("--fast", is_flag=True, help="Do not wait between posts.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0.1),
    default=DEFAULT_SPEED,
    show_default=True,
    help="How much faster than life.",
)
@click.option("--scenario", "name", default="claude-monday", show_default=True, help="Which morning.")
def command(fast: bool, speed: float, name: str) -> None:
    """Replay a morning on which Claude fails through the live daemon, and show what a person would see.

    Each post is shown with the probability that it speaks of a present failure ("-": names no watched service).
    """
    import asyncio
    import tempfile
    from pathlib import Path

    from detector.app.demo import run_demo
    from detector.app.logs import configure
    from detector.app.scenario import load_scenario
    from detector.errors import DetectorError

    scenario = load_scenario(name)
    configure("warning", "human")
    click.echo(f"{name}: {scenario.starts_at:%A %Y-%m-%d %H:%M} UTC, {len(scenario.posts)} posts, written by us.")
    with tempfile.TemporaryDirectory(prefix="detector-demo-") as folder:
        alert = asyncio.run(run_demo(scenario, Path(folder), click.echo, speed=None if fast else speed))
    if alert is None or alert.fired_at is None:
        raise DetectorError("the demo raised no alert; `detector doctor` may say why")
