"""Tells a Microsoft Teams channel through a workflow's webhook, as an Adaptive Card.

Cards read markdown in `TextBlock` and `Fact`, so every text stands in a `TextRun`, which knows none
(https://adaptivecards.io/explorer/TextRun.html). A webhook can neither edit nor answer: one message each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain import Notification
from detector.errors import NotConfigured
from detector.notify.escape import cut
from detector.notify.post import DEFAULT_TIMEOUT_S, Poster
from detector.notify.render import Message, Wording, message
from detector.notify.settings import check_address, seconds_of, text_of, wording_of
from detector.protocols import Notifier

_TEXT = 600
# Far below the 28 kB that Teams takes.
_LARGEST = 24_000
_COLOUR = {"🟡": "Warning", "🟠": "Warning", "🔴": "Attention", "✅": "Good"}


class Teams:
    """A Teams webhook; its address is a secret."""

    def __init__(self, url: str, poster: Poster, *, wording: Wording | None = None) -> None:
        self._url = url
        self._poster = poster
        self._wording = wording or Wording()

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._poster.receiver

    async def send(self, notification: Notification) -> str | None:
        """Post the card; raises `DeliveryError`."""
        reply = await self._poster.send("POST", self._url, teams_payload(message(notification, self._wording)))
        self._poster.judge(reply)
        # The older connectors report what Teams itself refused with status 200.
        said = reply.body[:400].decode("utf-8", "replace")
        if "HTTP error 429" in said:
            raise self._poster.failed("Teams asks to wait (200, HTTP error 429)", retry_after=60.0)
        if "failed with error" in said or "HTTP error" in said:
            raise self._poster.failed("Teams did not take it (200, with an error)")
        return None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._poster.aclose()


def teams_payload(told: Message) -> dict[str, Any]:
    """The JSON body: an Adaptive Card in which nothing a stranger wrote is markdown, a link or a mention."""
    lines: list[dict[str, Any]] = [
        _line(
            _run(f"{told.mark} {told.title}", weight="Bolder", size="Large", color=_COLOUR.get(told.mark, "Default"))
        ),
        _line(_run(told.lead)),
    ]
    lines += [_line(_run(f"{label}: ", weight="Bolder"), _run(value)) for label, value in told.facts]
    for quote in told.quotes:
        runs = [_run(f"“{quote.text}” - {quote.source}", italic=True)]
        if quote.link:
            runs.append({**_run(" link"), "selectAction": {"type": "Action.OpenUrl", "url": quote.link}})
        lines.append(_line(*runs))
    lines.append(_line(_run(told.command, fontType="Monospace", isSubtle=True)))
    while sum(len(str(line)) for line in lines) > _LARGEST:
        lines.pop(-2)
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": cut(told.title, _TEXT),
        "body": lines,
    }
    if told.link is not None:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Details", "url": told.link}]
    return {
        "type": "message",
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        ],
    }


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": cut(text, _TEXT), **style}


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: teams`.

    Args:
        settings: `webhook` (the secret address of a workflow "when a Teams webhook request is received"; required),
            `receiver`, `timeout`, `names`, `components`, `timezone`, `page`, `allow_loopback_http`.

    Raises:
        NotConfigured: there is no `webhook`.
        ConfigError: the address will not do.
    """
    receiver = str(settings.get("receiver", "teams"))
    url = text_of(settings, "webhook")
    if not url:
        raise NotConfigured(f'receiver {receiver}: no Teams webhook; write webhook_env = "TEAMS_WEBHOOK"')
    check_address(url, setting=f"receivers.{receiver}.webhook", loopback=settings.get("allow_loopback_http") is True)
    timeout = seconds_of(settings, receiver, default=DEFAULT_TIMEOUT_S)
    return Teams(url, Poster(receiver=receiver, channel="Teams", timeout=timeout), wording=wording_of(settings))
