"""Real counts of six services, replayed through `detector backfill --judge truth`, and their twins without outages."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.backfill.evaluate_detection import poisson_interval, wilson

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
SERVICES = {
    "netflix": "Netflix",
    "gmail": "Gmail",
    "skype": "Skype",
    "snapchat": "Snapchat",
    "facebook": "Facebook",
    "apple-servers": "iCloud",
}
SLUGS = {"apple-servers": "icloud"}  # where the catalogue calls it otherwise
MONTHS = 17.6  # from the warm-up's end to the end of the series
AFTER = "2019-05-15"
SHIPPED = "shipped"  # the classifier that comes with the program


@dataclass(frozen=True, slots=True)
class Scored:
    """One service's replay and that of its null twin, as `detector evaluate-detection --json` has them."""

    service: str
    real: dict[str, Any]
    null: dict[str, Any]


def prepared(folder: Path, services: Sequence[str], pool: Executor) -> list[str]:
    """The services whose archives lie in `folder`; those that lack are made with ../shared/tools."""
    lacking = [one for one in services if not (folder / f"null-{one}.jsonl.gz.bursts.json").exists()]
    if lacking and (SHARED / "data" / "series").exists():
        folder.mkdir(parents=True, exist_ok=True)
        list(pool.map(_make, [(one, folder) for one in lacking]))
    return [one for one in services if (folder / f"null-{one}.jsonl.gz.bursts.json").exists()]


def _make(task: tuple[str, Path]) -> None:
    service, folder = task
    counts, null = SHARED / "data" / "series" / f"{service}.csv.gz", folder / f"null-{service}.csv.gz"
    tools = SHARED / "tools"
    _run(sys.executable, str(tools / "make_null.py"), str(counts), str(null), "3")
    for number, (source, name) in enumerate(((counts, service), (null, f"null-{service}")), start=1):
        arguments = ["--series", str(source), "--service", service, "--name", SERVICES[service]]
        arguments += ["--labels", str(SHARED / "data" / "labels" / "train.jsonl"), "--seed", str(number)]
        _run(sys.executable, str(tools / "make_replay.py"), *arguments, "--out", str(folder / f"{name}.jsonl.gz"))


def score(service: str, folder: Path, out: Path, judge: str, budget: str) -> Scored:
    """Replay a service and its null twin and score both."""
    found = []
    for name in (service, f"null-{service}"):
        archive, results = folder / f"{name}.jsonl.gz", out / judge / name
        slug = SLUGS.get(service, service)
        command = ["backfill", str(archive), "--services", slug, "--budget", budget, "--out", str(results), "--quiet"]
        _run(_detector(), *command, *([] if judge == SHIPPED else ["--judge", judge]))
        bursts = folder / f"{name}.jsonl.gz.bursts.json"
        scored = _run(
            _detector(),
            "evaluate-detection",
            str(results / "alerts.jsonl"),
            "--bursts",
            str(bursts),
            "--months",
            str(MONTHS),
            "--after",
            AFTER,
            "--json",
        )
        found.append(json.loads(scored))
    return Scored(service, found[0], found[1])


def _detector() -> str:
    return str(Path(sys.executable).with_name("detector"))


def _run(*arguments: str) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: exit {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def table(rows: Sequence[Scored]) -> list[str]:
    """Markdown: a line a service, and all together."""
    lines = [
        "| series | bursts found | delay, min: median, p90 | unmatched/month | open/burst share | null alerts |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        real = row.real
        lines.append(
            f"| {row.service} | {real['detected']} of {real['bursts']} | {real['delay_median']}, {real['delay_p90']} "
            f"| {real['unmatched_per_month']:.2f} | {_over(real):.1f} | {row.null['alerts']} |"
        )
    bursts = sum(row.real["bursts"] for row in rows)
    hits = sum(row.real["detected"] for row in rows)
    timed = [row.real for row in rows if row.real["delay_median"] is not None]
    delay = sum(one["delay_median"] * one["bursts"] for one in timed) / max(sum(one["bursts"] for one in timed), 1)
    months = MONTHS * len(rows)
    nulls, stray = sum(row.null["alerts"] for row in rows), sum(row.real["unmatched"] for row in rows)
    low, high = wilson(hits, bursts)
    few, many = (12 * bound / months for bound in poisson_interval(nulls))
    opened = sum(row.real["open_share"] for row in rows) / max(sum(row.real["burst_share"] for row in rows), 1e-9)
    lines.append(
        f"| all | {hits / max(bursts, 1):.3f} ({low:.3f}-{high:.3f}) | {delay:.2f} burst-weighted mean of medians "
        f"| {stray / months:.2f} | {opened:.1f} | {12 * nulls / months:.2f}/service-year ({few:.2f}-{many:.2f}) |"
    )
    return lines


def _over(real: dict[str, Any]) -> float:
    return float(real["open_share"] / max(real["burst_share"], 1e-9))
