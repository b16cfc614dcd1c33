"""The matcher on hostile, long and twisted texts, and the rules that names share."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.domain import Ambiguous, Component, Post, Service
from detector.match import NameMatcher
from tests.match.test_matcher import AT, NAMING, TRAPS, mentions, named, shipped


def test_the_longest_name_wins_and_a_rejected_one_hides_nothing() -> None:
    """A longer name that its rules refuse leaves the shorter to be read."""
    matcher = NameMatcher(
        [
            Service(slug="a", name="A", aliases=("cloud nine",)),
            Service(
                slug="b", name="B", ambiguous=(Ambiguous(alias="cloud nine live", symptoms=False, context=("qux",)),)
            ),
        ]
    )

    def services(text: str) -> list[str]:
        return [m.service for m in matcher.match(Post(source="s", id="1", created_at=AT, seen_at=AT, text=text))]

    assert services("cloud nine live") == ["a"]
    assert services("cloud nine live qux") == ["b"]


def test_no_services_no_mentions() -> None:
    """An empty catalogue is a matcher that stays silent."""
    empty = NameMatcher([])

    assert empty.match(Post(source="s", id="1", created_at=AT, seen_at=AT, text="github is down")) == []
    assert not empty.may_match("github")


@pytest.mark.parametrize("part", ["claude ", "slack.slack/", "é claude ", "#slack", "teams won't ", "x ", "@slack-"])
def test_f33_a_megabyte_of_names_takes_no_seconds(part: str) -> None:
    """One name is looked at only so often, and only the beginning of a text is read."""
    begun = time.process_time()

    mentions(part * (1_000_000 // len(part)))

    assert time.process_time() - begun < 1.0


def test_component_words_are_whole_words() -> None:
    """`api` is not part of `rapid`."""
    service = Service(slug="s", name="S", aliases=("foo",), components=(Component(name="api", words=("api",)),))
    post = Post(source="s", id="1", created_at=AT, seen_at=AT, text="foo is rapid")

    assert NameMatcher([service]).match(post)[0].component is None


@given(st.text() | st.text(alphabet="claude slackteams.@/#:'-xгсΩ\u200b\ud800 ", max_size=80))
def test_any_text_is_matched_without_an_error(text: str) -> None:
    """And what names a service is never dropped by the prefilter."""
    found = mentions(text)

    assert not found or shipped().may_match(text)
    assert all(mention.matched in text for mention in found)


_HIDDEN = st.sampled_from(["", "\u200b", "\u200d", "\u2060", "\u202e", "\ufe0f"])
_TWINS = {"a": "а", "c": "с", "e": "е", "o": "о", "i": "і", "s": "ѕ"}


@given(
    st.sampled_from([(text, want) for text, want in NAMING if text.isascii() and want]),
    st.lists(_HIDDEN, min_size=60, max_size=60),
    st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_f40_lookalikes_and_hidden_characters_change_nothing(
    case: tuple[str, str], hidden: list[str], twins: list[bool]
) -> None:
    """A name written with foreign letters or invisible signs is still the name."""
    text, services = case
    written = "".join(
        hidden[i % 60] + (_TWINS.get(char, char) if twins[i % 60] else char) for i, char in enumerate(text)
    )

    assert named(written) == services


@given(st.lists(st.sampled_from([text for text, _ in NAMING] + TRAPS), min_size=1, max_size=4))
def test_matching_twice_gives_the_same(texts: list[str]) -> None:
    """The matcher keeps no state between posts."""
    text = "\n".join(texts)

    assert mentions(text) == mentions(text)


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("GCP outage", "google-cloud"),
        ("Google Cloud outage: https://status.cloud.google.com/", "google-cloud"),
        ("Slack and Zoom both dead", "slack zoom"),
        ("Klaus Schwab spoke in Davos", ""),
        ("Wells Fargo Center hosts the game", ""),
        ("try https://toy.vercel.app", ""),
        ("we need a way to signal errors", ""),
        ("slack iss dwon", "slack"),
    ],
)
def test_names_share_failures_but_not_people_places_and_hosts(text: str, services: str) -> None:
    """Lists, shared status hosts, persons, stadiums, users' hosts, verbs, slips of the finger."""
    assert named(text) == services


def test_a_slip_of_the_finger_counts_where_it_fails_and_nowhere_else() -> None:
    """And only if it is no word, and no slip of two names."""
    assert named("gihub wont load") == "github"
    assert named("is cluade down?") == "claude"
    assert named("I read about gihub yesterday") == ""
    assert named("the thread is stuck, the nation is down") == ""
    matcher = NameMatcher(
        [Service(slug="a", name="A", aliases=("kettle",)), Service(slug="b", name="B", aliases=("kattle",))]
    )
    post = Post(source="s", id="1", created_at=AT, seen_at=AT, text="kttle is down")
    assert matcher.match(post) == []


def test_several_of_a_name_are_the_name_unless_they_are_another() -> None:
    """The plural of a clear name that fails."""
    assert named("both our githubs time out") == "github"
    assert named("the githubs of this world") == ""
    assert named("the canvas is frozen solid") == ""
