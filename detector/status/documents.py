"""Fetching a page's documents politely: asked "has it changed?" wherever the server lets us, any Unicode encoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from detector.errors import Hostile
from detector.transport.precheck import to_text
from detector.transport.session import Response, Session

_JSON = {"Accept": "application/json, */*;q=0.1"}
_FEED = {"Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/html;q=0.5, */*;q=0.1"}
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


class Documents:
    """The documents of one page; unchanged ones are kept so that a 304 costs next to nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: dict[str, Response] = {}

    async def json(self, url: str) -> Any:
        """A JSON document.

        Raises:
            TransportError: it could not be fetched, or is something else (an HTML challenge sent with status 200).
        """
        answer = await self._get(url, _JSON)
        if answer.body.startswith(_WIDE):  # AWS answers in UTF-16
            answer = replace(answer, body=to_text(answer.body).removeprefix("\ufeff").encode())
        return answer.json()

    async def text(self, url: str) -> Response:
        """Any document, most likely a feed or a page for people.

        Raises:
            TransportError: it could not be fetched.
        """
        return await self._get(url, _FEED)

    async def _get(self, url: str, headers: dict[str, str]) -> Response:
        kept = self._kept.get(url)
        answer = await self._session.get(url, headers=headers, conditional=kept.validators if kept else None)
        if answer.not_modified:
            if kept is None:
                raise Hostile(f"{url}: answered 'not modified' to a question that was not asked")
            return kept
        self._kept.pop(url, None)
        if answer.validators.etag or answer.validators.last_modified:
            self._kept[url] = answer
        return answer
