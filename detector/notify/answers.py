"""The buttons below a message, what Slack says when one is pressed, and the line that tells who answered what. Pure.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload: a press names the button (`action_id`),
what we put into it (`value`, the message's id), the person and the place. It reaches us through Socket Mode or as a
signed request (https://docs.slack.dev/authentication/verifying-requests-from-slack).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qsl

from detector.alerting.answer import Said
from detector.domain import Notification, Reason
from detector.domain.alert import OURSELVES
from detector.notify.escape import plain, slack_text
from detector.notify.words import clock_words

Block = dict[str, Any]

SILENCE_FOR = timedelta(hours=1)
REPLAY_WINDOW = timedelta(minutes=5)
LONGEST_NAME = 60
_PREFIX = "detector."
_LONGEST_VALUE = 2000
_MOST_SHOWN = 6

LABELS = {
    Said.REAL: "It is real",
    Said.FALSE: "False alarm",
    Said.SILENCE: "Silence 1 h",
    Said.NOT_OURS: "Not our concern",
}
WORDS = {
    Said.REAL: "it is real",
    Said.FALSE: "a false alarm",
    Said.SILENCE: "silenced for an hour",
    Said.NOT_OURS: "not our concern",
}
# Messages about several alerts, or about a message, ask nothing: one press could not say which is meant.
_UNASKED = frozenset({Reason.INHIBITED, Reason.DIGEST, Reason.UNDELIVERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button that was pressed.

    Attributes:
        id: the same for the same press.
        notification: the id of the message, as we put it into the button.
        by: who pressed, by the name that Slack gives.
        reply_to: where Slack takes a new version of the message for half an hour; of no use without checking it.
    """

    id: str
    notification: str
    said: Said
    by: str
    reply_to: str | None = None


def buttons(notification: Notification) -> Block | None:
    """The row of buttons for a message, None where there is nothing to answer."""
    fits = len(notification.id) <= _LONGEST_VALUE and notification.alert.service != OURSELVES
    if notification.others or notification.reason in _UNASKED or not fits:
        return None
    over = notification.reason is Reason.RESOLVED
    offered = [said for said in Said if not over or said in {Said.REAL, Said.FALSE}]
    return {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": f"{_PREFIX}{said.value}",
                "text": {"type": "plain_text", "text": LABELS[said], "emoji": False},
                "value": notification.id,
            }
            for said in offered
        ],
    }


def answered(notification: Notification, zone: tzinfo) -> Block | None:
    """Who answered what, the latest word of each person on each question; None where nobody did."""
    latest: dict[tuple[str, bool], tuple[str, Said, datetime]] = {}
    for by, word, at in notification.answers:
        said = Said(word)
        # Whether it is true is one question, what to do about it another.
        question = (by, said in {Said.REAL, Said.FALSE})
        latest.pop(question, None)
        latest[question] = (by, said, at)
    shown = list(latest.values())[-_MOST_SHOWN:]
    if not shown:
        return None
    words = [
        f"{plain(by, limit=LONGEST_NAME) or 'Somebody'}: {WORDS[said]}"
        f" ({clock_words(at, zone, beside=notification.created_at)})"
        for by, said, at in shown
    ]
    text = slack_text("Answered: " + " · ".join(words))
    return {"type": "context", "elements": [{"type": "plain_text", "text": text, "emoji": False}]}


def press_of(payload: object) -> Press | None:
    """What an interaction says, None where it is none of ours.

    >>> press_of({"type": "block_actions", "user": {"id": "U1", "username": "ann"}, "container": {"message_ts": "1.2"},
    ...     "actions": [{"action_id": "detector.false", "value": "k/slack/1", "action_ts": "3.4"}]}).said.value
    'false'
    >>> press_of({"type": "view_submission"}) is press_of([]) is None
    True
    """
    if not isinstance(payload, Mapping) or payload.get("type") != "block_actions":
        return None
    actions, user = payload.get("actions"), payload.get("user")
    first = actions[0] if isinstance(actions, list) and actions else None
    if not isinstance(first, Mapping) or not isinstance(user, Mapping):
        return None
    kind, value = first.get("action_id"), first.get("value")
    known = {f"{_PREFIX}{said.value}": said for said in Said}
    if not isinstance(kind, str) or kind not in known or not isinstance(value, str) or not value:
        return None
    who = str(user.get("id", ""))[:40]
    name = next((user[key] for key in ("name", "username") if isinstance(user.get(key), str) and user[key]), who)
    moment = first.get("action_ts")
    mark = hashlib.sha256(json.dumps([value, kind, who, str(moment)]).encode()).hexdigest()[:32]
    link = payload.get("response_url")
    return Press(
        id=mark,
        notification=value[:_LONGEST_VALUE],
        said=known[kind],
        by=plain(str(name), limit=LONGEST_NAME) or who,
        reply_to=link if isinstance(link, str) else None,
    )


def payload_in(body: bytes) -> object:
    """The interaction in a request's body, a form of one field `payload`; None where there is none."""
    try:
        fields = dict(parse_qsl(body.decode("utf-8"), max_num_fields=5))
        return json.loads(fields.get("payload", "null"))
    except (ValueError, RecursionError):
        return None


def signed(body: bytes, *, stamp: str, signature: str, secret: str, now: datetime) -> bool:
    """Whether Slack signed a request, within the last five minutes. Compares in a time that tells nothing.

    Args:
        stamp: the header `X-Slack-Request-Timestamp`, seconds since 1970.
        signature: the header `X-Slack-Signature`, `v0=` and 64 hexadecimal digits.
        secret: the app's signing secret.
    """
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or not secret:
        return False
    fresh = abs(now.timestamp() - int(stamp)) <= REPLAY_WINDOW.total_seconds()
    wanted = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature.encode("utf-8", "replace"), f"v0={wanted}".encode()) and fresh
