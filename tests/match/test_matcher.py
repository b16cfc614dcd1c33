"""Which services a sentence names: a table of names, plain words, traps, hints and addresses."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from detector.config.catalogue import load_catalogue
from detector.domain import Mention, Post
from detector.match import NameMatcher
from detector.protocols import Matcher

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@cache
def shipped() -> NameMatcher:
    return NameMatcher(load_catalogue())


def mentions(text: str, *, source: str = "test", hint: str | None = None, url: str | None = None) -> list[Mention]:
    post = Post(source=source, id="1", created_at=AT, seen_at=AT, text=text, service_hint=hint, url=url)
    return shipped().match(post)


def named(text: str) -> str:
    return " ".join(mention.service for mention in mentions(text))


NAMING = [
    # The words of issue 2.
    ("claude is down again", "claude"),
    ("Teams won't load", "teams"),
    ("Messenger not working", "messenger"),
    ("@SpotifyCares my playlists are empty", "spotify"),
    ("u/SpotifyCares any news?", "spotify"),
    ("everybody in r/ClaudeAI is complaining", "claude"),
    # A plain word as the subject of a failure.
    ("Is Slack down?", "slack"),
    ("slack down?", "slack"),
    ("Yes, Slack is down", "slack"),
    ("Slack outage: nobody connects", "slack"),
    ("is slack being super slow for anyone", "slack"),
    ("slack won't load this morning", "slack"),
    ("i can't log into slack", "slack"),
    ("slack keeps disconnecting", "slack"),
    ("Another day, another major slack outage", "slack"),
    ("anyone else having issues with teams", "teams"),
    ("is anyone else's teams down", "teams"),
    ("teams calls keep dropping", "teams"),
    ("Teams isn't loading, trying the phone", "teams"),
    ("is teams working for you?", "teams"),
    ("kicked out of teams twice", "teams"),
    ("my claude is not responding", "claude"),
    ("claude has been down since lunch", "claude"),
    ("the claude app won't open", "claude"),
    ("Claude's api is timing out", "claude"),
    ("ugh claude is acting weird today", "claude"),
    ("zoom is not working for me", "zoom"),
    ("Zoom down for anyone?", "zoom"),
    ("can't connect to zoom", "zoom"),
    ("My discord isn't working", "discord"),
    ("discord keeps crashing", "discord"),
    ("steam is down again lol", "steam"),
    ("is steam down", "steam"),
    ("why is outlook so slow today", "outlook"),
    ("can't sign in to outlook", "outlook"),
    ("Notion is down :(", "notion"),
    ("Square is down, the queue is out of the door", "square"),
    ("Visa is down all over Europe", "visa"),
    ("Signal is down without a word from them", "signal"),
    ("X is down", "twitter"),
    ("Twitch is offline", "twitch"),
    ("stripe is returning 500 errors", "stripe"),
    ("can't log into chase", "chase"),
    ("Chase is down on payday", "chase"),
    ("telegram not sending anything: telegram is down", "telegram"),
    ("Google is down", "google"),
    ("Ask: is Google down for you?", "google"),
    ("Apple is having an outage", "apple"),
    ("Amazon is down, cannot buy anything", "amazon"),
    ("threads is down", "threads"),
    ("grok is not responding", "grok"),
    ("cursor is unusable right now", "cursor"),
    ("Gemini is overloaded again", "gemini"),
    ("Part of BT is down again", "bt"),
    ("parts of the internet blame an outage at Rogers", "rogers"),
    ("Major Google Wifi outage", "google"),
    # A plain word near its context.
    ("moving from claude to an openai model", "claude openai"),
    ("Our slack workspace and its channels", "slack"),
    ("a teams meeting in microsoft outlook", "outlook teams"),
    ("does azure or aws have cheaper vms", "aws azure"),
    # Names that need nothing.
    ("GitHub again", "github"),
    ("Claude Code fails on every prompt", "claude"),
    ("ChatGPT and Gemini AI", "gemini openai"),
    ("AWS us-east-1 is on fire", "aws"),
    ("Ask: is S3 down?", "aws"),
    ("Amazon S3 returns errors", "aws"),
    ("Google Cloud Platform is down", "google-cloud"),
    ("Google Calendar is down", "google-calendar"),
    ("GitHub Copilot is down", "copilot"),
    ("Facebook Messenger is broken", "messenger"),
    ("Facebook, Instagram and WhatsApp are all gone", "facebook instagram whatsapp"),
    ("Are GitHub and Twitter down?", "github twitter"),
    ("AWS/Azure both down", "aws azure"),
    ("Disney+ keeps buffering", "disney-plus"),
    ("AT&T is down in Dallas", "att"),
    ("t mobile has no data", "tmobile"),
    ("Dyn DNS is under attack", "dyn"),
    ("Bitbucket and JIRA down", "bitbucket jira"),
    ("robinhood froze at the open", "robinhood"),
    ("PSN sign in fails", "playstation"),
    ("Xbox Live down", "xbox"),
    ("iMessage not delivering", "icloud"),
    ("githubs down", "github"),
    ("GitHub's down", "github"),
    ("claude codex is down", "claude"),
    ("AWSが落ちてる", "aws"),
    ("Let’s Encrypt is not issuing", "letsencrypt"),
    # Other spellings of the same.
    ("\u0421laude is down", "claude"),
    ("A\u200bWS is gone", "aws"),
    ("\u202egithub\u202c", "github"),
    ("ＧｉｔＨｕｂ", "github"),
    # Addresses, hashtags, handles.
    ("GitHub.com is down", "github"),
    ("claude.ai not loading", "claude"),
    ("https://claude.ai does not load", "claude"),
    ("Is www.Google.co.uk having problems?", "google"),
    ("mycompany.slack.com is down", "slack"),
    ("see https://status.github.com/messages", "github"),
    ("look at status.slack.com now", "slack"),
    ("it's on https://www.githubstatus.com/incidents/1", "github"),
    ("#claudedown", "claude"),
    ("#slackdown anyone?", "slack"),
    ("#teamsoutage", "teams"),
    ("#CashAppDown", "cash-app"),
    ("thanks #netflix", "netflix"),
    ("hey @AppleSupport nothing syncs", "apple"),
    ("@AmazonHelp where is it", "amazon"),
    (".@github is it you?", "github"),
]

TRAPS = [
    "Claude Monet painted water lilies",
    "the Claude Monet show is down the street",
    "Jean-Claude is broken by the news",
    "my uncle Claude is down with the flu",
    "Claude is down the pub",
    "Claude went home early",
    "a dog named Claude won't load into the car",
    "don't slack off",
    "cut me some slack, it's down to you",
    "pick up the slack while it is down",
    "slack down the rope, please",
    "a meta-analysis of forty trials",
    "that joke is so meta",
    "prices go down",
    "both teams lost",
    "our teams are down to nine players",
    "our sales teams are struggling",
    "the teams won't load the bus before noon",
    "support teams keep crashing at my place",
    "Teams of nurses were on strike",
    "the signal is down to two bars",
    "my signal is weak here",
    "no signal in the valley",
    "zoom in on the picture",
    "the zoom lens is broken",
    "I had to chase down a bus",
    "the chase is broken off",
    "a notion of justice",
    "he sat in the box",
    "my linux box is down",
    "the render failed after an hour",
    "apple pie is not working as a breakfast",
    "an apple is down there",
    "Google stock is down 3%",
    "Google to buy a start-up",
    "Amazon rainforest fires",
    "where the Amazon is broken by dams",
    "the autism spectrum is broad",
    "my visa application is stuck",
    "the threads are stuck in a deadlock",
    "the project is running out of steam",
    "release the kraken",
    "solve for x",
    "x is down to one value",
    "iPhone X is broken",
    "my mouse cursor freezes",
    "I grok the idea",
    "they sow discord among friends",
    "a stripe of paint",
    "sprint planning is broken",
    "this sprint is not working for us",
    "Travis Kalanick steps down",
    "the outlook is bleak",
    "a square of chocolate",
    "Times Square is down there",
    "opus number nine",
    "the sonnet is unfinished",
    "see github.com/someone/something",
    "https://github.com/someone/something is my project",
    "mail me at bob@github.com",
    "open /usr/lib/slack/locales",
    "http://example.com/claude-is-down",
    "jira.example.org is our own",
    "a spotifying experience",
    "unslack the line",
    "teamsters won't load trucks",
    "the medium is the message",
    "hot steam is not working its way out",
    "a messenger is down with fever",
    "shoot the messenger",
    "to replicate the result",
    "ideas that do not cohere",
    "",
    "   \n\t",
    "nothing is working today",
]


@pytest.mark.parametrize(("text", "services"), NAMING, ids=[text[:50] or "empty" for text, _ in NAMING])
def test_a_sentence_names_these_services(text: str, services: str) -> None:
    """Slugs in order, none twice."""
    assert named(text) == services


@pytest.mark.parametrize("text", TRAPS, ids=[text[:50].strip() or "empty" for text in TRAPS])
def test_a_trap_names_no_service(text: str) -> None:
    """The word is there, the service is not."""
    assert named(text) == ""


def test_a_third_of_the_table_are_traps() -> None:
    """So that a matcher that accepts everything cannot look good."""
    assert len(NAMING) + len(TRAPS) >= 120
    assert len(TRAPS) * 3 >= len(NAMING) + len(TRAPS)


def test_the_matcher_satisfies_its_protocol() -> None:
    """It can be handed to the pipeline."""
    assert isinstance(shipped(), Matcher)


def test_the_words_are_given_as_written() -> None:
    """Folding does not show in `matched`."""
    (mention,) = mentions("wow, Git\u200bHub’s gone")

    assert (mention.service, mention.matched) == ("github", "Git\u200bHub")


@pytest.mark.parametrize(
    ("text", "component"),
    [
        ("GitHub Actions is stuck", "actions"),
        ("aws us-east-1 is down", "us-east-1"),
        ("the claude api returns errors, claude api!", "api"),
        ("github is down", None),
        ("cannot log in to spotify", "login"),
    ],
)
def test_the_part_that_fails_is_named(text: str, component: str | None) -> None:
    """By the catalogue's words for it."""
    assert [mention.component for mention in mentions(text)] == [component]


@pytest.mark.parametrize(
    ("hint", "slug"),
    [
        ("SpotifyCares", "spotify"),
        ("@AppleSupport", "apple"),
        ("comcastcares", "comcast"),
        ("gcp", "google-cloud"),
        ("chatgpt", "openai"),
        ("openai", "openai"),
        ("r/ClaudeAI", "claude"),
        ("Microsoft Teams", "teams"),
        ("AT&T", "att"),
        ("characterai", "characterai"),
        ("stabilityai", "stability"),
        ("US Airways", None),
        ("services", None),
        ("", None),
        ("@", None),
    ],
)
def test_a_hint_resolves_like_a_handle(hint: str, slug: str | None) -> None:
    """Slug, handle, community or name; anything else is unknown."""
    assert shipped().resolve(hint) == slug


def test_a_hint_counts_even_if_the_text_names_nothing() -> None:
    """The archive knew whom the post was written to."""
    assert [m.service for m in mentions("it stopped again", hint="SpotifyCares")] == ["spotify"]


def test_an_unknown_hint_falls_back_to_the_text() -> None:
    """It neither names a service nor hides one."""
    assert [m.service for m in mentions("spotify stopped again", hint="US Airways")] == ["spotify"]


@pytest.mark.parametrize(
    ("source", "text", "services"),
    [
        ("reddit:r/ClaudeAI", "is it just me?", ["claude"]),
        ("reddit:r/claudeai", "Claude wrote me a poem", ["claude"]),
        ("reddit:r/ClaudeAI", "ChatGPT is better", ["openai"]),
        ("github-issues:anthropics/claude-code", "crashes on start", ["claude"]),
        ("reddit:r/AskReddit", "is it just me?", []),
        ("reddit:r/Slack", "don't slack off", ["slack"]),
    ],
)
def test_a_community_speaks_of_its_service(source: str, text: str, services: list[str]) -> None:
    """Unless the text names another."""
    assert [m.service for m in mentions(text, source=source)] == services


@pytest.mark.parametrize(
    ("url", "services"),
    [
        ("https://status.cloud.google.com/incident/1", ["google-cloud"]),
        ("https://www.githubstatus.com/", ["github"]),
        ("https://example.com/status", []),
        ("http://[broken/status", []),
    ],
)
def test_a_link_to_a_status_page_names_its_service(url: str, services: list[str]) -> None:
    """Of products that share a page, the one that carries the others."""
    assert [m.service for m in mentions("Service disruption", url=url)] == services
