"""Making what strangers wrote harmless: text stays text in every channel."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, urlsplit

# Control, format (bidi marks and invisible joiners among them), surrogates, private use: nothing a quote needs.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Joins the parts of emoji and of several scripts; cannot reorder anything.
_KEPT = "\u200d"
_MARKS_IN_A_ROW = 4

_NAME = re.compile(r"(?<![\w@])[@＠][\w.\-]+(?:@[\w.\-]+)*|(?<![\w/])/?[uU]/[\w\-]+")
_MAIL = re.compile(r"[\w.+\-]{1,64}@[\w.\-]{1,255}")
_LINK = re.compile(r"\b[a-z][a-z0-9+.\-]{1,15}://\S+|\bwww\.\S+", re.IGNORECASE)
_LONGEST_LINK = 500

# Words that Slack could take for a call to everybody where a channel links names; a joiner after the @ breaks them.
_EVERYBODY = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)

# Characters that Slack's markup gives a meaning, and look-alikes that mean nothing.
_SLACK_MARKS = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"})


def plain(text: str, *, limit: int) -> str:
    """One line of visible text of at most `limit` characters, cut at a word where one is near.

    Control and bidirectional characters go, piled-up accents are thinned, and every kind of space is one blank.

    >>> plain("is\\u202e it\\n\\nDOWN\\x1b[31m?", limit=40)
    'is it DOWN[31m?'
    >>> plain("one two three four", limit=12)
    'one two…'
    """
    # Far more than can be shown is not worth cleaning.
    shown: list[str] = []
    marks = 0
    for letter in text[: limit * 20]:
        kind = unicodedata.category(letter)
        if kind[0] == "Z" or letter in "\t\n\r\f\v":
            shown.append(" ")
            continue
        if kind in _UNWANTED and letter != _KEPT:
            continue
        marks = marks + 1 if kind in {"Mn", "Me"} else 0
        if marks < _MARKS_IN_A_ROW:
            shown.append(letter)
    line = " ".join("".join(shown).split())
    return line if len(line) <= limit else cut(line, limit)


def cut(line: str, limit: int) -> str:
    """The beginning of a line, `limit` characters with the ellipsis.

    >>> cut("abcdefghij", 5)
    'abcd…'
    """
    if len(line) <= limit:
        return line
    head = line[: limit - 1]
    word_end = head.rfind(" ")
    return (head[:word_end] if word_end >= limit // 2 else head).rstrip() + "…"


def mask_people(text: str) -> str:
    """Text without account names and addresses of mail: nobody is named in an alert.

    >>> mask_people("@Sam99 claude is down, ask u/sam or mail sam@example.org")
    '@… claude is down, ask u/… or mail …@…'
    """
    text = _MAIL.sub("…@…", text)
    return _NAME.sub(lambda found: "u/…" if "/" in found[0] else "@…", text)


def quotation(text: str, *, limit: int) -> str:
    """What a person wrote, fit to be shown: one line, no names, no links, no markup, never longer than `limit`.

    >>> quotation("@claudeai login   is broken <!channel> https://t.co/abc", limit=80)
    '@… login is broken <!channel> [link]'
    """
    line = _LINK.sub("[link]", plain(text, limit=limit * 4))
    return cut(mask_people(line), limit)


def unlinked(text: str) -> str:
    """Text in which nothing is an address, for channels that make links of them.

    >>> unlinked("Errors, see https://evil.example/x and www.evil.example")
    'Errors, see [link] and [link]'
    """
    return _LINK.sub("[link]", text)


def safe_link(url: str | None) -> str | None:
    """The address if it is an ordinary http(s) one, with everything odd percent-encoded; else None.

    >>> safe_link("https://example.org/a?b=c&d=<e>|f")
    'https://example.org/a?b=c&d=%3Ce%3E%7Cf'
    >>> safe_link("javascript:alert(1)") is safe_link("https://user@example.org/") is safe_link("http://a b/") is None
    True
    """
    if url is None or len(url) > _LONGEST_LINK or not url.isascii() or "\\" in url:
        return None
    if any(letter <= " " or letter == "\x7f" for letter in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not re.fullmatch(r"[A-Za-z0-9.\-]+", parts.hostname or ""):
        return None
    if "@" in parts.netloc or port == 0:
        return None
    return quote(url, safe=":/?#@!$&'()+,;=%~._-")


def slack_text(text: str) -> str:
    """Escape for Slack, where `&`, `<` and `>` begin mentions, links and entities. Cut before, never after.

    >>> slack_text("<!channel> & <@U1>")
    '&lt;!channel&gt; &amp; &lt;@U1&gt;'
    """
    text = _EVERYBODY.sub("@\u200d", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_inert(text: str) -> str:
    """Escape for a Slack field that also knows bold, italic, struck and code.

    >>> slack_inert("*now* <b>")
    '∗now∗ &lt;b&gt;'
    """
    return slack_text(text.translate(_SLACK_MARKS))


def slack_link(url: str | None, label: str) -> str:
    """A link with a label, or the label alone where the address is not one to offer.

    >>> slack_link("https://example.org/?a=1&b=2", "a|b")
    '<https://example.org/?a=1&amp;b=2|a∣b>'
    """
    address = safe_link(url)
    shown = slack_inert(label.replace("|", "∣"))
    return shown if address is None else f"<{slack_text(address)}|{shown}>"
