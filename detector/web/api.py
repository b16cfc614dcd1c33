"""The JSON: the same values as on the pages, for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from anyio import to_thread
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from detector.domain import AlertState, format_time
from detector.errors import StoreError
from detector.web import alert, metrics, proof, series, service, sources
from detector.web.desk import Desk
from detector.web.live import Live
from detector.web.shapes import AlertList

MOST_STREAMS = 1200
_LIST = 200


class Api:
    """The endpoints that answer programs."""

    def __init__(self, desk: Desk, live: Live) -> None:
        self._desk = desk
        self._live = live

    async def board(self, _: Request) -> Response:
        """`/api/board`."""
        snapshot = await to_thread.run_sync(self._live.snapshot)
        return answer(snapshot.board)

    async def service(self, request: Request) -> Response:
        """`/api/services/SLUG`."""
        snapshot = await to_thread.run_sync(self._live.snapshot)
        entry = snapshot.entries.get(request.path_params["slug"])
        if entry is None:
            return problem(404, "no such service is watched")

        def look() -> Mapping[str, Any]:
            with self._desk.asking() as ask:
                now = self._desk.around.now()
                return service.look(ask, self._desk.around, entry.row, now, back=series.RANGES["7d"].back)

        return answer(await to_thread.run_sync(look))

    async def series(self, request: Request) -> Response:
        """`/api/services/SLUG/series?range=24h`."""
        slug, chosen = request.path_params["slug"], request.query_params.get("range", series.DEFAULT_RANGE)
        if slug not in self._desk.names:
            return problem(404, "no such service is watched")
        if chosen not in series.RANGES:
            return problem(400, f"range is one of {', '.join(series.RANGES)}")

        def look() -> Mapping[str, Any]:
            with self._desk.asking() as ask:
                now = self._desk.around.now()
                return series.look(
                    ask,
                    self._desk.expectations(ask),
                    slug,
                    chosen,
                    now,
                    alerts=ask.read.alerts(service=slug, since=now - series.RANGES[chosen].back),
                    incidents=ask.read.incidents(service=slug, since=now - service.HISTORY),
                )

        return answer(await to_thread.run_sync(look))

    async def alerts(self, request: Request) -> Response:
        """`/api/alerts?state=firing&service=SLUG`."""
        wanted, slug = request.query_params.get("state"), request.query_params.get("service")
        if wanted not in {None, "firing", "resolved"}:
            return problem(400, "state is firing or resolved")

        def look() -> AlertList:
            with self._desk.asking() as ask:
                now = self._desk.around.now()
                state = None if wanted is None else AlertState(wanted)
                found = ask.read.alerts(service=slug, state=state, limit=_LIST)
                near = min((each.onset_at for each in found), default=now) - service.IN_TIME * 18
                incidents = ask.read.incidents(service=slug, since=near)
                return AlertList(at=format_time(now), alerts=service.shorts(found, incidents, ask.read.feedback()))

        return answer(await to_thread.run_sync(look))

    async def alert(self, request: Request) -> Response:
        """`/api/alerts/KEY`."""

        def look() -> Mapping[str, Any] | None:
            with self._desk.asking() as ask:
                found = ask.read.alert(request.path_params["key"])
                return None if found is None else alert.look(ask, found, self._desk.names, self._desk.around.now())

        found = await to_thread.run_sync(look)
        return problem(404, "there is no such alert") if found is None else answer(found)

    async def proof(self, _: Request) -> Response:
        """`/api/proof`."""

        def look() -> Mapping[str, Any]:
            with self._desk.asking() as ask:
                return proof.look(ask, self._desk.around, self._desk.around.now())

        return answer(await to_thread.run_sync(look))

    async def sources(self, _: Request) -> Response:
        """`/api/sources`."""

        def look() -> Mapping[str, Any]:
            with self._desk.asking() as ask:
                return sources.look(ask, self._desk.around, self._desk.around.now())

        return answer(await to_thread.run_sync(look))

    async def openapi(self, _: Request) -> Response:
        """`/api/openapi.json`."""
        from detector.web.openapi import document

        return answer(await to_thread.run_sync(document))

    async def metrics(self, _: Request) -> Response:
        """`/metrics`, in Prometheus' text format."""
        snapshot = await to_thread.run_sync(self._live.snapshot)

        def look() -> bytes:
            with self._desk.asking() as ask:
                found = sources.sources(ask, self._desk.around, self._desk.around.now())
                return metrics.exposition(
                    snapshot.board,
                    found,
                    ask.owed(),
                    self._live.streams,
                    figures=ask.figures(),
                    workings=self._desk.around.workings(),
                )

        return Response(await to_thread.run_sync(look), media_type=metrics.CONTENT_TYPE)

    async def events(self, request: Request) -> Response:
        """`/events`: the board's changes as server-sent events; goes on after `Last-Event-ID`, or `?since=`."""
        if self._live.streams >= MOST_STREAMS:
            return JSONResponse({"error": "too many streams are open"}, 503, headers={"retry-after": "30"})
        last = request.headers.get("last-event-id") or request.query_params.get("since")
        slug = request.query_params.get("service")
        if slug is not None and slug not in self._desk.names:
            return problem(404, "no such service is watched")
        await to_thread.run_sync(self._live.snapshot)
        return EventSourceResponse(self._live.events(last, slug), ping=15, send_timeout=20)


def answer(values: Mapping[str, Any]) -> Response:
    """JSON; text stays readable and no figure is beyond JSON's."""
    body = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body, media_type="application/json")


def problem(status: int, why: str) -> Response:
    """Why not."""
    return JSONResponse({"error": why}, status)


async def store_trouble(
    request: Request, error: Exception, page: Callable[[Request, StoreError], Response]
) -> Response:
    """503 in words, as a page for a person and as JSON for a program."""
    if not isinstance(error, StoreError):
        raise error
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
        return page(request, error)
    return problem(503, str(error))
