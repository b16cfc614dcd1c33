"""A page for many products speaks for one of ours only where it names it: `https://.../status#us-east-1,Gmail`."""

from __future__ import annotations

from urllib.parse import unquote

from detector.domain import Incident


class Scope:
    """Which incidents of a page concern the service: those that name one of the words in the URL's fragment.

    >>> Scope("https://health.aws.amazon.com/health/status#us-east-1,Global").words
    ('us-east-1', 'global')
    >>> Scope("https://status.cloud.google.com").words
    ()
    """

    def __init__(self, url: str) -> None:
        fragment = unquote(url.partition("#")[2])
        self.words = tuple(word.strip().casefold() for word in fragment.split(",") if word.strip())

    def takes(self, incident: Incident) -> bool:
        """Whether its components or regions hold one of the words; everything, where none was given."""
        if not self.words:
            return True
        named = "\n".join(incident.components).casefold()
        return any(word in named for word in self.words)
