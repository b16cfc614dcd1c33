"""What each budget buys: delay against false alarms, from posts that are judged once.

Every budget is a whole replay of the same judged rows, so a sweep costs one reading and as many weighings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from detector.backfill import drawing
from detector.backfill.archives import Plan, Say
from detector.backfill.cache import clear
from detector.backfill.engines import Engine, Report
from detector.backfill.evaluate_detection import Burst, Span, against_bursts, against_record
from detector.backfill.partitioned import judge_parts, weigh_segments
from detector.backfill.run import Backfilled, compared, timeline_for
from detector.domain import Budget, Incident, Level

BUDGETS = ("0.1/year", "0.3/year", "1/year", "3/year", "1/month", "3/month", "1/day")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one budget gave.

    Attributes:
        budget: as it was written.
        alerts: alerts raised; watches are none.
        outages, found: of the truth.
        delay: median minutes from onset to alert, or from the first official post (below 0 is ahead of it).
        false_per_year: alerts that match no outage, a service-year.
        false_95: its 95 % interval.
    """

    budget: str
    alerts: int
    outages: int
    found: int
    delay: float | None
    false_per_year: float
    false_95: tuple[float, float]


def sweep(
    planned: Plan,
    engine: Engine,
    budgets: Sequence[str],
    *,
    incidents: Sequence[Incident] = (),
    bursts: Sequence[Burst] | None = None,
    report: Report,
    say: Say,
    done: Callable[[Point], None],
) -> list[Point]:
    """One point a budget, told to `done` as it is found.

    Args:
        bursts: true outages with their onsets; without them the official record is the truth.
    """
    job = planned.job
    job.folder.mkdir(parents=True, exist_ok=True)
    heard = judge_parts(job, planned.parts, engine, report, say)
    points = []
    for number, text in enumerate(budgets):
        own = replace(job, budget=Budget.parse(text), folder=job.folder / f"budget-{number}")
        counters = replace(heard.counters)
        replayed = weigh_segments(
            own,
            heard.segments,
            heard.tally,
            counters,
            engine,
            report,
            incidents=incidents,
            timeline=timeline_for(incidents, job.services),
        )
        found = compared(replayed, job.services, incidents, began=0.0, bad_lines={}, assumptions=[])
        points.append(point(text, found, bursts))
        done(points[-1])
        clear(own.folder)
    clear(job.folder)
    return points


def point(budget: str, done: Backfilled, bursts: Sequence[Burst] | None) -> Point:
    """What a replay says of its budget."""
    spans = [
        Span(start=alert.fired_at, end=alert.ended_at, service=alert.service)
        for alert in done.alerts
        if alert.fired_at is not None and alert.level is not Level.WATCH
    ]
    months = done.scoreboard["service_months"] or 1.0
    scored: dict[str, Any]
    if bursts is not None:
        scored = against_bursts(spans, bursts, months)
        outages, found, delay = scored["bursts"], scored["detected"], scored["delay_median"]
    else:
        scored = against_record(spans, done.outages, months)
        outages, found = scored["outages"], scored["detected"]
        delay = -scored["lead_median"] if scored["lead_median"] is not None else None
    low, high = scored["unmatched_per_month_95"]
    return Point(
        budget=budget,
        alerts=len(spans),
        outages=outages,
        found=found,
        delay=delay,
        false_per_year=round(12.0 * scored["unmatched"] / months, 3),
        false_95=(round(12.0 * low, 3), round(12.0 * high, 3)),
    )


def table(points: Sequence[Point], *, official: bool) -> list[str]:
    """The points as a Markdown table."""
    delay = "median delay after the first official post, min" if official else "median delay after the onset, min"
    lines = [f"| budget, a service | alerts | found | {delay} | unmatched a service-year (95 %) |", "|" + "---|" * 5]
    for each in points:
        low, high = each.false_95
        minutes = "none found" if each.delay is None else f"{each.delay:g}"
        lines.append(
            f"| {each.budget} | {each.alerts} | {each.found} of {each.outages} | {minutes} "
            f"| {each.false_per_year:g} ({low:g} to {high:g}) |"
        )
    return lines


def picture(points: Sequence[Point], *, official: bool) -> str:
    """Delay against false alarms as a drawing; budgets that found nothing are left out."""
    shown = [each for each in points if each.delay is not None]
    after = "first official post" if official else "onset"
    label = f"Median delay after the {after} against unmatched alerts a service-year, by budget"
    if not shown:
        return drawing.alone(drawing.tradeoff([(1.0, 0.0, "nothing found")], label=label, across="", up=""), label)
    drawn = drawing.tradeoff(
        [
            (each.false_per_year, each.delay or 0.0, f"{each.budget} ({each.found}/{each.outages})")
            for each in sorted(shown, key=lambda each: Budget.parse(each.budget).per_month)
        ],
        label=label,
        across="unmatched alerts a service-year",
        up=f"minutes after the {after} (budget, found)",
    )
    return drawing.alone(drawn, label)


def write(folder: Path, points: Sequence[Point], *, official: bool) -> Path:
    """The picture as a file.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tune.svg"
    path.write_text(picture(points, official=official), encoding="utf-8")
    return path
