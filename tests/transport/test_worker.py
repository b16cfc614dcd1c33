"""The killable parser: hostile feeds cost themselves, never the program nor the next feed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from detector.errors import Hostile
from detector.transport.parse_main import answer
from detector.transport.precheck import checked
from detector.transport.worker import ParsedFeed, ParseWorker

_GOOD = (Path(__file__).parents[1] / "fixtures/rss/mastodon_tag.rss").read_bytes()


def _item(inside: bytes) -> bytes:
    return b"<rss version='2.0'><channel><title>t</title><item>" + inside + b"</item></channel></rss>"


_HOSTILE = {
    "empty": b"",
    "blanks only": b" \n\t" * 1000,
    "nul bytes": bytes(10_000),
    "html page": b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>checking</body></html>",
    "html without doctype": b"<html><body>502 Bad Gateway</body></html>",
    "xhtml with declaration": b"<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x' 'y'><html></html>",
    "json": b'{"error": "rate limited"}',
    "plain text": b"Too many requests",
    "another xml": b"<svg><g/></svg>",
    "20,000 attributes": b"<rss " + b" ".join(b"a%d='x'" % n for n in range(20_000)) + b"></rss>",
    "1,000 attributes": _item(b"<title " + b" ".join(b"a%d='x'" % n for n in range(1000)) + b">t</title>"),
    "depth 50,000": b"<rss>" * 50_000,
    "depth 100": _item(b"<a>" * 100),
    "entity bomb": b"<!DOCTYPE r [<!ENTITY a '" + b"x" * 50_000 + b"'>]>" + _item(b"<title>" + b"&a;" * 5000),
    "billion laughs": b"<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>" + _item(b"<title>&b;</title>"),
    "external entity": b"<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + _item(b"<title>&x;</title>"),
    "external dtd subset": b"<?xml version='1.0'?><!DOCTYPE r SYSTEM 'http://127.0.0.1/x.dtd' [ ]>" + _item(b""),
    "entity in utf-16": ("<!DOCTYPE r [<!ENTITY a 'x'>]><rss>&a;</rss>").encode("utf-16"),
    "entity in bare utf-16": ("<!DOCTYPE r [<!ENTITY a 'x'>]><rss>&a;</rss>").encode("utf-16-le"),
    "entity without doctype": b"<rss><!ENTITY a 'x'></rss>",
    "a million brackets": b"<" * 1_000_000,
    "a million tags": b"<rss>" + b"<a/>" * 1_000_000,
    "tag without an end": b"<rss><title " + b"x" * 1_000_000,
    "comment without an end": b"<rss><!--" + b"-" * 1_000_000,
    "cdata without an end": b"<rss><![CDATA[" + b"x" * 1_000_000,
    "100 kB author": _item(b"<author>" + b"a" * 100_000 + b"</author>"),
    "utf-32 entity": "<!DOCTYPE r [<!ENTITY a 'x'>]><rss>&a;</rss>".encode("utf-32"),
    "attlist": b"<!DOCTYPE r [<!ATTLIST item a CDATA 'x'>]>" + _item(b"<title>t</title>"),
    "parameter entity": b"<!DOCTYPE r [<!ENTITY % p SYSTEM 'http://127.0.0.1/p'> %p;]>" + _item(b""),
    "instruction without an end": b"<rss><?php " + b"x" * 1_000_000,
    "one tag of 5 MB": b"<rss a='" + b"x" * 4_900_000 + b"'></rss>",
    "half a tag a thousand times": _item(b"<a b='" * 1000),
    "depth in a namespace": _item(b"".join(b"<n%d:a xmlns:n%d='u'>" % (n, n) for n in range(100))),
    "json feed": b'{"version": "https://jsonfeed.org/version/1.1", "items": []}',
    "gzip bytes": b"\x1f\x8b\x08\x00" + bytes(1000),
    "a pdf": b"%PDF-1.7\n" + bytes(range(256)) * 20,
    "3,000 entries": b"<rss><channel>" + b"<item><title>x</title></item>" * 3000 + b"</channel></rss>",
}


@pytest.fixture(scope="module")
def loop_and_worker() -> object:
    """One worker for the whole table: what one feed does must not reach the next."""
    loop = asyncio.new_event_loop()
    worker = ParseWorker()
    yield loop, worker
    loop.run_until_complete(worker.aclose())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def _parse(shared: tuple[asyncio.AbstractEventLoop, ParseWorker], body: bytes, content_type: str = "") -> ParsedFeed:
    loop, worker = shared
    return loop.run_until_complete(worker.parse_feed(body, content_type))


@pytest.mark.parametrize("name", list(_HOSTILE))
def test_a_hostile_document_is_contained(
    name: str, loop_and_worker: tuple[asyncio.AbstractEventLoop, ParseWorker]
) -> None:
    """It is refused with a reason, and the next good feed is read."""
    with pytest.raises(Hostile, match=r".{20}"):
        _parse(loop_and_worker, _HOSTILE[name])

    assert len(_parse(loop_and_worker, _GOOD).entries) == 2


_HARMLESS = {
    "40 kB of newlines": (b"\n" * 40_000 + _GOOD.partition(b"?>")[2], 2),
    "byte order mark": (b"\xef\xbb\xbf" + _GOOD, 2),
    "bare doctype": (b"<!DOCTYPE rss PUBLIC '-//Netscape//DTD RSS 0.91//EN' 'http://x/rss.dtd'>" + _GOOD[39:], 2),
    "cut in the middle": (_GOOD[:-200], 2),
    "no entries": (b"<rss version='2.0'><channel><title>quiet</title></channel></rss>", 0),
    "entity words in cdata": (_item(b"<title><![CDATA[how to use <!ENTITY in a DTD]]></title>"), 1),
    "20 MB title cut at ingest": (_item(b"<title>" + b"x" * 4_000_000 + b"</title>"), 1),
    "a megabyte of entities": (_item(b"<title>" + b"&amp;" * 200_000 + b"</title>"), 1),
    "50,000 comments": (_item(b"<!-- x -->" * 50_000 + b"<title>t</title>"), 1),
    "a thousand namespaces": (_item(b"".join(b"<a xmlns:n%d='u%d'/>" % (n, n) for n in range(1000))), 1),
    "nul inside": (_item(b"<title>a\x00b</title>"), 1),
    "1,999 entries": (
        b"<rss version='2.0'><channel>" + b"<item><title>x</title></item>" * 1999 + b"</channel></rss>",
        1999,
    ),
}


@pytest.mark.parametrize("name", list(_HARMLESS))
def test_f19_an_odd_but_harmless_feed_is_read(
    name: str, loop_and_worker: tuple[asyncio.AbstractEventLoop, ParseWorker]
) -> None:
    """Leading blanks, marks, doctypes, cuts and giants are mended or shortened."""
    body, entries = _HARMLESS[name]

    feed = _parse(loop_and_worker, body)

    assert len(feed.entries) == entries
    assert all(len(entry.title) <= 16_000 for entry in feed.entries)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<?xml version='1.0' encoding='iso-8859-1'?>{}".encode("latin-1"), ""),
        (b"{}", "text/xml; charset=windows-1252"),
        ("<?xml version='1.0' encoding='utf-8'?>{}".encode("utf-16"), ""),
        (b"<?xml version='1.0' encoding='utf-8'?>{}", "text/xml; charset=iso-8859-1"),
    ],
    ids=["declared latin-1", "header only", "utf-16 that says utf-8", "header that is wrong"],
)
def test_a_feed_is_decoded_whatever_it_claims(body: bytes, content_type: str) -> None:
    """The é arrives in each of the usual muddles."""
    inside = _item("<title>café</title>".encode()).decode()
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        document = body.decode("utf-16").replace("{}", inside).encode("utf-16")
    else:
        encoding = "utf-8" if b"utf-8" in body else "latin-1"
        document = body.replace(b"{}", inside.encode(encoding))

    assert "café" in checked(document, content_type).decode("utf-8")


def test_text_comes_out_plain(loop_and_worker: tuple[asyncio.AbstractEventLoop, ParseWorker]) -> None:
    """Markup, scripts and entities are gone; times are Unix seconds."""
    first, second = _parse(loop_and_worker, _GOOD).entries

    assert first.text == "Claude gives me nothing but errors & a spinner #claudedown"
    assert second.text == "Same here, the chat window stays empty"
    assert first.published == 1_772_452_680


def test_a_killed_worker_is_replaced() -> None:
    """Somebody kills the child between two feeds: the next one starts another."""

    async def go() -> None:
        worker = ParseWorker()
        await worker.parse_feed(_GOOD)
        assert worker._process is not None
        os.kill(worker._process.pid, signal.SIGKILL)
        await worker._process.wait()
        assert len((await worker.parse_feed(_GOOD)).entries) == 2
        await worker.aclose()
        await worker.aclose()

    asyncio.run(go())


def test_a_cancelled_job_does_not_garble_the_next() -> None:
    """A poll that is given up leaves no half answer behind."""

    async def go() -> None:
        worker = ParseWorker()
        task = asyncio.create_task(worker.parse_feed(_HOSTILE["100 kB author"]))
        while worker._process is None:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len((await worker.parse_feed(_GOOD)).entries) == 2
        await worker.aclose()

    asyncio.run(go())


def test_the_worker_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's environment holds none of the parent's keys."""
    monkeypatch.setenv("SLACK_WEBHOOK", "S3CR3T-1")

    async def go() -> bytes:
        worker = ParseWorker()
        await worker.parse_feed(_GOOD)
        assert worker._process is not None
        environment = Path(f"/proc/{worker._process.pid}/environ").read_bytes()
        await worker.aclose()
        return environment

    assert b"S3CR3T" not in asyncio.run(go())


def test_mutated_feeds_never_escape() -> None:
    """400 seeded mutants of a good feed: each gives entries or a reason, never an exception."""
    import msgspec

    chance = random.Random(7)
    for _ in range(400):
        body = bytearray(_GOOD)
        for _ in range(chance.randint(1, 30)):
            at = chance.randrange(len(body))
            body[at : at + chance.randint(0, 4)] = chance.choice(
                [
                    b"<",
                    b">",
                    b"&",
                    b'"',
                    b"\xed\xa0\x80",
                    b"\x00",
                    b"]]>",
                    b"<![CDATA[",
                    b"<item>",
                    bytes([chance.randrange(256)]),
                ]
            )
        found = msgspec.msgpack.decode(answer(msgspec.msgpack.encode({"body": bytes(body), "content_type": ""})))
        assert "entries" in found or found["refused"]
