"""The event-time negative-binomial scan: how rare is the densest recent window of complaining people?

At every accepted post it looks back over windows that start at earlier posts, compares the people in each with what
the hour usually brings, and converts the rarest into S = -ln(clusters at least as dense a month, by chance):

    S = -ln( rate * month * P[NB(mu, kappa) >= people after the first] )

A window is conditioned on its first post, so the first term is how often such a window starts. One global threshold
on S serves services of any volume (`../shared/DETECTION.md` section 1; scan statistics: Glaz, Naus and Wallenstein,
2001; negative binomial surveillance: Hoehle and Paul, CSDA 2008). State changes only at posts and at whole minutes,
never at calls, so batching changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, floor, log, sqrt

from detector.detect.baseline import Baseline
from detector.detect.closing import Closing
from detector.detect.dedupe import Votes, text_key
from detector.detect.localtime import hour_of_week
from detector.detect.negbin import MONTH_MINUTES, divergence, log_tail
from detector.detect.state import dump_scan, load_scan
from detector.detect.usual import Usual
from detector.detect.weights import ComplaintShare, WeightScale, posterior, weight
from detector.detect.windows import Start, Starts
from detector.domain import (
    Budget,
    Coverage,
    CoverageState,
    Estimate,
    Judgement,
    Level,
    Service,
    from_minutes,
    to_minutes,
)
from detector.protocols import Signal

# The scan looks at many overlapping windows, so chance exceeds S more often than e^-S a month; this offset was
# measured on synthetic quiet streams (`../shared/DETECTION.md` section 1, held-out seeds) and is added to every
# threshold and taken off every printed return period.
MULTIPLICITY = 3.0
WATCH_BELOW = 3.0  # nats under the threshold at which a watch begins
WATCH_MINUTES = 60.0  # a watch that does not grow is forgotten
LATE_MINUTES = 60.0  # an older post is stored and judged but not counted
DRIFT = 60.0  # minutes in which the true level forgets itself (an AR(1) of variance phi)
TAU_SHORTEST = 4.0  # minutes: the shortest memory of the local level
VOTER = 0.25  # a post less likely a complaint than this is nobody's vote
SURE_ALONE = 2.2  # sum of the probabilities of at least three people that opens an alert
SURE_TOGETHER = 1.4  # the same where third-person reports corroborate; also what a watch needs
ACCEPT = 0.25  # weights below only feed the baseline


@dataclass(slots=True)
class Episode:
    """An open watch or alert.

    Attributes:
        seen: minute at which it was last confirmed, by the order in which posts became known.
        start: the window's first post (a copy; later posts may be inserted before it).
        told_people, told_score, expected: the argument of the last signal.
        total: people since it opened.
    """

    level: Level
    seen: float
    start: Start
    told_people: float
    told_score: float
    expected: float
    closing: Closing | None = None
    total: float = 0.0


class ScanDetector:
    """One service's detector; see `detector.protocols.Detector`."""

    def __init__(self, service: Service, budget: Budget, prior: float) -> None:
        """Follow `service`; `prior` is the share of complaints at which the classifier's probabilities stand."""
        self.service = service.slug
        self.prior = prior
        self.threshold = MULTIPLICITY - log(budget.per_month)
        local = hour_of_week(service.timezone)
        rate = service.rate
        self.known = rate is not None
        people = Baseline(local_hour=local) if rate is None else Baseline(rate, 24.0, local)
        self.usual = Usual(people, Baseline(prior_rate=1.0, local_hour=local))
        self.share = ComplaintShare()
        self.scale = WeightScale()
        self.votes = Votes()
        self.starts = Starts()
        self.episode: Episode | None = None
        self.clock: float | None = None  # whole minutes, in the order in which posts become known
        self.frontier = 0.0  # event time of the newest accepted or other mention
        self.index = self.voters = self.reports = self.late = 0
        self.sure = 0.0
        self.expected = self.talk_expected = self.total = self.chatter = 0.0
        self.local_count = self.local_expected = 0.0
        self.by_source: dict[str, float] = {}

    @property
    def learning(self) -> bool:
        """A full day for a stream with complaints in it, three for a silent one; half of it where the rate is known."""
        need = 24.0 if self.usual.people.total >= 20.0 else 72.0
        return self.usual.heard(self.clock) < (need / 2.0 if self.known else need)

    def observe(self, judgement: Judgement) -> Sequence[Signal]:
        """Take one judged mention; posts come in the order in which they became known."""
        post = judgement.mention.post
        known = to_minutes(post.seen_at)
        signals = self._advance(known)
        self.usual.learn_until(self.clock)
        at = min(known, to_minutes(post.created_at))
        if known - at > LATE_MINUTES:
            self.late += 1
            return signals
        if post.official:
            return signals
        p = judgement.p
        after = posterior(p.complaint, self.prior, self.share.value)
        alerting = self._alerting
        if not alerting:
            self.share.learn(after)
        self._move(at)
        w = weight(after)
        talk = 1.0 - posterior(p.now, self.prior, self.share.value)
        self.usual.count(at, chatter=talk)
        self.chatter += talk
        for start in self.starts.kept:
            if start.at > at:
                start.chatter += talk
        if w < 0.02 and p.report < 0.5:
            return signals
        accepted = w >= ACCEPT
        kind = "a:" if accepted else "f:"
        author = f"{kind}{post.source}/{post.author or post.id}"
        copied = text_key(post.text, judgement.mention.matched)
        if not self.votes.fresh(at, author, copied and kind + copied):
            return signals
        self.usual.count(at, people=w)
        report = p.report > p.complaint and p.now >= 0.5
        sure = p.complaint if p.complaint >= VOTER and not report else 0.0
        self._count(at, w, sure=sure, report=report, keep=accepted or report)
        if accepted:
            self.scale.learn(w)
            self.by_source[post.source] = self.by_source.get(post.source, 0.0) * 0.9 + w
        if not (accepted or report):
            return signals
        argued = self._argue(post.seen_at, known, w)
        return [*signals, argued] if argued else signals

    def advance(self, now: datetime) -> Sequence[Signal]:
        """Let time pass up to `now`."""
        return self._advance(to_minutes(now))

    def hear(self, coverage: Coverage) -> None:
        """Remember a span in which nothing could be heard: it is neither learned nor taken for calm."""
        if coverage.state is not CoverageState.OK:
            self.usual.deafen(to_minutes(coverage.from_at), to_minutes(coverage.to_at))

    @property
    def _alerting(self) -> bool:
        return self.episode is not None and self.episode.closing is not None

    # -- time ------------------------------------------------------------------------------------------------------

    def _advance(self, known: float) -> list[Signal]:
        minute = float(floor(known))
        if self.clock is None:
            self.clock = minute
            self.usual.next_hour = floor(minute / 60.0)
            return []
        signals: list[Signal] = []
        while self.clock < minute:
            if self.episode is None:
                self.clock = minute
            else:
                self.clock += 1.0
                signals += self._minute(self.clock)
                self.usual.learn_until(self.clock)
        return signals

    def _minute(self, minute: float) -> list[Signal]:
        """One minute of an open episode ends."""
        episode = self.episode
        if episode is None or self.usual.was_deaf(minute):
            return []
        if episode.closing is None:
            return self._close(minute) if minute - episode.seen >= WATCH_MINUTES else []
        self.usual.skip(minute - 1.0, minute - 1.0)
        why = episode.closing.minute(minute, self.usual.people.rate(minute))
        if why is None:
            return []
        if why == "age":
            hours = max((minute - episode.closing.opened) / 60.0, 0.5)
            self.usual.people.reset(episode.total / hours, hours=24.0)
        return self._close(minute)

    def _close(self, minute: float) -> list[Signal]:
        alerted = self._alerting
        self.episode = None
        if alerted:
            self.starts.kept.clear()
            self.local_count = self.local_expected = 0.0
        return [Signal(level=None, at=from_minutes(minute))]

    def _move(self, at: float) -> None:
        """Bring the frontier to `at`; an older post leaves it where it is."""
        gap = at - self.frontier
        if gap <= 0.0:
            return
        if gap > self.starts.reach:
            self.starts.kept.clear()
            self.local_count = self.local_expected = 0.0
        else:
            more = self.usual.people.expected(self.frontier, at)
            self.expected += more
            self.talk_expected += self.usual.talk.expected(self.frontier, at)
            tau = self._memory(more / gap)
            fade = exp(-gap / tau)
            self.local_count *= fade
            self.local_expected = self.local_expected * fade + self.scale.value * more / gap * tau * (1.0 - fade)
        self.frontier = at
        self.starts.drop_before(at)

    def _memory(self, rate: float) -> float:
        """How many minutes the local level remembers: noise 1/(rate tau) against drift phi tau/60, balanced.

        The steady state of a local-level model (Harvey, Forecasting, Structural Time Series Models, section 4.1).
        """
        return min(DRIFT, max(TAU_SHORTEST, sqrt(DRIFT / (rate * self.usual.people.phi))))

    # -- counting and arguing --------------------------------------------------------------------------------------

    def _count(self, at: float, w: float, *, sure: float, report: bool, keep: bool) -> None:
        """Add one post at its place in time; a late one is added to the windows that contain it."""
        later = [start for start in self.starts.kept if start.at > at]
        voter = sure > 0.0
        before, chatter = self.total, self.chatter
        people = (self.voters, self.sure, self.reports)
        expected, talk_expected = self.expected, self.talk_expected
        if later:
            before, chatter = later[0].before, later[0].chatter
            people = (later[0].voters, later[0].sure, later[0].reports)
        if at < self.frontier:
            expected -= self.usual.people.expected(at, self.frontier)
            talk_expected -= self.usual.talk.expected(at, self.frontier)
        for start in later:
            start.before += w
            start.voters += voter
            start.sure += sure
            start.reports += report
        if keep:
            self.index += 1
            start = Start(
                at=at,
                index=self.index,
                expected=expected,
                chatter_expected=talk_expected,
                before=before,
                own=w,
                chatter=chatter,
                voters=people[0],
                sure=people[1],
                reports=people[2],
                local_count=self.local_count,
                local_expected=self.local_expected,
            )
            self.starts.add(start, self.index)
        self.local_count += w * self.scale.value
        self.total += w
        self.voters += voter
        self.sure += sure
        self.reports += report

    def _argue(self, seen_at: datetime, known: float, w: float) -> Signal | None:
        """Score the windows after an accepted post and say so where it matters."""
        episode = self.episode
        if episode is not None and episode.closing is not None:
            episode.closing.post(known, w)
            episode.total += w
            return self._update(episode, seen_at)
        if self.learning:
            return None
        found = self._scan()
        if episode is not None and episode.told_score >= self.threshold and self._people(episode.start)[1]:
            # The watch was as rare as an alert must be and lacked a third voice; a report is one. (A third complaint
            # is not enough: it must make a rare window of its own, or chance would be given an hour to bring it.)
            held = (episode.told_score, episode.start, episode.told_people, episode.expected)
            found = max(found or held, held, key=lambda argument: argument[0])
        if found is None or found[0] < self.threshold - WATCH_BELOW:
            return None
        score, start, people, mu = found
        alone, together = self._people(start)
        if score >= self.threshold and (alone or together):
            closing = Closing.of(known, people, mu)
            self.episode = Episode(Level.ALERT, known, start, people, score, mu, closing, people)
            self.usual.skip(start.at, known)
            estimate = self._estimate(seen_at, score, start, people, mu)
            return Signal(level=Level.ALERT, at=seen_at, estimate=estimate, corroborated=not alone)
        if episode is not None:
            if score < episode.told_score + 1.5:
                return None
            known = max(known, episode.seen)
        self.episode = Episode(Level.WATCH, known, start, people, score, mu)
        return Signal(level=Level.WATCH, at=seen_at, estimate=self._estimate(seen_at, score, start, people, mu))

    def _people(self, start: Start) -> tuple[bool, bool]:
        """Whether enough people complain since `start` on their own, or together with those who report it."""
        voters, reports = self.voters - start.voters, self.reports - start.reports
        sure = self.sure - start.sure
        alone = voters >= 3 and sure >= SURE_ALONE
        return alone, voters + reports >= 3 and reports >= 1 and sure >= SURE_TOGETHER

    def _update(self, episode: Episode, seen_at: datetime) -> Signal | None:
        """While firing the window runs from the onset; a signal goes out when the argument has grown by half."""
        start = episode.start
        people = self.total - start.before - start.own + 1.0
        if people < 1.5 * episode.told_people:
            return None
        mu = max(self.expected - start.expected, 1e-9) * self.scale.value
        count = (people - 1.0) * self.scale.value
        kappa = 1.0 / (self.usual.people.phi + self.usual.people.variance(self.frontier))
        rate = self.usual.people.rate(self.frontier) * self.scale.value * MONTH_MINUTES
        score = -(log(rate) + log_tail(count, mu, kappa)) if count > mu else episode.told_score
        episode.told_people, episode.told_score = people, max(score, episode.told_score)
        estimate = self._estimate(seen_at, episode.told_score, start, people, mu)
        return Signal(level=Level.ALERT, at=seen_at, estimate=estimate)

    def _scan(self) -> tuple[float, Start, float, float] | None:
        """The rarest window: score, start, people in it, expectation."""
        base, scale, frontier = self.usual.people, self.scale.value, self.frontier
        phi, unsure = base.phi, base.variance(frontier)
        k0 = 1.0 / (phi + unsure)
        per_minute = base.rate(frontier)
        rate = log(per_minute * scale * MONTH_MINUTES)
        blur = 0.01 + 0.01 * per_minute / (per_minute + 0.5)  # what tracking the level leaves unknown
        leak = 1.5 * min(base.level / (base.level + self.usual.talk.level), 0.3)
        best, argument = -50.0, None
        for start in reversed(self.starts.kept):
            if self.sure - start.sure < SURE_TOGETHER:
                continue
            count = (self.total - start.before - start.own) * scale
            if count <= 0.0:
                continue
            local = max(0.7, (k0 + start.local_count) / (k0 + start.local_expected))
            mu = (self.expected - start.expected) * local * scale + 1e-9
            talk = self.chatter - start.chatter - (self.talk_expected - start.chatter_expected) * local - count
            if talk > 0.0:
                mu += leak * talk * scale
            if count <= 1.15 * mu:
                continue
            drift = 1.5 * phi * (1.0 - exp((start.at - frontier) / DRIFT))
            spread = 1.0 / (k0 + start.local_count) + drift + blur
            kappa = 1.0 / min(spread, phi + unsure)
            if divergence(count, mu, kappa) - rate + 2.5 < best:
                continue
            score = -(rate + log_tail(count, mu, kappa))
            if score > best:
                best, argument = score, (start, count / scale + 1.0, mu / scale)
        return None if argument is None else (best, *argument)

    def _estimate(self, seen_at: datetime, score: float, start: Start, people: float, mu: float) -> Estimate:
        return Estimate(
            service=self.service,
            at=seen_at,
            onset=from_minutes(start.at),
            people=round(people, 2),
            expected=round(mu, 4),
            return_period_months=round(exp(min(score - MULTIPLICITY, 40.0)), 2),
            ratio=round(people / max(mu, 0.01), 2),
            score=round(score, 3),
            window_minutes=round(self.frontier - start.at, 2),
            sources=tuple(sorted(self.by_source.items(), key=lambda pair: (-pair[1], pair[0]))[:5]),
            voters=self.voters - start.voters,
        )

    def dump(self) -> dict[str, object]:
        """The whole state as JSON-compatible values."""
        return dump_scan(self)

    def load(self, state: dict[str, object]) -> None:
        """Take over a dumped state; what follows is identical to never having stopped."""
        load_scan(self, state)


def build(service: Service, budget: Budget, prior: float) -> ScanDetector:
    """Entry point `scan` of `detector.detectors`."""
    return ScanDetector(service, budget, prior)
