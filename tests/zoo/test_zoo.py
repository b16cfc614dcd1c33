"""A short visit to the zoo: every source at once, faults among the answers, and everything accounted for."""

from __future__ import annotations

import os

import pytest

from tests.zoo.animals import SERVED, StackExchange, X
from tests.zoo.run import FLOOD, slope, visit

# A person's `pytest` takes a short look, `make check` a minute, `make zoo` half an hour.
SECONDS = float(os.environ.get("ZOO_SECONDS", "8"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_post_that_was_shown_is_accounted_for() -> None:
    """Shown = stored + in a noted gap; nothing twice, nothing that should not be, the daemon's counters agree."""
    # Those two are asked once or twice a minute, which a short look would only wait for.
    kinds = SERVED if SECONDS >= 60 else [kind for kind in SERVED if kind not in {StackExchange, X}]

    found = visit(SECONDS / 60, share=0.15, kinds=kinds)

    assert found.right, f"{found.table()}\n{found.said[-3000:]}"
    assert "Traceback" not in found.said
    by_source = {each.source: each for each in found.sums}
    assert len(by_source) == len(kinds) + 2
    assert sum(each.stored for each in found.sums) > 100
    assert sum(each.faults for each in found.sums) > 0
    # More at once than Reddit shows: the rest is written down as a gap, to the post.
    assert by_source["reddit"].gap >= FLOOD - 1000
    assert found.gaps >= 1
    # A page that cannot be read is unknown, and the others are read all the same.
    assert {"operational", "unknown"} <= set(found.pages)


def test_the_slope_of_a_line_is_its_slope() -> None:
    """In MB an hour; of too few points it is none."""
    assert slope([(0.0, 100.0)]) == 0.0
    assert slope([(n * 60.0, 100.0 + n) for n in range(30)]) == pytest.approx(60.0)
