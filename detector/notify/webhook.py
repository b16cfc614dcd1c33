"""Posts each message as a signed JSON document to any address.

Signed as Standard Webhooks asks (https://www.standardwebhooks.com): `webhook-id`, `webhook-timestamp` (Unix seconds)
and `webhook-signature: v1,BASE64`, the HMAC-SHA256 of `id.timestamp.body` under the secret. A receiver recomputes it
over the raw body, compares in constant time, refuses what is older than five minutes and drops an id it has seen.
The document is described in `detector.notify.document`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from detector.domain import Notification
from detector.errors import ConfigError, NotConfigured
from detector.notify.document import document
from detector.notify.post import DEFAULT_TIMEOUT_S, Poster
from detector.notify.render import Wording
from detector.notify.settings import check_address, seconds_of, text_of, wording_of
from detector.protocols import Notifier

_SHORTEST_SECRET = 16


class Webhook:
    """Any receiver that takes JSON; a 2xx answer confirms."""

    def __init__(self, url: str, poster: Poster, *, secret: bytes | None = None, wording: Wording | None = None):
        self._url = url
        self._poster = poster
        self._secret = secret
        self._wording = wording or Wording()

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._poster.receiver

    async def send(self, notification: Notification) -> str | None:
        """Post the document; raises `DeliveryError`."""
        body = json.dumps(document(notification, self._wording), ensure_ascii=False).encode("utf-8", "replace")
        at = notification.tried_at or notification.created_at
        headers = {"webhook-id": _header(notification.id), "webhook-timestamp": str(int(at.timestamp()))}
        if self._secret is not None:
            headers["webhook-signature"] = signature(
                self._secret, headers["webhook-id"], headers["webhook-timestamp"], body
            )
        self._poster.judge(await self._poster.send("POST", self._url, body, headers), accepted=tuple(range(200, 300)))
        return notification.alert.key

    async def aclose(self) -> None:
        """Close the connections."""
        await self._poster.aclose()


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The value of `webhook-signature`.

    >>> signature(b"0123456789abcdef", "m1", "1700000000", b"{}")
    'v1,H26+mUxj37ggS1yklVH56j58+es9vUn/D+2H+xAxB9Q='
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def secret_of(text: str) -> bytes:
    """The key of a secret: `whsec_` and Base64 as Standard Webhooks writes it, or any text.

    Raises:
        ValueError: it is too short, or no Base64 after `whsec_`.
    """
    if text.startswith("whsec_"):
        try:
            key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise ValueError("what follows whsec_ is no Base64") from error
    else:
        key = text.encode()
    if len(key) < _SHORTEST_SECRET:
        raise ValueError(f"shorter than {_SHORTEST_SECRET} bytes; make one with: openssl rand -hex 32")
    return key


def _header(text: str) -> str:
    """Text that a header can hold: nothing ends the line."""
    return "".join(letter if "!" <= letter <= "~" else "-" for letter in text)[:200]


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: webhook`.

    Args:
        settings: `url` (https; give it by `url_env` where the address itself is a secret) and `secret` (signs; without
            it nothing is signed); `receiver`, `timeout`, `names`, `components`, `timezone`, `page`,
            `allow_loopback_http`.

    Raises:
        NotConfigured: there is no `url`.
        ConfigError: the address or the secret will not do.
    """
    receiver = str(settings.get("receiver", "webhook"))
    url = text_of(settings, "url")
    if not url:
        raise NotConfigured(f'receiver {receiver}: no address; write url_env = "WEBHOOK_URL"')
    check_address(url, setting=f"receivers.{receiver}.url", loopback=settings.get("allow_loopback_http") is True)
    secret = text_of(settings, "secret")
    try:
        key = secret_of(secret) if secret else None
    except ValueError as error:
        raise ConfigError(f"receivers.{receiver}.secret: {error}") from error
    timeout = seconds_of(settings, receiver, default=DEFAULT_TIMEOUT_S)
    poster = Poster(receiver=receiver, channel="the webhook", timeout=timeout)
    return Webhook(url, poster, secret=key, wording=wording_of(settings))
