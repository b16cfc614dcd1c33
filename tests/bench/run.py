"""`make bench`: one run, all tables: start, known outages, the backfill at scale, peers. Under 20 minutes on two cores.

Figures are of this machine at this moment; ratios travel better. `--only scale` (start, outages, scale, peers) runs a
part; the last line says how long each took.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import psutil

from detector.domain import parse_time
from tests.bench import peers, scale

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
DETECTOR = str(Path(sys.executable).with_name("detector"))
ARCHIVE = SHARED / "posts" / "hn-2016-2018.jsonl.gz"

# Times of known outages, to score with; the program never reads them.
KNOWN = (
    ("GitHub", "2016-07-28T05:17Z", {"github"}),
    ("Dyn", "2016-10-21T11:30Z", {"dyn", "twitter", "github", "spotify"}),
    ("GitHub", "2017-01-13T16:13Z", {"github"}),
    ("AWS S3", "2017-02-28T17:45Z", {"aws"}),
    ("Slack", "2017-03-07T16:40Z", {"slack"}),
    ("WhatsApp", "2017-05-03T20:47Z", {"whatsapp"}),
    ("GitHub", "2017-05-31T12:28Z", {"github"}),
    ("Slack", "2017-10-31T23:01Z", {"slack"}),
    ("Slack", "2018-01-09T19:20Z", {"slack"}),
    ("Google Cloud", "2018-07-17T19:23Z", {"google-cloud"}),
    ("YouTube", "2018-10-17T01:11Z", {"youtube"}),
)
LASTED = timedelta(hours=8)


def row(what: str, value: str) -> None:
    """Print one line of the table at once, so that a long run can be watched."""
    sys.stdout.write(f"| {what} | {value} |\n")
    sys.stdout.flush()


def best_of(runs: int, *arguments: str) -> float:
    """The fastest wall time of a command in seconds; the fastest is the least disturbed."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(arguments, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return min(times)


def watch_start() -> tuple[float, float]:
    """Seconds from start to the first poll of `detector watch`, and its memory in MB some seconds later."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = subprocess.Popen(
            [DETECTOR, "watch", "--db", str(Path(folder) / "bench.db"), "--for", "25"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        first, memory = float("nan"), 0.0
        assert process.stderr is not None
        for line in process.stderr:
            if first != first and re.search(r"unreachable|heard|ready", line):
                first = time.perf_counter() - began
            memory = max(memory, _memory(process.pid))
            if time.perf_counter() - began > 20:
                break
        process.terminate()
        process.communicate(timeout=30)
    return first, memory


def _memory(pid: int) -> float:
    try:
        parent = psutil.Process(pid)
        return float(sum(one.memory_info().rss for one in [parent, *parent.children(recursive=True)])) / 1e6
    except psutil.Error:
        return 0.0


def replay(folder: Path, *, batch: int, seed: str) -> float:
    """Backfill the Hacker News archive; seconds, end to end."""
    began = time.perf_counter()
    subprocess.run(
        [DETECTOR, "backfill", str(ARCHIVE), "--out", str(folder), "--batch", str(batch), "--quiet"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    return time.perf_counter() - began


def found(alerts: list[dict[str, object]]) -> tuple[list[str], list[str], list[str]]:
    """Known outages found (with the delay) and missed, and the alerts that are none of them."""
    hits: list[str] = []
    missed: list[str] = []
    used: set[str] = set()
    for name, start, services in KNOWN:
        begin = parse_time(start)
        inside = [
            alert
            for alert in alerts
            if alert["service"] in services
            and begin - timedelta(minutes=15) <= parse_time(str(alert["fired_at"])) <= begin + LASTED
        ]
        used.update(str(alert["key"]) for alert in inside)
        if inside:
            delay = parse_time(str(inside[0]["fired_at"])) - begin
            hits.append(f"{name} {begin:%Y-%m-%d} ({delay / timedelta(minutes=1):.0f} min)")
        else:
            missed.append(f"{name} {begin:%Y-%m-%d}")
    others = [f"{alert['service']} {str(alert['fired_at'])[:16]}" for alert in alerts if alert["key"] not in used]
    return hits, missed, others


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parts: dict[str, Callable[[], None]] = {
        "start": start,
        "outages": known_outages,
        "scale": lambda: scale.main(["--long"]),
        "peers": lambda: peers.main(["--posts", "200000"]),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*parts])
    chosen = parser.parse_args(arguments).only
    sys.stdout.write(f"{where()}\n\n| what | value |\n|---|---|\n")
    spent = []
    for name, part in parts.items():
        if chosen in (None, name):
            began = time.perf_counter()
            part()
            spent.append(f"{name} {time.perf_counter() - began:.0f} s")
    sys.stdout.write(f"\ntook {', '.join(spent)}; load at the end {os.getloadavg()[0]:.1f}\n")


def where() -> str:
    """Machine, time and commit of a run, for whoever quotes it."""
    named = re.search(r"model name\s*:\s*(.*)", _text(Path("/proc/cpuinfo")))
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    processor = named[1] if named else platform.processor()
    load = os.getloadavg()[0]
    return f"{processor}, {os.cpu_count()} cores, {now}, commit {commit.stdout.strip() or 'unknown'}, load {load:.1f}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def start() -> None:
    """How long the program takes to begin."""
    row("`detector --help`, best of 5", f"{best_of(5, DETECTOR, '--help'):.2f} s")
    first, memory = watch_start()
    row("`detector watch`: start to first poll; memory with helpers", f"{first:.1f} s; {memory:.0f} MB")


def known_outages() -> None:
    """The replay of a real archive: how long it takes, whether it repeats to the byte, and what it finds."""
    if not ARCHIVE.exists():
        row("replay of hn-2016-2018", f"skipped: {ARCHIVE} is not here")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = replay(folder / "a", batch=4000, seed="0")
        row("replay of hn-2016-2018, end to end", f"{seconds:.1f} s")
        replay(folder / "b", batch=1, seed="1")
        replay(folder / "c", batch=10_000, seed="2")
        texts = [(folder / part / "alerts.jsonl").read_bytes() for part in "abc"]
        row("batches of 4,000, 1 and 10,000, three hash seeds", "identical" if len(set(texts)) == 1 else "DIFFERENT")
        alerts = [json.loads(line) for line in texts[0].splitlines()]
    hits, missed, others = found([alert for alert in alerts if alert["level"] != "watch"])
    row("known outages found (after the first post)", f"{len(hits)} of {len(KNOWN)}: {', '.join(hits)}")
    row("missed", ", ".join(missed) or "none")
    row("other alerts", ", ".join(others) or "none")


if __name__ == "__main__":
    main()
