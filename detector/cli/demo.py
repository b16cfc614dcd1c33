"""`detector demo`: a recorded morning through the live daemon, with no network and no key."""

from __future__ import annotations

from pathlib import Path

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
@click.option("--page", is_flag=True, help="Serve the live page meanwhile, and open it where there is a display.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the database, Slack's messages and the report in this folder.",
)
def command(fast: bool, speed: float, name: str, page: bool, out: Path | None) -> None:
    """Replay a morning on which Claude fails through the live daemon, and show what a person would see.

    Each post is shown with the probability that it speaks of a present failure ("-": names no watched service). With
    --out it ends with the report that one would attach to a post-mortem.
    """
    import asyncio
    import tempfile
    from contextlib import nullcontext

    from detector.app.demo import run_demo
    from detector.app.logs import configure
    from detector.app.scenario import load_scenario
    from detector.errors import DetectorError

    scenario = load_scenario(name)
    configure("warning", "human")
    click.echo(f"{name}: {scenario.starts_at:%A %Y-%m-%d %H:%M} UTC, {len(scenario.posts)} posts, written by us.")
    kept = None if out is None else _emptied(out)
    with tempfile.TemporaryDirectory(prefix="detector-demo-") if kept is None else nullcontext(str(kept)) as folder:
        alert = asyncio.run(
            run_demo(scenario, Path(folder), click.echo, speed=None if fast else speed, show=_show if page else None)
        )
        if alert is None or alert.fired_at is None:
            raise DetectorError("the demo raised no alert; `detector doctor` may say why")
        if kept is not None:
            click.echo(f"Report                 {_report(kept, alert.key)}")


def _show(address: str) -> None:
    """Say where the page is, and open it where somebody could see it."""
    import os
    import sys
    import webbrowser

    click.echo(f"The live page:         {address}\n")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in {"darwin", "win32"}:
        webbrowser.open(address)


def _emptied(folder: Path) -> Path:
    """A folder without an earlier demo's files; others in it stay."""
    from detector.errors import UsageError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("demo.db", "demo.db-wal", "demo.db-shm", "demo.db.key", "slack.json", "report.html", "report.md"):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be used ({error.strerror}); choose another --out") from error
    return folder


def _report(folder: Path, key: str) -> Path:
    """Write the one-outage report of the demo's database beside it."""
    from detector.backfill.postmortem import html, markdown
    from detector.cli.report import gather
    from detector.store import open_reader

    with open_reader(folder / "demo.db") as reader:
        found = gather(reader, key)
    (folder / "report.md").write_text(markdown(found), encoding="utf-8")
    (folder / "report.html").write_text(html(found), encoding="utf-8")
    return folder / "report.html"
