"""How many Jetstream events one core reads: `python -m tests.collectors.bench_bluesky [EVENTS]`.

A server process sends prepared frames of the usual size as fast as they are taken; this process reads them with the
matcher of the shipped catalogue as prefilter. Printed are events a second of this process's CPU time (what one core
does) and by the clock (which the server shares).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import sys
import time
from multiprocessing.connection import Connection

from detector.collectors.bluesky_reader import Reader
from detector.config.catalogue import load_catalogue
from detector.match.matcher import NameMatcher
from tests.collectors.servers_bluesky import BASE, V1, V2, Said

_WORDS = (
    "the a of my this that evening lovely garden photo today music game really just like going with from have been "
    "people think about some time good new little never always again maybe friend coffee train weather rain book"
)


def frames(path: str, count: int) -> list[str]:
    """Posts of 5 to 45 words, one in two hundred about a service."""
    rng = random.Random(5)
    made = []
    for number in range(count):
        text = " ".join(rng.choices(_WORDS.split(), k=rng.randint(5, 45)))
        if number % 200 == 0:
            text = f"is claude down? {text}"
        made.append(Said(BASE + number * 1000, text, f"did:plc:{number % 997:024}").frame(path))
    return made


def send(channel: Connection, path: str, count: int) -> None:
    """The server process: prepared frames, over and over."""
    from websockets.asyncio.server import ServerConnection, serve

    prepared = frames(path, 5000)

    async def speak(connection: ServerConnection) -> None:
        for number in range(count):
            await connection.send(prepared[number % len(prepared)])
        await connection.wait_closed()

    async def go() -> None:
        server = await serve(speak, "127.0.0.1", 0, compression=None, select_subprotocol=lambda *_: None)
        channel.send(next(iter(server.sockets)).getsockname()[1])
        await server.wait_closed()

    asyncio.run(go())


async def measure(port: int, path: str, count: int) -> tuple[float, float, int]:
    """Seconds of CPU, seconds by the clock, posts kept."""
    reader = Reader(
        [f"ws://127.0.0.1:{port}{path}"], wanted=NameMatcher(load_catalogue()).may_match, allow_private=True
    )
    kept = 0
    import websockets.asyncio.client  # noqa: F401 - loaded before the clock starts

    cpu, clock = time.process_time(), time.perf_counter()
    reader.start(0)
    while reader.frames < count:
        await asyncio.sleep(0.05)
        kept += len(reader.drain().posts)
    spent = time.process_time() - cpu, time.perf_counter() - clock
    await reader.aclose()
    return (*spent, kept)


def main() -> None:
    """Measure both dialects."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for path in (V2, V1):
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.Process(target=send, args=(theirs, path, count), daemon=True)
        server.start()
        cpu, clock, kept = asyncio.run(measure(ours.recv(), path, count))
        server.terminate()
        server.join()
        sys.stdout.write(
            f"{path}: {count / cpu:,.0f} events/s of CPU, {count / clock:,.0f} by the clock, {kept} of {count:,} kept\n"
        )


if __name__ == "__main__":
    main()
