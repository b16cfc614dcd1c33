"""F12: a change of the clocks, anywhere, changes nothing: what is stored and told is the same to the last byte."""

from __future__ import annotations

import json
from pathlib import Path

from tests.chaos.conftest import Nursery
from tests.chaos.lives import log
from tests.chaos.parts import size
from tests.chaos.test_kills import Table
from tests.chaos.zones import EDGES


def test_f12_a_change_of_the_clocks_changes_nothing(nursery: Nursery, tmp_path: Path, table: Table) -> None:
    """The same outage at the edge of summer time, seen from a machine in that zone and from one in UTC."""
    chosen = [(zone, edge) for zone, edges in EDGES.items() for edge in edges[: size(1, 2, 2)]]
    chosen = chosen[: size(1, len(chosen), len(chosen))]
    alerts = 0
    for number, (zone, edge) in enumerate(chosen):
        found = {}
        for where in ("UTC", zone):
            folder = tmp_path / f"{number}-{where.replace('/', '-')}"
            folder.mkdir()
            assert nursery.run("zoned", folder, zone=where, edge=edge.isoformat()) == 0, log(folder)
            found[where] = json.loads((folder / "zoned.json").read_text(encoding="utf-8"))
        assert found["UTC"].pop("local") == "00:00"
        assert found[zone].pop("local") != "00:00"  # the zone was really the system's
        assert found["UTC"] == found[zone], (zone, edge)
        assert int(found[zone]["count"]) > 0
        alerts += int(found[zone]["count"])
    table.append(
        ("F12 summer time", f"{len(chosen)} edges", f"{alerts} alerts; database and alerts identical to UTC's")
    )
