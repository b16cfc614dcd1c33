"""Listens to Jetstream in the background: filters while reading, remembers where it is, reconnects by itself.

Nothing is dropped for want of room: a full buffer stops the reading, and what a lost connection missed is replayed from
five seconds before the last event. Where the server cannot replay (`CursorTooOld`), or cuts us off, a gap says so.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from detector.collectors.jetstream import SUBPROTOCOL, Dialect, Event, Fault, address, decode, dialect_of
from detector.domain import CoverageState
from detector.errors import Permanent, Temporary, TransportError
from detector.transport.connect import Resolve, resolve
from detector.transport.guard import Target, parse_target, refusal
from detector.transport.session import USER_AGENT

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection, connect

REWIND = 5_000_000
_REMEMBERED = 60_000_000
_MAX_FRAME = 2 * 1024 * 1024
_MAX_FRAMES = 16
_BREATH = 200
_COST = 300  # bytes of an event beside its text
_TOO_BIG = 1009
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the reader may use.

    Attributes:
        buffer: bytes of posts held until they are drained.
        idle: seconds without any event after which a connection counts as dead; pings are as patient.
        first_delay, longest_delay: seconds before a new connection, doubling from failure to failure.
    """

    buffer: int = 8_000_000
    idle: float = 60.0
    first_delay: float = 1.0
    longest_delay: float = 60.0


@dataclass(frozen=True, slots=True)
class Missed:
    """A span in Unix microseconds that was not heard, or not in time; `until` None means until now."""

    since: int
    until: int | None
    state: CoverageState
    note: str


@dataclass(slots=True)
class Drained:
    """What arrived since the last time."""

    posts: list[Event] = field(default_factory=list)
    deleted: list[Key] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    unreadable: int = 0


class Reader:
    """One background task. `start`, then `drain` as often as you like, then `aclose`.

    Args:
        urls: instances, tried in turn.
        wanted: whether a text is kept; None keeps all.
        reach: limits.
        allow_private: whether an instance may live on this machine or network.
        resolver: host and port to addresses; each address is judged and the judged one connected to.
    """

    def __init__(
        self,
        urls: Iterable[str],
        *,
        wanted: Callable[[str], bool] | None = None,
        reach: Reach | None = None,
        allow_private: bool = False,
        resolver: Resolve = resolve,
    ) -> None:
        self._urls = tuple(urls)
        self._wanted = wanted
        self._reach = reach or Reach()
        self._allow_private = allow_private
        self._resolver = resolver
        self._instance = 0
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._changed = asyncio.Event()
        self._pending: dict[Key, Event] = {}
        self._size = 0
        self._deleted: dict[Key, None] = {}
        self._recent: dict[Key, int] = {}
        self._missed: list[Missed] = []
        self._unreadable = 0
        self._replay = True
        self._why = ""
        self._last = 0
        self.position = 0
        self.frames = 0
        self.connected = False
        self.failure: TransportError | None = None

    def start(self, position: int, *, heard: bool = True) -> None:
        """Begin to listen five seconds before `position` (Unix microseconds; 0 is live).

        Args:
            heard: whether an event of that moment was heard; then the replay must bring it again, or there is a gap.
        """
        self.position = position
        self._last = position if heard else 0
        self._room.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def settle(self, patience: float, quiet: float = 0.05) -> None:
        """Wait for the first event or failure, then until a burst pauses (at most a second)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._changed.wait()
        until = time.monotonic() + 1.0
        before = -1
        while self.frames != before and self.connected and time.monotonic() < until:
            before = self.frames
            await asyncio.sleep(quiet)

    def drain(self) -> Drained:
        """Take what arrived; makes room for more."""
        found = Drained(list(self._pending.values()), list(self._deleted), self._missed, self._unreadable)
        self._pending, self._deleted, self._missed = {}, {}, []
        self._size = self._unreadable = 0
        self._room.set()
        return found

    def recent(self) -> list[Key]:
        """Posts passed on that a replay would bring again."""
        return [key for key, at in self._recent.items() if at >= self.position - 2 * REWIND]

    def check(self) -> None:
        """Raise what broke the background task, if anything did: an error of ours, not of the network."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def aclose(self) -> None:
        """Stop listening; a second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # -- the task --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while True:
            before = self.frames
            try:
                await self._listen(self._urls[self._instance])
            except Fault as fault:
                self._note(fault)
            except TransportError as error:
                self.failure = error
            self.connected = False
            self._changed.set()
            if self.frames > before:
                failures = 0
            else:
                self._instance = (self._instance + 1) % len(self._urls)
            failures += 1
            delay = min(self._reach.first_delay * 2.0 ** min(failures - 1, 12), self._reach.longest_delay)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    def _note(self, fault: Fault) -> None:
        """The server's word for why it stopped decides whether we may ask for a replay."""
        self.failure = Temporary(f"{_shown(self._urls[self._instance])} ended the stream: {fault}")
        self._why = str(fault)
        if fault.name in {"CursorTooOld", "FutureCursor", "FrameTooLarge"}:
            self._replay = False

    async def _listen(self, url: str) -> None:
        """One connection, from its handshake to its end.

        Raises:
            Fault: the server said why it stops.
            TransportError: it could not be reached, or was lost.
        """
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

        cursor = self.position - REWIND if self.position and self._replay else None
        try:
            opening = await self._opening(url, cursor)
            async with opening as connection:
                watch = asyncio.get_running_loop().create_task(self._watch(connection))
                try:
                    await self._consume(connection)
                finally:
                    watch.cancel()
        except InvalidStatus as error:
            raise _refused(url, error.response.status_code, bytes(error.response.body or b"")) from error
        except ConnectionClosed as error:
            if error.sent is not None and error.sent.code == _TOO_BIG:
                raise Fault("FrameTooLarge", f"an event of more than {_MAX_FRAME} bytes") from error
            raise Temporary(f"{_shown(url)}: the connection was lost ({error})") from error
        except TimeoutError as error:
            raise Temporary(f"{_shown(url)}: no answer in time") from error
        except (InvalidHandshake, WebSocketException, OSError, EOFError, ValueError) as error:
            raise Temporary(f"{_shown(url)}: no connection ({type(error).__name__}: {error})") from error

    async def _opening(self, url: str, cursor: int | None) -> connect:
        """The connection to be made, to an address that was judged."""
        from websockets.asyncio.client import connect
        from websockets.typing import Subprotocol

        target = _target(url)
        for host in await self._resolver(target.host, target.port):
            reason = refusal(host, allow_private=self._allow_private)
            if reason is not None:
                raise Permanent(
                    f"{_shown(url)} resolves to {host}, which is refused: {reason}. "
                    "If it is on your own network, set allow_private = true"
                )
            secure = target.scheme == "https"
            # Given at all, the name must come with TLS: the address was judged, the certificate is the host's.
            hostname: dict[str, Any] = {"server_hostname": target.host} if secure else {}
            return connect(
                address(url, cursor),
                host=host,
                port=target.port,
                ssl=_context() if secure else None,
                **hostname,
                subprotocols=[Subprotocol(SUBPROTOCOL)] if dialect_of(url) is Dialect.V2 else None,
                user_agent_header=USER_AGENT,
                proxy=None,
                compression=None,
                open_timeout=min(self._reach.idle, 15.0),
                ping_interval=self._reach.idle / 2,
                ping_timeout=self._reach.idle,
                close_timeout=1,
                max_size=_MAX_FRAME,
                max_queue=_MAX_FRAMES,
            )
        raise Temporary(f"{_shown(url)}: the name has no address")

    async def _watch(self, connection: ClientConnection) -> None:
        """End a connection on which nothing arrives: posts never pause for a minute, dead peers do."""
        before, heard = self.frames, time.monotonic()
        while True:
            await asyncio.sleep(self._reach.idle / 4)
            if self.frames != before or not self._room.is_set():
                before, heard = self.frames, time.monotonic()
            elif time.monotonic() - heard >= self._reach.idle:
                await connection.close()
                return

    async def _consume(self, connection: ClientConnection) -> None:
        expected = self._last
        first = True
        receive = connection.recv
        while True:
            frame = await receive(decode=False)
            self.frames += 1
            try:
                at, event = decode(frame)
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
                self._unreadable += 1
                continue
            if first and at:
                first = False
                self._arrived(expected, at)
            if event is not None:
                self._take(event)
            self._last = self.position = max(self.position, at)
            if self._size >= self._reach.buffer:
                self._room.clear()
                await self._room.wait()
            elif self.frames % _BREATH == 0:
                await asyncio.sleep(0)  # frames that wait in the queue come without giving others a turn

    def _arrived(self, expected: int, at: int) -> None:
        """The first event of a connection tells whether the replay reached back to the last one."""
        if expected and at > expected:
            note = self._why or "the server did not replay what was missed"
            self._missed.append(Missed(expected, at, CoverageState.GAP, note))
        elif self._why:
            note = f"{self._why}; replayed from the cursor"
            self._missed.append(Missed(expected, None, CoverageState.STALE, note))
        self._why, self._replay = "", True
        self.connected, self.failure = True, None
        self._changed.set()

    def _take(self, event: Event) -> None:
        key = (event.did, event.rkey)
        if event.operation == "delete":
            kept = self._pending.pop(key, None)
            if kept is not None:
                self._size -= len(kept.text) + _COST
            if key not in self._deleted:
                self._deleted[key] = None
                self._size += _COST
        elif event.operation == "create" and (self._wanted is None or self._wanted(event.text)):
            if key in self._recent:
                return
            if len(self._recent) > 4096:
                self._recent = {each: at for each, at in self._recent.items() if at >= event.at - _REMEMBERED}
            self._recent[key] = event.at
            self._pending[key] = event
            self._size += len(event.text) + _COST


def _refused(url: str, status: int, body: bytes) -> Fault | TransportError:
    said = body[:2000].decode("utf-8", "replace")
    for name in ("CursorTooOld", "FutureCursor"):
        if name in said:
            return Fault(name)
    why = f"{_shown(url)} answered {status} to the handshake; is the path right for this instance?"
    return Temporary(why)


def _target(url: str) -> Target:
    """The address as HTTP would write it, judged by the same rules.

    Raises:
        Permanent: no ws or wss address, or one that we would not fetch.

    >>> _target("wss://jetstream.example/subscribe").port
    443
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in {"ws", "wss"}:
        raise Permanent(f"{url[:120]!r}: a ws or wss address is needed")
    return parse_target(("https" if scheme == "wss" else "http") + "://" + rest)


def _shown(url: str) -> str:
    return url.partition("?")[0]


def _context() -> object:
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)
