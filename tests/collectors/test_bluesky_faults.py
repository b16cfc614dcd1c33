"""The Bluesky collector when the other side, the settings or we ourselves fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from detector.collectors.bluesky import Bluesky, build
from detector.collectors.bluesky_reader import Reach, Reader
from detector.collectors.context import CollectorContext
from detector.errors import ConfigError, Permanent, Temporary, TransportError
from detector.protocols import Harvest
from detector.testing import check_collector_failure
from detector.transport.session import Session
from detector.transport.worker import ParseWorker
from tests.collectors.bluesky_runs import NOW, QUICK, at, context, run, texts, until
from tests.collectors.servers_bluesky import V1, V2, Jetstream, Said
from tests.loopback import Loopback, Reply, unused_port


def test_f22_a_silent_connection_is_given_up() -> None:
    """A peer that is there and says nothing is not a calm network."""
    state = Jetstream([Said(at(1), "claude one")])
    impatient = Reach(idle=0.2, first_delay=0.01, longest_delay=0.02)

    async def use(make: Callable[..., Bluesky]) -> int:
        collector = make(reach=impatient)
        await collector.poll(None, now=NOW)
        await until(lambda: len(state.asked) >= 3)
        return len(state.asked)

    assert run(state, use) >= 3


@pytest.mark.parametrize("answer", ["refused", "html", "503", "reset"])
def test_an_instance_that_cannot_be_reached_raises(answer: str) -> None:
    """Nobody listens, another server, busy, a reset: a TransportError with words, never silence."""
    faults = {
        "html": Reply("<!doctype html>", headers={"Content-Type": "text/html"}),
        "503": Reply("busy", status=503),
        "reset": Reply(fault="reset"),
    }

    def check(url: str) -> TransportError:
        def make() -> Bluesky:
            return Bluesky(context=context(), urls=[url], reach=QUICK, allow_private=True)

        return asyncio.run(check_collector_failure(make, now=NOW))

    if answer == "refused":
        assert isinstance(check(f"ws://127.0.0.1:{unused_port()}/subscribe"), Temporary)
        return
    with Loopback({V1: faults[answer]}) as server:
        assert isinstance(check(server.url.replace("http", "ws") + V1), Temporary)


def test_a_private_address_is_refused_unless_allowed() -> None:
    """The same guard as for every other request, before any connection."""

    async def go() -> None:
        reader = Reader(["ws://jetstream.example/subscribe"], reach=QUICK, resolver=_to_loopback)
        reader.start(0)
        try:
            await reader.settle(5)
            assert isinstance(reader.failure, Permanent)
            assert "loopback" in str(reader.failure)
        finally:
            await reader.aclose()

    asyncio.run(go())


async def _to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_a_bug_of_ours_is_not_silence() -> None:
    """What breaks the background task comes out at the next poll, and the one after begins anew."""
    state = Jetstream([Said(at(1), "claude one")])
    broken = [True]

    def wanted(text: str) -> bool:
        if broken:
            raise RuntimeError("a bug")
        return True

    async def use(make: Callable[..., Bluesky]) -> Harvest:
        owner = CollectorContext(session=Session(), worker=ParseWorker(), author_key=b"k" * 32, wanted=wanted)
        collector = Bluesky(context=owner, urls=[state.url + V2], reach=QUICK, allow_private=True)
        with pytest.raises(RuntimeError, match="a bug"):
            await collector.poll(None, now=NOW)
        broken.clear()
        try:
            return await collector.poll(None, now=NOW)
        finally:
            await collector.aclose()

    assert texts(run(state, use)) == ["claude one"]


def test_wrong_settings_are_named() -> None:
    """All at once, with the setting's name."""
    with pytest.raises(ConfigError) as caught:
        build({"urls": ["https://x"], "interval": 0, "colour": 1}, context())

    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "bluesky.urls",
        "bluesky.interval",
        "bluesky.colour",
    ]
    assert build({}, context())[0].source == "bluesky"
