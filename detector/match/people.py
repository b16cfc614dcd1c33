"""Handles of people in a text, masked before anything is kept; those of products stay, for they name what fails.

Masked are `@name`, `@name@server`, `@name.bsky.social`, `u/name`, the name in the address of somebody's post, and mail
addresses. A handle is a product's where the catalogue knows it. Every mask reads `user`, so that the text stays one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from detector.domain import Service
from detector.match.names import Directory

_MAIL = r"(?<![\w@/])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.)+[a-z]{2,24}\b"
# Not a package (`@scope/name`); in an address (`https://server/@name`) it is a person again.
_HANDLE = r"(?<![\w@/.])@(?>\w[\w-]{0,63}(?:\.[\w-]{1,63}){0,6})(?:@(?:[\w-]{1,63}\.){1,6}\w{2,24})?(?!/\w)"
_PAGE = r"(?<=[\w/]/)@\w[\w.-]{0,63}(?:@[\w.-]{1,80})?"
_REDDIT = r"(?<![\w/.])/?u/[\w-]{2,30}"
_ADDRESS = (
    r"(?:(?:twitter|x)\.com/\w{1,30}(?=/status)|bsky\.app/profile/[\w.:%-]{1,100}|"
    r"reddit\.com/u(?:ser)?/[\w-]{1,30}|(?<=://)[\w-]{1,63}(?=\.tumblr\.com/))"
)
_PEOPLE = re.compile(
    f"(?P<mail>{_MAIL})|(?P<address>{_ADDRESS})|(?P<handle>{_HANDLE}|{_PAGE})|(?P<reddit>{_REDDIT})", re.IGNORECASE
)
_BEFORE_NAME = re.compile(r".*[/:](?=[^/]*$)", re.DOTALL)


class People:
    """Masks people in texts.

    Args:
        services: the whole catalogue, watched or not.

    >>> people = People([Service(slug="spotify", name="Spotify", handles=("SpotifyCares",))])
    >>> people.mask("@SpotifyCares it stopped, cc @jane_doe and u/bob-77, mail jo@x.org")
    ('@SpotifyCares it stopped, cc @user and u/user, mail user@mail', 3)
    >>> people.mask("npm i @types/node; see https://mastodon.example/@ann/1")
    ('npm i @types/node; see https://mastodon.example/@user/1', 1)
    """

    def __init__(self, services: Sequence[Service]) -> None:
        """Learn whose handles are products'."""
        self._products = Directory(services)

    def mask(self, text: str) -> tuple[str, int]:
        """The text without people, and how many were masked."""
        if "@" not in text and "/" not in text:
            return text, 0
        masked = 0

        def put(found: re.Match[str]) -> str:
            nonlocal masked
            instead = self._instead(found)
            masked += instead != found[0]
            return instead

        return _PEOPLE.sub(put, text), masked

    def _instead(self, found: re.Match[str]) -> str:
        whole = found[0]
        if found["mail"]:
            return "user@mail"
        if found["address"]:
            head = _BEFORE_NAME.match(whole)
            return f"{head[0] if head else ''}user"
        if found["reddit"]:
            before, _, redditor = whole.rpartition("/")
            return whole if self._products.resolve(redditor) else f"{before}/user"
        name = whole[1:].partition("@")[0]
        # On a server of one's own anybody may call themselves as a product does.
        foreign = "@" in whole[1:]
        known = self._products.resolve(name) or self._products.resolve(name.partition(".")[0])
        return whole if known and not foreign else "@user"
