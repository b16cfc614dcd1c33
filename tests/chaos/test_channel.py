"""F23: a channel in trouble gets everything in the end, and a bug that Alertmanager has would be caught."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.chaos.conftest import Nursery
from tests.chaos.lives import PATIENCE_S, log, until
from tests.chaos.oracle import Oracle
from tests.chaos.parts import size, tier
from tests.chaos.test_kills import Table
from tests.loopback import Reply

# What the channel says before it says "ok" again, last first.
TROUBLE = (
    Reply("too many requests", status=429, headers={"Retry-After": "1"}),
    Reply("", status=503),
    Reply(fault="reset"),
    Reply("too many requests", status=429),
    Reply("<html>sign in</html>", status=200),
    Reply("internal error", status=500),
    Reply(fault="truncated", body="o"),
)


def told_in_the_end(nursery: Nursery, folder: Path, replies: list[Reply], *, seconds: float, bug: str = "") -> str:
    """Three outages while the channel refuses so often; what is missing, or nothing."""
    with Oracle(limit=3) as oracle:
        oracle.refuse = replies
        pid = nursery.fork("live", folder, url=oracle.url, services=3, bug=bug)
        assert until(lambda: len(oracle.failing) == 3, PATIENCE_S), log(folder)
        oracle.quiet = True
        until(lambda: all(oracle.told[n] for n in oracle.failing), seconds)
        os.kill(pid, signal.SIGTERM)
        assert nursery.wait(pid) == 0, log(folder)
        lost = [n for n in oracle.failing if not oracle.told[n]]
    return f"never told: {lost}" if lost else ""


def test_f23_a_channel_that_refuses_for_a_while_gets_everything(nursery: Nursery, tmp_path: Path, table: Table) -> None:
    """429 with and without a time, 5xx, a broken connection, a page instead of an answer: all is told afterwards."""
    rounds = size(1, 1, 10)
    replies = TROUBLE[-size(2, 4, 7) :]
    for number in range(rounds):
        folder = tmp_path / str(number)
        folder.mkdir()
        # Each failure makes the next try rarer, up to once a minute.
        missing = told_in_the_end(nursery, folder, list(replies), seconds=PATIENCE_S)
        assert not missing, f"{missing}: {log(folder)}"
    table.append(("F23 channel refuses", str(rounds), f"{len(replies)} kinds of refusal in a row; all told"))


@pytest.mark.skipif(tier() == "test", reason="part of make chaos")
def test_g12_a_sender_that_skips_429_is_caught(nursery: Nursery, tmp_path: Path, table: Table) -> None:
    """Seeded: what the channel put off is taken for refused, as in the anchor's Slack receiver."""
    replies = [Reply("too many requests", status=429, headers={"Retry-After": "1"}) for _ in range(3)]

    missing = told_in_the_end(nursery, tmp_path, replies, seconds=8, bug="skip 429")

    assert missing
    table.append(("G12 seeded: skip 429", "1", "caught"))
