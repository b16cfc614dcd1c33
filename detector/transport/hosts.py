"""What is known of every host that is asked: when it may be asked again, and whether it is worth asking at all.

polite: a pause between two requests, `Retry-After` obeyed. A circuit breaker a host: after five failures in a row no
source asks it for a while (`open`), then one of them tries (`half-open`), and its answer decides for all. So a dead
host that a dozen sources share costs one request a minute, and a slow one does not hold up everybody in its queue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

from detector.errors import Hostile, Temporary
from detector.transport.guard import Target

FAILURES = 5
FIRST_REST, LONGEST_REST = 10.0, 300.0
# Begins the note of a source whose host rests, by which `detector sources` knows it.
RESTS = "circuit open: "
_MAX_HOSTS = 4096


class Circuit(Enum):
    """How a host stands: asked as usual, left alone for a while, or tried by one request."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(slots=True)
class _Host:
    next_at: float = 0.0
    blocked_until: float = 0.0
    pause: float | None = None
    failures: int = 0
    rest: float = 0.0
    rests_until: float = 0.0
    probing: bool = False


class Hosts:
    """The hosts of one session.

    Args:
        pause: seconds between two requests to one host and port.
        breaker: whether hosts that fail are left alone; False where each request must be tried, as a sign of life.
        clock: seconds that only grow.
    """

    def __init__(self, pause: float, *, breaker: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._breaker = breaker
        self._clock = clock
        self._hosts: dict[str, _Host] = {}

    def pace(self, origin: str, pause: float) -> None:
        """Another pause for one host, by the rate that it grants us; of several the shortest holds."""
        host = self._of(origin)
        host.pause = pause if host.pause is None else min(host.pause, pause)

    def slow_down(self, origin: str, pause: float) -> None:
        """A longer pause, because the host asks for it."""
        host = self._of(origin)
        host.pause = max(pause, self._pause, host.pause or 0.0)

    def circuit(self, origin: str) -> Circuit:
        """How a host stands now."""
        host = self._hosts.get(origin)
        if host is None or not host.rest:
            return Circuit.CLOSED
        resting = host.rests_until > self._clock()
        return Circuit.OPEN if resting and not host.probing else Circuit.HALF_OPEN

    @asynccontextmanager
    async def turn(self, target: Target) -> AsyncIterator[None]:
        """Wait politely for the host; remember how it answered and what it says about coming back.

        Raises:
            Temporary: it asked us to wait, or rests after failures.
        """
        host = self._of(target.origin)
        self._may_ask(host, target)
        at = self._clock()
        start = max(at, host.next_at)
        host.next_at = start + (self._pause if host.pause is None else host.pause)
        if start > at:
            await asyncio.sleep(start - at)
            # While this one waited, others may have found out that the host is gone.
            self._may_ask(host, target)
        probe = host.rest > 0
        host.probing = host.probing or probe
        try:
            yield
        except Temporary as error:
            if error.retry_after is not None:
                host.blocked_until = self._clock() + error.retry_after
                self._worked(host)  # it lives, and says when to come back
            else:
                self._failed(host, probe=probe)
            raise
        except Hostile:
            self._failed(host, probe=probe)
            raise
        except asyncio.CancelledError:
            raise
        except Exception:
            self._worked(host)  # refused, but answered
            raise
        else:
            self._worked(host)
        finally:
            if probe:
                host.probing = False

    def _of(self, origin: str) -> _Host:
        host = self._hosts.get(origin)
        if host is None:
            if len(self._hosts) >= _MAX_HOSTS:
                self._hosts.pop(next(iter(self._hosts)))
            host = self._hosts[origin] = _Host()
        return host

    def _may_ask(self, host: _Host, target: Target) -> None:
        at = self._clock()
        if host.blocked_until > at:
            left = host.blocked_until - at
            raise Temporary(f"{target.netloc} asked us to wait {left:.0f} s more", retry_after=left)
        if host.rest and (host.rests_until > at or host.probing):
            left = max(host.rests_until - at, 1.0)
            raise Temporary(
                f"{RESTS}{target.netloc} failed {host.failures} times in a row, tried again in {left:.0f} s",
                retry_after=left,
            )

    def _worked(self, host: _Host) -> None:
        host.failures, host.rest, host.rests_until = 0, 0.0, 0.0

    def _failed(self, host: _Host, *, probe: bool) -> None:
        host.failures += 1
        # Requests that were on their way when the circuit opened say nothing new.
        if self._breaker and host.failures >= FAILURES and (probe or not host.rest):
            host.rest = min(host.rest * 2, LONGEST_REST) if host.rest else FIRST_REST
            host.rests_until = self._clock() + host.rest
