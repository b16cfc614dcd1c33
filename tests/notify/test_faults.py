"""Channels by faults, with a real outbox: nothing lost, a doubtful try repeated once and marked, nothing extra."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from detector.domain import Notification
from detector.notify.outbox import Sender
from detector.protocols import Notifier
from detector.store import Store
from tests.loopback import Reply, unused_port
from tests.notify.builders import NOON, make_notification
from tests.notify.channels import CHANNELS, SECRET, Channel, Server


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the first try; `doubtful`: the server may have taken it."""

    reply: Reply | None = None
    where: str = "server"
    doubtful: bool = False
    wait: float | None = None


FAULTS = {
    "429 with Retry-After": Fault(Reply("slow down", status=429, headers={"Retry-After": "7"}), wait=7),
    "429 without": Fault(Reply("slow down", status=429)),
    "500": Fault(Reply("oops", status=500)),
    "502": Fault(Reply("<html>bad gateway</html>", status=502)),
    "503": Fault(Reply("later", status=503)),
    "504": Fault(Reply("", status=504)),
    "408": Fault(Reply("", status=408)),
    "timeout": Fault(Reply(fault="hang"), doubtful=True),
    "slow drip": Fault(Reply("x" * 300, fault="drip"), doubtful=True),
    "reset": Fault(Reply(fault="reset"), doubtful=True),
    "no reply at all": Fault(Reply(fault="empty"), doubtful=True),
    "truncated reply": Fault(Reply('{"ok": tr', fault="truncated"), doubtful=True),
    "not HTTP": Fault(Reply("garbage\r\n\r\n", fault="raw"), doubtful=True),
    "refused": Fault(where="refused"),
    "DNS": Fault(where="dns"),
    "TLS": Fault(where="tls"),
}


class Clock:
    """A time that moves when told."""

    def __init__(self) -> None:
        self.at = NOON + timedelta(minutes=5)

    def __call__(self) -> object:
        return self.at


def deliver(store: Store, notifier: Notifier, clock: Clock) -> int:
    """One round of a sender that has just been started: every fault is also a restart."""

    async def once() -> int:
        sender = Sender([notifier], store.outbox, now=lambda: clock.at, chance=lambda: 0.5)
        try:
            return await sender.send_due(notifier.receiver)
        finally:
            await notifier.aclose()

    return asyncio.run(once())


def broken(channel: Channel, server: Server, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> Notifier:
    """The channel's notifier, aimed at the fault."""
    if fault.where == "refused":
        return channel.make(f"http://127.0.0.1:{unused_port()}")
    if fault.where == "tls":
        return channel.make(server.url.replace("http:", "https:"))
    if fault.where == "dns":

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        return channel.make("https://hooks.invalid")
    assert fault.reply is not None
    server.now(fault.reply)
    return channel.make(server.url)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_loses_nothing_and_repeats_only_what_is_doubtful(
    name: str,
    channel: Channel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first try meets the fault, the second goes well, a third finds nothing to do; no secret shows anywhere."""
    caplog.set_level(logging.DEBUG)
    fault, clock = FAULTS[name], Clock()
    owed = make_notification(receiver=channel.name)
    with Store.open(tmp_path / "detector.db", now=NOON) as store, Server(channel.answer) as server:
        store.record(now=NOON, notifications=[owed])
        with monkeypatch.context() as patched:
            assert deliver(store, broken(channel, server, fault, patched), clock) == 0
        failed = kept(store)
        server.now(channel.answer)
        taken_before = len(server.requests) if fault.doubtful else 0
        seen = len(server.requests)
        clock.at += timedelta(seconds=(fault.wait or 1) * 1.2)
        assert deliver(store, channel.make(server.url), clock) == 1
        assert deliver(store, channel.make(server.url), clock) == 0
        posts = [one for one in server.requests[seen:] if "conversations" not in one.path]
        sent = kept(store)

    assert failed.sent_at is None
    assert failed.failed is not None
    doubted = fault.doubtful and not channel.idempotent
    assert failed.failed.startswith("may have arrived") == doubted
    assert (failed.next_try_at or NOON) - NOON >= timedelta(minutes=5, seconds=fault.wait or 0.5)
    assert sent.sent_at is not None
    assert len(posts) == 1
    assert (b"Repeat" in posts[0].body) == doubted
    assert taken_before <= 1
    assert SECRET not in caplog.text
    assert SECRET not in failed.failed


@pytest.mark.parametrize(
    ("channel", "refusal"),
    [(channel, refusal) for channel in CHANNELS for refusal in channel.refusals],
    ids=lambda value: value.name if isinstance(value, Channel) else f"{value.status} {value.body!r:.40}",
)
def test_a_refusal_is_a_dead_letter_of_which_another_receiver_hears(
    channel: Channel, refusal: Reply, tmp_path: Path
) -> None:
    """Asked once, never again; the other is told once, however often it is asked."""
    other = next(each for each in CHANNELS if each.name not in {channel.name, "slack_bot"})
    clock = Clock()
    with (
        Store.open(tmp_path / "detector.db", now=NOON) as store,
        Server(refusal) as server,
        Server(other.answer) as healthy,
    ):
        store.record(now=NOON, notifications=[make_notification(receiver=channel.name)])

        async def rounds() -> None:
            notifiers = [channel.make(server.url), other.make(healthy.url)]
            sender = Sender(notifiers, store.outbox, now=lambda: clock.at)
            for _ in range(2):
                for notifier in notifiers:
                    await sender.send_due(notifier.receiver)
                clock.at += timedelta(minutes=1)
            for notifier in notifiers:
                await notifier.aclose()

        asyncio.run(rounds())
        dead = store.read.dead_letters()
        told = [one.body for one in healthy.requests]

    assert len(server.requests) == 1
    assert [letter.receiver for letter in dead] == [channel.name]
    assert len(told) == 1
    assert b"could not be told" in told[0]
    assert SECRET not in (dead[0].failed or "")


def kept(store: Store) -> Notification:
    """The one message in the outbox."""
    (found,) = store.read.notifications()
    return found
