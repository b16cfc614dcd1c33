"""A plain HTTP client for the tests: one request, one connection, every header as given."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int, path: str, *, method: str = "GET", body: bytes | None = None, host: str | None = None, **headers: str
) -> Answer:
    """Ask 127.0.0.1; header names are given with underscores."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given.setdefault("Host", host or f"127.0.0.1:{port}")
    try:
        connection.request(method, path, body=body, headers=given)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def page(port: int, path: str, **headers: str) -> Answer:
    """Ask as a browser does."""
    return ask(port, path, **{"Accept": "text/html", **headers})  # type: ignore[arg-type]  # headers only


def cookie_and_token(port: int, path: str) -> tuple[str, str]:
    """What a browser holds after opening a page with a form."""
    answer = page(port, path)
    cookie = answer.headers["set-cookie"].split(";")[0]
    again = page(port, path, Cookie=cookie)
    found = re.search(r'name="token" value="([0-9a-f]+)"', again.text)
    assert found
    return cookie, found[1]


def submit(port: int, path: str, *, cookie: str, **fields: str) -> Answer:
    """Send a form as a page of this site does."""
    return ask(
        port,
        path,
        method="POST",
        body=urlencode(fields).encode(),
        Accept="text/html",
        Cookie=cookie,
        Origin=f"http://127.0.0.1:{port}",
        Sec_Fetch_Site="same-origin",
        Content_Type="application/x-www-form-urlencoded",
    )
