"""What a channel would be sent, without sending it, and a sample message to try receivers with."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from detector.domain import Alert, AlertState, Estimate, Evidence, Level, Notification, Official, PageState, Reason
from detector.errors import UsageError
from detector.notify.blocks import slack_payload
from detector.notify.discord import discord_payload
from detector.notify.document import document
from detector.notify.mail import mail_of
from detector.notify.opsgenie import opsgenie_requests
from detector.notify.pagerduty import pagerduty_events
from detector.notify.render import Wording, message, plain_text
from detector.notify.teams import teams_payload

_BODIES: dict[str, Callable[[Notification, Wording], Any]] = {
    "discord": lambda owed, wording: discord_payload(message(owed, wording)),
    "file": document,
    "opsgenie": opsgenie_requests,
    "pagerduty": pagerduty_events,
    "slack": slack_payload,
    "teams": lambda owed, wording: teams_payload(message(owed, wording)),
    "webhook": document,
}
_TEXTS = ("apprise", "console")
CHANNELS = tuple(sorted((*_BODIES, *_TEXTS, "mail")))


def preview(notification: Notification, channel: str, wording: Wording | None = None, *, ask: bool = False) -> str:
    """The body that a channel (a notifier's type) would be sent, for people to read; it holds no secret.

    Args:
        ask: with Slack's buttons, as a receiver has that people can answer.

    Raises:
        UsageError: there is no such channel.
    """
    wording = wording or Wording()
    if channel in _TEXTS:
        return plain_text(notification, wording)
    if channel == "mail":
        mail = mail_of(notification, wording, sender="detector@example.org", to=("oncall@example.org",))
        return "".join(f"{name}: {value}\n" for name, value in mail.items()) + "\n" + str(mail.get_content())
    if channel == "slack":
        return json.dumps(slack_payload(notification, wording, ask=ask), ensure_ascii=False, indent=2)
    if channel not in _BODIES:
        raise UsageError(f"no preview for channel {channel!r}; there are {', '.join(CHANNELS)}")
    return json.dumps(_BODIES[channel](notification, wording), ensure_ascii=False, indent=2)


def sample(receiver: str, now: datetime, *, reason: Reason = Reason.OPENED) -> Notification:
    """A message that says it is a test, in the shape of a real one; each time under a new key."""
    over = reason is Reason.RESOLVED
    estimate = Estimate(
        service="test",
        at=now,
        onset=now - timedelta(minutes=3),
        people=5.0,
        expected=0.2,
        return_period_months=14.0,
        ratio=25.0,
        score=9.0,
        window_minutes=3.0,
        sources=(("test", 5.0),),
        voters=5,
    )
    text = "This is a test of the receiver: nothing is failing"
    alert = Alert(
        key=f"test-{now:%Y%m%dT%H%M%S}",
        service="test",
        level=Level.ALERT,
        state=AlertState.RESOLVED if over else AlertState.FIRING,
        onset_at=now - timedelta(minutes=3),
        watch_at=now,
        fired_at=now,
        updated_at=now,
        ended_at=now if over else None,
        estimate=estimate,
        evidence=(Evidence(source="test", id="1", url=None, text=text, p=0.9, at=now),),
        official=Official(state=PageState.OPERATIONAL, checked_at=now),
    )
    return Notification(
        id=f"{alert.key}/{receiver}/{reason.value}", alert=alert, receiver=receiver, reason=reason, created_at=now
    )
