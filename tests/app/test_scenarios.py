"""The afternoon on which a cloud fails: the root is named first, five services are its children, a joke is a joke."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache

import pytest

from detector.app.build import blueprint
from detector.app.demo import run_demo
from detector.app.scenario import load_scenario, quiet_weeks
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.domain import MINUTE, Alert, Level, parse_time
from detector.store import open_reader

NAME = "cloud-tuesday"
CHILDREN = ("coinbase", "notion", "slack", "twitch", "vercel")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[Alert]]:
    """What the demo says, and the alerts in its database."""
    folder = tmp_path_factory.mktemp("cloud")
    lines: list[str] = []
    asyncio.run(run_demo(load_scenario(NAME), folder, lines.append, speed=None))
    with open_reader(folder / "demo.db") as reader:
        alerts = [alert for alert in reader.alerts() if alert.level is not Level.WATCH]
    return lines, sorted(alerts, key=lambda alert: alert.fired_at or alert.watch_at)


@cache
def names() -> dict[str, str]:
    return {service.slug: service.name for service in load_catalogue()}


def messages(lines: Sequence[str]) -> list[str]:
    """What arrived in Slack, without the quotes of what people wrote, one text a message."""
    found: list[list[str]] = []
    for line in lines:
        if "┌─ Slack" in line:
            found.append([])
        elif line.startswith("    │ ") and found and "“" not in line:
            found[-1].append(line)
    return ["\n".join(each) for each in found]


def test_the_afternoon_is_as_described() -> None:
    """A Tuesday, ninety minutes, some 300 posts, no text twice, the page more than half an hour late."""
    scenario = load_scenario(NAME)
    posted = parse_time(scenario.documents[1]["incidents"]["incidents"][0]["created_at"])
    first = next(each for each in scenario.posts if "us-east-1 is throwing" in each.text)

    assert scenario.starts_at.weekday() == 1
    assert 85 <= (scenario.last_at - scenario.starts_at) / MINUTE <= 95
    assert 270 <= len(scenario.posts) <= 330
    assert len({each.text for each in scenario.posts}) == len(scenario.posts)
    assert len({each.author for each in scenario.posts}) == len(scenario.posts)
    assert 30 <= (posted - first.created_at) / MINUTE <= 45
    assert sum(1 for _ in quiet_weeks(scenario.rule, until=scenario.starts_at)) > 3000


def test_the_children_run_on_the_cloud_by_the_catalogue() -> None:
    """And all of them are watched, with the bystander and the one that is joked about."""
    scenario = load_scenario(NAME)
    plan = blueprint(Settings.model_validate({"watch": {"services": scenario.watched}}), load_catalogue())
    watched = {service.slug: service for service in plan.services}

    assert all("aws" in watched[slug].hosted_on for slug in CHILDREN)
    assert {"azure", "spotify"} <= set(watched)


@pytest.mark.slow
def test_the_root_is_alerted_first_and_explains_its_children(shown: tuple[list[str], list[Alert]]) -> None:
    """The cloud half an hour before its page; each of the five names it as the cause and pages nobody."""
    lines, alerts = shown
    by_service = {alert.service: alert for alert in alerts}
    sent = messages(lines)

    assert alerts[0].service == "aws"
    assert alerts[0].cause is None
    assert {slug: by_service[slug].cause for slug in CHILDREN} == dict.fromkeys(CHILDREN, "aws")
    assert "Amazon Web Services: people say" in sent[0]
    for slug in CHILDREN:
        first = next(text for text in sent if f"{names()[slug]}:" in text)
        assert "Their complaints are explained by Amazon Web Services; nobody is paged for them." in first
    assert next(int(line.split()[1]) for line in lines if line.startswith("Lead")) >= 30


@pytest.mark.slow
def test_f38_the_joke_raises_nothing(shown: tuple[list[str], list[Alert]]) -> None:
    """Thirty people laugh about Spotify in fifty minutes."""
    lines, alerts = shown

    assert "spotify" not in {alert.service for alert in alerts}
    assert not [text for text in messages(lines) if "Spotify" in text]


@pytest.mark.slow
def test_the_bystander_is_not_accused(shown: tuple[list[str], list[Alert]]) -> None:
    """Azure is named by people who ask about it or praise it; no message calls it failing."""
    lines, _ = shown

    assert not [text for text in messages(lines) if "Azure" in text]
