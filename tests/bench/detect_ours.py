"""Our detector on simulated streams, through the `Detector` protocol alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import repeat
from math import exp, log
from typing import TYPE_CHECKING

from detector.detect.simulate import DAY, Plan, Stream, simulate
from detector.domain import (
    Budget,
    Coverage,
    CoverageState,
    Judgement,
    Level,
    Mention,
    Post,
    Probabilities,
    Service,
    from_minutes,
    to_minutes,
)
from detector.protocols import Detector, Signal
from detector.registry import load

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

START = 2_922 * 7.0 * DAY  # a Monday in January 2026, minutes since EPOCH
WARMUP = 14.0 * DAY  # what our detector sees before the scored part; rivals see everything
MERGE = 360.0  # alerts closer than this are one episode, for us and for the rivals
PRIOR = 0.2
MONTH = 30.4375 * DAY
PART = 100_000  # rows turned into objects at a time
SURE = Probabilities(0.98, 0.005, 0.005, 0.005, 0.005)
NOT = Probabilities(0.005, 0.005, 0.005, 0.005, 0.98)


@dataclass(frozen=True, slots=True)
class Opened:
    """One alert: minutes from the stream's start; `closed` is None while open."""

    at: float
    closed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One run of one stream; everything a worker process needs.

    Attributes:
        noisy: judge with the overlap of a real classifier instead of the truth.
        scored_from: minute from which alerts count.
    """

    plan: Plan
    per_month: float
    scored_from: float
    noisy: bool = False


def make(service: Service, per_month: float) -> Detector:
    """The shipped detector."""
    build: Callable[[Service, Budget, float], Detector] = load("detectors", "scan")
    return build(service, Budget(per_month), PRIOR)


def run(task: Task) -> tuple[list[Opened], int]:
    """Alerts of one stream and how many posts it took."""
    stream = simulate(task.plan)
    detector = make(Service(slug="simulated", name="Simulated"), task.per_month)
    first = max(0.0, task.scored_from - WARMUP)
    for start, end in stream.deaf:
        span = Coverage(
            source="simulated",
            from_at=from_minutes(START + start),
            to_at=from_minutes(START + end),
            state=CoverageState.GAP,
        )
        detector.hear(span)
    signals: list[Signal] = []
    posts = 0
    for judgement in judgements(stream, first=first, noisy=task.noisy):
        signals += detector.observe(judgement)
        posts += 1
    signals += detector.advance(from_minutes(START + task.plan.days * DAY))
    return [alert for alert in opened(signals) if alert.at >= task.scored_from], posts


def opened(signals: Iterable[Signal]) -> list[Opened]:
    """Alerts from signals, minutes from the stream's start."""
    found: list[Opened] = []
    begun: float | None = None
    for signal in signals:
        minute = to_minutes(signal.at) - START
        if signal.level is None:
            if begun is not None:
                found.append(Opened(begun, minute))
            begun = None
        elif signal.level is not Level.WATCH and begun is None:
            begun = minute
    return [*found, Opened(begun, None)] if begun is not None else found


def judgements(stream: Stream, *, first: float = 0.0, noisy: bool = False) -> Iterator[Judgement]:
    """The stream's posts as a classifier hands them on, from minute `first`."""
    import numpy as np

    begin = int(np.searchsorted(stream.at, first))
    likely = _noisy(stream) if noisy else None
    for start in range(begin, len(stream.at), PART):
        part = slice(start, start + PART)
        rows = zip(
            stream.at[part].tolist(),
            stream.complaint[part].tolist(),
            stream.author[part].tolist(),
            stream.copied[part].tolist(),
            repeat(None) if likely is None else likely[part].tolist(),
            strict=False,
        )
        yield from _judged(rows, start - begin)


def _judged(rows: Iterable[tuple[float, bool, int, int, float | None]], first: int) -> Iterator[Judgement]:
    for number, (at, complaint, author, copied, p) in enumerate(rows, first):
        when = from_minutes(START + at)
        text = "simulated is down" if copied < 0 else copied_text(copied)
        post = Post(source="simulated", id=str(number), created_at=when, seen_at=when, text=text, author=f"{author:x}")
        sure = (
            (SURE if complaint else NOT) if p is None else Probabilities(p, *((1.0 - p) / 40.0,) * 3, (1 - p) * 0.925)
        )
        yield Judgement(
            mention=Mention(post=post, service="simulated", matched="simulated"), p=sure, classifier="bench"
        )


def copied_text(number: int) -> str:
    """A text of more than eight words that is the campaign's own (digits would be overlooked)."""
    name = "".join("abcdefghij"[int(digit)] for digit in str(number))
    return f"please share what simulated did to all of us customers in the {name} affair this week"


def scores(stream: Stream) -> npt.NDArray[np.float64]:
    """Scores of a classifier that errs in 5.8 % either way; hard virals shift by 1."""
    import numpy as np

    rng = np.random.default_rng((stream.plan.seed, 77))
    return rng.normal(np.where(stream.complaint, 2.2, -2.2 + stream.hard), 1.4)


def _noisy(stream: Stream) -> npt.NDArray[np.float64]:
    """The same as probabilities, at the labels' prior."""
    import numpy as np

    odds = np.exp(4.4 / 1.4**2 * scores(stream)) * PRIOR / (1.0 - PRIOR)
    p: npt.NDArray[np.float64] = odds / (1.0 + odds)
    return p


def episodes(times: Sequence[float]) -> int:
    """How many episodes alerts make.

    >>> episodes([0.0, 100.0, 600.0])
    2
    """
    ordered = sorted(times)
    return sum(1 for i, at in enumerate(ordered) if i == 0 or at - ordered[i - 1] > MERGE)


@dataclass(frozen=True, slots=True)
class Rate:
    """False episodes over service-months."""

    count: int
    months: float
    posts: int = 0

    @property
    def a_month(self) -> float:
        """Episodes a service-month."""
        return self.count / self.months


def null_rate(
    plans: Sequence[Plan], per_month: float, scored_from: float, pool: Executor, *, noisy: bool = False
) -> Rate:
    """Realised false alarms at a nominal budget on streams without outages."""
    tasks = [Task(plan=plan, per_month=per_month, scored_from=scored_from, noisy=noisy) for plan in plans]
    count = posts = 0
    for alerts, read in pool.map(run, tasks):
        count += episodes([alert.at for alert in alerts])
        posts += read
    months = sum((plan.days * DAY - scored_from) / MONTH for plan in plans)
    return Rate(count, months, posts)


def matched(
    plans: Sequence[Plan], scored_from: float, pool: Executor, *, noisy: bool = False, tries: int = 2
) -> tuple[float, list[tuple[float, Rate]]]:
    """The nominal budget at which one false episode a service-month is realised, and every budget tried.

    False alarms are about proportional to the nominal budget (an exponential tail). A second try is made where the
    first lies off by over a quarter; far apart the two are interpolated, else pooled.
    """
    tried: list[tuple[float, Rate]] = []
    budget = 1.0
    for _ in range(tries):
        rate = null_rate(plans, budget, scored_from, pool, noisy=noisy)
        tried.append((budget, rate))
        if abs(log(_seen(rate))) < 0.25:
            break
        budget *= exp(max(-4.0, min(4.0, -log(_seen(rate)))))
    return _unit_budget(tried), tried


def _seen(rate: Rate) -> float:
    """Episodes a month, half an episode where there was none."""
    return max(rate.a_month, 0.5 / rate.months)


def _unit_budget(tried: Sequence[tuple[float, Rate]]) -> float:
    (x0, y0), (x1, y1) = (
        (log(budget), log(_seen(rate))) for budget, rate in sorted((tried[0], tried[-1]), key=lambda pair: pair[0])
    )
    if x1 - x0 > 1.0 and y1 - y0 > 0.3:
        return exp(max(-9.0, min(4.0, x0 - y0 * (x1 - x0) / (y1 - y0))))
    expected = sum(budget * rate.months for budget, rate in tried)
    return expected / max(sum(rate.count for _, rate in tried), 0.5)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one outage: minutes to the alert (inf: none within it), minutes from its end to the close."""

    ratio: float
    ramp: float
    delay: float
    close: float | None


def delays(plans: Sequence[Plan], per_month: float, pool: Executor, *, noisy: bool = False) -> tuple[list[Found], int]:
    """Every outage of the streams, and how many were left out as an alert was open when they began."""
    tasks = [Task(plan=plan, per_month=per_month, scored_from=plan.calm_days * DAY, noisy=noisy) for plan in plans]
    found: list[Found] = []
    blocked = 0
    for plan, (alerts, _) in zip(plans, pool.map(run, tasks), strict=True):
        for outage in simulate(plan).outages:
            if any(a.at < outage.onset and (a.closed is None or a.closed > outage.onset) for a in alerts):
                blocked += 1
                continue
            hit = next((a for a in alerts if outage.onset <= a.at <= outage.end), None)
            if hit is None:
                found.append(Found(outage.ratio, outage.ramp, float("inf"), None))
                continue
            last = max((a.closed or float("inf") for a in alerts if hit.at <= a.at <= outage.end), default=None)
            close = None if last is None else max(0.0, last - outage.end)
            found.append(Found(outage.ratio, outage.ramp, hit.at - outage.onset, close))
    return found, blocked
