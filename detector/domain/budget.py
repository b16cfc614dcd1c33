"""How many false alarms a user is willing to bear."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(day|week|month|year)\s*", re.IGNORECASE)
_PER_MONTH = {"day": 30.4375, "week": 4.348, "month": 1.0, "year": 1 / 12}


@dataclass(frozen=True, slots=True)
class Budget:
    """False alarms a month that chance may raise, for one service."""

    per_month: float

    def __post_init__(self) -> None:
        if not 0 < self.per_month < 10_000:
            raise ValueError(f"a budget must be above 0 and below 10000 a month, got {self.per_month:g}")

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read "1/year", "2/month", "0.5/week".

        Raises:
            ValueError: the text has another form, or the figure is 0.

        >>> Budget.parse("3/year").per_month
        0.25
        """
        found = _FORM.fullmatch(text)
        if not found:
            raise ValueError(f"budget {text!r}: write a number, a slash and day, week, month or year, as in 1/year")
        return cls(float(found[1]) * _PER_MONTH[found[2].lower()])

    def shared_by(self, services: int) -> Budget:
        """One service's part of a budget for a whole fleet.

        >>> Budget.parse("5/month").shared_by(10).per_month
        0.5
        """
        return Budget(self.per_month / max(services, 1))
