"""All at once is not an outage: when half of everything fails together, we have failed.

A classifier gone wrong, a source that floods or a clock that jumped makes people "complain" of all services in the
same hour; clouds that take others down are told apart, as what they explain does not count.
"""

from __future__ import annotations

from collections.abc import Iterable

from detector.domain import Alert

LEAST = 8  # services in trouble of their own
SHARE = 0.5  # of all services of which people complain now and then


def own_troubles(standing: Iterable[Alert]) -> int:
    """Open episodes, watches too, that no other service explains."""
    return sum(alert.cause is None for alert in standing)


def surging(troubles: int, services: int) -> bool:
    """Whether so many of so many services cannot be chance, nor anybody's outage.

    >>> surging(10, 15), surging(10, 150), surging(4, 5)
    (True, False, False)
    """
    return troubles >= LEAST and troubles >= SHARE * services


def surge_words(troubles: int, services: int) -> str:
    """What the operator reads."""
    return (
        f"{troubles} of {services} services seem to fail at once, and no host explains them: more likely a fault of "
        "ours (the classifier, a source, the clock). New alerts are held at watch until it is over."
    )
