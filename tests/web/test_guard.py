"""Who may ask, from where, how much, and with what: each line of the security checklist has its test."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from detector.app.page import writer
from detector.store import open_reader
from detector.web import create_app, make_server, server
from tests.web.asking import ask, cookie_and_token, page, submit
from tests.web.conftest import Site, serving
from tests.web.town import Town

ALERT = "claude-20260302T1334"
TOKEN = "t0" * 24


@pytest.fixture(scope="module")
def closed(place: Town) -> Iterator[Site]:
    """A page that others can reach, so it wants a token."""
    app = create_app(
        lambda: open_reader(place.path), around=place.around(), act=writer(place.store), token=TOKEN,
        hosts=["board.example.org"],
    )  # fmt: skip
    yield from serving(app, place)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost:80", "[::1", "", "127.0.0.1:x"]
)
def test_a_name_that_is_not_ours_gets_nothing(site: Site, host: str) -> None:
    """A name made to point at this machine (DNS rebinding) is refused before anything is read."""
    answer = ask(site.port, "/", Host=host)

    assert answer.status == 421
    assert b"Claude" not in answer.body


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_this_machines_own_names_are_answered(site: Site, name: str) -> None:
    """With the port that was reached."""
    assert page(site.port, "/", Host=f"{name}:{site.port}").status == 200


@pytest.mark.parametrize(
    "path", ["/", "/s/claude", f"/a/{ALERT}", "/proof", "/sources", "/nowhere", "/api/board", "/metrics"]
)
def test_every_answer_bears_the_guards(site: Site, path: str) -> None:
    """A strict policy without inline code, no sniffing, no referrer, and no leave for other sites."""
    answer = page(site.port, path)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", [f"/a/{ALERT}/feedback", "/s/claude/silence", f"/api/alerts/{ALERT}/feedback"])
def test_reading_changes_nothing(site: Site, path: str) -> None:
    """What writes does not answer GET, and other methods answer nowhere."""
    assert ask(site.port, path).status == 405
    assert {ask(site.port, path, method=each).status for each in ("PUT", "DELETE", "OPTIONS", "PATCH")} == {405}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "null", "Sec_Fetch_Site": "none"},
        {"Origin": "http://evil.example", "Sec_Fetch_Site": "same-origin"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://localhost:1"},
        {},
    ],
    ids=str,
)
def test_another_sites_form_is_refused_even_with_cookie_and_token(site: Site, headers: dict[str, str]) -> None:
    """Where a request comes from counts before what it holds."""
    cookie, token = cookie_and_token(site.port, f"/a/{ALERT}")
    before = len(site.town.store.read.feedback())

    answer = ask(
        site.port,
        f"/a/{ALERT}/feedback",
        method="POST",
        body=f"real=true&token={token}".encode(),
        Cookie=cookie,
        **headers,
    )

    assert answer.status == 403
    assert len(site.town.store.read.feedback()) == before


def test_a_form_without_its_token_is_refused(site: Site) -> None:
    """The cookie alone does not write; a token of another session neither."""
    cookie, _ = cookie_and_token(site.port, f"/a/{ALERT}")
    _, foreign = cookie_and_token(site.port, f"/a/{ALERT}")

    without = submit(site.port, f"/a/{ALERT}/feedback", cookie=cookie, real="true")
    with_another = submit(site.port, f"/a/{ALERT}/feedback", cookie=cookie, real="true", token=foreign)

    assert without.status == with_another.status == 403


def test_the_cookie_is_out_of_reach(site: Site) -> None:
    """No script can read it, no other site can have it sent, and two daemons do not share it."""
    cookie = page(site.port, "/").headers["set-cookie"]

    assert cookie.startswith(f"detector_{site.port}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_a_large_body_is_refused(site: Site) -> None:
    """By its stated length, and by its real one where none is stated."""
    cookie, token = cookie_and_token(site.port, f"/a/{ALERT}")
    stated = submit(site.port, f"/a/{ALERT}/feedback", cookie=cookie, token=token, comment="x" * 70_000)

    assert stated.status == 413
    with socket.create_connection(("127.0.0.1", site.port), 10) as raw:
        head = (
            f"POST /a/{ALERT}/feedback HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nOrigin: http://127.0.0.1:{site.port}"
            f"\r\nCookie: {cookie}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        raw.sendall(
            head.encode() + b"10000\r\n" + b"x" * 0x10000 + b"\r\n10000\r\n" + b"x" * 0x10000 + b"\r\n0\r\n\r\n"
        )
        assert raw.recv(100).split()[1] in {b"403", b"413"}


def test_a_large_head_is_refused(site: Site) -> None:
    """Headers are bounded."""
    with socket.create_connection(("127.0.0.1", site.port), 10) as raw:
        raw.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nX-Filler: {'x' * 40_000}\r\n\r\n".encode())
        assert raw.recv(100).split()[1] in {b"400", b"431"}


def test_a_connection_that_never_asks_is_closed(place: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends its head letter by letter does not hold a place for long."""
    monkeypatch.setattr(server, "HEAD_TIMEOUT_S", 0.3)
    app = create_app(lambda: open_reader(place.path), around=place.around())
    for slow in serving(app, place):
        with socket.create_connection(("127.0.0.1", slow.port), 10) as raw:
            raw.sendall(b"GET / HT")
            begun = time.monotonic()
            assert raw.recv(10) == b""
            assert time.monotonic() - begun < 5


def test_with_a_token_nobody_looks_without_it(closed: Site) -> None:
    """Neither at pages nor at the API; our own style sheet and the form to sign in are open."""
    assert {ask(closed.port, path).status for path in ("/", "/api/board", "/metrics", "/events", "/feed.atom")} == {401}
    assert ask(closed.port, "/login").status == 200
    assert ask(closed.port, "/static/page.css").status == 200
    assert ask(closed.port, "/api/board", Authorization="Bearer wrong").status == 401
    assert ask(closed.port, "/api/board", Authorization=f"Bearer {TOKEN}").status == 200
    assert ask(closed.port, "/api/board", Cookie=f"detector_{closed.port}=made.up").status == 401
    assert ask(closed.port, "/login", Host="board.example.org").status == 200


def test_signing_in_gives_a_session(closed: Site) -> None:
    """The token goes in a form's body, never into an address."""
    assert submit(closed.port, "/login", cookie="", token="wrong").status == 403
    answer = submit(closed.port, "/login", cookie="", token=TOKEN)

    cookie = answer.headers["set-cookie"]
    assert answer.status == 303
    assert "HttpOnly" in cookie
    assert TOKEN not in cookie
    assert page(closed.port, "/", Cookie=cookie.split(";")[0]).status == 200


def test_a_program_writes_with_the_token(closed: Site) -> None:
    """No browser, so no Origin: the bearer's token stands for it."""
    path = f"/api/alerts/{ALERT}/feedback"

    refused = ask(closed.port, path, method="POST", body=b'{"real": true}')
    taken = ask(closed.port, path, method="POST", body=b'{"real": true}', Authorization=f"Bearer {TOKEN}")

    assert refused.status == 401
    assert taken.status == 202
    assert closed.town.store.read.feedback(ALERT)[-1].real is True


@pytest.mark.parametrize("real", ["[]", "{}", "1", "null", '"yes"', "[[true]]"])
def test_a_program_that_says_something_odd_is_told_so(closed: Site, real: str) -> None:
    """400 for whatever is no plain yes or no."""
    path, given = f"/api/alerts/{ALERT}/feedback", f"Bearer {TOKEN}"

    answer = ask(closed.port, path, method="POST", body=f'{{"real": {real}}}'.encode(), Authorization=given)

    assert answer.status == 400
    assert "true or false" in answer.json()["error"]


def test_an_address_in_use_is_said(site: Site) -> None:
    """With what to do."""
    from detector.errors import UsageError

    with pytest.raises(UsageError, match="--port"):
        make_server(site.app, port=site.port)
