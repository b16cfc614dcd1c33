"""River's drift detectors as rivals, where river is installed: `pip install river` beside the bench, no dependency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.bench.detect_ours import MONTH, Found
from tests.bench.detect_rivals import Series, bins, found_by, raised, spread_out, stored

if TYPE_CHECKING:
    from tests.bench.detect_rivals import Floats


def river_detectors(calm: Sequence[Series], true: Sequence[Series], first: int) -> dict[str, tuple[float, list[Found]]]:
    """River's drift detectors (BSD), where river is installed; it is no dependency of ours.

    They restart after each alarm, so the setting itself is searched: PageHinkley's threshold, ADWIN's ln(1/delta).
    """
    try:
        drift: Any = import_module("river.drift")
    except ImportError:
        return {}
    months = sum((len(one.counts) - first) / MONTH for one in calm)
    made: dict[str, tuple[Callable[[float], Any], tuple[float, float]]] = {
        "river PageHinkley, 5 min": (lambda h: drift.PageHinkley(mode="up", threshold=h), (3.0, 5000.0)),
        "river ADWIN, 5 min": (lambda h: drift.ADWIN(delta=float(np.exp(-h)), clock=1), (3.0, 700.0)),
    }
    found: dict[str, tuple[float, list[Found]]] = {}
    for name, (build, bounds) in made.items():
        low, high = bounds
        for _ in range(8):
            middle = (low * high) ** 0.5
            alarms = sum(raised(_alarms(build(middle), one)[first:], 0.5) for one in calm)
            low, high = (low, middle) if alarms <= months else (middle, high)
        rows = [row for one in true for row in found_by(partial(stored, _alarms(build(high), one)), one.stream, 0.5)]
        found[name] = (high, rows)
    return found


def _alarms(chart: Any, one: Series) -> Floats:
    """1 where a drift upwards is called, on 5-minute counts over their usual mean."""
    x = bins(one.counts, 5) / np.maximum(bins(one.usual, 5), 0.05)
    found = np.zeros(len(x))
    for i, value in enumerate(x.tolist()):
        before = getattr(chart, "estimation", 0.0)
        chart.update(value)
        if chart.drift_detected and getattr(chart, "estimation", 1.0) > before:
            found[i] = 1.0
    return spread_out(found, 5, len(one.counts))
