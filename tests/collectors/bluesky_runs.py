"""What the Bluesky tests share: a server and collectors in one loop, and polling as the daemon does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from detector.collectors.bluesky import Bluesky
from detector.collectors.bluesky_reader import Reach
from detector.collectors.context import CollectorContext
from detector.domain import Service
from detector.errors import Temporary
from detector.match.matcher import NameMatcher
from detector.protocols import Harvest
from detector.transport.session import Session
from detector.transport.worker import ParseWorker
from tests.collectors.servers_bluesky import BASE, V2, Jetstream, jetstream

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = 1_000_000
CLAUDE = Service(slug="claude", name="Claude", aliases=("claude",))
ADA, GRACE = "did:plc:adalovelace", "did:plc:gracehopper"
QUICK = Reach(idle=5.0, first_delay=0.01, longest_delay=0.05)
T = TypeVar("T")


def context(*, wanted: bool = True) -> CollectorContext:
    return CollectorContext(
        session=Session(),
        worker=ParseWorker(),
        author_key=b"k" * 32,
        services=(CLAUDE,),
        wanted=NameMatcher([CLAUDE]).may_match if wanted else None,
    )


def run(state: Jetstream, use: Callable[[Callable[..., Bluesky]], Awaitable[T]], *, path: str = V2) -> T:
    """Run with a server in `state`; `use` is given what makes collectors, all closed afterwards."""

    async def go() -> T:
        made: list[Bluesky] = []

        def make(*, paths: tuple[str, ...] = (path,), reach: Reach = QUICK, wanted: bool = True) -> Bluesky:
            urls = [state.url + each for each in paths]
            made.append(Bluesky(context=context(wanted=wanted), urls=urls, reach=reach, allow_private=True))
            return made[-1]

        async with jetstream(state):
            try:
                return await use(make)
            finally:
                for each in made:
                    await each.aclose()

    return asyncio.run(asyncio.wait_for(go(), 20))


def at(seconds: float) -> int:
    return BASE + round(seconds * SECOND)


def texts(harvest: Harvest) -> list[str]:
    return [post.text for post in harvest.posts]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something the background does; the test's own deadline ends what never comes."""
    while not holds():
        await asyncio.sleep(0.005)


async def more(collector: Bluesky, cursor: str | None, holds: Callable[[Harvest], bool]) -> Harvest:
    """Poll as the daemon does, through failures, until a harvest is as it should be."""
    while True:
        try:
            harvest = await collector.poll(cursor, now=NOW)
        except Temporary:
            harvest = Harvest(cursor=cursor)
        if holds(harvest):
            return harvest
        cursor = harvest.cursor
        await asyncio.sleep(0.01)
