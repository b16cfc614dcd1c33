"""A service people depend on, and how they name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """An alias that is also a plain word; it names the service only near its context.

    Attributes:
        alias: the word ("claude", "teams", "slack").
        context: words of which one must stand in the same post ("anthropic", "api", "ai").
        symptoms: also accept the alias as the subject of a failure ("claude is down", "teams won't load").
        never: phrases that void it ("claude monet", "slack off").
    """

    alias: str
    context: tuple[str, ...] = ()
    symptoms: bool = True
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of a service that fails by itself, with the words people use for it."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """An official page: `kind` names the reader (entry point group `detector.status`).

    Attributes:
        allow_private: the page is on a private network of ours, where nothing else is fetched from.
    """

    url: str
    kind: str = "statuspage"
    allow_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One product that fails by itself.

    Attributes:
        slug: public name in URLs, the database and the API ("google-cloud").
        aliases: names that mean this service wherever they stand as words.
        handles: account names without `@` ("SpotifyCares").
        communities: places about it, `reddit:ClaudeAI`, `github:anthropics/claude-code`.
        hosted_on: slugs of services whose failure explains this one's.
        rate: usual complaints an hour over all sources, if known: the baseline's prior.
        timezone: IANA zone in which its users keep their hours.
    """

    slug: str
    name: str
    aliases: tuple[str, ...] = ()
    ambiguous: tuple[Ambiguous, ...] = ()
    handles: tuple[str, ...] = ()
    communities: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    status_pages: tuple[StatusPage, ...] = ()
    hosted_on: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    category: str = "other"
    owner: str | None = None
    rate: float | None = None
    timezone: str = "UTC"
