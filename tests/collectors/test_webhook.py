"""The webhook: real requests to its real server, signed well and badly, too large, too slow, too many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.webhook import Mailbox, Webhook, build, sign
from detector.errors import ConfigError, NotConfigured, Permanent
from detector.testing import check_collector, check_harvest
from tests.collectors.test_feeds import run

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = b"CANARY-webhook-secret"
NONCES = (f"nonce-number-{number:06d}" for number in count())
Use = Callable[[CollectorContext, Webhook], Awaitable[None]]


def using(what: Use, *, max_waiting: int = 10_000, max_bytes: int = 10_000, patience: float = 15.0) -> None:
    """Run with an open server."""

    async def go(context: CollectorContext) -> None:
        mailbox = Mailbox(secret=SECRET, max_waiting=max_waiting, patience=patience)
        collector = Webhook(context=context, mailbox=mailbox, port=0, max_bytes=max_bytes)
        await collector.poll(None, now=NOW)
        try:
            await what(context, collector)
        finally:
            await collector.aclose()

    run(go)


def request(
    body: bytes,
    *,
    stamp: float = 0,
    nonce: str | None = None,
    secret: bytes = SECRET,
    method: str = "POST",
    path: str = "/posts",
    **headers: str,
) -> bytes:
    """The bytes of a request, signed unless told otherwise."""
    at, once = str(int(NOW.timestamp() + stamp)), nonce or next(NONCES)
    lines = {
        "Host": "127.0.0.1",
        "Content-Length": str(len(body)),
        "X-Detector-Timestamp": at,
        "X-Detector-Nonce": once,
        "X-Detector-Signature": sign(secret, at, once, body),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def send(collector: Webhook, sent: bytes) -> tuple[int, dict[str, Any]]:
    """What the server answers: status and JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", collector.port)
    try:
        writer.write(sent)
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]), json.loads(body)) if head else (0, {})


async def give_up(sending: asyncio.Task[tuple[int, dict[str, Any]]]) -> None:
    """A sender hangs up."""
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending


async def until_waiting(collector: Webhook, posts: int) -> None:
    """Let the server read until so many posts wait."""
    async with asyncio.timeout(5):
        while len((await collector.poll("none", now=NOW)).posts) < posts:
            await asyncio.sleep(0)


def post(number: int = 1, **named: Any) -> dict[str, Any]:
    return {"id": f"ticket-{number}", "text": f"login fails, says {number}", "author": "adalovelace", **named}


def test_the_collector_conforms() -> None:
    """The conformance suite over one mailbox: what its cursor confirms does not come again."""

    async def check(context: CollectorContext) -> None:
        mailbox = Mailbox(secret=SECRET)
        first = Webhook(context=context, mailbox=mailbox, port=0)
        await first.poll(None, now=NOW)
        sending = asyncio.create_task(send(first, request(json.dumps([post(1), post(2)]).encode())))
        await until_waiting(first, 2)
        opened = [first]

        def another() -> Webhook:
            opened.append(Webhook(context=context, mailbox=mailbox, port=0))
            return opened[-1]

        await check_collector(another, now=NOW, names=("adalovelace",), at_least=2)
        assert (await sending) == (200, {"accepted": 2, "rejected": {}})
        for each in opened:
            await each.aclose()

    run(check)


def test_a_sender_is_answered_when_its_posts_are_stored() -> None:
    """The answer waits for the cursor of the poll that brought them; until then each poll brings them again."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        sending = asyncio.create_task(send(collector, request(json.dumps(post()).encode())))
        await until_waiting(collector, 1)
        first = await collector.poll("none", now=NOW)
        again = await collector.poll("none", now=NOW)
        assert first.posts == again.posts
        assert not sending.done()
        assert (await collector.poll(first.cursor, now=NOW)).posts == ()
        assert (await sending)[0] == 200

    using(go)


def test_posts_that_are_not_stored_in_time_are_not_answered_for() -> None:
    """503: the sender tries again."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        status, says = await send(collector, request(json.dumps(post()).encode()))
        assert status == 503
        assert "again" in says["error"]

    using(go, patience=0.05)


def test_everything_a_post_may_say_arrives() -> None:
    """Title, times, account, service, reply; names are nowhere."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        sent = [
            post(
                1,
                title="Broken",
                created_at="2026-03-02T11:59:00Z",
                account_created_at="2020-01-01T00:00:00Z",
                service="claude",
                in_reply_to="ticket-0",
                url="https://tickets.example/1",
            ),
            {"id": "adalovelace-7", "text": "x y", "author": "adalovelace", "url": "https://t.example/u/adalovelace"},
            {"text": "no id, <b>no</b> author", "created_at": NOW.timestamp() + 999},
        ]
        sending = asyncio.create_task(send(collector, request(json.dumps(sent).encode())))
        await until_waiting(collector, 3)
        harvest = await collector.poll(None, now=NOW)
        check_harvest(harvest, source="webhook", now=NOW, names=("adalovelace",))
        one, two, three = harvest.posts
        assert one.text == "Broken\n\nlogin fails, says 1"
        assert (one.service_hint, one.reply_to, one.url) == ("claude", "ticket-0", "https://tickets.example/1")
        assert one.created_at == NOW - timedelta(minutes=1)
        assert one.account_created_at == datetime(2020, 1, 1, tzinfo=UTC)
        assert one.author == two.author
        assert two.id.startswith("h:")
        assert (three.text, three.author, three.created_at) == ("no id, no author", None, NOW)
        await give_up(sending)

    using(go)


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"secret": b"another secret of theirs"}, 401, "wrong signature"),
        ({"stamp": 301}, 401, "stale timestamp"),
        ({"stamp": -302}, 401, "stale timestamp"),
        ({"X_Detector_Signature": ""}, 401, "wrong signature"),
        ({"X_Detector_Signature": "v1="}, 401, "wrong signature"),
        ({"X_Detector_Timestamp": ""}, 401, "not signed"),
        ({"X_Detector_Timestamp": "1e9"}, 401, "not signed"),
        ({"X_Detector_Nonce": "short"}, 401, "not signed"),
        ({"nonce": "with spaces in it, and long"}, 401, "not signed"),
        ({"method": "GET"}, 405, "not a POST"),
        ({"path": "/"}, 404, "no such path"),
        ({"Content_Encoding": "gzip"}, 415, "compressed"),
        ({"Content_Length": "999999"}, 413, "too large"),
        ({"Content_Length": "-1"}, 400, "not HTTP"),
    ],
)
def test_what_cannot_be_believed_is_refused_and_counted(change: dict[str, Any], status: int, reason: str) -> None:
    """No post of it comes in, and the next poll tells why."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        answered, says = await send(collector, request(json.dumps(post()).encode(), **change))
        assert (answered, says) == (status, {"error": reason})
        harvest = await collector.poll(None, now=NOW)
        assert harvest.posts == ()
        assert dict(harvest.rejected) == {reason: 1}

    using(go)


def test_a_request_cannot_be_repeated() -> None:
    """The very same bytes again are refused; a changed body does not fit the signature."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        sent = request(json.dumps(post()).encode())
        first = asyncio.create_task(send(collector, sent))
        await until_waiting(collector, 1)
        assert (await send(collector, sent)) == (409, {"error": "nonce used before"})
        assert (await send(collector, sent.replace(b"login", b"LOGIN"))) == (401, {"error": "wrong signature"})
        await give_up(first)

    using(go)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"not json", 400, {"error": "not JSON"}),
        (b'{"text": "x"', 400, {"error": "not JSON"}),
        (b"", 400, {"error": "not JSON"}),
        (b"[" * 5000, 400, {"error": "not JSON"}),
        (b"17", 400, {"error": "not JSON"}),
        (b"[]", 200, {"accepted": 0, "rejected": {}}),
        (b"[17]", 422, {"accepted": 0, "rejected": {"wrong shape": 1}}),
        (b'{"text": "   "}', 422, {"accepted": 0, "rejected": {"no text": 1}}),
        (b'{"text": "x", "created_at": 1e300}', 422, {"accepted": 0, "rejected": {"no time": 1}}),
        (b'{"text": {"a": 1}}', 422, {"accepted": 0, "rejected": {"wrong shape": 1}}),
        (b"[" + b",".join([b"1"] * 1001) + b"]", 413, {"error": "too many at once"}),
        (b"x" * 10_001, 413, {"error": "too large"}),
    ],
    ids=lambda value: str(value[:14]) if isinstance(value, bytes) else "",
)
def test_what_is_no_post_is_said_to_be_none(body: bytes, status: int, says: dict[str, Any]) -> None:
    """Signed well, and yet not usable."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        assert (await send(collector, request(body))) == (status, says)

    using(go)


def test_a_body_that_grows_beyond_the_cap_is_cut_off() -> None:
    """Sent in chunks, without a length."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        sent = request(b"", Content_Length="", Transfer_Encoding="chunked") + b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
        status, says = await send(collector, sent + b"2000\r\n" + b"x" * 0x2000 + b"\r\n0\r\n\r\n")
        assert (status, says) == (413, {"error": "too large"})

    using(go)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01 this is TLS\r\n\r\n", b"A" * 40_000, b"POST /posts HTTP/1.1\r\nA: " * 900]
)
def test_what_is_no_http_is_refused(sent: bytes) -> None:
    """TLS, endless headers."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        status, says = await send(collector, sent)
        assert status in {400, 431}
        assert says == {"error": "not HTTP"}

    using(go)


def test_a_full_mailbox_says_so_and_loses_nothing() -> None:
    """503 for what does not fit; what was taken in still comes."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        first = asyncio.create_task(send(collector, request(json.dumps([post(1), post(2)]).encode())))
        await until_waiting(collector, 2)
        assert (await send(collector, request(json.dumps([post(3), post(4)]).encode()))) == (503, {"error": "full"})
        harvest = await collector.poll("none", now=NOW)
        assert len(harvest.posts) == 2
        await collector.poll(harvest.cursor, now=NOW)
        assert (await first)[0] == 200
        last = asyncio.create_task(send(collector, request(json.dumps([post(3), post(4)]).encode())))
        await until_waiting(collector, 2)
        await give_up(last)

    using(go, max_waiting=3)


def test_a_burst_of_senders_loses_nothing() -> None:
    """200 requests of five posts at once: whoever is answered 200 is stored, and each post once."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        async def one(number: int) -> list[str]:
            posts = [post(number * 5 + each) for each in range(5)]
            async with room:
                status, _ = await send(collector, request(json.dumps(posts).encode()))
            return [str(each["id"]) for each in posts] if status == 200 else []

        room = asyncio.Semaphore(50)
        senders = asyncio.gather(*(one(number) for number in range(200)))
        came: list[str] = []
        cursor = None
        while not senders.done():
            harvest = await collector.poll(cursor, now=NOW)
            cursor = harvest.cursor
            came += [each.id for each in harvest.posts]
            await asyncio.sleep(0)
        answered = [each for sent in senders.result() for each in sent]
        assert len(answered) == 1000
        assert sorted(came) == sorted(answered)

    using(go)


def test_a_port_that_is_taken_is_a_typed_error() -> None:
    """It says which, and what to do."""

    async def go(context: CollectorContext, collector: Webhook) -> None:
        other = Webhook(context=context, mailbox=Mailbox(secret=SECRET), port=collector.port)
        with pytest.raises(Permanent, match="choose another port"):
            await other.poll(None, now=NOW)
        await other.aclose()

    using(go)


def test_without_a_secret_it_is_off_and_mistakes_are_told() -> None:
    """It listens on this machine only."""

    async def go(context: CollectorContext) -> None:
        with pytest.raises(NotConfigured, match="secret_env"):
            build({}, context)
        with pytest.raises(ConfigError) as caught:
            build({"secret": "short", "host": "0.0.0.0", "port": -1, "colour": 1}, context)  # noqa: S104
        assert len(caught.value.problems) == 4
        (collector,) = build({"secret": SECRET.decode(), "source": "tickets", "port": 0}, context)
        assert collector.source == "tickets"
        await collector.aclose()

    run(go)
