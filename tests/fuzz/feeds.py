"""Mutants of feeds, each known by its number: the same number is the same bytes on every machine."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

_FIXTURES = Path(__file__).parents[1] / "fixtures"
_FILES = ("rss/google_news.rss", "rss/mastodon_tag.rss", "rss/reddit_new.atom", "statusfeed/updates.rss")
_MOST = 200_000

# Small feeds of every dialect and extension that feedparser has code of its own for.
_WRITTEN = (
    """<?xml version="1.0" encoding="iso-8859-1"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
    <channel rdf:about="http://a.example/">
    <title>one</title><items><rdf:Seq><rdf:li rdf:resource="http://a.example/1"/></rdf:Seq></items></channel>
    <item rdf:about="http://a.example/1"><title>is it down</title><dc:creator>ann</dc:creator>
    <dc:date>2026-03-02T12:00:00+01:00</dc:date><dc:subject>outage</dc:subject></item></rdf:RDF>""",
    """<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:georss="http://www.georss.org/georss"
    xmlns:gml="http://www.opengis.net/gml" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
    xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>m</title><item><guid isPermaLink="false">
    7</guid><title>no service</title><georss:where><gml:Point srsDimension="2"><gml:pos>45.2 -71.9</gml:pos>
    </gml:Point>
    </georss:where><georss:polygon>45 -110 46 -109 43 -109 45 -110</georss:polygon>
    <media:content url="http://a.example/p"
    medium="image"><media:title type="plain">p</media:title></media:content>
    <media:thumbnail url="http://a.example/t"/>
    <itunes:duration>7:04</itunes:duration><itunes:explicit>no</itunes:explicit><enclosure url="http://a.example/e"
    length="12" type="audio/mpeg"/><content:encoded><![CDATA[<p>it <b>fails</b> &amp; hangs</p>]]></content:encoded>
    <pubDate>Mon, 02 Mar 2026 12:00:00 GMT</pubDate><category domain="d">x</category></item></channel></rss>""",
    """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0" xml:lang="en"
    xml:base="http://a.example/"><title type="html">&lt;b&gt;t&lt;/b&gt;</title><updated>2026-03-02T12:00:00.123Z
    </updated><author><name>bob</name><email>b@a.example</email><uri>/u/b</uri></author><entry>
    <id>tag:a.example,2026:1
    </id><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">not <i>loading</i></div></title>
    <link rel="alternate" href="../1?a=1&amp;b=2"/><thr:in-reply-to ref="tag:a.example,2026:0"/>
    <summary type="text">again</summary>
    <content type="application/xml" src="x"/><content type="text/plain" mode="base64">aXQgaXMgZG93bg==</content>
    <published>2026-03-02T11:59:59-05:00</published><source><title>elsewhere</title></source></entry></feed>""",
    """<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
    "http://a.example/r.dtd">    <rss version="0.91"><channel><title>old</title><textinput><title>q</title>
    <name>n</name></textinput><image>
    <url>u</url><width>88</width></image><skipHours><hour>3</hour></skipHours>
    <cloud domain="a" port="80" path="/" protocol="soap"/>
    <item><title>Störung</title><description>caf&#233; &eacute; &#x1F525; &nbsp;&unknown; &#55296;</description>
    <link>http://a.example/ä?x=%zz</link><author>c@a.example (Carl)</author><comments>c</comments></item>
    </channel></rss>""",
    """<channel href="c" lastmod="1998-11-05T11:22"><title>cdf</title><item href="i" lastmod="2026-03-02T08:21-0500">
    <title>t</title><abstract>a</abstract><schedule startdate="1998"><interval day="1"/></schedule></item>
    </channel>""",
    """<rss version="2.0"><channel><item><pubDate>31 Feb 99 25:61 MSK</pubDate><title>d</title></item><item><pubDate>
    2003-366</pubDate></item><item><pubDate>-0001-00-00T99:99:99Z</pubDate></item><item><pubDate>
    Thu, 01 Jan 9999999 00:00</pubDate></item><item><pubDate>2004-W53-7</pubDate></item><item>
    <pubDate>Fri, 5 Agst 2026 5:5 PDT</pubDate></item>
    </channel></rss>""",
)
_TOKENS = tuple(
    part.encode("utf-8", "surrogatepass")
    for part in (
        *(
            "<",
            ">",
            "&",
            '"',
            "'",
            "/",
            "</",
            "/>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<?",
            "?>",
            "<!DOCTYPE",
            "<!ENTITY",
        ),
        *("<item>", "</item>", "<entry>", "</entry>", "<rss>", "<feed>", "</channel>", "<title>", "<a:b>", "<:>", "<a"),
        *("&amp;", "&#0;", "&#xD800;", "&#99999999;", "&lt;", "&bogus;", "&#x;", "&#", "%zz", "%00", "://", "http://["),
        *(
            "\ud800",
            "\udfff",
            "\x00",
            "\x0b",
            "\ufffe",
            "\u202e",
            "\u200b",
            "\ufeff",
            "é",
            "日本",
            "🔥",
            "\u2028",
            "\x85",
        ),
        *(
            ' type="xhtml"',
            ' type="html"',
            ' mode="base64"',
            ' mode="escaped"',
            ' xml:base="http://[::"',
            ' xml:lang="x',
        ),
        *(
            ' xmlns="',
            ' xmlns:a="http://www.georss.org/georss"',
            ' xmlns="http://www.w3.org/2005/Atom"',
            ' rel="',
            " href=",
        ),
        *(
            "<georss:line>1 2 3</georss:line>",
            "<gml:posList>x</gml:posList>",
            "<dc:date>",
            "<pubDate>",
            "<media:content>",
        ),
        *(
            "<gml:LineString>",
            "<georss:box>1 1</georss:box>",
            "<geo:lat>nan</geo:lat>",
            "<itunes:image/>",
            "<category/>",
        ),
        *("-1", "0", "99999999999999999999", "1e309", "NaN", "2026-13-45", "24:60:60", "Feb 30", "+9999", "-00:00"),
        *("\n" * 200, " " * 200, "a" * 2000, "<b>" * 70, "=x " * 210, "<a b='c'/>" * 50),
    )
)
_TYPES = (
    "", "", "", "application/xml", "text/xml; charset=utf-8", "text/xml; charset=iso-8859-1", "text/html",
    "application/rss+xml; charset=utf-16", "text/xml; charset=utf-7", "x/y; charset=\"no such\"", "charset=base64",
)  # fmt: skip
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-7", "cp037", "shift_jis", "utf-8-sig")
Mutation = Callable[[random.Random, bytearray], None]


@cache
def seeds() -> tuple[bytes, ...]:
    """What is mutated: feeds as places send them, and one of each dialect."""
    return (*((_FIXTURES / name).read_bytes() for name in _FILES), *(text.encode() for text in _WRITTEN))


def mutant(number: int) -> tuple[bytes, str]:
    """The body and content type of a mutant.

    >>> mutant(3) == mutant(3), mutant(3) == mutant(4)
    (True, False)
    """
    chance = random.Random(number)
    body = bytearray(chance.choice(seeds()))
    for _ in range(min(int(chance.expovariate(0.25)) + 1, 40)):
        chance.choice(_MUTATIONS)(chance, body)
        del body[_MOST:]
    if chance.random() < 0.05:
        body = bytearray(bytes(body).decode("utf-8", "ignore").encode(chance.choice(_ENCODINGS), "ignore"))
    return bytes(body), chance.choice(_TYPES)


def _span(chance: random.Random, body: bytearray, most: int = 200) -> tuple[int, int]:
    start = chance.randrange(len(body) + 1)
    return start, min(len(body), start + chance.randint(0, most))


def _flip(chance: random.Random, body: bytearray) -> None:
    if body:
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)


def _overwrite(chance: random.Random, body: bytearray) -> None:
    start, end = _span(chance, body, 8)
    body[start:end] = chance.randbytes(end - start)


def _cut(chance: random.Random, body: bytearray) -> None:
    start, end = _span(chance, body)
    del body[start:end]


def _truncate(chance: random.Random, body: bytearray) -> None:
    if chance.random() < 0.3:
        del body[chance.randrange(len(body) + 1) :]


def _token(chance: random.Random, body: bytearray) -> None:
    start, end = _span(chance, body, chance.choice((0, 0, 3, 20)))
    body[start:end] = chance.choice(_TOKENS)


def _repeat(chance: random.Random, body: bytearray) -> None:
    start, end = _span(chance, body)
    body[end:end] = bytes(body[start:end]) * int(2 ** chance.uniform(0, 8))


def _move(chance: random.Random, body: bytearray) -> None:
    start, end = _span(chance, body)
    piece = bytes(body[start:end])
    del body[start:end]
    at = chance.randrange(len(body) + 1)
    body[at:at] = piece


def _graft(chance: random.Random, body: bytearray) -> None:
    other = bytearray(chance.choice(seeds()))
    start, end = _span(chance, other, 600)
    at = chance.randrange(len(body) + 1)
    body[at:at] = other[start:end]


def _rename(chance: random.Random, body: bytearray) -> None:
    """One word becomes another everywhere: tags keep their pairs and change their meaning."""
    words = [word for word in bytes(body).replace(b"/", b" ").replace(b"<", b" ").replace(b">", b" ").split() if word]
    if words:
        body[:] = bytes(body).replace(chance.choice(words)[:30], chance.choice(words)[:30], 50)


_MUTATIONS: tuple[Mutation, ...] = (
    _flip, _flip, _overwrite, _cut, _truncate, _token, _token, _token, _repeat, _move, _graft, _rename,
)  # fmt: skip
