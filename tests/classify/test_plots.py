"""The reliability diagram and the precision-recall curve."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # of our own pictures
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from detector.classify.plots import binned, precision_recall_svg, reliability_svg
from detector.cli import cli
from tests.classify.conftest import own_labels

SVG = "{http://www.w3.org/2000/svg}"


def _read(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own


def test_a_dot_stands_at_what_was_claimed_and_what_was_true() -> None:
    """Calibrated scores lie on the diagonal; the picture is well-formed and named."""
    random = np.random.default_rng(1)
    score = random.random(20_000) ** 3
    truth = random.random(20_000) < score

    drawn = _read(reliability_svg(truth, score, title="a < b"))

    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in drawn.iter(f"{SVG}circle")]
    assert len(dots) == len(binned(truth, score)) == 9
    assert all(abs((x - 46) / 360 - (1 - (y - 34) / 360)) < 0.03 for x, y in dots)
    assert drawn.attrib["aria-label"] == "a < b"


def test_a_perfect_ranking_reaches_the_corner() -> None:
    """Precision 1 at recall 1; without a positive there is no curve."""
    truth, score = np.array([True, True, False]), np.array([0.9, 0.6, 0.1])

    drawn = _read(precision_recall_svg(truth, score, title="model"))

    line = drawn.find(f"{SVG}polyline")
    assert line is not None
    assert line.attrib["points"].split()[1] == "406.0,34.0"
    assert "AP 1.000" in drawn.attrib["aria-label"]
    assert _read(precision_recall_svg(~truth & truth, score, title="m")).find(f"{SVG}polyline") is None


def test_evaluate_writes_both_and_counts_what_it_cannot_read(trained: Path, tmp_path: Path) -> None:
    """`--plots` leaves two SVG files; a post in another script is answered and counted."""
    labels = tmp_path / "labels.jsonl"
    foreign = '{"source": "own", "id": "own-x", "text": "スラックが落ちてる", "label": "other"}\n'
    labels.write_text(own_labels().read_text(encoding="utf-8") + foreign, encoding="utf-8")
    args = ["evaluate", "--labels", str(labels), "--model", str(trained), "--plots", str(tmp_path / "plots")]

    found = CliRunner().invoke(cli, args)

    assert found.exit_code == 0, found.output
    assert "1 posts in a script it does not read" in found.output
    for name in ("reliability", "precision-recall"):
        _read((tmp_path / "plots" / f"{name}.svg").read_text(encoding="utf-8"))
