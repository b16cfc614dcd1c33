"""Tells the person at the terminal, and whatever reads its output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import click

from detector.domain import Notification
from detector.errors import DeliveryError
from detector.notify.render import Wording, plain_text
from detector.notify.settings import wording_of
from detector.protocols import Notifier


class ConsoleNotifier:
    """Writes the message as text, a blank line after it; needs no key and cannot fail but by a closed output."""

    def __init__(self, *, receiver: str = "console", wording: Wording | None = None, stream: IO[str] | None = None):
        self._receiver = receiver
        self._wording = wording or Wording()
        self._stream = stream

    @property
    def receiver(self) -> str:
        """The configured name."""
        return self._receiver

    async def send(self, notification: Notification) -> str | None:
        """Print it; raises `DeliveryError` when the output is closed."""
        try:
            click.echo(plain_text(notification, self._wording) + "\n", file=self._stream)
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{self._receiver}: the output is closed ({error})", permanent=True) from error
        return None

    async def aclose(self) -> None:
        """Nothing to release: the stream belongs to the caller."""


def build(settings: Mapping[str, Any]) -> Notifier:
    """Entry point `detector.notifiers: console`.

    Args:
        settings: `receiver` (its name), `names` (service names by slug), `timezone` (IANA), `page` (address of our
            pages), `stream` (an open text file; standard output without it). All optional.
    """
    return ConsoleNotifier(
        receiver=str(settings.get("receiver", "console")),
        wording=wording_of(settings),
        stream=settings.get("stream"),
    )
