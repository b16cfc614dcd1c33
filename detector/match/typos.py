"""Slips of the finger in the words that say something fails: "slack is dwon", "teams not conecting".

Only a short list of words is put right, and only slips that are no words themselves: a letter left out, doubled, or
exchanged with its neighbour.
"""

from __future__ import annotations

import re
from functools import cache

_RIGHT = tuple(
    """working loading sending connecting responding opening syncing crashing crashed broken outage outages
issues problems errors error offline unavailable messages notifications server servers again responds keeps
freezing frozen disconnecting buffering streaming playing starting unresponsive login website won't doesn't isn't
anyone having trouble timeout""".split()  # noqa: SIM905
)
_SHORT = {
    "dwon": "down", "donw": "down", "odwn": "down", "dowm": "down", "dwn": "down", "doen": "down", "fown": "down",
    "downn": "down", "dowwn": "down", "ddown": "down", "doown": "down", "iss": "is", "si": "is", "nto": "not",
    "nott": "not", "wont": "won't", "wnot": "won't", "wrok": "work", "laod": "load", "isn;t": "isn't",
    "dosent": "doesn't", "dosnt": "doesn't", "doesnt": "doesn't", "doesn;t": "doesn't", "won;t": "won't",
    "wokring": "working", "wroking": "working", "workin": "working", "wrkng": "working", "workign": "working",
    "loadin": "loading", "loadng": "loading", "brokn": "broken", "borken": "broken", "kicekd": "kicked",
}  # fmt: skip
_REAL = frozenset({"broke", "lading", "serve", "sever", "eras", "terror", "issue", "isn't", "wont"})
_WORD = re.compile(r"[^\W\d_]+(?:['’;]t)?")


def slips(word: str) -> set[str]:
    """A word with a letter left out (never the first), doubled, or exchanged with its neighbour."""
    made = {word[:i] + word[i + 1 :] for i in range(1, len(word))}
    made |= {word[:i] + word[i] + word[i:] for i in range(len(word))}
    made |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    return made


@cache
def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for word in _RIGHT:
        for slip in slips(word) - set(_RIGHT) - _REAL:
            if len(slip) > 3:
                table.setdefault(slip, word)
    return table | _SHORT


def put_right(plain: str) -> str | None:
    """The folded text without the slips it holds; None if it holds none.

    >>> put_right(" iss dwon agian"), put_right(" is fine")
    (' is down again', None)
    """
    table = _table()
    if table.keys().isdisjoint(_WORD.findall(plain)):
        return None
    return _WORD.sub(lambda found: table.get(found[0], found[0]), plain)
