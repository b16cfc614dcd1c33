"""Which posts show an alert best: the surest, one a person, not older than the trouble."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from detector.domain import Evidence, Judgement

KEPT = 80
SHOWN = 10
QUOTE = 280


# The author, the post as shown, and the slugs of other services that it names.
Kept = tuple[str | None, Evidence, tuple[str, ...]]


class Gallery:
    """The recent posts about one service that speak of a present failure, bounded."""

    def __init__(self, kept: Iterable[Kept] = ()) -> None:
        self.kept: deque[Kept] = deque(kept, maxlen=KEPT)

    def add(self, judgement: Judgement, others: tuple[str, ...] = ()) -> None:
        """Keep a post if it more likely than not speaks of a present failure; `others` are named in it too."""
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
        self.kept.append((post.author, shown, others))

    def best(self, onset: datetime) -> tuple[Evidence, ...]:
        """Up to ten posts since shortly before the onset: complaints first, the surest first, one an author."""
        since = onset - timedelta(minutes=2)
        ranked = sorted(
            (kept for kept in self.kept if kept[1].at >= since),
            key=lambda kept: (kept[1].label != "complaint", -kept[1].p, kept[1].at, kept[1].source, kept[1].id),
        )
        chosen: list[Evidence] = []
        authors: set[tuple[str, str]] = set()
        for author, shown, _ in ranked:
            who = (shown.source, author or shown.id)
            if who not in authors:
                authors.add(who)
                chosen.append(shown)
        return tuple(chosen[:SHOWN])

    def named_since(self, since: datetime) -> tuple[int, dict[str, int]]:
        """How many people posted since then, and how many of them name each other service."""
        people: set[str] = set()
        beside: dict[str, set[str]] = {}
        for author, shown, others in self.kept:
            if shown.at >= since:
                who = _who(author, shown)
                people.add(who)
                for other in others:
                    beside.setdefault(other, set()).add(who)
        return len(people), {other: len(named) for other, named in beside.items()}

    def people(self, since: datetime) -> int:
        """How many different people posted since then."""
        return len({_who(author, shown) for author, shown, _ in self.kept if shown.at >= since})

    def split(self, since: datetime, *others: str) -> tuple[set[str], set[str]]:
        """Who posted since then without naming one of `others`, and who did name one."""
        alone: set[str] = set()
        together: set[str] = set()
        for author, shown, named in self.kept:
            if shown.at >= since:
                (alone if set(others).isdisjoint(named) else together).add(_who(author, shown))
        return alone - together, together

    @property
    def reaches_back_to(self) -> datetime | None:
        """Since when every post is here; None where none was dropped yet."""
        return min(kept[1].at for kept in self.kept) if len(self.kept) == KEPT else None


def _who(author: str | None, shown: Evidence) -> str:
    return f"{shown.source}/{author or shown.id}"
