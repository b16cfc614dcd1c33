"""Which posts show an alert best: the surest, one a person, not older than the trouble."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from detector.domain import Evidence, Judgement

KEPT = 80
SHOWN = 10
QUOTE = 280


class Gallery:
    """The recent posts about one service that speak of a present failure, bounded."""

    def __init__(self, kept: Iterable[tuple[str | None, Evidence]] = ()) -> None:
        """Start with what a dump held."""
        self.kept: deque[tuple[str | None, Evidence]] = deque(kept, maxlen=KEPT)

    def add(self, judgement: Judgement) -> None:
        """Keep a post if it more likely than not speaks of a present failure."""
        if judgement.p.now < 0.5 or judgement.mention.post.official:
            return
        post = judgement.mention.post
        shown = Evidence(
            source=post.source,
            id=post.id,
            url=post.url,
            text=" ".join(post.text.split())[:QUOTE],
            p=round(judgement.p.now, 4),
            at=post.created_at,
            label=judgement.p.label,
        )
        self.kept.append((post.author, shown))

    def best(self, onset: datetime) -> tuple[Evidence, ...]:
        """Up to ten posts since shortly before the onset: complaints first, the surest first, one an author."""
        since = onset - timedelta(minutes=2)
        ranked = sorted(
            (pair for pair in self.kept if pair[1].at >= since),
            key=lambda pair: (pair[1].label != "complaint", -pair[1].p, pair[1].at, pair[1].source, pair[1].id),
        )
        chosen: list[Evidence] = []
        authors: set[tuple[str, str]] = set()
        for author, shown in ranked:
            who = (shown.source, author or shown.id)
            if who not in authors:
                authors.add(who)
                chosen.append(shown)
        return tuple(chosen[:SHOWN])
