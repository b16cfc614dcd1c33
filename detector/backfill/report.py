"""The replay in words: a Markdown report that a reader can check line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detector.backfill.lines import sorted_alerts
from detector.domain import Alert, Incident, Level, Pairing, Verdict

SHOWN = 60


def markdown(
    alerts: Sequence[Alert], pairings: Sequence[Pairing], scoreboard: dict[str, Any], *, title: str, budget: str
) -> str:
    """The report on stdout: the scoreboard, every alert, every miss, the assumptions."""
    parts = [f"# Backfill of {title}", "", *_headline(scoreboard, budget), "", *_scoreboard(scoreboard)]
    fired = [alert for alert in sorted_alerts(alerts) if alert.level is not Level.WATCH]
    by_alert = {pairing.alert_key: pairing for pairing in pairings if pairing.alert_key}
    parts += ["", *_alerts(fired, by_alert)]
    missed = [pairing.incident for pairing in pairings if pairing.verdict is Verdict.MISSED and pairing.incident]
    if missed:
        parts += ["", *_missed(missed)]
    parts += ["", *_assumptions(scoreboard)]
    return "\n".join(parts).rstrip() + "\n"


def minutes(value: float | None) -> str:
    """Minutes for people.

    >>> minutes(34.2), minutes(-3.0), minutes(None)
    ('34 min before', '3 min after', '')
    """
    if value is None:
        return ""
    return f"{value:.0f} min before" if value > 0 else f"{-value:.0f} min after"


def cell(text: str, width: int = 100) -> str:
    """Post text as a table cell: one line, cut, and inert in Markdown and HTML.

    >>> cell("a | <b> `c`")
    'a \\\\| &lt;b&gt; c'
    """
    plain = "".join(char if char.isprintable() else " " for char in text)
    plain = " ".join(plain.split())
    plain = plain if len(plain) <= width else plain[: width - 1] + "…"
    plain = plain.replace("`", "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("[", "\\[").replace("](", "] (")


def _headline(board: dict[str, Any], budget: str) -> list[str]:
    fired = board["alerts"]["alert"] + board["alerts"]["major"]
    line = (
        f"{board['posts']:,} posts named {board['services']} watched services {board['mentions']:,} times; "
        f"{fired} alerts over {board['service_months']:g} service-months at a budget of {budget}."
    )
    lines = [line]
    if board["eligible"]:
        lead = board["lead_minutes"]
        lines.append(
            f"Of {board['eligible']} outages in the official record {board['detected']} were found; "
            f"{_share(board['precision_official'])} of the alerts on recorded services fell on one, "
            f"where chance alone gives {_share(board['chance_hit_rate'])}; "
            f"median lead {_number(lead['median'])} min, ahead in {_share(lead['positive_share'])} of them."
        )
    elif fired:
        lines.append("No official record was given (`--incidents`), so nothing says yet which of them are true.")
    return lines


def _scoreboard(board: dict[str, Any]) -> list[str]:
    seconds = board["seconds"]
    rows = [
        ("posts, mentions, complaints", f"{board['posts']:,}, {board['mentions']:,}, {board['complaints']:,}"),
        ("from, to", f"{board['from']}, {board['to']}"),
        ("alerts: watch, alert, major", ", ".join(str(board["alerts"][level.value]) for level in Level)),
        ("alerts a service-month", _number(board["alerts_per_service_month"])),
        ("outages: eligible, detected, recall", _recall(board)),
        ("lead, min: median, p10, p90", _spread(board["lead_minutes"])),
        ("delay after stated start, min: median, p10, p90", _spread(board["delay_minutes"])),
        ("seconds: total", f"{seconds['total']:g} ({_stages(seconds)})"),
    ]
    return ["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _alerts(fired: Sequence[Alert], by_alert: Mapping[str, Pairing]) -> list[str]:
    lines = ["## Alerts", ""]
    if not fired:
        return [*lines, "None."]
    lines += [
        "| said so (UTC) | service | level | people, expected | official page | first evidence |",
        "|" + "---|" * 6,
    ]
    for alert in fired[:SHOWN]:
        pairing = by_alert.get(alert.key)
        lead = pairing.lead.total_seconds() / 60 if pairing and pairing.lead is not None else None
        shown = cell(alert.evidence[0].text, 80) if alert.evidence else ""
        cause = f" (cause: {alert.cause})" if alert.cause else ""
        estimate = alert.estimate
        lines.append(
            f"| {alert.fired_at or alert.watch_at:%Y-%m-%d %H:%M} | {alert.service}{cause} | {alert.level.value} "
            f"| {estimate.people:.1f}, {estimate.expected:.2g} | {minutes(lead)} | {shown} |"
        )
    if len(fired) > SHOWN:
        lines.append(f"\n{len(fired) - SHOWN} more in alerts.jsonl.")
    return lines


def _missed(missed: Sequence[Incident]) -> list[str]:
    lines = [f"## Missed: {len(missed)}", ""]
    lines += [
        f"- {incident.first_posted_at:%Y-%m-%d %H:%M} {incident.service} ({incident.impact or 'no impact stated'}): "
        f"{cell(incident.title)}"
        for incident in missed[:SHOWN]
    ]
    if len(missed) > SHOWN:
        lines.append(f"- {len(missed) - SHOWN} more in pairings.jsonl")
    return lines


def _assumptions(board: dict[str, Any]) -> list[str]:
    lines = ["## Assumptions and losses", ""]
    lines += [f"- {text}" for text in board["assumptions"]]
    lines += [
        f"- {count:,} line{'s' if count > 1 else ''} dropped: {kind}"
        for kind, count in sorted(board["bad_lines"].items())
    ]
    return [*lines, "- none"] if len(lines) == 2 else lines


def _recall(board: dict[str, Any]) -> str:
    return f"{board['eligible']}, {board['detected']}, {_share(board['recall'])}"


def _spread(values: dict[str, float | None]) -> str:
    return ", ".join(_number(values[name]) for name in ("median", "p10", "p90"))


def _stages(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in seconds.items() if name != "total")


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.0f} %"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"
