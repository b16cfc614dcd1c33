"""F28, F29: signs of life come from the canary alone, and only while it sings."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.app.canary import CanaryError
from detector.app.supervise import ServiceManager, Supervisor, heartbeat_address
from detector.errors import ConfigError, Temporary
from detector.protocols import Harvest
from detector.store import Store
from detector.transport.session import Limits, Session
from tests.app.morning import engine_on as morning_engine
from tests.chaos.parts import complaint, engine_on, services
from tests.loopback import Loopback, Reply

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


class Hand:
    """A monotonic clock that somebody turns."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_the_canary_comes_through_every_stage_and_leaves_nothing(tmp_path: Path) -> None:
    """Neither a post, nor a judgement, nor an alert, nor a message stays; only the sign that it was there."""
    with Store.open(tmp_path / "d.db", now=NOW) as store:
        engine = morning_engine(store)
        engine.restore(NOW)
        before = engine.pipeline.dump()

        assert engine.sing(NOW) is None

        assert engine.pipeline.dump() == before
        assert store.read.alive_at() == NOW
        assert store.read.posts() == []
        assert store.read.alerts() == []
        assert store.read.notifications() == []
        assert list(store.judgements_after(0)) == []
        # The next one is the first of its kind again.
        engine.take("s", Harvest(posts=(complaint(0, 1, NOW),)), NOW)


def test_a_classifier_that_understands_no_complaint_silences_the_canary(tmp_path: Path) -> None:
    """F30: a broken model is not "nobody complains"."""
    with Store.open(tmp_path / "d.db", now=NOW) as store:
        engine = engine_on(store, services(2))
        engine.restore(NOW)
        assert engine.sing(NOW) is None
        judge = type(engine.pipeline.classifier).judge

        class Deaf:
            name, prior = "deaf@1", 0.5

            def judge(self, mentions: object) -> list[object]:
                return []

        engine.pipeline.classifier = Deaf()  # type: ignore[assignment]

        broken = engine.sing(NOW)

        assert isinstance(broken, CanaryError)
        assert "detector doctor" in str(broken)
        assert callable(judge)


def test_a_service_manager_hears_the_words_it_knows(tmp_path: Path) -> None:
    """sd_notify(3): one datagram each; a name with @ is an abstract socket."""
    for address in (str(tmp_path / "notify"), f"@detector-test-{tmp_path.name}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind("\0" + address[1:] if address.startswith("@") else address)
            manager.settimeout(5)
            supervisor = Supervisor(ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"}))
            supervisor.ready()
            supervisor.sung()
            supervisor.reloading()
            supervisor.stopping()
            heard = [manager.recv(1000).decode() for _ in range(4)]

        assert supervisor.fresh == 30.0
        assert heard[0].startswith("READY=1")
        assert heard[1] == "WATCHDOG=1"
        assert "MONOTONIC_USEC=" in heard[2]
        assert heard[3].startswith("STOPPING=1")


@pytest.mark.parametrize("env", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "soon"}])
def test_without_a_service_manager_nothing_happens(env: dict[str, str]) -> None:
    """Started by hand, or told of a socket that is gone."""
    supervisor = Supervisor(ServiceManager(env))

    supervisor.ready()
    supervisor.sung()

    assert supervisor.fresh == 60.0


def test_f29_the_heartbeat_beats_only_while_all_is_well_and_the_canary_fresh(tmp_path: Path) -> None:
    """Once a minute; not while something is wrong, and not on the word of an old canary."""
    hand = Hand()

    async def live(url: str) -> int:
        session = Session(limits=Limits(min_interval=0.0), allow_private=True)
        supervisor = Supervisor(ServiceManager({}), heartbeat=f"{url}/ping", ping=session.get, monotonic=hand)
        await supervisor.beat(well=True)  # no canary yet
        supervisor.sung()
        await supervisor.beat(well=True)
        await supervisor.beat(well=True)  # too soon
        hand.seconds = 70
        await supervisor.beat(well=True)  # the canary is old
        supervisor.sung()
        await supervisor.beat(well=False, words="blind")
        await supervisor.beat(well=True)
        await session.aclose()
        return supervisor.beats

    with Loopback({"/ping": Reply("ok")}) as server:
        assert asyncio.run(live(server.url)) == 2
        assert server.paths() == ["/ping", "/ping"]


def test_a_heartbeat_that_fails_is_logged_without_its_address(caplog: pytest.LogCaptureFixture) -> None:
    """The path is the secret."""

    async def refuse(_: str) -> object:
        raise Temporary("hc.example.org/secret-token: 503")

    async def live() -> None:
        supervisor = Supervisor(ServiceManager({}), heartbeat="https://hc.example.org/secret-token", ping=refuse)
        supervisor.sung()
        await supervisor.beat(well=True)

    asyncio.run(live())

    assert "hc.example.org" in caplog.text
    assert "secret-token" not in caplog.text


def test_the_heartbeat_address_comes_from_the_environment_and_must_be_one() -> None:
    """Nothing, an address, nonsense."""
    assert heartbeat_address({}) is None
    assert heartbeat_address({"DETECTOR_HEARTBEAT_URL": " https://hc.example.org/1 "}) == "https://hc.example.org/1"
    with pytest.raises(ConfigError, match="no http"):
        heartbeat_address({"DETECTOR_HEARTBEAT_URL": "file:///etc/passwd"})
