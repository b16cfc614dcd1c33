"""A host that fails is left alone, tried by one request, and asked again by all once that one was answered."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from detector.errors import Hostile, Permanent, Temporary
from detector.transport.guard import parse_target
from detector.transport.hosts import FAILURES, FIRST_REST, LONGEST_REST, RESTS, Circuit, Hosts
from detector.transport.session import Limits, Session
from tests.loopback import Loopback, Reply, unused_port

TARGET = parse_target("https://feeds.example/a")
OTHER = parse_target("https://pages.example/a")


class Clock:
    """Seconds as the test has them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hosts(clock: Clock) -> Hosts:
    return Hosts(0.0, clock=clock)


async def ask(hosts: Hosts, error: Exception | None = None, target: object = TARGET) -> str:
    """One request: what came of it, in a word."""
    asked = False
    try:
        async with hosts.turn(target):  # type: ignore[arg-type]
            asked = True
            if error is not None:
                raise error
    except (Temporary, Hostile, Permanent) as raised:
        return "failed" if asked else f"refused: {raised}"
    return "answered"


def run(hosts: Hosts, *errors: Exception | None) -> list[str]:
    async def go() -> list[str]:
        return [await ask(hosts, error) for error in errors]

    return asyncio.run(go())


def test_five_failures_in_a_row_open_the_circuit_of_that_host_only(hosts: Hosts) -> None:
    """The next request is not made, and says when to come back; another host is asked as before."""
    assert run(hosts, *[Temporary("no answer")] * FAILURES) == ["failed"] * FAILURES

    (refused,) = run(hosts, None)

    assert refused.startswith(f"refused: {RESTS}feeds.example failed 5 times in a row, tried again in 10 s")
    assert hosts.circuit(TARGET.origin) is Circuit.OPEN
    assert asyncio.run(ask(hosts, None, OTHER)) == "answered"
    assert hosts.circuit(OTHER.origin) is Circuit.CLOSED


@pytest.mark.parametrize("answer", [None, Permanent("404"), Temporary("429", retry_after=1.0)])
def test_any_answer_begins_the_count_anew(hosts: Hosts, clock: Clock, answer: Exception | None) -> None:
    """A page that is not there, or a host that asks us to wait, is alive."""
    run(hosts, *[Hostile("drip")] * (FAILURES - 1), answer)
    clock.now += 2
    run(hosts, *[Temporary("no answer")] * (FAILURES - 1))

    assert hosts.circuit(TARGET.origin) is Circuit.CLOSED


def test_after_the_rest_one_request_tries_and_the_others_wait_for_it(hosts: Hosts, clock: Clock) -> None:
    """Half-open: a second request is refused while the first is on its way; its answer closes the circuit."""

    async def go() -> tuple[str, str]:
        begun, finish = asyncio.Event(), asyncio.Event()

        async def probe() -> str:
            async with hosts.turn(TARGET):
                begun.set()
                await finish.wait()
            return "answered"

        first = asyncio.create_task(probe())
        await begun.wait()
        state = hosts.circuit(TARGET.origin)
        second = await ask(hosts)
        finish.set()
        await first
        assert state is Circuit.HALF_OPEN
        return second, await ask(hosts)

    run(hosts, *[Temporary("no answer")] * FAILURES)
    clock.now += FIRST_REST
    assert hosts.circuit(TARGET.origin) is Circuit.HALF_OPEN
    second, after = asyncio.run(go())

    assert second.startswith(f"refused: {RESTS}")
    assert after == "answered"
    assert hosts.circuit(TARGET.origin) is Circuit.CLOSED


def test_each_failed_try_doubles_the_rest_up_to_five_minutes(hosts: Hosts, clock: Clock) -> None:
    """And a try that is given up decides nothing."""
    run(hosts, *[Temporary("no answer")] * FAILURES)
    rests = []
    for _ in range(7):
        start = clock.now
        while hosts.circuit(TARGET.origin) is Circuit.OPEN:
            clock.now += 1
        rests.append(clock.now - start)
        run(hosts, Temporary("no answer"))

    assert rests == [FIRST_REST * 2**n for n in range(5)] + [LONGEST_REST] * 2

    async def give_up() -> None:
        async with hosts.turn(TARGET):
            raise asyncio.CancelledError

    clock.now += LONGEST_REST
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up())
    assert hosts.circuit(TARGET.origin) is Circuit.HALF_OPEN
    assert run(hosts, None) == ["answered"]


def test_requests_under_way_when_the_circuit_opens_do_not_lengthen_the_rest(hosts: Hosts, clock: Clock) -> None:
    """Twenty at once that all fail are one failure of the host."""

    async def go() -> None:
        await asyncio.gather(*(slow() for _ in range(20)))

    async def slow() -> None:
        with suppress(Temporary):
            async with hosts.turn(TARGET):
                await asyncio.sleep(0)
                raise Temporary("no answer")

    asyncio.run(go())
    clock.now += FIRST_REST

    assert hosts.circuit(TARGET.origin) is Circuit.HALF_OPEN


def test_a_sign_of_life_is_tried_whatever_came_before(clock: Clock) -> None:
    """Without a breaker nothing is refused."""
    hosts = Hosts(0.0, breaker=False, clock=clock)

    assert run(hosts, *[Temporary("no answer")] * 20) == ["failed"] * 20


def test_a_host_may_be_asked_as_often_as_it_grants() -> None:
    """Of two rates the higher one; the others keep their pause."""

    async def go() -> float:
        session = Session(allow_private=True, limits=Limits(min_interval=30.0))
        with Loopback({"/a": Reply("x")}) as server:
            session.pace(server.url, 0.01)
            session.pace(server.url, 5.0)
            loop = asyncio.get_running_loop()
            began = loop.time()
            for _ in range(3):
                await session.get(f"{server.url}/a")
            await session.aclose()
            return loop.time() - began

    assert asyncio.run(go()) < 5.0


def test_a_dead_server_is_asked_five_times_and_then_spared() -> None:
    """Through the whole session: the sixth request never reaches the network."""

    async def go() -> tuple[list[str], Circuit]:
        session = Session(allow_private=True, limits=Limits(min_interval=0))
        url = f"http://127.0.0.1:{unused_port()}/"
        said = []
        for _ in range(FAILURES + 2):
            with pytest.raises(Temporary) as caught:
                await session.get(url)
            said.append(str(caught.value))
        await session.aclose()
        return said, session.hosts.circuit(parse_target(url).origin)

    said, circuit = asyncio.run(go())

    assert [words.startswith(RESTS) for words in said] == [False] * FAILURES + [True] * 2
    assert circuit is Circuit.OPEN
