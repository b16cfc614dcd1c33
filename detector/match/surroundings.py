"""What kind of writing a name stands in: running text, an address, an e-mail, a handle, a hashtag, a path."""

from __future__ import annotations

import re
from enum import Enum


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENDS = ' \t\n\r\f\v<>"|\\'
_UNBROKEN = re.compile(r'[^\s<>"|\\]{0,500}')
_TRAILING = ".,;:!?)]}'*_~>"
_LEADING = "([{'*_~<"
_HOST = re.compile(r"(?:[a-z]+://)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?::\d+)?(?P<path>[/?#].*)?")
_SUFFIXES = _words(
    """com ai io org net app dev tv us co me gg so sh uk de fr jp in br ca au eu es it nl ru cn info cloud edu gov fm
    tech social news im ly be to page chat xyz lol link software systems site online store live"""
)
_OUTAGE_TAGS = re.compile(
    r"(?:is|are)?(?:down|outage|outages|crash|crashed|broken|fail|notworking|issues|problems|error)\w*"
)


# Hosts that lend their name to everybody's pages: `jane.netlify.app` is Jane's, and names no service.
_LENT = _words(
    """netlify.app netlify.com vercel.app now.sh herokuapp.com github.io gitlab.io wordpress.com pages.dev workers.dev
    blogspot.com tumblr.com substack.com medium.com web.app firebaseapp.com appspot.com azurewebsites.net run.app
    notion.site myshopify.com squarespace.com wixsite.com weebly.com fly.dev onrender.com railway.app up.railway.app
    replit.app repl.co glitch.me surge.sh itch.io bandcamp.com hf.space streamlit.app ngrok.io webflow.io carrd.co
    bitbucket.io readthedocs.io livejournal.com deviantart.com typepad.com fandom.com wikia.com"""
)
_THEIRS = _words("www status api app dashboard blog support help docs m login mail admin console old new")
_VENUE = re.compile(
    r" (?:Center|Centre|Arena|Stadium|Park|Field|Coliseum|Pavilion|Amphitheat(?:er|re)|Dome|Theat(?:er|re)|Ballpark|"
    r"Garden|Gardens|Bowl|Marathon|Invitational|Championship|Grand Prix|Premier League|Speedway|Raceway|Tower|"
    r"Fieldhouse|Live!|Music Center|Event Center|Classic|Half Marathon|CENTER|ARENA|STADIUM)(?![\w-])"
)


class Place(Enum):
    """Where a name stands; only `TEXT`, `HANDLE` and `OUTAGE_TAG` can name a service."""

    TEXT = "text"
    HANDLE = "handle"
    OUTAGE_TAG = "outage tag"
    ADDRESS = "address"
    PART = "part"


def place(plain: str, start: int, end: int) -> Place:
    """The kind of writing around `plain[start:end]`.

    A host standing alone ("GitHub.com is down", "https://claude.ai") is running text, an address with a path is not.

    >>> place("see https://github.com/a/b", 12, 18), place("github.com is down", 0, 6)
    (<Place.ADDRESS: 'address'>, <Place.TEXT: 'text'>)
    """
    before, behind = plain[start - 1 : start], plain[end : end + 1]
    if before == "#":
        return _in_tag(plain, end)
    if behind and (behind.isalnum() or behind == "_") and behind < "\u0e00":
        return _plural(plain, start, end)
    if before == "@":
        return Place.HANDLE if _opens_handle(plain, start - 1) else Place.ADDRESS
    if (before and before in "/.:-=&?%") or (behind and behind in "/.@:-"):
        return _in_token(plain, start, end)
    return Place.TEXT


def token(plain: str, start: int, end: int) -> str:
    """The run without white space around `plain[start:end]`, at most 500 characters to either side."""
    reach = max(0, start - 500)
    before = plain[reach:start]
    first = reach + 1 + max(before.rfind(char) for char in _ENDS)
    found = _UNBROKEN.match(plain, end)
    last = found.end() if found else end
    return plain[first:last].lstrip(_LEADING).rstrip(_TRAILING)


def host(address: str) -> str:
    """The host of an address with or without a scheme; empty if it is none.

    >>> host("https://status.slack.com/x"), host("and/or")
    ('status.slack.com', '')
    """
    found = _HOST.fullmatch(address)
    return found[1] if found else ""


def venue(behind_written: str) -> bool:
    """Whether a capitalised word behind a name makes it a sponsored place.

    >>> venue(" Arena was full"), venue(" is down")
    (True, False)
    """
    return _VENUE.match(behind_written) is not None


def _in_tag(plain: str, end: int) -> Place:
    last = end
    while last < len(plain) and last - end < 40 and (plain[last].isalnum() or plain[last] == "_"):
        last += 1
    rest = plain[end:last].replace("_", "")
    if not rest:
        return Place.TEXT
    return Place.OUTAGE_TAG if _OUTAGE_TAGS.fullmatch(rest) else Place.PART


def _plural(plain: str, start: int, end: int) -> Place:
    # "githubs down" is "GitHub's down" in a hurry.
    if plain[end - 1] != "s" and plain.startswith(("s down", "s broken", "s not working", "s fucked"), end):
        return Place.TEXT if plain[start - 1 : start] not in "/.@" or not start else Place.PART
    return Place.PART


def _opens_handle(plain: str, at: int) -> bool:
    if at and plain[at - 1] == "." and (at == 1 or plain[at - 2].isspace()):
        return True  # ".@name" shows a reply to everybody
    return at == 0 or not (plain[at - 1].isalnum() or plain[at - 1] in "._-/+")


def _in_token(plain: str, start: int, end: int) -> Place:
    whole = token(plain, start, end)
    if "://" in whole or whole.startswith("www.") or "." in whole:
        return _in_address(plain, start, end, whole)
    if "@" in whole[1:]:
        return Place.ADDRESS if re.search(r"\w@\w", whole) else Place.TEXT
    if whole.startswith(("/", "~/", "./", "../")) and not whole.startswith(("/r/", "/u/")):
        return Place.ADDRESS
    return Place.TEXT


def _in_address(plain: str, start: int, end: int, whole: str) -> Place:
    if re.search(r"[\w.+-]@[\w-]+\.", whole):
        return Place.ADDRESS
    possessive = whole.removesuffix("'s")
    found = _HOST.fullmatch(possessive)
    if not found:
        return Place.ADDRESS if "://" in whole or whole.startswith(("/", "~/", "./", "../")) else Place.TEXT
    if found["path"] not in {None, "/"}:
        return Place.ADDRESS
    labels = found[1].split(".")
    if labels[-1] not in _SUFFIXES:
        # Two sentences without a space between them, or a file name.
        return Place.PART if "://" in whole else Place.TEXT
    name = plain[start:end]
    if _lent(labels):
        return Place.ADDRESS
    if found[1] == name or found[1].endswith("." + name):
        return Place.TEXT
    behind = plain[end : end + 1] == "." and plain[end + 1 :].startswith(tuple(_tails(labels)))
    return Place.TEXT if behind else Place.ADDRESS


def _lent(labels: list[str]) -> bool:
    return any(".".join(labels[i:]) in _LENT and not _THEIRS.issuperset(labels[:i]) for i in range(1, len(labels) - 1))


def _tails(labels: list[str]) -> list[str]:
    """What may stand behind the name in a host: `com`, or `co.uk`.

    >>> _tails(["www", "google", "co", "uk"])
    ['uk', 'co.uk']
    """
    if len(labels) > 2 and labels[-2] in {"co", "com", "org", "ac", "net"} and len(labels[-1]) == 2:
        return [labels[-1], ".".join(labels[-2:])]
    return [labels[-1]]
