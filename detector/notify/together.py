"""Several alerts in one message: a shared cause, a storm, what came while a channel was down, a day's watches. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from detector.domain import Alert, AlertState, Notification, Reason
from detector.notify.escape import plain
from detector.notify.render import LONGEST_FACT, Message, Wording, asides, missed_by, name_of, page_of
from detector.notify.symptoms import symptom
from detector.notify.words import clock_words, return_period_words

MOST_DETAILED = 8

_WORST = {"major": "🔴", "alert": "🟠", "watch": "🟡"}


def together(notification: Notification, wording: Wording) -> Message:
    """The message that names every alert in `notification` and its `others`: the first at length, the last by name."""
    all_of_it = (notification, *notification.others)
    alerts = [one.alert for one in all_of_it]
    mark, title, lead = _headline(notification, alerts, wording)
    missed = sorted({missed_by(one) for one in all_of_it if one.reason is Reason.UNDELIVERED})
    if missed:
        lead += f" {', '.join(missed)} could not be told."
    detailed = all_of_it if len(all_of_it) <= MOST_DETAILED + 1 else all_of_it[:MOST_DETAILED]
    facts = [(name_of(one.alert.service, wording), _line(one, wording)) for one in detailed]
    facts += _names("Also failing", [a for a in alerts[len(detailed) :] if a.state is AlertState.FIRING], wording)
    facts += _names("Also over", [a for a in alerts[len(detailed) :] if a.state is AlertState.RESOLVED], wording)
    return Message(
        mark=mark,
        title=title,
        lead=lead + asides(notification, wording),
        facts=tuple((label, plain(value, limit=LONGEST_FACT)) for label, value in facts),
        quotes=(),
        link=page_of(wording, "/"),
        command="detector status",
    )


def _headline(notification: Notification, alerts: Sequence[Alert], wording: Wording) -> tuple[str, str, str]:
    firing = sorted({alert.service for alert in alerts if alert.state is AlertState.FIRING})
    services = list(dict.fromkeys(alert.service for alert in alerts))
    first = name_of(alerts[0].service, wording)
    worst = max((alert for alert in alerts), key=lambda alert: alert.level.rank).level.value
    if notification.reason is Reason.DIGEST:
        return "🟡", f"{_count(len(alerts), 'watch', 'watches')} in the past day", "None of them grew into an alert."
    if notification.reason is Reason.INHIBITED:
        cause = name_of(alerts[0].cause or alerts[0].service, wording)
        rare = f"Their complaints are explained by {cause}; nobody is paged for them."
        return _WORST[worst], f"{cause}: {_count(len(services), 'more service')} affected", rare
    explained = [alert for alert in alerts if alert.cause is not None]
    because = f"Likely shared cause: {name_of(explained[0].cause or '', wording)}. " if explained else ""
    over = len(services) - len(firing)
    if not firing:
        if len(services) == 1:
            return "✅", f"{first}: over", "Told in one message, as several came at once."
        return "✅", f"{len(services)} services: over", f"{because}People no longer complain more than usual."
    ended = f"{_count(over, 'more is', 'more are')} over already. " if over else ""
    if len(services) == 1:
        rare = return_period_words(alerts[0].estimate.return_period_months)
        return _WORST[worst], f"{first}: failing", f"{rare.capitalize()}. Told in one message, as several came at once."
    title = f"{len(firing)} services failing, {first} first"
    if len(firing) == 1:
        title = f"{name_of(firing[0], wording)}: failing"
    return _WORST[worst], title, (f"{because}{ended}" or "They came at once; no shared cause is known.").strip()


def _line(one: Notification, wording: Wording) -> str:
    alert = one.alert
    beside = one.created_at
    began = clock_words(alert.onset_at, wording.zone, beside=beside)
    if alert.state is AlertState.RESOLVED:
        ended = clock_words(alert.ended_at or alert.updated_at, wording.zone, beside=beside)
        return f"over, {began} to {ended} {wording.zone_name}, people said {symptom(alert.evidence)}"
    news = {Reason.ACKNOWLEDGED: ", the provider confirms", Reason.REOPENED: ", again"}.get(one.reason, "")
    return f"{symptom(alert.evidence)}, {alert.level.value} since {began} {wording.zone_name}{news}"


def _names(label: str, alerts: Sequence[Alert], wording: Wording) -> list[tuple[str, str]]:
    """Names in as many lines as they need; none is cut off."""
    lines: list[str] = []
    for name in dict.fromkeys(name_of(alert.service, wording) for alert in alerts):
        if lines and len(lines[-1]) + len(name) + 2 <= LONGEST_FACT:
            lines[-1] += f", {name}"
        else:
            lines.append(name)
    return [(label, line) for line in lines]


def _count(count: int, one: str, many: str | None = None) -> str:
    """A figure with its noun.

    >>> _count(1, "service"), _count(2, "service"), _count(2, "watch", "watches")
    ('1 service', '2 services', '2 watches')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"
