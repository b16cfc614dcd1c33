"""The page beside the daemon, in its process and loop, where `[web] enabled = true` asks for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from detector.app.answering import Answering
from detector.app.build import Blueprint
from detector.app.clock import Clock
from detector.errors import ConfigError
from detector.store import Store, open_reader

logger = logging.getLogger(__name__)

TOKEN = "DETECTOR_WEB_TOKEN"  # noqa: S105 - the variable's name
_SHORTEST = 43


@asynccontextmanager
async def page_beside(
    plan: Blueprint,
    store: Store,
    clock: Clock,
    env: Mapping[str, str],
    *,
    answering: Answering | None = None,
    workings: Callable[[], Mapping[str, float]] = dict,
) -> AsyncIterator[None]:
    """Serve the page while the block lasts; a page that breaks stops nothing else.

    Args:
        answering: takes what Slack signs and sends to `/slack/answers`.
        workings: figures of the daemon, for the metrics.

    Raises:
        ConfigError: other machines could reach it and there is no token.
        UsageError: the address is taken.
    """
    web = plan.settings.web
    if not web.enabled:
        yield
        return
    from detector.app.page import page_surroundings, writer
    from detector.web import create_app, make_server

    token = _token(web.host, env)
    app = create_app(
        lambda: open_reader(store.path),
        around=page_surroundings(plan, clock.now, workings),
        act=writer(store),
        token=token,
        hosts=web.names,
        answers=None if answering is None else answering.endpoint,
    )
    server = make_server(app, host=web.host, port=web.port)
    serving = asyncio.create_task(server.serve())
    serving.add_done_callback(_tell)
    logger.info("page: %s", server.address)
    try:
        yield
    finally:
        server.stop()
        await asyncio.gather(serving, return_exceptions=True)


def _token(host: str, env: Mapping[str, str]) -> str | None:
    from detector.web.server import is_loopback

    token = env.get(TOKEN, "").strip()
    if not is_loopback(host) and len(token) < _SHORTEST:
        raise ConfigError(
            f"web.host: {host} can be reached by other machines; set {TOKEN} to a token of at least {_SHORTEST} letters"
        )
    return token or None


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("the page broke; the daemon goes on: %s", task.exception())
