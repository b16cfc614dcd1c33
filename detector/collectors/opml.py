"""OPML: the list of subscriptions that every feed reader exports, as feeds of ours.

Settings::

    path = "subscriptions.opml"     # the exported file
    interval = 300                  # seconds between polls of one feed
    most = 500                      # feeds taken from the file

Each feed is a source of its own, `feed:NAME`, polled like those of `sources.feeds.urls`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.parsers import expat

from detector.collectors.context import CollectorContext
from detector.collectors.feeds import FeedCollector
from detector.collectors.options import Options
from detector.errors import ConfigError, Hostile, Permanent
from detector.protocols import Collector
from detector.transport.guard import parse_target
from detector.transport.precheck import to_text

_MAX_BYTES = 5_000_000
_DECLARATION = re.compile(r"<\?xml[^>]{0,400}\?>", re.IGNORECASE)


def read_opml(body: bytes) -> tuple[dict[str, str], list[str]]:
    """The feeds of a document as name and address, each address once, and what is wrong with the others.

    Raises:
        Hostile: it is no OPML, or declares entities.

    >>> read_opml(b'<opml><body><outline text="Ada" xmlUrl="https://ada.example/rss"/></body></opml>')
    ({'ada': 'https://ada.example/rss'}, [])
    """
    clean = _DECLARATION.sub("", to_text(body).removeprefix("\ufeff").lstrip(), count=1)
    if "<!" in clean.replace("<!--", "").replace("<![CDATA[", ""):
        raise Hostile("the OPML has a document type or entities, which subscriptions have no use for; export it again")
    found: list[tuple[str, str]] = []
    tags: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        tags.append(name.lower()) if not tags else None
        named = {key.lower(): value for key, value in attributes.items()}
        if name.lower() == "outline" and named.get("xmlurl"):
            found.append((named.get("text") or named.get("title") or "", named["xmlurl"].strip()))

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    try:
        parser.Parse(clean.encode(), True)
    except expat.ExpatError as error:
        raise Hostile(f"the OPML is not well-formed ({error}); export it again") from error
    if tags[:1] != ["opml"]:
        raise Hostile("no OPML document; export the subscriptions of your feed reader as OPML")
    feeds: dict[str, str] = {}
    problems: list[str] = []
    for title, url in found:
        try:
            # Some readers write feed://host/path, some feed:https://host/path.
            target = parse_target(re.sub(r"^feed:", "", re.sub(r"^feed://", "http://", url)))
        except Permanent as error:
            problems.append(str(error))
            continue
        if target.url not in feeds.values():
            feeds[_name(title or target.host, feeds)] = target.url
    return feeds, problems


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The feeds of an OPML file (entry point `detector.collectors: opml`).

    Raises:
        ConfigError: the file cannot be read, is no OPML, names no feed, or names one that we would not fetch.
    """
    options = Options("opml", settings)
    path = options.text("path", "")
    interval = options.number("interval", 300, 5, 86_400)
    most = options.whole("most", 500, 1, 5000)
    robots = options.flag("robots", default=True)
    options.done()
    try:
        with Path(path).expanduser().open("rb") as file:
            body = file.read(_MAX_BYTES + 1)
        if len(body) > _MAX_BYTES:
            raise ConfigError(f"opml.path: {path} is larger than {_MAX_BYTES:,} bytes")
        feeds, problems = read_opml(body)
    except OSError as error:
        raise ConfigError(f"opml.path: {path} cannot be read ({error.strerror}); check the path") from error
    except Hostile as error:
        raise ConfigError(f"opml.path: {path}: {error}") from error
    if problems or not feeds:
        raise ConfigError([f"opml.path: {path}: {each}" for each in problems or ["it names no feed"]])
    return [
        FeedCollector(source=f"feed:{name}", urls=[url], interval=interval, context=context, robots=robots)
        for name, url in list(feeds.items())[:most]
    ]


def _name(title: str, taken: Mapping[str, str]) -> str:
    """A short name for a source, different from those taken.

    >>> _name("Ada's Blog!", {}), _name("Ada's Blog!", {"ada-s-blog": ""})
    ('ada-s-blog', 'ada-s-blog-2')
    """
    short = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "feed"
    number, name = 1, short
    while name in taken:
        number += 1
        name = f"{short}-{number}"
    return name
