"""What every request must pass: whom it names, where it comes from, how large it is, and whether it may look.

Pure ASGI, so that it sees a request before anything reads it. A page on this machine is still reachable by every web
site open in a browser on it: the Host list stops names that were made to point here (DNS rebinding), Origin and
Sec-Fetch-Site stop forms of other sites, and the cookie is never sent with what another site begins.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
LARGEST_BODY = 64 * 1024
LONGEST_TARGET = 4096
LARGEST_HEAD = 16 * 1024
_METHODS = frozenset({"GET", "HEAD", "POST"})
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Sessions:
    """Signed cookies and form tokens; the key lives as long as the program."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def new(self) -> str:
        """A session nobody can make up."""
        name = secrets.token_urlsafe(24)
        return f"{name}.{self._sign('session', name)}"

    def holds(self, session: str | None) -> bool:
        """Whether we gave it out."""
        name, _, sign = (session or "").partition(".")
        return bool(sign) and hmac.compare_digest(sign.encode(), self._sign("session", name).encode())

    def token(self, session: str) -> str:
        """What a form of this session must bring back."""
        return self._sign("form", session)

    def may_write(self, session: str | None, token: str) -> bool:
        """Whether a form came from a page of ours, in this session."""
        return (
            session is not None
            and self.holds(session)
            and hmac.compare_digest(token.encode(), self.token(session).encode())
        )

    def _sign(self, use: str, text: str) -> str:
        return hmac.new(self._key, f"{use}:{text}".encode(), hashlib.sha256).hexdigest()


class Guard:
    """The middleware around the whole program.

    Args:
        app: what is guarded.
        sessions: signs cookies.
        token: needed from everybody if given; None where only this machine can connect.
        hosts: further values of Host, with the port where it is not 80 or 443.
        signed: addresses to which a program writes that knows neither token nor page; what they take bears a
            signature, which they check themselves.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        sessions: Sessions,
        token: str | None = None,
        hosts: Iterable[str] = (),
        signed: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)
        self._signed = signed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let through with the headers that every answer bears."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        name = cookie_name(scope)
        session = _cookie(headers, name)
        known = session if self._sessions.holds(session) else None
        bearer = self._bears_token(headers)
        scope.setdefault("state", {})
        fresh = None
        if known is None and self._token is None:
            known = fresh = self._sessions.new()
        scope["state"] |= {"session": known, "bearer": bearer, "cookie": name}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                mine = MutableHeaders(scope=message)
                for key, value in _HEADERS.items():
                    mine[key] = value
                if self._token is not None:
                    # Without TLS and off this machine browsers send no Sec-Fetch-Site, so a form must bear its Origin;
                    # other sites are told as little as by `no-referrer`.
                    mine["referrer-policy"] = "same-origin"
                mine.setdefault("cache-control", "no-store")
                if fresh is not None and mine.get("content-type", "").startswith("text/html"):
                    mine.append("set-cookie", set_cookie(scope, name, fresh))
            await send(message)

        refusal = self._judge(scope, headers, known=known, bearer=bearer)
        if refusal is not None:
            await _refuse(answer, *refusal, html=_wants_page(scope, headers))
            return
        await self._app(scope, _bounded(receive) if scope["method"] == "POST" else receive, answer)

    def _judge(self, scope: Scope, headers: Headers, *, known: str | None, bearer: bool) -> tuple[int, str] | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0].lower(), scope):
            return 421, "this address is not ours; use the one that the program printed"
        if scope["method"] not in _METHODS:
            return 405, "only GET, HEAD and POST are answered"
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_TARGET:
            return 414, "the address is too long"
        if sum(len(key) + len(value) for key, value in headers.raw) > LARGEST_HEAD:
            return 431, "the headers are too long"
        signed = scope["method"] == "POST" and scope["path"] in self._signed
        if self._token is not None and not (known or bearer or signed) and not _is_open(scope["path"]):
            return 401, "a token is needed; sign in at /login, or send Authorization: Bearer"
        if scope["method"] == "POST":
            return _judge_write(headers, hosts[0].lower(), bearer=bearer or signed)
        return None

    def _is_ours(self, host: str, scope: Scope) -> bool:
        if host in self._hosts:
            return True
        # Any name would do for an attacker who controls it; the port is the one we were reached at.
        port = (scope.get("server") or (None, None))[1]
        name, _, given = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, given = host, "80"
        return name in LOOPBACK and given == str(port)

    def _bears_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        return self._token is not None and kind.lower() == "bearer" and same(given.strip(), self._token)


def _judge_write(headers: Headers, host: str, *, bearer: bool) -> tuple[int, str] | None:
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length[:12]) > LARGEST_BODY:
        return 413, f"a body of more than {LARGEST_BODY} bytes is refused"
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in {None, "same-origin"}:
        return 403, "this was sent by another site"
    # Under `no-referrer` a browser says "Origin: null" even of our own forms; then Sec-Fetch-Site, which no page can
    # set, speaks for it.
    if origin is not None and not (origin == "null" and site == "same-origin"):
        parts = urlsplit(origin) if origin.isascii() else None
        if parts is None or parts.scheme not in {"http", "https"} or parts.netloc.lower() != host:
            return 403, "this was sent by another site"
    elif site is None and not bearer:
        return 403, "a request that changes something must say where it comes from (Origin), or bear the token"
    return None


def same(given: str, wanted: str) -> bool:
    """Compare in a time that tells nothing.

    >>> same("a", "a"), same("ä", "b")
    (True, False)
    """
    return hmac.compare_digest(given.encode(), wanted.encode())


def cookie_name(scope: Scope) -> str:
    """Cookies know no ports, so ours bears it: two daemons on a machine do not sign each other out."""
    return f"detector_{(scope.get('server') or (None, 0))[1]}"


def set_cookie(scope: Scope, name: str, value: str) -> str:
    """The header's value; a page's script cannot read the cookie, and no other site can have it sent."""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if scope.get("scheme") == "https" else "")


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


def _is_open(path: str) -> bool:
    return path == "/login" or path.startswith("/static/")


def _wants_page(scope: Scope, headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api/")


def _bounded(receive: Receive) -> Receive:
    """A body that says nothing of its length is cut off where it grows too long."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > LARGEST_BODY:
                return {"type": "http.disconnect"}
        return message

    return bounded


async def _refuse(send: Send, status: int, why: str, *, html: bool) -> None:
    kind = "application/json"
    body = json.dumps({"error": why}).encode()
    headers = [(b"connection", b"close")] if status == 413 else []
    if html and status == 401:
        # A cookie is not sent with a link from another site (a chat, a mail): here the reader can go on by a click.
        kind = "text/html; charset=utf-8"
        body = (
            b'<!doctype html><html lang="en"><title>Sign in</title><link rel="stylesheet" href="/static/page.css">'
            b'<main class="narrow"><h1>Sign in</h1><p><a href="/login">Sign in with the token</a>. If you have done '
            b'so already, <a href="">open this page again</a>.</p></main></html>'
        )
    headers += [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
