"""README's "A new collector in 30 lines": the code there is a collector, and two places are all it touches."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from detector import registry
from detector.collectors.context import CollectorContext
from detector.domain import format_time
from detector.errors import ConfigError
from detector.testing import check_collector, check_collector_failure
from tests.collectors.test_feeds import run
from tests.loopback import Loopback, Reply

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def blocks() -> tuple[str, str]:
    """The module and the line of `pyproject.toml`."""
    section = README.partition("<!-- collector -->")[2].partition("<!-- end collector -->")[0]
    (module,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (entry,) = re.findall(r"```ini\n(.*?)```", section, re.DOTALL)
    return module, entry


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module's `build`, imported from a file as it would be."""
    (tmp_path / "readme_lobsters.py").write_text(blocks()[0], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "readme_lobsters", raising=False)
    return importlib.import_module("readme_lobsters").build


def stories(*names: str, now: datetime = NOW) -> Reply:
    """What Lobsters answers."""
    return Reply(
        json.dumps(
            [
                {
                    "short_id": name,
                    "short_id_url": f"https://lobste.rs/s/{name}",
                    "created_at": format_time(now - timedelta(minutes=1 + n)),
                    "title": f"Claude is down, {name}",
                    "submitter_user": "adalovelace",
                }
                for n, name in enumerate(names)
            ]
        )
    )


def test_the_module_passes_the_conformance_suite(build: Any) -> None:
    """As ours do; nobody's name comes through."""

    async def go(context: CollectorContext) -> None:
        def make() -> Any:
            (made,) = build({"url": server.url}, context)
            return made

        harvest = await check_collector(make, now=NOW, names=("adalovelace",), at_least=2)
        assert [post.text for post in harvest.posts] == ["Claude is down, a1", "Claude is down, a2"]
        server.routes["/newest.json"] = stories("a3", "a1", "a2")
        (made,) = build({"url": server.url}, context)
        again = await made.poll(harvest.cursor, now=NOW)
        assert [post.id for post in again.posts] == ["a3"]

    with Loopback({"/newest.json": stories("a1", "a2")}) as server:
        run(go)


@pytest.mark.parametrize(
    "reply", [Reply("<html>"), Reply("{}x"), Reply('[{"a": 1}]'), Reply("[1]"), Reply("", status=503)]
)
def test_its_failures_are_typed(build: Any, reply: Reply) -> None:
    """Whatever comes instead of stories."""
    with Loopback({"/newest.json": reply}) as server:
        run(lambda context: check_collector_failure(lambda: build({"url": server.url}, context)[0], now=NOW))


def test_its_settings_are_checked(build: Any) -> None:
    """Every mistake is named."""

    async def wrong(context: CollectorContext) -> None:
        build({"url": "ftp://x", "colour": 1}, context)

    with pytest.raises(ConfigError) as caught:
        run(wrong)
    assert len(caught.value.problems) == 2


def test_it_takes_thirty_lines_and_two_places() -> None:
    """Lines with code in them; a module, and an entry point that names it."""
    module, entry = blocks()
    code = [
        line for line in module.splitlines() if line.strip() and not line.lstrip().startswith(('"""', "from ", "#"))
    ]
    points = tomllib.loads(entry)["project"]["entry-points"]["detector.collectors"]

    assert len(code) <= 30
    assert points == {"lobsters": "detector.collectors.lobsters:build"}


@pytest.mark.slow
def test_the_command_line_finds_it_once_it_is_registered(tmp_path: Path) -> None:
    """The entry point as an installed package has it: `detector sources test lobsters` asks it."""
    module, entry = blocks()
    (tmp_path / "readme_lobsters.py").write_text(
        # Loopback is private; the file in the repository would need no such word.
        module.replace("session.get(f", "session.get(allow_private=True, url=f"),
        encoding="utf-8",
    )
    info = tmp_path / "readme_lobsters-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: readme-lobsters\nVersion: 1\n", encoding="utf-8")
    target = tomllib.loads(entry)["project"]["entry-points"]["detector.collectors"]["lobsters"]
    (info / "entry_points.txt").write_text(
        f"[detector.collectors]\nlobsters = {target.replace('detector.collectors.lobsters', 'readme_lobsters')}\n",
        encoding="utf-8",
    )
    from detector.app.clock import system_now

    with Loopback({"/newest.json": stories("a1", now=system_now())}) as server:
        (tmp_path / "detector.toml").write_text(f'[sources.lobsters]\nurl = "{server.url}"\n', encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "detector", "sources", "test", "lobsters"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 0, done.stderr
    assert "lobsters: 1 posts" in done.stdout
    assert "Claude is down, a1  [claude]" in done.stdout


@pytest.mark.parametrize("name", registry.names("collectors"))
def test_every_source_has_its_key_cost_limits_and_terms_in_the_readme(name: str) -> None:
    """One row of the table, five cells, none empty."""
    rows = [line for line in README.splitlines() if line.startswith("| ") and f"`{name}`" in line.split("|")[1]]

    (row,) = (line for line in rows if line.count("|") == 6)
    assert all(cell.strip() for cell in row.split("|")[1:-1])
