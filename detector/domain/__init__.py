"""What there is: frozen values, standard library only. The vocabulary of code, database and API."""

from detector.domain.alert import (
    Alert,
    AlertState,
    Change,
    Decision,
    Estimate,
    Evidence,
    Level,
    Notification,
    Reason,
    Silence,
)
from detector.domain.budget import Budget
from detector.domain.coverage import Coverage, CoverageState, ServiceState
from detector.domain.incident import (
    Incident,
    IncidentUpdate,
    Official,
    PageState,
    Pairing,
    StatusReading,
    Verdict,
)
from detector.domain.post import LABELS, Judgement, Mention, Post, Probabilities
from detector.domain.service import Ambiguous, Component, Service, StatusPage
from detector.domain.times import EPOCH, MINUTE, format_time, from_minutes, parse_time, to_minutes

__all__ = [
    "EPOCH",
    "LABELS",
    "MINUTE",
    "Alert",
    "AlertState",
    "Ambiguous",
    "Budget",
    "Change",
    "Component",
    "Coverage",
    "CoverageState",
    "Decision",
    "Estimate",
    "Evidence",
    "Incident",
    "IncidentUpdate",
    "Judgement",
    "Level",
    "Mention",
    "Notification",
    "Official",
    "PageState",
    "Pairing",
    "Post",
    "Probabilities",
    "Reason",
    "Service",
    "ServiceState",
    "Silence",
    "StatusPage",
    "StatusReading",
    "Verdict",
    "format_time",
    "from_minutes",
    "parse_time",
    "to_minutes",
]
