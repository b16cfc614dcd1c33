"""One failure explains another: a service hosted on a failing one is named as its child, not as a second outage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from detector.domain import Service


class Hosting:
    """Who runs on whom, from the catalogue's `hosted_on`."""

    def __init__(self, services: Iterable[Service]) -> None:
        """Read the ties once."""
        self.parents: Mapping[str, tuple[str, ...]] = {service.slug: service.hosted_on for service in services}

    def cause(self, service: str, failing: Callable[[str], bool]) -> str | None:
        """The failing service farthest up the chain that `service` runs on, None if none fails.

        >>> hosting = Hosting([Service(slug="a", name="A", hosted_on=("b",)), Service(slug="b", name="B")])
        >>> hosting.cause("a", lambda slug: slug == "b"), hosting.cause("a", lambda slug: False)
        ('b', None)
        """
        found, queue, seen = None, list(self.parents.get(service, ())), {service}
        while queue:
            parent = queue.pop(0)
            if parent in seen:
                continue
            seen.add(parent)
            if failing(parent):
                found = parent
            queue += self.parents.get(parent, ())
        return found

    def runs_on(self, service: str, host: str | None) -> bool:
        """Whether a service runs on another, at any remove.

        >>> hosting = Hosting([Service(slug="a", name="A", hosted_on=("b",)), Service(slug="b", name="B")])
        >>> hosting.runs_on("a", "b"), hosting.runs_on("b", "a"), hosting.runs_on("a", None)
        (True, False, False)
        """
        return host is not None and self.cause(service, lambda slug: slug == host) == host
