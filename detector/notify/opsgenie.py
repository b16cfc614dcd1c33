"""Pages through Opsgenie: one alert each, by `alias`; what changes is a note on it.

https://docs.opsgenie.com/docs/alert-api: creating under an open alias counts as a repeat, closing by alias ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from detector.domain import AlertState, Level, Notification, Reason
from detector.errors import NotConfigured
from detector.notify.escape import cut
from detector.notify.post import DEFAULT_TIMEOUT_S, Poster
from detector.notify.render import Wording, message, plain_text
from detector.notify.settings import check_address, seconds_of, text_of, wording_of
from detector.protocols import Notifier

API = "https://api.opsgenie.com"
_MESSAGE, _ALIAS, _DESCRIPTION, _DETAIL = 130, 512, 15_000, 1000
_PRIORITY = {Level.WATCH: "P5", Level.ALERT: "P3", Level.MAJOR: "P1"}


class Opsgenie:
    """Alert API v2. Creating and closing are recognised when repeated; notes are not, so they say `repeat`."""

    def __init__(self, api_key: str, poster: Poster, *, wording: Wording | None = None, api: str = API) -> None:
        self._headers = {"authorization": f"GenieKey {api_key}"}
        self._poster = poster
        self._wording = wording or Wording()
        self._api = api.rstrip("/")

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._poster.receiver

    async def send(self, notification: Notification) -> str | None:
        """Create, note and close; returns the alias. Raises `DeliveryError`."""
        for path, body in opsgenie_requests(notification, self._wording):
            self._poster.judge(await self._poster.send("POST", f"{self._api}{path}", body, self._headers))
        return notification.alert.key

    async def aclose(self) -> None:
        """Close the connections."""
        await self._poster.aclose()


def opsgenie_requests(notification: Notification, wording: Wording | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Path and body of each request: what is over is closed, what fails is one alert, or a note on its own.

    Digests and services that another explains page nobody.
    """
    if notification.reason in {Reason.DIGEST, Reason.INHIBITED}:
        return []
    wording = wording or Wording()
    note = {"source": "outage-detector", "note": plain_text(notification, wording)[:_DESCRIPTION]}
    everything = (notification, *notification.others)
    requests = [(_on(one.alert.key, "close"), note) for one in everything if one.alert.state is AlertState.RESOLVED]
    failing = next((one for one in everything if one.alert.state is AlertState.FIRING), None)
    if failing is None:
        return requests
    worse = failing.reason in {Reason.OPENED, Reason.RAISED, Reason.REOPENED, Reason.ESCALATED}
    if failing.thread == failing.alert.key and not worse and not notification.others:
        return [*requests, (_on(failing.alert.key, "notes"), note)]
    alias = notification.id if notification.reason is Reason.UNDELIVERED else failing.alert.key
    return [*requests, ("/v2/alerts", _creation(notification, failing, alias, wording))]


def _on(alias: str, verb: str) -> str:
    return f"/v2/alerts/{quote(alias[:_ALIAS], safe='')}/{verb}?identifierType=alias"


def _creation(notification: Notification, failing: Notification, alias: str, wording: Wording) -> dict[str, Any]:
    told = message(notification, wording)
    details: dict[str, str] = {}
    for label, value in told.facts:
        details[label] = cut(f"{details[label]}; {value}" if label in details else value, _DETAIL)
    return {
        "message": cut(told.title, _MESSAGE),
        "alias": alias[:_ALIAS],
        "description": plain_text(notification, wording)[:_DESCRIPTION],
        "entity": failing.alert.service,
        "source": "outage-detector",
        "priority": _PRIORITY[failing.alert.level],
        "tags": ["outage-detector", failing.alert.level.value],
        "details": details | {"alert": failing.alert.key},
    }


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: opsgenie`.

    Args:
        settings: `api_key` (the secret of an API integration; required), `api` (for the EU:
            `https://api.eu.opsgenie.com`), `receiver`, `timeout`, `names`, `components`, `timezone`, `page`,
            `allow_loopback_http`.

    Raises:
        NotConfigured: there is no `api_key`.
        ConfigError: the address will not do.
    """
    receiver = str(settings.get("receiver", "opsgenie"))
    key = text_of(settings, "api_key")
    if not key or not key.isascii() or not key.isprintable():
        raise NotConfigured(f'receiver {receiver}: no API key; write api_key_env = "OPSGENIE_KEY"')
    api = str(settings.get("api", API))
    check_address(api, setting=f"receivers.{receiver}.api", loopback=settings.get("allow_loopback_http") is True)
    poster = Poster(
        receiver=receiver, channel="Opsgenie", timeout=seconds_of(settings, receiver, default=DEFAULT_TIMEOUT_S)
    )
    return Opsgenie(key, poster, wording=wording_of(settings), api=api)
