"""Tells through ntfy, Telegram, Matrix, Pushover and a hundred more services, by the optional library apprise."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Mapping
from typing import Any

from detector.domain import Level, Notification, Reason
from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.render import Wording, message, plain_text
from detector.notify.settings import seconds_of, text_of, wording_of
from detector.notify.thread import in_own_thread
from detector.protocols import Notifier

_TIMEOUT_S = 30.0
_KIND = {Level.WATCH: "info", Level.ALERT: "warning", Level.MAJOR: "failure"}


class AppriseNotifier:
    """One apprise address, which is a secret. Apprise says only whether it went well, so every failure may pass."""

    def __init__(
        self, service: Any, *, receiver: str = "apprise", wording: Wording | None = None, timeout: float = _TIMEOUT_S
    ) -> None:
        self._service = service
        self._receiver = receiver
        self._wording = wording or Wording()
        self._timeout = timeout

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._receiver

    async def send(self, notification: Notification) -> str | None:
        """Send it as plain text, which apprise escapes for the service; raises `DeliveryError`."""
        told = message(notification, self._wording)
        title = f"{told.mark} {told.title}"
        body = plain_text(notification, self._wording).partition("\n")[2]
        kind = "success" if notification.reason is Reason.RESOLVED else _KIND[notification.alert.level]
        try:
            async with asyncio.timeout(self._timeout):
                accepted = await in_own_thread(lambda: self._notify(title, body, kind), name="notify-apprise")
        except TimeoutError:
            raise DeliveryError(f"receiver {self._receiver}: no reply in time", ambiguous=True) from None
        except Exception as error:  # noqa: BLE001 - a hundred plug-ins, each with errors of its own
            raise DeliveryError(f"receiver {self._receiver}: apprise failed ({type(error).__name__})") from None
        if not accepted:
            raise DeliveryError(
                f"receiver {self._receiver}: apprise could not deliver; try its address with apprise -vv"
            )
        return None

    async def aclose(self) -> None:
        """Nothing to release."""

    def _notify(self, title: str, body: str, kind: str) -> bool:
        return bool(
            self._service.notify(title=title, body=body, notify_type=kind, body_format="text", interpret_escapes=False)
        )


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: apprise`.

    Args:
        settings: `url` (the secret apprise address, `ntfy://...`, `tgram://...`; required), `receiver`, `timeout`,
            `names`, `components`, `timezone`, `page`.

    Raises:
        NotConfigured: there is no `url`, or apprise is not installed.
        ConfigError: apprise does not know such an address.
    """
    receiver = str(settings.get("receiver", "apprise"))
    url = text_of(settings, "url")
    if not url:
        raise NotConfigured(f'receiver {receiver}: no address; write url_env = "APPRISE_URL"')
    if importlib.util.find_spec("apprise") is None:
        raise NotConfigured(f"receiver {receiver}: apprise is not installed; pip install 'outage-detector[alerts]'")
    import apprise

    # Its log shows addresses at level debug and parts of them at others.
    logging.getLogger("apprise").addFilter(_nothing)
    service = apprise.Apprise()
    if not service.add(url):
        raise ConfigError(f"receivers.{receiver}.url: apprise knows no such address; see its list of services")
    return AppriseNotifier(
        service,
        receiver=receiver,
        wording=wording_of(settings),
        timeout=seconds_of(settings, receiver, default=_TIMEOUT_S),
    )


def _nothing(_: logging.LogRecord) -> bool:
    """Lets no record through."""
    return False
