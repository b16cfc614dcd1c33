"""A post that the daemon tells itself: only if it comes through every stage does the daemon call itself alive."""

from __future__ import annotations

from datetime import datetime

from detector.alerting.lifecycle import Lifecycle
from detector.alerting.policy import Receiver, notifications
from detector.domain import Estimate, Judgement, Level, Post, Service, Silence
from detector.errors import DetectorError
from detector.pipeline import Pipeline
from detector.protocols import Signal
from detector.store import Rehearsal

SOURCE = "canary"
_WORDS = (
    "{name} is down for me right now, nothing loads and everybody here has the same problem",
    "is {name} down? I keep getting errors and cannot log in since a few minutes",
)


class CanaryError(DetectorError):
    """A plain complaint did not come through: whatever people say, no alert would come of it."""


class Canary:
    """Takes a plain complaint about a watched service through match, classifier, detector, alerting and outbox.

    Nothing of it stays: the detector and the alert are made for it, and the database rehearses the writing.

    Args:
        pipeline: its matcher, classifier and detectors are used, its memory is not touched.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._chosen: tuple[Service, str] | None = None

    def sing(self, now: datetime) -> Rehearsal:
        """Everything that a real complaint would have written.

        Raises:
            CanaryError: a stage lost it.
        """
        judgement = self._judged(now)
        slug = judgement.mention.service
        detector = self._pipeline.make_detector(self._pipeline.services[slug])
        detector.observe(judgement)
        detector.advance(now)
        estimate = Estimate(
            service=slug, at=now, onset=now, people=judgement.p.now, expected=0.0, return_period_months=1.0,
            ratio=1.0, score=0.0, window_minutes=1.0,
        )  # fmt: skip
        lifecycle = Lifecycle(self._pipeline.services.values())
        changes = lifecycle.apply(slug, Signal(level=Level.ALERT, at=now, estimate=estimate))
        silences: list[Silence] = []
        decisions, owed = notifications(changes[0], [Receiver(name=SOURCE)], silences, now)
        if len(owed) != 1:
            raise CanaryError("canary: alerting told nobody of a plain outage; this is a bug of the detector")
        return Rehearsal(
            judgement=judgement, alert=changes[0].alert, reason=changes[0].reason, decision=decisions[0], owed=owed[0]
        )

    def _judged(self, now: datetime) -> Judgement:
        if self._chosen is not None:
            found = self._try(*self._chosen, now)
            if found is not None:
                return found
        # Some names are words of everyday speech that a single sentence does not carry; one that works is enough.
        for service in self._pipeline.services.values():
            for words in _WORDS:
                found = self._try(service, words, now)
                if found is not None:
                    self._chosen = (service, words)
                    return found
        raise CanaryError(
            f"canary: no plain complaint about a watched service is understood ({self._pipeline.classifier.name}); "
            "check the model with detector doctor"
        )

    def _try(self, service: Service, words: str, now: datetime) -> Judgement | None:
        post = Post(source=SOURCE, id="canary", created_at=now, seen_at=now, text=words.format(name=service.name))
        mentions = [each for each in self._pipeline.match([post]) if each.service == service.slug]
        judged = self._pipeline.classifier.judge(mentions) if mentions else []
        return judged[0] if judged and judged[0].p.now >= 0.5 else None
