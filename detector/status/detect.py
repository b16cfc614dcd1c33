"""Which kind of status page lies behind an address: what `detector services add URL` asks.

A few cheap questions, the likeliest first by what the page itself betrays; each answer must have the shape of its kind,
for many pages send the same HTML with status 200 whatever they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from detector.errors import Hostile, Permanent, Temporary, TransportError
from detector.status import aws, betterstack, fields, gcp, incidentio, instatus, slack
from detector.status.documents import Documents
from detector.status.feed import find_feed
from detector.transport.guard import parse_target
from detector.transport.plaintext import plain
from detector.transport.precheck import to_text
from detector.transport.session import Session

_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,300})", re.IGNORECASE)
_NOISE = re.compile(
    r"\s*[-–—|:·]?\s*\b(?:(?:service|system)s?\s+)?status(?:\s+page)?\b(?:\s*[-–—|:].*)?|\s*[-–—|]?\s*incident history",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What lies behind an address.

    Attributes:
        kind: the name of a reader in `detector.status`.
        name: what the page calls itself, without the word "status".
        components: the parts it lists, groups left out.
        url: what to put into the catalogue.
    """

    kind: str
    name: str
    components: tuple[str, ...]
    url: str


@dataclass(frozen=True, slots=True)
class _Probe:
    """A question: where to ask, how the page betrays the kind, and what an answer of the kind is."""

    kind: str
    path: str
    hint: str
    recognise: Callable[[Any], tuple[str, tuple[str, ...]] | None]


async def detect(url: str, session: Session) -> Detected:
    """Find out what kind of status page an address is.

    Args:
        url: a page, its feed or one of its documents.
        session: fetches; at most some two dozen requests to one host.

    Raises:
        Temporary: the page could not be reached.
        Permanent: it was reached and is nothing that any reader understands; says what was tried.
    """
    target = parse_target(url.partition("#")[0])
    base = f"{target.scheme}://{target.netloc}"
    documents = Documents(session)
    html, title = await _look(target.url, documents)
    known = _by_host(target.host, target.url)
    if known is not None:
        return Detected(kind=known[0], name=known[1], components=(), url=url)
    probes = sorted(_PROBES, key=lambda probe: not (probe.hint and probe.hint in html))
    for probe in probes:
        folder = gcp.folder(url) if probe.kind == "gcp" else base
        found = await _ask(folder + probe.path, probe, documents)
        if found is not None:
            kind = "incidentio" if probe.kind == "statuspage" and _is_ulid(found[2]) else probe.kind
            components = found[1] or await _instatus_components(base, kind, documents)
            return Detected(kind=kind, name=found[0] or title or target.host, components=components, url=folder)
    try:
        where, feed = await find_feed(target.url, documents)
    except (Permanent, Hostile) as error:
        tried = ", ".join(dict.fromkeys(probe.kind for probe in _PROBES))
        raise Permanent(
            f"{target.shown}: no kind of status page that is understood ({tried}, feed); {error}"
        ) from error
    return Detected(kind="feed", name=_name(feed.title) or title or target.host, components=(), url=where)


async def _look(url: str, documents: Documents) -> tuple[str, str]:
    """The page's markup, lower case, and its title; both empty where it shows none."""
    try:
        answer = await documents.text(url)
    except Temporary:
        raise
    except TransportError:
        return "", ""
    html = to_text(answer.body[:500_000], answer.content_type)
    found = _TITLE.search(html)
    return html.lower(), _name(unescape(found[1])) if found else ""


async def _ask(url: str, probe: _Probe, documents: Documents) -> tuple[str, tuple[str, ...], Mapping[str, Any]] | None:
    try:
        answer = await documents.json(url)
    except (Permanent, Hostile):
        return None
    found = probe.recognise(answer)
    return (_name(found[0]), found[1], answer if isinstance(answer, Mapping) else {}) if found is not None else None


async def _instatus_components(base: str, kind: str, documents: Documents) -> tuple[str, ...]:
    if kind != "instatus":
        return ()
    try:
        answer = await documents.json(f"{base}/v3/components.json")
    except TransportError:
        return ()
    return fields.names(answer.get("components") if isinstance(answer, Mapping) else answer)


def _by_host(host: str, url: str) -> tuple[str, str] | None:
    """Pages that are one of a kind.

    >>> _by_host("health.aws.amazon.com", "https://health.aws.amazon.com/health/status")
    ('aws', 'Amazon Web Services')
    >>> _by_host("status.example.org", "https://status.example.org/") is None
    True
    """
    if host.endswith(".aws.amazon.com"):
        return "aws", "Amazon Web Services"
    if host in {"azure.status.microsoft", "rssfeed.azure.status.microsoft", "status.azure.com"}:
        return "azure", "Microsoft Azure"
    if host in {"slack-status.com", "status.slack.com"}:
        return "slack", "Slack"
    if host == "status.cloud.google.com":
        return "gcp", "Google Cloud"
    if host == "www.google.com" and urlsplit(url).path.startswith("/appsstatus"):
        return "gcp", "Google Workspace"
    return None


def _statuspage(answer: Any) -> tuple[str, tuple[str, ...]] | None:
    page = answer.get("page") if isinstance(answer, Mapping) else None
    if not isinstance(page, Mapping) or not isinstance(answer.get("status"), Mapping):
        return None
    parts = [each for each in fields.entries(answer.get("components"), 500) if each.get("group") is not True]
    return fields.words(page.get("name")), fields.names(parts)


def _widget(answer: Any) -> tuple[str, tuple[str, ...]] | None:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("ongoing_incidents"), list):
        return None
    return fields.words(answer.get("page_title") or answer.get("name")), fields.names(answer.get("components"))


def _betterstack(answer: Any) -> tuple[str, tuple[str, ...]] | None:
    page = betterstack.attributes(answer.get("data")) if isinstance(answer, Mapping) else None
    if page is None or "aggregate_state" not in page:
        return None
    resources = [
        betterstack.attributes(each) or {}
        for each in fields.entries(answer.get("included"), 2000)
        if each.get("type") == "status_page_resource"
    ]
    return fields.words(page.get("company_name")), fields.names(resources, "public_name")


def _instatus(answer: Any) -> tuple[str, tuple[str, ...]] | None:
    page = answer.get("page") if isinstance(answer, Mapping) else None
    if not isinstance(page, Mapping) or page.get("status") not in {"UP", "HASISSUES", "UNDERMAINTENANCE"}:
        return None
    return fields.words(page.get("name")), ()


def _slack(answer: Any) -> tuple[str, tuple[str, ...]] | None:
    shaped = isinstance(answer, Mapping) and isinstance(answer.get("active_incidents"), list)
    return ("Slack", ()) if shaped else None


def _google(answer: Any) -> tuple[str, tuple[str, ...]] | None:
    listed = fields.entries(answer)
    shaped = bool(listed) and all("external_desc" in each and "begin" in each for each in listed)
    return ("", ()) if shaped else None


def _aws_events(answer: Any) -> tuple[str, tuple[str, ...]] | None:
    listed = fields.entries(answer)
    return ("Amazon Web Services", ()) if listed and all("event_log" in each for each in listed) else None


def _aws_data(answer: Any) -> tuple[str, tuple[str, ...]] | None:
    shaped = isinstance(answer, Mapping) and isinstance(answer.get("current"), list) and "archive" in answer
    return ("Amazon Web Services", ()) if shaped else None


_PROBES = (
    _Probe("statuspage", "/api/v2/summary.json", "statuspage", _statuspage),
    _Probe("incidentio", incidentio.WIDGET, "incident.io", _widget),
    _Probe("betterstack", betterstack.INDEX, "better", _betterstack),
    _Probe("instatus", instatus.SUMMARIES[0], "instatus", _instatus),
    _Probe("instatus", instatus.SUMMARIES[1], "instatus", _instatus),
    _Probe("slack", slack.CURRENT, "slack", _slack),
    _Probe("gcp", "/incidents.json", "google", _google),
    _Probe("aws", aws.EVENTS, "amazon", _aws_events),
    _Probe("aws", aws.DATA, "amazon", _aws_data),
)


def _is_ulid(summary: Mapping[str, Any]) -> bool:
    """Whether a Statuspage-like summary is incident.io's imitation: its ids are ULIDs, 26 capitals and digits."""
    page = summary.get("page")
    ident = page.get("id") if isinstance(page, Mapping) else None
    return isinstance(ident, str) and len(ident) == 26 and ident.isalnum() and ident == ident.upper()


def _name(title: str) -> str:
    """A page's name without the words all of them have.

    >>> _name("Kettle Status"), _name("Kettle Inc. Status - Incident History"), _name("Service Status | Kettle")
    ('Kettle', 'Kettle Inc.', 'Kettle')
    """
    words = plain(title)[:200]
    head, mark, tail = words.partition("|")
    if mark and not _NOISE.sub("", head).strip():
        words = tail
    return _NOISE.sub("", words).strip(" -–—|:") or words.strip()
