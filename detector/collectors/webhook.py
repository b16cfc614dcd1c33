"""Posts that somebody sends us over HTTP: a team's own support tickets, an in-house stream.

The collector opens a small server on this machine (put a reverse proxy before it for others). A request is
`POST /posts` with a JSON post or a list of them, as in our archives (`text`, `title`, `id`, `created_at`, `author`,
`account_created_at`, `url`, `service`, `in_reply_to`), and three headers:

    X-Detector-Timestamp: 1772452800          Unix seconds, at most five minutes off
    X-Detector-Nonce: 5f0c...                 16 to 64 letters and digits, never used again
    X-Detector-Signature: v1=HEX              HMAC-SHA256(secret, TIMESTAMP + "." + NONCE + "." + body)

200 means that the posts are stored: it is sent when the next poll has confirmed it, so a post that was answered for is
not lost, and one that was not is sent again (ids make that harmless).

Settings: `secret_env` (16 characters at least); optional `port = 8766`, `host = "127.0.0.1"`, `source = "webhook"`,
`max_bytes = 1000000`, `max_waiting = 10000`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from detector.collectors.context import CollectorContext
from detector.collectors.incoming import Incoming, as_post, decode
from detector.collectors.options import Options
from detector.collectors.webhook_server import Answer, PushServer
from detector.domain import Post
from detector.errors import NotConfigured
from detector.protocols import Collector, Harvest

WINDOW = 300.0
MOST_AT_ONCE = 1000
_LEAST_SECRET = 16
_MOST_NONCES = 100_000
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(slots=True)
class _Parcel:
    """The posts of one request, waiting to be confirmed."""

    number: int
    posts: list[Incoming]
    stored: asyncio.Future[None]


class Mailbox:
    """What came in and is not confirmed yet; checks who sent it.

    Args:
        secret: of the signatures.
        max_waiting: posts that may wait; more are refused with 503.
        patience: seconds a sender waits for its posts to be stored.
    """

    def __init__(self, *, secret: bytes, max_waiting: int = 10_000, patience: float = 15.0) -> None:
        self.rejected: Counter[str] = Counter()
        self._secret = secret
        self._max_waiting = max_waiting
        self._patience = patience
        self._name = secrets.token_hex(8)
        self._parcels: list[_Parcel] = []
        self._count = 0
        self._nonces: OrderedDict[str, float] = OrderedDict()
        self._clock = (0.0, 0.0)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Check a request, put its posts in, and answer when they are stored."""
        refused = self._refusal(headers, body)
        if refused is not None:
            return refused
        try:
            one = body.lstrip()[:1] == b"{"
            raws = [msgspec.Raw(body)] if one else msgspec.json.decode(body, type=list[msgspec.Raw])
            if one:
                msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._refuse(400, "not JSON")
        if len(raws) > MOST_AT_ONCE:
            return self._refuse(413, "too many at once")
        if self.waiting + len(raws) > self._max_waiting:
            return self._refuse(503, "full")
        posts, bad = decode(raws)
        self.rejected += bad
        if not posts:
            return Answer(422 if bad else 200, {"accepted": 0, "rejected": dict(bad)})
        self._count += 1
        parcel = _Parcel(self._count, posts, asyncio.get_running_loop().create_future())
        self._parcels.append(parcel)
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.shield(parcel.stored)
        except TimeoutError:
            return Answer(503, {"error": "not stored yet; send it again"})
        return Answer(200, {"accepted": len(posts), "rejected": dict(bad)})

    def open(self, cursor: str | None, now: datetime) -> tuple[list[Incoming], str]:
        """Confirm what a cursor stands for, and take out a copy of the rest with the cursor that stands for it."""
        self._clock = (now.timestamp(), time.monotonic())
        name, _, number = (cursor or "").partition(":")
        upto = int(number) if name == self._name and number.isascii() and number.isdigit() else 0
        for parcel in self._parcels:
            if parcel.number <= upto and not parcel.stored.done():
                parcel.stored.set_result(None)
        self._parcels = [parcel for parcel in self._parcels if parcel.number > upto]
        last = self._parcels[-1].number if self._parcels else max(upto, 0)
        return [post for parcel in self._parcels for post in parcel.posts], f"{self._name}:{last}"

    @property
    def waiting(self) -> int:
        """Posts that are not confirmed."""
        return sum(len(parcel.posts) for parcel in self._parcels)

    def _refusal(self, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Why a request is not believed, if it is not. A nonce is noted only once its signature was found good."""
        stamp, nonce = headers.get("x-detector-timestamp", ""), headers.get("x-detector-nonce", "")
        signature = headers.get("x-detector-signature", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and _NONCE.fullmatch(nonce)):
            return self._refuse(401, "not signed")
        if not hmac.compare_digest(signature.encode(), sign(self._secret, stamp, nonce, body).encode()):
            return self._refuse(401, "wrong signature")
        base, since = self._clock
        now = base + time.monotonic() - since
        if abs(int(stamp) - now) > WINDOW:
            return self._refuse(401, "stale timestamp")
        while self._nonces and next(iter(self._nonces.values())) < now - 2 * WINDOW:
            self._nonces.popitem(last=False)
        if nonce in self._nonces:
            return self._refuse(409, "nonce used before")
        if len(self._nonces) >= _MOST_NONCES:
            return self._refuse(503, "full")
        self._nonces[nonce] = now
        return None

    def _refuse(self, status: int, reason: str) -> Answer:
        self.rejected[reason] += 1
        return Answer(status, {"error": reason})


class Webhook:
    """Drains a mailbox.

    Args:
        context: author key.
        mailbox: where posts come in.
        host, port: where its server listens from the first poll on; port 0 is any.
        source: the `Post.source` it fills.
        max_bytes: of a request's body.
    """

    def __init__(
        self,
        *,
        context: CollectorContext,
        mailbox: Mailbox,
        port: int,
        host: str = "127.0.0.1",
        source: str = "webhook",
        max_bytes: int = 1_000_000,
    ) -> None:
        self._context = context
        self._mailbox = mailbox
        self._source = source
        self._server = PushServer(
            receive=mailbox.receive, rejected=mailbox.rejected, host=host, port=port, max_bytes=max_bytes
        )

    @property
    def source(self) -> str:
        """`webhook`, or as the settings say."""
        return self._source

    @property
    def interval(self) -> float:
        """Seconds between polls: senders wait for the next one but one."""
        return 1.0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """What came and was not confirmed by the cursor; the first poll opens the server.

        Raises:
            Permanent: the server cannot listen.
        """
        waiting, after = self._mailbox.open(cursor, now)
        await self._server.start()
        rejected = Counter(self._mailbox.rejected)
        self._mailbox.rejected.clear()
        posts: list[Post] = []
        for each in waiting:
            made = as_post(each, self._context, source=self._source, now=now)
            if isinstance(made, Post):
                posts.append(made)
            else:
                rejected[made] += 1
        return Harvest(posts=tuple(posts), cursor=after, rejected=tuple(sorted(rejected.items())))

    async def aclose(self) -> None:
        """Stop listening; senders that still wait are hung up on, and send again."""
        await self._server.aclose()


def sign(secret: bytes, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature a sender puts into `X-Detector-Signature`.

    >>> sign(b"secret", "1", "n", b"{}")[:9]
    'v1=33e17e'
    """
    return "v1=" + hmac.digest(secret, f"{timestamp}.{nonce}.".encode() + body, hashlib.sha256).hex()


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The webhook collector (entry point `detector.collectors: webhook`).

    Raises:
        NotConfigured: there is no secret.
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options("webhook", settings)
    secret = options.secret("secret")
    host = options.text("host", "127.0.0.1")
    port = options.whole("port", 8766, 0, 65_535)
    source = options.source("webhook")
    max_bytes = options.whole("max_bytes", 1_000_000, 1000, 20_000_000)
    max_waiting = options.whole("max_waiting", 10_000, 1, 1_000_000)
    if host not in {"127.0.0.1", "::1"}:
        options.wrong("host", f"127.0.0.1 or ::1 is needed, not {host!r}; put a reverse proxy with TLS before it")
    if 0 < len(secret) < _LEAST_SECRET:
        options.wrong("secret", f"at least {_LEAST_SECRET} characters are needed")
    options.done()
    if not secret:
        raise NotConfigured("pushed posts must be signed: set secret_env")
    mailbox = Mailbox(secret=secret.encode(), max_waiting=max_waiting)
    return [Webhook(context=context, mailbox=mailbox, host=host, port=port, source=source, max_bytes=max_bytes)]
