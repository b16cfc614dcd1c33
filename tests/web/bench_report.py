"""How long the report of three years and forty outages takes, and how large it is: `python -m tests.web.bench_report`.

The archive is made here: talk about one service every quarter of an hour, forty afternoons on which people complain,
and an official record that is late on most of them. The bars are one file under 5 MB, made in 20 s.
"""

# ruff: noqa: T201 - it prints
from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from detector.backfill.report_html import write_report
from detector.backfill.run import backfill
from detector.backfill.truth import TruthClassifier
from detector.detect.scan import build
from detector.domain import Budget, Incident, Post
from tests.builders import SLACK, NameInText, make_incident, make_post

YEARS, OUTAGES, DAY = 3, 40, 1440.0


def archive(rng: random.Random) -> tuple[list[Post], list[Incident]]:
    """Posts in order, and what the page said."""
    minutes = YEARS * 365 * DAY
    posts = [
        make_post(minute * 1.0, number=0, text=f"slack talk {minute}", truth="other")
        for minute in range(0, int(minutes), 15)
    ]
    record = []
    for number in range(OUTAGES):
        noon = 30 * DAY + (minutes - 40 * DAY) * number / OUTAGES + 720 + 0.5
        for person in range(60):
            said = f"slack is down {number} {person} {rng.choice(['login', 'messages', 'huddles', 'calls'])}"
            posts.append(make_post(noon + rng.expovariate(1 / 12), number=person + 1, text=said, truth="complaint"))
        if number % 8:
            record.append(make_incident(noon + 25, noon + 95, title=f"Trouble number {number}", id=f"inc-{number}"))
    return sorted(posts, key=lambda post: post.order), record


def main() -> int:
    """Measure; ends with 1 above a bar."""
    posts, record = archive(random.Random(1))
    begun = time.perf_counter()
    done = backfill(
        posts,
        services=[SLACK],
        matcher=NameInText(["slack"]),
        classifier=TruthClassifier(),
        make_detector=build,
        budget=Budget.parse("1/year"),
        incidents=record,
    )
    replayed = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        write_report(Path(folder), done, title="three years", budget="1/year", names={"slack": "Slack"})
        took = time.perf_counter() - begun
        size = (Path(folder) / "report.html").stat().st_size
    print(
        f"{len(posts)} posts of {YEARS} years replayed in {replayed:.1f} s: {len(done.alerts)} alerts, "
        f"{len(record)} official outages; report: {size / 1e6:.2f} MB (bar 5) in {took:.1f} s (bar 20)"
    )
    return int(size > 5_000_000 or took > 20)


if __name__ == "__main__":
    sys.exit(main())
