"""`detector simulate`: write an archive of posts that nobody wrote, with the outages that are in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from random import Random

    from detector.detect.simulate import Outage, Stream

# Own words: {s} is the service's name.
_COMPLAINTS = (
    "{s} is down",
    "is {s} down for anyone else?",
    "{s} isn't loading here",
    "can't log in to {s}",
    "{s} keeps giving me an error",
    "{s} not working for me right now",
    "my {s} just stopped working",
    "{s} is timing out on every request",
    "getting a 503 from {s}",
    "{s} won't load at all",
    "{s} has been broken for ten minutes here",
    "nothing gets through on {s}, anyone?",
    "{s} is completely dead for our team",
    "{s} down again?",
)
_CHATTER = (
    "really enjoying {s} lately",
    "moved the whole family over to {s} this weekend",
    "does {s} have a student discount?",
    "what do you all use {s} for?",
    "the new {s} design is growing on me",
    "wrote down how I set up {s} for my parents",
    "{s} shares rose again today",
    "comparing {s} with two others, will report",
)
_CAMPAIGN = (
    "share this so that {s} finally hears us: the service has been unusable for weeks and nobody there answers ({n})"
)
_HARD = (
    "remember when {s} went down and we all went outside",
    "if {s} ever crashed on release day I would cry",
)
_OPENERS = ("", "", "", "ugh", "hey all,", "so", "great,", "hm,", "again?", "folks,")
_CLOSERS = ("", "", "", "anyone?", "here in the north", "since lunch", "on wifi and mobile", "same for a friend", "wow")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--out", required=True, type=_FILE, help="Archive to write, .jsonl or .jsonl.gz.")
@click.option("--service", default="netflix", show_default=True, help="Service of the catalogue.")
@click.option("--start", default="2026-01-05", show_default=True, help="First day; taken back to its Monday.")
@click.option("--days", default=56, show_default=True, type=click.IntRange(1, 3660))
@click.option("--complaints", default=0.5, show_default=True, help="Complaints a minute outside outages.")
@click.option("--chatter", default=0.0, show_default=True, help="Other mentions a minute.")
@click.option("--level-sigma", default=0.3, show_default=True, help="Size of the level's wandering.")
@click.option("--daily-sigma", default=0.15, show_default=True, help="Size of a day's own level.")
@click.option("--repeats", default=0.0, show_default=True, help="Share of people who post again within minutes.")
@click.option("--virals", default=0.0, show_default=True, help="Surges of chatter a week.")
@click.option("--campaigns", default=0.0, show_default=True, help="Campaigns a week: few people or one copied text.")
@click.option("--deaf", default=0.0, show_default=True, help="Coverage faults a week, in which posts are lost.")
@click.option("--deaf-minutes", default=90.0, show_default=True)
@click.option("--calm-days", default=28.0, show_default=True, help="No outage before.")
@click.option("--every-hours", default=60.0, show_default=True, help="Mean distance of outages; 0 for none.")
@click.option("--outage-minutes", default=60.0, show_default=True)
@click.option(
    "--ratio", "ratios", multiple=True, type=float, help="Outages bring so many times the usual. [repeatable]"
)
@click.option(
    "--ramp", "ramps", multiple=True, type=float, help="Minutes until an outage is at its height. [repeatable]"
)
@click.option("--seed", default=0, show_default=True)
def command(
    out: Path, service: str, start: str, ratios: tuple[float, ...], ramps: tuple[float, ...], **drawn: Any
) -> None:
    """Write an archive of posts that nobody wrote, for `detector backfill --judge truth`.

    The same options give the same bytes. FILE.bursts.json lists the true outages, FILE.deaf.json the spans that were
    lost; both serve `detector evaluate-detection`.
    """
    from detector.config.catalogue import load_catalogue
    from detector.detect.simulate import Plan, simulate
    from detector.domain import parse_time
    from detector.errors import UsageError
    from detector.match.matcher import NameMatcher

    catalogue = load_catalogue()
    slug = NameMatcher(catalogue).resolve(service)
    name = next((one.name for one in catalogue if one.slug == slug), None)
    if slug is None or name is None:
        raise UsageError(f"--service: unknown: {service}; see `detector services`")
    try:
        begin = parse_time(start)
        drawn |= {"ratios": ratios} if ratios else {}
        drawn |= {"ramps": ramps} if ramps else {}
        plan = Plan(**drawn)
    except (ValueError, TypeError) as error:
        raise UsageError(f"simulate: {error}") from error
    begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    begin -= timedelta(days=begin.weekday())
    stream = simulate(plan)
    spoken = name.split(" (")[0]
    raw = "".join(json.dumps(line) + "\n" for line in lines(stream, begin, slug, spoken)).encode()
    try:
        out.write_bytes(gzip.compress(raw, 6, mtime=0) if out.suffix == ".gz" else raw)
        _write(out.with_name(out.name + ".bursts.json"), [_burst(outage, begin) for outage in stream.outages])
        if stream.deaf:
            spans = [{"from": _when(first, begin), "to": _when(last, begin)} for first, last in stream.deaf]
            _write(out.with_name(out.name + ".deaf.json"), spans)
    except OSError as error:
        raise UsageError(f"{out}: cannot write: {error.strerror}; choose another --out") from error
    click.echo(f"{out}: {len(stream.at):,} posts, {len(stream.outages)} outages", err=True)


def lines(stream: Stream, begin: datetime, slug: str, name: str) -> Iterator[dict[str, Any]]:
    """The posts as archive lines, with `truth` labels `complaint` and `other`."""
    from random import Random

    words = Random(f"words:{stream.plan.seed}")
    rows = zip(
        stream.at.tolist(),
        stream.complaint.tolist(),
        stream.author.tolist(),
        stream.copied.tolist(),
        stream.hard.tolist(),
        strict=True,
    )
    for number, (at, complaint, author, copied, hard) in enumerate(rows):
        when = _when(at, begin)
        if copied >= 0:
            text = _CAMPAIGN.format(s=name, n=f"appeal {copied}")
        else:
            text = _vary(_COMPLAINTS if complaint else _HARD if hard else _CHATTER, name, words)
        yield {
            "source": "simulated",
            "id": f"{slug}-{number}",
            "created_at": when,
            "seen_at": when,
            "author": f"{stream.plan.seed:x}-{author:x}",
            "text": text,
            "service": slug,
            "truth": "complaint" if complaint else "other",
        }


def _vary(wordings: tuple[str, ...], name: str, words: Random) -> str:
    parts = (words.choice(_OPENERS), words.choice(wordings).format(s=name), words.choice(_CLOSERS))
    return " ".join(part for part in parts if part)


def _burst(outage: Outage, begin: datetime) -> dict[str, Any]:
    return {
        "onset": _when(outage.onset, begin),
        "end": _when(outage.end, begin),
        "reports": outage.posts,
        "ratio": outage.ratio,
        "ramp": outage.ramp,
    }


def _when(minutes: float, begin: datetime) -> str:
    from detector.domain import format_time

    return format_time(begin + timedelta(minutes=minutes))


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
