"""One failure explains another: a service hosted on a failing one is named as its child, not as a second outage.

Three ways lead to a cause. A host that fails itself explains what runs on it. A host of which nothing is said yet is
suspected when others that run on it grow loud at the same time (`kin`), and an infrastructure that the catalogue does
not tie to a service when its people name it. And a service of which people only speak beside one that fails ("AT&T is
down, is Verizon too?") is a bystander.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, inf, log

from detector.alerting.evidence import Gallery
from detector.alerting.kin import Loudness, kinship, rise
from detector.domain import Alert, Level, Service, to_minutes

PRIOR = log(0.25 / 0.75)  # that a failure is the host's, before anything is known
NAMED_PRIOR = log(0.1 / 0.9)  # the same of an infrastructure that people name
DOUBT = log(0.1 / 0.9)  # a suspicion is dropped below these odds
HOST_ALONE = 1.5  # what is said of a host itself argues no more than this: it may be blamed for what is not its fault
NAMED_LEAST, NAMED_SHARE = 2, 0.1  # of a service's people name the infrastructure
INFRASTRUCTURE = frozenset({"cloud", "cdn", "dns"})

BYSTANDER_SHARE, RIVAL_SHARE = 0.25, 0.12  # of a bystander's people name both; of a rival of the same kind, fewer do
BYSTANDER_TIMES = 3.0  # as many people speak of the one that fails
USUALLY_BLAMED = 3.0  # so many speak of a bystander alone in the same minute now and then
RIVAL_TIMES = 10.0  # so many more of a rival stand for one who names both

FAILING_SHARE = 0.03  # the same where it fails itself
NAMED_WITHIN = timedelta(minutes=10)

LEAD = timedelta(minutes=2)  # relations may have grown loud before the service itself
LEADS = (LEAD, LEAD / 2, timedelta())  # when a host may have begun to fail, before the service was heard
LATELY = timedelta(minutes=60)  # people of the last hour are not "usual"
STIRS = 3.0  # a relation is so much likelier to fail than to be named by chance: the next posts may decide


class Hosting:
    """Who runs on whom, from the catalogue's `hosted_on`."""

    def __init__(self, services: Iterable[Service]) -> None:
        """Read the ties once."""
        known = {service.slug: service for service in services}
        self.parents: Mapping[str, tuple[str, ...]] = {slug: service.hosted_on for slug, service in known.items()}
        self.category: Mapping[str, str] = {slug: service.category for slug, service in known.items()}
        below: dict[str, list[str]] = {}
        for slug in known:
            for host in self.above(slug):
                below.setdefault(host, []).append(slug)
        self.below: Mapping[str, tuple[str, ...]] = {host: tuple(slugs) for host, slugs in below.items()}

    def above(self, service: str) -> list[str]:
        """Every host of a service at any remove, nearest first.

        >>> hosting = Hosting([Service(slug="a", name="A", hosted_on=("b",)), Service(slug="b", name="B")])
        >>> hosting.above("a"), hosting.below
        (['b'], {'b': ('a',)})
        """
        found: list[str] = []
        queue = list(self.parents.get(service, ()))
        while queue:
            host = queue.pop(0)
            if host != service and host not in found:
                found.append(host)
                queue += self.parents.get(host, ())
        return found

    def cause(self, service: str, failing: Callable[[str], bool]) -> str | None:
        """The failing service farthest up the chain that `service` runs on, None if none fails.

        >>> hosting = Hosting([Service(slug="a", name="A", hosted_on=("b",)), Service(slug="b", name="B")])
        >>> hosting.cause("a", lambda slug: slug == "b"), hosting.cause("a", lambda slug: False)
        ('b', None)
        """
        return next((host for host in reversed(self.above(service)) if failing(host)), None)

    def runs_on(self, service: str, host: str | None) -> bool:
        """Whether a service runs on another, at any remove.

        >>> hosting = Hosting([Service(slug="a", name="A", hosted_on=("b",)), Service(slug="b", name="B")])
        >>> hosting.runs_on("a", "b"), hosting.runs_on("b", "a"), hosting.runs_on("a", None)
        (True, False, False)
        """
        return host is not None and host in self.above(service)

    def between(self, service: str, host: str) -> list[str]:
        """What a service runs on that itself runs on `host`."""
        return [nearer for nearer in self.above(service) if self.runs_on(nearer, host)]

    def carries(self, service: str) -> bool:
        """Whether others run on it, or are likely to."""
        return service in self.below or self.category.get(service) in INFRASTRUCTURE


@dataclass(frozen=True, slots=True)
class Cause:
    """What explains a service's trouble; of a `bystander` nobody should be accused."""

    service: str | None = None
    bystander: bool = False


class Causes:
    """Looks for what explains a service's trouble, in what is said of all others."""

    def __init__(self, hosting: Hosting, galleries: Mapping[str, Gallery], loudness: Loudness) -> None:
        """Read ties, recent posts and usual loudness where the lifecycle keeps them."""
        self.hosting = hosting
        self.galleries = galleries
        self.loudness = loudness

    def of(
        self, service: str, onset: datetime, at: datetime, *, standing: Mapping[str, Alert], known: str | None = None
    ) -> Cause:
        """What explains `service`, in trouble since `onset`, as known `at`.

        Args:
            standing: the open alerts, by service.
            known: what explained it before, kept unless it has become unlikely.
        """
        failing = {slug for slug, alert in standing.items() if alert.level is not Level.WATCH}
        beside = self._beside(service, onset, at, standing)
        if beside is not None:
            return Cause(beside, bystander=True)
        sure = self.hosting.cause(service, failing.__contains__)
        named = self._named(service, onset, at, failing)
        odds = {
            host: PRIOR + self._kinship(service, host, onset, at, named=host in named)
            for host in self.hosting.above(service)
        }
        for host in named:
            if host not in odds:
                odds[host] = NAMED_PRIOR + self._kinship(service, host, onset, at, named=True)
        if sure is not None:
            rivals = [host for host in odds if host in failing]
            return Cause(max(rivals, key=lambda host: (odds[host], host == sure)))
        best = max(odds, key=lambda host: odds[host], default=None)
        if best is not None and odds[best] > 0.0:
            return Cause(best)
        if known is not None and (known in odds and odds[known] > DOUBT):
            return Cause(known)
        return Cause()

    def stirring(self, service: str, onset: datetime, at: datetime) -> bool:
        """Whether what `service` runs on, or others that run there, grow louder than chance explains."""
        since = onset - LEAD
        for host in self.hosting.above(service):
            if rise(*self._told(host, since, at, besides=service)) > STIRS:
                return True
            if any(rise(*self._told(other, since, at)) > STIRS for other in self._others(service, host)):
                return True
        return False

    def may_explain(self, service: str, about: str) -> bool:
        """Whether what is said about another may tell why `service` fails."""
        return about == service or any(
            about == host or self.hosting.runs_on(about, host) for host in self.hosting.above(service)
        )

    def _others(self, service: str, host: str) -> list[str]:
        """What else runs on a host of `service`, by another way."""
        nearer = {service, *self.hosting.between(service, host)}
        return [
            slug for slug in self.hosting.below.get(host, ()) if nearer.isdisjoint((slug, *self.hosting.above(slug)))
        ]

    def _kinship(self, service: str, host: str, onset: datetime, at: datetime, *, named: bool) -> float:
        """Log likelihood ratio that a host fails: the mean of its failing since the onset and since times before it."""
        ratios = [self._failing_since(service, host, onset - lead, at, named=named) for lead in LEADS]
        top = max(ratios)
        return top + log(sum(exp(one - top) for one in ratios) / len(ratios))

    def _failing_since(self, service: str, host: str, since: datetime, at: datetime, *, named: bool) -> float:
        others = self._others(service, host)
        own = self._told(host, since, at, besides=None if named else service)
        return kinship([self._told(slug, since, at) for slug in others], own, most=inf if named else HOST_ALONE)

    def _told(self, service: str, since: datetime, at: datetime, besides: str | None = None) -> tuple[int, float]:
        """People since then who do not name `besides`, and how many are usual in that time."""
        gallery = self.galleries.get(service)
        people = lately = 0
        if gallery is not None:
            people, lately = len(gallery.split(since, besides or "")[0]), gallery.people(at - LATELY)
        minutes = max((at - since) / timedelta(minutes=1), 0.5)
        return people, self.loudness.usual(service, to_minutes(at), minutes, lately)

    def _named(self, service: str, onset: datetime, at: datetime, failing: Collection[str]) -> list[str]:
        """What carries others and is named by a service's own people, tied to it or not.

        Of one that fails itself a few who name it are enough; any other may be blamed out of habit.
        """
        gallery = self.galleries.get(service)
        if gallery is None or (self.hosting.carries(service) and not self.hosting.above(service)):
            return []
        found: set[str] = set()
        for since, among in ((at - NAMED_WITHIN, None), (onset - LEAD, failing)):
            count, beside = gallery.named_since(since)
            least = max(NAMED_LEAST, NAMED_SHARE * count) if among is None else max(1.0, FAILING_SHARE * count)
            for other, together in beside.items():
                if together >= least and (among is None or other in among) and self.hosting.carries(other):
                    found.add(other)
        return sorted(other for other in found if not self.hosting.runs_on(other, service))

    def _beside(self, service: str, onset: datetime, at: datetime, standing: Mapping[str, Alert]) -> str | None:
        """A failing service named in many posts about this one, of which far more is said: this one is a bystander.

        When AT&T failed, people wrote "is Verizon down as well?"; Verizon was not. What a failing service explains
        speaks for it. What was said before this one's onset counts too while no more speak of it alone than before.
        """
        explained: dict[str, list[str]] = {}
        for slug, alert in standing.items():
            explained.setdefault(alert.cause or slug, []).append(slug)
        found: tuple[int, str] | None = None
        mine = self.galleries.get(service, Gallery())
        recent = onset - LEAD
        for other in sorted(explained):
            if service == other or self.hosting.runs_on(service, other) or self.hosting.runs_on(other, service):
                continue
            members = dict.fromkeys((other, *explained[other]))
            family = {slug: self.galleries[slug] for slug in members if slug in self.galleries and slug != service}
            kept = [one.reaches_back_to for one in (mine, *family.values()) if one.reaches_back_to is not None]
            kind = self.hosting.category.get(service)
            rivals = kind != "other" and kind in {self.hosting.category.get(slug) for slug in members}
            began = min(standing[slug].onset_at for slug in explained[other]) - LEAD
            if self.hosting.carries(service):
                began = recent  # a host is named beside what it took down, before it is found
            for since in dict.fromkeys((max(recent, *kept, recent), max(began, *kept, began))):
                alone, said, both = self._spoken(mine, family, service, since)
                beside = len(both)
                if since < recent:
                    now, _, _ = self._spoken(mine, family, service, recent)
                    before = (len(alone - now) + 1.0) / (_minutes(recent - since) + 1.0)
                    if len(now) > USUALLY_BLAMED + 2.0 * before * max(_minutes(at - recent), 1.0):
                        continue
                elif rivals and len(said) >= RIVAL_TIMES * len(alone):
                    beside += 1
                share = RIVAL_SHARE if rivals else BYSTANDER_SHARE
                if (
                    beside >= max(1.0, share * (beside + len(alone)))
                    and len(said) >= max(BYSTANDER_TIMES * len(alone), beside)
                    and (found is None or beside > found[0])
                ):
                    found = (beside, other)
        return None if found is None else found[1]

    @staticmethod
    def _spoken(
        mine: Gallery, family: Mapping[str, Gallery], service: str, since: datetime
    ) -> tuple[set[str], set[str], set[str]]:
        """People since then who name this service alone, any of the others, and both."""
        alone, both = mine.split(since, *family)
        said: set[str] = set()
        for gallery in family.values():
            only, named = gallery.split(since, service)
            said, both = said | only, both | named
        return alone, said, both


def _minutes(span: timedelta) -> float:
    return span / timedelta(minutes=1)
