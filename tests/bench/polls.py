"""500 feeds and 100 status pages, each looked at every minute: what the daemon costs; `python -m tests.bench.polls`.

The feeds lie on 50 hosts, the pages on 25, all on loopback with validators; by default every feed has a new entry every
minute, which is the dearest case (`--changing 0.2`: one in five has). Printed are the daemon's share of one core, its
memory with the parser's, and the memory's slope over the later half. Exit code 1 beyond 40 % of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from detector.app.clock import system_now
from tests.zoo.animals import stamp
from tests.zoo.run import ROOT, slope

FEEDS, FEED_HOSTS, PAGES, PAGE_HOSTS = 500, 50, 100, 25
ENTRIES = 25
MUST = 0.40
_WORDS = "is anybody else seeing this since the last hour or so because here nothing loads and support is silent "


class Farm:
    """All hosts in one thread.

    Attributes:
        changing: the share of the feeds that have a new entry every minute.
        feeds, pages, unchanged: answers so far.
    """

    def __init__(self, changing: float) -> None:
        self.changing = changing
        self.feeds = self.pages = self.unchanged = 0
        self.ports: list[int] = []
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def __enter__(self) -> Farm:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        servers = [await asyncio.start_server(self._talk, "127.0.0.1", 0) for _ in range(FEED_HOSTS + PAGE_HOSTS)]
        self.ports = [int(each.sockets[0].getsockname()[1]) for each in servers]
        self._ready.set()
        await self._over.wait()
        for each in servers:
            each.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                wanted = next((line[15:].strip() for line in lines if line.lower().startswith("if-none-match:")), "")
                body = self._answer(lines[0].split()[1])
                etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                if etag == wanted:
                    self.unchanged += 1
                    writer.write(f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\nContent-Length: 0\r\n\r\n".encode())
                else:
                    length = len(body)
                    writer.write(f"HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {length}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str) -> bytes:
        _, kind, number, *_ = path.split("/")
        minute = int(system_now().timestamp() // 60)
        if kind == "feed":
            self.feeds += 1
            return self._feed(int(number), minute if int(number) < self.changing * FEEDS else 0)
        self.pages += 1
        page = {"id": f"p{number}", "name": f"Made {number}", "url": "http://made.example"}
        status = {"indicator": "none", "description": "All Systems Operational"}
        parts = [{"id": f"c{n}", "name": f"Part {n}", "status": "operational", "group": False} for n in range(30)]
        return json.dumps({"page": page, "status": status, "components": parts, "incidents": []}).encode()

    def _feed(self, number: int, minute: int) -> bytes:
        last = minute or int(system_now().timestamp() // 3600) * 60
        entries = "".join(
            f"<entry><id>tag:f.example,2026:{number}-{last - n}</id><title>note {last - n} of feed {number}</title>"
            f"<updated>{stamp((last - n) * 60)}</updated><author><name>writer {(last - n) % 97}</name></author>"
            f"<content type='html'>&lt;p&gt;{_WORDS * 3}&lt;/p&gt;</content></entry>"
            for n in range(ENTRIES)
        )
        return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>feed {number}</title>{entries}</feed>'.encode()


def settings(folder: Path, farm: Farm) -> Path:
    """A daemon's settings for everything on the farm."""
    hosts, pages = farm.ports[:FEED_HOSTS], farm.ports[FEED_HOSTS:]
    feeds = "\n".join(
        f'f{n} = {{ url = "http://127.0.0.1:{hosts[n % FEED_HOSTS]}/feed/{n}", interval = 60, allow_private = true }}'
        for n in range(FEEDS)
    )
    services = "\n".join(
        f'[[service]]\nslug = "made-{n}"\nname = "Made {n}"\naliases = ["made number {n}"]\nstatus_pages = [{{ url = '
        f'"http://127.0.0.1:{pages[n % PAGE_HOSTS]}", kind = "statuspage", allow_private = true }}]\n'
        for n in range(PAGES)
    )
    (folder / "detector.services.toml").write_text(services, encoding="utf-8")
    path = folder / "detector.toml"
    path.write_text(
        '[watch]\nservices = ["claude"]\nclassifier = "static"\n[status]\ninterval = 60\n'
        '[status.pages]\nclaude = "http://127.0.0.1:1/"\n[sources.feeds]\ngoogle_news = false\nmastodon = []\n'
        f"[sources.feeds.urls]\n{feeds}\n",
        encoding="utf-8",
    )
    return path


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--changing", type=float, default=1.0)
    asked = parser.parse_args()
    memory: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="detector-polls-") as name, Farm(asked.changing) as farm:
        config = settings(Path(name), farm)
        with (Path(name) / "log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.zoo.watch", str(config)], cwd=ROOT, stdout=log, stderr=log
            )
        watched = psutil.Process(process.pid)
        # The start, and the first reading of everything, are not the daily bread.
        threading.Event().wait(min(90.0, asked.minutes * 15))
        begun, spent, before = time.monotonic(), _cpu(watched), (farm.feeds, farm.pages, farm.unchanged)
        while (passed := time.monotonic() - begun) < asked.minutes * 60 and process.poll() is None:
            memory.append((passed, sum(each.memory_info().rss for each in _family(watched)) / 1e6))
            threading.Event().wait(2)
        share = (_cpu(watched) - spent) / (time.monotonic() - begun)
        feeds, pages, unchanged = (now - then for now, then in zip(
            (farm.feeds, farm.pages, farm.unchanged), before, strict=True
        ))  # fmt: skip
        process.send_signal(signal.SIGTERM)
        ended = process.wait(30)
    minutes = passed / 60
    sys.stdout.write(
        "| what | value |\n|---|---|\n"
        f"| looked at, a minute | {feeds / minutes:.0f} feeds, {pages / minutes:.0f} documents of pages, "
        f"{100 * unchanged / max(feeds + pages, 1):.0f} % unchanged |\n"
        f"| share of one core | {100 * share:.1f} % |\n"
        f"| memory, daemon and parser | {memory[0][1]:.0f} MB, after {minutes:.0f} min {memory[-1][1]:.0f} MB, "
        f"{slope(memory[len(memory) // 2 :]):+.1f} MB/h over the later half |\n| exit code | {ended} |\n"
    )
    return 0 if share < MUST and ended == 0 else 1


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of the daemon and of every parser it has had."""
    own = process.cpu_times()
    living = sum(sum(each.cpu_times()[:2]) for each in process.children(recursive=True))
    return float(own.user + own.system + own.children_user + own.children_system + living)


if __name__ == "__main__":
    sys.exit(main())
