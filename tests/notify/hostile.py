"""Texts that want to be more than text.

`HOSTILE_EXAMPLES=5000 pytest tests/notify` tries that many for each channel; the default keeps CI quick.
"""

from __future__ import annotations

import os

from hypothesis import strategies as st


def examples(usual: int) -> int:
    """How many examples a property is tried with."""
    return int(os.environ.get("HOSTILE_EXAMPLES", usual))


HOSTILE = [
    "<!channel>",
    "<!here|x>",
    "<!everyone>",
    "<@U1>",
    "<#C1>",
    "<https://evil.example|ok>",
    "&lt;!channel&gt;",
    "&amp;",
    "&",
    "<",
    ">",
    "@channel",
    "@here",
    "@everyone",
    "*bold*",
    "_it_",
    "~no~",
    "`code`",
    "```",
    "|",
    "\n> quote",
    "\r\nBcc: x",
    "\x1b]0;t\x07",
    "\x1b[2J",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\x00",
    "\ud83d",
    "a\u0301\u0301\u0301\u0301\u0301\u0301",
    "javascript:x",
    "https://user@evil.example/",
    "@sam_99",
    "/u/sam",
    "sam@example.org",
    ":siren:",
    "x" * 10_000,
    "😀" * 200,
    "&" * 4000,
    "<" * 4000,
]
texts = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.sampled_from([" ", "claude is down"])), max_size=6
).map("".join)
urls = st.one_of(
    st.none(),
    texts,
    st.sampled_from(["http://", "https://example.org/", "javascript:", "ftp://a/"]).flatmap(
        lambda head: texts.map(lambda tail: head + tail)
    ),
)
