"""Scores of a replay: what counts as found, how late, how many false, and what chance would have given."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from scipy.stats import chi2, poisson

from detector.backfill.evaluate_detection import (
    Burst,
    Span,
    against_bursts,
    against_record,
    poisson_interval,
    wilson,
)
from detector.backfill.pairing import outages
from detector.cli import cli
from detector.domain import Incident
from tests.builders import START, at

SHARED = Path(__file__).resolve().parents[3] / "shared" / "tools" / "score_alerts.py"


def span(start: float, end: float | None = None, service: str = "slack") -> Span:
    return Span(start=at(start), end=None if end is None else at(end), service=service)


def burst(onset: float, end: float, service: str = "") -> Burst:
    return Burst(onset=at(onset), end=at(end), service=service)


@pytest.mark.parametrize(
    ("alert", "found"),
    [
        pytest.param(span(-21, -10), False, id="over before it began"),
        pytest.param(span(-20, 5), True, id="twenty minutes early"),
        pytest.param(span(0, 30), True, id="at the onset"),
        pytest.param(span(60, 90), True, id="at its end"),
        pytest.param(span(61, 90), False, id="after its end"),
        pytest.param(span(-700, 10), True, id="open since less than 12 hours"),
        pytest.param(span(-700, None), True, id="open and never closed"),
        pytest.param(span(-721, 10), False, id="latched for longer than 12 hours"),
    ],
)
def test_what_finds_a_burst(alert: Span, found: bool) -> None:
    """An alert finds a burst from 20 minutes before its onset to its end, or if it is open and not stale."""
    assert against_bursts([alert], [burst(0, 60)], 1.0)["detected"] == found


def test_delay_is_never_negative_and_counts_the_first_alert() -> None:
    """An early alert has no delay; of several the first counts."""
    found = against_bursts([span(-5, 20), span(25, 50), span(1007, 1050)], [burst(0, 60), burst(1000, 1060)], 1.0)

    assert (found["delay_median"], found["delay_p90"]) == (3.5, 0.0)
    assert found["recall"] == 1.0


def test_an_alert_within_an_hour_of_a_burst_is_not_held_against_us() -> None:
    """Only alerts farther from every burst are unmatched, each with the months' interval."""
    found = against_bursts([span(-60), span(120), span(121), span(-61)], [burst(0, 60)], 2.0)

    assert found["unmatched"] == 2
    assert found["unmatched_per_month"] == 1.0
    assert found["unmatched_per_month_95"] == [0.121, 3.612]


def test_an_alert_on_another_service_finds_nothing() -> None:
    """A burst that names a service is that service's."""
    found = against_bursts([span(5, 30, "zoom")], [burst(0, 60, "slack")], 1.0)

    assert (found["detected"], found["unmatched"]) == (0, 1)


def test_a_latched_alert_shows_in_the_open_share() -> None:
    """An alert without an end lasts to the last burst's end."""
    found = against_bursts([span(0, None)], [burst(0, 60), burst(43_740, 43_800)], 1.0)

    assert found["open_share"] == 1.0
    assert found["burst_share"] == pytest.approx(2 / 730, abs=1e-4)


def test_chance_is_what_random_alerts_would_score() -> None:
    """With bursts over a tenth of the time an alert hits one by chance in a tenth of the cases."""
    bursts = [burst(i * 1460.0, i * 1460.0 + 26.0) for i in range(30)]

    found = against_bursts([span(100), span(200)], bursts, 1.0)

    assert found["chance_hit"] == pytest.approx(30 * 146 / 43_800, abs=0.001)
    assert found["chance_recall"] == pytest.approx(1 - (1 - 46 / 43_800) ** 2, abs=1e-4)


def test_without_alerts_or_bursts_the_figures_are_honest() -> None:
    """Nothing found of nothing is no recall at all, and no alerts have no chance rate."""
    found = against_bursts([], [], 1.0)

    assert found["recall"] is None
    assert found["delay_median"] is None
    assert found["chance_hit"] is None
    assert found["unmatched_per_month_95"] == [0.0, 3.689]


def incident(posted: float, resolved: float, service: str = "slack") -> Incident:
    return Incident(
        service=service,
        id=f"{service}{posted}",
        title="Trouble",
        impact=None,
        first_posted_at=at(posted),
        resolved_at=at(resolved),
        url=None,
    )


def test_leads_are_measured_against_the_first_official_post() -> None:
    """Positive is ahead; an alert more than an hour before speaks of something else."""
    record = outages([incident(0, 90), incident(30, 100), incident(1000, 1060), incident(5000, 5060, "zoom")])

    found = against_record([span(-12), span(1030), span(4930, None, "zoom")], record, 1.0)

    assert (found["outages"], found["detected"], found["ahead"], found["unmatched"]) == (3, 2, 1, 1)
    assert found["lead_median"] == -9.0


@pytest.mark.parametrize("count", [0, 1, 3, 25, 400, 900])
def test_poisson_intervals_are_exact(count: int) -> None:
    """Garwood's interval equals the chi-squared quantiles, and covers."""
    low, high = poisson_interval(count)

    assert low == pytest.approx(chi2.ppf(0.025, 2 * count) / 2 if count else 0.0, rel=1e-6)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2, rel=1e-6)
    assert poisson.cdf(count, high) == pytest.approx(0.025, rel=1e-4)


def test_wilson_stays_within_zero_and_one() -> None:
    """Also at the ends, where the textbook interval has no width."""
    assert wilson(5, 5)[1] == 1.0
    assert 0.5 < wilson(5, 5)[0] < 0.6
    assert wilson(0, 5) == pytest.approx((0.0, 1 - wilson(5, 5)[0]))


def write(folder: Path) -> tuple[Path, Path]:
    """A replay's alerts, with a watch among them, and bursts."""
    rows = [
        {"service": "slack", "level": "alert", "fired_at": _text(3), "ended_at": _text(50)},
        {"service": "slack", "level": "watch", "fired_at": _text(900), "ended_at": _text(950)},
        {"service": "slack", "level": "major", "fired_at": _text(3000), "ended_at": None},
        {"service": "zoom", "level": "alert", "fired_at": _text(5000), "ended_at": _text(5050)},
    ]
    alerts, bursts = folder / "alerts.jsonl", folder / "bursts.json"
    alerts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    bursts.write_text(
        json.dumps([{"onset": _text(0), "end": _text(60)}, {"onset": _text(9000), "end": _text(9100), "reports": 5}])
    )
    return alerts, bursts


def _text(minute: float) -> str:
    return (START + timedelta(minutes=minute)).isoformat()


def test_the_command_prints_words_or_json(tmp_path: Path) -> None:
    """Watches are no alerts; --service and --after leave rows out."""
    alerts, bursts = write(tmp_path)
    common = ["evaluate-detection", str(alerts), "--bursts", str(bursts), "--months", "2"]

    words = CliRunner().invoke(cli, common)
    told = CliRunner().invoke(cli, [*common, "--json", "--service", "slack"])
    later = CliRunner().invoke(cli, [*common, "--json", "--after", "2026-01-06"])

    assert "| true outages, found | 2, 1 |" in words.output
    assert json.loads(told.output)["alerts"] == 2
    assert json.loads(later.output)["bursts"] == 1


def test_the_months_come_from_the_replays_summary(tmp_path: Path) -> None:
    """`detector backfill` wrote it beside the alerts; without it the command asks."""
    alerts, bursts = write(tmp_path)
    asked = ["evaluate-detection", str(alerts), "--bursts", str(bursts), "--json"]

    lacking = CliRunner().invoke(cli, asked)
    (tmp_path / "summary.json").write_text('{"service_months": 4.0}')
    given = CliRunner().invoke(cli, asked)

    assert lacking.exit_code == 2
    assert "--months" in lacking.output
    assert json.loads(given.output)["months"] == 4.0


def test_official_outages_outside_the_replay_do_not_count(tmp_path: Path) -> None:
    """The summary says what was covered; an outage of another year cannot have been found."""
    alerts, _ = write(tmp_path)
    rows = [
        {
            "service": "slack",
            "id": str(n),
            "title": "Trouble",
            "first_posted_at": _text(n),
            "resolved_at": _text(n + 60),
        }
        for n in (10, 5_000, 900_000)
    ]
    record = tmp_path / "official.jsonl"
    record.write_text("".join(json.dumps(row) + "\n" for row in rows))
    summary = {"service_months": 1.0, "from": _text(0), "to": _text(10_000)}
    (tmp_path / "summary.json").write_text(json.dumps(summary))

    done = CliRunner().invoke(
        cli, ["evaluate-detection", str(alerts), "--incidents", str(record), "--service", "slack", "--json"]
    )

    official = json.loads(done.stdout)["official"]
    assert (official["outages"], official["detected"], official["lead_median"]) == (2, 1, 7.0)


@pytest.mark.parametrize(("name", "text"), [("alerts.jsonl", '{"x": 1}\n'), ("bursts.json", "[1]")])
def test_a_wrong_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    """The error says which file, and the exit code is that of wrong use."""
    alerts, bursts = write(tmp_path)
    (tmp_path / name).write_text(text)

    done = CliRunner().invoke(cli, ["evaluate-detection", str(alerts), "--bursts", str(bursts), "--months", "1"])

    assert done.exit_code == 2
    assert name in done.output


@pytest.mark.shared
def test_the_figures_equal_those_of_the_shared_tool(tmp_path: Path) -> None:
    """Same definitions as ../shared/tools/score_alerts.py."""
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not here")
    alerts, bursts = write(tmp_path)
    common = [str(alerts), str(bursts), "--service", "slack", "--months", "2", "--warmup", "2020-01-01"]

    theirs = json.loads(
        subprocess.run([sys.executable, str(SHARED), *common], check=True, capture_output=True, text=True).stdout
    )
    ours = json.loads(
        CliRunner()
        .invoke(
            cli,
            [
                "evaluate-detection",
                *common[:1],
                "--bursts",
                str(bursts),
                "--service",
                "slack",
                "--months",
                "2",
                "--json",
            ],
        )
        .output
    )

    assert {name: ours[name] for name in theirs} == theirs
