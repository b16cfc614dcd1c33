"""Tells a Discord channel through a webhook: the first message is edited in place, the news follows as short ones.

https://discord.com/developers/docs/resources/webhook#execute-webhook; nobody is ever mentioned (`allowed_mentions`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from detector.domain import Notification, Reason
from detector.errors import NotConfigured
from detector.notify.escape import cut
from detector.notify.post import DEFAULT_TIMEOUT_S, Poster, Reply
from detector.notify.render import Message, Wording, message, standing
from detector.notify.settings import check_address, seconds_of, text_of, wording_of
from detector.protocols import Notifier

GROUP = ":group"
# https://discord.com/developers/docs/resources/message#embed-object-embed-limits, with room for what escaping adds.
_TITLE, _TEXT, _FIELD, _FIELDS = 120, 600, 500, 20
_COLOUR = {"🟡": 0xE8C547, "🟠": 0xE8873A, "🔴": 0xD64545, "✅": 0x3FA45B}
_MARKDOWN = re.compile(r"([\\*_~`|>#\[\]()<@:\-])")


class Discord:
    """A Discord webhook; its address is a secret."""

    def __init__(self, url: str, poster: Poster, *, wording: Wording | None = None) -> None:
        self._url = url
        self._poster = poster
        self._wording = wording or Wording()

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._poster.receiver

    async def send(self, notification: Notification) -> str | None:
        """Edit and post; returns the id of the message that can be edited. Raises `DeliveryError`."""
        for one in (notification, *notification.others):
            await self._edit(one)
        payload = discord_payload(message(notification, self._wording), quotes=notification.thread is None)
        reply = await self._poster.send("POST", f"{self._url}?wait=true", payload)
        self._poster.judge(reply, word=_said(reply))
        posted = str(reply.json().get("id", ""))
        if reply.status != 204 and not posted.isdigit():
            raise self._poster.failed("Discord confirmed without naming the message", ambiguous=True)
        first = f"{posted}{GROUP}" if notification.others else posted
        return notification.thread or first or None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._poster.aclose()

    async def _edit(self, notification: Notification) -> None:
        """Bring the first message up to date; one that was deleted is left alone."""
        thread = notification.thread
        if thread is None or not thread.isdigit() or notification.reason is Reason.UNDELIVERED:
            return
        payload = discord_payload(standing(notification, self._wording))
        reply = await self._poster.send("PATCH", f"{self._url}/messages/{thread}", payload)
        if reply.status == 404 and reply.json().get("code") == _UNKNOWN_MESSAGE:
            return
        self._poster.judge(reply, word=_said(reply))


_UNKNOWN_MESSAGE = 10008


def discord_payload(told: Message, *, quotes: bool = True) -> dict[str, Any]:
    """The JSON body of a message: one embed, every text escaped, no mention, no preview."""
    fields = [
        {"name": inert(cut(label, 100)), "value": inert(cut(value, _FIELD)), "inline": False}
        for label, value in told.facts[:_FIELDS]
    ]
    if quotes and told.quotes:
        voices = "\n".join(
            inert(f"“{quote.text}” - {quote.source}") + (f" [link](<{quote.link}>)" if quote.link else "")
            for quote in told.quotes
        )
        fields.append({"name": "People say", "value": voices if len(voices) <= 1024 else inert(told.quotes[0].text)})
    embed: dict[str, Any] = {
        "title": inert(cut(f"{told.mark} {told.title}", _TITLE)),
        "description": inert(cut(told.lead, _TEXT)),
        "fields": fields,
        "footer": {"text": told.command},
        "color": _COLOUR.get(told.mark, 0x7A8794),
    }
    if told.link is not None:
        embed["url"] = told.link
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def inert(text: str) -> str:
    r"""Escape Discord's markdown, mentions and automatic links. Cut before, never after.

    >>> inert("<@1> **now** @everyone")
    '\\<\\@1\\> \\*\\*now\\*\\* \\@\u200deveryone'
    """
    escaped = _MARKDOWN.sub(r"\\\1", text)
    return re.sub(r"@(?=everyone|here)", "@\u200d", escaped, flags=re.IGNORECASE)


def _said(reply: Reply) -> str:
    code = reply.json().get("code")
    return f"code {code}" if isinstance(code, int) else ""


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: discord`.

    Args:
        settings: `webhook` (the secret address; required), `receiver`, `timeout`, `names`, `components`, `timezone`,
            `page`, `allow_loopback_http`.

    Raises:
        NotConfigured: there is no `webhook`.
        ConfigError: the address will not do.
    """
    receiver = str(settings.get("receiver", "discord"))
    url = text_of(settings, "webhook").partition("?")[0].rstrip("/")
    if not url:
        raise NotConfigured(f'receiver {receiver}: no Discord webhook; write webhook_env = "DISCORD_WEBHOOK"')
    check_address(url, setting=f"receivers.{receiver}.webhook", loopback=settings.get("allow_loopback_http") is True)
    timeout = seconds_of(settings, receiver, default=DEFAULT_TIMEOUT_S)
    return Discord(url, Poster(receiver=receiver, channel="Discord", timeout=timeout), wording=wording_of(settings))
