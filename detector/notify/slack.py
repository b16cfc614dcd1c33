"""Tells a Slack channel through an incoming webhook: one message each, since a webhook can neither edit nor thread."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.error import URLError
from urllib.parse import urlsplit

from detector.domain import Notification
from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.blocks import slack_payload
from detector.notify.render import Wording
from detector.notify.settings import check_address, seconds_of, text_of, wording_of
from detector.notify.thread import in_own_thread
from detector.protocols import Notifier

if TYPE_CHECKING:
    from slack_sdk.webhook import WebhookResponse

DEFAULT_TIMEOUT_S = 10.0
_LONGEST_WAIT_S = 3600.0

# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: what no second try mends.
PERMANENT = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_blocks",
        "invalid_payload",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "no_text",
        "posting_to_general_channel_denied",
        "team_disabled",
        "token_revoked",
        "account_inactive",
        "too_many_attachments",
        "user_not_found",
    }
)


class SlackWebhook:
    """Sends through slack_sdk's `WebhookClient`, whose silence about bad replies is made an error here.

    The address is a secret: it stands in no message, log or `repr`.
    """

    def __init__(
        self,
        url: str,
        *,
        receiver: str = "slack",
        wording: Wording | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        ask: bool = False,
        loopback: bool = False,
    ) -> None:
        self._url = url
        self._receiver = receiver
        self._wording = wording or Wording()
        self._timeout = timeout
        self._ask = ask
        self._loopback = loopback

    def __repr__(self) -> str:
        return f"SlackWebhook(receiver={self._receiver!r})"

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._receiver

    async def send(self, notification: Notification) -> str | None:
        """Post the message; returns None, for a webhook names nothing that could be edited.

        Raises:
            DeliveryError: not confirmed; `permanent`, `retry_after` and `ambiguous` say what that means.
        """
        await self._send(self._url, slack_payload(notification, self._wording, ask=self._ask))
        return None

    async def revise(self, notification: Notification, reply_to: str | None) -> None:
        """Show what was answered on the message itself, through the address that came with the press.

        Raises:
            DeliveryError: not confirmed, or Slack gave no address of its own.
        """
        if reply_to is None or not _is_slacks(reply_to, loopback=self._loopback):
            raise self._failed("the press came without an address of Slack's to answer at", permanent=True)
        payload = slack_payload(notification, self._wording, ask=self._ask)
        await self._send(reply_to, {"replace_original": True, **payload})

    async def _send(self, url: str, payload: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._timeout * 1.5):
                reply = await in_own_thread(lambda: self._post(url, payload), name="slack-webhook")
        except TimeoutError:
            raise self._failed("no reply in time", ambiguous=True) from None
        except URLError as error:
            raise self._unreached(error) from None
        except (http.client.HTTPException, OSError) as error:
            raise self._failed(f"the reply broke off ({type(error).__name__})", ambiguous=True) from None
        except (UnicodeError, LookupError, ValueError) as error:
            raise self._failed(f"the reply is not readable ({type(error).__name__})", ambiguous=True) from None
        self._judge(reply)

    async def aclose(self) -> None:
        """Nothing to release: every message has its own connection."""

    def _post(self, url: str, payload: dict[str, Any]) -> WebhookResponse:
        from slack_sdk.webhook import WebhookClient

        # Retries are the outbox's, so that they survive a restart. The client's own log would show the address.
        client = WebhookClient(url, timeout=cast("int", self._timeout), retry_handlers=[], logger=silent())
        return client.send_dict(payload)

    def _judge(self, reply: WebhookResponse) -> None:
        word = word_of(reply.body)
        status = reply.status_code
        if status == 429:
            wait = seconds_asked(reply.headers)
            raise self._failed("Slack asks to wait (429)", retry_after=wait)
        if word in PERMANENT or (400 <= status < 500 and status not in {408, 425}):
            raise self._failed(f"Slack refuses ({status} {word or 'without a word'})", permanent=True)
        if status >= 500 or status in {408, 425}:
            raise self._failed(f"Slack is in trouble ({status})")
        if status != 200 or word != "ok":
            raise self._failed(f"an unexpected reply ({status}, not `ok`)", ambiguous=True)

    def _unreached(self, error: URLError) -> DeliveryError:
        reason = error.reason
        if isinstance(reason, TimeoutError):
            return self._failed("no connection in time", ambiguous=True)
        if isinstance(reason, ssl.SSLError):
            return self._failed(f"the connection is not safe ({reason.reason or 'TLS'})")
        # A connection that broke while the message went out may have delivered it; one never made has not.
        broken = isinstance(reason, ConnectionResetError | ConnectionAbortedError | BrokenPipeError)
        return self._failed(f"cannot reach Slack ({type(reason).__name__})", ambiguous=broken)

    def _failed(
        self, what: str, *, permanent: bool = False, retry_after: float | None = None, ambiguous: bool = False
    ) -> DeliveryError:
        return DeliveryError(
            f"receiver {self._receiver}: {what}", permanent=permanent, retry_after=retry_after, ambiguous=ambiguous
        )


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: slack`.

    Args:
        settings: `webhook` (the secret address; required, unless there is a `token` and a `channel`: then a bot
            speaks, see `detector.notify.slack_bot`), `receiver` (its name), `timeout` (seconds), `names`,
            `timezone`, `page`, `app_token` or `signing_secret` (people can answer by buttons, see
            `detector.app.answering`), `allow_loopback_http` (true lets a test use http://127.0.0.1).

    Raises:
        NotConfigured: there is no `webhook`.
        ConfigError: the address is none that a secret may travel to, or the timeout is not a figure of seconds.
    """
    receiver = str(settings.get("receiver", "slack"))
    if text_of(settings, "token"):
        from detector.notify.slack_bot import build as build_bot

        return build_bot(settings)
    url = text_of(settings, "webhook")
    if not url:
        raise NotConfigured(
            f"receiver {receiver}: no Slack webhook; create one in Slack and name the variable that holds it: "
            'webhook_env = "SLACK_WEBHOOK", or token_env = "SLACK_TOKEN" and channel = "C0123456789" for a bot'
        )
    loopback = settings.get("allow_loopback_http") is True
    check_address(url, setting=f"receivers.{receiver}.webhook", loopback=loopback)
    return SlackWebhook(
        url,
        receiver=receiver,
        wording=wording_of(settings),
        timeout=seconds_of(settings, receiver, default=DEFAULT_TIMEOUT_S),
        ask=asks(settings),
        loopback=loopback,
    )


def asks(settings: Mapping[str, Any]) -> bool:
    """Whether a receiver's messages bear buttons: only where a press can reach us."""
    return bool(text_of(settings, "app_token") or text_of(settings, "signing_secret"))


def _is_slacks(url: str, *, loopback: bool) -> bool:
    """Whether an address that came with a press is Slack's own: our words go nowhere else."""
    try:
        check_address(url, setting="response_url", loopback=loopback)
    except ConfigError:
        return False
    parts = urlsplit(url)
    return parts.hostname == "hooks.slack.com" or parts.scheme == "http"


def silent() -> logging.Logger:
    """A logger outside the tree that lets nothing through."""
    return logging.Logger("slack-webhook", level=logging.CRITICAL + 1)  # noqa: LOG001 - outside the tree on purpose


def word_of(body: str | None) -> str:
    """Slack's one word: `ok`, `no_service`; from `{"ok": false, "error": "..."}` too.

    >>> word_of("ok"), word_of('{"ok": true}'), word_of('{"ok": false, "error": "no_service"}'), word_of("<html>")
    ('ok', 'ok', 'no_service', '')
    """
    text = (body or "").strip()
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return ""
        if isinstance(value, dict):
            text = "ok" if value.get("ok") is True else str(value.get("error", ""))
    return text if len(text) <= 60 and text.isidentifier() else ""


def seconds_asked(headers: Mapping[str, Any]) -> float | None:
    """`Retry-After` in seconds, between one second and one hour; None where it is absent or no number.

    >>> [seconds_asked({"Retry-After": value}) for value in ("30", "999999", "soon")]
    [30.0, 3600.0, None]
    """
    value = next((found for name, found in headers.items() if name.lower() == "retry-after"), "")
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    text = str(value).strip()
    return min(max(float(text), 1.0), _LONGEST_WAIT_S) if text.isascii() and text.isdigit() else None
