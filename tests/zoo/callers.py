"""The places of the zoo that call instead of being asked: a stream that breaks off, and pushes until they are taken."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import urllib.request
from collections.abc import Coroutine
from typing import Any
from urllib.error import HTTPError, URLError

from detector.app.clock import system_now
from detector.collectors.webhook import sign
from tests.collectors.servers_bluesky import Jetstream, Said, jetstream
from tests.zoo.animals import Place, stamp

SECRET = "zoo-secret-of-enough-letters-0123456789"


class Bluesky(Place):
    """A Jetstream in a thread of its own that breaks its connections off."""

    def __post_init__(self) -> None:
        self.state = Jetstream()
        self.loop = asyncio.new_event_loop()
        self.ready, self.over = threading.Event(), asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._serve(),), daemon=True)

    async def _serve(self) -> None:
        async with jetstream(self.state):
            self.ready.set()
            await self.over.wait()
            for connection in list(self.state.connections):
                await connection.close()

    def start(self) -> None:
        self.thread.start()
        self.ready.wait(10)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(10)
        self.loop.close()

    def show(self, number: int, at: float, *, usable: bool = True) -> None:
        super().show(number, at, usable=usable)
        words = self.text(number) if usable else f"a nice day, number {number}"
        self._do(self.state.say(Said(at=int(at * 1e6) + number % 1000, text=words, did=f"did:plc:p{number}")))

    def break_off(self) -> None:
        """Cut every connection in the middle of whatever it does."""

        async def cut() -> None:
            for connection in list(self.state.connections):
                connection.transport.abort()

        self.faults["cut"] += 1
        self._do(cut())

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            try:
                await what
            except (OSError, RuntimeError, Exception):  # noqa: BLE001 - a listener that just left is no matter
                self.faults["said to nobody"] += 1

        asyncio.run_coroutine_threadsafe(quietly(), self.loop).result(10)

    def settings(self, url: str) -> str:
        return f'[sources.bluesky]\nurls = ["{self.state.url}/subscribe"]\nallow_private = true\ninterval = 1\n'


class Webhook(Place):
    """Pushes posts, some twice and some badly signed, until each is taken."""

    port: int = 0
    twice: int = 0

    def settings(self, url: str) -> str:
        return f'[sources.webhook]\nsecret_env = "ZOO_KEY"\nport = {self.port}\n'

    def show(self, number: int, at: float, *, usable: bool = True) -> None:
        super().show(number, at, usable=usable)
        threading.Thread(target=self._push, args=(number, at, usable), daemon=True).start()

    def _push(self, number: int, at: float, usable: bool) -> None:
        said = {"id": f"t{number}", "text": self.text(number), "created_at": stamp(at), "author": f"p{number}"}
        body = json.dumps(said if usable else {"id": f"t{number}"}).encode()
        if self.chance.random() < self.share:
            self.faults["bad signature"] += 1
            self._post(body, b"another secret altogether")
        for _ in range(100):
            answered = self._post(body, SECRET.encode())
            if answered in {200, 422}:
                break
            self.faults[f"answered {answered}"] += 1
            threading.Event().wait(0.5)
        if usable and self.chance.random() < self.share and self._post(body, SECRET.encode()) == 200:
            with self.lock:
                self.twice += 1

    def _post(self, body: bytes, secret: bytes) -> int:
        at, once = str(int(system_now().timestamp())), secrets.token_hex(16)
        headers = {
            "X-Detector-Timestamp": at,
            "X-Detector-Nonce": once,
            "X-Detector-Signature": sign(secret, at, once, body),
        }
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/posts", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except (URLError, OSError):
            return 0
