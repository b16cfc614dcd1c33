"""What happens, in order. The daemon and the backfill both run this; only the batches and the sink differ.

    posts -> match -> judge -> weigh (detect, alert) -> changes

`now` is an argument and silence is data: `feed([], now)` lets alerts close. Posts are taken in `Post.order`; the same
posts in one batch or in many give the same alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from detector.alerting.lifecycle import Lifecycle
from detector.domain import Change, Coverage, Judgement, Mention, Post, Service
from detector.protocols import Classifier, Detector, HearsPlaces, Matcher, OfficialRecord, Signal

FORMAT = 2


class Pipeline:
    """From posts to changes of alerts, for all watched services.

    Attributes:
        detectors: one per service that has been named so far.
    """

    def __init__(
        self,
        *,
        services: Sequence[Service],
        matcher: Matcher,
        classifier: Classifier,
        make_detector: Callable[[Service], Detector],
        record: OfficialRecord | None = None,
    ) -> None:
        """Put the parts together; nothing is read or written here."""
        self.services = {service.slug: service for service in services}
        self.matcher = matcher
        self.classifier = classifier
        self.make_detector = make_detector
        self.lifecycle = Lifecycle(services, record)
        self.detectors: dict[str, Detector] = {}
        self.minute: datetime | None = None

    def feed(self, posts: Iterable[Post], now: datetime) -> list[Change]:
        """Judge and weigh posts that became known by `now`; with no posts, let time pass."""
        return self.weigh(self.judge(posts), now)

    def match(self, posts: Iterable[Post]) -> list[Mention]:
        """The mentions of watched services, in `Post.order`."""
        return [
            mention
            for post in sorted(posts, key=lambda post: post.order)
            for mention in self.matcher.match(post)
            if mention.service in self.services
        ]

    def judge(self, posts: Iterable[Post]) -> list[Judgement]:
        """What the classifier makes of each mention; depends on nothing but the post."""
        mentions = self.match(posts)
        return self.classifier.judge(mentions) if mentions else []

    def weigh(self, judgements: Iterable[Judgement], now: datetime) -> list[Change]:
        """Take judged mentions in order and let time pass to `now`: the only stage that remembers."""
        changes: list[Change] = []
        judged = list(judgements)
        named: dict[tuple[str, str], list[str]] = {}
        for judgement in judged:
            named.setdefault(judgement.mention.post.key, []).append(judgement.mention.service)
        for judgement in judged:
            post, slug = judgement.mention.post, judgement.mention.service
            if self.lifecycle.open:
                changes += self._pass_time(post.seen_at)
            changes += self.lifecycle.note(judgement, tuple(other for other in named[post.key] if other != slug))
            for signal in self.detector(slug).observe(judgement):
                changes += self.lifecycle.apply(slug, signal)
        changes += self._pass_time(now)
        return changes

    def acknowledge(self, service: str, now: datetime) -> list[Change]:
        """The official page of a service changed."""
        return self.lifecycle.acknowledge(service, now)

    def end_unwatched(self, now: datetime) -> list[Change]:
        """End the alerts, found in a loaded state, of services that are watched no more: nobody would ever end them."""
        gone = sorted(self.lifecycle.open.keys() - self.services.keys())
        return [change for slug in gone for change in self.lifecycle.apply(slug, Signal(level=None, at=now))]

    def hear(self, coverage: Coverage, services: Iterable[str] | None = None) -> None:
        """Tell the detectors of a span in which their sources could not be heard."""
        for slug in self.detectors if services is None else services:
            if slug in self.services:
                self.detector(slug).hear(coverage)

    def muffle(self, coverage: Coverage) -> None:
        """Tell the detectors of a span in which one source could not be heard; the others may have been."""
        for detector in self.detectors.values():
            if isinstance(detector, HearsPlaces):
                detector.muffle(coverage)

    def detector(self, slug: str) -> Detector:
        """The detector of a watched service, made when it is first named."""
        found = self.detectors.get(slug)
        if found is None:
            found = self.detectors[slug] = self.make_detector(self.services[slug])
        return found

    def _pass_time(self, at: datetime) -> list[Change]:
        """Advance the services with an open alert to the whole minute, so that changes come in order of time."""
        minute = at.replace(second=0, microsecond=0)
        if self.minute is not None and minute <= self.minute:
            return self.lifecycle.release(at)
        self.minute = minute
        signals = [
            (signal.at, slug, signal)
            for slug in sorted(self.lifecycle.open.keys() & self.services.keys())
            for signal in self.detector(slug).advance(minute)
        ]
        signals.sort(key=lambda entry: entry[:2])
        changes = [change for _, slug, signal in signals for change in self.lifecycle.apply(slug, signal)]
        return changes + self.lifecycle.release(at)

    def dump(self) -> dict[str, Any]:
        """All state as JSON-compatible values; `load` of it continues identically."""
        return {
            "format": FORMAT,
            "minute": self.minute.isoformat() if self.minute else None,
            "lifecycle": self.lifecycle.dump(),
            "detectors": {slug: detector.dump() for slug, detector in self.detectors.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over a dumped state.

        Raises:
            ValueError: it was written by another version; the caller starts afresh and says so.
        """
        if state.get("format") != FORMAT:
            raise ValueError(f"pipeline state of format {state.get('format')!r}, this version reads {FORMAT}")
        self.minute = datetime.fromisoformat(state["minute"]) if state["minute"] else None
        self.lifecycle.load(state["lifecycle"])
        self.detectors = {}
        for slug, saved in state["detectors"].items():
            if slug in self.services:
                self.detector(slug).load(saved)
