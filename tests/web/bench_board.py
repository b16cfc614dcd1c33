"""How fast the page is with a thousand services, and a service with ninety days: `python -m tests.web.bench_board`.

Prints server times (the whole request on a loopback connection, new each time), sizes, and what a thousand open event
streams do. The bars are those of the project: the board under 300 kB compressed and 50 ms at the 95th percentile, a
service's page with 90 days under 100 ms.
"""

# ruff: noqa: T201 - it prints
from __future__ import annotations

import gzip
import random
import re
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles

from detector.domain import Reason
from detector.store import open_reader
from detector.web import create_app
from tests.web.asking import ask, page
from tests.web.conftest import Site, serving
from tests.web.town import NOW, ago, alert_on, hear, many, voice

SERVICES = 1000


def p95(call: Callable[[], object], times: int) -> float:
    """Milliseconds at the 95th percentile."""
    return middle_and_p95(call, times)[1]


def middle_and_p95(call: Callable[[], object], times: int) -> tuple[float, float]:
    """Milliseconds at the median, which other work on the machine hardly moves, and at the 95th percentile."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        took.append((time.perf_counter() - begun) * 1000)
    return median(took), quantiles(took, n=20)[18]


def main() -> int:
    """Measure; always ends well, since a busy machine proves nothing."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"filling {SERVICES} services ...", flush=True)
        place = many(Path(folder) / "bench.db", SERVICES)
        rng = random.Random(1)
        said = [
            voice("service-1", NOW - timedelta(days=rng.uniform(0, 90)), 10_000 + n, text="service 1 is down")
            for n in range(20_000)
        ]
        hear(place.store, said)
        place.store.rollup()
        for site in serving(create_app(lambda: open_reader(place.path), around=place.around()), place):
            measure(site)
        place.store.close()
    return 0


def measure(site: Site) -> None:
    """Everything that has a bar."""
    begun = time.perf_counter()
    plain = page(site.port, "/")
    print(f"board, first look: {(time.perf_counter() - begun) * 1000:.0f} ms")
    packed = page(site.port, "/", Accept_Encoding="gzip")
    print(f"board: {len(plain.body) / 1000:.0f} kB, {len(packed.body) / 1000:.0f} kB compressed (bar 300)")
    assert gzip.decompress(packed.body)[:9] == b"<!doctype"
    print(f"board p95: {p95(lambda: page(site.port, '/'), 100):.1f} ms (bar 50)")
    print(f"board p95, compressed: {p95(lambda: page(site.port, '/', Accept_Encoding='gzip'), 100):.1f} ms (bar 50)")
    count = iter(range(10**6))

    def written() -> None:
        site.town.store.record(
            now=ago(0), alerts=[(alert_on(f"service-{next(count) % SERVICES}", fired=ago(1)), Reason.OPENED)]
        )
        page(site.port, "/", Accept_Encoding="gzip")

    print(f"board p95 while alerts are written: {p95(written, 60):.1f} ms, the write included")
    for name in ("1h", "24h", "7d", "90d"):
        path = f"/s/service-1?range={name}"
        mid, late = middle_and_p95(partial(page, site.port, path), 40)
        print(f"service {name}: median {mid:.1f} ms, p95 {late:.1f} ms (bar 100)")
    print(f"proof p95: {p95(lambda: page(site.port, '/proof'), 20):.1f} ms")
    # As a browser does: from where its page stands. A stream that knows nothing is sent every row.
    since = re.search(r'data-since="([^"]*)"', page(site.port, "/").text)
    streams = []
    for _ in range(1000):
        raw = socket.create_connection(("127.0.0.1", site.port), 10)
        raw.sendall(
            f"GET /events?since={since[1] if since else ''} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n\r\n".encode()
        )
        streams.append(raw)
    deadline = time.monotonic() + 30
    while site.app.state.live.streams < 1000 and time.monotonic() < deadline:
        time.sleep(0.1)
    print(f"open streams: {site.app.state.live.streams}; board p95 beside them: ", end="")
    print(f"{p95(lambda: ask(site.port, '/status.json'), 20):.1f} ms (status.json)")
    begun = time.perf_counter()
    site.town.store.record(now=ago(0), alerts=[(alert_on("service-900", fired=ago(2)), Reason.OPENED)])
    reached = 0
    with selectors.DefaultSelector() as waiting:
        for raw in streams:
            waiting.register(raw, selectors.EVENT_READ)
        while reached < len(streams) and time.perf_counter() - begun < 30:
            for key, _ in waiting.select(1):
                if b"service-900" in key.fileobj.recv(1_000_000):  # type: ignore[union-attr]
                    waiting.unregister(key.fileobj)
                    reached += 1
    took = time.perf_counter() - begun
    print(f"an alert reached {reached} of them within {took:.2f} s")
    for raw in streams:
        raw.close()


if __name__ == "__main__":
    sys.exit(main())
