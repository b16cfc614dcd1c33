"""Tells a Slack channel as a bot: one message an outage, edited in place, the news in its thread.

https://docs.slack.dev/reference/methods/chat.postMessage: the reference `CHANNEL:TS` of the first message is what
edits and answers need; the outbox keeps it. `CHANNEL:TS:group` is a message about several alerts: never edited.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.error import URLError

from detector.domain import Level, Notification, Reason
from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.blocks import payload_of, slack_payload, with_answers
from detector.notify.render import Wording, may_repeat, standing
from detector.notify.settings import check_address, seconds_of, text_of, wording_of
from detector.notify.slack import DEFAULT_TIMEOUT_S, asks, seconds_asked, silent
from detector.notify.thread import in_own_thread
from detector.protocols import Notifier

if TYPE_CHECKING:
    from slack_sdk import WebClient

API = "https://slack.com/api/"
GROUP = ":group"
EVENT = "outage_detector_notification"

log = logging.getLogger(__name__)

# https://docs.slack.dev/reference/methods/chat.postMessage#errors: these pass.
_PASSING = frozenset(
    {
        "fatal_error",
        "internal_error",
        "message_limit_exceeded",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "workflow_executions_rate_limited",
    }
)
# The message to be edited or answered is no more: begin anew.
_GONE = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found", "invalid_thread_ts"}
)


class SlackBot:
    """Speaks through slack_sdk's `WebClient`. The token stands in no message, log or `repr`.

    An update edits the first message (which may be repeated safely) and then answers in its thread; a post that may
    have arrived is looked up before it is repeated, where the bot may read the channel.
    """

    def __init__(
        self,
        token: str,
        channel: str,
        *,
        receiver: str = "slack",
        wording: Wording | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        api: str = API,
        ask: bool = False,
    ) -> None:
        self._token = token
        self._channel = channel
        self._receiver = receiver
        self._wording = wording or Wording()
        self._timeout = timeout
        self._api = api
        self._ask = ask

    def __repr__(self) -> str:
        return f"SlackBot(receiver={self._receiver!r})"

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._receiver

    async def send(self, notification: Notification) -> str | None:
        """Post, or edit and answer; returns `CHANNEL:TS` of the message that began the thread.

        Raises:
            DeliveryError: not confirmed; `permanent`, `retry_after` and `ambiguous` say what that means.
        """
        for one in notification.others:
            await self._edit(one)
        edited = await self._edit(notification)
        together = {one.thread for one in (notification, *notification.others)}
        thread = notification.thread if len(together) == 1 else None
        if thread is not None and edited is not False:
            try:
                await self._post(notification, thread)
            except _GoneError:
                log.info("slack_thread_gone receiver=%s", self._receiver)
            else:
                return thread
        return await self._post(notification, None)

    async def revise(self, notification: Notification, reply_to: str | None) -> None:  # noqa: ARG002 - the bot needs none
        """Show what was answered on the first message.

        Raises:
            DeliveryError: not confirmed.
        """
        await self._edit(notification)

    async def aclose(self) -> None:
        """Nothing to release: every call has its own connection."""

    async def _edit(self, notification: Notification) -> bool | None:
        """Bring the first message up to date; None where there is none to edit, False where it is gone."""
        thread = notification.thread
        if thread is None or thread.endswith(GROUP) or notification.reason is Reason.UNDELIVERED:
            return None
        channel, ts = _place(thread)
        told = payload_of(standing(notification, self._wording))
        payload = with_answers(told, notification, self._wording, ask=self._ask)
        body = {name: payload[name] for name in ("text", "blocks")}
        try:
            # An edit that may have arrived does no harm when it is repeated.
            await self._call(lambda client: client.chat_update(channel=channel, ts=ts, **body), ambiguous=False)
        except _GoneError:
            return False
        return True

    async def _post(self, notification: Notification, thread: str | None) -> str:
        # The first message asks; what is said in its thread need not ask again.
        ask = self._ask and thread is None
        payload: dict[str, Any] = slack_payload(
            notification if ask else replace(notification, answers=()), self._wording, ask=ask
        )
        payload["metadata"] = {"event_type": EVENT, "event_payload": {"id": notification.id[:200]}}
        channel = self._channel
        if thread is not None:
            channel, payload["thread_ts"] = _place(thread)
            worse = notification.reason is Reason.RAISED and notification.alert.level is Level.MAJOR
            payload["reply_broadcast"] = worse
        if any(may_repeat(one) for one in (notification, *notification.others)):
            known = await self._arrived(channel, payload.get("thread_ts"), notification.id)
            if known is not None:
                return thread or self._reference(channel, known, notification)
        reply = await self._call(lambda client: client.chat_postMessage(channel=channel, **payload))
        if not isinstance(reply.get("ts"), str) or not reply["ts"]:
            raise self._failed("Slack confirmed without naming the message", ambiguous=True)
        return thread or self._reference(str(reply.get("channel") or channel), reply["ts"], notification)

    def _reference(self, channel: str, ts: str, notification: Notification) -> str:
        return f"{channel}:{ts}" + (GROUP if notification.others else "")

    async def _arrived(self, channel: str, thread_ts: str | None, notification_id: str) -> str | None:
        """The message that an earlier try left behind, None where there is none or the bot may not look."""
        try:
            if thread_ts is None:
                reply = await self._call(
                    lambda client: client.conversations_history(channel=channel, limit=50, include_all_metadata=True)
                )
            else:
                reply = await self._call(
                    lambda client: client.conversations_replies(
                        channel=channel, ts=thread_ts, limit=200, include_all_metadata=True
                    )
                )
        except DeliveryError:
            return None
        except _GoneError:
            return None
        messages = reply.get("messages")
        for found in messages if isinstance(messages, list) else ():
            metadata = found.get("metadata") if isinstance(found, dict) else None
            told = metadata.get("event_payload") if isinstance(metadata, dict) else None
            if isinstance(told, dict) and told.get("id") == notification_id[:200] and found.get("ts"):
                return str(found["ts"])
        return None

    async def _call(self, work: Callable[[WebClient], Any], *, ambiguous: bool = True) -> dict[str, Any]:
        """One call; `ambiguous` says whether one that may have arrived matters."""
        from slack_sdk.errors import SlackApiError, SlackClientError

        def call() -> dict[str, Any]:
            from slack_sdk import WebClient

            # Retries are the outbox's, so that they survive a restart. The client's own log would show the token.
            client = WebClient(
                token=self._token,
                base_url=self._api,
                timeout=cast("int", self._timeout),
                retry_handlers=[],
                logger=silent(),
            )
            reply = work(client)
            return dict(reply.data) if isinstance(reply.data, dict) else {}

        try:
            async with asyncio.timeout(self._timeout * 1.5):
                return await in_own_thread(call, name="slack-bot")
        except TimeoutError:
            raise self._failed("no reply in time", ambiguous=ambiguous) from None
        except SlackApiError as error:
            raise self._judged(error, ambiguous=ambiguous) from None
        except URLError as error:
            reason = error.reason
            if isinstance(reason, TimeoutError):
                raise self._failed("no connection in time", ambiguous=ambiguous) from None
            broken = isinstance(reason, ConnectionResetError | ConnectionAbortedError | BrokenPipeError)
            what = f"cannot reach Slack ({type(reason).__name__})"
            raise self._failed(what, ambiguous=broken and ambiguous) from None
        except (http.client.HTTPException, OSError) as error:
            raise self._failed(f"the reply broke off ({type(error).__name__})", ambiguous=ambiguous) from None
        except (SlackClientError, UnicodeError, LookupError, ValueError) as error:
            raise self._failed(f"the reply is not readable ({type(error).__name__})", ambiguous=ambiguous) from None

    def _judged(self, error: Any, *, ambiguous: bool) -> Exception:
        reply = error.response
        status = int(reply.status_code)
        said = reply.get("error") if isinstance(reply.data, dict) else None
        word = said if isinstance(said, str) and len(said) <= 60 and said.isidentifier() else ""
        if word in _GONE:
            return _GoneError(word)
        if status == 429 or word in {"ratelimited", "rate_limited", "message_limit_exceeded"}:
            return self._failed(f"Slack asks to wait ({word or status})", retry_after=seconds_asked(reply.headers))
        if status >= 500 or status in {408, 425} or word in _PASSING:
            return self._failed(f"Slack is in trouble ({status} {word})".replace(" )", ")"))
        if word or 400 <= status < 500:
            return self._failed(f"Slack refuses ({status} {word or 'without a word'})", permanent=True)
        return self._failed(f"an unexpected reply ({status})", ambiguous=ambiguous)

    def _failed(
        self, what: str, *, permanent: bool = False, retry_after: float | None = None, ambiguous: bool = False
    ) -> DeliveryError:
        return DeliveryError(
            f"receiver {self._receiver}: {what}", permanent=permanent, retry_after=retry_after, ambiguous=ambiguous
        )


class _GoneError(Exception):
    """The message to edit or answer is no more."""


def _place(reference: str) -> tuple[str, str]:
    """Channel and time stamp of a reference.

    >>> _place("C1:1700.0001:group"), _place("odd")
    (('C1', '1700.0001'), ('odd', ''))
    """
    channel, _, rest = reference.partition(":")
    return channel, rest.removesuffix(GROUP)


def build(settings: Mapping[str, Any]) -> Notifier:
    """A Slack bot: what entry point `detector.notifiers: slack` builds where there is a `token`.

    Args:
        settings: `token` (the secret `xoxb-...`, with the scope `chat:write`; `channels:history` lets it look whether
            a doubtful post arrived) and `channel` (its id; a name works but cannot be looked up), both required;
            `receiver`, `timeout`, `names`, `components`, `timezone`, `page`, `app_token` or `signing_secret` (people
            can answer by buttons), `api` (another address, with `allow_loopback_http` for tests).

    Raises:
        NotConfigured: there is no `token`.
        ConfigError: there is no `channel`, or a setting is wrong.
    """
    receiver = str(settings.get("receiver", "slack"))
    token = text_of(settings, "token")
    if not token:
        raise NotConfigured(
            f"receiver {receiver}: no Slack token; install an app with chat:write and name the variable that holds its "
            'bot token: token_env = "SLACK_TOKEN"'
        )
    channel = text_of(settings, "channel")
    if not channel or not channel.isprintable() or not token.isascii() or not token.isprintable():
        raise ConfigError(f'receivers.{receiver}.channel: name the channel by its id, channel = "C0123456789"')
    api = str(settings.get("api", API)).rstrip("/") + "/"
    check_address(api, setting=f"receivers.{receiver}.api", loopback=settings.get("allow_loopback_http") is True)
    return SlackBot(
        token,
        channel,
        receiver=receiver,
        wording=wording_of(settings),
        timeout=seconds_of(settings, receiver, default=DEFAULT_TIMEOUT_S),
        api=api,
        ask=asks(settings),
    )
