"""What readers of pages have in common: whose page it is, where its documents lie, and what was seen there."""

from __future__ import annotations

from detector.status.documents import Documents
from detector.status.sightings import Sightings
from detector.transport.guard import parse_target
from detector.transport.session import Session


class Page:
    """The part of a reader that does not depend on its kind.

    Args:
        service: the slug.
        url: the page as people open it; any path under it will do.
        session: fetches; not closed here.
        base: where the documents lie; by default the address without its path.
    """

    def __init__(self, service: str, url: str, session: Session, *, base: str | None = None) -> None:
        self._service = service
        target = parse_target(url.partition("#")[0])
        self._base = base if base is not None else f"{target.scheme}://{target.netloc}"
        self._documents = Documents(session)
        self._sightings = Sightings()

    @property
    def service(self) -> str:
        """The slug."""
        return self._service

    @property
    def url(self) -> str:
        """The page people can open."""
        return self._base
