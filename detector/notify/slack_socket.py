"""Presses of buttons through Slack's Socket Mode: we connect to Slack, so no address of ours need be reachable.

https://docs.slack.dev/apis/events-api/using-socket-mode. The client is slack_sdk's own, with threads of its own; it
renews its connection, and what breaks at the start is tried again here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from detector.notify.slack import silent
from detector.notify.thread import in_own_thread

if TYPE_CHECKING:
    from slack_sdk.socket_mode.builtin import SocketModeClient
    from slack_sdk.socket_mode.client import BaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest

log = logging.getLogger(__name__)

Take = Callable[[object], bool]

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_TIMEOUT_S = 10
_PING_S = 5.0
_CLOSE_S = 0.2
_LOOK_S = 30.0


class SocketMode:
    """Hands every interaction over, and acknowledges it once it was taken.

    Args:
        app_token: the secret `xapp-...` with the scope `connections:write`.
        take: keeps an interaction, in a thread of the client's; False (or an error) leaves it to be sent again.
        api: the Web API's address.
    """

    def __init__(self, app_token: str, take: Take, *, api: str) -> None:
        self._app_token = app_token
        self._take = take
        self._api = api
        self._client: SocketModeClient | None = None
        self._closed = False

    async def run(self, stopping: asyncio.Event, *, ready: asyncio.Event | None = None) -> None:
        """Listen until `stopping` is set.

        Args:
            ready: set once connected.
        """
        wait = _FIRST_WAIT_S
        try:
            while not stopping.is_set():
                try:
                    connected = await in_own_thread(self._connect, name="slack-socket")
                except Exception as error:  # noqa: BLE001 - the client raises what its transport raises
                    log.warning("slack_socket_refused error=%s %s", type(error).__name__, _word(error))
                    connected = False
                if connected:
                    log.info("slack_socket_open")
                    if ready is not None:
                        ready.set()
                    await self._stay(stopping)
                    return
                try:
                    async with asyncio.timeout(wait):
                        await stopping.wait()
                except TimeoutError:
                    wait = min(wait * 2, _LONGEST_WAIT_S)
        finally:
            client, self._client = self._client, None
            if client is not None:
                self._closed = True
                with suppress(TimeoutError):
                    # The client waits out its own reads; nobody need wait with it.
                    async with asyncio.timeout(_CLOSE_S):
                        await in_own_thread(client.close, name="slack-socket-close")

    async def _stay(self, stopping: asyncio.Event) -> None:
        """Wait for the end; the client renews its connection by itself, and says nothing when it cannot."""
        well = True
        while not stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await stopping.wait()
            connected = self._client is not None and self._client.is_connected()
            if connected != well and not stopping.is_set():
                well = connected
                log.warning("slack_socket %s", "open again" if well else "closed, and not yet open again")

    def _connect(self) -> bool:
        from slack_sdk import WebClient
        from slack_sdk.socket_mode.builtin import SocketModeClient

        if self._client is None:
            # Both logs would show tokens and addresses that are secrets.
            web = WebClient(base_url=self._api, timeout=_TIMEOUT_S, retry_handlers=[], logger=silent())
            self._client = SocketModeClient(
                app_token=self._app_token, web_client=web, logger=silent(), concurrency=2, ping_interval=_PING_S
            )
            self._client.socket_mode_request_listeners.append(self._on_request)
            self._client.on_error_listeners.append(_on_error)
        self._client.connect()
        return bool(self._client.is_connected())

    def _on_request(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        from slack_sdk.errors import SlackClientError
        from slack_sdk.socket_mode.response import SocketModeResponse

        if request.type == "interactive" and not self._taken(request.payload):
            return
        try:
            client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        except (SlackClientError, OSError) as error:
            # It is kept; Slack sends it again over the next connection, and the same press counts once.
            log.warning("slack_socket_ack_lost error=%s", type(error).__name__)

    def _taken(self, payload: Any) -> bool:
        if self._closed:
            return False
        try:
            return self._take(payload)
        except Exception:  # a thread of the client's: what is raised here would be lost in silence
            log.exception("slack_answer_failed")
            return False


def _on_error(error: Exception) -> None:
    log.warning("slack_socket_broke error=%s", type(error).__name__)


def _word(error: Exception) -> str:
    """Slack's own word for a refusal, which holds no secret."""
    reply = getattr(error, "response", None)
    word = reply.get("error") if reply is not None and isinstance(getattr(reply, "data", None), dict) else ""
    return str(word)[:60] if word else ""
