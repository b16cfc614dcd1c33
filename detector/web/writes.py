"""What a person may change from the page: a word on an alert, a silence; handed to the one writer."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from detector.domain import Silence
from detector.errors import DetectorError
from detector.store import Feedback
from detector.web.api import problem
from detector.web.desk import Desk
from detector.web.guard import Sessions, same, set_cookie
from detector.web.pages import Pages
from detector.web.ports import Act, TakeAnswer

logger = logging.getLogger(__name__)

SPANS = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "1d": timedelta(days=1), "1w": timedelta(weeks=1)}
_LONGEST_COMMENT = 500
_READ_ONLY = "this page only shows; the daemon's own page, or `detector feedback` and `detector silence`, can write"


class Writes:
    """The endpoints that change something; every one needs a form token or the bearer's.

    Args:
        act: hands a value to the writer; None makes all of them refuse.
        token: what signs in where others can reach the page.
        answers: takes what a channel signed.
    """

    def __init__(
        self,
        desk: Desk,
        pages: Pages,
        sessions: Sessions,
        *,
        act: Act | None,
        token: str | None,
        answers: TakeAnswer | None = None,
    ) -> None:
        self._desk = desk
        self._pages = pages
        self._sessions = sessions
        self._act = act
        self._token = token
        self._answers = answers

    async def feedback_form(self, request: Request) -> Response:
        """`POST /a/KEY/feedback` from the page."""
        return await self._from_page(request, self._feedback, f"/a/{request.path_params['key']}")

    async def silence_form(self, request: Request) -> Response:
        """`POST /s/SLUG/silence` from the page."""
        return await self._from_page(request, self._silence, f"/s/{request.path_params['slug']}")

    async def feedback_api(self, request: Request) -> Response:
        """`POST /api/alerts/KEY/feedback`."""
        return await self._from_program(request, self._feedback)

    async def silence_api(self, request: Request) -> Response:
        """`POST /api/services/SLUG/silence`."""
        return await self._from_program(request, self._silence)

    async def answer(self, request: Request) -> Response:
        """`POST /slack/answers`: a button pressed in Slack; the signature over the whole body is what lets it in."""
        try:
            body = await request.body()
        except ClientDisconnect:
            return problem(413, "the body is too large")
        status = 404 if self._answers is None else await self._answers(dict(request.headers), body)
        return Response(status_code=200) if status == 200 else problem(status, "not taken")

    async def login(self, request: Request) -> Response:
        """`POST /login`: the token for a session."""
        values = await _form(request)
        if self._token is None or not same(values.get("token", ""), self._token):
            return self._pages.wrong_token(request)
        response = RedirectResponse("/", 303)
        cookie = set_cookie(request.scope, request.state.cookie, self._sessions.new())
        response.raw_headers.append((b"set-cookie", cookie.encode()))
        return response

    async def _from_page(
        self, request: Request, read: Callable[[Request, dict[str, Any]], Feedback | Silence], back: str
    ) -> Response:
        values = await _form(request)
        if not self._sessions.may_write(request.state.session, values.get("token", "")):
            return self._pages.refused(request, 403, "The form is from before a restart; open the page again.")
        try:
            await self._write(read(request, values))
        except HTTPException as refusal:
            return self._pages.refused(request, refusal.status_code, refusal.detail)
        return RedirectResponse(back, 303)

    async def _from_program(
        self, request: Request, read: Callable[[Request, dict[str, Any]], Feedback | Silence]
    ) -> Response:
        given = request.headers.get("x-detector-token", "")
        if not request.state.bearer and not self._sessions.may_write(request.state.session, given):
            return problem(403, "send Authorization: Bearer, or the page's cookie and its X-Detector-Token")
        try:
            values = await request.json()
        except (ValueError, RecursionError):
            return problem(400, "the body is no JSON")
        except ClientDisconnect:
            return problem(413, "the body is too large")
        if not isinstance(values, dict):
            return problem(400, "the body is no JSON object")
        try:
            await self._write(read(request, values))
        except HTTPException as refusal:
            return problem(refusal.status_code, refusal.detail)
        return JSONResponse({"done": "taken in"}, 202)

    async def _write(self, value: Feedback | Silence) -> None:
        act = self._act
        if act is None:
            raise HTTPException(409, _READ_ONLY)
        try:
            await to_thread.run_sync(act, value)
        except DetectorError as error:
            logger.warning("a request from the page was refused: %s", error)
            raise HTTPException(409, str(error)) from error
        logger.info("the page: %s", type(value).__name__.lower())

    def _feedback(self, request: Request, values: dict[str, Any]) -> Feedback:
        given = values.get("real")
        real = next((each for each in (True, False) if given is each or given == str(each).lower()), None)
        if real is None:
            raise HTTPException(400, "real is true or false")
        key = request.path_params["key"]
        with self._desk.asking() as ask:
            if ask.read.alert(key) is None:
                raise HTTPException(404, "there is no such alert")
        return Feedback(alert_key=key, real=real, at=self._desk.around.now(), comment=_comment(values))

    def _silence(self, request: Request, values: dict[str, Any]) -> Silence:
        slug = request.path_params["slug"]
        if slug not in self._desk.names:
            raise HTTPException(404, "no such service is watched")
        span = SPANS.get(str(values.get("span")))
        if span is None:
            raise HTTPException(400, f"span is one of {', '.join(SPANS)}")
        now = self._desk.around.now()
        return Silence(
            id=f"s-{secrets.token_hex(3)}", service=slug, starts_at=now, ends_at=now + span, comment=_comment(values)
        )


def _comment(values: dict[str, Any]) -> str:
    comment = values.get("comment", "")
    if not isinstance(comment, str) or len(comment) > _LONGEST_COMMENT:
        raise HTTPException(400, f"comment is text of at most {_LONGEST_COMMENT} letters")
    return re.sub(r"\s+", " ", comment).strip()


async def _form(request: Request) -> dict[str, str]:
    """The fields of a plain form; python-multipart is not needed for those."""
    from urllib.parse import parse_qsl

    try:
        body = (await request.body()).decode("utf-8", "replace")
        return dict(parse_qsl(body, max_num_fields=20, keep_blank_values=True))
    except (ValueError, ClientDisconnect):
        return {}
