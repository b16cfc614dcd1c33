"""`detector tune`: more budget, earlier and more false alarms; judged once; as a table and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from detector.backfill import tune
from detector.backfill.drawing import tradeoff
from detector.cli import cli


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks of one service with outages of two sizes."""
    path = tmp_path_factory.mktemp("tune") / "s.jsonl"
    arguments = ["--service", "netflix", "--days", "28", "--calm-days", "10", "--complaints", "0.03", "--seed", "3"]
    more = ["--chatter", "0.02", "--every-hours", "30", "--ratio", "10", "--ratio", "40"]
    done = CliRunner().invoke(cli, ["simulate", "--out", str(path), *arguments, *more])
    assert done.exit_code == 0, done.output
    return path


def tuned(path: Path, out: Path, *more: str) -> Result:
    """The command over the simulated archive."""
    base = ["tune", str(path), "--judge", "truth", "--services", "netflix", "--out", str(out), "--quiet"]
    return CliRunner().invoke(cli, [*base, *more])


def test_more_budget_finds_sooner_and_errs_more(simulated: Path, tmp_path: Path) -> None:
    """Along the sweep the median delay never grows much and the alerts never get fewer; the posts are judged once."""
    bursts = ["--bursts", f"{simulated}.bursts.json"]
    done = tuned(simulated, tmp_path / "a", *bursts, "--budgets", "1/day,0.1/year,1/month", "--json")
    again = tuned(simulated, tmp_path / "b", *bursts, "--budgets", "1/month")

    assert done.exit_code == again.exit_code == 0, done.output
    points = json.loads(done.stdout)
    assert [point["budget"] for point in points] == ["0.1/year", "1/month", "1/day"]
    assert points[0]["alerts"] <= points[1]["alerts"] < points[2]["alerts"]
    assert points[0]["found"] <= points[2]["found"]
    assert points[0]["delay"] >= points[2]["delay"]
    assert points[0]["false_per_year"] < points[2]["false_per_year"]
    assert all(point["false_95"][0] <= point["false_per_year"] <= point["false_95"][1] for point in points)
    assert f"| 1/month | {points[1]['alerts']} | {points[1]['found']} of {points[1]['outages']} |" in again.stdout
    assert not (tmp_path / "a" / ".work").exists()


def test_the_picture_shows_every_budget(simulated: Path, tmp_path: Path) -> None:
    """One point and one label a budget, inside the frame, and the same bytes each time."""
    bursts = ["--bursts", f"{simulated}.bursts.json", "--budgets", "1/year,1/month,1/day"]
    pictures = []
    for name in ("a", "b"):
        assert tuned(simulated, tmp_path / name, *bursts).exit_code == 0
        pictures.append((tmp_path / name / "tune.svg").read_bytes())

    root = ET.fromstring(pictures[0])  # noqa: S314 - our own file
    space = {"s": "http://www.w3.org/2000/svg"}
    labels = [text.text or "" for text in root.findall("s:text", space)]
    assert pictures[0] == pictures[1]
    assert len(root.findall("s:circle", space)) == 3
    for budget in ("1/year", "1/month", "1/day"):
        assert any(label.startswith(budget) for label in labels)
    for circle in root.findall("s:circle", space):
        assert 0 <= float(circle.get("cx", "-1")) <= 360
        assert 0 <= float(circle.get("cy", "-1")) <= 190


def test_the_official_record_is_a_truth_too(simulated: Path, tmp_path: Path) -> None:
    """With `--incidents` the delay is counted from the first official post, and may lie before it."""
    bursts = json.loads(Path(f"{simulated}.bursts.json").read_text())
    record = tmp_path / "official.jsonl"
    record.write_text(
        "".join(
            json.dumps(
                {"service": "netflix", "id": str(n), "title": "x", "impact": "major", "first_posted_at": burst["end"]}
            )
            + "\n"
            for n, burst in enumerate(bursts)
        )
    )

    done = tuned(simulated, tmp_path / "out", "--incidents", str(record), "--budgets", "1/month", "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["delay"] < 0


@pytest.mark.parametrize(
    ("more", "says"),
    [([], "--incidents FILE or --bursts FILE"), (["--bursts", "x.json"], "x.json"), (["--budgets", "often"], "")],
)
def test_what_is_missing_or_wrong_is_said(simulated: Path, tmp_path: Path, more: list[str], says: str) -> None:
    """Without a truth there is nothing to tune for; a file that is none and a budget that is none are named."""
    done = tuned(simulated, tmp_path / "out", *more)

    assert done.exit_code == 2
    assert says in done.stderr


def test_a_sweep_that_finds_nothing_is_drawn_and_written() -> None:
    """No outage, no alert: the table says so and the picture stands."""
    nothing = tune.Point(
        budget="1/year", alerts=0, outages=0, found=0, delay=None, false_per_year=0.0, false_95=(0.0, 3.7)
    )

    assert "none found" in tune.table([nothing], official=False)[-1]
    assert "nothing found" in tune.picture([nothing], official=False)


def test_points_without_false_alarms_stand_at_the_left() -> None:
    """A logarithm of nothing is not drawn at minus infinity."""
    drawn = tradeoff([(0.0, 5.0, "few"), (10.0, 2.0, "many")], label="l", across="x", up="y")

    assert 'cx="34"' in drawn
    assert "nan" not in drawn
    assert "inf" not in drawn
