"""Mutated feeds are contained: a tier of `make fuzz`, which runs a million (`FUZZ=n` asks for another number)."""

from __future__ import annotations

import asyncio
import os

import pytest

from detector.transport.parse_main import parse
from detector.transport.precheck import checked
from tests.fuzz.feeds import mutant, seeds
from tests.fuzz.run import fuzz

# A person's `pytest` runs the small tier, `make check` fifty thousand.
COUNT = int(os.environ.get("FUZZ", "3000"))


@pytest.mark.timeout(900)
def test_g5_mutated_feeds_neither_escape_nor_hang() -> None:
    """Every one is read or refused with a reason, within 2 s and 400 MB, and the next one is none the worse."""
    outcome = asyncio.run(fuzz(0, COUNT))

    assert outcome.sound, f"{outcome}\n{outcome.escapes[:5]}\n{outcome.killed[:5]}"
    assert outcome.read + outcome.refused == COUNT
    # A fuzzer whose feeds are all refused at the door tests the door.
    assert outcome.read > COUNT / 2
    assert len(outcome.reasons) >= 5


def test_every_feed_that_is_mutated_is_a_good_one() -> None:
    """The seeds parse to entries, so that what is refused was refused for its mutation."""
    for body in seeds():
        assert parse(body)["entries"]


def test_a_mutant_is_known_by_its_number() -> None:
    """So that a failure in a million can be run again alone."""
    assert [mutant(number) for number in range(50)] == [mutant(number) for number in range(50)]
    assert len({mutant(number) for number in range(50)}) > 45


def test_a_reference_to_no_character_does_not_cost_the_feed() -> None:
    """One entry with half a surrogate pair must not silence everybody else in the feed."""
    items = b"<item><title>a&#xD83D;b</title></item><item><title>c</title></item>"
    body = b"<rss version='2.0'><channel>" + items + b"</channel></rss>"

    assert [entry["title"] for entry in parse(body)["entries"]] == ["ab", "c"]
    assert b"&#x1F525;" in checked(b"<rss>&#x1F525;&#55296;</rss>")
