"""Alerts as an Atom feed (RFC 4287), for a reader that somebody follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from detector.domain import Alert, AlertState, format_time
from detector.notify.symptoms import symptom
from detector.notify.words import duration_words, people_words, return_period_words, service_words

_NAMESPACE = "http://www.w3.org/2005/Atom"


def atom(alerts: Sequence[Alert], *, names: Mapping[str, str], page: str, now: datetime) -> str:
    """The feed's text.

    Args:
        alerts: newest first; watches are left out.
        page: address of our pages, ending with a slash.

    >>> from detector.domain import EPOCH
    >>> atom([], names={}, page="http://127.0.0.1:8765/", now=EPOCH)[:39]
    "<?xml version='1.0' encoding='utf-8'?>\\n"
    """
    feed = Element("feed", xmlns=_NAMESPACE)
    SubElement(feed, "title").text = "Outages, by what people say"
    SubElement(feed, "id").text = f"{page}feed.atom"
    SubElement(feed, "link", rel="self", href=f"{page}feed.atom")
    SubElement(feed, "link", href=page)
    updated = max((alert.ended_at or alert.updated_at for alert in alerts), default=now)
    SubElement(feed, "updated").text = format_time(updated)
    SubElement(SubElement(feed, "author"), "name").text = "detector"
    for alert in alerts:
        if alert.fired_at is None:
            continue
        name = service_words(alert.service, names)
        entry = SubElement(feed, "entry")
        over = alert.state is AlertState.RESOLVED and alert.ended_at is not None
        title = f"{name}: people say {symptom(alert.evidence)}"
        if over and alert.ended_at is not None:
            title = f"{name}: over after {duration_words(alert.ended_at - alert.onset_at)}"
        SubElement(entry, "title").text = title
        SubElement(entry, "id").text = f"tag:detector,2026:{alert.key}"
        SubElement(entry, "link", href=f"{page}a/{alert.key}")
        SubElement(entry, "published").text = format_time(alert.fired_at)
        SubElement(entry, "updated").text = format_time(alert.ended_at or alert.updated_at)
        surprise = return_period_words(alert.estimate.return_period_months)
        SubElement(entry, "summary").text = f"{people_words(alert.estimate)}, {surprise}."
    return str(tostring(feed, encoding="utf-8", xml_declaration=True), "utf-8")
