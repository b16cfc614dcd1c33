"""Our own feeds: RSS, Atom and JSON Feed of alerts, and `status.json` for programs that fail over. Pure.

`status.json`, version 1: `{"version": 1, "services": {SLUG: {"state": "ok" | "watch" | "outage" | "unknown" |
"learning", "name", "since", "confidence", "evidence", "alert", "cause", "symptom"}}}`. `since` is the inferred onset
(UTC, or null), `confidence` from 0 to 1 that the complaints are no chance (null where there are none), `evidence` how
many people complain. Nothing in it changes unless a state does, so its ETag holds for as long. What is not heard is
`unknown`, never `ok`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree as ET

from detector.domain import EPOCH, Alert, AlertState, Notification, Reason, ServiceState, format_time
from detector.notify.escape import safe_link
from detector.notify.render import Wording, name_of, page_of, plain_text, short_text
from detector.notify.symptoms import symptom

VERSION = 1
MOST = 50
_ATOM = "http://www.w3.org/2005/Atom"
_DAYS_A_MONTH = 30.4375

RSS_TYPE = "application/rss+xml; charset=utf-8"
ATOM_TYPE = "application/atom+xml; charset=utf-8"
JSON_FEED_TYPE = "application/feed+json; charset=utf-8"
STATUS_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A service as it stands.

    Attributes:
        alert: the open alert, None where there is none.
    """

    service: str
    state: ServiceState
    alert: Alert | None = None


def status_json(standings: Iterable[Standing], wording: Wording | None = None) -> bytes:
    """The state of every service, for machines."""
    wording = wording or Wording()
    services = {one.service: _standing(one, wording) for one in sorted(standings, key=lambda one: one.service)}
    return _json({"version": VERSION, "services": services})


def _standing(one: Standing, wording: Wording) -> dict[str, Any]:
    alert = one.alert
    said: dict[str, Any] = {
        "state": one.state.value,
        "name": name_of(one.service, wording),
        "since": None,
        "confidence": None,
        "evidence": 0,
        "alert": None,
        "cause": None,
        "symptom": None,
    }
    if alert is None:
        return said
    return said | {
        "since": format_time(alert.onset_at),
        "confidence": confidence(alert),
        "evidence": alert.estimate.voters,
        "alert": alert.key,
        "cause": alert.cause,
        "symptom": symptom(alert.evidence),
    }


def confidence(alert: Alert) -> float:
    """One less the probability that chance alone brings such a cluster on a given day.

    It says nothing of mistakes that are no chance, such as a joke that many repeat.

    >>> from dataclasses import replace
    >>> from detector.domain import Estimate, Level
    >>> estimate = Estimate(service="x", at=EPOCH, onset=EPOCH, people=5, expected=0.2, return_period_months=14,
    ...     ratio=25, score=9, window_minutes=3)
    >>> alert = Alert(key="k", service="x", level=Level.ALERT, state=AlertState.FIRING, onset_at=EPOCH, watch_at=EPOCH,
    ...     fired_at=EPOCH, updated_at=EPOCH, ended_at=None, estimate=estimate)
    >>> confidence(alert), confidence(replace(alert, estimate=replace(estimate, return_period_months=0.1)))
    (0.9977, 0.72)
    """
    months = alert.estimate.return_period_months
    if math.isnan(months) or months <= 0:
        return 0.0
    return round(math.exp(-1 / (months * _DAYS_A_MONTH)), 4)


def rss(alerts: Iterable[Alert], wording: Wording | None = None, *, service: str | None = None) -> bytes:
    """RSS 2.0 of the newest alerts, of one service if given."""
    wording = wording or Wording()
    shown = _newest(alerts, service)
    root = ET.Element("rss", version="2.0")
    channel = ET.SubElement(root, "channel")
    _text(channel, "title", _title(service, wording))
    _text(channel, "link", page_of(wording, "/") or "https://localhost/")
    _text(channel, "description", "Outages as people report them, before the official page does.")
    _text(channel, "lastBuildDate", format_datetime(_updated(shown)))
    for alert in shown:
        entry = ET.SubElement(channel, "item")
        _text(entry, "title", _headline(alert, wording))
        link = page_of(wording, f"/a/{alert.key}")
        if link is not None:
            _text(entry, "link", link)
        _text(entry, "description", plain_text(_told(alert), wording))
        _text(entry, "pubDate", format_datetime(alert.watch_at))
        guid = ET.SubElement(entry, "guid", isPermaLink="false")
        guid.text = _xml(alert.key)
        _text(entry, "category", alert.level.value)
    return _bytes(root)


def atom(alerts: Iterable[Alert], wording: Wording | None = None, *, service: str | None = None) -> bytes:
    """Atom 1.0 of the newest alerts, of one service if given; an entry changes as its alert does."""
    wording = wording or Wording()
    shown = _newest(alerts, service)
    root = ET.Element("feed", xmlns=_ATOM)
    _text(root, "id", f"tag:outage-detector,2026:{service or 'all'}")
    _text(root, "title", _title(service, wording))
    _text(root, "updated", format_time(_updated(shown)))
    author = ET.SubElement(root, "author")
    _text(author, "name", "outage-detector")
    page = page_of(wording, "/")
    if page is not None:
        ET.SubElement(root, "link", href=page, rel="alternate")
    for alert in shown:
        entry = ET.SubElement(root, "entry")
        _text(entry, "id", f"tag:outage-detector,2026:alert:{alert.key}")
        _text(entry, "title", _headline(alert, wording))
        _text(entry, "published", format_time(alert.watch_at))
        _text(entry, "updated", format_time(alert.updated_at))
        link = page_of(wording, f"/a/{alert.key}")
        if link is not None:
            ET.SubElement(entry, "link", href=link, rel="alternate")
        ET.SubElement(entry, "category", term=alert.level.value)
        _text(entry, "content", plain_text(_told(alert), wording), type="text")
    return _bytes(root)


def json_feed(
    alerts: Iterable[Alert], wording: Wording | None = None, *, service: str | None = None, feed_url: str | None = None
) -> bytes:
    """JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/) of the newest alerts, of one service if given."""
    wording = wording or Wording()
    entries = []
    for alert in _newest(alerts, service):
        entry = {
            "id": alert.key,
            "title": _headline(alert, wording),
            "content_text": plain_text(_told(alert), wording),
            "date_published": format_time(alert.watch_at),
            "date_modified": format_time(alert.updated_at),
            "tags": [alert.service, alert.level.value, alert.state.value],
        }
        link = page_of(wording, f"/a/{alert.key}")
        entries.append(entry | ({"url": link} if link else {}))
    feed: dict[str, Any] = {"version": "https://jsonfeed.org/version/1.1", "title": _title(service, wording)}
    page, own = page_of(wording, "/"), safe_link(feed_url)
    feed |= ({"home_page_url": page} if page else {}) | ({"feed_url": own} if own else {})
    return _json(feed | {"items": entries})


def etag(body: bytes) -> str:
    """A strong validator of a body.

    >>> etag(b"x") == etag(b"x"), etag(b"x") == etag(b"y"), etag(b"x")[0]
    (True, False, '"')
    """
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def unchanged(if_none_match: str | None, tag: str) -> bool:
    """Whether a request's `If-None-Match` names what we would send: the answer is then 304.

    >>> unchanged('W/"a", "b"', '"a"'), unchanged("*", '"a"'), unchanged('"c"', '"a"'), unchanged(None, '"a"')
    (True, True, False, False)
    """
    named = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return tag in named or named == ["*"]


def _newest(alerts: Iterable[Alert], service: str | None) -> list[Alert]:
    wanted = [alert for alert in alerts if service in {None, alert.service}]
    return sorted(wanted, key=lambda alert: (alert.watch_at, alert.key), reverse=True)[:MOST]


def _updated(alerts: list[Alert]) -> datetime:
    return max((alert.updated_at for alert in alerts), default=EPOCH)


def _told(alert: Alert) -> Notification:
    reason = Reason.RESOLVED if alert.state is AlertState.RESOLVED else Reason.OPENED
    return Notification(id=alert.key, alert=alert, receiver="feed", reason=reason, created_at=alert.updated_at)


def _headline(alert: Alert, wording: Wording) -> str:
    return short_text(_told(alert), wording).partition(". ")[0]


def _title(service: str | None, wording: Wording) -> str:
    return "Outages" if service is None else f"Outages of {name_of(service, wording)}"


def _text(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, name, attributes).text = _xml(text)


def _xml(text: str) -> str:
    """Without what XML 1.0 cannot hold; escaping is the writer's."""
    return "".join(
        letter
        for letter in text
        if letter in "\t\n" or " " <= letter <= "\ud7ff" or "\ue000" <= letter <= "\ufffd" or letter > "\uffff"
    )


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n"
