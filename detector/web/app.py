"""The program of the page: what answers at which address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from detector.errors import StoreError
from detector.web.api import Api, problem, store_trouble
from detector.web.desk import Desk
from detector.web.feeds import Feeds
from detector.web.guard import Guard, Sessions
from detector.web.pages import Pages
from detector.web.ports import Act, OpenReader, Surroundings, TakeAnswer
from detector.web.words import environment
from detector.web.writes import Writes

STATIC = Path(__file__).parent / "static"


class _Static(StaticFiles):
    """Our own files; a browser asks each time whether they have changed (an upgrade must not leave old ones)."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        return response


def create_app(
    open_reader: OpenReader,
    *,
    around: Surroundings,
    act: Act | None = None,
    token: str | None = None,
    hosts: Iterable[str] = (),
    answers: TakeAnswer | None = None,
) -> Starlette:
    """The page over a database.

    Args:
        open_reader: opens the database read-only; called a few times, from several threads.
        around: the watched services, the clock and the rules of health.
        act: takes feedback and silences to the one writer; None makes the page read-only.
        token: needed from everybody if given; give one wherever others than this machine can connect.
        hosts: values of the Host header to answer to, beside this machine's own names.
        answers: takes the presses of buttons that Slack signs and sends to `/slack/answers`; without it there is no
            such address.

    Example:
        The daemon: `server = make_server(create_app(lambda: open_reader(path), around=page_surroundings(plan, now),
        act=writer(store, now)), port=8765)`, then `await server.serve()` beside its loops and `server.stop()` at the
        end.
    """
    desk, sessions, templates = Desk(open_reader, around), Sessions(), environment(around.zone, around.zone_name)
    pages = Pages(desk, templates, sessions, writable=act is not None)
    api, feeds = Api(desk, pages.live), Feeds(desk, pages.live)
    writes = Writes(desk, pages, sessions, act=act, token=token, answers=answers)
    signed = frozenset() if answers is None else frozenset({"/slack/answers"})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        looking = asyncio.create_task(pages.live.run())
        try:
            yield
        finally:
            pages.live.close()
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            desk.close()

    async def trouble(request: Request, error: Exception) -> Response:
        return await store_trouble(request, error, pages.broken)

    async def refusal(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        why = error.detail if isinstance(error, HTTPException) else "an error"
        if status == 404 and "text/html" in request.headers.get("accept", ""):
            return pages.missing(request, "There is no page at this address.")
        return problem(status, why)

    app = Starlette(
        routes=[
            Route("/", pages.board),
            Route("/s/{slug}", pages.service),
            Route("/s/{slug}/silence", writes.silence_form, methods=["POST"]),
            Route("/a/{key}", pages.alert),
            Route("/a/{key}/feedback", writes.feedback_form, methods=["POST"]),
            Route("/proof", pages.proof),
            Route("/sources", pages.sources),
            Route("/login", pages.login, methods=["GET"]),
            Route("/login", writes.login, methods=["POST"]),
            Route("/events", api.events),
            Route("/metrics", api.metrics),
            Route("/status.json", feeds.status),
            Route("/feed.atom", feeds.atom),
            Route("/feed.rss", feeds.rss),
            Route("/feed.json", feeds.json),
            Route("/api/openapi.json", api.openapi),
            Route("/api/board", api.board),
            Route("/api/services/{slug}", api.service),
            Route("/api/services/{slug}/series", api.series),
            Route("/api/services/{slug}/silence", writes.silence_api, methods=["POST"]),
            Route("/api/alerts", api.alerts),
            Route("/api/alerts/{key}", api.alert),
            Route("/api/alerts/{key}/feedback", writes.feedback_api, methods=["POST"]),
            Route("/api/proof", api.proof),
            Route("/api/sources", api.sources),
            *(Route(path, writes.answer, methods=["POST"]) for path in signed),
            Route("/favicon.ico", _favicon),
            Mount("/static", _Static(directory=STATIC)),
        ],
        middleware=[
            Middleware(Guard, sessions=sessions, token=token, hosts=tuple(hosts), signed=signed),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=3),
        ],
        exception_handlers={StoreError: trouble, HTTPException: refusal},
        lifespan=lifespan,
    )
    app.state.live = pages.live
    # An address with a slash too many is wrong; a redirect would repeat whatever Host was sent.
    app.router.redirect_slashes = False
    return app


async def _favicon(_: Request) -> Response:
    return Response((STATIC / "favicon.svg").read_bytes(), media_type="image/svg+xml")
