"""HTML to plain text at ingest: untrusted markup goes no further than here.

Not a renderer: tags fall away, blocks become line breaks, entities become characters. Linear in the text's length.
"""

from __future__ import annotations

import re
from html import unescape

_DROPPED = ("script", "style", "svg", "template")
_OPEN_DROPPED = re.compile(rf"<({'|'.join(_DROPPED)})\b", re.IGNORECASE)
_BLOCK = re.compile(r"</?(?:p|br|div|li|ul|ol|tr|table|h[1-6]|blockquote|pre|hr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*\n ?| ?\n ?")

MAX_TEXT = 16_000


def plain(text: str) -> str:
    """The words of a piece of HTML, or of plain text, with entities resolved and blanks folded.

    >>> plain("Is it <b>down</b>?<p>I can&#x27;t log in &amp; wait")
    "Is it down?\\nI can't log in & wait"
    >>> plain("5 < 6 and <3 stay"), plain("a<script>b()</script>c")
    ('5 < 6 and <3 stay', 'ac')
    """
    if "<" in text:
        text = _without_dropped(_without_comments(text))
        text = _TAG.sub("", _BLOCK.sub("\n", text))
    if "&" in text:
        text = unescape(text)
    return fold(text)


def fold(text: str) -> str:
    """Control characters and lone surrogates out, runs of blanks to one, empty lines to at most one.

    >>> fold("a  b\\t c\\r\\n\\n\\n d\\x00 ")
    'a b c\\n\\nd'
    """
    if text.isprintable() and "  " not in text:  # most posts are one clean line
        return text.strip()
    text = _BLANKS.sub(" ", _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    return _LINES.sub(_line_break, text).strip()


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """At most `limit` bytes of UTF-8, never through a character.

    >>> cut("aé", 2)
    'a'
    """
    if len(text) * 4 <= limit:
        return text
    raw = text.encode("utf-8", "ignore")
    return text if len(raw) <= limit else raw[:limit].decode("utf-8", "ignore")


def join_title(title: str, body: str) -> str:
    """Title and body as one text; a body that repeats the title is not said twice.

    >>> join_title("Claude down", "Claude down again for me")
    'Claude down again for me'
    >>> join_title("Claude down", "since ten")
    'Claude down\\n\\nsince ten'
    """
    if not title or body.startswith(title):
        return body or title
    return f"{title}\n\n{body}" if body else title


def _line_break(found: re.Match[str]) -> str:
    return "\n" if found[0].count("\n") == 1 else "\n\n"


def _without_comments(text: str) -> str:
    if "<!--" not in text:
        return text
    kept = []
    head, *rest = text.split("<!--")
    kept.append(head)
    for piece in rest:
        _, closed, tail = piece.partition("-->")
        kept.append(tail if closed else "")
    return "".join(kept)


def _without_dropped(text: str) -> str:
    if not _OPEN_DROPPED.search(text):
        return text
    kept, at, lower = [], 0, text.lower()
    while (found := _OPEN_DROPPED.search(text, at)) is not None:
        kept.append(text[at : found.start()])
        closing = f"</{found[1].lower()}"
        end = lower.find(closing, found.end()) if len(lower) == len(text) else -1
        if end < 0:
            return "".join(kept)
        after = text.find(">", end)
        at = after + 1 if after >= 0 else len(text)
    kept.append(text[at:])
    return "".join(kept)
