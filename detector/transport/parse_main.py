"""The child process that parses feeds: reads jobs on stdin, writes answers on stdout, dies on trouble.

Frames are a 4-byte big-endian length and that many bytes of msgpack. A job gets two seconds of CPU
(the soft RLIMIT_CPU moves up with each job; SIGXCPU ends the process) and the process 400 MiB of address space.
The parent (`worker.py`) starts it, kills it and starts another.
"""

from __future__ import annotations

import calendar
import io
import resource
import sys
import time
from typing import IO, Any

import msgspec

from detector.errors import Hostile
from detector.transport.plaintext import MAX_TEXT, cut, fold, plain
from detector.transport.precheck import MAX_ITEMS, checked

CPU_SECONDS = 2
MEMORY_BYTES = 400 * 1024 * 1024
_MAX_FRAME = 64 * 1024 * 1024


def main() -> int:
    """Serve jobs until stdin closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import feedparser  # noqa: F401 - loaded now, so that the first job does not pay for it

    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (job := read_frame(source)) is not None:
        _allow_cpu()
        write_frame(sink, answer(job))
    return 0


def answer(job: bytes) -> bytes:
    """One job's answer: `{"entries": [...], "skipped": n}` or `{"refused": why}`."""
    try:
        asked = msgspec.msgpack.decode(job)
        found = parse(asked["body"], asked["content_type"])
    except Hostile as error:
        found = {"refused": str(error)}
    except MemoryError:
        found = {"refused": "the feed needs more than 400 MiB to read"}
    except Exception as error:  # noqa: BLE001 - feedparser raises six kinds of exception on damaged feeds
        found = {"refused": f"the feed cannot be parsed ({type(error).__name__})"}
    return msgspec.msgpack.encode(found)


def parse(body: bytes, content_type: str = "") -> dict[str, Any]:
    """Entries of a feed as plain text.

    Raises:
        Hostile: by `precheck.checked`, or because it is no feed.
    """
    import feedparser

    clean = checked(body, content_type)
    feed = feedparser.parse(
        io.BytesIO(clean), sanitize_html=False, resolve_relative_uris=False, response_headers={"content-type": _XML}
    )
    if not feed.entries and not feed.version:
        raise Hostile("no feed came but another document; check the address")
    entries = [_entry(entry) for entry in feed.entries[:MAX_ITEMS]]
    return {"entries": entries, "skipped": max(len(feed.entries) - MAX_ITEMS, 0)}


_XML = "application/xml; charset=utf-8"


def _entry(entry: Any) -> dict[str, Any]:
    body = entry.get("summary") or ""
    for content in entry.get("content") or ():
        if len(content.get("value") or "") > len(body):
            body = content["value"]
    publisher = (entry.get("source") or {}).get("title")
    return {
        "id": _word(entry.get("id")),
        "url": _word(entry.get("link")),
        "title": cut(plain(_text(entry.get("title")))),
        "text": cut(plain(_text(body))),
        "author": fold(_text(entry.get("author") or publisher))[:200],
        "published": _seconds(entry.get("published_parsed")) or _seconds(entry.get("updated_parsed")),
        "reply_to": _word(entry.get("thr_in-reply-to", {}).get("ref") if entry.get("thr_in-reply-to") else None),
    }


def _text(value: object) -> str:
    # Four characters of markup for each that is kept is generous; the rest of a giant never reaches the regexes.
    return value[: 4 * MAX_TEXT].encode("utf-8", "ignore").decode() if isinstance(value, str) else ""


def _word(value: object) -> str:
    return fold(_text(value))[:2000]


def _seconds(parsed: Any) -> float | None:
    if not isinstance(parsed, time.struct_time):
        return None
    try:
        return float(calendar.timegm(parsed))
    except (ValueError, OverflowError):
        return None


def _allow_cpu() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_SECONDS, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def read_frame(source: IO[bytes]) -> bytes | None:
    """The next frame, None at the end of the stream."""
    head = source.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = source.read(size) if size <= _MAX_FRAME else b""
    return body if len(body) == size else None


def write_frame(sink: IO[bytes], body: bytes) -> None:
    """Write one frame and flush it."""
    sink.write(len(body).to_bytes(4, "big") + body)
    sink.flush()


if __name__ == "__main__":
    sys.exit(main())
