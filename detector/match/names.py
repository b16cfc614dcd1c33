"""What a hint, a community or an address of a post says about the service, without reading its text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from detector.domain import Component, Post, Service
from detector.match.folding import fold, squeeze

_MOST_REMEMBERED = 4096


class Directory:
    """Looks services up by slug, handle, name, alias, community and host.

    Where two services share a word, a slug goes before a handle, a handle before a name, and so on; among equals the
    one declared first.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        """Index the services."""
        self._by_name: dict[str, str] = {}
        self._by_community: dict[str, str] = {}
        self._by_host: dict[str, str] = {}
        self._remembered: dict[str, str | None] = {}
        for words in (
            lambda s: (s.slug,),
            lambda s: s.handles,
            lambda s: (s.name,),
            lambda s: s.aliases,
            lambda s: tuple(rule.alias for rule in s.ambiguous),
            lambda s: s.hashtags,
            lambda s: tuple(c.partition(":")[2] for c in s.communities),
        ):
            for service in services:
                self._learn(words(service), service.slug)
        for service in services:
            for community in service.communities:
                self._by_community.setdefault(community.casefold(), service.slug)
            for host in hosts(service):
                # Where products share a page it speaks first of the one that carries the others.
                first = self._by_host.setdefault(host, service.slug)
                if any(other.slug == first and service.slug in other.hosted_on for other in services):
                    self._by_host[host] = service.slug

    def resolve(self, hint: str) -> str | None:
        """The slug a hint means: a slug, a handle with or without `@`, a name; None if it names none we know."""
        if hint not in self._remembered:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[hint] = self._look_up(hint)
        return self._remembered[hint]

    def home(self, source: str) -> str | None:
        """The service a source is about ("reddit:r/ClaudeAI", "github-issues:anthropics/claude-code"), if it is one."""
        kind, colon, place = source.casefold().partition(":")
        if not colon:
            return None
        return self._by_community.get(f"{kind.split('-')[0]}:{place.removeprefix('/').removeprefix('r/').strip('/')}")

    def linked(self, post: Post) -> str | None:
        """The service whose official page the post links to, if its own address is one."""
        if post.url is None or "status" not in post.url:
            return None
        try:
            host = urlsplit(post.url).hostname or ""
        except ValueError:
            return None
        return self._by_host.get(host.removeprefix("www."))

    def owns(self, host: str, slug: str) -> bool:
        """Whether a link to this host speaks of the service rather than of another with the same page."""
        return self._by_host.get(host) == slug

    def _learn(self, words: Iterable[str], slug: str) -> None:
        for word in words:
            self._by_name.setdefault(squeeze(word), slug)

    def _look_up(self, hint: str) -> str | None:
        name = hint.strip().removeprefix("/")
        for prefix in ("u/", "r/", "@", "#"):
            name = name.removeprefix(prefix)
        key = squeeze(name[:200])
        return self._by_name.get(key) if key else None


def hosts(service: Service) -> list[str]:
    """Hosts that only its official status uses: those of its pages and aliases such as `status.github.com`."""
    found = [urlsplit(page.url).hostname or "" for page in service.status_pages]
    found += [fold(alias).plain for alias in service.aliases if is_status_host(alias)]
    return [name for host in found if "status" in (name := host.removeprefix("www."))]


def is_status_host(alias: str) -> bool:
    """Whether an alias is the host of a status page.

    >>> is_status_host("status.github.com"), is_status_host("claude.ai")
    (True, False)
    """
    return "status" in alias and "." in alias and " " not in alias


def component_words(components: Sequence[Component]) -> tuple[tuple[str, str], ...]:
    """Their words as whole-word phrases, the longest first."""
    phrases = [(fold(word).scan, component.name) for component in components for word in component.words]
    return tuple(sorted(phrases, key=lambda pair: -len(pair[0])))
