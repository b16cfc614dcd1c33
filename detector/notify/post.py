"""One HTTP request to a receiver, and what its answer means: confirmed, refused, worth another try, or not known."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from detector import __version__
from detector.errors import DeliveryError
from detector.transport.session import retry_after

if TYPE_CHECKING:
    import httpcore2

DEFAULT_TIMEOUT_S = 10.0
_LONGEST_REPLY = 65_536
_NOT_TAKEN = {408, 421, 425}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, empty where it is anything else."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class Poster:
    """Sends requests for one receiver. Addresses and keys stand in no message.

    Args:
        receiver: its configured name.
        channel: what stands on the other side, for people ("Discord").
        timeout: seconds for a whole request.
        idempotent: whether a repeated request is recognised, so that nothing is ever told twice.
    """

    def __init__(
        self, *, receiver: str, channel: str, timeout: float = DEFAULT_TIMEOUT_S, idempotent: bool = False
    ) -> None:
        self.receiver = receiver
        self._channel = channel
        self._timeout = timeout
        self._idempotent = idempotent
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def send(
        self, method: str, url: str, payload: bytes | dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request; redirects are not followed, proxies and netrc not read.

        Raises:
            DeliveryError: no whole answer came; `ambiguous` where the request may have been taken.
        """
        # Not httpx2, whose log shows addresses, and these are secrets.
        import httpcore2

        pool = self._open()
        content = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=True).encode()
        try:
            async with (
                asyncio.timeout(self._timeout),
                pool.stream(
                    method,
                    url,
                    headers=_headers(url, content, headers or {}),
                    content=content,
                    extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)},
                ) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_stream():
                    body += chunk
                    if len(body) > _LONGEST_REPLY:
                        break
                found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                return Reply(status=response.status, headers=found, body=bytes(body))
        except TimeoutError:
            raise self.failed("no reply in time", ambiguous=True) from None
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            raise self.failed(_unreached(self._channel, error)) from None
        except httpcore2.TimeoutException as error:
            raise self.failed(f"no reply in time ({type(error).__name__})", ambiguous=True) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, ValueError) as error:
            raise self.failed(f"the reply broke off ({type(error).__name__})", ambiguous=True) from None

    def judge(self, reply: Reply, *, accepted: tuple[int, ...] = (200, 201, 202, 204), word: str = "") -> None:
        """Raise what an answer means, unless it confirms.

        Args:
            word: what the answer says, if that is fit to be shown.
        """
        status = reply.status
        if status in accepted:
            return
        said = f"{status} {word}".strip()
        if status == 429:
            raise self.failed(f"{self._channel} asks to wait ({said})", retry_after=wait_of(reply))
        if 300 <= status < 400:
            raise self.failed(f"{self._channel} redirects ({status}), which is not followed", permanent=True)
        if 400 <= status < 500 and status not in _NOT_TAKEN:
            raise self.failed(f"{self._channel} refuses ({said})", permanent=True)
        if status >= 500 or status in _NOT_TAKEN:
            raise self.failed(f"{self._channel} is in trouble ({said})", retry_after=wait_of(reply))
        raise self.failed(f"an unexpected reply ({said})", ambiguous=True)

    def failed(
        self, what: str, *, permanent: bool = False, retry_after: float | None = None, ambiguous: bool = False
    ) -> DeliveryError:
        """The error of this receiver."""
        return DeliveryError(
            f"receiver {self.receiver}: {what}",
            permanent=permanent,
            retry_after=retry_after,
            ambiguous=ambiguous and not self._idempotent,
        )

    async def aclose(self) -> None:
        """Close the connections; a second call does nothing."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    def _open(self) -> httpcore2.AsyncConnectionPool:
        if self._pool is None:
            import httpcore2
            import httpx2

            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=httpx2.create_ssl_context(trust_env=False), max_connections=4, keepalive_expiry=5.0
            )
        return self._pool


def _headers(url: str, content: bytes, more: Mapping[str, str]) -> list[tuple[str | bytes, str | bytes]]:
    named = {
        "host": urlsplit(url).netloc,
        "user-agent": f"outage-detector/{__version__}",
        "accept": "application/json, */*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(content)),
        **more,
    }
    return list(named.items())


def wait_of(reply: Reply) -> float | None:
    """How long an answer asks to wait: its header, or Discord's `retry_after`; None where neither is usable.

    >>> wait_of(Reply(status=429, headers={"retry-after": "7"}, body=b"")), wait_of(Reply(status=429, headers={},
    ...     body=b'{"retry_after": 64.5}')), wait_of(Reply(status=429, headers={}, body=b"soon"))
    (7.0, 64.5, None)
    """
    headers = {name.lower(): value for name, value in reply.headers.items()}
    wait = retry_after(headers.get("retry-after"), headers.get("date"))
    if wait is None and reply.json().get("retry_after") is not None:
        wait = retry_after(str(reply.json()["retry_after"]), None)
    return wait


def _unreached(channel: str, error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"the connection to {channel} is not safe (TLS)"
        cause = cause.__cause__ or cause.__context__
    return f"cannot reach {channel} ({type(error).__name__})"
