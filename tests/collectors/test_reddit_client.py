"""The shared client: its budget, and that no exception of praw's can surprise it."""

from __future__ import annotations

import inspect
from types import ModuleType

import praw.exceptions
import prawcore.exceptions
import pytest
import requests
import requests.exceptions

from detector.collectors.context import CollectorContext
from detector.collectors.reddit import build
from detector.collectors.reddit_client import Budget
from detector.collectors.reddit_errors import MEANING, transport_error
from detector.errors import Hostile, Permanent, Temporary, TransportError
from tests.collectors.servers_reddit import KEYS
from tests.collectors.test_feeds import run

LIBRARIES = (prawcore.exceptions, praw.exceptions, requests.exceptions)


def classes(module: ModuleType) -> dict[str, type[BaseException]]:
    """The exception classes that a library defines there, warnings aside."""
    library = module.__name__.partition(".")[0]
    return {
        f"{library}.{name}": each
        for name, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, BaseException) and not issubclass(each, Warning) and each.__module__ == module.__name__
    }


def test_f18_every_exception_class_of_the_libraries_has_a_meaning() -> None:
    """A new one in a new version fails here until somebody says what it means; none is listed that is gone."""
    found = {name for module in LIBRARIES for name in classes(module)}

    assert found == set(MEANING)


@pytest.mark.parametrize("name", sorted(MEANING))
def test_f18_every_exception_becomes_a_transport_error(name: str) -> None:
    """Made without their constructors, which want more than there is."""
    kind = {name: each for module in LIBRARIES for name, each in classes(module).items()}[name]
    error = kind.__new__(kind)
    error.args = ("CANARY",)

    meant = transport_error(error, "r/ClaudeAI/new")

    assert isinstance(meant, TransportError)
    assert "CANARY" not in str(meant)
    assert "r/ClaudeAI/new" in str(meant)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (requests.exceptions.ReadTimeout(), Temporary),
        (requests.exceptions.InvalidSchema(), Permanent),
        (requests.exceptions.ContentDecodingError(), Hostile),
        (OSError(), Temporary),
        (Hostile("too large"), Hostile),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failed_request_means_what_its_cause_means(cause: Exception, kind: type[TransportError]) -> None:
    """prawcore wraps all of them in one class."""
    assert type(transport_error(prawcore.exceptions.RequestException(cause, (), {}), "x")) is kind


def test_an_exception_that_nobody_foresaw_is_still_typed() -> None:
    """A value the client trips over."""
    assert isinstance(transport_error(KeyError("scope"), "x"), Hostile)


def test_a_budget_lets_so_many_pass_in_any_minute() -> None:
    """By a clock that only waiting moves: of 250 requests at 100 a minute, none comes too early."""
    at = [0.0]
    made: list[float] = []

    def wait(seconds: float) -> bool:
        at[0] += seconds
        return False

    budget = Budget(100, clock=lambda: at[0], wait=wait)
    for _ in range(250):
        budget.take()
        made.append(at[0])
        at[0] += 0.1

    for start in made:
        assert sum(start <= each < start + 60 for each in made) <= 100
    assert budget.made == 250
    assert 0 <= budget.left <= 100


def test_a_program_that_ends_does_not_wait_for_the_budget() -> None:
    """Waiting is cut short and says so."""
    budget = Budget(1, clock=lambda: 0.0, wait=lambda seconds: True)
    budget.take()

    with pytest.raises(Temporary, match="stopping"):
        budget.take()


@pytest.mark.parametrize("reset", ["nonsense", "", "-4"])
def test_rate_headers_that_make_no_sense_are_ignored(reset: str) -> None:
    """They neither raise nor block."""
    budget = Budget(5, clock=lambda: 0.0, wait=lambda seconds: True)

    budget.heed({"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset})
    budget.take()

    assert budget.made == 1


def test_all_sources_of_a_client_share_one_budget() -> None:
    """Two sources, one count; another key has its own."""

    async def go(context: CollectorContext) -> None:
        build({**KEYS, "communities": ["aa"]}, context)
        build({**KEYS, "communities": ["bb"], "source": "reddit2"}, context)
        build({**KEYS, "client_id": "other", "communities": ["cc"]}, context)
        assert len(context.shared["reddit"]) == 2

    run(go)
