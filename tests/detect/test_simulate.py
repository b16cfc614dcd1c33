"""A simulated stream is what its plan says, the same each time, and its archive replays to its own outages."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from detector.cli import cli
from detector.detect.simulate import DAY, Plan, Stream, simulate


def rate(stream: Stream, start: float, end: float) -> float:
    """Complaints a minute in a span."""
    inside = (stream.at >= start) & (stream.at < end) & stream.complaint
    return float(inside.sum()) / (end - start)


def test_equal_plans_give_equal_streams_and_another_seed_another() -> None:
    """A stream is a function of its plan."""
    plan = Plan(seed=3, days=14, chatter=0.2, virals=2, campaigns=2, repeats=0.2, deaf=1, every_hours=30, calm_days=7)

    one, two, other = simulate(plan), simulate(plan), simulate(Plan(seed=4, days=14))

    assert np.array_equal(one.at, two.at)
    assert np.array_equal(one.author, two.author)
    assert one.outages == two.outages
    assert len(other.at) != len(one.at)


@pytest.mark.parametrize("volume", [0.05, 0.5, 5.0])
def test_the_mean_rate_is_the_plans(volume: float) -> None:
    """Over many weeks and seeds the rhythm and the level average out."""
    streams = [simulate(Plan(seed=seed, days=56, complaints=volume)) for seed in range(3)]

    mean = sum(len(stream.at) for stream in streams) / (3 * 56 * DAY)

    assert mean == pytest.approx(volume, rel=0.15)


def test_counts_are_overdispersed_and_correlated() -> None:
    """The level makes hours vary more than Poisson, and neighbours alike; without it they do not."""
    rough = simulate(Plan(seed=1, days=56, complaints=2.0))
    plain = simulate(Plan(seed=1, days=56, complaints=2.0, level_sigma=0.0, daily_sigma=0.0))

    def spread(stream: Stream) -> float:
        hours = np.bincount((stream.at // 60).astype(int), minlength=56 * 24)[: 56 * 24]
        means = stream.usual.reshape(-1, 60).sum(1)
        return float((((hours - means) ** 2 - means) / means**2).mean())

    assert spread(plain) == pytest.approx(0.0, abs=0.01)
    assert 0.05 < spread(rough) < 0.25


def test_an_outage_brings_its_ratio_after_its_ramp() -> None:
    """Between ramp and end complaints run at the stated multiple of the hidden rate, and at once stop with it."""
    stream = simulate(Plan(seed=2, days=21, complaints=2.0, calm_days=7, every_hours=24, ratios=(30.0,), ramps=(3.0,)))

    for outage in stream.outages:
        start, end = outage.onset + 4, outage.end
        usual = float(stream.rate[int(start) : int(end)].mean())
        assert rate(stream, start, end) / usual == pytest.approx(30.0, rel=0.2)
        assert rate(stream, end, end + 60) / usual < 5.0
    assert len(stream.outages) >= 10
    assert all(outage.onset >= 7 * DAY for outage in stream.outages)


def test_a_deaf_span_holds_no_posts() -> None:
    """What the collector lost is not in the stream, and the stream says so."""
    stream = simulate(Plan(seed=5, days=28, complaints=2.0, deaf=2, deaf_minutes=90))

    assert len(stream.deaf) >= 2
    for start, end in stream.deaf:
        assert end - start == 90
        assert not ((stream.at >= start) & (stream.at < end)).any()


def test_virals_bring_chatter_and_no_complaints() -> None:
    """Without usual chatter every post that does not complain is a viral's."""
    stream = simulate(Plan(seed=6, days=28, complaints=0.1, virals=2))

    chatter = stream.at[~stream.complaint]

    assert len(chatter) > 100
    assert np.diff(np.quantile(chatter, [0.0, 1.0])) > DAY
    assert stream.complaint.sum() < 0.2 * 28 * DAY


def test_campaigns_are_few_authors_or_one_text() -> None:
    """A campaign is 20 posts of 4 authors, or 12 posts of one text."""
    stream = simulate(Plan(seed=8, days=56, complaints=0.01, campaigns=3))

    texts = np.unique(stream.copied[stream.copied >= 0], return_counts=True)[1]
    _, posts = np.unique(stream.author, return_counts=True)

    assert len(texts) >= 2
    assert set(texts.tolist()) == {12}
    assert (posts == 5).sum() % 4 == 0
    assert (posts == 5).any()


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"complaints": 0.0}, {"every_hours": 1.0}, {"ratios": (1.0,)}, {"ramps": (0.0,)}]
)
def test_an_impossible_plan_is_refused(wrong: dict[str, Any]) -> None:
    """A plan is checked when it is made."""
    with pytest.raises(ValueError, match=r"must be|needs"):
        Plan(**wrong)


def test_the_command_writes_the_same_archive_twice(tmp_path: Path) -> None:
    """Equal options, equal bytes, plain or compressed; the truth lies beside it."""
    arguments = ["--days", "9", "--calm-days", "7", "--every-hours", "12", "--chatter", "0.2", "--deaf", "3"]
    arguments += ["--complaints", "0.2", "--campaigns", "3", "--virals", "3", "--seed", "7"]

    for name in ("a.jsonl", "b.jsonl", "c.jsonl.gz"):
        done = CliRunner().invoke(cli, ["simulate", "--out", str(tmp_path / name), *arguments])
        assert done.exit_code == 0, done.output

    raw = (tmp_path / "a.jsonl").read_bytes()
    assert raw == (tmp_path / "b.jsonl").read_bytes()
    assert raw == gzip.decompress((tmp_path / "c.jsonl.gz").read_bytes())
    rows = [json.loads(line) for line in raw.splitlines()]
    assert {row["truth"] for row in rows} == {"complaint", "other"}
    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)
    bursts = json.loads((tmp_path / "a.jsonl.bursts.json").read_text())
    assert bursts
    assert all(burst["onset"] < burst["end"] for burst in bursts)
    assert json.loads((tmp_path / "a.jsonl.deaf.json").read_text())


def test_the_archive_replays_to_its_own_outages(tmp_path: Path) -> None:
    """simulate, backfill and evaluate-detection speak the same language, and loud outages are found."""
    archive, out = tmp_path / "s.jsonl", tmp_path / "out"
    arguments = ["--service", "slack", "--days", "14", "--calm-days", "7", "--complaints", "0.1", "--every-hours", "30"]
    steps = (
        ["simulate", "--out", str(archive), *arguments, "--ratio", "100", "--seed", "2"],
        ["backfill", str(archive), "--judge", "truth", "--services", "slack", "--out", str(out), "--quiet"],
        ["evaluate-detection", str(out / "alerts.jsonl"), "--bursts", f"{archive}.bursts.json", "--json"],
    )

    for step in steps:
        done = CliRunner().invoke(cli, step)
        assert done.exit_code == 0, done.output

    found = json.loads(done.stdout)
    assert found["bursts"] >= 4
    assert found["recall"] == 1.0
    assert found["delay_median"] < 6.0


def test_an_unknown_service_is_a_usage_error(tmp_path: Path) -> None:
    """The message names it and says where the known ones are."""
    done = CliRunner().invoke(cli, ["simulate", "--out", str(tmp_path / "x.jsonl"), "--service", "nosuchthing"])

    assert done.exit_code == 2
    assert "nosuchthing" in done.output
    assert "detector services" in done.output
