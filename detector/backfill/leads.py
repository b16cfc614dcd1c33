"""How early the alerts were, beside what as many alerts scattered at random would show. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from detector.backfill import drawing
from detector.backfill.pairing import BEFORE, Outage
from detector.backfill.run import Backfilled
from detector.domain import Level

BIN = 10  # minutes
EARLIEST, LATEST = 60, -120  # minutes of lead; what came later still is in the first bar
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadChart:
    """Leads as bars, chance as a line.

    Attributes:
        found: outages that an alert speaks of.
        expected: of them by chance; None where nothing says.
        rows: "from to" in words, found, expected: the picture as a table.
    """

    svg: Markup
    found: int
    expected: float | None
    rows: tuple[tuple[str, int, float], ...]


def against_chance(done: Backfilled) -> LeadChart | None:
    """The chart; None without a single outage found."""
    leads = [each.lead / _MINUTE for each in done.pairings if each.lead is not None]
    first, last = done.replayed.first_at, done.replayed.last_at
    if not leads or first is None or last is None or last <= first:
        return None
    borders = list(range(LATEST, EARLIEST + 1, BIN))
    counts = [0] * len(borders)
    for lead in leads:
        counts[place(lead)] += 1
    fired = Counter(alert.service for alert in done.alerts if alert.level is not Level.WATCH)
    chance = [0.0] * len(borders)
    for outage in done.outages:
        rate = fired[outage.service] / ((last - first) / _MINUTE)
        for number, share in enumerate(reach(outage, first, last)):
            chance[number] += rate * share
    zero = 1 + -LATEST // BIN
    ticks = [(0, "later"), (zero - 6, "1 h after"), (zero, "0"), (len(borders), "1 h before")]
    svg = drawing.histogram(
        counts,
        chance,
        ticks,
        label=f"Lead of {len(leads)} alerts in minutes; above zero the alert came before the official page",
        split=zero,
    )
    words = [f"more than {-LATEST} min after", *(_span(at) for at in borders[:-1])]
    rows = tuple(zip(words, counts, (round(each, 3) for each in chance), strict=True))
    return LeadChart(svg=Markup(svg), found=len(leads), expected=sum(chance), rows=rows)  # noqa: S704 - drawn by us


def place(lead: float) -> int:
    """The bar of a lead in minutes; a border belongs to the bar below it, as an alert at the same moment is not early.

    >>> place(-500.0), place(-119.0), place(0.0), place(0.1), place(60.0)
    (0, 1, 12, 13, 18)
    """
    if lead <= LATEST:
        return 0
    return min(int(-((LATEST - lead) // BIN)), (EARLIEST - LATEST) // BIN)


def reach(outage: Outage, first: datetime, last: datetime) -> list[float]:
    """Minutes in [first, last] at which an alert would have been paired with an outage, by bar of its lead."""
    start, end = max(outage.posted_at - BEFORE, first), min(outage.ended_at, last)
    shares = [max((end - max(start, outage.posted_at - LATEST * _MINUTE)) / _MINUTE, 0.0)]
    for border in range(LATEST, EARLIEST, BIN):
        since, until = outage.posted_at - (border + BIN) * _MINUTE, outage.posted_at - border * _MINUTE
        shares.append(max((min(end, until) - max(start, since)) / _MINUTE, 0.0))
    return shares


def _span(border: int) -> str:
    low, high = border, border + BIN
    return f"{low} to {high} min before" if low >= 0 else f"{-high} to {-low} min after"
