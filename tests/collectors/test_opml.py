"""OPML lists as feed sources: real files, good and bad."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.opml import build, read_opml
from detector.errors import ConfigError, Hostile
from detector.protocols import Harvest
from detector.transport.session import Limits, Session
from detector.transport.worker import ParseWorker
from tests.loopback import Loopback, Reply

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = """<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0"><head><title>Subscriptions</title></head><body>
<outline text="Tools"><outline type="rss" text="Kettle news" xmlUrl="{one}" htmlUrl="https://kettle.example"/>
<outline type="rss" text="Kettle news" xmlUrl="{two}"/><outline text="Again" xmlUrl="{one}"/></outline>
<outline text="a folder without feeds"/></body></opml>"""


def context() -> CollectorContext:
    return CollectorContext(
        session=Session(allow_private=True, limits=Limits(min_interval=0)), worker=ParseWorker(), author_key=b"k" * 32
    )


def test_every_feed_of_the_file_is_read(tmp_path: Path) -> None:
    """Nested folders, a repeated address, two of one name."""
    feed = (
        "<rss version='2.0'><channel><title>t</title><item><title>Kettle is cold</title><guid>1</guid>"
        "<pubDate>Mon, 02 Mar 2026 11:59:00 GMT</pubDate></item></channel></rss>"
    )
    with Loopback({"/one": Reply(feed), "/two": Reply(feed)}) as server:
        file = tmp_path / "list.opml"
        file.write_text(LIST.format(one=f"{server.url}/one", two=f"{server.url}/two"), encoding="utf-8")

        async def go() -> list[Harvest]:
            owner = context()
            try:
                made = build({"path": str(file), "interval": 60}, owner)
                assert [each.source for each in made] == ["feed:kettle-news", "feed:kettle-news-2"]
                return [await each.poll(None, now=NOW) for each in made]
            finally:
                await owner.worker.aclose()
                await owner.session.aclose()

        harvests = asyncio.run(go())

    assert [[post.text for post in harvest.posts] for harvest in harvests] == [["Kettle is cold"]] * 2


@pytest.mark.parametrize(
    "document",
    [
        b"<rss/>",
        b"<opml><body>",
        b"not xml",
        b"",
        b'<!DOCTYPE opml [<!ENTITY a "b">]><opml><body><outline xmlUrl="https://x.example"/></body></opml>',
    ],
    ids=["a feed", "cut off", "text", "empty", "entities"],
)
def test_what_is_no_list_is_refused(document: bytes, tmp_path: Path) -> None:
    """With words that say what to do, never with a parser's exception."""
    with pytest.raises(Hostile):
        read_opml(document)

    file = tmp_path / "list.opml"
    file.write_bytes(document)
    with pytest.raises(ConfigError, match=r"opml\.path"):
        build({"path": str(file)}, context())


def test_addresses_that_are_not_fetched_are_named(tmp_path: Path) -> None:
    """A file address in a list from elsewhere."""
    file = tmp_path / "list.opml"
    file.write_text(LIST.format(one="file:///etc/passwd", two="feed://kettle.example/rss"), encoding="utf-8")

    with pytest.raises(ConfigError, match="only http and https"):
        build({"path": str(file)}, context())
    assert read_opml(file.read_bytes())[0] == {"kettle-news": "http://kettle.example/rss"}


@pytest.mark.parametrize("settings", [{}, {"path": "/no/such/file"}, {"path": "x", "colour": 1}])
def test_wrong_settings_are_named(settings: dict[str, object]) -> None:
    """No path, no file, a setting that does not exist."""
    with pytest.raises(ConfigError, match=r"opml\."):
        build(settings, context())
