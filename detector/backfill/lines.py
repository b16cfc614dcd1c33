"""The files of a backfill: one JSON line an alert and a pairing, byte-identical for the same archive."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from detector.domain import Alert, Incident, Official, Pairing, format_time
from detector.errors import UsageError


def alert_line(alert: Alert, pairing: Pairing | None = None) -> dict[str, Any]:
    """An alert as DESIGN section 6 has it; for a mere watch `fired_at` is when it became one."""
    estimate = alert.estimate
    line: dict[str, Any] = {
        "key": alert.key,
        "service": alert.service,
        "level": alert.level.value,
        "onset_at": format_time(alert.onset_at),
        "watch_at": format_time(alert.watch_at),
        "fired_at": format_time(alert.fired_at or alert.watch_at),
        "ended_at": _time(alert.ended_at),
        "people": estimate.people,
        "voters": estimate.voters,
        "expected": estimate.expected,
        "return_period_months": estimate.return_period_months,
        "score": estimate.score,
        "evidence": [
            {"source": shown.source, "id": shown.id, "url": shown.url, "text": shown.text, "p": shown.p}
            for shown in alert.evidence
        ],
    }
    if alert.cause is not None:
        line["cause"] = alert.cause
    if alert.official is not None:
        line["official"] = official_line(alert.official)
    if pairing is not None and pairing.lead is not None:
        line["lead_minutes"] = _minutes(pairing.lead)
    return line


def official_line(official: Official) -> dict[str, Any]:
    """The provider's word at the moment of the alert."""
    line: dict[str, Any] = {"state": official.state.value, "description": official.description}
    if official.incident is not None:
        line["incident"] = incident_line(official.incident)
    return line


def incident_line(incident: Incident) -> dict[str, Any]:
    """An incident, short."""
    return {
        "id": incident.id,
        "title": incident.title,
        "impact": incident.impact,
        "first_posted_at": format_time(incident.first_posted_at),
        "resolved_at": _time(incident.resolved_at),
        "url": incident.url,
    }


def pairing_line(pairing: Pairing) -> dict[str, Any]:
    """An incident and the alert that speaks of it."""
    return {
        "service": pairing.service,
        "verdict": pairing.verdict.value,
        "alert": pairing.alert_key,
        "incident": incident_line(pairing.incident) if pairing.incident else None,
        "lead_minutes": _minutes(pairing.lead) if pairing.lead is not None else None,
    }


def sorted_alerts(alerts: Iterable[Alert]) -> list[Alert]:
    """By the moment we said so, then by key: an order that no batching can change."""
    return sorted(alerts, key=lambda alert: (alert.fired_at or alert.watch_at, alert.key))


def write_out(folder: Path, alerts: Sequence[Alert], pairings: Sequence[Pairing], scoreboard: dict[str, Any]) -> None:
    """Write `alerts.jsonl`, `pairings.jsonl` and `summary.json`.

    Raises:
        UsageError: the folder cannot be written to.
    """
    by_alert = {pairing.alert_key: pairing for pairing in pairings if pairing.alert_key}
    lines = [alert_line(alert, by_alert.get(alert.key)) for alert in sorted_alerts(alerts)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_lines(folder / "alerts.jsonl", lines)
        _write_lines(folder / "pairings.jsonl", [pairing_line(pairing) for pairing in pairings])
        text = json.dumps(scoreboard, indent=2, ensure_ascii=False)
        (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder}: cannot write the results: {error.strerror}; choose another --out") from error


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def _time(at: datetime | None) -> str | None:
    return format_time(at) if at is not None else None


def _minutes(span: timedelta) -> float:
    return round(span / timedelta(minutes=1), 2)
