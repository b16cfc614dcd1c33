"""`detector notify`: try the receivers, or read what a channel would be sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from datetime import datetime

    from detector.app.build import Blueprint
    from detector.domain import Notification
    from detector.notify.render import Wording
    from detector.protocols import Notifier
    from detector.store import Reader

_REASONS = ("opened", "raised", "updated", "acknowledged", "repeated", "reopened", "resolved")


@click.group()
def command() -> None:
    """Try the receivers with a sample, or show what a channel would be sent."""


@command.command("test")
@click.argument("receivers", nargs=-1, metavar="[RECEIVER]...")
@options.config
def try_out(receivers: tuple[str, ...], config_path: Path | None) -> None:
    """Send a sample through every configured receiver, or RECEIVER: a beginning and its end, both marked as a test.

    One line for each: ok, wrong (with what to do) or off (it lacks its key, so nobody would be told). Ends with 1
    unless all are ok.
    """
    import asyncio
    import logging

    from detector.app.build import load_blueprint
    from detector.app.clock import system_now
    from detector.errors import DetectorError, UsageError

    plan = load_blueprint(config_path)
    known = [name for name, each in plan.settings.receivers.items() if each.enabled]
    if strangers := [name for name in receivers if name not in known]:
        raise UsageError(f"no receiver {', '.join(strangers)}; the settings have {', '.join(known) or 'none'}")
    wanted = [name for name in known if name in receivers or not receivers]
    if not wanted:
        raise UsageError("no receiver is configured; write [receivers.NAME] into the settings")
    # The lines below say it all; what is logged on the way would say it twice.
    ours = logging.getLogger("detector")
    level = ours.level
    ours.setLevel(logging.CRITICAL)
    try:
        found = asyncio.run(_try_all(plan, wanted, system_now()))
    finally:
        ours.setLevel(level)
    bad = 0
    for name, (verdict, words) in zip(wanted, found, strict=True):
        bad += verdict != "ok"
        click.echo(f"{verdict:<5} {name} ({plan.settings.receivers[name].type or name}): {words}")
    if bad:
        raise DetectorError(f"{bad} of {len(wanted)} would not be told; each line above says why")


async def _try_all(plan: Blueprint, names: list[str], now: datetime) -> list[tuple[str, str]]:
    """Verdict and words for each receiver, all tried at once; a plug-in that breaks its protocol is named too."""
    import asyncio

    from detector.errors import DetectorError

    done = await asyncio.gather(*(_try_one(plan, name, now) for name in names), return_exceptions=True)
    found: list[tuple[str, str]] = []
    for each in done:
        if isinstance(each, DetectorError):
            found.append(("wrong", str(each)))
        elif isinstance(each, Exception):
            found.append(("wrong", f"the plug-in broke: {type(each).__name__}: {each}"))
        elif isinstance(each, BaseException):
            raise each
        else:
            found.append(each)
    return found


async def _try_one(plan: Blueprint, name: str, now: datetime) -> tuple[str, str]:
    """Build one receiver by itself, so that a broken one hides no other, and send it the sample."""
    import tempfile
    from dataclasses import replace

    from detector.app.build import connect
    from detector.config.settings import StatusPages

    alone = {"receivers": {name: plan.settings.receivers[name]}, "sources": {}, "status": StatusPages(enabled=False)}
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="detector-try-") as folder:
        # The folder takes the key of the author hashes, which nobody needs here.
        found = connect(replace(plan, settings=plan.settings.model_copy(update=alone)), Path(folder) / "none.db", notes)
    try:
        for notifier in found.notifiers:
            return await _send(notifier, name, now)
        return "off", "; ".join(notes) or "the plug-in made no receiver"
    finally:
        for notifier in found.notifiers:
            await notifier.aclose()
        if found.close is not None:
            await found.close()


async def _send(notifier: Notifier, name: str, now: datetime) -> tuple[str, str]:
    import time
    from dataclasses import replace

    from detector.domain import Reason
    from detector.notify.preview import sample

    began = time.monotonic()
    # The end follows its beginning, so that a pager is not left ringing and a thread shows both.
    reference = await notifier.send(replace(sample(name, now), tried_at=now))
    await notifier.send(replace(sample(name, now, reason=Reason.RESOLVED), tried_at=now, thread=reference))
    return "ok", f"took a beginning and its end in {time.monotonic() - began:.1f} s"


@command.command("preview")
@click.argument("alert", metavar="ALERT")
@click.option("--channel", required=True, metavar="NAME", help="A channel such as slack, or a configured receiver.")
@click.option("--reason", type=click.Choice(_REASONS), help="Which message of the alert's life. [default: the newest]")
@options.config
@options.database
def show(alert: str, channel: str, reason: str | None, config_path: Path | None, db_path: Path | None) -> None:
    """Print what NAME would be sent about ALERT (a key from `detector alerts`). Nothing is sent; no secret is shown."""
    from detector.app.build import load_blueprint
    from detector.notify.preview import preview
    from detector.notify.slack import asks
    from detector.store import open_reader

    plan = load_blueprint(config_path)
    kind, wording = _meant(plan, channel)
    with open_reader(db_path or plan.settings.store.path) as reader:
        owed = _message(reader, alert, channel, reason)
    receiver = plan.settings.receivers.get(channel)
    click.echo(preview(owed, kind, wording, ask=receiver is not None and asks(receiver.options)))


def _meant(plan: Blueprint, channel: str) -> tuple[str, Wording]:
    """The channel's kind and the wording it is configured with."""
    from detector.errors import UsageError
    from detector.notify.preview import CHANNELS
    from detector.notify.settings import wording_of

    receiver = plan.settings.receivers.get(channel)
    kind = channel if receiver is None else receiver.type or channel
    if kind not in CHANNELS:
        named = sorted({*CHANNELS, *plan.settings.receivers})
        raise UsageError(f"no preview for {channel!r}; there are {', '.join(named)}")
    names = {service.slug: service.name for service in plan.services}
    return kind, wording_of({"names": names, **({} if receiver is None else receiver.options)})


def _message(reader: Reader, key: str, receiver: str, wanted: str | None) -> Notification:
    """The message as it was owed, with the alert as it was then; made up from the alert where none was owed."""
    from dataclasses import replace

    from detector.domain import AlertState, Notification, Reason
    from detector.errors import UsageError

    alert = reader.alert(key)
    if alert is None:
        near = [each.key for each in reader.alerts(limit=5)]
        raise UsageError(f"no alert {key!r}; the latest are {', '.join(near) or 'none'}")
    kept = [each for each in reader.notifications(key) if wanted is None or each.reason.value == wanted]
    kept.sort(key=lambda each: each.receiver != receiver)
    if kept:
        return replace(kept[0], receiver=receiver)
    over = alert.state is AlertState.RESOLVED
    reason = Reason(wanted) if wanted else Reason.RESOLVED if over else Reason.OPENED
    return Notification(
        id=f"{key}/{receiver}/preview",
        alert=alert,
        receiver=receiver,
        reason=reason,
        created_at=alert.ended_at or alert.updated_at,
    )
