"""Microsoft Azure: an RSS feed that holds what is going on now and nothing else; empty means that all is well."""

from __future__ import annotations

from detector.domain import PageState
from detector.status.feed import FeedPage
from detector.transport.guard import parse_target
from detector.transport.session import Session


def build(service: str, url: str, session: Session) -> FeedPage:
    """A reader of the Azure status feed (entry point `detector.status: azure`).

    Args:
        url: the page (its feed lies at `feed/` below it) or the feed.

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    address = parse_target(url).url
    if not address.rstrip("/").endswith(("/feed", ".rss", ".xml")):
        address = address.rstrip("/") + "/feed/"
    return FeedPage(service, address, session, empty=PageState.OPERATIONAL, drops=True)
