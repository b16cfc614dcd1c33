"""What a person answered to a message: whether it is real, that it is known, that it is nobody's business here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Said(StrEnum):
    """The four answers that a message offers."""

    REAL = "real"
    FALSE = "false"
    SILENCE = "silence"
    NOT_OURS = "not_ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One press of a button.

    Attributes:
        id: the same for the same press, so that one that arrives twice counts once.
        alert_key: the alert.
        receiver: where it was pressed.
        by: the name that the channel gives of who pressed; a colleague's, shown with the answer.
    """

    id: str
    alert_key: str
    receiver: str
    said: Said
    by: str
    at: datetime

    @property
    def shown(self) -> tuple[str, str, datetime]:
        """As a message carries it: who, what, when."""
        return self.by, self.said.value, self.at
