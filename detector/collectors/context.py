"""What every collector is given: the shared session and parser, the key for authors, the catalogue."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from detector.collectors.ledger import Ledger
from detector.domain import Service
from detector.transport.session import Session
from detector.transport.worker import ParseWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorContext:
    """Handed to `build` of every collector.

    Attributes:
        session: fetches for all; the collector does not close it.
        worker: parses feeds for all; the collector does not close it.
        author_key: secret of the author hashes, kept outside the database.
        services: the catalogue, in its order.
        shared: what several sources of one kind have in common in this run, such as a rate budget; the kind's name
            is the key.
        ledger: what paid sources have cost, kept beside the database.
        wanted: a quick look at a text that a firehose takes before it keeps a post (the matcher's `may_match`); False
            only for what names no service. None keeps everything.
    """

    session: Session
    worker: ParseWorker
    author_key: bytes
    services: tuple[Service, ...] = ()
    shared: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    ledger: Ledger = field(default_factory=lambda: Ledger(None), compare=False, repr=False)
    wanted: Callable[[str], bool] | None = field(default=None, compare=False, repr=False)

    def author(self, source: str, name: str | None) -> str | None:
        """The keyed hash that stands for a person; None for nobody."""
        return author_hash(self.author_key, source, name) if name else None


def author_hash(key: bytes, source: str, name: str) -> str:
    """HMAC-SHA256(key, source‖name), 16 hex digits: tells people apart without saying who they are.

    >>> author_hash(b"key", "hackernews", "ada") == author_hash(b"key", "hackernews", "ada")
    True
    >>> len(author_hash(b"key", "hackernews", "ada"))
    16
    """
    return hmac.digest(key, f"{source}\x00{name}".encode(), hashlib.sha256).hex()[:16]
