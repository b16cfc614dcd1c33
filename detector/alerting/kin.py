"""Does a relation fail too? The odds that a service's failure is its host's, from what is said of all that runs on it.

A host that fails takes a part f of its services with it, and the people of each complain r times as often as usual.
For a service with n people where mu are usual the likelihood ratio against chance is the mean over r of
r^n exp((1 - r) mu); for the host it is the mean over f of the product of 1 - f + f L over its other services, times
the same for what is said of the host itself. So a hundred silent services with one complaint each argue for their
host, the same complaint on a busy one does not, and a busy service that stays as it is argues against (mixture
likelihood ratios of a scan over subsets: Neill, Journal of the Royal Statistical Society B 2012).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import exp, inf, log
from typing import Any

RISES = (3.0, 10.0, 30.0, 100.0)  # how loud those get that fail
SHARES = (0.05, 0.3, 0.8)  # part of a host's services that fail with it
NAMED = 0.7  # how likely a failing host is named at all
MOST = 8  # more people than this on one service make nothing surer

MEMORY = 7 * 1440.0  # minutes
PRIOR_PEOPLE, PRIOR_MINUTES = 0.3, 1440.0


def rise(people: int, usual: float) -> float:
    """Likelihood ratio of so many people, where `usual` are expected, under a failure against chance.

    >>> rise(1, 0.01) > 10, rise(0, 2.0) < 0.1, 0.5 < rise(1, 1.0) < 1.0
    (True, True, False)
    """
    count = min(people, MOST)
    return sum(times**count * exp((1.0 - times) * usual) for times in RISES) / len(RISES)


def kinship(others: Sequence[tuple[int, float]], host: tuple[int, float], *, most: float = inf) -> float:
    """Log likelihood ratio that a host fails, from (people, usual) of its other services and of itself.

    Args:
        most: what is said of the host itself adds no more than this.

    >>> kinship([(1, 0.01), (2, 0.01)], (0, 0.01)) > 3 > 1 > kinship([(0, 0.01), (0, 0.01)], (0, 0.01))
    True
    """
    ratios = [rise(people, usual) for people, usual in others]
    logs = [sum(log(1.0 - share + share * ratio) for ratio in ratios) for share in SHARES]
    top = max(logs)
    mixed = top + log(sum(exp(one - top) for one in logs) / len(SHARES))
    return mixed + min(log(1.0 - NAMED + NAMED * rise(*host)), most)


@dataclass(slots=True)
class Loudness:
    """How many people a minute usually complain of each service, over about a week; every known post counts once.

    Attributes:
        begin: minute of the first post of all; None before it.
        sums: slug -> discounted people, and the minute to which they are discounted.
    """

    begin: float | None = None
    sums: dict[str, tuple[float, float]] = field(default_factory=dict)

    def note(self, service: str, at: float) -> None:
        """One more."""
        if self.begin is None:
            self.begin = at
        people, last = self.sums.get(service, (0.0, at))
        now = max(last, at)
        self.sums[service] = (people * exp((last - now) / MEMORY) + 1.0, now)

    def usual(self, service: str, at: float, minutes: float, lately: int) -> float:
        """People expected in so many minutes before `at`; `lately` of them are too new to be usual.

        >>> loudness = Loudness()
        >>> for minute in range(0, 14400, 60):
        ...     loudness.note("slack", float(minute))
        >>> round(loudness.usual("slack", 14400.0, 60.0, 0)), loudness.usual("zoom", 14400.0, 60.0, 0) < 0.01
        (1, True)
        """
        people, last = self.sums.get(service, (0.0, at))
        people = max(people * exp(min(last - at, 0.0) / MEMORY) - lately, 0.0)
        begin = at if self.begin is None else self.begin
        heard = MEMORY * (1.0 - exp(min(begin - at, 0.0) / MEMORY))
        return (people + PRIOR_PEOPLE) / (heard + PRIOR_MINUTES) * minutes

    def dump(self) -> dict[str, Any]:
        """The state as JSON-compatible values."""
        return {"begin": self.begin, "sums": [[slug, *sums] for slug, sums in self.sums.items()]}

    def load(self, state: dict[str, Any]) -> None:
        """Take over a dumped state."""
        self.begin = state["begin"]
        rows: Iterable[tuple[str, float, float]] = state["sums"]
        self.sums = {slug: (people, last) for slug, people, last in rows}
