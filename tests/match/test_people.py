"""People are masked in texts, products are not, and the matcher finds the same services before and after."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.classify.normalise import normalise
from detector.config.catalogue import load_catalogue
from detector.match import NameMatcher
from detector.match.people import People
from tests.builders import make_post

FIXTURES = Path(__file__).parents[1] / "fixtures" / "matching"


@cache
def people() -> People:
    return People(load_catalogue())


@pytest.mark.parametrize(
    ("text", "masked", "count"),
    [
        ("@SpotifyCares it stopped", "@SpotifyCares it stopped", 0),
        ("@github is it you?", "@github is it you?", 0),
        (".@github and @jane.doe-1 too", ".@github and @user too", 1),
        ("thanks @jane_doe!", "thanks @user!", 1),
        ("@ann @ben @cia help", "@user @user @user help", 3),
        ("(@ann)", "(@user)", 1),
        ("cc @ann@mastodon.example.", "cc @user.", 1),
        ("@github@evil.example says", "@user says", 1),
        ("@bob.bsky.social same here", "@user same here", 1),
        ("@slackhq.bsky.social same here", "@slackhq.bsky.social same here", 0),
        ("ask u/some-body or /u/SpotifyCares", "ask u/user or /u/SpotifyCares", 1),
        ("mail jo.doe+x@mail.example.org now", "mail user@mail now", 1),
        ("https://mastodon.example/@ann/1234 says so", "https://mastodon.example/@user/1234 says so", 1),
        ("https://twitter.com/ann_b/status/12 says", "https://twitter.com/user/status/12 says", 1),
        ("https://bsky.app/profile/ann.example/post/3k", "https://bsky.app/profile/user/post/3k", 1),
        ("https://www.reddit.com/user/ann_b/ says", "https://www.reddit.com/user/user/ says", 1),
        ("npm i @types/node@18 @angular/core", "npm i @types/node@18 @angular/core", 0),
        ("r/ClaudeAI is full of it", "r/ClaudeAI is full of it", 0),
        ("meet you @ noon, 5 @ 3", "meet you @ noon, 5 @ 3", 0),
        ("and/or, either/or", "and/or, either/or", 0),
        ("@user is a mask already", "@user is a mask already", 0),
        ("ünïcode @jörg down", "ünïcode @user down", 1),
        ("", "", 0),
    ],
)
def test_people_are_masked_and_products_kept(text: str, masked: str, count: int) -> None:
    """Counted each, also those of one name."""
    assert people().mask(text) == (masked, count)


@given(st.text(alphabet="ab@/.u- :jo_x\n", max_size=60))
def test_a_mask_is_never_masked_again(text: str) -> None:
    """So that a post that is read twice stays the same, and nothing grows."""
    once, _ = people().mask(text)

    assert people().mask(once) == (once, 0)


def test_the_matcher_finds_the_same_services() -> None:
    """On every sentence of both suites, hostile writing included."""
    matcher = NameMatcher(load_catalogue())
    for name in ("sentences.jsonl", "unseen.jsonl"):
        for line in (FIXTURES / name).read_text(encoding="utf-8").splitlines():
            text = json.loads(line)["text"]
            masked, _ = people().mask(text)
            found = [[m.service for m in matcher.match(make_post(text=each))] for each in (text, masked)]
            assert found[0] == found[1], text


@pytest.mark.parametrize("text", ["claude is down @ann @ben_c", "@ann same, @SpotifyCares anyone?", "hi @jo: 503s"])
def test_the_classifier_reads_the_same_words(text: str) -> None:
    """It knows people as one token anyway, so live and replay agree."""
    assert normalise(people().mask(text)[0]) == normalise(text)


@pytest.mark.parametrize("part", ["@a", "@", "a@b.", "/u/", "@a@b.", "https://x.com/", "a.b@", "u/u/"])
def test_a_long_text_takes_no_time(part: str) -> None:
    """Sixteen thousand characters of nothing but beginnings: linear."""
    import time

    begun = time.process_time()
    people().mask(part * (16_000 // len(part)))

    assert time.process_time() - begun < 0.5
