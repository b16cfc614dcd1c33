"""`make bench-detect`: our detector against what others use and against the limit, at one false-alarm rate, in one run.

    python -m tests.bench.detect [--quick | --long] [--out FOLDER] [--only PART,...] [--replays FOLDER] [--judge NAME]

Parts: synthetic (rates, delays, the plot), series (real counts), virals, campaigns, cases. Streams for thresholds and
streams for delays have different seeds. Figures are of this machine's arithmetic alone: the same seeds give the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from detector.detect.simulate import DAY, Plan, simulate
from tests.bench import detect_cases, detect_days, detect_series, detect_suites
from tests.bench.detect_ours import Found, Rate, delays, matched, null_rate
from tests.bench.detect_rivals import ORACLE, rivals, series
from tests.bench.detect_river import river_detectors
from tests.bench.detect_table import close_line, delay_rows, interval, minutes, plot, quantile

RATIOS = (10.0, 30.0, 100.0)
OURS = "**ours**"
CALM_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated.

    Attributes:
        volumes: complaints a minute -> (streams, days) of the comparison, whose first 28 days are not scored.
        rates: further volumes whose false alarms alone are counted, at the nominal budget.
        curve: streams for each further point of the plot.
    """

    volumes: dict[float, tuple[int, int]]
    rates: dict[float, tuple[int, int]]
    curve: int
    virals: tuple[int, int]
    campaigns: int
    services: tuple[str, ...]
    seeds: int


QUICK = Size(
    volumes={0.05: (8, 56), 0.5: (2, 56)},
    rates={0.01: (8, 56)},
    curve=2,
    virals=(2, 42),
    campaigns=20,
    services=("skype", "gmail"),
    seeds=1,
)
USUAL = Size(
    volumes={0.05: (20, 84), 0.5: (6, 70), 5.0: (2, 49)},
    rates={0.01: (16, 84)},
    curve=4,
    virals=(8, 70),
    campaigns=200,
    services=tuple(detect_series.SERVICES),
    seeds=3,
)
LONG = Size(
    volumes={0.05: (100, 84), 0.5: (40, 84), 5.0: (16, 84)},
    rates={0.01: (60, 84), 50.0: (12, 84)},
    curve=20,
    virals=(24, 84),
    campaigns=1000,
    services=tuple(detect_series.SERVICES),
    seeds=5,
)


def say(*lines: str) -> None:
    """Print at once, so that a long run can be watched."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Tell early on stderr what a table will say later."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _seed(volume: float) -> int:
    """The first seed of a volume's streams without outages; those with outages begin 5,000 later."""
    return 10_000 * (1 + round(100 * volume))


def synthetic(size: Size, out: Path, pool: Executor) -> None:
    """Delays at one false episode a service-month, nominal against realised, closes, and delay against budget."""
    told: list[tuple[float, list[tuple[float, Rate]]]] = []
    closes: list[str] = []
    names: list[str] = []
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for volume, (streams, days) in size.volumes.items():
        calm = [Plan(seed=_seed(volume) + i, days=days, complaints=volume) for i in range(streams)]
        true = [replace(one, seed=one.seed + 5000, every_hours=60.0, ratios=RATIOS) for one in calm]
        budget, tried = matched(calm, CALM_DAYS * DAY, pool)
        told.append((volume, tried))
        for nominal, seen in tried:
            note(f"{volume:g} posts/min, nominal {nominal:.2g} a month: {interval(seen)}")
        own, blocked = delays(true, budget, pool)
        compared = _compare(calm, true)
        results = dict(compared[1.0])
        limit = results.pop(ORACLE)[1]
        if not told[1:]:
            say("", "Median delay in minutes [P(<=5)/P(<=10)/P(<=30)], all at 1 false episode a service-month")
        if names != (names := [OURS, *results, "oracle"]):  # river's cannot be held to the rate on thin streams
            say("", f"| posts/min x factor | {' | '.join(names)} | ours over oracle |", "|" + "---|" * (len(names) + 2))
        shown = {OURS: own, **{name: rows for name, (_, rows) in results.items()}}
        say(*delay_rows(volume, shown, limit, OURS))
        left = f"{blocked} outages left out (already open)" if blocked else "none left out"
        levels = ", ".join(f"{name.split(',')[0]} {level:.3g}" for name, (level, _) in results.items())
        note(f"{volume:g} posts/min, close: {close_line(volume, own)} matched budget {budget:.2g}; left out {blocked}")
        closes.append(f"{close_line(volume, own)} matched budget {budget:.2g}/month, {left}; thresholds: {levels} |")
        if volume < 1.0:
            panel = panels.setdefault(f"{volume:g} posts a minute, outages of x30", {})
            panel["ours"] = [(1.0, _median(own, 30.0))]
            for rate in (4.0, 1 / 12, 1 / 120):
                panel["ours"] += [(rate, _median(delays(true[: size.curve], budget * rate, pool)[0], 30.0))]
            for rate, rows in compared.items():
                for name, (_, found) in rows.items():
                    panel.setdefault(name.split(",")[0], []).append((rate, _median(found, 30.0)))
    say("", "| posts/min | nominal a month: realised (95 %) |", "|---|---|")
    for volume, tried in told:
        say(f"| {volume:g} | {'; '.join(f'{nominal:.2g}: {interval(rate)}' for nominal, rate in tried)} |")
    for volume, (streams, days) in size.rates.items():
        plans = [Plan(seed=_seed(volume) + i, days=days, complaints=volume) for i in range(streams)]
        say(f"| {volume:g} | 1: {interval(null_rate(plans, 1.0, CALM_DAYS * DAY, pool))} |")
    say("", "| posts/min | close after the true end, min: median | p90 | outages | |", "|---|---|---|---|---|", *closes)
    if panels:
        say(*(f"wrote {path}" for path in plot(panels, out)))


def _compare(calm: Sequence[Plan], true: Sequence[Plan]) -> dict[float, dict[str, tuple[float, list[Found]]]]:
    """The rivals on the same streams as ours: rate -> name -> (threshold, delays)."""
    quiet, loud = (series([simulate(plan) for plan in plans]) for plans in (calm, true))
    found = rivals(quiet, loud, from_day=CALM_DAYS, ratios=RATIOS, rates=(1.0, 4.0, 1 / 12))
    found[1.0] |= river_detectors(quiet, loud, CALM_DAYS * DAY)
    return found


def _median(found: Sequence[Found], ratio: float) -> float:
    return quantile([one.delay for one in found if one.ratio == ratio], 0.5)


def real_series(size: Size, replays: Path, out: Path, pool: Executor, judge: str) -> None:
    """The six real series and their null twins."""
    names = detect_series.prepared(replays, size.services, pool)
    say("", f"Real report counts, judge {judge}, budget 1/year", "")
    if not names:
        say(f"skipped: no replays in {replays} and no ../shared to make them of")
        return
    jobs = [pool.submit(detect_series.score, name, replays, out, judge, "1/year") for name in names]
    say(*detect_series.table([job.result() for job in jobs]))


def virals(size: Size, pool: Executor) -> None:
    """The suite of virals and campaigns."""
    found = detect_suites.virals(*size.virals, pool)
    say("", "Virals and campaigns: 0.5 mentions/min, 5 % complaints, classifier errs in 5.8 %", "")
    say("| what | value |", "|---|---|", f"| realised a month at nominal 1 | {interval(found.nominal)} |")
    for ratio in (100.0, 30.0):
        waits = [one.delay for one in found.found if one.ratio == ratio]
        near = sum(wait <= 10 for wait in waits) / max(len(waits), 1)
        own, best = quantile(waits, 0.5), quantile(found.limit[ratio], 0.5)
        say(f"| x{ratio:g} at matched {found.budget:.2g}/month: median; P(<=10); n | "
            f"{minutes(own)}; {near:.2f}; {len(waits)} |",
            f"| x{ratio:g}, the oracle at 1/month; ours over it | {minutes(best)}; {own / best:.2f} |")  # fmt: skip
    say(f"| left out, already open | {found.blocked} |")


def campaigns(size: Size, pool: Executor) -> None:
    """Adversarial campaigns."""
    found = detect_suites.campaigns(size.campaigns, pool)
    say("", "Adversarial campaigns of 12 to 60 posts, budget 1/year", "")
    say("| kind | campaigns | false alert | watch only |", "|---|---|---|---|")
    for kind, (tried, alerts, watches) in found.items():
        say(f"| {kind} | {tried} | {alerts} | {watches} |")
    total, wrong = (sum(row[i] for row in found.values()) for i in (0, 1))
    say(f"| all | {total} | {wrong} ({100 * wrong / max(total, 1):.1f} %) | |")


def cases(size: Size) -> None:
    """Scripted collateral cases: the detector alone, then with the shipped classifier."""
    from detector.classify.load import load_classifier

    shipped = load_classifier(None, notes=[])
    for name, judge in (("the script's own labels", None), (shipped.name, shipped)):
        for what, of in (
            ("Scripted", detect_cases.CASES),
            ("Held-out", detect_cases.HELD_OUT),
            ("A third set of", detect_days.THIRD),
        ):
            say("", f"{what} collateral cases, judged by {name}", "")
            say(*detect_cases.table([detect_cases.play(case, judge, seed=s) for case in of for s in range(size.seeds)]))


def main() -> None:
    """Parse the command line and run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about two minutes, wide intervals")
    parser.add_argument("--long", action="store_true", help="tight intervals; about an hour on two idle cores")
    parser.add_argument("--out", type=Path, default=Path("build/bench-detect"), help="folder for the plot and replays")
    parser.add_argument("--only", default="synthetic,series,virals,campaigns,cases", metavar="PART,...")
    parser.add_argument("--replays", type=Path, help="folder with made replays; default: made in OUT/replays")
    parser.add_argument("--judge", default="truth", help="classifier of the real series: truth, shipped, or another")
    parser.add_argument("--volumes", help="only these complaints a minute, as 0.05,5")
    parser.add_argument("--seeds", type=int, help="runs of each collateral case")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    size = QUICK if asked.quick else LONG if asked.long else USUAL
    if asked.seeds:
        size = replace(size, seeds=asked.seeds)
    if asked.volumes:
        only = {float(volume) for volume in asked.volumes.split(",")}
        size = replace(
            size,
            volumes={volume: much for volume, much in size.volumes.items() if volume in only},
            rates={volume: much for volume, much in size.rates.items() if volume in only},
        )
    asked.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        parts: dict[str, Callable[[], None]] = {
            "synthetic": lambda: synthetic(size, asked.out, pool),
            "series": lambda: real_series(
                size, asked.replays or asked.out / "replays", asked.out / "series", pool, asked.judge
            ),
            "virals": lambda: virals(size, pool),
            "campaigns": lambda: campaigns(size, pool),
            "cases": lambda: cases(size),
        }
        for name in asked.only.split(","):
            if name not in parts:
                parser.error(f"--only: no part {name}; there are {', '.join(parts)}")
            began = time.perf_counter()
            parts[name]()
            say("", f"{name}: {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
