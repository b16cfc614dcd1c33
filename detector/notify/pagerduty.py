"""Pages through PagerDuty: one incident an alert, by `dedup_key`, so that nothing is ever told twice.

https://developer.pagerduty.com/docs/events-api-v2/overview/: a trigger under a known key updates, a resolve ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain import AlertState, Level, Notification, Reason, format_time
from detector.errors import ConfigError, NotConfigured
from detector.notify.escape import cut
from detector.notify.post import DEFAULT_TIMEOUT_S, Poster, Reply
from detector.notify.render import Message, Wording, message
from detector.notify.settings import check_address, seconds_of, text_of, wording_of
from detector.protocols import Notifier

API = "https://events.pagerduty.com/v2/enqueue"
_SUMMARY = 1024
_KEY = 255
_SEVERITY = {Level.WATCH: "info", Level.ALERT: "error", Level.MAJOR: "critical"}


class PagerDuty:
    """Events API v2. A message about several alerts is one incident, under the key of the first."""

    def __init__(self, routing_key: str, poster: Poster, *, wording: Wording | None = None, api: str = API) -> None:
        self._routing_key = routing_key
        self._poster = poster
        self._wording = wording or Wording()
        self._api = api

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._poster.receiver

    async def send(self, notification: Notification) -> str | None:
        """Trigger, update and resolve; returns the key. Raises `DeliveryError`; a repetition does no harm."""
        for event in pagerduty_events(notification, self._wording):
            reply = await self._poster.send("POST", self._api, {"routing_key": self._routing_key, **event})
            self._poster.judge(reply, accepted=(202,), word=_said(reply))
        return notification.alert.key

    async def aclose(self) -> None:
        """Close the connections."""
        await self._poster.aclose()


def pagerduty_events(notification: Notification, wording: Wording | None = None) -> list[dict[str, Any]]:
    """The events without their routing key: a resolve for each alert that is over, one trigger for all that fail.

    Digests and services that another explains page nobody.
    """
    if notification.reason in {Reason.DIGEST, Reason.INHIBITED}:
        return []
    wording = wording or Wording()
    told = message(notification, wording)
    everything = (notification, *notification.others)
    if notification.reason is Reason.UNDELIVERED:
        return [_trigger(notification, notification.id, "warning", told)]
    events: list[dict[str, Any]] = [
        {"event_action": "resolve", "dedup_key": one.alert.key[:_KEY]}
        for one in everything
        if one.alert.state is AlertState.RESOLVED
    ]
    failing = next((one for one in everything if one.alert.state is AlertState.FIRING), None)
    if failing is not None:
        events.append(_trigger(notification, failing.alert.key, _SEVERITY[failing.alert.level], told))
    return events


def _trigger(notification: Notification, key: str, severity: str, told: Message) -> dict[str, Any]:
    alert = notification.alert
    event: dict[str, Any] = {
        "event_action": "trigger",
        "dedup_key": key[:_KEY],
        "client": "outage-detector",
        "payload": {
            "summary": cut(f"{told.title}. {told.lead}", _SUMMARY),
            "source": alert.service,
            "severity": severity,
            "timestamp": format_time(alert.fired_at or alert.watch_at),
            "component": alert.service,
            "group": alert.cause or alert.service,
            "class": notification.reason.value,
            "custom_details": _details(notification, told),
        },
    }
    if told.link is not None:
        event["client_url"] = told.link
        event["links"] = [{"href": told.link, "text": "details"}]
    return event


def _details(notification: Notification, told: Message) -> dict[str, Any]:
    facts: dict[str, str] = {}
    for label, value in told.facts:
        facts[label] = f"{facts[label]}; {value}" if label in facts else value
    return {
        **facts,
        "Said": [f"{quote.text} ({quote.source})" for quote in told.quotes],
        "alert": notification.alert.key,
        "others": [one.alert.key for one in notification.others],
    }


def _said(reply: Reply) -> str:
    word = str(reply.json().get("status", ""))
    return word if len(word) <= 40 and word.replace(" ", "").isalnum() and word.isascii() else ""


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: pagerduty`.

    Args:
        settings: `routing_key` (the secret integration key; required), `api` (for the EU:
            `https://events.eu.pagerduty.com/v2/enqueue`), `receiver`, `timeout`, `names`, `components`, `timezone`,
            `page`, `allow_loopback_http`.

    Raises:
        NotConfigured: there is no `routing_key`.
        ConfigError: it has not 32 characters, or the address will not do.
    """
    receiver = str(settings.get("receiver", "pagerduty"))
    key = text_of(settings, "routing_key")
    if not key:
        raise NotConfigured(f'receiver {receiver}: no integration key; write routing_key_env = "PAGERDUTY_KEY"')
    if len(key) != 32 or not key.isascii() or not key.isalnum():
        raise ConfigError(f"receivers.{receiver}.routing_key: an Events API v2 key has 32 letters and figures")
    api = str(settings.get("api", API))
    check_address(api, setting=f"receivers.{receiver}.api", loopback=settings.get("allow_loopback_http") is True)
    timeout = seconds_of(settings, receiver, default=DEFAULT_TIMEOUT_S)
    poster = Poster(receiver=receiver, channel="PagerDuty", timeout=timeout, idempotent=True)
    return PagerDuty(key, poster, wording=wording_of(settings), api=api)
