"""All at once is not an outage: when a quarter of everything fails together, unexplained, we have failed.

A classifier gone wrong, a source that floods or a clock that jumped makes people "complain" of all services in the
same hour; clouds that take others down are told apart, as what they explain does not count.
"""

from __future__ import annotations

from collections.abc import Iterable

from detector.domain import Alert

LEAST = 20  # services in trouble of their own: fewer may share a host that nobody wrote down
SHARE = 0.25  # of all that are watched; no cloud takes so many down without being named


def own_troubles(standing: Iterable[Alert]) -> int:
    """Open episodes, watches too, that no other service explains."""
    return sum(alert.cause is None for alert in standing)


def surging(troubles: int, services: int) -> bool:
    """Whether so many of so many services cannot be chance, nor anybody's outage.

    >>> surging(25, 80), surging(25, 284), surging(10, 12)
    (True, False, False)
    """
    return troubles >= LEAST and troubles >= SHARE * services


def surge_words(troubles: int, services: int) -> str:
    """What the operator reads."""
    return (
        f"{troubles} of {services} services seem to fail at once, and no host explains them: more likely a fault of "
        "ours (the classifier, a source, the clock). New alerts are held at watch until it is over."
    )
