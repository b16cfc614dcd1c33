"""The session against real servers on loopback that behave well, badly and maliciously."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable

import pytest

from detector.errors import Hostile, Permanent, Temporary, TransportError
from detector.transport.session import Limits, Response, Session, Validators
from tests.loopback import Loopback, Reply, Request, unused_port

# Patient where an answer must come, however loaded the machine; impatient where none will.
_PATIENT = Limits(deadline=10, min_interval=0)
_IMPATIENT = Limits(deadline=0.6, min_interval=0)
_SLOW_FAULTS = {"hang", "drip", "wrong length"}


def _run(use: Callable[[Session], Awaitable[Response]], *, limits: Limits = _PATIENT, private: bool = True) -> Response:
    async def go() -> Response:
        session = Session(allow_private=private, limits=limits)
        try:
            return await use(session)
        finally:
            await session.aclose()
            await session.aclose()

    return asyncio.run(go())


def _get(url: str, *, limits: Limits = _PATIENT, private: bool = True) -> Response:
    return _run(lambda session: session.get(url), limits=limits, private=private)


def test_a_document_arrives_with_its_validators() -> None:
    """Body, type, ETag and Last-Modified come through; the request names who asks."""
    headers = {"ETag": '"1"', "Last-Modified": "Mon, 02 Mar 2026 12:00:00 GMT", "Content-Type": "text/xml"}
    with Loopback({"/a": Reply("hello", headers=headers)}) as server:
        answer = _get(server.url + "/a?b=c")

    assert (answer.status, answer.body, answer.content_type) == (200, b"hello", "text/xml")
    assert answer.validators == Validators(etag='"1"', last_modified=headers["Last-Modified"])
    assert server.requests[0].query == {"b": ["c"]}
    assert server.requests[0].headers["user-agent"].startswith("outage-detector/")


def test_a_conditional_request_can_answer_not_modified() -> None:
    """The validators travel, and 304 is a good answer."""

    def answer(request: Request) -> Reply:
        return Reply(status=304) if request.headers.get("if-none-match") == '"1"' else Reply("new")

    with Loopback({"/a": answer}) as server:
        got = _run(lambda session: session.get(server.url + "/a", conditional=Validators(etag='"1"')))

    assert got.not_modified
    assert got.body == b""


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")[2:-4]),
        ("identity", b"hello"),
    ],
)
def test_a_compressed_body_is_decoded(encoding: str, body: bytes) -> None:
    """gzip, both kinds of deflate, and none."""
    with Loopback({"/": Reply(body, headers={"Content-Encoding": encoding})}) as server:
        assert _get(server.url).body == b"hello"


def _bomb(megabytes: int) -> bytes:
    """So many megabytes of zeros as a small gzip file, made without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(megabytes)) + packer.flush()


_FAULTS: list[tuple[str, Reply, type[TransportError]]] = [
    ("hang", Reply(fault="hang"), Temporary),
    ("drip", Reply("x" * 200, fault="drip"), Hostile),
    ("reset", Reply(fault="reset"), Temporary),
    ("truncated", Reply("half", fault="truncated"), Temporary),
    ("nothing", Reply(fault="empty"), Temporary),
    ("no http", Reply("SSH-2.0-OpenSSH\r\n", fault="raw"), Temporary),
    ("endless header", Reply("HTTP/1.1 200 OK\r\nX: " + "a" * 300_000, fault="raw"), Temporary),
    ("wrong length", Reply("short", headers={"Content-Length": "5000"}), Hostile),
    ("500", Reply("oops", status=500), Temporary),
    ("503", Reply("later", status=503), Temporary),
    ("400", Reply("no", status=400), Permanent),
    ("401", Reply("key?", status=401), Permanent),
    ("404", Reply("gone", status=404), Permanent),
    ("redirect loop", Reply(status=302, headers={"Location": "/"}), Permanent),
    ("redirect to a file", Reply(status=301, headers={"Location": "file:///etc/passwd"}), Permanent),
    ("redirect to metadata", Reply(status=301, headers={"Location": "http://169.254.169.254/"}), Permanent),
    ("redirect to another private host", Reply(status=301, headers={"Location": "http://localhost/"}), Permanent),
    ("too large", Reply(b"x" * 6_000_000), Hostile),
    ("gzip bomb", Reply(_bomb(60), headers={"Content-Encoding": "gzip"}), Hostile),
    ("cut gzip", Reply(gzip.compress(b"hello" * 100)[:20], headers={"Content-Encoding": "gzip"}), Hostile),
    ("no gzip", Reply("plain", headers={"Content-Encoding": "gzip"}), Hostile),
    ("two layers", Reply("x", headers={"Content-Encoding": "gzip, gzip"}), Permanent),
    ("brotli", Reply("x", headers={"Content-Encoding": "br"}), Permanent),
]


@pytest.mark.parametrize(("name", "reply", "kind"), _FAULTS, ids=[name for name, _, _ in _FAULTS])
def test_g6_a_fault_becomes_a_typed_error_and_the_next_fetch_works(
    name: str, reply: Reply, kind: type[TransportError]
) -> None:
    """Each kind of trouble has its type and a message that names the place; a good page beside it is unharmed."""
    with Loopback({"/": reply, "/good": Reply("fine")}) as server:

        async def both(session: Session) -> Response:
            with pytest.raises(kind, match=r".{12}") as caught:
                await session.get(server.url + "/")
            assert type(caught.value) is kind
            session.limits = _PATIENT
            return await session.get(server.url + "/good")

        assert _run(both, limits=_IMPATIENT if name in _SLOW_FAULTS else _PATIENT).body == b"fine"


def test_a_refused_connection_is_temporary() -> None:
    """Nobody listens: the message names the address."""
    url = f"http://127.0.0.1:{unused_port()}/x"

    with pytest.raises(Temporary, match=r"127\.0\.0\.1"):
        _get(url)


def test_loopback_is_refused_unless_allowed() -> None:
    """Without allow_private nothing is asked of a private server."""
    with Loopback({"/": Reply("secret")}) as server:
        with pytest.raises(Permanent, match="loopback"):
            _get(server.url, private=False)

        assert server.requests == []


def test_one_source_may_be_private_while_others_are_not() -> None:
    """The connection kept for an allowed fetch does not serve one that is not allowed."""
    with Loopback({"/": Reply("mine")}) as server:

        async def both(session: Session) -> Response:
            answer = await session.get(server.url, allow_private=True)
            with pytest.raises(Permanent):
                await session.get(server.url)
            return answer

        assert _run(both, private=False).body == b"mine"
        assert len(server.requests) == 1


def test_a_gzip_bomb_costs_little_memory() -> None:
    """500 MB of zeros are cut off long before they fill the memory."""
    with Loopback({"/": Reply(_bomb(500), headers={"Content-Encoding": "gzip"})}) as server:
        tracemalloc.start()
        with pytest.raises(Hostile, match="dropped"):
            _get(server.url, limits=Limits(deadline=20, min_interval=0))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 1.0), ("86400", 3600.0), ("Mon, 02 Mar 2026 12:00:30 GMT", 30.0), ("soon", None), ("nan", None)],
)
def test_f20_retry_after_is_obeyed_and_clamped(header: str, seconds: float | None) -> None:
    """Seconds and dates, never under a second or over an hour; the host is then left alone."""
    headers = {"Retry-After": header, "Date": "Mon, 02 Mar 2026 12:00:00 GMT"}
    with Loopback({"/": Reply("slow down", status=429, headers=headers)}) as server:
        # The base server adds its own Date first; the last one counts.

        async def twice(session: Session) -> Response:
            with pytest.raises(Temporary) as first:
                await session.get(server.url)
            assert first.value.retry_after == seconds
            with pytest.raises(Temporary):
                await session.get(server.url)
            return Response(url=server.url, status=200)

        _run(twice)

        assert len(server.requests) == (2 if seconds is None else 1)


def test_requests_to_one_host_keep_their_distance() -> None:
    """Three requests with a pause of 0.2 s take at least 0.4 s, however they are started."""
    with Loopback({"/": Reply("x")}) as server:

        async def three(session: Session) -> Response:
            loop = asyncio.get_running_loop()
            start = loop.time()
            answers = await asyncio.gather(*(session.get(server.url) for _ in range(3)))
            assert loop.time() - start >= 0.39
            return answers[0]

        _run(three, limits=Limits(deadline=2, min_interval=0.2))


def test_the_deadline_counts_over_redirects() -> None:
    """Five slow hops do not get five deadlines."""

    def slow(request: Request) -> Reply:
        server.stopping.wait(0.25)
        return Reply(status=302, headers={"Location": "/" + "x" * len(server.requests)})

    with Loopback() as server:
        server.routes = {"/" + "x" * number: slow for number in range(10)}
        with pytest.raises(Temporary, match="no answer"):
            _get(server.url, limits=_IMPATIENT)


def test_secrets_stay_with_the_host_they_are_for() -> None:
    """A header meant for one server is not repeated to the one it redirects to."""
    with Loopback({"/": Reply("hi")}) as other:
        with Loopback({"/": Reply(status=302, headers={"Location": other.url})}) as first:
            _run(lambda session: session.get(first.url, headers={"Authorization": "Bearer S3CR3T"}))

            assert first.requests[0].headers["authorization"] == "Bearer S3CR3T"
        assert "authorization" not in other.requests[0].headers


def test_a_post_is_sent_once_and_never_redirected() -> None:
    """Bodies are not repeated elsewhere; the path, which may be a secret, is in no message."""
    routes = {"/hook": Reply("ok"), "/S3CR3T": Reply(status=307, headers={"Location": "/hook"})}
    with Loopback(routes) as server:
        answer = _run(lambda session: session.post(server.url + "/hook", b"{}"))
        with pytest.raises(Permanent) as caught:
            _run(lambda session: session.post(server.url + "/S3CR3T", b"{}"))

    assert answer.body == b"ok"
    assert server.requests[0].body == b"{}"
    assert "S3CR3T" not in str(caught.value)


def test_f19_an_html_page_is_no_json() -> None:
    """A challenge page sent with status 200 is told apart."""
    with pytest.raises(Hostile, match="HTML page"):
        Response(url="https://example.org/x", status=200, body=b"<!doctype html>").json()
    with pytest.raises(Hostile, match="not JSON"):
        Response(url="https://example.org/x", status=200, body=b"[" * 100_000).json()


def test_the_environment_sets_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY and friends change nothing."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    with Loopback({"/": Reply("direct")}) as server:
        assert _get(server.url).body == b"direct"
