"""What the outside is told of our health: systemd's watchdog and a dead-man's switch, both fed by the canary alone."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from detector.errors import ConfigError, TransportError

logger = logging.getLogger(__name__)

HEARTBEAT = "DETECTOR_HEARTBEAT_URL"
HEARTBEAT_EVERY = 60.0
# Unless systemd asks for less, a canary older than this is dead.
FRESH = 60.0
Ping = Callable[[str], Awaitable[object]]


class ServiceManager:
    """Tells systemd how we are (sd_notify(3)); does nothing where nobody asked.

    Args:
        env: where `NOTIFY_SOCKET` and `WATCHDOG_USEC` stand, usually `os.environ`.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        address = env.get("NOTIFY_SOCKET", "")
        # "@name" is an abstract socket: its first byte is zero.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        own = env.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        try:
            micros = int(env.get("WATCHDOG_USEC", "0")) if own else 0
        except ValueError:
            micros = 0
        self.watchdog_s = micros / 1e6 if micros > 0 and address else None

    def say(self, *lines: str) -> None:
        """Send a state such as `READY=1`; a manager that does not listen is no reason to fail."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                # Never block: the manager may be as stuck as anybody.
                out.setblocking(False)
                out.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            logger.warning("the service manager cannot be told: %s", error)


class Supervisor:
    """Passes signs of life on while there are any.

    Args:
        manager: systemd, if it started us.
        heartbeat: an address to ask every minute as long as all is well; None for none.
        ping: asks it.
        monotonic: measures how old the last sign is.

    Attributes:
        beats: how often the address was reached.
    """

    def __init__(
        self,
        manager: ServiceManager,
        *,
        heartbeat: str | None = None,
        ping: Ping | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._manager = manager
        self._heartbeat = heartbeat
        self._ping = ping
        self._monotonic = monotonic
        self._sung_at: float | None = None
        self._beaten_at: float | None = None
        self._ready = False
        self.beats = 0

    @property
    def fresh(self) -> float:
        """Seconds after which a canary is no sign of life any more."""
        return self._manager.watchdog_s or FRESH

    @property
    def age(self) -> float | None:
        """Seconds since the last canary; None before the first."""
        return None if self._sung_at is None else self._monotonic() - self._sung_at

    def ready(self) -> None:
        """The engine has its memory back."""
        self._ready = True
        self._manager.say("READY=1", "STATUS=listening")

    def reloading(self) -> None:
        """New settings are taken up."""
        self._manager.say("RELOADING=1", f"MONOTONIC_USEC={int(time.monotonic() * 1e6)}", "STATUS=reloading")

    def stopping(self) -> None:
        """The end begins."""
        self._manager.say("STOPPING=1", "STATUS=stopping")

    def sung(self) -> None:
        """The canary came through, just now."""
        self._sung_at = self._monotonic()
        if not self._ready:
            self.ready()
        self._manager.say("WATCHDOG=1")

    async def beat(self, *, well: bool, words: str = "") -> None:
        """Ask the heartbeat address if it is time, all is `well` and the canary is fresh; failures are only logged."""
        age = self.age
        if not well or age is None or age > self.fresh:
            self._manager.say(f"STATUS={words or 'not well'}"[:200])
            return
        now = self._monotonic()
        if self._heartbeat is None or self._ping is None:
            return
        if self._beaten_at is not None and now - self._beaten_at < HEARTBEAT_EVERY:
            return
        self._beaten_at = now
        try:
            async with asyncio.timeout(20):
                await self._ping(self._heartbeat)
        except (TransportError, TimeoutError) as error:
            logger.warning("the heartbeat at %s was not taken: %s", urlsplit(self._heartbeat).hostname, _kind(error))
        else:
            self.beats += 1


def heartbeat_address(env: Mapping[str, str]) -> str | None:
    """The address of the dead-man's switch, from the environment: it is a secret, so no setting.

    Raises:
        ConfigError: it is no http address.
    """
    address = env.get(HEARTBEAT, "").strip()
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"{HEARTBEAT}: is no http or https address; copy the whole one of the monitoring service")
    return address


def _kind(error: Exception) -> str:
    # The message of a transport error may hold the path, and the path is the secret.
    return type(error).__name__
