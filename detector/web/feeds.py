"""What others follow: the alerts as Atom, RSS and JSON Feed, and `status.json`; each with a validator (ETag)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from detector.domain import Alert, AlertState, ServiceState
from detector.notify import feed
from detector.notify.render import Wording
from detector.web.api import problem
from detector.web.desk import Desk
from detector.web.live import Live

_LATEST = 200


class Feeds:
    """The endpoints of the feeds; `?service=SLUG` narrows one to a service."""

    def __init__(self, desk: Desk, live: Live) -> None:
        self._desk = desk
        self._live = live

    async def atom(self, request: Request) -> Response:
        """`/feed.atom`."""
        return await self._answer(request, feed.atom, feed.ATOM_TYPE)

    async def rss(self, request: Request) -> Response:
        """`/feed.rss`."""
        return await self._answer(request, feed.rss, feed.RSS_TYPE)

    async def json(self, request: Request) -> Response:
        """`/feed.json`."""
        own = partial(feed.json_feed, feed_url=str(request.base_url) + "feed.json")
        return await self._answer(request, own, feed.JSON_FEED_TYPE)

    async def status(self, request: Request) -> Response:
        """`/status.json`: the state of every service, for programs that fail over."""
        rows = (await to_thread.run_sync(self._live.snapshot)).board["services"]

        def write() -> bytes:
            with self._desk.asking() as ask:
                found = {each.key: each for each in ask.read.alerts(state=AlertState.FIRING)}
            return feed.status_json(
                (
                    feed.Standing(
                        service=row["slug"],
                        state=ServiceState(row["state"]),
                        alert=found.get(row["alert"]) if row["alert"] else None,
                    )
                    for row in rows
                ),
                self._wording(request),
            )

        return _validated(request, await to_thread.run_sync(write), feed.STATUS_TYPE)

    async def _answer(self, request: Request, write: Callable[..., bytes], kind: str) -> Response:
        service = request.query_params.get("service")
        if service is not None and service not in self._desk.names:
            return problem(404, "no such service is watched")

        def latest() -> list[Alert]:
            with self._desk.asking() as ask:
                return [each for each in ask.read.alerts(service=service, limit=_LATEST) if each.fired_at is not None]

        alerts = await to_thread.run_sync(latest)
        return _validated(request, write(alerts, self._wording(request), service=service), kind)

    def _wording(self, request: Request) -> Wording:
        return Wording(names=self._desk.names, page=str(request.base_url))


def _validated(request: Request, body: bytes, kind: str) -> Response:
    """The body, or 304 to whoever has it already."""
    tag = feed.etag(body)
    headers = {"etag": tag, "cache-control": "no-cache"}
    if feed.unchanged(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=kind)
