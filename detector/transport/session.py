"""One polite, bounded, guarded HTTP session for collectors, status readers and notifiers.

guarded: http and https only, the address we judged is the address we connect to, every redirect is judged again.
bounded: a total deadline, a decoded size, an inflation ratio; polite: a pause between requests to one host,
`Retry-After` obeyed, a host that fails left alone (`hosts`), an identifying User-Agent. Proxies, netrc and cookies are
never read from the environment.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from detector import __version__
from detector.errors import Hostile, Permanent, Temporary, TransportError
from detector.transport.decode import BodyReader
from detector.transport.guard import Target, parse_target, redirected
from detector.transport.hosts import Hosts

if TYPE_CHECKING:
    import httpcore2

    from detector.transport.connect import Resolve

USER_AGENT = f"outage-detector/{__version__} (reads public posts and status pages)"
_REDIRECTS = {301, 302, 303, 307, 308}
_TEMPORARY = {408, 421, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 525, 527, 529, 530}
_MIN_RETRY, _MAX_RETRY = 1.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may cost.

    Attributes:
        deadline: seconds for the whole request, redirects and body included (not the polite wait before it).
        connect: seconds for one connection attempt.
        max_bytes: decoded bytes of a body.
        max_ratio: decoded to received bytes.
        max_redirects: hops followed.
        min_interval: seconds between two requests to one host and port.
    """

    deadline: float = 20.0
    connect: float = 8.0
    max_bytes: int = 5_000_000
    max_ratio: float = 100.0
    max_redirects: int = 5
    min_interval: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a server gave us to ask "has it changed?" with."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A usable answer: 2xx with its decoded body, or 304 with none.

    Attributes:
        url: where it finally came from.
        headers: lower-case names; of repeated headers the last.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def not_modified(self) -> bool:
        """Whether the server said that nothing changed."""
        return self.status == 304

    @property
    def content_type(self) -> str:
        """The `Content-Type` header, or an empty text."""
        return self.headers.get("content-type", "")

    @property
    def validators(self) -> Validators:
        """What to send with the next conditional request."""
        return Validators(etag=self.headers.get("etag"), last_modified=self.headers.get("last-modified"))

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Hostile: it is something else, such as an HTML challenge page sent with status 200.
        """
        import msgspec

        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            kind = "an HTML page" if self.body[:512].lstrip()[:1] == b"<" else "not JSON"
            raise Hostile(f"{parse_target(self.url).shown}: the answer is {kind}, JSON was expected") from error


def retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` header, clamped to 1 s..1 h; None where it says nothing usable.

    A date is measured against the answer's own `Date`, so neither side's clock matters.

    >>> retry_after("120", None), retry_after("-5", None), retry_after("999999", None), retry_after("soon", None)
    (120.0, 1.0, 3600.0, None)
    >>> retry_after("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:27:30 GMT")
    30.0
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(date or "")).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    if seconds != seconds:  # NaN is a float to Python and nothing to us
        return None
    return min(max(seconds, _MIN_RETRY), _MAX_RETRY)


class Session:
    """Fetches for everybody; one a process, closed with `aclose`.

    Args:
        limits: what a request may cost.
        allow_private: default of the same argument of `get`.
        contact: an address people can complain to, added to the User-Agent.
        breaker: whether a host that fails time and again is left alone for a while.
        resolver, backend: name resolution and connection, replaced by tests that must not leave loopback.

    Attributes:
        hosts: what is known of the hosts that were asked.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        allow_private: bool = False,
        contact: str | None = None,
        breaker: bool = True,
        resolver: Resolve | None = None,
        backend: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._allow_private = allow_private
        self._agent = f"{USER_AGENT[:-1]}; contact {contact})" if contact else USER_AGENT
        self._resolver = resolver
        self._backend = backend
        self._pools: dict[bool, httpcore2.AsyncConnectionPool] = {}
        self.hosts = Hosts(self.limits.min_interval, breaker=breaker)

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        conditional: Validators | None = None,
        allow_private: bool | None = None,
        accept: Collection[int] = (),
    ) -> Response:
        """Fetch a document.

        Args:
            headers: sent to the URL's own host only, never to a host it redirects to.
            conditional: validators of the copy we have; the answer may then be 304.
            allow_private: whether this source may live on a private network (its own host only).
            accept: statuses outside 2xx (redirects too) that are handed back with their body, for places that
                explain themselves there.

        Raises:
            Temporary: unreachable, timed out, 429 or 5xx (`retry_after` where the server says so).
            Permanent: 401, 404 and the like, a URL or address we refuse, a redirect without end.
            Hostile: the answer broke a limit.
        """
        extra = dict(headers or {})
        if conditional is not None and conditional.etag:
            extra["If-None-Match"] = conditional.etag
        if conditional is not None and conditional.last_modified:
            extra["If-Modified-Since"] = conditional.last_modified
        return await self._request("GET", url, extra, None, self._private(allow_private), accept)

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        allow_private: bool | None = None,
        accept: Collection[int] = (),
    ) -> Response:
        """Send a document once; a redirect is refused. Raises like `get`; messages never hold the path."""
        return await self._request("POST", url, dict(headers or {}), body, self._private(allow_private), accept)

    async def aclose(self) -> None:
        """Close every connection; a second call does nothing."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.aclose()

    def pace(self, url: str, pause: float) -> None:
        """Ask the host of an address every so many seconds instead of `min_interval`, since it grants us that rate."""
        self.hosts.pace(parse_target(url).origin, pause)

    def slow_down(self, url: str, pause: float) -> None:
        """Ask the host of an address no more often than every so many seconds, since it wishes so."""
        self.hosts.slow_down(parse_target(url).origin, pause)

    def trusting(self) -> Session:
        """This session for one place on a network of our own, where what is fetched may live; not to be closed."""
        twin = copy.copy(self)
        twin._allow_private = True
        return twin

    @property
    def private(self) -> bool:
        """Whether it may fetch from private networks unless told otherwise."""
        return self._allow_private

    def _private(self, choice: bool | None) -> bool:
        return self._allow_private if choice is None else choice

    async def _request(
        self,
        method: str,
        url: str,
        extra: dict[str, str],
        body: bytes | None,
        private: bool,
        accept: Collection[int] = (),
    ) -> Response:
        first = target = parse_target(url)
        left = self.limits.deadline
        for _ in range(self.limits.max_redirects + 1):
            same = target.origin == first.origin and target.scheme == first.scheme
            async with self.hosts.turn(target):
                began = time.monotonic()
                answer = await self._exchange(
                    method,
                    target,
                    extra if same else {},
                    body,
                    seconds=left,
                    allow_private=private and target.host == first.host,
                    accept=accept,
                )
                left = max(left - (time.monotonic() - began), 0.001)
            if isinstance(answer, Response):
                return answer
            if method != "GET":
                raise Permanent(f"{target.scheme}://{target.netloc} redirects a {method}, which is not followed")
            if target.scheme == "https" and answer.scheme == "http" and _has_credentials(extra):
                raise Permanent(f"{target.shown} redirects a request with credentials to plain http, not followed")
            target = answer
        raise Permanent(f"{first.shown}: more than {self.limits.max_redirects} redirects; check the address")

    async def _exchange(
        self,
        method: str,
        target: Target,
        extra: dict[str, str],
        body: bytes | None,
        *,
        seconds: float,
        allow_private: bool,
        accept: Collection[int],
    ) -> Response | Target:
        """One request, one answer: a response, or where it redirects to."""
        import httpcore2

        where = target.shown if method == "GET" else f"{target.scheme}://{target.netloc}"
        pool = self._pool(allow_private)  # loads libraries and certificates once: none of the server's time
        answered = False
        try:
            async with asyncio.timeout(seconds):
                async with pool.stream(
                    method,
                    httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
                    headers=self._headers(target, extra, body),
                    content=body,
                    extensions={"timeout": self._timeouts()},
                ) as response:
                    answered = True
                    return await self._read(response, target, where, accept)
        except TransportError:
            raise
        except TimeoutError as error:
            limit = self.limits.deadline
            if answered:
                raise Hostile(f"{where}: the answer was not complete after {limit:g} s, dropped") from error
            raise Temporary(f"{where}: no answer within {limit:g} s") from error
        except httpcore2.TimeoutException as error:
            raise Temporary(f"{where}: no answer in time ({type(error).__name__})") from error
        except httpcore2.NetworkError as error:
            raise Temporary(f"{where}: the connection failed ({str(error) or type(error).__name__})") from error
        except httpcore2.LocalProtocolError as error:
            raise Permanent(f"{where}: the request cannot be sent ({error})") from error
        except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
            raise Temporary(f"{where}: the server broke off or does not speak HTTP ({error})") from error
        except (OSError, ValueError) as error:
            raise Temporary(f"{where}: the request failed ({type(error).__name__}: {error})") from error

    async def _read(
        self, response: httpcore2.Response, target: Target, where: str, accept: Collection[int]
    ) -> Response | Target:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        status = response.status
        if status in _REDIRECTS and headers.get("location") and status not in accept:
            return redirected(target, headers["location"])
        if status in _TEMPORARY and status not in accept:
            wait = retry_after(headers.get("retry-after"), headers.get("date"))
            raise Temporary(f"{where} answered {status}; it will be tried again", retry_after=wait)
        if status == 304:
            return Response(url=target.url, status=status, headers=headers)
        if not 200 <= status < 300 and status not in accept:
            raise Permanent(f"{where} answered {status}{_ADVICE.get(status, '')}")
        reader = BodyReader(
            headers.get("content-encoding", "").strip().lower(),
            max_bytes=self.limits.max_bytes,
            max_ratio=self.limits.max_ratio,
            where=where,
        )
        async for chunk in response.aiter_stream():
            reader.feed(chunk)
        return Response(url=target.url, status=status, headers=headers, body=reader.finish())

    def _headers(self, target: Target, extra: dict[str, str], body: bytes | None) -> list[tuple[bytes, bytes]]:
        headers = {
            "host": target.netloc,
            "user-agent": self._agent,
            "accept": "*/*",
            "accept-encoding": "gzip, deflate",
        }
        if body is not None:
            headers["content-length"] = str(len(body))
        headers.update((name.lower(), value) for name, value in extra.items())
        try:
            return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        except UnicodeEncodeError as error:
            raise Permanent(f"{target.netloc}: a header holds characters that cannot be sent") from error

    def _timeouts(self) -> dict[str, float]:
        limits = self.limits
        return {
            "connect": min(limits.connect, limits.deadline),
            "read": limits.deadline,
            "write": limits.deadline,
            "pool": limits.deadline,
        }

    def _pool(self, allow_private: bool) -> httpcore2.AsyncConnectionPool:
        # Two pools: a kept connection to a private address must not serve a request that may not go there.
        if allow_private not in self._pools:
            import httpcore2
            import httpx2

            from detector.transport.connect import GuardedBackend, resolve

            self._pools[allow_private] = httpcore2.AsyncConnectionPool(
                ssl_context=httpx2.create_ssl_context(trust_env=False),
                max_connections=100,
                max_keepalive_connections=20,
                keepalive_expiry=65.0,
                network_backend=GuardedBackend(
                    allow_private=allow_private, resolver=self._resolver or resolve, inner=self._backend
                ),
            )
        return self._pools[allow_private]


_ADVICE = {
    401: ": it wants a key; check the configured one",
    402: ": it wants payment",
    403: ": access is refused; check the key, or whether the place allows reading",
    404: ": there is no such page; check the address",
    410: ": the page is gone; remove it",
    451: ": it may not be shown here",
}


def _has_credentials(headers: Mapping[str, str]) -> bool:
    return any(name.lower() in {"authorization", "cookie", "x-api-key"} for name in headers)
