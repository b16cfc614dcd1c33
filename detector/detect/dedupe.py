"""One person, one vote: repeated authors and copied texts do not count twice.

Copied long text (eight or more words besides name, link and handle) is one cluster however many accounts post it;
short plain statements ("slack is down") by different people are independent. Downdetector counts the same way
("only the first report of a user"); why text clusters matter more than accounts: Pacheco et al., ICWSM 2021.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from zlib import crc32

_NOISE = re.compile(r"https?://\S+|[@#]\w+|\bRT\b|[^\w\s']|_|\d+")
MIN_COPIED_WORDS = 8
LATEST = 60.0  # minutes after it was written at which a post still counts
COPIED_SHARE = 0.75  # of the shorter text's word pairs
PAIR = 0xFFFFFF  # bits kept of a word pair: with 16 a text of ten words passed for a copy now and then
VOTE = 0xFFFFFF  # bits kept of a person: among 1,000 who voted lately a stranger is taken for one in 17,000

Key = str | int


def shingles(text: str, matched: str = "") -> frozenset[int] | None:
    """The word pairs of a long text, None for a short one: links, handles, digits, case and the name do not matter.

    >>> a = shingles("Slack has been failing for our whole office since nine this morning", "slack")
    >>> a == shingles("@x SLACK has been failing for our whole office since nine this morning!! http://t.co/1", "Slack")
    True
    >>> shingles("slack is down") is None
    True
    """
    if len(text) < 30:
        return None
    plain = _NOISE.sub(" ", text[:1000]).casefold()
    if matched:
        plain = plain.replace(matched.casefold(), " ")
    words = plain.split()
    if len(words) < MIN_COPIED_WORDS:
        return None
    return frozenset(crc32(f"{one} {two}".encode()) & PAIR for one, two in pairwise(words))


@dataclass(slots=True)
class Copies:
    """Long texts that were seen lately; a text is a copy if most of the shorter one's word pairs stand in the other.

    Containment, not resemblance (Broder, On the resemblance and containment of documents, 1997): an opener, a number
    or a last sentence of one's own does not make a copied text new. Sets this small are compared whole; a sketch
    (MinHash) would only blur them.

    Attributes:
        ttl: minutes for which a text is remembered.
        cap: at most this many, the oldest forgotten first.
    """

    ttl: float = 180.0
    cap: int = 200
    seen: list[tuple[float, frozenset[int]]] = field(default_factory=list)

    def is_copy(self, at: float, pairs: frozenset[int] | None) -> bool:
        """Whether a text was seen within `ttl` minutes of `at`; it is remembered now if it was not.

        >>> copies = Copies()
        >>> text = "Slack has been failing for our whole office since nine this morning"
        >>> copies.is_copy(0.0, shingles(text)), copies.is_copy(1.0, shingles("seriously? " + text + " in Leeds"))
        (False, True)
        >>> copies.is_copy(2.0, shingles("nobody in my team can send a single message on Slack since we came in"))
        False
        """
        if pairs is None:
            return False
        for seen_at, known in self.seen:
            if abs(at - seen_at) < self.ttl:
                fewer = min(len(known), len(pairs))
                if len(known & pairs) >= COPIED_SHARE * fewer:
                    return True
        self.seen.append((at, pairs))
        if len(self.seen) > self.cap:
            # By age first, so that a state without what is too old goes on as one with it.
            alive = self.recent(at)
            self.seen = alive if len(alive) <= self.cap else alive[self.cap // 4 :]
        return False

    def recent(self, at: float) -> list[tuple[float, frozenset[int]]]:
        """The texts that a post known at minute `at` can still repeat, though it was written an hour before."""
        return [(seen, pairs) for seen, pairs in self.seen if at - seen < self.ttl + LATEST]


def person(name: str) -> int:
    """The key of somebody who may vote; names are keyed hashes already (`detector.domain.Post.author`)."""
    return crc32(name.encode()) & VOTE


@dataclass(slots=True)
class Votes:
    """Who has been counted lately; bounded.

    Attributes:
        ttl: minutes for which a vote holds.
        cap: at most this many keys are remembered, the oldest forgotten first.
        loud: those who have posted again since.
    """

    ttl: float = 180.0
    cap: int = 4096
    seen: dict[Key, float] = field(default_factory=dict)
    loud: set[Key] = field(default_factory=set)

    def fresh(self, at: float, *keys: Key | None) -> bool:
        """Whether none of `keys` voted within `ttl` minutes of `at`; they have now.

        >>> votes = Votes()
        >>> votes.fresh(0.0, "a:ann"), votes.fresh(5.0, "a:ann"), votes.fresh(200.0, "a:ann")
        (True, False, True)
        """
        new = True
        for key in keys:
            if key is None:
                continue
            last = self.seen.pop(key, None)
            if last is not None and abs(at - last) < self.ttl:
                new = False
                at_kept = last  # the vote runs from the first post, or a bot could hold it for ever
            else:
                at_kept = at
            self.seen[key] = at_kept
        if len(self.seen) > self.cap:
            self._forget(at)
        if new and self.loud:
            self.loud.difference_update(key for key in keys if key is not None)
        return new

    def again(self, key: Key) -> float | None:
        """When `key` voted, if it is told here for the first time that it has posted again.

        >>> votes = Votes()
        >>> votes.fresh(7.0, "a:ann"), votes.fresh(9.0, "a:ann"), votes.again("a:ann"), votes.again("a:ann")
        (True, False, 7.0, None)
        """
        if key in self.loud or key not in self.seen:
            return None
        self.loud.add(key)
        return self.seen[key]

    def recent(self, at: float) -> dict[Key, float]:
        """The votes that one known at minute `at` can still meet, though it was written an hour before."""
        return {key: last for key, last in self.seen.items() if at - last < self.ttl + LATEST}

    def _forget(self, at: float) -> None:
        alive = self.recent(at)
        if len(alive) > self.cap:
            newest = sorted(alive, key=lambda key: (alive[key], str(key)))[-self.cap // 2 :]
            alive = {key: alive[key] for key in newest}
        self.seen = alive
        self.loud.intersection_update(alive)
