"""The page beside the daemon: only where it is wanted, and never open to other machines without a token."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.app.build import blueprint
from detector.app.clock import SystemClock
from detector.app.embed import TOKEN, page_beside
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.errors import ConfigError
from detector.store import Store

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


async def _beside(web: dict[str, object], env: dict[str, str], path: Path) -> bool:
    plan = blueprint(Settings.model_validate({"watch": {"services": ["claude"]}, "web": web}), load_catalogue())
    with Store.open(path, now=NOW) as store:
        async with page_beside(plan, store, SystemClock(), env):
            return True


def test_a_page_that_others_could_reach_needs_a_token(tmp_path: Path) -> None:
    """None, a short one, and none needed because there is no page."""
    everywhere = {"enabled": True, "host": "0.0.0.0", "port": 0}  # noqa: S104 - that is the question

    for env in ({}, {TOKEN: "short"}):
        with pytest.raises(ConfigError, match=TOKEN):
            asyncio.run(_beside(everywhere, env, tmp_path / "d.db"))
    assert asyncio.run(_beside({**everywhere, "enabled": False}, {}, tmp_path / "d.db"))
