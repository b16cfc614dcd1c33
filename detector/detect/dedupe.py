"""One person, one vote: repeated authors and copied texts do not count twice.

Copied long text (eight or more words besides name, link and handle) is one cluster however many accounts post it;
short plain statements ("slack is down") by different people are independent. Downdetector counts the same way
("only the first report of a user"); why text clusters matter more than accounts: Pacheco et al., ICWSM 2021.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b

_NOISE = re.compile(r"https?://\S+|[@#]\w+|\bRT\b|[^\w\s']|_|\d+")
_SPACE = re.compile(r"\s+")
MIN_COPIED_WORDS = 8


def text_key(text: str, matched: str = "") -> str | None:
    """The cluster of a long text, None for a short one: links, handles, digits, case and the name do not matter.

    >>> a = text_key("Slack has been failing for our whole office since nine this morning http://a.b")
    >>> a == text_key("slack has been failing for our whole office since nine this morning!!", "Slack")
    False
    >>> text_key("Slack has been failing for our whole office since nine this morning", "slack") == text_key(
    ...     "@x SLACK has been failing for our whole office since nine this morning!! http://t.co/1", "Slack")
    True
    >>> text_key("slack is down") is None
    True
    """
    if len(text) < 30:
        return None
    plain = _NOISE.sub(" ", text[:1000]).casefold()
    if matched:
        plain = plain.replace(matched.casefold(), " ")
    words = _SPACE.split(plain.strip())
    if len(words) < MIN_COPIED_WORDS:
        return None
    return blake2b(" ".join(words).encode(), digest_size=8).hexdigest()


@dataclass(slots=True)
class Votes:
    """Who has been counted lately, by author and by text; bounded.

    Attributes:
        ttl: minutes for which a vote holds.
        cap: at most this many keys are remembered, the oldest forgotten first.
    """

    ttl: float = 180.0
    cap: int = 4096
    seen: dict[str, float] = field(default_factory=dict)

    def fresh(self, at: float, *keys: str | None) -> bool:
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
        return new

    def _forget(self, at: float) -> None:
        alive = {key: last for key, last in self.seen.items() if at - last < self.ttl}
        if len(alive) > self.cap:
            newest = sorted(alive, key=alive.__getitem__)[-self.cap // 2 :]
            alive = {key: alive[key] for key in newest}
        self.seen = alive
