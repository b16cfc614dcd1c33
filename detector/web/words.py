"""Templates: autoescaped, strict about what they are given, with filters for times and figures. Pure but for files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detector.domain import MINUTE, parse_time
from detector.notify.words import clock_words, duration_words, number_words, return_period_words
from detector.web import picture
from detector.web.board import place
from detector.web.shapes import Board, DecisionLook, Row, SourceLook

SPARK = (120.0, 28.0)
STATE_WORDS = {
    "outage": "Failing",
    "watch": "Watching",
    "unknown": "Unknown",
    "learning": "Learning",
    "ok": "Quiet",
}
PAGE_WORDS = {
    "operational": "all operational",
    "degraded": "degraded",
    "outage": "outage",
    "maintenance": "maintenance",
    "unknown": "cannot be read",
}


def environment(zone: tzinfo = UTC, zone_name: str = "UTC") -> Environment:
    """The templates of the pages, with times in a zone."""
    made = Environment(
        loader=PackageLoader("detector.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clock": partial(clock, zone=zone),
        "figure": number_words,
        "lasting": lasting,
        "ahead": ahead,
        "chance": return_period_words,
        "percent": percent,
        "spark": spark,
        "strip": strip,
        "sort_key": sort_key,
        "headline": headline,
        "folded": folded,
    }
    made.globals |= {"STATE_WORDS": STATE_WORDS, "PAGE_WORDS": PAGE_WORDS, "zone": zone, "zone_name": zone_name}
    return made


def headline(board: Board) -> str:
    """The board in a sentence.

    >>> from typing import cast
    >>> headline(cast(Board, {"counts": {"ok": 3}, "services": []}))
    'All quiet'
    >>> rows = [{"state": "outage", "slug": slug, "name": slug, "cause": cause} for slug, cause in
    ...     [("aws", None), ("zoom", "aws"), ("notion", "aws")]]
    >>> headline(cast(Board, {"counts": {"outage": 3}, "services": rows}))
    'aws is failing, and 2 services with it'
    """
    counts = board["counts"]
    rows = [row for row in board["services"] if row["state"] == "outage"]
    slugs = {row["slug"] for row in rows}
    roots = [row["name"] for row in rows if row["cause"] not in slugs]
    if len(roots) > 3 or (rows and not roots):
        return f"{len(rows)} services are failing"
    if roots:
        names = " and ".join([", ".join(roots[:-1]), roots[-1]] if len(roots) > 1 else roots)
        said = f"{names} {'is' if len(roots) == 1 else 'are'} failing"
        with_it = len(rows) - len(roots)
        many = "service" if with_it == 1 else "services"
        return f"{said}, and {with_it} {many} with {'it' if len(roots) == 1 else 'them'}" if with_it else said
    if counts.get("watch"):
        return f"First complaints about {counts['watch']} {'service' if counts['watch'] == 1 else 'services'}"
    if counts.get("unknown"):
        return "Nothing can be heard"
    if counts.get("learning"):
        return "Learning what is usual" if not counts.get("ok") else "All quiet, still learning some"
    return "All quiet"


def sort_key(row: Row) -> str:
    """A text by which rows stand in the order of the board, for the browser."""
    rank, level, name = place(row)
    return f"{rank}{level} {name}"


def clock(at: str | None, now: datetime | None = None, *, zone: tzinfo = UTC) -> Markup:
    """A moment as a `<time>`: the hour, with the date where it is another day.

    >>> clock("2026-03-02T12:05:00.000Z", parse_time("2026-03-02T13:00:00Z"))
    Markup('<time datetime="2026-03-02T12:05:00.000Z">12:05</time>')
    """
    if at is None:
        return Markup("–")
    return Markup('<time datetime="{}">{}</time>').format(at, clock_words(parse_time(at), zone, beside=now))


def lasting(since: str, until: str | datetime) -> str:
    """From one moment to another, in words.

    >>> lasting("2026-03-02T12:05:00Z", "2026-03-02T13:07:00Z")
    '1 h 2 min'
    """
    end = parse_time(until) if isinstance(until, str) else until
    return duration_words(end - parse_time(since))


def ahead(minutes: float) -> str:
    """A lead in words.

    >>> ahead(34.2), ahead(-3), ahead(0.4)
    ('34 min ahead', '3 min behind', 'same minute')
    """
    if abs(minutes) < 1:
        return "same minute"
    return f"{duration_words(abs(minutes) * MINUTE)} {'ahead' if minutes > 0 else 'behind'}"


def percent(share: float | None) -> str:
    """A share in percent.

    >>> percent(0.953), percent(0.0043), percent(None)
    ('95 %', '0.4 %', '–')
    """
    if share is None:
        return "–"
    return f"{share * 100:.1f} %" if 0 < share < 0.01 else f"{share * 100:.0f} %"


def spark(row: Row) -> dict[str, str]:
    """The paths of a row's sparkline: the people, and the height up to which they are usual."""
    width, height = SPARK
    usual = None if row["upper"] is None else row["upper"] / len(row["bins"]) * 2
    top = max([3.0, usual or 0.0, *map(float, row["bins"])])
    return {
        "people": picture.steps(row["bins"], top=top, width=width, height=height),
        "usual": "" if usual is None else f"{height - height * usual / top:.1f}",
    }


def strip(source: SourceLook, now: datetime) -> dict[str, str]:
    """The paths of a source's last day: heard, and failing; what is neither was not heard."""
    day = timedelta(days=1)

    def share(text: str) -> float:
        return min(max((parse_time(text) - (now - day)) / day, 0.0), 1.0)

    paths = {}
    for kind, states in (("heard", {"ok"}), ("failing", {"failing", "stale", "gap"})):
        pieces = [
            (share(each["from_at"]), share(each["to_at"])) for each in source["coverage"] if each["state"] in states
        ]
        paths[kind] = picture.spans(pieces, width=240, height=8)
    return paths


def folded(decisions: Sequence[DecisionLook]) -> list[tuple[DecisionLook, DecisionLook, int]]:
    """Decisions of the same kind on the same receiver that follow each other, as one: the first, the last, how many.

    >>> one = DecisionLook(at="1", receiver="ops", told=False, reason="r", note="n", fate="")
    >>> several = folded([one, one | {"at": "2"}, one | {"told": True}])
    >>> [(first["at"], last["at"], count) for first, last, count in several]
    [('1', '2', 2), ('1', '1', 1)]
    """
    found: list[tuple[DecisionLook, DecisionLook, int]] = []
    latest: dict[str, int] = {}
    for each in decisions:
        place = latest.get(each["receiver"])
        if place is not None and not each["told"] and _alike(found[place][1], each):
            first, _, count = found[place]
            found[place] = (first, each, count + 1)
        else:
            latest[each["receiver"]] = len(found)
            found.append((each, each, 1))
    return found


def _alike(one: DecisionLook, other: DecisionLook) -> bool:
    return (one["told"], one["reason"], one["note"]) == (other["told"], other["reason"], other["note"])
