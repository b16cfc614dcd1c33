"""The API against its own document: whatever the document allows is asked, and every answer is as documented.

`API_CASES=5000 pytest tests/web/test_schema.py` (`make api-cases`) asks that many; the default keeps CI quick.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from detector.app.page import writer
from detector.store import open_reader
from detector.web import create_app
from detector.web.openapi import document
from tests.web.conftest import Site, serving
from tests.web.town import Town

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis (pip install -e '.[dev]')")

TOKEN = "t" * 43
SCHEMA = schemathesis.openapi.from_dict(document())
# A stream never ends, so that no test can wait for its answer; tests/web/test_live.py has it.
OPERATIONS = {
    f"{found.ok().method.upper()} {found.ok().path}": found.ok()
    for found in SCHEMA.get_all_operations()
    if found.ok().path != "/events"
}
EACH = max(int(os.environ.get("API_CASES", 16 * len(OPERATIONS))) // (2 * len(OPERATIONS)), 1)


@pytest.fixture(scope="module")
def site(place: Town) -> Iterator[Site]:
    """A page that asks for a token, and writes."""
    app = create_app(lambda: open_reader(place.path), around=place.around(), act=writer(place.store), token=TOKEN)
    yield from serving(app, place)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_is_as_documented(name: str, mode: Any, site: Site) -> None:
    """What the document allows, and what it forbids: no server error, only the kinds and shapes that it promises."""
    operation = OPERATIONS[name]
    seen: list[int] = []

    @settings(max_examples=EACH, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(base_url=site.address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
        seen.append(answer.status_code)
        assert answer.status_code < 500, case.as_curl_command()
        known = operation.definition.raw["responses"]
        if str(answer.status_code) in known:
            kinds = known[str(answer.status_code)].get("content", {})
            assert answer.headers["content-type"][0].partition(";")[0] in kinds
            if "application/json" in kinds:
                operation.validate_response(answer)
        else:
            # What the guard refuses whatever the address, and addresses that another route's slash made.
            assert answer.status_code in {404, 405, 413, 414, 431}, case.as_curl_command()

    try:
        ask()
    except Unsatisfiable:
        assert mode is schemathesis.GenerationMode.NEGATIVE, "an address without parameters has nothing to get wrong"
        return
    assert seen
