"""The HTML pages: each gathers its values and hands them to a template."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

from anyio import to_thread
from jinja2 import Environment
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from detector import __version__
from detector.domain import MINUTE, parse_time
from detector.errors import StoreError
from detector.web import alert, board, proof, series, service, sources
from detector.web.desk import Desk
from detector.web.guard import Sessions
from detector.web.live import Live
from detector.web.shapes import Row

Endpoint = Callable[[Request], Awaitable[Response]]
LATE = 5 * MINUTE
_LEAD_STEPS = (-60, -30, -15, -5, 0, 5, 15, 30, 60, 120)


class Pages:
    """The endpoints of the pages.

    Args:
        writable: whether feedback and silences can be given here.
    """

    def __init__(self, desk: Desk, templates: Environment, sessions: Sessions, *, writable: bool) -> None:
        self._desk = desk
        self._templates = templates
        self._sessions = sessions
        self._writable = writable
        self._row = templates.get_template("_row.html")
        self.live = Live(desk, self.render_row)

    def render_row(self, row: Row, now: datetime) -> str:
        """One row of the board."""
        return self._row.render(row=row, now=now)

    async def board(self, request: Request) -> Response:
        """`/`: every service."""
        snapshot = await to_thread.run_sync(self.live.snapshot)
        words = request.query_params.get("q", "")[:80].strip().casefold()
        state = request.query_params.get("state", "")
        shown: dict[str, list[str]] = {each: [] for each in board.ORDER}
        for entry in snapshot.entries.values():
            row = entry.row
            fits = words in row["name"].casefold() or words in row["slug"] or words in row["category"]
            if fits and state in {"", row["state"]}:
                shown[row["state"]].append(entry.html)
        return self._page(
            request,
            "board.html",
            look=snapshot.board,
            # Made by our own autoescaped template.
            shown={each: Markup("\n".join(rows)) for each, rows in shown.items()},  # noqa: S704
            found=sum(map(len, shown.values())),
            q=request.query_params.get("q", "")[:80],
            state=state if state in board.ORDER else "",
            number=self.live.name(snapshot),
            worst=board.worst(snapshot.board["counts"]),
            running=self._running(snapshot.board["recorded_until"]),
        )

    def _running(self, until: str | None) -> bool:
        return until is not None and self._desk.around.now() - parse_time(until) < LATE

    async def service(self, request: Request) -> Response:
        """`/s/SLUG`."""
        snapshot = await to_thread.run_sync(self.live.snapshot)
        entry = snapshot.entries.get(request.path_params["slug"])
        if entry is None:
            return self.missing(request, "No such service is watched.")
        chosen = request.query_params.get("range", series.DEFAULT_RANGE)
        if chosen not in series.RANGES:
            chosen = series.DEFAULT_RANGE
        return await to_thread.run_sync(self._service, request, entry.row, chosen, self.live.name(snapshot))

    def _service(self, request: Request, row: Row, chosen: str, number: str) -> Response:
        now = self._desk.around.now()
        with self._desk.asking() as ask:
            look = service.look(ask, self._desk.around, row, now, back=series.RANGES[chosen].back)
            chart = series.look(
                ask,
                self._desk.expectations(ask),
                row["slug"],
                chosen,
                now,
                alerts=ask.read.alerts(service=row["slug"], since=now - series.RANGES[chosen].back),
                incidents=ask.read.incidents(service=row["slug"], since=now - service.HISTORY),
            )
        return self._page(
            request,
            "service.html",
            look=look,
            row=row,
            row_html=self.render_row(row, now),
            chart=chart,
            chosen=chosen,
            ranges=series.RANGES,
            number=number,
        )

    async def alert(self, request: Request) -> Response:
        """`/a/KEY`."""
        return await to_thread.run_sync(self._alert, request)

    def _alert(self, request: Request) -> Response:
        with self._desk.asking() as ask:
            found = ask.read.alert(request.path_params["key"])
            if found is None:
                return self.missing(request, "There is no such alert.")
            around = self._desk.around
            look = alert.look(ask, found, self._desk.names, around.now(), zone=around.zone)
            silences = [
                service.silence_look(each)
                for each in ask.read.silences(now=self._desk.around.now())
                if each.service in {found.service, "*"}
            ]
        return self._page(request, "alert.html", look=look, silences=silences)

    async def proof(self, request: Request) -> Response:
        """`/proof`: our own record."""
        return await to_thread.run_sync(self._proof, request)

    def _proof(self, request: Request) -> Response:
        with self._desk.asking() as ask:
            look = proof.look(ask, self._desk.around, self._desk.around.now())
        counts = histogram(look["leads_minutes"])
        # A bar of one or two does not fill the width: it would look like many.
        most = max(5, *(count for _, count in counts))
        shares = [(name, count, round(100 * count / most)) for name, count in counts]
        return self._page(request, "proof.html", look=look, counts=shares)

    async def sources(self, request: Request) -> Response:
        """`/sources`: health of every collector."""
        return await to_thread.run_sync(self._sources, request)

    def _sources(self, request: Request) -> Response:
        with self._desk.asking() as ask:
            look = sources.look(ask, self._desk.around, self._desk.around.now())
            owed, dead = ask.owed()
        return self._page(request, "sources.html", look=look, owed=owed, dead=dead)

    async def login(self, request: Request) -> Response:
        """`/login`: for a page that others can reach."""
        return self._page(request, "login.html", wrong=False)

    def wrong_token(self, request: Request) -> Response:
        """The form again."""
        return self._page(request, "login.html", status=403, wrong=True)

    def missing(self, request: Request, why: str) -> Response:
        """404, in words."""
        return self._page(request, "error.html", status=404, title="Not found", why=why)

    def refused(self, request: Request, status: int, why: str) -> Response:
        """A write that was not accepted."""
        return self._page(request, "error.html", status=status, title="Not done", why=why)

    def broken(self, request: Request, error: StoreError) -> Response:
        """503: the database cannot be read at the moment."""
        return self._page(request, "error.html", status=503, title="No data at the moment", why=str(error))

    def _page(self, request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        session = getattr(request.state, "session", None)
        html = self._templates.get_template(name).render(
            now=self._desk.around.now(),
            names=self._desk.names,
            path=request.url.path,
            writable=self._writable,
            token=self._sessions.token(session) if session else "",
            version=__version__,
            **values,
        )
        return HTMLResponse(html, status_code=status)


def histogram(leads: list[float]) -> list[tuple[str, int]]:
    """How many leads fall between the steps, in minutes; below zero the official page was first.

    >>> [pair for pair in histogram([3.0, 4.0, -2.0]) if pair[1]]
    [('-5 to 0', 1), ('0 to 5', 2)]
    """
    edges = [float("-inf"), *_LEAD_STEPS, float("inf")]
    named = [f"below {_LEAD_STEPS[0]}"]
    named += [f"{low} to {high}" for low, high in pairwise(_LEAD_STEPS)]
    named.append(f"above {_LEAD_STEPS[-1]}")
    return [
        (name, sum(low <= lead < high for lead in leads))
        for name, (low, high) in zip(named, pairwise(edges), strict=True)
    ]
