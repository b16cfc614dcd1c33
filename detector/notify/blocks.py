"""The message as Slack's Block Kit: strangers' words only as `plain_text` and escaped all the same. Pure."""

from __future__ import annotations

from typing import Any

from detector.domain import Notification
from detector.notify.answers import answered, buttons
from detector.notify.escape import cut, slack_inert, slack_link, slack_text
from detector.notify.render import Message, Wording, message

# https://docs.slack.dev/reference/block-kit/blocks: 150 characters a header, 3000 a section; escaping makes text
# up to five times longer, so texts are cut far below.
_HEADER = 150
_SECTION = 600
_LONGEST = 2900

Block = dict[str, Any]


def slack_payload(notification: Notification, wording: Wording | None = None, *, ask: bool = False) -> dict[str, Any]:
    """The JSON body for an incoming webhook or `chat.postMessage`; nothing in it unfurls or mentions anybody.

    Every text is safe by three means: cut before escaping, escaped, and `plain_text` where strangers wrote it.

    Args:
        ask: with buttons by which people answer, and what they answered.
    """
    wording = wording or Wording()
    return with_answers(payload_of(message(notification, wording)), notification, wording, ask=ask)


def with_answers(
    payload: dict[str, Any], notification: Notification, wording: Wording, *, ask: bool = True
) -> dict[str, Any]:
    """A body with the line of who answered what, and the buttons where `ask` holds."""
    more = [answered(notification, wording.zone), buttons(notification) if ask else None]
    return payload | {"blocks": payload["blocks"] + [block for block in more if block is not None]}


def payload_of(told: Message) -> dict[str, Any]:
    """The same for a message that is rendered already."""
    return {
        "text": slack_inert(cut(f"{told.mark} {told.title}. {told.lead}", _SECTION)),
        "blocks": blocks(told),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def blocks(told: Message) -> list[Block]:
    """The blocks of a message: header, argument, facts, voices, where to read on."""
    found: list[Block] = [
        {"type": "header", "text": _plain(_header(told), emoji=True)},
        {"type": "section", "text": _plain(slack_text(cut(told.lead, _SECTION)))},
        *({"type": "section", "text": _plain(facts)} for facts in _fact_texts(told)),
    ]
    for quote in told.quotes:
        source = slack_link(quote.link, quote.source)
        words = slack_text(f"“{quote.text}”")
        found.append({"type": "context", "elements": [_plain(words), {"type": "mrkdwn", "text": source}]})
    more = slack_link(told.link, "details") + " · " if told.link else ""
    found.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"{more}`{slack_inert(told.command)}`"}]})
    return found


def _fact_texts(told: Message) -> list[str]:
    """The facts, escaped, in as few texts as Slack's limit allows."""
    texts: list[str] = []
    for label, value in told.facts:
        line = f"{slack_text(label)}: {slack_text(value)}"
        if texts and len(texts[-1]) + len(line) < _LONGEST:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def _header(told: Message) -> str:
    """Escaped within Slack's limit for a header, which counts what is sent."""
    limit = _HEADER
    while len(shown := slack_text(cut(f"{told.mark} {told.title}", limit))) > _HEADER:
        limit -= 10
    return shown


def _plain(text: str, *, emoji: bool = False) -> Block:
    return {"type": "plain_text", "text": text, "emoji": emoji}
