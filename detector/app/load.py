"""More to judge than time: a fair sample is judged now, the rest is counted by what the sample says, and judged later.

Every post is matched and looked at by keyword, which is cheap. Where the classifier would need longer than it has,
posts are grouped by service, source, minute and keyword verdict, and a seeded sample of each group is judged. A post
left out counts as its group's average at the lower end of its 90 % interval, so that a sample raises no alert that
the whole would not. Which posts are sampled depends on their ids and on nothing else: never the oldest or newest.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import sqrt

from detector.domain import Judgement, Mention, Post, Probabilities
from detector.protocols import Classifier

Key = tuple[str, str]
Stratum = tuple[str, str, str, bool]

LEAST = 200
LEAST_OF_A_GROUP = 5
_ONE_SIDED_90 = 1.2816
_TWO_SIDED_95 = 1.96
_MEMORY = 0.2
_A_MINUTE = 60.0
_MOST_STEPS = 5000
ESTIMATED = "estimated"


class Load:
    """How many mentions can be judged in the time there is, by how long the last ones took.

    Args:
        seconds: what one step may spend on judging; None judges everything at once (a replay).
        monotonic: measures durations.

    Attributes:
        waiting: how many other sources wait for their turn; they share the time.
    """

    def __init__(self, seconds: float | None = 5.0, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self.waiting = 0
        self._monotonic = monotonic
        self._cost: float | None = None
        self._judged: deque[tuple[float, int]] = deque(maxlen=_MOST_STEPS)

    @property
    def rate(self) -> float:
        """Judgements a second over the last minute."""
        since = self._monotonic() - _A_MINUTE
        # A copy: another thread may ask while this one judges.
        return sum(count for at, count in tuple(self._judged) if at >= since) / _A_MINUTE

    @property
    def room(self) -> int | None:
        """How many mentions the next step may judge; None where there is no limit."""
        if self.seconds is None or self._cost is None:
            return None
        return max(int(self.seconds / (1 + self.waiting) / max(self._cost, 1e-9)), LEAST)

    def judge(self, classifier: Classifier, mentions: Sequence[Mention]) -> list[Judgement]:
        """Let the classifier judge, and remember how long it took."""
        if not mentions:
            return []
        began = self._monotonic()
        judged = classifier.judge(mentions)
        self._judged.append((began, len(mentions)))
        cost = (self._monotonic() - began) / len(mentions)
        # A handful says more about the call than about the classifier.
        if len(mentions) >= 32 or self._cost is None:
            self._cost = cost if self._cost is None else (1 - _MEMORY) * self._cost + _MEMORY * cost
        return judged


@dataclass(slots=True)
class Sample:
    """A step under load.

    Attributes:
        chosen: to be judged now.
        left: the others, with the group of each.
        groups: the group of each chosen one, by post and service.
    """

    chosen: list[Mention] = field(default_factory=list)
    left: list[tuple[Mention, Stratum]] = field(default_factory=list)
    groups: dict[tuple[Key, str], Stratum] = field(default_factory=dict)

    @property
    def left_posts(self) -> list[Post]:
        """Those to be judged later, each once."""
        return list({mention.post.key: mention.post for mention, _ in self.left}.values())


def sample(mentions: Sequence[Mention], lexical: Sequence[Judgement], room: int, *, seed: str) -> Sample:
    """Choose about `room` of the mentions, some of each group; all mentions of one post stay together.

    Args:
        lexical: what the keyword classifier makes of each mention, in the same order.
        seed: the same seed chooses the same posts.
    """
    posts: dict[Key, list[tuple[Mention, Stratum]]] = {}
    for mention, judgement in zip(mentions, lexical, strict=True):
        posts.setdefault(mention.post.key, []).append((mention, _stratum(mention, judgement)))
    groups: dict[Stratum, list[Key]] = {}
    for key, members in posts.items():
        # A post that names several services belongs to the group of its most telling mention.
        groups.setdefault(max((stratum for _, stratum in members), key=lambda each: (each[3], each)), []).append(key)
    share = room / max(len(mentions), 1)
    picked: set[Key] = set()
    for keys in groups.values():
        wanted = min(len(keys), max(round(len(keys) * share), LEAST_OF_A_GROUP))
        picked.update(sorted(keys, key=lambda key: _lot(seed, key))[:wanted])
    found = Sample()
    for key, members in posts.items():
        for mention, stratum in members:
            if key in picked:
                found.chosen.append(mention)
                found.groups[key, mention.service] = stratum
            else:
                found.left.append((mention, stratum))
    return found


def estimates(taken: Sample, judged: Sequence[Judgement]) -> list[Judgement]:
    """What each post that was left out counts as, by its group; by the keyword verdict's where a group has no other."""
    exact: dict[Stratum, list[Probabilities]] = {}
    coarse: dict[tuple[str, bool], list[Probabilities]] = {}
    for judgement in judged:
        mention = judgement.mention
        stratum = taken.groups[mention.post.key, mention.service]
        exact.setdefault(stratum, []).append(judgement.p)
        coarse.setdefault((stratum[0], stratum[3]), []).append(judgement.p)
    left = Counter(stratum for _, stratum in taken.left)
    levels: Mapping[Stratum, Probabilities | None] = {
        stratum: _cautious(exact.get(stratum) or coarse.get((stratum[0], stratum[3])) or [], count)
        for stratum, count in left.items()
    }
    return [
        Judgement(mention=mention, p=p, classifier=ESTIMATED)
        for mention, stratum in taken.left
        if (p := levels[stratum]) is not None
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """How many of a step's mentions speak of a present failure, as a sample has it: a sum of probabilities.

    Attributes:
        low, high: the ends of the 95 % interval.
    """

    total: float
    low: float
    high: float


def reckon(taken: Sample, judged: Sequence[Judgement]) -> Reckoning:
    """Judged ones counted, the others by their group, each group's doubt added up.

    A group in which all judged ones agree is not certain for that: one in so many and two could still differ.
    """
    found: dict[Stratum, list[float]] = {}
    for judgement in judged:
        mention = judgement.mention
        found.setdefault(taken.groups[mention.post.key, mention.service], []).append(judgement.p.now)
    total = sum(map(sum, found.values()))
    doubt = 0.0
    everybody = [now for each in found.values() for now in each]
    for stratum, left in Counter(stratum for _, stratum in taken.left).items():
        values = found.get(stratum) or everybody or [0.5]
        count = len(values)
        mean = sum(values) / count
        least = 1 / (count + 2)
        spread = max(sum((now - mean) ** 2 for now in values) / max(count - 1, 1), least * (1 - least) / count)
        total += left * mean
        doubt += (_TWO_SIDED_95 * (1 + 1.2 / count)) ** 2 * left * left * spread * (1 / count + 1 / left)
    return Reckoning(total=total, low=max(total - sqrt(doubt), 0.0), high=total + sqrt(doubt))


def _stratum(mention: Mention, lexical: Judgement) -> Stratum:
    return (mention.service, mention.post.source, f"{mention.post.seen_at:%Y%m%d%H%M}", lexical.p.now >= 0.5)


def _lot(seed: str, key: Key) -> bytes:
    return blake2b(f"{seed}\0{key[0]}\0{key[1]}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _cautious(found: Sequence[Probabilities], left: int) -> Probabilities | None:
    """The average, its *now* lowered to the lower end of the interval in which the mean of so many others lies.

    >>> _cautious([Probabilities(0.9, 0.0, 0.0, 0.0, 0.1)] * 4, 9).complaint
    0.9
    >>> _cautious([Probabilities(1.0, 0.0, 0.0, 0.0, 0.0), Probabilities(0.0, 0.0, 0.0, 0.0, 1.0)], 9).complaint < 0.1
    True
    """
    if not found:
        return None
    count = len(found)
    means = [sum(values) / count for values in zip(*(p.as_tuple() for p in found), strict=True)]
    now = means[0] + means[1]
    spread = sum((p.now - now) ** 2 for p in found) / max(count - 1, 1)
    low = max(now - _ONE_SIDED_90 * sqrt(spread * (1 / count + 1 / left)), 0.0)
    factor = low / now if now > 0 else 0.0
    complaint, report = means[0] * factor, means[1] * factor
    return Probabilities(complaint, report, means[2], means[3], 1.0 - complaint - report - means[2] - means[3])
