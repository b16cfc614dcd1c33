"""A channel's messages as a page that looks like a chat: a rendering of their Block Kit, not a picture of Slack."""

from __future__ import annotations

import html
import re
from typing import Any

from detector.app.loopback import slack_text

_CSS = """
:root { color-scheme: light dark; --bg: #fff; --ink: #1d1c1d; --soft: #616061; --line: #ddd; --link: #1264a3;
  --button: #fff; --head: #f8f8f8; }
@media (prefers-color-scheme: dark) { :root { --bg: #1a1d21; --ink: #e8e8e8; --soft: #ababad; --line: #35373b;
  --link: #5db5f0; --button: #222529; --head: #212428; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.46 system-ui, "DejaVu Sans", sans-serif; }
header { padding: 10px 16px; background: var(--head); border-bottom: 1px solid var(--line); font-weight: 700; }
header small { color: var(--soft); font-weight: 400; margin-left: 8px; }
article { display: grid; grid-template-columns: 36px minmax(0, 1fr); gap: 10px; padding: 12px 16px; }
article.answer { margin-left: 30px; border-left: 2px solid var(--line); padding-top: 8px; }
.face { width: 36px; height: 36px; border-radius: 7px; background: #3b6ea5; color: #fff; display: grid;
  place-items: center; font-weight: 700; }
.who { font-weight: 700; } .who small { font-weight: 400; color: var(--soft); margin-left: 6px; }
.app { font-size: 10px; padding: 1px 4px; border-radius: 3px; background: var(--line); margin-left: 5px; }
h3 { font-size: 17px; line-height: 1.3; margin: 2px 0 6px; }
p { margin: 4px 0; white-space: pre-line; overflow-wrap: anywhere; }
.context { color: var(--soft); font-size: 13px; }
.context a { color: var(--link); text-decoration: none; }
code { font-size: 12px; border: 1px solid var(--line); border-radius: 3px; padding: 1px 3px; color: #c0392b; }
.row { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0 2px; }
.row span { border: 1px solid var(--soft); border-radius: 5px; padding: 4px 11px; font-weight: 600; font-size: 13px;
  background: var(--button); }
.mark { display: inline-block; width: 13px; height: 13px; border-radius: 50%; margin-right: 3px; }
.count { color: var(--link); font-size: 13px; font-weight: 600; padding: 0 16px 6px 62px; }
"""


_MARKS = {"🔴": "#d33", "🟠": "#f08c2e", "🟡": "#e8c229", "✅": "#2e9e5b", "📣": "#3b6ea5"}


def thread_page(messages: list[dict[str, Any]], channel: str) -> str:
    """A page of messages as `slack.json` of the demo holds them, each with its thread below."""
    parts = [f"<header># {html.escape(channel)}<small>rendered from the Block Kit that was sent</small></header>"]
    for each in messages:
        parts.append(_message(each["first"], f"{clock(each)}, as it was posted"))
        answers = each["thread"]
        parts.append(f'<div class="count">{len(answers)} replies</div>')
        parts += [_message(each["message"], f"{clock(each)}, in the thread", answer=True) for each in answers]
        if each["message"] != each["first"]:
            parts.append('<div class="count">and by then the first message had become</div>')
            parts.append(_message(each["message"], "edited"))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>The thread</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_CSS}</style>{"".join(parts)}</html>'
    )


def thread_text(messages: list[dict[str, Any]], width: int = 116) -> str:
    """The same as lines: the first message whole, of the answers in its thread what a reader sees first."""
    lines: list[str] = []
    for each in messages:
        first = [line for line in slack_text(each["first"]) if not line.startswith("<http")]
        lines += [f"{clock(each)}  {first[0]}", *(f"       {line}" for line in first[1:])]
        for answer in each["thread"]:
            title, *rest = slack_text(answer["message"])
            lines += ["", f"  {clock(answer)}  {title}", *(f"         {line}" for line in rest[:2])]
        now = slack_text(each["message"])
        if each["message"] != each["first"]:
            said = next((line for line in now if line.startswith("Answered: ")), "")
            lines += ["", f"       The first message by then: {now[0]}{' · ' * bool(said)}{said}"]
    return "\n".join(line[:width].rstrip() for line in lines)


def clock(each: dict[str, Any]) -> str:
    """The minute at which something was posted."""
    return str(each["at"])[11:16]


def _message(body: dict[str, Any], aside: str, *, answer: bool = False) -> str:
    kind = ' class="answer"' if answer else ""
    blocks = "".join(_block(block) for block in body["blocks"])
    who = f'<div class="who">Outage detector<span class="app">APP</span><small>{aside}</small></div>'
    return f'<article{kind}><div class="face">od</div><div>{who}{blocks}</div></article>'


def _block(block: dict[str, Any]) -> str:
    match block["type"]:
        case "header":
            return f"<h3>{_text(block['text'])}</h3>"
        case "section":
            return f"<p>{_text(block['text'])}</p>"
        case "context":
            return f'<p class="context">{" ".join(_text(each) for each in block["elements"])}</p>'
        case "actions":
            shown = "".join(f"<span>{_text(each['text'])}</span>" for each in block["elements"])
            return f'<div class="row">{shown}</div>'
        case kind:
            raise ValueError(f"no rendering of {kind}")


def _text(text: dict[str, Any]) -> str:
    """Slack's escapes are HTML's; in `mrkdwn` links and code are marked up too."""
    shown = str(text["text"]).replace('"', "&quot;")
    for mark, colour in _MARKS.items():
        # Drawn, since a machine without a font of emoji would show a box.
        shown = shown.replace(mark, f'<i class="mark" style="background: {colour}"></i>')
    if text["type"] == "mrkdwn":
        shown = re.sub(r"<(https?://[^|>]+)\|([^>]*)>", r'<a href="\1">\2</a>', shown)
        shown = re.sub(r"`([^`]*)`", r"<code>\1</code>", shown)
    return shown
